// A small cluster of replicas (crdt's, or another protocol's of the same kind) over real mergeable key spaces: time, links that keep their order but may be cut with what is on them,
// disks that lose what was not synced, clocks that are wrong, backups restored. One seed decides everything.
#ifndef SK_TEST_SUPPORT_CRDT_CLUSTER_H
#define SK_TEST_SUPPORT_CRDT_CLUSTER_H

#include <stdio.h>
#include <stdlib.h>
#include "base/alloc.h"
#include "base/assert.h"
#include "base/prng.h"
#include "base/ring.h"
#include "protocol/causal/causal.h"
#include "protocol/crdt/crdt.h"
#include "redis/command.h"
#include "redis/mergespace_data.h"

enum { CRDT_NODES_MAX = 5, CRDT_REQUESTS_MAX = 4096 };

typedef struct flight { // a message under way, or (bytes NULL) nothing
    sk_ns at;
    sk_node_id from;
    uint8_t *bytes;
    size_t size;
} flight;

typedef struct disk_record {
    sk_record record;
    uint8_t *payload;
} disk_record;

typedef struct held_message {
    uint64_t after;
    sk_node_id to;
    uint8_t *bytes;
    size_t size;
} held_message;

typedef struct computer {
    sk_node_id id;
    bool up;
    bool damaged; // its log: said at the next start
    bool disk_behind;
    uint64_t boot;
    int64_t wall_offset_ms;
    sk_machine *machine;
    sk_replica *replica;
    sk_effects effects;
    sk_ring records; // disk_record: all written, in order
    uint64_t durable; // those up to this number would survive a power cut
    sk_buffer snapshot; // image; empty: none
    uint64_t snapshot_position;
    uint64_t applied;
    bool snapshot_wanted;
    sk_ring held;
    uint64_t answered, refused;
    sk_buffer reply; // the last answer
    uint64_t last_request;
} computer;

typedef struct crdt_cluster {
    const sk_protocol *protocol;
    size_t count;
    computer nodes[CRDT_NODES_MAX];
    sk_ring links[CRDT_NODES_MAX][CRDT_NODES_MAX]; // flight: from, to
    bool cut[CRDT_NODES_MAX][CRDT_NODES_MAX];
    sk_ns now;
    sk_ns latency_max;
    sk_prng prng;
    uint64_t requests;
    uint64_t bytes[CRDT_NODES_MAX][CRDT_NODES_MAX]; // carried
    sk_limits limits;
    bool duplicates; // operations and reports come twice now and then
    bool drops;      // messages vanish now and then
    bool reorders;   // and overtake the one before
} crdt_cluster;

// What both protocols' replicas have first.
static inline sk_merger *merger_of(crdt_cluster *c, size_t node)
{
    return (sk_merger *)(void *)c->nodes[node].replica;
}

static inline uint64_t crdt_wall(const crdt_cluster *c, const computer *n)
{
    return (uint64_t)((int64_t)(1700000000000 + c->now / SK_MS) + n->wall_offset_ms);
}

static inline void drop_link(crdt_cluster *c, size_t from, size_t to)
{
    sk_ring *link = &c->links[from][to];
    for (size_t i = 0; i < link->count; i++) sk_free(((flight *)sk_ring_at(link, i))->bytes);
    sk_ring_pop_front(link, link->count);
}

static inline void crdt_carry(crdt_cluster *c, computer *n, sk_node_id to, sk_slice bytes)
{
    size_t from = n->id - 1;
    size_t peer = to - 1;
    if (c->cut[from][peer] || !c->nodes[peer].up) return;
    c->bytes[from][peer] += bytes.size;
    if (c->drops && sk_prng_chance(&c->prng, 1, 20)) return;
    bool walk = bytes.data[0] >= SK_CRDT_ASK;
    int copies = c->duplicates && !walk && sk_prng_chance(&c->prng, 1, 10) ? 2 : 1;
    while (copies--) {
        sk_ring *link = &c->links[from][peer];
        sk_ns at = c->now + 1 + sk_prng_below(&c->prng, c->latency_max);
        if (link->count) {
            const flight *last = sk_ring_at(link, link->count - 1);
            if (last->at > at) at = last->at;
        }
        flight *f = sk_ring_push(link);
        *f = (flight){.at = at, .from = n->id, .bytes = sk_alloc(bytes.size), .size = bytes.size};
        memcpy(f->bytes, bytes.data, bytes.size);
        flight *before = link->count > 1 ? sk_ring_at(link, link->count - 2) : NULL;
        if (!before || !c->reorders || !sk_prng_chance(&c->prng, 1, 5)) continue;
        flight overtaken = *before;
        before->bytes = f->bytes;
        before->size = f->size;
        f->bytes = overtaken.bytes;
        f->size = overtaken.size;
    }
}

static inline void crdt_carry_out(crdt_cluster *c, computer *n)
{
    for (size_t i = 0; i < n->effects.count; i++) {
        const sk_effect *e = &n->effects.list[i];
        switch (e->kind) {
        case SK_EFFECT_SEND:
            if (e->send.after <= n->durable) {
                crdt_carry(c, n, e->send.to, e->send.message);
            } else {
                held_message *h = sk_ring_push(&n->held);
                *h = (held_message){e->send.after, e->send.to, sk_alloc(e->send.message.size), e->send.message.size};
                memcpy(h->bytes, e->send.message.data, h->size);
            }
            break;
        case SK_EFFECT_PERSIST: {
            disk_record *d = sk_ring_push(&n->records);
            *d = (disk_record){.record = e->persist.record, .payload = sk_alloc(e->persist.record.payload.size)};
            memcpy(d->payload, e->persist.record.payload.data, e->persist.record.payload.size);
            d->record.payload.data = d->payload;
            break;
        }
        case SK_EFFECT_APPLY:
            SK_ASSERT(e->apply.position > n->applied && e->apply.payload.size == 0);
            n->applied = e->apply.position;
            break;
        case SK_EFFECT_ANSWER:
            SK_ASSERT(e->answer.reply.size && e->answer.request == n->last_request + 1);
            n->last_request = e->answer.request;
            n->answered++;
            sk_buffer_clear(&n->reply);
            sk_buffer_append_slice(&n->reply, e->answer.reply);
            break;
        case SK_EFFECT_REFUSE: n->refused++; break;
        case SK_EFFECT_SNAPSHOT_WANTED: n->snapshot_wanted = true; break;
        case SK_EFFECT_STATUS: case SK_EFFECT_QUERY: break;
        default: SK_UNREACHABLE();
        }
    }
}

static inline void crdt_step(crdt_cluster *c, computer *n, sk_event event)
{
    event.now = c->now;
    event.wall_ms = crdt_wall(c, n);
    event.disk_behind = n->disk_behind;
    sk_effects_reset(&n->effects);
    c->protocol->step(n->replica, &event, &n->effects);
    crdt_carry_out(c, n);
    c->protocol->check(n->replica);
}

static inline void crdt_sync_disk(crdt_cluster *c, computer *n)
{
    if (!n->records.count) return;
    uint64_t last = ((disk_record *)sk_ring_at(&n->records, n->records.count - 1))->record.number;
    if (last == n->durable) return;
    n->durable = last;
    crdt_step(c, n, (sk_event){.kind = SK_EVENT_DURABLE, .durable.number = last});
    while (n->held.count) {
        held_message h = *(held_message *)sk_ring_at(&n->held, 0);
        if (h.after > n->durable) break;
        sk_ring_pop_front(&n->held, 1);
        crdt_carry(c, n, h.to, sk_slice_make(h.bytes, h.size));
        sk_free(h.bytes);
    }
}

static inline void drop_records(computer *n, uint64_t above)
{
    while (n->records.count) {
        disk_record *last = sk_ring_at(&n->records, n->records.count - 1);
        if (last->record.number <= above) break;
        sk_free(last->payload);
        sk_ring_pop_back(&n->records, 1);
    }
}

static inline void crdt_snapshot(crdt_cluster *c, computer *n)
{
    if (c->protocol->status(n->replica).loading) return;
    crdt_sync_disk(c, n);
    sk_buffer_clear(&n->snapshot);
    sk_machine_image *image = n->machine->ops->image_open(n->machine);
    while (n->machine->ops->image_next(image, &n->snapshot, 1000)) {
    }
    n->machine->ops->image_close(image);
    n->snapshot_position = n->applied;
    n->snapshot_wanted = false;
    while (n->records.count) { // the log is freed up to there
        disk_record *first = sk_ring_at(&n->records, 0);
        if (first->record.number > n->snapshot_position) break;
        sk_free(first->payload);
        sk_ring_pop_front(&n->records, 1);
    }
    crdt_step(c, n, (sk_event){.kind = SK_EVENT_SNAPSHOT_TAKEN, .snapshot = {.position = n->snapshot_position, .ok = true}});
}

// What waits for the disk goes with its link (protocol.h).
static inline void drop_held(computer *n, sk_node_id to)
{
    for (size_t left = n->held.count; left; left--) {
        held_message held = *(held_message *)sk_ring_at(&n->held, 0);
        sk_ring_pop_front(&n->held, 1);
        if (held.to == to) sk_free(held.bytes);
        else *(held_message *)sk_ring_push(&n->held) = held;
    }
}

static inline void crdt_link(crdt_cluster *c, size_t a, size_t b, bool up)
{
    computer *pair[2] = {&c->nodes[a], &c->nodes[b]};
    drop_link(c, a, b);
    drop_link(c, b, a);
    for (int i = 0; i < 2; i++) {
        drop_held(pair[i], pair[!i]->id);
        if (pair[i]->up) crdt_step(c, pair[i], (sk_event){.kind = SK_EVENT_LINK, .link = {.peer = pair[!i]->id, .up = up}});
    }
}

static inline void crdt_cut(crdt_cluster *c, size_t a, size_t b, bool cut)
{
    if (c->cut[a][b] == cut || a == b) return;
    c->cut[a][b] = c->cut[b][a] = cut;
    if (c->nodes[a].up && c->nodes[b].up) crdt_link(c, a, b, !cut);
}

static inline void crdt_start(crdt_cluster *c, computer *n)
{
    sk_mergespace_options options = {.node = n->id, .drift_max_ms = 500};
    sk_member members[CRDT_NODES_MAX];
    for (size_t i = 0; i < c->count; i++) members[i] = (sk_member){.id = (sk_node_id)i + 1, .voter = true};
    n->machine = sk_mergespace_open(&options);
    if (n->snapshot.size) {
        sk_machine_restore *restore = n->machine->ops->restore_open(n->machine);
        int status = n->machine->ops->restore_add(restore, sk_buffer_slice(&n->snapshot));
        status = status < 0 ? status : n->machine->ops->restore_finish(restore);
        SK_ASSERT(status == 0);
    }
    sk_setup setup = {.self = n->id, .members = members, .member_count = c->count, .boot = ++n->boot, .limits = c->limits,
                      .recovery = {.snapshot_position = n->snapshot_position}, .now = c->now, .wall_ms = crdt_wall(c, n), .machine = n->machine};
    n->replica = c->protocol->open(&setup);
    n->applied = n->snapshot_position;
    for (size_t i = 0; i < n->records.count; i++)
        c->protocol->recover(n->replica, &((disk_record *)sk_ring_at(&n->records, i))->record);
    n->durable = n->records.count ? ((disk_record *)sk_ring_at(&n->records, n->records.count - 1))->record.number : n->snapshot_position;
    n->last_request = c->requests;
    n->up = true;
    sk_effects_reset(&n->effects);
    c->protocol->start(n->replica, c->now, n->damaged, &n->effects);
    n->damaged = false;
    crdt_carry_out(c, n);
    for (size_t i = 0; i < c->count; i++) {
        if (i + 1 != n->id && c->nodes[i].up && !c->cut[n->id - 1][i]) crdt_link(c, n->id - 1, i, true);
    }
}

// Power cut: what was not synced is gone.
static inline void crdt_crash(crdt_cluster *c, computer *n)
{
    n->up = false;
    c->protocol->close(n->replica);
    n->machine->ops->close(n->machine);
    n->replica = NULL;
    n->machine = NULL;
    drop_records(n, n->durable);
    for (size_t i = 0; i < n->held.count; i++) sk_free(((held_message *)sk_ring_at(&n->held, i))->bytes);
    sk_ring_pop_front(&n->held, n->held.count);
    for (size_t i = 0; i < c->count; i++) {
        if (i + 1 != n->id && !c->cut[n->id - 1][i]) crdt_link(c, n->id - 1, i, false);
    }
}

static inline void crdt_wipe(computer *n)
{
    drop_records(n, 0);
    sk_buffer_clear(&n->snapshot);
    n->snapshot_position = 0;
    n->durable = 0;
}

static inline void crdt_open_with(crdt_cluster *c, const sk_protocol *protocol, size_t count, uint64_t seed)
{
    memset(c, 0, sizeof *c);
    c->protocol = protocol;
    c->count = count;
    c->now = SK_S;
    c->latency_max = 5 * SK_MS;
    c->limits = (sk_limits){.pending_max = CRDT_REQUESTS_MAX,
                            .log_entries_max = 100000,
                            .log_bytes_max = 64 << 20,
                            .window_bytes_max = 1 << 20};
    sk_prng_init(&c->prng, seed);
    for (size_t i = 0; i < count; i++) {
        c->nodes[i].id = (sk_node_id)i + 1;
        sk_ring_init(&c->nodes[i].records, sizeof(disk_record));
        sk_ring_init(&c->nodes[i].held, sizeof(held_message));
        for (size_t k = 0; k < count; k++) sk_ring_init(&c->links[i][k], sizeof(flight));
    }
    for (size_t i = 0; i < count; i++) crdt_start(c, &c->nodes[i]);
    for (size_t i = 0; i < count; i++) crdt_sync_disk(c, &c->nodes[i]);
}

static inline void crdt_open(crdt_cluster *c, size_t count, uint64_t seed)
{
    crdt_open_with(c, &sk_crdt, count, seed);
}

static inline void crdt_close(crdt_cluster *c)
{
    for (size_t i = 0; i < c->count; i++) {
        computer *n = &c->nodes[i];
        if (n->up) {
            n->up = false;
            c->protocol->close(n->replica);
            n->machine->ops->close(n->machine);
        }
        drop_records(n, 0);
        sk_ring_deinit(&n->records);
        for (size_t k = 0; k < n->held.count; k++) sk_free(((held_message *)sk_ring_at(&n->held, k))->bytes);
        sk_ring_deinit(&n->held);
        sk_buffer_deinit(&n->snapshot);
        sk_buffer_deinit(&n->reply);
        sk_effects_deinit(&n->effects);
        for (size_t k = 0; k < c->count; k++) {
            drop_link(c, i, k);
            sk_ring_deinit(&c->links[i][k]);
        }
    }
}

static inline void crdt_tick(crdt_cluster *c, computer *n)
{
    for (int i = 0; i < 4 && c->protocol->deadline(n->replica) <= c->now; i++) crdt_step(c, n, (sk_event){.kind = SK_EVENT_TICK});
}

// A request, words between spaces, submitted at once; its answer comes when its turn ends and its record lasts.
static inline void crdt_submit(crdt_cluster *c, computer *n, const char *line)
{
    sk_slice words[64];
    size_t count = 0;
    while (*line && count < 64) {
        size_t size = strcspn(line, " ");
        words[count++] = sk_slice_make(line, size);
        line += size + (line[size] == ' ');
    }
    sk_buffer command = {0};
    sk_command_encode(&command, count, words);
    n->last_request = c->requests++;
    crdt_step(c, n, (sk_event){.kind = SK_EVENT_SUBMIT,
                               .submit = {.request = c->requests, .command = sk_buffer_slice(&command), .seed = c->requests, .resp = 2}});
    sk_buffer_deinit(&command);
    crdt_tick(c, n);
}

// What a read replies, as text, until the next call.
static inline const char *crdt_read(crdt_cluster *c, computer *n, const char *line)
{
    sk_slice words[16];
    size_t count = 0;
    while (*line && count < 16) {
        size_t size = strcspn(line, " ");
        words[count++] = sk_slice_make(line, size);
        line += size + (line[size] == ' ');
    }
    sk_buffer command = {0};
    sk_command_context context = {.clock_ms = crdt_wall(c, n), .seed = 1, .resp = 2};
    sk_command_encode(&command, count, words);
    sk_buffer_clear(&n->reply);
    sk_machine_job *job = n->machine->ops->query(n->machine, &context, sk_buffer_slice(&command), &n->reply);
    SK_ASSERT(!job);
    sk_buffer_append_byte(&n->reply, 0);
    sk_buffer_deinit(&command);
    return (const char *)n->reply.data;
}

// The next thing that happens anywhere, no later than `until`. False: nothing does.
static inline bool crdt_next(crdt_cluster *c, sk_ns until)
{
    sk_ns at = SK_NEVER;
    sk_ring *link = NULL;
    computer *node = NULL;
    for (size_t i = 0; i < c->count; i++) {
        computer *n = &c->nodes[i];
        if (!n->up) continue;
        sk_ns due = c->protocol->deadline(n->replica);
        if (due < c->now) due = c->now;
        if (due < at) {
            at = due;
            node = n;
            link = NULL;
        }
        for (size_t k = 0; k < c->count; k++) {
            sk_ring *one = &c->links[k][i];
            if (!one->count || ((flight *)sk_ring_at(one, 0))->at >= at) continue;
            at = ((flight *)sk_ring_at(one, 0))->at;
            node = n;
            link = one;
        }
    }
    if (at > until) {
        c->now = until;
        return false;
    }
    if (at > c->now) c->now = at;
    if (link) {
        flight f = *(flight *)sk_ring_at(link, 0);
        sk_ring_pop_front(link, 1);
        crdt_step(c, node, (sk_event){.kind = SK_EVENT_RECEIVE,
                                      .receive = {.from = f.from, .message = sk_slice_make(f.bytes, f.size)}});
        sk_free(f.bytes);
    }
    crdt_tick(c, node);
    if (sk_prng_chance(&c->prng, 1, 2)) crdt_sync_disk(c, node);
    if (node->snapshot_wanted) crdt_snapshot(c, node);
    node->machine->ops->collect(node->machine, sk_prng_chance(&c->prng, 1, 2) ? 20 : 2000);
    return true;
}

static inline void crdt_run(crdt_cluster *c, sk_ns time)
{
    sk_ns until = c->now + time;
    while (crdt_next(c, until)) {
    }
    for (size_t i = 0; i < c->count; i++) {
        if (c->nodes[i].up) crdt_sync_disk(c, &c->nodes[i]);
    }
}

// Everything up and linked, time for all to agree.
static inline void crdt_heal(crdt_cluster *c)
{
    c->drops = false;
    for (size_t i = 0; i < c->count; i++) {
        for (size_t k = 0; k < c->count; k++) crdt_cut(c, i, k, false);
        if (!c->nodes[i].up) crdt_start(c, &c->nodes[i]);
    }
    for (int i = 0; i < 80; i++) crdt_run(c, SK_S);
    for (size_t i = 0; i < c->count; i++) {
        while (c->nodes[i].machine->ops->collect(c->nodes[i].machine, 1000)) {
        }
    }
}

static inline uint64_t crdt_digest(const computer *n)
{
    return n->machine->ops->digest(n->machine);
}

// What is on its way arrives, and nothing else happens: no disk writes, no reports.
static inline void arrive(crdt_cluster *c, size_t from, size_t to)
{
    while (c->links[from][to].count) {
        flight f = *(flight *)sk_ring_at(&c->links[from][to], 0);
        sk_ring_pop_front(&c->links[from][to], 1);
        crdt_step(c, &c->nodes[to], (sk_event){.kind = SK_EVENT_RECEIVE, .receive = {.from = f.from, .message = sk_slice_make(f.bytes, f.size)}});
        sk_free(f.bytes);
    }
}

#endif
