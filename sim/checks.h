// What must hold after every turn of every node, and at the end.
//
//   - at most one leader of a space in an epoch, and one life of it: who restarts must not lead the same
//   epoch again
//   - a leader's log reaches everything known committed in an earlier epoch
//   - applied <= committed <= last; none of them goes back while the process lives
//   - the machine's digest at a position is the same on every node that ever stood there, whatever restarts
//   and snapshots
//     came between: what is committed never changes
//   - the node's own invariants (verify builds)
//
// Of a mergeable space only the last of these; at the end all nodes must have seen the same and show the same (sim/merging.h), and what
// clients saw is judged by sim/merge_check.h.
#ifndef SIM_CHECKS_H
#define SIM_CHECKS_H

#include "sim/world.h"

sk_checks *sk_checks_open(sk_world *world);
void sk_checks_close(sk_checks *checks);
void sk_checks_turn(sk_checks *checks, const sk_computer *computer); // it has just turned
void sk_checks_stopped(sk_checks *checks, sk_node_id id);
// All nodes run, serve, and hold equal data. Else false, and why.
bool sk_checks_converged(sk_checks *checks, char *why, size_t size);
// All is healed now. Then: has every space a leader that most nodes follow, or that has
// committed something new?
void sk_checks_healed(sk_checks *checks);
bool sk_checks_led(const sk_checks *checks, char *why, size_t size);
// Where every node stands, as trace lines.
void sk_checks_describe(const sk_checks *checks);
sk_node_id sk_checks_leader(const sk_checks *checks); // of the default space, as last seen; 0: none

#endif
