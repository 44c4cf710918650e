// The doctor's forecast is arithmetic; its probe of a disk is bounded and leaves nothing behind.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/error.h"
#include "cli/disk_probe.h"
#include "cli/doctor.h"

static void test_forecast(void **state)
{
    sk_node_view *before = sk_alloc_zeroed(sizeof *before), *after = sk_alloc_zeroed(sizeof *after);
    sk_forecast forecast;
    *before = (sk_node_view){.boot = 3, .uptime_ms = 90000, .disk_bytes_written = 1000000, .disk_syncs = 0};
    *after = (sk_node_view){.boot = 3, .uptime_ms = 100000, .disk_bytes_written = 1050000, .disk_syncs = 50};
    sk_forecast_make(before, after, 10, &forecast);
    assert_false(forecast.restarted);
    assert_int_equal((int64_t)forecast.bytes_a_day, (5000 + 5 * 4096) * INT64_C(86400));
    assert_int_equal((int64_t)forecast.mean_bytes_a_day, (10500 + 4096 / 2) * INT64_C(86400));
    assert_int_equal((int64_t)forecast.syncs_a_second, 5);

    sk_forecast_make(before, before, 10, &forecast); // idle
    assert_int_equal((int64_t)forecast.bytes_a_day, 0);
    assert_false(forecast.restarted);

    after->boot = 4; // the counters began anew
    after->disk_bytes_written = 2000;
    sk_forecast_make(before, after, 10, &forecast);
    assert_true(forecast.restarted);
    assert_int_equal((int64_t)forecast.bytes_a_day, 0);
    sk_free(before);
    sk_free(after);
}

static void test_years(void **state)
{
    assert_int_equal((int64_t)(sk_forecast_years(1e9, 36.525) * 1000 + 0.5), 100000); // 1 GB a day
    assert_int_equal((int64_t)sk_forecast_years(0, 36.525), 0);
}

static void test_probe(void **state)
{
    char path[] = "/tmp/skein-doctor-XXXXXX";
    assert_non_null(mkdtemp(path));
    sk_probe *probe = sk_alloc(sizeof *probe);
    assert_int_equal(sk_probe_disk(path, probe), 0);
    const sk_probe_series *all[] = {&probe->alone, &probe->grouped};
    assert_int_equal(probe->alone.sync_ns.count, SK_PROBE_SYNCS);
    assert_int_equal(probe->alone.records, SK_PROBE_SYNCS);
    assert_int_equal(probe->grouped.sync_ns.count, SK_PROBE_GROUP_SYNCS);
    assert_int_equal(probe->grouped.records, SK_PROBE_GROUP_SYNCS * SK_PROBE_GROUP);
    for (size_t i = 0; i < 2; i++) {
        uint64_t p50 = sk_histogram_percentile(&all[i]->sync_ns, 500000), p99 = sk_histogram_percentile(&all[i]->sync_ns, 990000);
        assert_true(p50 > 0 && p50 <= p99 && p99 <= all[i]->sync_ns.max);
        // Whole pages: a record alone costs at least one, unless this is memory or the kernel does not tell.
        if (i == 0 && all[i]->page_bytes) assert_true(all[i]->page_bytes / all[i]->records >= 4096);
    }
    DIR *folder = opendir(path);
    assert_non_null(folder);
    for (struct dirent *entry = readdir(folder); entry; entry = readdir(folder)) assert_int_equal(entry->d_name[0], '.');
    closedir(folder);
    assert_int_equal(rmdir(path), 0); // and nothing with a dot either
    sk_free(probe);
}

static void test_probe_fails(void **state)
{
    sk_probe *probe = sk_alloc(sizeof *probe);
    assert_int_equal(sk_probe_disk("/tmp/skein-doctor-that-is-not-there", probe), SK_EIO);
    assert_non_null(strstr(probe->problem, "skein-doctor-that-is-not-there"));
    sk_free(probe);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_forecast),
        cmocka_unit_test(test_years),
        cmocka_unit_test(test_probe),
        cmocka_unit_test(test_probe_fails),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
