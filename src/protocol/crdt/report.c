// Rules 5 to 7: who has seen what, whether it is the same, and what may be forgotten.
#include "protocol/crdt/crdt.h"

static const sk_ns repeat_min = SK_S, repeat_max = 8 * SK_S; // between reports to who is not known to have seen the same

// Is what V tells all that the state has?
static bool is_exact(const sk_crdt_replica *crdt)
{
    return crdt->core.ask.peer == NULL && crdt->core.operations.size == 0 && sk_vector_covers(sk_crdt_seen(crdt), &crdt->torn);
}

static void report_to(sk_crdt_replica *crdt, sk_crdt_peer *peer, bool wanted)
{
    sk_merger_message message = {.kind = SK_CRDT_REPORT,
                                 .heard_life = peer->core.life,
                                 .wanted = wanted,
                                 .flag = (uint8_t)((is_exact(crdt) ? SK_CRDT_EXACT : 0) | (peer->went_back ? SK_CRDT_BACK : 0)),
                                 .base = crdt->closed};
    sk_merger_report(&crdt->core, peer->core.id, &message);
    if (wanted) return;
    crdt->repeat_pause = repeat_min;
    crdt->repeat_at = crdt->core.now + repeat_min;
}

void sk_crdt_report_to(sk_crdt_replica *crdt, sk_crdt_peer *peer)
{
    report_to(crdt, peer, false);
}

static void report_to_all(sk_crdt_replica *crdt)
{
    for (size_t i = 0; i < crdt->core.peer_count; i++) {
        if (crdt->peers[i].core.linked) sk_crdt_report_to(crdt, &crdt->peers[i]);
    }
}

static bool is_satisfied(const sk_crdt_replica *crdt, const sk_crdt_peer *peer)
{
    bool told = peer->told_here && peer->heard_life == crdt->core.life && !peer->went_back;
    return !peer->core.linked || (told && sk_vector_compare(&peer->core.told, sk_crdt_seen(crdt)) == SK_ORDER_EQUAL);
}

static bool all_satisfied(const sk_crdt_replica *crdt)
{
    for (size_t i = 0; i < crdt->core.peer_count; i++) {
        if (!is_satisfied(crdt, &crdt->peers[i])) return false;
    }
    return true;
}

// Have we what the peer itself had made when it reported?
static bool has_its_own(const sk_crdt_replica *crdt, const sk_merger_peer *peer)
{
    for (size_t i = 0; i < peer->told.count; i++) {
        sk_dot told = peer->told.list[i];
        if (sk_actor_node(told.actor) == peer->id && !sk_vector_has(sk_crdt_seen(crdt), told)) return false;
    }
    return true;
}

// What a peer made before it had seen a reset, and we have not merged yet, must not find the tally forgotten that was reset: neither here, nor
// where somebody takes all this from us. Links keep their order, so it came before the report; but it may be held behind a gap, or dropped, or
// a walk is half merged.
void sk_crdt_settle(sk_crdt_replica *crdt)
{
    bool all = crdt->core.ask.peer == NULL;
    for (size_t i = 0; i < crdt->core.peer_count; i++) {
        const sk_merger_peer *peer = &crdt->peers[i].core;
        all &= peer->reported && has_its_own(crdt, peer);
    }
    if (all) sk_merger_settle(&crdt->core);
    const sk_vector *closed = &crdt->closed;
    if (closed->count && sk_vector_get(crdt->core.ops->base(crdt->core.machine), closed->list[closed->count - 1].actor) == SK_RETIRED)
        sk_vector_clear(&crdt->closed); // all have taken it over
}

// What `vector` says of the node's lives before this one; the last of them that is not retired yet, 0: none.
static sk_actor lives_before(const sk_vector *vector, sk_actor present, sk_vector *out)
{
    sk_actor last = 0;
    for (size_t i = 0; i < vector->count; i++) {
        sk_dot life = vector->list[i];
        if (sk_actor_node(life.actor) != sk_actor_node(present) || life.actor >= present) continue;
        if (life.counter != SK_RETIRED) last = life.actor;
        if (life.counter == SK_RETIRED) sk_vector_retire(out, life.actor);
        else sk_vector_raise(out, life.actor, life.counter);
    }
    return last;
}

// Our lives before this one are over when nobody has more of them than we: so said all, since they heard of our present one. Why each closes
// its own: A sends c to B and is cut off before its disk has it. Back, A knows nothing of c, and neither does C; nor B, by what C last heard
// from it. Had C closed the life now, it would never take c from B. But what B told us it told on a link that is newer than our last lives';
// what it got of them later it has from a disk (rule 8), whose node says so itself; and what it held behind a gap went with the old link.
// When it had heard of our life it also said whether our disk went back (rule 9).
static bool has_nobody_more(const sk_crdt_replica *crdt, sk_actor self)
{
    for (size_t k = 0; k < crdt->core.peer_count; k++) {
        const sk_crdt_peer *peer = &crdt->peers[k];
        if (!peer->core.reported || peer->heard_life != crdt->core.life || peer->owed) return false;
        for (size_t i = 0; i < peer->core.told.count; i++) {
            sk_dot told = peer->core.told.list[i];
            if (sk_actor_node(told.actor) == sk_actor_node(self) && !sk_vector_has(sk_crdt_seen(crdt), told)) return false;
        }
    }
    return true;
}

static void take_mark(sk_crdt_replica *crdt, sk_actor last)
{
    sk_vector mark = {0};
    sk_vector none = {0};
    sk_vector_retire(&mark, last);
    crdt->core.ops->join(crdt->core.machine, &mark, NULL);
    sk_crdt_persist_joined(crdt, &mark, &none, false);
    sk_vector_deinit(&mark);
    sk_merger_changed(&crdt->core);
}

void sk_crdt_close_lives(sk_crdt_replica *crdt)
{
    sk_actor self = sk_merger_self(&crdt->core);
    sk_vector before = {0};
    sk_actor last = lives_before(sk_crdt_seen(crdt), self, &before);
    if (last && has_nobody_more(crdt, self)) {
        sk_vector_copy(&crdt->closed, &before);
        take_mark(crdt, last);
        crdt->core.counts.closed++;
    }
    sk_vector_deinit(&before);
}

// The peer says what it had of its lives when it closed them. Who has all of that has all there ever will be; anybody else asks.
static void adopt(sk_crdt_replica *crdt, const sk_crdt_peer *peer, const sk_vector *closed)
{
    sk_vector before = {0};
    sk_actor last = lives_before(closed, sk_actor_make(peer->core.id, peer->core.life), &before);
    bool its_own = sk_vector_compare(&before, closed) == SK_ORDER_EQUAL;
    bool fresh = last && sk_vector_get(sk_crdt_seen(crdt), last) != SK_RETIRED && sk_vector_get(&peer->core.told, last) == SK_RETIRED;
    if (its_own && fresh && sk_vector_covers(sk_crdt_seen(crdt), closed)) take_mark(crdt, last);
    sk_vector_deinit(&before);
}

static void rebirth(sk_crdt_replica *crdt, const sk_crdt_peer *peer)
{
    uint64_t beyond = sk_merger_outlived(&crdt->core, &peer->core);
    if (!beyond) return;
    sk_crdt_begin_life(crdt, beyond);
    report_to_all(crdt);
}

// Rule 9. What we waited for from it may never come.
static void notice_back(sk_crdt_replica *crdt, sk_crdt_peer *peer, const sk_vector *tells)
{
    if (!peer->core.reported || sk_vector_covers(tells, &peer->core.told)) return;
    peer->went_back = true;
    sk_vector_clear(&crdt->torn);
}

void sk_crdt_on_report(sk_crdt_replica *crdt, sk_crdt_peer *peer, const sk_merger_message *message)
{
    bool born = peer->core.life != message->life; // it wants to know what we have, as who knows of its new life
    notice_back(crdt, peer, &message->seen);
    sk_merger_hear(&crdt->core, &peer->core, message);
    peer->told_here = true;
    peer->heard_life = message->heard_life;
    peer->owed |= (message->flag & SK_CRDT_BACK) != 0;
    rebirth(crdt, peer);
    adopt(crdt, peer, &message->base);
    sk_crdt_settle(crdt);
    sk_crdt_close_lives(crdt);
    sk_merger_compare(&crdt->core, &peer->core, message, (message->flag & SK_CRDT_EXACT) && is_exact(crdt));
    if (born || message->wanted) sk_crdt_report_to(crdt, peer);
    if (all_satisfied(crdt)) crdt->repeat_at = SK_NEVER;
    sk_crdt_ask_somebody(crdt);
}

sk_ns sk_crdt_report_deadline(const sk_crdt_replica *crdt)
{
    return crdt->core.report_at < crdt->repeat_at ? crdt->core.report_at : crdt->repeat_at;
}

// A report may be lost, and no other may ever be due: who is not known to have seen the same is told again, and asked to answer.
static void repeat(sk_crdt_replica *crdt)
{
    if (crdt->core.now < crdt->repeat_at) return;
    crdt->repeat_at = SK_NEVER;
    if (all_satisfied(crdt)) return;
    for (size_t i = 0; i < crdt->core.peer_count; i++) {
        if (!is_satisfied(crdt, &crdt->peers[i])) report_to(crdt, &crdt->peers[i], true);
    }
    crdt->repeat_pause = crdt->repeat_pause * 2 < repeat_max ? crdt->repeat_pause * 2 : repeat_max;
    crdt->repeat_at = crdt->core.now + crdt->repeat_pause;
}

void sk_crdt_report_tick(sk_crdt_replica *crdt)
{
    repeat(crdt);
    if (!sk_merger_report_due(&crdt->core)) return;
    report_to_all(crdt);
    if (crdt->core.peer_count) return;
    sk_crdt_settle(crdt);
    sk_crdt_close_lives(crdt);
}
