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

typedef struct sk_machine_ops {
    // One ordered command. Appends exactly one reply. `command` is borrowed bytes that once came from a client:
    // malformed ones get an error reply.
    void (*apply)(sk_machine *machine, const sk_command_context *context, sk_slice command, sk_buffer *reply);
    // Some command that will be applied soon: the memory it needs first may be asked for. Changes nothing. NULL: nothing to gain.
    void (*prefetch)(const sk_machine *machine, sk_slice command);
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

struct sk_machine {
    const sk_machine_ops *ops;
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
