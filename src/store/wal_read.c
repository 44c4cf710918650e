// Entries read back: one read of neighbouring bytes, every batch in them verified again.
#include "store/wal_private.h"

#include "base/alloc.h"
#include "base/assert.h"
#include "base/error.h"

typedef struct sk_wal_read_state {
    sk_list link;
    sk_wal *wal;
    sk_wal_read *read;
    sk_wal_segment *segment;
    uint32_t seed;
    uint64_t to; // the last position that these bytes answer for
    int error;   // known before the disk was asked
    sk_disk_request request;
    uint8_t *bytes;
    size_t capacity;
} sk_wal_read_state;

static void state_free(sk_wal_read_state *state)
{
    sk_list_remove(&state->link);
    sk_free(state->bytes);
    sk_free(state);
}

void sk_wal_reads_free(sk_wal *wal)
{
    while (!sk_list_empty(&wal->reads)) state_free(SK_CONTAINER(wal->reads.next, sk_wal_read_state, link));
}

static void entry_add(sk_wal_read *read, const sk_record *record)
{
    if ((read->count & (read->count - 1)) == 0)
        read->list = sk_realloc(read->list, (read->count ? read->count * 2 : 1) * sizeof *read->list);
    read->list[read->count++] = *record;
}

// A later run of positions replaces an older one from its first position on.
static void void_from(sk_wal_read *read, uint64_t position)
{
    while (read->count > 0 && read->list[read->count - 1].position >= position) read->count--;
}

static void take_records(sk_wal_read_state *state, const sk_wal_batch_header *header, sk_slice records)
{
    sk_wal_read *read = state->read;
    for (uint32_t i = 0; i < header->records; i++) {
        uint32_t space;
        sk_record record;
        bool parsed = sk_wal_record_take(&records, &space, &record);
        SK_ASSERT(parsed);
        if (space != read->space || record.kind == SK_RECORD_STATE) continue;
        void_from(read, record.position);
        bool wanted = record.position >= read->from && record.position <= state->to;
        if (record.kind == SK_RECORD_ENTRY && wanted) entry_add(read, &record);
    }
}

static int take_batches(sk_wal_read_state *state, size_t size)
{
    size_t at = 0;
    while (at < size) {
        sk_wal_batch_header header;
        if (size - at < SK_WAL_BATCH_HEADER_SIZE) return SK_ECORRUPT;
        if (!sk_wal_batch_header_get(state->bytes + at, state->seed, &header)) return SK_ECORRUPT;
        if (header.size > size - at) return SK_ECORRUPT;
        sk_slice records = sk_slice_make(state->bytes + at + SK_WAL_BATCH_HEADER_SIZE,
                                         header.size - SK_WAL_BATCH_HEADER_SIZE);
        if (!sk_wal_batch_body_valid(&header, state->seed, records)) return SK_ECORRUPT;
        take_records(state, &header, records);
        at += (size_t)sk_wal_aligned(header.size);
    }
    return 0;
}

// What is handed out begins at `from`, has no gap, and is about bytes_max long.
static int settle(sk_wal_read *read)
{
    size_t bytes = 0, count = 0;
    while (count < read->count && read->list[count].position == read->from + count) {
        bytes += read->list[count].payload.size;
        if (count > 0 && bytes > read->bytes_max) break;
        count++;
    }
    read->count = count;
    return count > 0 ? 0 : SK_ECORRUPT;
}

static void read_done(sk_disk_request *request)
{
    sk_wal_read_state *state = request->owner;
    sk_wal *wal = state->wal;
    sk_wal_read *read = state->read;
    sk_wal_came_back(wal);
    int error = state->error;
    if (!error && request->result < 0) error = request->result == SK_ECORRUPT ? SK_ECORRUPT : SK_EIO;
    if (!error) error = take_batches(state, (size_t)request->result);
    if (!error) error = settle(read);
    if (error) read->count = 0;
    read->error = error;
    read->state = NULL;
    sk_wal_segment_unpin(state->segment);
    sk_record *list = read->list;
    read->done(read); // `read` may be gone after this
    sk_free(list);
    state_free(state);
}

// As many neighbouring points of one segment as bytes_max allows, from the one that holds `from`.
static void choose_bytes(sk_wal_read_state *state, const sk_wal_space *space, size_t index,
                         const sk_wal_point *point)
{
    const sk_wal_read *read = state->read;
    uint64_t begin = point->begin, end = point->end, limit = begin + read->bytes_max, last = point->last;
    while (last < read->to && ++index < space->points.count) {
        const sk_wal_point *more = sk_ring_at(&space->points, index);
        if (more->segment != point->segment || more->first != last + 1 || more->end > limit) break;
        last = more->last;
        if (more->end > end) end = more->end;
    }
    state->to = last < read->to ? last : read->to;
    state->capacity = (size_t)(end - begin);
    state->bytes = sk_alloc(state->capacity);
    state->request.offset = begin;
    state->request.into = state->bytes;
    state->request.into_size = state->capacity;
}

void sk_wal_read_start(sk_wal *wal, sk_wal_read *read)
{
    SK_ASSERT(read->from > 0 && read->from <= read->to && read->done != NULL);
    sk_wal_read_state *state = sk_alloc_zeroed(sizeof *state);
    sk_list_push_back(&wal->reads, &state->link);
    state->wal = wal;
    state->read = read;
    read->error = 0;
    read->list = NULL;
    read->count = 0;
    read->state = state;
    const sk_wal_space *space = sk_wal_space_find(wal, read->space);
    size_t index = 0;
    const sk_wal_point *point = space ? sk_wal_index_find(space, read->from, &index) : NULL;
    // A read that cannot be answered asks the disk for nothing: so `done` never comes from inside this call.
    state->error = point ? 0 : SK_ECOMPACTED;
    state->segment = point ? sk_wal_segment_find(wal, point->segment) : wal->current;
    SK_ASSERT(state->segment != NULL);
    state->segment->readers++;
    state->seed = state->segment->seed;
    state->request = (sk_disk_request){.op = SK_DISK_READ, .file = state->segment->file};
    if (point) choose_bytes(state, space, index, point);
    sk_wal_submit(wal, &state->request, read_done, state);
}
