// Texts to small numbers: equal bytes get the same id, ids count from 0 in order of first sight.
#ifndef SK_CHECK_INTERN_H
#define SK_CHECK_INTERN_H

#include "check/datum.h"

enum { SK_INTERN_NONE = UINT32_MAX };

typedef struct sk_intern {
    sk_slice *texts; // by id; they live in `arena`
    uint32_t count, capacity;
    uint32_t *slots; // id + 1; 0: empty. A power of two, at most half full
    size_t slot_count;
    size_t bytes; // what it holds in memory, about
    sk_arena arena;
} sk_intern;

uint32_t sk_intern_put(sk_intern *intern, sk_slice text);
uint32_t sk_intern_find(const sk_intern *intern, sk_slice text); // SK_INTERN_NONE: never seen
uint32_t sk_intern_datum(sk_intern *intern, const sk_datum *datum); // by its canonical form
void sk_intern_deinit(sk_intern *intern);

#endif
