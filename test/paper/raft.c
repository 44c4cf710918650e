#include "test/support/raft_cluster.h"

static void s5_2_one_leader_is_elected(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        cluster *c = cluster_new(3, seed);
        sk_node_id leader = cluster_elect(c);
        uint64_t request = cluster_submit(c, leader, "x");
        cluster_run(c, SK_S);
        assert_int_equal(c->ends[request].kind, END_APPLIED);
        for (sk_node_id id = 1; id <= 3; id++) {
            assert_int_equal(status_of(c, id).leader, leader);
            assert_int_equal(status_of(c, id).applied, status_of(c, leader).applied);
        }
        cluster_close(c);
    }
}

static void one_node_commits_on_its_own_disk(void **state)
{
    (void)state;
    cluster *c = cluster_new(1, 1);
    c->nodes[1].disk_auto = false;
    cluster_run(c, SK_S);
    assert_int_equal(cluster_leader(c), 0); // its own vote is not on disk
    cluster_durable(c, 1);
    assert_int_equal(cluster_leader(c), 1);
    cluster_durable(c, 1);
    uint64_t request = cluster_submit(c, 1, "x");
    cluster_run(c, SK_S);
    assert_int_equal(c->ends[request].kind, END_NONE);
    cluster_durable(c, 1);
    assert_int_equal(c->ends[request].kind, END_APPLIED);
    cluster_close(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(s5_2_one_leader_is_elected),
        cmocka_unit_test(one_node_commits_on_its_own_disk),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
