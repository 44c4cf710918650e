// Rule 4: catching up by differences.
#include "protocol/crdt/crdt.h"

// ---- Asking ----

// When its end has not come: of what came V tells nothing.
static void forget_ask(sk_crdt_replica *crdt)
{
    if (crdt->core.ask.parts) sk_vector_join(&crdt->torn, &crdt->core.ask.peer->told);
    crdt->core.ask = (sk_merger_ask){0};
}

void sk_crdt_ask_somebody(sk_crdt_replica *crdt)
{
    if (!sk_merger_may_ask(&crdt->core)) return;
    for (size_t n = 0; n < crdt->core.peer_count; n++) {
        sk_crdt_peer *peer = &crdt->peers[(crdt->core.session + n) % crdt->core.peer_count]; // another one each time
        if (!peer->core.linked) continue;
        bool mend = sk_merger_may_mend(&crdt->core, &peer->core);
        if (!mend) peer->core.mend = false;
        if (mend || peer->owed || peer->held.size || sk_merger_is_ahead(&crdt->core, &peer->core)) {
            sk_merger_ask_peer(&crdt->core, &peer->core, SK_CRDT_ASK, mend);
            return;
        }
    }
}

void sk_crdt_sync_tick(sk_crdt_replica *crdt)
{
    if (!sk_merger_sync_tick(&crdt->core)) return;
    forget_ask(crdt);
    sk_crdt_ask_somebody(crdt);
}

void sk_crdt_on_chunk(sk_crdt_replica *crdt, sk_crdt_peer *peer, const sk_merger_message *message)
{
    if (!sk_merger_is_asked(&crdt->core, &peer->core, message)) return;
    if (crdt->core.ops->merge(crdt->core.machine, crdt->core.wall_ms, message->bytes) < 0) {
        crdt->core.counts.ignored.malformed++;
        forget_ask(crdt);
        return;
    }
    sk_merger_persist(&crdt->core, SK_CRDT_RECORD_CHUNK, message->bytes, 0);
    crdt->counts.chunks_received++;
    sk_merger_grant(&crdt->core, &peer->core, SK_CRDT_GRANT, message);
}

void sk_crdt_persist_joined(sk_crdt_replica *crdt, const sk_vector *seen, const sk_vector *base, bool full)
{
    sk_buffer *record = &crdt->core.scratch;
    sk_buffer_clear(record);
    sk_write_u8(record, full);
    sk_vector_write(seen, record);
    sk_vector_write(base, record);
    sk_merger_persist(&crdt->core, SK_CRDT_RECORD_JOINED, sk_buffer_slice(record), 0);
    crdt->core.brought = crdt->core.number;
}

void sk_crdt_on_done(sk_crdt_replica *crdt, sk_crdt_peer *peer, const sk_merger_message *message)
{
    if (!sk_merger_is_asked(&crdt->core, &peer->core, message)) return;
    if (sk_merger_claims_ours(&crdt->core, &message->seen) || !sk_vector_covers(&message->seen, &message->base)) {
        crdt->core.counts.ignored.malformed++;
        forget_ask(crdt);
        return;
    }
    crdt->core.ask = (sk_merger_ask){0};
    peer->owed = false;
    crdt->core.ops->join(crdt->core.machine, &message->seen, message->flag ? &message->base : NULL);
    sk_crdt_persist_joined(crdt, &message->seen, &message->base, message->flag);
    sk_vector_clear(&crdt->core.reported); // the state may have changed, and V not: the peer is to compare again
    sk_merger_changed(&crdt->core);
    sk_crdt_apply_held(crdt);
    sk_crdt_settle(crdt);
    sk_crdt_close_lives(crdt);
    sk_crdt_ask_somebody(crdt);
}

// ---- Being asked ----

static void send_chunks(sk_crdt_replica *crdt, sk_crdt_peer *peer)
{
    while (sk_merger_has_room(&peer->core)) {
        sk_buffer_clear(&crdt->core.scratch);
        bool more = crdt->core.ops->walk_next(peer->core.walk, &crdt->core.scratch, SK_MERGER_PART_SIZE);
        sk_merger_send_part(&crdt->core, &peer->core, SK_CRDT_CHUNK, peer->walk_number);
        crdt->counts.chunks_sent++;
        if (more) continue;
        sk_merger_send_end(&crdt->core, &peer->core, SK_CRDT_DONE, peer->walk_number);
        peer->went_back = false;
    }
}

// One that comes twice is answered once: the chunks of one walk and the end of a later one would make the asker claim what lies between.
void sk_crdt_on_ask(sk_crdt_replica *crdt, sk_crdt_peer *peer, const sk_merger_message *message)
{
    if (!sk_merger_begin_answer(&crdt->core, &peer->core, message)) {
        crdt->core.counts.ignored.other_session++;
        return;
    }
    sk_merger_open_walk(&crdt->core, &peer->core, message);
    peer->walk_number = crdt->core.number;
    send_chunks(crdt, peer);
}

void sk_crdt_on_grant(sk_crdt_replica *crdt, sk_crdt_peer *peer, const sk_merger_message *message)
{
    if (sk_merger_on_grant(&crdt->core, &peer->core, message)) send_chunks(crdt, peer);
}

void sk_crdt_sync_drop(sk_crdt_replica *crdt, sk_crdt_peer *peer)
{
    sk_merger_stop_answering(&crdt->core, &peer->core);
    peer->core.session = 0; // another process may come back
    peer->told_here = false;
    sk_buffer_reset(&peer->held, 0);
    if (crdt->core.ask.peer != &peer->core) return;
    forget_ask(crdt);
    sk_crdt_ask_somebody(crdt);
}
