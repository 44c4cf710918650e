// A counter that takes increments anywhere, and can be reset (by SET, DEL, HDEL) to where it was seen to stand: increments that the
// resetter had not seen stay.
//
// Each actor keeps a tally, which only it raises:
//
//   birth                 its change with which the tally began
//   counter, plus, minus  its latest change, and all it ever added and took until then
//   reset, and its parts  the latest of its changes that somebody reset, and plus and minus as of that change
//
//   value = sum over actors of (plus - plus_reset) - (minus - minus_reset)
//
// A tally whose every change was reset is dead. Its actor then begins a new one, and a later birth replaces an earlier tally whole. So
// a dead tally may be forgotten at different times in different places.
//
// Amounts are decimal with 17 places, as INCRBYFLOAT rounds, in two words: the same on every machine, and exact.
#ifndef SK_DATA_COUNTER_H
#define SK_DATA_COUNTER_H

#include "data/dots.h"

#define SK_AMOUNT_FRACTION_END ((uint64_t)100000000000000000) // 10^17

typedef struct sk_amount {
    uint64_t whole;
    uint64_t fraction; // in units of 10^-17, below SK_AMOUNT_FRACTION_END
} sk_amount;

bool sk_amount_add(sk_amount *into, sk_amount more); // false: more than 64 bits; unchanged
int sk_amount_compare(sk_amount a, sk_amount b);
sk_amount sk_amount_subtract(sk_amount a, sk_amount b); // 0 if b is greater

typedef struct sk_tally {
    sk_actor actor;
    uint64_t birth, counter, reset; // reset 0: never
    sk_amount plus, minus, plus_reset, minus_reset;
} sk_tally;

// Zero-initialised has no tallies. Actors strictly ascend.
typedef struct sk_counter {
    sk_tally *list;
    size_t count, capacity;
} sk_counter;

// A signed amount, at most 64 bits of whole: beyond that it stays at the edge. Never -0.
typedef struct sk_total {
    bool negative;
    sk_amount amount;
} sk_total;

static inline bool sk_tally_live(const sk_tally *tally)
{
    return tally->counter > tally->reset;
}

sk_tally *sk_counter_find(const sk_counter *counter, sk_actor actor); // NULL: none
sk_tally *sk_counter_add(sk_counter *counter, sk_tally tally);        // merges with one of the same actor
bool sk_counter_has_dead(const sk_counter *counter); // a tally whose every change was reset
bool sk_counter_live(const sk_counter *counter);                      // is there anything that was not reset?
sk_total sk_counter_value(const sk_counter *counter);
void sk_counter_drop_dead(sk_counter *counter);
// A tally that one side lacks and has seen is gone there because it was dead.
void sk_counter_merge(sk_counter *into, sk_seen into_seen, const sk_counter *other, sk_seen other_seen);
static inline void sk_counter_clear(sk_counter *counter)
{
    counter->count = 0;
}
void sk_counter_deinit(sk_counter *counter);

void sk_counter_write(const sk_counter *counter, bool dead_too, sk_buffer *out);
void sk_counter_read(sk_counter *out, sk_reader *reader); // replaces

#endif
