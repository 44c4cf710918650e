// What tests say of a small cluster of crdt or causal replicas, and the runs that both protocols have to stand.
#ifndef SK_TEST_SUPPORT_MERGER_RUNS_H
#define SK_TEST_SUPPORT_MERGER_RUNS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "test/support/crdt_cluster.h"

#ifdef __SANITIZE_ADDRESS__
enum { SLOW = 10 };
#else
enum { SLOW = 1 };
#endif

static inline const sk_vector *seen_of(crdt_cluster *c, size_t node)
{
    return sk_merger_seen(merger_of(c, node));
}

static inline void tell_difference(crdt_cluster *c)
{
    for (size_t i = 0; i < c->count; i++) {
        const sk_vector *seen = seen_of(c, i);
        fprintf(stderr, "node %zu, life %llx:", i + 1, (unsigned long long)merger_of(c, i)->life);
        for (size_t k = 0; k < seen->count; k++) {
            fprintf(stderr, " %u/%llx %lld", sk_actor_node(seen->list[k].actor), (unsigned long long)sk_actor_life(seen->list[k].actor),
                    (long long)seen->list[k].counter);
        }
        fprintf(stderr, "\n");
    }
    fail_msg("vectors differ");
}

static inline void show_the_same(crdt_cluster *c)
{
    for (size_t i = 0; i < c->count; i++) {
        sk_mergeable_check(&sk_mergespace_of(c->nodes[i].machine)->state);
        if (sk_vector_compare(seen_of(c, i), seen_of(c, 0)) != SK_ORDER_EQUAL) tell_difference(c);
        if (crdt_digest(&c->nodes[i]) != crdt_digest(&c->nodes[0])) fail_msg("nodes 1 and %u differ", c->nodes[i].id);
    }
}

// And never did otherwise where they had seen the same.
static inline void agree(crdt_cluster *c)
{
    show_the_same(c);
    for (size_t i = 0; i < c->count; i++) {
        if (merger_of(c, i)->counts.mismatches) fail_msg("node %zu had the same vector as another, and another state", i + 1);
        if (c->protocol == &sk_causal) assert_int_equal(sk_causal_of(c->nodes[i].replica)->held.count, 0);
    }
}

static inline void reads_at(crdt_cluster *c, size_t node, const char *request, const char *expected)
{
    const char *reply = crdt_read(c, &c->nodes[node], request);
    if (strcmp(reply, expected) != 0) fail_msg("node %zu: %s: %s, not %s", node + 1, request, reply, expected);
}

static inline void reads(crdt_cluster *c, const char *request, const char *expected)
{
    for (size_t i = 0; i < c->count; i++) reads_at(c, i, request, expected);
}

static inline void submit(crdt_cluster *c, size_t node, const char *format, ...)
{
    char request[600];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(request, sizeof request, format, arguments);
    va_end(arguments);
    crdt_submit(c, &c->nodes[node], request);
}

static inline void receive(crdt_cluster *c, size_t node, sk_node_id from, const sk_merger_message *message)
{
    sk_buffer bytes = {0};
    sk_merger_message_write(merger_of(c, node)->form, message, &bytes);
    crdt_step(c, &c->nodes[node], (sk_event){.kind = SK_EVENT_RECEIVE, .receive = {.from = from, .message = sk_buffer_slice(&bytes)}});
    sk_buffer_deinit(&bytes);
}

// Bytes that begin like a message of any kind, or of none: nothing happens, or what an honest message does.
static inline void receive_nonsense(crdt_cluster *c, size_t node, sk_node_id from, int count)
{
    sk_prng prng;
    sk_prng_init(&prng, 13);
    for (int i = 0; i < count; i++) {
        uint8_t bytes[64];
        size_t size = sk_prng_below(&prng, sizeof bytes) + 1;
        for (size_t k = 0; k < size; k++) bytes[k] = (uint8_t)sk_prng_next(&prng);
        bytes[0] = (uint8_t)(1 + bytes[0] % merger_of(c, node)->form->kind_end);
        crdt_step(c, &c->nodes[node], (sk_event){.kind = SK_EVENT_RECEIVE, .receive = {.from = from, .message = sk_slice_make(bytes, size)}});
    }
}

static inline void cut_all(crdt_cluster *c, bool cut)
{
    for (size_t i = 0; i < c->count; i++) {
        for (size_t k = 0; k < i; k++) crdt_cut(c, i, k, cut);
    }
}

// Of one node, from all others.
static inline void cut_off(crdt_cluster *c, size_t node, bool cut)
{
    for (size_t i = 0; i < c->count; i++) crdt_cut(c, node, i, cut);
}

static inline void restart(crdt_cluster *c, size_t node)
{
    crdt_crash(c, &c->nodes[node]);
    crdt_start(c, &c->nodes[node]);
}

typedef struct backup {
    sk_buffer snapshot;
    uint64_t position;
} backup;

static inline backup take_backup(crdt_cluster *c, size_t node)
{
    backup taken = {0};
    crdt_snapshot(c, &c->nodes[node]);
    sk_buffer_append_slice(&taken.snapshot, sk_buffer_slice(&c->nodes[node].snapshot));
    taken.position = c->nodes[node].snapshot_position;
    return taken;
}

// Instead of all that the node has; it is started.
static inline void put_back(crdt_cluster *c, size_t node, backup *taken)
{
    computer *n = &c->nodes[node];
    crdt_crash(c, n);
    crdt_wipe(n);
    sk_buffer_append_slice(&n->snapshot, sk_buffer_slice(&taken->snapshot));
    n->snapshot_position = n->durable = taken->position;
    sk_buffer_deinit(&taken->snapshot);
    crdt_start(c, n);
}

// What a node told others to have is there again.
static inline void start_again(crdt_cluster *c, computer *n)
{
    sk_vector told = {0};
    for (size_t i = 0; i < c->count; i++) {
        const sk_merger_peer *peer = c->nodes[i].up ? sk_merger_find_peer(merger_of(c, i), n->id) : NULL;
        if (peer) sk_vector_join(&told, &peer->told);
    }
    crdt_start(c, n);
    assert_true(sk_vector_covers(seen_of(c, n->id - 1), &told));
    sk_vector_deinit(&told);
}

// Something happens to a node, a link, a disk or a clock (which is off by less than that).
static inline void disturb(crdt_cluster *c, sk_prng *prng, uint32_t clock_ms)
{
    computer *n = &c->nodes[sk_prng_below(prng, c->count)];
    size_t other = sk_prng_below(prng, c->count);
    switch (sk_prng_below(prng, 6)) {
    case 0:
        if (n->up) crdt_crash(c, n);
        break;
    case 1:
        if (!n->up) start_again(c, n);
        break;
    case 2: crdt_cut(c, n->id - 1, other, true); break;
    case 3: crdt_cut(c, n->id - 1, other, false); break;
    case 4:
        if (n->up) crdt_snapshot(c, n);
        break;
    case 5: n->wall_offset_ms = (int64_t)sk_prng_below(prng, 2 * clock_ms) - clock_ms; break;
    }
}

// ---- Runs ----

static inline void run_a_write_waits_for_its_own_disk_alone(const sk_protocol *protocol)
{
    crdt_cluster c;
    crdt_open_with(&c, protocol, 3, 1);
    cut_all(&c, true);
    computer *n = &c.nodes[0];
    submit(&c, 0, "set k v");
    assert_int_equal(n->answered, 1);
    const sk_effect *answer = NULL;
    for (size_t i = 0; i < n->effects.count; i++) {
        if (n->effects.list[i].kind == SK_EFFECT_ANSWER) answer = &n->effects.list[i];
    }
    assert_non_null(answer);
    assert_int_equal(answer->answer.after, merger_of(&c, 0)->number);
    assert_true(sk_slice_equal(answer->answer.reply, sk_slice_text("+OK\r\n")));
    crdt_close(&c);
}

// The sender dies with what it wrote on the way to some: all live ones have all of it in the end, or nobody has any.
static inline void run_the_sender_dies_half_way(const sk_protocol *protocol)
{
    for (int lost = 0; lost < 4; lost++) {
        for (int changes = 1; changes < 4; changes++) {
            crdt_cluster c;
            crdt_open_with(&c, protocol, 4, (uint64_t)lost);
            submit(&c, 0, "set born 1");
            crdt_sync_disk(&c, &c.nodes[0]); // nobody hears of a life before
            crdt_run(&c, SK_S);
            for (int i = 0; i < changes; i++) submit(&c, 0, "incr k");
            for (int i = 0; i < lost; i++) drop_link(&c, 0, (size_t)i + 1);
            crdt_run(&c, lost < 3 ? 10 * SK_MS : 0);
            crdt_crash(&c, &c.nodes[0]);
            crdt_run(&c, 10 * SK_S);
            char expected[32];
            snprintf(expected, sizeof expected, "$1\r\n%d\r\n", changes);
            for (size_t i = 1; i < 4; i++) reads_at(&c, i, "get k", lost < 3 ? expected : "$-1\r\n");
            crdt_heal(&c);
            agree(&c);
            crdt_close(&c);
        }
    }
}

// A backup from within a life that all others know to be over, since: its node must not believe that it has all of it.
static inline void run_a_backup_from_within_a_life_that_is_over(const sk_protocol *protocol)
{
    crdt_cluster c;
    crdt_open_with(&c, protocol, 3, 4);
    for (int i = 0; i < 10; i++) submit(&c, 0, "incr n");
    crdt_heal(&c);
    backup taken = take_backup(&c, 2);
    for (int i = 0; i < 10; i++) submit(&c, 0, "incr n");
    submit(&c, 0, "set k v");
    crdt_heal(&c);
    restart(&c, 0);
    crdt_heal(&c);
    submit(&c, 0, "set k v");
    crdt_heal(&c);
    assert_int_equal(merger_of(&c, 0)->counts.closed, 1);
    put_back(&c, 2, &taken);
    submit(&c, 2, "incr n");
    crdt_heal(&c);
    agree(&c);
    reads(&c, "get n", "$2\r\n21\r\n");
    reads(&c, "get k", "$1\r\nv\r\n");
    crdt_close(&c);
}

// A disk that is behind: nothing more is taken from a client, nor what a peer sends of itself; that comes by asking.
static inline void run_a_disk_that_is_behind(const sk_protocol *protocol)
{
    crdt_cluster c;
    crdt_open_with(&c, protocol, 3, 5);
    computer *n = &c.nodes[1];
    for (size_t i = 0; i < 3; i++) submit(&c, i, "incr k");
    crdt_run(&c, 5 * SK_S);
    n->disk_behind = true;
    size_t records = n->records.count;
    uint64_t answered = n->answered;
    for (int i = 0; i < 100; i++) submit(&c, 0, "incr k");
    submit(&c, 1, "incr k");
    arrive(&c, 0, 1);
    assert_int_equal(n->refused, 1);
    assert_int_equal(n->answered, answered);
    assert_int_equal(n->records.count, records);
    assert_true(merger_of(&c, 1)->counts.ignored.disk_behind > 0);
    crdt_run(&c, 500 * SK_MS);
    reads(&c, "get k", "$3\r\n103\r\n");
    n->disk_behind = false;
    crdt_run(&c, 5 * SK_S);
    agree(&c);
    crdt_close(&c);
}

// Two nodes, and the second has got the first part of a dozen or so.
static inline void open_while_much_is_brought(crdt_cluster *c, const sk_protocol *protocol)
{
    enum { KEYS = 1600, SIZE = 500 };
    char value[SIZE + 1];
    memset(value, 'v', SIZE);
    value[SIZE] = '\0';
    crdt_open_with(c, protocol, 2, 6);
    crdt_run(c, SK_S);
    cut_all(c, true);
    for (int i = 0; i < KEYS; i++) submit(c, 0, "set k%d %s", i, value);
    crdt_sync_disk(c, &c->nodes[0]);
    cut_all(c, false);
    while (!merger_of(c, 1)->ask.parts) crdt_next(c, SK_NEVER);
}

// All but node 2's disk, at once.
static inline void exchange(crdt_cluster *c)
{
    crdt_sync_disk(c, &c->nodes[0]);
    for (size_t at = 0; at < 2; at++) crdt_tick(c, &c->nodes[at]);
    arrive(c, 0, 1);
    arrive(c, 1, 0);
}

// It comes to be behind while it takes what it asked for: as many parts as were under way, the next when these are on disk.
static inline void run_an_answer_waits_for_the_disk(const sk_protocol *protocol)
{
    crdt_cluster c;
    open_while_much_is_brought(&c, protocol);
    computer *n = &c.nodes[1];
    n->disk_behind = true;
    uint64_t parts = merger_of(&c, 1)->ask.parts;
    for (int i = 0; i < 10; i++) exchange(&c);
    assert_non_null(merger_of(&c, 1)->ask.peer);
    assert_int_equal(merger_of(&c, 1)->ask.parts, parts + SK_MERGER_PARTS_MAX);
    n->disk_behind = false;
    crdt_run(&c, 5 * SK_S);
    agree(&c);
    crdt_close(&c);
}

// The disk takes longer for what waits than anybody has patience with a peer: what was asked for is not given up for that, and comes in the end.
static inline void run_a_disk_slower_than_patience(const sk_protocol *protocol)
{
    crdt_cluster c;
    open_while_much_is_brought(&c, protocol);
    computer *n = &c.nodes[1];
    for (int i = 0; i < 10 && sk_vector_compare(seen_of(&c, 1), seen_of(&c, 0)) != SK_ORDER_EQUAL; i++) {
        n->disk_behind = true;
        for (int k = 0; k < 70; k++) { // 25 s
            c.now += 360 * SK_MS;
            exchange(&c);
        }
        n->disk_behind = false;
        crdt_sync_disk(&c, n);
    }
    assert_int_equal(merger_of(&c, 1)->counts.given_up, 0);
    assert_int_equal(sk_vector_compare(seen_of(&c, 1), seen_of(&c, 0)), SK_ORDER_EQUAL);
    crdt_run(&c, 5 * SK_S);
    agree(&c);
    crdt_close(&c);
}

// The disk stands still, and whatever others go on to write, one answer is brought and no more; the next one when that is on disk.
static inline void run_a_disk_that_stands_still(const sk_protocol *protocol)
{
    crdt_cluster c;
    crdt_open_with(&c, protocol, 2, 8);
    computer *n = &c.nodes[1];
    for (size_t i = 0; i < 2; i++) submit(&c, i, "incr k");
    crdt_run(&c, 5 * SK_S);
    size_t records = n->records.count;
    n->disk_behind = true;
    for (int i = 0; i < 200; i++) {
        submit(&c, 0, "incr k");
        c.now += 100 * SK_MS;
        exchange(&c);
        if (i != 100) continue;
        assert_int_equal(merger_of(&c, 1)->counts.asks, 1);
        crdt_sync_disk(&c, n);
        assert_int_equal(merger_of(&c, 1)->counts.asks, 2);
    }
    assert_int_equal(merger_of(&c, 1)->counts.asks, 2);
    assert_true(n->records.count > records && n->records.count <= records + 2 * (SK_MERGER_PARTS_MAX + 1) + (protocol == &sk_causal ? 200 : 0));
    n->disk_behind = false;
    crdt_run(&c, 20 * SK_S);
    agree(&c);
    reads(&c, "get k", "$3\r\n202\r\n");
    crdt_close(&c);
}

// When all is said, nobody speaks, and nobody wants to be woken.
static inline void run_an_idle_space_is_quiet(const sk_protocol *protocol)
{
    crdt_cluster c;
    crdt_open_with(&c, protocol, 3, 9);
    for (int i = 0; i < 100; i++) submit(&c, (size_t)i % 3, "incr k%d", i % 7);
    crdt_heal(&c);
    for (size_t i = 0; i < 3; i++) {
        assert_true(protocol->deadline(c.nodes[i].replica) == SK_NEVER);
        for (size_t k = 0; k < 3; k++) assert_int_equal(c.links[i][k].count, 0);
    }
    crdt_close(&c);
}

// So many restarts, each with a write: vectors hold one life a node in the end. The cluster is left open.
static inline void run_restarts_do_not_pile_up(const sk_protocol *protocol, crdt_cluster *c, int restarts)
{
    crdt_open_with(c, protocol, 3, 12);
    size_t most = 0;
    for (int i = 0; i < restarts; i++) {
        size_t node = (size_t)i % 3;
        submit(c, node, "set k%d v%d", i % 10, i);
        crdt_run(c, SK_S);
        crdt_crash(c, &c->nodes[node]);
        crdt_run(c, SK_S);
        crdt_start(c, &c->nodes[node]);
        crdt_run(c, SK_S);
        if (seen_of(c, node)->count > most) most = seen_of(c, node)->count;
    }
    crdt_heal(c);
    agree(c);
    assert_true(most <= 12);
    for (size_t i = 0; i < 3; i++) {
        const sk_merger *merger = merger_of(c, i);
        assert_true(sk_merger_seen(merger)->count <= 6 && merger->ops->base(merger->machine)->count <= 6);
    }
    print_message("figure: %d restarts: at most %zu entries in a vector\n", restarts, most);
}

#endif
