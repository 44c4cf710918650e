// Rules 4 and 5: catching up, from the log or by the state.
#include "base/alloc.h"
#include "base/assert.h"
#include "protocol/causal/causal.h"

static const sk_ns retry_pause = 200 * SK_MS; // after an answer that brought nothing new

// ---- Asking ----

static void forget_ask(sk_causal_replica *causal)
{
    causal->core.ask = (sk_merger_ask){0};
    if (causal->core.loading) return;
    sk_causal_entries_clear(&causal->staged);
    causal->staged_bytes = 0;
}

static void ask_peer(sk_causal_replica *causal, sk_causal_peer *peer, bool everything)
{
    causal->delivered_before = causal->counts.delivered;
    sk_vector_copy(&causal->join_since, sk_causal_seen(causal));
    sk_merger_ask_peer(&causal->core, &peer->core, SK_CAUSAL_ASK, everything);
}

void sk_causal_ask_somebody(sk_causal_replica *causal)
{
    if (causal->core.loading || !sk_merger_may_ask(&causal->core)) return;
    for (size_t n = 0; n < causal->core.peer_count; n++) {
        sk_causal_peer *peer = &causal->peers[(causal->core.session + n) % causal->core.peer_count]; // another one each time
        if (!peer->core.linked) continue;
        bool mend = sk_merger_may_mend(&causal->core, &peer->core);
        bool gap = peer->held_of && causal->core.now >= causal->gap_at;
        if (mend || gap || sk_merger_is_ahead(&causal->core, &peer->core)) {
            ask_peer(causal, peer, mend);
            return;
        }
    }
}

sk_ns sk_causal_sync_deadline(const sk_causal_replica *causal)
{
    sk_ns at = sk_merger_sync_deadline(&causal->core);
    return causal->gap_at < at ? causal->gap_at : at;
}

void sk_causal_sync_tick(sk_causal_replica *causal)
{
    if (sk_merger_sync_tick(&causal->core)) {
        forget_ask(causal);
        sk_causal_ask_somebody(causal);
    }
    if (causal->core.now < causal->gap_at) return;
    sk_causal_ask_somebody(causal);
    causal->gap_at = causal->held.count ? causal->core.now + retry_pause : SK_NEVER;
}

// More may be missing: what was held, what was dropped, what came to the peer meanwhile.
static void ask_again(sk_causal_replica *causal, bool progress)
{
    if (progress) sk_causal_ask_somebody(causal);
    if (!causal->core.ask.peer && causal->gap_at == SK_NEVER) causal->gap_at = causal->core.now + retry_pause;
}

void sk_causal_on_logged(sk_causal_replica *causal, sk_causal_peer *peer, const sk_merger_message *message)
{
    if (!sk_merger_is_asked(&causal->core, &peer->core, message)) return;
    sk_causal_on_batches(causal, peer, message->bytes);
    sk_merger_grant(&causal->core, &peer->core, SK_CAUSAL_GRANT, message); // behind what it brought, should it wait for the disk
}

void sk_causal_on_logged_all(sk_causal_replica *causal, sk_causal_peer *peer, const sk_merger_message *message)
{
    if (!sk_merger_is_asked(&causal->core, &peer->core, message)) return;
    bool progress = causal->counts.delivered > causal->delivered_before; // what is brought and held again is none
    forget_ask(causal);
    ask_again(causal, progress);
}

void sk_causal_on_chunk(sk_causal_replica *causal, sk_causal_peer *peer, const sk_merger_message *message)
{
    if (!sk_merger_is_asked(&causal->core, &peer->core, message)) return;
    if (causal->staged_bytes + message->bytes.size > sk_causal_staged_max(causal)) {
        causal->counts.too_big++;
        causal->core.why = "a peer's state does not fit beside this one: raise snapshot-bytes";
        sk_effects_add(causal->core.out, SK_EFFECT_STATUS);
        forget_ask(causal);
        return;
    }
    sk_causal_entry_push(&causal->staged, message->bytes);
    causal->staged_bytes += message->bytes.size;
    sk_merger_grant(&causal->core, &peer->core, SK_CAUSAL_GRANT, message);
}

// ---- Merging what was put aside ----

static void write_joined(sk_causal_replica *causal)
{
    sk_buffer *record = &causal->core.scratch;
    sk_buffer_clear(record);
    sk_write_varint(record, causal->staged.count);
    sk_write_u8(record, causal->join_full);
    sk_vector_write(&causal->join_since, record);
    sk_vector_write(&causal->join_seen, record);
    sk_vector_write(&causal->join_base, record);
    sk_merger_persist(&causal->core, SK_CAUSAL_RECORD_JOINED, sk_buffer_slice(record), 0);
    causal->core.brought = causal->core.number;
}

// Merges up to about so many bytes. False: what came is malformed.
static bool merge_staged(sk_causal_replica *causal, uint64_t wall_ms, size_t budget)
{
    size_t merged = 0;
    while (causal->staged.count && merged < budget) {
        sk_causal_entry *entry = sk_ring_at(&causal->staged, 0);
        if (causal->core.ops->merge(causal->core.machine, wall_ms, sk_slice_make(entry->bytes, entry->size)) < 0) return false;
        merged += entry->size;
        causal->staged_bytes -= entry->size;
        sk_free(entry->bytes);
        sk_ring_pop_front(&causal->staged, 1);
    }
    return true;
}

static void join(sk_causal_replica *causal)
{
    causal->core.ops->join(causal->core.machine, &causal->join_seen, causal->join_full ? &causal->join_base : NULL);
    sk_causal_log_restart(causal);
}

void sk_causal_load_tick(sk_causal_replica *causal)
{
    if (!causal->core.loading) return;
    bool good = merge_staged(causal, causal->core.wall_ms, SK_CAUSAL_STEP_BYTES);
    if (good && causal->staged.count) return;
    causal->core.loading = false;
    if (good) join(causal);
    else causal->core.counts.ignored.malformed++;
    forget_ask(causal);
    causal->core.why = NULL;
    sk_effects_add(causal->core.out, SK_EFFECT_STATUS);
    if (good) {
        sk_vector_clear(&causal->core.reported); // the state may have changed, and V not: the peer is to compare again
        sk_causal_changed(causal);
        sk_causal_deliver_held(causal);
        sk_causal_settle(causal);
    }
    ask_again(causal, good);
}

void sk_causal_on_done(sk_causal_replica *causal, sk_causal_peer *peer, const sk_merger_message *message)
{
    if (!sk_merger_is_asked(&causal->core, &peer->core, message)) return;
    bool other = causal->core.ask.parts != causal->staged.count; // parts of a log are no part of a state
    if (other || sk_merger_claims_ours(&causal->core, &message->seen) || !sk_vector_covers(&message->seen, &message->base)) {
        causal->counts.forged++;
        forget_ask(causal);
        return;
    }
    causal->join_full = message->flag;
    sk_vector_copy(&causal->join_seen, &message->seen);
    sk_vector_copy(&causal->join_base, &message->base);
    // All in one step, so that no snapshot lies between the chunks and what makes them count.
    for (size_t i = 0; i < causal->staged.count; i++) {
        const sk_causal_entry *entry = sk_ring_at(&causal->staged, i);
        sk_merger_persist(&causal->core, SK_CAUSAL_RECORD_CHUNK, sk_slice_make(entry->bytes, entry->size), 0);
    }
    write_joined(causal);
    causal->counts.state_syncs++;
    causal->core.loading = true;
    if (causal->staged_bytes > SK_CAUSAL_STEP_BYTES) {
        causal->counts.loads++;
        sk_effects_add(causal->core.out, SK_EFFECT_STATUS);
        causal->core.ask = (sk_merger_ask){0};
        return;
    }
    sk_causal_load_tick(causal);
}

void sk_causal_recover_chunk(sk_causal_replica *causal, uint64_t number, sk_slice bytes)
{
    sk_causal_entry_push(&causal->staged, bytes)->first = number;
    causal->staged_bytes += bytes.size;
}

// Chunks that no vector followed before this vector's own, since there was a power cut between, are not of it.
static bool are_its_chunks(sk_causal_replica *causal, uint64_t count, uint64_t number)
{
    while (causal->staged.count > count) {
        sk_free(((sk_causal_entry *)sk_ring_at(&causal->staged, 0))->bytes);
        sk_ring_pop_front(&causal->staged, 1);
    }
    if (causal->staged.count < count) return false;
    return count == 0 || ((const sk_causal_entry *)sk_ring_at(&causal->staged, 0))->first == number - count;
}

void sk_causal_recover_joined(sk_causal_replica *causal, uint64_t number, sk_slice bytes)
{
    sk_reader reader = sk_reader_make(bytes);
    uint64_t chunks = sk_read_varint(&reader);
    causal->join_full = sk_read_u8(&reader);
    sk_vector_read(&causal->join_since, &reader, SK_MERGER_VECTOR_MAX);
    sk_vector_read(&causal->join_seen, &reader, SK_MERGER_VECTOR_MAX);
    sk_vector_read(&causal->join_base, &reader, SK_MERGER_VECTOR_MAX);
    // Else there is damage between, or before: differences make nothing whole that has a hole.
    bool whole = sk_reader_done(&reader) && are_its_chunks(causal, chunks, number);
    whole &= causal->join_full || sk_vector_covers(sk_causal_seen(causal), &causal->join_since);
    if (whole && merge_staged(causal, 0, SIZE_MAX)) join(causal);
    sk_causal_entries_clear(&causal->staged);
    causal->staged_bytes = 0;
}

// ---- Being asked ----

// The next batches that the peer does not have, about a message full. False: there are no more, or the log was cut behind our back:
// whoever asks again is told what to do then.
static bool gather_log(sk_causal_replica *causal, sk_causal_peer *peer, sk_buffer *out)
{
    if (peer->cursor < causal->log_first) return false;
    while (peer->cursor - causal->log_first < causal->log.count && out->size < SK_MERGER_PART_SIZE) {
        const sk_causal_entry *entry = sk_ring_at(&causal->log, (size_t)(peer->cursor++ - causal->log_first));
        if (sk_vector_has(&peer->has, (sk_dot){entry->actor, entry->last})) continue;
        sk_buffer_append(out, entry->bytes, entry->size);
    }
    return peer->cursor - causal->log_first < causal->log.count;
}

static void send_parts(sk_causal_replica *causal, sk_causal_peer *peer)
{
    sk_buffer *part = &causal->core.scratch;
    while (sk_merger_has_room(&peer->core)) {
        sk_machine_walk *walk = peer->core.walk;
        sk_buffer_clear(part);
        bool more = walk ? causal->core.ops->walk_next(walk, part, SK_MERGER_PART_SIZE) : gather_log(causal, peer, part);
        if (part->size) sk_merger_send_part(&causal->core, &peer->core, walk ? SK_CAUSAL_CHUNK : SK_CAUSAL_LOGGED, causal->core.number);
        if (!more) sk_merger_send_end(&causal->core, &peer->core, walk ? SK_CAUSAL_DONE : SK_CAUSAL_LOGGED_ALL, causal->core.number);
    }
}

void sk_causal_on_ask(sk_causal_replica *causal, sk_causal_peer *peer, const sk_merger_message *message)
{
    if (!sk_merger_begin_answer(&causal->core, &peer->core, message)) { // two answers to one ask would be taken for one
        causal->counts.asked_before++;
        return;
    }
    peer->cursor = causal->log_first;
    sk_vector_copy(&peer->has, &message->seen);
    if (causal->core.loading) {
        causal->counts.while_loading++;
        peer->cursor += causal->log.count; // nothing now
    } else if (!message->flag && sk_causal_log_reaches(causal, &message->seen)) {
        causal->counts.log_syncs++;
    } else {
        sk_merger_open_walk(&causal->core, &peer->core, message);
    }
    send_parts(causal, peer);
}

void sk_causal_on_grant(sk_causal_replica *causal, sk_causal_peer *peer, const sk_merger_message *message)
{
    if (sk_merger_on_grant(&causal->core, &peer->core, message)) send_parts(causal, peer);
}

void sk_causal_sync_drop(sk_causal_replica *causal, sk_causal_peer *peer)
{
    sk_merger_stop_answering(&causal->core, &peer->core);
    peer->held_of = false;
    if (causal->core.ask.peer != &peer->core) return;
    forget_ask(causal);
    sk_causal_ask_somebody(causal);
}
