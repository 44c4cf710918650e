// What one name can hold: a register and a counter. A key has one, and so has each field of a map.
//
// Shown as one value: the register's winner; if that is a decimal number, what the counter stands at is added. So an INCR counts on
// from what SET wrote, and two such at once both count. SET replaces the register and resets the counter.
#ifndef SK_DATA_SCALAR_H
#define SK_DATA_SCALAR_H

#include "data/counter.h"
#include "data/register.h"

typedef struct sk_scalar {
    sk_register reg;
    sk_counter counter;
} sk_scalar;

static inline bool sk_scalar_live(const sk_scalar *scalar)
{
    return scalar->reg.count || sk_counter_live(&scalar->counter);
}
static inline bool sk_scalar_empty(const sk_scalar *scalar)
{
    return scalar->reg.count == 0 && scalar->counter.count == 0;
}
void sk_scalar_clear(sk_scalar *scalar);
void sk_scalar_merge(sk_scalar *into, sk_seen into_seen, const sk_scalar *other, sk_seen other_seen);
void sk_scalar_write(const sk_scalar *scalar, bool dead_too, sk_buffer *out);
void sk_scalar_read(sk_scalar *out, sk_reader *reader);
void sk_scalar_deinit(sk_scalar *scalar);

#endif
