// Rules 5 to 7: who has seen what, whether it is the same, and what may be forgotten.
#include "base/assert.h"
#include "protocol/crdt/crdt.h"

static const sk_ns repeat_min = SK_S, repeat_max = 8 * SK_S; // between reports to who is not known to have seen the same
static const sk_ns doubt = 5 * SK_S;

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
                               .seen = *sk_crdt_seen(crdt)};
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
}

// A peer may have retired a life that we still have counted: for a while we wait for the reports that let us, too. If they do not come our
// disk may be from before we reported what let it, and only a walk will tell.
bool sk_crdt_is_ahead(const sk_crdt_replica *crdt, const sk_crdt_peer *peer)
{
    if (!peer->reported) return false;
    for (size_t i = 0; i < peer->told.count; i++) {
        sk_dot told = peer->told.list[i];
        uint64_t seen = sk_vector_get(sk_crdt_seen(crdt), told.actor);
        if (told.counter <= seen) continue;
        if (told.counter != SK_RETIRED || seen == 0 || crdt->now >= peer->doubt_until) return true;
    }
    return false;
}

static uint64_t life_of(const sk_crdt_replica *crdt, uint32_t node)
{
    if (node == crdt->self) return crdt->life;
    for (size_t i = 0; i < crdt->peer_count; i++) {
        if (crdt->peers[i].id == node) return crdt->peers[i].life;
    }
    return 0;
}

// Where the lives of a node begin in a vector.
static size_t lives_of(const sk_vector *vector, uint32_t node)
{
    size_t i = 0;
    while (i < vector->count && sk_actor_node(vector->list[i].actor) < node) i++;
    return i;
}

// Has `told` of the lives of this node up to `last` the same as we have: the same mark, the same counters?
static bool same_lives(const sk_crdt_replica *crdt, const sk_vector *told, sk_actor last)
{
    const sk_vector *seen = sk_crdt_seen(crdt);
    uint32_t node = sk_actor_node(last);
    size_t i = lives_of(seen, node), k = lives_of(told, node);
    for (; i < seen->count && seen->list[i].actor <= last; i++, k++) {
        if (k == told->count || sk_dot_compare(told->list[k], seen->list[i]) != 0) return false;
    }
    return k == told->count || told->list[k].actor > last;
}

// A life that is over (its node reports a later one) and that all have seen to the same counter, and we have told so. With it all before
// it are marked as seen, so everybody must have the same of those, too; who has marked more already is no proof (see adopt).
static bool is_over(const sk_crdt_replica *crdt, sk_dot life)
{
    if (life.counter == SK_RETIRED || sk_actor_life(life.actor) >= life_of(crdt, sk_actor_node(life.actor))) return false;
    if (crdt->peer_count && sk_vector_get(&crdt->reported, life.actor) != life.counter) return false;
    for (size_t i = 0; i < crdt->peer_count; i++) {
        if (!crdt->peers[i].reported || !same_lives(crdt, &crdt->peers[i].told, life.actor)) return false;
    }
    return true;
}

// Lasts: peers that have retired more than a node remembers cost it a walk over everything.
static void retire_up_to(sk_crdt_replica *crdt, sk_actor over)
{
    sk_vector mark = {0};
    crdt->ops->retire(crdt->machine, over);
    sk_vector_retire(&mark, over);
    sk_crdt_persist_joined(crdt, &mark, &mark, true);
    sk_vector_deinit(&mark);
    crdt->counts.retired++;
    sk_crdt_changed(crdt);
}

static void retire(sk_crdt_replica *crdt)
{
    for (size_t i = 0; i < crdt->peer_count; i++) {
        if (sk_crdt_is_ahead(crdt, &crdt->peers[i])) return; // it may know of a life that we have not heard of
    }
    sk_vector seen = {0};
    sk_vector_copy(&seen, sk_crdt_seen(crdt));
    sk_actor over = 0;
    bool stopped = false;
    for (size_t i = 0; i < seen.count; i++) { // of each node from its first life on, as far as they are over
        bool next_node = i > 0 && sk_actor_node(seen.list[i - 1].actor) != sk_actor_node(seen.list[i].actor);
        if (next_node && over) retire_up_to(crdt, over);
        if (next_node) {
            over = 0;
            stopped = false;
        }
        if (!stopped && is_over(crdt, seen.list[i])) {
            over = seen.list[i].actor;
        } else if (seen.list[i].counter != SK_RETIRED) {
            stopped = true;
        }
    }
    if (over) retire_up_to(crdt, over);
    sk_vector_deinit(&seen);
}

// A peer retires what all, and so we, have reported to have whole. That we have it still is known only if on this link it first told the
// very counters that we have: our disk may be from before we reported, a backup even. `said`: what it says now.
static void adopt(sk_crdt_replica *crdt, const sk_crdt_peer *peer, const sk_vector *said)
{
    for (size_t i = 0; i < said->count && peer->told_here; i++) {
        sk_actor last = said->list[i].actor;
        if (said->list[i].counter != SK_RETIRED || sk_vector_get(sk_crdt_seen(crdt), last) == SK_RETIRED) continue;
        bool ours = sk_actor_node(last) == crdt->self && sk_actor_life(last) >= crdt->life;
        if (!ours && same_lives(crdt, &peer->told, last)) retire_up_to(crdt, last);
    }
}

static bool has_retired_more(const sk_crdt_replica *crdt, const sk_crdt_peer *peer)
{
    for (size_t i = 0; i < peer->told.count; i++) {
        sk_dot told = peer->told.list[i];
        if (told.counter == SK_RETIRED && sk_vector_get(sk_crdt_seen(crdt), told.actor) != SK_RETIRED) return true;
    }
    return false;
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
    adopt(crdt, peer, &message->seen);
    sk_vector_copy(&peer->told, &message->seen);
    peer->reported = peer->told_here = true;
    peer->life = message->life;
    peer->ahead_ms = (int64_t)(message->wall_ms - crdt->wall_ms);
    rebirth(crdt, peer);
    sk_crdt_settle(crdt);
    retire(crdt);
    if (!has_retired_more(crdt, peer)) peer->doubt_until = SK_NEVER;
    else if (peer->doubt_until == SK_NEVER) peer->doubt_until = crdt->now + doubt;
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
    sk_ns at = crdt->report_at < crdt->repeat_at ? crdt->report_at : crdt->repeat_at;
    for (size_t i = 0; i < crdt->peer_count; i++) {
        if (crdt->peers[i].doubt_until < at) at = crdt->peers[i].doubt_until;
    }
    return at;
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
    for (size_t i = 0; i < crdt->peer_count; i++) {
        if (crdt->now < crdt->peers[i].doubt_until) continue;
        sk_crdt_ask_somebody(crdt);
        crdt->peers[i].doubt_until = SK_NEVER;
    }
    repeat(crdt);
    if (crdt->now < crdt->report_at) return;
    crdt->report_at = SK_NEVER;
    if (sk_vector_compare(&crdt->reported, sk_crdt_seen(crdt)) == SK_ORDER_EQUAL) return;
    sk_vector_copy(&crdt->reported, sk_crdt_seen(crdt));
    for (size_t i = 0; i < crdt->peer_count; i++) {
        if (crdt->peers[i].linked) sk_crdt_report_to(crdt, &crdt->peers[i]);
    }
    if (crdt->peer_count) retire(crdt); // what we have just told
    if (crdt->peer_count) return;
    sk_crdt_settle(crdt);
    retire(crdt);
}
