// Exhaustive small runs of Raft (test/support/model.h): agreement, validity, termination; one leader a term; durable before
// answered. Budgets differ so that each run goes deep in one direction. SKEIN_LONG=1 makes each
// run two hundred times longer, within SKEIN_MODEL_SECONDS (600). A word on the command line: only the runs whose name has it.
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
                          .states_max = very_long ? 20000000 : 100000,
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
    model_result result = model_run(&bounds);
    assert_false(result.violated);
    assert_true(result.sometimes.elected > 0);
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

int main(int argc, char **argv)
{
    if (argc > 1) cmocka_set_test_filter(argv[1]);
    const struct CMUnitTest tests[] = {
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
