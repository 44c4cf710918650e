// The log: the newest entries in memory (the window), the rest on disk, the oldest only in a snapshot.
//
//     1 ........ base ........ window_first ........ durable ........ last
//     in the     on disk only:  in memory;            in memory, not yet
//     snapshot   fetched        also on disk           on disk
//
// The window may reach back below base (entries that a snapshot covers but a slow peer may still want). floor
// is the entry before the first that can be had at all; its term is known. Terms of all entries above floor
// are known, as runs.
//
// Payloads lie in chunks filled in order, given back whole from the front (eviction) and from the back
// (truncation): no allocation an entry.
//
// Invariants
//   L1  floor <= base <= last, floor <= window_first - 1 <= last, window_first - 1 <= durable <= last
//   L2  terms never fall along the log; runs begin above floor, each in a new term
//   L3  record numbers rise along the window
//   L4  bytes is the sum of the costs of the window's entries
//
// Limits: bytes passes bytes_max by at most one entry; whoever appends asks sk_raft_log_make_room first.
#ifndef SK_PROTOCOL_RAFT_LOG_H
#define SK_PROTOCOL_RAFT_LOG_H

#include "base/bytes.h"
#include "base/ring.h"

typedef struct sk_raft_position {
    uint64_t index;
    uint64_t term;
} sk_raft_position;

typedef struct sk_raft_entry {
    uint64_t term;
    uint64_t record;  // the record that puts it on disk
    uint64_t request; // whom its apply answers here; 0: nobody
    sk_slice payload; // in a chunk
} sk_raft_entry;

typedef struct sk_raft_run {
    uint64_t first;
    uint64_t term;
} sk_raft_run;

typedef struct sk_raft_chunk sk_raft_chunk;

typedef struct sk_raft_log {
    sk_raft_position base;
    sk_raft_position floor;
    uint64_t last;
    uint64_t durable;
    sk_ring window; // sk_raft_entry, the last one is `last`
    sk_ring runs;   // sk_raft_run
    sk_raft_chunk *oldest, *newest, *spare;
    size_t bytes;              // in the window
    size_t bytes_max;          // wanted
    uint64_t bytes_since_base; // payload bytes above base, an estimate after a restart
} sk_raft_log;

void sk_raft_log_init(sk_raft_log *log, sk_raft_position base, size_t bytes_max);
void sk_raft_log_deinit(sk_raft_log *log);

static inline uint64_t sk_raft_log_window_first(const sk_raft_log *log)
{
    return log->last - log->window.count + 1;
}
// The term of an entry in [floor, last].
uint64_t sk_raft_log_term(const sk_raft_log *log, uint64_t index);
static inline uint64_t sk_raft_log_last_term(const sk_raft_log *log)
{
    return sk_raft_log_term(log, log->last);
}
// First index above floor with the term of `index`.
uint64_t sk_raft_log_term_first(const sk_raft_log *log, uint64_t index);
// The last index in [floor, last] whose term is at most `term`; floor if none is.
uint64_t sk_raft_log_term_end(const sk_raft_log *log, uint64_t term);
// NULL when it is not in memory. Valid until the log changes; its payload until the entry is evicted or
// truncated.
sk_raft_entry *sk_raft_log_entry(const sk_raft_log *log, uint64_t index);

// Behind `last`; the payload is copied.
sk_raft_entry *sk_raft_log_append(sk_raft_log *log, uint64_t term, uint64_t record, sk_slice payload);
// Entries from `index` on are void; index > floor.
void sk_raft_log_truncate(sk_raft_log *log, uint64_t index);
// Records up to `record` are on disk.
void sk_raft_log_durable(sk_raft_log *log, uint64_t record);
// Gives back memory of the oldest entries, of those that are durable and either applied or awaited by nobody,
// until `size` bytes of payload fit below bytes_max. False: what must stay leaves no room (an empty window
// always has room).
bool sk_raft_log_make_room(sk_raft_log *log, uint64_t applied, size_t size);
// A snapshot of ours covers everything up to base.
void sk_raft_log_compact(sk_raft_log *log, sk_raft_position base);
// A snapshot from elsewhere replaces everything.
void sk_raft_log_reset(sk_raft_log *log, sk_raft_position base);
void sk_raft_log_check(const sk_raft_log *log);

#endif
