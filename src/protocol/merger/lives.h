// Lives of nodes, and the heads of operations.
#ifndef SK_PROTOCOL_MERGER_LIVES_H
#define SK_PROTOCOL_MERGER_LIVES_H

#include "clock/vector.h"

// A greater number than any life of this node has had, as far as can be known, and than `beyond`: the time in milliseconds (or, where a
// clock went back, one of the half second behind the last life's), and below it some of the boot number, which no other start of this directory has: so
// hardly ever do two starts have the same life, even if all that the first one wrote is lost. Boot numbers are no order by themselves:
// a directory restored from a backup uses them again, and of great ones there is room for a part only.
#define SK_LIFE_HONEST_MAX (((uint64_t)7 << SK_ACTOR_LIFE_BITS) / 8) // who claims a greater one of another node lies: see sk_merger_is_absurd
uint64_t sk_life_choose(uint32_t node, uint64_t boot, uint64_t wall_ms, const sk_vector *seen, uint64_t beyond);

// The `beyond` of a start behind damage, with this boot number: our own lives may be lost there, and what is written in one that is over
// for the others would be lost, too. It is above all lives that are numbered by time (until 2054); boot numbers, which are not in the log,
// are an order by themselves.
uint64_t sk_life_beyond_time(uint64_t boot);

// The first operation of a run, as a machine's prepare appends them (machine.h).
//   operation   actor, first (varint), more (varint: 0 or 1 counters besides), sized piece
typedef struct sk_operation_head {
    sk_actor actor;
    uint64_t first, last;
} sk_operation_head;
sk_operation_head sk_operation_head_read(sk_reader *reader); // steps over it; makes the reader bad when malformed
// Whole operations of our own machine, of which some are left: about so many bytes, or all there are. last: the last one's head.
sk_slice sk_operations_take(sk_reader *reader, size_t size, sk_operation_head *last);

#endif
