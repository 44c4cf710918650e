// Faults that only a mergeable space has to bear (see sim/nemesis.h): nodes that are away for weeks, and old backups put back.
//
// The quorum spaces of a run (the system's and the default one) are not made for old backups: a node that forgot a vote could give it
// twice. So one is put back only while nothing has happened in them since it was taken: the same leaders in the same terms, no new entry.
#include "sim/nemesis_private.h"

#include "sim/clients.h"
#include "sim/computer.h"
#include "sim/merging.h"
#include "sim/network.h"

static const sk_ns week = (sk_ns)7 * 24 * 3600 * SK_S;

// ---- Weeks ----

static void cut_off(sk_world *world, sk_node_id id, bool block)
{
    for (sk_node_id other = 1; other <= world->computer_count; other++) {
        if (other == id) continue;
        sk_network_block(world->network, id, other, block);
        sk_network_block(world->network, other, id, block);
        if (block) sk_network_break(world->network, id, other, world->swarm.notice_max);
    }
}

// It sleeps (its power is off) or goes on by itself, out of reach, while weeks go by for all; the others go on.
static bool sleep_for_weeks(sk_nemesis *nemesis, sk_computer *computer)
{
    sk_world *world = nemesis->world;
    sk_ns length = week / 7 * sk_prng_between(&nemesis->prng, 3, 42), hold = SK_S + 4 * sk_nemesis_hold(nemesis);
    bool off = sk_prng_chance(&nemesis->prng, 1, 2), clock_stood = sk_prng_chance(&nemesis->prng, 1, 4);
    clock_stood &= !world->swarm.fault[SK_FAULT_RESTORE]; // see sim/swarm.c
    if (world->computer_count < 2 || !computer->node || nemesis->asleep >> computer->id & 1) return false;
    nemesis->asleep |= 1u << computer->id;
    if (off) sk_computer_kill(computer, sk_prng_chance(&nemesis->prng, 1, 2));
    cut_off(world, computer->id, true);
    for (sk_node_id id = 1; id <= world->computer_count; id++)
        sk_computer_warp(&world->computers[id], length, !(clock_stood && id == computer->id));
    sk_nemesis_mend_later(nemesis, SK_FAULT_ASLEEP, computer->id, 0, hold);
    return true;
}

void sk_nemesis_awake(sk_nemesis *nemesis, sk_node_id id)
{
    sk_world *world = nemesis->world;
    if (!(nemesis->asleep >> id & 1)) return;
    nemesis->asleep &= ~(1u << id);
    cut_off(world, id, false);
    if (!world->computers[id].node) sk_computer_restart_at(&world->computers[id], world->now + SK_MS);
}

// ---- Backups ----

// How the quorum spaces stand, if all nodes agree on that and know their leaders.
static bool quorum_stands(const sk_world *world, uint64_t last[2], uint64_t epoch[2])
{
    for (sk_node_id id = 1; id <= world->computer_count; id++) {
        const sk_computer *computer = &world->computers[id];
        size_t count = sk_computer_running(computer) ? sk_node_space_count(computer->node) : 0;
        if (count < 2) return false;
        for (size_t i = 0; i < count; i++) {
            sk_space_facts facts = sk_node_space_facts(computer->node, i, false);
            if (facts.id > SK_SPACE_DEFAULT) continue;
            bool settled = facts.status.leader && !facts.status.recovering && facts.status.committed == facts.status.last;
            if (id == 1) {
                last[facts.id] = facts.status.last;
                epoch[facts.id] = facts.status.epoch;
            }
            if (!settled || facts.status.last != last[facts.id] || facts.status.epoch != epoch[facts.id]) return false;
        }
    }
    return true;
}

// One computer of a run is backed up; a backup that cannot be put back any more is replaced.
void sk_nemesis_back_up(sk_nemesis *nemesis)
{
    sk_world *world = nemesis->world;
    sk_nemesis_backup *backup = &nemesis->backup;
    uint64_t last[2], epoch[2];
    if (!world->swarm.fault[SK_FAULT_RESTORE] || !quorum_stands(world, last, epoch)) return;
    bool current = backup->disk && last[0] == backup->last[0] && last[1] == backup->last[1] && epoch[0] == backup->epoch[0] &&
                   epoch[1] == backup->epoch[1];
    if (current && world->now - backup->taken < 20 * SK_S) return;
    if (!backup->of) backup->of = sk_nemesis_some(nemesis);
    const sk_computer *computer = &world->computers[backup->of];
    if (computer->damaged_boot || sim_disk_under_way(computer->platter)) return;
    if (backup->disk) sim_disk_close(backup->disk);
    backup->disk = sim_disk_crash_image(computer->platter, sk_prng_split(&nemesis->prng));
    backup->taken = world->now;
    for (int i = 0; i < 2; i++) {
        backup->last[i] = last[i];
        backup->epoch[i] = epoch[i];
    }
}

static bool restore(sk_nemesis *nemesis)
{
    sk_world *world = nemesis->world;
    sk_nemesis_backup *backup = &nemesis->backup;
    uint64_t last[2], epoch[2];
    if (!backup->disk || !quorum_stands(world, last, epoch)) return false;
    for (int i = 0; i < 2; i++) {
        if (last[i] != backup->last[i] || epoch[i] != backup->epoch[i]) return false;
    }
    sk_computer *computer = &world->computers[backup->of];
    sk_clients_doubt(world->clients, computer->id, backup->taken);
    computer->restored_boot = sk_node_identity(computer->node)->boot;
    computer->amnesia++;
    sk_merging_lost(world->merging, computer->id);
    computer->restored = true;
    sk_computer_kill(computer, false);
    sim_disk_roll_back(computer->platter, backup->disk);
    sk_computer_restart_at(computer, world->now + SK_MS + sk_prng_below(&nemesis->prng, 2 * SK_S));
    return true;
}

bool sk_nemesis_strike_loss(sk_nemesis *nemesis, enum sk_fault fault)
{
    if (fault == SK_FAULT_RESTORE) return restore(nemesis);
    return fault == SK_FAULT_ASLEEP && sleep_for_weeks(nemesis, &nemesis->world->computers[sk_nemesis_some(nemesis)]);
}
