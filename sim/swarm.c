#include "sim/swarm.h"

#include <inttypes.h>
#include <string.h>
#include "sim/workload.h"

sk_ns sk_swarm_around(sk_prng *prng, sk_ns mean)
{
    uint64_t bits = sk_prng_next(prng);
    uint64_t halvings = (uint64_t)__builtin_ctzll(bits | (1ull << 20));
    uint64_t fraction = (bits >> 40) & 1023;
    return (halvings * 1024 + fraction) * (mean / 1024) * 2 / 3;
}

static sk_ns pick_time(sk_prng *prng, const uint32_t *list_us, size_t count)
{
    return list_us[sk_prng_below(prng, count)] * SK_US;
}

static uint64_t pick(sk_prng *prng, const uint32_t *list, size_t count)
{
    return list[sk_prng_below(prng, count)];
}

#define PICK(...)                                                                                            \
    pick(&prng, (const uint32_t[]){__VA_ARGS__}, sizeof(const uint32_t[]){__VA_ARGS__} / sizeof(uint32_t))
#define PICK_US(...)                                                                                         \
    pick_time(&prng, (const uint32_t[]){__VA_ARGS__},                                                        \
              sizeof(const uint32_t[]){__VA_ARGS__} / sizeof(uint32_t))

static void draw_phases(sk_swarm *swarm, sk_prng prng)
{
    swarm->phase_count = (uint32_t)sk_prng_between(&prng, 3, SK_SWARM_PHASES_MAX);
    bool storm = sk_prng_chance(&prng, 1, 2);
    bool always = swarm->preset.timing == SK_TIMING_ASYNCHRONOUS; // nothing is ever calm
    for (uint32_t i = 0; i < swarm->phase_count; i++, storm = !storm) {
        swarm->phases[i].storm = storm || always;
        swarm->phases[i].length =
            storm ? sk_prng_between(&prng, 2 * SK_S, 12 * SK_S) : sk_prng_between(&prng, SK_S / 2, 4 * SK_S);
    }
    swarm->fault_mean = PICK_US(100000, 300000, 300000, 1000000, 2000000);
    swarm->fault_hold = PICK_US(50000, 300000, 1000000, 3000000);
}

static void draw_network(sk_swarm *swarm, sk_prng prng)
{
    const bool *on = swarm->fault;
    swarm->delay_min = PICK_US(20, 100, 500, 2000);
    swarm->delay_mean = on[SK_FAULT_NET_DELAY] ? PICK_US(1000, 5000, 20000, 60000) : PICK_US(50, 200, 500);
    swarm->loss = on[SK_FAULT_NET_LOSS] ? (uint32_t)PICK(1000, 10000, 50000, 200000) : 0;
    swarm->duplicate = on[SK_FAULT_NET_DUPLICATE] ? (uint32_t)PICK(1000, 20000, 100000) : 0;
    swarm->replay = on[SK_FAULT_NET_REPLAY] ? (uint32_t)PICK(1000, 10000, 100000) : 0;
    swarm->reorder = on[SK_FAULT_NET_REORDER] ? (uint32_t)PICK(1000, 50000, 300000) : 0;
    swarm->corrupt =
        on[SK_FAULT_NET_CORRUPT] || on[SK_FAULT_NET_TRUNCATE] ? (uint32_t)PICK(100, 1000, 5000) : 0;
    swarm->tail = on[SK_FAULT_NET_TAIL] ? (uint32_t)PICK(100, 1000, 10000) : 0;
    swarm->hostile_frames = sk_prng_chance(&prng, 1, 4);
    swarm->notice_max = PICK_US(1000, 50000, 500000, 3000000);
    swarm->redial_max = PICK_US(10000, 100000, 1000000);
}

static void draw_node(sk_swarm *swarm, sk_prng prng)
{
    sk_timing *timing = &swarm->timing;
    timing->heartbeat_active = PICK_US(20000, 50000, 100000);
    timing->heartbeat_idle = timing->heartbeat_active * PICK(1, 2, 5);
    timing->election_min = PICK_US(100000, 200000, 400000);
    timing->election_max = timing->election_min * 2;
    sk_limits *limits = &swarm->limits;
    limits->window_bytes_max = PICK(600, 2000, 8000, 65536, 1048576);
    limits->message_bytes_max = PICK(300, 1000, 4096, 65536);
    limits->inflight_bytes_max = limits->message_bytes_max * PICK(1, 2, 8);
    limits->inflight_count_max = (uint32_t)PICK(1, 2, 8, 64);
    limits->pending_max = (uint32_t)PICK(4, 16, 64, 1024);
    limits->log_entries_max = PICK(8, 20, 100, 500, 100000);
    limits->log_bytes_max = PICK(1000, 4000, 20000, 1048576);
    swarm->request_timeout = PICK_US(300000, 1000000, 2000000);
    swarm->segment_size = PICK(4096, 8192, 16384, 65536, 1048576);
    swarm->wal_size_max = swarm->segment_size * PICK(3, 4, 8);
    swarm->space_memory_max = sk_prng_chance(&prng, 1, 8) ? PICK(2000, 10000) : 0;
    swarm->snapshot_inflight_max = PICK(200, 1000, 65536);
    swarm->origin_pending_max = PICK(4, 16, 1024);
    swarm->origin_bytes_max = PICK(20000, 1048576);
    swarm->client_pending_max = PICK(1, 4, 128);
    swarm->disk_mean = PICK_US(20, 100, 1000, 5000);
    swarm->turn_cost_max = PICK_US(1, 50, 300);
    swarm->drift_ppm_max = swarm->fault[SK_FAULT_CLOCK_DRIFT] ? (uint32_t)PICK(1000, 50000, 200000) : 0;
}

// How patient followers are, and whether leaders hold leases. The bounds of healing follow from it.
static void draw_patience(sk_swarm *swarm, sk_prng prng)
{
    sk_timing *timing = &swarm->timing;
    if (sk_prng_chance(&prng, 1, 2)) timing->election_max = timing->election_min * PICK(3, 5, 10);
    bool leases = sk_prng_chance(&prng, 1, 2);
    swarm->lease = (sk_lease){.length = leases ? timing->election_min * PICK(1, 1, 2, 4) : 0,
                              .drift_ppm = swarm->drift_ppm_max + (uint32_t)PICK(0, 100)};
}

static void draw_workload(sk_swarm *swarm, sk_prng prng, const sk_swarm_wish *wish)
{
    static const uint32_t usual[] = {8, 8, 8, 12, 4, 4, 1, 8, 8, 8, 8, 4}; // by the order of the table
    uint32_t from = swarm->mergeable ? SK_WORKLOADS_MERGE_FIRST : 0, total = 0;
    uint32_t known = swarm->mergeable ? sizeof usual / sizeof *usual : SK_WORKLOADS_MERGE_FIRST;
    for (uint32_t i = from; i < known; i++) {
        bool in = sk_prng_chance(&prng, 2, 3); // always drawn, so that a wish changes nothing else
        swarm->weights[i] = in ? usual[i] : 0;
        total += swarm->weights[i];
    }
    if (!total) swarm->weights[from + sk_prng_below(&prng, known - from)] = 1;
    swarm->reads = (uint32_t)PICK(15, 30, 50);
    if (!strcmp(swarm->protocol, "causal") && sk_prng_chance(&prng, 2, 3)) swarm->weights[SK_WORKLOADS_SESSION] = 16;
    if (!wish->workload) return;
    memset(swarm->weights, 0, sizeof swarm->weights);
    swarm->weights[wish->workload - 1] = 1;
}

static void draw_clients(sk_swarm *swarm, sk_prng prng)
{
    swarm->client_count = (uint32_t)(sk_prng_chance(&prng, 1, 16) ? PICK(24, 40, 64) : sk_prng_between(&prng, 2, 12));
    swarm->pipeline_max = swarm->fault[SK_FAULT_CLIENT_PIPELINE] ? (uint32_t)PICK(2, 4, 16) : 1;
    swarm->think_mean = PICK_US(1000, 10000, 50000, 200000);
    swarm->client_timeout = swarm->request_timeout + PICK_US(100000, 1000000);
    if (swarm->fault[SK_FAULT_CLIENT_TIMEOUT]) swarm->client_timeout = PICK_US(50000, 200000, 500000);
    swarm->operations_max = (uint32_t)PICK(600, 1000, 1500, 3000);
    swarm->keys = (uint32_t)PICK(1, 2, 5);
    swarm->value_size_max =
        swarm->fault[SK_FAULT_CLIENT_HUGE] ? (uint32_t)PICK(1500, 6000) : (uint32_t)PICK(16, 100);
}

// The disks of a majority or of all are ruined at the end: one seed in twenty, or by wish.
static void draw_ruin(sk_swarm *swarm, sk_prng prng)
{
    bool drawn = sk_prng_chance(&prng, 1, 20) && swarm->preset.timing == SK_TIMING_DRAWN;
    enum sk_ruin ruin = (enum sk_ruin)sk_prng_between(&prng, SK_RUIN_NONE + 1, SK_RUIN_END - 1);
    uint32_t majority = swarm->node_count / 2 + 1;
    uint32_t ruined = (uint32_t)sk_prng_between(&prng, majority, swarm->node_count);
    if (!drawn && swarm->preset.failure != SK_FAILURE_UNRECOVERABLE) return;
    if (swarm->mergeable) return; // each serves what it has: there is no majority to lose
    if (swarm->node_count < 2) return; // a node without peers serves what is left of its log, and says so
    swarm->ruin = ruin;
    swarm->ruined = ruin == SK_RUIN_HELIX ? swarm->node_count : ruined;
}

// Drawn last, so that `always` leaves everything else of a seed as it is. Who loses what was answered must not also be given an old disk, or end
// for good: then others may hold the only copy, and the run would have to tell whose loss it was.
static void draw_durability(sk_swarm *swarm, sk_prng prng, const sk_swarm_wish *wish)
{
    enum sk_durability drawn = (enum sk_durability)PICK(0, 0, 1, 1, 2);
    swarm->group_ms = (uint32_t)PICK(1, 20, 100, 500, 2000);
    if (!swarm->mergeable || (swarm->preset.failure == SK_FAILURE_CRASH_STOP && !wish->durability)) return;
    swarm->durability = wish->durability ? (enum sk_durability)(wish->durability - 1) : drawn;
    if (swarm->durability != SK_DURABILITY_ALWAYS) swarm->fault[SK_FAULT_RESTORE] = false;
}

// What a timing model promises, kept by the drawn numbers.
static void keep_promises(sk_swarm *swarm)
{
    if (swarm->preset.timing == SK_TIMING_SYNCHRONOUS) {
        swarm->delay_bound = swarm->timing.heartbeat_active / 4;
        if (swarm->delay_min > swarm->delay_bound / 4) swarm->delay_min = swarm->delay_bound / 4;
        if (swarm->disk_mean > SK_MS) swarm->disk_mean = SK_MS;
        swarm->drift_ppm_max = 1000; // known, too: a bound of zero would be no clock
    }
    if (swarm->preset.timing == SK_TIMING_ASYNCHRONOUS && swarm->delay_mean < 5 * SK_MS) swarm->delay_mean = 5 * SK_MS;
}

// How long a healed cluster may take. Silence of one election timeout (drawn up to election_max, by a clock that may be slow by
// the drift) starts a campaign; who collides draws again. Nine collisions in a row have a chance of less than one in a million:
// ten it is. Messages of that time are short and pass a calm network; disks are as they were drawn.
static void set_bounds(sk_swarm *swarm)
{
    sk_ns slowest = swarm->timing.election_max / 1000000 * (1000000 + 2 * swarm->drift_ppm_max);
    // Before that, connections that broke in the storm are noticed and dialled again.
    swarm->lead_max = 10 * slowest + 2 * (swarm->notice_max + swarm->redial_max);
    swarm->heal_max = 60 * SK_S;
}

static void draw_faults(sk_swarm *swarm, sk_prng prng)
{
    // One seed in thirty has no faults at all: what fails there is plainly broken.
    uint64_t density = PICK(10, 20, 20, 30, 30, 30, 50, 50, 70, 10);
    if (sk_prng_chance(&prng, 1, 30)) density = 0;
    if (swarm->preset.timing != SK_TIMING_DRAWN) density = 60; // few kinds are left
    for (int i = 0; i < SK_FAULT_END; i++) {
        bool drawn = sk_prng_chance(&prng, density, 100);
        swarm->fault[i] = drawn && sk_preset_allows(&swarm->preset, (enum sk_fault)i);
        if (sk_fault_class_of((enum sk_fault)i) == SK_CLASS_LOSS) swarm->fault[i] &= swarm->mergeable;
    }
    // An old backup and a clock that went back: what is written then may be lost, as docs/crdt.md says. So never both.
    if (swarm->fault[SK_FAULT_RESTORE])
        swarm->fault[SK_FAULT_CLOCK_WALL_JUMP] = swarm->fault[SK_FAULT_CLOCK_WALL_STROBE] = swarm->fault[SK_FAULT_CLOCK_WALL_1970] = false;
    enum sk_preset_failure failure = swarm->preset.failure;
    if (failure == SK_FAILURE_CRASH_STOP) swarm->fault[SK_FAULT_KILL] = true;
    if (failure == SK_FAILURE_CRASH_RECOVERY) swarm->fault[SK_FAULT_POWER] = true;
    if (failure == SK_FAILURE_SEND_OMISSION) swarm->fault[SK_FAULT_SEND_OMISSION] = true;
    if (failure == SK_FAILURE_RECEIVE_OMISSION) swarm->fault[SK_FAULT_RECEIVE_OMISSION] = true;
    if (swarm->preset.timing == SK_TIMING_ASYNCHRONOUS) swarm->fault[SK_FAULT_NET_DELAY] = swarm->fault[SK_FAULT_NET_TAIL] = true;
}

void sk_swarm_draw(sk_swarm *swarm, uint64_t seed, const sk_swarm_wish *wish)
{
    memset(swarm, 0, sizeof *swarm);
    swarm->seed = seed;
    swarm->preset = wish->preset;
    swarm->protocol = wish->protocol ? wish->protocol : "raft";
    swarm->mergeable = sk_protocol_find(swarm->protocol)->mergeable;
    sk_prng prng;
    sk_prng_init(&prng, seed);
    uint32_t drawn = (uint32_t)PICK(3, 3, 3, 3, 3, 3, 5, 5, 4, 2, 1);
    swarm->node_count = wish->nodes ? wish->nodes : drawn;
    draw_faults(swarm, sk_prng_split(&prng));
    draw_phases(swarm, sk_prng_split(&prng));
    draw_network(swarm, sk_prng_split(&prng));
    draw_node(swarm, sk_prng_split(&prng));
    draw_clients(swarm, sk_prng_split(&prng));
    draw_patience(swarm, sk_prng_split(&prng));
    draw_workload(swarm, sk_prng_split(&prng), wish);
    draw_ruin(swarm, sk_prng_split(&prng));
    draw_durability(swarm, sk_prng_split(&prng), wish);
    keep_promises(swarm);
    set_bounds(swarm);
}

int64_t sk_swarm_window(const sk_swarm *swarm)
{
    if (swarm->durability == SK_DURABILITY_VOLATILE) return -1;
    return swarm->durability == SK_DURABILITY_GROUP ? swarm->group_ms : 0;
}

static void print_time(FILE *out, const char *name, sk_ns time)
{
    fprintf(out, " %s=%" PRIu64 ".%03" PRIu64 "ms", name, time / SK_MS, time % SK_MS / SK_US);
}

void sk_swarm_print(const sk_swarm *swarm, FILE *out)
{
    static const char *const ruins[] = {"", " ruin=wipe", " ruin=no-log", " ruin=garbage", " ruin=helix"};
    char preset[64];
    sk_preset_name(&swarm->preset, preset, sizeof preset);
    fprintf(out, "seed %" PRIu64 ": nodes=%" PRIu32 " preset=%s%s", swarm->seed, swarm->node_count, preset, ruins[swarm->ruin]);
    if (swarm->ruin) fprintf(out, " of %" PRIu32, swarm->ruined);
    fputs("\n  faults:", out);
    for (int i = 0; i < SK_FAULT_END; i++) {
        if (swarm->fault[i]) fprintf(out, " %s", sk_fault_name((enum sk_fault)i));
    }
    fprintf(out, "\n  phases:");
    for (uint32_t i = 0; i < swarm->phase_count; i++)
        print_time(out, swarm->phases[i].storm ? "storm" : "calm", swarm->phases[i].length);
    print_time(out, "fault-mean", swarm->fault_mean);
    print_time(out, "fault-hold", swarm->fault_hold);
    fprintf(out, "\n  network:");
    print_time(out, "delay-min", swarm->delay_min);
    print_time(out, "delay-mean", swarm->delay_mean);
    fprintf(out,
            " loss=%" PRIu32 " duplicate=%" PRIu32 " replay=%" PRIu32 " reorder=%" PRIu32 " corrupt=%" PRIu32
            " tail=%" PRIu32 " (of a million) hostile=%d",
            swarm->loss, swarm->duplicate, swarm->replay, swarm->reorder, swarm->corrupt, swarm->tail,
            swarm->hostile_frames);
    print_time(out, "notice-max", swarm->notice_max);
    print_time(out, "redial-max", swarm->redial_max);
    fprintf(out, "\n  node:");
    print_time(out, "heartbeat", swarm->timing.heartbeat_active);
    print_time(out, "idle", swarm->timing.heartbeat_idle);
    print_time(out, "election", swarm->timing.election_min);
    print_time(out, "election-max", swarm->timing.election_max);
    print_time(out, "lease", swarm->lease.length);
    print_time(out, "request-timeout", swarm->request_timeout);
    print_time(out, "disk", swarm->disk_mean);
    fprintf(out, " drift=%" PRIu32 "ppm", swarm->drift_ppm_max);
    const sk_limits *limits = &swarm->limits;
    if (swarm->durability == SK_DURABILITY_VOLATILE) fprintf(out, " durability=volatile");
    if (swarm->durability == SK_DURABILITY_GROUP) fprintf(out, " durability=group/%" PRIu32 "ms", swarm->group_ms);
    fprintf(out,
            "\n  limits: window=%zu message=%zu inflight=%zu/%" PRIu32 " pending=%" PRIu32 " log=%" PRIu64
            "/%zu segment=%" PRIu64 " wal=%" PRIu64 " memory=%" PRIu64 "\n",
            limits->window_bytes_max, limits->message_bytes_max, limits->inflight_bytes_max,
            limits->inflight_count_max, limits->pending_max, limits->log_entries_max, limits->log_bytes_max,
            swarm->segment_size, swarm->wal_size_max, swarm->space_memory_max);
    fprintf(out,
            "  clients: count=%" PRIu32 " operations=%" PRIu32 " pipeline=%" PRIu32 " keys=%" PRIu32
            " value=%" PRIu32,
            swarm->client_count, swarm->operations_max, swarm->pipeline_max, swarm->keys,
            swarm->value_size_max);
    print_time(out, "think", swarm->think_mean);
    print_time(out, "timeout", swarm->client_timeout);
    fprintf(out, " reads=%" PRIu32 "%%", swarm->reads);
    for (uint32_t i = 0; sk_workload_at(i); i++) {
        if (swarm->weights[i]) fprintf(out, " %s*%" PRIu32, sk_workload_at(i)->name, swarm->weights[i]);
    }
    fputc('\n', out);
}
