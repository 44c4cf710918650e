// The write-ahead log: one a node, shared by all its spaces, so that one fdatasync commits a batch of every space.
//
//   wal/0000000000000001.log   segments, preallocated, each:
//     header   magic, format version, cluster, node, boot, segment number, CRC
//     carry    the first batch of a segment repeats what must never be lost with an older one: the last STATE record
//              of every space
//     batch*   magic, size, sequence number, chain (of the batch before), how far the log was known synced when this
//              one was written, the oldest segment that still belongs to the log, boot, CRC over all of it seeded by
//              the segment number
//       record*  space, kind, number, position, epoch, payload
//   began         there is, once the log has had a first batch: a log that is gone is damage, not a new node
//   wal/damaged   there is, until the spaces are refilled, when interior damage was found
//   wal/0123456789abcdef.spare   a file that was that segment and will be another one: written over, neither does it take new room
//              nor does the file system have to note that its blocks are in use now
//   wal/reserve   room given up when the disk is full, so that snapshots can be written and old segments freed
// The layout byte for byte: wal_format.h. Assumed of the disk: a write never harms bytes outside its own range.
//
// Flow: append copies records into the pending batch; flush sends it to the disk if no write is under way, else it
// goes on growing and leaves when the one before completes (group commit without a timer). A segment that is full is
// followed by the next, prepared ahead by the disk.
//
// Invariants
//   I1  durable <= written <= appended (sequence numbers of appends)
//   I2  a byte is never trusted before its CRC and its chain are
//   I3  damage at or beyond the greatest synced mark is a torn tail: cut, physically, before anything new is written
//   I4  damage below it is interior: never cut silently. The file wal/damaged is made durable first, the segment is
//       copied to lost/, then the log is cut at the damage; sk_wal_found says so at this start and every later one
//       until sk_wal_healed
//   I5  a failed write or sync is final: the log takes nothing more (failed is sticky)
//   I6  a segment is freed only when a newer one is durable and every space has released what it holds
//   I7  bytes recovered from the page cache are synced before anybody acts on them (R21)
#ifndef SK_STORE_WAL_H
#define SK_STORE_WAL_H

#include "base/log.h"
#include "base/time.h"
#include "wire/record.h"
#include "store/disk.h"
#include "store/identity.h"

typedef struct sk_wal sk_wal;

// Owner's face: how the log tells what happened. Called on the loop's thread, never from inside append.
typedef struct sk_wal_owner sk_wal_owner;
struct sk_wal_owner {
    // Every append up to and including `sequence` is on disk.
    void (*durable)(sk_wal_owner *owner, uint64_t sequence);
    // Nothing beyond the last durable() will ever be (I5).
    void (*failed)(sk_wal_owner *owner, int error);
};

typedef struct sk_wal_config {
    uint64_t segment_size; // bytes, header included; a batch larger than this gets a segment of its own size
    uint64_t size_max;     // of all segments, spares included; when segments pass it, `pressed` spaces must snapshot
} sk_wal_config;

typedef struct sk_wal_found {
    bool damaged; // interior damage, now or before and not yet healed: every space starts without a vote
    uint64_t torn_bytes; // cut from the tail
    uint64_t records;
    uint64_t boot_max; // greatest boot number seen in the log
    char what[120];    // one line for people; empty when nothing was wrong
} sk_wal_found;

typedef struct sk_wal_stats {
    uint64_t bytes_written; // batches, headers and preparation, as given to the disk
    uint64_t syncs;
    uint64_t batches;
    uint64_t records;
    uint64_t segments; // now
    uint64_t size;     // bytes of all segments now
    uint64_t spares;   // files kept for the next segments now
    uint64_t recycled; // segments that were made of one
    sk_ns sync_last;   // duration of the last write with sync, by the disk's clock (0: none yet)
    bool full; // the disk has no room for the next segment: spaces are pressed, in the end batches wait
} sk_wal_stats;

// Called for every recovered record of every space in the order written, before open returns. The payload is
// borrowed.
typedef void sk_wal_replay(void *context, uint32_t space, const sk_record *record);

// Scans the directory (synchronously: there is no loop yet), cuts a torn tail, sets damaged files aside under
// lost/, syncs what it kept, replays. 0 or SK_EIO, SK_ENOSPC, SK_EFOREIGN (files of another cluster or node),
// SK_EVERSION.
int sk_wal_open(sk_wal **wal, sk_disk *disk, const sk_identity *identity, const sk_wal_config *config,
                sk_wal_owner *owner, sk_log_sink *sink, sk_wal_replay *replay, void *context,
                sk_wal_found *found);
// The boot number of this start, once it has been taken: found.boot_max is needed to take it. The next flush
// notes it in the log, so that it is never taken again even if the boot file is damaged. Before this the log
// says identity->boot.
void sk_wal_boot(sk_wal *wal, uint64_t boot);
// Waits for nothing: requests under way must have completed, or never will (the power is gone); `disk` itself
// is still there.
void sk_wal_close(sk_wal *wal);
// True while requests are with the disk.
bool sk_wal_busy(const sk_wal *wal);

// Adds one record to the pending batch (copied) and returns its sequence number (1, 2, 3, ... since open).
// After a failure it returns the number all the same and drops the record: durable() will never reach it.
uint64_t sk_wal_append(sk_wal *wal, uint32_t space, const sk_record *record);
// Starts writing what is pending, if anything is and no write is under way.
void sk_wal_flush(sk_wal *wal);
uint64_t sk_wal_durable(const sk_wal *wal); // the greatest sequence on disk
// More than a quarter of size_max waits for the disk: whoever can do without adding to it should, for what others add, votes too, is written
// behind it.
bool sk_wal_is_behind(const sk_wal *wal);

// A snapshot has made this space's entries up to `position` unnecessary. Segments that nobody needs are
// freed.
void sk_wal_release(sk_wal *wal, uint32_t space, uint64_t position);
// A space that holds back the oldest segment while the log is over size_max (it should snapshot); 0 when
// none.
bool sk_wal_pressed(const sk_wal *wal, uint32_t space);
// The log is over size_max, or the disk is full: some space is pressed.
bool sk_wal_over(const sk_wal *wal);
// Somebody found the disk full: spares are given up, until there is room again.
void sk_wal_room_wanted(sk_wal *wal);
// Every space has been refilled after interior damage: forget that it ever was. True while the mark of it may still be there after a power
// cut: it may fail to be taken away, so call again.
bool sk_wal_healed(sk_wal *wal);
bool sk_wal_is_marked(const sk_wal *wal);
// A space was dropped: nothing of it is needed.
void sk_wal_forget(sk_wal *wal, uint32_t space);

// Reads back entries. Owned by the caller, who sets the first fields and keeps it until `done`.
typedef struct sk_wal_read sk_wal_read;
struct sk_wal_read {
    uint32_t space;
    uint64_t from, to; // positions, inclusive
    size_t bytes_max;  // stop after about so much; at least one entry is delivered
    void (*done)(sk_wal_read *read);
    void *owner;

    int error;       // 0, SK_ECOMPACTED (not in the log), SK_ECORRUPT (its bytes are damaged), SK_EIO
    sk_record *list; // valid until done returns; a run of positions from `from`
    size_t count;

    struct sk_wal_read_state *state; // the log's
};
void sk_wal_read_start(sk_wal *wal, sk_wal_read *read);

sk_wal_stats sk_wal_stats_of(const sk_wal *wal);
void sk_wal_check(const sk_wal *wal); // invariants; aborts

#endif
