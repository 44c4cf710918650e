#include "sim/merge_check.h"

#include <inttypes.h>
#include <stdio.h>
#include "base/alloc.h"
#include "base/assert.h"
#include "sim/request.h"

// Bits. COVERS: surely, and all else that the other could have seen. INDIRECTLY: possibly, by itself or by an operation on the key that
// may have seen it: what that one replaced is gone for whoever sees it, even before what it had seen arrives.
enum relation { POSSIBLY = 1, SURELY = 2, COVERS = 4, INDIRECTLY = 8 };

typedef struct act { // an operation on the key
    const sk_operation *op;
    size_t index;
    const sk_sight *before, *after; // NULL: unknown
    bool audit;
} act;

typedef struct book {
    const sk_history *history;
    const sk_merging *merging;
    enum sk_key_kind kind;
    act *acts;
    size_t count;
    uint8_t *relations; // [reader * count + other]
    char *problem;
    size_t size;
} book;

// ---- Who could see what ----

static bool acknowledged(const act *one)
{
    return one->op->outcome == SK_OUTCOME_OK && !one->op->doubtful;
}

// Its own change, if it made one, is beyond `before` and within `after`, of the same life.
static bool is_placed(const act *one)
{
    return one->before && one->after && one->before->self == one->after->self;
}

static bool surely(const act *reader, const act *other)
{
    if (!acknowledged(other) || other->op->start > reader->op->end) return false;
    if (reader->audit && other->op->end < reader->op->start) return true;
    bool kept = other->op->amnesia == reader->op->amnesia && (!other->op->cut || reader->op->start < other->op->cut);
    bool same_node = other->op->node == reader->op->node && kept;
    if (same_node && other->op->end < reader->op->start) return true;
    if (!reader->before || !is_placed(other)) return false;
    uint64_t counter = sk_vector_get(&other->after->seen, other->after->self);
    return sk_vector_get(&reader->before->seen, other->after->self) >= counter;
}

static bool possibly(const act *reader, const act *other)
{
    if (other->op->start > reader->op->end) return false;
    if (!other->before || !reader->after) return true;
    if (other->after && other->after->self != other->before->self) return true;
    return sk_vector_get(&reader->after->wide, other->before->self) > sk_vector_get(&other->before->seen, other->before->self);
}

static bool covers(const act *reader, const act *other)
{
    if (reader->audit) return true;
    return reader->before && other->after && sk_vector_covers(&reader->before->seen, &other->after->wide);
}

static void relate(book *book)
{
    for (size_t i = 0; i < book->count; i++) {
        const act *reader = &book->acts[i];
        for (size_t j = 0; j < book->count; j++) {
            const act *other = &book->acts[j];
            if (i == j || sk_request_reads(other->op->kind)) continue;
            uint8_t *relation = &book->relations[i * book->count + j];
            if (possibly(reader, other)) *relation |= POSSIBLY | INDIRECTLY;
            if (surely(reader, other)) *relation |= SURELY | POSSIBLY | INDIRECTLY;
            if ((*relation & SURELY) && covers(reader, other)) *relation |= COVERS;
        }
    }
}

static void relate_indirectly(book *book)
{
    size_t count = book->count;
    for (size_t via = 0; via < count; via++) {
        if (sk_request_reads(book->acts[via].op->kind)) continue;
        const uint8_t *row = &book->relations[via * count];
        for (size_t i = 0; i < count; i++) {
            uint8_t *own = &book->relations[i * count];
            if (i == via || !(own[via] & INDIRECTLY)) continue;
            for (size_t j = 0; j < count; j++) own[j] |= j == i ? 0 : row[j] & INDIRECTLY;
        }
    }
}

static bool related(const book *book, size_t reader, size_t other, enum relation relation)
{
    return book->relations[reader * book->count + other] & relation;
}

// ---- What an operation does to a cell ----

static bool gains(const act *one, uint32_t cell)
{
    switch (one->op->kind) {
    case SK_OPERATION_MERGE_SET:
    case SK_OPERATION_MERGE_LEND:
    case SK_OPERATION_MERGE_COUNT: return true;
    case SK_OPERATION_MERGE_ADD:
    case SK_OPERATION_MERGE_HSET:
    case SK_OPERATION_MERGE_HCOUNT: return one->op->cell == cell;
    default: return false;
    }
}

// Does it take away what it has observed? One that answered 0 found nothing to take (found_nothing).
static bool removes(const act *one, uint32_t cell)
{
    bool remove = one->op->kind == SK_OPERATION_MERGE_DEL ||
                  ((one->op->kind == SK_OPERATION_MERGE_REMOVE || one->op->kind == SK_OPERATION_MERGE_HDEL) && one->op->cell == cell);
    return remove;
}

static bool writes(const act *one, uint32_t cell)
{
    bool set = one->op->kind == SK_OPERATION_MERGE_SET || one->op->kind == SK_OPERATION_MERGE_LEND;
    return set || (one->op->kind == SK_OPERATION_MERGE_HSET && one->op->cell == cell);
}

static bool found_nothing(const act *one)
{
    return one->op->outcome == SK_OUTCOME_OK && one->op->result == 0;
}

// One that may be lost may have taken `gain` before `taker` came, which then took that one, and says so of nothing else.
static bool lost_between(const book *book, size_t taker, size_t gain, uint32_t cell)
{
    for (size_t i = 0; i < book->count; i++) {
        const act *one = &book->acts[i];
        if (i == taker || i == gain || acknowledged(one) || !(removes(one, cell) || writes(one, cell))) continue;
        if (related(book, taker, i, INDIRECTLY) && related(book, i, gain, INDIRECTLY)) return true;
    }
    return false;
}

// Has a remove (or, of a register, a later write too) surely taken `gain` away, as `reader` sees it?
static bool surely_gone(const book *book, size_t reader, size_t gain, uint32_t cell, bool by_writes)
{
    for (size_t i = 0; i < book->count; i++) {
        const act *one = &book->acts[i];
        // One that found nothing took nothing: whoever had taken it may be lost with its power.
        bool takes = (removes(one, cell) && !found_nothing(one)) || (by_writes && writes(one, cell));
        if (i == gain || i == reader || !takes) continue;
        bool took = related(book, i, gain, SURELY) && related(book, reader, i, COVERS);
        if (took && !lost_between(book, i, gain, cell)) return true;
    }
    return false;
}

static bool possibly_gone(const book *book, size_t reader, size_t gain, uint32_t cell)
{
    for (size_t i = 0; i < book->count; i++) {
        const act *one = &book->acts[i];
        if (i == gain || i == reader || !removes(one, cell) || found_nothing(one)) continue;
        if (related(book, i, gain, INDIRECTLY) && related(book, reader, i, INDIRECTLY)) return true;
    }
    return false;
}

static bool wrong(const book *book, size_t reader, const char *format, uint32_t cell, size_t other)
{
    char what[120];
    snprintf(what, sizeof what, format, cell, book->acts[other].index + 1);
    const act *one = &book->acts[reader];
    snprintf(book->problem, book->size, "operation #%zu (%s at node %" PRIu32 ", %s): %s", one->index + 1,
             sk_request_verb(one->op->kind), one->op->node, one->audit ? "when all was quiet" : "in the run", what);
    return false;
}

// ---- The kinds ----

static bool check_element(const book *book, size_t reader, uint32_t cell)
{
    bool present = book->acts[reader].op->result >> cell & 1, reason = false;
    for (size_t i = 0; i < book->count; i++) {
        if (!gains(&book->acts[i], cell)) continue;
        if (present && related(book, reader, i, POSSIBLY) && !surely_gone(book, reader, i, cell, false)) reason = true;
        if (!present && related(book, reader, i, SURELY) && !possibly_gone(book, reader, i, cell))
            return wrong(book, reader, "element %" PRIu32 " is missing, which #%zu added and nobody could have removed", cell, i);
    }
    if (present && !reason)
        return wrong(book, reader, "element %" PRIu32 " is there, whose adds were all removed by who had seen them", cell, reader);
    return true;
}

// Writes that may be gone for good: a delete may have observed them, or a write that may be gone itself has replaced them.
static bool all_may_be_deleted(const book *book, size_t reader, uint32_t cell, size_t *witness)
{
    bool *gone = sk_alloc_zeroed(book->count * sizeof *gone);
    for (size_t i = 0; i < book->count; i++) {
        if (writes(&book->acts[i], cell)) gone[i] = possibly_gone(book, reader, i, cell);
    }
    for (bool again = true; again;) {
        again = false;
        for (size_t i = 0; i < book->count; i++) {
            if (!writes(&book->acts[i], cell) || gone[i]) continue;
            for (size_t j = 0; j < book->count && !gone[i]; j++)
                gone[i] = gone[j] && related(book, j, i, INDIRECTLY) && related(book, reader, j, INDIRECTLY);
            again |= gone[i];
        }
    }
    bool all = true;
    for (size_t i = 0; i < book->count && all; i++) {
        if (!writes(&book->acts[i], cell) || gone[i] || !related(book, reader, i, SURELY)) continue;
        *witness = i;
        all = false;
    }
    sk_free(gone);
    return all;
}

static bool check_register(const book *book, size_t reader, uint32_t cell, bool present, uint64_t value)
{
    size_t witness = reader;
    if (!present) {
        if (all_may_be_deleted(book, reader, cell, &witness)) return true;
        return wrong(book, reader, "cell %" PRIu32 " shows nothing, although #%zu wrote and nobody could have deleted it", cell, witness);
    }
    for (size_t i = 0; i < book->count; i++) {
        if (!writes(&book->acts[i], cell) || book->acts[i].op->value != value) continue;
        if (!related(book, reader, i, POSSIBLY)) return wrong(book, reader, "cell %" PRIu32 " shows #%zu before it can be there", cell, i);
        if (surely_gone(book, reader, i, cell, true))
            return wrong(book, reader, "cell %" PRIu32 " shows #%zu, which somebody who had seen it has replaced or deleted", cell, i);
        return true;
    }
    return wrong(book, reader, "cell %" PRIu32 " shows what nobody wrote (asked by #%zu)", cell, reader);
}

static bool check_counter(const book *book, size_t reader, uint32_t cell, int64_t shown)
{
    int64_t low = 0, high = 0;
    for (size_t i = 0; i < book->count; i++) {
        if (!gains(&book->acts[i], cell)) continue;
        int64_t amount = book->acts[i].op->amount;
        bool maybe = i == reader || related(book, reader, i, POSSIBLY), sure = i == reader || related(book, reader, i, SURELY);
        if (!maybe || surely_gone(book, reader, i, cell, false)) continue;
        bool counted = sure && !possibly_gone(book, reader, i, cell);
        low += counted || amount < 0 ? amount : 0;
        high += counted || amount > 0 ? amount : 0;
    }
    if (shown >= low && shown <= high) return true;
    const act *one = &book->acts[reader];
    snprintf(book->problem, book->size,
             "operation #%zu (%s at node %" PRIu32 ", %s): field %" PRIu32 " shows %" PRId64 ", which must be from %" PRId64 " to %" PRId64,
             one->index + 1, sk_request_verb(one->op->kind), one->op->node, one->audit ? "when all was quiet" : "in the run", cell, shown,
             low, high);
    return false;
}

// The moment that an operation's deadline stands for is its node's wall time when it ran, and its length.
static const uint64_t strobe_ms = 1 << 18; // a strobing clock may show more than the sights say

// Of the node's wall clock while it ran: it may have been set meanwhile.
static uint64_t earliest(const act *one)
{
    if (!one->before) return 0;
    return one->after && one->after->wall_ms < one->before->wall_ms ? one->after->wall_ms : one->before->wall_ms;
}

static uint64_t latest(const act *one)
{
    if (!one->before || !one->after) return UINT64_MAX / 2;
    return one->after->wall_ms > one->before->wall_ms ? one->after->wall_ms : one->before->wall_ms;
}

static bool check_lease(const book *book, size_t reader)
{
    const act *read = &book->acts[reader];
    uint64_t first = UINT64_MAX, last = 0;
    size_t written = book->count;
    bool simple = true;
    for (size_t i = 0; i < book->count; i++) {
        const act *one = &book->acts[i];
        // Any deadline so far: whoever saw it pass has cleared the key, and that is seen where the deadline itself is not yet.
        if (sk_request_reads(one->op->kind) || one->op->start > read->op->end) continue;
        uint64_t length_ms = one->op->length / SK_MS;
        uint64_t from = earliest(one), to = latest(one);
        if (from + length_ms < first) first = from + length_ms;
        if (to + length_ms + strobe_ms > last) last = to + length_ms + strobe_ms;
        simple &= one->op->kind == SK_OPERATION_MERGE_LEND;
        if (one->op->kind == SK_OPERATION_MERGE_LEND && related(book, reader, i, SURELY)) written = i;
    }
    if (!read->op->result && written < book->count && first > read->op->wall_max_ms)
        return wrong(book, reader, "cell %" PRIu32 ": what #%zu lent is gone before its time", 0, written);
    if (!read->op->result) return true;
    if (simple && earliest(read) > last)
        return wrong(book, reader, "cell %" PRIu32 ": what was lent is there after its time (asked by #%zu)", 0, reader);
    for (size_t i = 0; i < book->count; i++) {
        if (book->acts[i].op->value != read->op->result || !writes(&book->acts[i], 0)) continue;
        return related(book, reader, i, POSSIBLY) || wrong(book, reader, "cell %" PRIu32 " shows #%zu before it can be there", 0, i);
    }
    return wrong(book, reader, "cell %" PRIu32 " shows what nobody wrote (asked by #%zu)", 0, reader);
}

static bool check_fields(const book *book, size_t reader)
{
    const sk_operation *op = book->acts[reader].op;
    for (uint32_t cell = 0; cell < 4; cell++) {
        bool present = op->result >> cell & 1;
        bool fine = cell % 2 ? check_counter(book, reader, cell, present ? (int64_t)op->cells[cell] : 0)
                             : check_register(book, reader, cell, present, op->cells[cell]);
        if (!fine) return false;
    }
    return true;
}

static bool check_read(const book *book, size_t reader)
{
    const sk_operation *op = book->acts[reader].op;
    switch (op->kind) {
    case SK_OPERATION_MERGE_MEMBERS:
        for (uint32_t cell = 0; cell < SK_CELLS_MAX; cell++) {
            if (!check_element(book, reader, cell)) return false;
        }
        return true;
    case SK_OPERATION_MERGE_FIELDS: return check_fields(book, reader);
    case SK_OPERATION_MERGE_GET:
        if (book->kind == SK_KEY_MERGE_LEASE) return check_lease(book, reader);
        return check_register(book, reader, 0, op->result != 0, op->result);
    case SK_OPERATION_MERGE_TOTAL:
    case SK_OPERATION_MERGE_COUNT: // its answer is a read that sees it
    case SK_OPERATION_MERGE_HCOUNT: return check_counter(book, reader, op->cell, (int64_t)op->result);
    default: return true;
    }
}

static const sk_sight *sight_of(const sk_merging *merging, uint32_t sight)
{
    return sight ? sk_merging_sight_at(merging, sight) : NULL;
}

static void gather(book *book, const sk_keys *keys, uint32_t index)
{
    size_t count = 0;
    for (size_t i = 0; i < book->history->count; i++) count += book->history->list[i].key == index;
    book->acts = sk_alloc_zeroed((count + 1) * sizeof *book->acts);
    for (size_t i = 0; i < book->history->count; i++) {
        const sk_operation *op = &book->history->list[i];
        if (op->key != index || op->outcome == SK_OUTCOME_FAILED || !sk_request_merges(op->kind)) continue;
        if (sk_request_reads(op->kind) && op->outcome != SK_OUTCOME_OK) continue;
        book->acts[book->count++] = (act){.op = op,
                                          .index = i,
                                          .before = sight_of(book->merging, op->before),
                                          .after = op->outcome == SK_OUTCOME_OK ? sight_of(book->merging, op->after) : NULL,
                                          .audit = op->quiet};
    }
    book->relations = sk_alloc_zeroed(book->count * book->count + 1);
}

bool sk_merge_check(const sk_history *history, const sk_keys *keys, uint32_t index, const sk_merging *merging,
                    sk_judge_counts *counts, char *problem, size_t size)
{
    book book = {.history = history, .merging = merging, .kind = keys->list[index].kind, .problem = problem, .size = size};
    counts->keys++;
    gather(&book, keys, index);
    relate(&book);
    relate_indirectly(&book);
    bool fine = true;
    for (size_t i = 0; i < book.count && fine; i++) {
        if (book.acts[i].op->outcome == SK_OUTCOME_OK) fine = check_read(&book, i);
    }
    sk_free(book.relations);
    sk_free(book.acts);
    return fine;
}
