// The scan of the log at start: what wal_recover.c finds and wal_cut.c acts on.
//
// Words: a segment's file is *whole* if its header is; a batch is *accepted* if it is valid and follows the
// one before by number and chain. The scan stops at the first place where nothing can be accepted; expected
// number there: k.
//
// Was batch k durable, or was something else written where the scan accepted? Then the damage is interior:
//   E1  a valid batch behind the stop says synced >= k
//   E2  a whole header stands behind a segment of which no batch was accepted (wal_format.h says why)
//   E3  a header is whole and not in its own file
//   E4  bytes there could not be read
//   E5  a segment number is missing
//   E6  nothing at all was accepted, and the file `began` says that there has been a log
//   E7  there is a valid batch k, and it does not follow what was accepted
// Otherwise it is a torn tail.
#ifndef SK_STORE_WAL_SCAN_H
#define SK_STORE_WAL_SCAN_H

#include "store/wal_private.h"

// A window on a file; bytes that cannot be read are zeros and remembered.
typedef struct sk_wal_window {
    sk_disk *disk;
    int file;
    uint64_t size; // of the file
    uint64_t at;
    sk_buffer bytes;
    bool unreadable;
} sk_wal_window;

typedef struct sk_wal_file {
    uint64_t number;
    uint64_t size;
    int file;
    bool whole;
    bool misplaced;  // a whole header of another segment
    bool unreadable; // in part
    bool recycled;   // what lies behind its last batch was another segment
    uint64_t used;   // end of the last accepted batch
    uint64_t accepted;
    uint64_t number_last; // of the last accepted batch
} sk_wal_file;

typedef struct sk_wal_evidence {
    bool any;
    uint64_t number_max;
    uint64_t synced_max;
    uint64_t oldest_max;
    uint64_t end; // of the last of them; 0: none
    bool next; // a batch with the number that was expected
} sk_wal_evidence;

typedef struct sk_wal_scan {
    sk_wal *wal;
    sk_wal_replay *replay;
    void *context;
    sk_wal_found *found;
    sk_wal_file *files; // by number
    size_t count;
    size_t begin;                // the first that is part of the log; before it are leftovers
    size_t end;                  // the first with nothing accepted
    uint64_t stop, stop_segment; // behind the last accepted batch; 0, 0: there is none
    bool interior;
    bool marked;      // wal/damaged is there
    bool began;       // the file `began` is there: a first batch was durable once
    bool first_batch; // nothing accepted yet
    uint64_t synced_max; // the accepted batches say that all up to this one were synced
    sk_wal_window window;
} sk_wal_scan;

void sk_wal_window_open(sk_wal_window *window, int file, uint64_t size);
// Bytes [offset, offset + size), or NULL beyond the end of the file. Valid until the next call.
const uint8_t *sk_wal_window_get(sk_wal_window *window, uint64_t offset, size_t size);
// The offset behind the last byte that is not zero, at least `from`.
uint64_t sk_wal_window_used(sk_wal_window *window, uint64_t from);

// The valid batch at offset, whatever its place in the order. NULL: none; else its records.
const uint8_t *sk_wal_scan_batch(sk_wal_window *window, uint32_t seed, uint64_t offset,
                                 sk_wal_batch_header *out);
// Looks for valid batches at every place from `offset` on; `rescue`: takes the spaces' last states from them.
void sk_wal_scan_evidence(sk_wal_scan *scan, sk_wal_file *file, uint64_t offset, bool rescue,
                          sk_wal_evidence *out);

// Makes the directory agree with what the scan accepted: sets damage aside, cuts, unlinks, syncs; opens the
// current segment.
int sk_wal_cut(sk_wal_scan *scan);

#endif
