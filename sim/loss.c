#include "sim/loss.h"

#include <inttypes.h>
#include "sim/merging.h"
#include "sim/request.h"

bool sk_loss_answered_in(const sk_world *world, const sk_history *history, uint64_t actor)
{
    for (size_t i = 0; i < history->count; i++) {
        const sk_operation *op = &history->list[i];
        if (op->outcome != SK_OUTCOME_OK || !op->after || sk_request_reads(op->kind)) continue;
        const sk_sight *after = sk_merging_sight_at(world->merging, op->after);
        if (after->self == actor && sk_vector_get(&after->seen, actor)) return true;
    }
    return false;
}

// Its change is beyond what its node had made when it was asked: certainly not on disk if no more than that is.
static bool is_certainly_missing(const sk_merging *merging, const sk_operation *op, sk_actor self)
{
    if (!sk_request_changes(op->kind) || !op->before) return false;
    const sk_sight *before = sk_merging_sight_at(merging, op->before);
    return before->self == self && !sk_merging_is_synced(merging, op->node, (sk_dot){self, sk_vector_get(&before->seen, self) + 1});
}

// Of what a node answered and had not written down when it ended: all was answered within one window, by its own clock. An answer has left after
// its request arrived, and a change was made before its answer came: so much is known of when.
static void check_window(sk_world *world, const sk_operation *first, const sk_operation *last)
{
    const sk_swarm *swarm = &world->swarm;
    sk_ns window = swarm->group_ms * SK_MS, clock = window / 1000000 * 2 * swarm->drift_ppm_max + 10 * SK_MS;
    if (swarm->durability != SK_DURABILITY_GROUP || last->arrived <= first->end + window + clock) return;
    sk_world_fail(world, SK_VERDICT_WRONG, "node %" PRIu32 " answered operations %" PRIu64 " ms apart and has written down neither", first->node,
                  (last->arrived - first->end) / SK_MS);
}

void sk_loss_cut(sk_world *world, sk_history *history, sk_node_id id)
{
    sk_actor self = sk_merging_actor(&world->computers[id]);
    const sk_operation *first = NULL, *latest = NULL;
    for (size_t i = 0; i < history->count; i++) {
        sk_operation *op = &history->list[i];
        bool answered = op->outcome == SK_OUTCOME_OK || op->outcome == SK_OUTCOME_PENDING;
        if (op->node != id || !answered || !sk_request_merges(op->kind) || sk_request_reads(op->kind) || !op->after) continue;
        const sk_sight *after = sk_merging_sight_at(world->merging, op->after);
        sk_dot last = {self, sk_vector_get(&after->seen, self)};
        if (after->self != self || !last.counter || sk_merging_is_synced(world->merging, id, last)) continue;
        if (op->outcome == SK_OUTCOME_OK && is_certainly_missing(world->merging, op, self)) {
            if (!first || op->end < first->end) first = op;
            if (!latest || op->arrived > latest->arrived) latest = op;
        }
        op->cut = world->now;
        if (sk_merging_is_elsewhere(world->merging, id, last)) continue;
        sk_world_reach(world, SK_SOMETIMES_WINDOW_CUT);
        op->doubtful = true;
    }
    if (first) check_window(world, first, latest);
}
