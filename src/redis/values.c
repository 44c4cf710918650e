#include "redis/values.h"

#include "redis/number.h"
#include "redis/scan.h"

bool sk_call_values(sk_command_call *call, enum sk_values_type type, uint64_t *count)
{
    *count = 0;
    if (!call->values) {
        sk_reply_errorf(&call->reply,
                        "ERR '%s' is for spaces of PROTOCOL crdt or causal: only these keep sets and maps so far",
                        call->command->name);
        return false;
    }
    if (call->values->find(call, call->argv[1], type, count) != SK_WRONG) return true;
    sk_reply_error(&call->reply, SK_ERR_WRONGTYPE);
    return false;
}

// A cursor is the place to go on from. What stands at one place is given together, so nothing is missed, and nothing twice that stays.
void sk_call_scan_values(sk_command_call *call, enum sk_values_type type)
{
    sk_scan scan;
    uint64_t count;
    if (!sk_scan_parse(call, 2, false, &scan) || !sk_call_values(call, type, &count)) return;
    sk_buffer found = {0};
    sk_reply body = {.out = &found, .resp = call->reply.resp};
    size_t given = 0;
    size_t steps = 0;
    uint64_t looked = 0;
    uint64_t next = 0;
    uint64_t last = 0;
    sk_values_cursor cursor = {0};
    sk_slice name;
    sk_slice value;
    if (count && scan.cursor < (uint64_t)1 << SK_PLACE_BITS) {
        call->values->seek(&cursor, call, call->argv[1], type, scan.cursor);
        while (call->values->next(&cursor, &name, &value)) {
            uint64_t place = sk_place(name);
            if ((looked >= scan.count || steps >= SK_SCAN_STEPS_MAX) && place != last) {
                next = place;
                break;
            }
            looked++;
            last = place;
            if (!sk_scan_matches(&scan, name, &steps)) continue;
            sk_reply_bulk(&body, name);
            if (type == SK_VALUES_MAP) sk_reply_bulk(&body, value);
            given += type == SK_VALUES_MAP ? 2 : 1;
        }
        call->values->end(&cursor);
    }
    uint8_t text[SK_NUMBER_SIZE_MAX];
    sk_reply_array(&call->reply, 2);
    sk_reply_bulk(&call->reply, sk_slice_make(text, sk_number_format(text, (int64_t)next)));
    sk_reply_array(&call->reply, given);
    sk_buffer_append_slice(call->reply.out, sk_buffer_slice(&found));
    sk_buffer_deinit(&found);
}
