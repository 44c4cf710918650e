// Faults of processes and clocks (see sim/nemesis.h).
#include "sim/nemesis_private.h"

#include "sim/clients.h"
#include "sim/computer.h"
#include "sim/network.h"

static sk_ns down_time(sk_nemesis *nemesis)
{
    if (nemesis->world->healed) return 10 * SK_MS;
    return sk_prng_chance(&nemesis->prng, 1, 3) ? sk_prng_below(&nemesis->prng, 5 * SK_MS)
                                                : sk_swarm_around(&nemesis->prng, SK_S);
}

// A planted bug: some computer's files become what they were some time before.
void sk_nemesis_forget_disk(sk_nemesis *nemesis)
{
    if (nemesis->world->plant != SK_PLANT_FORGET_DISK) return;
    if (!nemesis->older) {
        nemesis->older_of = sk_nemesis_some(nemesis);
        nemesis->older = sim_disk_crash_image(nemesis->world->computers[nemesis->older_of].platter,
                                              sk_prng_split(&nemesis->prng));
        return;
    }
    sk_computer *computer = &nemesis->world->computers[nemesis->older_of];
    if (!sk_prng_chance(&nemesis->prng, 1, 4) || !computer->node) return;
    sk_computer_kill(computer, true);
    sim_disk_roll_back(computer->platter, nemesis->older);
    sk_computer_restart_at(computer, nemesis->world->now + SK_MS);
    sim_disk_close(nemesis->older);
    nemesis->older = NULL;
}

bool sk_nemesis_kill(sk_nemesis *nemesis, sk_computer *computer, bool power)
{
    sk_world *world = nemesis->world;
    if (!computer->node) return false;
    if (world->swarm.preset.failure == SK_FAILURE_CRASH_STOP) {
        if (world->healed || nemesis->stopped >= (world->computer_count - 1) / 2) return false;
        nemesis->stopped++;
        computer->gone = true;
        if (world->merging) sk_clients_doubt(world->clients, computer->id, 0);
        sk_computer_kill(computer, power);
        return true;
    }
    const bool *on = world->swarm.fault;
    if (power && on[SK_FAULT_CLOCK_BOOT_ZERO]) computer->boot_clock_zero = true;
    sk_computer_kill(computer, power);
    sk_computer_restart_at(computer, world->now + down_time(nemesis));
    return true;
}

void sk_nemesis_power_all(sk_nemesis *nemesis, sk_ns down)
{
    sk_world *world = nemesis->world;
    for (sk_node_id id = 1; id <= world->computer_count; id++) {
        sk_computer_kill(&world->computers[id], true);
        sk_computer_restart_at(&world->computers[id], world->now + down);
    }
}

// A machine that sleeps: longer than a pause, and its peers give up on its connections meanwhile.
static void suspend(sk_nemesis *nemesis, sk_computer *computer)
{
    sk_world *world = nemesis->world;
    sk_computer_pause(computer, 10 * sk_nemesis_hold(nemesis));
    for (sk_node_id other = 1; other <= world->computer_count; other++) {
        if (other != computer->id) sk_network_break(world->network, computer->id, other, world->swarm.notice_max);
    }
}

static bool pause_all(sk_nemesis *nemesis)
{
    sk_world *world = nemesis->world;
    for (sk_node_id id = 1; id <= world->computer_count; id++)
        sk_computer_pause(&world->computers[id], sk_nemesis_hold(nemesis));
    return true;
}

// At most a minority omits at a time: the others must be able to go on.
static bool omit(sk_nemesis *nemesis, enum sk_fault fault, sk_computer *computer)
{
    static const uint32_t rates[] = {100000, 500000, 1000000};
    sk_world *world = nemesis->world;
    uint32_t omitting = 0, rate = rates[sk_prng_below(&nemesis->prng, 3)];
    for (sk_node_id id = 1; id <= world->computer_count; id++)
        omitting += world->computers[id].omit_send || world->computers[id].omit_receive;
    if (omitting >= (world->computer_count - 1) / 2) return false;
    if (fault == SK_FAULT_SEND_OMISSION)
        computer->omit_send = rate;
    else
        computer->omit_receive = rate;
    sk_nemesis_mend_later(nemesis, fault, computer->id, 0, 4 * sk_nemesis_hold(nemesis));
    return true;
}

bool sk_nemesis_strike_process(sk_nemesis *nemesis, enum sk_fault fault)
{
    sk_world *world = nemesis->world;
    sk_computer *computer = &world->computers[sk_nemesis_some(nemesis)];
    sk_computer *leader = &world->computers[sk_nemesis_leader_or_some(nemesis)];
    switch (fault) {
    case SK_FAULT_KILL:
        return sk_nemesis_kill(nemesis, computer, false);
    case SK_FAULT_POWER:
        return sk_nemesis_kill(nemesis, computer, true);
    case SK_FAULT_KILL_LEADER:
        return sk_nemesis_kill(nemesis, leader, sk_prng_chance(&nemesis->prng, 1, 2));
    case SK_FAULT_POWER_ALL:
        sk_nemesis_power_all(nemesis, down_time(nemesis));
        return true;
    case SK_FAULT_CRASH_LOOP:
        computer->crash_loops = (uint32_t)sk_prng_between(&nemesis->prng, 2, 8);
        return sk_nemesis_kill(nemesis, computer, sk_prng_chance(&nemesis->prng, 1, 2));
    case SK_FAULT_CRASH_RECOVERY:
        computer->halt_after = sk_prng_between(&nemesis->prng, 1, 40);
        return sk_nemesis_kill(nemesis, computer, true);
    case SK_FAULT_STOP_CLEAN:
        if (!computer->node) return false;
        computer->stopping = true;
        sk_nemesis_mend_later(nemesis, fault, computer->id, computer->boots, 3 * SK_S); // or else it is killed
        return true;
    case SK_FAULT_PAUSE:
        sk_computer_pause(computer, sk_nemesis_hold(nemesis));
        return true;
    case SK_FAULT_PAUSE_LEADER:
        sk_computer_pause(leader, sk_nemesis_hold(nemesis));
        return true;
    case SK_FAULT_PAUSE_ALL:
        return pause_all(nemesis);
    case SK_FAULT_SUSPEND:
        suspend(nemesis, computer);
        return true;
    case SK_FAULT_SEND_OMISSION:
    case SK_FAULT_RECEIVE_OMISSION:
        return omit(nemesis, fault, computer);
    case SK_FAULT_SLOW_CPU:
        computer->slow = sk_prng_between(&nemesis->prng, SK_MS, 30 * SK_MS);
        sk_nemesis_mend_later(nemesis, fault, computer->id, 0, sk_nemesis_hold(nemesis));
        return true;
    case SK_FAULT_CLOCK_WALL_JUMP:
        computer->wall_offset_ms = (int64_t)sk_prng_below(&nemesis->prng, 7200000) - 3600000;
        return true;
    case SK_FAULT_CLOCK_WALL_STROBE:
        computer->wall_strobe_ms = (int64_t)1 << sk_prng_between(&nemesis->prng, 2, 18); // 4 ms to 262 s
        sk_nemesis_mend_later(nemesis, fault, computer->id, 0, 4 * sk_nemesis_hold(nemesis));
        return true;
    case SK_FAULT_CLOCK_WALL_1970:
        computer->wall_offset_ms = -1704067200000;
        return true;
    default:
        return sk_nemesis_strike_loss(nemesis, fault);
    }
}

void sk_nemesis_started(sk_nemesis *nemesis, sk_computer *computer)
{
    if (!computer->crash_loops || nemesis->world->healed) return;
    computer->crash_loops--;
    sk_world_push(nemesis->world, nemesis->world->now + sk_prng_below(&nemesis->prng, 60 * SK_MS),
                  SK_WORLD_MEND, SK_FAULT_CRASH_LOOP, computer->id, computer->boots, NULL);
}

