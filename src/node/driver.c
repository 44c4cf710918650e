// Whoever leads the system space takes the next step of the space under way, and sees to it that every space's log says the bound that the
// catalogue says.
//
// Nothing is remembered here but when a step was last asked for: what is to be done next follows from the applied state of the
// system, default and created spaces on this node. So a new leader goes on wherever the one before stopped, and two who both
// believe that they lead do no harm: every step is judged once where it is applied (rules.h, catalogue.h).
//
//     creating   fence judged in the default space?  no: order FENCE there.   refused: REFUSED.   stands: FENCED
//     fenced     a leader seen here, the bound in its log?  order LIMIT there.   then: ACTIVE
//     dropping   closing judged in its own log?  no: order CLOSE there.   refused: KEPT.
//                closed: fence gone from the default space?  no: order UNFENCE there.   gone: DROPPED
#include "node/catalogue_machine.h"
#include "node/route.h"
#include "node/spaces.h"
#include "node/state.h"

// Long enough that a step under way is not asked for twice, short enough to matter if its asker lost it.
static const sk_ns step_pause = 1 * SK_S;

static void order(sk_node *node, sk_space *space, const sk_buffer *what)
{
    sk_origin_submit_control(space, sk_buffer_slice(what));
}

static void change(sk_node *node, const sk_buffer *what)
{
    sk_origin_submit_encoded(node->spaces[SK_SPACE_SYSTEM], NULL, 0, 2, sk_buffer_slice(what));
}

static void step(sk_node *node, const char *name, const sk_space_record *record)
{
    sk_buffer what = {0};
    sk_catalogue_write_step(&what, name, record->id, record->fence_version);
    change(node, &what);
    sk_buffer_deinit(&what);
}

// True: the space's log says the bound that the catalogue says. Else it has been told.
static bool limit_told(sk_node *node, sk_space *space, const sk_space_record *record)
{
    const sk_rules *rules = &space->rules;
    if (rules->limit_version >= record->limit_version) return true;
    if (!record->memory_max && !rules->limit_version) return true; // no bound is what it began with
    sk_buffer what = {0};
    sk_rules_write_limit(&what, record->limit_version, record->memory_max);
    order(node, space, &what);
    sk_buffer_deinit(&what);
    return false;
}

static void drive_creating(sk_node *node, const sk_space_record *record)
{
    sk_space *space = node->spaces[SK_SPACE_DEFAULT];
    if (space->rules.fence_judged < record->id) {
        sk_buffer what = {0};
        sk_rules_write_fence(&what, record->id, record->fence_version, record->prefix);
        order(node, space, &what);
        sk_buffer_deinit(&what);
    } else {
        step(node, sk_rules_fence(&space->rules, record->id) ? "FENCED" : "REFUSED", record);
    }
}

static bool drive_fenced(sk_node *node, const sk_space_record *record)
{
    sk_space *space = sk_node_space(node, record->id);
    if (!space || !space->status.leader) return false; // it will say when that changes
    if (limit_told(node, space, record)) step(node, "ACTIVE", record);
    return true;
}

static bool drive_dropping(sk_node *node, const sk_space_record *record)
{
    sk_space *space = sk_node_space(node, record->id);
    sk_space *default_space = node->spaces[SK_SPACE_DEFAULT];
    if (!space) return false;
    sk_buffer what = {0};
    if (space->rules.close_judged < record->fence_version) {
        sk_rules_write_close(&what, record->fence_version, record->forced);
        order(node, space, &what);
    } else if (!space->rules.closed) {
        step(node, "KEPT", record);
    } else if (sk_rules_fence(&default_space->rules, record->id)) {
        sk_rules_write_unfence(&what, record->id);
        order(node, default_space, &what);
    } else {
        step(node, "DROPPED", record);
    }
    sk_buffer_deinit(&what);
    return true;
}

static bool drive(sk_node *node, const sk_catalogue *catalogue)
{
    if (!sk_catalogue_by_id(catalogue, SK_SPACE_DEFAULT)) {
        sk_buffer what = {0};
        sk_catalogue_write_init(&what, node->config.space_memory_max);
        change(node, &what);
        sk_buffer_deinit(&what);
        return true;
    }
    bool asked = false;
    for (size_t i = 0; i < catalogue->count; i++) {
        const sk_space_record *record = &catalogue->records[i];
        sk_space *space = record->phase == SK_PHASE_ACTIVE ? sk_node_space(node, record->id) : NULL;
        if (space && space->status.leader) asked |= !limit_told(node, space, record);
    }
    const sk_space_record *record = sk_catalogue_under_way(catalogue);
    if (!record) return asked;
    switch (record->phase) {
    case SK_PHASE_CREATING: drive_creating(node, record); return true;
    case SK_PHASE_FENCED: return drive_fenced(node, record) || asked;
    case SK_PHASE_DROPPING: return drive_dropping(node, record) || asked;
    case SK_PHASE_ACTIVE: break;
    }
    return asked;
}

void sk_driver_turn(sk_node *node)
{
    const sk_space *system = node->spaces[SK_SPACE_SYSTEM];
    if (!node->driver_look && node->now < node->driver_at) return;
    node->driver_look = false;
    node->driver_at = SK_NEVER;
    // An entry of its own term applied: nothing that was decided before is unknown to it.
    if (!sk_space_leads(system) || system->applied_epoch != system->status.epoch || node->stopping) return;
    if (drive(node, sk_catalogue_machine_get(system->machine, NULL))) node->driver_at = node->now + step_pause;
}

sk_ns sk_driver_deadline(const sk_node *node)
{
    return node->driver_at;
}
