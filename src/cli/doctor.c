// skein doctor: what this disk does with durable writes, and what a running node does to its disk.
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/alloc.h"
#include "cli/cli.h"
#include "cli/disk_probe.h"
#include "cli/doctor.h"
#include "cli/view.h"

enum { ANSWER_S = 2, DAY_S = 86400, SLOW_MS = 10, PAGE_SIZE = 4096 };

static const sk_flag flags[] = {
    SK_FLAGS_SERVER,
    {"--seconds", "-s", "S", "watch the node for so long (default 5)"},
    {"--rated", NULL, "TB", "bytes that this card or disk is rated for, in terabytes written: says how long it will last"},
    {"--json", NULL, NULL, "one JSON object on standard output"},
};

// ---- A node's disk bill ----

// A node counts the bytes that it hands to its disk; the disk takes whole pages. A write of s bytes anywhere touches s / 4096 + 1 pages
// on the mean, and each sync sends the pages touched on their way.
static double page_bytes(uint64_t bytes, uint64_t syncs)
{
    return (double)bytes + (double)syncs * PAGE_SIZE;
}

void sk_forecast_make(const sk_node_view *before, const sk_node_view *after, double seconds, sk_forecast *out)
{
    *out = (sk_forecast){0};
    bool same = before->boot == after->boot && after->disk_bytes_written >= before->disk_bytes_written;
    if (same && seconds > 0) {
        uint64_t syncs = after->disk_syncs - before->disk_syncs;
        out->bytes_a_day = page_bytes(after->disk_bytes_written - before->disk_bytes_written, syncs) / seconds * DAY_S;
        out->syncs_a_second = (double)syncs / seconds;
    }
    if (after->uptime_ms) {
        out->mean_bytes_a_day = page_bytes(after->disk_bytes_written, after->disk_syncs) / ((double)after->uptime_ms / 1000) * DAY_S;
    }
    out->restarted = !same;
}

double sk_forecast_years(double bytes_a_day, double rated_terabytes)
{
    if (bytes_a_day <= 0) return 0;
    return rated_terabytes * 1e12 / bytes_a_day / 365.25;
}

// NODE STATUS over an open or closed connection. 0 or an exit code after a complaint.
static int ask(sk_remote *remote, const sk_endpoint *endpoint, sk_node_view *view)
{
    sk_ns deadline = sk_client_now() + ANSWER_S * SK_S;
    sk_slice argv[] = {sk_slice_text("NODE"), sk_slice_text("STATUS")};
    const sk_resp_value *reply = NULL;
    int error = remote->state == SK_REMOTE_OPEN ? 0 : sk_remote_open(remote, endpoint, deadline);
    if (!error) error = sk_remote_call(remote, 2, argv, deadline, &reply);
    if (error) {
        fprintf(stderr, "skein doctor: %s\n", remote->problem);
        return SK_EXIT_UNAVAILABLE;
    }
    if (reply->type == SK_RESP_FAILURE || sk_view_read_status(reply, view)) {
        fprintf(stderr, "skein doctor: %s port %s is no Skein node\n", endpoint->host, endpoint->port);
        return SK_EXIT_FAILED;
    }
    return 0;
}

static void sleep_until(sk_ns until)
{
    sk_ns now = sk_client_now();
    if (until <= now) return;
    struct timespec left = {.tv_sec = (time_t)((until - now) / SK_S), .tv_nsec = (long)((until - now) % SK_S)};
    while (nanosleep(&left, &left) < 0) {
    }
}

static int watch_node(const sk_endpoint *endpoint, unsigned long seconds, sk_node_view *view, sk_forecast *forecast)
{
    sk_remote remote;
    sk_remote_init(&remote);
    sk_node_view *before = sk_alloc_zeroed(sizeof *before);
    int code = ask(&remote, endpoint, before);
    if (!code) {
        sk_ns began = sk_client_now();
        sleep_until(began + seconds * SK_S);
        code = ask(&remote, endpoint, view);
        if (!code) sk_forecast_make(before, view, (double)(sk_client_now() - began) / 1e9, forecast);
    }
    sk_free(before);
    sk_remote_deinit(&remote);
    return code;
}

// ---- For people ----

static double percentile_ms(const sk_probe_series *series, uint64_t parts)
{
    return (double)sk_histogram_percentile(&series->sync_ns, parts) / 1e6;
}

static void print_series(const char *name, const sk_probe_series *series)
{
    printf("  %-28s p50 %.3f ms  p99 %.3f ms  max %.3f ms", name, percentile_ms(series, 500000), percentile_ms(series, 990000),
           (double)series->sync_ns.max / 1e6);
    if (series->page_bytes) printf("   %" PRIu64 " bytes a record", series->page_bytes / series->records);
    if (series->device_bytes) printf(", %" PRIu64 " at the device", series->device_bytes / series->records);
    putchar('\n');
}

static void print_disk(const char *directory, const sk_probe *probe)
{
    char alone[48], grouped[48];
    snprintf(alone, sizeof alone, "%d records, synced each", SK_PROBE_SYNCS);
    snprintf(grouped, sizeof grouped, "%d groups of %d records", SK_PROBE_GROUP_SYNCS, SK_PROBE_GROUP);
    printf("disk below %s: records of %d bytes, written as the log writes them\n", directory, SK_PROBE_RECORD_SIZE);
    print_series(alone, &probe->alone);
    print_series(grouped, &probe->grouped);
    double p50 = percentile_ms(&probe->alone, 500000), p99 = percentile_ms(&probe->alone, 990000);
    if (probe->alone.page_bytes) {
        printf("  write amplification %.1f alone, %.1f in groups", (double)probe->alone.page_bytes / (double)probe->alone.records / SK_PROBE_RECORD_SIZE,
               (double)probe->grouped.page_bytes / (double)probe->grouped.records / SK_PROBE_RECORD_SIZE);
        if (probe->alone.device_bytes) {
            printf("; at the device %.1f and %.1f (whoever else wrote counted in)",
                   (double)probe->alone.device_bytes / (double)probe->alone.records / SK_PROBE_RECORD_SIZE,
                   (double)probe->grouped.device_bytes / (double)probe->grouped.records / SK_PROBE_RECORD_SIZE);
        }
        putchar('\n');
    }
    if (probe->in_memory) puts("  this is memory (tmpfs): nothing here outlives a power cut. Name a directory on the disk.");
    else if (p99 > SLOW_MS) printf("  slow: one sync in a hundred takes over %d ms. Writes will wait for it; put the log on a better card or disk if that is too long.\n", SLOW_MS);
    else puts("  good: writes will hardly notice it");
    if (p50 > 0) printf("  one client that waits for each write gets at most %.0f writes/s here\n", 1000 / p50);
}

static void print_node(const sk_endpoint *endpoint, const sk_node_view *view, const sk_forecast *forecast, double rated)
{
    char total[16], day[16], mean[16];
    printf("node %" PRIu32 " at %s port %s: %s written in %.1f hours\n", view->id, endpoint->host, endpoint->port,
           sk_view_bytes(total, sizeof total, view->disk_bytes_written), (double)view->uptime_ms / 3600e3);
    if (forecast->restarted) {
        puts("  it was restarted while it was watched: ask again");
        return;
    }
    printf("  at the current rate %s a day in whole pages (%.1f syncs/s); at the mean rate since it started %s a day\n",
           sk_view_bytes(day, sizeof day, (uint64_t)forecast->bytes_a_day), forecast->syncs_a_second,
           sk_view_bytes(mean, sizeof mean, (uint64_t)forecast->mean_bytes_a_day));
    if (rated <= 0) return;
    double years = sk_forecast_years(forecast->bytes_a_day, rated);
    if (years > 0) printf("  a disk rated for %g TB written lasts %.1f years at the current rate\n", rated, years);
    else printf("  nothing is written now: at this rate a disk rated for %g TB lasts for ever\n", rated);
}

// ---- JSON ----

static json_t *series_json(const sk_probe_series *series)
{
    json_t *object = json_pack("{s:I, s:I, s:f, s:f, s:f}", "records", (json_int_t)series->records, "syncs", (json_int_t)series->sync_ns.count,
                               "p50_ms", percentile_ms(series, 500000), "p99_ms", percentile_ms(series, 990000), "max_ms",
                               (double)series->sync_ns.max / 1e6);
    if (series->page_bytes) json_object_set_new(object, "bytes_a_record", json_real((double)series->page_bytes / (double)series->records));
    if (series->device_bytes) json_object_set_new(object, "device_bytes_a_record", json_real((double)series->device_bytes / (double)series->records));
    return object;
}

static json_t *node_json(const sk_node_view *view, const sk_forecast *forecast, double rated)
{
    json_t *object = json_pack("{s:i, s:I, s:I, s:b, s:f, s:f, s:f}", "node", (int)view->id, "uptime_ms", (json_int_t)view->uptime_ms,
                               "disk_bytes_written", (json_int_t)view->disk_bytes_written, "restarted", forecast->restarted, "bytes_a_day",
                               forecast->bytes_a_day, "mean_bytes_a_day", forecast->mean_bytes_a_day, "syncs_a_second",
                               forecast->syncs_a_second);
    double years = sk_forecast_years(forecast->bytes_a_day, rated);
    if (years > 0) json_object_set_new(object, "years", json_real(years));
    return object;
}

static void print_json(const char *directory, const sk_probe *probe, const sk_node_view *view, const sk_forecast *forecast, double rated)
{
    json_t *root = json_object();
    if (directory) {
        json_object_set_new(root, "disk", json_pack("{s:s, s:i, s:b, s:o, s:o}", "directory", directory, "record_bytes", SK_PROBE_RECORD_SIZE,
                                                    "in_memory", probe->in_memory, "alone", series_json(&probe->alone), "grouped",
                                                    series_json(&probe->grouped)));
    }
    if (view->answered) json_object_set_new(root, "node", node_json(view, forecast, rated));
    json_dumpf(root, stdout, JSON_INDENT(2) | JSON_PRESERVE_ORDER | JSON_REAL_PRECISION(6));
    putchar('\n');
    json_decref(root);
}

// ---- The verb ----

static bool asks_node(const sk_arguments *arguments)
{
    const char *variable = getenv("SKEIN_ADDR");
    return arguments->count == 0 || sk_cli_value(arguments, "--addr") || sk_cli_value(arguments, "--host") || sk_cli_value(arguments, "--port") ||
           (variable && *variable);
}

static int run_with(const sk_arguments *arguments, sk_probe *probe, sk_node_view *view)
{
    unsigned long seconds = 5;
    double rated = 0;
    const char *text = sk_cli_value(arguments, "--seconds"), *rated_text = sk_cli_value(arguments, "--rated");
    char *end = NULL;
    if (arguments->count > 1) return sk_cli_usage(arguments->verb, "'%s' is one word too many", arguments->list[1]);
    if (text && sk_cli_number(text, 1, DAY_S, &seconds)) return sk_cli_usage(arguments->verb, "--seconds wants a whole number from 1 to %d", DAY_S);
    if (rated_text && ((rated = strtod(rated_text, &end)) <= 0 || *end)) return sk_cli_usage(arguments->verb, "--rated wants terabytes, as 30 or 0.5");
    const char *directory = arguments->count ? arguments->list[0] : NULL;
    sk_endpoint endpoint;
    sk_forecast forecast = {0};
    int code = sk_cli_endpoint(arguments, &endpoint);
    if (code) return code;
    if (directory && sk_probe_disk(directory, probe)) {
        fprintf(stderr, "skein doctor: %s\n", probe->problem);
        return SK_EXIT_FAILED;
    }
    bool json = sk_cli_value(arguments, "--json") != NULL;
    if (directory && !json) print_disk(directory, probe);
    if (asks_node(arguments)) {
        code = watch_node(&endpoint, seconds, view, &forecast);
        if (code && !directory) fputs("  to measure a disk without a node, name a directory on it: skein doctor DIRECTORY\n", stderr);
        if (!code && !json) print_node(&endpoint, view, &forecast, rated);
    }
    if (json && (directory || !code)) print_json(directory, probe, view, &forecast, rated);
    return code;
}

static int run(const sk_arguments *arguments)
{
    sk_probe *probe = sk_alloc_zeroed(sizeof *probe); // the histograms are large
    sk_node_view *view = sk_alloc_zeroed(sizeof *view);
    int code = run_with(arguments, probe, view);
    sk_free(view);
    sk_free(probe);
    return code;
}

const sk_verb sk_verb_doctor = {
    .name = "doctor",
    .usage = "[DIRECTORY] [--addr HOST:PORT] [-s S] [--rated TB] [--json]",
    .summary = "measures a disk; forecasts what a node writes a day",
    .help = "DIRECTORY: writes 200 small records there as the log does, each followed by fdatasync, then 50 groups of 32, and says how\n"
            "long a sync takes (p50, p99) and how many bytes reach the disk for each. 1 MiB is allocated and given back.\n"
            "A node (--addr, or without a DIRECTORY): watches its counters for some seconds and forecasts the bytes it will have\n"
            "written to its disk after a day at this rate, in whole pages of 4 KiB, its snapshots included if one fell due meanwhile.\n"
            "Exit code 1 if the directory cannot be written, 69 if the node does not answer.\n",
    .flags = flags,
    .flag_count = sizeof flags / sizeof flags[0],
    .run = run,
};
