// Every kind of fault that the simulator can inject, with its name, its class and when it happens; runs count how often each
// fired. The order is that of docs/testing.md's table.
//
// The class says what a failure model allows (sim/preset.h). RATE: a property of the whole run, drawn again for each frame,
// turn or operation. STRIKE: the nemesis picks a moment.
#ifndef SIM_FAULT_H
#define SIM_FAULT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum sk_fault_class {
    SK_CLASS_TIMING,           // later than promised, and nothing else: delays, pauses, slow disks, drifting clocks
    SK_CLASS_LINK,             // what a network does to messages: loss, copies, damage that is seen, partitions, resets
    SK_CLASS_CRASH,            // a process ends and starts again on what its disk has synced
    SK_CLASS_STORAGE,          // errors of the disk, and bytes that change at rest
    SK_CLASS_SEND_OMISSION,    // a process loses messages that it sends
    SK_CLASS_RECEIVE_OMISSION, // ... or that it should receive
    SK_CLASS_WALL,             // clocks that nothing may depend on
    SK_CLASS_CLIENT,
    SK_CLASS_LOSS,             // what only a mergeable space has to bear: weeks of absence, a disk of some time ago
    SK_CLASS_END
};

enum sk_fault_domain { SK_DOMAIN_NETWORK, SK_DOMAIN_DISK, SK_DOMAIN_PROCESS, SK_DOMAIN_CLOCK, SK_DOMAIN_CLIENT };

#define SK_FAULTS(X)                                                                                         \
    X(NET_DELAY, "net-delay", NETWORK, TIMING, RATE)                                                         \
    X(NET_TAIL, "net-tail-delay", NETWORK, TIMING, RATE)                                                     \
    X(NET_LOSS, "net-loss", NETWORK, LINK, RATE)                                                             \
    X(NET_DUPLICATE, "net-duplicate", NETWORK, LINK, RATE)                                                   \
    X(NET_REPLAY, "net-replay-old", NETWORK, LINK, RATE)                                                     \
    X(NET_REORDER, "net-reorder", NETWORK, TIMING, RATE)                                                     \
    X(NET_CORRUPT, "net-corrupt", NETWORK, LINK, RATE)                                                       \
    X(NET_TRUNCATE, "net-truncate", NETWORK, LINK, RATE)                                                     \
    X(NET_CLOG, "net-clog", NETWORK, TIMING, STRIKE)                                                         \
    X(NET_SWIZZLE, "net-swizzle", NETWORK, TIMING, STRIKE)                                                   \
    X(NET_SLOW_LINK, "net-slow-link", NETWORK, TIMING, STRIKE)                                               \
    X(NET_BANDWIDTH, "net-bandwidth", NETWORK, TIMING, STRIKE)                                               \
    X(NET_CAPACITY, "net-capacity", NETWORK, TIMING, STRIKE)                                                 \
    X(NET_MTU, "net-mtu-cut", NETWORK, LINK, STRIKE)                                                         \
    X(NET_ISOLATE, "partition-one", NETWORK, LINK, STRIKE)                                                   \
    X(NET_HALVES, "partition-halves", NETWORK, LINK, STRIKE)                                                 \
    X(NET_LEADER, "partition-leader", NETWORK, LINK, STRIKE)                                                 \
    X(NET_BRIDGE, "partition-bridge", NETWORK, LINK, STRIKE)                                                 \
    X(NET_RING, "partition-ring", NETWORK, LINK, STRIKE)                                                     \
    X(NET_RANDOM, "partition-random", NETWORK, LINK, STRIKE)                                                 \
    X(NET_ONE_WAY, "partition-one-way", NETWORK, LINK, STRIKE)                                               \
    X(NET_FLAP, "partition-flapping", NETWORK, LINK, STRIKE)                                                 \
    X(NET_BY_KIND, "partition-by-message-kind", NETWORK, LINK, STRIKE)                                       \
    X(NET_RESET, "connection-reset", NETWORK, LINK, STRIKE)                                                  \
    X(NET_HALF_OPEN, "connection-half-open", NETWORK, LINK, STRIKE)                                          \
    X(NET_REFUSED, "connection-refused", NETWORK, LINK, STRIKE)                                              \
    X(NET_SLOW_ACCEPT, "connection-slow-accept", NETWORK, LINK, RATE)                                        \
    X(DISK_SLOW, "disk-slow", DISK, TIMING, STRIKE)                                                          \
    X(DISK_STALL, "disk-stall", DISK, TIMING, STRIKE)                                                        \
    X(DISK_SYNC_STALL, "disk-sync-stall", DISK, TIMING, STRIKE)                                              \
    X(DISK_WRITE_ERROR, "disk-write-error", DISK, STORAGE, STRIKE)                                           \
    X(DISK_SYNC_ERROR, "disk-sync-error", DISK, STORAGE, STRIKE)                                             \
    X(DISK_READ_ERROR, "disk-read-error", DISK, STORAGE, STRIKE)                                             \
    X(DISK_OPEN_ERROR, "disk-open-error", DISK, STORAGE, STRIKE)                                             \
    X(DISK_NAME_ERROR, "disk-name-error", DISK, STORAGE, STRIKE)                                             \
    X(DISK_READ_ONLY, "disk-read-only", DISK, STORAGE, STRIKE)                                               \
    X(DISK_FULL, "disk-full", DISK, STORAGE, STRIKE)                                                         \
    X(DISK_QUOTA, "disk-quota", DISK, STORAGE, STRIKE)                                                       \
    X(DISK_SHORT, "disk-short-write", DISK, STORAGE, RATE)                                                   \
    X(DISK_POWER, "disk-unsynced-lost", DISK, CRASH, RATE)                                                   \
    X(DISK_TORN, "disk-torn-write", DISK, CRASH, RATE)                                                       \
    X(DISK_BIT_FLIP, "disk-bit-flip", DISK, STORAGE, STRIKE)                                                 \
    X(DISK_ZERO, "disk-zeroed-sector", DISK, STORAGE, STRIKE)                                                \
    X(DISK_GARBAGE, "disk-garbage-sector", DISK, STORAGE, STRIKE)                                            \
    X(DISK_SWAP_SECTOR, "disk-swapped-sectors", DISK, STORAGE, STRIKE)                                       \
    X(DISK_COPY_SECTOR, "disk-misdirected-sector", DISK, STORAGE, STRIKE)                                    \
    X(DISK_SWAP_FILES, "disk-swapped-files", DISK, STORAGE, STRIKE)                                          \
    X(DISK_CUT, "disk-file-cut", DISK, STORAGE, STRIKE)                                                      \
    X(DISK_LOSE_SNAPSHOT, "disk-snapshot-lost", DISK, STORAGE, STRIKE)                                       \
    X(DISK_RUIN, "disks-ruined", DISK, STORAGE, RATE)                                                        \
    X(KILL, "process-kill", PROCESS, CRASH, STRIKE)                                                          \
    X(POWER, "power-cut", PROCESS, CRASH, STRIKE)                                                            \
    X(POWER_ALL, "power-cut-all", PROCESS, CRASH, STRIKE)                                                    \
    X(CRASH_LOOP, "crash-loop", PROCESS, CRASH, STRIKE)                                                      \
    X(CRASH_RECOVERY, "crash-in-recovery", PROCESS, CRASH, STRIKE)                                           \
    X(KILL_LEADER, "kill-leader", PROCESS, CRASH, STRIKE)                                                    \
    X(STOP_CLEAN, "clean-stop", PROCESS, CRASH, STRIKE)                                                      \
    X(CONFIG, "config-changed", PROCESS, CRASH, RATE)                                                        \
    X(PAUSE, "process-pause", PROCESS, TIMING, STRIKE)                                                       \
    X(PAUSE_LEADER, "pause-leader", PROCESS, TIMING, STRIKE)                                                 \
    X(PAUSE_ALL, "pause-all", PROCESS, TIMING, STRIKE)                                                       \
    X(SUSPEND, "machine-suspend", PROCESS, TIMING, STRIKE)                                                   \
    X(SLOW_CPU, "slow-cpu", PROCESS, TIMING, STRIKE)                                                         \
    X(SEND_OMISSION, "send-omission", PROCESS, SEND_OMISSION, STRIKE)                                        \
    X(RECEIVE_OMISSION, "receive-omission", PROCESS, RECEIVE_OMISSION, STRIKE)                               \
    X(CLOCK_DRIFT, "clock-drift", CLOCK, TIMING, RATE)                                                       \
    X(CLOCK_WALL_JUMP, "clock-wall-jump", CLOCK, WALL, STRIKE)                                               \
    X(CLOCK_WALL_STROBE, "clock-wall-strobe", CLOCK, WALL, STRIKE)                                           \
    X(CLOCK_WALL_1970, "clock-wall-1970", CLOCK, WALL, STRIKE)                                               \
    X(CLOCK_BOOT_ZERO, "clock-boot-restarted", CLOCK, CRASH, RATE)                                           \
    X(TIMER_LATE, "timer-late", CLOCK, TIMING, RATE)                                                         \
    X(TIMER_EARLY, "timer-early", CLOCK, TIMING, RATE)                                                       \
    X(TIMER_COALESCED, "timer-coalesced", CLOCK, TIMING, RATE)                                               \
    X(CLIENT_TIMEOUT, "client-timeout", CLIENT, CLIENT, RATE)                                                \
    X(CLIENT_SWITCH, "client-switch-node", CLIENT, CLIENT, RATE)                                             \
    X(CLIENT_ABANDON, "client-abandon", CLIENT, CLIENT, RATE)                                                \
    X(CLIENT_RETRY, "client-retry", CLIENT, CLIENT, RATE)                                                    \
    X(CLIENT_DUPLICATE, "client-duplicate-id", CLIENT, CLIENT, RATE)                                         \
    X(CLIENT_SLOW_READ, "client-slow-read", CLIENT, CLIENT, RATE)                                            \
    X(CLIENT_PIPELINE, "client-pipeline", CLIENT, CLIENT, RATE)                                              \
    X(CLIENT_HUGE, "client-huge-value", CLIENT, CLIENT, RATE)                                                \
    X(CLIENT_HOT_KEY, "client-hot-key", CLIENT, CLIENT, RATE)                                                \
    X(CLIENT_BURST, "client-idle-burst", CLIENT, CLIENT, RATE)                                               \
    X(CLIENT_DRIBBLE, "client-byte-dribble", CLIENT, CLIENT, RATE)                                           \
    X(ASLEEP, "asleep-for-weeks", PROCESS, LOSS, STRIKE)                                                     \
    X(RESTORE, "backup-restored", PROCESS, LOSS, STRIKE)

enum sk_fault {
#define X(name, text, domain, class, when) SK_FAULT_##name,
    SK_FAULTS(X)
#undef X
        SK_FAULT_END
};

const char *sk_fault_name(enum sk_fault fault);
enum sk_fault_class sk_fault_class_of(enum sk_fault fault);
enum sk_fault_domain sk_fault_domain_of(enum sk_fault fault);
bool sk_fault_strikes(enum sk_fault fault); // the nemesis picks the moment

#endif
