// The disk as a peer: a request goes out, a completion comes back, possibly late, possibly failed, possibly
// never.
//
// Two implementations, one conformance suite: src/host/disk.c (files and a thread) and sim/disk.c (one seed).
// All names are relative to the node's directory; "/" separates at most one sub-folder. Requests on one
// file's handles complete in the order submitted; between files there is no order, nor for requests that name
// a file: who needs one waits. A request and its bytes belong to the disk from submit until `done` is called
// (on the loop's thread, never from inside submit).
//
// What survives a power cut: bytes of a file only after a SYNC (or a WRITE with `sync`) of that file
// completed; the existence, name and disappearance of a file only after a SYNC_FOLDER of its folder. Of
// unsynced writes any subset may survive, torn at any byte; a write never harms bytes outside its own range.
#ifndef SK_STORE_DISK_H
#define SK_STORE_DISK_H

#include <stdbool.h>
#include "base/bytes.h"
#include "base/list.h"
#include "base/time.h"

typedef struct sk_disk sk_disk;
typedef struct sk_disk_request sk_disk_request;

enum sk_disk_op {
    // name, size: a new file of that length reading as zeros, its blocks allocated; replaces an old one
    SK_DISK_CREATE,
    // name -> result 0, file and size set
    SK_DISK_OPEN,
    // file
    SK_DISK_CLOSE,
    // file, offset, bytes; then fdatasync if `sync`. All or an error, EINTR and short writes retried
    SK_DISK_WRITE,
    // file, offset, into: result = bytes read, fewer only at the end of the file
    SK_DISK_READ,
    // file
    SK_DISK_SYNC,
    // file, size
    SK_DISK_TRUNCATE,
    // name -> name_new, which is replaced
    SK_DISK_RENAME,
    // name
    SK_DISK_UNLINK,
    // name of the folder, "" for the directory itself
    SK_DISK_SYNC_FOLDER,
    // name; fine if it exists
    SK_DISK_MAKE_FOLDER,
    // name of the folder: `listing` gets each file's name (without the folder; no sub-folders),
    // NUL-terminated, in any order
    SK_DISK_LIST,
};

enum { SK_DISK_NAME_MAX = 80 };

struct sk_disk_request {
    enum sk_disk_op op;
    char name[SK_DISK_NAME_MAX];
    char name_new[SK_DISK_NAME_MAX];
    int file; // a handle of this disk; set by CREATE and OPEN
    uint64_t offset;
    uint64_t size; // CREATE, TRUNCATE: in; OPEN: out
    sk_slice bytes;
    uint8_t *into;
    size_t into_size;
    bool sync;
    sk_buffer *listing;

    int64_t result; // 0 (READ: bytes) or a negative SK_E*
    sk_ns took;     // how long it was with the disk, by the disk's own clock
    void (*done)(sk_disk_request *request);
    void *owner;  // for `done`
    sk_list link; // the disk's while it has the request
};

typedef struct sk_disk_ops {
    // Queues it; `done` follows later, exactly once (or never, if the host dies).
    void (*submit)(sk_disk *disk, sk_disk_request *request);
    // Does it now and returns request->result; `done` is not called. For start-up, when there is no loop yet,
    // and only while nothing submitted is under way.
    int64_t (*run)(sk_disk *disk, sk_disk_request *request);
} sk_disk_ops;

struct sk_disk {
    const sk_disk_ops *ops;
    uint64_t bytes_written; // given to the disk so far: what flash wear counts from
    uint64_t syncs;         // file and folder syncs so far
};

static inline void sk_disk_submit(sk_disk *disk, sk_disk_request *request)
{
    disk->ops->submit(disk, request);
}

static inline int64_t sk_disk_run(sk_disk *disk, sk_disk_request *request)
{
    return disk->ops->run(disk, request);
}

#endif
