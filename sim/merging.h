// The simulator's look into a mergeable space (crdt, causal): what each node's replica has seen, and what it may show beyond that.
//
// `seen` is the replica's own vector. `wide` is an upper bound of what its state may reflect: a walk that is half merged shows changes
// that `seen` does not say yet, even over a restart. It only grows.
#ifndef SIM_MERGING_H
#define SIM_MERGING_H

#include "clock/vector.h"
#include "sim/world.h"

#define SK_MERGING_PREFIX "m" // of the space's keys

// What a node's replica was at a moment: taken when a request reaches the node, and when its reply leaves.
typedef struct sk_sight {
    sk_actor self;
    sk_vector seen, wide;
    uint64_t wall_ms; // of the node
} sk_sight;

typedef struct sk_merging sk_merging;

sk_merging *sk_merging_open(sk_world *world);
void sk_merging_close(sk_merging *merging);

// The computer has turned, or says something: `wide` follows.
void sk_merging_look(sk_merging *merging, const sk_computer *computer);
// A sight of now; 0: its space is not there. Never freed before the end. The same number as before when nothing has changed since.
uint32_t sk_merging_sight(sk_merging *merging, const sk_computer *computer);
const sk_sight *sk_merging_sight_at(const sk_merging *merging, uint32_t sight);

// Is the space there, on every node, and answering? Else why not.
bool sk_merging_founded(const sk_merging *merging, char *why, size_t size);
// Have all nodes that are not gone seen the same, and show they the same?
bool sk_merging_converged(const sk_merging *merging, char *why, size_t size);
// Nobody that runs is linked with it, as it believes.
bool sk_merging_alone(const sk_merging *merging, const sk_computer *computer);
bool sk_merging_halted(const sk_computer *computer);
// Its node in its present life; 0: its space is not there.
sk_actor sk_merging_actor(const sk_computer *computer);

// Does anybody else know more of its present life than it does itself? It is a backup's, and its clock chose a life that is over for the
// others: what it writes before it notices may be lost (docs/crdt.md).
bool sk_merging_is_bygone(const sk_merging *merging, const sk_computer *computer);

// ---- What a node held, for those who take from it ----

// Notes what the computer's replica holds; it is running.
void sk_merging_note_held(sk_merging *merging, sk_node_id id);
// Has this one, on disk, all that was noted of the other?
bool sk_merging_covers(const sk_merging *merging, const sk_computer *other, sk_node_id id);
// Is this change on the node's own disk?
bool sk_merging_is_synced(const sk_merging *merging, sk_node_id id, sk_dot dot);
// The node's disk has lost something.
void sk_merging_lost(sk_merging *merging, sk_node_id id);
// Has any other running node than `id` this change for good?
bool sk_merging_is_elsewhere(const sk_merging *merging, sk_node_id id, sk_dot dot);

#endif
