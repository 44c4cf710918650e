#include "sim/nemesis_private.h"

#include <inttypes.h>
#include "base/alloc.h"
#include "base/assert.h"
#include "sim/atlas.h"
#include "sim/checks.h"
#include "sim/chronicle.h"
#include "sim/clients.h"
#include "sim/computer.h"
#include "sim/network.h"

sk_nemesis *sk_nemesis_open(sk_world *world, sk_prng prng)
{
    sk_nemesis *nemesis = sk_alloc_zeroed(sizeof *nemesis);
    nemesis->world = world;
    nemesis->prng = prng;
    nemesis->knobs = *sim_disk_knobs(world->computers[1].platter);
    return nemesis;
}

void sk_nemesis_close(sk_nemesis *nemesis)
{
    if (nemesis->older) sim_disk_close(nemesis->older);
    if (nemesis->backup.disk) sim_disk_close(nemesis->backup.disk);
    sk_free(nemesis);
}

// ---- Drawing ----

sk_node_id sk_nemesis_some(sk_nemesis *nemesis)
{
    return (sk_node_id)sk_prng_between(&nemesis->prng, 1, nemesis->world->computer_count);
}

sk_ns sk_nemesis_hold(sk_nemesis *nemesis)
{
    return 10 * SK_MS + sk_swarm_around(&nemesis->prng, nemesis->world->swarm.fault_hold);
}

sk_node_id sk_nemesis_leader_or_some(sk_nemesis *nemesis)
{
    sk_node_id leader = sk_checks_leader(nemesis->world->checks);
    return leader ? leader : sk_nemesis_some(nemesis);
}

void sk_nemesis_mend_later(sk_nemesis *nemesis, enum sk_fault fault, uint32_t argument, uint64_t token,
                       sk_ns wait)
{
    bool slows = sk_fault_domain_of(fault) == SK_DOMAIN_DISK || fault == SK_FAULT_SLOW_CPU || fault == SK_FAULT_STOP_CLEAN;
    if (slows) sk_computer_trouble(&nemesis->world->computers[argument], nemesis->world->now + wait + 12 * SK_S); // a sync that began slow ends slow
    sk_world_push(nemesis->world, nemesis->world->now + wait, SK_WORLD_MEND, fault, argument, token, NULL);
}

// ---- Striking and mending ----

static bool strike(sk_nemesis *nemesis, enum sk_fault fault)
{
    if (!sk_fault_strikes(fault)) return false;
    switch (sk_fault_domain_of(fault)) {
    case SK_DOMAIN_NETWORK:
        return sk_nemesis_strike_network(nemesis, fault);
    case SK_DOMAIN_DISK:
        return sk_nemesis_strike_disk(nemesis, fault);
    case SK_DOMAIN_PROCESS:
    case SK_DOMAIN_CLOCK:
        return sk_nemesis_strike_process(nemesis, fault);
    case SK_DOMAIN_CLIENT:
        break;
    }
    return false;
}

static bool strikes(const sk_world *world, int fault)
{
    return world->swarm.fault[fault] && sk_fault_strikes((enum sk_fault)fault);
}

// False: it found nothing to break.
static bool strike_counted(sk_nemesis *nemesis, uint32_t number, enum sk_fault fault)
{
    sk_world *world = nemesis->world;
    uint32_t before = world->chronicle ? sk_chronicle_events(world->chronicle) : 0;
    if (!strike(nemesis, fault)) return false;
    SK_TRACE(&world->trace, "fault %s (%" PRIu32 ")", sk_fault_name(fault), number);
    if (world->chronicle) sk_chronicle_mark(world->chronicle, SK_MARK_FAULT, number, before, "%s", sk_fault_name(fault));
    sk_trace_mix(&world->trace, SK_WORLD_FAULT, (uint64_t)fault, UINT64_MAX);
    sk_world_count(world, fault);
    return true;
}

static void on_fault(sk_nemesis *nemesis)
{
    sk_world *world = nemesis->world;
    sk_plan_fault note = {.number = ++nemesis->looks,
                          .phase = (uint32_t)nemesis->phase,
                          .offset = world->now - nemesis->phase_began,
                          .fault = SK_FAULT_END,
                          .looked = nemesis->prng};
    sk_atlas_look(world);
    sk_nemesis_forget_disk(nemesis);
    sk_nemesis_back_up(nemesis);
    uint32_t allowed = 0;
    for (int i = 0; i < SK_FAULT_END; i++) allowed += strikes(world, i);
    for (int tries = 0; allowed && tries < SK_PLAN_TRIES_MAX; tries++) {
        uint64_t nth = sk_prng_below(&nemesis->prng, allowed);
        int fault = 0;
        while (!strikes(world, fault) || nth--) fault++;
        note.tries[note.try_count++] = (sk_plan_try){.fault = (enum sk_fault)fault, .prng = nemesis->prng};
        if (!strike_counted(nemesis, note.number, (enum sk_fault)fault)) continue;
        note.fault = (enum sk_fault)fault;
        break;
    }
    note.done = nemesis->prng;
    if (world->plan_notes) sk_plan_note(world->plan_notes, &note);
    sk_ns wait = SK_MS + sk_swarm_around(&nemesis->prng, world->swarm.fault_mean);
    sk_world_push(world, world->now + wait, SK_WORLD_FAULT, 0, 0, nemesis->phase, NULL);
}

// One of the plan's: it draws what it drew when it was noted.
static void on_planned(sk_nemesis *nemesis, const sk_plan_fault *planned)
{
    nemesis->prng = planned->looked;
    sk_atlas_look(nemesis->world);
    sk_nemesis_forget_disk(nemesis);
    sk_nemesis_back_up(nemesis);
    for (uint32_t i = 0; i < planned->try_count; i++) {
        if (!nemesis->world->swarm.fault[planned->tries[i].fault]) continue;
        nemesis->prng = planned->tries[i].prng;
        strike_counted(nemesis, planned->number, planned->tries[i].fault);
    }
    nemesis->prng = planned->done;
    sk_swarm_around(&nemesis->prng, nemesis->world->swarm.fault_mean); // the wait for the next
}

static void push_planned(sk_nemesis *nemesis)
{
    const sk_world *world = nemesis->world;
    for (uint32_t i = 0; i < world->plan->count; i++) {
        if (world->plan->list[i].phase != nemesis->phase) continue;
        sk_world_push(nemesis->world, world->now + world->plan->list[i].offset, SK_WORLD_FAULT, 0, i, nemesis->phase, NULL);
    }
}

static void mend_disk(sk_nemesis *nemesis, sk_computer *computer)
{
    *sim_disk_knobs(computer->platter) = nemesis->knobs;
    sim_disk_rules_clear(computer->platter);
}

static void on_mend(sk_nemesis *nemesis, enum sk_fault fault, uint32_t argument, uint64_t token)
{
    sk_world *world = nemesis->world;
    if (fault == SK_FAULT_NET_FLAP) {
        if (token == nemesis->partition) sk_nemesis_flap(nemesis);
        return;
    }
    if (fault == SK_FAULT_NET_CLOG) {
        sk_network_clog(world->network, argument / 256, argument % 256, false);
        return;
    }
    if (fault == SK_FAULT_NET_SLOW_LINK || fault == SK_FAULT_NET_BANDWIDTH || fault == SK_FAULT_NET_CAPACITY ||
        fault == SK_FAULT_NET_MTU || fault == SK_FAULT_NET_BY_KIND) {
        sk_nemesis_mend_way(nemesis, fault, argument / 256, argument % 256);
        return;
    }
    if (fault == SK_FAULT_ASLEEP) {
        sk_nemesis_awake(nemesis, argument);
        return;
    }
    if (fault >= SK_FAULT_NET_ISOLATE && fault <= SK_FAULT_NET_ONE_WAY) {
        if (token == nemesis->partition) sk_nemesis_unblock(nemesis);
        return;
    }
    sk_computer *computer = &world->computers[argument];
    bool same_life = computer->node && computer->boots == token;
    if (fault == SK_FAULT_SLOW_CPU) computer->slow = 0;
    if (fault == SK_FAULT_SEND_OMISSION) computer->omit_send = 0;
    if (fault == SK_FAULT_RECEIVE_OMISSION) computer->omit_receive = 0;
    if (fault == SK_FAULT_CLOCK_WALL_STROBE) computer->wall_strobe_ms = 0;
    bool disk = sk_fault_domain_of(fault) == SK_DOMAIN_DISK;
    if (disk) mend_disk(nemesis, computer);
    bool slow = fault == SK_FAULT_DISK_SLOW || fault == SK_FAULT_DISK_SYNC_STALL;
    bool restart = fault == SK_FAULT_CRASH_LOOP || fault == SK_FAULT_STOP_CLEAN || (disk && !slow);
    if (restart && same_life && !world->healed)
        sk_nemesis_kill(nemesis, computer, sk_prng_chance(&nemesis->prng, 1, 2));
}

void sk_nemesis_event(sk_nemesis *nemesis, const sk_heap_event *event)
{
    if (event->kind == SK_WORLD_MEND)
        on_mend(nemesis, (enum sk_fault)event->a, event->b, event->c);
    else if (nemesis->storm && event->c == nemesis->phase && nemesis->world->plan)
        on_planned(nemesis, &nemesis->world->plan->list[event->b]);
    else if (nemesis->storm && event->c == nemesis->phase)
        on_fault(nemesis);
}

void sk_nemesis_storm(sk_nemesis *nemesis, bool storm)
{
    sk_world *world = nemesis->world;
    nemesis->phase++;
    nemesis->phase_began = world->now;
    nemesis->storm = storm;
    sk_network_calm(world->network, !storm);
    sk_clients_calm(world->clients, !storm);
    if (!storm) return;
    sk_ns wait = sk_swarm_around(&nemesis->prng, world->swarm.fault_mean);
    if (world->plan)
        push_planned(nemesis);
    else
        sk_world_push(world, world->now + wait, SK_WORLD_FAULT, 0, 0, nemesis->phase, NULL);
}

static bool is_halted(const sk_computer *computer)
{
    size_t count = sk_node_space_count(computer->node);
    for (size_t i = 0; i < count; i++) {
        if (sk_node_space_facts(computer->node, i, false).status.role == SK_ROLE_HALTED) return true;
    }
    return false;
}

// What failed just before has its answer only now.
void sk_nemesis_tend(sk_nemesis *nemesis)
{
    sk_world *world = nemesis->world;
    for (sk_node_id id = 1; id <= world->computer_count; id++) {
        sk_computer *computer = &world->computers[id];
        if (!computer->node || !is_halted(computer)) continue;
        sk_nemesis_kill(nemesis, computer, false);
        world->up_at = 0;
    }
}

void sk_nemesis_heal(sk_nemesis *nemesis)
{
    sk_world *world = nemesis->world;
    world->healed = true;
    sk_nemesis_storm(nemesis, false);
    sk_network_heal(world->network);
    nemesis->asleep = 0;
    for (sk_node_id id = 1; id <= world->computer_count; id++) {
        sk_computer *computer = &world->computers[id];
        mend_disk(nemesis, computer);
        sk_computer_hurry_disk(computer);
        computer->slow = 0;
        computer->crash_loops = 0;
        computer->halt_after = 0;
        computer->omit_send = computer->omit_receive = 0;
        computer->wall_strobe_ms = 0;
        sk_computer_resume(computer);
        if (computer->node && (computer->stopping || is_halted(computer))) sk_nemesis_kill(nemesis, computer, false);
        if (!computer->node && !computer->gone) sk_computer_restart_at(computer, world->now + 10 * SK_MS);
    }
    if (world->plant == SK_PLANT_DEAF) {
        for (sk_node_id id = 2; id <= world->computer_count; id++)
            sk_network_block(world->network, id, 1, true);
    }
}
