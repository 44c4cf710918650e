// Rules 6 to 8: who has seen what, whether it is the same, and what may be forgotten.
#include "protocol/causal/causal.h"

static const sk_ns again_pause_min = 1 * SK_S;
static const sk_ns again_pause_max = 16 * SK_S;

void sk_causal_watch(sk_causal_replica *causal)
{
    if (causal->again_at != SK_NEVER) return;
    causal->again_pause = again_pause_min;
    causal->again_at = causal->core.now + causal->again_pause;
}

void sk_causal_changed(sk_causal_replica *causal)
{
    sk_merger_changed(&causal->core);
    sk_causal_watch(causal);
}

void sk_causal_report_to(sk_causal_replica *causal, sk_causal_peer *peer, bool wanted)
{
    sk_merger_message message = {.kind = SK_CAUSAL_REPORT,
                                 .heard_life = peer->core.life,
                                 .wanted = wanted,
                                 .flag = !causal->core.loading && causal->core.operations.size == 0};
    sk_merger_report(&causal->core, peer->core.id, &message);
}

// What somebody changed before it had seen a reset, and is not merged here yet, must not find the tally forgotten that was reset.
// Whoever had seen the reset when it reported had told all that it changed before: so we wait until we have what all have told.
void sk_causal_settle(sk_causal_replica *causal)
{
    bool all = !causal->core.loading;
    for (size_t i = 0; i < causal->core.peer_count; i++) {
        const sk_merger_peer *peer = &causal->peers[i].core;
        all &= peer->reported && sk_vector_covers(sk_causal_seen(causal), &peer->told);
    }
    if (all) sk_merger_settle(&causal->core);
    sk_causal_log_trim(causal);
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
        bool past = sk_actor_node(dot.actor) == causal->core.self && dot.actor < sk_causal_self(causal);
        if (past && dot.counter != SK_RETIRED) over = sk_actor_life(dot.actor);
    }
    for (size_t k = 0; over && k < causal->core.peer_count; k++) {
        const sk_causal_peer *peer = &causal->peers[k];
        if (peer->heard_life != causal->core.life || !sk_vector_covers(seen, &peer->core.told)) return 0;
    }
    return over;
}

static void rebirth(sk_causal_replica *causal, const sk_causal_peer *peer)
{
    uint64_t beyond = sk_merger_outlived(&causal->core, &peer->core);
    if (beyond) sk_causal_begin_life(causal, beyond);
}

void sk_causal_on_report(sk_causal_replica *causal, sk_causal_peer *peer, const sk_merger_message *message)
{
    // Overtaken by a later one. What a peer has told lasts there, so V never shrinks within a life.
    bool stale = peer->core.reported && peer->core.life == message->life &&
                 sk_vector_compare(&message->seen, &peer->core.told) == SK_ORDER_BEFORE;
    if (stale) {
        causal->counts.stale++;
        return;
    }
    bool born = peer->core.life != message->life; // it wants to know what we have, as who knows of its new life
    sk_merger_hear(&causal->core, &peer->core, message);
    peer->heard_life = message->heard_life;
    if (born) sk_causal_drop_held(causal);
    if (born || message->wanted) sk_causal_report_to(causal, peer, false);
    rebirth(causal, peer);
    if (!causal->core.loading) sk_causal_settle(causal);
    bool exact = message->flag && !causal->core.loading && causal->core.operations.size == 0;
    sk_merger_compare(&causal->core, &peer->core, message, exact);
    sk_causal_ask_somebody(causal);
}

static void report_again(sk_causal_replica *causal)
{
    bool any = false;
    for (size_t i = 0; i < causal->core.peer_count; i++) {
        sk_causal_peer *peer = &causal->peers[i];
        if (!peer->core.linked || (peer->core.reported && sk_vector_compare(&peer->core.told, sk_causal_seen(causal)) == SK_ORDER_EQUAL)) continue;
        sk_causal_report_to(causal, peer, true);
        any = true;
    }
    if (causal->again_pause < again_pause_max) causal->again_pause *= 2;
    causal->again_at = any ? causal->core.now + causal->again_pause : SK_NEVER;
}

void sk_causal_report_tick(sk_causal_replica *causal)
{
    if (causal->core.now >= causal->again_at) report_again(causal);
    if (!sk_merger_report_due(&causal->core)) return;
    for (size_t i = 0; i < causal->core.peer_count; i++) {
        if (causal->peers[i].core.linked) sk_causal_report_to(causal, &causal->peers[i], false);
    }
    if (causal->core.peer_count == 0) sk_causal_settle(causal);
}
