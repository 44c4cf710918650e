#include "sim/clients.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include "base/alloc.h"
#include "base/assert.h"
#include "base/hash.h"
#include "base/ring.h"
#include "sim/answer.h"
#include "sim/checks.h"
#include "sim/chronicle.h"
#include "sim/computer.h"
#include "sim/connection.h"
#include "sim/merge_check.h"
#include "sim/merging.h"
#include "sim/request.h"
#include "sim/sessions.h"
#include "sim/workload.h"

enum { UNANSWERED_MAX = 16 }; // times operations_max

typedef struct client {
    uint32_t id;
    sk_connection *connection; // NULL: none
    sk_ring waiting;           // indices of its operations under way, oldest first
    uint64_t wake;             // number of the wake event that counts
    sk_node_id preferred;
    bool proved;      // PROVE: its write got through
    uint32_t audited; // AUDIT: keys read so far
    uint32_t own_key; // PROVE: its own register; UINT32_MAX: none yet
    size_t retry;     // planted bug: an append to be repeated, + 1; 0: none
    size_t again;     // an operation of unknown outcome that it will ask for again, + 1; 0: none
    uint32_t failures; // in a row
    uint32_t burst;   // operations left of a burst without a thought in between
    sk_session session;
} client;

struct sk_clients {
    sk_world *world;
    sk_prng prng;
    bool calm;
    enum sk_clients_stage stage;
    uint64_t audits;
    sk_connections connections;
    sk_history history;
    sk_keys keys;
    uint64_t answers[SK_OUTCOME_END]; // by outcome
    uint32_t sessions;                // so far
    sk_judge_counts judged;
    client list[SK_SWARM_CLIENTS_MAX + 1];        // the last is the auditor
    uint32_t count;
};

static void wake_at(sk_clients *clients, client *one, sk_ns time)
{
    sk_world_push(clients->world, time, SK_WORLD_CLIENT, one->id, 0, ++one->wake, NULL);
}

sk_clients *sk_clients_open(sk_world *world, sk_prng prng)
{
    sk_clients *clients = sk_alloc_zeroed(sizeof *clients);
    clients->world = world;
    clients->prng = prng;
    clients->count = world->swarm.client_count;
    SK_ASSERT(clients->count <= SK_SWARM_CLIENTS_MAX);
    sk_connections_init(&clients->connections, world);
    sk_keys_init(&clients->keys, world->swarm.keys, world->swarm.mergeable);
    if (world->swarm.mergeable) clients->stage = SK_CLIENTS_FOUND;
    for (uint32_t i = 0; i <= clients->count; i++) {
        client *one = &clients->list[i];
        one->id = i;
        one->own_key = UINT32_MAX;
        one->preferred = (sk_node_id)sk_prng_between(&clients->prng, 1, world->computer_count);
        sk_ring_init(&one->waiting, sizeof(size_t));
        if (i < clients->count || clients->stage == SK_CLIENTS_FOUND) wake_at(clients, one, sk_prng_below(&clients->prng, SK_S));
    }
    return clients;
}

void sk_clients_close(sk_clients *clients)
{
    sk_connections_deinit(&clients->connections);
    for (uint32_t i = 0; i <= clients->count; i++) {
        sk_ring_deinit(&clients->list[i].waiting);
        sk_session_deinit(&clients->list[i].session);
    }
    sk_keys_deinit(&clients->keys);
    sk_history_deinit(&clients->history);
    sk_free(clients);
}

// ---- Asking ----

static sk_ns draw_delay(sk_clients *clients)
{
    const sk_swarm *swarm = &clients->world->swarm;
    return 20 * SK_US +
           sk_swarm_around(&clients->prng, clients->calm ? 100 * SK_US : swarm->delay_mean / 4 + 1024);
}

static sk_request_padding padding_of(const sk_clients *clients)
{
    return (sk_request_padding){.seed = clients->world->swarm.seed, .size_max = clients->world->swarm.value_size_max};
}

static void send_bytes(sk_clients *clients, client *one, sk_slice bytes)
{
    sk_ns delay = draw_delay(clients);
    bool dribble = !clients->calm && clients->world->swarm.fault[SK_FAULT_CLIENT_DRIBBLE] && bytes.size > 1 &&
                   sk_prng_chance(&clients->prng, 1, 8);
    if (dribble) {
        sk_world_count(clients->world, SK_FAULT_CLIENT_DRIBBLE);
        size_t cut = (size_t)sk_prng_between(&clients->prng, 1, bytes.size - 1);
        sk_connection_send(&clients->connections, one->connection, true, sk_slice_make(bytes.data, cut),
                           false, delay);
        bytes = sk_slice_make(bytes.data + cut, bytes.size - cut);
        delay += sk_prng_below(&clients->prng, 20 * SK_MS);
    }
    sk_connection_send(&clients->connections, one->connection, true, bytes, false, delay);
}

// `op` has its kind, its key and what belongs to the kind.
static void ask(sk_clients *clients, client *one, sk_operation op)
{
    op.client = one->id;
    op.connection = one->connection->number;
    if (op.kind != SK_OPERATION_ADD || !op.value) op.value = clients->history.count + 1;
    op.start = clients->world->now;
    op.end = SK_NEVER;
    op.outcome = SK_OUTCOME_PENDING;
    op.led = sk_checks_leader(clients->world->checks) == one->connection->to;
    op.node = one->connection->to;
    op.amnesia = clients->world->computers[op.node].amnesia;
    op.quiet = clients->stage == SK_CLIENTS_AUDIT;
    op.session = one->session.number;
    if (one->retry && op.kind == SK_OPERATION_APPEND) op = clients->history.list[one->retry - 1];
    size_t index = one->retry && op.outcome == SK_OUTCOME_UNKNOWN ? one->retry - 1
                                                                  : sk_history_add(&clients->history, op);
    one->retry = 0;
    *(size_t *)sk_ring_push(&one->waiting) = index;
    char name[SK_KEY_NAME_MAX];
    sk_buffer bytes = {0};
    sk_keys_name(&clients->keys, op.key, name);
    sk_request_padding padding = padding_of(clients);
    if (op.kind == SK_OPERATION_FOUND) snprintf(name, sizeof name, "%s", clients->world->swarm.protocol);
    const char *argument = name;
    if (op.kind == SK_OPERATION_SESSION_USE) {
        sk_buffer_append_byte(&one->session.token, 0);
        one->session.token.size--;
        argument = (const char *)one->session.token.data;
    }
    sk_request_write(&op, argument, &padding, &bytes);
    sk_trace_mix(&clients->world->trace, SK_WORLD_CLIENT, one->id,
                 sk_hash64(op.connection, bytes.data, bytes.size));
    SK_TRACE(&clients->world->trace,
             "client %" PRIu32 " asks %" PRIu32 ": #%zu %s %s (value %" PRIu64 ", expects %" PRIu64 ")", one->id,
             one->connection->to, index + 1, sk_request_verb(op.kind), name, op.value, op.expect);
    if (clients->world->chronicle)
        clients->connections.event = sk_chronicle_ask(clients->world->chronicle, one->id, one->connection->to, "#%zu %s %s",
                                                      index + 1, sk_request_verb(op.kind), name);
    send_bytes(clients, one, sk_buffer_slice(&bytes));
    clients->connections.event = 0;
    sk_buffer_deinit(&bytes);
}

// ---- Connecting, letting go ----

static bool connect(sk_clients *clients, client *one)
{
    sk_world *world = clients->world;
    sk_node_id to = one->preferred;
    if (!sk_computer_up(&world->computers[to])) {
        one->preferred = (sk_node_id)sk_prng_between(&clients->prng, 1, world->computer_count);
        return false;
    }
    one->connection = sk_connection_open(&clients->connections, one->id, to);
    sk_session_connected(&one->session, &clients->sessions);
    return true;
}

static void forget(sk_clients *clients, client *one)
{
    for (size_t i = 0; i < one->waiting.count; i++) {
        size_t index = *(size_t *)sk_ring_at(&one->waiting, i);
        sk_operation *op = &clients->history.list[index];
        op->outcome = SK_OUTCOME_UNKNOWN;
        if (clients->world->plant == SK_PLANT_BLIND_RETRY && op->kind == SK_OPERATION_APPEND)
            one->retry = index + 1;
        one->again = index + 1;
    }
    sk_ring_pop_front(&one->waiting, one->waiting.count);
}

// What was under way is of unknown outcome.
static void leave(sk_clients *clients, client *one, bool tell)
{
    forget(clients, one);
    sk_connection *connection = one->connection;
    if (!connection) return;
    one->connection = NULL;
    connection->client_open = false;
    if (tell)
        sk_connection_send(&clients->connections, connection, true, (sk_slice){0}, true, draw_delay(clients));
    // An end that the node never saw is let go when the parcel arrives.
    else
        sk_connection_let_go(connection);
}

static sk_ns time_limit(const sk_clients *clients)
{
    if (!clients->calm || clients->stage == SK_CLIENTS_WORK) return clients->world->swarm.client_timeout;
    return clients->world->swarm.request_timeout + SK_S; // long enough for any answer
}

static bool too_late(sk_clients *clients, client *one)
{
    if (!one->waiting.count) return false;
    const sk_operation *oldest = &clients->history.list[*(size_t *)sk_ring_at(&one->waiting, 0)];
    return clients->world->now >= oldest->start + time_limit(clients);
}

static void misbehave(sk_clients *clients, client *one)
{
    const bool *on = clients->world->swarm.fault;
    sk_world *world = clients->world;
    if (clients->calm || !one->connection) return;
    if (on[SK_FAULT_CLIENT_SWITCH] && !one->waiting.count && sk_prng_chance(&clients->prng, 1, 16)) {
        sk_world_count(world, SK_FAULT_CLIENT_SWITCH);
        leave(clients, one, true);
        one->preferred = (sk_node_id)sk_prng_between(&clients->prng, 1, world->computer_count);
    } else if (on[SK_FAULT_CLIENT_ABANDON] && one->waiting.count && sk_prng_chance(&clients->prng, 1, 32)) {
        sk_world_count(world, SK_FAULT_CLIENT_ABANDON);
        leave(clients, one, true);
    }
}

// ---- A client's turn ----

// What it asks next: once more what it does not know the outcome of, or something new.
static sk_operation next_operation(sk_clients *clients, client *one)
{
    const bool *on = clients->world->swarm.fault;
    size_t again = one->again;
    one->again = 0;
    bool session = again && sk_request_moves(clients->history.list[again - 1].kind);
    if (!again || session || !on[SK_FAULT_CLIENT_RETRY])
        return sk_workload_next(&clients->keys, &clients->prng, &clients->world->swarm);
    sk_operation before = clients->history.list[again - 1];
    sk_world_count(clients->world, SK_FAULT_CLIENT_RETRY);
    // An element is the same element; a write of another kind would not be the same write, so it gets a value of its own.
    sk_operation op = {.kind = before.kind,
                       .key = before.key,
                       .expect = before.expect,
                       .length = before.length,
                       .cell = before.cell,
                       .amount = before.amount};
    if (op.kind == SK_OPERATION_ADD) op.value = before.value;
    if (op.kind == SK_OPERATION_LEND) op = (sk_operation){.kind = SK_OPERATION_GET, .key = before.key};
    return op;
}

static void work(sk_clients *clients, client *one)
{
    sk_world *world = clients->world;
    uint32_t depth = (uint32_t)sk_prng_between(&clients->prng, 1, world->swarm.pipeline_max);
    if (one->waiting.count >= depth) return;
    sk_operation about;
    bool sessions = world->swarm.weights[SK_WORKLOADS_SESSION] && !one->waiting.count;
    if (one->session.asked || one->session.moves) return;
    if (sessions && sk_session_next(&one->session, &clients->prng, &clients->keys, &about)) {
        ask(clients, one, about);
        return;
    }
    if (world->swarm.operations_end && clients->history.count >= world->swarm.operations_max) return;
    if (depth > 1) sk_world_count(world, SK_FAULT_CLIENT_PIPELINE);
    sk_request_padding padding = padding_of(clients);
    while (one->waiting.count < depth) {
        sk_operation op = next_operation(clients, one);
        if (op.kind == SK_OPERATION_SET && sk_request_padding_of(&padding, clients->history.count + 1) > 1000)
            sk_world_count(world, SK_FAULT_CLIENT_HUGE);
        if (world->swarm.fault[SK_FAULT_CLIENT_HOT_KEY] && world->swarm.keys > 1) sk_world_count(world, SK_FAULT_CLIENT_HOT_KEY);
        clients->keys.list[op.key].writes++;
        ask(clients, one, op);
        if (op.kind != SK_OPERATION_ADD || !world->swarm.fault[SK_FAULT_CLIENT_DUPLICATE] || !sk_prng_chance(&clients->prng, 1, 4))
            continue;
        if (!op.value) op.value = clients->history.count;
        ask(clients, one, op);
        sk_world_count(world, SK_FAULT_CLIENT_DUPLICATE);
    }
}

static void prove(sk_clients *clients, client *one)
{
    if (one->waiting.count || one->proved || one->id == clients->count) return;
    bool mergeable = clients->world->swarm.mergeable;
    if (one->own_key == UINT32_MAX)
        one->own_key = sk_keys_add(&clients->keys, mergeable ? SK_KEY_MERGE_REGISTER : SK_KEY_REGISTER);
    ask(clients, one, (sk_operation){.kind = mergeable ? SK_OPERATION_MERGE_SET : SK_OPERATION_SET, .key = one->own_key});
}

static void found(sk_clients *clients, client *one)
{
    if (one->waiting.count || one->proved || one->id != clients->count) return;
    const sk_swarm *swarm = &clients->world->swarm;
    ask(clients, one, (sk_operation){.kind = SK_OPERATION_FOUND,
                                     .key = clients->keys.spaces,
                                     .amount = sk_swarm_window(swarm),
                                     .expect = swarm->weights[SK_WORKLOADS_RULE] != 0});
}

static void audit(sk_clients *clients, client *one)
{
    if (one->waiting.count || one->id != clients->count || one->audited >= clients->keys.count) return;
    ask(clients, one, (sk_operation){.kind = sk_keys_read(&clients->keys, one->audited), .key = one->audited});
}

static sk_ns draw_thought(sk_clients *clients, client *one)
{
    const sk_swarm *swarm = &clients->world->swarm;
    if (clients->history.count >= swarm->operations_max) return sk_swarm_around(&clients->prng, 2 * SK_S);
    if (swarm->fault[SK_FAULT_CLIENT_BURST] && !clients->calm) {
        if (one->burst) {
            one->burst--;
            return 0;
        }
        if (sk_prng_chance(&clients->prng, 1, 20)) {
            sk_world_count(clients->world, SK_FAULT_CLIENT_BURST);
            one->burst = (uint32_t)sk_prng_between(&clients->prng, 10, 60);
            return sk_prng_between(&clients->prng, 200 * SK_MS, 3 * SK_S);
        }
    }
    return sk_swarm_around(&clients->prng, swarm->think_mean);
}

static void on_client(sk_clients *clients, client *one)
{
    sk_world *world = clients->world;
    if (too_late(clients, one)) {
        SK_TRACE(&world->trace, "client %" PRIu32 " gives up waiting for %" PRIu32, one->id, one->preferred);
        if (world->chronicle)
            sk_chronicle_client(world->chronicle, one->id, "gives up waiting for n%" PRIu32, one->preferred);
        if (world->swarm.fault[SK_FAULT_CLIENT_TIMEOUT]) sk_world_count(world, SK_FAULT_CLIENT_TIMEOUT);
        leave(clients, one, true);
        if (sk_prng_chance(&clients->prng, 1, 2))
            one->preferred = (sk_node_id)sk_prng_between(&clients->prng, 1, world->computer_count);
        // Nobody answers for long: the checks need no millions of questions.
        if (clients->stage == SK_CLIENTS_WORK && clients->history.count / UNANSWERED_MAX >= world->swarm.operations_max) {
            wake_at(clients, one, world->now + draw_thought(clients, one));
            return;
        }
    }
    misbehave(clients, one);
    if (one->session.moves && one->connection && !one->waiting.count) {
        leave(clients, one, true);
        one->preferred = (sk_node_id)sk_prng_between(&clients->prng, 1, world->computer_count);
    }
    if (!one->connection && !connect(clients, one)) {
        wake_at(clients, one, world->now + 20 * SK_MS);
        return;
    }
    switch (clients->stage) {
    case SK_CLIENTS_WORK:
        work(clients, one);
        break;
    case SK_CLIENTS_PROVE:
        prove(clients, one);
        break;
    case SK_CLIENTS_AUDIT:
        audit(clients, one);
        break;
    case SK_CLIENTS_FOUND:
        found(clients, one);
        break;
    }
    wake_at(clients, one, world->now + (one->waiting.count ? time_limit(clients) / 4 : 50 * SK_MS) + 1);
}

// ---- Answers ----

static void count_answer(sk_clients *clients, const sk_operation *op, const sk_answer *answer)
{
    sk_key *about = &clients->keys.list[op->key];
    if (op->kind == SK_OPERATION_SET || (op->kind == SK_OPERATION_CAS && op->result)) about->seen = op->value;
    if (op->kind == SK_OPERATION_GET && op->result) about->seen = op->result;
    bool sequence = op->kind == SK_OPERATION_LIST || op->kind == SK_OPERATION_MEMBERS;
    if (sequence && answer->text.size > about->longest.size) {
        sk_buffer_clear(&about->longest);
        sk_buffer_append_slice(&about->longest, answer->text);
    }
}

static void alter_answer(sk_clients *clients, const sk_operation *op, sk_answer *answer)
{
    enum sk_plant plant = clients->world->plant;
    if (plant == SK_PLANT_PHANTOM_ACK && (answer->kind == SK_ANSWER_REFUSED || answer->kind == SK_ANSWER_DOWN) &&
        (op->kind == SK_OPERATION_SET || op->kind == SK_OPERATION_MERGE_SET))
        *answer = (sk_answer){.kind = SK_ANSWER_OK};
    const sk_key *about = &clients->keys.list[op->key];
    if (plant == SK_PLANT_STALE_READ && op->kind == SK_OPERATION_LIST && answer->kind == SK_ANSWER_TEXT &&
        about->longest.size > 2 * SK_TOKEN_SIZE && sk_prng_chance(&clients->prng, 1, 20))
        answer->text = sk_slice_make(about->longest.data, about->longest.size - 2 * SK_TOKEN_SIZE);
}

// How long it thinks before it asks again: nothing in a burst, long before one.
// What the run may be proud of having seen.
static void note_reached(sk_clients *clients, const client *one, const sk_operation *op, const sk_answer *answer)
{
    sk_world *world = clients->world;
    if (answer->kind == SK_ANSWER_UNKNOWN) sk_world_reach(world, SK_SOMETIMES_UNKNOWN_ANSWERED);
    if (answer->kind == SK_ANSWER_REFUSED || answer->kind == SK_ANSWER_DOWN) sk_world_reach(world, SK_SOMETIMES_CLUSTERDOWN_ANSWERED);
    if (answer->kind == SK_ANSWER_FULL) sk_world_reach(world, SK_SOMETIMES_SPACE_FULL);
    bool deposed = op->led && one->connection && sk_checks_leader(world->checks) != one->connection->to;
    bool read = sk_request_reads(op->kind);
    if (deposed && read && op->outcome == SK_OUTCOME_FAILED) sk_world_reach(world, SK_SOMETIMES_DEPOSED_READ_REFUSED);
    if (deposed && op->outcome == SK_OUTCOME_OK) sk_world_reach(world, SK_SOMETIMES_SURVIVED_DEPOSITION);
    if (op->kind == SK_OPERATION_CAS && op->outcome == SK_OUTCOME_OK)
        sk_world_reach(world, op->result ? SK_SOMETIMES_CAS_TOOK : SK_SOMETIMES_CAS_LOST);
    if (clients->keys.list[op->key].kind == SK_KEY_LEASE && read && op->outcome == SK_OUTCOME_OK)
        sk_world_reach(world, op->result ? SK_SOMETIMES_LEASE_HELD : SK_SOMETIMES_LEASE_GONE);
}

static void finished(sk_clients *clients, client *one, const sk_operation *op)
{
    bool fine = op->outcome == SK_OUTCOME_OK;
    if (clients->stage == SK_CLIENTS_PROVE && op->key == one->own_key && fine) one->proved = true;
    if (clients->stage == SK_CLIENTS_FOUND && fine) one->proved = true;
    if (clients->stage == SK_CLIENTS_AUDIT && one->id == clients->count && fine && op->key == one->audited)
        one->audited++;
    sk_world *world = clients->world;
    // Who must get through backs off, twice as long each time: clients that never do can keep a slow cluster busy with what nobody
    // waits for any more, for ever.
    one->failures = fine ? 0 : one->failures < 7 ? one->failures + 1 : 7;
    sk_ns pause = clients->stage == SK_CLIENTS_WORK ? draw_thought(clients, one) : fine ? 0 : (25 * SK_MS) << one->failures;
    if (!one->waiting.count) wake_at(clients, one, world->now + pause + 1);
}

static void chronicle_answer(const sk_clients *clients, const client *one, const sk_operation *op)
{
    static const char *const outcomes[] = {"odd", "ok", "refused", "unknown"};
    char name[SK_KEY_NAME_MAX];
    sk_keys_name(&clients->keys, op->key, name);
    sk_chronicle_client(clients->world->chronicle, one->id, "#%zu of %s: %s %" PRIu64,
                        (size_t)(op - clients->history.list) + 1, name, outcomes[op->outcome], op->result);
}

// A write waits for its node's disk, and may wait long for a slow one that has much to do, or not be taken; behind more than its node takes at
// a time, too. And who puts a backup back may find that others know a future of it.
static bool is_excused(const sk_swarm *swarm, const sk_computer *computer, const sk_operation *op, const sk_answer *answer)
{
    bool unknown = answer->kind == SK_ANSWER_UNKNOWN;
    bool crowded = swarm->client_count * swarm->pipeline_max > swarm->limits.pending_max;
    return (op->disk_busy && (unknown || answer->late)) || (crowded && answer->late) || (computer->restored && unknown);
}

// A mergeable space asks nobody: a node that nothing was wrong with has no reason not to answer.
static void check_available(sk_clients *clients, size_t index, const sk_answer *answer)
{
    const sk_operation *op = &clients->history.list[index];
    const sk_computer *computer = &clients->world->computers[op->node];
    if (!sk_request_merges(op->kind) || (answer->kind != SK_ANSWER_DOWN && answer->kind != SK_ANSWER_UNKNOWN)) return;
    bool steady = sk_computer_running(computer) && op->start > computer->steady_since && op->start > computer->trouble_until;
    if (!steady || is_excused(&clients->world->swarm, computer, op, answer) || sk_merging_halted(computer)) return;
    sk_world_fail(clients->world, SK_VERDICT_WRONG, "node %" PRIu32 " could answer operation #%zu by itself, and said %.*s", op->node,
                  index + 1, (int)(answer->text.size < 80 ? answer->text.size : 80), (const char *)answer->text.data);
}

static void on_answer(sk_clients *clients, client *one, sk_answer answer)
{
    sk_world *world = clients->world;
    if (!one->waiting.count) {
        if (answer.kind == SK_ANSWER_REFUSED || answer.kind == SK_ANSWER_DOWN) return; // too many clients, said before anything was asked
        sk_world_fail(world, SK_VERDICT_WRONG, "client %" PRIu32 " got an answer that it did not ask for",
                      one->id);
        return;
    }
    size_t index = *(size_t *)sk_ring_at(&one->waiting, 0);
    sk_ring_pop_front(&one->waiting, 1);
    sk_operation *op = &clients->history.list[index];
    alter_answer(clients, op, &answer);
    char problem[160];
    bool settled = sk_answer_settle(&answer, op, problem, sizeof problem);
    if (world->chronicle) chronicle_answer(clients, one, op);
    if (!settled) {
        sk_world_fail(world, SK_VERDICT_WRONG, "client %" PRIu32 ", operation #%zu: %s", one->id, index + 1,
                      problem);
        return;
    }
    op->end = op->outcome == SK_OUTCOME_UNKNOWN ? SK_NEVER : world->now;
    SK_TRACE(&world->trace, "client %" PRIu32 " #%zu: %s %" PRIu64, one->id, index + 1,
             op->outcome == SK_OUTCOME_OK       ? "ok"
             : op->outcome == SK_OUTCOME_FAILED ? "refused"
                                                : "unknown",
             op->result);
    if (op->outcome == SK_OUTCOME_OK) count_answer(clients, op, &answer);
    clients->answers[op->outcome]++;
    if (op->outcome == SK_OUTCOME_UNKNOWN) one->again = index + 1;
    if (sk_session_answered(&one->session, op, answer.text, &clients->sessions)) sk_world_reach(world, SK_SOMETIMES_SESSION_MOVED);
    note_reached(clients, one, op, &answer);
    check_available(clients, index, &answer);
    if (op->outcome == SK_OUTCOME_FAILED && answer.kind == SK_ANSWER_FULL && op->key == one->own_key)
        one->proved = true; // a space that is full says so at once: that is an answer
    finished(clients, one, op);
}

static void on_reply(sk_clients *clients, const sk_parcel *parcel)
{
    sk_connection *connection = sk_connection_find(&clients->connections, parcel->connection);
    if (!connection || !connection->client_open) return;
    client *one = &clients->list[connection->client];
    SK_ASSERT(one->connection == connection);
    sk_chronicle *chronicle = clients->world->chronicle;
    if (chronicle) sk_chronicle_arrive(chronicle, connection->to, one->id, false, parcel->event);
    sk_buffer_append(&connection->replies, parcel->bytes, parcel->size);
    for (;;) {
        sk_answer answer;
        size_t used;
        int complete = sk_answer_parse(sk_buffer_slice(&connection->replies), &answer, &used);
        if (complete < 0) {
            sk_world_fail(clients->world, SK_VERDICT_WRONG, "client %" PRIu32 " got bytes that are no reply",
                          one->id);
            return;
        }
        if (!complete || clients->world->over) break;
        on_answer(clients, one, answer);
        sk_buffer_consume(&connection->replies, used);
    }
    if (!parcel->end) return;
    leave(clients, one, false);
    wake_at(clients, one, clients->world->now + 10 * SK_MS + sk_prng_below(&clients->prng, 50 * SK_MS));
    one->preferred = (sk_node_id)sk_prng_between(&clients->prng, 1, clients->world->computer_count);
}

// Sights of the node for what its client waits for: from when it has not run yet (`after` false), or from when its reply may have left.
static void note_sights(sk_clients *clients, const sk_connection *connection, bool after)
{
    const sk_computer *computer = &clients->world->computers[connection->to];
    const client *one = &clients->list[connection->client];
    if (!clients->world->merging || one->connection != connection || !computer->node || !one->waiting.count) return;
    uint32_t sight = sk_merging_sight(clients->world->merging, computer);
    bool alone = after && sk_merging_alone(clients->world->merging, computer);
    for (size_t i = 0; i < one->waiting.count; i++) {
        sk_operation *op = &clients->history.list[*(size_t *)sk_ring_at(&one->waiting, i)];
        if (after) {
            op->after = op->before ? sight : 0;
            op->wall_max_ms = clients->world->wall_ms_max;
            op->disk_busy |= sim_disk_under_way(computer->platter) > 0;
            if (alone && !sk_request_reads(op->kind)) sk_world_reach(clients->world, SK_SOMETIMES_ANSWERED_ALONE);
        } else if (!op->before) {
            op->before = sight;
            op->arrived = clients->world->now;
            op->doubtful |= sk_merging_is_bygone(clients->world->merging, computer);
        }
    }
}

static void on_request(sk_clients *clients, const sk_parcel *parcel)
{
    sk_connection *connection = sk_connection_find(&clients->connections, parcel->connection);
    if (connection) note_sights(clients, connection, false);
    if (connection) sk_connection_arrive(&clients->connections, connection, parcel);
}

// ---- The node's end ----

static void take_output(sk_clients *clients, sk_connection *connection, sk_buffer *out, size_t size)
{
    sk_chronicle *chronicle = clients->world->chronicle;
    if (chronicle && size)
        clients->connections.event =
            sk_chronicle_reply(chronicle, connection->to, connection->client, sk_slice_make(out->data, size));
    sk_connection_send(&clients->connections, connection, false, sk_slice_make(out->data, size), false,
                       draw_delay(clients));
    clients->connections.event = 0;
    sk_buffer_consume(out, size);
}

void sk_clients_output(sk_clients *clients, void *handle, sk_buffer *out)
{
    sk_connection *connection = handle;
    note_sights(clients, connection, true);
    if (connection->waiting || !out->size) return; // the slow reader comes when it comes
    bool slow = !clients->calm && clients->world->swarm.fault[SK_FAULT_CLIENT_SLOW_READ] &&
                sk_prng_chance(&clients->prng, 1, 10);
    size_t size = slow ? (size_t)sk_prng_below(&clients->prng, out->size) : out->size;
    take_output(clients, connection, out, size);
    if (!out->size) return;
    sk_world_count(clients->world, SK_FAULT_CLIENT_SLOW_READ);
    connection->waiting = out;
    sk_world_push(clients->world, clients->world->now + sk_swarm_around(&clients->prng, 100 * SK_MS),
                  SK_WORLD_SLOW_READ, connection->client, 0, connection->number, NULL);
}

static void on_slow_read(sk_clients *clients, uint64_t number)
{
    sk_connection *connection = sk_connection_find(&clients->connections, number);
    if (!connection || !connection->node_open || !connection->waiting) return;
    sk_computer *computer = &clients->world->computers[connection->to];
    if (!sk_computer_running(computer)) {
        sk_world_push(clients->world, clients->world->now + 10 * SK_MS, SK_WORLD_SLOW_READ,
                      connection->client, 0, number, NULL);
        return;
    }
    sk_buffer *out = connection->waiting;
    connection->waiting = NULL;
    sk_computer_input(computer);
    note_sights(clients, connection, true);
    if (out->size) take_output(clients, connection, out, out->size);
    sk_node_client_drained(computer->node, connection->side);
}

void sk_clients_node_closes(sk_clients *clients, void *handle, sk_buffer *out)
{
    sk_connection *connection = handle;
    SK_ASSERT(connection->node_open);
    note_sights(clients, connection, true);
    connection->node_open = false;
    connection->refused = true;
    connection->side = NULL;
    connection->waiting = NULL;
    sk_connection_send(&clients->connections, connection, false, sk_buffer_slice(out), true,
                       draw_delay(clients));
    sk_buffer_deinit(out);
    sk_connection_let_go(connection);
}

void sk_clients_node_resumes(sk_clients *clients, void *handle)
{
    sk_connection *connection = handle;
    SK_ASSERT(connection->node_open);
    sk_parcel *parcel = sk_alloc(sizeof *parcel);
    *parcel = (sk_parcel){.connection = connection->number};
    sk_world_push(clients->world, clients->world->now, SK_WORLD_REQUEST, connection->to, connection->client,
                  0, parcel);
}

void sk_clients_stopped(sk_clients *clients, sk_node_id id)
{
    for (sk_list *at = clients->connections.all.next, *next; at != &clients->connections.all; at = next) {
        next = at->next;
        sk_connection *connection = SK_CONTAINER(at, sk_connection, link);
        if (connection->to != id || connection->refused) continue;
        connection->refused = true;
        connection->node_open = false;
        connection->side = NULL;
        connection->waiting = NULL;
        if (connection->client_open)
            sk_connection_send(&clients->connections, connection, false, (sk_slice){0}, true,
                               draw_delay(clients));
        sk_connection_let_go(connection);
    }
}

void sk_clients_resumed(sk_clients *clients, sk_node_id id)
{
    for (sk_list *at = clients->connections.all.next, *next; at != &clients->connections.all; at = next) {
        next = at->next;
        sk_connection *connection = SK_CONTAINER(at, sk_connection, link);
        if (connection->to == id) sk_connection_feed(&clients->connections, connection);
    }
}

// ---- For the world ----

void sk_clients_event(sk_clients *clients, const sk_heap_event *event)
{
    switch ((enum sk_world_event)event->kind) {
    case SK_WORLD_CLIENT:
        if (clients->list[event->a].wake == event->c) on_client(clients, &clients->list[event->a]);
        break;
    case SK_WORLD_REQUEST:
        on_request(clients, event->pointer);
        sk_free(event->pointer);
        break;
    case SK_WORLD_REPLY:
        on_reply(clients, event->pointer);
        sk_free(event->pointer);
        break;
    case SK_WORLD_SLOW_READ:
        on_slow_read(clients, event->c);
        break;
    default:
        SK_UNREACHABLE();
    }
}

void sk_clients_calm(sk_clients *clients, bool calm)
{
    clients->calm = calm;
}

void sk_clients_stage_set(sk_clients *clients, enum sk_clients_stage stage)
{
    clients->stage = stage;
    for (uint32_t i = 0; i <= clients->count; i++) {
        client *one = &clients->list[i];
        one->proved = false;
        one->audited = 0;
        one->retry = one->again = 0;
        if (stage == SK_CLIENTS_AUDIT && i < clients->count) continue;
        if (stage == SK_CLIENTS_WORK && clients->world->swarm.mergeable && i == clients->count) continue;
        wake_at(clients, one, clients->world->now + 1 + i);
    }
}

bool sk_clients_stage_done(const sk_clients *clients)
{
    if (clients->stage == SK_CLIENTS_AUDIT)
        return clients->list[clients->count].audited >= clients->keys.count;
    if (clients->stage == SK_CLIENTS_WORK) return true;
    if (clients->stage == SK_CLIENTS_FOUND) return true; // it is the nodes that tell
    for (uint32_t i = 0; i < clients->count; i++) {
        if (!clients->list[i].proved) return false;
    }
    return true;
}

void sk_clients_describe(const sk_clients *clients, char *out, size_t size)
{
    out[0] = 0;
    if (clients->stage == SK_CLIENTS_AUDIT) {
        snprintf(out, size, "the audit has read %" PRIu32 " of %" PRIu32 " keys",
                 clients->list[clients->count].audited, clients->keys.count);
        return;
    }
    if (clients->stage == SK_CLIENTS_FOUND) {
        snprintf(out, size, "nobody creates the space");
        return;
    }
    for (uint32_t i = 0; i < clients->count; i++) {
        if (clients->list[i].proved) continue;
        snprintf(out, size, "client %" PRIu32 " (at node %" PRIu32 ") gets no write through", i,
                 clients->list[i].preferred);
        return;
    }
}

size_t sk_clients_operations(const sk_clients *clients)
{
    return clients->history.count;
}

uint64_t sk_clients_acknowledged(const sk_clients *clients)
{
    return clients->answers[SK_OUTCOME_OK];
}

bool sk_clients_acknowledged_since(const sk_clients *clients, sk_ns start)
{
    for (size_t i = clients->history.count; i-- > 0 && clients->history.list[i].start >= start;) {
        if (clients->history.list[i].outcome == SK_OUTCOME_OK) return true;
    }
    return false;
}

const sk_judge_counts *sk_clients_judged(const sk_clients *clients)
{
    return &clients->judged;
}

void sk_clients_tokens_lost(sk_clients *clients)
{
    for (uint32_t i = 0; i <= clients->count; i++) sk_session_lost(&clients->list[i].session, &clients->sessions);
}

void sk_clients_doubt(sk_clients *clients, sk_node_id id, sk_ns since)
{
    sk_clients_tokens_lost(clients);
    for (size_t i = 0; i < clients->history.count; i++) {
        sk_operation *op = &clients->history.list[i];
        bool answered = op->outcome == SK_OUTCOME_OK || op->outcome == SK_OUTCOME_PENDING; // or the answer is on its way
        if (op->node != id || !answered || op->end < since || !sk_request_merges(op->kind) || !op->after) continue;
        const sk_sight *after = sk_merging_sight_at(clients->world->merging, op->after);
        sk_dot last = {.actor = after->self, .counter = sk_vector_get(&after->seen, after->self)};
        if (!last.counter || !sk_merging_is_elsewhere(clients->world->merging, id, last)) op->doubtful = true;
    }
}

sk_history *sk_clients_history(sk_clients *clients)
{
    return &clients->history;
}

void sk_clients_doubt_life(sk_clients *clients, uint64_t actor)
{
    for (size_t i = 0; i < clients->history.count; i++) {
        sk_operation *op = &clients->history.list[i];
        if (op->before && sk_merging_sight_at(clients->world->merging, op->before)->self == actor) op->doubtful = true;
    }
}

void sk_clients_check(sk_clients *clients)
{
    char problem[240] = "";
    for (uint32_t i = 0; i < clients->keys.count; i++) {
        bool fine = clients->keys.list[i].kind >= SK_KEY_MERGE_REGISTER
                        ? sk_merge_check(&clients->history, &clients->keys, i, clients->world->merging, &clients->judged, problem,
                                         sizeof problem)
                        : sk_judge(&clients->history, &clients->keys, i, &clients->world->swarm, &clients->judged, problem,
                                   sizeof problem);
        if (!fine) sk_world_fail(clients->world, SK_VERDICT_WRONG, "%s", problem);
    }
    if (!sk_sessions_check(&clients->history, &clients->keys, &clients->world->swarm, problem, sizeof problem))
        sk_world_fail(clients->world, SK_VERDICT_WRONG, "%s", problem);
}
