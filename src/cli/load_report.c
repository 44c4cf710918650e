#include "cli/load_report.h"

#include <jansson.h>
#include <stdio.h>

static const struct {
    const char *name;
    uint64_t parts;
} percentiles[] = {{"p50", 500000}, {"p90", 900000}, {"p99", 990000}, {"p99.9", 999000}};

enum { PERCENTILE_COUNT = sizeof percentiles / sizeof *percentiles, BAR_WIDTH = 20 };

static void print_kind(const char *name, const sk_histogram *histogram, double seconds)
{
    if (!histogram->count) return;
    printf("%-7s %10.0f/s ", name, (double)histogram->count / seconds);
    for (size_t i = 0; i < PERCENTILE_COUNT; i++) {
        printf("  %s %.3f ms", percentiles[i].name, (double)sk_histogram_percentile(histogram, percentiles[i].parts) / 1e6);
    }
    printf("  max %.3f ms\n", (double)histogram->max / 1e6);
}

static json_t *kind_json(const sk_histogram *histogram, double seconds)
{
    json_t *object = json_object();
    json_object_set_new(object, "count", json_integer((json_int_t)histogram->count));
    json_object_set_new(object, "per_second", json_real((double)histogram->count / seconds));
    for (size_t i = 0; i < PERCENTILE_COUNT; i++) {
        char key[24];
        snprintf(key, sizeof key, "%s_ms", percentiles[i].name);
        json_object_set_new(object, key, json_real((double)sk_histogram_percentile(histogram, percentiles[i].parts) / 1e6));
    }
    json_object_set_new(object, "max_ms", json_real((double)histogram->max / 1e6));
    return object;
}

static void print_json(const sk_load_plan *plan, const sk_load_result *result, const sk_consumption *consumption)
{
    uint64_t count = result->write_ns.count + result->read_ns.count;
    json_t *object = json_pack("{s:I, s:I, s:I, s:I, s:f, s:I, s:I}", "connections", (json_int_t)plan->connections, "pipeline",
                               (json_int_t)plan->pipeline, "value_bytes", (json_int_t)plan->value_size, "rate", (json_int_t)plan->rate,
                               "seconds", result->seconds, "errors", (json_int_t)result->errors, "lost_connections",
                               (json_int_t)result->lost);
    if (result->write_ns.count) json_object_set_new(object, "writes", kind_json(&result->write_ns, result->seconds));
    if (result->read_ns.count) json_object_set_new(object, "reads", kind_json(&result->read_ns, result->seconds));
    if (count) json_object_set_new(object, "own_cpu_us_per_operation", json_real(result->own_cpu_seconds * 1e6 / (double)count));
    if (count && consumption->pid_count) {
        json_object_set_new(object, "server_cpu_us_per_operation", json_real(consumption->cpu_seconds * 1e6 / (double)count));
    }
    if (count && consumption->joules > 0) {
        json_object_set_new(object, "operations_per_joule", json_real((double)count / consumption->joules));
        json_object_set_new(object, "energy", json_string(consumption->measured ? "measured" : "estimated"));
    }
    if (result->errors) json_object_set_new(object, "first_error", json_string(result->first_error));
    json_dumpf(object, stdout, JSON_COMPACT | JSON_REAL_PRECISION(6));
    putchar('\n');
    json_decref(object);
}

void sk_load_report(const sk_load_plan *plan, const sk_load_result *result, const sk_consumption *consumption, bool json)
{
    uint64_t count = result->write_ns.count + result->read_ns.count;
    if (json) {
        print_json(plan, result, consumption);
        return;
    }
    print_kind("writes", &result->write_ns, result->seconds);
    print_kind("reads", &result->read_ns, result->seconds);
    printf("generator %.1f us of CPU an operation", count ? result->own_cpu_seconds * 1e6 / (double)count : 0);
    if (consumption->pid_count && count) printf(", servers %.1f us", consumption->cpu_seconds * 1e6 / (double)count);
    printf("; %llu errors", (unsigned long long)result->errors);
    if (result->errors) printf(" (first: %s)", result->first_error);
    if (result->lost) printf("; %llu connections lost", (unsigned long long)result->lost);
    putchar('\n');
    if (count && consumption->measured) {
        printf("%.0f operations a joule, measured (RAPL: the whole processor, the generator included)\n", (double)count / consumption->joules);
    } else if (count && consumption->joules > 0) {
        printf("%.0f operations a joule, an estimate: the servers' CPU time at %d W a core\n", (double)count / consumption->joules,
               SK_WATTS_A_CORE);
    }
}

void sk_load_live_show(sk_load_live *live, double elapsed, double total, uint64_t done, uint64_t errors)
{
    if (!live->on) return;
    if (done < live->before_done) *live = (sk_load_live){.on = true};
    double seconds = elapsed - live->before_s, rate = seconds > 0 ? (double)(done - live->before_done) / seconds : 0;
    live->before_s = elapsed;
    live->before_done = done;
    if (total > 0) {
        int full = (int)(elapsed / total * BAR_WIDTH);
        if (full > BAR_WIDTH) full = BAR_WIDTH;
        fprintf(stderr, "\r[%.*s%.*s] %3.0f of %.0f s ", full, "####################", BAR_WIDTH - full, "....................", elapsed, total);
    } else {
        fprintf(stderr, "\rwriting every key once, %3.0f s ", elapsed);
    }
    fprintf(stderr, " %llu done  %.0f/s  %llu errors \033[K", (unsigned long long)done, rate, (unsigned long long)errors);
    fflush(stderr);
}

void sk_load_live_end(const sk_load_live *live)
{
    if (live->on) fputs("\r\033[K", stderr);
}
