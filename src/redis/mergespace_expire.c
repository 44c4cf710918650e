// Deadlines in a mergeable key space: wall time, the last one counts.
#include "redis/mergespace_data.h"
#include "redis/number.h"

enum { NO_KEY = -2, NO_DEADLINE = -1 };

static void expire(sk_command_call *call, int64_t unit_ms, bool relative)
{
    int64_t time;
    sk_value value;
    if (call->argc > 3) {
        sk_merge_refuse(call, "a condition on a deadline (NX, XX, GT, LT)");
        return;
    }
    if (!sk_number_parse(call->argv[2], &time)) {
        sk_reply_error(&call->reply, SK_ERR_NOT_INTEGER);
        return;
    }
    int64_t now = (int64_t)sk_merge_wall_ms(call);
    bool overflow = __builtin_mul_overflow(time, unit_ms, &time);
    if (!overflow && relative) overflow = __builtin_add_overflow(time, now, &time);
    if (overflow) {
        sk_reply_errorf(&call->reply, "ERR invalid expire time in '%s' command", call->command->name);
        return;
    }
    bool there = sk_merge_find(call, call->argv[1], &value) != SK_SHOWN_NOTHING;
    sk_writer *writer = &call->mergespace->writer;
    if (there && time <= now) sk_change_clear(writer, call->argv[1]);
    else if (there) sk_change_expire(writer, call->argv[1], (uint64_t)time);
    sk_reply_integer(&call->reply, there);
}

void sk_merge_expire(sk_command_call *call)
{
    expire(call, 1000, true);
}

void sk_merge_pexpire(sk_command_call *call)
{
    expire(call, 1, true);
}

void sk_merge_expireat(sk_command_call *call)
{
    expire(call, 1000, false);
}

void sk_merge_pexpireat(sk_command_call *call)
{
    expire(call, 1, false);
}

void sk_merge_persist(sk_command_call *call)
{
    sk_value value;
    bool had = sk_merge_find(call, call->argv[1], &value) != SK_SHOWN_NOTHING && value.meta;
    if (had) sk_change_expire(&call->mergespace->writer, call->argv[1], 0);
    sk_reply_integer(&call->reply, had);
}

static void reply_time(sk_command_call *call, int64_t unit_ms, bool left)
{
    sk_value value;
    if (sk_merge_find(call, call->argv[1], &value) == SK_SHOWN_NOTHING) {
        sk_reply_integer(&call->reply, NO_KEY);
        return;
    }
    if (!value.meta) {
        sk_reply_integer(&call->reply, NO_DEADLINE);
        return;
    }
    uint64_t ms = value.meta > INT64_MAX - 500 ? INT64_MAX - 500 : value.meta;
    if (left) ms -= ms > sk_merge_wall_ms(call) ? sk_merge_wall_ms(call) : ms;
    sk_reply_integer(&call->reply, unit_ms == 1 ? (int64_t)ms : ((int64_t)ms + unit_ms / 2) / unit_ms);
}

void sk_merge_ttl(sk_command_call *call)
{
    reply_time(call, 1000, true);
}

void sk_merge_pttl(sk_command_call *call)
{
    reply_time(call, 1, true);
}

void sk_merge_expiretime(sk_command_call *call)
{
    reply_time(call, 1000, false);
}

void sk_merge_pexpiretime(sk_command_call *call)
{
    reply_time(call, 1, false);
}
