// What of a mergeable replica is on its own disk, followed from outside: its vector as of the last record that is durable. In spaces of
// DURABILITY group and volatile that is less than what it has answered; of what others wrote it may be less in any space.
#ifndef SIM_SYNCED_H
#define SIM_SYNCED_H

#include "base/ring.h"
#include "clock/vector.h"

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

#endif
