#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "cli/cli.h"
#include "cli/load.h"

enum { PIDS_MAX = 32 };

typedef struct bench {
    sk_load_plan plan;
    sk_load_result result;
    int pids[PIDS_MAX];
    size_t pid_count;
    double server_cpu; // seconds, of all pids, within the measured time; negative while it is being measured
    bool json, live;
} bench;

static const sk_flag flags[] = {
    SK_FLAGS_SERVER,
    {"--connections", "-c", "N", "connections (default 64)"},
    {"--pipeline", "-P", "N", "requests under way on each (default 1)"},
    {"--value", "-d", "BYTES", "size of a value (default 256)"},
    {"--keys", NULL, "N", "how many different keys (default 100000)"},
    {"--ratio", NULL, "W:R", "SETs to GETs (default 1:0)"},
    {"--seconds", "-s", "S", "measured time, after a second of warm-up (default 10)"},
    {"--rate", NULL, "N", "open loop: so many requests a second, latency from when they fell due"},
    {"--wait", NULL, "N", "WAIT N 0 behind every SET (for a Redis with replicas)"},
    {"--pids", NULL, "P,P", "the servers' process ids: prints their CPU time for each operation"},
    {"--seed", NULL, "N", "of keys and values (default 1)"},
    {"--json", NULL, NULL, "one JSON object on standard output"},
};

// CPU time of all threads of a process, or -1.
static double process_cpu(int pid)
{
    char path[64], text[1024];
    snprintf(path, sizeof path, "/proc/%d/stat", pid);
    FILE *file = fopen(path, "r");
    if (!file) return -1;
    size_t size = fread(text, 1, sizeof text - 1, file);
    fclose(file);
    text[size] = 0;
    const char *behind = strrchr(text, ')');
    unsigned long user = 0, kernel = 0;
    if (!behind || sscanf(behind + 1, " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user, &kernel) != 2) return -1;
    return (double)(user + kernel) / (double)sysconf(_SC_CLK_TCK);
}

static double servers_cpu(const bench *bench)
{
    double sum = 0;
    for (size_t i = 0; i < bench->pid_count; i++) {
        double seconds = process_cpu(bench->pids[i]);
        if (seconds > 0) sum += seconds;
    }
    return sum;
}

static void on_mark(void *context, bool begin)
{
    bench *bench = context;
    if (begin) bench->server_cpu = -servers_cpu(bench);
    else bench->server_cpu += servers_cpu(bench);
}

static void on_progress(void *context, double elapsed, uint64_t done, uint64_t errors)
{
    const bench *bench = context;
    if (!bench->live) return;
    fprintf(stderr, "\r%3.0f s  %llu done  %.0f/s  %llu errors ", elapsed, (unsigned long long)done, (double)done / elapsed,
            (unsigned long long)errors);
    fflush(stderr);
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
        if (end == list || pid <= 0 || bench->pid_count == PIDS_MAX || (*end && *end != ','))
            return sk_cli_usage(arguments->verb, "--pids wants process ids with commas between");
        bench->pids[bench->pid_count++] = (int)pid;
        list = *end ? end + 1 : end;
    }
    return 0;
}

static int read_plan(const sk_arguments *arguments, bench *bench)
{
    sk_load_plan *plan = &bench->plan;
    unsigned long connections = 64, pipeline = 1, value = 256, keys = 100000, seconds = 10, rate = 0, wait = 0, seed = 1;
    unsigned writes = 1, reads = 0;
    int code = read_endpoints(arguments, plan);
    if (!code) code = read_pids(arguments, bench);
    if (!code) code = number(arguments, "--connections", 1, 100000, &connections);
    if (!code) code = number(arguments, "--pipeline", 1, 100000, &pipeline);
    if (!code) code = number(arguments, "--value", 1, 64 * 1024 * 1024, &value);
    if (!code) code = number(arguments, "--keys", 1, 1000000000000, &keys);
    if (!code) code = number(arguments, "--seconds", 1, 86400, &seconds);
    if (!code) code = number(arguments, "--rate", 1, 100000000, &rate);
    if (!code) code = number(arguments, "--wait", 1, 9, &wait);
    if (!code) code = number(arguments, "--seed", 0, UINT32_MAX, &seed);
    if (code) return code;
    const char *ratio = sk_cli_value(arguments, "--ratio");
    if (ratio && (sscanf(ratio, "%u:%u", &writes, &reads) != 2 || writes + reads == 0 || writes > 1000000 || reads > 1000000))
        return sk_cli_usage(arguments->verb, "--ratio wants two whole numbers, as 1:9");
    plan->connections = (uint32_t)connections;
    plan->pipeline = (uint32_t)pipeline;
    plan->value_size = (uint32_t)value;
    plan->keys = keys;
    plan->writes = writes;
    plan->reads = reads;
    plan->rate = rate;
    plan->wait_replicas = (int)wait;
    plan->warm_up = SK_S;
    plan->duration = seconds * SK_S;
    plan->seed = seed;
    return 0;
}

// ---- Report ----

static const struct {
    const char *name;
    uint64_t parts;
} percentiles[] = {{"p50", 500000}, {"p90", 900000}, {"p99", 990000}, {"p99.9", 999000}};

static void print_kind(const char *name, const sk_histogram *histogram, double seconds)
{
    if (!histogram->count) return;
    printf("%-7s %10.0f/s ", name, (double)histogram->count / seconds);
    for (size_t i = 0; i < sizeof percentiles / sizeof *percentiles; i++) {
        printf("  %s %.3f ms", percentiles[i].name, (double)sk_histogram_percentile(histogram, percentiles[i].parts) / 1e6);
    }
    printf("  max %.3f ms\n", (double)histogram->max / 1e6);
}

static json_t *kind_json(const sk_histogram *histogram, double seconds)
{
    json_t *object = json_object();
    json_object_set_new(object, "count", json_integer((json_int_t)histogram->count));
    json_object_set_new(object, "per_second", json_real((double)histogram->count / seconds));
    for (size_t i = 0; i < sizeof percentiles / sizeof *percentiles; i++) {
        char key[24];
        snprintf(key, sizeof key, "%s_ms", percentiles[i].name);
        json_object_set_new(object, key, json_real((double)sk_histogram_percentile(histogram, percentiles[i].parts) / 1e6));
    }
    json_object_set_new(object, "max_ms", json_real((double)histogram->max / 1e6));
    return object;
}

static void report(const bench *bench)
{
    const sk_load_result *result = &bench->result;
    uint64_t count = result->write_ns.count + result->read_ns.count;
    double own = count ? result->own_cpu_seconds * 1e6 / (double)count : 0;
    double server = count ? bench->server_cpu * 1e6 / (double)count : 0;
    if (bench->json) {
        json_t *object = json_pack("{s:i, s:i, s:i, s:f, s:I, s:I, s:f}", "connections", (int)bench->plan.connections, "pipeline",
                                   (int)bench->plan.pipeline, "value_bytes", (int)bench->plan.value_size, "seconds",
                                   result->seconds, "errors", (json_int_t)result->errors, "lost_connections",
                                   (json_int_t)result->lost, "own_cpu_us_per_operation", own);
        if (result->write_ns.count) json_object_set_new(object, "writes", kind_json(&result->write_ns, result->seconds));
        if (result->read_ns.count) json_object_set_new(object, "reads", kind_json(&result->read_ns, result->seconds));
        if (bench->pid_count) json_object_set_new(object, "server_cpu_us_per_operation", json_real(server));
        if (result->errors) json_object_set_new(object, "first_error", json_string(result->first_error));
        json_dumpf(object, stdout, JSON_COMPACT | JSON_REAL_PRECISION(6));
        putchar('\n');
        json_decref(object);
        return;
    }
    print_kind("writes", &result->write_ns, result->seconds);
    print_kind("reads", &result->read_ns, result->seconds);
    printf("generator %.1f us of CPU an operation", own);
    if (bench->pid_count) printf(", servers %.1f us", server);
    printf("; %llu errors", (unsigned long long)result->errors);
    if (result->errors) printf(" (first: %s)", result->first_error);
    if (result->lost) printf("; %llu connections lost", (unsigned long long)result->lost);
    putchar('\n');
}

static int run_with(const sk_arguments *arguments, bench *bench)
{
    if (arguments->count) return sk_cli_usage(arguments->verb, "'%s' is not expected", arguments->list[0]);
    int code = read_plan(arguments, bench);
    if (code) return code;
    bench->json = sk_cli_value(arguments, "--json") != NULL;
    bench->live = isatty(STDERR_FILENO);
    int error = sk_load_run(&bench->plan, &bench->result, on_progress, on_mark, bench);
    if (bench->live) fputs("\r\033[K", stderr);
    if (error) {
        fprintf(stderr, "skein bench: %s\n", bench->result.first_error);
        return SK_EXIT_UNAVAILABLE;
    }
    report(bench);
    return bench->result.errors || bench->result.lost ? SK_EXIT_FAILED : SK_EXIT_OK;
}

static int run(const sk_arguments *arguments)
{
    bench *bench = sk_alloc_zeroed(sizeof *bench); // the histograms are large
    int code = run_with(arguments, bench);
    sk_free(bench);
    return code;
}

const sk_verb sk_verb_bench = {
    .name = "bench",
    .usage = "[--addr HOST:PORT[,...]] [-c N] [-P N] [-d BYTES] [--ratio W:R] [--rate N] [-s S] [--json]",
    .summary = "loads a RESP server and measures it",
    .help = "Sends SET and GET from one thread over many connections and counts latencies (HDR buckets, 1/64 wide).\n"
            "Closed loop: each connection sends a burst of --pipeline requests and waits for all replies.\n"
            "Open loop (--rate): requests fall due at a fixed rate whatever the server does.\n"
            "Exit code 1 when any reply was an error.\n",
    .flags = flags,
    .flag_count = sizeof flags / sizeof *flags,
    .run = run,
};
