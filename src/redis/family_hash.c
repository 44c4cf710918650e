// Maps of fields to strings: Redis's hashes.
#include "redis/number.h"
#include "redis/table.h"
#include "redis/values.h"

static const enum sk_values_type MAP = SK_VALUES_MAP;

static bool pairs_given(sk_command_call *call)
{
    if (call->argc % 2 == 0) return true;
    sk_command_reply_arity(&call->reply, call->command);
    return false;
}

static bool set_fields(sk_command_call *call, int64_t *added)
{
    uint64_t count;
    *added = 0;
    if (!pairs_given(call) || !sk_call_values(call, MAP, &count)) return false;
    for (size_t i = 2; i < call->argc; i += 2)
        *added += call->values->put(call, call->argv[1], MAP, call->argv[i], call->argv[i + 1]);
    return true;
}

void sk_run_hset(sk_command_call *call)
{
    int64_t added;
    if (set_fields(call, &added)) sk_reply_integer(&call->reply, added);
}

void sk_run_hmset(sk_command_call *call)
{
    int64_t added;
    if (set_fields(call, &added)) sk_reply_simple(&call->reply, "OK");
}

// Not for mergeable spaces: two nodes would both be the first.
void sk_run_hsetnx(sk_command_call *call)
{
    uint64_t count;
    sk_slice value;
    if (!sk_call_values(call, MAP, &count)) return;
    bool there = count && call->values->get(call, call->argv[1], MAP, call->argv[2], &value);
    if (!there) call->values->put(call, call->argv[1], MAP, call->argv[2], call->argv[3]);
    sk_reply_integer(&call->reply, !there);
}

static void reply_field(sk_command_call *call, uint64_t count, sk_slice field)
{
    sk_slice value;
    if (count && call->values->get(call, call->argv[1], MAP, field, &value)) sk_reply_bulk(&call->reply, value);
    else sk_reply_null(&call->reply);
}

void sk_run_hget(sk_command_call *call)
{
    uint64_t count;
    if (sk_call_values(call, MAP, &count)) reply_field(call, count, call->argv[2]);
}

void sk_run_hmget(sk_command_call *call)
{
    uint64_t count;
    if (!sk_call_values(call, MAP, &count)) return;
    sk_reply_array(&call->reply, call->argc - 2);
    for (size_t i = 2; i < call->argc; i++) reply_field(call, count, call->argv[i]);
}

void sk_run_hdel(sk_command_call *call)
{
    uint64_t count;
    if (!sk_call_values(call, MAP, &count)) return;
    int64_t removed = 0;
    for (size_t i = 2; i < call->argc && count; i++) removed += call->values->remove(call, call->argv[1], MAP, call->argv[i]);
    sk_reply_integer(&call->reply, removed);
}

void sk_run_hlen(sk_command_call *call)
{
    uint64_t count;
    if (sk_call_values(call, MAP, &count)) sk_reply_integer(&call->reply, (int64_t)count);
}

void sk_run_hexists(sk_command_call *call)
{
    uint64_t count;
    if (!sk_call_values(call, MAP, &count)) return;
    sk_reply_integer(&call->reply, count && call->values->get(call, call->argv[1], MAP, call->argv[2], NULL));
}

void sk_run_hstrlen(sk_command_call *call)
{
    uint64_t count;
    sk_slice value = {0};
    if (!sk_call_values(call, MAP, &count)) return;
    bool there = count && call->values->get(call, call->argv[1], MAP, call->argv[2], &value);
    sk_reply_integer(&call->reply, there ? (int64_t)value.size : 0);
}

static void reply_all(sk_command_call *call, bool names, bool values)
{
    uint64_t count;
    if (!sk_call_values(call, MAP, &count)) return;
    if (names && values) sk_reply_map(&call->reply, (size_t)count);
    else sk_reply_array(&call->reply, (size_t)count);
    if (count == 0) return;
    sk_values_cursor cursor = {0};
    sk_slice name;
    sk_slice value;
    call->values->seek_at(&cursor, call, call->argv[1], MAP, 0);
    while (call->values->next(&cursor, &name, values ? &value : NULL)) {
        if (names) sk_reply_bulk(&call->reply, name);
        if (values) sk_reply_bulk(&call->reply, value);
    }
    call->values->end(&cursor);
}

void sk_run_hgetall(sk_command_call *call)
{
    reply_all(call, true, true);
}

void sk_run_hkeys(sk_command_call *call)
{
    reply_all(call, true, false);
}

void sk_run_hvals(sk_command_call *call)
{
    reply_all(call, false, true);
}

void sk_run_hscan(sk_command_call *call)
{
    sk_call_scan_values(call, MAP);
}

void sk_run_hincrby(sk_command_call *call)
{
    int64_t number;
    uint64_t count;
    sk_buffer sum = {0};
    if (!sk_number_parse(call->argv[3], &number)) {
        sk_reply_error(&call->reply, SK_ERR_NOT_INTEGER);
        return;
    }
    if (!sk_call_values(call, MAP, &count)) return;
    switch (call->values->count(call, call->argv[1], call->argv[2], call->argv[3], true, &sum)) {
    case SK_VALUES_NO_NUMBER: sk_reply_error(&call->reply, "ERR hash value is not an integer"); break;
    case SK_VALUES_OVERFLOW: sk_reply_error(&call->reply, "ERR increment or decrement would overflow"); break;
    case SK_VALUES_REFUSED: break;
    case SK_VALUES_OK:
        sk_number_parse(sk_buffer_slice(&sum), &number);
        sk_reply_integer(&call->reply, number);
        break;
    }
    sk_buffer_deinit(&sum);
}

void sk_run_hincrbyfloat(sk_command_call *call)
{
    uint64_t count;
    sk_buffer sum = {0};
    enum sk_decimal_sum valid = sk_decimal_add(sk_slice_text("0"), call->argv[3], &sum);
    sk_buffer_clear(&sum);
    if (valid == SK_DECIMAL_NOT_A_NUMBER) {
        sk_reply_error(&call->reply, SK_ERR_NOT_FLOAT);
    } else if (valid == SK_DECIMAL_INFINITE) {
        sk_reply_error(&call->reply, "ERR value is NaN or Infinity");
    } else if (sk_call_values(call, MAP, &count)) {
        switch (call->values->count(call, call->argv[1], call->argv[2], call->argv[3], false, &sum)) {
        case SK_VALUES_NO_NUMBER: sk_reply_error(&call->reply, "ERR hash value is not a float"); break;
        case SK_VALUES_OVERFLOW: sk_reply_error(&call->reply, "ERR increment would produce NaN or Infinity"); break;
        case SK_VALUES_REFUSED: break;
        case SK_VALUES_OK: sk_reply_bulk(&call->reply, sk_buffer_slice(&sum)); break;
        }
    }
    sk_buffer_deinit(&sum);
}
