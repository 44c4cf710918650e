// Sets.
#include "base/alloc.h"
#include "base/prng.h"
#include "redis/number.h"
#include "redis/table.h"
#include "redis/values.h"

enum { DRAWN_MAX = 1 << 20 };

static const enum sk_values_type SET = SK_VALUES_SET;

static bool take_integer(sk_command_call *call, size_t index, int64_t *out)
{
    if (sk_number_parse(call->argv[index], out)) return true;
    sk_reply_error(&call->reply, SK_ERR_NOT_INTEGER);
    return false;
}

void sk_run_sadd(sk_command_call *call)
{
    uint64_t count;
    if (!sk_call_values(call, SET, &count)) return;
    int64_t added = 0;
    for (size_t i = 2; i < call->argc; i++) added += call->values->put(call, call->argv[1], SET, call->argv[i], (sk_slice){0});
    sk_reply_integer(&call->reply, added);
}

void sk_run_srem(sk_command_call *call)
{
    uint64_t count;
    if (!sk_call_values(call, SET, &count)) return;
    int64_t removed = 0;
    for (size_t i = 2; i < call->argc && count; i++) removed += call->values->remove(call, call->argv[1], SET, call->argv[i]);
    sk_reply_integer(&call->reply, removed);
}

void sk_run_scard(sk_command_call *call)
{
    uint64_t count;
    if (sk_call_values(call, SET, &count)) sk_reply_integer(&call->reply, (int64_t)count);
}

void sk_run_sismember(sk_command_call *call)
{
    uint64_t count;
    sk_slice nothing;
    if (!sk_call_values(call, SET, &count)) return;
    sk_reply_integer(&call->reply, count && call->values->get(call, call->argv[1], SET, call->argv[2], &nothing));
}

void sk_run_smismember(sk_command_call *call)
{
    uint64_t count;
    sk_slice nothing;
    if (!sk_call_values(call, SET, &count)) return;
    sk_reply_array(&call->reply, call->argc - 2);
    for (size_t i = 2; i < call->argc; i++)
        sk_reply_integer(&call->reply, count && call->values->get(call, call->argv[1], SET, call->argv[i], &nothing));
}

// `take` members from the index on.
static void reply_members(sk_command_call *call, uint64_t index, uint64_t take)
{
    sk_values_cursor cursor = {0};
    sk_slice name;
    sk_slice nothing;
    call->values->seek_at(&cursor, call, call->argv[1], SET, index);
    while (take-- && call->values->next(&cursor, &name, &nothing)) sk_reply_bulk(&call->reply, name);
    call->values->end(&cursor);
}

void sk_run_smembers(sk_command_call *call)
{
    uint64_t count;
    if (!sk_call_values(call, SET, &count)) return;
    sk_reply_set(&call->reply, (size_t)count);
    if (count) reply_members(call, 0, count);
}

void sk_run_sscan(sk_command_call *call)
{
    sk_call_scan_values(call, SET);
}

// `wanted` different indexes below `count`, each set of them as likely as any other (Floyd), ascending.
static uint64_t *draw(sk_prng *prng, uint64_t count, uint64_t wanted)
{
    uint64_t *drawn = sk_alloc((size_t)wanted * sizeof *drawn);
    uint64_t size = 0;
    for (uint64_t top = count - wanted; top < count; top++) {
        uint64_t pick = sk_prng_below(prng, top + 1);
        uint64_t low = 0;
        uint64_t high = size;
        while (low < high) {
            uint64_t middle = low + (high - low) / 2;
            if (drawn[middle] < pick) low = middle + 1;
            else high = middle;
        }
        bool taken = low < size && drawn[low] == pick;
        if (taken) pick = top; // greater than all so far
        uint64_t at = taken ? size : low;
        memmove(&drawn[at + 1], &drawn[at], (size_t)(size - at) * sizeof *drawn);
        drawn[at] = pick;
        size++;
    }
    return drawn;
}

static void reply_random(sk_command_call *call, uint64_t count, int64_t wanted)
{
    sk_prng prng;
    sk_prng_init(&prng, call->context->seed);
    bool repeats = wanted < 0;
    uint64_t size = repeats ? (uint64_t)-wanted : (uint64_t)wanted;
    if (count == 0) size = 0;
    if (!repeats && size > count) size = count;
    sk_reply_array(&call->reply, (size_t)size);
    if (!repeats && size == count) {
        if (size) reply_members(call, 0, count);
        return;
    }
    uint64_t *drawn = repeats ? NULL : draw(&prng, count, size);
    for (uint64_t i = 0; i < size; i++) reply_members(call, repeats ? sk_prng_below(&prng, count) : drawn[i], 1);
    sk_free(drawn);
}

void sk_run_srandmember(sk_command_call *call)
{
    int64_t wanted = 1;
    uint64_t count;
    if (call->argc > 3) {
        sk_reply_error(&call->reply, SK_ERR_SYNTAX);
        return;
    }
    if (call->argc == 3) {
        if (!take_integer(call, 2, &wanted)) return;
        if (wanted < -DRAWN_MAX) {
            sk_reply_error(&call->reply, "ERR value is out of range, at most 1048576 members may be drawn with repeats");
            return;
        }
    }
    if (!sk_call_values(call, SET, &count)) return;
    if (call->argc == 3) {
        reply_random(call, count, wanted);
    } else if (count == 0) {
        sk_reply_null(&call->reply);
    } else {
        sk_prng prng;
        sk_prng_init(&prng, call->context->seed);
        reply_members(call, sk_prng_below(&prng, count), 1);
    }
}

// Takes random members out of an ordered space; a mergeable one refuses it, since two nodes would give out the same one.
void sk_run_spop(sk_command_call *call)
{
    int64_t wanted = 1;
    uint64_t count;
    if (call->argc > 3) {
        sk_reply_error(&call->reply, SK_ERR_SYNTAX);
        return;
    }
    if (call->argc == 3 && !(sk_number_parse(call->argv[2], &wanted) && wanted >= 0)) {
        sk_reply_error(&call->reply, "ERR value is out of range, must be positive");
        return;
    }
    if (!sk_call_values(call, SET, &count)) return;
    sk_prng prng;
    sk_prng_init(&prng, call->context->seed);
    uint64_t size = (uint64_t)wanted < count ? (uint64_t)wanted : count;
    if (call->argc == 3) sk_reply_set(&call->reply, (size_t)size);
    else if (size == 0) sk_reply_null(&call->reply);
    sk_buffer member = {0};
    for (; size; size--, count--) {
        sk_values_cursor cursor = {0};
        sk_slice name;
        sk_slice nothing;
        call->values->seek_at(&cursor, call, call->argv[1], SET, sk_prng_below(&prng, count));
        if (call->values->next(&cursor, &name, &nothing)) {
            sk_buffer_clear(&member);
            sk_buffer_append_slice(&member, name);
        }
        call->values->end(&cursor);
        sk_reply_bulk(&call->reply, sk_buffer_slice(&member));
        call->values->remove(call, call->argv[1], SET, sk_buffer_slice(&member));
    }
    sk_buffer_deinit(&member);
}
