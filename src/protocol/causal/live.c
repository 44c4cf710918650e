// Rules 1 to 3: writes here, and delivery of what others wrote.
#include "base/alloc.h"
#include "base/assert.h"
#include "protocol/causal/causal.h"

static const sk_ns gap_pause = 20 * SK_MS; // what comes too early is mostly followed soon by what it needs

// ---- Here ----

// A command adds at most as many changes as it has words: far from so many.
#define COUNTER_ROOM ((uint64_t)1 << 40)

void sk_causal_on_submit(sk_causal_replica *causal, const sk_event *event)
{
    if (!sk_merger_admit(&causal->core, event)) return;
    if (sk_vector_get(sk_causal_seen(causal), sk_causal_self(causal)) > SK_COUNTER_MAX - COUNTER_ROOM) {
        sk_causal_flush(causal);
        sk_causal_begin_life(causal, causal->core.life);
    }
    sk_merger_run(&causal->core, event);
}

// What was delivered since our last batch. Of a retired life nothing need be said: what closed it is of a life that is still counted here
// (or was closed in turn by a later one that is), so whoever has the rest has closed it too.
static void gather_needs(sk_causal_replica *causal)
{
    const sk_vector *seen = sk_causal_seen(causal);
    sk_vector_clear(&causal->needs);
    for (size_t i = 0; i < seen->count; i++) {
        sk_dot entry = seen->list[i];
        if (entry.actor == sk_causal_self(causal) || entry.counter == SK_RETIRED) continue;
        if (sk_vector_has(&causal->announced, entry)) continue;
        sk_vector_raise(&causal->needs, entry.actor, entry.counter);
    }
    sk_vector_copy(&causal->announced, seen);
    causal->counts.needs_entries += causal->needs.count;
}

// Rule 8. The same on every node at the same V: a batch that has been delivered has closed what it closes, and nothing else does.
static void close_lives(sk_causal_replica *causal, const sk_causal_batch *batch)
{
    if (batch->closes == 0) return;
    sk_vector closed = {0};
    sk_vector_retire(&closed, sk_actor_make(sk_actor_node(batch->actor), batch->closes));
    causal->core.ops->join(causal->core.machine, &closed, NULL);
    sk_vector_deinit(&closed);
    causal->core.counts.closed++;
}

static void send_batch(sk_causal_replica *causal, uint64_t last, sk_slice operations)
{
    sk_causal_batch batch = {.actor = sk_causal_self(causal),
                             .first = causal->flushed + 1,
                             .last = last,
                             .closes = sk_causal_life_over(causal),
                             .operations = operations};
    sk_buffer_clear(&causal->core.scratch);
    sk_causal_batch_write(&batch, &causal->needs, &causal->core.scratch);
    batch.bytes = sk_buffer_slice(&causal->core.scratch);
    sk_merger_persist(&causal->core, SK_CAUSAL_RECORD_BATCH, batch.bytes, 0);
    if (!causal->life_record) causal->life_record = causal->core.number;
    sk_causal_log_add(causal, &batch);
    sk_merger_message message = {.kind = SK_CAUSAL_BATCHES, .bytes = batch.bytes};
    causal->counts.batches_sent += sk_merger_send_to_linked(&causal->core, &message, causal->life_record);
    causal->flushed = last;
    close_lives(causal, &batch);
    sk_vector_clear(&causal->needs); // those behind it in this turn need no more
}

static void send_operations(sk_causal_replica *causal)
{
    sk_reader reader = sk_reader_make(sk_buffer_slice(&causal->core.operations));
    gather_needs(causal);
    while (sk_reader_left(&reader)) {
        sk_operation_head last;
        sk_slice operations = sk_operations_take(&reader, SK_MERGER_PART_SIZE, &last);
        SK_ASSERT(last.actor == sk_causal_self(causal));
        send_batch(causal, last.last, operations);
    }
    SK_ASSERT(causal->flushed == sk_vector_get(sk_causal_seen(causal), sk_causal_self(causal)));
}

void sk_causal_flush(sk_causal_replica *causal)
{
    if (causal->core.operations.size) {
        send_operations(causal);
        sk_causal_changed(causal);
    }
    sk_merger_answer_all(&causal->core);
}

// ---- Of others ----

enum fate { DELIVERED, KNOWN, EARLY, BAD };

static bool is_known(const sk_causal_replica *causal, sk_actor actor, uint64_t last)
{
    return sk_vector_has(sk_causal_seen(causal), (sk_dot){actor, last});
}

// Are the actor's changes before `first` here?
static bool is_next(const sk_causal_replica *causal, sk_actor actor, uint64_t first)
{
    return sk_vector_has(sk_causal_seen(causal), (sk_dot){actor, first - 1});
}

// Rule 2. On EARLY nothing has changed.
static enum fate deliver(sk_causal_replica *causal, const sk_causal_batch *batch, const sk_vector *needs)
{
    if (is_known(causal, batch->actor, batch->last)) return KNOWN;
    if (!is_next(causal, batch->actor, batch->first) || !sk_vector_covers(sk_causal_seen(causal), needs)) return EARLY;
    size_t taken;
    int status = causal->core.ops->apply(causal->core.machine, causal->core.wall_ms, batch->operations, &taken);
    if (status == 0) close_lives(causal, batch);
    return status == 0 ? DELIVERED : BAD;
}

// Nobody but we know how far our present life has come, and nobody closes it.
static bool is_forged(const sk_causal_replica *causal, const sk_causal_batch *batch, const sk_vector *needs)
{
    sk_actor self = sk_causal_self(causal);
    uint64_t made = sk_vector_get(sk_causal_seen(causal), self);
    bool closes = sk_actor_node(batch->actor) == causal->core.self && batch->closes >= causal->core.life;
    sk_actor closed = sk_actor_make(sk_actor_node(batch->actor), batch->closes);
    if (sk_merger_is_absurd(&causal->core, batch->actor) || sk_merger_is_absurd(&causal->core, closed)) return true;
    return (batch->actor == self && batch->last > made) || sk_vector_get(needs, self) > made || closes;
}

// A batch was delivered, or what it held before its malformed end: that stays, so it is recorded and handed on.
static void note(sk_causal_replica *causal, const sk_causal_batch *batch)
{
    sk_merger_persist(&causal->core, SK_CAUSAL_RECORD_BATCH, batch->bytes, SK_MERGER_REPORT_PAUSE);
    sk_causal_log_add(causal, batch);
    causal->counts.delivered++;
    sk_causal_changed(causal);
}

static enum fate take(sk_causal_replica *causal, const sk_causal_batch *batch, const sk_vector *needs)
{
    uint64_t before = sk_vector_get(sk_causal_seen(causal), batch->actor);
    enum fate fate = deliver(causal, batch, needs);
    if (fate == KNOWN) causal->counts.repeated++;
    if (fate == DELIVERED) note(causal, batch);
    if (fate != BAD) return fate;
    causal->core.counts.ignored.malformed++;
    uint64_t now = sk_vector_get(sk_causal_seen(causal), batch->actor);
    if (now == before) return fate;
    sk_reader reader = sk_reader_make(batch->operations);
    uint64_t last = 0;
    while (last < now) last = sk_operation_head_read(&reader).last;
    sk_causal_batch part = {.actor = batch->actor, .first = batch->first, .last = now};
    sk_buffer bytes = {0};
    size_t size = (size_t)(reader.at - batch->operations.data);
    part.operations = sk_slice_make(batch->operations.data, size);
    sk_causal_batch_write(&part, needs, &bytes);
    part.bytes = sk_buffer_slice(&bytes);
    note(causal, &part);
    sk_buffer_deinit(&bytes);
    return fate;
}

static bool is_held(const sk_causal_replica *causal, const sk_causal_batch *batch)
{
    for (size_t i = 0; i < causal->held.count; i++) {
        const sk_causal_entry *entry = sk_ring_at(&causal->held, i);
        if (entry->actor == batch->actor && entry->first == batch->first && entry->last == batch->last) return true;
    }
    return false;
}

// Rule 3.
static void hold(sk_causal_replica *causal, sk_causal_peer *peer, const sk_causal_batch *batch)
{
    peer->held_of = true;
    if (causal->gap_at == SK_NEVER) causal->gap_at = causal->core.now + gap_pause;
    if (is_held(causal, batch)) return;
    size_t size = batch->bytes.size;
    if (causal->held.count >= SK_CAUSAL_HELD_COUNT || causal->held_bytes + size > SK_CAUSAL_HELD_BYTES) {
        causal->core.counts.ignored.held_full++;
        return;
    }
    sk_causal_entry *entry = sk_causal_entry_push(&causal->held, batch->bytes);
    entry->actor = batch->actor;
    entry->first = batch->first;
    entry->last = batch->last;
    causal->held_bytes += size;
    causal->counts.held++;
}

static void drop_first_held(sk_causal_replica *causal)
{
    sk_causal_entry entry = *(sk_causal_entry *)sk_ring_at(&causal->held, 0);
    sk_ring_pop_front(&causal->held, 1);
    causal->held_bytes -= entry.size;
    sk_free(entry.bytes);
}

void sk_causal_drop_held(sk_causal_replica *causal)
{
    while (causal->held.count) drop_first_held(causal);
}

// The first one held, once more. False: it is still early.
static bool try_first_held(sk_causal_replica *causal)
{
    sk_causal_entry entry = *(sk_causal_entry *)sk_ring_at(&causal->held, 0);
    if (!is_known(causal, entry.actor, entry.last)) {
        if (!is_next(causal, entry.actor, entry.first)) return false;
        sk_reader reader = sk_reader_make(sk_slice_make(entry.bytes, entry.size));
        sk_causal_batch batch;
        sk_causal_batch_read(&reader, &batch, &causal->needs);
        SK_ASSERT(sk_reader_done(&reader));
        if (take(causal, &batch, &causal->needs) == EARLY) return false;
    }
    drop_first_held(causal);
    return true;
}

void sk_causal_deliver_held(sk_causal_replica *causal)
{
    size_t unlucky = 0;
    while (!causal->core.loading && unlucky < causal->held.count) {
        if (try_first_held(causal)) {
            unlucky = 0;
            continue;
        }
        sk_causal_entry entry = *(sk_causal_entry *)sk_ring_at(&causal->held, 0);
        sk_ring_pop_front(&causal->held, 1);
        *(sk_causal_entry *)sk_ring_push(&causal->held) = entry;
        unlucky++;
    }
    if (causal->held.count) return;
    for (size_t i = 0; i < causal->core.peer_count; i++) causal->peers[i].held_of = false;
}

void sk_causal_on_batches(sk_causal_replica *causal, sk_causal_peer *peer, sk_slice batches)
{
    sk_reader reader = sk_reader_make(batches);
    bool delivered = false;
    while (sk_reader_left(&reader)) {
        sk_causal_batch batch;
        sk_causal_batch_read(&reader, &batch, &causal->needs);
        if (reader.bad) {
            causal->core.counts.ignored.malformed++;
            break;
        }
        causal->counts.batches_received++;
        if (is_forged(causal, &batch, &causal->needs)) {
            causal->counts.forged++;
            continue;
        }
        enum fate fate = causal->core.loading ? EARLY : take(causal, &batch, &causal->needs);
        if (fate == EARLY) hold(causal, peer, &batch);
        delivered |= fate == DELIVERED || fate == BAD;
    }
    if (delivered) sk_causal_deliver_held(causal);
}

// Retirement is not recorded: while records are replayed a life that was retired when a batch was made is known by its counter only. Who
// retired it had all of it on disk, so the records in front of this one have that.
static void forget_retired(sk_vector *needs)
{
    size_t kept = 0;
    for (size_t i = 0; i < needs->count; i++) {
        if (needs->list[i].counter != SK_RETIRED) needs->list[kept++] = needs->list[i];
    }
    needs->count = kept;
}

bool sk_causal_recover_batch(sk_causal_replica *causal, sk_slice bytes)
{
    sk_reader reader = sk_reader_make(bytes);
    sk_causal_batch batch;
    sk_causal_batch_read(&reader, &batch, &causal->needs);
    if (reader.bad) return false;
    forget_retired(&causal->needs);
    enum fate fate = deliver(causal, &batch, &causal->needs);
    if (fate == DELIVERED) sk_causal_log_add(causal, &batch);
    return fate == DELIVERED || fate == KNOWN;
}
