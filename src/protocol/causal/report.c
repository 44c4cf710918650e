// Rules 6 to 8: who has seen what, whether it is the same, and what may be forgotten.
#include "base/assert.h"
#include "protocol/causal/causal.h"

static const sk_ns report_pause = 200 * SK_MS; // from a change to the report of it
static const sk_ns doubt = 5 * SK_S;

void sk_causal_changed(sk_causal_replica *causal)
{
    if (causal->report_at == SK_NEVER) causal->report_at = causal->now + report_pause;
}

static void gather_lives(sk_causal_replica *causal)
{
    sk_vector_copy(&causal->lives, &causal->finals);
    for (size_t i = 0; i < causal->peer_count; i++) {
        const sk_causal_peer *peer = &causal->peers[i];
        if (peer->reported) sk_vector_raise(&causal->lives, sk_actor_make(peer->id, peer->life), 1);
    }
}

// What is reported must last: others forget what everybody has. So it leaves when all of it is on disk.
void sk_causal_report_to(sk_causal_replica *causal, sk_causal_peer *peer)
{
    gather_lives(causal);
    sk_causal_message message = {.kind = SK_CAUSAL_REPORT,
                                 .lives = causal->lives,
                                 .wall_ms = causal->wall_ms,
                                 .life = causal->life,
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

// A peer may have retired a life that we still have counted: it knows nothing that we do not, and the reports that let it will let us.
bool sk_causal_is_ahead(const sk_causal_replica *causal, const sk_causal_peer *peer)
{
    if (!peer->reported) return false;
    for (size_t i = 0; i < peer->told.count; i++) {
        sk_dot told = peer->told.list[i];
        uint64_t seen = sk_vector_get(sk_causal_seen(causal), told.actor);
        if (told.counter <= seen) continue;
        if (told.counter != SK_RETIRED || seen == 0 || causal->now >= causal->doubt_until) return true;
    }
    return false;
}

static bool has_later(const sk_vector *lives, sk_actor life)
{
    for (size_t i = 0; i < lives->count; i++) {
        sk_actor actor = lives->list[i].actor;
        if (sk_actor_node(actor) == sk_actor_node(life) && actor > life) return true;
    }
    return false;
}

// Where a life that others have retired ended, if anybody still knows: 0 if not. From its retirement alone a node with an old backup would
// not see that it lacks the end.
static uint64_t final_of(const sk_causal_replica *causal, sk_actor life)
{
    uint64_t final = 0;
    for (size_t i = 0; i < causal->peer_count && !final; i++) final = sk_vector_get(&causal->peers[i].lives, life);
    return final;
}

// Something of an earlier life of that node that we do not have? It would be retired with this one.
static bool knows_earlier(const sk_causal_replica *causal, const sk_vector *told, sk_actor life)
{
    for (size_t i = 0; i < told->count; i++) {
        sk_dot dot = told->list[i];
        bool earlier = sk_actor_node(dot.actor) == sk_actor_node(life) && dot.actor < life && dot.counter != SK_RETIRED;
        if (earlier && !sk_vector_has(sk_causal_seen(causal), dot)) return true;
    }
    return false;
}

// A life is over when nobody will ever get more of it: all have the same of it, and said so when they had heard of a later life from
// that node itself. Why that: A sends c to B and is cut off before its disk has it. Back, A knows nothing of c, and neither does C; nor B, by
// its last report, which is from before c. Had C retired the life now, it would never take c from B.
static bool is_over(const sk_causal_replica *causal, sk_dot life)
{
    uint32_t node = sk_actor_node(life.actor);
    if (life.counter == SK_RETIRED) return false;
    if (node == causal->self && sk_actor_life(life.actor) >= causal->life) return false;
    for (size_t i = 0; i < causal->peer_count; i++) {
        const sk_causal_peer *peer = &causal->peers[i];
        if (!peer->reported) return false;
        uint64_t told = sk_vector_get(&peer->told, life.actor);
        bool same = told == SK_RETIRED ? final_of(causal, life.actor) == life.counter : told == life.counter;
        if (!same) return false;
        if (knows_earlier(causal, &peer->told, life.actor)) return false;
        bool later = peer->id == node ? peer->life > sk_actor_life(life.actor) : has_later(&peer->lives, life.actor);
        if (!later && told != SK_RETIRED) return false;
    }
    return true;
}

// Of the last retired life of each node.
static void keep_final(sk_causal_replica *causal, sk_dot end)
{
    for (size_t i = causal->finals.count; i-- > 0;) {
        sk_actor actor = causal->finals.list[i].actor;
        if (sk_actor_node(actor) == sk_actor_node(end.actor)) sk_vector_remove(&causal->finals, actor);
    }
    sk_vector_raise(&causal->finals, end.actor, end.counter);
}

static void retire(sk_causal_replica *causal)
{
    sk_vector seen = {0};
    sk_vector_copy(&seen, sk_causal_seen(causal));
    bool stopped = false;
    uint64_t before = causal->counts.retired;
    for (size_t i = 0; i < seen.count; i++) { // of each node from its first life on, as far as they are over
        bool next_node = i > 0 && sk_actor_node(seen.list[i - 1].actor) != sk_actor_node(seen.list[i].actor);
        if (next_node) stopped = false;
        if (!stopped && is_over(causal, seen.list[i])) {
            causal->ops->retire(causal->machine, seen.list[i].actor);
            keep_final(causal, seen.list[i]);
            causal->counts.retired++;
        } else if (seen.list[i].counter != SK_RETIRED) {
            stopped = true;
        }
    }
    sk_vector_deinit(&seen);
    if (causal->counts.retired == before) return;
    sk_causal_changed(causal);
    sk_causal_deliver_held(causal); // what needs a retired life
}

static bool has_retired_more(const sk_causal_replica *causal, const sk_causal_peer *peer)
{
    for (size_t i = 0; i < peer->told.count; i++) {
        sk_dot told = peer->told.list[i];
        if (told.counter == SK_RETIRED && sk_vector_get(sk_causal_seen(causal), told.actor) != SK_RETIRED) return true;
    }
    return false;
}

static void begin_or_end_doubt(sk_causal_replica *causal)
{
    bool any = false;
    for (size_t i = 0; i < causal->peer_count; i++) any |= causal->peers[i].linked && has_retired_more(causal, &causal->peers[i]);
    if (!any) causal->doubt_until = SK_NEVER;
    else if (causal->doubt_until == SK_NEVER) causal->doubt_until = causal->now + doubt;
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
    if (peer->life != message->life) { // the others want to know that we know
        causal->lives_news = true;
        sk_causal_changed(causal);
    }
    peer->life = message->life;
    sk_vector_copy(&peer->lives, &message->lives);
    rebirth(causal, peer);
    if (!causal->loading) {
        sk_causal_settle(causal);
        retire(causal);
    }
    begin_or_end_doubt(causal);
    bool equal = sk_vector_compare(&message->seen, sk_causal_seen(causal)) == SK_ORDER_EQUAL;
    bool exact = message->flag && !causal->loading && causal->operations.size == 0;
    if (equal && exact && message->digest != causal->machine->ops->digest(causal->machine)) {
        causal->counts.mismatches++;
        peer->mend = true;
    }
    sk_causal_ask_somebody(causal);
}

void sk_causal_report_tick(sk_causal_replica *causal)
{
    if (causal->now >= causal->doubt_until) {
        sk_causal_ask_somebody(causal);
        causal->doubt_until = SK_NEVER;
        begin_or_end_doubt(causal); // nobody was free to be asked, or that one gives us nothing
    }
    if (causal->now < causal->report_at) return;
    causal->report_at = SK_NEVER;
    if (!causal->lives_news && sk_vector_compare(&causal->reported, sk_causal_seen(causal)) == SK_ORDER_EQUAL) return;
    causal->lives_news = false;
    sk_vector_copy(&causal->reported, sk_causal_seen(causal));
    for (size_t i = 0; i < causal->peer_count; i++) {
        if (causal->peers[i].linked) sk_causal_report_to(causal, &causal->peers[i]);
    }
    if (causal->peer_count || causal->loading) return;
    sk_causal_settle(causal);
    retire(causal);
}
