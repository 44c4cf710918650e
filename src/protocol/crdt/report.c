// Rules 5 to 7: who has seen what, whether it is the same, and what may be forgotten.
#include "base/assert.h"
#include "protocol/crdt/crdt.h"

static const sk_ns repeat_min = SK_S, repeat_max = 8 * SK_S; // between reports to who is not known to have seen the same

void sk_crdt_changed(sk_crdt_replica *crdt)
{
    if (crdt->report_at == SK_NEVER) crdt->report_at = crdt->now + SK_CRDT_REPORT_PAUSE;
}

// What is reported must last: others forget what everybody has. So it leaves when all of it is on disk.
static void report_to(sk_crdt_replica *crdt, sk_crdt_peer *peer, uint8_t flags)
{
    bool exact = crdt->ask.peer == NULL && crdt->operations.size == 0;
    sk_crdt_message message = {.kind = SK_CRDT_REPORT,
                               .wall_ms = crdt->wall_ms,
                               .life = crdt->life,
                               .digest = crdt->machine->ops->digest(crdt->machine),
                               .flag = (uint8_t)(flags | (exact ? SK_CRDT_EXACT : 0)),
                               .seen = *sk_crdt_seen(crdt),
                               .base = crdt->closed};
    sk_crdt_send(crdt, peer->id, &message, crdt->number);
    crdt->counts.reports_sent++;
    if (flags & SK_CRDT_ANSWER) return;
    crdt->repeat_pause = repeat_min;
    crdt->repeat_at = crdt->now + repeat_min;
}

void sk_crdt_report_to(sk_crdt_replica *crdt, sk_crdt_peer *peer)
{
    report_to(crdt, peer, 0);
}

static void report_to_all(sk_crdt_replica *crdt)
{
    for (size_t i = 0; i < crdt->peer_count; i++) {
        if (crdt->peers[i].linked) sk_crdt_report_to(crdt, &crdt->peers[i]);
    }
}

static bool is_satisfied(const sk_crdt_replica *crdt, const sk_crdt_peer *peer)
{
    return !peer->linked || (peer->told_here && sk_vector_compare(&peer->told, sk_crdt_seen(crdt)) == SK_ORDER_EQUAL);
}

static bool all_satisfied(const sk_crdt_replica *crdt)
{
    for (size_t i = 0; i < crdt->peer_count; i++) {
        if (!is_satisfied(crdt, &crdt->peers[i])) return false;
    }
    return true;
}

// All members, ourselves included, have seen it: nobody will ask for differences below.
//
// What a peer sent before it had seen a reset, and we have not merged yet, must not find the tally forgotten that was reset. Links keep
// their order, so it came before the report; but not while it is held behind a gap or a walk is half merged.
void sk_crdt_settle(sk_crdt_replica *crdt)
{
    sk_vector stable = {0};
    sk_vector_copy(&stable, sk_crdt_seen(crdt));
    bool all = crdt->ask.peer == NULL;
    for (size_t i = 0; i < crdt->peer_count; i++) {
        all &= crdt->peers[i].reported && crdt->peers[i].held.size == 0;
        sk_vector_meet(&stable, &crdt->peers[i].told);
    }
    if (all && !sk_vector_covers(crdt->ops->base(crdt->machine), &stable)) crdt->ops->settle(crdt->machine, &stable);
    sk_vector_deinit(&stable);
    const sk_vector *closed = &crdt->closed;
    if (closed->count && sk_vector_get(crdt->ops->base(crdt->machine), closed->list[closed->count - 1].actor) == SK_RETIRED)
        sk_vector_clear(&crdt->closed); // all have taken it over
}

bool sk_crdt_is_ahead(const sk_crdt_replica *crdt, const sk_crdt_peer *peer)
{
    return peer->reported && !sk_vector_covers(sk_crdt_seen(crdt), &peer->told);
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

// Our lives before this one are over when nobody has more of them than we: so said all, since this process began. Why each closes its own:
// A sends c to B and is cut off before its disk has it. Back, A knows nothing of c, and neither does C; nor B, by what C last heard from
// it. Had C closed the life now, it would never take c from B. But what B told us it told on a link that is newer than our last lives'; what
// it got of them later it has from a disk (rule 8), whose node says so itself; and what it held behind a gap went with the old link.
static bool has_nobody_more(const sk_crdt_replica *crdt, sk_actor self)
{
    for (size_t k = 0; k < crdt->peer_count; k++) {
        const sk_crdt_peer *peer = &crdt->peers[k];
        if (!peer->reported) return false;
        for (size_t i = 0; i < peer->told.count; i++) {
            sk_dot told = peer->told.list[i];
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
    crdt->ops->join(crdt->machine, &mark, NULL);
    sk_crdt_persist_joined(crdt, &mark, &none, false);
    sk_vector_deinit(&mark);
    sk_crdt_changed(crdt);
}

void sk_crdt_close_lives(sk_crdt_replica *crdt)
{
    sk_actor self = sk_actor_make(crdt->self, crdt->life);
    sk_vector before = {0};
    sk_actor last = lives_before(sk_crdt_seen(crdt), self, &before);
    if (last && has_nobody_more(crdt, self)) {
        sk_vector_copy(&crdt->closed, &before);
        take_mark(crdt, last);
        crdt->counts.closed++;
    }
    sk_vector_deinit(&before);
}

// The peer says what it had of its lives when it closed them. Who has all of that has all there ever will be; anybody else asks.
static void adopt(sk_crdt_replica *crdt, const sk_crdt_peer *peer, const sk_vector *closed)
{
    sk_vector before = {0};
    sk_actor last = lives_before(closed, sk_actor_make(peer->id, peer->life), &before);
    bool its_own = sk_vector_compare(&before, closed) == SK_ORDER_EQUAL;
    bool fresh = last && sk_vector_get(sk_crdt_seen(crdt), last) != SK_RETIRED && sk_vector_get(&peer->told, last) == SK_RETIRED;
    if (its_own && fresh && sk_vector_covers(sk_crdt_seen(crdt), closed)) take_mark(crdt, last);
    sk_vector_deinit(&before);
}

static void rebirth(sk_crdt_replica *crdt, const sk_crdt_peer *peer)
{
    sk_actor self = sk_actor_make(crdt->self, crdt->life);
    if (sk_vector_get(&peer->told, self) <= sk_vector_get(sk_crdt_seen(crdt), self)) return;
    uint64_t beyond = crdt->life;
    for (size_t i = 0; i < peer->told.count; i++) {
        sk_actor actor = peer->told.list[i].actor;
        if (sk_actor_node(actor) == crdt->self && sk_actor_life(actor) > beyond) beyond = sk_actor_life(actor);
    }
    sk_crdt_begin_life(crdt, beyond);
    crdt->counts.reborn++;
}

void sk_crdt_on_report(sk_crdt_replica *crdt, sk_crdt_peer *peer, const sk_crdt_message *message)
{
    crdt->counts.reports_received++;
    sk_vector_copy(&peer->told, &message->seen);
    peer->reported = peer->told_here = true;
    peer->life = message->life;
    peer->ahead_ms = (int64_t)(message->wall_ms - crdt->wall_ms);
    rebirth(crdt, peer);
    adopt(crdt, peer, &message->base);
    sk_crdt_settle(crdt);
    sk_crdt_close_lives(crdt);
    bool equal = sk_vector_compare(&message->seen, sk_crdt_seen(crdt)) == SK_ORDER_EQUAL;
    bool exact = (message->flag & SK_CRDT_EXACT) && crdt->ask.peer == NULL && crdt->operations.size == 0;
    if (equal && exact && message->digest != crdt->machine->ops->digest(crdt->machine)) {
        crdt->counts.mismatches++;
        peer->mend = true;
    }
    if (message->flag & SK_CRDT_ANSWER) sk_crdt_report_to(crdt, peer);
    if (all_satisfied(crdt)) crdt->repeat_at = SK_NEVER;
    sk_crdt_ask_somebody(crdt);
}

sk_ns sk_crdt_report_deadline(const sk_crdt_replica *crdt)
{
    return crdt->report_at < crdt->repeat_at ? crdt->report_at : crdt->repeat_at;
}

// A report may be lost, and no other may ever be due: who is not known to have seen the same is told again, and asked to answer.
static void repeat(sk_crdt_replica *crdt)
{
    if (crdt->now < crdt->repeat_at) return;
    crdt->repeat_at = SK_NEVER;
    if (all_satisfied(crdt)) return;
    for (size_t i = 0; i < crdt->peer_count; i++) {
        if (!is_satisfied(crdt, &crdt->peers[i])) report_to(crdt, &crdt->peers[i], SK_CRDT_ANSWER);
    }
    crdt->repeat_pause = crdt->repeat_pause * 2 < repeat_max ? crdt->repeat_pause * 2 : repeat_max;
    crdt->repeat_at = crdt->now + crdt->repeat_pause;
}

void sk_crdt_report_tick(sk_crdt_replica *crdt)
{
    repeat(crdt);
    if (crdt->now < crdt->report_at) return;
    crdt->report_at = SK_NEVER;
    if (sk_vector_compare(&crdt->reported, sk_crdt_seen(crdt)) == SK_ORDER_EQUAL) return;
    sk_vector_copy(&crdt->reported, sk_crdt_seen(crdt));
    report_to_all(crdt);
    if (crdt->peer_count) return;
    sk_crdt_settle(crdt);
    sk_crdt_close_lives(crdt);
}
