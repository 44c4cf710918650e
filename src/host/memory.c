#include "host/memory.h"

#include <uv.h>

#include "base/alloc.h"
#include "base/assert.h"

static void *zeroed(size_t count, size_t size)
{
    SK_ASSERT(size == 0 || count <= SIZE_MAX / size);
    return sk_alloc_zeroed(count * size);
}

void sk_host_own_memory(void)
{
    int error = uv_replace_allocator(sk_alloc, sk_realloc, zeroed, sk_free);
    SK_ASSERT(error == 0);
}
