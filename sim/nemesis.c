#include "sim/nemesis.h"

#include <inttypes.h>
#include "base/alloc.h"
#include "base/assert.h"
#include "sim/atlas.h"
#include "sim/checks.h"
#include "sim/clients.h"
#include "sim/computer.h"
#include "sim/network.h"

struct sk_nemesis {
    sk_world *world;
    sk_prng prng;
    uint64_t phase;     // of the FAULT events that count
    uint64_t partition; // the newest; its MEND ends it
    uint32_t flaps;     // left of a flapping partition
    sk_node_id flapping;
    sim_disk_config knobs; // as drawn, to come back to
    bool storm;
    sim_disk *older; // planted bug: what a computer's disk held some time ago
    sk_node_id older_of;
};

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
    sk_free(nemesis);
}

// ---- Drawing ----

static sk_node_id some_node(sk_nemesis *nemesis)
{
    return (sk_node_id)sk_prng_between(&nemesis->prng, 1, nemesis->world->computer_count);
}

static sk_ns hold(sk_nemesis *nemesis)
{
    return 10 * SK_MS + sk_swarm_around(&nemesis->prng, nemesis->world->swarm.fault_hold);
}

static sk_node_id leader_or_some(sk_nemesis *nemesis)
{
    sk_node_id leader = sk_checks_leader(nemesis->world->checks);
    return leader ? leader : some_node(nemesis);
}

static void mend_later(sk_nemesis *nemesis, enum sk_fault fault, uint32_t argument, uint64_t token,
                       sk_ns wait)
{
    sk_world_push(nemesis->world, nemesis->world->now + wait, SK_WORLD_MEND, fault, argument, token, NULL);
}

// ---- Network ----

static void unblock_all(sk_nemesis *nemesis)
{
    sk_world *world = nemesis->world;
    for (sk_node_id a = 1; a <= world->computer_count; a++) {
        for (sk_node_id b = 1; b <= world->computer_count; b++) {
            if (a != b) sk_network_block(world->network, a, b, false);
        }
    }
}

typedef struct cut { // which directions a partition cuts
    sk_nemesis *nemesis;
    bool silent; // connections stay, and their frames wait; else both ends notice
    sk_ns notice;
} cut;

static cut cut_begin(sk_nemesis *nemesis)
{
    unblock_all(nemesis);
    nemesis->partition++;
    nemesis->flaps = 0;
    return (cut){.nemesis = nemesis,
                 .silent = sk_prng_chance(&nemesis->prng, 1, 2),
                 .notice = sk_prng_below(&nemesis->prng, nemesis->world->swarm.notice_max + 1)};
}

static void cut_one_way(const cut *made, sk_node_id from, sk_node_id to)
{
    sk_network *network = made->nemesis->world->network;
    sk_network_block(network, from, to, true);
    if (!made->silent) sk_network_break(network, from, to, made->notice);
}

static void cut_both(const cut *made, sk_node_id a, sk_node_id b)
{
    cut_one_way(made, a, b);
    cut_one_way(made, b, a);
}

static void isolate(sk_nemesis *nemesis, const cut *made, sk_node_id node)
{
    for (sk_node_id other = 1; other <= nemesis->world->computer_count; other++) {
        if (other != node) cut_both(made, node, other);
    }
}

// Every node a side by lot; who is on different sides does not hear the other.
static void cut_halves(sk_nemesis *nemesis, const cut *made)
{
    uint64_t sides = sk_prng_next(&nemesis->prng);
    for (sk_node_id a = 1; a <= nemesis->world->computer_count; a++) {
        for (sk_node_id b = a + 1; b <= nemesis->world->computer_count; b++) {
            if (((sides >> a) ^ (sides >> b)) & 1) cut_both(made, a, b);
        }
    }
}

// Two halves that hear each other only through one node.
static void cut_bridge(sk_nemesis *nemesis, const cut *made)
{
    sk_node_id bridge = some_node(nemesis);
    for (sk_node_id a = 1; a <= nemesis->world->computer_count; a++) {
        for (sk_node_id b = a + 1; b <= nemesis->world->computer_count; b++) {
            if (a != bridge && b != bridge && (a + b) % 2 == 1) cut_both(made, a, b);
        }
    }
}

// Everyone hears two neighbours only: every node sees another majority.
static void cut_ring(sk_nemesis *nemesis, const cut *made)
{
    uint32_t count = nemesis->world->computer_count;
    for (sk_node_id a = 1; a <= count; a++) {
        for (sk_node_id b = a + 1; b <= count; b++) {
            bool neighbours = b - a == 1 || b - a == count - 1;
            if (!neighbours || (count == 3 && a == 1 && b == 3)) cut_both(made, a, b);
        }
    }
}

static void cut_random(sk_nemesis *nemesis, const cut *made, bool one_way)
{
    for (sk_node_id a = 1; a <= nemesis->world->computer_count; a++) {
        for (sk_node_id b = 1; b <= nemesis->world->computer_count; b++) {
            if (a == b || !sk_prng_chance(&nemesis->prng, 1, 3)) continue;
            if (one_way)
                cut_one_way(made, a, b);
            else
                cut_both(made, a, b);
        }
    }
}

static void partition(sk_nemesis *nemesis, enum sk_fault fault)
{
    cut made = cut_begin(nemesis);
    switch (fault) {
    case SK_FAULT_NET_ISOLATE:
        isolate(nemesis, &made, some_node(nemesis));
        break;
    case SK_FAULT_NET_LEADER:
        isolate(nemesis, &made, leader_or_some(nemesis));
        break;
    case SK_FAULT_NET_HALVES:
        cut_halves(nemesis, &made);
        break;
    case SK_FAULT_NET_BRIDGE:
        cut_bridge(nemesis, &made);
        break;
    case SK_FAULT_NET_RING:
        cut_ring(nemesis, &made);
        break;
    case SK_FAULT_NET_RANDOM:
        cut_random(nemesis, &made, false);
        break;
    case SK_FAULT_NET_ONE_WAY:
        made.silent = true; // the other direction works on
        cut_random(nemesis, &made, true);
        break;
    case SK_FAULT_NET_FLAP:
        nemesis->flapping = leader_or_some(nemesis);
        nemesis->flaps = (uint32_t)sk_prng_between(&nemesis->prng, 2, 20);
        isolate(nemesis, &made, nemesis->flapping);
        mend_later(nemesis, fault, 0, nemesis->partition, sk_prng_between(&nemesis->prng, 10 * SK_MS, SK_S));
        return;
    default:
        SK_UNREACHABLE();
    }
    mend_later(nemesis, fault, 0, nemesis->partition, hold(nemesis));
}

static void flap(sk_nemesis *nemesis)
{
    uint32_t left = nemesis->flaps ? nemesis->flaps - 1 : 0;
    if (!left) {
        unblock_all(nemesis);
        return;
    }
    cut made = cut_begin(nemesis);
    nemesis->flaps = left;
    if (left % 2) isolate(nemesis, &made, nemesis->flapping);
    mend_later(nemesis, SK_FAULT_NET_FLAP, 0, nemesis->partition,
               sk_prng_between(&nemesis->prng, 10 * SK_MS, SK_S));
}

static void clog_one(sk_nemesis *nemesis, sk_node_id from, sk_node_id to, sk_ns length)
{
    sk_network_clog(nemesis->world->network, from, to, true);
    mend_later(nemesis, SK_FAULT_NET_CLOG, from * 256 + to, 0, length);
}

static void swizzle(sk_nemesis *nemesis)
{
    uint64_t chosen = sk_prng_next(&nemesis->prng);
    for (sk_node_id to = 1; to <= nemesis->world->computer_count; to++) {
        if (!((chosen >> to) & 1)) continue;
        sk_ns length = hold(nemesis);
        for (sk_node_id from = 1; from <= nemesis->world->computer_count; from++) {
            if (from != to) clog_one(nemesis, from, to, length);
        }
    }
}

static bool strike_network(sk_nemesis *nemesis, enum sk_fault fault)
{
    sk_world *world = nemesis->world;
    if (world->computer_count < 2) return false;
    sk_node_id a = some_node(nemesis), b = some_node(nemesis);
    if (a == b) b = b % world->computer_count + 1;
    switch (fault) {
    case SK_FAULT_NET_CLOG:
        clog_one(nemesis, a, b, hold(nemesis));
        return true;
    case SK_FAULT_NET_SWIZZLE:
        swizzle(nemesis);
        return true;
    case SK_FAULT_NET_RESET:
        sk_network_break(world->network, a, b, world->swarm.notice_max);
        return true;
    case SK_FAULT_NET_HALF_OPEN:
        sk_network_refuse(world->network, a, b, world->now + hold(nemesis));
        sk_network_break(world->network, a, b, SK_NEVER);
        return true;
    case SK_FAULT_NET_REFUSED:
        sk_network_refuse(world->network, a, b, world->now + hold(nemesis));
        sk_network_break(world->network, a, b, world->swarm.notice_max);
        return true;
    default:
        partition(nemesis, fault);
        return true;
    }
}

// ---- Processes ----

static sk_ns down_time(sk_nemesis *nemesis)
{
    return sk_prng_chance(&nemesis->prng, 1, 3) ? sk_prng_below(&nemesis->prng, 5 * SK_MS)
                                                : sk_swarm_around(&nemesis->prng, SK_S);
}

// A planted bug: some computer's files become what they were some time before.
static void forget_disk(sk_nemesis *nemesis)
{
    if (nemesis->world->plant != SK_PLANT_FORGET_DISK) return;
    if (!nemesis->older) {
        nemesis->older_of = some_node(nemesis);
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

static bool kill_one(sk_nemesis *nemesis, sk_computer *computer, bool power)
{
    if (!computer->node) return false;
    const bool *on = nemesis->world->swarm.fault;
    if (power && on[SK_FAULT_CLOCK_BOOT_ZERO]) computer->boot_clock_zero = true;
    sk_computer_kill(computer, power);
    sk_computer_restart_at(computer, nemesis->world->now + down_time(nemesis));
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

static bool strike_process(sk_nemesis *nemesis, enum sk_fault fault)
{
    sk_world *world = nemesis->world;
    sk_computer *computer = &world->computers[some_node(nemesis)];
    sk_computer *leader = &world->computers[leader_or_some(nemesis)];
    switch (fault) {
    case SK_FAULT_KILL:
        return kill_one(nemesis, computer, false);
    case SK_FAULT_POWER:
        return kill_one(nemesis, computer, true);
    case SK_FAULT_KILL_LEADER:
        return kill_one(nemesis, leader, sk_prng_chance(&nemesis->prng, 1, 2));
    case SK_FAULT_POWER_ALL:
        sk_nemesis_power_all(nemesis, down_time(nemesis));
        return true;
    case SK_FAULT_CRASH_LOOP:
        computer->crash_loops = (uint32_t)sk_prng_between(&nemesis->prng, 2, 8);
        return kill_one(nemesis, computer, sk_prng_chance(&nemesis->prng, 1, 2));
    case SK_FAULT_CRASH_RECOVERY:
        computer->halt_after = sk_prng_between(&nemesis->prng, 1, 40);
        return kill_one(nemesis, computer, true);
    case SK_FAULT_STOP_CLEAN:
        if (!computer->node) return false;
        computer->stopping = true;
        mend_later(nemesis, fault, computer->id, computer->boots, 3 * SK_S); // or else it is killed
        return true;
    case SK_FAULT_PAUSE:
        sk_computer_pause(computer, hold(nemesis));
        return true;
    case SK_FAULT_PAUSE_LEADER:
        sk_computer_pause(leader, hold(nemesis));
        return true;
    case SK_FAULT_SLOW_CPU:
        computer->slow = sk_prng_between(&nemesis->prng, SK_MS, 30 * SK_MS);
        mend_later(nemesis, fault, computer->id, 0, hold(nemesis));
        return true;
    case SK_FAULT_CLOCK_WALL_JUMP:
        computer->wall_offset_ms = (int64_t)sk_prng_below(&nemesis->prng, 7200000) - 3600000;
        return true;
    case SK_FAULT_CLOCK_WALL_1970:
        computer->wall_offset_ms = -1704067200000;
        return true;
    default:
        return false;
    }
}

void sk_nemesis_started(sk_nemesis *nemesis, sk_computer *computer)
{
    if (!computer->crash_loops || nemesis->world->healed) return;
    computer->crash_loops--;
    sk_world_push(nemesis->world, nemesis->world->now + sk_prng_below(&nemesis->prng, 60 * SK_MS),
                  SK_WORLD_MEND, SK_FAULT_CRASH_LOOP, computer->id, computer->boots, NULL);
}

// ---- Disks ----

// A node whose log has failed serves no more; whoever looks after it starts it again.
static void restart_later(sk_nemesis *nemesis, enum sk_fault fault, const sk_computer *computer)
{
    mend_later(nemesis, fault, computer->id, computer->boots, SK_S + hold(nemesis));
}

static bool damage_file(sk_nemesis *nemesis, enum sk_fault fault, sk_computer *computer, const char *name)
{
    sk_slice bytes = sim_disk_file(computer->platter, name);
    size_t used = bytes.size;
    while (used && !bytes.data[used - 1]) used--;
    bool log = !strncmp(name, "wal/", 4), snapshot = !strncmp(name, "snap/", 5);
    if (!used || !(snapshot || (log && fault != SK_FAULT_DISK_LOSE_SNAPSHOT))) return false;
    uint64_t at = sk_prng_below(&nemesis->prng, used);
    SK_TRACE(&nemesis->world->trace, "disk %" PRIu32 ": %s, %s at %" PRIu64 " of %zu", computer->id, sk_fault_name(fault),
             name, at, used);
    sk_atlas_damaged(computer);
    switch (fault) {
    case SK_FAULT_DISK_BIT_FLIP:
        return sim_disk_flip(computer->platter, name, at, (uint8_t)(1u << sk_prng_below(&nemesis->prng, 8)));
    case SK_FAULT_DISK_ZERO: return sim_disk_zero_sector(computer->platter, name, at);
    case SK_FAULT_DISK_GARBAGE: return sim_disk_garble_sector(computer->platter, name, at);
    case SK_FAULT_DISK_LOSE_SNAPSHOT: return sim_disk_lose(computer->platter, name);
    default: return sim_disk_cut(computer->platter, name, at);
    }
}

static bool damage_files(sk_nemesis *nemesis, enum sk_fault fault, sk_computer *computer)
{
    if (computer->node) sk_computer_note_held(computer);
    if (!sk_atlas_may_damage(nemesis->world, computer)) return false;
    kill_one(nemesis, computer, sk_prng_chance(&nemesis->prng, 1, 2));
    for (int tries = 0; tries < 8; tries++) {
        size_t count = sim_disk_file_count(computer->platter);
        char name[SK_DISK_NAME_MAX];
        if (!count) return false;
        strcpy(name, sim_disk_file_name(computer->platter, (size_t)sk_prng_below(&nemesis->prng, count)));
        if (damage_file(nemesis, fault, computer, name)) return true;
    }
    return false;
}

static bool strike_disk(sk_nemesis *nemesis, enum sk_fault fault)
{
    sk_world *world = nemesis->world;
    sk_computer *computer = &world->computers[some_node(nemesis)];
    sim_disk_config *knobs = sim_disk_knobs(computer->platter);
    uint32_t nth = (uint32_t)sk_prng_between(&nemesis->prng, 1, 20);
    uint32_t times = sk_prng_chance(&nemesis->prng, 1, 2) ? 1 : SIM_DISK_FOREVER;
    switch (fault) {
    case SK_FAULT_DISK_SLOW:
        knobs->write_max = knobs->sync_max = sk_prng_between(&nemesis->prng, 10 * SK_MS, 500 * SK_MS);
        mend_later(nemesis, fault, computer->id, 0, hold(nemesis));
        return true;
    case SK_FAULT_DISK_STALL:
        sim_disk_stall(computer->platter, world->now + 100 * SK_MS + hold(nemesis));
        return true;
    case SK_FAULT_DISK_WRITE_ERROR:
        sim_disk_rule(computer->platter, SIM_DISK_FAIL, 1u << SK_DISK_WRITE, nth, times, SK_EIO);
        restart_later(nemesis, fault, computer);
        return true;
    case SK_FAULT_DISK_SYNC_ERROR:
        sim_disk_rule(computer->platter, SIM_DISK_FAIL, 1u << SK_DISK_SYNC | 1u << SK_DISK_SYNC_FOLDER, nth,
                      times, SK_EIO);
        restart_later(nemesis, fault, computer);
        return true;
    case SK_FAULT_DISK_READ_ERROR: // a read that fails at start is damage: that is the atlas's to allow
        if (!computer->node) return false;
        sim_disk_rule(computer->platter, SIM_DISK_FAIL, 1u << SK_DISK_READ, nth, times, SK_EIO);
        restart_later(nemesis, fault, computer);
        return true;
    case SK_FAULT_DISK_FULL:
        knobs->capacity = sim_disk_used(computer->platter) + sk_prng_below(&nemesis->prng, 20000);
        restart_later(nemesis, fault, computer);
        return true;
    default:
        return damage_files(nemesis, fault, computer);
    }
}

// ---- Striking and mending ----

// Kinds that strike at a moment; the others are rates, or what clients do.
static bool strike(sk_nemesis *nemesis, enum sk_fault fault)
{
    if (fault >= SK_FAULT_NET_CLOG && fault <= SK_FAULT_NET_REFUSED) return strike_network(nemesis, fault);
    if (fault >= SK_FAULT_DISK_SLOW && fault <= SK_FAULT_DISK_LOSE_SNAPSHOT) return strike_disk(nemesis, fault);
    if (fault >= SK_FAULT_KILL && fault <= SK_FAULT_CLOCK_WALL_1970) return strike_process(nemesis, fault);
    return false;
}

static void on_fault(sk_nemesis *nemesis)
{
    sk_world *world = nemesis->world;
    sk_atlas_look(world);
    forget_disk(nemesis);
    uint32_t allowed = 0;
    for (int i = 0; i < SK_FAULT_END; i++) allowed += world->swarm.fault[i];
    for (int tries = 0; allowed && tries < 4; tries++) {
        uint64_t nth = sk_prng_below(&nemesis->prng, allowed);
        int fault = 0;
        while (!world->swarm.fault[fault] || nth--) fault++;
        if (!strike(nemesis, (enum sk_fault)fault)) continue;
        SK_TRACE(&world->trace, "fault %s", sk_fault_name((enum sk_fault)fault));
        sk_trace_mix(&world->trace, SK_WORLD_FAULT, (uint64_t)fault, nth);
        sk_world_count(world, (enum sk_fault)fault);
        break;
    }
    sk_ns wait = SK_MS + sk_swarm_around(&nemesis->prng, world->swarm.fault_mean);
    sk_world_push(world, world->now + wait, SK_WORLD_FAULT, 0, 0, nemesis->phase, NULL);
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
        if (token == nemesis->partition) flap(nemesis);
        return;
    }
    if (fault == SK_FAULT_NET_CLOG) {
        sk_network_clog(world->network, argument / 256, argument % 256, false);
        return;
    }
    if (fault >= SK_FAULT_NET_ISOLATE && fault <= SK_FAULT_NET_ONE_WAY) {
        if (token == nemesis->partition) unblock_all(nemesis);
        return;
    }
    sk_computer *computer = &world->computers[argument];
    bool same_life = computer->node && computer->boots == token;
    if (fault == SK_FAULT_SLOW_CPU) computer->slow = 0;
    if (fault >= SK_FAULT_DISK_SLOW && fault <= SK_FAULT_DISK_FULL) mend_disk(nemesis, computer);
    bool restart = fault == SK_FAULT_CRASH_LOOP || fault == SK_FAULT_STOP_CLEAN ||
                   fault == SK_FAULT_DISK_WRITE_ERROR || fault == SK_FAULT_DISK_SYNC_ERROR ||
                   fault == SK_FAULT_DISK_FULL || fault == SK_FAULT_DISK_READ_ERROR;
    if (restart && same_life && !world->healed)
        kill_one(nemesis, computer, sk_prng_chance(&nemesis->prng, 1, 2));
}

void sk_nemesis_event(sk_nemesis *nemesis, const sk_heap_event *event)
{
    if (event->kind == SK_WORLD_MEND)
        on_mend(nemesis, (enum sk_fault)event->a, event->b, event->c);
    else if (nemesis->storm && event->c == nemesis->phase)
        on_fault(nemesis);
}

void sk_nemesis_storm(sk_nemesis *nemesis, bool storm)
{
    sk_world *world = nemesis->world;
    nemesis->phase++;
    nemesis->storm = storm;
    sk_network_calm(world->network, !storm);
    sk_clients_calm(world->clients, !storm);
    if (!storm) return;
    sk_world_push(world, world->now + sk_swarm_around(&nemesis->prng, world->swarm.fault_mean),
                  SK_WORLD_FAULT, 0, 0, nemesis->phase, NULL);
}

static bool is_halted(const sk_computer *computer)
{
    size_t count = sk_node_space_count(computer->node);
    for (size_t i = 0; i < count; i++) {
        if (sk_node_space_facts(computer->node, i, false).status.role == SK_ROLE_HALTED) return true;
    }
    return false;
}

void sk_nemesis_heal(sk_nemesis *nemesis)
{
    sk_world *world = nemesis->world;
    world->healed = true;
    sk_nemesis_storm(nemesis, false);
    sk_network_heal(world->network);
    for (sk_node_id id = 1; id <= world->computer_count; id++) {
        sk_computer *computer = &world->computers[id];
        mend_disk(nemesis, computer);
        sim_disk_stall(computer->platter, world->now);
        computer->slow = 0;
        computer->crash_loops = 0;
        computer->halt_after = 0;
        sk_computer_resume(computer);
        if (computer->node && (computer->stopping || is_halted(computer))) kill_one(nemesis, computer, false);
    }
    if (world->plant == SK_PLANT_DEAF) {
        for (sk_node_id id = 2; id <= world->computer_count; id++)
            sk_network_block(world->network, id, 1, true);
    }
}
