// Rule 4: catching up by differences.
#include "base/assert.h"
#include "protocol/crdt/crdt.h"

static const sk_ns patience = 5 * SK_S;      // with a peer that was asked
static const sk_ns walk_patience = 20 * SK_S; // with a peer that asked: longer than it has with us
static const sk_ns mend_pause = 60 * SK_S;   // between two walks over everything with one peer

// ---- Asking ----

static void forget_ask(sk_crdt_replica *crdt)
{
    crdt->ask = (sk_crdt_ask){0};
}

static void ask_peer(sk_crdt_replica *crdt, sk_crdt_peer *peer)
{
    bool everything = peer->mend;
    peer->mend = false;
    if (everything) peer->mended = crdt->now;
    crdt->ask = (sk_crdt_ask){.peer = peer, .session = ++crdt->session, .until = crdt->now + patience};
    crdt->counts.asks++;
    sk_crdt_message message = {
        .kind = SK_CRDT_ASK, .session = crdt->ask.session, .flag = everything, .seen = *sk_crdt_seen(crdt)};
    sk_crdt_send(crdt, peer->id, &message, 0);
}

void sk_crdt_ask_somebody(sk_crdt_replica *crdt)
{
    if (crdt->ask.peer) return;
    for (size_t n = 0; n < crdt->peer_count; n++) {
        sk_crdt_peer *peer = &crdt->peers[(crdt->session + n) % crdt->peer_count]; // another one each time
        if (!peer->linked) continue;
        bool mend = peer->mend && (peer->mended == 0 || crdt->now - peer->mended >= mend_pause);
        if (!mend) peer->mend = false;
        if (mend || peer->held.size || sk_crdt_is_ahead(crdt, peer)) {
            ask_peer(crdt, peer);
            return;
        }
    }
}

static void close_walk(sk_crdt_replica *crdt, sk_crdt_peer *peer)
{
    if (peer->walk) crdt->ops->walk_close(peer->walk);
    peer->walk = NULL;
}

sk_ns sk_crdt_sync_deadline(const sk_crdt_replica *crdt)
{
    sk_ns at = crdt->ask.peer ? crdt->ask.until : SK_NEVER;
    for (size_t i = 0; i < crdt->peer_count; i++) {
        const sk_crdt_peer *peer = &crdt->peers[i];
        if (peer->walk && peer->walk_until < at) at = peer->walk_until;
    }
    return at;
}

void sk_crdt_sync_tick(sk_crdt_replica *crdt)
{
    for (size_t i = 0; i < crdt->peer_count; i++) {
        sk_crdt_peer *peer = &crdt->peers[i];
        if (peer->walk && crdt->now >= peer->walk_until) close_walk(crdt, peer);
    }
    if (!crdt->ask.peer || crdt->now < crdt->ask.until) return;
    crdt->counts.given_up++;
    forget_ask(crdt);
    sk_crdt_ask_somebody(crdt);
}

static bool is_asked(sk_crdt_replica *crdt, const sk_crdt_peer *peer, const sk_crdt_message *message)
{
    bool asked = crdt->ask.peer == peer && crdt->ask.session == message->session && crdt->ask.chunks + 1 == message->number;
    if (!asked) sk_crdt_ignore(crdt, SK_CRDT_IGNORE_other_session);
    return asked;
}

void sk_crdt_on_chunk(sk_crdt_replica *crdt, sk_crdt_peer *peer, const sk_crdt_message *message)
{
    if (!is_asked(crdt, peer, message)) return;
    if (crdt->ops->merge(crdt->machine, crdt->wall_ms, message->bytes) < 0) {
        sk_crdt_ignore(crdt, SK_CRDT_IGNORE_malformed);
        forget_ask(crdt);
        return;
    }
    sk_crdt_persist(crdt, SK_CRDT_RECORD_CHUNK, message->bytes, 0);
    crdt->counts.chunks_received++;
    crdt->ask.chunks++;
    crdt->ask.until = crdt->now + patience;
    sk_crdt_message grant = {.kind = SK_CRDT_GRANT, .session = message->session, .number = message->number};
    sk_crdt_send(crdt, peer->id, &grant, 0);
}

// Nobody but we know how far our present life has come.
static bool claims_ours(const sk_crdt_replica *crdt, const sk_vector *vector)
{
    sk_actor self = sk_actor_make(crdt->self, crdt->life);
    return sk_vector_get(vector, self) > sk_vector_get(sk_crdt_seen(crdt), self);
}

void sk_crdt_persist_joined(sk_crdt_replica *crdt, const sk_vector *seen, const sk_vector *base, bool full)
{
    sk_buffer *record = &crdt->scratch;
    sk_buffer_clear(record);
    sk_write_u8(record, full);
    sk_vector_write(seen, record);
    sk_vector_write(base, record);
    sk_crdt_persist(crdt, SK_CRDT_RECORD_JOINED, sk_buffer_slice(record), 0);
}

void sk_crdt_on_done(sk_crdt_replica *crdt, sk_crdt_peer *peer, const sk_crdt_message *message)
{
    if (!is_asked(crdt, peer, message)) return;
    forget_ask(crdt);
    if (claims_ours(crdt, &message->seen) || !sk_vector_covers(&message->seen, &message->base)) {
        sk_crdt_ignore(crdt, SK_CRDT_IGNORE_malformed);
        return;
    }
    crdt->ops->join(crdt->machine, &message->seen, message->flag ? &message->base : NULL);
    sk_crdt_persist_joined(crdt, &message->seen, &message->base, message->flag);
    sk_crdt_changed(crdt);
    sk_crdt_apply_held(crdt);
    sk_crdt_settle(crdt);
    sk_crdt_close_lives(crdt);
    sk_crdt_ask_somebody(crdt);
}

// ---- Being asked ----

static void send_chunks(sk_crdt_replica *crdt, sk_crdt_peer *peer)
{
    peer->walk_until = crdt->now + walk_patience;
    while (peer->walk && peer->walk_sent - peer->walk_acknowledged < SK_CRDT_CHUNKS_MAX) {
        sk_buffer_clear(&crdt->scratch);
        bool more = crdt->ops->walk_next(peer->walk, &crdt->scratch, SK_CRDT_CHUNK_SIZE);
        sk_crdt_message chunk = {.kind = SK_CRDT_CHUNK,
                                 .session = peer->walk_session,
                                 .number = ++peer->walk_sent,
                                 .bytes = sk_buffer_slice(&crdt->scratch)};
        sk_crdt_send(crdt, peer->id, &chunk, peer->walk_number);
        crdt->counts.chunks_sent++;
        if (more) continue;
        sk_crdt_message done = {.kind = SK_CRDT_DONE,
                                .session = peer->walk_session,
                                .number = peer->walk_sent + 1,
                                .flag = crdt->ops->walk_full(peer->walk),
                                .seen = *crdt->ops->walk_seen(peer->walk),
                                .base = *crdt->ops->walk_base(peer->walk)};
        sk_crdt_send(crdt, peer->id, &done, peer->walk_number);
        close_walk(crdt, peer);
    }
}

// One that comes twice is answered once: the chunks of one walk and the end of a later one would make the asker claim what lies between.
void sk_crdt_on_ask(sk_crdt_replica *crdt, sk_crdt_peer *peer, const sk_crdt_message *message)
{
    if (message->session <= peer->walk_session) {
        sk_crdt_ignore(crdt, SK_CRDT_IGNORE_other_session);
        return;
    }
    close_walk(crdt, peer);
    peer->walk = crdt->ops->walk_open(crdt->machine, message->flag ? NULL : &message->seen);
    peer->walk_session = message->session;
    peer->walk_number = crdt->number;
    peer->walk_sent = peer->walk_acknowledged = 0;
    crdt->counts.full_walks += crdt->ops->walk_full(peer->walk);
    send_chunks(crdt, peer);
}

void sk_crdt_on_grant(sk_crdt_replica *crdt, sk_crdt_peer *peer, const sk_crdt_message *message)
{
    bool ours = peer->walk && peer->walk_session == message->session && message->number <= peer->walk_sent &&
                message->number > peer->walk_acknowledged;
    if (!ours) return; // of a walk that is over
    peer->walk_acknowledged = message->number;
    send_chunks(crdt, peer);
}

void sk_crdt_sync_drop(sk_crdt_replica *crdt, sk_crdt_peer *peer)
{
    close_walk(crdt, peer);
    peer->walk_session = 0; // another process may come back
    peer->told_here = false;
    sk_buffer_reset(&peer->held, 0);
    if (crdt->ask.peer != peer) return;
    forget_ask(crdt);
    sk_crdt_ask_somebody(crdt);
}
