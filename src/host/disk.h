// The disk of a real node: files in one directory, worked on by two threads.
//
//     loop thread: submit -> a lane's list, under a lock --> the lane's thread does them in order --> list -> uv_async -> done
//
// Two lanes: one for snapshots (snap/), one for all else, so that a commit of the log does not wait behind megabytes of
// a snapshot. All requests on a file are on one lane, in order.
//
// One process a directory: a flock on its file `lock`, held until close; it dies with the process, so no stale pid file can
// keep a node from starting, and none can let two in (D24). Files are made 0600, folders 0700. New files are made beside an
// old one of that name, which open handles keep.
//
// EINTR and short reads and writes are retried. ENOSPC and EDQUOT are SK_ENOSPC; whatever else the system says that has no
// name of its own in the table is SK_EIO.
#ifndef SK_HOST_DISK_H
#define SK_HOST_DISK_H

#include <uv.h>
#include "store/disk.h"

typedef struct sk_host_disk sk_host_disk;

// Opens (and if missing makes) the directory and locks it. `loop` NULL: only `run` may be used, no thread is started.
// 0; SK_ELOCKED (another process has it), SK_EIO, ...: then `problem` (size bytes) says in plain words what is wrong.
int sk_host_disk_open(sk_host_disk **out, uv_loop_t *loop, const char *directory, char *problem,
                      size_t problem_size);
// Lets the threads do what was submitted, and ends them; completions not delivered by then never are. The memory goes with the
// loop's next turn (uv_close).
void sk_host_disk_close(sk_host_disk *disk);
sk_disk *sk_host_disk_face(sk_host_disk *disk);

// Called on the loop's thread before completions are delivered, once for each run of them.
void sk_host_disk_before(sk_host_disk *disk, void (*before)(void *context), void *context);
// Requests submitted and not yet delivered.
size_t sk_host_disk_under_way(const sk_host_disk *disk);

#endif
