#include "sim/summary.h"

#include <inttypes.h>
#include <stdio.h>
#include "base/error.h"
#include "sim/workload.h"

const char *sk_verdict_text(enum sk_verdict verdict)
{
    switch (verdict) {
    case SK_VERDICT_OK:
        return "ok";
    case SK_VERDICT_CRASH:
        return "CRASH";
    case SK_VERDICT_STUCK:
        return "STUCK";
    case SK_VERDICT_WRONG:
        return "WRONG";
    }
    return "?";
}

void sk_summary_replay(FILE *out, const sk_options *options, uint64_t seed)
{
    const sk_fleet_options *fleet = &options->fleet;
    fprintf(out, "replay: skein-sim --protocol %s --seed %" PRIu64, options->protocol, seed);
    if (fleet->wish.nodes) fprintf(out, " --nodes %" PRIu32, fleet->wish.nodes);
    if (options->preset) fprintf(out, " --preset %s", options->preset);
    if (fleet->wish.workload) fprintf(out, " --workload %s", sk_workload_at(fleet->wish.workload - 1)->name);
    if (fleet->wish.durability) fprintf(out, " --durability %s", sk_durability_name((enum sk_durability)(fleet->wish.durability - 1)));
    if (fleet->plant) fprintf(out, " --plant %s", sk_plant_name(fleet->plant));
    sk_buffer left_out = {0};
    sk_overrides_print(&options->overrides, &left_out);
    fprintf(out, "%.*s --trace\n", (int)left_out.size, left_out.size ? (const char *)left_out.data : "");
    sk_buffer_deinit(&left_out);
}

static void print_faults(FILE *out, const sk_fleet_totals *totals)
{
    fputs("faults: times fired, schedules\n", out);
    for (int i = 0; i < SK_FAULT_END; i++)
        fprintf(out, "  %-28s %10" PRIu64 " in %" PRIu64 "\n", sk_fault_name((enum sk_fault)i), totals->faults[i],
                totals->fault_schedules[i]);
}

static void print_sometimes(FILE *out, const sk_fleet_totals *totals)
{
    fputs("sometimes: schedules that reached it\n", out);
    for (int i = 0; i < SK_SOMETIMES_END; i++) {
        if (totals->sometimes[i])
            fprintf(out, "  %-40s %10" PRIu64 "\n", sk_sometimes_name((enum sk_sometimes)i), totals->sometimes[i]);
    }
    bool never = false;
    for (int i = 0; i < SK_SOMETIMES_END; i++) {
        if (totals->sometimes[i]) continue;
        fprintf(out, "%s%s", never ? " " : "never reached: ", sk_sometimes_name((enum sk_sometimes)i));
        never = true;
    }
    if (never) fputc('\n', out);
}

static void print_failures(FILE *out, const sk_options *options, const sk_fleet_report *report)
{
    for (uint32_t i = 0; i < report->failure_count && i < SK_FLEET_FAILURES_MAX; i++) {
        const sk_fleet_failure *failure = &report->failures[i];
        fprintf(out, "%s seed %" PRIu64 ": %s\n", sk_verdict_text(failure->verdict), failure->seed, failure->problem);
    }
    if (report->failure_count > SK_FLEET_FAILURES_MAX) fprintf(out, "and %" PRIu32 " more\n", report->failure_count - SK_FLEET_FAILURES_MAX);
    if (report->failure_count && !options->shrink) sk_summary_replay(out, options, report->failures[0].seed);
}

void sk_summary_print(FILE *out, const sk_options *options, const sk_fleet_report *report)
{
    const sk_fleet_totals *totals = &report->totals;
    double virtual_seconds = (double)totals->virtual_ns / 1e9, seconds = report->seconds > 0 ? report->seconds : 0.001;
    double cpu = report->cpu_seconds > 0 ? report->cpu_seconds : 0.001;
    fprintf(out, "%" PRIu64 " schedules (%" PRIu64 " full: %d events, %d kinds of fault, %d acknowledged operations or more)\n",
            totals->schedules, totals->full, SK_FULL_EVENTS_MIN, SK_FULL_KINDS_MIN, SK_FULL_OPERATIONS_MIN);
    fprintf(out, "%" PRIu64 " events, %" PRIu64 " operations of which %" PRIu64 " acknowledged, %" PRIu64 " digests compared\n",
            totals->events, totals->operations, totals->acknowledged, totals->checked);
    fprintf(out, "%" PRIu64 " keys judged, %" PRIu64 " of them by a search for a linearization too (%" PRIu64 " given up)\n",
            totals->judged.keys, totals->judged.linearized + totals->judged.given_up, totals->judged.given_up);
    fprintf(out, "%.1f s real, %.1f s of processors, %.0f s virtual (%.0f times faster than real time)\n", report->seconds,
            report->cpu_seconds, virtual_seconds, virtual_seconds / seconds);
    fprintf(out, "%.0f events a second of one processor, %.1f operations a virtual second\n", (double)totals->events / cpu,
            virtual_seconds > 0 ? (double)totals->operations / virtual_seconds : 0);
    fprintf(out, "slowest leader after healing: %.1f of 10 election timeouts (seed %" PRIu64 ")\n",
            (double)totals->led_after_max / 100, totals->led_after_seed);
    print_faults(out, totals);
    print_sometimes(out, totals);
    fprintf(out, "last seed done: %" PRIu64 "\n", report->last);
    print_failures(out, options, report);
}

// ---- JSON ----

static void write_text(FILE *out, const char *text)
{
    fputc('"', out);
    for (; *text; text++) {
        if (*text == '"' || *text == '\\')
            fprintf(out, "\\%c", *text);
        else if ((unsigned char)*text < 32)
            fprintf(out, "\\u%04x", (unsigned)(unsigned char)*text);
        else
            fputc(*text, out);
    }
    fputc('"', out);
}

static void write_failures(FILE *out, const sk_fleet_report *report)
{
    fputs(", \"failures\": [", out);
    for (uint32_t i = 0; i < report->failure_count && i < SK_FLEET_FAILURES_MAX; i++) {
        const sk_fleet_failure *failure = &report->failures[i];
        fprintf(out, "%s{\"seed\": %" PRIu64 ", \"verdict\": \"%s\", \"problem\": ", i ? ", " : "", failure->seed,
                sk_verdict_text(failure->verdict));
        write_text(out, failure->problem);
        fputc('}', out);
    }
    fprintf(out, "], \"failure_count\": %" PRIu32, report->failure_count);
}

static void write_json(FILE *out, const sk_options *options, const sk_fleet_report *report)
{
    const sk_fleet_totals *totals = &report->totals;
    fprintf(out, "{\"protocol\": \"%s\", \"preset\": \"%s\", \"workload\": \"%s\", \"first\": %" PRIu64 ", \"last\": %" PRIu64,
            options->protocol, options->preset ? options->preset : "drawn",
            options->fleet.wish.workload ? sk_workload_at(options->fleet.wish.workload - 1)->name : "drawn", options->fleet.first,
            report->last);
    fprintf(out, ", \"schedules\": %" PRIu64 ", \"full\": %" PRIu64 ", \"events\": %" PRIu64 ", \"operations\": %" PRIu64
            ", \"asked\": %" PRIu64, totals->schedules, totals->full, totals->events, totals->acknowledged, totals->operations);
    fprintf(out, ", \"virtual_s\": %.3f, \"real_s\": %.3f, \"cpu_s\": %.3f", (double)totals->virtual_ns / 1e9, report->seconds,
            report->cpu_seconds);
    fputs(", \"faults\": {", out);
    for (int i = 0; i < SK_FAULT_END; i++)
        fprintf(out, "%s\"%s\": {\"fired\": %" PRIu64 ", \"schedules\": %" PRIu64 "}", i ? ", " : "", sk_fault_name((enum sk_fault)i),
                totals->faults[i], totals->fault_schedules[i]);
    fputs("}, \"sometimes\": {", out);
    for (int i = 0; i < SK_SOMETIMES_END; i++)
        fprintf(out, "%s\"%s\": %" PRIu64, i ? ", " : "", sk_sometimes_name((enum sk_sometimes)i), totals->sometimes[i]);
    fputc('}', out);
    write_failures(out, report);
    fputs("}\n", out);
}

int sk_summary_append_json(const char *path, const sk_options *options, const sk_fleet_report *report)
{
    FILE *file = fopen(path, "a");
    if (!file) return SK_EIO;
    write_json(file, options, report);
    bool bad = ferror(file) != 0;
    bad |= fclose(file) != 0;
    return bad ? SK_EIO : 0;
}
