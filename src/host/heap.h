// Huge pages for the data. A key space of a million keys is a heap of hundreds of megabytes read at random: with small
// pages most of an operation's time goes into finding out where each page is. There is no fork here, so nothing is lost
// by large ones.
//
// A small node must not pay for it: the first SK_HEAP_PLAIN bytes of the heap stay on small pages.
#ifndef SK_HOST_HEAP_H
#define SK_HOST_HEAP_H

#include <stdint.h>

#define SK_HEAP_PLAIN ((uintptr_t)4 * 1024 * 1024)

typedef struct sk_heap {
    uintptr_t start;
    uintptr_t advised; // up to here the kernel has been asked
    uintptr_t page;
} sk_heap;

void sk_heap_init(sk_heap *heap);
// Asks the kernel for what the heap has grown by. Cheap when it has not: meant for every turn.
void sk_heap_watch(sk_heap *heap);

#endif
