// skein space: the spaces of a cluster, for people. The words are those of the SPACE command; what changes something is passed on as it is.
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"

static const sk_flag flags[] = {
    SK_FLAGS_SERVER,
    {"--json", NULL, NULL, "what the node said, as JSON"},
};

enum { CALL_TIMEOUT_S = 10, WORDS_MAX = 256 };

// ---- Values as JSON ----

static json_t *text_json(sk_slice text)
{
    json_t *value = json_stringn((const char *)text.data, text.size);
    return value ? value : json_string("(not UTF-8)");
}

static bool is_pairs(const sk_resp_value *value)
{
    if (value->type != SK_RESP_ARRAY || value->count < 2 || value->count % 2) return false;
    for (size_t i = 0; i < value->count; i += 2) {
        if (value->items[i].type != SK_RESP_BULK) return false;
    }
    return true;
}

// Flat arrays that begin with a name are objects, as long as they hold a `name` or a `space`; options stay lists.
static json_t *value_json(const sk_resp_value *value)
{
    if (value->type == SK_RESP_INTEGER) return json_integer((json_int_t)value->integer);
    if (value->type != SK_RESP_ARRAY) return text_json(value->text);
    bool named = is_pairs(value) && (sk_slice_equal(value->items[0].text, sk_slice_text("name")) ||
                                     sk_slice_equal(value->items[0].text, sk_slice_text("space")));
    json_t *all = named ? json_object() : json_array();
    for (size_t i = 0; i < value->count; i++) {
        if (!named) {
            json_array_append_new(all, value_json(&value->items[i]));
            continue;
        }
        char name[64];
        snprintf(name, sizeof name, "%.*s", (int)value->items[i].text.size, (const char *)value->items[i].text.data);
        json_object_set_new(all, name, value_json(&value->items[++i]));
    }
    return all;
}

static int print_json(const sk_resp_value *reply)
{
    json_t *root = value_json(reply);
    int error = json_dumpf(root, stdout, JSON_INDENT(2) | JSON_PRESERVE_ORDER | JSON_ENCODE_ANY);
    fputc('\n', stdout);
    json_decref(root);
    return error ? SK_EXIT_FAILED : SK_EXIT_OK;
}

// ---- For people ----

static const sk_resp_value *field(const sk_resp_value *row, const char *name)
{
    for (size_t i = 0; i + 1 < row->count; i += 2) {
        if (sk_slice_equal(row->items[i].text, sk_slice_text(name))) return &row->items[i + 1];
    }
    static const sk_resp_value nothing = {.type = SK_RESP_BULK};
    return &nothing;
}

static void print_text(const sk_resp_value *value, int width)
{
    int shown = 0;
    if (value->type == SK_RESP_INTEGER) {
        shown = printf("%" PRId64, value->integer);
    } else {
        for (size_t i = 0; i < value->text.size; i++) {
            uint8_t c = value->text.data[i];
            shown += printf(c >= ' ' && c <= '~' ? "%c" : "\\x%02x", c);
        }
    }
    printf("%*s", width > shown ? width - shown : 1, "");
}

static void print_list(const sk_resp_value *reply)
{
    puts("number  space            prefix           protocol  reads         keys      here, now");
    for (size_t i = 0; i < reply->count; i++) {
        const sk_resp_value *row = &reply->items[i];
        print_text(field(row, "number"), 8);
        print_text(field(row, "name"), 17);
        print_text(field(row, "prefix"), 17);
        print_text(field(row, "protocol"), 10);
        print_text(field(row, "reads"), 14);
        print_text(field(row, "keys"), 10);
        bool writable = field(row, "writable")->integer != 0;
        bool readable = field(row, "readable")->integer != 0;
        fputs(writable ? "written and read" : readable ? "read, not written: " : "neither written nor read: ", stdout);
        if (!writable) print_text(field(row, "why"), 1);
        putchar('\n');
    }
}

static void print_pairs(const sk_resp_value *reply)
{
    for (size_t i = 0; i + 1 < reply->count; i += 2) {
        const sk_resp_value *value = &reply->items[i + 1];
        if (value->type == SK_RESP_BULK && !value->text.size) continue;
        print_text(&reply->items[i], 18);
        for (size_t k = 0; value->type == SK_RESP_ARRAY && k < value->count; k++) print_text(&value->items[k], 1);
        if (value->type != SK_RESP_ARRAY) print_text(value, 1);
        putchar('\n');
    }
}

static int show(const sk_arguments *arguments, const sk_resp_value *reply)
{
    if (reply->type == SK_RESP_FAILURE) {
        fprintf(stderr, "skein space: %.*s\n", (int)reply->text.size, (const char *)reply->text.data);
        bool later = reply->text.size > 8 && (!memcmp(reply->text.data, "TRYAGAIN", 8) || !memcmp(reply->text.data, "CLUSTERD", 8));
        return later ? SK_EXIT_TRY_LATER : SK_EXIT_FAILED;
    }
    if (sk_cli_value(arguments, "--json")) return print_json(reply);
    if (reply->type != SK_RESP_ARRAY) printf("%.*s\n", (int)reply->text.size, (const char *)reply->text.data);
    else if (strcmp(arguments->list[0], "list") == 0) print_list(reply);
    else print_pairs(reply);
    return SK_EXIT_OK;
}

static int run(const sk_arguments *arguments)
{
    if (!arguments->count) return sk_cli_usage(arguments->verb, "one of list, info, route, create, alter, drop is wanted");
    if (arguments->count >= WORDS_MAX) return sk_cli_usage(arguments->verb, "too many words");
    sk_endpoint endpoint;
    int code = sk_cli_endpoint(arguments, &endpoint);
    if (code) return code;
    sk_slice argv[WORDS_MAX] = {sk_slice_text("SPACE")};
    for (int i = 0; i < arguments->count; i++) argv[i + 1] = sk_slice_text(arguments->list[i]);
    sk_remote remote;
    sk_remote_init(&remote);
    sk_ns deadline = sk_client_now() + CALL_TIMEOUT_S * SK_S;
    const sk_resp_value *reply = NULL;
    int error = sk_remote_open(&remote, &endpoint, deadline);
    if (!error) error = sk_remote_call(&remote, (size_t)arguments->count + 1, argv, deadline, &reply);
    if (error) {
        fprintf(stderr, "skein space: %s\n", remote.problem);
        code = SK_EXIT_UNAVAILABLE;
    } else {
        code = show(arguments, reply);
    }
    sk_remote_deinit(&remote);
    return code;
}

const sk_verb sk_verb_space = {
    .name = "space",
    .usage = "list | info NAME | route KEY | create NAME prefix P protocol X ... | alter NAME ... | drop NAME [force]",
    .summary = "the parts of the key space, and how each agrees",
    .help = "  list                 all spaces, and whether each can be written and read at this node, now\n"
            "  info NAME            what it promises, what it holds, how far it is, why it cannot be written or read\n"
            "  route KEY            which space a key belongs to, and why\n"
            "  create NAME prefix P protocol raft [number N] [durability always] [reads linearizable|session|local]\n"
            "                       [option memory-max 64mb]\n"
            "  create NAME prefix P protocol crdt|causal [durability always|volatile|group ms N] [reads session|local]\n"
            "                       [option register lww|mv] [option counter pn|g] [option memory-max 64mb]\n"
            "                       [option conflict last-writer|merge|custom] [option rule 'return function(s) ... end']\n"
            "  alter NAME reads session | option memory-max 128mb | option rule \"$(cat rule.lua)\"\n"
            "  drop NAME [force]    an empty one; with force, one with all its keys\n"
            "\n"
            "conflict: what reads show of a value that nodes wrote apart. last-writer: the last one; merge: the lines of all;\n"
            "custom: what the rule, a function in Lua 5.4, makes of the array of them. SIBLINGS key shows them all (docs/crdt.md).\n",
    .flags = flags,
    .flag_count = sizeof flags / sizeof flags[0],
    .run = run,
};
