#include "sim/judge.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include "base/alloc.h"
#include "base/assert.h"
#include "check/linear.h"
#include "sim/request.h"

enum { STEPS_MAX = 1500, OPERATIONS_MAX = 500, SEQUENCES_MAX = 40 }; // of a history that is searched

// An event of an operation, at the time of its call or its return.
typedef struct moment {
    sk_ns time;
    bool ret;
    size_t index; // of the operation
} moment;

// At one time calls come before returns: what may be concurrent is.
static int by_time(const void *left, const void *right)
{
    const moment *a = left, *b = right;
    if (a->time != b->time) return a->time < b->time ? -1 : 1;
    if (a->ret != b->ret) return a->ret ? 1 : -1;
    return a->index < b->index ? -1 : a->index > b->index;
}

static const char *verb_of(enum sk_key_kind kind, const sk_operation *op)
{
    switch (op->kind) {
    case SK_OPERATION_SET:
        return "write";
    case SK_OPERATION_CAS:
        return "cas";
    case SK_OPERATION_INCREMENT:
        return "increment";
    case SK_OPERATION_APPEND:
        return "append";
    case SK_OPERATION_ADD:
        return "add";
    default:
        return kind == SK_KEY_LIST ? "get" : "read";
    }
}

static void write_elements(const sk_key *key, const sk_operation *op, sk_buffer *out)
{
    sk_buffer_append_text(out, "[");
    for (size_t at = 0; at + SK_TOKEN_SIZE <= op->result; at += SK_TOKEN_SIZE) {
        const uint8_t *token = key->longest.data + at;
        bool repeated = false;
        for (size_t i = 0; i < at && !repeated; i += SK_TOKEN_SIZE)
            repeated = !memcmp(key->longest.data + i, token, SK_TOKEN_SIZE);
        if (!repeated) sk_buffer_printf(out, "%llu ", strtoull((const char *)token + 1, NULL, 16));
    }
    sk_buffer_append_text(out, "]");
}

// What a write writes, or (seen) what a read saw.
static void write_value(const sk_key *key, const sk_operation *op, bool seen, sk_buffer *out)
{
    char token[SK_TOKEN_SIZE + 1];
    switch (op->kind) {
    case SK_OPERATION_CAS:
        sk_buffer_printf(out, "[%" PRIu64 " %" PRIu64 "]", op->expect, op->value);
        break;
    case SK_OPERATION_APPEND:
        sk_history_token(token, op->value);
        sk_buffer_printf(out, "\"%s\"", token);
        break;
    case SK_OPERATION_LIST:
        if (seen) sk_buffer_printf(out, "\"%.*s\"", (int)op->result, op->result ? (const char *)key->longest.data : "");
        break;
    case SK_OPERATION_MEMBERS:
        if (seen) write_elements(key, op, out);
        break;
    case SK_OPERATION_GET:
    case SK_OPERATION_COUNT:
        if (seen && (op->result || op->kind == SK_OPERATION_COUNT))
            sk_buffer_printf(out, "%" PRIu64, op->result);
        else
            sk_buffer_append_text(out, "nil");
        break;
    case SK_OPERATION_INCREMENT:
        sk_buffer_append_text(out, "1");
        break;
    default:
        sk_buffer_printf(out, "%" PRIu64, op->value);
        break;
    }
    if (!out->size) sk_buffer_append_text(out, "nil");
    sk_buffer_append_byte(out, 0);
}

// What says nothing is left out: refused operations, a compare-and-set that found another value, reads without an answer.
static bool counts(const sk_operation *op, uint32_t key)
{
    if (op->key != key || op->outcome == SK_OUTCOME_FAILED) return false;
    if (sk_request_reads(op->kind) && op->outcome != SK_OUTCOME_OK) return false;
    return op->kind != SK_OPERATION_CAS || op->outcome != SK_OUTCOME_OK || op->result;
}

static void write_history(const sk_history *history, const sk_keys *keys, uint32_t index, moment *list, size_t count,
                          sk_buffer *out)
{
    const sk_key *key = &keys->list[index];
    sk_buffer value = {0};
    qsort(list, count, sizeof *list, by_time);
    for (size_t i = 0; i < count; i++) {
        const sk_operation *op = &history->list[list[i].index];
        sk_buffer_clear(&value);
        write_value(key, op, list[i].ret, &value);
        // Each operation is a process of its own: one client may have several under way.
        sk_check_history_write_event(out, (int64_t)list[i].index, list[i].ret ? "ok" : "invoke", verb_of(key->kind, op), NULL,
                                     (const char *)value.data);
    }
    sk_buffer_deinit(&value);
}

static bool search(const sk_buffer *text, const char *model, const char *name, sk_judge_counts *counts, char *problem, size_t size)
{
    sk_check_history history = {0};
    sk_report report;
    sk_report_init(&report);
    int error = sk_check_history_read(&history, sk_buffer_slice(text), &(sk_check_history_options){0});
    SK_ASSERT(!error);
    sk_check_limits limits = {.steps = STEPS_MAX, .memory = 64u << 20};
    sk_check_linear(&history, sk_model_find(model), &limits, &report);
    bool fine = report.verdict != SK_VERDICT_VIOLATED;
    if (!fine) snprintf(problem, size, "%s is not linearizable: %.*s", name, (int)report.reason.size, (const char *)report.reason.data);
    counts->linearized += report.verdict == SK_VERDICT_HOLDS;
    counts->given_up += report.verdict == SK_VERDICT_UNKNOWN;
    sk_report_deinit(&report);
    sk_check_history_deinit(&history);
    return fine;
}

bool sk_judge_search(const sk_history *history, const sk_keys *keys, uint32_t index, sk_judge_counts *counted, char *problem,
                     size_t size)
{
    static const char *const models[SK_KEY_KIND_END] = {
        [SK_KEY_REGISTER] = "cas-register", [SK_KEY_COUNTER] = "counter", [SK_KEY_LIST] = "kv", [SK_KEY_SET] = "set"};
    enum sk_key_kind kind = keys->list[index].kind;
    if (!models[kind]) return true;
    size_t most = kind == SK_KEY_LIST || kind == SK_KEY_SET ? SEQUENCES_MAX : OPERATIONS_MAX;
    moment *list = sk_alloc(2 * (most + 1) * sizeof *list);
    size_t count = 0;
    for (size_t i = 0; i < history->count && count <= 2 * most; i++) {
        const sk_operation *op = &history->list[i];
        if (!counts(op, index)) continue;
        list[count++] = (moment){.time = op->start, .index = i};
        if (op->outcome == SK_OUTCOME_OK) list[count++] = (moment){.time = op->end, .ret = true, .index = i};
    }
    bool fine = true;
    if (count && count <= 2 * most) {
        char name[SK_KEY_NAME_MAX];
        sk_buffer text = {0};
        sk_keys_name(keys, index, name);
        write_history(history, keys, index, list, count, &text);
        fine = search(&text, models[kind], name, counted, problem, size);
        sk_buffer_deinit(&text);
    }
    sk_free(list);
    return fine;
}

static bool check_kind(const sk_history *history, const sk_keys *keys, uint32_t index, const sk_swarm *swarm, char *problem,
                       size_t size)
{
    const sk_key *key = &keys->list[index];
    switch (key->kind) {
    case SK_KEY_REGISTER:
    case SK_KEY_SPACES: // read, never written
        return sk_history_check_register(history, index, problem, size);
    case SK_KEY_COUNTER:
        return sk_history_check_counter(history, index, problem, size);
    case SK_KEY_LIST:
        return sk_history_check_list(history, index, sk_buffer_slice(&key->longest), problem, size);
    case SK_KEY_SET:
        return sk_history_check_set(history, index, sk_buffer_slice(&key->longest), problem, size);
    case SK_KEY_LEASE:
        return sk_history_check_lease(history, index, swarm->drift_ppm_max, problem, size);
    case SK_KEY_MERGE_REGISTER: // sim/merge_check.h
    case SK_KEY_MERGE_COUNTER:
    case SK_KEY_MERGE_SET:
    case SK_KEY_MERGE_MAP:
    case SK_KEY_MERGE_LEASE:
    case SK_KEY_MERGE_SESSION:
    case SK_KEY_KIND_END:
        break;
    }
    SK_UNREACHABLE();
}

bool sk_judge(const sk_history *history, const sk_keys *keys, uint32_t index, const sk_swarm *swarm, sk_judge_counts *counted,
              char *problem, size_t size)
{
    counted->keys++;
    return check_kind(history, keys, index, swarm, problem, size) &&
           sk_judge_search(history, keys, index, counted, problem, size);
}
