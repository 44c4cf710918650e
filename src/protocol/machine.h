// What a protocol orders commands for: the state machine of a space (the Redis key space in the product; a register
// or a list in tests). Deterministic: the same commands in the same order give the same state, replies and digest on
// every CPU.
//
// Work that may be long (a snapshot, KEYS over a million keys, giving back memory) is cut in slices: the caller
// gives a budget and asks again in a later loop turn.
#ifndef SK_PROTOCOL_MACHINE_H
#define SK_PROTOCOL_MACHINE_H

#include <stdbool.h>
#include "base/bytes.h"
#include "base/time.h"
#include "clock/vector.h"

typedef struct sk_machine sk_machine;
typedef struct sk_machine_job sk_machine_job;
typedef struct sk_machine_image sk_machine_image;
typedef struct sk_machine_restore sk_machine_restore;

// What travels with a command, chosen once by whoever ordered it.
typedef struct sk_command_context {
    uint64_t clock_ms;    // the space's clock after this entry's advance; never less than before
    int64_t wall_offset_ms; // wall time = clock_ms + wall_offset_ms
    uint64_t seed;        // for commands that choose at random; same on all replicas (queries: the node's own)
    uint8_t resp;         // 2 or 3: the form of the reply
} sk_command_context;

enum { SK_MACHINE_TOGETHER = 8 };

typedef struct sk_machine_ops {
    // One ordered command. Appends exactly one reply. `command` is borrowed bytes that once came from a client:
    // malformed ones get an error reply.
    void (*apply)(sk_machine *machine, const sk_command_context *context, sk_slice command, sk_buffer *reply);
    // Commands that will be run next, at most SK_MACHINE_TOGETHER: the memory that they need first may be asked for, so that they wait for it
    // together. Changes nothing. NULL: nothing to gain.
    void (*prefetch)(sk_machine *machine, const sk_slice *commands, size_t count);
    // The space's clock moved without a command. Also the place of bounded deferred work that must be the same on all
    // replicas (removing what expired); both apply and this do it.
    void (*advance)(sk_machine *machine, uint64_t clock_ms);
    // A command that changes nothing. NULL: the reply is complete. Else a job that completes it in slices, on the
    // state as of now, whatever is applied meanwhile.
    sk_machine_job *(*query)(sk_machine *machine, const sk_command_context *context, sk_slice command,
                             sk_buffer *reply);
    // The earliest clock_ms at which something expires or deferred work waits; UINT64_MAX: none.
    uint64_t (*next_deadline)(const sk_machine *machine);
    // Equal on replicas that applied the same; O(1) or cheap enough to log at every snapshot.
    uint64_t (*digest)(const sk_machine *machine);
    size_t (*memory)(const sk_machine *machine); // logical bytes: equal on all replicas

    // The state as of now, O(1); then its bytes in slices of about `budget` bytes until next returns false.
    sk_machine_image *(*image_open)(sk_machine *machine);
    bool (*image_next)(sk_machine_image *image, sk_buffer *out, size_t budget); // false: it was the last slice
    void (*image_close)(sk_machine_image *image);

    // A new state aside from those bytes, cut anywhere. finish swaps it in (0), or says SK_ECORRUPT and changes nothing; both
    // end the restore. abort ends it unused.
    sk_machine_restore *(*restore_open)(sk_machine *machine);
    int (*restore_add)(sk_machine_restore *restore, sk_slice bytes); // 0 or SK_ECORRUPT
    int (*restore_finish)(sk_machine_restore *restore);
    void (*restore_abort)(sk_machine_restore *restore);

    // Up to `budget` units of work on memory to give back. True: there is more.
    bool (*collect)(sk_machine *machine, size_t budget);
    void (*close)(sk_machine *machine);
} sk_machine_ops;

// What a mergeable replica asks of its machine inside step (design.md section 4): changes are made here and travel, in whatever order, and
// states are merged. NULL in a machine whose commands must be ordered.
//
//   operations   what prepare appends: changes of one actor (a node in one of its lives), in the order of their counters
//   chunks       the state, or what of it changed, as walks give it: merged in any order and as often as they come
typedef struct sk_machine_walk sk_machine_walk;

typedef struct sk_mergeable_ops {
    // After restore and recovery: the node's present life, in which nothing was changed yet.
    void (*identify)(sk_machine *machine, uint64_t life);
    // Runs a command that may change something, at once: appends one reply, and the operations if there are any. The context's clock plus
    // its offset is this node's wall time.
    void (*prepare)(sk_machine *machine, const sk_command_context *context, sk_slice command, sk_buffer *reply,
                    sk_buffer *operations);
    // Clears what is due to be cleared by this node, bounded; next_due: wall time of the next (UINT64_MAX: none).
    void (*clear_due)(sk_machine *machine, uint64_t wall_ms, sk_buffer *operations);
    uint64_t (*next_due)(const sk_machine *machine);
    // Applies operations; repeated ones are passed over. `*taken`: bytes of those that were. 0 (all), SK_EAGAIN (the next one's
    // predecessor is missing) or SK_EPROTOCOL.
    int (*apply)(sk_machine *machine, uint64_t wall_ms, sk_slice operations, size_t *taken);
    int (*merge)(sk_machine *machine, uint64_t wall_ms, sk_slice chunk); // 0 or SK_EPROTOCOL
    // Of each actor, the counter up to which all changes are in the state; and up to which all contexts say so (base <= seen): who has not
    // seen all of base needs a full walk.
    const sk_vector *(*seen)(const sk_machine *machine);
    const sk_vector *(*base)(const sk_machine *machine);
    // All up to `seen` has been merged. base: of a full walk, else NULL.
    void (*join)(sk_machine *machine, const sk_vector *seen, const sk_vector *base);
    void (*settle)(sk_machine *machine, const sk_vector *stable); // nobody needs differences below; collect() forgets in slices

    // What changed since a vector (NULL, or not beyond base: everything), on the state as of now.
    sk_machine_walk *(*walk_open)(sk_machine *machine, const sk_vector *since);
    bool (*walk_full)(const sk_machine_walk *walk);
    const sk_vector *(*walk_seen)(const sk_machine_walk *walk); // as of when it was opened
    const sk_vector *(*walk_base)(const sk_machine_walk *walk);
    bool (*walk_next)(sk_machine_walk *walk, sk_buffer *out, size_t budget); // one chunk; false: it was the last
    void (*walk_close)(sk_machine_walk *walk); // before the machine
} sk_mergeable_ops;

struct sk_machine {
    const sk_machine_ops *ops;
    const sk_mergeable_ops *mergeable;
};

typedef struct sk_machine_job_ops {
    // Up to about `budget` units; appends to reply. True: there is more.
    bool (*run)(sk_machine_job *job, sk_buffer *reply, size_t budget);
    void (*close)(sk_machine_job *job); // at any time
} sk_machine_job_ops;

struct sk_machine_job {
    const sk_machine_job_ops *ops;
};

#endif
