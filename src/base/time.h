// Units of time. A time is nanoseconds of a node's boot-time clock (never wall time, never back); wall time is
// milliseconds since 1970 and named so.
#ifndef SK_BASE_TIME_H
#define SK_BASE_TIME_H

#include <stdint.h>

typedef uint64_t sk_ns;

// What a process has used of its processors: in its own code, and in the kernel for it.
typedef struct sk_cpu_time {
    sk_ns user;
    sk_ns system;
} sk_cpu_time;

#define SK_US  ((sk_ns)1000)
#define SK_MS  ((sk_ns)1000000)
#define SK_S   ((sk_ns)1000000000)
#define SK_NEVER UINT64_MAX

#endif
