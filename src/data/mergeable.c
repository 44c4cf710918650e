#include "data/mergeable.h"

#include "base/alloc.h"
#include "base/assert.h"
#include "base/error.h"
#include "base/hash.h"
#include "data/mergeable_private.h"

enum { DEADLINE_SIZE = 8, ID_SIZE = 16, PLACE_SEED = 0x706c6163 };
// What an entry costs beyond its own bytes, in the logical size.
enum { KEY_OVERHEAD = 48, PART_OVERHEAD = 40, INDEX_OVERHEAD = 32 };

void sk_mergeable_init(sk_mergeable *state, uint32_t node, uint64_t drift_max_ms)
{
    *state = (sk_mergeable){.node = node};
    sk_hlc_init(&state->clock, drift_max_ms);
    sk_tree_init(&state->keys, &state->garbage);
    sk_tree_init(&state->parts, &state->garbage);
    sk_tree_init(&state->index, &state->garbage);
    sk_tree_init(&state->expiries, &state->garbage);
}

void sk_head_deinit(sk_head *head)
{
    sk_context_deinit(&head->context);
    sk_scalar_deinit(&head->scalar);
    sk_register_deinit(&head->expiry);
}

void sk_mergeable_deinit(sk_mergeable *state)
{
    sk_tree *const trees[] = {&state->keys, &state->parts, &state->index, &state->expiries};
    for (size_t i = 0; i < sizeof trees / sizeof *trees; i++) sk_tree_drop(trees[i]);
    sk_tree_garbage_deinit(&state->garbage);
    sk_vector_deinit(&state->seen);
    sk_vector_deinit(&state->base);
    sk_vector_deinit(&state->loaded.vector);
    sk_head_deinit(&state->head);
    sk_piece_deinit(&state->piece);
    sk_scalar_deinit(&state->scalar);
    sk_scalar_deinit(&state->other_scalar);
    sk_dots_deinit(&state->dots);
    sk_dots_deinit(&state->other_dots);
    sk_buffer *const buffers[] = {&state->entry,   &state->name,   &state->part,  &state->index_key,
                                  &state->encoded, &state->hashed, &state->change, &state->loaded.entry};
    for (size_t i = 0; i < sizeof buffers / sizeof *buffers; i++) sk_buffer_deinit(buffers[i]);
}

void sk_mergeable_identify(sk_mergeable *state, uint64_t life)
{
    state->self = sk_actor_make(state->node, life);
    SK_ASSERT(sk_vector_get(&state->seen, state->self) == 0);
}

// ---- Keys of the trees ----

static uint8_t *put_big_endian(uint8_t *at, uint64_t value)
{
    for (int i = 0; i < 8; i++) at[i] = (uint8_t)(value >> (56 - 8 * i));
    return at + 8;
}

static uint64_t get_big_endian(const uint8_t *at)
{
    uint64_t value = 0;
    for (int i = 0; i < 8; i++) value = value << 8 | at[i];
    return value;
}

uint64_t sk_place(sk_slice name)
{
    return sk_hash64(PLACE_SEED, name.data, name.size) >> (64 - SK_PLACE_BITS);
}

static void append_place(sk_buffer *out, uint64_t place)
{
    put_big_endian(sk_buffer_reserve(out, SK_PLACE_SIZE), place);
    out->size += SK_PLACE_SIZE;
}

sk_slice sk_key_entry(sk_buffer *buffer, sk_slice key)
{
    sk_buffer_clear(buffer);
    append_place(buffer, sk_place(key));
    sk_buffer_append_slice(buffer, key);
    return sk_buffer_slice(buffer);
}

sk_slice sk_entry_name(sk_slice entry)
{
    SK_ASSERT(entry.size >= SK_PLACE_SIZE);
    return sk_slice_make(entry.data + SK_PLACE_SIZE, entry.size - SK_PLACE_SIZE);
}

sk_part_name sk_part_of(sk_slice tail)
{
    return (sk_part_name){tail.data[0], sk_entry_name(sk_slice_make(tail.data + 1, tail.size - 1))};
}

sk_slice sk_part_prefix(sk_buffer *buffer, sk_slice key)
{
    sk_buffer_clear(buffer);
    sk_write_sized(buffer, key);
    return sk_buffer_slice(buffer);
}

sk_slice sk_part_key(sk_buffer *buffer, sk_slice key, sk_part_name name)
{
    sk_buffer_clear(buffer);
    sk_write_sized(buffer, key);
    sk_write_u8(buffer, name.slot);
    append_place(buffer, sk_place(name.name));
    sk_buffer_append_slice(buffer, name.name);
    return sk_buffer_slice(buffer);
}

sk_slice sk_index_key(sk_buffer *buffer, sk_actor actor, uint64_t counter, sk_slice key)
{
    sk_buffer_clear(buffer);
    uint8_t *at = sk_buffer_reserve(buffer, ID_SIZE + key.size);
    put_big_endian(put_big_endian(at, actor), counter);
    if (key.size) memcpy(at + ID_SIZE, key.data, key.size);
    buffer->size = ID_SIZE + key.size;
    return sk_buffer_slice(buffer);
}

sk_dot sk_index_dot(sk_slice index_key, sk_slice *key)
{
    SK_ASSERT(index_key.size >= ID_SIZE);
    *key = sk_slice_make(index_key.data + ID_SIZE, index_key.size - ID_SIZE);
    return (sk_dot){get_big_endian(index_key.data), get_big_endian(index_key.data + 8)};
}

static sk_slice expiry_key(sk_buffer *buffer, uint64_t deadline, sk_slice key)
{
    sk_buffer_clear(buffer);
    uint8_t *at = sk_buffer_reserve(buffer, DEADLINE_SIZE + key.size);
    put_big_endian(at, deadline);
    if (key.size) memcpy(at + DEADLINE_SIZE, key.data, key.size);
    buffer->size = DEADLINE_SIZE + key.size;
    return sk_buffer_slice(buffer);
}

// ---- Heads ----

// `content`: the bytes of the scalar and the expiry. May be NULL.
static int head_read(sk_head *out, sk_slice bytes, sk_slice *content)
{
    sk_reader reader = sk_reader_make(bytes);
    sk_context_read(&out->context, &reader);
    const uint8_t *from = reader.at;
    sk_scalar_read(&out->scalar, &reader);
    sk_register_read(&out->expiry, &reader);
    if (content) *content = sk_slice_make(from, (size_t)(reader.at - from));
    uint64_t *const counts[] = {&out->members, &out->fields, &out->parts};
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) *counts[i] = sk_read_varint(&reader);
    return sk_reader_done(&reader) ? 0 : SK_ECORRUPT;
}

int sk_head_read(sk_head *out, sk_slice bytes)
{
    return head_read(out, bytes, NULL);
}

int sk_head_read_outline(sk_head *out, sk_slice bytes, sk_slice *content)
{
    enum { COUNTS = 3 }; // a byte each, when all are 0; and a last byte of 0 says that there are no parts
    if (bytes.size < COUNTS || bytes.data[bytes.size - 1] != 0) return head_read(out, bytes, content);
    sk_reader reader = sk_reader_make(bytes);
    sk_context_read(&out->context, &reader);
    out->members = out->fields = out->parts = 0;
    if (reader.bad || sk_reader_left(&reader) < COUNTS) return SK_ECORRUPT;
    *content = sk_slice_make(reader.at, sk_reader_left(&reader) - COUNTS);
    return 0;
}

static void head_write(const sk_head *head, sk_buffer *out, sk_slice *content)
{
    sk_context_write(&head->context, out);
    size_t from = out->size;
    sk_scalar_write(&head->scalar, true, out);
    sk_register_write(&head->expiry, out);
    size_t size = out->size - from;
    sk_write_varint(out, head->members);
    sk_write_varint(out, head->fields);
    sk_write_varint(out, head->parts);
    *content = sk_slice_make(out->data + from, size);
}

static void head_clear(sk_head *head)
{
    sk_context_clear(&head->context);
    sk_scalar_clear(&head->scalar);
    sk_register_clear(&head->expiry);
    head->members = head->fields = head->parts = 0;
}

bool sk_mergeable_head(sk_mergeable *state, sk_slice key, sk_head *out, uint8_t *tag)
{
    sk_value value;
    *tag = 0;
    head_clear(out);
    if (!sk_tree_get(&state->keys, sk_key_entry(&state->entry, key), &value)) return false;
    int status = sk_head_read(out, value.bytes);
    SK_ASSERT(status == 0);
    *tag = value.tag;
    return true;
}

void sk_mergeable_prefetch(sk_mergeable *state, const sk_slice *keys, size_t count)
{
    sk_slice entries[SK_TREE_TOGETHER];
    size_t size = 0;
    SK_ASSERT(count <= SK_TREE_TOGETHER);
    for (size_t i = 0; i < count; i++) size += SK_PLACE_SIZE + keys[i].size;
    sk_buffer_clear(&state->entry);
    uint8_t *at = sk_buffer_reserve(&state->entry, size);
    for (size_t i = 0; i < count; i++) {
        entries[i] = sk_slice_make(at, SK_PLACE_SIZE + keys[i].size);
        at = put_big_endian(at, sk_place(keys[i]));
        if (keys[i].size) memcpy(at, keys[i].data, keys[i].size);
        at += keys[i].size;
    }
    sk_tree_prefetch(&state->keys, entries, count);
}

uint64_t sk_head_deadline(const sk_head *head)
{
    const sk_sibling *winner = sk_register_winner(&head->expiry);
    return winner ? get_big_endian(winner->value.data) : 0;
}

bool sk_mergeable_find(sk_mergeable *state, sk_slice key, uint64_t wall_ms, sk_value *out)
{
    if (!sk_tree_get(&state->keys, sk_key_entry(&state->entry, key), out) || !out->tag) return false;
    return out->meta == 0 || out->meta > wall_ms;
}

uint64_t sk_head_hash(sk_mergeable *state, sk_slice key, const sk_head *head)
{
    if (!sk_scalar_live(&head->scalar) && head->expiry.count == 0) return 0;
    sk_buffer_clear(&state->hashed);
    sk_scalar_write(&head->scalar, false, &state->hashed);
    sk_register_write(&head->expiry, &state->hashed);
    return sk_part_hash(key, (sk_part_name){0}, sk_buffer_slice(&state->hashed));
}

// The same, where scalar and expiry are bytes already: with dead tallies, which do not count, they say too much.
static uint64_t hash_of(sk_mergeable *state, sk_slice key, const sk_head *head, sk_slice content)
{
    if (sk_counter_has_dead(&head->scalar.counter)) return sk_head_hash(state, key, head);
    if (head->scalar.reg.count + head->scalar.counter.count + head->expiry.count == 0) return 0;
    return sk_part_hash(key, (sk_part_name){0}, content);
}

uint64_t sk_part_hash(sk_slice key, sk_part_name name, sk_slice content)
{
    uint64_t hash = sk_hash64(name.slot, key.data, key.size);
    hash = sk_hash64(hash, name.name.data, name.name.size);
    return sk_hash64(hash, content.data, content.size);
}

static uint8_t tag_of(const sk_head *head)
{
    uint8_t tag = 0;
    if (head->scalar.reg.count) tag |= SK_SLOT_REGISTER;
    if (sk_counter_live(&head->scalar.counter)) tag |= SK_SLOT_COUNTER;
    if (head->members) tag |= SK_SLOT_SET;
    if (head->fields) tag |= SK_SLOT_MAP;
    return tag;
}

bool sk_head_load(sk_mergeable *state, sk_slice key, sk_head *head)
{
    sk_value value = {.bytes = state->loaded.value};
    sk_slice content;
    head_clear(head);
    if (state->loaded.fresh && sk_slice_equal(sk_entry_name(sk_buffer_slice(&state->loaded.entry)), key)) {
        if (state->loaded.place.found) sk_head_read(head, value.bytes);
        return state->loaded.place.found;
    }
    state->loaded.fresh = true;
    state->loaded.tag = 0;
    state->loaded.due = state->loaded.hash = 0;
    sk_vector_clear(&state->loaded.vector);
    if (!sk_tree_look(&state->keys, sk_key_entry(&state->loaded.entry, key), &state->loaded.place, &value)) return false;
    int status = head_read(head, value.bytes, &content);
    SK_ASSERT(status == 0);
    state->loaded.value = value.bytes;
    state->loaded.tag = value.tag;
    state->loaded.due = sk_head_due(state, head);
    state->loaded.hash = hash_of(state, key, head, content);
    sk_vector_copy(&state->loaded.vector, &head->context.vector);
    return true;
}

bool sk_head_plain(const sk_head *head, uint8_t tag)
{
    return tag && !sk_counter_has_dead(&head->scalar.counter) && head->parts == head->members + head->fields;
}

static bool has_dot(const sk_vector *vector, sk_dot dot, size_t *at)
{
    while (*at < vector->count && vector->list[*at].actor < dot.actor) ++*at;
    return *at < vector->count && sk_dot_compare(vector->list[*at], dot) == 0;
}

// The index has the entries of the vector: what left it goes, if it is there still, and what is new comes. All are told when the key is not
// plain.
static void store_index(sk_mergeable *state, sk_slice key, const sk_vector *before, const sk_vector *after, bool plain)
{
    size_t at = 0;
    for (size_t i = 0; i < before->count; i++) {
        sk_dot dot = before->list[i];
        bool settled = sk_vector_has(&state->base, dot);
        if (has_dot(after, dot, &at) || (settled && !state->settling)) continue; // it stays, or has been collected
        bool changed = sk_tree_remove(&state->index, sk_index_key(&state->index_key, dot.actor, dot.counter, key));
        SK_ASSERT(changed || settled);
    }
    at = 0;
    for (size_t i = 0; i < after->count; i++) {
        sk_dot dot = after->list[i];
        bool had = has_dot(before, dot, &at);
        if (had && plain) continue;
        sk_slice entry = sk_index_key(&state->index_key, dot.actor, dot.counter, key);
        bool new = sk_tree_put(&state->index, entry, (sk_value){.tag = plain});
        SK_ASSERT(new != had);
    }
}

uint64_t sk_head_due(const sk_mergeable *state, const sk_head *head)
{
    const sk_sibling *winner = sk_register_winner(&head->expiry);
    if (!winner) return 0;
    uint64_t deadline = get_big_endian(winner->value.data);
    bool own = sk_actor_node(winner->dot.actor) == state->node;
    return own || deadline > UINT64_MAX - SK_EXPIRY_LATE_MS ? deadline : deadline + SK_EXPIRY_LATE_MS;
}

static void store_due(sk_mergeable *state, sk_slice key, uint64_t before, uint64_t after)
{
    if (before == after) return;
    bool changed = true;
    if (before) changed = sk_tree_remove(&state->expiries, expiry_key(&state->index_key, before, key));
    SK_ASSERT(changed);
    if (after) changed = sk_tree_put(&state->expiries, expiry_key(&state->index_key, after, key), (sk_value){0});
    SK_ASSERT(changed);
}

// Everything that was ever done to the key is below base: fields that are only dead tallies can go.
static void drop_dead_parts(sk_mergeable *state, sk_slice key, sk_head *head)
{
    if (head->parts == head->members + head->fields) return;
    sk_tree before = sk_tree_snapshot(&state->parts);
    sk_part_cursor cursor = {0};
    sk_slice name;
    sk_value value;
    sk_part_seek(&cursor, state, key, SK_SLOT_MAP, 0);
    sk_tree_seek(&cursor.cursor, &before, sk_buffer_slice(&cursor.bytes));
    while (sk_part_next(&cursor, &name, &value)) {
        if (value.tag) continue;
        sk_tree_remove(&state->parts, sk_part_key(&state->name, key, (sk_part_name){SK_SLOT_MAP, name}));
        head->parts--;
    }
    SK_ASSERT(head->parts == head->members + head->fields);
    sk_part_deinit(&cursor);
    sk_tree_drop(&before);
}

void sk_head_store(sk_mergeable *state, sk_slice key, sk_head *head)
{
    sk_slice content;
    sk_context_trim(&head->context, &state->base);
    if (sk_context_empty(&head->context)) {
        sk_counter_drop_dead(&head->scalar.counter);
        drop_dead_parts(state, key, head);
    }
    sk_buffer_clear(&state->encoded);
    head_write(head, &state->encoded, &content);
    state->content += hash_of(state, key, head, content) - state->loaded.hash;
    uint8_t tag = tag_of(head);
    store_index(state, key, &state->loaded.vector, &head->context.vector, sk_head_plain(head, tag));
    uint64_t deadline = sk_head_deadline(head);
    state->live += (uint64_t)(tag != 0) - (uint64_t)(state->loaded.tag != 0);
    store_due(state, key, state->loaded.due, sk_head_due(state, head));
    sk_slice entry = sk_buffer_slice(&state->loaded.entry);
    SK_ASSERT(state->loaded.fresh);
    state->loaded.fresh = false;
    if (!tag && !deadline && sk_context_empty(&head->context)) {
        if (state->loaded.place.found) sk_tree_remove(&state->keys, entry);
        return;
    }
    sk_value value = {.bytes = sk_buffer_slice(&state->encoded), .meta = deadline, .tag = tag};
    sk_tree_put_at(&state->keys, &state->loaded.place, entry, value);
}

// ---- Parts ----

bool sk_member_load(const sk_mergeable *state, sk_buffer *buffer, sk_slice key, sk_slice member, sk_dots *out)
{
    sk_value value;
    sk_dots_clear(out);
    if (!sk_tree_get(&state->parts, sk_part_key(buffer, key, (sk_part_name){SK_SLOT_SET, member}), &value)) return false;
    sk_reader reader = sk_reader_make(value.bytes);
    sk_dots_read(out, &reader);
    SK_ASSERT(sk_reader_done(&reader));
    return true;
}

bool sk_field_load(const sk_mergeable *state, sk_buffer *buffer, sk_slice key, sk_slice field, sk_scalar *out)
{
    sk_value value;
    sk_scalar_clear(out);
    if (!sk_tree_get(&state->parts, sk_part_key(buffer, key, (sk_part_name){SK_SLOT_MAP, field}), &value)) return false;
    sk_reader reader = sk_reader_make(value.bytes);
    sk_scalar_read(out, &reader);
    SK_ASSERT(sk_reader_done(&reader));
    return true;
}

static uint64_t member_hash(sk_mergeable *state, sk_slice key, sk_slice member, const sk_dots *dots)
{
    if (dots->count == 0) return 0;
    sk_buffer_clear(&state->hashed);
    sk_dots_write(dots, &state->hashed);
    return sk_part_hash(key, (sk_part_name){SK_SLOT_SET, member}, sk_buffer_slice(&state->hashed));
}

void sk_member_store(sk_mergeable *state, sk_head *head, sk_slice key, sk_slice member, const sk_dots *before, const sk_dots *dots)
{
    state->content -= member_hash(state, key, member, before);
    state->content += member_hash(state, key, member, dots); // and leaves the dots' bytes in hashed
    sk_slice entry = sk_part_key(&state->name, key, (sk_part_name){SK_SLOT_SET, member});
    bool was = before->count > 0;
    bool is = dots->count > 0;
    if (is) sk_tree_put(&state->parts, entry, (sk_value){.bytes = sk_buffer_slice(&state->hashed), .tag = 1});
    else if (was) sk_tree_remove(&state->parts, entry);
    head->members += (uint64_t)is - (uint64_t)was;
    head->parts += (uint64_t)is - (uint64_t)was;
}

uint64_t sk_field_hash(sk_mergeable *state, sk_slice key, sk_slice field, const sk_scalar *scalar)
{
    if (!sk_scalar_live(scalar)) return 0;
    sk_buffer_clear(&state->hashed);
    sk_scalar_write(scalar, false, &state->hashed);
    return sk_part_hash(key, (sk_part_name){SK_SLOT_MAP, field}, sk_buffer_slice(&state->hashed));
}

void sk_field_store(sk_mergeable *state, sk_head *head, sk_slice key, sk_slice field, uint64_t hash, bool was, bool was_live,
                    const sk_scalar *scalar)
{
    state->content += sk_field_hash(state, key, field, scalar) - hash;
    bool is = !sk_scalar_empty(scalar);
    bool is_live = sk_scalar_live(scalar);
    sk_buffer_clear(&state->part);
    sk_scalar_write(scalar, true, &state->part);
    sk_slice entry = sk_part_key(&state->name, key, (sk_part_name){SK_SLOT_MAP, field});
    if (is) sk_tree_put(&state->parts, entry, (sk_value){.bytes = sk_buffer_slice(&state->part), .tag = is_live});
    else if (was) sk_tree_remove(&state->parts, entry);
    head->fields += (uint64_t)is_live - (uint64_t)was_live;
    head->parts += (uint64_t)is - (uint64_t)was;
}

bool sk_mergeable_has_member(sk_mergeable *state, sk_slice key, sk_slice member)
{
    return sk_member_load(state, &state->name, key, member, &state->dots);
}

bool sk_mergeable_field(sk_mergeable *state, sk_slice key, sk_slice field, sk_scalar *out)
{
    return sk_field_load(state, &state->name, key, field, out) && sk_scalar_live(out);
}

void sk_key_seek(sk_tree_cursor *cursor, const sk_mergeable *state, uint64_t place)
{
    uint8_t from[SK_PLACE_SIZE];
    put_big_endian(from, place);
    sk_tree_seek(cursor, &state->keys, sk_slice_make(from, sizeof from));
}

void sk_key_seek_at(sk_tree_cursor *cursor, const sk_mergeable *state, uint64_t index)
{
    sk_tree_seek_at(cursor, &state->keys, index);
}

bool sk_key_next(sk_tree_cursor *cursor, sk_slice *key, sk_value *value)
{
    sk_slice entry;
    if (!sk_tree_next(cursor, &entry, value)) return false;
    *key = sk_entry_name(entry);
    return true;
}

static void set_prefix(sk_part_cursor *cursor, sk_slice key, enum sk_slot slot)
{
    sk_buffer_clear(&cursor->bytes);
    sk_write_sized(&cursor->bytes, key);
    sk_write_u8(&cursor->bytes, (uint8_t)slot);
    cursor->prefix_size = cursor->bytes.size;
}

void sk_part_seek(sk_part_cursor *cursor, const sk_mergeable *state, sk_slice key, enum sk_slot slot, uint64_t place)
{
    set_prefix(cursor, key, slot);
    append_place(&cursor->bytes, place);
    sk_tree_seek(&cursor->cursor, &state->parts, sk_buffer_slice(&cursor->bytes));
}

void sk_part_seek_at(sk_part_cursor *cursor, const sk_mergeable *state, sk_slice key, enum sk_slot slot, uint64_t index)
{
    set_prefix(cursor, key, slot);
    sk_tree_seek_at(&cursor->cursor, &state->parts, sk_tree_rank(&state->parts, sk_buffer_slice(&cursor->bytes)) + index);
}

bool sk_part_next(sk_part_cursor *cursor, sk_slice *name, sk_value *value)
{
    sk_slice entry;
    size_t size = cursor->prefix_size;
    if (!sk_tree_next(&cursor->cursor, &entry, value)) return false;
    if (entry.size < size + SK_PLACE_SIZE || memcmp(entry.data, cursor->bytes.data, size) != 0) return false;
    *name = sk_entry_name(sk_slice_make(entry.data + size, entry.size - size));
    return true;
}

void sk_part_deinit(sk_part_cursor *cursor)
{
    sk_buffer_deinit(&cursor->bytes);
}

uint64_t sk_mergeable_next_due(const sk_mergeable *state)
{
    sk_slice first;
    sk_value nothing;
    return sk_tree_at(&state->expiries, 0, &first, &nothing) ? get_big_endian(first.data) : UINT64_MAX;
}

uint64_t sk_mergeable_bytes(const sk_mergeable *state)
{
    return state->keys.bytes + state->keys.count * KEY_OVERHEAD + state->parts.bytes + state->parts.count * PART_OVERHEAD +
           state->index.bytes + state->index.count * INDEX_OVERHEAD + state->expiries.bytes +
           state->expiries.count * INDEX_OVERHEAD;
}
