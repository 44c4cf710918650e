// skein-sim: the whole cluster in one process, every fault from one seed. See sim/world.h.
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>
#include "base/alloc.h"
#include "sim/attempt.h"
#include "sim/clients.h"
#include "sim/command.h"
#include "sim/summary.h"

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
    sk_plan *plan = sk_attempt_draw(&all->fleet, seed, &all->overrides, NULL, &swarm);
    sk_swarm_print(&swarm, stdout);
    fflush(stdout);
    sk_world *world =
        sk_world_open(&swarm, all->fleet.plant, all->fleet.events_max, all->trace ? stdout : NULL);
    world->plan = plan;
    FILE *tla = tla_open(all, world);
    enum sk_verdict verdict = sk_world_run(world);
    printf("%s: %" PRIu64 " events, %.1f virtual s, %zu operations, %" PRIu64 " digests compared\n",
           sk_verdict_text(verdict), world->events, (double)world->now / 1e9,
           sk_clients_operations(world->clients), world->checked);
    if (world->led_after)
        printf("a leader %" PRIu64 " ms after healing, %" PRIu64 " of %zu operations acknowledged\n", world->led_after / SK_MS,
               sk_clients_acknowledged(world->clients), sk_clients_operations(world->clients));
    if (verdict != SK_VERDICT_OK) printf("%s\n", world->problem);
    printf("trace hash %016" PRIx64 "\n", world->trace.hash);
    if (tla) tla_close(all, world, tla);
    sk_world_close(world);
    sk_free(plan);
    if (verdict != SK_VERDICT_OK) sk_summary_replay(stdout, all, seed);
    return (int)verdict;
}

static int run_many(const sk_options *all, sk_fleet_report *report)
{
    sk_fleet_run(&all->fleet, report);
    sk_summary_print(stdout, all, report);
    if (report->failure_count && all->shrink) return sk_command_shrink(all, report->failures[0].seed);
    if (all->json && sk_summary_append_json(all->json, all, report)) {
        fprintf(stderr, "skein-sim: cannot append to %s\n", all->json);
        return 1;
    }
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
        sk_options_seed_line(&one, line);
        one.fleet.jobs = 1;
        sk_fleet_run(&one.fleet, report);
        count++;
        if (!report->failure_count) continue;
        printf("%s seed %" PRIu64 ": %s\n", sk_verdict_text(report->failures[0].verdict), one.fleet.first,
               report->failures[0].problem);
        sk_summary_replay(stdout, &one, one.fleet.first);
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
    if (all.command == SK_COMMAND_SHRINK) return sk_command_shrink(&all, all.fleet.first);
    if (all.command == SK_COMMAND_TRACE && !all.tla_path) return sk_command_trace(&all);
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
