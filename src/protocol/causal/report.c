// Rules 6 to 8: who has seen what, whether it is the same, and what may be forgotten.
#include "base/assert.h"
#include "protocol/causal/causal.h"

static const sk_ns again_pause_min = 1 * SK_S;
static const sk_ns again_pause_max = 16 * SK_S;

void sk_causal_watch(sk_causal_replica *causal)
{
    if (causal->again_at != SK_NEVER) return;
    causal->again_pause = again_pause_min;
    causal->again_at = causal->now + causal->again_pause;
}

void sk_causal_changed(sk_causal_replica *causal)
{
    if (causal->report_at == SK_NEVER) causal->report_at = causal->now + SK_CAUSAL_REPORT_PAUSE;
    sk_causal_watch(causal);
}

// What is reported must last: others forget what everybody has. So it leaves when all of it is on disk.
void sk_causal_report_to(sk_causal_replica *causal, sk_causal_peer *peer, bool wanted)
{
    sk_causal_message message = {.kind = SK_CAUSAL_REPORT,
                                 .wall_ms = causal->wall_ms,
                                 .life = causal->life,
                                 .heard_life = peer->life,
                                 .wanted = wanted,
                                 .digest = causal->machine->ops->digest(causal->machine),
                                 .flag = !causal->loading && causal->operations.size == 0,
                                 .seen = *sk_causal_seen(causal)};
    sk_causal_send(causal, peer->id, &message, causal->number);
    causal->counts.reports_sent++;
}

// All members, ourselves included, have seen it: nobody will ask for differences below.
//
// What somebody changed before it had seen a reset, and is not merged here yet, must not find the tally forgotten that was reset.
// Whoever had seen the reset when it reported had told all that it changed before: so we wait until we have what all have told.
void sk_causal_settle(sk_causal_replica *causal)
{
    sk_vector stable = {0};
    sk_vector_copy(&stable, sk_causal_seen(causal));
    bool all = !causal->loading;
    for (size_t i = 0; i < causal->peer_count; i++) {
        all &= causal->peers[i].reported && sk_vector_covers(sk_causal_seen(causal), &causal->peers[i].told);
        sk_vector_meet(&stable, &causal->peers[i].told);
    }
    if (all && !sk_vector_covers(causal->ops->base(causal->machine), &stable)) causal->ops->settle(causal->machine, &stable);
    sk_vector_deinit(&stable);
    sk_causal_log_trim(causal);
}

bool sk_causal_is_ahead(const sk_causal_replica *causal, const sk_causal_peer *peer)
{
    return peer->reported && !sk_vector_covers(sk_causal_seen(causal), &peer->told);
}

// Our lives before this one are over when nobody has more of them than we have: so said all, when they had heard of our present life
// from us. Why that: A sends c to B and is cut off before its disk has it. Back, A knows nothing of c, and neither does C; nor B, by its
// last report, which is from before c. Had A closed the life now, nobody would ever take c from B. And what B holds, and has not
// delivered, is on no disk: it drops it before it says so. Who has less than we gets the rest first, for our batch needs it.
// Why a node closes its own lives, by a batch: what it has heard when is on no disk. Once each judged the lives of all by itself; one that
// had judged, and written batches that said so, did not take them back from its own disk (test: V04_a_life_is_closed_by_a_batch).
uint64_t sk_causal_life_over(const sk_causal_replica *causal)
{
    const sk_vector *seen = sk_causal_seen(causal);
    uint64_t over = 0;
    for (size_t i = 0; i < seen->count; i++) {
        sk_dot dot = seen->list[i];
        bool past = sk_actor_node(dot.actor) == causal->self && dot.actor < sk_causal_self(causal);
        if (past && dot.counter != SK_RETIRED) over = sk_actor_life(dot.actor);
    }
    for (size_t k = 0; over && k < causal->peer_count; k++) {
        const sk_causal_peer *peer = &causal->peers[k];
        if (peer->heard_life != causal->life || !sk_vector_covers(seen, &peer->told)) return 0;
    }
    return over;
}

// Of our present life a peer knows more than we: it had changes before this, of a backup's future.
static void rebirth(sk_causal_replica *causal, const sk_causal_peer *peer)
{
    if (sk_vector_get(&peer->told, sk_causal_self(causal)) <= sk_vector_get(sk_causal_seen(causal), sk_causal_self(causal))) return;
    uint64_t life = causal->life;
    for (size_t i = 0; i < peer->told.count; i++) {
        sk_actor actor = peer->told.list[i].actor;
        if (sk_actor_node(actor) == causal->self && sk_actor_life(actor) >= life) life = sk_actor_life(actor);
    }
    sk_causal_begin_life(causal, life);
    causal->counts.reborn++;
}

void sk_causal_on_report(sk_causal_replica *causal, sk_causal_peer *peer, const sk_causal_message *message)
{
    // Overtaken by a later one. What a peer has told lasts there, so V never shrinks within a life.
    bool stale = peer->reported && peer->life == message->life &&
                 sk_vector_compare(&message->seen, &peer->told) == SK_ORDER_BEFORE;
    if (stale) {
        sk_causal_ignore(causal, SK_CAUSAL_IGNORE_stale);
        return;
    }
    causal->counts.reports_received++;
    sk_vector_copy(&peer->told, &message->seen);
    peer->reported = true;
    peer->heard_life = message->heard_life;
    bool born = peer->life != message->life; // it wants to know what we have, as who knows of its new life
    peer->life = message->life;
    if (born) sk_causal_drop_held(causal);
    if (born || message->wanted) sk_causal_report_to(causal, peer, false);
    rebirth(causal, peer);
    if (!causal->loading) sk_causal_settle(causal);
    bool equal = sk_vector_compare(&message->seen, sk_causal_seen(causal)) == SK_ORDER_EQUAL;
    bool exact = message->flag && !causal->loading && causal->operations.size == 0;
    if (equal && exact && message->digest != causal->machine->ops->digest(causal->machine)) {
        causal->counts.mismatches++;
        peer->mend = true;
    }
    sk_causal_ask_somebody(causal);
}

static void report_again(sk_causal_replica *causal)
{
    bool any = false;
    for (size_t i = 0; i < causal->peer_count; i++) {
        sk_causal_peer *peer = &causal->peers[i];
        if (!peer->linked || (peer->reported && sk_vector_compare(&peer->told, sk_causal_seen(causal)) == SK_ORDER_EQUAL)) continue;
        sk_causal_report_to(causal, peer, true);
        any = true;
    }
    if (causal->again_pause < again_pause_max) causal->again_pause *= 2;
    causal->again_at = any ? causal->now + causal->again_pause : SK_NEVER;
}

void sk_causal_report_tick(sk_causal_replica *causal)
{
    if (causal->now >= causal->again_at) report_again(causal);
    if (causal->now < causal->report_at) return;
    causal->report_at = SK_NEVER;
    if (sk_vector_compare(&causal->reported, sk_causal_seen(causal)) == SK_ORDER_EQUAL) return;
    sk_vector_copy(&causal->reported, sk_causal_seen(causal));
    for (size_t i = 0; i < causal->peer_count; i++) {
        if (causal->peers[i].linked) sk_causal_report_to(causal, &causal->peers[i], false);
    }
    if (causal->peer_count == 0) sk_causal_settle(causal);
}
