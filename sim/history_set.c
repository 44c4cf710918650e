// Sets by APPEND: an element may be asked for more than once (the client does not know whether it is there), and may be there
// more than once. What counts is its first place: it was taken after the first time somebody asked, and before the first time
// somebody was told.
#include "sim/history_private.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include "base/alloc.h"

typedef struct element {
    uint64_t place;      // first; 0: not there
    bool asked;
    bool acknowledged;
    bool possible;       // not all of its attempts were refused
    sk_ns start, end;    // of the first attempt that was not refused; of the first acknowledgement
    uint32_t client;
} element;

static void note_attempts(const sk_history *history, uint32_t key, element *elements)
{
    for (size_t i = 0; i < history->count; i++) {
        const sk_operation *op = &history->list[i];
        if (op->key != key || op->kind != SK_OPERATION_ADD) continue;
        element *one = &elements[op->value - 1];
        if (!one->asked) *one = (element){.asked = true, .start = SK_NEVER, .end = SK_NEVER, .client = op->client};
        if (op->outcome == SK_OUTCOME_FAILED) continue;
        one->possible = true;
        if (op->start < one->start) one->start = op->start;
        if (op->outcome != SK_OUTCOME_OK) continue;
        one->acknowledged = true;
        if (op->end < one->end) one->end = op->end;
    }
}

static bool note_places(const sk_history *history, uint32_t key, sk_slice longest, element *elements, char *problem, size_t size)
{
    for (size_t at = 0; at + SK_TOKEN_SIZE <= longest.size; at += SK_TOKEN_SIZE) {
        char text[SK_TOKEN_SIZE + 1] = {0};
        memcpy(text, longest.data + at, SK_TOKEN_SIZE);
        uint64_t value = strtoull(text + 1, NULL, 16);
        element *one = value >= 1 && value <= history->count ? &elements[value - 1] : NULL;
        if (!one || !one->possible) {
            snprintf(problem, size, "element %s of s%" PRIu32 " is there %s", text, key,
                     one && one->asked ? "and was refused" : "unasked");
            return false;
        }
        if (!one->place) one->place = at / SK_TOKEN_SIZE + 1;
    }
    return true;
}

// Reads see places by length; places that are only repetitions belong to no write.
static bool check(const sk_history *history, uint32_t key, sk_slice longest, const element *elements, sk_history_step *list,
                  char *problem, size_t size)
{
    size_t count = 0;
    for (size_t i = 0; i < history->count; i++) {
        const element *one = &elements[i];
        if (!one->asked) continue;
        if (one->acknowledged && !one->place) {
            snprintf(problem, size, "element %zu of s%" PRIu32 " (client %" PRIu32 ") was acknowledged and is lost", i + 1, key,
                     one->client);
            return false;
        }
        if (one->place)
            list[count++] = (sk_history_step){.place = one->place, .start = one->start, .end = one->end, .client = one->client};
    }
    for (size_t i = 0; i < history->count; i++) {
        const sk_operation *op = &history->list[i];
        if (op->key != key || op->kind != SK_OPERATION_MEMBERS || op->outcome != SK_OUTCOME_OK) continue;
        if (!sk_history_check_prefix(op, longest, problem, size)) return false;
        list[count++] = (sk_history_step){.place = op->result / SK_TOKEN_SIZE, .read = true, .start = op->start, .end = op->end,
                                          .client = op->client};
    }
    return sk_history_check_order(list, count, 's', key, problem, size);
}

bool sk_history_check_set(const sk_history *history, uint32_t key, sk_slice longest, char *problem, size_t size)
{
    element *elements = sk_alloc_zeroed((history->count + 1) * sizeof *elements);
    sk_history_step *list = sk_alloc((history->count + 1) * sizeof *list);
    note_attempts(history, key, elements);
    bool fine = note_places(history, key, longest, elements, problem, size) &&
                check(history, key, longest, elements, list, problem, size);
    sk_free(list);
    sk_free(elements);
    return fine;
}
