#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "cli/bench.h"
#include "cli/cli.h"
#include "cli/load_report.h"

typedef struct bench {
    sk_load_plan plan;
    sk_load_result result;
    sk_consumption servers;
    sk_load_live live;
} bench;

static const sk_flag flags[] = {
    SK_FLAGS_SERVER,
    {"--connections", "-c", "N", "connections (default 64)"},
    {"--pipeline", "-P", "N", "requests under way on each (default 1)"},
    {"--value", "-d", "BYTES", "size of a value (default 256)"},
    {"--keys", NULL, "N", "how many different keys (default 100000)"},
    {"--ratio", NULL, "W:R", "SETs to GETs (default 1:0)"},
    {"--seconds", "-s", "S", "measured time, after the warm-up (default 10)"},
    {"--warm-up", NULL, "S", "seconds before that which do not count (default 1)"},
    {"--rate", NULL, "N", "open loop: so many requests a second, latency from when they fell due"},
    {"--wait", NULL, "N", "WAIT N 0 behind every SET, or burst of them (for a Redis with replicas)"},
    {"--pids", NULL, "P,P", "the servers' process ids: prints their CPU time for each operation"},
    {"--fill", NULL, NULL, "first write every key once, not measured"},
    {"--seed", NULL, "N", "of keys and values (default 1)"},
    {"--json", NULL, NULL, "one JSON object on standard output"},
};

static void on_mark(void *context, bool begin)
{
    bench *bench = context;
    if (begin) sk_consumption_begin(&bench->servers);
    else sk_consumption_end(&bench->servers);
}

static void on_progress(void *context, double elapsed, double total, uint64_t done, uint64_t errors)
{
    bench *bench = context;
    sk_load_live_show(&bench->live, elapsed, total, done, errors);
}

static int number(const sk_arguments *arguments, const char *name, unsigned long min, unsigned long max, unsigned long *out)
{
    const char *text = sk_cli_value(arguments, name);
    if (!text) return 0;
    if (sk_cli_number(text, min, max, out) == 0) return 0;
    return sk_cli_usage(arguments->verb, "%s wants a whole number from %lu to %lu", name, min, max);
}

static int read_endpoints(const sk_arguments *arguments, sk_load_plan *plan)
{
    const char *list = sk_cli_value(arguments, "--addr");
    if (!list || !strchr(list, ',')) {
        plan->endpoint_count = 1;
        return sk_cli_endpoint(arguments, &plan->endpoints[0]);
    }
    while (*list) {
        char one[SK_HOST_SIZE_MAX + 8];
        size_t size = strcspn(list, ",");
        if (plan->endpoint_count == SK_LOAD_ENDPOINTS_MAX) return sk_cli_usage(arguments->verb, "too many addresses");
        snprintf(one, sizeof one, "%.*s", (int)size, list);
        if (sk_endpoint_parse(one, SK_DEFAULT_PORT, &plan->endpoints[plan->endpoint_count++])) {
            return sk_cli_usage(arguments->verb, "'%s' is no address; it looks like 192.168.1.10:7379", one);
        }
        list += size + (list[size] == ',');
    }
    return 0;
}

static int read_pids(const sk_arguments *arguments, bench *bench)
{
    const char *list = sk_cli_value(arguments, "--pids");
    while (list && *list) {
        char *end = NULL;
        long pid = strtol(list, &end, 10);
        if (end == list || pid <= 0 || bench->servers.pid_count == SK_CONSUMPTION_PIDS_MAX || (*end && *end != ','))
            return sk_cli_usage(arguments->verb, "--pids wants process ids with commas between");
        bench->servers.pids[bench->servers.pid_count++] = (int)pid;
        list = *end ? end + 1 : end;
    }
    return 0;
}

static int read_plan(const sk_arguments *arguments, const sk_load_wire *wire, bench *bench)
{
    sk_load_plan *plan = &bench->plan;
    unsigned long connections = 64, pipeline = 1, value = 256, keys = 100000, seconds = 10, warm_up = 1, rate = 0, wait = 0, seed = 1;
    unsigned writes = 1, reads = 0;
    int code = read_endpoints(arguments, plan);
    if (!code) code = read_pids(arguments, bench);
    if (!code) code = number(arguments, "--connections", 1, 100000, &connections);
    if (!code) code = number(arguments, "--pipeline", 1, 100000, &pipeline);
    if (!code) code = number(arguments, "--value", 1, 64 * 1024 * 1024, &value);
    if (!code) code = number(arguments, "--keys", 1, 1000000000000, &keys);
    if (!code) code = number(arguments, "--seconds", 1, 86400, &seconds);
    if (!code) code = number(arguments, "--warm-up", 0, 86400, &warm_up);
    if (!code) code = number(arguments, "--rate", 1, 100000000, &rate);
    if (!code) code = number(arguments, "--wait", 1, 9, &wait);
    if (!code) code = number(arguments, "--seed", 0, UINT32_MAX, &seed);
    if (code) return code;
    const char *ratio = sk_cli_value(arguments, "--ratio");
    if (ratio && (sscanf(ratio, "%u:%u", &writes, &reads) != 2 || writes + reads == 0 || writes > 1000000 || reads > 1000000))
        return sk_cli_usage(arguments->verb, "--ratio wants two whole numbers, as 1:9");
    plan->wire = wire;
    plan->fill = sk_cli_value(arguments, "--fill") != NULL;
    plan->connections = (uint32_t)connections;
    plan->pipeline = (uint32_t)pipeline;
    plan->value_size = (uint32_t)value;
    plan->keys = keys;
    plan->writes = writes;
    plan->reads = reads;
    plan->rate = rate;
    plan->wait_replicas = (int)wait;
    plan->warm_up = warm_up * SK_S;
    plan->duration = seconds * SK_S;
    plan->seed = seed;
    return 0;
}

static int run_with(const sk_arguments *arguments, const sk_load_wire *wire, bench *bench)
{
    if (arguments->count) return sk_cli_usage(arguments->verb, "'%s' is not expected", arguments->list[0]);
    int code = read_plan(arguments, wire, bench);
    if (code) return code;
    bench->live.on = isatty(STDERR_FILENO);
    int error = sk_load_run(&bench->plan, &bench->result, on_progress, on_mark, bench);
    sk_load_live_end(&bench->live);
    if (error) {
        fprintf(stderr, "skein %s: %s\n", arguments->verb->name, bench->result.first_error);
        return error == SK_EINVAL ? SK_EXIT_USAGE : SK_EXIT_UNAVAILABLE;
    }
    sk_load_report(&bench->plan, &bench->result, &bench->servers, sk_cli_value(arguments, "--json") != NULL);
    return bench->result.errors || bench->result.lost ? SK_EXIT_FAILED : SK_EXIT_OK;
}

int sk_bench_run(const sk_arguments *arguments, const sk_load_wire *wire)
{
    bench *bench = sk_alloc_zeroed(sizeof *bench); // the histograms are large
    int code = run_with(arguments, wire, bench);
    sk_free(bench);
    return code;
}

static int run(const sk_arguments *arguments)
{
    return sk_bench_run(arguments, &sk_load_wire_resp);
}

const sk_verb sk_verb_bench = {
    .name = "bench",
    .usage = "[--addr HOST:PORT[,...]] [-c N] [-P N] [-d BYTES] [--ratio W:R] [--rate N] [-s S] [--json]",
    .summary = "loads a RESP server and measures it",
    .help = "Sends SET and GET from one thread over many connections and counts latencies (HDR buckets, 1/64 wide).\n"
            "Closed loop: each connection sends a burst of --pipeline requests and waits for all replies.\n"
            "Open loop (--rate): requests fall due at a fixed rate whatever the server does.\n"
            "With --pids it says what the servers' processes took, and how many operations a joule pays for: measured where the\n"
            "machine measures it (RAPL), else estimated from their CPU time.\n"
            "Exit code 1 when any reply was an error.\n",
    .flags = flags,
    .flag_count = sizeof flags / sizeof *flags,
    .run = run,
};
