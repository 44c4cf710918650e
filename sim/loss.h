// What a node may lose at its end in a mergeable space, of what it has answered: with DURABILITY group only what it answered within one
// window, with `volatile` whatever is not on its disk, and nothing that another has on disk.
#ifndef SIM_LOSS_H
#define SIM_LOSS_H

#include "sim/history.h"
#include "sim/world.h"

// This node ends. What it answered in its present life and had not written down is marked as cut, and as doubtful where nobody else has it on
// disk. More than a window of it is an error.
void sk_loss_cut(sk_world *world, sk_history *history, sk_node_id id);
// Has anything been answered that this life did?
bool sk_loss_answered_in(const sk_world *world, const sk_history *history, uint64_t actor);

#endif
