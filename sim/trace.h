// What happened, in order: always as a running hash (two runs of a seed must end with the same one), as lines
// for people only when asked.
#ifndef SIM_TRACE_H
#define SIM_TRACE_H

#include <stdbool.h>
#include <stdio.h>
#include "base/time.h"

typedef struct sk_trace {
    uint64_t hash;
    FILE *lines; // NULL: none wanted
    const sk_ns *now;
} sk_trace;

void sk_trace_mix(sk_trace *trace, uint64_t kind, uint64_t a, uint64_t b);
void sk_trace_line(const sk_trace *trace, const char *format, ...) __attribute__((format(printf, 2, 3)));

// Formats nothing when no lines are wanted.
#define SK_TRACE(trace, ...) ((trace)->lines ? sk_trace_line((trace), __VA_ARGS__) : (void)0)

#endif
