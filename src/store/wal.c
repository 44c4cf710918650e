// Open and close, append, and the writing of batches.
#include "store/wal_private.h"

#include "base/alloc.h"
#include "base/assert.h"
#include "base/error.h"

// ---- Requests ----

void sk_wal_submit(sk_wal *wal, sk_disk_request *request, void (*done)(sk_disk_request *), void *owner)
{
    request->done = done;
    request->owner = owner;
    wal->under_way++;
    sk_disk_submit(wal->disk, request);
}

void sk_wal_came_back(sk_wal *wal)
{
    SK_ASSERT(wal->under_way > 0);
    wal->under_way--;
}

// ---- Batches ----

static sk_wal_batch *batch_take(sk_wal *wal)
{
    sk_wal_batch *batch;
    if (sk_list_empty(&wal->pool)) {
        batch = sk_alloc_zeroed(sizeof *batch);
    } else {
        batch = SK_CONTAINER(wal->pool.next, sk_wal_batch, link);
        sk_list_remove(&batch->link);
        wal->pool_count--;
    }
    sk_buffer_reserve(&batch->bytes, SK_WAL_BATCH_HEADER_SIZE);
    batch->bytes.size = SK_WAL_BATCH_HEADER_SIZE;
    batch->records = 0;
    batch->serial = ++wal->serial;
    batch->run_count = batch->state_count = 0;
    return batch;
}

static void batch_free(sk_wal_batch *batch)
{
    sk_buffer_deinit(&batch->bytes);
    sk_free(batch->runs);
    sk_free(batch->states);
    sk_free(batch);
}

static void batch_give_back(sk_wal *wal, sk_wal_batch *batch)
{
    if (wal->pool_count >= SK_WAL_POOL) {
        batch_free(batch);
        return;
    }
    sk_buffer_reset(&batch->bytes, SK_WAL_BUFFER_KEEP);
    sk_list_push_front(&wal->pool, &batch->link);
    wal->pool_count++;
}

static void batches_drop(sk_wal *wal, sk_list *list)
{
    while (!sk_list_empty(list)) {
        sk_wal_batch *batch = SK_CONTAINER(list->next, sk_wal_batch, link);
        sk_list_remove(&batch->link);
        batch_free(batch);
    }
}

// ---- Failure ----

void sk_wal_fail(sk_wal *wal, int error)
{
    SK_ASSERT(error < 0);
    if (wal->failed) return;
    wal->failed = error;
    batches_drop(wal, &wal->pending);
    sk_log(wal->sink, SK_LOG_ERROR,
           "msg=\"the log cannot be written any more\" error=%s durable=%llu appended=%llu",
           sk_error_name(error), (unsigned long long)wal->durable, (unsigned long long)wal->appended);
    wal->owner->failed(wal->owner, error);
}

// ---- Append ----

// A batch is closed at the target, and well before it would not fit into a segment with others.
static uint64_t batch_size_max(const sk_wal *wal)
{
    uint64_t half = wal->config.segment_size / 2;
    return half < SK_WAL_BATCH_TARGET ? half : SK_WAL_BATCH_TARGET;
}

static sk_wal_batch *batch_open(sk_wal *wal, size_t more)
{
    if (!sk_list_empty(&wal->pending)) {
        sk_wal_batch *last = SK_CONTAINER(wal->pending.previous, sk_wal_batch, link);
        if (last->records == 0 || last->bytes.size + more <= batch_size_max(wal)) return last;
    }
    sk_wal_batch *batch = batch_take(wal);
    sk_list_push_back(&wal->pending, &batch->link);
    return batch;
}

static sk_wal_run *run_add(sk_wal_batch *batch, uint32_t space, uint64_t first, uint64_t last)
{
    if (batch->run_count == batch->run_capacity) {
        batch->run_capacity = batch->run_capacity ? batch->run_capacity * 2 : 8;
        batch->runs = sk_realloc(batch->runs, batch->run_capacity * sizeof *batch->runs);
    }
    sk_wal_run *run = &batch->runs[batch->run_count++];
    *run = (sk_wal_run){.space = space, .first = first, .last = last};
    return run;
}

static void note_entry(sk_wal *wal, sk_wal_batch *batch, uint32_t id, uint64_t position)
{
    sk_wal_space *space = sk_wal_space_get(wal, id);
    if (space->run_serial == batch->serial) {
        sk_wal_run *run = &batch->runs[space->run];
        SK_ASSERT(run->space == id);
        if (!run->void_run && run->last + 1 == position && run->last >= run->first) {
            run->last = position;
            return;
        }
    }
    space->run_serial = batch->serial;
    space->run = batch->run_count;
    run_add(batch, id, position, position);
}

static void note_truncate(sk_wal *wal, sk_wal_batch *batch, uint32_t id, uint64_t position)
{
    sk_wal_space_get(wal, id)->run_serial = 0;
    run_add(batch, id, position, position - 1);
}

static void note_state(sk_wal_batch *batch, size_t offset)
{
    if (batch->state_count == batch->state_capacity) {
        batch->state_capacity = batch->state_capacity ? batch->state_capacity * 2 : 4;
        batch->states = sk_realloc(batch->states, batch->state_capacity * sizeof *batch->states);
    }
    batch->states[batch->state_count++] = offset;
}

uint64_t sk_wal_append(sk_wal *wal, uint32_t space, const sk_record *record)
{
    uint64_t sequence = ++wal->appended;
    if (wal->failed) return sequence;
    SK_ASSERT(record->payload.size < SK_WAL_BATCH_SIZE_MAX - 1024);
    sk_wal_batch *batch = batch_open(wal, record->payload.size + 64);
    size_t offset = batch->bytes.size;
    sk_wal_record_put(&batch->bytes, space, record);
    wal->waiting += batch->bytes.size - offset;
    batch->records++;
    batch->sequence = sequence;
    switch (record->kind) {
    case SK_RECORD_ENTRY:
        SK_ASSERT(record->position > 0);
        note_entry(wal, batch, space, record->position);
        break;
    case SK_RECORD_STATE:
        note_state(batch, offset);
        break;
    case SK_RECORD_TRUNCATE:
        SK_ASSERT(record->position > 0);
        note_truncate(wal, batch, space, record->position);
        break;
    }
    wal->stats.records++;
    return sequence;
}

void sk_wal_flush(sk_wal *wal)
{
    wal->flush_wanted = wal->appended;
    sk_wal_write_next(wal);
}

uint64_t sk_wal_durable(const sk_wal *wal)
{
    return wal->durable;
}

bool sk_wal_is_behind(const sk_wal *wal)
{
    return wal->waiting > wal->config.size_max / 4;
}

// ---- Writing ----

static void seal(sk_wal *wal, uint8_t *bytes, uint64_t size, uint32_t records, uint64_t oldest)
{
    SK_ASSERT(size <= SK_WAL_BATCH_SIZE_MAX);
    sk_wal_batch_header header = {.size = (uint32_t)size,
                                  .number = ++wal->number,
                                  .synced = wal->synced,
                                  .oldest = oldest,
                                  .boot = wal->identity.boot,
                                  .records = records,
                                  .chain = wal->chain};
    sk_wal_batch_seal(bytes, wal->current->seed, &header);
    wal->chain = header.header;
    wal->stats.batches++;
}

static void write_done(sk_disk_request *request)
{
    sk_wal *wal = request->owner;
    sk_wal_came_back(wal);
    if (request->result < 0 && !wal->write_error) wal->write_error = (int)request->result;
    if (request->sync) wal->stats.sync_last = request->took;
    SK_ASSERT(wal->writing && wal->writes_left > 0);
    if (--wal->writes_left > 0) return;
    wal->writing = false;
    if (wal->written) batch_give_back(wal, wal->written);
    wal->written = NULL;
    SK_ASSERT(wal->waiting >= wal->written_bytes);
    wal->waiting -= wal->written_bytes;
    wal->written_bytes = 0;
    if (wal->write_error) {
        sk_wal_fail(wal, wal->write_error);
        return;
    }
    if (wal->failed) return; // another entrance was faster: nobody may count on what comes later
    wal->synced = wal->number;
    wal->oldest_durable = wal->written_oldest;
    bool news = wal->written_sequence > wal->durable;
    if (news) wal->durable = wal->written_sequence;
    SK_ASSERT(wal->durable <= wal->appended);
    sk_wal_free_segments(wal);
    sk_wal_prepare_early(wal);
    sk_wal_write_next(wal); // before the owner hears of it: the disk never waits for the owner
    if (news) wal->owner->durable(wal->owner, wal->durable);
}

static void write_at_end(sk_wal *wal, sk_disk_request *request, sk_slice bytes, bool sync)
{
    *request = (sk_disk_request){.op = SK_DISK_WRITE,
                                 .file = wal->current->file,
                                 .offset = wal->current->used,
                                 .bytes = bytes,
                                 .sync = sync};
    wal->current->used += bytes.size;
    SK_ASSERT(wal->current->used <= wal->current->size);
    wal->stats.bytes_written += bytes.size;
    wal->stats.syncs += sync;
    wal->writes_left++;
    sk_wal_submit(wal, request, write_done, wal);
}

static void pad(sk_buffer *bytes)
{
    size_t more = (size_t)(sk_wal_aligned(bytes->size) - bytes->size);
    memset(sk_buffer_reserve(bytes, 8), 0, more);
    bytes->size += more;
}

static uint32_t carry_build(sk_wal *wal)
{
    sk_buffer_clear(&wal->carry);
    sk_buffer_reserve(&wal->carry, SK_WAL_BATCH_HEADER_SIZE);
    wal->carry.size = SK_WAL_BATCH_HEADER_SIZE;
    return sk_wal_carry(wal, &wal->carry);
}

// Makes room for a batch of `size` bytes: in the current segment, or by a roll, which writes the carry.
// False: not yet.
static bool make_room(sk_wal *wal, uint64_t size, bool empty)
{
    uint64_t left = wal->current->size - wal->current->used;
    if (size + (empty ? 0 : SK_WAL_TAIL) <= left) return true;
    uint32_t records = carry_build(wal);
    uint64_t carry_size = wal->carry.size;
    uint64_t need = SK_WAL_HEADER_SIZE + sk_wal_aligned(carry_size) + size + SK_WAL_TAIL;
    if (!sk_wal_prepare(wal, need)) return false;
    sk_wal_roll(wal);
    // The carry makes the older segments dispensable, so neither it nor its neighbour may say yet that they
    // are (I6).
    seal(wal, wal->carry.data, carry_size, records, wal->oldest_sealed);
    pad(&wal->carry);
    write_at_end(wal, &wal->carry_request, sk_buffer_slice(&wal->carry), false);
    return true;
}

static void write_batch(sk_wal *wal, sk_wal_batch *batch, bool rolled)
{
    uint64_t oldest = wal->oldest_sealed;
    if (!rolled) {
        uint64_t needed = sk_wal_oldest_needed(wal);
        if (needed > oldest) oldest = needed;
    }
    sk_list_remove(&batch->link);
    wal->written = batch;
    wal->written_sequence = batch->sequence;
    wal->written_bytes = batch->bytes.size - SK_WAL_BATCH_HEADER_SIZE;
    uint64_t begin = wal->current->used;
    seal(wal, batch->bytes.data, batch->bytes.size, batch->records, oldest);
    pad(&batch->bytes);
    wal->oldest_sealed = wal->written_oldest = oldest;
    wal->batch_wanted = sk_wal_oldest_needed(wal) > oldest;
    sk_wal_index_batch(wal, batch, begin, begin + batch->bytes.size);
    write_at_end(wal, &wal->batch_request, sk_buffer_slice(&batch->bytes), true);
}

static void write_empty(sk_wal *wal, bool rolled)
{
    uint64_t oldest = rolled ? wal->oldest_sealed : sk_wal_oldest_needed(wal);
    if (oldest < wal->oldest_sealed) oldest = wal->oldest_sealed;
    wal->written = NULL;
    wal->written_sequence = wal->durable;
    seal(wal, wal->empty, sizeof wal->empty, 0, oldest);
    wal->oldest_sealed = wal->written_oldest = oldest;
    wal->batch_wanted = rolled && sk_wal_oldest_needed(wal) > oldest;
    write_at_end(wal, &wal->batch_request, sk_slice_make(wal->empty, sizeof wal->empty), true);
}

void sk_wal_write_next(sk_wal *wal)
{
    if (wal->writing || wal->failed) return;
    bool records = !sk_list_empty(&wal->pending) && wal->flush_wanted > wal->durable;
    const sk_wal_segment *before = wal->current;
    wal->writes_left = 0;
    wal->write_error = 0;
    if (records) {
        sk_wal_batch *batch = SK_CONTAINER(wal->pending.next, sk_wal_batch, link);
        if (make_room(wal, sk_wal_aligned(batch->bytes.size), false)) {
            wal->writing = true;
            write_batch(wal, batch, wal->current != before);
            return;
        }
    }
    // While a batch waits for room an empty one still goes out: it may free the segment that gives the room.
    if (!wal->batch_wanted) return;
    if (records && SK_WAL_BATCH_HEADER_SIZE > wal->current->size - wal->current->used) return;
    if (!make_room(wal, SK_WAL_BATCH_HEADER_SIZE, true)) return;
    wal->writing = true;
    write_empty(wal, wal->current != before);
}

// ---- Open, close ----

int sk_wal_open(sk_wal **out, sk_disk *disk, const sk_identity *identity, const sk_wal_config *config,
                sk_wal_owner *owner, sk_log_sink *sink, sk_wal_replay *replay, void *context,
                sk_wal_found *found)
{
    SK_ASSERT(config->segment_size >= 4096);
    sk_wal *wal = sk_alloc_zeroed(sizeof *wal);
    wal->disk = disk;
    wal->identity = *identity;
    wal->config = *config;
    wal->owner = owner;
    wal->sink = sink;
    sk_list_init(&wal->pending);
    sk_list_init(&wal->pool);
    sk_list_init(&wal->segments);
    sk_list_init(&wal->going);
    sk_list_init(&wal->spares);
    sk_list_init(&wal->reads);
    memset(found, 0, sizeof *found);
    int error = sk_wal_recover(wal, replay, context, found);
    if (error) {
        sk_wal_close(wal);
        return error;
    }
    sk_wal_reserve_at_start(wal);
    sk_wal_spares_at_start(wal);
    wal->stats.records = 0;
    wal->batch_wanted |=
        identity->boot > found->boot_max; // the first flush notes it, whatever else it writes
    sk_wal_check(wal);
    *out = wal;
    return 0;
}

void sk_wal_boot(sk_wal *wal, uint64_t boot)
{
    SK_ASSERT(boot >= wal->identity.boot);
    wal->identity.boot = boot;
    wal->batch_wanted = true;
}

static void segment_close(sk_wal *wal, sk_wal_segment *segment)
{
    if (wal->under_way == 0 && segment->file) {
        sk_disk_request request = {.op = SK_DISK_CLOSE, .file = segment->file};
        (void)sk_disk_run(wal->disk, &request);
    }
    sk_free(segment);
}

static void segments_close(sk_wal *wal, sk_list *list)
{
    while (!sk_list_empty(list)) {
        sk_wal_segment *segment = SK_CONTAINER(list->next, sk_wal_segment, link);
        sk_list_remove(&segment->link);
        segment_close(wal, segment);
    }
}

void sk_wal_close(sk_wal *wal)
{
    if (!wal) return;
    sk_wal_reads_free(wal);
    segments_close(wal, &wal->segments);
    segments_close(wal, &wal->going);
    segments_close(wal, &wal->spares);
    if (wal->next) segment_close(wal, wal->next);
    batches_drop(wal, &wal->pending);
    batches_drop(wal, &wal->pool);
    if (wal->written) batch_free(wal->written);
    sk_buffer_deinit(&wal->carry);
    sk_wal_spaces_free(wal);
    sk_free(wal);
}

bool sk_wal_busy(const sk_wal *wal)
{
    return wal->under_way > 0;
}

sk_wal_stats sk_wal_stats_of(const sk_wal *wal)
{
    sk_wal_stats stats = wal->stats;
    stats.full = wal->full;
    return stats;
}

static void heal_done(sk_disk_request *request)
{
    sk_wal *wal = request->owner;
    sk_wal_came_back(wal);
    wal->heal_busy = false;
    if (request->result < 0 && request->result != SK_ENOENT) return; // whoever asked asks again
    wal->unmarked = true; // and gone for good with the next sync of the folder
    wal->folder_dirty = true;
    sk_wal_sync_folder(wal);
}

bool sk_wal_healed(sk_wal *wal)
{
    if (!wal->damage_marked || wal->heal_busy || wal->folder_busy) return wal->damage_marked;
    wal->heal_busy = true;
    wal->heal_request = (sk_disk_request){.op = SK_DISK_UNLINK, .name = "wal/damaged"};
    sk_wal_submit(wal, &wal->heal_request, heal_done, wal);
    return true;
}

bool sk_wal_is_marked(const sk_wal *wal)
{
    return wal->damage_marked;
}

// ---- Invariants ----

static void check_space(const sk_wal *wal, const sk_wal_space *space)
{
    const sk_wal_point *before = NULL;
    for (size_t i = 0; i < space->points.count; i++) {
        const sk_wal_point *point = sk_ring_at(&space->points, i);
        SK_ASSERT(point->first <= point->last && point->last > space->released);
        SK_ASSERT(point->begin >= SK_WAL_HEADER_SIZE && point->begin < point->end);
        const sk_wal_segment *segment = sk_wal_segment_find(wal, point->segment);
        SK_ASSERT(segment != NULL && point->end <= segment->used);
        if (before) {
            SK_ASSERT(before->last < point->first);
            SK_ASSERT(before->segment < point->segment ||
                      (before->segment == point->segment && before->begin <= point->begin));
        }
        before = point;
    }
}

void sk_wal_check(const sk_wal *wal)
{
    SK_ASSERT(wal->durable <= wal->appended); // I1
    SK_ASSERT(wal->synced <= wal->number);
    SK_ASSERT(wal->writing || wal->failed || wal->synced == wal->number);
    SK_ASSERT(wal->oldest_durable <= wal->oldest_sealed || wal->failed);
    SK_ASSERT(wal->oldest_sealed <= wal->current->number);
    SK_ASSERT(!wal->failed || sk_list_empty(&wal->pending));
    SK_ASSERT(wal->current == SK_CONTAINER(wal->segments.previous, sk_wal_segment, link));
    uint64_t count = 0, size = 0, number = 0;
    for (const sk_list *node = wal->segments.next; node != &wal->segments; node = node->next) {
        const sk_wal_segment *segment = SK_CONTAINER(node, sk_wal_segment, link);
        SK_ASSERT(number == 0 || segment->number == number + 1);
        SK_ASSERT(segment->used <= segment->size);
        number = segment->number;
        count++;
        size += segment->size;
    }
    SK_ASSERT(count == wal->stats.segments && size == wal->stats.size);
    uint64_t spares = 0;
    for (const sk_list *node = wal->spares.next; node != &wal->spares; node = node->next) {
        const sk_wal_segment *spare = SK_CONTAINER(node, sk_wal_segment, link);
        SK_ASSERT(spare->readers == 0 && spare->size == wal->config.segment_size);
        spares++;
    }
    SK_ASSERT(spares == wal->stats.spares);
    for (size_t i = 0; i < wal->space_count; i++) {
        SK_ASSERT(i == 0 || wal->spaces[i - 1]->id < wal->spaces[i]->id);
        check_space(wal, wal->spaces[i]);
    }
}
