// The command line of a run. See --help for what it means.
#include "sim/options.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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

_Noreturn void sk_options_fail(const char *what, const char *argument)
{
    fprintf(stderr, "skein-sim: %s%s\n%s", what, argument, usage);
    exit(2);
}

static uint64_t number(const char *text, const char *after, const char **rest)
{
    char *end;
    if (*text < '0' || *text > '9') sk_options_fail("not a number: ", text);
    uint64_t value = strtoull(text, &end, 10);
    if (strncmp(end, after, strlen(after)) != 0 || (!*after && *end)) sk_options_fail("not a number: ", text);
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
    if (plant == SK_PLANT_END) sk_options_fail("no such plant: ", name);
    return plant;
}

sk_options sk_options_parse(int argc, char **argv)
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
    sk_options all = {.one = true,
                   .tla_lines = 250,
                   .fleet = {.first = 1, .last = 1, .jobs = 2, .events_max = 20000000, .seconds_max = 120}};
    for (int letter; (letter = getopt_long(argc, argv, "h", list, NULL)) != -1;) {
        const char *rest;
        switch (letter) {
        case 'p':
            if (strcmp(optarg, "raft") != 0) sk_options_fail("no such protocol: ", optarg);
            break;
        case 's':
            all.fleet.first = all.fleet.last = number(optarg, "", NULL);
            break;
        case 'S':
            all.one = false;
            all.fleet.first = number(optarg, "..", &rest);
            all.fleet.last = number(rest, "", NULL);
            if (all.fleet.first > all.fleet.last) sk_options_fail("no seeds: ", optarg);
            break;
        case 'n':
            all.fleet.nodes = (uint32_t)number(optarg, "", NULL);
            if (all.fleet.nodes < 1 || all.fleet.nodes > SK_VOTERS_MAX) sk_options_fail("not 1 to 9: ", optarg);
            break;
        case 'e':
            all.fleet.events_max = number(optarg, "", NULL);
            break;
        case 'j':
            all.fleet.jobs = (uint32_t)number(optarg, "", NULL);
            if (all.fleet.jobs < 1 || all.fleet.jobs > SK_FLEET_JOBS_MAX) sk_options_fail("not 1 to 64: ", optarg);
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
            if (all.tla_lie == SK_TRACE_TLA_LIE_END) sk_options_fail("no such lie: ", optarg);
            break;
        case 'h':
            fputs(usage, stdout);
            exit(0);
        default:
            fputs(usage, stderr);
            exit(2);
        }
    }
    if (optind < argc) sk_options_fail("unexpected: ", argv[optind]);
    return all;
}
