// Reports: what each has seen, whether it is the same, and what may be forgotten.
#include "protocol/merger/merger.h"

void sk_merger_changed(sk_merger *merger)
{
    if (merger->report_at == SK_NEVER) merger->report_at = merger->now + SK_MERGER_REPORT_PAUSE;
}

bool sk_merger_report_due(sk_merger *merger)
{
    if (merger->now < merger->report_at) return false;
    merger->report_at = SK_NEVER;
    if (sk_vector_compare(&merger->reported, sk_merger_seen(merger)) == SK_ORDER_EQUAL) return false;
    sk_vector_copy(&merger->reported, sk_merger_seen(merger));
    return true;
}

void sk_merger_report(sk_merger *merger, sk_node_id to, sk_merger_message *message)
{
    message->wall_ms = merger->wall_ms;
    message->life = merger->life;
    message->digest = merger->machine->ops->digest(merger->machine);
    message->seen = *sk_merger_seen(merger);
    sk_merger_send(merger, to, message, merger->number);
    merger->counts.reports_sent++;
}

void sk_merger_hear(sk_merger *merger, sk_merger_peer *peer, const sk_merger_message *report)
{
    merger->counts.reports_received++;
    sk_vector_copy(&peer->told, &report->seen);
    peer->reported = true;
    peer->life = report->life;
}

uint64_t sk_merger_outlived(sk_merger *merger, const sk_merger_peer *peer)
{
    if (!sk_merger_claims_ours(merger, &peer->told)) return 0;
    uint64_t beyond = merger->life;
    for (size_t i = 0; i < peer->told.count; i++) {
        sk_actor actor = peer->told.list[i].actor;
        if (sk_actor_node(actor) == merger->self && sk_actor_life(actor) > beyond) beyond = sk_actor_life(actor);
    }
    merger->counts.reborn++;
    return beyond;
}

void sk_merger_compare(sk_merger *merger, sk_merger_peer *peer, const sk_merger_message *report, bool exact)
{
    if (!exact || sk_vector_compare(&report->seen, sk_merger_seen(merger)) != SK_ORDER_EQUAL) return;
    if (report->digest == merger->machine->ops->digest(merger->machine)) return;
    merger->counts.mismatches++;
    peer->mend = true;
}

void sk_merger_settle(sk_merger *merger)
{
    sk_vector stable = {0};
    sk_vector_copy(&stable, sk_merger_seen(merger));
    for (size_t i = 0; i < merger->peer_count; i++) sk_vector_meet(&stable, &merger->peers[i]->told);
    if (!sk_vector_covers(merger->ops->base(merger->machine), &stable)) merger->ops->settle(merger->machine, &stable);
    sk_vector_deinit(&stable);
}
