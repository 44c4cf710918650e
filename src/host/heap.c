#include "host/heap.h"

#include <malloc.h>
#include <sys/mman.h>
#include <unistd.h>

// The heap grows by this much at a time once it is large, so that most huge pages lie within it as a whole when they are first
// touched. It is address space; memory is taken page by page.
enum { GROWTH = 16 * 1024 * 1024, MAPPED_FROM = 4 * 1024 * 1024 };

void sk_heap_init(sk_heap *heap)
{
    uintptr_t end = (uintptr_t)sbrk(0);
    *heap = (sk_heap){.start = end, .page = (uintptr_t)sysconf(_SC_PAGESIZE)};
}

static void grow_in_steps(void)
{
#ifdef __GLIBC__
    // Setting one of these ends glibc's own tuning of all of them.
    (void)mallopt(M_TOP_PAD, GROWTH);
    (void)mallopt(M_TRIM_THRESHOLD, 2 * GROWTH);
    (void)mallopt(M_MMAP_THRESHOLD, MAPPED_FROM);
#endif
}

void sk_heap_watch(sk_heap *heap)
{
    uintptr_t end = (uintptr_t)sbrk(0);
    if (end == heap->advised || end - heap->start < SK_HEAP_PLAIN || end < heap->start) return;
    if (!heap->advised) grow_in_steps();
    uintptr_t from = heap->start + SK_HEAP_PLAIN;
    if (heap->advised > from && heap->advised < end) from = heap->advised; // if it shrank in between, all anew
    from &= ~(heap->page - 1);
    // Advice: a kernel without huge pages goes on as it is.
    (void)madvise((void *)from, end - from, MADV_HUGEPAGE);
    heap->advised = end;
}
