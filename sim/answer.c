#include "sim/answer.h"

#include <stdio.h>
#include <stdlib.h>
#include "base/hash.h"
#include "sim/request.h"

static bool begins(sk_slice text, const char *with)
{
    size_t size = strlen(with);
    return text.size >= size && !memcmp(text.data, with, size);
}

static void judge_error(sk_answer *out)
{
    static const char *const refused[] = {"ERR max number of clients", "BUSY", "TRYAGAIN",
                                          "LOADING"};
    out->kind = SK_ANSWER_ODD;
    if (begins(out->text, "UNKNOWN")) out->kind = SK_ANSWER_UNKNOWN;
    if (begins(out->text, "OOM")) out->kind = SK_ANSWER_FULL;
    if (begins(out->text, "CLUSTERDOWN")) out->kind = SK_ANSWER_DOWN;
    if (begins(out->text, "CLUSTERDOWN too many requests")) out->kind = SK_ANSWER_REFUSED; // it is its own load, not the others
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        if (begins(out->text, refused[i])) out->kind = SK_ANSWER_REFUSED;
    }
    out->late = begins(out->text, "TRYAGAIN this node did not come to it");
    if (out->late) out->kind = SK_ANSWER_DOWN;
    if (begins(out->text, "LOADING this node is taking over the state of another: certainly")) out->kind = SK_ANSWER_DOWN;
}

// Behind the line with the count; `*used` is that line's size.
static int parse_items(sk_slice input, sk_answer *out, size_t *used)
{
    for (int64_t i = 0; i < out->number; i++) {
        sk_answer item;
        size_t size;
        int complete = sk_answer_parse(sk_slice_make(input.data + *used, input.size - *used), &item, &size);
        if (complete <= 0) return complete;
        *used += size;
    }
    out->kind = SK_ANSWER_ARRAY;
    out->text = sk_slice_make(input.data, *used);
    return 1;
}

int sk_answer_parse(sk_slice input, sk_answer *out, size_t *used)
{
    *out = (sk_answer){0};
    const uint8_t *end = input.size ? memchr(input.data, '\n', input.size) : NULL;
    if (!end) return 0;
    size_t line = (size_t)(end - input.data);
    if (line < 2 || end[-1] != '\r') return -1;
    *used = line + 1;
    out->text = sk_slice_make(input.data + 1, line - 2);
    char digits[24] = "";
    memcpy(digits, out->text.data, out->text.size < sizeof digits ? out->text.size : sizeof digits - 1);
    out->number = strtoll(digits, NULL, 10);
    switch (input.data[0]) {
    case '+':
        out->kind = begins(out->text, "OK") ? SK_ANSWER_OK : SK_ANSWER_ODD;
        return 1;
    case '-':
        judge_error(out);
        return 1;
    case ':':
        out->kind = SK_ANSWER_NUMBER;
        return 1;
    case '_':
        out->kind = SK_ANSWER_NULL;
        return 1;
    case '*':
        return parse_items(input, out, used);
    case '$':
        break;
    default:
        return -1;
    }
    if (out->number < 0) {
        out->kind = SK_ANSWER_NULL;
        return 1;
    }
    size_t size = (size_t)out->number;
    if (input.size < *used + size + 2) return 0;
    out->kind = SK_ANSWER_TEXT;
    out->text = sk_slice_make(input.data + *used, size);
    *used += size + 2;
    return 1;
}

static bool settle_read(const sk_answer *answer, sk_operation *operation)
{
    if (operation->kind == SK_OPERATION_SESSION_USE) return answer->kind == SK_ANSWER_OK;
    if (answer->kind != SK_ANSWER_NULL && answer->kind != SK_ANSWER_TEXT) return false;
    sk_slice text = answer->kind == SK_ANSWER_TEXT ? answer->text : (sk_slice){.data = (const uint8_t *)""};
    char digits[24] = "";
    memcpy(digits, text.data, text.size < sizeof digits ? text.size : sizeof digits - 1);
    switch (operation->kind) {
    case SK_OPERATION_GET:
        if (text.size && digits[0] != 'v') return false;
        operation->result = text.size ? strtoull(digits + 1, NULL, 10) : 0;
        return true;
    case SK_OPERATION_COUNT:
        operation->result = strtoull(digits, NULL, 10);
        return true;
    case SK_OPERATION_SESSION_TOKEN:
        return text.size > 0;
    default:
        operation->result = text.size;
        operation->hash = sk_hash64(0, text.data, text.size);
        return true;
    }
}

static bool settle_write(const sk_answer *answer, sk_operation *operation)
{
    switch (operation->kind) {
    case SK_OPERATION_SET:
    case SK_OPERATION_LEND:
        return answer->kind == SK_ANSWER_OK;
    case SK_OPERATION_CAS:
        operation->result = answer->kind == SK_ANSWER_OK;
        return answer->kind == SK_ANSWER_OK || answer->kind == SK_ANSWER_NULL;
    default:
        operation->result = (uint64_t)answer->number;
        return answer->kind == SK_ANSWER_NUMBER && answer->number > 0;
    }
}

// Element or field: a letter and a number.
static uint32_t cell_of(sk_slice text)
{
    return text.size == 2 && text.data[1] >= '0' && text.data[1] < '0' + SK_CELLS_MAX ? text.data[1] - '0' : SK_CELLS_MAX;
}

// A register's value or a counter's number.
static uint64_t value_of(sk_slice text)
{
    char digits[24] = "";
    memcpy(digits, text.data, text.size < sizeof digits ? text.size : sizeof digits - 1);
    return digits[0] == 'v' ? strtoull(digits + 1, NULL, 10) : (uint64_t)strtoll(digits, NULL, 10);
}

// SMEMBERS, HGETALL: each element or field at most once.
static bool settle_cells(const sk_answer *answer, sk_operation *operation)
{
    bool fields = operation->kind == SK_OPERATION_MERGE_FIELDS;
    size_t at, used;
    sk_answer head, item;
    if (answer->kind != SK_ANSWER_ARRAY) return false;
    at = (size_t)((const uint8_t *)memchr(answer->text.data, '\n', answer->text.size) - answer->text.data) + 1;
    operation->result = 0;
    while (at < answer->text.size) {
        sk_answer_parse(sk_slice_make(answer->text.data + at, answer->text.size - at), &head, &used);
        at += used;
        uint32_t cell = cell_of(head.text);
        if (head.kind != SK_ANSWER_TEXT || cell == SK_CELLS_MAX || operation->result & 1u << cell) return false;
        operation->result |= 1u << cell;
        if (!fields) continue;
        if (at == answer->text.size) return false;
        sk_answer_parse(sk_slice_make(answer->text.data + at, answer->text.size - at), &item, &used);
        at += used;
        if (item.kind != SK_ANSWER_TEXT) return false;
        operation->cells[cell] = value_of(item.text);
    }
    return true;
}

static bool settle_merging(const sk_answer *answer, sk_operation *operation)
{
    switch (operation->kind) {
    case SK_OPERATION_MERGE_SET:
    case SK_OPERATION_MERGE_LEND:
        return answer->kind == SK_ANSWER_OK;
    case SK_OPERATION_MERGE_MEMBERS:
    case SK_OPERATION_MERGE_FIELDS:
        return settle_cells(answer, operation);
    case SK_OPERATION_MERGE_GET:
    case SK_OPERATION_MERGE_TOTAL:
        if (answer->kind != SK_ANSWER_NULL && answer->kind != SK_ANSWER_TEXT) return false;
        operation->result = answer->kind == SK_ANSWER_NULL ? 0 : value_of(answer->text);
        return true;
    default:
        operation->result = (uint64_t)answer->number;
        return answer->kind == SK_ANSWER_NUMBER;
    }
}

bool sk_answer_settle(const sk_answer *answer, sk_operation *operation, char *problem, size_t size)
{
    if (operation->kind == SK_OPERATION_SPACE || operation->kind == SK_OPERATION_FOUND) { // refused more often than not, for good reasons
        operation->outcome = answer->kind == SK_ANSWER_OK ? SK_OUTCOME_OK : SK_OUTCOME_UNKNOWN;
        return answer->kind == SK_ANSWER_OK || answer->kind == SK_ANSWER_REFUSED || answer->kind == SK_ANSWER_UNKNOWN ||
               answer->kind == SK_ANSWER_DOWN || answer->kind == SK_ANSWER_ODD;
    }
    bool read = sk_request_reads(operation->kind);
    operation->outcome = SK_OUTCOME_OK;
    bool fine = true;
    if (answer->kind == SK_ANSWER_REFUSED || answer->kind == SK_ANSWER_FULL || answer->kind == SK_ANSWER_DOWN)
        operation->outcome = SK_OUTCOME_FAILED;
    else if (answer->kind == SK_ANSWER_UNKNOWN)
        operation->outcome = read ? SK_OUTCOME_FAILED : SK_OUTCOME_UNKNOWN;
    else
        fine = sk_request_merges(operation->kind) ? settle_merging(answer, operation)
               : read                             ? settle_read(answer, operation)
                                                  : settle_write(answer, operation);
    if (!fine)
        snprintf(problem, size, "an impossible answer (kind %d): %.*s", (int)answer->kind,
                 (int)(answer->text.size < 80 ? answer->text.size : 80), (const char *)answer->text.data);
    return fine;
}
