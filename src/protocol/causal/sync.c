// Rules 4 and 5: catching up, from the log or by the state.
#include "base/alloc.h"
#include "base/assert.h"
#include "protocol/causal/causal.h"

static const sk_ns patience = 5 * SK_S;      // with a peer that was asked
static const sk_ns answer_patience = 20 * SK_S; // with a peer that asked: longer than it has with us
static const sk_ns mend_pause = 60 * SK_S;   // between two walks over everything with one peer
static const sk_ns retry_pause = 200 * SK_MS; // after an answer that brought nothing new

// ---- Asking ----

static void forget_ask(sk_causal_replica *causal)
{
    causal->ask = (sk_causal_ask){0};
    if (causal->loading) return;
    sk_causal_entries_clear(&causal->staged);
    causal->staged_bytes = 0;
}

static void ask_peer(sk_causal_replica *causal, sk_causal_peer *peer, bool everything)
{
    if (everything) peer->mended = causal->now;
    peer->mend = false;
    causal->ask = (sk_causal_ask){.peer = peer, .session = ++causal->session, .until = causal->now + patience,
                                  .delivered = causal->counts.delivered};
    causal->counts.asks++;
    sk_vector_copy(&causal->join_since, sk_causal_seen(causal));
    sk_causal_message message = {
        .kind = SK_CAUSAL_ASK, .session = causal->ask.session, .flag = everything, .seen = *sk_causal_seen(causal)};
    sk_causal_send(causal, peer->id, &message, 0);
}

void sk_causal_ask_somebody(sk_causal_replica *causal)
{
    if (causal->ask.peer || causal->loading) return;
    for (size_t n = 0; n < causal->peer_count; n++) {
        sk_causal_peer *peer = &causal->peers[(causal->session + n) % causal->peer_count]; // another one each time
        if (!peer->linked) continue;
        bool mend = peer->mend && (peer->mended == 0 || causal->now - peer->mended >= mend_pause);
        bool gap = peer->held_of && causal->now >= causal->gap_at;
        if (mend || gap || sk_causal_is_ahead(causal, peer)) {
            ask_peer(causal, peer, mend);
            return;
        }
    }
}

static void stop_answering(sk_causal_replica *causal, sk_causal_peer *peer)
{
    if (peer->walk) causal->ops->walk_close(peer->walk);
    peer->walk = NULL;
    peer->asking = false;
}

sk_ns sk_causal_sync_deadline(const sk_causal_replica *causal)
{
    sk_ns at = causal->ask.peer && causal->ask.until < causal->gap_at ? causal->ask.until : causal->gap_at;
    for (size_t i = 0; i < causal->peer_count; i++) {
        const sk_causal_peer *peer = &causal->peers[i];
        if (peer->asking && peer->until < at) at = peer->until;
    }
    return at;
}

void sk_causal_sync_tick(sk_causal_replica *causal)
{
    for (size_t i = 0; i < causal->peer_count; i++) {
        sk_causal_peer *peer = &causal->peers[i];
        if (peer->asking && causal->now >= peer->until) stop_answering(causal, peer);
    }
    if (causal->ask.peer && causal->now >= causal->ask.until) {
        causal->counts.given_up++;
        forget_ask(causal);
        sk_causal_ask_somebody(causal);
    }
    if (causal->now < causal->gap_at) return;
    sk_causal_ask_somebody(causal);
    causal->gap_at = causal->held.count ? causal->now + retry_pause : SK_NEVER;
}

// More may be missing: what was held, what was dropped, what came to the peer meanwhile.
static void ask_again(sk_causal_replica *causal, bool progress)
{
    if (progress) sk_causal_ask_somebody(causal);
    if (!causal->ask.peer && causal->gap_at == SK_NEVER) causal->gap_at = causal->now + retry_pause;
}

static bool is_asked(sk_causal_replica *causal, const sk_causal_peer *peer, const sk_causal_message *message)
{
    bool asked = causal->ask.peer == peer && causal->ask.session == message->session && causal->ask.parts + 1 == message->number;
    if (!asked) sk_causal_ignore(causal, SK_CAUSAL_IGNORE_other_session);
    return asked;
}

static void grant(sk_causal_replica *causal, const sk_causal_peer *peer, const sk_causal_message *message)
{
    causal->ask.parts++;
    causal->ask.until = causal->now + patience;
    sk_causal_message grant = {.kind = SK_CAUSAL_GRANT, .session = message->session, .number = message->number};
    sk_causal_send(causal, peer->id, &grant, 0);
}

void sk_causal_on_logged(sk_causal_replica *causal, sk_causal_peer *peer, const sk_causal_message *message)
{
    if (!is_asked(causal, peer, message)) return;
    grant(causal, peer, message);
    sk_causal_on_batches(causal, peer, message->bytes);
}

void sk_causal_on_logged_all(sk_causal_replica *causal, sk_causal_peer *peer, const sk_causal_message *message)
{
    if (!is_asked(causal, peer, message)) return;
    bool progress = causal->counts.delivered > causal->ask.delivered; // what is brought and held again is none
    forget_ask(causal);
    ask_again(causal, progress);
}

void sk_causal_on_chunk(sk_causal_replica *causal, sk_causal_peer *peer, const sk_causal_message *message)
{
    if (!is_asked(causal, peer, message)) return;
    if (causal->staged_bytes + message->bytes.size > sk_causal_staged_max(causal)) {
        sk_causal_ignore(causal, SK_CAUSAL_IGNORE_too_big);
        causal->why = "a peer's state does not fit beside this one: raise snapshot-bytes";
        sk_effects_add(causal->out, SK_EFFECT_STATUS);
        forget_ask(causal);
        return;
    }
    sk_causal_entry_push(&causal->staged, message->bytes);
    causal->staged_bytes += message->bytes.size;
    grant(causal, peer, message);
}

// ---- Merging what was put aside ----

static void write_joined(sk_causal_replica *causal)
{
    sk_buffer *record = &causal->scratch;
    sk_buffer_clear(record);
    sk_write_varint(record, causal->staged.count);
    sk_write_u8(record, causal->join_full);
    sk_vector_write(&causal->join_since, record);
    sk_vector_write(&causal->join_seen, record);
    sk_vector_write(&causal->join_base, record);
    sk_causal_persist(causal, SK_CAUSAL_RECORD_JOINED, sk_buffer_slice(record), 0);
}

// Merges up to about so many bytes. False: what came is malformed.
static bool merge_staged(sk_causal_replica *causal, uint64_t wall_ms, size_t budget)
{
    size_t merged = 0;
    while (causal->staged.count && merged < budget) {
        sk_causal_entry *entry = sk_ring_at(&causal->staged, 0);
        if (causal->ops->merge(causal->machine, wall_ms, sk_slice_make(entry->bytes, entry->size)) < 0) return false;
        merged += entry->size;
        causal->staged_bytes -= entry->size;
        sk_free(entry->bytes);
        sk_ring_pop_front(&causal->staged, 1);
    }
    return true;
}

static void join(sk_causal_replica *causal)
{
    causal->ops->join(causal->machine, &causal->join_seen, causal->join_full ? &causal->join_base : NULL);
    sk_causal_log_restart(causal);
}

void sk_causal_load_tick(sk_causal_replica *causal)
{
    if (!causal->loading) return;
    bool good = merge_staged(causal, causal->wall_ms, SK_CAUSAL_STEP_BYTES);
    if (good && causal->staged.count) return;
    causal->loading = false;
    if (good) join(causal);
    else sk_causal_ignore(causal, SK_CAUSAL_IGNORE_malformed);
    forget_ask(causal);
    causal->why = NULL;
    sk_effects_add(causal->out, SK_EFFECT_STATUS);
    if (good) {
        sk_causal_changed(causal);
        sk_causal_deliver_held(causal);
        sk_causal_settle(causal);
    }
    ask_again(causal, good);
}

// Nobody but we know how far our present life has come.
static bool claims_ours(const sk_causal_replica *causal, const sk_vector *vector)
{
    return sk_vector_get(vector, sk_causal_self(causal)) > sk_vector_get(sk_causal_seen(causal), sk_causal_self(causal));
}

void sk_causal_on_done(sk_causal_replica *causal, sk_causal_peer *peer, const sk_causal_message *message)
{
    if (!is_asked(causal, peer, message)) return;
    bool other = causal->ask.parts != causal->staged.count; // parts of a log are no part of a state
    if (other || claims_ours(causal, &message->seen) || !sk_vector_covers(&message->seen, &message->base)) {
        sk_causal_ignore(causal, SK_CAUSAL_IGNORE_forged);
        forget_ask(causal);
        return;
    }
    causal->join_full = message->flag;
    sk_vector_copy(&causal->join_seen, &message->seen);
    sk_vector_copy(&causal->join_base, &message->base);
    // All in one step, so that no snapshot lies between the chunks and what makes them count.
    for (size_t i = 0; i < causal->staged.count; i++) {
        const sk_causal_entry *entry = sk_ring_at(&causal->staged, i);
        sk_causal_persist(causal, SK_CAUSAL_RECORD_CHUNK, sk_slice_make(entry->bytes, entry->size), 0);
    }
    write_joined(causal);
    causal->counts.state_syncs++;
    causal->loading = true;
    if (causal->staged_bytes > SK_CAUSAL_STEP_BYTES) {
        causal->counts.loads++;
        sk_effects_add(causal->out, SK_EFFECT_STATUS);
        causal->ask = (sk_causal_ask){0};
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
    sk_vector_read(&causal->join_since, &reader, SK_CAUSAL_VECTOR_MAX);
    sk_vector_read(&causal->join_seen, &reader, SK_CAUSAL_VECTOR_MAX);
    sk_vector_read(&causal->join_base, &reader, SK_CAUSAL_VECTOR_MAX);
    // Else there is damage between, or before: differences make nothing whole that has a hole.
    bool whole = sk_reader_done(&reader) && are_its_chunks(causal, chunks, number);
    whole &= causal->join_full || sk_vector_covers(sk_causal_seen(causal), &causal->join_since);
    if (whole && merge_staged(causal, 0, SIZE_MAX)) join(causal);
    sk_causal_entries_clear(&causal->staged);
    causal->staged_bytes = 0;
}

// ---- Being asked ----

static void send_part(sk_causal_replica *causal, sk_causal_peer *peer, enum sk_causal_kind kind)
{
    sk_causal_message message = {
        .kind = kind, .session = peer->session, .number = ++peer->sent, .bytes = sk_buffer_slice(&causal->scratch)};
    sk_causal_send(causal, peer->id, &message, causal->number);
}

static void send_end(sk_causal_replica *causal, sk_causal_peer *peer)
{
    sk_causal_message message = {.kind = SK_CAUSAL_LOGGED_ALL, .session = peer->session, .number = peer->sent + 1};
    if (peer->walk) {
        message.kind = SK_CAUSAL_DONE;
        message.flag = causal->ops->walk_full(peer->walk);
        message.seen = *causal->ops->walk_seen(peer->walk);
        message.base = *causal->ops->walk_base(peer->walk);
    }
    sk_causal_send(causal, peer->id, &message, causal->number);
    stop_answering(causal, peer);
}

// The next batches that the peer does not have, about a message full. False: there are no more, or the log was cut behind our back:
// whoever asks again is told what to do then.
static bool gather_log(sk_causal_replica *causal, sk_causal_peer *peer, sk_buffer *out)
{
    if (peer->cursor < causal->log_first) return false;
    while (peer->cursor - causal->log_first < causal->log.count && out->size < SK_CAUSAL_BATCH_SIZE) {
        const sk_causal_entry *entry = sk_ring_at(&causal->log, (size_t)(peer->cursor++ - causal->log_first));
        if (sk_vector_has(&peer->has, (sk_dot){entry->actor, entry->last})) continue;
        sk_buffer_append(out, entry->bytes, entry->size);
    }
    return peer->cursor - causal->log_first < causal->log.count;
}

static void send_parts(sk_causal_replica *causal, sk_causal_peer *peer)
{
    peer->until = causal->now + answer_patience;
    while (peer->asking && peer->sent - peer->acknowledged < SK_CAUSAL_PARTS_MAX) {
        sk_buffer_clear(&causal->scratch);
        bool more;
        if (peer->walk) more = causal->ops->walk_next(peer->walk, &causal->scratch, SK_CAUSAL_BATCH_SIZE);
        else more = gather_log(causal, peer, &causal->scratch);
        if (causal->scratch.size) send_part(causal, peer, peer->walk ? SK_CAUSAL_CHUNK : SK_CAUSAL_LOGGED);
        if (!more) send_end(causal, peer);
    }
}

void sk_causal_on_ask(sk_causal_replica *causal, sk_causal_peer *peer, const sk_causal_message *message)
{
    if (message->session <= peer->session) { // two answers to one ask would be taken for one
        sk_causal_ignore(causal, SK_CAUSAL_IGNORE_asked_before);
        return;
    }
    stop_answering(causal, peer);
    peer->asking = true;
    peer->session = message->session;
    peer->sent = peer->acknowledged = 0;
    peer->cursor = causal->log_first;
    sk_vector_copy(&peer->has, &message->seen);
    if (causal->loading) {
        sk_causal_ignore(causal, SK_CAUSAL_IGNORE_loading);
        peer->cursor += causal->log.count; // nothing now
    } else if (!message->flag && sk_causal_log_reaches(causal, &message->seen)) {
        causal->counts.log_syncs++;
    } else {
        peer->walk = causal->ops->walk_open(causal->machine, message->flag ? NULL : &message->seen);
        causal->counts.full_walks += causal->ops->walk_full(peer->walk);
    }
    send_parts(causal, peer);
}

void sk_causal_on_grant(sk_causal_replica *causal, sk_causal_peer *peer, const sk_causal_message *message)
{
    bool ours = peer->asking && peer->session == message->session && message->number <= peer->sent &&
                message->number > peer->acknowledged;
    if (!ours) return; // of an ask that is over
    peer->acknowledged = message->number;
    send_parts(causal, peer);
}

void sk_causal_sync_drop(sk_causal_replica *causal, sk_causal_peer *peer)
{
    stop_answering(causal, peer);
    peer->held_of = false;
    if (causal->ask.peer != peer) return;
    forget_ask(causal);
    sk_causal_ask_somebody(causal);
}
