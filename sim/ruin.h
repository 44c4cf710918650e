// Unrecoverable runs: when all has been proved and audited, the power of all computers fails, and the disks of a majority or of
// all are ruined in a way that must be noticed. From then on nothing may be acknowledged and no ruined replica may vote, stand,
// or stop recovering: a safe halt, whoever asks and however long.
//
// Damage that cannot be told from a torn tail is left out: what a majority loses that way is lost by design (architecture.md).
#ifndef SIM_RUIN_H
#define SIM_RUIN_H

#include "sim/world.h"

void sk_ruin_strike(sk_world *world);
// Looks at what a computer sends, for votes that must not be.
void sk_ruin_tap(sk_world *world, sk_node_id from, sk_slice frames);
// Does every ruined computer stand still, as it must? Else the run is wrong.
void sk_ruin_check(sk_world *world);

#endif
