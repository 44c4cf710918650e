// Rules 5 to 7: who has seen what, whether it is the same, and what may be forgotten.
#include "base/assert.h"
#include "protocol/crdt/crdt.h"

static const sk_ns report_pause = 200 * SK_MS; // from a change to the report of it
static const sk_ns doubt = 5 * SK_S;

void sk_crdt_changed(sk_crdt_replica *crdt)
{
    if (crdt->report_at == SK_NEVER) crdt->report_at = crdt->now + report_pause;
}

// What is reported must last: others forget what everybody has. So it leaves when all of it is on disk.
void sk_crdt_report_to(sk_crdt_replica *crdt, sk_crdt_peer *peer)
{
    sk_crdt_message message = {.kind = SK_CRDT_REPORT,
                               .wall_ms = crdt->wall_ms,
                               .life = crdt->life,
                               .digest = crdt->machine->ops->digest(crdt->machine),
                               .flag = crdt->ask.peer == NULL && crdt->operations.size == 0,
                               .seen = *sk_crdt_seen(crdt)};
    sk_crdt_send(crdt, peer->id, &message, crdt->number);
    crdt->counts.reports_sent++;
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

// A peer may have retired a life that we still have counted: it knows nothing that we do not, and the reports that let it will let us.
bool sk_crdt_is_ahead(const sk_crdt_replica *crdt, const sk_crdt_peer *peer)
{
    if (!peer->reported) return false;
    for (size_t i = 0; i < peer->told.count; i++) {
        sk_dot told = peer->told.list[i];
        uint64_t seen = sk_vector_get(sk_crdt_seen(crdt), told.actor);
        if (told.counter <= seen) continue;
        if (told.counter != SK_RETIRED || seen == 0 || crdt->now >= crdt->doubt_until) return true;
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

// A life that is over (its node reports a later one) and that all have seen to the same counter.
static bool is_over(const sk_crdt_replica *crdt, sk_dot life)
{
    if (life.counter == SK_RETIRED || sk_actor_life(life.actor) >= life_of(crdt, sk_actor_node(life.actor))) return false;
    for (size_t i = 0; i < crdt->peer_count; i++) {
        uint64_t told = sk_vector_get(&crdt->peers[i].told, life.actor);
        if (!crdt->peers[i].reported || (told != life.counter && told != SK_RETIRED)) return false;
    }
    return true;
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
        if (next_node && over) crdt->ops->retire(crdt->machine, over);
        if (next_node) {
            over = 0;
            stopped = false;
        }
        if (!stopped && is_over(crdt, seen.list[i])) {
            over = seen.list[i].actor;
            crdt->counts.retired++;
            sk_crdt_changed(crdt);
        } else if (seen.list[i].counter != SK_RETIRED) {
            stopped = true;
        }
    }
    if (over) crdt->ops->retire(crdt->machine, over);
    sk_vector_deinit(&seen);
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
    sk_vector_copy(&peer->told, &message->seen);
    peer->reported = true;
    peer->life = message->life;
    peer->ahead_ms = (int64_t)(message->wall_ms - crdt->wall_ms);
    rebirth(crdt, peer);
    sk_crdt_settle(crdt);
    retire(crdt);
    if (has_retired_more(crdt, peer)) {
        if (crdt->doubt_until == SK_NEVER) crdt->doubt_until = crdt->now + doubt;
    } else {
        crdt->doubt_until = SK_NEVER;
    }
    bool equal = sk_vector_compare(&message->seen, sk_crdt_seen(crdt)) == SK_ORDER_EQUAL;
    bool exact = message->flag && crdt->ask.peer == NULL && crdt->operations.size == 0;
    if (equal && exact && message->digest != crdt->machine->ops->digest(crdt->machine)) {
        crdt->counts.mismatches++;
        peer->mend = true;
    }
    sk_crdt_ask_somebody(crdt);
}

void sk_crdt_report_tick(sk_crdt_replica *crdt)
{
    if (crdt->now >= crdt->doubt_until) {
        sk_crdt_ask_somebody(crdt);
        crdt->doubt_until = SK_NEVER;
    }
    if (crdt->now < crdt->report_at) return;
    crdt->report_at = SK_NEVER;
    if (sk_vector_compare(&crdt->reported, sk_crdt_seen(crdt)) == SK_ORDER_EQUAL) return;
    sk_vector_copy(&crdt->reported, sk_crdt_seen(crdt));
    for (size_t i = 0; i < crdt->peer_count; i++) {
        if (crdt->peers[i].linked) sk_crdt_report_to(crdt, &crdt->peers[i]);
    }
    if (crdt->peer_count) return;
    sk_crdt_settle(crdt);
    retire(crdt);
}
