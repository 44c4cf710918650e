// A space's snapshots on this node: taking one in slices, and getting the state back from one at start.
//
// The first chunk is the head: what the space itself keeps (position, epoch, clock, sessions, rules); the others are the machine's.
#ifndef SK_NODE_SNAPSHOT_JOB_H
#define SK_NODE_SNAPSHOT_JOB_H

#include "base/time.h"
#include "node/rules.h"
#include "node/session.h"
#include "protocol/machine.h"
#include "store/snapshot.h"

typedef struct sk_space sk_space;

typedef struct sk_snapshot_job {
    sk_snapshot_writer *writer; // NULL: none under way
    sk_machine_image *image;    // NULL: all handed over
    sk_ns retry_at;             // after a failure
} sk_snapshot_job;

// What comes out of a snapshot besides the machine's state.
typedef struct sk_snapshot_head {
    uint64_t position, epoch, clock_ms;
    int64_t wall_offset_ms;
    bool has_offset;
    sk_sessions sessions;
    sk_rules rules;
} sk_snapshot_head;

void sk_snapshot_head_init(sk_snapshot_head *head);
void sk_snapshot_head_deinit(sk_snapshot_head *head);
int sk_snapshot_head_read(sk_snapshot_head *head, sk_slice chunk, const sk_snapshot_info *info); // 0 or SK_ECORRUPT
// Makes it the space's own state (sessions are taken).
void sk_snapshot_head_take(sk_snapshot_head *head, sk_space *space);

// Starts or goes on with one when the space wants it. True: there is more to do at once.
bool sk_snapshot_job_work(sk_space *space);
sk_ns sk_snapshot_job_deadline(const sk_space *space);
// At start: the newest whole snapshot into the space. 0 (also when there is none) or the store's error.
int sk_snapshot_job_restore(sk_space *space);

#endif
