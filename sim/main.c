// skein-sim: the whole cluster in one process, every fault from one seed. See sim/world.h.
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>
#include "sim/clients.h"
#include "sim/options.h"

// The command that shows a failure again.
static void print_replay(FILE *out, const sk_fleet_options *fleet, uint64_t seed)
{
    fprintf(out, "replay: skein-sim --protocol raft --seed %" PRIu64, seed);
    if (fleet->nodes) fprintf(out, " --nodes %" PRIu32, fleet->nodes);
    if (fleet->plant) fprintf(out, " --plant %s", sk_plant_name(fleet->plant));
    fputs(" --trace\n", out);
}

static const char *verdict_name(enum sk_verdict verdict)
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

static FILE *tla_open(const sk_options *all, sk_world *world)
{
    if (!all->tla_path) return NULL;
    FILE *file = fopen(all->tla_path, "w");
    if (!file) sk_options_fail("cannot write ", all->tla_path);
    world->tla = sk_trace_tla_open(file, world->computer_count, all->tla_lines, all->tla_lie);
    return file;
}

static void tla_close(const sk_options *all, sk_world *world, FILE *file)
{
    bool lied;
    uint32_t lines = sk_trace_tla_close(world->tla, &lied);
    world->tla = NULL;
    fclose(file);
    printf("%" PRIu32 " states for TLC%s\n", lines,
           !all->tla_lie ? ""
           : lied        ? ", one of them false"
                         : ", nothing in them to falsify");
}

static int run_one(const sk_options *all)
{
    uint64_t seed = all->fleet.first;
    sk_swarm swarm;
    sk_swarm_draw(&swarm, seed, all->fleet.nodes);
    sk_swarm_print(&swarm, stdout);
    fflush(stdout);
    sk_world *world =
        sk_world_open(&swarm, all->fleet.plant, all->fleet.events_max, all->trace ? stdout : NULL);
    FILE *tla = tla_open(all, world);
    enum sk_verdict verdict = sk_world_run(world);
    printf("%s: %" PRIu64 " events, %.1f virtual s, %zu operations, %" PRIu64 " digests compared\n",
           verdict_name(verdict), world->events, (double)world->now / 1e9,
           sk_clients_operations(world->clients), world->checked);
    if (verdict != SK_VERDICT_OK) printf("%s\n", world->problem);
    printf("trace hash %016" PRIx64 "\n", world->trace.hash);
    if (tla) tla_close(all, world, tla);
    sk_world_close(world);
    if (verdict != SK_VERDICT_OK) print_replay(stdout, &all->fleet, seed);
    return (int)verdict;
}

static void print_report(const sk_fleet_options *fleet, const sk_fleet_report *report)
{
    const sk_fleet_totals *totals = &report->totals;
    double virtual_seconds = (double)totals->virtual_ns / 1e9;
    printf("%" PRIu64 " schedules, %" PRIu64 " events, %" PRIu64 " operations, %" PRIu64
           " digests compared\n",
           totals->schedules, totals->events, totals->operations, totals->checked);
    printf("%.1f s real, %.0f s virtual (%.0f times faster), %.0f events/s on %" PRIu32 " processes\n",
           report->seconds, virtual_seconds, virtual_seconds / report->seconds,
           (double)totals->events / report->seconds, fleet->jobs);
    for (int i = 0; i < SK_FAULT_END; i++) {
        printf("  %-24s %10" PRIu64 " in %" PRIu64 " schedules\n", sk_fault_name((enum sk_fault)i),
               totals->faults[i], totals->fault_schedules[i]);
    }
    for (uint32_t i = 0; i < report->failure_count && i < SK_FLEET_FAILURES_MAX; i++) {
        const sk_fleet_failure *failure = &report->failures[i];
        printf("%s seed %" PRIu64 ": %s\n", verdict_name(failure->verdict), failure->seed, failure->problem);
    }
    if (report->failure_count > SK_FLEET_FAILURES_MAX)
        printf("and %" PRIu32 " more\n", report->failure_count - SK_FLEET_FAILURES_MAX);
    if (report->failure_count) print_replay(stdout, fleet, report->failures[0].seed);
}

static int run_many(const sk_options *all, sk_fleet_report *report)
{
    sk_fleet_run(&all->fleet, report);
    print_report(&all->fleet, report);
    return report->failure_count ? (int)report->failures[0].verdict : 0;
}

static int run_file(const sk_options *all, sk_fleet_report *report)
{
    FILE *file = fopen(all->file, "r");
    if (!file) sk_options_fail("cannot open ", all->file);
    char line[256];
    int status = 0;
    uint64_t count = 0;
    while (fgets(line, sizeof line, file)) {
        if (line[0] < '0' || line[0] > '9') continue;
        sk_options one = *all;
        one.fleet.first = one.fleet.last = strtoull(line, NULL, 10);
        one.fleet.jobs = 1;
        sk_fleet_run(&one.fleet, report);
        count++;
        if (!report->failure_count) continue;
        printf("%s seed %" PRIu64 ": %s\n", verdict_name(report->failures[0].verdict), one.fleet.first,
               report->failures[0].problem);
        print_replay(stdout, &one.fleet, one.fleet.first);
        if (!status) status = (int)report->failures[0].verdict;
    }
    fclose(file);
    printf("%" PRIu64 " seeds replayed\n", count);
    return status;
}

static void on_abort(int signal)
{
    static const char text[] = "CRASH: see the assertion above; the seed stands at the top\n";
    fflush(stdout); // an assertion is no interruption: the trace up to it is what we want to see
    ssize_t written = write(STDOUT_FILENO, text, sizeof text - 1);
    (void)written;
    _exit(SK_VERDICT_CRASH);
}

int main(int argc, char **argv)
{
    sk_options all = sk_options_parse(argc, argv);
    all.fleet.progress = isatty(STDERR_FILENO);
    if (all.one && !all.file) {
        signal(SIGABRT, on_abort);
        return run_one(&all);
    }
    sk_fleet_report *report = calloc(1, sizeof *report);
    if (!report) return 1;
    int status = all.file ? run_file(&all, report) : run_many(&all, report);
    free(report);
    return status;
}
