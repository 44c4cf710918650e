#include "sim/swarm.h"

#include <inttypes.h>
#include <string.h>

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
    swarm->phase_count = (uint32_t)sk_prng_between(&prng, 2, SK_SWARM_PHASES_MAX);
    bool storm = sk_prng_chance(&prng, 1, 2);
    for (uint32_t i = 0; i < swarm->phase_count; i++, storm = !storm) {
        swarm->phases[i].storm = storm;
        swarm->phases[i].length =
            storm ? sk_prng_between(&prng, 1 * SK_S, 12 * SK_S) : sk_prng_between(&prng, SK_S / 2, 3 * SK_S);
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

// Drawn last, so that older seeds keep what they drew before.
static void draw_patience(sk_swarm *swarm, sk_prng prng)
{
    sk_timing *timing = &swarm->timing;
    if (sk_prng_chance(&prng, 1, 2)) timing->election_max = timing->election_min * PICK(3, 5, 10);
    bool leases = sk_prng_chance(&prng, 1, 2);
    swarm->lease = (sk_lease){.length = leases ? timing->election_min * PICK(1, 1, 2, 4) : 0,
                              .drift_ppm = swarm->drift_ppm_max + (uint32_t)PICK(0, 100)};
}

static void draw_clients(sk_swarm *swarm, sk_prng prng)
{
    swarm->client_count = (uint32_t)sk_prng_between(&prng, 1, 12);
    swarm->pipeline_max = swarm->fault[SK_FAULT_CLIENT_PIPELINE] ? (uint32_t)PICK(2, 4, 16) : 1;
    swarm->think_mean = PICK_US(1000, 10000, 50000, 200000);
    swarm->client_timeout = swarm->request_timeout + PICK_US(100000, 1000000);
    if (swarm->fault[SK_FAULT_CLIENT_TIMEOUT]) swarm->client_timeout = PICK_US(50000, 200000, 500000);
    swarm->operations_max = (uint32_t)PICK(100, 300, 600, 1500);
    swarm->keys = (uint32_t)PICK(1, 2, 5);
    swarm->value_size_max =
        swarm->fault[SK_FAULT_CLIENT_HUGE] ? (uint32_t)PICK(1500, 6000) : (uint32_t)PICK(16, 100);
    swarm->weight_set = (uint32_t)PICK(0, 2, 4);
    swarm->weight_get = (uint32_t)PICK(1, 4);
    swarm->weight_cas = (uint32_t)PICK(0, 2);
    swarm->weight_increment = (uint32_t)PICK(0, 2);
    swarm->weight_append = (uint32_t)PICK(1, 3);
    swarm->weight_lend = (uint32_t)PICK(0, 1);
    swarm->weight_space = (uint32_t)PICK(0, 0, 1, 3);
}

void sk_swarm_draw(sk_swarm *swarm, uint64_t seed, uint32_t nodes)
{
    memset(swarm, 0, sizeof *swarm);
    swarm->seed = seed;
    sk_prng prng;
    sk_prng_init(&prng, seed);
    swarm->node_count = nodes ? nodes : (uint32_t)PICK(3, 3, 3, 3, 3, 3, 5, 5, 4, 2, 1);
    // One seed in ten has no faults at all: what fails there is plainly broken.
    uint64_t density = PICK(0, 10, 20, 30, 30, 50, 50, 70, 20, 30);
    for (int i = 0; i < SK_FAULT_END; i++) swarm->fault[i] = sk_prng_chance(&prng, density, 100);
    draw_phases(swarm, sk_prng_split(&prng));
    draw_network(swarm, sk_prng_split(&prng));
    draw_node(swarm, sk_prng_split(&prng));
    draw_clients(swarm, sk_prng_split(&prng));
    draw_patience(swarm, sk_prng_split(&prng));
    swarm->heal_max = 30 * SK_S;
}

static void print_time(FILE *out, const char *name, sk_ns time)
{
    fprintf(out, " %s=%" PRIu64 ".%03" PRIu64 "ms", name, time / SK_MS, time % SK_MS / SK_US);
}

void sk_swarm_print(const sk_swarm *swarm, FILE *out)
{
    fprintf(out, "seed %" PRIu64 ": nodes=%" PRIu32 "\n  faults:", swarm->seed, swarm->node_count);
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
    fprintf(out,
            " set/get/cas/increment/append/lend/space=%" PRIu32 "/%" PRIu32 "/%" PRIu32 "/%" PRIu32 "/%" PRIu32 "/%" PRIu32 "/%" PRIu32 "\n",
            swarm->weight_set, swarm->weight_get, swarm->weight_cas, swarm->weight_increment,
            swarm->weight_append, swarm->weight_lend, swarm->weight_space);
}
