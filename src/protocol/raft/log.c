#include "protocol/raft/log.h"

#include "base/alloc.h"
#include "base/assert.h"

// Each chunk is twice as big as the one before it, up to a bound: a log in which little happens costs little.
enum { CHUNK_SIZE_MIN = 1024, CHUNK_SIZE = 128 * 1024 };

struct sk_raft_chunk {
    sk_raft_chunk *newer;
    sk_raft_chunk *older;
    uint64_t first; // index of the first entry with bytes here
    uint64_t last;
    size_t size;
    size_t used;
    uint8_t data[];
};

// ---- Payload memory ----

static void chunk_release(sk_raft_log *log, sk_raft_chunk *chunk)
{
    if (chunk->older) {
        chunk->older->newer = chunk->newer;
    } else {
        log->oldest = chunk->newer;
    }
    if (chunk->newer) {
        chunk->newer->older = chunk->older;
    } else {
        log->newest = chunk->older;
    }
    if (chunk->size == CHUNK_SIZE && !log->spare) {
        log->spare = chunk;
    } else {
        sk_free(chunk);
    }
}

static sk_raft_chunk *chunk_add(sk_raft_log *log, uint64_t index, size_t size)
{
    size_t wanted = log->newest ? log->newest->size * 2 : CHUNK_SIZE_MIN;
    if (wanted > CHUNK_SIZE) wanted = CHUNK_SIZE;
    sk_raft_chunk *chunk = log->spare;
    if (chunk && size <= CHUNK_SIZE) {
        log->spare = NULL;
    } else {
        if (size < wanted) size = wanted;
        chunk = sk_alloc(sizeof *chunk + size);
        chunk->size = size;
    }
    chunk->used = 0;
    chunk->first = index;
    chunk->newer = NULL;
    chunk->older = log->newest;
    if (log->newest) {
        log->newest->newer = chunk;
    } else {
        log->oldest = chunk;
    }
    log->newest = chunk;
    return chunk;
}

static sk_slice keep(sk_raft_log *log, uint64_t index, sk_slice payload)
{
    if (!payload.size) return sk_slice_make(NULL, 0);
    sk_raft_chunk *chunk = log->newest;
    if (!chunk || payload.size > chunk->size - chunk->used) chunk = chunk_add(log, index, payload.size);
    uint8_t *at = chunk->data + chunk->used;
    memcpy(at, payload.data, payload.size);
    chunk->used += payload.size;
    chunk->last = index;
    return sk_slice_make(at, payload.size);
}

static void release_oldest(sk_raft_log *log, uint64_t upto)
{
    while (log->oldest && log->oldest->last <= upto) chunk_release(log, log->oldest);
}

// `payload`: of the first entry given up that has one.
static void release_newest(sk_raft_log *log, uint64_t from, sk_slice payload)
{
    while (log->newest && log->newest->first >= from) chunk_release(log, log->newest);
    sk_raft_chunk *chunk = log->newest;
    if (!chunk || chunk->last < from) return;
    SK_ASSERT(payload.data >= chunk->data && payload.data < chunk->data + chunk->used);
    chunk->last = from - 1;
    chunk->used = (size_t)(payload.data - chunk->data);
}

// ---- The log ----

static size_t cost(size_t payload_size)
{
    return payload_size + sizeof(sk_raft_entry);
}

void sk_raft_log_init(sk_raft_log *log, sk_raft_position base, size_t bytes_max)
{
    *log = (sk_raft_log){.bytes_max = bytes_max};
    sk_ring_init(&log->window, sizeof(sk_raft_entry));
    sk_ring_init(&log->runs, sizeof(sk_raft_run));
    sk_raft_log_reset(log, base);
}

void sk_raft_log_deinit(sk_raft_log *log)
{
    while (log->oldest) chunk_release(log, log->oldest);
    sk_free(log->spare);
    sk_ring_deinit(&log->window);
    sk_ring_deinit(&log->runs);
}

void sk_raft_log_reset(sk_raft_log *log, sk_raft_position base)
{
    SK_ASSERT((base.index == 0) == (base.term == 0));
    while (log->oldest) chunk_release(log, log->oldest);
    sk_ring_pop_front(&log->window, log->window.count);
    sk_ring_pop_front(&log->runs, log->runs.count);
    log->base = log->floor = base;
    log->last = log->durable = base.index;
    log->bytes = 0;
    log->bytes_since_base = 0;
}

static sk_raft_run *run_at(const sk_raft_log *log, size_t i)
{
    return sk_ring_at(&log->runs, i);
}

// The run holding `index`, above floor: how many runs begin at or before it, less one. The newest are asked
// for most.
static size_t run_of(const sk_raft_log *log, uint64_t index)
{
    size_t high = log->runs.count;
    SK_ASSERT(high > 0);
    if (run_at(log, high - 1)->first <= index) return high - 1;
    size_t low = 0;
    while (high - low > 1) {
        size_t middle = low + (high - low) / 2;
        if (run_at(log, middle)->first <= index) {
            low = middle;
        } else {
            high = middle;
        }
    }
    SK_ASSERT(run_at(log, low)->first <= index);
    return low;
}

uint64_t sk_raft_log_term(const sk_raft_log *log, uint64_t index)
{
    SK_ASSERT(index >= log->floor.index && index <= log->last);
    if (index == log->floor.index) return log->floor.term;
    return run_at(log, run_of(log, index))->term;
}

uint64_t sk_raft_log_term_first(const sk_raft_log *log, uint64_t index)
{
    SK_ASSERT(index > log->floor.index && index <= log->last);
    return run_at(log, run_of(log, index))->first;
}

uint64_t sk_raft_log_term_end(const sk_raft_log *log, uint64_t term)
{
    uint64_t end = log->last;
    for (size_t i = log->runs.count; i > 0; i--) {
        if (run_at(log, i - 1)->term <= term) return end;
        end = run_at(log, i - 1)->first - 1;
    }
    return log->floor.index;
}

sk_raft_entry *sk_raft_log_entry(const sk_raft_log *log, uint64_t index)
{
    uint64_t first = sk_raft_log_window_first(log);
    if (index < first || index > log->last) return NULL;
    return sk_ring_at(&log->window, (size_t)(index - first));
}

sk_raft_entry *sk_raft_log_append(sk_raft_log *log, uint64_t term, uint64_t record, sk_slice payload)
{
    uint64_t term_last = sk_raft_log_last_term(log);
    SK_ASSERT(term >= term_last && term > 0);
    uint64_t index = log->last + 1;
    if (term > term_last || !log->runs.count) {
        sk_raft_run *run = sk_ring_push(&log->runs);
        *run = (sk_raft_run){.first = index, .term = term};
    }
    sk_raft_entry *entry = sk_ring_push(&log->window);
    *entry = (sk_raft_entry){.term = term, .record = record, .payload = keep(log, index, payload)};
    log->last = index;
    log->bytes += cost(payload.size);
    log->bytes_since_base += payload.size;
    return entry;
}

void sk_raft_log_truncate(sk_raft_log *log, uint64_t index)
{
    SK_ASSERT(index > log->floor.index);
    sk_slice payload = sk_slice_make(NULL, 0);
    while (log->last >= index && log->window.count) {
        sk_raft_entry *entry = sk_ring_at(&log->window, log->window.count - 1);
        if (entry->payload.size) payload = entry->payload;
        log->bytes -= cost(entry->payload.size);
        uint64_t size = entry->payload.size;
        log->bytes_since_base -= size < log->bytes_since_base ? size : log->bytes_since_base;
        sk_ring_pop_back(&log->window, 1);
        log->last--;
    }
    if (log->last >= index) log->last = index - 1; // below the window: on disk only
    while (log->runs.count && run_at(log, log->runs.count - 1)->first >= index)
        sk_ring_pop_back(&log->runs, 1);
    release_newest(log, index, payload);
    if (log->durable > log->last) log->durable = log->last;
}

void sk_raft_log_durable(sk_raft_log *log, uint64_t record)
{
    while (log->durable < log->last) {
        sk_raft_entry *entry = sk_raft_log_entry(log, log->durable + 1);
        SK_ASSERT(entry); // what is not durable is in memory
        if (entry->record > record) break;
        log->durable++;
    }
}

// floor rises to `index`, which is above it: runs that lie below are forgotten.
static void raise_floor(sk_raft_log *log, uint64_t index)
{
    uint64_t term = sk_raft_log_term(log, index);
    size_t gone = 0;
    while (gone < log->runs.count) {
        uint64_t end = gone + 1 < log->runs.count ? run_at(log, gone + 1)->first - 1 : log->last;
        if (end > index) break;
        gone++;
    }
    sk_ring_pop_front(&log->runs, gone);
    if (log->runs.count && run_at(log, 0)->first <= index) run_at(log, 0)->first = index + 1;
    log->floor = (sk_raft_position){.index = index, .term = term};
}

// What is neither in memory nor, being covered by the snapshot, on disk can no longer be had.
static void settle_floor(sk_raft_log *log)
{
    uint64_t before_window = sk_raft_log_window_first(log) - 1;
    uint64_t floor = before_window < log->base.index ? before_window : log->base.index;
    if (floor > log->floor.index) raise_floor(log, floor);
}

bool sk_raft_log_make_room(sk_raft_log *log, uint64_t applied, size_t size)
{
    size_t more = cost(size);
    size_t gone = 0;
    uint64_t index = sk_raft_log_window_first(log);
    while (log->bytes + more > log->bytes_max && gone < log->window.count) {
        const sk_raft_entry *entry = sk_ring_at(&log->window, gone);
        if (index > log->durable || (index > applied && entry->request)) break;
        log->bytes -= cost(entry->payload.size);
        gone++;
        index++;
    }
    if (gone) {
        sk_ring_pop_front(&log->window, gone);
        release_oldest(log, index - 1);
        settle_floor(log);
    }
    return !log->window.count || log->bytes + more <= log->bytes_max;
}

void sk_raft_log_compact(sk_raft_log *log, sk_raft_position base)
{
    SK_ASSERT(base.index >= log->base.index && base.index <= log->last);
    SK_ASSERT(sk_raft_log_term(log, base.index) == base.term);
    // The sum above the new base: exact for what is in memory, in proportion for the rest.
    uint64_t first = sk_raft_log_window_first(log);
    uint64_t above = log->last - base.index;
    uint64_t all = log->last - log->base.index;
    if (base.index + 1 >= first) {
        uint64_t sum = 0;
        for (uint64_t i = base.index + 1; i <= log->last; i++) sum += sk_raft_log_entry(log, i)->payload.size;
        log->bytes_since_base = sum;
    } else if (all) {
        log->bytes_since_base = log->bytes_since_base / all * above;
    }
    log->base = base;
    settle_floor(log);
}

void sk_raft_log_check(const sk_raft_log *log)
{
    uint64_t first = sk_raft_log_window_first(log);
    SK_ASSERT(log->floor.index <= log->base.index && log->base.index <= log->last);
    SK_ASSERT(log->floor.index < first && first - 1 <= log->durable && log->durable <= log->last);
    SK_ASSERT(log->window.count <= log->last);
    uint64_t index = log->floor.index, term = log->floor.term;
    for (size_t i = 0; i < log->runs.count; i++) {
        const sk_raft_run *run = run_at(log, i);
        SK_ASSERT(run->first > index && (i == 0 ? run->term >= term : run->term > term));
        SK_ASSERT(i > 0 || run->first == log->floor.index + 1);
        index = run->first;
        term = run->term;
    }
    SK_ASSERT((log->runs.count > 0) == (log->last > log->floor.index) && index <= log->last);
    size_t bytes = 0;
    uint64_t record = 0;
    for (size_t i = 0; i < log->window.count; i++) {
        const sk_raft_entry *entry = sk_ring_at(&log->window, i);
        SK_ASSERT(entry->term == sk_raft_log_term(log, first + i));
        SK_ASSERT(entry->record > record);
        record = entry->record;
        bytes += cost(entry->payload.size);
    }
    SK_ASSERT(bytes == log->bytes);
}
