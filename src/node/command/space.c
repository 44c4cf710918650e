// SPACE: the parts of the key space, and how each agrees.
#include "node/command/family.h"

#include <inttypes.h>
#include <stdio.h>

#include "node/catalogue.h"
#include "node/route.h"
#include "node/state.h"
#include "redis/number.h"

// ---- Arguments ----

typedef struct arguments {
    sk_space_record record;
    uint32_t what; // of enum sk_alter
    bool prefix, protocol, number;
    sk_slice options[SK_SPACE_OPTION_WORDS_MAX]; // names and values in turn
    size_t option_count;                // of both together
} arguments;

// "64mb", "1gb", "5000": bytes.
static bool parse_size(sk_slice text, uint64_t *out)
{
    static const struct {
        const char *name;
        uint64_t scale;
    } units[] = {{"", 1}, {"b", 1}, {"kb", 1024}, {"mb", 1024 * 1024}, {"gb", 1024 * 1024 * 1024}};
    size_t digits = 0;
    uint64_t value = 0;
    while (digits < text.size && text.data[digits] >= '0' && text.data[digits] <= '9' && value < UINT64_MAX / 100)
        value = value * 10 + (uint64_t)(text.data[digits++] - '0');
    sk_slice unit = sk_slice_make(text.data + digits, text.size - digits);
    for (size_t i = 0; digits && i < sizeof units / sizeof *units; i++) {
        if (!sk_slice_equal_nocase(unit, units[i].name) || value > ((uint64_t)1 << 50) / units[i].scale) continue;
        *out = value * units[i].scale;
        return true;
    }
    return false;
}

static bool is_keyword(sk_slice word)
{
    static const char *const keywords[] = {"prefix", "protocol", "number", "durability", "reads", "option"};
    for (size_t i = 0; i < sizeof keywords / sizeof *keywords; i++) {
        if (sk_slice_equal_nocase(word, keywords[i])) return true;
    }
    return false;
}

static bool read_name(sk_node_call *call, arguments *out)
{
    const char *why = sk_space_name_refused(call->argv[2]);
    if (why) {
        sk_reply_errorf(&call->reply, "ERR %s", why);
        return false;
    }
    memcpy(out->record.name, call->argv[2].data, call->argv[2].size);
    return true;
}

static bool read_protocol(sk_node_call *call, sk_slice name, arguments *out)
{
    const sk_space_kind *kind = sk_space_kind_find(name);
    if (kind) {
        out->protocol = true;
        snprintf(out->record.protocol, sizeof out->record.protocol, "%s", kind->protocol->name);
        return true;
    }
    size_t count;
    const sk_space_kind *const *kinds = sk_space_kinds(&count);
    sk_buffer known = {0};
    for (size_t i = 0; i < count; i++) sk_buffer_printf(&known, "%s%s", i ? ", " : "", kinds[i]->protocol->name);
    sk_reply_errorf(&call->reply, "ERR there is no protocol '%.*s': use one of %.*s", SK_CALL_TEXT(name), (int)known.size,
                    (const char *)known.data);
    sk_buffer_deinit(&known);
    return false;
}

// DURABILITY always | group MS ms | volatile; `*at` stands on its value and is moved behind all of it.
static bool read_durability(sk_node_call *call, size_t *at, arguments *out)
{
    int64_t ms = 0;
    sk_slice value = call->argv[(*at)++];
    out->what |= SK_ALTER_DURABILITY;
    if (sk_slice_equal_nocase(value, "always")) {
        out->record.durability = SK_DURABILITY_ALWAYS;
    } else if (sk_slice_equal_nocase(value, "volatile")) {
        out->record.durability = SK_DURABILITY_VOLATILE;
    } else if (sk_slice_equal_nocase(value, "group") && *at + 1 < call->argc && sk_slice_equal_nocase(call->argv[*at], "ms") &&
               sk_number_parse(call->argv[*at + 1], &ms) && ms > 0 && ms <= 60 * 1000) {
        out->record.durability = SK_DURABILITY_GROUP;
        out->record.durability_ms = (uint32_t)ms;
        *at += 2;
    } else {
        sk_reply_error(&call->reply, "ERR DURABILITY is always, group MS milliseconds (1 to 60000), or volatile");
        return false;
    }
    return true;
}

// OPTION name value [name value ...], as often as one likes; `*at` as above.
static bool read_option(sk_node_call *call, size_t *at, arguments *out)
{
    for (; *at + 1 < call->argc && !is_keyword(call->argv[*at]); *at += 2) {
        if (out->option_count == SK_SPACE_OPTION_WORDS_MAX) {
            sk_reply_error(&call->reply, "ERR too many options");
            return false;
        }
        out->options[out->option_count++] = call->argv[*at];
        out->options[out->option_count++] = call->argv[*at + 1];
    }
    out->what |= SK_ALTER_OPTIONS;
    return true;
}

static bool read_pair(sk_node_call *call, size_t *at, arguments *out)
{
    sk_slice keyword = call->argv[(*at)++];
    if (*at == call->argc || !is_keyword(keyword)) {
        sk_reply_error(&call->reply, SK_ERR_SYNTAX);
        return false;
    }
    if (sk_slice_equal_nocase(keyword, "durability")) return read_durability(call, at, out);
    if (sk_slice_equal_nocase(keyword, "option")) return read_option(call, at, out);
    sk_slice value = call->argv[(*at)++];
    if (sk_slice_equal_nocase(keyword, "prefix")) {
        out->prefix = true;
        out->record.prefix = value;
        if (value.size && value.size <= SK_SPACE_PREFIX_MAX) return true;
        sk_reply_errorf(&call->reply, "ERR a prefix has 1 to %d bytes", SK_SPACE_PREFIX_MAX);
        return false;
    }
    if (sk_slice_equal_nocase(keyword, "protocol")) return read_protocol(call, value, out);
    if (sk_slice_equal_nocase(keyword, "reads")) {
        out->what |= SK_ALTER_READS;
        if (sk_reads_mode_parse(value, &out->record.reads)) return true;
        sk_reply_error(&call->reply, "ERR READS is linearizable, session or local");
        return false;
    }
    int64_t number;
    out->number = true;
    if (sk_number_parse(value, &number) && number >= 2 && number <= SK_SPACE_NUMBER_MAX) {
        out->record.number = (uint32_t)number;
        return true;
    }
    sk_reply_errorf(&call->reply, "ERR NUMBER is from 2 to %d: 0 is the routed view, 1 the default space", SK_SPACE_NUMBER_MAX);
    return false;
}

// Behind the name.
static bool read_arguments(sk_node_call *call, arguments *out)
{
    *out = (arguments){.record = {.phase = SK_PHASE_ACTIVE}};
    if (sk_call_too_many(call, 2) || !read_name(call, out)) return false;
    for (size_t at = 3; at < call->argc;) {
        if (!read_pair(call, &at, out)) return false;
    }
    return true;
}

// The kind's own word for an option's name; NULL (and answered): it has none of that name.
static const char *option_name(sk_node_call *call, const sk_space_kind *kind, sk_slice name)
{
    for (const char *const *known = kind->options; *known; known++) {
        if (sk_slice_equal_nocase(name, *known)) return *known;
    }
    sk_reply_errorf(&call->reply, "ERR OPTION '%.*s': %s", SK_CALL_TEXT(name), kind->options_help);
    return NULL;
}

// memory-max is every kind's; the others go to the kind. `bytes` gets those as they are kept.
static bool read_options(sk_node_call *call, const sk_space_kind *kind, arguments *out, sk_buffer *bytes)
{
    sk_slice kept[SK_SPACE_OPTION_WORDS_MAX];
    size_t count = 0;
    for (size_t i = 0; i < out->option_count; i += 2) {
        sk_slice name = out->options[i], value = out->options[i + 1];
        if (sk_slice_equal_nocase(name, "memory-max")) {
            out->what |= SK_ALTER_MEMORY;
            if (parse_size(value, &out->record.memory_max)) continue;
            sk_reply_error(&call->reply, "ERR OPTION memory-max is a size such as 64mb, or 0 for no bound");
            return false;
        }
        const char *known = option_name(call, kind, name);
        if (!known) return false;
        kept[count++] = sk_slice_text(known);
        kept[count++] = value;
    }
    if (count) sk_command_encode(bytes, count, kept);
    else out->what &= ~(uint32_t)SK_ALTER_OPTIONS;
    return true;
}

// Those of `space`, NULL: one to be created. What is given is in `given`, what the space then has in `all`.
static bool options_ok(sk_node_call *call, const sk_space_kind *kind, arguments *args, const sk_space_record *space, sk_buffer *given,
                       sk_buffer *all)
{
    if (!read_options(call, kind, args, given)) return false;
    if (!given->size) return true;
    if (!sk_catalogue_merge_options(space ? space->options : (sk_slice){0}, sk_buffer_slice(given), all)) {
        sk_reply_errorf(&call->reply, "ERR the options are too long: %d bytes at most, together", (int)SK_SPACE_OPTIONS_MAX);
        return false;
    }
    sk_buffer why = {0};
    bool good = kind->options_ok(sk_buffer_slice(all), sk_buffer_slice(given), !space, &why);
    if (!good) sk_reply_errorf(&call->reply, "ERR %.*s", (int)why.size, (const char *)why.data);
    sk_buffer_deinit(&why);
    return good;
}

static bool durability_and_reads_ok(sk_node_call *call, const sk_space_kind *kind, const arguments *args)
{
    const char *why = kind->durability_refused(args->record.durability);
    if (why) sk_reply_errorf(&call->reply, "ERR DURABILITY %s: %s", sk_durability_name(args->record.durability), why);
    if (why || !kind->protocol->mergeable || args->record.reads != SK_READS_LINEARIZABLE) return !why;
    sk_reply_errorf(&call->reply, "ERR READS linearizable: a %s space has no one order of its writes. Use READS local", kind->protocol->name);
    return false;
}

// ---- Changes: asked of the system space, answered when they are done ----

static void submit(sk_node_call *call, const sk_buffer *request)
{
    sk_space *system = call->node->spaces[SK_SPACE_SYSTEM];
    if (sk_origin_full(system)) {
        sk_reply_error(&call->reply, "CLUSTERDOWN too many requests wait for the system space: certainly not applied, try again");
        return;
    }
    call->deferred = true;
    sk_origin_submit_encoded(system, call->client, call->slot, call->client->resp, sk_buffer_slice(request));
}

void sk_node_run_space_create(sk_node_call *call)
{
    arguments args;
    if (!read_arguments(call, &args)) return;
    if (!args.prefix || !args.protocol) {
        sk_reply_error(&call->reply, "ERR a space needs a PREFIX and a PROTOCOL: SPACE CREATE name PREFIX p PROTOCOL raft");
        return;
    }
    const sk_space_kind *kind = sk_space_kind_find(sk_slice_text(args.record.protocol));
    args.record.memory_max = call->node->config.space_memory_max;
    if (!(args.what & SK_ALTER_READS)) args.record.reads = kind->reads;
    sk_buffer given = {0}, options = {0}, request = {0};
    if (durability_and_reads_ok(call, kind, &args) && options_ok(call, kind, &args, NULL, &given, &options)) {
        args.record.options = sk_buffer_slice(&options);
        sk_catalogue_write_create(&request, &args.record);
        submit(call, &request);
    }
    sk_buffer_deinit(&given);
    sk_buffer_deinit(&options);
    sk_buffer_deinit(&request);
}

static const sk_space_record *find_named(sk_node_call *call, sk_slice name)
{
    const sk_space_record *record = sk_catalogue_by_name(&call->node->roster.known, name);
    if (!record)
        sk_reply_errorf(&call->reply, "ERR there is no space '%.*s': SPACE LIST shows those there are", SK_CALL_TEXT(name));
    return record;
}

void sk_node_run_space_alter(sk_node_call *call)
{
    arguments args;
    if (!read_arguments(call, &args)) return;
    const sk_space_record *record = find_named(call, call->argv[2]);
    if (!record) return;
    if (args.prefix || args.protocol || args.number) {
        sk_reply_error(&call->reply, "ERR prefix, protocol and number of a space never change: create another one and copy its keys");
        return;
    }
    const sk_space_kind *kind = sk_space_kind_find(sk_slice_text(record->protocol));
    if (!kind || !args.what) {
        sk_reply_error(&call->reply, kind ? "ERR nothing to alter: give READS, DURABILITY or OPTION" : SK_ERR_SYNTAX);
        return;
    }
    sk_buffer given = {0}, options = {0}, request = {0};
    bool good = !(args.what & (SK_ALTER_DURABILITY | SK_ALTER_READS)) || durability_and_reads_ok(call, kind, &args);
    if (good && options_ok(call, kind, &args, record, &given, &options)) {
        args.record.options = sk_buffer_slice(&given);
        sk_catalogue_write_alter(&request, &args.record, args.what);
        submit(call, &request);
    }
    sk_buffer_deinit(&given);
    sk_buffer_deinit(&options);
    sk_buffer_deinit(&request);
}

void sk_node_run_space_drop(sk_node_call *call)
{
    bool force = call->argc == 4 && sk_slice_equal_nocase(call->argv[3], "force");
    if (call->argc > 3 && !force) {
        sk_reply_error(&call->reply, SK_ERR_SYNTAX);
        return;
    }
    sk_buffer request = {0};
    sk_catalogue_write_drop(&request, call->argv[2], force);
    submit(call, &request);
    sk_buffer_deinit(&request);
}

// ---- What there is, as this node knows it ----

static void pair_integer(sk_reply *reply, const char *name, uint64_t value)
{
    sk_reply_text(reply, name);
    sk_reply_integer(reply, (int64_t)value);
}

static void pair_text(sk_reply *reply, const char *name, const char *value)
{
    sk_reply_text(reply, name);
    sk_reply_text(reply, value);
}

static void pair_bytes(sk_reply *reply, const char *name, sk_slice value)
{
    sk_reply_text(reply, name);
    sk_reply_bulk(reply, value);
}

static void pair_durability(sk_reply *reply, const sk_space_record *record)
{
    char text[32];
    snprintf(text, sizeof text, "%s%s", sk_durability_name(record->durability), "");
    if (record->durability == SK_DURABILITY_GROUP)
        snprintf(text, sizeof text, "group %" PRIu32 " ms", record->durability_ms);
    pair_text(reply, "durability", text);
}

enum { RECORD_PAIRS = 8 };

static void reply_record(sk_reply *reply, const sk_space_record *record)
{
    pair_text(reply, "name", record->name);
    pair_integer(reply, "id", record->id);
    pair_integer(reply, "number", record->number);
    pair_bytes(reply, "prefix", record->prefix);
    pair_text(reply, "protocol", record->protocol);
    pair_text(reply, "phase", sk_space_phase_name(record->phase));
    pair_durability(reply, record);
    pair_text(reply, "reads", sk_reads_mode_name(record->reads));
}

// The default space before anybody has decided its bound: as the first record will say.
static const sk_space_record undecided = {.id = SK_SPACE_DEFAULT,
                                          .number = 1,
                                          .name = "default",
                                          .protocol = "raft",
                                          .phase = SK_PHASE_ACTIVE,
                                          .reads = SK_READS_LINEARIZABLE};

static const char *ability(const sk_node *node, const sk_space_record *record, sk_space_facts *facts)
{
    for (size_t i = 0; i < node->space_count; i++) {
        if (node->spaces[i]->id != record->id || node->spaces[i]->closing) continue;
        *facts = sk_node_space_facts(node, i, false);
        return facts->why_not;
    }
    *facts = (sk_space_facts){0};
    return record->phase == SK_PHASE_CREATING ? "it is being created" : "it is not open on this node yet";
}

static void list_one(sk_node_call *call, const sk_space_record *record)
{
    sk_space_facts facts;
    const char *why = ability(call->node, record, &facts);
    sk_reply_map(&call->reply, RECORD_PAIRS + 5);
    reply_record(&call->reply, record);
    pair_integer(&call->reply, "keys", facts.keys);
    pair_integer(&call->reply, "bytes", facts.bytes);
    pair_integer(&call->reply, "writable", !why);
    pair_integer(&call->reply, "readable", facts.readable);
    pair_text(&call->reply, "why", why ? why : "");
}

void sk_node_run_space_list(sk_node_call *call)
{
    const sk_catalogue *known = &call->node->roster.known;
    bool decided = sk_catalogue_by_id(known, SK_SPACE_DEFAULT) != NULL;
    sk_reply_array(&call->reply, known->count + !decided);
    if (!decided) list_one(call, &undecided);
    for (size_t i = 0; i < known->count; i++) list_one(call, &known->records[i]);
}

static void reply_options(sk_reply *reply, const sk_space_record *record)
{
    sk_slice argv[128];
    int count = record->options.size ? sk_command_decode(record->options, argv, 128) : 0;
    sk_reply_text(reply, "options");
    sk_reply_array(reply, count > 0 ? (size_t)count : 0);
    for (int i = 0; i < count; i++) sk_reply_bulk(reply, argv[i]);
}

static void reply_positions(sk_reply *reply, const sk_space_facts *facts)
{
    char digest[24];
    snprintf(digest, sizeof digest, "%016" PRIx64, facts->digest);
    pair_text(reply, "role", sk_role_name(facts->status.role));
    pair_integer(reply, "leader", facts->status.leader);
    pair_integer(reply, "epoch", facts->status.epoch);
    pair_integer(reply, "first", facts->status.first);
    pair_integer(reply, "last", facts->status.last);
    pair_integer(reply, "committed", facts->status.committed);
    pair_integer(reply, "applied", facts->applied);
    pair_integer(reply, "snapshot_position", facts->snapshot_position);
    pair_integer(reply, "clock_ms", facts->clock_ms);
    pair_text(reply, "digest", digest);
}

void sk_node_run_space_info(sk_node_call *call)
{
    const sk_node *node = call->node;
    const sk_space_record *record = sk_catalogue_by_name(&node->roster.known, call->argv[2]);
    if (!record && sk_slice_equal_nocase(call->argv[2], "default")) record = &undecided;
    if (!record) {
        (void)find_named(call, call->argv[2]);
        return;
    }
    sk_space_facts facts;
    const char *why = ability(node, record, &facts);
    const sk_space *space = sk_node_space(call->node, record->id);
    for (size_t i = 0; facts.name && i < node->space_count; i++) {
        if (node->spaces[i] == space) facts = sk_node_space_facts(node, i, true);
    }
    const sk_space_kind *kind = sk_space_kind_find(sk_slice_text(record->protocol));
    char loss[48];
    const char *volatile_refused = kind ? kind->durability_refused(SK_DURABILITY_GROUP) : NULL;
    sk_reply *reply = &call->reply;
    sk_reply_map(reply, RECORD_PAIRS + 13 + 10);
    reply_record(reply, record);
    pair_text(reply, "promise", kind ? kind->promise : "unknown to this version");
    pair_text(reply, "write_needs", kind ? kind->writable : "");
    pair_text(reply, "durability_why", volatile_refused ? volatile_refused : "");
    pair_text(reply, "loss_window", sk_durability_loss(record->durability, record->durability_ms, loss, sizeof loss));
    pair_integer(reply, "not_synced", facts.not_synced);
    reply_options(reply, record);
    pair_integer(reply, "memory_max", space ? space->rules.memory_max : record->memory_max);
    pair_integer(reply, "keys", facts.keys);
    pair_integer(reply, "bytes", facts.bytes);
    pair_integer(reply, "version", record->version);
    pair_integer(reply, "writable", !why);
    pair_integer(reply, "readable", facts.readable);
    pair_text(reply, "why", why ? why : "");
    reply_positions(reply, &facts);
}

void sk_node_run_space_route(sk_node_call *call)
{
    const sk_catalogue *known = &call->node->roster.known;
    sk_slice key = call->argv[2];
    const sk_space_record *owner = sk_catalogue_owner(known, key);
    char why[SK_SPACE_PREFIX_MAX * 4 + 64];
    if (owner) {
        sk_buffer shown = {0};
        for (size_t i = 0; i < owner->prefix.size; i++) {
            uint8_t c = owner->prefix.data[i];
            sk_buffer_printf(&shown, c >= ' ' && c <= '~' ? "%c" : "\\x%02x", c);
        }
        snprintf(why, sizeof why, "the key begins with '%.*s'", (int)shown.size, (const char *)shown.data);
        sk_buffer_deinit(&shown);
    } else {
        snprintf(why, sizeof why, "no space has a prefix that begins the key");
    }
    const sk_space_record *record = owner ? owner : sk_catalogue_by_id(known, SK_SPACE_DEFAULT);
    if (!record) record = &undecided;
    size_t cut = owner ? owner->prefix.size : 0;
    sk_reply_map(&call->reply, 5);
    pair_text(&call->reply, "space", record->name);
    pair_integer(&call->reply, "number", record->number);
    pair_text(&call->reply, "protocol", record->protocol);
    pair_bytes(&call->reply, "key", sk_slice_make(key.data + cut, key.size - cut));
    pair_text(&call->reply, "why", why);
}
