// Faults of the network (see sim/nemesis.h).
#include "sim/nemesis_private.h"

#include "base/assert.h"
#include "sim/network.h"

void sk_nemesis_unblock(sk_nemesis *nemesis)
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
    sk_nemesis_unblock(nemesis);
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
    sk_node_id bridge = sk_nemesis_some(nemesis);
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
        isolate(nemesis, &made, sk_nemesis_some(nemesis));
        break;
    case SK_FAULT_NET_LEADER:
        isolate(nemesis, &made, sk_nemesis_leader_or_some(nemesis));
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
        nemesis->flapping = sk_nemesis_leader_or_some(nemesis);
        nemesis->flaps = (uint32_t)sk_prng_between(&nemesis->prng, 2, 20);
        isolate(nemesis, &made, nemesis->flapping);
        sk_nemesis_mend_later(nemesis, fault, 0, nemesis->partition, sk_prng_between(&nemesis->prng, 10 * SK_MS, SK_S));
        return;
    default:
        SK_UNREACHABLE();
    }
    sk_nemesis_mend_later(nemesis, fault, 0, nemesis->partition, sk_nemesis_hold(nemesis));
}

void sk_nemesis_flap(sk_nemesis *nemesis)
{
    uint32_t left = nemesis->flaps ? nemesis->flaps - 1 : 0;
    if (!left) {
        sk_nemesis_unblock(nemesis);
        return;
    }
    cut made = cut_begin(nemesis);
    nemesis->flaps = left;
    if (left % 2) isolate(nemesis, &made, nemesis->flapping);
    sk_nemesis_mend_later(nemesis, SK_FAULT_NET_FLAP, 0, nemesis->partition,
               sk_prng_between(&nemesis->prng, 10 * SK_MS, SK_S));
}

static void clog_one(sk_nemesis *nemesis, sk_node_id from, sk_node_id to, sk_ns length)
{
    sk_network_clog(nemesis->world->network, from, to, true);
    sk_nemesis_mend_later(nemesis, SK_FAULT_NET_CLOG, from * 256 + to, 0, length);
}

static void swizzle(sk_nemesis *nemesis)
{
    uint64_t chosen = sk_prng_next(&nemesis->prng);
    for (sk_node_id to = 1; to <= nemesis->world->computer_count; to++) {
        if (!((chosen >> to) & 1)) continue;
        sk_ns length = sk_nemesis_hold(nemesis);
        for (sk_node_id from = 1; from <= nemesis->world->computer_count; from++) {
            if (from != to) clog_one(nemesis, from, to, length);
        }
    }
}

// ---- Directions that get worse ----

static bool worsen(sk_nemesis *nemesis, enum sk_fault fault, sk_node_id from, sk_node_id to)
{
    static const uint32_t bandwidths[] = {1000, 10000, 100000, 1000000}, sizes[] = {64, 256, 1400};
    sk_prng *prng = &nemesis->prng;
    sk_network_way *way = sk_network_way_of(nemesis->world->network, from, to);
    switch (fault) {
    case SK_FAULT_NET_SLOW_LINK:
        way->extra = sk_prng_between(prng, 5 * SK_MS, 500 * SK_MS);
        break;
    case SK_FAULT_NET_BANDWIDTH:
        way->bandwidth = bandwidths[sk_prng_below(prng, 4)];
        break;
    case SK_FAULT_NET_CAPACITY:
        way->capacity = (uint32_t)sk_prng_between(prng, 2, 20);
        break;
    case SK_FAULT_NET_MTU:
        way->mtu = sizes[sk_prng_below(prng, 3)];
        break;
    default:
        SK_UNREACHABLE();
    }
    sk_nemesis_mend_later(nemesis, fault, from * 256 + to, 0, sk_nemesis_hold(nemesis));
    return true;
}

// Frames of one kind are lost between one node and the others, or between all. Forwarded requests and snapshots only in runs where
// they may suffer at all.
static bool lose_kind(sk_nemesis *nemesis)
{
    sk_world *world = nemesis->world;
    uint32_t protocols = SK_NETWORK_KINDS - SK_FRAME_KIND_END;
    uint64_t kind = SK_FRAME_KIND_END + 1 + sk_prng_below(&nemesis->prng, protocols < 10 ? protocols : 10);
    if (world->swarm.hostile_frames && sk_prng_chance(&nemesis->prng, 1, 2))
        kind = sk_prng_between(&nemesis->prng, SK_FRAME_FORWARD, SK_FRAME_KIND_END - 1);
    sk_node_id only = sk_prng_chance(&nemesis->prng, 1, 2) ? sk_nemesis_leader_or_some(nemesis) : 0;
    sk_ns length = sk_nemesis_hold(nemesis);
    for (sk_node_id from = 1; from <= world->computer_count; from++) {
        for (sk_node_id to = 1; to <= world->computer_count; to++) {
            if (from == to || (only && from != only && to != only)) continue;
            sk_network_way_of(world->network, from, to)->lost = 1u << kind;
            sk_nemesis_mend_later(nemesis, SK_FAULT_NET_BY_KIND, from * 256 + to, 0, length);
        }
    }
    return true;
}

void sk_nemesis_mend_way(sk_nemesis *nemesis, enum sk_fault fault, sk_node_id from, sk_node_id to)
{
    sk_network_way *way = sk_network_way_of(nemesis->world->network, from, to);
    if (fault == SK_FAULT_NET_SLOW_LINK) way->extra = 0;
    if (fault == SK_FAULT_NET_BANDWIDTH) way->bandwidth = 0;
    if (fault == SK_FAULT_NET_CAPACITY) way->capacity = 0;
    if (fault == SK_FAULT_NET_MTU) way->mtu = 0;
    if (fault == SK_FAULT_NET_BY_KIND) way->lost = 0;
    sk_network_way_mended(nemesis->world->network, from, to);
}

bool sk_nemesis_strike_network(sk_nemesis *nemesis, enum sk_fault fault)
{
    sk_world *world = nemesis->world;
    if (world->computer_count < 2) return false;
    sk_node_id a = sk_nemesis_some(nemesis), b = sk_nemesis_some(nemesis);
    if (a == b) b = b % world->computer_count + 1;
    switch (fault) {
    case SK_FAULT_NET_CLOG:
        clog_one(nemesis, a, b, sk_nemesis_hold(nemesis));
        return true;
    case SK_FAULT_NET_SWIZZLE:
        swizzle(nemesis);
        return true;
    case SK_FAULT_NET_SLOW_LINK:
    case SK_FAULT_NET_BANDWIDTH:
    case SK_FAULT_NET_CAPACITY:
    case SK_FAULT_NET_MTU:
        return worsen(nemesis, fault, a, b);
    case SK_FAULT_NET_BY_KIND:
        return lose_kind(nemesis);
    case SK_FAULT_NET_RESET:
        sk_network_break(world->network, a, b, world->swarm.notice_max);
        return true;
    case SK_FAULT_NET_HALF_OPEN:
        sk_network_refuse(world->network, a, b, world->now + sk_nemesis_hold(nemesis));
        sk_network_break(world->network, a, b, SK_NEVER);
        return true;
    case SK_FAULT_NET_REFUSED:
        sk_network_refuse(world->network, a, b, world->now + sk_nemesis_hold(nemesis));
        sk_network_break(world->network, a, b, world->swarm.notice_max);
        return true;
    default:
        partition(nemesis, fault);
        return true;
    }
}

