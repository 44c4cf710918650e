// Changes made here: each is written as an operation and applied as anybody else's.
#include "base/assert.h"
#include "data/mergeable_private.h"

// Loads the key's head into state->head; what there is.
static uint8_t load(sk_writer *writer, sk_slice key)
{
    sk_head_load(writer->state, key, &writer->state->head);
    return writer->state->loaded.tag;
}

static sk_dot next_dot(const sk_mergeable *state)
{
    SK_ASSERT(state->self);
    return (sk_dot){state->self, sk_vector_get(&state->seen, state->self) + 1};
}

// The piece is in state->change.
static void commit(sk_writer *writer, uint64_t counters)
{
    sk_mergeable *state = writer->state;
    size_t begin = writer->out->size;
    sk_dot dot = next_dot(state);
    sk_actor_write(dot.actor, writer->out);
    sk_write_varint(writer->out, dot.counter);
    sk_write_varint(writer->out, counters - 1);
    sk_write_sized(writer->out, sk_buffer_slice(&state->change));
    sk_operation operation;
    sk_slice bytes = sk_slice_make(writer->out->data + begin, writer->out->size - begin);
    int status = sk_operation_read(bytes, &operation);
    SK_ASSERT(status == 0 && operation.size == bytes.size);
    status = sk_mergeable_apply(state, &operation, writer->wall_ms);
    SK_ASSERT(status == 0);
}

static sk_sibling sibling_of(sk_writer *writer, sk_dot dot, sk_slice value)
{
    return (sk_sibling){.dot = dot, .stamp = sk_hlc_tick(&writer->state->clock, writer->wall_ms), .value = value};
}

static void put_deadline(uint8_t *bytes, uint64_t deadline)
{
    for (int i = 0; i < 8; i++) bytes[i] = (uint8_t)(deadline >> (56 - 8 * i));
}

// Everything that was counted here is reset.
static void reset_tallies(sk_counter *counter)
{
    for (size_t i = 0; i < counter->count; i++) {
        sk_tally *one = &counter->list[i];
        one->reset = one->counter;
        one->plus_reset = one->plus;
        one->minus_reset = one->minus;
    }
}

// ---- Changes of the whole key: the operation is its new state ----

static void cover_dot(const sk_mergeable *state, sk_context *context, sk_dot dot)
{
    if (sk_seen_has((sk_seen){context, NULL}, dot)) return;
    if (sk_vector_has(&state->base, dot))
        sk_vector_raise(&context->vector, dot.actor, sk_vector_get(&state->base, dot.actor));
    else
        sk_dots_add(&context->dots, dot);
}

static void cover(const sk_mergeable *state, sk_context *context, const sk_register *reg)
{
    for (size_t i = 0; i < reg->count; i++) cover_dot(state, context, reg->list[i].dot);
}

static void cover_parts(sk_mergeable *state, sk_slice key, sk_context *context)
{
    sk_part_cursor cursor = {0};
    sk_slice name;
    sk_value value;
    sk_part_seek(&cursor, state, key, SK_SLOT_SET, 0);
    while (sk_part_next(&cursor, &name, &value)) {
        sk_reader reader = sk_reader_make(value.bytes);
        sk_dots_read(&state->dots, &reader);
        for (size_t i = 0; i < state->dots.count; i++) cover_dot(state, context, state->dots.list[i]);
    }
    sk_part_deinit(&cursor);
    sk_part_seek(&cursor, state, key, SK_SLOT_MAP, 0);
    while (sk_part_next(&cursor, &name, &value)) {
        sk_reader reader = sk_reader_make(value.bytes);
        sk_scalar_read(&state->scalar, &reader);
        cover(state, context, &state->scalar.reg);
    }
    sk_part_deinit(&cursor);
}

// All that is to go must be said. What all replicas have seen is not in the head's context. Nor is what came with a walk that is half
// merged: its pieces leave out what is in a base that becomes ours when it is over, and the context of a key in several pieces comes with
// the last; those dots are named one by one.
static void cover_removed(sk_mergeable *state, sk_slice key, sk_head *head)
{
    if (head->parts) {
        sk_vector_join(&head->context.vector, &state->base);
        cover_parts(state, key, &head->context);
    }
    cover(state, &head->context, &head->scalar.reg);
    cover(state, &head->context, &head->expiry);
}

// Fields that were counted in stay as dead tallies: how far they were reset.
static uint64_t write_dead_fields(sk_mergeable *state, sk_slice key, sk_buffer *out)
{
    uint64_t count = 0;
    sk_part_cursor cursor = {0};
    sk_slice name;
    sk_value value;
    sk_part_seek(&cursor, state, key, SK_SLOT_MAP, 0);
    while (sk_part_next(&cursor, &name, &value)) {
        sk_reader reader = sk_reader_make(value.bytes);
        sk_scalar_read(&state->scalar, &reader);
        if (state->scalar.counter.count == 0) continue;
        sk_register_clear(&state->scalar.reg);
        reset_tallies(&state->scalar.counter);
        sk_buffer_clear(&state->part);
        sk_scalar_write(&state->scalar, true, &state->part);
        sk_piece_write_part(out, (sk_part_name){SK_SLOT_MAP, name}, sk_buffer_slice(&state->part));
        count++;
    }
    sk_part_deinit(&cursor);
    return count;
}

// The head as loaded, emptied; with `value` or without, with a deadline or without.
static void replace(sk_writer *writer, sk_slice key, const sk_slice *value, uint64_t deadline)
{
    sk_mergeable *state = writer->state;
    sk_head *head = &state->head;
    sk_dot dot = next_dot(state);
    uint8_t bytes[8];
    uint64_t counters = 0;
    sk_buffer parts = {0};
    cover_removed(state, key, head);
    uint64_t count = head->fields || head->parts > head->members ? write_dead_fields(state, key, &parts) : 0;
    sk_register_clear(&head->scalar.reg);
    sk_register_clear(&head->expiry);
    reset_tallies(&head->scalar.counter);
    if (value) sk_register_add(&head->scalar.reg, sibling_of(writer, (sk_dot){dot.actor, dot.counter + counters++}, *value));
    if (deadline) {
        put_deadline(bytes, deadline);
        sk_dot second = {dot.actor, dot.counter + counters++};
        sk_register_add(&head->expiry, sibling_of(writer, second, sk_slice_make(bytes, sizeof bytes)));
    }
    sk_buffer *out = &state->change;
    sk_buffer_clear(out);
    sk_piece_write_begin(out, SK_PIECE_FLAGS_END - 1, key, (sk_slice){0}, &head->context);
    sk_scalar_write(&head->scalar, true, out);
    sk_register_write(&head->expiry, out);
    sk_write_varint(out, count);
    sk_buffer_append_slice(out, sk_buffer_slice(&parts));
    sk_buffer_deinit(&parts);
    commit(writer, counters ? counters : 1);
}

void sk_change_set(sk_writer *writer, sk_slice key, sk_slice value, uint64_t deadline)
{
    load(writer, key);
    replace(writer, key, &value, deadline);
}

bool sk_change_clear(sk_writer *writer, sk_slice key)
{
    uint8_t tag = load(writer, key);
    if (!tag && writer->state->head.expiry.count == 0) return false;
    replace(writer, key, NULL, 0);
    return tag != 0;
}

void sk_change_begin(sk_writer *writer, sk_slice key)
{
    sk_value value;
    sk_slice entry = sk_key_entry(&writer->state->entry, key);
    if (!sk_tree_get(&writer->state->keys, entry, &value) || value.meta == 0) return;
    if (!value.tag || value.meta <= writer->wall_ms) sk_change_clear(writer, key);
}

void sk_change_clear_due(sk_writer *writer, size_t budget)
{
    sk_mergeable *state = writer->state;
    sk_buffer key = {0};
    while (budget-- && sk_mergeable_next_due(state) <= writer->wall_ms) {
        sk_slice entry;
        sk_value nothing;
        sk_tree_at(&state->expiries, 0, &entry, &nothing);
        sk_buffer_clear(&key);
        sk_buffer_append_slice(&key, sk_entry_name(entry)); // a due time is as long as a place
        sk_change_clear(writer, sk_buffer_slice(&key));
    }
    sk_buffer_deinit(&key);
}

// ---- Changes of one part: the operation has what it adds and names what it removes ----

// Removed dots are in state->dots. name NULL: no part.
static void write_partial(sk_writer *writer, sk_slice key, const sk_scalar *scalar, const sk_register *expiry,
                          const sk_part_name *name, sk_slice body)
{
    sk_mergeable *state = writer->state;
    sk_context context = {.dots = state->dots};
    sk_buffer *out = &state->change;
    sk_buffer_clear(out);
    sk_piece_write_begin(out, 0, key, (sk_slice){0}, &context);
    sk_scalar_write(scalar, true, out);
    sk_register_write(expiry, out);
    sk_write_varint(out, name != NULL);
    if (name) sk_piece_write_part(out, *name, body);
    commit(writer, 1);
}

static const sk_scalar no_scalar;
static const sk_register no_register;

static void remove_siblings(sk_mergeable *state, const sk_register *reg)
{
    sk_dots_clear(&state->dots);
    for (size_t i = 0; i < reg->count; i++) sk_dots_add(&state->dots, reg->list[i].dot);
}

bool sk_change_expire(sk_writer *writer, sk_slice key, uint64_t deadline)
{
    sk_mergeable *state = writer->state;
    uint8_t tag = load(writer, key);
    if (!tag || (!deadline && state->head.expiry.count == 0)) return false;
    uint8_t bytes[8];
    sk_register expiry = {0};
    remove_siblings(state, &state->head.expiry);
    put_deadline(bytes, deadline);
    if (deadline) sk_register_add(&expiry, sibling_of(writer, next_dot(state), sk_slice_make(bytes, sizeof bytes)));
    write_partial(writer, key, &no_scalar, &expiry, NULL, (sk_slice){0});
    sk_register_deinit(&expiry);
    return true;
}

// Our tally in `counter` with `more` on top, alone in `out`.
static bool raise_tally(const sk_mergeable *state, const sk_counter *counter, sk_total more, sk_counter *out)
{
    sk_dot dot = next_dot(state);
    const sk_tally *old = sk_counter_find(counter, dot.actor);
    sk_tally tally = old && sk_tally_live(old) ? *old : (sk_tally){.actor = dot.actor, .birth = dot.counter};
    tally.counter = dot.counter;
    if (!sk_amount_add(more.negative ? &tally.minus : &tally.plus, more.amount)) return false;
    sk_counter_add(out, tally);
    return true;
}

bool sk_change_count(sk_writer *writer, sk_slice key, sk_total more)
{
    sk_mergeable *state = writer->state;
    load(writer, key);
    sk_scalar scalar = {0};
    bool fits = raise_tally(state, &state->head.scalar.counter, more, &scalar.counter);
    sk_dots_clear(&state->dots);
    if (fits) write_partial(writer, key, &scalar, &no_register, NULL, (sk_slice){0});
    sk_scalar_deinit(&scalar);
    return fits;
}

static void write_member(sk_writer *writer, sk_slice key, sk_slice member, bool add)
{
    sk_mergeable *state = writer->state;
    sk_dots dots = {0};
    if (add) sk_dots_add(&dots, next_dot(state));
    sk_buffer_clear(&state->part);
    sk_dots_write(&dots, &state->part);
    sk_dots_deinit(&dots);
    sk_part_name name = {SK_SLOT_SET, member};
    write_partial(writer, key, &no_scalar, &no_register, &name, sk_buffer_slice(&state->part));
}

bool sk_change_add_member(sk_writer *writer, sk_slice key, sk_slice member)
{
    bool was = sk_mergeable_has_member(writer->state, key, member); // its dots are in state->dots
    write_member(writer, key, member, true);
    return !was;
}

bool sk_change_remove_member(sk_writer *writer, sk_slice key, sk_slice member)
{
    bool was = sk_mergeable_has_member(writer->state, key, member);
    if (was) write_member(writer, key, member, false);
    return was;
}

static void write_field(sk_writer *writer, sk_slice key, sk_slice field, const sk_scalar *scalar)
{
    sk_mergeable *state = writer->state;
    sk_buffer_clear(&state->part);
    sk_scalar_write(scalar, true, &state->part);
    sk_part_name name = {SK_SLOT_MAP, field};
    write_partial(writer, key, &no_scalar, &no_register, &name, sk_buffer_slice(&state->part));
}

bool sk_change_set_field(sk_writer *writer, sk_slice key, sk_slice field, sk_slice value)
{
    sk_mergeable *state = writer->state;
    bool was = sk_mergeable_field(state, key, field, &state->scalar);
    remove_siblings(state, &state->scalar.reg);
    sk_register_clear(&state->scalar.reg);
    reset_tallies(&state->scalar.counter);
    sk_register_add(&state->scalar.reg, sibling_of(writer, next_dot(state), value));
    write_field(writer, key, field, &state->scalar);
    return !was;
}

bool sk_change_count_field(sk_writer *writer, sk_slice key, sk_slice field, sk_total more)
{
    sk_mergeable *state = writer->state;
    sk_mergeable_field(state, key, field, &state->scalar);
    sk_scalar scalar = {0};
    bool fits = raise_tally(state, &state->scalar.counter, more, &scalar.counter);
    sk_dots_clear(&state->dots);
    if (fits) write_field(writer, key, field, &scalar);
    sk_scalar_deinit(&scalar);
    return fits;
}

bool sk_change_remove_field(sk_writer *writer, sk_slice key, sk_slice field)
{
    sk_mergeable *state = writer->state;
    if (!sk_mergeable_field(state, key, field, &state->scalar)) return false;
    remove_siblings(state, &state->scalar.reg);
    sk_register_clear(&state->scalar.reg);
    reset_tallies(&state->scalar.counter);
    write_field(writer, key, field, &state->scalar);
    return true;
}
