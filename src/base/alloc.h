// Memory from the libc allocator.
//
// Two kinds of need, never confused:
//   sk_alloc, sk_realloc   state that must exist for the node to go on. When memory ends they print one line and
//                          end the process with status 71 (EX_OSERR): the log holds everything that was promised, so
//                          a restart loses nothing, and no half-applied entry can exist.
//   sk_try_alloc, ...      sizes that somebody outside chose. NULL when there is none: refuse the request.
// Memory is released by sk_free, whichever gave it.
#ifndef SK_BASE_ALLOC_H
#define SK_BASE_ALLOC_H

#include <stddef.h>

void *sk_alloc(size_t size);  // uninitialised; never NULL
void *sk_alloc_zeroed(size_t size);
void *sk_realloc(void *old, size_t size); // never NULL
void *sk_try_alloc(size_t size);          // NULL when memory ends
void *sk_try_realloc(void *old, size_t size);
void sk_free(void *memory); // NULL is allowed

#endif
