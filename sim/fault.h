// Every kind of fault that the simulator can inject, with its name; runs count how often each fired.
#ifndef SIM_FAULT_H
#define SIM_FAULT_H

#include <stddef.h>
#include <stdint.h>

#define SK_FAULTS(X)                                                                                         \
    X(NET_DELAY, "net-delay")                                                                                \
    X(NET_TAIL, "net-tail-delay")                                                                            \
    X(NET_LOSS, "net-loss")                                                                                  \
    X(NET_DUPLICATE, "net-duplicate")                                                                        \
    X(NET_REPLAY, "net-replay-old")                                                                          \
    X(NET_REORDER, "net-reorder")                                                                            \
    X(NET_CORRUPT, "net-corrupt")                                                                            \
    X(NET_TRUNCATE, "net-truncate")                                                                          \
    X(NET_CLOG, "net-clog")                                                                                  \
    X(NET_SWIZZLE, "net-swizzle")                                                                            \
    X(NET_ISOLATE, "partition-one")                                                                          \
    X(NET_HALVES, "partition-halves")                                                                        \
    X(NET_LEADER, "partition-leader")                                                                        \
    X(NET_BRIDGE, "partition-bridge")                                                                        \
    X(NET_RING, "partition-ring")                                                                            \
    X(NET_RANDOM, "partition-random")                                                                        \
    X(NET_ONE_WAY, "partition-one-way")                                                                      \
    X(NET_FLAP, "partition-flapping")                                                                        \
    X(NET_RESET, "connection-reset")                                                                         \
    X(NET_HALF_OPEN, "connection-half-open")                                                                 \
    X(NET_REFUSED, "connection-refused")                                                                     \
    X(DISK_SLOW, "disk-slow")                                                                                \
    X(DISK_STALL, "disk-stall")                                                                              \
    X(DISK_WRITE_ERROR, "disk-write-error")                                                                  \
    X(DISK_SYNC_ERROR, "disk-sync-error")                                                                    \
    X(DISK_READ_ERROR, "disk-read-error")                                                                    \
    X(DISK_FULL, "disk-full")                                                                                \
    X(DISK_BIT_FLIP, "disk-bit-flip")                                                                        \
    X(DISK_ZERO, "disk-zeroed-sector")                                                                       \
    X(DISK_GARBAGE, "disk-garbage-sector")                                                                   \
    X(DISK_CUT, "disk-file-cut")                                                                             \
    X(DISK_POWER, "disk-unsynced-lost")                                                                      \
    X(DISK_TORN, "disk-torn-write")                                                                         \
    X(DISK_LOSE_SNAPSHOT, "disk-snapshot-lost")                                                             \
    X(KILL, "process-kill")                                                                                  \
    X(POWER, "power-cut")                                                                                    \
    X(POWER_ALL, "power-cut-all")                                                                            \
    X(CRASH_LOOP, "crash-loop")                                                                              \
    X(CRASH_RECOVERY, "crash-in-recovery")                                                                   \
    X(KILL_LEADER, "kill-leader")                                                                            \
    X(STOP_CLEAN, "clean-stop")                                                                              \
    X(PAUSE, "process-pause")                                                                                \
    X(PAUSE_LEADER, "pause-leader")                                                                          \
    X(SLOW_CPU, "slow-cpu")                                                                                  \
    X(CLOCK_DRIFT, "clock-drift")                                                                            \
    X(CLOCK_WALL_JUMP, "clock-wall-jump")                                                                    \
    X(CLOCK_WALL_1970, "clock-wall-1970")                                                                    \
    X(CLOCK_BOOT_ZERO, "clock-boot-restarted")                                                               \
    X(TIMER_LATE, "timer-late")                                                                              \
    X(CLIENT_TIMEOUT, "client-timeout")                                                                      \
    X(CLIENT_SWITCH, "client-switch-node")                                                                   \
    X(CLIENT_ABANDON, "client-abandon")                                                                      \
    X(CLIENT_SLOW_READ, "client-slow-read")                                                                  \
    X(CLIENT_PIPELINE, "client-pipeline")                                                                    \
    X(CLIENT_HUGE, "client-huge-value")                                                                      \
    X(CLIENT_DRIBBLE, "client-byte-dribble")

enum sk_fault {
#define X(name, text) SK_FAULT_##name,
    SK_FAULTS(X)
#undef X
        SK_FAULT_END
};

const char *sk_fault_name(enum sk_fault fault);

#endif
