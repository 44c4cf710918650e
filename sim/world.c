#include "sim/world.h"

#include <inttypes.h>
#include <stdarg.h>
#include "base/alloc.h"
#include "base/assert.h"
#include "base/hash.h"
#include "sim/atlas.h"
#include "sim/checks.h"
#include "sim/chronicle.h"
#include "sim/clients.h"
#include "sim/computer.h"
#include "sim/connection.h"
#include "sim/merging.h"
#include "sim/nemesis.h"
#include "sim/network.h"
#include "sim/ruin.h"

// The healed end of a run, stage by stage. Each must be over within the swarm's heal_max.
enum stage {
    STAGE_WORK,       // the drawn phases
    STAGE_PROVE,      // healed: every client gets a write through, all nodes become equal
    STAGE_AUDIT,      // every key is read
    STAGE_AFTER,      // all power fails once more; every client gets a write through again
    STAGE_LAST_AUDIT, // and every key is still there
    STAGE_RUIN,       // unrecoverable runs, instead of the last two: nothing may work any more
    STAGE_FOUND, // before all others, where the data is in a mergeable space: it is created
    STAGE_END,
};

static const char *const stage_names[] = {"work", "healed: every client writes once, all nodes become equal",
                                          "every key is read", "all power fails once more; every client writes once",
                                          "every key is read again", "disks are ruined: nothing may work any more",
                                          "the space is created", "the end"};

typedef struct course {
    uint32_t phase; // the next of the swarm's
    enum stage stage;
    sk_ns since;
} course;

void sk_world_fail(sk_world *world, enum sk_verdict verdict, const char *format, ...)
{
    if (world->verdict != SK_VERDICT_OK) return;
    world->verdict = verdict;
    world->over = true;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(world->problem, sizeof world->problem, format, arguments);
    va_end(arguments);
    SK_TRACE(&world->trace, "FAILED: %s", world->problem);
    if (world->chronicle) sk_chronicle_mark(world->chronicle, SK_MARK_FAILED, 0, 0, "%s", world->problem);
}

void sk_world_push(sk_world *world, sk_ns time, enum sk_world_event kind, uint32_t a, uint32_t b, uint64_t c,
                   void *pointer)
{
    SK_ASSERT(time >= world->now);
    sk_heap_push(&world->heap,
                 (sk_heap_event){.time = time, .kind = kind, .a = a, .b = b, .c = c, .pointer = pointer});
}

void sk_world_count(sk_world *world, enum sk_fault fault)
{
    world->faults[fault]++;
}

void sk_world_reach(sk_world *world, enum sk_sometimes what)
{
    world->sometimes[what] = true;
}

sk_world *sk_world_open(const sk_swarm *swarm, enum sk_plant plant, uint64_t events_max, FILE *lines)
{
    sk_world *world = sk_alloc_zeroed(sizeof *world);
    world->swarm = *swarm;
    world->plant = plant;
    sk_plant_swarm(plant, &world->swarm);
    world->events_max = events_max;
    world->computer_count = swarm->node_count;
    world->trace.now = &world->now;
    world->trace.lines = lines;
    sk_prng prng;
    sk_prng_init(&prng, swarm->seed ^ 0x736b65696e ^ sk_hash_mix(0, swarm->vary) * (swarm->vary > 0));
    world->founding.founder_count = swarm->node_count;
    uint64_t cluster = sk_prng_next(&prng);
    memcpy(world->founding.cluster.bytes, &cluster, sizeof cluster);
    for (sk_node_id id = 1; id <= world->computer_count; id++) {
        sk_founder *founder = &world->founding.founders[id - 1];
        founder->id = id;
        snprintf(founder->address, sizeof founder->address, "10.0.0.%" PRIu32 ":7379", id);
    }
    if (swarm->preset.failure == SK_FAILURE_BYZANTINE) {
        world->lie = sk_preset_lie(swarm->protocol);
        world->liars = (swarm->node_count - 1) / 3;
    }
    world->network = sk_network_open(world, sk_prng_split(&prng));
    world->checks = sk_checks_open(world);
    if (swarm->mergeable) world->merging = sk_merging_open(world);
    for (sk_node_id id = 1; id <= world->computer_count; id++) {
        world->computers[id].prng = sk_prng_split(&prng);
        sk_computer_init(&world->computers[id], world, id);
        sk_computer_restart_at(&world->computers[id], sk_prng_below(&prng, 300 * SK_MS));
    }
    world->clients = sk_clients_open(world, sk_prng_split(&prng));
    world->nemesis = sk_nemesis_open(world, sk_prng_split(&prng));
    return world;
}

void sk_world_close(sk_world *world)
{
    for (sk_node_id id = 1; id <= world->computer_count; id++) sk_computer_deinit(&world->computers[id]);
    sk_heap_event event;
    while (sk_heap_pop(&world->heap, &event)) sk_free(event.pointer);
    sk_heap_deinit(&world->heap);
    sk_nemesis_close(world->nemesis);
    sk_clients_close(world->clients);
    sk_checks_close(world->checks);
    sk_merging_close(world->merging);
    sk_network_close(world->network);
    sk_free(world);
}

// ---- The course of a run ----

static void enter(sk_world *world, course *at, enum stage stage)
{
    at->stage = stage;
    at->since = world->now;
    SK_TRACE(&world->trace, "stage %d", (int)stage);
    if (world->chronicle) sk_chronicle_mark(world->chronicle, SK_MARK_STAGE, 0, 0, "%s", stage_names[stage]);
    switch (stage) {
    case STAGE_PROVE:
        sk_nemesis_heal(world->nemesis);
        sk_checks_healed(world->checks);
        sk_clients_stage_set(world->clients, SK_CLIENTS_PROVE);
        break;
    case STAGE_AFTER:
        sk_nemesis_power_all(world->nemesis, 10 * SK_MS);
        sk_clients_stage_set(world->clients, SK_CLIENTS_PROVE);
        break;
    case STAGE_RUIN:
        sk_ruin_strike(world);
        sk_clients_stage_set(world->clients, SK_CLIENTS_WORK);
        break;
    case STAGE_AUDIT:
    case STAGE_LAST_AUDIT:
        sk_clients_stage_set(world->clients, SK_CLIENTS_AUDIT);
        break;
    case STAGE_FOUND:
        sk_nemesis_storm(world->nemesis, false);
        break;
    case STAGE_WORK:
        sk_clients_stage_set(world->clients, SK_CLIENTS_WORK);
        sk_world_push(world, world->now, SK_WORLD_PHASE, 0, 0, 0, NULL);
        return;
    case STAGE_END:
        world->over = true;
        sk_clients_check(world->clients);
        return;
    }
    sk_world_push(world, world->now + 20 * SK_MS, SK_WORLD_PROBE, 0, 0, 0, NULL);
}

static void on_phase(sk_world *world, course *at)
{
    if (at->phase == world->swarm.phase_count) {
        enter(world, at, STAGE_PROVE);
        return;
    }
    const sk_swarm_phase *phase = &world->swarm.phases[at->phase++];
    SK_TRACE(&world->trace, "%s for %" PRIu64 " ms", phase->storm ? "storm" : "calm", phase->length / SK_MS);
    if (world->chronicle)
        sk_chronicle_mark(world->chronicle, SK_MARK_STAGE, 0, 0, "%s", phase->storm ? "storm" : "calm");
    sk_nemesis_storm(world->nemesis, phase->storm);
    sk_world_push(world, world->now + phase->length, SK_WORLD_PHASE, 0, 0, 0, NULL);
}

// What comes after a stage that is done. Who has stopped for good does not come back for a second proof.
static enum stage next_stage(const sk_world *world, enum stage stage)
{
    if (stage == STAGE_FOUND) return STAGE_WORK;
    if (stage == STAGE_AUDIT && world->swarm.ruin) return STAGE_RUIN;
    if (stage == STAGE_AUDIT && world->swarm.preset.failure == SK_FAILURE_CRASH_STOP) return STAGE_END;
    return stage == STAGE_LAST_AUDIT || stage == STAGE_RUIN ? STAGE_END : (enum stage)(stage + 1);
}

static bool all_up(const sk_world *world)
{
    for (sk_node_id id = 1; id <= world->computer_count; id++) {
        const sk_computer *computer = &world->computers[id];
        if (!computer->gone && !sk_computer_running(computer)) return false;
    }
    return true;
}

// Liveness: once all is healed and up, a leader within the swarm's lead_max.
static void check_lead(sk_world *world)
{
    char why[120];
    if (world->led_after) return;
    if (!all_up(world)) {
        world->up_at = 0;
        return;
    }
    if (!world->up_at) world->up_at = world->now;
    sk_ns since = world->now - world->up_at;
    if (sk_checks_led(world->checks, why, sizeof why))
        world->led_after = since + 1;
    else if (since > world->swarm.lead_max)
        sk_world_fail(world, SK_VERDICT_STUCK, "%" PRIu64 " ms after all was healed and up: %s", since / SK_MS, why);
}

// The ruin lasts long enough for every node to try what it could.
static bool probe_ruin(sk_world *world, const course *at)
{
    sk_ruin_check(world);
    if (sk_clients_acknowledged_since(world->clients, world->ruin_at))
        sk_world_fail(world, SK_VERDICT_WRONG, "an answer although the disks of %" PRIu32 " of %" PRIu32 " nodes were ruined",
                      world->swarm.ruined, world->computer_count);
    return world->now > at->since + 20 * world->swarm.timing.election_max + 2 * world->swarm.request_timeout;
}

static void on_probe(sk_world *world, course *at)
{
    char why[240] = "";
    bool proving = at->stage == STAGE_PROVE || at->stage == STAGE_AFTER, ruin = at->stage == STAGE_RUIN;
    if (at->stage == STAGE_PROVE) sk_nemesis_tend(world->nemesis);
    if (at->stage == STAGE_PROVE) check_lead(world);
    bool done = ruin ? probe_ruin(world, at) : sk_clients_stage_done(world->clients);
    if (!done && !ruin) sk_clients_describe(world->clients, why, sizeof why);
    if (done && at->stage == STAGE_FOUND) done = sk_merging_founded(world->merging, why, sizeof why);
    if (done && proving) done = sk_checks_converged(world->checks, why, sizeof why);
    if (world->over) return;
    if (done) {
        enter(world, at, next_stage(world, at->stage));
        return;
    }
    if (world->now - at->since > world->swarm.heal_max && !ruin) {
        sk_world_fail(world, SK_VERDICT_STUCK, "%" PRIu64 " s after all was healed (stage %d): %s",
                      world->swarm.heal_max / SK_S, (int)at->stage, why);
        return;
    }
    sk_world_push(world, world->now + 20 * SK_MS, SK_WORLD_PROBE, 0, 0, 0, NULL);
}

static void on_restart(sk_world *world, sk_computer *computer, uint64_t boots)
{
    if (computer->node || computer->gone || computer->boots != boots) return;
    sk_computer_start(computer);
    if (computer->node) sk_nemesis_started(world->nemesis, computer);
}

static void dispatch(sk_world *world, course *at, const sk_heap_event *event)
{
    sk_computer *computer = &world->computers[event->a <= world->computer_count ? event->a : 0];
    switch ((enum sk_world_event)event->kind) {
    case SK_WORLD_TURN:
        if (event->c == computer->turn_number) sk_computer_turn(computer);
        break;
    case SK_WORLD_DISK:
        if (event->time == computer->disk_at) sk_computer_disk(computer);
        break;
    case SK_WORLD_RESTART:
        on_restart(world, computer, event->c);
        break;
    case SK_WORLD_RESUME:
        if (event->c == computer->pauses) sk_computer_resume(computer);
        break;
    case SK_WORLD_DELIVER:
    case SK_WORLD_DRAIN:
    case SK_WORLD_DIAL:
    case SK_WORLD_NOTICE:
        sk_network_event(world->network, event);
        break;
    case SK_WORLD_CLIENT:
    case SK_WORLD_REQUEST:
    case SK_WORLD_REPLY:
    case SK_WORLD_SLOW_READ:
        sk_clients_event(world->clients, event);
        break;
    case SK_WORLD_FAULT:
    case SK_WORLD_MEND:
        sk_nemesis_event(world->nemesis, event);
        break;
    case SK_WORLD_PHASE:
        on_phase(world, at);
        break;
    case SK_WORLD_PROBE:
        on_probe(world, at);
        break;
    case SK_WORLD_EVENT_END:
        SK_UNREACHABLE();
    }
}

enum sk_verdict sk_world_run(sk_world *world)
{
    course at = {0};
    if (world->merging)
        enter(world, &at, STAGE_FOUND);
    else
        sk_world_push(world, world->now, SK_WORLD_PHASE, 0, 0, 0, NULL);
    sk_heap_event event;
    while (!world->over && sk_heap_pop(&world->heap, &event)) {
        world->now = event.time;
        world->events++;
        dispatch(world, &at, &event);
        if (world->verdict) sk_checks_describe(world->checks);
        if (world->events == world->events_max) {
            sk_world_fail(world, SK_VERDICT_STUCK, "not over after %" PRIu64 " events", world->events);
        }
    }
    SK_ASSERT(world->over);
    for (sk_node_id id = 1; id <= world->computer_count; id++) sk_computer_gather(&world->computers[id]);
    return world->verdict;
}
