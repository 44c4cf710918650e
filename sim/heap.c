#include "sim/heap.h"

#include "base/alloc.h"
#include "base/assert.h"

// A heap of four children a node: fewer cache lines than two.
enum { FAN = 4 };

static bool before(const sk_heap_event *a, const sk_heap_event *b)
{
    return a->time != b->time ? a->time < b->time : a->sequence < b->sequence;
}

void sk_heap_push(sk_heap *heap, sk_heap_event event)
{
    if (heap->count == heap->capacity) {
        heap->capacity = heap->capacity ? heap->capacity * 2 : 256;
        heap->list = sk_realloc(heap->list, heap->capacity * sizeof *heap->list);
    }
    event.sequence = ++heap->sequence;
    size_t at = heap->count++;
    while (at > 0) {
        size_t parent = (at - 1) / FAN;
        if (!before(&event, &heap->list[parent])) break;
        heap->list[at] = heap->list[parent];
        at = parent;
    }
    heap->list[at] = event;
}

bool sk_heap_pop(sk_heap *heap, sk_heap_event *out)
{
    if (!heap->count) return false;
    *out = heap->list[0];
    sk_heap_event last = heap->list[--heap->count];
    size_t at = 0;
    for (;;) {
        size_t first = at * FAN + 1, best = first;
        if (first >= heap->count) break;
        size_t end = first + FAN < heap->count ? first + FAN : heap->count;
        for (size_t i = first + 1; i < end; i++) {
            if (before(&heap->list[i], &heap->list[best])) best = i;
        }
        if (!before(&heap->list[best], &last)) break;
        heap->list[at] = heap->list[best];
        at = best;
    }
    heap->list[at] = last;
    SK_ASSERT(heap->count == 0 || !before(&heap->list[0], out));
    return true;
}

void sk_heap_deinit(sk_heap *heap)
{
    sk_free(heap->list);
    *heap = (sk_heap){0};
}
