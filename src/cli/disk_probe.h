// What a disk does with small durable writes: written as the log writes them (one file, allocated ahead, records one behind the other, fdatasync
// after each batch), timed and counted. Bounded: a few hundred syncs, 1 MiB; the file has no name in the directory, or loses it
// at once, so that nothing stays behind.
#ifndef SK_CLI_DISK_PROBE_H
#define SK_CLI_DISK_PROBE_H

#include <stdbool.h>
#include "base/time.h"
#include "cli/histogram.h"

enum {
    SK_PROBE_RECORD_SIZE = 320,   // a 256-byte value with its key and the log's own
    SK_PROBE_SYNCS = 200,         // with a record each
    SK_PROBE_GROUP = 32,          // and as many again of so many records
    SK_PROBE_GROUP_SYNCS = 50,
    SK_PROBE_FILE_SIZE = 1 << 20,
};

typedef struct sk_probe_series {
    sk_histogram sync_ns;   // from the write to the end of its fdatasync
    uint64_t records;
    uint64_t page_bytes;    // what the kernel sent on its way for this process; 0: not told
    uint64_t device_bytes;  // what the block device took meanwhile, from anybody; 0: cannot be seen (no device of its own)
} sk_probe_series;

typedef struct sk_probe {
    sk_probe_series alone, grouped;
    bool in_memory;    // tmpfs: nothing there is durable
    char problem[160]; // when it failed: what and where
} sk_probe;

// 0, or SK_EIO with `problem`.
int sk_probe_disk(const char *directory, sk_probe *probe);

#endif
