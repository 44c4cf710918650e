#include "data/scalar.h"

void sk_scalar_clear(sk_scalar *scalar)
{
    sk_register_clear(&scalar->reg);
    sk_counter_clear(&scalar->counter);
}

void sk_scalar_merge(sk_scalar *into, sk_seen into_seen, const sk_scalar *other, sk_seen other_seen)
{
    sk_register_merge(&into->reg, into_seen, &other->reg, other_seen);
    sk_counter_merge(&into->counter, into_seen, &other->counter, other_seen);
}

void sk_scalar_write(const sk_scalar *scalar, bool dead_too, sk_buffer *out)
{
    sk_register_write(&scalar->reg, out);
    sk_counter_write(&scalar->counter, dead_too, out);
}

void sk_scalar_read(sk_scalar *out, sk_reader *reader)
{
    sk_register_read(&out->reg, reader);
    sk_counter_read(&out->counter, reader);
}

void sk_scalar_deinit(sk_scalar *scalar)
{
    sk_register_deinit(&scalar->reg);
    sk_counter_deinit(&scalar->counter);
}
