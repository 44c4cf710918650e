#include "sim/atlas.h"

#include "sim/computer.h"
#include "sim/merging.h"

// Is everything that `computer` held also held here, and on disk?
static bool covers(const sk_computer *other, const sk_computer *computer)
{
    if (!sk_computer_running(other) || other->damaged_boot || sim_disk_under_way(other->platter))
        return false;
    size_t count = sk_node_space_count(other->node);
    for (size_t i = 0; i < count; i++) {
        sk_space_facts facts = sk_node_space_facts(other->node, i, false);
        if (facts.status.recovering || facts.status.role == SK_ROLE_HALTED) return false;
        if (facts.id > SK_SPACE_DEFAULT) continue;
        if (facts.applied < computer->held_last[facts.id]) return false;
        // A known leader: nobody stands in an epoch in which this one's vote may be forgotten.
        if (!facts.status.leader || facts.status.epoch < computer->held_epoch[facts.id]) return false;
    }
    const sk_merging *merging = other->world->merging;
    return !merging || sk_merging_covers(merging, other, computer->id);
}

bool sk_atlas_may_damage(const sk_world *world, const sk_computer *computer)
{
    if (world->computer_count < 3 || computer->damaged_boot) return false;
    for (sk_node_id id = 1; id <= world->computer_count; id++) {
        if (id != computer->id && !covers(&world->computers[id], computer)) return false;
    }
    return true;
}

void sk_atlas_damaged(sk_computer *computer)
{
    computer->damaged_boot = computer->boots + 1;
    computer->amnesia++;
    if (computer->world->merging) sk_merging_lost(computer->world->merging, computer->id);
}

// Does who leads a space count this computer, in its present life? A log that lost its end looks like one that never had it: only the leader
// that had its acknowledgements knows better, and may say so long after the replica is refilled (seed 3944 of causal).
static bool counted(const sk_computer *computer, const sk_space_facts *space)
{
    const sk_world *world = computer->world;
    if (space->status.leader == computer->id) return true;
    const sk_computer *leader = &world->computers[space->status.leader];
    if (!sk_computer_running(leader)) return false;
    const sk_protocol *protocol = NULL;
    const sk_replica *replica = sk_node_replica(leader->node, space->id, &protocol);
    if (!replica) return false;
    sk_peer_status peer = protocol->peer_status(replica, computer->id);
    return peer.boot == sk_node_identity(computer->node)->boot && !peer.recovering && peer.matched >= computer->held_last[space->id];
}

// Whole again: started since, and holding what the others hold.
void sk_atlas_look(sk_world *world)
{
    for (sk_node_id id = 1; id <= world->computer_count; id++) {
        sk_computer *computer = &world->computers[id];
        if (!computer->damaged_boot || !sk_computer_running(computer)) continue;
        bool whole = !sim_disk_under_way(computer->platter);
        size_t count = sk_node_space_count(computer->node);
        for (size_t i = 0; i < count && whole; i++) {
            sk_space_facts facts = sk_node_space_facts(computer->node, i, false);
            if (facts.id > SK_SPACE_DEFAULT) continue;
            whole = !facts.status.recovering && facts.status.role != SK_ROLE_HALTED && facts.status.leader &&
                    facts.applied >= computer->held_last[facts.id] &&
                    facts.status.epoch >= computer->held_epoch[facts.id] && counted(computer, &facts);
        }
        // A mark that could not be taken away makes it stand aside once more at its next start (seed 21374 of causal).
        whole = whole && !sk_node_is_marked(computer->node);
        if (whole && world->merging) whole = sk_merging_covers(world->merging, computer, id);
        if (whole) computer->damaged_boot = 0;
    }
}
