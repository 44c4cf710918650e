#include "sim/computer.h"

#include <inttypes.h>
#include <stdio.h>
#include "base/assert.h"
#include "base/hash.h"
#include "sim/checks.h"
#include "sim/chronicle.h"
#include "sim/clients.h"
#include "sim/loss.h"
#include "sim/merging.h"
#include "sim/network.h"
#include "sim/trace_tla.h"

static const uint64_t wall_2024_ms = 1704067200000;

// ---- Clock ----

static sk_ns local_at(const sk_computer *computer, sk_ns now)
{
    int64_t drift = (int64_t)(now / 1000000) * computer->drift_ppm +
                    (int64_t)(now % 1000000) * computer->drift_ppm / 1000000;
    return (sk_ns)((int64_t)(computer->boot_offset + now) + drift);
}

sk_ns sk_computer_local(const sk_computer *computer)
{
    return local_at(computer, computer->world->now);
}

// The first world time at which its clock shows `local` or more.
static sk_ns world_at(const sk_computer *computer, sk_ns local)
{
    sk_ns now = computer->world->now, here = local_at(computer, now);
    if (local <= here) return now;
    sk_ns span = local - here;
    if (span > 1000000 * SK_S) return SK_NEVER;
    sk_ns guess = now + (sk_ns)((int64_t)span * 1000 / (1000 + computer->drift_ppm / 1000));
    while (local_at(computer, guess) < local) guess += 1 + (local - local_at(computer, guess)) / 2;
    return guess;
}

uint64_t sk_computer_wall_ms(const sk_computer *computer)
{
    return (uint64_t)((int64_t)(wall_2024_ms + computer->world->now / SK_MS) + computer->wall_offset_ms);
}

void sk_computer_trouble(sk_computer *computer, sk_ns until)
{
    if (until > computer->trouble_until) computer->trouble_until = until;
}

// ---- Turns ----

static void turn_by(sk_computer *computer, sk_ns time)
{
    if (time >= computer->turn_at) return;
    computer->turn_at = time;
    sk_world_push(computer->world, time, SK_WORLD_TURN, computer->id, 0, ++computer->turn_number, NULL);
}

static void watch_disk(sk_computer *computer)
{
    sk_ns next = sim_disk_next(computer->platter);
    if (next == SK_NEVER || next >= computer->disk_at) return;
    if (next < computer->world->now) next = computer->world->now;
    computer->disk_at = next;
    sk_world_push(computer->world, next, SK_WORLD_DISK, computer->id, 0, 0, NULL);
}

static void tell_time(sk_computer *computer)
{
    sk_ns local = sk_computer_local(computer);
    SK_ASSERT(local >= computer->local_last);
    computer->local_last = local;
    sk_node_time(computer->node, local);
    sim_disk_time(computer->platter, computer->world->now);
}

void sk_computer_input(sk_computer *computer)
{
    SK_ASSERT(computer->node && !computer->turning);
    tell_time(computer);
    sk_ns cost = sk_prng_below(&computer->prng, computer->world->swarm.turn_cost_max + 1) + computer->slow;
    turn_by(computer, computer->world->now + cost);
}

// When the timer that is set for `time` rings.
static sk_ns bend_timer(sk_computer *computer, sk_ns time)
{
    sk_world *world = computer->world;
    const bool *on = world->swarm.fault;
    sk_prng *prng = &computer->prng;
    if (on[SK_FAULT_TIMER_LATE] && sk_prng_chance(prng, 1, 50)) {
        time += sk_prng_below(prng, sk_prng_chance(prng, 1, 100) ? 5 * SK_S : 300 * SK_MS);
        sk_world_count(world, SK_FAULT_TIMER_LATE);
    }
    if (on[SK_FAULT_TIMER_COALESCED] && sk_prng_chance(prng, 1, 4)) { // all that are due by then ring together
        sk_ns grain = 20 * SK_MS;
        time = (time / grain + 1) * grain;
        sk_world_count(world, SK_FAULT_TIMER_COALESCED);
    }
    if (on[SK_FAULT_TIMER_EARLY] && time > world->now + 1 && sk_prng_chance(prng, 1, 20)) {
        time = world->now + 1 + sk_prng_below(prng, time - world->now);
        sk_world_count(world, SK_FAULT_TIMER_EARLY);
    }
    return time;
}

// A planted bug: whoever leads has a clock that runs at less than half of true time, the others' run at more than one and a half.
static void plant_fast_clocks(sk_computer *computer)
{
    if (computer->world->plant != SK_PLANT_FAST_CLOCKS || computer->world->healed) return;
    sk_ns here = sk_computer_local(computer);
    bool leads = sk_node_space_facts(computer->node, SK_SPACE_DEFAULT, false).status.role == SK_ROLE_LEADER;
    computer->drift_ppm = leads ? -600000 : 600000;
    computer->boot_offset += here - sk_computer_local(computer);
}

void sk_computer_turn(sk_computer *computer)
{
    sk_world *world = computer->world;
    computer->turn_at = SK_NEVER;
    if (!sk_computer_running(computer)) return;
    plant_fast_clocks(computer);
    tell_time(computer);
    computer->turning = true;
    sk_ns wake = sk_node_turn(computer->node);
    computer->turning = false;
    sk_trace_mix(&world->trace, SK_WORLD_TURN, computer->id, wake);
    watch_disk(computer);
    if (world->chronicle) sk_chronicle_look(world->chronicle, computer);
    sk_checks_turn(world->checks, computer);
    if (world->tla) sk_trace_tla_look(world->tla, computer, false);
    if (wake != SK_NEVER) {
        sk_ns time = world_at(computer, wake);
        if (time <= world->now) time = world->now + 1 + sk_prng_below(&computer->prng, 20 * SK_US);
        if (!world->healed && time != SK_NEVER) time = bend_timer(computer, time);
        if (time != SK_NEVER) turn_by(computer, time + computer->slow);
    }
    bool dead = sim_disk_halted(computer->platter); // a crash that was to come in recovery came now
    bool stopped = computer->stopping && sk_node_stopping(computer->node);
    if (dead || stopped) {
        sk_world_reach(world, dead ? SK_SOMETIMES_DIED_IN_RECOVERY : SK_SOMETIMES_STOPPED_CLEANLY);
        sk_computer_kill(computer, dead);
        sk_computer_restart_at(computer, world->now + sk_prng_below(&computer->prng, 2 * SK_S));
    }
}

void sk_computer_disk(sk_computer *computer)
{
    computer->disk_at = SK_NEVER;
    if (!sk_computer_running(computer)) return;
    sk_computer_input(computer);
    sim_disk_run_until(computer->platter, computer->world->now);
    watch_disk(computer);
}

void sk_computer_hurry_disk(sk_computer *computer)
{
    sim_disk_hurry(computer->platter, computer->world->now + 10 * SK_MS);
    watch_disk(computer);
}

// ---- Host operations ----

static sk_computer *computer_of(sk_node_host *host)
{
    return SK_CONTAINER(host, sk_computer, host);
}

static void host_peer_send(sk_node_host *host, sk_node_id peer, sk_slice frames)
{
    sk_computer *computer = computer_of(host);
    SK_ASSERT(computer->turning);
    sk_network_send(computer->world->network, computer->id, peer, frames);
}

static void host_peer_cut(sk_node_host *host, sk_node_id peer, const char *why)
{
    sk_computer *computer = computer_of(host);
    SK_ASSERT(computer->turning);
    SK_TRACE(&computer->world->trace, "node %" PRIu32 " cuts %" PRIu32 ": %s", computer->id, peer, why);
    sk_network_break(computer->world->network, computer->id, peer, 10 * SK_MS);
}

static void host_client_output(sk_node_host *host, void *handle, sk_buffer *out)
{
    sk_clients_output(computer_of(host)->world->clients, handle, out);
}

static void host_client_close(sk_node_host *host, void *handle, sk_buffer *out)
{
    sk_clients_node_closes(computer_of(host)->world->clients, handle, out);
}

static void host_client_resume(sk_node_host *host, void *handle)
{
    sk_clients_node_resumes(computer_of(host)->world->clients, handle);
}

static uint64_t host_wall_ms(sk_node_host *host)
{
    sk_computer *computer = computer_of(host);
    computer->wall_odd = !computer->wall_odd;
    int64_t strobe = computer->wall_odd ? computer->wall_strobe_ms : 0;
    uint64_t wall_ms = (uint64_t)(strobe + (int64_t)sk_computer_wall_ms(computer));
    if (wall_ms > computer->world->wall_ms_max) computer->world->wall_ms_max = wall_ms;
    return wall_ms;
}

static size_t host_memory_rss(sk_node_host *host)
{
    return 0;
}

static sk_cpu_time host_cpu_time(sk_node_host *host)
{
    return (sk_cpu_time){0};
}

static const sk_node_host_ops host_ops = {
    .peer_send = host_peer_send,
    .peer_cut = host_peer_cut,
    .client_output = host_client_output,
    .client_close = host_client_close,
    .client_resume = host_client_resume,
    .wall_ms = host_wall_ms,
    .memory_rss = host_memory_rss,
    .cpu_time = host_cpu_time,
};

static void sink_write(sk_log_sink *sink, enum sk_log_level level, const char *line)
{
    const sk_computer *computer = SK_CONTAINER(sink, sk_computer, sink);
    SK_TRACE(&computer->world->trace, "node %" PRIu32 " %s %s", computer->id, sk_log_level_name(level), line);
}

// ---- Life ----

void sk_computer_init(sk_computer *computer, sk_world *world, sk_node_id id)
{
    computer->host.ops = &host_ops;
    computer->sink.write = sink_write;
    computer->sink.level = world->trace.lines ? SK_LOG_DEBUG : SK_LOG_ERROR;
    computer->world = world;
    computer->id = id;
    sim_disk_config config;
    sim_disk_config_default(&config);
    config.write_min = config.read_min = world->swarm.disk_mean / 4;
    config.write_max = config.read_max = world->swarm.disk_mean;
    config.sync_min = world->swarm.disk_mean / 2;
    config.sync_max = world->swarm.disk_mean * 2;
    computer->platter = sim_disk_open(sk_prng_split(&computer->prng), &config);
    computer->disk = sim_disk_face(computer->platter);
    computer->turn_at = computer->disk_at = SK_NEVER;
    computer->boot_offset = sk_prng_below(&computer->prng, 1000 * SK_S);
    if (world->swarm.drift_ppm_max) {
        uint64_t span = world->swarm.drift_ppm_max;
        computer->drift_ppm = (int64_t)sk_prng_below(&computer->prng, 2 * span + 1) - (int64_t)span;
        sk_world_count(world, SK_FAULT_CLOCK_DRIFT);
    }
    sk_identity identity = world->founding;
    identity.node = id;
    int error = sk_identity_found(computer->disk, &identity);
    SK_ASSERT(error == 0);
    if (world->plant == SK_PLANT_LYING_FSYNC) sim_disk_lie(computer->platter, true);
}

void sk_computer_deinit(sk_computer *computer)
{
    if (computer->node) {
        sim_disk_kill(computer->platter);
        sk_node_close(computer->node);
        computer->node = NULL;
    }
    sim_disk_close(computer->platter);
}

void sk_computer_gather(sk_computer *computer)
{
    sim_disk_counts counts = sim_disk_counts_of(computer->platter);
    computer->world->faults[SK_FAULT_DISK_POWER] += counts.writes_lost + counts.names_lost;
    computer->world->faults[SK_FAULT_DISK_TORN] += counts.writes_torn;
    computer->world->faults[SK_FAULT_DISK_SHORT] += counts.short_then_error;
}

bool sk_computer_up(const sk_computer *computer)
{
    return computer->node != NULL;
}

bool sk_computer_running(const sk_computer *computer)
{
    return computer->node && !computer->paused;
}

// What an operator may change between two starts: how much is kept in memory and sent at once, the size of new segments.
static void change_configuration(sk_computer *computer, sk_node_config *config)
{
    static const uint32_t windows[] = {600, 4000, 65536}, messages[] = {300, 2000, 65536}, segments[] = {4096, 16384, 65536};
    sk_world *world = computer->world;
    sk_prng *prng = &computer->prng;
    if (world->healed || !world->swarm.fault[SK_FAULT_CONFIG] || !computer->boots) return;
    config->limits.window_bytes_max = windows[sk_prng_below(prng, 3)];
    config->limits.message_bytes_max = messages[sk_prng_below(prng, 3)];
    config->limits.inflight_bytes_max = config->limits.message_bytes_max * sk_prng_between(prng, 1, 8);
    config->limits.log_entries_max = sk_prng_between(prng, 8, 1000);
    config->wal.segment_size = segments[sk_prng_below(prng, 3)];
    config->wal.size_max = config->wal.segment_size * sk_prng_between(prng, 3, 8);
    sk_world_count(world, SK_FAULT_CONFIG);
}

static void configure(const sk_computer *computer, sk_node_config *config, uint64_t seed)
{
    const sk_swarm *swarm = &computer->world->swarm;
    sk_node_config_default(config);
    config->timing = swarm->timing;
    config->lease = swarm->lease;
    config->limits = swarm->limits;
    config->wal.segment_size = swarm->segment_size;
    config->wal.size_max = swarm->wal_size_max;
    config->request_timeout = swarm->request_timeout;
    config->space_memory_max = swarm->space_memory_max;
    config->client_pending_max = swarm->client_pending_max;
    config->origin_pending_max = swarm->origin_pending_max;
    config->origin_bytes_max = swarm->origin_bytes_max;
    config->snapshot_inflight_max = swarm->snapshot_inflight_max;
    config->seed = seed;
    snprintf(config->client_address, sizeof config->client_address, "10.0.0.%" PRIu32 ":6379", computer->id);
    config->resp_port = 6379;
}

void sk_computer_restart_at(sk_computer *computer, sk_ns time)
{
    sk_world_push(computer->world, time, SK_WORLD_RESTART, computer->id, 0, computer->boots, NULL);
}

void sk_computer_start(sk_computer *computer)
{
    sk_world *world = computer->world;
    SK_ASSERT(!computer->node);
    sk_identity identity;
    sk_node_config config;
    char problem[240] = "";
    configure(computer, &config, sk_prng_next(&computer->prng));
    change_configuration(computer, &config);
    sim_disk_time(computer->platter, world->now);
    if (computer->halt_after) {
        sim_disk_halt_after(computer->platter, computer->halt_after);
        sk_world_count(world, SK_FAULT_CRASH_RECOVERY);
        computer->halt_after = 0;
    }
    computer->boots++;
    computer->local_last = 0;
    int error = sk_identity_load(computer->disk, &identity);
    if (!error)
        error = sk_node_open(&computer->node, &config, &identity, &computer->host, computer->disk,
                             &computer->sink, sk_computer_local(computer), problem, sizeof problem);
    sk_trace_mix(&world->trace, SK_WORLD_RESTART, computer->id, (uint64_t)(int64_t)error);
    if (error) {
        SK_TRACE(&world->trace, "node %" PRIu32 " cannot start: %s %s", computer->id, sk_error_name(error),
                 problem);
        if (world->chronicle)
            sk_chronicle_node(world->chronicle, computer->id, SK_TOPIC_DEATH, "cannot start: %s %s", sk_error_name(error),
                              problem);
        computer->node = NULL;
        if (sim_disk_halted(computer->platter))
            sim_disk_crash(computer->platter);
        else
            sim_disk_kill(computer->platter);
        sk_computer_restart_at(computer,
                               world->now + 10 * SK_MS + sk_prng_below(&computer->prng, 500 * SK_MS));
        return;
    }
    SK_TRACE(&world->trace, "node %" PRIu32 " starts, boot %" PRIu64, computer->id,
             sk_node_identity(computer->node)->boot);
    if (world->tla) sk_trace_tla_look(world->tla, computer, true);
    if (world->chronicle) {
        sk_chronicle_node(world->chronicle, computer->id, SK_TOPIC_LIFE, "starts, boot %" PRIu64,
                          sk_node_identity(computer->node)->boot);
        sk_chronicle_look(world->chronicle, computer);
    }
    uint64_t boot = sk_node_identity(computer->node)->boot;
    if (boot < computer->restored_boot) { // its peers refuse it, and say so: whoever put the backup back starts it again
        sk_computer_kill(computer, false);
        sk_computer_restart_at(computer, world->now + SK_MS);
        return;
    }
    if (computer->restored_boot) sk_world_reach(world, SK_SOMETIMES_RESTORED);
    computer->restored_boot = 0;
    computer->paused = computer->stopping = false;
    computer->steady_since = world->now;
    computer->turn_at = computer->disk_at = SK_NEVER;
    turn_by(computer, world->now + sim_disk_run_cost(computer->platter));
    watch_disk(computer);
    sk_network_started(world->network, computer->id);
    if (sim_disk_halted(computer->platter)) { // it died while it recovered; nobody noticed yet
        sk_world_reach(world, SK_SOMETIMES_DIED_IN_RECOVERY);
        sk_computer_kill(computer, true);
        sk_computer_restart_at(computer, world->now + sk_prng_below(&computer->prng, 500 * SK_MS));
    }
}

void sk_computer_note_held(sk_computer *computer)
{
    if (computer->world->merging) sk_merging_note_held(computer->world->merging, computer->id);
    size_t count = sk_node_space_count(computer->node);
    for (size_t i = 0; i < count; i++) {
        sk_space_facts facts = sk_node_space_facts(computer->node, i, false);
        if (facts.id > SK_SPACE_DEFAULT) continue;
        computer->held_last[facts.id] = facts.status.last;
        computer->held_epoch[facts.id] = facts.status.epoch;
    }
}

void sk_computer_kill(sk_computer *computer, bool power)
{
    sk_world *world = computer->world;
    if (!computer->node) return;
    SK_ASSERT(!computer->turning);
    SK_TRACE(&world->trace, "node %" PRIu32 " %s", computer->id, power ? "loses power" : "is killed");
    if (world->chronicle)
        sk_chronicle_node(world->chronicle, computer->id, SK_TOPIC_DEATH, power ? "loses power" : "is killed");
    sk_trace_mix(&world->trace, SK_WORLD_RESTART, computer->id, power);
    if (world->merging) {
        sk_merging_look(world->merging, computer);
        if (world->swarm.durability != SK_DURABILITY_ALWAYS) sk_loss_cut(world, sk_clients_history(world->clients), computer->id);
    }
    sk_computer_note_held(computer);
    if (power)
        sim_disk_crash(computer->platter);
    else
        sim_disk_kill(computer->platter);
    sim_disk_rules_clear(
        computer->platter); // a read that fails at start is damage (see atlas.h), not an error
    sk_network_stopped(world->network, computer->id);
    sk_clients_stopped(world->clients, computer->id);
    sk_checks_stopped(world->checks, computer->id);
    sk_node_close(computer->node);
    sim_disk_kill(computer->platter); // what a dying node's last breath asked for reaches nobody
    computer->node = NULL;
    computer->paused = computer->stopping = false;
    computer->turn_at = computer->disk_at = SK_NEVER;
    computer->turn_number++;
    computer->slow = 0;
    bool any = false;
    for (sk_node_id id = 1; id <= world->computer_count; id++) any |= world->computers[id].node != NULL;
    if (!any && world->computer_count > 1) sk_world_reach(world, SK_SOMETIMES_ALL_DOWN);
    if (power && computer->boot_clock_zero) { // the boot clock begins near 0
        computer->boot_offset = 0 - local_at(computer, world->now) + computer->boot_offset;
        computer->boot_clock_zero = false;
        sk_world_count(world, SK_FAULT_CLOCK_BOOT_ZERO);
    }
}

void sk_computer_pause(sk_computer *computer, sk_ns length)
{
    if (!sk_computer_running(computer)) return;
    computer->paused = true;
    computer->pauses++;
    SK_TRACE(&computer->world->trace, "node %" PRIu32 " is paused for %" PRIu64 " ms", computer->id,
             length / SK_MS);
    if (computer->world->chronicle)
        sk_chronicle_node(computer->world->chronicle, computer->id, SK_TOPIC_DEATH, "is paused for %" PRIu64 " ms",
                          length / SK_MS);
    sk_world_push(computer->world, computer->world->now + length, SK_WORLD_RESUME, computer->id, 0,
                  computer->pauses, NULL);
}

void sk_computer_resume(sk_computer *computer)
{
    if (!computer->node || !computer->paused) return;
    computer->paused = false;
    computer->steady_since = computer->world->now;
    SK_TRACE(&computer->world->trace, "node %" PRIu32 " runs again", computer->id);
    if (computer->world->chronicle)
        sk_chronicle_node(computer->world->chronicle, computer->id, SK_TOPIC_LIFE, "runs again");
    sk_computer_input(computer);
    computer->disk_at = SK_NEVER;
    watch_disk(computer);
    sk_network_resumed(computer->world->network, computer->id);
    sk_clients_resumed(computer->world->clients, computer->id);
}

void sk_computer_warp(sk_computer *computer, sk_ns length, bool wall)
{
    computer->boot_offset += length;
    if (wall) computer->wall_offset_ms += (int64_t)(length / SK_MS);
    computer->steady_since = computer->world->now;
    if (sk_computer_running(computer)) sk_computer_input(computer);
}
