// Registers and counters: Redis's strings in a mergeable key space.
#include "redis/mergespace_data.h"
#include "redis/number.h"

// ---- Reading ----

// The value shown at a key, into space->text; empty if the space's rule fails (sk_merge_show).
static enum sk_found show(sk_command_call *call, sk_slice key, sk_slice *out)
{
    sk_mergespace *space = call->mergespace;
    sk_value value;
    uint8_t tag;
    *out = (sk_slice){0};
    enum sk_shown shown = sk_merge_find(call, key, &value);
    if (shown == SK_SHOWN_NOTHING) return SK_ABSENT;
    if (shown != SK_SHOWN_STRING) return SK_WRONG;
    sk_mergeable_head(&space->state, key, &space->head, &tag);
    sk_buffer_clear(&space->text);
    (void)sk_merge_show(space, &space->head.scalar, &space->text);
    *out = sk_buffer_slice(&space->text);
    return SK_FOUND;
}

static enum sk_found show_or_reply(sk_command_call *call, sk_slice key, sk_slice *out)
{
    enum sk_found found = show(call, key, out);
    if (found == SK_WRONG) sk_reply_error(&call->reply, SK_ERR_WRONGTYPE);
    return found;
}

void sk_merge_get(sk_command_call *call)
{
    sk_slice value;
    enum sk_found found = show_or_reply(call, call->argv[1], &value);
    if (found == SK_FOUND) sk_reply_bulk(&call->reply, value);
    else if (found == SK_ABSENT) sk_reply_null(&call->reply);
}

void sk_merge_mget(sk_command_call *call)
{
    sk_reply_array(&call->reply, call->argc - 1);
    for (size_t i = 1; i < call->argc; i++) {
        sk_slice value;
        if (show(call, call->argv[i], &value) == SK_FOUND) sk_reply_bulk(&call->reply, value);
        else sk_reply_null(&call->reply);
    }
}

void sk_merge_strlen(sk_command_call *call)
{
    sk_slice value;
    if (show_or_reply(call, call->argv[1], &value) != SK_WRONG) sk_reply_integer(&call->reply, (int64_t)value.size);
}

void sk_merge_getrange(sk_command_call *call)
{
    int64_t begin;
    int64_t end;
    sk_slice value;
    if (!sk_number_parse(call->argv[2], &begin) || !sk_number_parse(call->argv[3], &end)) {
        sk_reply_error(&call->reply, SK_ERR_NOT_INTEGER);
        return;
    }
    if (show_or_reply(call, call->argv[1], &value) == SK_WRONG) return;
    int64_t size = (int64_t)value.size;
    bool empty = begin < 0 && end < 0 && begin > end;
    if (begin < 0) begin = begin < -size ? 0 : begin + size;
    if (end < 0) end = end < -size ? 0 : end + size;
    if (end >= size) end = size - 1;
    if (empty || begin > end) sk_reply_text(&call->reply, "");
    else sk_reply_bulk(&call->reply, sk_slice_make(value.data + begin, (size_t)(end - begin) + 1));
}

// ---- SET ----

// False: the error has been replied.
static bool take_deadline(sk_command_call *call, size_t index, bool seconds, bool relative, uint64_t *deadline)
{
    int64_t time;
    if (!sk_number_parse(call->argv[index], &time)) {
        sk_reply_error(&call->reply, SK_ERR_NOT_INTEGER);
        return false;
    }
    bool valid = time > 0 && !(seconds && time > INT64_MAX / 1000);
    if (valid && seconds) time *= 1000;
    if (valid && relative) valid = !__builtin_add_overflow(time, (int64_t)sk_merge_wall_ms(call), &time);
    if (!valid) sk_reply_errorf(&call->reply, "ERR invalid expire time in '%s' command", call->command->name);
    else *deadline = (uint64_t)time;
    return valid;
}

static bool take_options(sk_command_call *call, uint64_t *deadline)
{
    static const struct {
        const char *name;
        bool seconds, relative;
    } times[] = {{"ex", true, true}, {"px", false, true}, {"exat", true, false}, {"pxat", false, false}};
    static const char *const ordered[] = {"nx", "xx", "get", "keepttl", "ifeq"};
    size_t used = SIZE_MAX;
    for (size_t i = 3; i < call->argc; i++) {
        size_t which = SIZE_MAX;
        for (size_t n = 0; n < sizeof ordered / sizeof *ordered; n++) {
            if (!sk_slice_equal_nocase(call->argv[i], ordered[n])) continue;
            sk_merge_refuse(call, "SET with NX, XX, GET, KEEPTTL or IFEQ");
            return false;
        }
        for (size_t n = 0; n < sizeof times / sizeof *times; n++) {
            if (sk_slice_equal_nocase(call->argv[i], times[n].name)) which = n;
        }
        if (which == SIZE_MAX || i + 1 == call->argc || (used != SIZE_MAX && used != which)) {
            sk_reply_error(&call->reply, SK_ERR_SYNTAX);
            return false;
        }
        used = which;
        if (!take_deadline(call, ++i, times[which].seconds, times[which].relative, deadline)) return false;
    }
    return true;
}

// A deadline that has passed leaves nothing.
static void set(sk_command_call *call, sk_slice value, uint64_t deadline)
{
    sk_writer *writer = &call->mergespace->writer;
    if (deadline && deadline <= sk_merge_wall_ms(call)) sk_change_clear(writer, call->argv[1]);
    else sk_change_set(writer, call->argv[1], value, deadline);
    sk_reply_simple(&call->reply, "OK");
}

void sk_merge_set(sk_command_call *call)
{
    uint64_t deadline = 0;
    if (take_options(call, &deadline)) set(call, call->argv[2], deadline);
}

void sk_merge_setex(sk_command_call *call)
{
    uint64_t deadline = 0;
    if (take_deadline(call, 2, true, true, &deadline)) set(call, call->argv[3], deadline);
}

void sk_merge_psetex(sk_command_call *call)
{
    uint64_t deadline = 0;
    if (take_deadline(call, 2, false, true, &deadline)) set(call, call->argv[3], deadline);
}

// ---- Counting ----

static enum sk_values_sum count(sk_command_call *call, sk_slice more, bool whole, sk_buffer *sum)
{
    sk_mergespace *space = call->mergespace;
    sk_slice shown;
    sk_total amount;
    sk_change_begin(&space->writer, call->argv[1]);
    show(call, call->argv[1], &shown);
    if (space->failure.size) return SK_VALUES_REFUSED;
    enum sk_values_sum result = sk_merge_sum(space, shown, more, whole, sum, &amount);
    if (result != SK_VALUES_OK) return result;
    return sk_change_count(&space->writer, call->argv[1], amount) ? SK_VALUES_OK : SK_VALUES_OVERFLOW;
}

static bool may_count(sk_command_call *call, bool negative)
{
    sk_value value;
    enum sk_shown shown = sk_merge_find(call, call->argv[1], &value);
    if (shown != SK_SHOWN_NOTHING && shown != SK_SHOWN_STRING) {
        sk_reply_error(&call->reply, SK_ERR_WRONGTYPE);
        return false;
    }
    if (negative && call->mergespace->options.grow_only) {
        sk_reply_error(&call->reply, SK_ERR_GROW_ONLY);
        return false;
    }
    return true;
}

static void add_integer(sk_command_call *call, int64_t more)
{
    uint8_t text[SK_NUMBER_SIZE_MAX];
    sk_buffer *sum = &call->mergespace->total;
    sk_buffer_clear(sum);
    if (!may_count(call, more < 0)) return;
    int64_t result = 0;
    switch (count(call, sk_slice_make(text, sk_number_format(text, more)), true, sum)) {
    case SK_VALUES_NO_NUMBER: sk_reply_error(&call->reply, SK_ERR_NOT_INTEGER); break;
    case SK_VALUES_OVERFLOW: sk_reply_error(&call->reply, "ERR increment or decrement would overflow"); break;
    case SK_VALUES_REFUSED: break;
    case SK_VALUES_OK:
        sk_number_parse(sk_buffer_slice(sum), &result);
        sk_reply_integer(&call->reply, result);
        break;
    }
}

void sk_merge_incr(sk_command_call *call)
{
    add_integer(call, 1);
}

void sk_merge_decr(sk_command_call *call)
{
    add_integer(call, -1);
}

static void add_argument(sk_command_call *call, bool down)
{
    int64_t more;
    if (!sk_number_parse(call->argv[2], &more)) sk_reply_error(&call->reply, SK_ERR_NOT_INTEGER);
    else if (down && more == INT64_MIN) sk_reply_error(&call->reply, "ERR decrement would overflow");
    else add_integer(call, down ? -more : more);
}

void sk_merge_incrby(sk_command_call *call)
{
    add_argument(call, false);
}

void sk_merge_decrby(sk_command_call *call)
{
    add_argument(call, true);
}

void sk_merge_incrbyfloat(sk_command_call *call)
{
    sk_buffer *sum = &call->mergespace->total;
    sk_slice more = call->argv[2];
    sk_buffer_clear(sum);
    if (!may_count(call, more.size && more.data[0] == '-')) return;
    switch (count(call, more, false, sum)) {
    case SK_VALUES_NO_NUMBER: sk_reply_error(&call->reply, SK_ERR_NOT_FLOAT); break;
    case SK_VALUES_OVERFLOW: sk_reply_error(&call->reply, "ERR increment would produce NaN or Infinity"); break;
    case SK_VALUES_REFUSED: break;
    case SK_VALUES_OK: sk_reply_bulk(&call->reply, sk_buffer_slice(sum)); break;
    }
}
