// What all families need of a call.
#include "redis/keyspace_data.h"
#include "redis/number.h"

uint64_t sk_call_deadline(const sk_command_call *call, int64_t wall_ms)
{
    int64_t deadline;
    if (__builtin_sub_overflow(wall_ms, call->context->wall_offset_ms, &deadline)) {
        deadline = wall_ms < 0 ? 1 : INT64_MAX;
    }
    return deadline < 1 ? 1 : (uint64_t)deadline;
}

enum sk_found sk_call_string(sk_command_call *call, sk_slice key, sk_value *out)
{
    *out = (sk_value){0};
    if (!sk_keyspace_find(call->keyspace, key, out)) return SK_ABSENT;
    if ((out->tag & SK_TYPE_MASK) == SK_TYPE_STRING) return SK_FOUND;
    sk_reply_error(&call->reply, SK_ERR_WRONGTYPE);
    return SK_WRONG;
}

bool sk_call_integer(sk_command_call *call, size_t index, int64_t *out)
{
    if (sk_number_parse(call->argv[index], out)) return true;
    sk_reply_error(&call->reply, SK_ERR_NOT_INTEGER);
    return false;
}
