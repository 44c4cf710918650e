#include "base/alloc.h"

#include <stdio.h>
#include <stdlib.h>

enum { EXIT_NO_MEMORY = 71 }; // EX_OSERR of sysexits.h

static _Noreturn void no_memory(size_t size)
{
    fprintf(stderr, "level=error msg=\"out of memory\" wanted_bytes=%zu hint=\"the log holds everything that was "
                    "acknowledged; give the node more memory or a smaller bound and start it again\"\n",
            size);
    fflush(stderr);
    _Exit(EXIT_NO_MEMORY);
}

void *sk_try_alloc(size_t size)
{
    return malloc(size ? size : 1);
}

void *sk_try_realloc(void *old, size_t size)
{
    return realloc(old, size ? size : 1);
}

void *sk_alloc(size_t size)
{
    void *memory = sk_try_alloc(size);
    if (!memory) no_memory(size);
    return memory;
}

void *sk_alloc_zeroed(size_t size)
{
    void *memory = calloc(1, size ? size : 1);
    if (!memory) no_memory(size);
    return memory;
}

void *sk_realloc(void *old, size_t size)
{
    void *memory = sk_try_realloc(old, size);
    if (!memory) no_memory(size);
    return memory;
}

void sk_free(void *memory)
{
    free(memory);
}
