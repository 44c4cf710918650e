// "Sometimes" properties: what a good set of runs reaches now and then. One that is never reached says that the runs do not go
// where they should.
#ifndef SIM_SOMETIMES_H
#define SIM_SOMETIMES_H

#define SK_SOMETIMES(X)                                                                                      \
    X(LEADER_CHANGED, "leader-changed")                                                                      \
    X(EPOCH_WITHOUT_LEADER, "epoch-without-leader")                                                          \
    X(TWO_LEADERS, "two-leaders-of-different-epochs")                                                        \
    X(SNAPSHOT_TAKEN, "snapshot-taken")                                                                      \
    X(SNAPSHOT_INSTALLED, "snapshot-installed")                                                              \
    X(LOG_TRUNCATED, "log-truncated")                                                                        \
    X(WINDOW_FETCHED, "window-overflowed-and-fetched")                                                       \
    X(UNKNOWN_ANSWERED, "unknown-answered")                                                                  \
    X(CLUSTERDOWN_ANSWERED, "clusterdown-answered")                                                          \
    X(RETRY_FROM_KEPT, "retry-answered-from-kept-replies")                                                   \
    X(DEPOSED_READ_REFUSED, "read-at-deposed-leader-refused")                                                \
    X(SURVIVED_DEPOSITION, "answered-after-its-leader-was-deposed")                                          \
    X(SPACE_FULL, "space-full")                                                                              \
    X(CAS_TOOK, "compare-and-set-took-place")                                                                \
    X(CAS_LOST, "compare-and-set-lost")                                                                      \
    X(LEASE_HELD, "lease-held")                                                                              \
    X(LEASE_GONE, "lease-gone")                                                                              \
    X(RECOVERING, "replica-recovering")                                                                      \
    X(RECOVERING_HEALED, "recovering-replica-healed")                                                        \
    X(LOG_FAILED, "log-failed-and-replica-halted")                                                           \
    X(ALL_DOWN, "all-nodes-down")                                                                            \
    X(DIED_IN_RECOVERY, "died-in-recovery")                                                                  \
    X(STOPPED_CLEANLY, "stopped-cleanly")                                                                    \
    X(SAFE_HALT, "halted-safely-when-unrecoverable")                                                         \
    X(ANSWERED_ALONE, "answered-without-a-peer")                                                             \
    X(RESTORED, "restored-node-back")                                                                        \
    X(SESSION_MOVED, "session-moved-with-its-token")                                                         \
    X(WINDOW_CUT, "ended-within-its-window")

enum sk_sometimes {
#define X(name, text) SK_SOMETIMES_##name,
    SK_SOMETIMES(X)
#undef X
        SK_SOMETIMES_END
};

const char *sk_sometimes_name(enum sk_sometimes what);

#endif
