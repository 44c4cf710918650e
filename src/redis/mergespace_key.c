// Keys of a mergeable key space, whatever they hold.
#include "base/prng.h"
#include "redis/mergespace_data.h"
#include "redis/number.h"
#include "redis/scan.h"

static const char *const shown_names[] = {"none", "string", "set", "hash"};

enum sk_shown sk_merge_shown(uint8_t tag)
{
    if (tag & (SK_SLOT_REGISTER | SK_SLOT_COUNTER)) return SK_SHOWN_STRING;
    if (tag & SK_SLOT_SET) return SK_SHOWN_SET;
    return tag & SK_SLOT_MAP ? SK_SHOWN_MAP : SK_SHOWN_NOTHING;
}

enum sk_shown sk_merge_find(sk_command_call *call, sk_slice key, sk_value *value)
{
    bool found = sk_mergeable_find(&call->mergespace->state, key, sk_merge_wall_ms(call), value);
    return found ? sk_merge_shown(value->tag) : SK_SHOWN_NOTHING;
}

void sk_merge_del(sk_command_call *call)
{
    int64_t count = 0;
    for (size_t i = 1; i < call->argc; i++) {
        sk_value value;
        bool there = sk_merge_find(call, call->argv[i], &value) != SK_SHOWN_NOTHING;
        sk_change_clear(&call->mergespace->writer, call->argv[i]);
        count += there;
    }
    sk_reply_integer(&call->reply, count);
}

void sk_merge_exists(sk_command_call *call)
{
    int64_t count = 0;
    sk_value value;
    for (size_t i = 1; i < call->argc; i++) count += sk_merge_find(call, call->argv[i], &value) != SK_SHOWN_NOTHING;
    sk_reply_integer(&call->reply, count);
}

void sk_merge_type(sk_command_call *call)
{
    sk_value value;
    sk_reply_simple(&call->reply, shown_names[sk_merge_find(call, call->argv[1], &value)]);
}

void sk_merge_encoding(sk_command_call *call)
{
    static const char *const encodings[] = {NULL, "raw", "hashtable", "hashtable"};
    sk_value value;
    enum sk_shown shown = sk_merge_find(call, call->argv[2], &value);
    if (shown == SK_SHOWN_NOTHING) sk_reply_null(&call->reply);
    else sk_reply_text(&call->reply, encodings[shown]);
}

void sk_merge_dbsize(sk_command_call *call)
{
    sk_reply_integer(&call->reply, (int64_t)call->mergespace->state.live);
}

void sk_merge_flush(sk_command_call *call)
{
    if (call->argc > 1 && !(call->argc == 2 && (sk_slice_equal_nocase(call->argv[1], "sync") ||
                                                sk_slice_equal_nocase(call->argv[1], "async")))) {
        sk_reply_error(&call->reply, SK_ERR_SYNTAX);
        return;
    }
    sk_mergeable *state = &call->mergespace->state;
    sk_tree before = sk_tree_snapshot(&state->keys);
    sk_tree_cursor cursor;
    sk_slice key;
    sk_value value;
    sk_tree_seek(&cursor, &before, (sk_slice){0});
    while (sk_key_next(&cursor, &key, &value)) sk_change_clear(&call->mergespace->writer, key);
    sk_tree_drop(&before);
    sk_reply_simple(&call->reply, "OK");
}

void sk_merge_keys(sk_command_call *call)
{
    sk_mergeable *state = &call->mergespace->state;
    call->job = sk_keys_job_open(&state->keys, SK_PLACE_SIZE, true, sk_merge_wall_ms(call), call->argv[1]);
}

void sk_merge_randomkey(sk_command_call *call)
{
    enum { WALK_MAX = 16384 };
    sk_mergeable *state = &call->mergespace->state;
    sk_prng prng;
    sk_prng_init(&prng, call->context->seed);
    sk_tree_cursor cursor;
    sk_slice key;
    sk_value value;
    sk_key_seek(&cursor, state, sk_prng_next(&prng) >> (64 - SK_PLACE_BITS));
    for (int i = 0, turns = 0; i < WALK_MAX && state->live; i++) {
        if (!sk_key_next(&cursor, &key, &value)) {
            if (turns++) break;
            sk_key_seek(&cursor, state, 0);
            continue;
        }
        if (!value.tag || (value.meta && value.meta <= sk_merge_wall_ms(call))) continue;
        sk_reply_bulk(&call->reply, key);
        return;
    }
    sk_reply_null(&call->reply);
}

static bool wanted(const sk_command_call *call, const sk_scan *scan, sk_slice key, const sk_value *value, size_t *steps)
{
    if (!value->tag || (value->meta && value->meta <= sk_merge_wall_ms(call))) return false;
    if (scan->has_type && !sk_slice_equal_nocase(scan->type, shown_names[sk_merge_shown(value->tag)])) return false;
    return sk_scan_matches(scan, key, steps);
}

// As SSCAN (values.c): the cursor is the place to go on from.
void sk_merge_scan(sk_command_call *call)
{
    sk_scan scan;
    if (!sk_scan_parse(call, 1, true, &scan)) return;
    sk_buffer *found = &call->mergespace->text;
    sk_buffer_clear(found);
    sk_reply body = {.out = found, .resp = call->reply.resp};
    size_t given = 0;
    size_t steps = 0;
    uint64_t looked = 0;
    uint64_t last = 0;
    uint64_t next = 0;
    sk_tree_cursor cursor;
    sk_slice key;
    sk_value value;
    bool begins = scan.cursor < (uint64_t)1 << SK_PLACE_BITS;
    if (begins) sk_key_seek(&cursor, &call->mergespace->state, scan.cursor);
    while (begins && sk_key_next(&cursor, &key, &value)) {
        uint64_t place = sk_place(key);
        if ((looked >= scan.count || steps >= SK_SCAN_STEPS_MAX) && place != last) {
            next = place;
            break;
        }
        looked++;
        last = place;
        if (!wanted(call, &scan, key, &value, &steps)) continue;
        sk_reply_bulk(&body, key);
        given++;
    }
    uint8_t text[SK_NUMBER_SIZE_MAX];
    sk_reply_array(&call->reply, 2);
    sk_reply_bulk(&call->reply, sk_slice_make(text, sk_number_format(text, (int64_t)next)));
    sk_reply_array(&call->reply, given);
    sk_buffer_append_slice(call->reply.out, sk_buffer_slice(found));
}
