// Many seeds: worker processes take the next seed from a shared counter, so that a crash or a loop without
// end costs one seed and names it.
#ifndef SIM_FLEET_H
#define SIM_FLEET_H

#include "sim/judge.h"
#include "sim/world.h"

enum { SK_FLEET_JOBS_MAX = 64, SK_FLEET_FAILURES_MAX = 64 };

typedef struct sk_fleet_failure {
    uint64_t seed;
    enum sk_verdict verdict;
    char problem[400];
} sk_fleet_failure;

// A schedule that shows something: so many events, kinds of fault that fired, and acknowledged operations.
enum { SK_FULL_EVENTS_MIN = 10000, SK_FULL_KINDS_MIN = 3, SK_FULL_OPERATIONS_MIN = 100 };

typedef struct sk_fleet_totals {
    uint64_t schedules, full, events, virtual_ns, checked;
    uint64_t operations, acknowledged;
    sk_judge_counts judged;
    uint64_t faults[SK_FAULT_END];              // times fired
    uint64_t fault_schedules[SK_FAULT_END];     // schedules in which it did
    uint64_t sometimes[SK_SOMETIMES_END];       // schedules that reached it
    uint64_t led_after_max;                     // thousandths of lead_max, the slowest leader after healing
    uint64_t led_after_seed;
} sk_fleet_totals;

typedef struct sk_fleet_options {
    uint64_t first, last; // seeds
    uint32_t seconds;     // begin no seed after so many of real time; 0: no limit
    uint32_t jobs;
    sk_swarm_wish wish;
    uint64_t events_max;
    uint32_t seconds_max; // of processor time for one seed: then it counts as stuck
    enum sk_plant plant;
    bool keep_going; // after a failure
    bool progress;   // a line on stderr while it runs
} sk_fleet_options;

typedef struct sk_fleet_report {
    sk_fleet_totals totals;
    sk_fleet_failure failures[SK_FLEET_FAILURES_MAX]; // by seed
    uint32_t failure_count;                           // all; those beyond the list are not told
    uint64_t last;                                    // all seeds up to here were run
    double seconds, cpu_seconds;
} sk_fleet_report;

// Runs all seeds, or as many as the time allows; SIGINT ends it after the seeds that are under way. The report is the caller's
// memory.
void sk_fleet_run(const sk_fleet_options *options, sk_fleet_report *report);

#endif
