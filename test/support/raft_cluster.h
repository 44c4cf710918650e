// A tiny cluster of raft replicas for tests: a network held in the hand, a record log with an explicit
// durable(), a machine that is a running hash. After every step it checks the replica's invariants and, over
// all replicas: one leader a term, equal entries at equal positions, nothing applied twice, acknowledged
// entries kept.
//
// Two ways to drive it: message by message (step, deliver, durable), or by time (run) with latencies and cut
// links.
#ifndef TEST_SUPPORT_RAFT_CLUSTER_H
#define TEST_SUPPORT_RAFT_CLUSTER_H

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>
#include "base/alloc.h"
#include "base/hash.h"
#include "protocol/protocol.h"
#include "protocol/raft/raft.h"
#include "test/support/raft_trace.h"

#pragma GCC diagnostic ignored "-Wunused-function" // not every test needs every helper

enum { NODES_MAX = 7, POSITIONS_MAX = 1 << 16, TERMS_MAX = 1 << 12, ENDS_MAX = 1 << 14 };

typedef struct stored {
    sk_record record;
} stored;

typedef struct image {
    uint64_t position, epoch, digest;
} image;

typedef struct packet {
    uint64_t id;
    sk_node_id from, to;
    sk_ns due;
    uint64_t after; // held back until its sender's record is durable; 0: in the network
    sk_slice bytes;
} packet;

typedef struct want {
    uint64_t from, to;
} want;

typedef struct member {
    sk_node_id id;
    sk_replica *replica;
    sk_effects effects;
    bool up;
    bool disk_auto; // durable after disk_latency, else only by durable()
    bool fetch_auto;
    bool snapshot_auto;
    sk_ns disk_latency;
    sk_ns clock_skew;
    uint64_t boot;
    stored *disk;
    size_t disk_count, disk_capacity;
    uint64_t durable_number;
    sk_ns durable_due; // of everything persisted so far; 0: none
    packet *held;
    size_t held_count, held_capacity;
    want fetches[64];
    size_t fetch_count;
    image snapshot;
    image machine;
    size_t applies, installs, fetches_answered, damages, snapshots_wanted, snapshots_offered, statuses;
    uint64_t offers[NODES_MAX + 1]; // at_least, by peer; 0: none waits
} member;

enum end_kind { END_NONE, END_APPLIED, END_QUERIED, END_REFUSED };

typedef struct request_end {
    enum end_kind kind;
    int why;
    uint64_t position;
    uint64_t digest; // of the machine when queried
    sk_node_id leader;
} request_end;

typedef struct cluster cluster;
struct cluster {
    size_t count;
    member nodes[NODES_MAX + 1]; // by id
    sk_ns now;
    sk_ns latency;
    sk_prng prng;
    sk_timing timing;
    sk_lease lease;
    sk_limits limits;
    packet *network;
    size_t packet_count, packet_capacity;
    uint64_t packet_id;
    bool cut[NODES_MAX + 1][NODES_MAX + 1]; // [from][to]: dropped on delivery
    uint32_t loss, duplicate;               // per thousand, by run
    sk_ns jitter;
    bool (*filter)(cluster *c, const packet *p); // false: dropped when sent
    void *filter_context;
    sk_node_id leader_of[TERMS_MAX];
    uint64_t chosen[POSITIONS_MAX]; // hash of term and payload of what was applied there
    uint64_t chosen_max;
    uint64_t digest_at[POSITIONS_MAX];
    request_end ends[ENDS_MAX];
    uint64_t next_request;
    FILE *trace;
    uint64_t steps;
};

// ---- Time and limits that suit tests ----

static sk_timing cluster_timing(void)
{
    return (sk_timing){.heartbeat_active = 100 * SK_MS,
                       .heartbeat_idle = 500 * SK_MS,
                       .election_min = 1000 * SK_MS,
                       .election_max = 2000 * SK_MS};
}

static sk_limits cluster_limits(void)
{
    return (sk_limits){.window_bytes_max = 1024 * 1024,
                       .message_bytes_max = 16 * 1024,
                       .inflight_bytes_max = 64 * 1024,
                       .inflight_count_max = 16,
                       .pending_max = 1000,
                       .log_entries_max = 100000,
                       .log_bytes_max = 100000000};
}

static void cluster_process(cluster *c, member *m);

static packet *packet_push(packet **list, size_t *count, size_t *capacity)
{
    if (*count == *capacity) {
        *capacity = *capacity ? *capacity * 2 : 64;
        *list = sk_realloc(*list, *capacity * sizeof **list);
    }
    return &(*list)[(*count)++];
}

static sk_slice slice_keep(sk_slice s)
{
    uint8_t *data = sk_alloc(s.size + 1);
    if (s.size) memcpy(data, s.data, s.size);
    return sk_slice_make(data, s.size);
}

static void slice_drop(sk_slice s)
{
    sk_free((void *)(uintptr_t)s.data);
}

static member *cluster_node(cluster *c, sk_node_id id)
{
    assert_true(id >= 1 && id <= c->count);
    return &c->nodes[id];
}

static const sk_raft_replica *raft_of(cluster *c, sk_node_id id)
{
    return (const sk_raft_replica *)(const void *)cluster_node(c, id)->replica;
}

static sk_status status_of(cluster *c, sk_node_id id)
{
    return sk_raft.status(cluster_node(c, id)->replica);
}

// ---- Starting, stopping ----

static void cluster_start(cluster *c, sk_node_id id, bool damaged)
{
    member *m = cluster_node(c, id);
    sk_member members[NODES_MAX];
    for (size_t i = 0; i < c->count; i++) members[i] = (sk_member){.id = (sk_node_id)i + 1, .voter = true};
    sk_setup setup = {
        .self = id,
        .members = members,
        .member_count = c->count,
        .boot = ++m->boot,
        .seed = sk_prng_next(&c->prng),
        .limits = c->limits,
        .timing = c->timing,
        .lease = c->lease,
        .recovery = {.snapshot_position = m->snapshot.position, .snapshot_epoch = m->snapshot.epoch},
        .now = c->now};
    m->replica = sk_raft.open(&setup);
    m->machine = m->snapshot;
    m->durable_number = 0;
    for (size_t i = 0; i < m->disk_count; i++) {
        sk_raft.recover(m->replica, &m->disk[i].record);
        if (m->disk[i].record.number > m->durable_number) m->durable_number = m->disk[i].record.number;
    }
    m->up = true;
    sk_effects_reset(&m->effects);
    sk_raft.start(m->replica, c->now, damaged, &m->effects);
    cluster_process(c, m);
}

static void cluster_open_idle(cluster *c, size_t count, uint64_t seed)
{
    memset(c, 0, sizeof *c);
    c->count = count;
    c->now = 1000 * SK_MS;
    c->latency = SK_MS;
    c->timing = cluster_timing();
    c->limits = cluster_limits();
    sk_prng_init(&c->prng, seed);
    for (size_t i = 1; i <= count; i++) {
        c->nodes[i].id = (sk_node_id)i;
        c->nodes[i].disk_auto = c->nodes[i].fetch_auto = c->nodes[i].snapshot_auto = true;
    }
}

static void cluster_start_all(cluster *c)
{
    for (size_t i = 1; i <= c->count; i++) cluster_start(c, (sk_node_id)i, false);
}

static void cluster_open(cluster *c, size_t count, uint64_t seed)
{
    cluster_open_idle(c, count, seed);
    cluster_start_all(c);
}

static cluster *cluster_new(size_t count, uint64_t seed)
{
    cluster *c = sk_alloc(sizeof *c);
    cluster_open(c, count, seed);
    return c;
}

static cluster *cluster_new_idle(size_t count, uint64_t seed)
{
    cluster *c = sk_alloc(sizeof *c);
    cluster_open_idle(c, count, seed);
    return c;
}

// Records on disk that the kill loses; messages not yet sent are lost with them. keep: how many of the not
// yet durable survive.
static void cluster_kill_keeping(cluster *c, sk_node_id id, size_t keep)
{
    member *m = cluster_node(c, id);
    if (!m->up) return;
    sk_raft.close(m->replica);
    m->replica = NULL;
    m->up = false;
    size_t kept = 0;
    for (size_t i = 0; i < m->disk_count; i++) {
        bool stays = m->disk[i].record.number <= m->durable_number || keep > 0;
        if (m->disk[i].record.number > m->durable_number && keep > 0) keep--;
        if (stays) {
            m->disk[kept++] = m->disk[i];
        } else {
            slice_drop(m->disk[i].record.payload);
        }
    }
    m->disk_count = kept;
    for (size_t i = 0; i < m->held_count; i++) slice_drop(m->held[i].bytes);
    m->held_count = m->fetch_count = 0;
    memset(m->offers, 0, sizeof m->offers);
    m->durable_due = 0;
}

static void cluster_kill(cluster *c, sk_node_id id)
{
    cluster_kill_keeping(c, id, 0);
}

static void cluster_wipe(cluster *c, sk_node_id id)
{
    member *m = cluster_node(c, id);
    assert_false(m->up);
    for (size_t i = 0; i < m->disk_count; i++) slice_drop(m->disk[i].record.payload);
    m->disk_count = 0;
    m->snapshot = (image){0};
}

static void cluster_close(cluster *c)
{
    for (size_t i = 1; i <= c->count; i++) {
        member *m = &c->nodes[i];
        cluster_kill(c, m->id);
        cluster_wipe(c, m->id);
        sk_effects_deinit(&m->effects);
        sk_free(m->disk);
        sk_free(m->held);
    }
    for (size_t i = 0; i < c->packet_count; i++) slice_drop(c->network[i].bytes);
    sk_free(c->network);
    sk_free(c);
}

// ---- Checks over all ----

static void cluster_check(cluster *c, member *m)
{
    sk_raft.check(m->replica);
    sk_status s = sk_raft.status(m->replica);
    if (s.role != SK_ROLE_LEADER) return;
    assert_true(s.epoch < TERMS_MAX);
    if (c->leader_of[s.epoch] && c->leader_of[s.epoch] != m->id) {
        fail_msg("two leaders in term %llu: %u and %u", (unsigned long long)s.epoch, c->leader_of[s.epoch],
                 m->id);
    }
    c->leader_of[s.epoch] = m->id;
}

static void end_request(cluster *c, uint64_t request, request_end end)
{
    assert_true(request > 0 && request < ENDS_MAX);
    assert_int_equal(c->ends[request].kind, END_NONE); // exactly one end
    c->ends[request] = end;
}

static void on_apply_effect(cluster *c, member *m, const sk_effect *e)
{
    assert_int_equal(e->apply.position, m->machine.position + 1);
    assert_true(e->apply.epoch >= m->machine.epoch);
    uint64_t at = e->apply.position;
    assert_true(at < POSITIONS_MAX);
    const void *bytes = e->apply.payload.size ? (const void *)e->apply.payload.data : "";
    uint64_t hash = sk_hash64(e->apply.epoch, bytes, e->apply.payload.size) | 1;
    if (c->chosen[at] && c->chosen[at] != hash) {
        fail_msg("node %u applies another entry at %llu", m->id, (unsigned long long)at);
    }
    c->chosen[at] = hash;
    if (at > c->chosen_max) c->chosen_max = at;
    m->machine.position = at;
    m->machine.epoch = e->apply.epoch;
    if (e->apply.payload.size)
        m->machine.digest = sk_hash_mix(m->machine.digest, sk_hash64(1, bytes, e->apply.payload.size));
    if (c->digest_at[at]) assert_true(c->digest_at[at] == (m->machine.digest | 1));
    c->digest_at[at] = m->machine.digest | 1;
    m->applies++;
    if (e->apply.request)
        end_request(c, e->apply.request, (request_end){.kind = END_APPLIED, .position = at});
}

// ---- Effects ----

static void network_add(cluster *c, sk_node_id from, sk_node_id to, sk_slice bytes)
{
    packet *p = packet_push(&c->network, &c->packet_count, &c->packet_capacity);
    sk_ns jitter = c->jitter ? sk_prng_below(&c->prng, c->jitter) : 0;
    *p = (packet){.id = ++c->packet_id,
                  .from = from,
                  .to = to,
                  .due = c->now + c->latency + jitter,
                  .bytes = slice_keep(bytes)};
    if (c->filter && !c->filter(c, p)) {
        slice_drop(p->bytes);
        c->packet_count--;
    }
}

static void store_record(cluster *c, member *m, const sk_record *record)
{
    uint64_t last = m->disk_count ? m->disk[m->disk_count - 1].record.number : 0;
    assert_true(record->number == last + 1 || m->disk_count == 0);
    if (m->disk_count == m->disk_capacity) {
        m->disk_capacity = m->disk_capacity ? 2 * m->disk_capacity : 64;
        m->disk = sk_realloc(m->disk, m->disk_capacity * sizeof *m->disk);
    }
    m->disk[m->disk_count] = (stored){.record = *record};
    m->disk[m->disk_count++].record.payload = slice_keep(record->payload);
    m->durable_due = c->now + m->disk_latency;
}

static void cluster_process(cluster *c, member *m)
{
    for (size_t i = 0; i < m->effects.count; i++) {
        const sk_effect *e = &m->effects.list[i];
        if (c->trace && e->kind != SK_EFFECT_STATUS) trace_effect(c->trace, m->id, e);
        switch (e->kind) {
        case SK_EFFECT_SEND:
            assert_true(e->send.to >= 1 && e->send.to <= c->count);
            if (e->send.after > m->durable_number) {
                if (m->held_count) assert_true(e->send.after >= m->held[m->held_count - 1].after);
                packet *p = packet_push(&m->held, &m->held_count, &m->held_capacity);
                *p = (packet){.from = m->id,
                              .to = e->send.to,
                              .after = e->send.after,
                              .bytes = slice_keep(e->send.message)};
            } else {
                network_add(c, m->id, e->send.to, e->send.message);
            }
            break;
        case SK_EFFECT_PERSIST:
            store_record(c, m, &e->persist.record);
            break;
        case SK_EFFECT_FETCH:
            assert_true(m->fetch_count < 64 && e->fetch.from <= e->fetch.to);
            m->fetches[m->fetch_count++] = (want){e->fetch.from, e->fetch.to};
            break;
        case SK_EFFECT_APPLY:
            on_apply_effect(c, m, e);
            break;
        case SK_EFFECT_QUERY:
            assert_true(e->query.position <= m->machine.position);
            end_request(c, e->query.request,
                        (request_end){
                            .kind = END_QUERIED, .position = e->query.position, .digest = m->machine.digest});
            break;
        case SK_EFFECT_REFUSE:
            end_request(c, e->refuse.request,
                        (request_end){.kind = END_REFUSED, .why = e->refuse.why, .leader = e->refuse.leader});
            break;
        case SK_EFFECT_SNAPSHOT_WANTED:
            m->snapshots_wanted++;
            break;
        case SK_EFFECT_SNAPSHOT_OFFERED:
            m->snapshots_offered++;
            assert_true(e->snapshot_offered.at_least > 0);
            m->offers[e->snapshot_offered.to] = e->snapshot_offered.at_least;
            break;
        case SK_EFFECT_ANSWER: // a mergeable replica's
        case SK_EFFECT_STATUS:
            m->statuses++;
            break;
        }
    }
    cluster_check(c, m);
}

static void cluster_step(cluster *c, sk_node_id id, sk_event event)
{
    member *m = cluster_node(c, id);
    if (!m->up) return;
    event.now = c->now;
    c->steps++;
    sk_effects_reset(&m->effects);
    sk_raft.step(m->replica, &event, &m->effects);
    cluster_process(c, m);
}

// ---- By hand ----

static void cluster_tick(cluster *c, sk_node_id id)
{
    cluster_step(c, id, (sk_event){.kind = SK_EVENT_TICK});
}

// Ticks as long as the replica asks for it, as a node does at the end of its turn.
static bool cluster_turn(cluster *c, sk_node_id id)
{
    member *m = cluster_node(c, id);
    bool any = false;
    for (int i = 0; m->up && sk_raft.deadline(m->replica) <= c->now; i++) {
        assert_true(i < 100); // else it never sleeps
        cluster_tick(c, id);
        any = true;
    }
    return any;
}

static void cluster_durable_upto(cluster *c, sk_node_id id, uint64_t number)
{
    member *m = cluster_node(c, id);
    if (!m->up || number <= m->durable_number) return;
    m->durable_number = number;
    size_t gone = 0;
    while (gone < m->held_count && m->held[gone].after <= number) {
        network_add(c, id, m->held[gone].to, m->held[gone].bytes);
        slice_drop(m->held[gone].bytes);
        gone++;
    }
    if (gone) memmove(m->held, m->held + gone, (m->held_count - gone) * sizeof *m->held);
    m->held_count -= gone;
    cluster_step(c, id, (sk_event){.kind = SK_EVENT_DURABLE, .durable.number = number});
}

static void cluster_durable(cluster *c, sk_node_id id)
{
    member *m = cluster_node(c, id);
    m->durable_due = 0;
    if (m->disk_count) cluster_durable_upto(c, id, m->disk[m->disk_count - 1].record.number);
}

static void cluster_receive(cluster *c, sk_node_id to, sk_node_id from, sk_slice bytes)
{
    cluster_step(c, to, (sk_event){.kind = SK_EVENT_RECEIVE, .receive.from = from, .receive.message = bytes});
}

// A message made by hand.
static void cluster_inject(cluster *c, sk_node_id to, sk_node_id from, const sk_raft_message *message)
{
    sk_arena arena = {0};
    cluster_receive(c, to, from, sk_raft_message_encode(&arena, message));
    sk_arena_deinit(&arena);
}

static packet network_take(cluster *c, size_t i)
{
    packet p = c->network[i];
    memmove(c->network + i, c->network + i + 1, (c->packet_count - i - 1) * sizeof *c->network);
    c->packet_count--;
    return p;
}

static void cluster_deliver(cluster *c, size_t i)
{
    packet p = network_take(c, i);
    if (!c->cut[p.from][p.to]) cluster_receive(c, p.to, p.from, p.bytes);
    slice_drop(p.bytes);
}

static void cluster_drop_all(cluster *c)
{
    while (c->packet_count) slice_drop(network_take(c, 0).bytes);
}

static void cluster_drop(cluster *c, sk_node_id from, sk_node_id to)
{
    for (size_t i = c->packet_count; i > 0; i--) {
        const packet *p = &c->network[i - 1];
        if ((from == 0 || p->from == from) && (to == 0 || p->to == to))
            slice_drop(network_take(c, i - 1).bytes);
    }
}

static sk_raft_message packet_message(const packet *p)
{
    sk_raft_message message;
    assert_true(sk_raft_message_decode(p->bytes, &message));
    return message;
}

// The first waiting message of that kind between these two (0: anybody), or NULL.
static packet *cluster_find(cluster *c, sk_node_id from, sk_node_id to, enum sk_raft_kind kind)
{
    for (size_t i = 0; i < c->packet_count; i++) {
        packet *p = &c->network[i];
        if (from && p->from != from) continue;
        if (to && p->to != to) continue;
        if (packet_message(p).kind == kind) return p;
    }
    return NULL;
}

static size_t cluster_count(cluster *c, sk_node_id from, sk_node_id to, enum sk_raft_kind kind)
{
    size_t count = 0;
    for (size_t i = 0; i < c->packet_count; i++) {
        const packet *p = &c->network[i];
        count += (!from || p->from == from) && (!to || p->to == to) && packet_message(p).kind == kind;
    }
    return count;
}

static bool cluster_deliver_kind(cluster *c, sk_node_id from, sk_node_id to, enum sk_raft_kind kind)
{
    packet *p = cluster_find(c, from, to, kind);
    if (!p) return false;
    cluster_deliver(c, (size_t)(p - c->network));
    return true;
}

static void cluster_answer_fetch(cluster *c, sk_node_id id, int error)
{
    member *m = cluster_node(c, id);
    if (!m->up || !m->fetch_count) return;
    want w = m->fetches[0];
    memmove(m->fetches, m->fetches + 1, (m->fetch_count - 1) * sizeof *m->fetches);
    m->fetch_count--;
    m->fetches_answered++;
    sk_record list[8];
    size_t count = 0;
    for (uint64_t at = w.from; at <= w.to && count < 8; at++) {
        const sk_record *found = NULL; // the last one written there
        for (size_t i = 0; i < m->disk_count; i++) {
            const sk_record *r = &m->disk[i].record;
            if (r->number > m->durable_number) break;
            if (r->kind == SK_RECORD_ENTRY && r->position == at) found = r;
        }
        if (!found) break;
        list[count++] = *found;
    }
    if (!count && !error) error = SK_ECOMPACTED;
    cluster_step(
        c, id,
        (sk_event){.kind = SK_EVENT_RECORDS,
                   .records = {.from = w.from, .list = list, .count = error ? 0 : count, .error = error}});
}

static void cluster_take_snapshot(cluster *c, sk_node_id id)
{
    member *m = cluster_node(c, id);
    m->snapshot = m->machine;
    cluster_step(c, id,
                 (sk_event){.kind = SK_EVENT_SNAPSHOT_TAKEN,
                            .snapshot = {.position = m->snapshot.position, .epoch = m->snapshot.epoch}});
}

static void cluster_install(cluster *c, sk_node_id to, image from)
{
    member *m = cluster_node(c, to);
    if (!m->up || from.position <= m->machine.position) return;
    m->snapshot = m->machine = from;
    m->installs++;
    cluster_step(c, to,
                 (sk_event){.kind = SK_EVENT_SNAPSHOT_RECEIVED,
                            .snapshot = {.position = from.position, .epoch = from.epoch}});
}

static void cluster_snapshot_sent(cluster *c, sk_node_id id, sk_node_id peer, image sent, bool ok)
{
    cluster_step(
        c, id,
        (sk_event){.kind = SK_EVENT_SNAPSHOT_SENT,
                   .snapshot = {.position = sent.position, .epoch = sent.epoch, .peer = peer, .ok = ok}});
}

// The snapshot offered to `to` goes over whole, or not at all.
static void cluster_transfer(cluster *c, sk_node_id id, sk_node_id to)
{
    member *m = cluster_node(c, id);
    uint64_t at_least = m->offers[to];
    m->offers[to] = 0;
    if (m->snapshot.position < at_least) cluster_take_snapshot(c, id);
    bool ok =
        m->snapshot.position >= at_least && cluster_node(c, to)->up && !c->cut[id][to] && !c->cut[to][id];
    image sent = m->snapshot;
    if (ok) cluster_install(c, to, sent);
    cluster_snapshot_sent(c, id, to, sent, ok);
}

static uint64_t cluster_submit(cluster *c, sk_node_id id, const char *text)
{
    uint64_t request = ++c->next_request;
    cluster_step(
        c, id,
        (sk_event){.kind = SK_EVENT_SUBMIT, .submit = {.request = request, .command = sk_slice_text(text)}});
    return request;
}

static uint64_t cluster_read(cluster *c, sk_node_id id)
{
    uint64_t request = ++c->next_request;
    cluster_step(c, id, (sk_event){.kind = SK_EVENT_READ, .read.request = request});
    return request;
}

static void cluster_link(cluster *c, sk_node_id id, sk_node_id peer, bool up)
{
    cluster_step(c, id, (sk_event){.kind = SK_EVENT_LINK, .link = {.peer = peer, .up = up}});
}

// ---- By time ----

// All that is due now: disks, fetches, snapshots, messages, ticks, until nothing is.
static void cluster_settle(cluster *c)
{
    for (int rounds = 0;; rounds++) {
        assert_true(rounds < 10000);
        bool any = false;
        for (sk_node_id id = 1; id <= c->count; id++) {
            member *m = &c->nodes[id];
            if (!m->up) continue;
            any |= cluster_turn(c, id);
            if (m->disk_auto && m->durable_due && m->durable_due <= c->now) {
                cluster_durable(c, id);
                any = true;
            }
            if (m->fetch_auto && m->fetch_count) {
                cluster_answer_fetch(c, id, 0);
                any = true;
            }
            for (sk_node_id to = 1; m->snapshot_auto && to <= c->count; to++) {
                if (!m->offers[to]) continue;
                cluster_transfer(c, id, to);
                any = true;
            }
        }
        for (size_t i = 0; i < c->packet_count;) {
            if (c->network[i].due > c->now) {
                i++;
                continue;
            }
            any = true;
            if (c->loss && sk_prng_chance(&c->prng, c->loss, 1000)) {
                slice_drop(network_take(c, i).bytes);
                continue;
            }
            if (c->duplicate && sk_prng_chance(&c->prng, c->duplicate, 1000)) {
                const packet p = c->network[i];
                network_add(c, p.from, p.to, p.bytes);
            }
            cluster_deliver(c, i);
        }
        if (!any) return;
    }
}

static sk_ns cluster_next(cluster *c)
{
    sk_ns at = SK_NEVER;
    for (sk_node_id id = 1; id <= c->count; id++) {
        const member *m = &c->nodes[id];
        if (!m->up) continue;
        at = sk_raft_earlier(at, sk_raft.deadline(m->replica));
        if (m->disk_auto && m->durable_due) at = sk_raft_earlier(at, m->durable_due);
    }
    for (size_t i = 0; i < c->packet_count; i++) at = sk_raft_earlier(at, c->network[i].due);
    return at;
}

static void cluster_run(cluster *c, sk_ns duration)
{
    sk_ns end = c->now + duration;
    for (;;) {
        cluster_settle(c);
        sk_ns next = cluster_next(c);
        if (next > end) break;
        c->now = next > c->now ? next : c->now;
    }
    c->now = end;
}

// The node that leads the highest term, if it is up; 0 if nobody does.
static sk_node_id cluster_leader(cluster *c)
{
    sk_node_id leader = 0;
    uint64_t term = 0;
    for (sk_node_id id = 1; id <= c->count; id++) {
        if (!c->nodes[id].up) continue;
        sk_status s = status_of(c, id);
        if (s.role == SK_ROLE_LEADER && s.epoch > term) {
            term = s.epoch;
            leader = id;
        }
    }
    return leader;
}

static sk_node_id cluster_elect(cluster *c)
{
    for (int i = 0; i < 200; i++) {
        cluster_run(c, 100 * SK_MS);
        sk_node_id leader = cluster_leader(c);
        if (leader && status_of(c, leader).committed >= raft_of(c, leader)->term_start) return leader;
    }
    fail_msg("no leader after 20 s");
    return 0;
}

// `id` becomes leader now: its timer is brought forward, everybody else's patience stays as it is.
static void cluster_campaign(cluster *c, sk_node_id id)
{
    sk_raft_replica *raft = (sk_raft_replica *)(void *)cluster_node(c, id)->replica;
    raft->election_at = c->now;
}

static sk_raft_replica *raft_inside(cluster *c, sk_node_id id)
{
    return (sk_raft_replica *)(void *)cluster_node(c, id)->replica;
}

// All loyalty runs out, then `id` alone stands.
static void cluster_make_leader(cluster *c, sk_node_id id)
{
    c->now += 2 * c->timing.election_max + 2 * c->timing.heartbeat_idle;
    for (sk_node_id other = 1; other <= c->count; other++) {
        if (!c->nodes[other].up || other == id) continue;
        sk_raft_replica *raft = raft_inside(c, other);
        if (raft->role == SK_RAFT_LEADER) {
            cluster_turn(c, other); // check-quorum
        }
        raft->election_at = c->now + 100 * c->timing.election_max;
    }
    cluster_campaign(c, id);
    cluster_settle(c);
    assert_int_equal(status_of(c, id).role, SK_ROLE_LEADER);
}

// Three or five nodes in the hand: no latency, disks at once, nobody stands unless asked.
static cluster *lab_new(size_t count)
{
    cluster *c = cluster_new_idle(count, 1);
    c->latency = 0;
    cluster_start_all(c);
    for (sk_node_id id = 1; id <= count; id++) raft_inside(c, id)->election_at = c->now + 1000 * SK_S;
    return c;
}

// Disk and messages of every node wait for us from here on.
static void lab_freeze(cluster *c)
{
    for (sk_node_id id = 1; id <= c->count; id++) c->nodes[id].disk_auto = false;
}

static void cluster_isolate(cluster *c, sk_node_id id, bool cut)
{
    for (sk_node_id other = 1; other <= c->count; other++) {
        if (other != id) c->cut[id][other] = c->cut[other][id] = cut;
    }
}

static void cluster_heal(cluster *c)
{
    memset(c->cut, 0, sizeof c->cut);
}

#endif
