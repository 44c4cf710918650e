// A register: the values written to it that no later write has overwritten, as siblings. One after undisturbed writing; more after
// concurrent writes, until somebody who has seen them all writes again.
//
// A write replaces what its writer has seen, whatever the stamps say: a clock that runs ahead freezes nothing. Stamps only choose
// which sibling is shown: the greatest (stamp, actor, value hash), the same on every replica.
//
// Invariants: dots strictly ascend. Values are borrowed.
#ifndef SK_DATA_REGISTER_H
#define SK_DATA_REGISTER_H

#include "data/dots.h"

typedef struct sk_sibling {
    sk_dot dot;
    uint64_t stamp; // clock/hlc.h
    sk_slice value;
} sk_sibling;

// Zero-initialised is the empty register.
typedef struct sk_register {
    sk_sibling *list;
    size_t count, capacity;
} sk_register;

// Adds a sibling. Two of the same dot cannot be, unless somebody lies: the greater (stamp, value) stays.
void sk_register_add(sk_register *reg, sk_sibling sibling);
const sk_sibling *sk_register_winner(const sk_register *reg); // NULL: empty
void sk_register_merge(sk_register *into, sk_seen into_seen, const sk_register *other, sk_seen other_seen);
static inline void sk_register_clear(sk_register *reg)
{
    reg->count = 0;
}
void sk_register_deinit(sk_register *reg);

// Varint count; per sibling dot, stamp in eight bytes, sized value.
void sk_register_write(const sk_register *reg, sk_buffer *out);
void sk_register_read(sk_register *out, sk_reader *reader); // replaces; values borrowed from the reader's bytes

#endif
