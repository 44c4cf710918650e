// Walking over a state: what changed since a vector, or all of it, in chunks.
#include "base/alloc.h"
#include "base/assert.h"
#include "data/mergeable_private.h"

struct sk_walk {
    sk_tree keys, parts, index; // snapshots; index: of differences alone
    sk_vector seen, base, since;
    bool full, finished;
    sk_dot at;                  // differences: the next entry of the index to look at
    sk_buffer key;              // the key under way, or the last one given
    sk_buffer place;            // its entry in keys
    sk_tree_cursor cursor;      // of everything: in keys, behind that
    bool begun;                 // there is such a key
    bool within;                // the key under way is not all given
    sk_buffer after;            // its last part given; empty: none
    sk_head head;               // of the key under way: its context and how many parts it has
    sk_slice content;           // and its scalar and expiry, as they are in keys
    sk_buffer entry, begin, parts_bytes; // of a piece: what stands before its content, and behind
    sk_buffer pieces;
};

sk_walk *sk_walk_open(sk_mergeable *state, const sk_vector *since)
{
    sk_walk *walk = sk_alloc_zeroed(sizeof *walk);
    walk->keys = sk_tree_snapshot(&state->keys);
    walk->parts = sk_tree_snapshot(&state->parts);
    sk_vector_copy(&walk->seen, &state->seen);
    sk_vector_copy(&walk->base, &state->base);
    walk->full = !since || !sk_vector_covers(since, &state->base);
    if (walk->full) sk_tree_seek(&walk->cursor, &walk->keys, (sk_slice){0});
    else walk->index = sk_tree_snapshot(&state->index);
    if (since) sk_vector_copy(&walk->since, since);
    return walk;
}

bool sk_walk_is_full(const sk_walk *walk)
{
    return walk->full;
}

const sk_vector *sk_walk_seen(const sk_walk *walk)
{
    return &walk->seen;
}

const sk_vector *sk_walk_base(const sk_walk *walk)
{
    return &walk->base;
}

void sk_walk_close(sk_walk *walk)
{
    sk_tree_drop(&walk->keys);
    sk_tree_drop(&walk->parts);
    sk_tree_drop(&walk->index);
    sk_vector_deinit(&walk->seen);
    sk_vector_deinit(&walk->base);
    sk_vector_deinit(&walk->since);
    sk_head_deinit(&walk->head);
    sk_buffer *const buffers[] = {&walk->key, &walk->place, &walk->after, &walk->entry, &walk->begin, &walk->parts_bytes,
                                  &walk->pieces};
    for (size_t i = 0; i < sizeof buffers / sizeof *buffers; i++) sk_buffer_deinit(buffers[i]);
    sk_free(walk);
}

static void take_head(sk_walk *walk, sk_slice bytes)
{
    int status = sk_head_read_outline(&walk->head, bytes, &walk->content);
    SK_ASSERT(status == 0);
    sk_context_trim(&walk->head.context, &walk->base); // who builds a state of it adds no entry to the index that base covers
}

static void load_head(sk_walk *walk)
{
    sk_value value;
    bool known = sk_tree_get(&walk->keys, sk_key_entry(&walk->place, sk_buffer_slice(&walk->key)), &value);
    SK_ASSERT(known);
    take_head(walk, value.bytes);
}

// A key that several actors changed is found under each of them: it is given under the first.
static bool is_first(const sk_walk *walk, sk_dot found)
{
    const sk_vector *vector = &walk->head.context.vector;
    for (size_t i = 0; i < vector->count && vector->list[i].actor < found.actor; i++) {
        if (!sk_vector_has(&walk->since, vector->list[i])) return false;
    }
    return true;
}

// The next key that changed since, into walk->key and walk->head.
static bool next_changed(sk_walk *walk)
{
    while (true) {
        sk_tree_cursor cursor;
        sk_slice entry;
        sk_slice key;
        sk_buffer_clear(&walk->entry);
        sk_tree_seek(&cursor, &walk->index,
                     sk_index_key(&walk->entry, walk->at.actor, walk->at.counter, sk_buffer_slice(&walk->key)));
        if (!sk_tree_next(&cursor, &entry, NULL)) return false;
        bool same = sk_slice_equal(entry, sk_buffer_slice(&walk->entry)) && walk->begun;
        if (same && !sk_tree_next(&cursor, &entry, NULL)) return false;
        sk_dot dot = sk_index_dot(entry, &key);
        uint64_t since = sk_vector_get(&walk->since, dot.actor);
        walk->begun = false;
        sk_buffer_clear(&walk->key);
        if (dot.counter <= since) { // go to what is beyond, or to the next actor
            walk->at = since == SK_RETIRED ? (sk_dot){dot.actor + 1, 0} : (sk_dot){dot.actor, since + 1};
            continue;
        }
        walk->at = dot;
        walk->begun = true;
        sk_buffer_append_slice(&walk->key, key);
        load_head(walk);
        if (is_first(walk, dot)) return true;
    }
}

static bool next_any(sk_walk *walk)
{
    sk_slice entry;
    sk_value value;
    if (!sk_tree_next(&walk->cursor, &entry, &value)) return false;
    sk_buffer_clear(&walk->place);
    sk_buffer_append_slice(&walk->place, entry);
    sk_buffer_clear(&walk->key);
    sk_buffer_append_slice(&walk->key, sk_entry_name(entry));
    walk->begun = true;
    take_head(walk, value.bytes);
    return true;
}

// Parts behind walk->after, until `budget` bytes. True: all are there.
static bool take_parts(sk_walk *walk, uint64_t *count, size_t budget)
{
    sk_buffer_clear(&walk->parts_bytes);
    *count = 0;
    if (walk->head.parts == 0) return true;
    size_t prefix = sk_part_prefix(&walk->entry, sk_buffer_slice(&walk->key)).size;
    sk_buffer_append_slice(&walk->entry, sk_buffer_slice(&walk->after));
    sk_slice from = sk_buffer_slice(&walk->entry);
    sk_tree_cursor cursor;
    sk_slice entry;
    sk_value value;
    sk_tree_seek(&cursor, &walk->parts, from);
    while (sk_tree_next(&cursor, &entry, &value)) {
        if (entry.size <= prefix || memcmp(entry.data, from.data, prefix) != 0) return true;
        if (walk->after.size && sk_slice_equal(entry, from)) continue;
        if (*count && walk->parts_bytes.size >= budget) return false;
        sk_slice tail = sk_slice_make(entry.data + prefix, entry.size - prefix);
        sk_piece_write_part(&walk->parts_bytes, sk_part_of(tail), value.bytes);
        ++*count;
        sk_buffer_clear(&walk->after);
        sk_buffer_append_slice(&walk->after, tail);
    }
    return true;
}

// The next piece of the key under way, sized. True: it was the last of this key.
static bool write_piece(sk_walk *walk, sk_buffer *out, size_t budget)
{
    uint8_t flags = SK_PIECE_FULL;
    sk_buffer after = {0};
    uint64_t count;
    if (walk->after.size == 0) flags |= SK_PIECE_FIRST;
    else sk_buffer_append_slice(&after, sk_buffer_slice(&walk->after));
    bool last = take_parts(walk, &count, budget);
    if (last) flags |= SK_PIECE_LAST;
    sk_buffer_clear(&walk->begin);
    sk_piece_write_begin(&walk->begin, flags, sk_buffer_slice(&walk->key), sk_buffer_slice(&after), &walk->head.context);
    sk_slice content = flags & SK_PIECE_FIRST ? walk->content : (sk_slice){0};
    sk_write_varint(out, walk->begin.size + content.size + sk_varint_size(count) + walk->parts_bytes.size);
    sk_buffer_append_slice(out, sk_buffer_slice(&walk->begin));
    sk_buffer_append_slice(out, content);
    sk_write_varint(out, count);
    sk_buffer_append_slice(out, sk_buffer_slice(&walk->parts_bytes));
    sk_buffer_deinit(&after);
    if (last) sk_buffer_clear(&walk->after);
    return last;
}

static void write_bound(sk_buffer *out, bool is_there, sk_slice entry)
{
    sk_write_u8(out, is_there);
    if (is_there) sk_write_sized(out, entry);
}

bool sk_walk_next(sk_walk *walk, sk_buffer *out, size_t budget)
{
    SK_ASSERT(!walk->finished);
    sk_buffer *pieces = &walk->pieces;
    sk_buffer from = {0};
    bool from_key = walk->full && walk->begun;
    sk_buffer_append_slice(&from, sk_buffer_slice(&walk->place));
    sk_buffer_clear(pieces);
    do {
        if (!walk->within && !(walk->full ? next_any(walk) : next_changed(walk))) {
            walk->finished = true;
            break;
        }
        walk->within = !write_piece(walk, pieces, budget);
    } while (pieces->size < budget);
    sk_write_u8(out, walk->full);
    sk_vector_write(&walk->base, out);
    if (walk->full) {
        write_bound(out, from_key, sk_buffer_slice(&from));
        write_bound(out, !walk->finished, sk_buffer_slice(&walk->place));
    }
    sk_buffer_append_slice(out, sk_buffer_slice(pieces));
    sk_buffer_deinit(&from);
    return !walk->finished;
}

void sk_mergeable_export(sk_mergeable *state, sk_slice key, sk_buffer *out)
{
    sk_value value;
    if (!sk_tree_get(&state->keys, sk_key_entry(&state->entry, key), &value)) return;
    sk_walk *walk = sk_walk_open(state, NULL);
    sk_buffer_append_slice(&walk->key, key);
    load_head(walk);
    write_piece(walk, out, SIZE_MAX);
    sk_walk_close(walk);
}
