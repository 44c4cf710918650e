// The load generator behind `skein bench`: one thread, one epoll, thousands of connections to any RESP server.
//
//   closed loop  every connection keeps `pipeline` requests under way: a burst is sent, all its replies awaited, the next sent
//   open loop    requests fall due at a fixed rate and take the first free connection; latency counts from when a request fell
//                due, so a server that stalls is charged for all that it kept waiting (no coordinated omission)
//
// Replies are only skipped over (lines and bulk strings), not parsed: the generator must not be what is measured.
#ifndef SK_CLI_LOAD_H
#define SK_CLI_LOAD_H

#include <stdbool.h>
#include "base/prng.h"
#include "base/time.h"
#include "cli/histogram.h"
#include "client/remote.h"

enum { SK_LOAD_ENDPOINTS_MAX = 16 };

typedef struct sk_load_plan {
    sk_endpoint endpoints[SK_LOAD_ENDPOINTS_MAX]; // connections are dealt out over them
    size_t endpoint_count;
    uint32_t connections, pipeline;
    uint32_t value_size;
    uint64_t keys;
    uint32_t writes, reads; // ratio of SET to GET
    uint64_t rate;          // requests a second; 0: closed loop
    int wait_replicas;      // WAIT n 0 behind every SET; 0: none
    sk_ns warm_up, duration;
    uint64_t seed;
} sk_load_plan;

typedef struct sk_load_result {
    sk_histogram write_ns, read_ns;
    uint64_t errors;
    char first_error[120];
    uint64_t lost; // connections that broke
    double seconds;
    double own_cpu_seconds;
} sk_load_result;

// Called about each second with what has been done so far (for a live line).
typedef void sk_load_progress(void *context, double elapsed, uint64_t done, uint64_t errors);
// Called when the warm-up is over and when the measured time is: to read counters.
typedef void sk_load_mark(void *context, bool begin);

// Runs it. 0, or SK_ECONNECT with result->first_error.
int sk_load_run(const sk_load_plan *plan, sk_load_result *result, sk_load_progress *progress, sk_load_mark *mark,
                void *context);

#endif
