// What the parts of the log share:
//   wal.c          open and close, append, writing batches
//   wal_segment.c  the next segment prepared ahead, the roll, freeing, the reserve
//   wal_index.c    spaces: where entries are, what is released, last states
//   wal_recover.c  the scan at start      wal_cut.c  what it does about damage
//   wal_read.c     entries read back
//
// One batch write is under way at a time, so everything submitted before it is durable when it is sealed. A
// roll writes two batches in one go, the carry and the batch itself, and counts as one write with one sync.
#ifndef SK_STORE_WAL_PRIVATE_H
#define SK_STORE_WAL_PRIVATE_H

#include "base/ring.h"
#include "store/wal.h"
#include "store/wal_format.h"

enum {
    // Bytes kept free at a segment's end so that an empty batch (which frees older segments) always fits.
    SK_WAL_TAIL = 8 * SK_WAL_BATCH_HEADER_SIZE,
    SK_WAL_BATCH_TARGET = 4 << 20, // a pending batch beyond this is closed and another begun
    SK_WAL_POINT_BYTES = 32 << 10, // neighbouring runs of a space are one point of the index up to this size
    SK_WAL_BUFFER_KEEP = 1 << 20,  // capacity that a batch keeps for the next use
    SK_WAL_POOL = 3,               // batches kept for the next use
};

typedef struct sk_wal_segment {
    sk_list link; // wal->segments, in order of number; wal->going; or alone
    sk_wal *wal;
    uint64_t number;
    uint64_t size; // of the file
    uint64_t used; // bytes of it written, or submitted
    int file;
    uint32_t seed;
    uint32_t readers;
    bool recycled;           // behind its last batch lie the bytes of an older one
    bool unlinked;           // closed and freed when the last reader has gone
    sk_disk_request request; // unlink, then close; or rename to a spare
} sk_wal_segment;

// Where a run of positions of a space is: bytes [begin, end) of a segment, whole batches.
typedef struct sk_wal_point {
    uint64_t first, last;
    uint64_t segment;
    uint64_t begin, end;
} sk_wal_point;

typedef struct sk_wal_space {
    uint32_t id;
    uint64_t released;
    sk_ring points; // sk_wal_point, rising in position and in place, not overlapping
    bool has_state;
    sk_record state; // the last one submitted; its payload is state_bytes
    sk_buffer state_bytes;
    uint64_t run_serial; // of the batch in which `run` is this space's last run
    size_t run;
} sk_wal_space;

// Positions of one space in a pending batch. last < first: a truncation at `first`.
typedef struct sk_wal_run {
    uint32_t space;
    bool void_run; // the space was forgotten
    uint64_t first, last;
} sk_wal_run;

typedef struct sk_wal_batch {
    sk_list link;    // wal->pending or wal->pool
    sk_buffer bytes; // room for the header, then records
    uint32_t records;
    uint64_t serial;
    uint64_t sequence; // of its last append
    sk_wal_run *runs;
    size_t run_count, run_capacity;
    size_t *states; // where STATE records begin in `bytes`
    size_t state_count, state_capacity;
} sk_wal_batch;

enum sk_wal_preparing {
    SK_WAL_UNPREPARED,
    SK_WAL_PREPARING,
    SK_WAL_PREPARED,
};

struct sk_wal {
    sk_disk *disk;
    sk_identity identity;
    sk_wal_config config;
    sk_wal_owner *owner;
    sk_log_sink *sink;
    sk_wal_stats stats;
    int failed; // sticky

    // Appends and their batches.
    uint64_t appended; // sequence numbers
    uint64_t durable;
    uint64_t flush_wanted; // everything up to here is to be written
    bool batch_wanted;     // an empty batch is worth writing (it says what is free, or which boot this is)
    uint64_t serial;
    sk_list pending;
    sk_list pool;
    size_t pool_count;

    // The write under way.
    bool writing;
    unsigned writes_left;
    int write_error;
    sk_wal_batch *written; // NULL: an empty batch
    uint64_t written_oldest;
    uint64_t waiting;       // bytes of records that are not on disk
    uint64_t written_bytes; // of these, in the batch under way
    uint64_t written_sequence;
    sk_buffer carry;
    uint8_t empty[SK_WAL_BATCH_HEADER_SIZE];
    sk_disk_request carry_request, batch_request;

    // Batches on disk.
    uint64_t number; // of the last batch sealed
    uint32_t chain;
    uint64_t synced;        // number of the last batch known synced
    uint64_t oldest_sealed; // the greatest `oldest` in a sealed batch
    uint64_t oldest_durable;

    // Segments.
    sk_list segments;
    sk_list going;           // being unlinked or renamed, or waiting for their last reader
    sk_list spares;          // by the number that each had last
    uint64_t spares_coming;  // being renamed
    bool scarce;             // the disk was full: nothing is kept
    sk_wal_segment *current; // the last of them
    enum sk_wal_preparing preparing;
    sk_wal_segment *next;
    uint64_t next_was; // the spare's number, if it is made of one
    uint64_t next_need; // bytes that the batch waiting for it takes; 0: none waits
    bool full;          // the last try to prepare met a full disk
    uint8_t next_header[SK_WAL_HEADER_SIZE];
    sk_disk_request next_request;
    bool reserve_there, reserve_busy;
    sk_disk_request reserve_request;
    bool folder_dirty, folder_busy;
    sk_disk_request folder_request;
    bool damage_marked, heal_busy; // the mark stands, as far as a power cut may show; its removal is under way
    bool unmarked, unmark_synced;  // removed, and not known to last; the folder's sync under way began behind that
    sk_disk_request heal_request;

    sk_wal_space **spaces; // by id
    size_t space_count, space_capacity;

    sk_list reads;    // sk_wal_read_state
    size_t under_way; // requests with the disk
};

// ---- wal.c ----

// Hands a request to the disk and counts it; `done` begins with sk_wal_came_back.
void sk_wal_submit(sk_wal *wal, sk_disk_request *request, void (*done)(sk_disk_request *), void *owner);
void sk_wal_came_back(sk_wal *wal);
// The sticky failure (I5). Its entrances: a batch's write or sync, the preparation of a segment for any
// reason but a full disk.
void sk_wal_fail(sk_wal *wal, int error);
// Writes the next batch if one is wanted and nothing hinders.
void sk_wal_write_next(sk_wal *wal);

// ---- wal_segment.c ----

sk_wal_segment *sk_wal_segment_new(sk_wal *wal, uint64_t number, uint64_t size);
sk_wal_segment *sk_wal_segment_find(const sk_wal *wal, uint64_t number);
void sk_wal_segment_unpin(sk_wal_segment *segment); // a reader has gone
// True if `next` is ready to take `need` bytes; else sees to it and sk_wal_write_next is called again.
bool sk_wal_prepare(sk_wal *wal, uint64_t need);
void sk_wal_prepare_early(sk_wal *wal);
void sk_wal_roll(sk_wal *wal); // `next` becomes current
// The oldest segment that somebody needs; what is before it may go.
uint64_t sk_wal_oldest_needed(const sk_wal *wal);
void sk_wal_free_segments(sk_wal *wal);
void sk_wal_sync_folder(sk_wal *wal);
// Creates the current segment at start, with its first batch, durably. 0, SK_EIO, SK_ENOSPC.
int sk_wal_start_segment(sk_wal *wal, uint64_t number);
void sk_wal_reserve_at_start(sk_wal *wal);
// At start: spares of an earlier life are kept as far as there is room for them.
void sk_wal_spares_at_start(sk_wal *wal);

// ---- wal_index.c ----

sk_wal_space *sk_wal_space_find(const sk_wal *wal, uint32_t id);
sk_wal_space *sk_wal_space_get(sk_wal *wal, uint32_t id);
void sk_wal_spaces_free(sk_wal *wal);
// Entries [first, last] of the space are in these bytes now, and nothing at `first` or above is anywhere
// else.
void sk_wal_index_run(sk_wal_space *space, const sk_wal_point *run);
void sk_wal_index_state(sk_wal_space *space, const sk_record *record);
// What a batch at [begin, end) of the current segment holds.
void sk_wal_index_batch(sk_wal *wal, const sk_wal_batch *batch, uint64_t begin, uint64_t end);
// The point that holds the position; NULL: none. `index` is its place.
const sk_wal_point *sk_wal_index_find(const sk_wal_space *space, uint64_t position, size_t *index);
// Every space's last state, as records; returns how many.
uint32_t sk_wal_carry(const sk_wal *wal, sk_buffer *out);

// ---- wal_read.c ----

void sk_wal_reads_free(sk_wal *wal);

// ---- wal_recover.c, wal_cut.c ----

int sk_wal_recover(sk_wal *wal, sk_wal_replay *replay, void *context, sk_wal_found *found);

#endif
