// The daemon's settings against the node's own defaults.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "daemon/node_config.h"

// One truth: what the table gives is what the node, and so the simulator, takes for a default.
static void table_and_node_have_the_same_defaults(void **state)
{
    (void)state;
    sk_settings settings;
    sk_node_config ours, nodes;
    sk_settings_default(&settings);
    sk_settings_node_config(&settings, &ours);
    sk_node_config_default(&nodes);
    assert_memory_equal(&ours.timing, &nodes.timing, sizeof ours.timing);
    assert_memory_equal(&ours.lease, &nodes.lease, sizeof ours.lease.length);
    assert_int_equal(ours.lease.drift_ppm, nodes.lease.drift_ppm);
    assert_int_equal(ours.limits.window_bytes_max, nodes.limits.window_bytes_max);
    assert_int_equal(ours.limits.message_bytes_max, nodes.limits.message_bytes_max);
    assert_int_equal(ours.limits.inflight_bytes_max, nodes.limits.inflight_bytes_max);
    assert_int_equal(ours.limits.inflight_count_max, nodes.limits.inflight_count_max);
    assert_int_equal(ours.limits.pending_max, nodes.limits.pending_max);
    assert_int_equal(ours.limits.log_entries_max, nodes.limits.log_entries_max);
    assert_int_equal(ours.limits.log_bytes_max, nodes.limits.log_bytes_max);
    assert_int_equal(ours.wal.segment_size, nodes.wal.segment_size);
    assert_int_equal(ours.wal.size_max, nodes.wal.size_max);
    assert_int_equal(ours.commit_delay, nodes.commit_delay);
    assert_int_equal(ours.request_timeout, nodes.request_timeout);
    assert_int_equal(ours.space_memory_max, nodes.space_memory_max);
    assert_int_equal(ours.request_size_max, nodes.request_size_max);
    assert_int_equal(ours.client_output_max, nodes.client_output_max);
    assert_int_equal(ours.client_pending_max, nodes.client_pending_max);
    assert_int_equal(ours.clients_max, nodes.clients_max);
    assert_int_equal(ours.origin_pending_max, nodes.origin_pending_max);
    assert_int_equal(ours.origin_bytes_max, nodes.origin_bytes_max);
    assert_int_equal(ours.snapshot_inflight_max, nodes.snapshot_inflight_max);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(table_and_node_have_the_same_defaults),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
