#include "sim/causality.h"

#include <string.h>
#include "base/alloc.h"
#include "base/assert.h"

void sk_causality_init(sk_causality *causality, uint32_t process_count)
{
    SK_ASSERT(process_count >= 1 && process_count <= SK_CAUSALITY_PROCESSES_MAX);
    memset(causality, 0, sizeof *causality);
    causality->process_count = process_count;
}

void sk_causality_deinit(sk_causality *causality)
{
    for (uint32_t i = 0; i < causality->process_count; i++) sk_free(causality->lines[i].events);
    sk_free(causality->events);
    sk_free(causality->times);
    memset(causality, 0, sizeof *causality);
}

static void make_room(sk_causality *causality)
{
    if (causality->count + 1 < causality->capacity) return;
    uint32_t capacity = causality->capacity ? causality->capacity * 2 : 1024;
    SK_ASSERT(capacity > causality->capacity);
    causality->events = sk_realloc(causality->events, capacity * sizeof *causality->events);
    causality->times =
        sk_realloc(causality->times, (size_t)capacity * causality->process_count * sizeof *causality->times);
    causality->capacity = capacity;
}

static uint32_t *time_of(const sk_causality *causality, uint32_t event)
{
    SK_ASSERT(event >= 1 && event <= causality->count);
    return causality->times + (size_t)event * causality->process_count;
}

const uint32_t *sk_causality_time(const sk_causality *causality, uint32_t event)
{
    return time_of(causality, event);
}

uint32_t sk_causality_add(sk_causality *causality, enum sk_causal_kind kind, uint32_t process, uint32_t sent_by)
{
    SK_ASSERT(process < causality->process_count && sent_by <= causality->count);
    SK_ASSERT(!sent_by || (kind == SK_CAUSAL_RECEIVE && causality->events[sent_by].kind == SK_CAUSAL_SEND));
    make_room(causality);
    sk_causal_line *line = &causality->lines[process];
    if (line->count == line->capacity) {
        line->capacity = line->capacity ? line->capacity * 2 : 256;
        line->events = sk_realloc(line->events, line->capacity * sizeof *line->events);
    }
    uint32_t event = ++causality->count, *time = time_of(causality, event);
    if (line->count)
        memcpy(time, time_of(causality, line->events[line->count - 1]), causality->process_count * sizeof *time);
    else
        memset(time, 0, causality->process_count * sizeof *time);
    line->events[line->count++] = event;
    causality->events[event] =
        (sk_causal_event){.kind = kind, .process = process, .number = line->count, .sent_by = sent_by};
    const uint32_t *sent = sent_by ? time_of(causality, sent_by) : time;
    for (uint32_t i = 0; i < causality->process_count; i++) {
        if (sent[i] > time[i]) time[i] = sent[i];
    }
    time[process] = line->count;
    return event;
}

bool sk_causality_before(const sk_causality *causality, uint32_t a, uint32_t b)
{
    const sk_causal_event *first = &causality->events[a];
    return a != b && time_of(causality, b)[first->process] >= first->number;
}

enum sk_causal_order sk_causality_order(const sk_causality *causality, uint32_t a, uint32_t b)
{
    if (a == b) return SK_CAUSAL_SAME;
    if (sk_causality_before(causality, a, b)) return SK_CAUSAL_BEFORE;
    return sk_causality_before(causality, b, a) ? SK_CAUSAL_AFTER : SK_CAUSAL_CONCURRENT;
}

// The first event of b's process that knows of `a`: times never go back along a process.
static uint32_t first_that_knows(const sk_causality *causality, uint32_t a, uint32_t b)
{
    const sk_causal_event *from = &causality->events[a], *to = &causality->events[b];
    const sk_causal_line *line = &causality->lines[to->process];
    uint32_t low = 0, high = to->number - 1;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (time_of(causality, line->events[middle])[from->process] >= from->number)
            high = middle;
        else
            low = middle + 1;
    }
    return line->events[low];
}

size_t sk_causality_chain(const sk_causality *causality, uint32_t a, uint32_t b, uint32_t *out, size_t capacity)
{
    if (!sk_causality_before(causality, a, b)) return 0;
    size_t count = 0;
    uint32_t at = b;
    out[count++] = b;
    // Back from b. Who first knows of `a` in another process than a's has just received it, from who knew before.
    while (causality->events[at].process != causality->events[a].process) {
        uint32_t received = first_that_knows(causality, a, at);
        SK_ASSERT(causality->events[received].kind == SK_CAUSAL_RECEIVE && count + 3 <= capacity);
        if (received != at) out[count++] = received;
        at = causality->events[received].sent_by;
        out[count++] = at;
    }
    SK_ASSERT(count < capacity || at == a);
    if (at != a) out[count++] = a;
    for (size_t i = 0; i < count / 2; i++) {
        uint32_t held = out[i];
        out[i] = out[count - 1 - i];
        out[count - 1 - i] = held;
    }
    return count;
}

void sk_causality_check(const sk_causality *causality)
{
    size_t all = 0;
    for (uint32_t p = 0; p < causality->process_count; p++) {
        const sk_causal_line *line = &causality->lines[p];
        for (uint32_t i = 0; i < line->count; i++) {
            const sk_causal_event *event = &causality->events[line->events[i]];
            SK_ASSERT(event->process == p && event->number == i + 1);
            SK_ASSERT(time_of(causality, line->events[i])[p] == i + 1);
            SK_ASSERT(!i || line->events[i - 1] < line->events[i]);
            SK_ASSERT(event->sent_by < line->events[i]);
        }
        all += line->count;
    }
    SK_ASSERT(all == causality->count);
}
