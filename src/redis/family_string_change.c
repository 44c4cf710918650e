// Strings: parts of them, and numbers in them. What changes a value keeps its deadline.
#include "redis/keyspace_data.h"
#include "redis/number.h"
#include "redis/table.h"

#define ERR_TOO_LONG "ERR string exceeds maximum allowed size (proto-max-bulk-len)"

// May a string become `size` + `more` bytes long, when `claimed` of them did not come with the command?
// False: replied. Decided before memory is taken, and from the space's own state and limits, so alike on all
// replicas.
static bool may_grow(sk_command_call *call, uint64_t size, uint64_t more, uint64_t claimed)
{
    uint64_t max = call->keyspace->limits.value_size_max;
    if (size > max || more > max - size) {
        sk_reply_error(&call->reply, ERR_TOO_LONG);
        return false;
    }
    if (claimed && sk_keyspace_is_full(call->keyspace, claimed)) {
        sk_reply_error(&call->reply, SK_ERR_OOM);
        return false;
    }
    return true;
}

static void put_changed(sk_command_call *call, sk_slice bytes, uint64_t deadline, uint8_t form)
{
    sk_value value = {.bytes = bytes, .meta = deadline, .tag = (uint8_t)(SK_TYPE_STRING | form)};
    sk_keyspace_put(call->keyspace, call->argv[1], value);
}

void sk_run_append(sk_command_call *call)
{
    sk_value old;
    sk_slice more = call->argv[2];
    enum sk_found found = sk_call_string(call, call->argv[1], &old);
    if (found == SK_WRONG) return;
    if (found == SK_ABSENT) {
        put_changed(call, more, 0, SK_FORM_AUTO);
        sk_reply_integer(&call->reply, (int64_t)more.size);
        return;
    }
    if (!may_grow(call, old.bytes.size, more.size, 0)) return;
    sk_buffer *value = &call->keyspace->scratch;
    sk_buffer_clear(value);
    sk_buffer_reserve(value, old.bytes.size + more.size);
    sk_buffer_append_slice(value, old.bytes);
    sk_buffer_append_slice(value, more);
    put_changed(call, sk_buffer_slice(value), old.meta, SK_FORM_RAW);
    sk_reply_integer(&call->reply, (int64_t)value->size);
}

void sk_run_setrange(sk_command_call *call)
{
    int64_t offset;
    if (!sk_call_integer(call, 2, &offset)) return;
    if (offset < 0) {
        sk_reply_error(&call->reply, "ERR offset is out of range");
        return;
    }
    sk_value old;
    sk_slice part = call->argv[3];
    enum sk_found found = sk_call_string(call, call->argv[1], &old);
    if (found == SK_WRONG) return;
    if (part.size == 0) {
        sk_reply_integer(&call->reply, (int64_t)old.bytes.size);
        return;
    }
    uint64_t begin = (uint64_t)offset;
    uint64_t gap = begin > old.bytes.size ? begin - old.bytes.size : 0;
    if (!may_grow(call, begin, part.size, gap)) return;
    sk_buffer *value = &call->keyspace->scratch;
    sk_buffer_clear(value);
    size_t end = (size_t)begin + part.size;
    size_t size = end > old.bytes.size ? end : old.bytes.size;
    uint8_t *at = sk_buffer_reserve(value, size);
    if (old.bytes.size) memcpy(at, old.bytes.data, old.bytes.size);
    memset(at + old.bytes.size, 0, size - old.bytes.size);
    memcpy(at + begin, part.data, part.size);
    put_changed(call, sk_slice_make(at, size), old.meta, SK_FORM_RAW);
    sk_reply_integer(&call->reply, (int64_t)size);
}

void sk_run_getrange(sk_command_call *call)
{
    int64_t begin;
    int64_t end;
    if (!sk_call_integer(call, 2, &begin) || !sk_call_integer(call, 3, &end)) return;
    sk_value value;
    if (sk_call_string(call, call->argv[1], &value) == SK_WRONG) return;
    int64_t size = (int64_t)value.bytes.size;
    bool empty = begin < 0 && end < 0 && begin > end;
    if (begin < 0) begin += size;
    if (end < 0) end += size;
    if (begin < 0) begin = 0;
    if (end < 0) end = 0;
    if (end >= size) end = size - 1;
    if (empty || begin > end)
        sk_reply_text(&call->reply, "");
    else
        sk_reply_bulk(&call->reply, sk_slice_make(value.bytes.data + begin, (size_t)(end - begin) + 1));
}

// ---- Numbers ----

static void add_integer(sk_command_call *call, int64_t more)
{
    sk_value old;
    enum sk_found found = sk_call_string(call, call->argv[1], &old);
    if (found == SK_WRONG) return;
    int64_t number = 0;
    if (found == SK_FOUND && !sk_number_parse(old.bytes, &number)) {
        sk_reply_error(&call->reply, SK_ERR_NOT_INTEGER);
        return;
    }
    if (__builtin_add_overflow(number, more, &number)) {
        sk_reply_error(&call->reply, "ERR increment or decrement would overflow");
        return;
    }
    uint8_t text[SK_NUMBER_SIZE_MAX];
    put_changed(call, sk_slice_make(text, sk_number_format(text, number)), old.meta, SK_FORM_AUTO);
    sk_reply_integer(&call->reply, number);
}

void sk_run_incr(sk_command_call *call)
{
    add_integer(call, 1);
}

void sk_run_decr(sk_command_call *call)
{
    add_integer(call, -1);
}

void sk_run_incrby(sk_command_call *call)
{
    int64_t more;
    if (sk_call_integer(call, 2, &more)) add_integer(call, more);
}

void sk_run_decrby(sk_command_call *call)
{
    int64_t less;
    if (!sk_call_integer(call, 2, &less)) return;
    if (less == INT64_MIN)
        sk_reply_error(&call->reply, "ERR decrement would overflow");
    else
        add_integer(call, -less);
}

void sk_run_incrbyfloat(sk_command_call *call)
{
    sk_value old;
    enum sk_found found = sk_call_string(call, call->argv[1], &old);
    if (found == SK_WRONG) return;
    sk_slice number = found == SK_FOUND ? old.bytes : sk_slice_text("0");
    sk_buffer *sum = &call->keyspace->scratch;
    sk_buffer_clear(sum);
    switch (sk_decimal_add(number, call->argv[2], sum)) {
    case SK_DECIMAL_NOT_A_NUMBER:
        sk_reply_error(&call->reply, SK_ERR_NOT_FLOAT);
        return;
    case SK_DECIMAL_INFINITE:
        sk_reply_error(&call->reply, "ERR increment would produce NaN or Infinity");
        return;
    case SK_DECIMAL_OK:
        break;
    }
    put_changed(call, sk_buffer_slice(sum), old.meta, SK_FORM_TEXT);
    sk_reply_bulk(&call->reply, sk_buffer_slice(sum));
}
