// What recovery does about what it found. Every step may be the last before a crash: doing it all again must be right.
//
//   interior damage   marker durable -> copies and renames into lost/ -> cut -> a new segment that begins with the last states
//   torn tail         cut (zeros over it, synced) -> later files unlinked
//   always            what is kept is synced before anybody acts on it (R21), and what nobody says was synced is written
//                     again first (D01); leftovers are unlinked
#include "store/wal_scan.h"

#include <inttypes.h>
#include <stdio.h>
#include "base/alloc.h"
#include "base/assert.h"
#include "base/error.h"

enum { COPY_PIECE = 1 << 20 };

static int run(sk_wal_scan *scan, sk_disk_request request)
{
    int64_t result = sk_disk_run(scan->wal->disk, &request);
    return result < 0 ? (int)result : 0;
}

static int sync_folder(sk_wal_scan *scan, const char *name)
{
    sk_disk_request request = {.op = SK_DISK_SYNC_FOLDER};
    (void)snprintf(request.name, sizeof request.name, "%s", name);
    return run(scan, request);
}

static void close_file(sk_wal_scan *scan, int file)
{
    (void)run(scan, (sk_disk_request){.op = SK_DISK_CLOSE, .file = file});
}

// ---- Setting aside ----

// An empty file whose being there says something, durably.
static int mark(sk_wal_scan *scan, const char *name, const char *folder)
{
    sk_disk_request request = {.op = SK_DISK_CREATE};
    (void)snprintf(request.name, sizeof request.name, "%s", name);
    int error = (int)sk_disk_run(scan->wal->disk, &request);
    if (error) return error;
    error = run(scan, (sk_disk_request){.op = SK_DISK_SYNC, .file = request.file});
    close_file(scan, request.file);
    return error ? error : sync_folder(scan, folder);
}

static int copy_pieces(sk_wal_scan *scan, const sk_wal_file *file, int to)
{
    uint64_t used = sk_wal_window_used(&scan->window, 0);
    for (uint64_t at = 0; at < used; at += COPY_PIECE) {
        size_t piece = used - at < COPY_PIECE ? (size_t)(used - at) : COPY_PIECE;
        const uint8_t *bytes = sk_wal_window_get(&scan->window, at, piece);
        SK_ASSERT(bytes != NULL);
        int error = run(
            scan, (sk_disk_request){
                      .op = SK_DISK_WRITE, .file = to, .offset = at, .bytes = sk_slice_make(bytes, piece)});
        if (error) return error;
    }
    return run(scan, (sk_disk_request){.op = SK_DISK_SYNC, .file = to});
}

// A copy of the damaged segment, as far as there is room for it: evidence for people, not needed to go on.
static void copy_aside(sk_wal_scan *scan, const sk_wal_file *file)
{
    sk_disk_request request = {.op = SK_DISK_CREATE};
    sk_wal_segment_name(request.name, "lost", file->number);
    int error = (int)sk_disk_run(scan->wal->disk, &request);
    if (!error) {
        sk_wal_window_open(&scan->window, file->file, file->size);
        error = copy_pieces(scan, file, request.file);
        close_file(scan, request.file);
    }
    if (error)
        sk_log(scan->wal->sink, SK_LOG_WARN,
               "msg=\"cannot copy the damaged segment to lost/\" segment=%" PRIx64 " error=%s", file->number,
               sk_error_name(error));
}

static int move_aside(sk_wal_scan *scan, const sk_wal_file *file)
{
    sk_disk_request request = {.op = SK_DISK_RENAME};
    sk_wal_segment_name(request.name, "wal", file->number);
    sk_wal_segment_name(request.name_new, "lost", file->number);
    return run(scan, request);
}

static int set_aside(sk_wal_scan *scan)
{
    int error = mark(scan, "wal/damaged", "wal");
    if (error) return error;
    scan->marked = true;
    error = run(scan, (sk_disk_request){.op = SK_DISK_MAKE_FOLDER, .name = "lost"});
    if (!error) error = sync_folder(scan, "");
    if (error) return error;
    sk_wal_evidence evidence = {0};
    if (scan->end > scan->begin) {
        sk_wal_file *last = &scan->files[scan->end - 1];
        copy_aside(scan, last);
        sk_wal_scan_evidence(scan, last, last->used, true, &evidence);
    }
    for (size_t i = scan->end; i < scan->count; i++)
        sk_wal_scan_evidence(scan, &scan->files[i], SK_WAL_HEADER_SIZE, true, &evidence);
    // From the last to the first, so that what a crash leaves is still damage with its evidence behind it.
    for (size_t i = scan->count; i-- > scan->end;) {
        error = move_aside(scan, &scan->files[i]);
        if (error) return error;
    }
    error = sync_folder(scan, "lost");
    return error ? error : sync_folder(scan, "wal");
}

// The last states found behind the damage count: a term or a vote only ever rises, and forgetting one is
// worse.
static void replay_rescued(sk_wal_scan *scan)
{
    sk_wal *wal = scan->wal;
    for (size_t i = 0; i < wal->space_count; i++) {
        const sk_wal_space *space = wal->spaces[i];
        if (space->has_state && scan->replay) scan->replay(scan->context, space->id, &space->state);
    }
}

// ---- Cutting ----

static int write_zeros(sk_wal_scan *scan, const sk_wal_file *file, uint64_t from, uint64_t to)
{
    uint8_t *zeros = sk_alloc_zeroed(to - from < COPY_PIECE ? (size_t)(to - from) : COPY_PIECE);
    int error = 0;
    for (uint64_t at = from; !error && at < to; at += COPY_PIECE) {
        size_t piece = to - at < COPY_PIECE ? (size_t)(to - at) : COPY_PIECE;
        scan->wal->stats.bytes_written += piece;
        error = run(scan, (sk_disk_request){.op = SK_DISK_WRITE,
                                            .file = file->file,
                                            .offset = at,
                                            .bytes = sk_slice_make(zeros, piece)});
    }
    sk_free(zeros);
    return error ? error : run(scan, (sk_disk_request){.op = SK_DISK_SYNC, .file = file->file});
}

// Where what was written behind `from` ends. In a recycled file there are always bytes; of this segment are those of batches that
// parse, and of one whose header does.
static uint64_t used_behind(sk_wal_scan *scan, sk_wal_file *file, uint64_t from)
{
    if (from > file->size) return from;
    sk_wal_window_open(&scan->window, file->file, file->size);
    if (!file->recycled) return sk_wal_window_used(&scan->window, from);
    uint64_t end = from;
    sk_wal_batch_header header;
    const uint8_t *bytes = sk_wal_window_get(&scan->window, from, SK_WAL_BATCH_HEADER_SIZE);
    if (bytes && sk_wal_batch_header_get(bytes, sk_wal_seed(&scan->wal->identity, file->number), &header)) {
        end += sk_wal_aligned(header.size);
        if (end > file->size) end = file->size;
    }
    sk_wal_evidence evidence = {0};
    sk_wal_scan_evidence(scan, file, from, false, &evidence);
    return evidence.end > end ? evidence.end : end;
}

static int cut_last(sk_wal_scan *scan)
{
    if (scan->end == scan->begin) return 0;
    sk_wal_file *last = &scan->files[scan->end - 1];
    uint64_t used = used_behind(scan, last, last->used);
    if (used == last->used) return 0;
    if (!scan->interior) scan->found->torn_bytes += used - last->used;
    return write_zeros(scan, last, last->used, used);
}

static int unlink_file(sk_wal_scan *scan, const sk_wal_file *file)
{
    sk_disk_request request = {.op = SK_DISK_UNLINK};
    sk_wal_segment_name(request.name, "wal", file->number);
    return run(scan, request);
}

// The same bytes in the same place, then a sync. After a sync that failed the page cache may hold bytes that it counts
// as clean and that never reached the disk; a sync alone would then say yes and save nothing (D01).
static int write_again(sk_wal_scan *scan, const sk_wal_file *file, uint64_t from, uint64_t to)
{
    sk_wal_window_open(&scan->window, file->file, file->size);
    for (uint64_t at = from; at < to; at += COPY_PIECE) {
        size_t piece = to - at < COPY_PIECE ? (size_t)(to - at) : COPY_PIECE;
        const uint8_t *bytes = sk_wal_window_get(&scan->window, at, piece);
        SK_ASSERT(bytes != NULL);
        scan->wal->stats.bytes_written += piece;
        int error = run(scan, (sk_disk_request){.op = SK_DISK_WRITE,
                                                .file = file->file,
                                                .offset = at,
                                                .bytes = sk_slice_make(bytes, piece)});
        if (error) return error;
    }
    return run(scan, (sk_disk_request){.op = SK_DISK_SYNC, .file = file->file});
}

// Where the batches begin of which nothing says that they were synced; `used` if there are none.
static uint64_t doubtful_from(sk_wal_scan *scan, const sk_wal_file *file)
{
    if (file->number_last <= scan->synced_max) return file->used;
    uint32_t seed = sk_wal_seed(&scan->wal->identity, file->number);
    uint64_t at = SK_WAL_HEADER_SIZE;
    sk_wal_window_open(&scan->window, file->file, file->size);
    while (at < file->used) {
        sk_wal_batch_header header;
        if (!sk_wal_scan_batch(&scan->window, seed, at, &header) || header.number > scan->synced_max) break;
        at += sk_wal_aligned(header.size);
    }
    return at == SK_WAL_HEADER_SIZE ? 0 : at; // nobody vouches for the segment's header either
}

// A segment prepared and never used goes on being the next one; anything else behind the end is a torn
// beginning.
static int keep_or_unlink_next(sk_wal_scan *scan)
{
    sk_wal *wal = scan->wal;
    for (size_t i = scan->end; i < scan->count; i++) {
        sk_wal_file *file = &scan->files[i];
        uint64_t used = used_behind(scan, file, SK_WAL_HEADER_SIZE);
        bool prepared = file->whole && used == SK_WAL_HEADER_SIZE && file->size >= wal->config.segment_size &&
                        scan->end > scan->begin && file->number == scan->files[scan->end - 1].number + 1;
        int error;
        if (prepared) {
            error = write_again(scan, file, 0, SK_WAL_HEADER_SIZE);
            wal->next = sk_wal_segment_new(wal, file->number, file->size);
            wal->next->recycled = file->recycled;
            wal->next->file = file->file;
            wal->preparing = SK_WAL_PREPARED;
            file->file = 0;
        } else {
            if (used > SK_WAL_HEADER_SIZE) scan->found->torn_bytes += used - SK_WAL_HEADER_SIZE;
            error = unlink_file(scan, file);
        }
        if (error) return error;
    }
    return 0;
}

// ---- Keeping ----

static int keep(sk_wal_scan *scan, sk_wal_file *file)
{
    sk_wal *wal = scan->wal;
    uint64_t doubtful = doubtful_from(scan, file);
    int error = write_again(scan, file, doubtful < file->used ? doubtful : file->used, file->used);
    if (error) return error;
    sk_wal_segment *segment = sk_wal_segment_new(wal, file->number, file->size);
    segment->used = file->used;
    segment->recycled = file->recycled;
    // A file cut at an odd place takes no more batches.
    if (segment->used != sk_wal_aligned(segment->used)) segment->used = segment->size;
    segment->file = file->file;
    file->file = 0;
    sk_list_push_back(&wal->segments, &segment->link);
    wal->current = segment;
    wal->stats.segments++;
    wal->stats.size += segment->size;
    return 0;
}

static int begin_anew(sk_wal_scan *scan)
{
    sk_wal *wal = scan->wal;
    uint64_t number = wal->current ? wal->current->number + 1 : 1;
    if (!wal->current) {
        // Beyond every number ever seen, so that nothing old can be taken for a part of the new log.
        if (scan->count > 0) number = scan->files[scan->count - 1].number + 1;
        if (wal->oldest_sealed >= number) number = wal->oldest_sealed + 1;
        if (!scan->interior) number = 1;
        wal->oldest_sealed = wal->oldest_durable = number;
    }
    int error = sk_wal_start_segment(wal, number);
    // After damage a full disk is no reason not to start: the log goes on behind the cut.
    return error == SK_ENOSPC && wal->current ? 0 : error;
}

int sk_wal_cut(sk_wal_scan *scan)
{
    int error = 0;
    if (scan->interior) {
        error = set_aside(scan);
        if (!error) replay_rescued(scan);
    }
    if (!error) error = cut_last(scan);
    if (!error && !scan->interior) error = keep_or_unlink_next(scan);
    for (size_t i = scan->begin; !error && i < scan->end; i++) error = keep(scan, &scan->files[i]);
    for (size_t i = 0; !error && i < scan->begin; i++) error = unlink_file(scan, &scan->files[i]);
    if (!error) error = sync_folder(scan, "wal");
    if (!error && (scan->interior || !scan->wal->current)) error = begin_anew(scan);
    if (!error && !scan->began) error = mark(scan, "began", "");
    scan->wal->damage_marked = scan->marked;
    return error;
}
