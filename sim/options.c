// The command line of a run. See --help for what it means.
#include "sim/options.h"

#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "sim/workload.h"

static const char usage[] =
    "usage: skein-sim [--protocol P] [--seed N | --seeds A..B | --seed-file FILE] [--hours H] [options]\n"
    "       skein-sim trace --seed N [--svg FILE] [--before E1 E2] [--from T] [--to T] [--last N] [options]\n"
    "       skein-sim shrink --seed N [--seconds S] [--svg FILE] [options]\n"
    "\n"
    "Runs simulated clusters: the node's own code over simulated time, network and disks. One seed is one run, the\n"
    "same bit for bit wherever it is repeated.\n"
    "\n"
    "  --protocol NAME   the protocol of the data: raft (default), crdt or causal\n"
    "  --seed N          one run; prints what was drawn first and the trace's hash last\n"
    "  --seeds A..B      many runs, with a summary\n"
    "  --seed-file FILE  the seeds named in a file, one a line, each with --preset, --workload, ... behind it where\n"
    "                    it needs them; # begins a comment\n"
    "  --hours H         as many runs as that time allows (0.5 is half an hour), from the first seed on (--seed N, or\n"
    "                    --seeds A..B for no more than those); the summary says the last one, to go on from there\n"
    "  --preset X[,Y]    one timing and one failure model of the theory, in place of all faults:\n"
    "                    synchronous            bounds on delay and drift are known, nothing is lost\n"
    "                    partially-synchronous  no bound at first, an unknown one later\n"
    "                    asynchronous           no bound ever; what is sent arrives in the end\n"
    "                    crash-stop             a minority ends for good\n"
    "                    crash-recovery         any process ends, and starts on what its disk has synced\n"
    "                    send-omission, receive-omission   a minority loses what it sends, or what it gets\n"
    "                    byzantine              members that lie: only for protocols that can bear it\n"
    "                    unrecoverable          the disks of a majority are ruined: the cluster must halt safely\n"
    "  --workload W      register, cas, counter, append, set, expiry or space instead of a drawn mixture; of crdt and causal:\n"
    "                    merge-register, merge-counter, merge-set, merge-map, merge-expiry, merge-rule; of causal merge-session\n"
    "  --durability D    always, group or volatile of crdt and causal, instead of a drawn one\n"
    "  --nodes N         so many nodes instead of a drawn number (1 to 9)\n"
    "  --events N        a run that is longer than so many events is stuck (default 20000000)\n"
    "  --jobs N          processes for many runs (default 2)\n"
    "  --keep-going      with many runs: go on after a failure\n"
    "  --json FILE       append the summary to a file, as one line of JSON\n"
    "  --trace           print what happens (one seed)\n"
    "  --tla FILE        write what the replicas held as a module for TLC (one seed; see script/tla trace)\n"
    "  --tla-lines N     so many states of it (default 250)\n"
    "  --tla-lie WHAT    falsify one of them: vote, role, commit, log or forget\n"
    "  --plant NAME      plant a bug that must be found; --plant help lists them\n"
    "  --shrink          with --seeds: make the first failing run small, as `shrink` does\n"
    "\n"
    SK_OVERRIDES_USAGE
    "\n"
    "trace prints every event, one a line: number, virtual time, process, what, vector time; marks stand between them.\n"
    "  --svg FILE        draw it as a space-time diagram instead (of the last 150 events unless a window is given)\n"
    "  --before E1 E2    did E1 happen before E2? With the chain of events that proves it. e17, or n2.5: the fifth of n2\n"
    "  --from T --to T   only this stretch of virtual time, seconds\n"
    "  --last N          only the last N events (of the stretch)\n"
    "shrink makes a failing run small, prints the command that repeats it, and what matters of it (--svg draws that).\n"
    "  --seconds S       stop looking for smaller ones after about so long, in processor time (default 60)\n"
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

static uint32_t nodes_of(const char *text)
{
    uint64_t nodes = number(text, "", NULL);
    if (nodes < 1 || nodes > SK_VOTERS_MAX) sk_options_fail("not 1 to 9: ", text);
    return (uint32_t)nodes;
}

static uint32_t workload_of(const char *name)
{
    uint32_t index = sk_workload_find(name);
    if (index == SK_WORKLOADS_MAX) sk_options_fail("no such workload: ", name);
    return index + 1;
}

static uint32_t durability_of(const char *text)
{
    for (enum sk_durability i = SK_DURABILITY_ALWAYS; i <= SK_DURABILITY_VOLATILE; i++) {
        if (!strcmp(text, sk_durability_name(i))) return i + 1;
    }
    sk_options_fail("not always, group or volatile: ", text);
    return 0;
}

static sk_preset preset_of(const char *text, const char *protocol)
{
    sk_preset preset;
    char problem[400];
    if (sk_preset_parse(text, protocol, &preset, problem, sizeof problem)) return preset;
    fprintf(stderr, "skein-sim: %s\n", problem);
    exit(2);
}

static uint32_t seconds_of(const char *hours)
{
    char *end;
    double seconds = strtod(hours, &end) * 3600;
    if (*end || !(seconds >= 1) || seconds > 1e9) sk_options_fail("not a number of hours: ", hours);
    return (uint32_t)seconds;
}

void sk_options_seed_line(sk_options *options, char *line)
{
    char *word = strtok(line, " \n");
    options->fleet.first = options->fleet.last = number(word, "", NULL);
    while ((word = strtok(NULL, " \n")) && word[0] != '#') {
        const char *value = strtok(NULL, " \n");
        if (!value) sk_options_fail("a seed's option without a value: ", word);
        if (!strcmp(word, "--preset"))
            options->fleet.wish.preset = preset_of(options->preset = value, options->protocol);
        else if (!strcmp(word, "--workload"))
            options->fleet.wish.workload = workload_of(value);
        else if (!strcmp(word, "--durability"))
            options->fleet.wish.durability = durability_of(value);
        else if (!strcmp(word, "--nodes"))
            options->fleet.wish.nodes = nodes_of(value);
        else
            sk_options_fail("not an option of a seed: ", word);
    }
}

// Options of how it is run and what is written. False: not one of these.
static bool take_other(sk_options *all, int letter)
{
    switch (letter) {
    case 'k':
        all->fleet.keep_going = true;
        break;
    case 't':
        all->trace = true;
        break;
    case 'H':
        all->fleet.seconds = seconds_of(optarg);
        break;
    case 'o':
        all->json = optarg;
        break;
    case 'T':
        all->tla_path = optarg;
        break;
    case 'L':
        all->tla_lines = (uint32_t)number(optarg, "", NULL);
        break;
    case 'l':
        all->tla_lie = sk_trace_tla_lie_find(optarg);
        if (all->tla_lie == SK_TRACE_TLA_LIE_END) sk_options_fail("no such lie: ", optarg);
        break;
    default:
        return false;
    }
    return true;
}

static void read_seconds(const char *text, sk_ns *out)
{
    if (!sk_overrides_seconds(text, out)) sk_options_fail("not a time in seconds: ", text);
}

// The options of `trace` and `shrink`. False: it is none of them.
static bool parse_telling(int letter, int argc, char **argv, sk_options *all)
{
    switch (letter) {
    case 'v':
        all->svg_path = optarg;
        return true;
    case 'b':
        if (optind >= argc) sk_options_fail("--before needs two events: ", optarg);
        all->before[0] = optarg;
        all->before[1] = argv[optind++];
        return true;
    case 'F':
        read_seconds(optarg, &all->window.from);
        return true;
    case 'O':
        read_seconds(optarg, &all->window.to);
        return true;
    case 'N':
        all->window.last = (uint32_t)number(optarg, "", NULL);
        return true;
    case 'r':
        all->shrink = true;
        return true;
    case 'R':
        all->shrink_seconds = (uint32_t)number(optarg, "", NULL);
        return true;
    default:
        return false;
    }
}

static void check_together(const sk_options *all)
{
    uint32_t workload = all->fleet.wish.workload;
    bool merges = sk_protocol_find(all->protocol)->mergeable;
    if (workload && sk_workload_merges(workload - 1) != merges) sk_options_fail("this workload is not for spaces of protocol ", all->protocol);
    if (all->fleet.wish.durability && !merges) sk_options_fail("raft spaces have no --durability but always", "");
    bool one = all->one && !all->file;
    if (all->command != SK_COMMAND_RUN && !one) sk_options_fail("trace and shrink take one --seed", "");
    if (sk_overrides_any(&all->overrides) && !one) sk_options_fail("what is left out is left out of one --seed", "");
    if (all->command == SK_COMMAND_RUN && (all->svg_path || all->before[0]))
        sk_options_fail("--svg and --before belong to `skein-sim trace`", "");
    if (all->shrink && one) sk_options_fail("--shrink goes with --seeds; for one seed: skein-sim shrink --seed N", "");
}

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
    {"preset", required_argument, NULL, 'x'},
    {"workload", required_argument, NULL, 'w'},
    {"durability", required_argument, NULL, 'd'},
    {"hours", required_argument, NULL, 'H'},
    {"json", required_argument, NULL, 'o'},
    {"seed-file", required_argument, NULL, 'f'},
    {"tla", required_argument, NULL, 'T'},
    {"tla-lines", required_argument, NULL, 'L'},
    {"tla-lie", required_argument, NULL, 'l'},
    {"svg", required_argument, NULL, 'v'},
    {"before", required_argument, NULL, 'b'},
    {"from", required_argument, NULL, 'F'},
    {"to", required_argument, NULL, 'O'},
    {"last", required_argument, NULL, 'N'},
    {"shrink", no_argument, NULL, 'r'},
    {"seconds", required_argument, NULL, 'R'},
#define X(name, text) {text, required_argument, NULL, SK_OVERRIDES_##name},
    SK_OVERRIDES_OPTIONS(X)
#undef X
    {"help", no_argument, NULL, 'h'},
    {NULL, 0, NULL, 0},
};

sk_options sk_options_parse(int argc, char **argv)
{
    sk_options all = {.one = true,
                   .protocol = "raft",
                   .tla_lines = 250,
                   .shrink_seconds = 60,
                   .window = {.to = SK_NEVER},
                   .fleet = {.first = 1, .last = 1, .jobs = 2, .events_max = 20000000, .seconds_max = 120}};
    if (argc > 1 && (!strcmp(argv[1], "trace") || !strcmp(argv[1], "shrink"))) {
        all.command = argv[1][0] == 't' ? SK_COMMAND_TRACE : SK_COMMAND_SHRINK;
        argv++;
        argc--;
    }
    for (int letter; (letter = getopt_long(argc, argv, "h", list, NULL)) != -1;) {
        const char *rest;
        if (letter > SK_OVERRIDES_FIRST) {
            if (!sk_overrides_set(&all.overrides, (enum sk_overrides_option)letter, optarg))
                sk_options_fail("this cannot be left out, or makes no sense: ", optarg);
            continue;
        }
        if (parse_telling(letter, argc, argv, &all)) continue;
        if (take_other(&all, letter)) continue;
        switch (letter) {
        case 'p':
            if (!sk_protocol_find(optarg)) sk_options_fail("no such protocol: ", optarg);
            all.protocol = all.fleet.wish.protocol = optarg;
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
            all.fleet.wish.nodes = nodes_of(optarg);
            break;
        case 'e':
            all.fleet.events_max = number(optarg, "", NULL);
            break;
        case 'j':
            all.fleet.jobs = (uint32_t)number(optarg, "", NULL);
            if (all.fleet.jobs < 1 || all.fleet.jobs > SK_FLEET_JOBS_MAX) sk_options_fail("not 1 to 64: ", optarg);
            break;
        case 'P':
            all.fleet.plant = plant_of(optarg);
            break;
        case 'x':
            all.preset = optarg;
            break;
        case 'w':
            all.fleet.wish.workload = workload_of(optarg);
            break;
        case 'd':
            all.fleet.wish.durability = durability_of(optarg);
            break;
        case 'f':
            all.file = optarg;
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
    if (all.preset) all.fleet.wish.preset = preset_of(all.preset, all.protocol);
    if (all.fleet.seconds && all.one) all.fleet.last = UINT64_MAX;
    if (all.fleet.seconds) all.one = false;
    if (all.file && (all.fleet.seconds || all.json)) sk_options_fail("--seed-file goes with neither --hours nor --json", "");
    if (all.json && all.one) sk_options_fail("--json needs many runs: --seeds or --hours", "");
    check_together(&all);
    return all;
}
