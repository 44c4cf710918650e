// Segments: the next one prepared ahead, the roll, freeing old ones, and the reserve.
//
// Preparing: create (blocks allocated), header with sync, folder sync; only then is it used. It begins once the current
// segment has a durable batch and is half full, so that a header proves the segment before it (wal_format.h).
//
// A segment that is freed becomes a spare by another name, and the next to be prepared is made of it: header with sync, rename,
// folder sync. Its old bytes are of another segment and do not parse (D07). Spares and segments together stay within size_max.
//
// When the disk is full at that moment the reserve (a file as big as a segment) is given up, so that snapshots can still be
// written and free old segments; the log goes on in the half that is left. Only when that is used up too do batches wait.
#include "store/wal_private.h"

#include <stdio.h>
#include "base/alloc.h"
#include "base/assert.h"
#include "base/error.h"

static const char reserve_name[] = "wal/reserve";

sk_wal_segment *sk_wal_segment_new(sk_wal *wal, uint64_t number, uint64_t size)
{
    sk_wal_segment *segment = sk_alloc_zeroed(sizeof *segment);
    sk_list_init(&segment->link);
    segment->wal = wal;
    segment->number = number;
    segment->size = size;
    segment->used = SK_WAL_HEADER_SIZE;
    segment->seed = sk_wal_seed(&wal->identity, number);
    return segment;
}

sk_wal_segment *sk_wal_segment_find(const sk_wal *wal, uint64_t number)
{
    for (sk_list *node = wal->segments.previous; node != &wal->segments; node = node->previous) {
        sk_wal_segment *segment = SK_CONTAINER(node, sk_wal_segment, link);
        if (segment->number == number) return segment;
    }
    return NULL;
}

// ---- Preparing ----

static void header_put(sk_wal *wal, const sk_wal_segment *segment)
{
    sk_wal_segment_header header = {
        .boot = wal->identity.boot,
        .segment = segment->number,
        .file_size = segment->size,
        .recycled = segment->recycled};
    sk_wal_segment_header_put(wal->next_header, &wal->identity, &header);
}

static void reserve_done(sk_disk_request *request)
{
    sk_wal *wal = request->owner;
    sk_wal_came_back(wal);
    wal->reserve_busy = false;
    switch (request->op) {
    case SK_DISK_UNLINK:
        wal->folder_dirty = true;
        sk_wal_sync_folder(wal);
        break;
    case SK_DISK_CREATE:
        if (request->result < 0) break; // tried again when the next segment is prepared
        wal->reserve_there = true;
        wal->reserve_busy = true;
        request->op = SK_DISK_CLOSE;
        sk_wal_submit(wal, request, reserve_done, wal);
        break;
    default:
        break;
    }
}

static void reserve_do(sk_wal *wal, enum sk_disk_op op)
{
    if (wal->reserve_busy) return;
    wal->reserve_busy = true;
    wal->reserve_request = (sk_disk_request){.op = op, .size = wal->config.segment_size};
    memcpy(wal->reserve_request.name, reserve_name, sizeof reserve_name);
    sk_wal_submit(wal, &wal->reserve_request, reserve_done, wal);
}

static void drop(sk_wal *wal, sk_wal_segment *segment, bool spare);

static void spares_drop(sk_wal *wal)
{
    while (!sk_list_empty(&wal->spares)) {
        sk_wal_segment *spare = SK_CONTAINER(wal->spares.next, sk_wal_segment, link);
        sk_list_remove(&spare->link);
        wal->stats.spares--;
        drop(wal, spare, true);
    }
}

static void next_drop(sk_wal *wal)
{
    sk_free(wal->next);
    wal->next = NULL;
    wal->preparing = SK_WAL_UNPREPARED;
}

static void on_full_disk(sk_wal *wal)
{
    if (!wal->full)
        sk_log(wal->sink, SK_LOG_WARN,
               "msg=\"disk full: no room for the next log segment\" segment=%llu bytes=%llu",
               (unsigned long long)wal->next->number, (unsigned long long)wal->next->size);
    next_drop(wal);
    wal->full = true;
    wal->scarce = true;
    if (!sk_list_empty(&wal->spares)) { // too small for what was wanted, but room
        spares_drop(wal);
    } else if (wal->reserve_there) {
        wal->reserve_there = false;
        reserve_do(wal, SK_DISK_UNLINK);
    }
}

static void on_prepared(sk_wal *wal)
{
    wal->preparing = SK_WAL_PREPARED;
    if (wal->full) sk_log(wal->sink, SK_LOG_INFO, "msg=\"disk has room again for the log\"");
    wal->full = false;
    if (!wal->next->recycled) wal->scarce = false;
    if (!wal->reserve_there) reserve_do(wal, SK_DISK_CREATE);
    sk_wal_write_next(wal);
}

static void prepare_done(sk_disk_request *request);

static void write_header(sk_wal *wal)
{
    header_put(wal, wal->next);
    wal->stats.bytes_written += SK_WAL_HEADER_SIZE;
    wal->stats.syncs++;
    wal->next_request = (sk_disk_request){.op = SK_DISK_WRITE,
                                          .file = wal->next->file,
                                          .bytes = sk_slice_make(wal->next_header, SK_WAL_HEADER_SIZE),
                                          .sync = true};
    sk_wal_submit(wal, &wal->next_request, prepare_done, wal);
}

static void rename_spare(sk_wal *wal)
{
    wal->next_request = (sk_disk_request){.op = SK_DISK_RENAME};
    sk_wal_spare_name(wal->next_request.name, wal->next_was);
    sk_wal_segment_name(wal->next_request.name_new, "wal", wal->next->number);
    sk_wal_submit(wal, &wal->next_request, prepare_done, wal);
}

static void sync_name(sk_wal *wal)
{
    wal->stats.syncs++;
    wal->next_request = (sk_disk_request){.op = SK_DISK_SYNC_FOLDER, .name = "wal"};
    sk_wal_submit(wal, &wal->next_request, prepare_done, wal);
}

static void prepare_done(sk_disk_request *request)
{
    sk_wal *wal = request->owner;
    sk_wal_came_back(wal);
    SK_ASSERT(wal->preparing == SK_WAL_PREPARING && wal->next != NULL);
    if (request->op == SK_DISK_CREATE && request->result == SK_ENOSPC) {
        on_full_disk(wal);
        return;
    }
    if (request->result < 0) {
        int error = (int)request->result;
        next_drop(wal);
        sk_wal_fail(wal, error);
        return;
    }
    switch (request->op) {
    case SK_DISK_CREATE:
        wal->next->file = request->file;
        write_header(wal);
        break;
    case SK_DISK_WRITE:
        if (wal->next->recycled)
            rename_spare(wal);
        else
            sync_name(wal);
        break;
    case SK_DISK_RENAME:
        sync_name(wal);
        break;
    case SK_DISK_SYNC_FOLDER:
        on_prepared(wal);
        break;
    default:
        SK_UNREACHABLE();
    }
}

static void prepare_start(sk_wal *wal, uint64_t size)
{
    SK_ASSERT(wal->preparing == SK_WAL_UNPREPARED && !wal->next);
    uint64_t number = wal->current->number + 1;
    wal->preparing = SK_WAL_PREPARING;
    if (size == wal->config.segment_size && !sk_list_empty(&wal->spares)) {
        wal->next = SK_CONTAINER(wal->spares.next, sk_wal_segment, link);
        sk_list_remove(&wal->next->link);
        wal->stats.spares--;
        wal->stats.recycled++;
        wal->next_was = wal->next->number;
        wal->next->number = number;
        wal->next->seed = sk_wal_seed(&wal->identity, number);
        wal->next->used = SK_WAL_HEADER_SIZE;
        wal->next->recycled = true;
        write_header(wal);
        return;
    }
    wal->next = sk_wal_segment_new(wal, number, size);
    wal->next_request = (sk_disk_request){.op = SK_DISK_CREATE, .size = size};
    sk_wal_segment_name(wal->next_request.name, "wal", wal->next->number);
    sk_wal_submit(wal, &wal->next_request, prepare_done, wal);
}

void sk_wal_prepare_early(sk_wal *wal)
{
    if (wal->preparing != SK_WAL_UNPREPARED || wal->failed || wal->full || wal->writing) return;
    if (wal->current->used >= wal->current->size / 2) prepare_start(wal, wal->config.segment_size);
}

bool sk_wal_prepare(sk_wal *wal, uint64_t need)
{
    if (wal->preparing == SK_WAL_PREPARING) return false;
    if (wal->preparing == SK_WAL_PREPARED) {
        if (wal->next->size >= need) return true;
        // Too small for this batch: made anew, under the same name, in its size.
        sk_wal_segment *small = wal->next;
        wal->next = NULL;
        wal->preparing = SK_WAL_UNPREPARED;
        small->unlinked = true;
        sk_list_push_back(&wal->going, &small->link);
        sk_wal_segment_unpin(small);
    }
    uint64_t size = (need + 4095) & ~(uint64_t)4095;
    prepare_start(wal, size > wal->config.segment_size ? size : wal->config.segment_size);
    return false;
}

void sk_wal_roll(sk_wal *wal)
{
    SK_ASSERT(wal->preparing == SK_WAL_PREPARED && wal->next->number == wal->current->number + 1);
    wal->current = wal->next;
    wal->next = NULL;
    wal->preparing = SK_WAL_UNPREPARED;
    sk_list_push_back(&wal->segments, &wal->current->link);
    wal->stats.segments++;
    wal->stats.size += wal->current->size;
}

// ---- Freeing ----

static void closed(sk_disk_request *request)
{
    sk_wal_segment *segment = request->owner;
    sk_wal_came_back(segment->wal);
    sk_list_remove(&segment->link);
    sk_free(segment);
}

static void close_if_idle(sk_wal_segment *segment)
{
    if (!segment->unlinked || segment->readers > 0) return;
    segment->request = (sk_disk_request){.op = SK_DISK_CLOSE, .file = segment->file};
    sk_wal_submit(segment->wal, &segment->request, closed, segment);
}

void sk_wal_segment_unpin(sk_wal_segment *segment)
{
    if (segment->readers > 0) segment->readers--;
    close_if_idle(segment);
}

static void folder_done(sk_disk_request *request)
{
    sk_wal *wal = request->owner;
    sk_wal_came_back(wal);
    wal->folder_busy = false;
    if (wal->unmark_synced && request->result >= 0) wal->damage_marked = wal->unmarked = false;
    wal->unmark_synced = false;
    // A failure brings back at worst files that recovery knows to be no part of the log, and the mark, which is taken away again.
    sk_wal_sync_folder(wal);
}

void sk_wal_sync_folder(sk_wal *wal)
{
    if (!wal->folder_dirty || wal->folder_busy) return;
    wal->folder_dirty = false;
    wal->folder_busy = true;
    wal->unmark_synced = wal->unmarked;
    wal->stats.syncs++;
    wal->folder_request = (sk_disk_request){.op = SK_DISK_SYNC_FOLDER, .name = "wal"};
    sk_wal_submit(wal, &wal->folder_request, folder_done, wal);
}

static void unlinked(sk_disk_request *request)
{
    sk_wal_segment *segment = request->owner;
    sk_wal *wal = segment->wal;
    sk_wal_came_back(wal);
    segment->unlinked = true;
    close_if_idle(segment);
    wal->folder_dirty = true;
    sk_wal_sync_folder(wal);
    wal->full = false; // worth another try
    sk_wal_prepare_early(wal);
    sk_wal_write_next(wal);
}

static void drop(sk_wal *wal, sk_wal_segment *segment, bool spare)
{
    sk_list_push_back(&wal->going, &segment->link);
    segment->request = (sk_disk_request){.op = SK_DISK_UNLINK};
    if (spare)
        sk_wal_spare_name(segment->request.name, segment->number);
    else
        sk_wal_segment_name(segment->request.name, "wal", segment->number);
    sk_wal_submit(wal, &segment->request, unlinked, segment);
}

// Room for one more spare? Besides the segments there is one that is being prepared.
static bool spare_wanted(const sk_wal *wal, uint64_t size)
{
    uint64_t files = wal->stats.segments + 1 + wal->stats.spares + wal->spares_coming;
    return !wal->scarce && size == wal->config.segment_size && (files + 1) * size <= wal->config.size_max;
}

static void spared(sk_disk_request *request)
{
    sk_wal_segment *segment = request->owner;
    sk_wal *wal = segment->wal;
    sk_wal_came_back(wal);
    wal->spares_coming--;
    if (request->result < 0) { // it stays under its old name, no part of the log, and goes at the next start
        segment->unlinked = true;
        close_if_idle(segment);
        return;
    }
    sk_list_remove(&segment->link);
    sk_list_push_back(&wal->spares, &segment->link);
    wal->stats.spares++;
    if (wal->scarce) spares_drop(wal);
    sk_wal_prepare_early(wal);
    sk_wal_write_next(wal);
}

// A reader still needs the bytes: then it cannot become another one.
static void keep_spare(sk_wal *wal, sk_wal_segment *segment)
{
    SK_ASSERT(segment->readers == 0);
    wal->spares_coming++;
    sk_list_push_back(&wal->going, &segment->link);
    segment->request = (sk_disk_request){.op = SK_DISK_RENAME};
    sk_wal_segment_name(segment->request.name, "wal", segment->number);
    sk_wal_spare_name(segment->request.name_new, segment->number);
    sk_wal_submit(wal, &segment->request, spared, segment);
}

void sk_wal_room_wanted(sk_wal *wal)
{
    wal->scarce = true;
    spares_drop(wal);
}

void sk_wal_free_segments(sk_wal *wal)
{
    while (!sk_list_empty(&wal->segments)) {
        sk_wal_segment *segment = SK_CONTAINER(wal->segments.next, sk_wal_segment, link);
        if (segment->number >= wal->oldest_durable) break;
        SK_ASSERT(segment != wal->current);
        sk_list_remove(&segment->link);
        wal->stats.segments--;
        wal->stats.size -= segment->size;
        if (segment->readers == 0 && spare_wanted(wal, segment->size))
            keep_spare(wal, segment);
        else
            drop(wal, segment, false);
    }
}

// ---- At start ----

static int run_write(sk_wal *wal, int file, uint64_t offset, const uint8_t *bytes, size_t size)
{
    sk_disk_request request = {.op = SK_DISK_WRITE,
                               .file = file,
                               .offset = offset,
                               .bytes = sk_slice_make(bytes, size),
                               .sync = true};
    wal->stats.bytes_written += size;
    wal->stats.syncs++;
    return (int)sk_disk_run(wal->disk, &request);
}

// The first batch of a segment made at start: the last states that recovery found.
static int write_first_batch(sk_wal *wal, sk_wal_segment *segment, sk_buffer *batch, uint32_t records)
{
    sk_wal_batch_header header = {.size = (uint32_t)batch->size,
                                  .number = wal->number + 1,
                                  .synced = wal->synced,
                                  .oldest = wal->oldest_sealed,
                                  .boot = wal->identity.boot,
                                  .records = records,
                                  .chain = wal->chain};
    sk_wal_batch_seal(batch->data, segment->seed, &header);
    memset(sk_buffer_reserve(batch, 8), 0, 8);
    size_t size = (size_t)sk_wal_aligned(batch->size);
    int error = run_write(wal, segment->file, SK_WAL_HEADER_SIZE, batch->data, size);
    if (error) return error;
    wal->number = wal->synced = header.number;
    wal->chain = header.header;
    segment->used = SK_WAL_HEADER_SIZE + size;
    wal->stats.batches++;
    return 0;
}

int sk_wal_start_segment(sk_wal *wal, uint64_t number)
{
    sk_buffer batch = {0};
    memset(sk_buffer_reserve(&batch, SK_WAL_BATCH_HEADER_SIZE), 0, SK_WAL_BATCH_HEADER_SIZE);
    batch.size = SK_WAL_BATCH_HEADER_SIZE;
    uint32_t records = sk_wal_carry(wal, &batch);
    uint64_t size = wal->config.segment_size;
    uint64_t need = SK_WAL_HEADER_SIZE + sk_wal_aligned(batch.size) + SK_WAL_TAIL;
    if (need > size) size = need;
    sk_wal_segment *segment = sk_wal_segment_new(wal, number, size);
    if (wal->oldest_sealed == 0) wal->oldest_sealed = wal->oldest_durable = number;

    sk_disk_request request = {.op = SK_DISK_CREATE, .size = size};
    sk_wal_segment_name(request.name, "wal", number);
    int error = (int)sk_disk_run(wal->disk, &request);
    if (error) goto err_after_segment;
    segment->file = request.file;
    header_put(wal, segment);
    error = run_write(wal, segment->file, 0, wal->next_header, SK_WAL_HEADER_SIZE);
    if (error) goto err_after_file;
    request = (sk_disk_request){.op = SK_DISK_SYNC_FOLDER, .name = "wal"};
    error = (int)sk_disk_run(wal->disk, &request);
    if (error) goto err_after_file;
    error = write_first_batch(wal, segment, &batch, records);
    if (error) goto err_after_file;
    sk_list_push_back(&wal->segments, &segment->link);
    wal->current = segment;
    wal->stats.segments++;
    wal->stats.size += size;
    sk_buffer_deinit(&batch);
    return 0;

err_after_file:
    request = (sk_disk_request){.op = SK_DISK_CLOSE, .file = segment->file};
    (void)sk_disk_run(wal->disk, &request);
err_after_segment:
    sk_free(segment);
    sk_buffer_deinit(&batch);
    return error;
}

void sk_wal_reserve_at_start(sk_wal *wal)
{
    if (wal->reserve_there) return;
    sk_disk_request request = {.op = SK_DISK_CREATE, .size = wal->config.segment_size};
    memcpy(request.name, reserve_name, sizeof reserve_name);
    if (sk_disk_run(wal->disk, &request) < 0) return; // tried again when the next segment is prepared
    wal->reserve_there = true;
    request.op = SK_DISK_CLOSE;
    (void)sk_disk_run(wal->disk, &request);
}

static void spare_open(sk_wal *wal, uint64_t number)
{
    sk_disk_request request = {.op = SK_DISK_OPEN};
    sk_wal_spare_name(request.name, number);
    bool opened = sk_disk_run(wal->disk, &request) == 0;
    if (opened && spare_wanted(wal, request.size)) {
        sk_wal_segment *spare = sk_wal_segment_new(wal, number, request.size);
        spare->file = request.file;
        sk_list_push_back(&wal->spares, &spare->link);
        wal->stats.spares++;
        return;
    }
    if (opened) {
        request.op = SK_DISK_CLOSE;
        (void)sk_disk_run(wal->disk, &request);
    }
    request = (sk_disk_request){.op = SK_DISK_UNLINK};
    sk_wal_spare_name(request.name, number);
    (void)sk_disk_run(wal->disk, &request);
}

void sk_wal_spares_at_start(sk_wal *wal)
{
    sk_buffer listing = {0};
    sk_disk_request request = {.op = SK_DISK_LIST, .name = "wal", .listing = &listing};
    if (sk_disk_run(wal->disk, &request) < 0) listing.size = 0; // they can wait
    for (size_t at = 0; at < listing.size;) {
        const char *name = (const char *)listing.data + at;
        at += strlen(name) + 1;
        uint64_t number = sk_wal_spare_number(name);
        if (number) spare_open(wal, number);
    }
    sk_buffer_deinit(&listing);
}
