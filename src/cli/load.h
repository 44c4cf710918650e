// The load generator behind `skein bench` (and bench/peers.c): one thread, one epoll, thousands of connections.
//
//   closed loop  every connection keeps `pipeline` requests under way: a burst is sent, all its replies awaited, the next sent; on a
//                multiplexed wire each answered request is replaced by itself
//   open loop    requests fall due at a fixed rate and take the first free connection; latency counts from when a request fell
//                due, so a server that stalls is charged for all that it kept waiting (no coordinated omission)
//
// The loop knows connections, slots and time; a *wire* knows one protocol's bytes. In a turn the loop waits once, looks at the clock
// once, receives from up to 64 connections and sends to as many, each in one system call where the kernel has io_uring (load_batch.h): the
// generator must not be what is measured. So a latency counts from when the turn began in which the request was sent: it may be too long by a
// turn, never too short.
#ifndef SK_CLI_LOAD_H
#define SK_CLI_LOAD_H

#include <stdbool.h>
#include "base/bytes.h"
#include "base/prng.h"
#include "base/time.h"
#include "cli/histogram.h"
#include "client/remote.h"

enum { SK_LOAD_ENDPOINTS_MAX = 16, SK_LOAD_KEY_DIGITS = 12 };

typedef struct sk_load_wire sk_load_wire;

typedef struct sk_load_plan {
    const sk_load_wire *wire;
    sk_endpoint endpoints[SK_LOAD_ENDPOINTS_MAX]; // connections are dealt out over them
    size_t endpoint_count;
    uint32_t connections, pipeline;
    uint32_t value_size;
    uint64_t keys;
    bool fill;              // first write every key once, not measured
    uint32_t writes, reads; // ratio of SET to GET
    uint64_t rate;          // requests a second; 0: closed loop
    int wait_replicas;      // WAIT n 0 behind every SET, of a burst behind its last request; 0: none
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

// Called about each second with what has been done so far (for a live line). `elapsed` of `total` seconds; while keys are filled
// in, `total` is 0.
typedef void sk_load_progress(void *context, double elapsed, double total, uint64_t done, uint64_t errors);
// Called when the warm-up is over and when the measured time is: to read counters.
typedef void sk_load_mark(void *context, bool begin);

// Runs it. 0; SK_ECONNECT, or SK_EINVAL when the wire refuses the plan, with result->first_error.
int sk_load_run(const sk_load_plan *plan, sk_load_result *result, sk_load_progress *progress, sk_load_mark *mark, void *context);

// ---- What a wire is, and what it may ask of the loop ----

enum sk_load_kind { SK_LOAD_READ, SK_LOAD_WRITE, SK_LOAD_FILL }; // FILL: the first write of a key

typedef struct sk_load_link sk_load_link; // one connection

struct sk_load_wire {
    size_t state_size; // of a connection's own state, zeroed at first
    bool multiplexed;  // replies come in any order: the wire says which slot each is for
    // Why this plan cannot be driven over this wire, or NULL. May be absent.
    const char *(*refuse)(const sk_load_plan *plan);
    // What a fresh connection sends first; NULL: nothing, it is ready at once. Else `take` calls sk_load_ready in time.
    void (*greet)(sk_load_link *link, sk_buffer *out);
    // Appends one request. Slots are 0 .. pipeline-1; a slot is not given again before it was answered.
    void (*put)(sk_load_link *link, sk_buffer *out, uint32_t slot, enum sk_load_kind kind, uint64_t key);
    // Behind the last request of a closed loop's burst. May be absent.
    void (*burst_end)(sk_load_link *link, sk_buffer *out);
    // Looks at what came; returns how many bytes it is done with (the rest comes again, with more behind it), or SIZE_MAX when the
    // connection is of no more use. What it appends to `out` is sent.
    size_t (*take)(sk_load_link *link, sk_buffer *out, const uint8_t *data, size_t size);
};

const sk_load_plan *sk_load_plan_of(const sk_load_link *link);
void *sk_load_state(sk_load_link *link);
uint32_t sk_load_number(const sk_load_link *link);   // of the connection
const uint8_t *sk_load_value(const sk_load_link *link); // plan->value_size bytes
void sk_load_ready(sk_load_link *link);
// The oldest request of a wire that is not multiplexed, or the one of `slot`, has its reply. An answer that nobody waits for is
// counted as an error.
void sk_load_answered(sk_load_link *link, uint32_t slot);
// What the oldest request that waits is (not on a multiplexed wire).
enum sk_load_kind sk_load_oldest(const sk_load_link *link);
void sk_load_error(sk_load_link *link, const void *text, size_t size);

// Text and numbers for requests: return where the next byte goes.
char *sk_load_put_text(char *at, const char *text);
char *sk_load_put_number(char *at, uint64_t value, int width_min);

// RESP: SET, GET, and WAIT.
extern const sk_load_wire sk_load_wire_resp;

#endif
