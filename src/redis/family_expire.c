// Deadlines. Clients speak of wall time; the key space keeps times of the space's own clock.
#include "redis/keyspace_data.h"
#include "redis/table.h"

enum condition { IF_NONE = 1 << 0, IF_SET = 1 << 1, IF_LATER = 1 << 2, IF_EARLIER = 1 << 3 };

static bool parse_conditions(sk_command_call *call, uint32_t *out)
{
    static const struct {
        const char *name;
        uint32_t condition;
    } names[] = {{"nx", IF_NONE}, {"xx", IF_SET}, {"gt", IF_LATER}, {"lt", IF_EARLIER}};
    *out = 0;
    for (size_t i = 3; i < call->argc; i++) {
        uint32_t found = 0;
        for (size_t n = 0; n < sizeof names / sizeof names[0]; n++) {
            if (sk_slice_equal_nocase(call->argv[i], names[n].name)) found = names[n].condition;
        }
        if (!found) {
            sk_slice option = call->argv[i];
            int size = option.size < INT32_MAX ? (int)option.size : INT32_MAX;
            sk_reply_errorf(&call->reply, "ERR Unsupported option %.*s", size, (const char *)option.data);
            return false;
        }
        *out |= found;
    }
    const char *problem = NULL;
    if ((*out & IF_NONE) && (*out & (IF_SET | IF_LATER | IF_EARLIER))) {
        problem = "ERR NX and XX, GT or LT options at the same time are not compatible";
    } else if ((*out & IF_LATER) && (*out & IF_EARLIER)) {
        problem = "ERR GT and LT options at the same time are not compatible";
    }
    if (problem) sk_reply_error(&call->reply, problem);
    return !problem;
}

// No deadline counts as one infinitely far away.
static bool conditions_hold(uint32_t conditions, uint64_t old, uint64_t new)
{
    if ((conditions & IF_NONE) && old) return false;
    if ((conditions & IF_SET) && !old) return false;
    if ((conditions & IF_LATER) && (!old || new <= old)) return false;
    return !((conditions & IF_EARLIER) && old && new >= old);
}

static void expire(sk_command_call *call, int64_t unit_ms, bool relative)
{
    uint32_t conditions;
    int64_t time;
    if (!parse_conditions(call, &conditions) || !sk_call_integer(call, 2, &time)) return;
    bool overflow = __builtin_mul_overflow(time, unit_ms, &time);
    if (!overflow && relative) overflow = __builtin_add_overflow(time, sk_call_wall_ms(call), &time);
    if (overflow) {
        sk_reply_errorf(&call->reply, "ERR invalid expire time in '%s' command", call->command->name);
        return;
    }
    uint64_t deadline = sk_call_deadline(call, time);
    sk_value value;
    bool set = sk_keyspace_find(call->keyspace, call->argv[1], &value) &&
               conditions_hold(conditions, value.meta, deadline);
    if (set) sk_keyspace_set_deadline(call->keyspace, call->argv[1], deadline);
    sk_reply_integer(&call->reply, set);
}

void sk_run_expire(sk_command_call *call)
{
    expire(call, 1000, true);
}

void sk_run_pexpire(sk_command_call *call)
{
    expire(call, 1, true);
}

void sk_run_expireat(sk_command_call *call)
{
    expire(call, 1000, false);
}

void sk_run_pexpireat(sk_command_call *call)
{
    expire(call, 1, false);
}

void sk_run_persist(sk_command_call *call)
{
    sk_value value;
    bool had = sk_keyspace_find(call->keyspace, call->argv[1], &value) && value.meta;
    if (had) sk_keyspace_set_deadline(call->keyspace, call->argv[1], 0);
    sk_reply_integer(&call->reply, had);
}

enum { NO_KEY = -2, NO_DEADLINE = -1 };

// Rounded to the nearest, as Redis does.
static int64_t in_unit(int64_t ms, int64_t unit_ms)
{
    return unit_ms == 1 || ms > INT64_MAX - 500 ? ms / unit_ms : (ms + unit_ms / 2) / unit_ms;
}

// A key that is there but late (its deadline is due, the entry that says so not yet applied) has 0 left.
static void reply_left(sk_command_call *call, int64_t unit_ms)
{
    sk_value value;
    if (!sk_keyspace_find(call->keyspace, call->argv[1], &value)) {
        sk_reply_integer(&call->reply, NO_KEY);
        return;
    }
    uint64_t now = call->context->clock_ms;
    if (now < call->keyspace->clock_ms) now = call->keyspace->clock_ms;
    int64_t left = value.meta > now ? (int64_t)(value.meta - now) : 0;
    sk_reply_integer(&call->reply, value.meta ? in_unit(left, unit_ms) : NO_DEADLINE);
}

static void reply_wall(sk_command_call *call, int64_t unit_ms)
{
    sk_value value;
    if (!sk_keyspace_find(call->keyspace, call->argv[1], &value)) {
        sk_reply_integer(&call->reply, NO_KEY);
        return;
    }
    int64_t wall;
    if (__builtin_add_overflow((int64_t)value.meta, call->context->wall_offset_ms, &wall)) wall = INT64_MAX;
    sk_reply_integer(&call->reply, value.meta ? in_unit(wall, unit_ms) : NO_DEADLINE);
}

void sk_run_ttl(sk_command_call *call)
{
    reply_left(call, 1000);
}

void sk_run_pttl(sk_command_call *call)
{
    reply_left(call, 1);
}

void sk_run_expiretime(sk_command_call *call)
{
    reply_wall(call, 1000);
}

void sk_run_pexpiretime(sk_command_call *call)
{
    reply_wall(call, 1);
}
