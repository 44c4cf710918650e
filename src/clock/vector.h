// Version vectors: what has been seen of whom, and what happened before what.
//
//   actor    a node in one of its lives: (node, life). Every start of a node is a new life with a greater number, so what a lost disk
//            or a restored backup forgot is never numbered again.
//   dot      (actor, counter): one change. An actor's counters are 1, 2, 3, ...
//   vector   actor -> counter: of each actor, all changes up to the counter.
//
// Retirement. Lives pile up. Once nobody will ever hear anything new of a node's lives up to one, one entry
// (node, life) -> SK_RETIRED stands for all of them: "everything of these has been seen".
//
// Invariants (sk_vector_check): actors strictly ascend; counters are not 0; a retired entry is the first of its node.
#ifndef SK_CLOCK_VECTOR_H
#define SK_CLOCK_VECTOR_H

#include <stdbool.h>
#include "base/bytes.h"
#include "wire/codec.h"

typedef uint64_t sk_actor; // node in the upper 16 bits, life below; 0 is nobody
enum { SK_ACTOR_LIFE_BITS = 48 };
#define SK_RETIRED     UINT64_MAX
#define SK_COUNTER_MAX ((uint64_t)1 << 56) // an honest actor never comes here

static inline sk_actor sk_actor_make(uint32_t node, uint64_t life)
{
    return (uint64_t)node << SK_ACTOR_LIFE_BITS | life;
}

static inline uint32_t sk_actor_node(sk_actor actor)
{
    return (uint32_t)(actor >> SK_ACTOR_LIFE_BITS);
}

static inline uint64_t sk_actor_life(sk_actor actor)
{
    return actor & (((uint64_t)1 << SK_ACTOR_LIFE_BITS) - 1);
}

typedef struct sk_dot {
    sk_actor actor;
    uint64_t counter;
} sk_dot;

static inline int sk_dot_compare(sk_dot a, sk_dot b)
{
    if (a.actor != b.actor) return a.actor < b.actor ? -1 : 1;
    return (a.counter > b.counter) - (a.counter < b.counter);
}

// Zero-initialised is the empty vector.
typedef struct sk_vector {
    sk_dot *list;
    size_t count, capacity;
} sk_vector;

uint64_t sk_vector_get(const sk_vector *vector, sk_actor actor); // 0: nothing; SK_RETIRED: all there ever will be
void sk_vector_raise(sk_vector *vector, sk_actor actor, uint64_t counter); // to at least counter
void sk_vector_remove(sk_vector *vector, sk_actor actor);                  // the entry, if it stands there by itself
void sk_vector_retire(sk_vector *vector, sk_actor actor);                  // this and all earlier lives of its node
void sk_vector_join(sk_vector *into, const sk_vector *other);              // the greater of each
void sk_vector_meet(sk_vector *into, const sk_vector *other);              // the lesser of each
void sk_vector_copy(sk_vector *into, const sk_vector *other);
void sk_vector_clear(sk_vector *vector);
void sk_vector_deinit(sk_vector *vector);

static inline bool sk_vector_has(const sk_vector *vector, sk_dot dot)
{
    return dot.counter <= sk_vector_get(vector, dot.actor);
}
bool sk_vector_covers(const sk_vector *vector, const sk_vector *other); // nothing in other is beyond vector

enum sk_order { SK_ORDER_EQUAL, SK_ORDER_BEFORE, SK_ORDER_AFTER, SK_ORDER_CONCURRENT };
enum sk_order sk_vector_compare(const sk_vector *a, const sk_vector *b); // BEFORE: a is less than b

// As bytes: varint count; per entry node, life and counter as varints (a retired entry's counter is 0). Equal vectors have equal bytes.
void sk_vector_write(const sk_vector *vector, sk_buffer *out);
// Replaces `out`. What breaks an invariant, has a counter above SK_COUNTER_MAX or more than `count_max`
// entries makes the reader bad.
void sk_vector_read(sk_vector *out, sk_reader *reader, size_t count_max);
void sk_vector_check(const sk_vector *vector);

// One actor and one dot, for other layouts. A dot that no honest actor made (counter 0 or beyond SK_COUNTER_MAX, node or life 0) is bad.
void sk_actor_write(sk_actor actor, sk_buffer *out);
sk_actor sk_actor_read(sk_reader *reader);
void sk_dot_write(sk_dot dot, sk_buffer *out);
sk_dot sk_dot_read(sk_reader *reader);

#endif
