// The invariants of a mergeable state, looked at one by one.
#include "base/assert.h"
#include "data/mergeable_private.h"

static uint64_t check_parts(sk_mergeable *state, sk_slice key, const sk_head *head)
{
    uint64_t content = 0;
    uint64_t there[2] = {0};
    uint64_t parts = 0;
    for (int slot = 0; slot < 2; slot++) {
        sk_part_cursor cursor = {0};
        sk_slice name;
        sk_value value;
        sk_part_seek(&cursor, state, key, slot ? SK_SLOT_MAP : SK_SLOT_SET, 0);
        while (sk_part_next(&cursor, &name, &value)) {
            sk_reader reader = sk_reader_make(value.bytes);
            parts++;
            there[slot] += value.tag;
            if (slot) {
                sk_scalar_read(&state->scalar, &reader);
                SK_ASSERT(sk_scalar_live(&state->scalar) == value.tag && !sk_scalar_empty(&state->scalar));
                content += sk_field_hash(state, key, name, &state->scalar);
            } else {
                sk_dots_read(&state->dots, &reader);
                SK_ASSERT(state->dots.count && value.tag == 1);
                content += sk_part_hash(key, (sk_part_name){SK_SLOT_SET, name}, value.bytes);
            }
            SK_ASSERT(sk_reader_done(&reader));
        }
        sk_part_deinit(&cursor);
    }
    SK_ASSERT(there[0] == head->members && there[1] == head->fields && parts == head->parts);
    return content;
}

void sk_mergeable_check(sk_mergeable *state)
{
    sk_tree *const trees[] = {&state->keys, &state->parts, &state->index, &state->expiries};
    for (size_t i = 0; i < sizeof trees / sizeof *trees; i++) sk_tree_check(trees[i]);
    sk_vector_check(&state->seen);
    sk_vector_check(&state->base);
    SK_ASSERT(sk_vector_covers(&state->seen, &state->base));
    uint64_t content = 0;
    uint64_t live = 0;
    uint64_t index = 0;
    uint64_t expiries = 0;
    uint64_t parts = 0;
    sk_head head = {0};
    sk_tree_cursor cursor;
    sk_slice key;
    sk_value value;
    sk_key_seek(&cursor, state, 0);
    while (sk_key_next(&cursor, &key, &value)) {
        int status = sk_head_read(&head, value.bytes);
        SK_ASSERT(status == 0);
        SK_ASSERT(value.meta == sk_head_deadline(&head) && (value.meta != 0) == (sk_head_due(state, &head) != 0));
        content += sk_head_hash(state, key, &head) + check_parts(state, key, &head);
        live += value.tag != 0;
        expiries += value.meta != 0;
        parts += head.parts;
        sk_vector_check(&head.context.vector);
        for (size_t i = 0; i < head.context.vector.count; i++) {
            sk_dot dot = head.context.vector.list[i];
            sk_value plain;
            bool there = sk_tree_get(&state->index, sk_index_key(&state->index_key, dot.actor, dot.counter, key), &plain);
            SK_ASSERT(there ? !plain.tag || sk_head_plain(&head, value.tag) : sk_vector_has(&state->base, dot));
            index += there;
        }
    }
    sk_head_deinit(&head);
    SK_ASSERT(content == state->content && live == state->live);
    SK_ASSERT(index == state->index.count && expiries == state->expiries.count && parts == state->parts.count);
}
