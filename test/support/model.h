// Exhaustive runs of a real protocol in a tiny cluster: every order of message delivery, loss, duplication, timeout, crash and
// disk completion within stated budgets, over protocol.h alone, so that every consensus protocol runs it unchanged.
//
// Breadth first: a state is known by its fingerprint (replicas, disks, network, history, budgets left) and reached again by
// replaying its path from the start, so a violation's path is a shortest one and is its own reproduction. Each node has its own
// clock, which only moves when that node times out: all relative speeds are covered, no timing assumption is made.
// Symmetry: at the start the nodes are alike, so of those that nothing has happened to yet only the first may act or crash.
//
// The three properties of consensus are named checks, which every protocol runs (`model_properties`):
//   agreement    no two nodes apply different entries at one position, now or ever
//   validity     what is applied was submitted (or is the protocol's own empty entry)
//   termination  from any state reached (a sample of them), with no more faults, fair delivery and time, whatever is submitted
//                next is applied everywhere
// and three more: positions are applied in order; one leader an epoch; what an origin was told is applied is on the disks of a
// majority. A run says how often it checked each; one that never came to check one of the first three shows nothing of it.
#ifndef TEST_SUPPORT_MODEL_H
#define TEST_SUPPORT_MODEL_H

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include "base/alloc.h"
#include "base/hash.h"
#include "base/ring.h"
#include "protocol/protocol.h"

enum { MODEL_NODES_MAX = 5, MODEL_PATH_MAX = 64, MODEL_NETWORK_MAX = 64, MODEL_POSITIONS = 32, MODEL_EPOCHS = 32 };

enum model_action { MODEL_DELIVER, MODEL_DUPLICATE, MODEL_DROP, MODEL_TIMEOUT, MODEL_DISK, MODEL_CRASH, MODEL_SUBMIT, MODEL_ACTIONS };

static const char *const model_action_names[] = {"deliver", "duplicate", "drop", "timeout", "disk", "crash", "submit"};

typedef struct model_budget {
    uint8_t timeouts, crashes, submits, drops, duplicates;
} model_budget;

typedef struct model_limits {
    const sk_protocol *protocol;
    size_t nodes;
    model_budget budget;
    size_t depth_max;
    size_t network_max; // a state with more messages under way is not expanded
    double seconds;
    uint64_t states_max;
    uint32_t fair_every; // termination is tried from every so many-th new state
    bool led;            // begin with a leader elected and one entry of it applied everywhere
} model_limits;

typedef struct model_step {
    uint8_t action;
    uint8_t index; // of the message or node
} model_step;

typedef struct model_packet {
    sk_node_id from, to;
    uint64_t after; // held at its sender; 0: in the network
    sk_slice bytes;
} model_packet;

typedef struct model_node {
    sk_replica *replica;
    sk_effects out;
    sk_ns now;
    uint64_t boot;
    bool touched;
    sk_record *disk; // all persisted; the first `durable` survive a crash
    size_t count, capacity, durable;
    uint64_t applied;
    model_packet held[MODEL_NETWORK_MAX];
    size_t held_count;
} model_node;

enum model_property {
    MODEL_AGREEMENT,
    MODEL_VALIDITY,
    MODEL_TERMINATION,
    MODEL_ORDER,
    MODEL_ONE_LEADER,
    MODEL_DURABLE,
    MODEL_PROPERTIES
};

static const char *const model_properties[] = {"agreement", "validity", "termination", "order", "one leader an epoch",
                                               "durable before answered"};

typedef struct model_sometimes {
    uint64_t checked[MODEL_PROPERTIES];
    uint64_t elected, elected_again, committed, truncated, crashed_leader, acknowledged, refused;
} model_sometimes;

typedef struct model_world {
    const model_limits *limits;
    model_node nodes[MODEL_NODES_MAX + 1]; // by id
    model_packet network[MODEL_NETWORK_MAX * 2];
    size_t network_count;
    model_budget left;
    uint64_t submitted;
    uint64_t chosen[MODEL_POSITIONS]; // hash of epoch and payload ever applied there; 0: none
    sk_node_id leader_of[MODEL_EPOCHS];
    const char *violation;
    char detail[160];
    model_sometimes *sometimes;
} model_world;

// ---- The world ----

// One check of a property. False: it does not hold, and the world says so from here on (the first time counts).
static bool model_require(model_world *world, enum model_property property, bool holds, const char *format, ...)
{
    world->sometimes->checked[property]++;
    if (holds || world->violation) return holds;
    world->violation = model_properties[property];
    va_list list;
    va_start(list, format);
    vsnprintf(world->detail, sizeof world->detail, format, list);
    va_end(list);
    return false;
}

static sk_slice model_copy(sk_slice bytes)
{
    uint8_t *copy = sk_alloc(bytes.size);
    if (bytes.size) memcpy(copy, bytes.data, bytes.size);
    return sk_slice_make(copy, bytes.size);
}

static uint64_t model_entry_hash(uint64_t epoch, sk_slice payload)
{
    return sk_hash_mix(sk_hash64(epoch, payload.data, payload.size), 1) | 1;
}

static void model_persist(model_node *node, const sk_record *record)
{
    if (node->count == node->capacity) {
        node->capacity = node->capacity ? node->capacity * 2 : 16;
        node->disk = sk_realloc(node->disk, node->capacity * sizeof *node->disk);
    }
    node->disk[node->count] = *record;
    node->disk[node->count++].payload = model_copy(record->payload);
}

static void model_put(model_world *world, sk_node_id from, sk_node_id to, sk_slice bytes)
{
    if (world->network_count == sizeof world->network / sizeof *world->network) return; // a loss
    world->network[world->network_count++] = (model_packet){.from = from, .to = to, .bytes = model_copy(bytes)};
}

// Is this entry, as applied, on the surviving part of this node's disk?
static bool model_has(const model_node *node, uint64_t position, uint64_t hash)
{
    bool has = false;
    for (size_t i = 0; i < node->durable; i++) {
        const sk_record *record = &node->disk[i];
        if (record->kind == SK_RECORD_TRUNCATE && record->position <= position) has = false;
        if (record->kind != SK_RECORD_ENTRY || record->position > position) continue;
        has = record->position == position && model_entry_hash(record->epoch, record->payload) == hash;
    }
    return has;
}

static void model_check_durable(model_world *world, uint64_t position, uint64_t hash)
{
    size_t holders = 0;
    for (size_t id = 1; id <= world->limits->nodes; id++) holders += model_has(&world->nodes[id], position, hash);
    model_require(world, MODEL_DURABLE, holders * 2 > world->limits->nodes, "position %llu is on %zu disks",
                  (unsigned long long)position, holders);
}

// Consensus, 1: whatever was ever applied at this position is what is applied now.
static void model_check_agreement(model_world *world, sk_node_id id, uint64_t position, uint64_t hash)
{
    uint64_t *chosen = &world->chosen[position];
    model_require(world, MODEL_AGREEMENT, !*chosen || *chosen == hash, "node %u applied another entry at %llu", id,
                  (unsigned long long)position);
    *chosen = hash;
}

// Consensus, 2: commands are one byte, the number of their submission; a protocol may add empty entries.
static void model_check_validity(model_world *world, sk_node_id id, sk_slice payload)
{
    bool known = payload.size == 0 || (payload.size == 1 && payload.data[0] >= 1 && payload.data[0] <= world->submitted);
    model_require(world, MODEL_VALIDITY, known, "node %u applied what nobody submitted", id);
}

static void model_apply(model_world *world, sk_node_id id, const sk_effect *effect)
{
    model_node *node = &world->nodes[id];
    uint64_t position = effect->apply.position;
    sk_slice payload = effect->apply.payload;
    model_require(world, MODEL_ORDER, position == node->applied + 1, "node %u applied %llu", id, (unsigned long long)position);
    node->applied = position;
    if (position >= MODEL_POSITIONS) return;
    uint64_t hash = model_entry_hash(effect->apply.epoch, payload);
    model_check_agreement(world, id, position, hash);
    model_check_validity(world, id, payload);
    world->sometimes->committed++;
    if (effect->apply.request) {
        world->sometimes->acknowledged++;
        model_check_durable(world, position, hash);
    }
}

static void model_step_replica(model_world *world, sk_node_id id, sk_event *event);

static void model_effects(model_world *world, sk_node_id id)
{
    model_node *node = &world->nodes[id];
    for (size_t i = 0; i < node->out.count; i++) {
        const sk_effect *effect = &node->out.list[i];
        switch (effect->kind) {
        case SK_EFFECT_SEND:
            if (effect->send.after && node->disk && (node->durable == 0 || node->disk[node->durable - 1].number < effect->send.after)) {
                if (node->held_count < MODEL_NETWORK_MAX)
                    node->held[node->held_count++] = (model_packet){
                        .from = id, .to = effect->send.to, .after = effect->send.after, .bytes = model_copy(effect->send.message)};
            } else {
                model_put(world, id, effect->send.to, effect->send.message);
            }
            break;
        case SK_EFFECT_PERSIST:
            world->sometimes->truncated += effect->persist.record.kind == SK_RECORD_TRUNCATE;
            if (effect->persist.record.kind == SK_RECORD_ENTRY && node->count)
                for (size_t k = 0; k < node->count; k++)
                    if (node->disk[k].kind == SK_RECORD_ENTRY && node->disk[k].position == effect->persist.record.position) {
                        world->sometimes->truncated++;
                        break;
                    }
            model_persist(node, &effect->persist.record);
            break;
        case SK_EFFECT_APPLY: model_apply(world, id, effect); break;
        case SK_EFFECT_REFUSE: world->sometimes->refused++; break;
        case SK_EFFECT_STATUS: {
            sk_status status = world->limits->protocol->status(node->replica);
            if (status.role != SK_ROLE_LEADER || status.epoch >= MODEL_EPOCHS) break;
            sk_node_id *leader = &world->leader_of[status.epoch];
            model_require(world, MODEL_ONE_LEADER, !*leader || *leader == id, "%u and %u in %llu", *leader, id,
                          (unsigned long long)status.epoch);
            if (!*leader) world->sometimes->elected++;
            if (!*leader && status.epoch > 1) world->sometimes->elected_again++;
            *leader = id;
            break;
        }
        default: break; // snapshots and reading back stay out of these small runs
        }
    }
}

static void model_step_replica(model_world *world, sk_node_id id, sk_event *event)
{
    model_node *node = &world->nodes[id];
    event->now = node->now;
    sk_effects_reset(&node->out);
    world->limits->protocol->step(node->replica, event, &node->out);
    world->limits->protocol->check(node->replica);
    model_effects(world, id);
}

// The end of a turn: whatever is due now.
static void model_settle(model_world *world, sk_node_id id)
{
    model_node *node = &world->nodes[id];
    for (int i = 0; i < 8 && world->limits->protocol->deadline(node->replica) <= node->now; i++) {
        model_step_replica(world, id, &(sk_event){.kind = SK_EVENT_TICK});
    }
}

static void model_open(model_world *world, sk_node_id id)
{
    model_node *node = &world->nodes[id];
    sk_member members[MODEL_NODES_MAX];
    for (size_t i = 0; i < world->limits->nodes; i++) members[i] = (sk_member){.id = (sk_node_id)i + 1, .voter = true};
    sk_setup setup = {.self = id,
                      .members = members,
                      .member_count = world->limits->nodes,
                      .boot = ++node->boot,
                      .seed = 1,
                      .limits = {.window_bytes_max = 1 << 20, .message_bytes_max = 1 << 16, .inflight_bytes_max = 1 << 20,
                                 .inflight_count_max = 8, .pending_max = 16, .log_entries_max = 1000, .log_bytes_max = 1 << 20},
                      .timing = {.heartbeat_active = 100 * SK_MS, .heartbeat_idle = 100 * SK_MS, .election_min = 300 * SK_MS,
                                 .election_max = 300 * SK_MS},
                      .now = node->now};
    const sk_protocol *protocol = world->limits->protocol;
    node->replica = protocol->open(&setup);
    node->applied = 0;
    for (size_t i = 0; i < node->count; i++) protocol->recover(node->replica, &node->disk[i]);
    sk_effects_reset(&node->out);
    protocol->start(node->replica, node->now, false, &node->out);
    model_effects(world, id);
    for (size_t peer = 1; peer <= world->limits->nodes; peer++) {
        if (peer == id) continue;
        model_step_replica(world, id, &(sk_event){.kind = SK_EVENT_LINK, .link = {.peer = (sk_node_id)peer, .up = true}});
    }
}

static void model_drop_packets(model_packet *list, size_t count)
{
    for (size_t i = 0; i < count; i++) sk_free((void *)(uintptr_t)list[i].bytes.data);
}

static void model_crash(model_world *world, sk_node_id id)
{
    model_node *node = &world->nodes[id];
    if (world->limits->protocol->status(node->replica).role == SK_ROLE_LEADER) world->sometimes->crashed_leader++;
    world->limits->protocol->close(node->replica);
    while (node->count > node->durable) sk_free((void *)(uintptr_t)node->disk[--node->count].payload.data);
    model_drop_packets(node->held, node->held_count);
    node->held_count = 0;
    model_open(world, id);
}

static void model_disk(model_world *world, sk_node_id id)
{
    model_node *node = &world->nodes[id];
    node->durable = node->count;
    uint64_t number = node->disk[node->count - 1].number;
    size_t kept = 0;
    for (size_t i = 0; i < node->held_count; i++) {
        model_packet *packet = &node->held[i];
        if (packet->after > number) {
            node->held[kept++] = *packet;
            continue;
        }
        model_put(world, id, packet->to, packet->bytes);
        sk_free((void *)(uintptr_t)packet->bytes.data);
    }
    node->held_count = kept;
    model_step_replica(world, id, &(sk_event){.kind = SK_EVENT_DURABLE, .durable.number = number});
}

static void model_deliver(model_world *world, size_t index, bool keep)
{
    model_packet packet = world->network[index];
    if (keep) packet.bytes = model_copy(packet.bytes);
    else world->network[index] = world->network[--world->network_count];
    model_step_replica(world, packet.to,
                       &(sk_event){.kind = SK_EVENT_RECEIVE, .receive = {.from = packet.from, .message = packet.bytes}});
    sk_free((void *)(uintptr_t)packet.bytes.data);
    world->nodes[packet.to].touched = true;
    model_settle(world, packet.to);
}

static void model_submit(model_world *world, sk_node_id id)
{
    uint8_t payload = (uint8_t)++world->submitted;
    model_step_replica(world, id, &(sk_event){.kind = SK_EVENT_SUBMIT,
                                              .submit = {.request = payload, .command = sk_slice_make(&payload, 1)}});
}

static void model_act(model_world *world, model_step step)
{
    switch (step.action) {
    case MODEL_DELIVER: model_deliver(world, step.index, false); return;
    case MODEL_DUPLICATE:
        world->left.duplicates--;
        model_deliver(world, step.index, true);
        return;
    case MODEL_DROP:
        world->left.drops--;
        sk_free((void *)(uintptr_t)world->network[step.index].bytes.data);
        world->network[step.index] = world->network[--world->network_count];
        return;
    default: break;
    }
    model_node *node = &world->nodes[step.index];
    node->touched = true;
    switch (step.action) {
    case MODEL_TIMEOUT: {
        world->left.timeouts--;
        sk_ns at = world->limits->protocol->deadline(node->replica);
        if (at > node->now) node->now = at;
        break;
    }
    case MODEL_DISK: model_disk(world, step.index); break;
    case MODEL_CRASH:
        world->left.crashes--;
        model_crash(world, step.index);
        break;
    case MODEL_SUBMIT:
        world->left.submits--;
        model_submit(world, step.index);
        break;
    default: abort();
    }
    model_settle(world, step.index);
}

static void model_fair(model_world *world, uint32_t rounds);

static bool model_all_applied(const model_world *world, uint64_t position)
{
    for (size_t id = 1; id <= world->limits->nodes; id++) {
        if (world->nodes[id].applied < position) return false;
    }
    return true;
}

// Fairly to a leader and an entry; then the exploring begins.
static void model_prelude(model_world *world)
{
    for (int i = 0; i < 100 && !model_all_applied(world, 1); i++) model_fair(world, 1);
    for (size_t id = 1; id <= world->limits->nodes; id++) {
        world->nodes[id].touched = true;
        if (world->limits->protocol->status(world->nodes[id].replica).role != SK_ROLE_LEADER) continue;
        model_submit(world, (sk_node_id)id);
        model_settle(world, (sk_node_id)id);
    }
    for (int i = 0; i < 100 && !model_all_applied(world, 2); i++) model_fair(world, 1);
    model_require(world, MODEL_TERMINATION, model_all_applied(world, 2), "no leader at the beginning");
}

static void model_world_open(model_world *world, const model_limits *limits, model_sometimes *sometimes)
{
    memset(world, 0, sizeof *world);
    world->limits = limits;
    world->left = limits->budget;
    world->sometimes = sometimes;
    for (size_t id = 1; id <= limits->nodes; id++) {
        world->nodes[id].now = SK_S;
        model_open(world, (sk_node_id)id);
    }
    if (limits->led) model_prelude(world);
}

static void model_world_close(model_world *world)
{
    for (size_t id = 1; id <= world->limits->nodes; id++) {
        model_node *node = &world->nodes[id];
        world->limits->protocol->close(node->replica);
        for (size_t i = 0; i < node->count; i++) sk_free((void *)(uintptr_t)node->disk[i].payload.data);
        sk_free(node->disk);
        model_drop_packets(node->held, node->held_count);
        sk_effects_deinit(&node->out);
    }
    model_drop_packets(world->network, world->network_count);
}

static uint64_t model_packets_hash(const model_packet *list, size_t count)
{
    uint64_t sum = 0; // a network is a bag: order does not count
    for (size_t i = 0; i < count; i++) {
        uint64_t hash = sk_hash64(list[i].from * 256 + list[i].to, list[i].bytes.data, list[i].bytes.size);
        sum += sk_hash_mix(hash, list[i].after);
    }
    return sum;
}

static uint64_t model_fingerprint(const model_world *world)
{
    uint64_t hash = sk_hash64(1, &world->left, sizeof world->left);
    for (size_t id = 1; id <= world->limits->nodes; id++) {
        const model_node *node = &world->nodes[id];
        hash = sk_hash_mix(hash, world->limits->protocol->fingerprint(node->replica));
        hash = sk_hash_mix(hash, node->boot << 32 | (node->count - node->durable) << 16 | node->applied);
        for (size_t i = 0; i < node->count; i++) {
            const sk_record *record = &node->disk[i];
            hash = sk_hash_mix(hash, record->position << 32 ^ record->epoch << 8 ^ record->kind);
            hash = sk_hash64(hash, record->payload.data, record->payload.size);
        }
        hash = sk_hash_mix(hash, model_packets_hash(node->held, node->held_count));
    }
    hash = sk_hash_mix(hash, model_packets_hash(world->network, world->network_count));
    hash = sk_hash64(hash, world->chosen, sizeof world->chosen);
    return sk_hash64(hash, world->leader_of, sizeof world->leader_of);
}

// ---- Termination: no more faults, fair delivery, time for all ----

static void model_fair(model_world *world, uint32_t rounds)
{
    for (uint32_t i = 0; i < rounds && !world->violation; i++) {
        size_t count = world->network_count;
        for (size_t k = 0; k < count && world->network_count; k++) model_deliver(world, 0, false);
        for (size_t id = 1; id <= world->limits->nodes; id++) {
            if (world->nodes[id].count > world->nodes[id].durable) {
                model_disk(world, (sk_node_id)id);
                model_settle(world, (sk_node_id)id);
            }
        }
        if (world->network_count) continue;
        // Quiet: time goes on, at speeds that differ a little, as clocks' do: equal timeouts would tie for ever.
        sk_ns wait = SK_NEVER;
        for (size_t id = 1; id <= world->limits->nodes; id++) {
            const model_node *node = &world->nodes[id];
            sk_ns at = world->limits->protocol->deadline(node->replica);
            if (at == SK_NEVER) continue;
            sk_ns left = at > node->now ? (at - node->now) / (10 - id) * 10 + 10 : 0;
            if (left < wait) wait = left;
        }
        if (wait == SK_NEVER) return;
        for (size_t id = 1; id <= world->limits->nodes; id++) {
            world->nodes[id].now += wait / 10 * (10 - id);
            model_settle(world, (sk_node_id)id);
        }
    }
}

// Consensus, 3: everybody comes to have what is submitted now.
static void model_check_termination(model_world *world)
{
    model_fair(world, 400);
    for (size_t id = 1; id <= world->limits->nodes && !world->violation; id++) {
        if (world->limits->protocol->status(world->nodes[id].replica).role != SK_ROLE_LEADER) continue;
        model_submit(world, (sk_node_id)id);
        model_settle(world, (sk_node_id)id);
        model_fair(world, 100);
        uint64_t applied = world->nodes[id].applied;
        if (applied == 0) break;
        for (size_t other = 1; other <= world->limits->nodes; other++) {
            model_require(world, MODEL_TERMINATION, world->nodes[other].applied == applied, "node %zu applied %llu of %llu", other,
                          (unsigned long long)world->nodes[other].applied, (unsigned long long)applied);
        }
        return;
    }
    model_require(world, MODEL_TERMINATION, false, "no leader that commits after a long fair run");
}

// ---- Breadth first ----

typedef struct model_path {
    uint8_t count;
    model_step steps[MODEL_PATH_MAX];
} model_path;

typedef struct model_set {
    uint64_t *slots;
    size_t capacity, count;
} model_set;

static bool model_set_add(model_set *set, uint64_t hash)
{
    if ((set->count + 1) * 3 > set->capacity * 2) {
        model_set bigger = {.capacity = set->capacity ? set->capacity * 2 : 1 << 16};
        bigger.slots = sk_alloc_zeroed(bigger.capacity * sizeof *bigger.slots);
        for (size_t i = 0; i < set->capacity; i++) {
            if (set->slots[i]) model_set_add(&bigger, set->slots[i]);
        }
        sk_free(set->slots);
        *set = bigger;
    }
    if (!hash) hash = 1;
    size_t at = (size_t)(hash * 0x9E3779B97F4A7C15u >> 20) & (set->capacity - 1);
    while (set->slots[at]) {
        if (set->slots[at] == hash) return false;
        at = (at + 1) & (set->capacity - 1);
    }
    set->slots[at] = hash;
    set->count++;
    return true;
}

static size_t model_choices(const model_world *world, model_step *out)
{
    size_t count = 0;
    size_t network = world->network_count < MODEL_NETWORK_MAX ? world->network_count : MODEL_NETWORK_MAX;
    for (size_t i = 0; i < network; i++) {
        out[count++] = (model_step){MODEL_DELIVER, (uint8_t)i};
        if (world->left.drops) out[count++] = (model_step){MODEL_DROP, (uint8_t)i};
        if (world->left.duplicates) out[count++] = (model_step){MODEL_DUPLICATE, (uint8_t)i};
    }
    bool untouched = false;
    for (size_t id = 1; id <= world->limits->nodes; id++) {
        const model_node *node = &world->nodes[id];
        if (!node->touched) {
            if (untouched) continue; // alike: the first of them stands for all
            untouched = true;
        }
        sk_ns at = world->limits->protocol->deadline(node->replica);
        if (world->left.timeouts && at != SK_NEVER) out[count++] = (model_step){MODEL_TIMEOUT, (uint8_t)id};
        if (node->count > node->durable) out[count++] = (model_step){MODEL_DISK, (uint8_t)id};
        if (world->left.crashes && node->count) out[count++] = (model_step){MODEL_CRASH, (uint8_t)id};
        if (world->left.submits && world->limits->protocol->status(node->replica).role == SK_ROLE_LEADER)
            out[count++] = (model_step){MODEL_SUBMIT, (uint8_t)id};
    }
    return count;
}

static void model_print_path(const model_path *path, const model_limits *limits)
{
    model_sometimes sometimes = {0};
    model_world world;
    model_world_open(&world, limits, &sometimes);
    for (size_t i = 0; i < path->count; i++) {
        model_step step = path->steps[i];
        if (step.action <= MODEL_DROP) {
            const model_packet *packet = &world.network[step.index];
            printf("  %2zu %s %u -> %u (%zu bytes, kind %u)\n", i + 1, model_action_names[step.action], packet->from, packet->to,
                   packet->bytes.size, packet->bytes.data[0]);
        } else {
            printf("  %2zu %s node %u\n", i + 1, model_action_names[step.action], step.index);
        }
        model_act(&world, step);
    }
    model_world_close(&world);
}

typedef struct model_result {
    uint64_t states, edges, fair_runs;
    size_t depth; // all states up to here were seen
    uint64_t cut; // states with too many messages under way, or too deep, that were not gone on from
    bool exhausted, violated;
    const char *violation; // the property, if one is violated
    model_sometimes sometimes;
} model_result;

static double model_clock(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

// The world behind a path, and one more step.
static void model_replay(model_world *world, const model_limits *limits, const model_path *path, model_sometimes *sometimes)
{
    model_world_open(world, limits, sometimes);
    for (size_t i = 0; i < path->count && !world->violation; i++) model_act(world, path->steps[i]);
}

static bool model_report(const model_world *world, const model_path *path, const model_limits *limits)
{
    printf("VIOLATED %s: %s\n", world->violation, world->detail);
    model_print_path(path, limits);
    return true;
}

static void model_print_result(const model_limits *limits, const model_result *result, double seconds)
{
    printf("%s, %zu nodes: %llu states, %llu steps, all up to depth %zu%s, %.0f states/s\n", limits->protocol->name, limits->nodes,
           (unsigned long long)result->states, (unsigned long long)result->edges, result->depth,
           result->exhausted ? " (exhausted)" : "", (double)result->states / (seconds > 0 ? seconds : 1));
    if (result->cut) printf("  %llu states with too many messages or steps were not gone on from\n", (unsigned long long)result->cut);
    printf("  checked:");
    for (int i = 0; i < MODEL_PROPERTIES; i++)
        printf("%s %s %llu%s", i ? "," : "", model_properties[i], (unsigned long long)result->sometimes.checked[i],
               i == MODEL_TERMINATION ? " fair runs" : "");
    printf("\n");
}

static model_result model_run(const model_limits *limits)
{
    model_result result = {0};
    model_set seen = {0};
    sk_ring frontier; // of model_path
    sk_ring_init(&frontier, sizeof(model_path));
    *(model_path *)sk_ring_push(&frontier) = (model_path){0};
    double started = model_clock();
    model_sometimes quiet = {0}; // replays count nothing
    while (frontier.count && !result.violated) {
        model_path path = *(model_path *)sk_ring_at(&frontier, 0);
        sk_ring_pop_front(&frontier, 1);
        if (path.count >= limits->depth_max || path.count >= MODEL_PATH_MAX) {
            result.cut++;
            continue;
        }
        if (result.states >= limits->states_max || model_clock() - started > limits->seconds) {
            sk_ring_deinit(&frontier);
            break;
        }
        result.depth = path.count;
        model_world world;
        model_replay(&world, limits, &path, &quiet);
        model_step choices[MODEL_NETWORK_MAX * 3 + MODEL_NODES_MAX * 4];
        bool crowded = world.network_count > limits->network_max;
        size_t count = crowded ? 0 : model_choices(&world, choices);
        result.cut += crowded;
        for (size_t i = 0; i < count && !result.violated; i++) {
            if (i) model_replay(&world, limits, &path, &quiet);
            world.sometimes = &result.sometimes;
            model_act(&world, choices[i]);
            result.edges++;
            model_path next = path;
            next.steps[next.count++] = choices[i];
            bool fresh = !world.violation && model_set_add(&seen, model_fingerprint(&world));
            if (fresh) {
                result.states++;
                *(model_path *)sk_ring_push(&frontier) = next;
                if (limits->fair_every && result.states % limits->fair_every == 0) {
                    result.fair_runs++;
                    world.sometimes = &quiet;
                    model_check_termination(&world);
                    result.sometimes.checked[MODEL_TERMINATION]++;
                }
            }
            if (world.violation) {
                result.violation = world.violation;
                result.violated = model_report(&world, &next, limits);
            }
            model_world_close(&world);
        }
        if (!count) model_world_close(&world);
    }
    result.exhausted = !result.violated && !result.cut && frontier.items && frontier.count == 0;
    double seconds = model_clock() - started;
    model_print_result(limits, &result, seconds);
    sk_ring_deinit(&frontier);
    sk_free(seen.slots);
    return result;
}

#endif
