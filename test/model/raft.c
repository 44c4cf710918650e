// Exhaustive small runs of Raft (test/support/model.h): agreement, validity, termination; one leader a term; durable before
// answered. Budgets differ so that each run goes deep in one direction. SKEIN_LONG=1 makes each
// run over a hundred times longer, within SKEIN_MODEL_SECONDS (600). A word on the command line: only the runs whose name has it.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "test/support/model.h"

static model_limits limits(size_t nodes, model_budget budget)
{
    const char *wanted = getenv("SKEIN_LONG");
    const char *seconds = getenv("SKEIN_MODEL_SECONDS");
    bool very_long = wanted && *wanted == '1';
    return (model_limits){.protocol = &sk_raft,
                          .nodes = nodes,
                          .budget = budget,
                          .depth_max = MODEL_PATH_MAX,
                          .network_max = 6,
                          .seconds = very_long ? (seconds ? strtod(seconds, NULL) : 600) : 120, // a slow machine sees fewer states, and says so
                          .states_max = very_long ? 20000000 : 150000,
                          .fair_every = 500};
}

static void one_node_is_exhausted(void **state)
{
    model_limits bounds = limits(1, (model_budget){.timeouts = 3, .crashes = 3, .submits = 3});
    model_result result = model_run(&bounds);
    assert_false(result.violated);
    assert_true(result.exhausted);
    assert_true(result.sometimes.acknowledged && result.sometimes.crashed_leader && result.sometimes.elected_again);
}

static void a_campaign_and_a_crash_in_every_order(void **state)
{
    model_limits bounds = limits(3, (model_budget){.timeouts = 1, .crashes = 1});
    model_result result = model_run(&bounds);
    assert_false(result.violated);
    assert_true(result.sometimes.elected && result.sometimes.committed);
}

static void an_election_in_every_order(void **state)
{
    model_limits bounds = limits(3, (model_budget){.timeouts = 2});
    model_result result = model_run(&bounds);
    assert_false(result.violated);
    assert_true(result.sometimes.elected && result.sometimes.committed);
}

static void a_write_and_a_crash_in_every_order(void **state)
{
    model_limits bounds = limits(3, (model_budget){.timeouts = 2, .crashes = 1, .submits = 1});
    model_result result = model_run(&bounds);
    assert_false(result.violated);
    assert_true(result.sometimes.elected && result.sometimes.committed);
}

static void two_nodes_crash_and_elect_again(void **state)
{
    model_limits bounds = limits(2, (model_budget){.timeouts = 3, .crashes = 1, .submits = 1, .drops = 1});
    bounds.led = true;
    model_result result = model_run(&bounds);
    assert_false(result.violated);
    assert_true(result.sometimes.elected_again && result.sometimes.acknowledged && result.sometimes.crashed_leader);
}

static void duplicated_and_lost_messages(void **state)
{
    model_limits bounds = limits(3, (model_budget){.timeouts = 2, .submits = 1, .drops = 1, .duplicates = 1});
    bounds.led = true;
    model_result result = model_run(&bounds);
    assert_false(result.violated);
    assert_true(result.sometimes.acknowledged > 0);
}

static void a_leader_dies_with_a_write_in_every_order(void **state)
{
    model_limits bounds = limits(3, (model_budget){.timeouts = 2, .crashes = 1, .submits = 1});
    bounds.led = true;
    bounds.states_max *= 3; // everything above has happened by then
    model_result result = model_run(&bounds);
    assert_false(result.violated);
    assert_true(result.sometimes.acknowledged && result.sometimes.crashed_leader && result.sometimes.elected_again);
}

// ---- The checks can fail: Raft, and around it what breaks one of the three ----

enum wrong { APPLIES_ITS_OWN, APPLIES_WHAT_NOBODY_SENT, FALLS_SILENT };

static void step_wrongly(sk_replica *replica, const sk_event *event, sk_effects *out, enum wrong how)
{
    static const uint8_t foreign = 200;
    sk_raft.step(replica, event, out);
    sk_status status = sk_raft.status(replica);
    size_t kept = 0;
    for (size_t i = 0; i < out->count; i++) {
        sk_effect effect = out->list[i];
        if (effect.kind == SK_EFFECT_APPLY && how == APPLIES_WHAT_NOBODY_SENT) effect.apply.payload = sk_slice_make(&foreign, 1);
        // A leader and its followers differ over whose term an entry is of.
        if (effect.kind == SK_EFFECT_APPLY && how == APPLIES_ITS_OWN) effect.apply.epoch += status.role == SK_ROLE_LEADER;
        if (effect.kind == SK_EFFECT_SEND && how == FALLS_SILENT) continue;
        out->list[kept++] = effect;
    }
    out->count = kept;
}

static void applies_its_own(sk_replica *replica, const sk_event *event, sk_effects *out)
{
    step_wrongly(replica, event, out, APPLIES_ITS_OWN);
}

static void applies_what_nobody_sent(sk_replica *replica, const sk_event *event, sk_effects *out)
{
    step_wrongly(replica, event, out, APPLIES_WHAT_NOBODY_SENT);
}

static void falls_silent(sk_replica *replica, const sk_event *event, sk_effects *out)
{
    step_wrongly(replica, event, out, FALLS_SILENT);
}

static void each_property_of_consensus_can_fail(void **state)
{
    static const struct {
        void (*step)(sk_replica *replica, const sk_event *event, sk_effects *out);
        enum model_property property;
    } list[] = {{applies_its_own, MODEL_AGREEMENT}, {applies_what_nobody_sent, MODEL_VALIDITY}, {falls_silent, MODEL_TERMINATION}};
    for (size_t i = 0; i < 3; i++) {
        sk_protocol wrong = sk_raft;
        wrong.step = list[i].step;
        model_limits bounds = limits(3, (model_budget){.timeouts = 2});
        bounds.protocol = &wrong;
        bounds.fair_every = 1;
        model_result result = model_run(&bounds);
        assert_true(result.violated);
        assert_string_equal(result.violation, model_properties[list[i].property]);
    }
}

int main(int argc, char **argv)
{
    if (argc > 1) cmocka_set_test_filter(argv[1]);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_property_of_consensus_can_fail),
        cmocka_unit_test(one_node_is_exhausted),
        cmocka_unit_test(a_campaign_and_a_crash_in_every_order),
        cmocka_unit_test(an_election_in_every_order),
        cmocka_unit_test(a_write_and_a_crash_in_every_order),
        cmocka_unit_test(two_nodes_crash_and_elect_again),
        cmocka_unit_test(duplicated_and_lost_messages),
        cmocka_unit_test(a_leader_dies_with_a_write_in_every_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
