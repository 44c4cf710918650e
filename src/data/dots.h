// A set of dots, and what a key's state has seen: its causal context.
//
//   context   a vector E and a set of dots beside it. E[a] is the counter of actor a's latest change of this key that the state
//             reflects; the dots beside it are changes known to have been overwritten before they themselves came.
//   base      of a whole space: every state reflects all changes up to it, so contexts need not say so again.
//
// Invariants: dots strictly ascend (actor, then counter).
#ifndef SK_DATA_DOTS_H
#define SK_DATA_DOTS_H

#include "clock/vector.h"

// Zero-initialised is the empty set.
typedef struct sk_dots {
    sk_dot *list;
    size_t count, capacity;
} sk_dots;

bool sk_dots_has(const sk_dots *dots, sk_dot dot);
void sk_dots_add(sk_dots *dots, sk_dot dot);
void sk_dots_copy(sk_dots *into, const sk_dots *other);
void sk_dots_deinit(sk_dots *dots);
static inline void sk_dots_clear(sk_dots *dots)
{
    dots->count = 0;
}

// Varint count, then the dots.
void sk_dots_write(const sk_dots *dots, sk_buffer *out);
void sk_dots_read(sk_dots *out, sk_reader *reader); // replaces; makes the reader bad when malformed

typedef struct sk_context {
    sk_vector vector;
    sk_dots dots;
} sk_context;

static inline bool sk_context_empty(const sk_context *context)
{
    return context->vector.count == 0 && context->dots.count == 0;
}
void sk_context_clear(sk_context *context);
void sk_context_join(sk_context *into, const sk_context *other);
// Drops what base says already, and dots that the vector covers.
void sk_context_trim(sk_context *context, const sk_vector *base);
void sk_context_write(const sk_context *context, sk_buffer *out);
void sk_context_read(sk_context *out, sk_reader *reader);
void sk_context_deinit(sk_context *context);

// One side of a merge: its context and base (either may be NULL: has seen nothing).
typedef struct sk_seen {
    const sk_context *context;
    const sk_vector *base;
} sk_seen;
bool sk_seen_has(sk_seen seen, sk_dot dot);

// The observed-remove merge of one thing's dots: what both have, and what one has that the other has not seen. Into `into`.
void sk_dots_merge(sk_dots *into, sk_seen into_seen, const sk_dots *other, sk_seen other_seen);

#endif
