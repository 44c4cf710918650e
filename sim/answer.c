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
    static const char *const refused[] = {"CLUSTERDOWN", "ERR max number of clients", "BUSY", "TRYAGAIN",
                                          "LOADING"};
    out->kind = SK_ANSWER_ODD;
    if (begins(out->text, "UNKNOWN")) out->kind = SK_ANSWER_UNKNOWN;
    if (begins(out->text, "OOM")) out->kind = SK_ANSWER_FULL;
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        if (begins(out->text, refused[i])) out->kind = SK_ANSWER_REFUSED;
    }
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

bool sk_answer_settle(const sk_answer *answer, sk_operation *operation, char *problem, size_t size)
{
    if (operation->kind == SK_OPERATION_SPACE) { // refused more often than not, for good reasons
        operation->outcome = answer->kind == SK_ANSWER_OK ? SK_OUTCOME_OK : SK_OUTCOME_UNKNOWN;
        return answer->kind == SK_ANSWER_OK || answer->kind == SK_ANSWER_REFUSED || answer->kind == SK_ANSWER_UNKNOWN ||
               answer->kind == SK_ANSWER_ODD;
    }
    bool read = sk_request_reads(operation->kind);
    operation->outcome = SK_OUTCOME_OK;
    bool fine = true;
    if (answer->kind == SK_ANSWER_REFUSED || answer->kind == SK_ANSWER_FULL)
        operation->outcome = SK_OUTCOME_FAILED;
    else if (answer->kind == SK_ANSWER_UNKNOWN)
        operation->outcome = read ? SK_OUTCOME_FAILED : SK_OUTCOME_UNKNOWN;
    else
        fine = read ? settle_read(answer, operation) : settle_write(answer, operation);
    if (!fine)
        snprintf(problem, size, "an impossible answer (kind %d): %.*s", (int)answer->kind,
                 (int)(answer->text.size < 80 ? answer->text.size : 80), (const char *)answer->text.data);
    return fine;
}
