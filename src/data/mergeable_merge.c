// Merging: operations and pieces of others, and our own through the same door.
#include "base/assert.h"
#include "base/error.h"
#include "data/mergeable_private.h"

typedef struct merge {
    sk_mergeable *state;
    const sk_piece *piece;
    sk_head *head;
    sk_seen ours, theirs;
} merge;

static void merge_member(const merge *m, sk_slice member, const sk_dots *theirs)
{
    sk_mergeable *state = m->state;
    sk_dots before = {0};
    sk_member_load(state, &state->name, m->piece->key, member, &state->dots);
    sk_dots_copy(&before, &state->dots);
    sk_dots_merge(&state->dots, m->ours, theirs, m->theirs);
    sk_member_store(state, m->head, m->piece->key, member, &before, &state->dots);
    sk_dots_deinit(&before);
}

static void merge_field(const merge *m, sk_slice field, const sk_scalar *theirs)
{
    sk_mergeable *state = m->state;
    bool was = sk_field_load(state, &state->name, m->piece->key, field, &state->scalar);
    bool was_live = sk_scalar_live(&state->scalar);
    uint64_t hash = sk_field_hash(state, m->piece->key, field, &state->scalar);
    sk_scalar_merge(&state->scalar, m->ours, theirs, m->theirs);
    sk_field_store(state, m->head, m->piece->key, field, hash, was, was_live, &state->scalar);
}

// body NULL: they have no such part.
static void merge_part(const merge *m, sk_part_name name, const sk_slice *body)
{
    sk_mergeable *state = m->state;
    sk_reader reader = body ? sk_reader_make(*body) : (sk_reader){0};
    if (name.slot == SK_SLOT_SET) {
        sk_dots_clear(&state->other_dots);
        if (body) sk_dots_read(&state->other_dots, &reader);
        merge_member(m, name.name, &state->other_dots);
    } else {
        sk_scalar_clear(&state->other_scalar);
        if (body) sk_scalar_read(&state->other_scalar, &reader);
        merge_field(m, name.name, &state->other_scalar);
    }
}

// Our first part behind `after`, its name copied into `copy`. False: no more.
static bool next_own(const merge *m, sk_part_name after, bool from_start, sk_buffer *copy, sk_part_name *name)
{
    sk_mergeable *state = m->state;
    if (m->head->parts == 0) return false;
    size_t prefix = sk_part_prefix(&state->name, m->piece->key).size;
    sk_slice from = sk_buffer_slice(&state->name);
    if (!from_start) from = sk_part_key(&state->name, m->piece->key, after);
    sk_tree_cursor cursor;
    sk_slice entry;
    sk_tree_seek(&cursor, &state->parts, from);
    if (!sk_tree_next(&cursor, &entry, NULL)) return false;
    if (!from_start && sk_slice_equal(entry, from) && !sk_tree_next(&cursor, &entry, NULL)) return false;
    if (entry.size <= prefix || memcmp(entry.data, from.data, prefix) != 0) return false;
    sk_buffer_clear(copy);
    sk_buffer_append(copy, entry.data + prefix, entry.size - prefix);
    *name = sk_part_of(sk_buffer_slice(copy));
    return true;
}

// The whole of the piece's range: theirs, and those of ours that they do not have.
static void merge_range(const merge *m)
{
    const sk_piece *piece = m->piece;
    bool from_start = piece->flags & SK_PIECE_FIRST;
    bool to_end = piece->flags & SK_PIECE_LAST;
    sk_reader parts = sk_reader_make(piece->parts);
    uint64_t left = piece->count;
    sk_part_name theirs = {0};
    sk_part_name last = {0};
    sk_part_name own;
    sk_slice body;
    sk_buffer copy = {0};
    sk_buffer copy_last = {0};
    if (!from_start) last = sk_part_of(piece->after);
    bool has_theirs = sk_piece_part(&parts, &left, &theirs, &body);
    bool has_own = next_own(m, last, from_start, &copy, &own);
    while (has_theirs || (has_own && to_end)) {
        int order = !has_own ? 1 : !has_theirs ? -1 : sk_part_compare(own, theirs);
        if (order >= 0) {
            merge_part(m, theirs, &body);
            last = theirs;
            has_theirs = sk_piece_part(&parts, &left, &theirs, &body);
        } else {
            sk_buffer_clear(&copy_last);
            sk_buffer_append_slice(&copy_last, own.name);
            last = (sk_part_name){own.slot, sk_buffer_slice(&copy_last)};
            merge_part(m, last, NULL);
        }
        if (order <= 0) has_own = next_own(m, last, false, &copy, &own);
    }
    sk_buffer_deinit(&copy);
    sk_buffer_deinit(&copy_last);
}

static void merge_parts(const merge *m)
{
    sk_reader parts = sk_reader_make(m->piece->parts);
    uint64_t left = m->piece->count;
    sk_part_name name;
    sk_slice body;
    while (sk_piece_part(&parts, &left, &name, &body)) merge_part(m, name, &body);
}

// Stamps are followed as far as the clock lets us; the merge does not depend on it.
static void follow_stamps(sk_mergeable *state, const sk_register *reg, uint64_t wall_ms)
{
    for (size_t i = 0; i < reg->count; i++) sk_hlc_follow(&state->clock, wall_ms, reg->list[i].stamp);
}

void sk_piece_merge(sk_mergeable *state, const sk_vector *base, sk_dot dot, uint64_t wall_ms)
{
    sk_piece *piece = &state->piece;
    sk_head *head = &state->head;
    sk_head_load(state, piece->key, head);
    merge m = {.state = state,
               .piece = piece,
               .head = head,
               .ours = {&head->context, &state->base},
               .theirs = {&piece->context, base}};
    bool full = piece->flags & SK_PIECE_FULL;
    if (!full || (piece->flags & SK_PIECE_FIRST)) {
        follow_stamps(state, &piece->scalar.reg, wall_ms);
        follow_stamps(state, &piece->expiry, wall_ms);
        sk_scalar_merge(&head->scalar, m.ours, &piece->scalar, m.theirs);
        sk_register_merge(&head->expiry, m.ours, &piece->expiry, m.theirs);
    }
    if (full) merge_range(&m);
    else merge_parts(&m);
    if (!full || (piece->flags & SK_PIECE_LAST)) {
        sk_context_join(&head->context, &piece->context);
        if (dot.actor) sk_vector_raise(&head->context.vector, dot.actor, dot.counter);
    }
    sk_head_store(state, piece->key, head);
}

// ---- Operations ----

int sk_operation_read(sk_slice bytes, sk_operation *out)
{
    sk_reader reader = sk_reader_make(bytes);
    *out = (sk_operation){.actor = sk_actor_read(&reader)};
    out->first = sk_read_varint(&reader);
    uint64_t more = sk_read_varint(&reader);
    out->piece = sk_read_sized(&reader);
    if (reader.bad || out->first == 0 || out->first > SK_COUNTER_MAX || more > 1) return SK_EPROTOCOL;
    out->last = out->first + more;
    out->size = (size_t)(reader.at - bytes.data);
    return 0;
}

bool sk_operation_key(const sk_operation *operation, sk_slice *key)
{
    sk_reader reader = sk_reader_make(operation->piece);
    sk_read_u8(&reader);
    *key = sk_read_sized(&reader);
    return !reader.bad;
}

// An operation adds only under its own dots, and raises only its own tally.
static bool is_own(const sk_operation *operation, const sk_scalar *scalar)
{
    for (size_t i = 0; i < scalar->reg.count; i++) {
        sk_dot dot = scalar->reg.list[i].dot;
        if (dot.actor != operation->actor || dot.counter < operation->first || dot.counter > operation->last) return false;
    }
    for (size_t i = 0; i < scalar->counter.count; i++) {
        const sk_tally *one = &scalar->counter.list[i];
        bool raises = one->actor == operation->actor && one->counter <= operation->last;
        if (!raises && sk_tally_live(one)) return false;
    }
    return true;
}

static bool operation_valid(sk_mergeable *state, const sk_operation *operation)
{
    const sk_piece *piece = &state->piece;
    bool full = piece->flags & SK_PIECE_FULL;
    if (full ? piece->flags != SK_PIECE_FLAGS_END - 1 : piece->context.vector.count > 0) return false;
    sk_scalar expiry = {.reg = piece->expiry};
    if (!is_own(operation, &piece->scalar) || !is_own(operation, &expiry)) return false;
    sk_reader parts = sk_reader_make(piece->parts);
    uint64_t left = piece->count;
    sk_part_name name;
    sk_slice body;
    while (sk_piece_part(&parts, &left, &name, &body)) {
        sk_reader reader = sk_reader_make(body);
        if (name.slot == SK_SLOT_MAP) {
            sk_scalar_read(&state->other_scalar, &reader);
            if (!is_own(operation, &state->other_scalar)) return false;
            continue;
        }
        sk_dots_read(&state->other_dots, &reader);
        for (size_t i = 0; i < state->other_dots.count; i++) {
            sk_dot dot = state->other_dots.list[i];
            if (dot.actor != operation->actor || dot.counter < operation->first || dot.counter > operation->last) return false;
        }
    }
    return true;
}

// Nobody but we ourselves can know of changes that we have not made.
static bool claims_ours(const sk_mergeable *state)
{
    sk_actor self = state->self;
    uint64_t made = sk_vector_get(&state->seen, self);
    const sk_context *context = &state->piece.context;
    if (sk_vector_get(&context->vector, self) > made) return true;
    for (size_t i = 0; i < context->dots.count; i++) {
        if (context->dots.list[i].actor == self && context->dots.list[i].counter > made) return true;
    }
    return false;
}

int sk_mergeable_apply(sk_mergeable *state, const sk_operation *operation, uint64_t wall_ms)
{
    uint64_t seen = sk_vector_get(&state->seen, operation->actor);
    if (seen >= operation->last) return 0;
    if (seen + 1 != operation->first) return SK_EAGAIN;
    if (sk_piece_read(state, operation->piece, &state->piece) < 0) return SK_EPROTOCOL;
    if (!operation_valid(state, operation)) return SK_EPROTOCOL;
    if (operation->actor != state->self && claims_ours(state)) return SK_EPROTOCOL;
    sk_piece_merge(state, NULL, (sk_dot){operation->actor, operation->last}, wall_ms);
    sk_vector_raise(&state->seen, operation->actor, operation->last);
    return 0;
}

// ---- Chunks ----

// Keys of ours in a range that the chunk is complete for and does not name: there, they hold nothing beyond their base.
typedef struct range {
    bool complete;
    bool from_start, to_end;
    sk_slice from, to; // entries of `keys` behind `from`, up to `to`
} range;

static bool next_key(const sk_mergeable *state, sk_slice after, bool from_start, sk_buffer *copy)
{
    sk_tree_cursor cursor;
    sk_slice entry;
    sk_tree_seek(&cursor, &state->keys, after);
    if (!sk_tree_next(&cursor, &entry, NULL)) return false;
    if (!from_start && sk_slice_equal(entry, after) && !sk_tree_next(&cursor, &entry, NULL)) return false;
    sk_buffer_clear(copy);
    sk_buffer_append_slice(copy, entry);
    return true;
}

static void merge_absent(sk_mergeable *state, sk_slice key, const sk_vector *base, uint64_t wall_ms)
{
    sk_piece *piece = &state->piece;
    piece->flags = SK_PIECE_FLAGS_END - 1;
    piece->key = key;
    sk_context_clear(&piece->context);
    sk_scalar_clear(&piece->scalar);
    sk_register_clear(&piece->expiry);
    piece->count = 0;
    piece->parts = sk_slice_make(NULL, 0);
    sk_piece_merge(state, base, (sk_dot){0}, wall_ms);
}

// Our keys behind `*at` and below `end` (at or below, if `included`; all, if end is NULL) are absent there.
static void merge_gap(sk_mergeable *state, sk_buffer *at, bool *from_start, const sk_slice *end, bool included,
                      const sk_vector *base, uint64_t wall_ms)
{
    sk_buffer entry = {0};
    while (next_key(state, sk_buffer_slice(at), *from_start, &entry)) {
        int order = end ? sk_slice_compare(sk_buffer_slice(&entry), *end) : -1;
        if (order > 0 || (order == 0 && !included)) break;
        merge_absent(state, sk_entry_name(sk_buffer_slice(&entry)), base, wall_ms);
        sk_buffer_clear(at);
        sk_buffer_append_slice(at, sk_buffer_slice(&entry));
        *from_start = false;
    }
    sk_buffer_deinit(&entry);
}

static int merge_pieces(sk_mergeable *state, sk_reader *reader, const range *bounds, const sk_vector *base, sk_buffer *at,
                        uint64_t wall_ms)
{
    bool from_start = bounds->from_start;
    sk_buffer_append_slice(at, bounds->from);
    while (sk_reader_left(reader)) {
        sk_slice bytes = sk_read_sized(reader);
        if (reader->bad || sk_piece_read(state, bytes, &state->piece) < 0) return SK_EPROTOCOL;
        if (!(state->piece.flags & SK_PIECE_FULL) || claims_ours(state)) return SK_EPROTOCOL;
        sk_slice key = state->piece.key;
        if (bounds->complete) {
            sk_buffer entry = {0};
            sk_slice end = sk_key_entry(&entry, key);
            merge_gap(state, at, &from_start, &end, false, base, wall_ms);
            sk_piece_read(state, bytes, &state->piece);
            sk_buffer_clear(at);
            sk_buffer_append_slice(at, end);
            sk_buffer_deinit(&entry);
            from_start = false;
        }
        sk_piece_merge(state, base, (sk_dot){0}, wall_ms);
    }
    if (reader->bad) return SK_EPROTOCOL;
    if (bounds->complete) merge_gap(state, at, &from_start, bounds->to_end ? NULL : &bounds->to, true, base, wall_ms);
    return 0;
}

int sk_mergeable_merge(sk_mergeable *state, sk_slice chunk, uint64_t wall_ms)
{
    sk_reader reader = sk_reader_make(chunk);
    sk_vector base = {0};
    range bounds = {.complete = sk_read_u8(&reader) & 1};
    sk_vector_read(&base, &reader, sk_reader_left(&reader));
    if (bounds.complete) {
        bounds.from_start = sk_read_u8(&reader) == 0;
        if (!bounds.from_start) bounds.from = sk_read_sized(&reader);
        bounds.to_end = sk_read_u8(&reader) == 0;
        if (!bounds.to_end) bounds.to = sk_read_sized(&reader);
    }
    bool claims = sk_vector_get(&base, state->self) > sk_vector_get(&state->seen, state->self);
    sk_buffer at = {0};
    int status = SK_EPROTOCOL;
    if (!reader.bad && !claims) status = merge_pieces(state, &reader, &bounds, &base, &at, wall_ms);
    sk_buffer_deinit(&at);
    sk_vector_deinit(&base);
    return status;
}

void sk_mergeable_join(sk_mergeable *state, const sk_vector *seen, const sk_vector *base)
{
    sk_vector_join(&state->seen, seen);
    if (base) sk_mergeable_settle(state, base);
}

// ---- Settling ----

void sk_mergeable_settle(sk_mergeable *state, const sk_vector *stable)
{
    sk_vector more = {0};
    sk_vector_copy(&more, stable);
    sk_vector_meet(&more, &state->seen);
    if (!sk_vector_covers(&state->base, &more)) {
        sk_vector_join(&state->base, &more);
        state->settling = 1;
    }
    sk_vector_deinit(&more);
}

// What base covers is said twice in a context. That of a key that holds something is left as it is until the key is changed, for writing each
// key a second time would cost as much as the change did; but nothing more would ever come to a tombstone, or to dead tallies.
static void settle_key(sk_mergeable *state, sk_slice key)
{
    if (!sk_head_load(state, key, &state->head)) return; // a tombstone, forgotten under another actor's entry
    sk_head_store(state, key, &state->head);
}

// Entries of the index from `settling` on that base covers, up to so many, into state->entry: each its tag, and itself, sized. From actor to
// actor: those of its entries that base covers are the first ones.
static size_t gather_settled(sk_mergeable *state, size_t most)
{
    sk_tree_cursor cursor;
    sk_slice entry;
    sk_slice key;
    sk_value plain;
    size_t count = 0;
    bool again = true;
    sk_buffer_clear(&state->entry);
    while (count < most && state->settling) {
        if (again) sk_tree_seek(&cursor, &state->index, sk_index_key(&state->index_key, state->settling, 0, (sk_slice){0}));
        if (!sk_tree_next(&cursor, &entry, &plain)) {
            state->settling = 0;
            break;
        }
        sk_dot dot = sk_index_dot(entry, &key);
        bool settled = sk_vector_has(&state->base, dot);
        again = !settled;
        state->settling = settled ? dot.actor : dot.actor + 1;
        if (!settled) continue;
        sk_write_u8(&state->entry, plain.tag);
        sk_write_sized(&state->entry, entry);
        count++;
    }
    return count;
}

bool sk_mergeable_collect(sk_mergeable *state, size_t budget)
{
    enum { TOGETHER = 64 };
    while (budget && state->settling) {
        size_t count = gather_settled(state, budget < TOGETHER ? budget : TOGETHER);
        if (!count) break;
        budget -= count;
        sk_reader reader = sk_reader_make(sk_buffer_slice(&state->entry));
        while (sk_reader_left(&reader)) {
            bool plain = sk_read_u8(&reader);
            sk_slice entry = sk_read_sized(&reader);
            sk_slice key;
            sk_index_dot(entry, &key);
            if (sk_tree_remove(&state->index, entry) && !plain) settle_key(state, key);
        }
    }
    bool more = sk_tree_collect(&state->garbage, budget);
    return more || state->settling;
}
