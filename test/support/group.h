// A few whole nodes in one process, and the wire between them held in the hand: each frame can be delivered, lost, kept
// for later or made up; each node's disk can be stopped. Nothing happens but by group_turn.
//
// The lowest node that can be elected leads: each waits longer for a leader than the one before it.
#ifndef SK_TEST_SUPPORT_GROUP_H
#define SK_TEST_SUPPORT_GROUP_H

#include "node/state.h"
#include "test/support/one_node.h"

enum { GROUP_MAX = 5 };

typedef struct group group;

typedef struct letter {
    sk_node_id from, to;
    sk_buffer bytes;
    sk_frame frame; // its payload is in `bytes`
} letter;

enum post { POST_DELIVER, POST_LOSE, POST_KEEP };

typedef struct group_node {
    world w; // w.node NULL: it is down
    group *all;
    sk_node_config config;
    sk_identity identity;
    bool disk_stopped;
} group_node;

struct group {
    size_t count;
    group_node nodes[GROUP_MAX + 1]; // by id
    sk_ns now;
    sk_ring mail, kept; // of letter
    enum post (*post)(group *g, const letter *l); // NULL: all is delivered
    uint64_t seen[GROUP_MAX + 1];                 // for `post` to count in
};

static inline void letters_drop(sk_ring *letters)
{
    for (size_t i = 0; i < letters->count; i++) sk_buffer_deinit(&((letter *)sk_ring_at(letters, i))->bytes);
    sk_ring_pop_front(letters, letters->count);
}

static inline letter letter_make(sk_node_id from, sk_node_id to, sk_slice frame)
{
    letter l = {.from = from, .to = to};
    size_t used;
    sk_buffer_append_slice(&l.bytes, frame);
    assert_int_equal(sk_frame_parse(sk_buffer_slice(&l.bytes), &l.frame, &used), 1);
    assert_int_equal(used, frame.size);
    return l;
}

static inline void group_peer_send(sk_node_host *host, sk_node_id peer, sk_slice frames)
{
    group_node *from = SK_CONTAINER(host, group_node, w.host);
    while (frames.size) {
        sk_frame frame;
        size_t used;
        assert_int_equal(sk_frame_parse(frames, &frame, &used), 1);
        letter l = letter_make(from->identity.node, peer, sk_slice_make(frames.data, used));
        *(letter *)sk_ring_push(&from->all->mail) = l;
        frames = sk_slice_make(frames.data + used, frames.size - used);
    }
}

static const sk_node_host_ops group_host_ops = {group_peer_send,  on_peer_cut, on_client_output, on_client_close,
                                                on_client_resume, on_wall_ms,  on_memory_rss, on_cpu_time};

static inline sk_space *group_space(group *g, sk_node_id id)
{
    return g->nodes[id].w.node->spaces[SK_SPACE_DEFAULT];
}

static inline sk_space_facts group_facts(group *g, sk_node_id id)
{
    return sk_node_space_facts(g->nodes[id].w.node, SK_SPACE_DEFAULT, true);
}

// ---- Nodes and links ----

static inline void group_unlink(group *g, sk_node_id a, sk_node_id b)
{
    if (g->nodes[a].w.node) sk_node_peer_down(g->nodes[a].w.node, b);
    if (g->nodes[b].w.node) sk_node_peer_down(g->nodes[b].w.node, a);
}

static inline void group_link(group *g, sk_node_id a, sk_node_id b)
{
    sk_node *one = g->nodes[a].w.node, *other = g->nodes[b].w.node;
    if (a == b || !one || !other) return;
    char why[200];
    sk_hello from_one, from_other;
    sk_node_hello(one, &from_one);
    sk_node_hello(other, &from_other);
    assert_int_equal(sk_node_peer_judge(other, &from_one, why, sizeof why), 0);
    assert_int_equal(sk_node_peer_judge(one, &from_other, why, sizeof why), 0);
    sk_node_peer_up(one, &from_other);
    sk_node_peer_up(other, &from_one);
}

static inline void group_start(group *g, sk_node_id id)
{
    group_node *n = &g->nodes[id];
    char problem[256];
    n->w.now = g->now;
    assert_int_equal(sk_node_open(&n->w.node, &n->config, &n->identity, &n->w.host, sim_disk_face(n->w.disk), &n->w.sink,
                                  g->now, problem, sizeof problem),
                     0);
    for (sk_node_id peer = 1; peer <= g->count; peer++) group_link(g, id, peer);
}

// The power fails: what was under way at its disk is lost. Its clients must be forgotten first.
static inline void group_stop(group *g, sk_node_id id)
{
    group_node *n = &g->nodes[id];
    sim_disk_crash(n->w.disk);
    sk_node_close(n->w.node);
    n->w.node = NULL;
    for (sk_node_id peer = 1; peer <= g->count; peer++) {
        if (peer != id) group_unlink(g, id, peer);
    }
}

// Configurations may be changed between the two.
static inline void group_prepare(group *g, size_t count)
{
    *g = (group){.count = count, .now = SK_S};
    sk_ring_init(&g->mail, sizeof(letter));
    sk_ring_init(&g->kept, sizeof(letter));
    for (sk_node_id id = 1; id <= count; id++) {
        group_node *n = &g->nodes[id];
        n->all = g;
        world_prepare(&n->config);
        n->config.timing.election_min = (100 + 200 * id) * SK_MS;
        n->config.timing.election_max = (200 + 200 * id) * SK_MS;
        n->identity = (sk_identity){.cluster = {"cluster-of-tests"}, .node = id, .founder_count = (uint32_t)count};
        for (uint32_t i = 0; i < count; i++) {
            n->identity.founders[i] = (sk_founder){.id = i + 1};
            snprintf(n->identity.founders[i].address, SK_ADDRESS_SIZE_MAX, "10.0.0.%u:7380", i + 1);
        }
    }
}

static inline void group_open(group *g)
{
    for (sk_node_id id = 1; id <= g->count; id++) {
        group_node *n = &g->nodes[id];
        n->w = (world){.host = {&group_host_ops}, .sink = {.write = on_log, .level = SK_LOG_ERROR}};
        sk_prng prng;
        sk_prng_init(&prng, id);
        n->w.disk = sim_disk_open(prng, NULL);
        assert_int_equal(sk_identity_found(sim_disk_face(n->w.disk), &n->identity), 0);
        group_start(g, id);
    }
}

static inline void group_close(group *g)
{
    for (sk_node_id id = 1; id <= g->count; id++) {
        if (g->nodes[id].w.node) group_stop(g, id);
        sim_disk_close(g->nodes[id].w.disk);
    }
    letters_drop(&g->mail);
    letters_drop(&g->kept);
    sk_ring_deinit(&g->mail);
    sk_ring_deinit(&g->kept);
}

// ---- The wire ----

static inline void group_receive(group *g, const letter *l)
{
    sk_node *to = g->nodes[l->to].w.node;
    if (to && sk_peer_linked(to, l->from)) sk_node_peer_receive(to, l->from, &l->frame);
}

static inline void group_deliver(group *g)
{
    for (size_t waiting = g->mail.count; waiting; waiting--) {
        letter l = *(letter *)sk_ring_at(&g->mail, 0);
        sk_ring_pop_front(&g->mail, 1);
        enum post post = g->post ? g->post(g, &l) : POST_DELIVER;
        if (post == POST_DELIVER) group_receive(g, &l);
        if (post == POST_KEEP) *(letter *)sk_ring_push(&g->kept) = l;
        else sk_buffer_deinit(&l.bytes);
    }
}

// What was kept arrives now.
static inline void group_release(group *g)
{
    for (size_t i = 0; i < g->kept.count; i++) group_receive(g, sk_ring_at(&g->kept, i));
    letters_drop(&g->kept);
}

// A frame of the default space that nobody sent.
static inline void group_inject(group *g, sk_node_id from, sk_node_id to, enum sk_frame_kind kind, const sk_buffer *payload)
{
    sk_buffer bytes = {0};
    sk_frame frame = {.kind = kind, .space = SK_SPACE_DEFAULT, .payload = sk_buffer_slice(payload)};
    sk_frame_write(&bytes, &frame);
    letter l = letter_make(from, to, sk_buffer_slice(&bytes));
    group_receive(g, &l);
    sk_buffer_deinit(&l.bytes);
    sk_buffer_deinit(&bytes);
}

// ---- Time ----

static inline void group_turn(group *g)
{
    g->now += SK_MS;
    for (sk_node_id id = 1; id <= g->count; id++) {
        world *w = &g->nodes[id].w;
        if (!w->node) continue;
        w->now = g->now;
        if (!g->nodes[id].disk_stopped) {
            sim_disk_time(w->disk, g->now);
            sim_disk_run_until(w->disk, g->now);
        }
        sk_node_time(w->node, g->now);
        sk_node_turn(w->node);
        sk_node_check(w->node);
    }
    group_deliver(g);
}

static inline void group_run(group *g, sk_ns time)
{
    for (sk_ns end = g->now + time; g->now < end;) group_turn(g);
}

// Turns until it holds; fails when it does not within ten seconds.
#define GROUP_UNTIL(g, condition)                                                                            \
    do {                                                                                                     \
        for (int turns_ = 0; turns_ < 10000 && !(condition); turns_++) group_turn(g);                        \
        if (!(condition)) fail_msg("waited in vain for: %s", #condition);                                    \
    } while (0)

// Who leads the default space, as it says itself; 0: nobody.
static inline sk_node_id group_leader(group *g)
{
    for (sk_node_id id = 1; id <= g->count; id++) {
        if (g->nodes[id].w.node && group_facts(g, id).status.role == SK_ROLE_LEADER) return id;
    }
    return 0;
}

// ---- Clients ----

static inline void group_send(group *g, sk_node_id id, connection *from, const char *line)
{
    sk_buffer_append_text(&from->input, line);
    sk_buffer_append_text(&from->input, "\r\n");
    feed(&g->nodes[id].w, from);
}

static inline bool group_heard(const connection *c, const char *text)
{
    return c->output.size == strlen(text) && memcmp(c->output.data, text, c->output.size) == 0;
}

// The raw reply, terminated; valid until the next one.
static inline const char *group_ask(group *g, sk_node_id id, connection *from, const char *line)
{
    sk_buffer_clear(&from->output);
    group_send(g, id, from, line);
    for (int turns = 0; turns < 10000 && !sk_client_idle(from->client); turns++) group_turn(g);
    group_turn(g); // hands over the reply
    sk_buffer_append_byte(&from->output, 0);
    return (const char *)from->output.data;
}

static inline void group_connect(group *g, sk_node_id id, connection *c)
{
    connect_client(&g->nodes[id].w, c, "10.0.0.9:50000");
}

static inline void group_disconnect(group *g, sk_node_id id, connection *c)
{
    disconnect(&g->nodes[id].w, c);
    c->client = NULL;
}

#endif
