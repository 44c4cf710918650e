#include "sim/request.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include "base/assert.h"
#include "base/hash.h"

typedef struct verb {
    const char *command, *shown;
    bool read, token;
} verb;

static const verb verbs[SK_OPERATION_END] = {
    [SK_OPERATION_SET] = {"SET", "SET", false, false},
    [SK_OPERATION_GET] = {"GET", "GET", true, false},
    [SK_OPERATION_CAS] = {"SET", "CAS", false, false},
    [SK_OPERATION_INCREMENT] = {"INCR", "INCR", false, false},
    [SK_OPERATION_COUNT] = {"GET", "GET", true, false},
    [SK_OPERATION_APPEND] = {"APPEND", "APPEND", false, true},
    [SK_OPERATION_LIST] = {"GET", "GET", true, false},
    [SK_OPERATION_ADD] = {"APPEND", "ADD", false, true},
    [SK_OPERATION_MEMBERS] = {"GET", "GET", true, false},
    [SK_OPERATION_LEND] = {"SET", "LEND", false, false},
    [SK_OPERATION_SPACE] = {"SPACE", "SPACE", false, false},
    [SK_OPERATION_SESSION_TOKEN] = {"SESSION", "TOKEN", true, false},
    [SK_OPERATION_SESSION_USE] = {"SESSION", "USE", true, false},
    [SK_OPERATION_FOUND] = {"SPACE", "FOUND", false, false},
    [SK_OPERATION_MERGE_SET] = {"SET", "SET", false, false},
    [SK_OPERATION_MERGE_LEND] = {"SET", "LEND", false, false},
    [SK_OPERATION_MERGE_EXPIRE] = {"PEXPIRE", "PEXPIRE", false, false},
    [SK_OPERATION_MERGE_DEL] = {"DEL", "DEL", false, false},
    [SK_OPERATION_MERGE_GET] = {"GET", "GET", true, false},
    [SK_OPERATION_MERGE_COUNT] = {"INCRBY", "INCRBY", false, false},
    [SK_OPERATION_MERGE_TOTAL] = {"GET", "GET", true, false},
    [SK_OPERATION_MERGE_ADD] = {"SADD", "SADD", false, false},
    [SK_OPERATION_MERGE_REMOVE] = {"SREM", "SREM", false, false},
    [SK_OPERATION_MERGE_MEMBERS] = {"SMEMBERS", "SMEMBERS", true, false},
    [SK_OPERATION_MERGE_HSET] = {"HSET", "HSET", false, false},
    [SK_OPERATION_MERGE_HDEL] = {"HDEL", "HDEL", false, false},
    [SK_OPERATION_MERGE_HCOUNT] = {"HINCRBY", "HINCRBY", false, false},
    [SK_OPERATION_MERGE_FIELDS] = {"HGETALL", "HGETALL", true, false},
};

bool sk_request_reads(enum sk_operation_kind kind)
{
    SK_ASSERT(kind < SK_OPERATION_END);
    return verbs[kind].read;
}

bool sk_request_appends(enum sk_operation_kind kind)
{
    SK_ASSERT(kind < SK_OPERATION_END);
    return verbs[kind].token;
}

const char *sk_request_verb(enum sk_operation_kind kind)
{
    SK_ASSERT(kind < SK_OPERATION_END);
    return verbs[kind].shown;
}

size_t sk_request_padding_of(const sk_request_padding *padding, uint64_t value)
{
    uint64_t mixed = sk_hash_mix(padding->seed, value);
    return (size_t)((mixed >> 20) % (padding->size_max + 1));
}

static void write_argument(sk_buffer *out, const char *text, size_t padding)
{
    size_t size = strlen(text);
    sk_buffer_printf(out, "$%zu\r\n%s", size + padding, text);
    memset(sk_buffer_reserve(out, padding + 2), 'x', padding);
    out->size += padding;
    sk_buffer_append_text(out, "\r\n");
}

static void write_value(sk_buffer *out, const sk_request_padding *padding, uint64_t value)
{
    char text[32];
    snprintf(text, sizeof text, "v%" PRIu64 ".", value);
    write_argument(out, text, sk_request_padding_of(padding, value));
}

// Prefixes of the other workloads' keys, so that every operation may meet a space that comes or goes.
static void write_space(sk_buffer *out, uint64_t lot)
{
    static const char *const prefixes[] = {"r", "c", "a", "e", "s", "r1", "a3", "e1"};
    const char *prefix = prefixes[lot / 2 % 8];
    bool drop = lot % 2;
    char name[8];
    snprintf(name, sizeof name, "s%s", prefix);
    sk_buffer_printf(out, "*%d\r\n", drop ? 3 : 7);
    write_argument(out, "SPACE", 0);
    write_argument(out, drop ? "DROP" : "CREATE", 0);
    write_argument(out, name, 0);
    if (drop) return;
    write_argument(out, "PREFIX", 0);
    write_argument(out, prefix, 0);
    write_argument(out, "PROTOCOL", 0);
    write_argument(out, "raft", 0);
}

bool sk_request_changes(enum sk_operation_kind kind)
{
    return kind == SK_OPERATION_MERGE_SET || kind == SK_OPERATION_MERGE_COUNT || kind == SK_OPERATION_MERGE_HSET || kind == SK_OPERATION_MERGE_HCOUNT;
}

bool sk_request_moves(enum sk_operation_kind kind)
{
    return kind == SK_OPERATION_SESSION_TOKEN || kind == SK_OPERATION_SESSION_USE;
}

bool sk_request_merges(enum sk_operation_kind kind)
{
    return kind > SK_OPERATION_FOUND && kind < SK_OPERATION_END;
}

// The protocol's name comes in the key's place; `window`: see sk_swarm_window. The rule shows one of the values, as the judge demands, but another
// than the last writer's.
static void write_found(sk_buffer *out, const char *protocol, int64_t window, bool rule)
{
    char ms[24];
    snprintf(ms, sizeof ms, "%" PRId64, window);
    const char *words[20] = {"SPACE", "CREATE", "merge", "PREFIX", "m", "PROTOCOL", protocol};
    int count = 7;
    const char *durability[] = {"DURABILITY", window < 0 ? "VOLATILE" : "GROUP", "MS", ms};
    for (int i = 0; i < (window < 0 ? 2 : window > 0 ? 4 : 0); i++) words[count++] = durability[i];
    const char *conflict[] = {"OPTION", "conflict", "custom", "rule", "return function(s) return s[1] end"};
    for (int i = 0; i < (rule ? 5 : 0); i++) words[count++] = conflict[i];
    sk_buffer_printf(out, "*%d\r\n", count);
    for (int i = 0; i < count; i++) write_argument(out, words[i], 0);
}

static void write_session(sk_buffer *out, const char *token)
{
    sk_buffer_append_text(out, token ? "*3\r\n" : "*2\r\n");
    write_argument(out, "SESSION", 0);
    write_argument(out, token ? "USE" : "TOKEN", 0);
    if (token) write_argument(out, token, 0);
}

// INCR, DECR, INCRBY and DECRBY, by the amount.
static void write_count(sk_buffer *out, const char *key, int64_t amount)
{
    char text[24];
    bool one = amount == 1 || amount == -1;
    sk_buffer_append_text(out, one ? "*2\r\n" : "*3\r\n");
    write_argument(out, one ? amount > 0 ? "INCR" : "DECR" : amount > 0 ? "INCRBY" : "DECRBY", 0);
    write_argument(out, key, 0);
    if (one) return;
    snprintf(text, sizeof text, "%" PRId64, amount > 0 ? amount : -amount);
    write_argument(out, text, 0);
}

static void write_merging(const sk_operation *op, const char *key, const sk_request_padding *padding, sk_buffer *out)
{
    char text[24];
    bool value = op->kind == SK_OPERATION_MERGE_SET || op->kind == SK_OPERATION_MERGE_LEND || op->kind == SK_OPERATION_MERGE_HSET;
    bool member = op->kind == SK_OPERATION_MERGE_ADD || op->kind == SK_OPERATION_MERGE_REMOVE;
    bool field = op->kind >= SK_OPERATION_MERGE_HSET && op->kind <= SK_OPERATION_MERGE_HCOUNT;
    bool lend = op->kind == SK_OPERATION_MERGE_LEND, count = op->kind == SK_OPERATION_MERGE_HCOUNT;
    bool expire = op->kind == SK_OPERATION_MERGE_EXPIRE;
    if (op->kind == SK_OPERATION_MERGE_COUNT) {
        write_count(out, key, op->amount);
        return;
    }
    sk_buffer_printf(out, "*%d\r\n", 2 + value + member + field + count + expire + 2 * lend);
    write_argument(out, verbs[op->kind].command, 0);
    write_argument(out, key, 0);
    snprintf(text, sizeof text, "%s%" PRIu32, member ? "e" : "f", op->cell);
    if (member || field) write_argument(out, text, 0);
    if (value) write_value(out, padding, op->value);
    if (lend) write_argument(out, "PX", 0);
    snprintf(text, sizeof text, "%" PRIu64, op->length / SK_MS);
    if (lend || expire) write_argument(out, text, 0);
    snprintf(text, sizeof text, "%" PRId64, op->amount);
    if (count) write_argument(out, text, 0);
}

void sk_request_write(const sk_operation *op, const char *key, const sk_request_padding *padding, sk_buffer *out)
{
    bool lend = op->kind == SK_OPERATION_LEND, swap = op->kind == SK_OPERATION_CAS;
    bool value = op->kind == SK_OPERATION_SET || swap || lend, token = sk_request_appends(op->kind);
    char text[32];
    if (op->kind == SK_OPERATION_SPACE) {
        write_space(out, op->expect);
        return;
    }
    if (op->kind == SK_OPERATION_FOUND) {
        write_found(out, key, op->amount, op->expect != 0);
        return;
    }
    if (sk_request_moves(op->kind)) {
        write_session(out, op->kind == SK_OPERATION_SESSION_USE ? key : NULL);
        return;
    }
    if (sk_request_merges(op->kind)) {
        write_merging(op, key, padding, out);
        return;
    }
    sk_buffer_printf(out, "*%d\r\n", swap || lend ? 5 : value || token ? 3 : 2);
    write_argument(out, verbs[op->kind].command, 0);
    write_argument(out, key, 0);
    if (token) {
        sk_history_token(text, op->value);
        write_argument(out, text, 0);
    }
    if (value) write_value(out, padding, op->value);
    if (lend) {
        write_argument(out, "PX", 0);
        snprintf(text, sizeof text, "%" PRIu64, op->length / SK_MS);
        write_argument(out, text, 0);
    }
    if (swap) {
        write_argument(out, "IFEQ", 0);
        write_value(out, padding, op->expect);
    }
}
