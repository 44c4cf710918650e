// skein-sim: the whole cluster in one process, every fault from one seed. See sim/world.h.
#include <getopt.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "sim/clients.h"
#include "sim/fleet.h"
#include "sim/trace_tla.h"

static const char usage[] =
    "usage: skein-sim [--protocol raft] [--seed N | --seeds A..B | --seed-file FILE] [options]\n"
    "\n"
    "Runs simulated clusters: the node's own code over simulated time, network and disks. One seed is one "
    "run, the\n"
    "same bit for bit wherever it is repeated.\n"
    "\n"
    "  --protocol NAME   the protocol of the data (raft)\n"
    "  --seed N          one run; prints what was drawn first and the trace's hash last\n"
    "  --seeds A..B      many runs, with a summary\n"
    "  --seed-file FILE  the seeds named in a file, one a line; # begins a comment\n"
    "  --nodes N         so many nodes instead of a drawn number (1 to 9)\n"
    "  --events N        a run that is longer than so many events is stuck (default 20000000)\n"
    "  --jobs N          processes for --seeds (default 2)\n"
    "  --keep-going      with --seeds: go on after a failure\n"
    "  --trace           print what happens (one seed)\n"
    "  --tla FILE        write what the replicas held as a module for TLC (one seed; see script/tla trace)\n"
    "  --tla-lines N     so many states of it (default 250)\n"
    "  --tla-lie WHAT    falsify one of them: vote, role, commit, log or forget\n"
    "  --plant NAME      plant a bug that must be found; --plant help lists them\n"
    "\n"
    "Exit status: 0 fine, 2 usage, 3 crash (an assertion), 4 stuck, 5 wrong.\n";

typedef struct options {
    sk_fleet_options fleet;
    bool one, trace;
    const char *file;
    const char *tla_path;
    uint32_t tla_lines;
    enum sk_trace_tla_lie tla_lie;
} options;

static _Noreturn void fail_usage(const char *what, const char *argument)
{
    fprintf(stderr, "skein-sim: %s%s\n%s", what, argument, usage);
    exit(2);
}

static uint64_t number(const char *text, const char *after, const char **rest)
{
    char *end;
    if (*text < '0' || *text > '9') fail_usage("not a number: ", text);
    uint64_t value = strtoull(text, &end, 10);
    if (strncmp(end, after, strlen(after)) != 0 || (!*after && *end)) fail_usage("not a number: ", text);
    if (rest) *rest = end + strlen(after);
    return value;
}

static enum sk_plant plant_of(const char *name)
{
    enum sk_plant plant = sk_plant_find(name);
    if (!strcmp(name, "help")) {
        for (int i = 1; i < SK_PLANT_END; i++)
            printf("%-16s %s\n", sk_plant_name((enum sk_plant)i), sk_plant_help((enum sk_plant)i));
        exit(0);
    }
    if (plant == SK_PLANT_END) fail_usage("no such plant: ", name);
    return plant;
}

static options parse(int argc, char **argv)
{
    static const struct option list[] = {
        {"protocol", required_argument, NULL, 'p'},
        {"seed", required_argument, NULL, 's'},
        {"seeds", required_argument, NULL, 'S'},
        {"nodes", required_argument, NULL, 'n'},
        {"events", required_argument, NULL, 'e'},
        {"jobs", required_argument, NULL, 'j'},
        {"keep-going", no_argument, NULL, 'k'},
        {"trace", no_argument, NULL, 't'},
        {"plant", required_argument, NULL, 'P'},
        {"seed-file", required_argument, NULL, 'f'},
        {"tla", required_argument, NULL, 'T'},
        {"tla-lines", required_argument, NULL, 'L'},
        {"tla-lie", required_argument, NULL, 'l'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    options all = {.one = true,
                   .tla_lines = 250,
                   .fleet = {.first = 1, .last = 1, .jobs = 2, .events_max = 20000000, .seconds_max = 120}};
    for (int letter; (letter = getopt_long(argc, argv, "h", list, NULL)) != -1;) {
        const char *rest;
        switch (letter) {
        case 'p':
            if (strcmp(optarg, "raft") != 0) fail_usage("no such protocol: ", optarg);
            break;
        case 's':
            all.fleet.first = all.fleet.last = number(optarg, "", NULL);
            break;
        case 'S':
            all.one = false;
            all.fleet.first = number(optarg, "..", &rest);
            all.fleet.last = number(rest, "", NULL);
            if (all.fleet.first > all.fleet.last) fail_usage("no seeds: ", optarg);
            break;
        case 'n':
            all.fleet.nodes = (uint32_t)number(optarg, "", NULL);
            if (all.fleet.nodes < 1 || all.fleet.nodes > SK_VOTERS_MAX) fail_usage("not 1 to 9: ", optarg);
            break;
        case 'e':
            all.fleet.events_max = number(optarg, "", NULL);
            break;
        case 'j':
            all.fleet.jobs = (uint32_t)number(optarg, "", NULL);
            if (all.fleet.jobs < 1 || all.fleet.jobs > SK_FLEET_JOBS_MAX) fail_usage("not 1 to 64: ", optarg);
            break;
        case 'k':
            all.fleet.keep_going = true;
            break;
        case 't':
            all.trace = true;
            break;
        case 'P':
            all.fleet.plant = plant_of(optarg);
            break;
        case 'f':
            all.file = optarg;
            break;
        case 'T':
            all.tla_path = optarg;
            break;
        case 'L':
            all.tla_lines = (uint32_t)number(optarg, "", NULL);
            break;
        case 'l':
            all.tla_lie = sk_trace_tla_lie_find(optarg);
            if (all.tla_lie == SK_TRACE_TLA_LIE_END) fail_usage("no such lie: ", optarg);
            break;
        case 'h':
            fputs(usage, stdout);
            exit(0);
        default:
            fputs(usage, stderr);
            exit(2);
        }
    }
    if (optind < argc) fail_usage("unexpected: ", argv[optind]);
    return all;
}

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

static FILE *tla_open(const options *all, sk_world *world)
{
    if (!all->tla_path) return NULL;
    FILE *file = fopen(all->tla_path, "w");
    if (!file) fail_usage("cannot write ", all->tla_path);
    world->tla = sk_trace_tla_open(file, world->computer_count, all->tla_lines, all->tla_lie);
    return file;
}

static void tla_close(const options *all, sk_world *world, FILE *file)
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

static int run_one(const options *all)
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

static int run_many(const options *all, sk_fleet_report *report)
{
    sk_fleet_run(&all->fleet, report);
    print_report(&all->fleet, report);
    return report->failure_count ? (int)report->failures[0].verdict : 0;
}

static int run_file(const options *all, sk_fleet_report *report)
{
    FILE *file = fopen(all->file, "r");
    if (!file) fail_usage("cannot open ", all->file);
    char line[256];
    int status = 0;
    uint64_t count = 0;
    while (fgets(line, sizeof line, file)) {
        if (line[0] < '0' || line[0] > '9') continue;
        options one = *all;
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
    options all = parse(argc, argv);
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
