// Keys, whatever their type. KEYS and SCAN are in keyspace_scan.c.
#include "base/prng.h"
#include "redis/keyspace_data.h"
#include "redis/number.h"
#include "redis/table.h"

void sk_run_del(sk_command_call *call)
{
    int64_t count = 0;
    for (size_t i = 1; i < call->argc; i++) count += sk_keyspace_remove(call->keyspace, call->argv[i]);
    sk_reply_integer(&call->reply, count);
}

void sk_run_exists(sk_command_call *call)
{
    int64_t count = 0;
    for (size_t i = 1; i < call->argc; i++) {
        sk_value value;
        count += sk_keyspace_find(call->keyspace, call->argv[i], &value);
    }
    sk_reply_integer(&call->reply, count);
}

void sk_run_type(sk_command_call *call)
{
    sk_value value;
    bool found = sk_keyspace_find(call->keyspace, call->argv[1], &value);
    sk_reply_simple(&call->reply, found ? sk_type_names[value.tag & SK_TYPE_MASK] : "none");
}

void sk_run_dbsize(sk_command_call *call)
{
    sk_reply_integer(&call->reply, (int64_t)sk_keyspace_live_count(call->keyspace));
}

void sk_run_flush(sk_command_call *call)
{
    bool how = call->argc == 2 && (sk_slice_equal_nocase(call->argv[1], "sync") ||
                                   sk_slice_equal_nocase(call->argv[1], "async"));
    if (call->argc > 1 && !how) {
        sk_reply_error(&call->reply, SK_ERR_SYNTAX);
        return;
    }
    sk_keyspace_remove_all(call->keyspace);
    sk_reply_simple(&call->reply, "OK");
}

// Draws until a key is live. When nearly all wait for removal it walks on from the last draw, and gives up
// after a bounded way: the few live ones are then found by the next call, soon.
void sk_run_randomkey(sk_command_call *call)
{
    enum { DRAWS_MAX = 64, WALK_MAX = 16384 };
    const sk_tree *keys = &call->keyspace->keys;
    sk_prng prng;
    sk_prng_init(&prng, call->context->seed);
    bool any = sk_keyspace_live_count(call->keyspace) > 0;
    sk_slice key = {0};
    sk_value value;
    for (int i = 0; any && i < DRAWS_MAX; i++) {
        sk_tree_at(keys, sk_prng_below(&prng, keys->count), &key, &value);
        if (sk_keyspace_find(call->keyspace, key, &value)) {
            sk_reply_bulk(&call->reply, key);
            return;
        }
    }
    sk_tree_cursor cursor;
    if (any) sk_tree_seek(&cursor, keys, key);
    for (int i = 0; any && i < WALK_MAX && sk_tree_next(&cursor, &key, &value); i++) {
        if (value.meta && value.meta <= call->keyspace->clock_ms) continue;
        sk_reply_bulk(&call->reply, key);
        return;
    }
    sk_reply_null(&call->reply);
}

// ---- RENAME and COPY ----

static void rename_key(sk_command_call *call, bool only_new)
{
    sk_value value;
    sk_value other;
    sk_slice from = call->argv[1];
    sk_slice to = call->argv[2];
    if (!sk_keyspace_find(call->keyspace, from, &value)) {
        sk_reply_error(&call->reply, SK_ERR_NO_KEY);
        return;
    }
    bool taken = only_new && sk_keyspace_find(call->keyspace, to, &other);
    if (!taken && !sk_slice_equal(from, to)) {
        sk_keyspace_put(call->keyspace, to, value);
        sk_keyspace_remove(call->keyspace, from);
    }
    if (only_new)
        sk_reply_integer(&call->reply, !taken);
    else
        sk_reply_simple(&call->reply, "OK");
}

void sk_run_rename(sk_command_call *call)
{
    rename_key(call, false);
}

void sk_run_renamenx(sk_command_call *call)
{
    rename_key(call, true);
}

// A key space does not know other ones: DB may only be 0.
static bool parse_copy(sk_command_call *call, bool *replace)
{
    *replace = false;
    for (size_t i = 3; i < call->argc; i++) {
        int64_t database;
        if (sk_slice_equal_nocase(call->argv[i], "replace")) {
            *replace = true;
        } else if (sk_slice_equal_nocase(call->argv[i], "db") && i + 1 < call->argc) {
            if (!sk_call_integer(call, ++i, &database)) return false;
            if (database < INT32_MIN || database > INT32_MAX) {
                sk_reply_error(&call->reply,
                               "ERR value is out of range, value must between -2147483648 and 2147483647");
                return false;
            }
            if (database != 0) {
                sk_reply_error(&call->reply, "ERR DB index is out of range");
                return false;
            }
        } else {
            sk_reply_error(&call->reply, SK_ERR_SYNTAX);
            return false;
        }
    }
    return true;
}

void sk_run_copy(sk_command_call *call)
{
    bool replace;
    if (!parse_copy(call, &replace)) return;
    sk_slice from = call->argv[1];
    sk_slice to = call->argv[2];
    if (sk_slice_equal(from, to)) {
        sk_reply_error(&call->reply, "ERR source and destination objects are the same");
        return;
    }
    sk_value value;
    sk_value other;
    bool copy = sk_keyspace_find(call->keyspace, from, &value) &&
                (replace || !sk_keyspace_find(call->keyspace, to, &other));
    if (copy && sk_keyspace_is_full(call->keyspace, value.bytes.size)) {
        sk_reply_error(&call->reply, SK_ERR_OOM);
        return;
    }
    if (copy) sk_keyspace_put(call->keyspace, to, value);
    sk_reply_integer(&call->reply, copy);
}

// ---- OBJECT ----

enum { EMBEDDED_SIZE_MAX = 44, SHARED_INTEGER_MAX = 9999 };

static bool is_integer(const sk_value *value, int64_t *number)
{
    return (value->tag & SK_FORM_MASK) == SK_FORM_AUTO && sk_number_parse(value->bytes, number);
}

static const char *encoding_of(const sk_value *value)
{
    int64_t number;
    if (is_integer(value, &number)) return "int";
    bool raw = (value->tag & SK_FORM_MASK) == SK_FORM_RAW || value->bytes.size > EMBEDDED_SIZE_MAX;
    return raw ? "raw" : "embstr";
}

static bool find_object(sk_command_call *call, sk_value *value)
{
    bool found = sk_keyspace_find(call->keyspace, call->argv[2], value);
    if (!found) sk_reply_null(&call->reply);
    return found;
}

void sk_run_object_encoding(sk_command_call *call)
{
    sk_value value;
    if (find_object(call, &value)) sk_reply_text(&call->reply, encoding_of(&value));
}

// Redis shares its small integers and says so with a count that has no end.
void sk_run_object_refcount(sk_command_call *call)
{
    sk_value value;
    int64_t number;
    if (!find_object(call, &value)) return;
    bool shared = is_integer(&value, &number) && number >= 0 && number <= SHARED_INTEGER_MAX;
    sk_reply_integer(&call->reply, shared ? INT32_MAX : 1);
}

// Reads are not written down anywhere, so nobody knows.
void sk_run_object_idletime(sk_command_call *call)
{
    sk_value value;
    if (find_object(call, &value)) sk_reply_integer(&call->reply, 0);
}

void sk_run_object_freq(sk_command_call *call)
{
    sk_value value;
    if (!find_object(call, &value)) return;
    sk_reply_error(
        &call->reply,
        "ERR An LFU maxmemory policy is not selected, access frequency not tracked. Please note that "
        "when switching between policies at runtime LRU and LFU data will take some time to adjust.");
}

void sk_run_object_help(sk_command_call *call)
{
    static const char *const lines[] = {
        "OBJECT <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
        "ENCODING <key>",
        "    Return the kind of internal representation used in order to store the value",
        "    associated with a <key>.",
        "FREQ <key>",
        "    Return the access frequency index of the <key>. The returned integer is",
        "    proportional to the logarithm of the recent access frequency of the key.",
        "IDLETIME <key>",
        "    Return the idle time of the <key>, that is the approximated number of",
        "    seconds elapsed since the last access to the key.",
        "REFCOUNT <key>",
        "    Return the number of references of the value associated with the specified",
        "    <key>.",
        "HELP",
        "    Prints this help.",
    };
    size_t count = sizeof lines / sizeof lines[0];
    sk_reply_array(&call->reply, count);
    for (size_t i = 0; i < count; i++) sk_reply_simple(&call->reply, lines[i]);
}
