// What of a mergeable replica is on its own disk, followed from outside: its vector as of the last record that is durable. In spaces of
// DURABILITY group and volatile that is less than what it has answered; of what others wrote it may be less in any space.
//
// And what its node may lose at its end, of what it has answered: see sk_synced_excused.
#ifndef SIM_SYNCED_H
#define SIM_SYNCED_H

#include "base/ring.h"
#include "clock/vector.h"
#include "sim/history.h"
#include "sim/world.h"

typedef struct sk_synced {
    sk_vector vector; // surely on disk
    sk_ring pending;  // {record, vector}: what is on disk when that record is, in order
} sk_synced;

void sk_synced_init(sk_synced *synced);
void sk_synced_deinit(sk_synced *synced);
// The replica has `seen` this, all of it in records up to `number`; those up to `durable` are on disk.
void sk_synced_look(sk_synced *synced, uint64_t number, uint64_t durable, const sk_vector *seen);
// Another process: nothing that was only in memory will be on disk.
void sk_synced_restart(sk_synced *synced);
// The disk has lost something.
void sk_synced_lose(sk_synced *synced);

// The node of `computer` ends now, and what this operation did is not on its disk. May that be, with the durability that the space was
// given? The window counts from the answer, and no longer than the node's own clock, its timers and its disk allow; where faults have
// delayed any of these it is not judged.
bool sk_synced_excused(const sk_computer *computer, const sk_operation *op);

#endif
