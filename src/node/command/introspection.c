// COMMAND: both tables of commands, in the shapes of Redis 7.
#include "node/command/family.h"

// ---- Both tables as one ----

static size_t row_count(void)
{
    size_t data, node;
    sk_command_rows(&data);
    sk_node_command_rows(&node);
    return data + node;
}

static const sk_command *row_at(size_t index)
{
    size_t data, node;
    const sk_command *data_rows = sk_command_rows(&data);
    if (index < data) return &data_rows[index];
    return &sk_node_command_rows(&node)[index - data].row;
}

// By its whole name: "get", "client|setname".
static const sk_command *row_find(sk_slice name)
{
    for (size_t i = 0, count = row_count(); i < count; i++) {
        if (sk_slice_equal_nocase(name, row_at(i)->name)) return row_at(i);
    }
    return NULL;
}

static bool is_sub(const sk_command *row)
{
    return strchr(row->name, '|') != NULL;
}

static bool is_sub_of(const sk_command *row, const sk_command *container)
{
    size_t size = strlen(container->name);
    return !strncmp(row->name, container->name, size) && row->name[size] == '|';
}

static const sk_command *row_find_sub(const sk_command *container, sk_slice name)
{
    size_t size = strlen(container->name);
    for (size_t i = 0, count = row_count(); i < count; i++) {
        const sk_command *row = row_at(i);
        if (is_sub_of(row, container) && sk_slice_equal_nocase(name, row->name + size + 1)) return row;
    }
    return NULL;
}

static size_t top_count(void)
{
    size_t found = 0;
    for (size_t i = 0, count = row_count(); i < count; i++) found += !is_sub(row_at(i));
    return found;
}

static size_t sub_count(const sk_command *container)
{
    size_t found = 0;
    for (size_t i = 0, count = row_count(); i < count; i++) found += is_sub_of(row_at(i), container);
    return found;
}

// ---- Sets of words ----

enum { WORDS_MAX = 12 };

typedef struct words {
    const char *list[WORDS_MAX];
    size_t count;
} words;

static void add_if(words *to, bool wanted, const char *word)
{
    if (wanted) to->list[to->count++] = word;
}

static void reply_words(sk_reply *reply, const words *from)
{
    sk_reply_set(reply, from->count);
    for (size_t i = 0; i < from->count; i++) sk_reply_simple(reply, from->list[i]);
}

static words flags_of(const sk_command *row)
{
    words found = {0};
    add_if(&found, row->flags & SK_COMMAND_WRITE, "write");
    add_if(&found, row->flags & SK_COMMAND_READ, "readonly");
    add_if(&found, row->flags & SK_COMMAND_DENY_OOM, "denyoom");
    add_if(&found, row->flags & SK_COMMAND_ADMIN, "admin");
    add_if(&found, row->flags & SK_COMMAND_NODE, "noscript");
    add_if(&found, row->flags & SK_COMMAND_LOADING, "loading");
    add_if(&found, row->flags & SK_COMMAND_STALE, "stale");
    add_if(&found, row->flags & SK_COMMAND_FAST, "fast");
    add_if(&found, row->flags & SK_COMMAND_NO_AUTH, "no_auth");
    return found;
}

static const struct family_category {
    const char *family, *category;
} family_categories[] = {
    {"generic", "@keyspace"},
    {"string", "@string"},
    {"bitmap", "@bitmap"},
    {"hash", "@hash"},
    {"list", "@list"},
    {"set", "@set"},
    {"sorted_set", "@sortedset"},
    {"sorted-set", "@sortedset"},
    {"stream", "@stream"},
    {"pubsub", "@pubsub"},
    {"scripting", "@scripting"},
    {"transactions", "@transaction"},
    {"geo", "@geo"},
    {"hyperloglog", "@hyperloglog"},
    {"connection", "@connection"},
};

static words categories_of(const sk_command *row)
{
    words found = {0};
    for (size_t i = 0; i < sizeof family_categories / sizeof family_categories[0]; i++) {
        add_if(&found, !strcmp(row->family, family_categories[i].family), family_categories[i].category);
    }
    add_if(&found, row->flags & SK_COMMAND_WRITE, "@write");
    add_if(&found, row->flags & SK_COMMAND_READ, "@read");
    add_if(&found, row->flags & SK_COMMAND_ADMIN, "@admin");
    add_if(&found, row->flags & SK_COMMAND_FAST, "@fast");
    add_if(&found, !(row->flags & SK_COMMAND_FAST), "@slow");
    add_if(&found, row->flags & SK_COMMAND_ADMIN, "@dangerous");
    return found;
}

// ---- COMMAND, COMMAND INFO ----

static void reply_key_flags(sk_reply *reply, const sk_command *row)
{
    bool write = row->flags & SK_COMMAND_WRITE;
    sk_reply_set(reply, 2);
    sk_reply_simple(reply, write ? "RW" : "RO");
    sk_reply_simple(reply, write ? "update" : "access");
}

static void reply_key_specs(sk_reply *reply, const sk_command *row)
{
    if (!row->key_first) {
        sk_reply_set(reply, 0);
        return;
    }
    sk_reply_set(reply, 1);
    sk_reply_map(reply, 3);
    sk_reply_text(reply, "flags");
    reply_key_flags(reply, row);
    sk_reply_text(reply, "begin_search");
    sk_reply_map(reply, 2);
    sk_reply_text(reply, "type");
    sk_reply_text(reply, "index");
    sk_reply_text(reply, "spec");
    sk_reply_map(reply, 1);
    sk_reply_text(reply, "index");
    sk_reply_integer(reply, row->key_first);
    sk_reply_text(reply, "find_keys");
    sk_reply_map(reply, 2);
    sk_reply_text(reply, "type");
    sk_reply_text(reply, "range");
    sk_reply_text(reply, "spec");
    sk_reply_map(reply, 3);
    sk_reply_text(reply, "lastkey"); // counted from the first, unless from the end
    sk_reply_integer(reply, row->key_last < 0 ? row->key_last : row->key_last - row->key_first);
    sk_reply_text(reply, "keystep");
    sk_reply_integer(reply, row->key_step);
    sk_reply_text(reply, "limit");
    sk_reply_integer(reply, 0);
}

// All but the last of the ten fields: the subcommands.
static void reply_row(sk_reply *reply, const sk_command *row)
{
    sk_reply_array(reply, 10);
    sk_reply_text(reply, row->name);
    sk_reply_integer(reply, row->arity);
    words flags = flags_of(row), categories = categories_of(row);
    reply_words(reply, &flags);
    sk_reply_integer(reply, row->key_first);
    sk_reply_integer(reply, row->key_last);
    sk_reply_integer(reply, row->key_step);
    reply_words(reply, &categories);
    sk_reply_set(reply, 0); // tips
    reply_key_specs(reply, row);
}

static void reply_info(sk_reply *reply, const sk_command *row)
{
    reply_row(reply, row);
    size_t subs = sub_count(row);
    if (!subs) {
        sk_reply_set(reply, 0);
        return;
    }
    sk_reply_array(reply, subs);
    for (size_t i = 0, count = row_count(); i < count; i++) {
        if (!is_sub_of(row_at(i), row)) continue;
        reply_row(reply, row_at(i));
        sk_reply_set(reply, 0);
    }
}

static void reply_info_all(sk_reply *reply)
{
    sk_reply_array(reply, top_count());
    for (size_t i = 0, count = row_count(); i < count; i++) {
        if (!is_sub(row_at(i))) reply_info(reply, row_at(i));
    }
}

void sk_node_run_command(sk_node_call *call)
{
    if (call->argc > 1) {
        sk_node_run_container(call);
    } else {
        reply_info_all(&call->reply);
    }
}

void sk_node_run_command_info(sk_node_call *call)
{
    if (sk_call_too_many(call, 2)) return;
    if (call->argc == 2) {
        reply_info_all(&call->reply);
        return;
    }
    sk_reply_array(&call->reply, call->argc - 2);
    for (size_t i = 2; i < call->argc; i++) {
        const sk_command *row = row_find(call->argv[i]);
        if (row) {
            reply_info(&call->reply, row);
        } else {
            sk_reply_null(&call->reply);
        }
    }
}

void sk_node_run_command_count(sk_node_call *call)
{
    sk_reply_integer(&call->reply, (int64_t)top_count());
}

// ---- COMMAND DOCS ----

static void reply_docs(sk_reply *reply, const sk_command *row)
{
    size_t subs = is_sub(row) ? 0 : sub_count(row);
    sk_reply_text(reply, row->name);
    sk_reply_map(reply, subs ? 4 : 3);
    sk_reply_text(reply, "summary");
    sk_reply_text(reply, row->summary);
    sk_reply_text(reply, "since");
    sk_reply_text(reply, row->since);
    sk_reply_text(reply, "group");
    sk_reply_text(reply, row->family);
    if (!subs) return;
    sk_reply_text(reply, "subcommands");
    sk_reply_map(reply, subs);
    for (size_t i = 0, count = row_count(); i < count; i++) {
        const sk_command *sub = row_at(i);
        if (!is_sub_of(sub, row)) continue;
        sk_reply_text(reply, sub->name);
        sk_reply_map(reply, 3);
        sk_reply_text(reply, "summary");
        sk_reply_text(reply, sub->summary);
        sk_reply_text(reply, "since");
        sk_reply_text(reply, sub->since);
        sk_reply_text(reply, "group");
        sk_reply_text(reply, sub->family);
    }
}

// Unknown names are left out of the map.
void sk_node_run_command_docs(sk_node_call *call)
{
    if (sk_call_too_many(call, 2)) return;
    if (call->argc == 2) {
        sk_reply_map(&call->reply, top_count());
        for (size_t i = 0, count = row_count(); i < count; i++) {
            if (!is_sub(row_at(i))) reply_docs(&call->reply, row_at(i));
        }
        return;
    }
    size_t known = 0;
    for (size_t i = 2; i < call->argc; i++) known += row_find(call->argv[i]) != NULL;
    sk_reply_map(&call->reply, known);
    for (size_t i = 2; i < call->argc; i++) {
        const sk_command *row = row_find(call->argv[i]);
        if (row) reply_docs(&call->reply, row);
    }
}

// ---- COMMAND LIST ----

enum list_filter { LIST_ALL, LIST_NONE, LIST_CATEGORY, LIST_PATTERN };

static bool listed(const sk_command *row, enum list_filter filter, sk_slice value)
{
    if (filter == LIST_ALL) return !is_sub(row);
    if (filter == LIST_PATTERN) return sk_call_matches(value, row->name);
    words categories = categories_of(row);
    for (size_t i = 0; filter == LIST_CATEGORY && i < categories.count; i++) {
        if (sk_slice_equal_nocase(value, categories.list[i] + 1)) return true;
    }
    return false;
}

void sk_node_run_command_list(sk_node_call *call)
{
    enum list_filter filter = LIST_ALL;
    sk_slice value = {0};
    if (call->argc == 5 && sk_slice_equal_nocase(call->argv[2], "filterby")) {
        value = call->argv[4];
        if (sk_slice_equal_nocase(call->argv[3], "module")) filter = LIST_NONE;
        if (sk_slice_equal_nocase(call->argv[3], "aclcat")) filter = LIST_CATEGORY;
        if (sk_slice_equal_nocase(call->argv[3], "pattern")) filter = LIST_PATTERN;
    }
    if (call->argc > 2 && filter == LIST_ALL) {
        sk_reply_error(&call->reply, SK_ERR_SYNTAX);
        return;
    }
    size_t found = 0, count = row_count();
    for (size_t i = 0; i < count; i++) found += listed(row_at(i), filter, value);
    sk_reply_array(&call->reply, found);
    for (size_t i = 0; i < count; i++) {
        if (listed(row_at(i), filter, value)) sk_reply_text(&call->reply, row_at(i)->name);
    }
}

// ---- COMMAND GETKEYS ----

static void reply_keys(sk_node_call *call, bool with_flags)
{
    size_t argc = call->argc - 2;
    const sk_slice *argv = call->argv + 2;
    const sk_command *row = row_find(argv[0]);
    const sk_command *sub = row && argc > 1 ? row_find_sub(row, argv[1]) : NULL;
    if (sub) row = sub;
    if (!row || (!sub && is_sub(row))) {
        sk_reply_error(&call->reply, "ERR Invalid command specified");
        return;
    }
    if (!row->key_first) {
        sk_reply_error(&call->reply, "ERR The command has no key arguments");
        return;
    }
    size_t keys = 0;
    if (sk_command_arity_ok(row, argc)) {
        while (sk_command_key(row, argc, keys)) keys++;
    }
    if (!keys) {
        sk_reply_error(&call->reply, "ERR Invalid number of arguments specified for command");
        return;
    }
    sk_reply_array(&call->reply, keys);
    for (size_t i = 0; i < keys; i++) {
        if (with_flags) sk_reply_array(&call->reply, 2);
        sk_reply_bulk(&call->reply, argv[sk_command_key(row, argc, i)]);
        if (with_flags) reply_key_flags(&call->reply, row);
    }
}

void sk_node_run_command_getkeys(sk_node_call *call)
{
    reply_keys(call, false);
}

void sk_node_run_command_getkeysandflags(sk_node_call *call)
{
    reply_keys(call, true);
}
