// What replicas of mergeable machines share: lives of nodes, and the heads of operations.
#ifndef SK_PROTOCOL_LIVES_H
#define SK_PROTOCOL_LIVES_H

#include "clock/vector.h"

// A greater number than any life of this node has had, as far as can be known, and than `beyond`: the time in 1/256 s, and below it the
// boot number's lowest bits, which tell starts of one moment apart. So a life is greater than one that the disk lost without a sign, if
// only the clock went on. A boot number alone would be used again by a directory restored from a backup.
uint64_t sk_life_choose(uint32_t node, uint64_t boot, uint64_t wall_ms, const sk_vector *seen, uint64_t beyond);

// The first operation of a run, as a machine's prepare appends them (machine.h).
//   operation   actor, first (varint), more (varint: 0 or 1 counters besides), sized piece
typedef struct sk_operation_head {
    sk_actor actor;
    uint64_t first, last;
} sk_operation_head;
sk_operation_head sk_operation_head_read(sk_reader *reader); // steps over it; makes the reader bad when malformed

#endif
