// Sets and maps of a mergeable key space.
#include "redis/mergespace_data.h"

static enum sk_slot slot_of(enum sk_values_type type)
{
    return type == SK_VALUES_SET ? SK_SLOT_SET : SK_SLOT_MAP;
}

static enum sk_found find(sk_command_call *call, sk_slice key, enum sk_values_type type, uint64_t *count)
{
    sk_mergespace *space = call->mergespace;
    sk_value value;
    uint8_t tag;
    *count = 0;
    enum sk_shown shown = sk_merge_find(call, key, &value);
    if (shown == SK_SHOWN_NOTHING) return SK_ABSENT;
    if (shown != (type == SK_VALUES_SET ? SK_SHOWN_SET : SK_SHOWN_MAP)) return SK_WRONG;
    sk_mergeable_head(&space->state, key, &space->head, &tag);
    *count = type == SK_VALUES_SET ? space->head.members : space->head.fields;
    return SK_FOUND;
}

static sk_slice show_field(sk_mergespace *space)
{
    sk_buffer_clear(&space->text);
    (void)sk_merge_show(space, &space->scalar, &space->text);
    return sk_buffer_slice(&space->text);
}

static bool get(sk_command_call *call, sk_slice key, enum sk_values_type type, sk_slice name, sk_slice *value)
{
    sk_mergespace *space = call->mergespace;
    if (value) *value = (sk_slice){0};
    if (type == SK_VALUES_SET) return sk_mergeable_has_member(&space->state, key, name);
    if (!sk_mergeable_field(&space->state, key, name, &space->scalar)) return false;
    if (value) *value = show_field(space);
    return true;
}

static bool put(sk_command_call *call, sk_slice key, enum sk_values_type type, sk_slice name, sk_slice value)
{
    sk_writer *writer = &call->mergespace->writer;
    sk_change_begin(writer, key);
    if (type == SK_VALUES_SET) return sk_change_add_member(writer, key, name);
    return sk_change_set_field(writer, key, name, value);
}

static bool remove_name(sk_command_call *call, sk_slice key, enum sk_values_type type, sk_slice name)
{
    sk_writer *writer = &call->mergespace->writer;
    sk_change_begin(writer, key);
    if (type == SK_VALUES_SET) return sk_change_remove_member(writer, key, name);
    return sk_change_remove_field(writer, key, name);
}

static enum sk_values_sum count(sk_command_call *call, sk_slice key, sk_slice field, sk_slice more, bool whole, sk_buffer *sum)
{
    sk_mergespace *space = call->mergespace;
    sk_slice shown;
    sk_total amount;
    sk_change_begin(&space->writer, key);
    get(call, key, SK_VALUES_MAP, field, &shown);
    if (space->failure.size) return SK_VALUES_REFUSED;
    enum sk_values_sum result = sk_merge_sum(space, shown, more, whole, sum, &amount);
    if (result != SK_VALUES_OK) return result;
    if (amount.negative && space->options.grow_only) {
        sk_reply_error(&call->reply, SK_ERR_GROW_ONLY);
        return SK_VALUES_REFUSED;
    }
    return sk_change_count_field(&space->writer, key, field, amount) ? SK_VALUES_OK : SK_VALUES_OVERFLOW;
}

static void seek(sk_values_cursor *cursor, sk_command_call *call, sk_slice key, enum sk_values_type type, uint64_t place)
{
    cursor->call = call;
    cursor->type = type;
    sk_part_seek(&cursor->part, &call->mergespace->state, key, slot_of(type), place);
}

static void seek_at(sk_values_cursor *cursor, sk_command_call *call, sk_slice key, enum sk_values_type type, uint64_t index)
{
    cursor->call = call;
    cursor->type = type;
    sk_part_seek_at(&cursor->part, &call->mergespace->state, key, slot_of(type), index);
}

static bool next(sk_values_cursor *cursor, sk_slice *name, sk_slice *value)
{
    sk_mergespace *space = cursor->call->mergespace;
    sk_value part;
    do {
        if (!sk_part_next(&cursor->part, name, &part)) return false;
    } while (!part.tag);
    if (value) *value = (sk_slice){0};
    if (cursor->type == SK_VALUES_SET || !value) return true;
    sk_reader reader = sk_reader_make(part.bytes);
    sk_scalar_read(&space->scalar, &reader);
    *value = show_field(space);
    return true;
}

static void end(sk_values_cursor *cursor)
{
    sk_part_deinit(&cursor->part);
}

const sk_values_ops sk_merge_values = {.find = find,
                                       .get = get,
                                       .put = put,
                                       .remove = remove_name,
                                       .count = count,
                                       .seek = seek,
                                       .seek_at = seek_at,
                                       .next = next,
                                       .end = end};
