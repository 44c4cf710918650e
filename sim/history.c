#include "sim/history_private.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include "base/alloc.h"
#include "base/assert.h"
#include "base/hash.h"

size_t sk_history_add(sk_history *history, sk_operation operation)
{
    if (history->count == history->capacity) {
        history->capacity = history->capacity ? history->capacity * 2 : 1024;
        history->list = sk_realloc(history->list, history->capacity * sizeof *history->list);
    }
    history->list[history->count] = operation;
    return history->count++;
}

void sk_history_deinit(sk_history *history)
{
    sk_free(history->list);
    *history = (sk_history){0};
}

void sk_history_token(char out[SK_TOKEN_SIZE + 1], uint64_t value)
{
    snprintf(out, SK_TOKEN_SIZE + 1, "<%010" PRIx64 ">", value & 0xffffffffffu);
}

// ---- Registers ----

// All operations that wrote or saw one value.
typedef struct cluster {
    uint64_t value;
    sk_ns begin;              // of its write
    sk_ns end_min, start_max; // over all its operations
    bool read;                // somebody saw it
    enum sk_outcome written;
    uint64_t follows; // CAS: the value it must have found; UINT64_MAX otherwise
} cluster;

typedef struct clusters {
    cluster *list;
    size_t count;
} clusters;

static cluster *cluster_find(const clusters *all, uint64_t value)
{
    size_t low = 0, high = all->count;
    while (low < high) { // operations come in the order of their numbers, and so do values
        size_t middle = low + (high - low) / 2;
        if (all->list[middle].value < value)
            low = middle + 1;
        else
            high = middle;
    }
    return low < all->count && all->list[low].value == value ? &all->list[low] : NULL;
}

static void cluster_see(cluster *seen, sk_ns start, sk_ns end)
{
    if (end < seen->end_min) seen->end_min = end;
    if (start > seen->start_max) seen->start_max = start;
}

static clusters collect_writes(const sk_history *history, uint32_t key)
{
    clusters all = {.list = sk_alloc((history->count + 1) * sizeof(cluster))};
    all.list[all.count++] = (cluster){.value = 0, .written = SK_OUTCOME_OK, .follows = UINT64_MAX};
    for (size_t i = 0; i < history->count; i++) {
        const sk_operation *op = &history->list[i];
        if (op->key != key || (op->kind != SK_OPERATION_SET && op->kind != SK_OPERATION_CAS)) continue;
        cluster made = {.value = op->value,
                        .begin = op->start,
                        .start_max = op->start,
                        .end_min = op->end,
                        .written = op->outcome,
                        .follows = op->kind == SK_OPERATION_CAS ? op->expect : UINT64_MAX};
        if (op->kind == SK_OPERATION_CAS && op->outcome == SK_OUTCOME_OK && !op->result)
            made.written = SK_OUTCOME_FAILED;
        if (made.written == SK_OUTCOME_PENDING) made.written = SK_OUTCOME_UNKNOWN;
        all.list[all.count++] = made;
    }
    return all;
}

static bool see(const clusters *all, const sk_operation *op, uint64_t value, char *problem, size_t size)
{
    cluster *seen = cluster_find(all, value);
    if (!seen) {
        snprintf(problem, size,
                 "client %" PRIu32 " read value %" PRIu64 " of r%" PRIu32 ", never written there", op->client,
                 value, op->key);
        return false;
    }
    if (seen->written == SK_OUTCOME_FAILED) {
        snprintf(problem, size,
                 "client %" PRIu32 " read value %" PRIu64 " of r%" PRIu32 ", whose write was refused",
                 op->client, value, op->key);
        return false;
    }
    if (op->end < seen->begin) {
        snprintf(problem, size,
                 "client %" PRIu32 " read value %" PRIu64 " of r%" PRIu32 " before it was written",
                 op->client, value, op->key);
        return false;
    }
    cluster_see(seen, op->start, op->end);
    seen->read = true;
    return true;
}

static bool see_reads(const sk_history *history, uint32_t key, const clusters *all, char *problem,
                      size_t size)
{
    for (size_t i = 0; i < history->count; i++) {
        const sk_operation *op = &history->list[i];
        if (op->key != key || op->outcome != SK_OUTCOME_OK) continue;
        if (op->kind == SK_OPERATION_GET && !see(all, op, op->result, problem, size)) return false;
        if (op->kind == SK_OPERATION_CAS && op->result && !see(all, op, op->expect, problem, size))
            return false;
    }
    return true;
}

// At most one compare-and-set may have replaced a value, and none may be followed by two that were seen.
static bool check_swaps(const clusters *all, uint32_t key, char *problem, size_t size)
{
    uint64_t *taken = sk_alloc_zeroed(all->count * sizeof *taken);
    bool fine = true;
    for (size_t i = 0; fine && i < all->count; i++) {
        const cluster *write = &all->list[i];
        if (write->follows == UINT64_MAX || write->written == SK_OUTCOME_FAILED) continue;
        if (write->written == SK_OUTCOME_UNKNOWN && !write->read) continue;
        const cluster *before = cluster_find(all, write->follows);
        SK_ASSERT(before);
        size_t index = (size_t)(before - all->list);
        if (taken[index]) {
            snprintf(problem, size,
                     "values %" PRIu64 " and %" PRIu64 " of r%" PRIu32 " both replaced value %" PRIu64,
                     taken[index], write->value, key, write->follows);
            fine = false;
        }
        taken[index] = write->value;
    }
    sk_free(taken);
    return fine;
}

static int by_end_min(const void *left, const void *right)
{
    const cluster *a = left, *b = right;
    if (a->end_min != b->end_min) return a->end_min < b->end_min ? -1 : 1;
    return a->value < b->value ? -1 : a->value > b->value;
}

// Forward zones [end_min, start_max] must not overlap; a backward zone [start_max, end_min] must not lie
// inside one.
static bool check_zones(clusters *all, uint32_t key, char *problem, size_t size)
{
    size_t kept = 0;
    for (size_t i = 0; i < all->count; i++) {
        const cluster *one = &all->list[i];
        if (one->written == SK_OUTCOME_FAILED || (one->written == SK_OUTCOME_UNKNOWN && !one->read)) continue;
        all->list[kept++] = *one;
    }
    all->count = kept;
    qsort(all->list, all->count, sizeof *all->list, by_end_min);
    const cluster *open = NULL; // the forward zone that reaches furthest
    for (size_t i = 0; i < all->count; i++) {
        const cluster *one = &all->list[i];
        bool forward = one->end_min < one->start_max;
        // Sorted by end_min: a forward zone begins there; a backward one ends there.
        if (forward && open && one->end_min < open->start_max) {
            snprintf(problem, size, "r%" PRIu32 " went back in time between values %" PRIu64 " and %" PRIu64,
                     key, open->value, one->value);
            return false;
        }
        if (forward && (!open || one->start_max > open->start_max)) open = one;
        if (!forward && open && one->start_max > open->end_min && one->end_min < open->start_max) {
            snprintf(problem, size,
                     "value %" PRIu64 " of r%" PRIu32 " was overwritten by value %" PRIu64
                     ", which was both before and after it",
                     one->value, key, open->value);
            return false;
        }
    }
    return true;
}

bool sk_history_check_register(const sk_history *history, uint32_t key, char *problem, size_t size)
{
    clusters all = collect_writes(history, key);
    bool fine = see_reads(history, key, &all, problem, size) && check_swaps(&all, key, problem, size) &&
                check_zones(&all, key, problem, size);
    sk_free(all.list);
    return fine;
}

// ---- What has an order of its own: counters and lists ----

static int by_place(const void *left, const void *right)
{
    const sk_history_step *a = left, *b = right;
    if (a->place != b->place) return a->place < b->place ? -1 : 1;
    if (a->read != b->read) return a->read ? 1 : -1;
    return a->start < b->start ? -1 : a->start > b->start;
}

bool sk_history_check_order(sk_history_step *list, size_t count, char kind, uint32_t key, char *problem, size_t size)
{
    qsort(list, count, sizeof *list, by_place);
    sk_ns start_max = 0, start_max_reads = 0;
    for (size_t i = 0; i < count; i++) {
        const sk_history_step *one = &list[i];
        if (!one->read || i == 0 || !list[i - 1].read || list[i - 1].place != one->place) {
            if (start_max_reads > start_max) start_max = start_max_reads;
        }
        if (!one->read && i > 0 && !list[i - 1].read && list[i - 1].place == one->place) {
            snprintf(problem, size, "two writes of %c%" PRIu32 " got place %" PRIu64, kind, key, one->place);
            return false;
        }
        if (one->end < start_max) {
            snprintf(problem, size,
                     "%c%" PRIu32 " went back in time: client %" PRIu32 " %s place %" PRIu64
                     ", and an earlier place began after that ended",
                     kind, key, one->client, one->read ? "read" : "wrote", one->place);
            return false;
        }
        if (!one->read && one->start > start_max) start_max = one->start;
        if (one->read && one->start > start_max_reads) start_max_reads = one->start;
    }
    return true;
}

bool sk_history_check_counter(const sk_history *history, uint32_t key, char *problem, size_t size)
{
    sk_history_step *list = sk_alloc((history->count + 1) * sizeof *list);
    size_t count = 0;
    uint64_t acknowledged = 0, unknown = 0, greatest = 0;
    for (size_t i = 0; i < history->count; i++) {
        const sk_operation *op = &history->list[i];
        if (op->key != key || (op->kind != SK_OPERATION_INCREMENT && op->kind != SK_OPERATION_COUNT))
            continue;
        bool read = op->kind == SK_OPERATION_COUNT;
        if (!read && (op->outcome == SK_OUTCOME_UNKNOWN || op->outcome == SK_OUTCOME_PENDING)) unknown++;
        if (op->outcome != SK_OUTCOME_OK) continue;
        acknowledged += !read;
        if (op->result > greatest) greatest = op->result;
        list[count++] = (sk_history_step){
            .place = op->result, .read = read, .start = op->start, .end = op->end, .client = op->client};
    }
    bool fine = sk_history_check_order(list, count, 'c', key, problem, size);
    if (fine && greatest > acknowledged + unknown) {
        snprintf(problem, size,
                 "c%" PRIu32 " reached %" PRIu64 " with %" PRIu64 " increments and %" PRIu64 " unknown", key,
                 greatest, acknowledged, unknown);
        fine = false;
    }
    sk_free(list);
    return fine;
}

bool sk_history_check_prefix(const sk_operation *op, sk_slice longest, char *problem, size_t size)
{
    if (op->result <= longest.size && op->result % SK_TOKEN_SIZE == 0 &&
        op->hash == sk_hash64(0, longest.data, (size_t)op->result))
        return true;
    snprintf(problem, size,
             "client %" PRIu32 " read %" PRIu64 " bytes of key %" PRIu32 " that later reads do not begin with",
             op->client, op->result, op->key);
    return false;
}

// The place of every token that is there; places[i] belongs to the operation of value i + 1. False: a token
// twice.
static bool find_tokens(const sk_history *history, uint32_t key, sk_slice longest, uint64_t *places,
                        char *problem, size_t size)
{
    for (size_t at = 0; at + SK_TOKEN_SIZE <= longest.size; at += SK_TOKEN_SIZE) {
        char text[SK_TOKEN_SIZE + 1] = {0};
        memcpy(text, longest.data + at, SK_TOKEN_SIZE);
        uint64_t value = strtoull(text + 1, NULL, 16);
        bool known = value >= 1 && value <= history->count &&
                     history->list[value - 1].kind == SK_OPERATION_APPEND &&
                     history->list[value - 1].key == key;
        if (!known || places[value - 1]) {
            snprintf(problem, size, "token %s of a%" PRIu32 " is there %s", text, key,
                     known ? "twice" : "unasked");
            return false;
        }
        places[value - 1] = at / SK_TOKEN_SIZE + 1;
    }
    return true;
}

static bool check_append(const sk_operation *op, uint64_t place, char *problem, size_t size)
{
    const char *wrong = NULL;
    if (op->outcome == SK_OUTCOME_OK && !place)
        wrong = "was acknowledged and is lost";
    else if (op->outcome == SK_OUTCOME_OK && op->result != place * SK_TOKEN_SIZE)
        wrong = "is not where its reply said";
    else if (op->outcome == SK_OUTCOME_FAILED && place)
        wrong = "was refused and is there";
    if (!wrong) return true;
    snprintf(problem, size, "token %" PRIx64 " of a%" PRIu32 " (client %" PRIu32 ") %s", op->value, op->key,
             op->client, wrong);
    return false;
}

bool sk_history_check_list(const sk_history *history, uint32_t key, sk_slice longest, char *problem,
                           size_t size)
{
    uint64_t *places = sk_alloc_zeroed((history->count + 1) * sizeof *places);
    sk_history_step *list = sk_alloc((history->count + 1) * sizeof *list);
    size_t count = 0;
    bool fine = find_tokens(history, key, longest, places, problem, size);
    for (size_t i = 0; fine && i < history->count; i++) {
        const sk_operation *op = &history->list[i];
        if (op->key != key || (op->kind != SK_OPERATION_APPEND && op->kind != SK_OPERATION_LIST)) continue;
        sk_history_step one = {.start = op->start, .end = op->end, .client = op->client};
        if (op->kind == SK_OPERATION_LIST) {
            if (op->outcome != SK_OUTCOME_OK) continue;
            fine = sk_history_check_prefix(op, longest, problem, size);
            one.read = true;
            one.place = op->result / SK_TOKEN_SIZE;
        } else {
            one.place = places[i];
            fine = check_append(op, places[i], problem, size);
            if (!one.place) continue;
        }
        list[count++] = one;
    }
    if (fine) fine = sk_history_check_order(list, count, 'a', key, problem, size);
    sk_free(list);
    sk_free(places);
    return fine;
}

// ---- Leases ----

static const sk_operation *find_lend(const sk_history *history, uint32_t key)
{
    for (size_t i = 0; i < history->count; i++) {
        const sk_operation *op = &history->list[i];
        if (op->key == key && op->kind == SK_OPERATION_LEND) return op;
    }
    return NULL;
}

bool sk_history_check_lease(const sk_history *history, uint32_t key, uint32_t drift_ppm, char *problem, size_t size)
{
    const sk_operation *lend = find_lend(history, key);
    if (!lend) return true;
    bool acknowledged = lend->outcome == SK_OUTCOME_OK;
    sk_ns shortest = lend->length / (1000000 + drift_ppm) * 1000000;
    sk_ns gone = SK_NEVER;        // the earliest end of a read that found it gone, begun after it was acknowledged
    sk_ns there = 0;              // the latest start of a read that found it there
    const char *wrong = NULL;
    for (size_t i = 0; i < history->count; i++) {
        const sk_operation *op = &history->list[i];
        if (op->key != key || op->kind != SK_OPERATION_GET || op->outcome != SK_OUTCOME_OK) continue;
        if (op->result && (op->result != lend->value || op->end < lend->start)) wrong = "shows a value never lent";
        if (op->result && lend->outcome == SK_OUTCOME_FAILED) wrong = "shows what was refused";
        if (op->result && op->start > there) there = op->start;
        if (op->result || !acknowledged || op->start < lend->end) continue;
        if (op->end + SK_MS < lend->start + shortest) wrong = "was gone before its time";
        if (op->end < gone) gone = op->end;
    }
    if (gone < there) wrong = "came back after it was gone";
    if (wrong) snprintf(problem, size, "e%" PRIu32 " %s", key, wrong);
    return !wrong;
}
