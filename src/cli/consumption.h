// What servers used between two moments: CPU time of their processes, and energy.
//
// Energy is the machine's own measurement (RAPL: /sys/class/powercap, all processor packages, so everything that ran on the machine, the
// generator of the load included) where the kernel has it and lets us read it; else an estimate: the processes' CPU time at a fixed
// 5 W a core.
#ifndef SK_CLI_CONSUMPTION_H
#define SK_CLI_CONSUMPTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { SK_CONSUMPTION_PIDS_MAX = 32, SK_CONSUMPTION_PACKAGES_MAX = 8, SK_WATTS_A_CORE = 5 };

typedef struct sk_consumption {
    int pids[SK_CONSUMPTION_PIDS_MAX];
    size_t pid_count;
    double cpu_seconds; // of all pids, between begin and end
    double joules;      // measured or estimated; 0: neither is possible
    bool measured;      // by the machine
    // private
    double cpu_before;
    size_t package_count;
    uint64_t energy_before_uj[SK_CONSUMPTION_PACKAGES_MAX];
} sk_consumption;

void sk_consumption_begin(sk_consumption *consumption);
void sk_consumption_end(sk_consumption *consumption);

#endif
