// The simulator's event queue: earliest time first, and among equal times the one pushed first. So a run
// depends on nothing but its seed.
#ifndef SIM_HEAP_H
#define SIM_HEAP_H

#include <stdbool.h>
#include <stddef.h>
#include "base/time.h"

typedef struct sk_heap_event {
    sk_ns time;
    uint64_t sequence; // set by push
    uint32_t kind;     // the owner's
    uint32_t a, b;
    uint64_t c;
    void *pointer;
} sk_heap_event;

typedef struct sk_heap {
    sk_heap_event *list;
    size_t count, capacity;
    uint64_t sequence;
} sk_heap;

void sk_heap_push(sk_heap *heap, sk_heap_event event);
bool sk_heap_pop(sk_heap *heap, sk_heap_event *out); // false: empty
void sk_heap_deinit(sk_heap *heap);                  // what events point to is the owner's

#endif
