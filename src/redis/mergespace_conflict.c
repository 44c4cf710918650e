// What a register shows that concurrent writes left with several values, and SIBLINGS, which shows the values themselves.
#include <stdlib.h>

#include "base/alloc.h"
#include "redis/mergespace_data.h"
#include "redis/number.h"
#include "redis/rule.h"
#include "redis/table.h"

// ---- The values of a register: ascending, each once ----

static void add(sk_slices *slices, sk_slice one)
{
    if (slices->count == slices->capacity) {
        slices->capacity = slices->capacity ? slices->capacity * 2 : 8;
        slices->list = sk_realloc(slices->list, slices->capacity * sizeof *slices->list);
    }
    slices->list[slices->count++] = one;
}

static int compare(const void *a, const void *b)
{
    return sk_slice_compare(*(const sk_slice *)a, *(const sk_slice *)b);
}

static void make_set(sk_slices *slices)
{
    if (slices->count < 2) return;
    qsort(slices->list, slices->count, sizeof *slices->list, compare);
    size_t kept = 1;
    for (size_t i = 1; i < slices->count; i++) {
        if (!sk_slice_equal(slices->list[i], slices->list[kept - 1])) slices->list[kept++] = slices->list[i];
    }
    slices->count = kept;
}

// ---- Making them one, into space->resolved. False: why not is there ----

static void fail(sk_mergespace *space, const char *why)
{
    sk_buffer_clear(&space->resolved);
    sk_buffer_append_text(&space->resolved, why);
}

// Empty lines are nothing: a value that ends with a line end has the lines of one that does not.
static bool take_lines(sk_slices *lines, sk_slice value)
{
    while (value.size) {
        const uint8_t *end = memchr(value.data, '\n', value.size);
        size_t size = end ? (size_t)(end - value.data) : value.size;
        if (size && lines->count == SK_MERGED_LINES_MAX) return false;
        if (size) add(lines, sk_slice_make(value.data, size));
        size += end != NULL;
        value = sk_slice_make(value.data + size, value.size - size);
    }
    return true;
}

static bool merge_lines(sk_mergespace *space)
{
    sk_slices *lines = &space->lines;
    size_t bytes = 0;
    bool fits = true;
    for (size_t i = 0; i < space->values.count; i++) bytes += space->values.list[i].size;
    space->conflict_steps += bytes;
    lines->count = 0;
    for (size_t i = 0; bytes <= SK_MERGED_SIZE_MAX && fits && i < space->values.count; i++)
        fits = take_lines(lines, space->values.list[i]);
    if (!fits || bytes > SK_MERGED_SIZE_MAX) {
        fail(space, "they are too large to be merged: 256 KiB and 16384 lines together at most");
        return false;
    }
    make_set(lines);
    for (size_t i = 0; i < lines->count; i++) {
        if (i) sk_buffer_append_byte(&space->resolved, '\n');
        sk_buffer_append_slice(&space->resolved, lines->list[i]);
    }
    return true;
}

// space->values has at least two.
static bool resolve(sk_mergespace *space)
{
    sk_buffer_clear(&space->resolved);
    if (space->conflict_steps > SK_CONFLICT_STEPS_MAX) {
        fail(space, "too many such keys or fields in one command: read fewer at once");
        return false;
    }
    if (space->options.conflict == SK_CONFLICT_MERGE) return merge_lines(space);
    return sk_rule_run(space->options.rule, space->values.list, space->values.count, &space->conflict_steps, &space->resolved);
}

// NULL: there is none. *failed: there are several, and no one value of them.
static const sk_slice *shown_value(sk_mergespace *space, const sk_register *reg, sk_slice *value, bool *failed)
{
    *failed = false;
    if (!reg->count) return NULL;
    if (space->options.conflict == SK_CONFLICT_LAST_WRITER || reg->count == 1) {
        *value = sk_register_winner(reg)->value;
        return value;
    }
    space->values.count = 0;
    for (size_t i = 0; i < reg->count; i++) add(&space->values, reg->list[i].value);
    make_set(&space->values);
    *value = space->values.list[0];
    if (space->values.count == 1) return value;
    *failed = !resolve(space);
    *value = sk_buffer_slice(&space->resolved);
    return *failed ? NULL : value;
}

bool sk_merge_show(sk_mergespace *space, const sk_scalar *scalar, sk_buffer *out)
{
    sk_slice value;
    bool failed;
    if (space->failure.size) return false; // the command fails as it is
    const sk_slice *shown = shown_value(space, &scalar->reg, &value, &failed);
    if (failed) {
        sk_buffer_clear(&space->failure);
        sk_buffer_append_slice(&space->failure, sk_buffer_slice(&space->resolved));
        return false;
    }
    if (!sk_counter_live(&scalar->counter)) {
        if (shown) sk_buffer_append_slice(out, *shown);
        return true;
    }
    sk_buffer total = {0};
    sk_merge_format_total(sk_counter_value(&scalar->counter), &total);
    sk_slice base = shown ? *shown : sk_slice_text("0");
    if (sk_decimal_add(base, sk_buffer_slice(&total), out) != SK_DECIMAL_OK) sk_buffer_append_slice(out, base);
    sk_buffer_deinit(&total);
    return true;
}

// ---- SIBLINGS ----

static void reply_number(sk_reply *reply, uint64_t number)
{
    sk_reply_integer(reply, number > INT64_MAX ? INT64_MAX : (int64_t)number);
}

static bool all_shown(const sk_mergespace *space)
{
    return space->options.multi_value || space->options.conflict != SK_CONFLICT_LAST_WRITER;
}

static size_t count_scalar(const sk_mergespace *space, const sk_scalar *scalar)
{
    size_t values = all_shown(space) || !scalar->reg.count ? scalar->reg.count : 1;
    return values + sk_counter_live(&scalar->counter);
}

static void reply_scalar(sk_command_call *call, const sk_scalar *scalar)
{
    sk_mergespace *space = call->mergespace;
    const sk_sibling *winner = sk_register_winner(&scalar->reg);
    for (size_t i = 0; i < scalar->reg.count; i++) {
        const sk_sibling *one = &scalar->reg.list[i];
        if (!all_shown(space) && one != winner) continue;
        sk_reply_array(&call->reply, 4);
        sk_reply_text(&call->reply, "register");
        sk_reply_bulk(&call->reply, one->value);
        reply_number(&call->reply, sk_hlc_ms(one->stamp));
        reply_number(&call->reply, sk_actor_node(one->dot.actor));
    }
    if (!sk_counter_live(&scalar->counter)) return;
    sk_buffer_clear(&space->text);
    sk_merge_format_total(sk_counter_value(&scalar->counter), &space->text);
    sk_reply_array(&call->reply, 2);
    sk_reply_text(&call->reply, "counter");
    sk_reply_bulk(&call->reply, sk_buffer_slice(&space->text));
}

static void reply_of_field(sk_command_call *call, sk_slice field)
{
    sk_mergespace *space = call->mergespace;
    sk_value value;
    bool there = sk_merge_find(call, call->argv[1], &value) != SK_SHOWN_NOTHING &&
                 sk_mergeable_field(&space->state, call->argv[1], field, &space->scalar);
    sk_reply_array(&call->reply, there ? count_scalar(space, &space->scalar) : 0);
    if (there) reply_scalar(call, &space->scalar);
}

// SIBLINGS key [field]. For each thing the key holds, what is shown first coming first: its kind and its value, or how much there is of
// it; for a register also the stamp's wall time and the node that wrote it.
void sk_merge_siblings(sk_command_call *call)
{
    sk_mergespace *space = call->mergespace;
    sk_value value;
    uint8_t tag;
    if (call->argc > 3) {
        sk_command_reply_arity(&call->reply, call->command);
        return;
    }
    if (call->argc == 3) {
        reply_of_field(call, call->argv[2]);
        return;
    }
    if (sk_merge_find(call, call->argv[1], &value) == SK_SHOWN_NOTHING) {
        sk_reply_array(&call->reply, 0);
        return;
    }
    sk_mergeable_head(&space->state, call->argv[1], &space->head, &tag);
    const char *const names[] = {"set", "hash"};
    const uint64_t counts[] = {space->head.members, space->head.fields};
    sk_reply_array(&call->reply, count_scalar(space, &space->head.scalar) + (counts[0] != 0) + (counts[1] != 0));
    reply_scalar(call, &space->head.scalar);
    for (int i = 0; i < 2; i++) {
        if (!counts[i]) continue;
        sk_reply_array(&call->reply, 2);
        sk_reply_text(&call->reply, names[i]);
        reply_number(&call->reply, counts[i]);
    }
}

// An ordered key has one value and no siblings.
void sk_run_siblings(sk_command_call *call)
{
    sk_reply_error(&call->reply, "ERR SIBLINGS is for spaces of PROTOCOL crdt or causal: keys of this one have one value");
}
