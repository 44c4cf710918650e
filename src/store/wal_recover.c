#include "store/wal_scan.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include "base/alloc.h"
#include "base/assert.h"
#include "base/error.h"

enum { READ_AHEAD = 1 << 20, READ_PIECE = 4096 };

// ---- The window ----

void sk_wal_window_open(sk_wal_window *window, int file, uint64_t size)
{
    window->file = file;
    window->size = size;
    window->at = 0;
    window->unreadable = false;
    sk_buffer_clear(&window->bytes);
}

static int64_t read_at(sk_wal_window *window, uint64_t offset, uint8_t *into, size_t size)
{
    sk_disk_request request = {
        .op = SK_DISK_READ, .file = window->file, .offset = offset, .into = into, .into_size = size};
    return sk_disk_run(window->disk, &request);
}

// What cannot be read in one go is read twice, then in pieces that end where sectors do; one that cannot be read is zeros.
static void load(sk_wal_window *window, uint64_t offset, size_t size)
{
    sk_buffer_clear(&window->bytes);
    uint8_t *into = sk_buffer_reserve(&window->bytes, size);
    window->at = offset;
    window->bytes.size = size;
    for (int attempt = 0; attempt < 2; attempt++) {
        int64_t got = read_at(window, offset, into, size);
        if (got < 0) continue;
        memset(into + got, 0, size - (size_t)got);
        return;
    }
    for (size_t done = 0, piece; done < size; done += piece) {
        piece = READ_PIECE - (size_t)((offset + done) % READ_PIECE);
        if (piece > size - done) piece = size - done;
        int64_t got = read_at(window, offset + done, into + done, piece);
        if (got < 0) window->unreadable = true;
        memset(into + done + (got < 0 ? 0 : got), 0, piece - (size_t)(got < 0 ? 0 : got));
    }
}

const uint8_t *sk_wal_window_get(sk_wal_window *window, uint64_t offset, size_t size)
{
    if (offset > window->size || size > window->size - offset) return NULL;
    if (offset < window->at || offset + size > window->at + window->bytes.size) {
        uint64_t left = window->size - offset;
        size_t want = size > READ_AHEAD ? size : READ_AHEAD;
        load(window, offset, want < left ? want : (size_t)left);
    }
    return window->bytes.data + (offset - window->at);
}

uint64_t sk_wal_window_used(sk_wal_window *window, uint64_t from)
{
    uint64_t used = from;
    for (uint64_t at = from; at < window->size; at += READ_PIECE) {
        size_t piece = window->size - at < READ_PIECE ? (size_t)(window->size - at) : READ_PIECE;
        const uint8_t *bytes = sk_wal_window_get(window, at, piece);
        while (piece > 0 && bytes[piece - 1] == 0) piece--;
        if (piece > 0) used = at + piece;
    }
    return used;
}

// ---- Batches ----

const uint8_t *sk_wal_scan_batch(sk_wal_window *window, uint32_t seed, uint64_t offset,
                                 sk_wal_batch_header *out)
{
    const uint8_t *bytes = sk_wal_window_get(window, offset, SK_WAL_BATCH_HEADER_SIZE);
    if (!bytes || !sk_wal_batch_header_get(bytes, seed, out)) return NULL;
    bytes = sk_wal_window_get(window, offset, out->size);
    if (!bytes) return NULL;
    const uint8_t *records = bytes + SK_WAL_BATCH_HEADER_SIZE;
    sk_slice body = sk_slice_make(records, out->size - SK_WAL_BATCH_HEADER_SIZE);
    return sk_wal_batch_body_valid(out, seed, body) ? records : NULL;
}

// The next place, from `offset` on, where a batch could begin; the end of the file if there is none. Most of what is looked
// through is zeros.
static uint64_t next_magic(sk_wal_window *window, uint64_t offset)
{
    static const uint8_t magic[4] = {'S', 'K', 'W', 'B'};
    while (offset + SK_WAL_BATCH_HEADER_SIZE <= window->size) {
        uint64_t left = window->size - offset;
        size_t piece = left < READ_PIECE ? (size_t)left : READ_PIECE;
        const uint8_t *bytes = sk_wal_window_get(window, offset, piece);
        for (size_t i = 0; i + sizeof magic <= piece; i += 8)
            if (memcmp(bytes + i, magic, sizeof magic) == 0) return offset + i;
        offset += sk_wal_aligned(piece);
    }
    return window->size;
}

static void rescue_states(sk_wal *wal, const sk_wal_batch_header *header, const uint8_t *records)
{
    sk_slice rest = sk_slice_make(records, header->size - SK_WAL_BATCH_HEADER_SIZE);
    uint32_t space;
    sk_record record;
    while (sk_wal_record_take(&rest, &space, &record))
        if (record.kind == SK_RECORD_STATE) sk_wal_index_state(sk_wal_space_get(wal, space), &record);
}

void sk_wal_scan_evidence(sk_wal_scan *scan, sk_wal_file *file, uint64_t offset, bool rescue,
                          sk_wal_evidence *out)
{
    uint32_t seed = sk_wal_seed(&scan->wal->identity, file->number);
    sk_wal_window *window = &scan->window;
    sk_wal_window_open(window, file->file, file->size);
    for (offset = next_magic(window, sk_wal_aligned(offset)); offset + SK_WAL_BATCH_HEADER_SIZE <= file->size;
         offset = next_magic(window, offset)) {
        sk_wal_batch_header header;
        const uint8_t *records = sk_wal_scan_batch(window, seed, offset, &header);
        if (!records) {
            offset += 8;
            continue;
        }
        out->any = true;
        if (header.number == scan->wal->number + 1) out->next = true;
        if (header.number > out->number_max) out->number_max = header.number;
        if (header.synced > out->synced_max) out->synced_max = header.synced;
        if (header.oldest > out->oldest_max) out->oldest_max = header.oldest;
        if (header.boot > scan->found->boot_max) scan->found->boot_max = header.boot;
        if (rescue) rescue_states(scan->wal, &header, records);
        offset += sk_wal_aligned(header.size);
        out->end = offset < file->size ? offset : file->size;
    }
    file->unreadable |= window->unreadable;
}

static void note_record(sk_wal_scan *scan, const sk_wal_file *file, uint64_t begin, uint64_t end, uint32_t id,
                        const sk_record *record)
{
    sk_wal_space *space = sk_wal_space_get(scan->wal, id);
    sk_wal_point run = {.segment = file->number, .begin = begin, .end = end};
    switch (record->kind) {
    case SK_RECORD_ENTRY:
        run.first = run.last = record->position;
        if (record->position > 0) sk_wal_index_run(space, &run);
        break;
    case SK_RECORD_TRUNCATE:
        run.first = record->position;
        run.last = record->position - 1;
        if (record->position > 0) sk_wal_index_run(space, &run);
        break;
    case SK_RECORD_STATE:
        sk_wal_index_state(space, record);
        break;
    }
    scan->found->records++;
    if (scan->replay) scan->replay(scan->context, id, record);
}

// Takes the batch at the offset if it is the one that has to follow. Its end, or 0.
static uint64_t accept(sk_wal_scan *scan, sk_wal_file *file, uint64_t offset)
{
    sk_wal *wal = scan->wal;
    sk_wal_batch_header header;
    const uint8_t *records =
        sk_wal_scan_batch(&scan->window, sk_wal_seed(&wal->identity, file->number), offset, &header);
    if (!records) return 0;
    if (!scan->first_batch && (header.number != wal->number + 1 || header.chain != wal->chain)) return 0;
    scan->first_batch = false;
    wal->number = header.number;
    wal->chain = header.header;
    if (header.oldest > wal->oldest_sealed) wal->oldest_sealed = header.oldest;
    if (header.boot > scan->found->boot_max) scan->found->boot_max = header.boot;
    if (header.synced > scan->synced_max) scan->synced_max = header.synced;
    file->number_last = header.number;
    uint64_t end = offset + sk_wal_aligned(header.size);
    if (end > file->size) end = file->size; // only padding is missing: the file was cut there
    sk_slice rest = sk_slice_make(records, header.size - SK_WAL_BATCH_HEADER_SIZE);
    for (uint32_t i = 0; i < header.records; i++) {
        uint32_t space;
        sk_record record;
        bool parsed = sk_wal_record_take(&rest, &space, &record);
        SK_ASSERT(parsed);
        note_record(scan, file, offset, end, space, &record);
    }
    file->accepted++;
    return end;
}

static void walk_segment(sk_wal_scan *scan, sk_wal_file *file)
{
    sk_wal_window_open(&scan->window, file->file, file->size);
    file->used = SK_WAL_HEADER_SIZE;
    for (;;) {
        uint64_t end = accept(scan, file, file->used);
        if (end == 0) break;
        file->used = end;
    }
    file->unreadable |= scan->window.unreadable;
}

// ---- The directory ----

static int by_number(const void *a, const void *b)
{
    uint64_t x = ((const sk_wal_file *)a)->number, y = ((const sk_wal_file *)b)->number;
    return x < y ? -1 : x > y;
}

static int list_files(sk_wal_scan *scan)
{
    sk_wal *wal = scan->wal;
    sk_buffer listing = {0};
    sk_disk_request request = {.op = SK_DISK_LIST, .name = "wal", .listing = &listing};
    int error = (int)sk_disk_run(wal->disk, &request);
    size_t capacity = 0;
    for (size_t at = 0; !error && at < listing.size;) {
        const char *name = (const char *)listing.data + at;
        at += strlen(name) + 1;
        uint64_t number = sk_wal_segment_number(name);
        if (strcmp(name, "damaged") == 0) scan->marked = true;
        if (strcmp(name, "reserve") == 0) wal->reserve_there = true;
        if (number == 0) continue;
        if (scan->count == capacity) {
            capacity = capacity ? capacity * 2 : 16;
            scan->files = sk_realloc(scan->files, capacity * sizeof *scan->files);
        }
        scan->files[scan->count++] = (sk_wal_file){.number = number};
    }
    sk_buffer_deinit(&listing);
    if (scan->count > 1) qsort(scan->files, scan->count, sizeof *scan->files, by_number);
    return error;
}

// Opens every file and looks at its header. An error only for what must not be touched: SK_EFOREIGN,
// SK_EVERSION, SK_EIO.
static int open_files(sk_wal_scan *scan)
{
    sk_wal *wal = scan->wal;
    for (size_t i = 0; i < scan->count; i++) {
        sk_wal_file *file = &scan->files[i];
        sk_disk_request request = {.op = SK_DISK_OPEN};
        sk_wal_segment_name(request.name, "wal", file->number);
        int error = (int)sk_disk_run(wal->disk, &request);
        if (error) return error;
        file->file = request.file;
        file->size = request.size;
        sk_wal_window_open(&scan->window, file->file, file->size);
        const uint8_t *bytes = sk_wal_window_get(&scan->window, 0, SK_WAL_HEADER_SIZE);
        file->unreadable = scan->window.unreadable;
        if (!bytes) continue;
        sk_wal_segment_header header;
        error = sk_wal_segment_header_get(bytes, &wal->identity, &header);
        if (error == SK_EFOREIGN || error == SK_EVERSION) return error;
        if (error) continue;
        file->whole = header.segment == file->number;
        file->recycled = header.recycled;
        file->misplaced = !file->whole;
        if (header.boot > scan->found->boot_max) scan->found->boot_max = header.boot;
    }
    return 0;
}

// Which segments still belong to the log is said by its newest valid batches.
static uint64_t find_oldest(sk_wal_scan *scan, uint64_t *number_max)
{
    sk_wal_evidence evidence = {0};
    for (size_t i = scan->count; i-- > 0 && !evidence.any;)
        sk_wal_scan_evidence(scan, &scan->files[i], SK_WAL_HEADER_SIZE, false, &evidence);
    *number_max = evidence.number_max;
    return evidence.oldest_max;
}

// ---- The walk and the verdict ----

static void walk(sk_wal_scan *scan)
{
    for (scan->end = scan->begin; scan->end < scan->count; scan->end++) {
        sk_wal_file *file = &scan->files[scan->end];
        if (!file->whole) break;
        if (scan->end > scan->begin && file->number != scan->files[scan->end - 1].number + 1) break;
        walk_segment(scan, file);
        if (file->accepted == 0) break;
    }
}

static bool was_durable(sk_wal_scan *scan, uint64_t oldest)
{
    bool accepted = scan->end > scan->begin;
    uint64_t number = 0; // of the segment before the first with nothing accepted
    sk_wal_evidence evidence = {0};
    if (accepted) {
        sk_wal_file *last = &scan->files[scan->end - 1];
        number = last->number;
        sk_wal_scan_evidence(scan, last, last->used, false, &evidence);
        if (last->unreadable) return true; // E4
    } else if (oldest != 0 || scan->began) {
        return true; // E6; or there are batches, and the one that all begin with is not among them
    }
    for (size_t i = scan->end; i < scan->count; i++) {
        sk_wal_file *file = &scan->files[i];
        sk_wal_scan_evidence(scan, file, SK_WAL_HEADER_SIZE, false, &evidence);
        if (file->misplaced || file->unreadable) return true; // E3, E4
        if (file->number != ++number) return true;            // E5
        if (file->whole && i > scan->end) return true;        // E2
    }
    return evidence.next || evidence.synced_max > scan->wal->number; // E7, E1
}

static void describe(sk_wal_scan *scan)
{
    sk_wal_found *found = scan->found;
    if (scan->interior) {
        (void)snprintf(found->what, sizeof found->what,
                       "the log is damaged behind byte %" PRIu64 " of segment %" PRIx64
                       "; set aside under lost/",
                       scan->stop, scan->stop_segment);
    } else if (scan->marked) {
        (void)snprintf(found->what, sizeof found->what,
                       "an earlier start found the log damaged; not refilled yet");
    } else if (found->torn_bytes > 0) {
        (void)snprintf(found->what, sizeof found->what, "cut a torn tail of %" PRIu64 " bytes",
                       found->torn_bytes);
    }
    found->damaged = scan->interior || scan->marked;
    if (found->what[0])
        sk_log(scan->wal->sink, found->damaged ? SK_LOG_ERROR : SK_LOG_INFO, "msg=\"%s\"", found->what);
}

static int find_began(sk_wal_scan *scan)
{
    sk_disk_request request = {.op = SK_DISK_OPEN, .name = "began"};
    int error = (int)sk_disk_run(scan->wal->disk, &request);
    if (error == SK_ENOENT) return 0;
    if (error) return error;
    scan->began = true;
    request.op = SK_DISK_CLOSE;
    (void)sk_disk_run(scan->wal->disk, &request);
    return 0;
}

static int recover(sk_wal_scan *scan)
{
    sk_wal *wal = scan->wal;
    sk_disk_request request = {.op = SK_DISK_MAKE_FOLDER, .name = "wal"};
    int error = (int)sk_disk_run(wal->disk, &request);
    if (error) return error;
    request = (sk_disk_request){.op = SK_DISK_SYNC_FOLDER};
    error = (int)sk_disk_run(wal->disk, &request);
    if (!error) error = find_began(scan);
    if (!error) error = list_files(scan);
    if (!error) error = open_files(scan);
    if (error) return error;
    uint64_t number_max;
    uint64_t oldest = find_oldest(scan, &number_max);
    while (scan->begin < scan->count && scan->files[scan->begin].number < oldest) scan->begin++;
    scan->first_batch = true;
    // A log that should begin with another segment than is there begins with damage: nothing of it is in
    // order.
    bool headless = oldest != 0 && (scan->begin == scan->count || scan->files[scan->begin].number != oldest);
    scan->end = scan->begin;
    if (!headless) walk(scan);
    scan->interior = headless || was_durable(scan, oldest);
    if (scan->end > scan->begin) {
        scan->stop_segment = scan->files[scan->end - 1].number;
        scan->stop = scan->files[scan->end - 1].used;
    } else {
        wal->number = number_max;
    }
    wal->synced = wal->number;
    if (oldest > wal->oldest_sealed) wal->oldest_sealed = oldest;
    wal->oldest_durable = wal->oldest_sealed;
    error = sk_wal_cut(scan);
    if (!error) describe(scan);
    return error;
}

int sk_wal_recover(sk_wal *wal, sk_wal_replay *replay, void *context, sk_wal_found *found)
{
    sk_wal_scan scan = {.wal = wal, .replay = replay, .context = context, .found = found};
    scan.window.disk = wal->disk;
    int error = recover(&scan);
    for (size_t i = 0; i < scan.count; i++) {
        if (scan.files[i].file == 0) continue;
        sk_disk_request request = {.op = SK_DISK_CLOSE, .file = scan.files[i].file};
        (void)sk_disk_run(wal->disk, &request);
    }
    sk_free(scan.files);
    sk_buffer_deinit(&scan.window.bytes);
    return error;
}
