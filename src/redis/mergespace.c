#include "redis/mergespace_data.h"

#include "base/alloc.h"
#include "base/assert.h"
#include "base/error.h"
#include "base/hash.h"

enum { ARGUMENTS_MIN = 64, ARGUMENTS_KEPT_MAX = 4096, SCRATCH_KEPT_MAX = 64 * 1024, CLEARED_PER_CALL = 256, SLICE_BUDGET = 4096 };

static const sk_mergespace *mergespace_of_const(const sk_machine *machine)
{
    return SK_CONTAINER(machine, sk_mergespace, machine);
}

// Into space->argv. Negative: malformed.
static int decode(sk_mergespace *space, sk_slice bytes)
{
    int argc;
    while ((argc = sk_command_decode(bytes, space->argv, space->argv_capacity)) == SK_ETOOBIG) {
        size_t capacity = space->argv_capacity ? space->argv_capacity * 4 : ARGUMENTS_MIN;
        space->argv = sk_realloc(space->argv, capacity * sizeof *space->argv);
        space->argv_capacity = capacity;
    }
    return argc;
}

static void give_back_scratch(sk_mergespace *space)
{
    if (space->argv_capacity > ARGUMENTS_KEPT_MAX) {
        sk_free(space->argv);
        space->argv = NULL;
        space->argv_capacity = 0;
    }
    sk_buffer_reset(&space->text, SCRATCH_KEPT_MAX);
    sk_buffer_reset(&space->resolved, SCRATCH_KEPT_MAX);
    sk_buffer_clear(&space->failure);
    space->conflict_steps = 0;
    if (space->lines.capacity * sizeof *space->lines.list <= SCRATCH_KEPT_MAX) return;
    sk_free(space->lines.list);
    space->lines = (sk_slices){0};
}

static void reply_failure(sk_mergespace *space, sk_reply *reply, size_t before)
{
    reply->out->size = before;
    sk_reply_errorf(reply,
                    "ERR the values that were written apart here could not be made one: %.*s. SIBLINGS key [field] shows them, a write "
                    "replaces them",
                    (int)space->failure.size, (const char *)space->failure.data);
}

static void refuse(sk_command_call *call)
{
    char what[64];
    size_t size = strlen(call->command->name);
    if (size > sizeof what - 1) size = sizeof what - 1;
    for (size_t i = 0; i < size; i++) {
        char c = call->command->name[i];
        what[i] = c == '|' ? ' ' : c >= 'a' && c <= 'z' ? (char)(c - ('a' - 'A')) : c;
    }
    what[size] = 0;
    sk_merge_refuse(call, what);
}

static sk_machine_job *run(sk_mergespace *space, const sk_command_context *context, sk_slice bytes, bool may_write, sk_buffer *out)
{
    sk_command_call call = {.mergespace = space,
                            .values = &sk_merge_values,
                            .context = context,
                            .reply = {.out = out, .resp = context->resp}};
    int argc = decode(space, bytes);
    if (argc <= 0) {
        sk_reply_error(&call.reply, "ERR malformed command");
        return NULL;
    }
    call.argc = (size_t)argc;
    call.argv = space->argv;
    call.command = sk_command_select(call.argc, call.argv, &call.reply);
    if (!call.command) return NULL;
    sk_command_run *function = call.command->run ? sk_merge_find_run(call.command) : NULL;
    if (!function || ((call.command->flags & SK_COMMAND_WRITE) && !may_write)) {
        refuse(&call);
        return NULL;
    }
    uint64_t max = space->options.memory_max;
    if ((call.command->flags & SK_COMMAND_DENY_OOM) && max && sk_mergeable_bytes(&space->state) > max) {
        sk_reply_error(&call.reply, SK_ERR_OOM);
        return NULL;
    }
    size_t before = out->size;
    function(&call);
    if (space->failure.size) reply_failure(space, &call.reply, before);
    SK_ASSERT(call.job || out->size > before);
    return call.job;
}

static void tell_wall(sk_mergespace *space, const sk_command_context *context)
{
    int64_t wall = (int64_t)context->clock_ms + context->wall_offset_ms;
    space->writer = (sk_writer){.state = &space->state, .wall_ms = wall > 0 ? (uint64_t)wall : 0};
}

static void prepare(sk_machine *machine, const sk_command_context *context, sk_slice command, sk_buffer *reply,
                    sk_buffer *operations)
{
    sk_mergespace *space = sk_mergespace_of(machine);
    tell_wall(space, context);
    space->writer.out = operations;
    sk_machine_job *job = run(space, context, command, true, reply);
    if (job) { // a read that its connection put behind writes: no slices
        while (job->ops->run(job, reply, SLICE_BUDGET)) {
        }
        job->ops->close(job);
    }
    give_back_scratch(space);
}

static sk_machine_job *query(sk_machine *machine, const sk_command_context *context, sk_slice command, sk_buffer *reply)
{
    sk_mergespace *space = sk_mergespace_of(machine);
    tell_wall(space, context);
    sk_machine_job *job = run(space, context, command, false, reply);
    give_back_scratch(space);
    return job;
}

// Nobody orders commands for this machine; one that came all the same gets the reason.
static void apply(sk_machine *machine, const sk_command_context *context, sk_slice command, sk_buffer *reply)
{
    sk_reply out = {.out = reply, .resp = context->resp};
    sk_reply_error(&out, "ERR this space takes no ordered commands");
}

static void prefetch(sk_machine *machine, const sk_slice *commands, size_t count)
{
    sk_slice keys[SK_MACHINE_TOGETHER];
    size_t keys_count = sk_command_peek_keys(commands, count, keys);
    sk_mergeable_prefetch(&sk_mergespace_of(machine)->state, keys, keys_count);
}

static void advance(sk_machine *machine, uint64_t clock_ms)
{
}

static uint64_t next_deadline(const sk_machine *machine)
{
    return UINT64_MAX; // wall time is not the space's clock: see next_due
}

static uint64_t digest(const sk_machine *machine)
{
    const sk_mergespace *space = mergespace_of_const(machine);
    return sk_hash_mix(sk_hash_mix(0x5eed, space->state.content), space->state.live);
}

static size_t memory(const sk_machine *machine)
{
    return (size_t)sk_mergeable_bytes(&mergespace_of_const(machine)->state);
}

static bool collect(sk_machine *machine, size_t budget)
{
    return sk_mergeable_collect(&sk_mergespace_of(machine)->state, budget);
}

static void close_mergespace(sk_machine *machine)
{
    sk_mergespace *space = sk_mergespace_of(machine);
    sk_mergeable_deinit(&space->state);
    sk_head_deinit(&space->head);
    sk_scalar_deinit(&space->scalar);
    sk_buffer_deinit(&space->text);
    sk_buffer_deinit(&space->total);
    sk_buffer_deinit(&space->more);
    sk_buffer_deinit(&space->rule);
    sk_buffer_deinit(&space->resolved);
    sk_buffer_deinit(&space->failure);
    sk_free(space->values.list);
    sk_free(space->lines.list);
    sk_free(space->argv);
    sk_free(space);
}

// ---- Mergeable ----

static void identify(sk_machine *machine, uint64_t life)
{
    sk_mergeable_identify(&sk_mergespace_of(machine)->state, life);
}

static void clear_due(sk_machine *machine, uint64_t wall_ms, sk_buffer *operations)
{
    sk_writer writer = {.state = &sk_mergespace_of(machine)->state, .wall_ms = wall_ms, .out = operations};
    sk_change_clear_due(&writer, CLEARED_PER_CALL);
}

static uint64_t next_due(const sk_machine *machine)
{
    return sk_mergeable_next_due(&mergespace_of_const(machine)->state);
}

// Of the operations at the front, not looked at yet.
static void prefetch_operations(sk_mergeable *state, sk_slice operations)
{
    sk_slice keys[SK_TREE_TOGETHER];
    size_t count = 0;
    while (count < SK_TREE_TOGETHER && operations.size) {
        sk_operation operation;
        if (sk_operation_read(operations, &operation) < 0 || !sk_operation_key(&operation, &keys[count])) break;
        operations = sk_slice_make(operations.data + operation.size, operations.size - operation.size);
        count++;
    }
    sk_mergeable_prefetch(state, keys, count);
}

static int apply_operations(sk_machine *machine, uint64_t wall_ms, sk_slice operations, size_t *taken)
{
    sk_mergeable *state = &sk_mergespace_of(machine)->state;
    *taken = 0;
    for (size_t i = 0; *taken < operations.size; i++) {
        sk_operation operation;
        sk_slice left = sk_slice_make(operations.data + *taken, operations.size - *taken);
        if (i % SK_TREE_TOGETHER == 0) prefetch_operations(state, left);
        int status = sk_operation_read(left, &operation);
        if (status == 0) status = sk_mergeable_apply(state, &operation, wall_ms);
        if (status < 0) return status;
        *taken += operation.size;
    }
    return 0;
}

static int merge(sk_machine *machine, uint64_t wall_ms, sk_slice chunk)
{
    return sk_mergeable_merge(&sk_mergespace_of(machine)->state, chunk, wall_ms);
}

static const sk_vector *seen(const sk_machine *machine)
{
    return &mergespace_of_const(machine)->state.seen;
}

static const sk_vector *base(const sk_machine *machine)
{
    return &mergespace_of_const(machine)->state.base;
}

static void join(sk_machine *machine, const sk_vector *more, const sk_vector *more_base)
{
    sk_mergeable_join(&sk_mergespace_of(machine)->state, more, more_base);
}

static void settle(sk_machine *machine, const sk_vector *stable)
{
    sk_mergeable_settle(&sk_mergespace_of(machine)->state, stable);
}

static sk_walk *walk_of(const sk_machine_walk *walk)
{
    return (sk_walk *)walk;
}

static sk_machine_walk *walk_open(sk_machine *machine, const sk_vector *since)
{
    return (sk_machine_walk *)sk_walk_open(&sk_mergespace_of(machine)->state, since);
}

static bool walk_full(const sk_machine_walk *walk)
{
    return sk_walk_is_full(walk_of(walk));
}

static const sk_vector *walk_seen(const sk_machine_walk *walk)
{
    return sk_walk_seen(walk_of(walk));
}

static const sk_vector *walk_base(const sk_machine_walk *walk)
{
    return sk_walk_base(walk_of(walk));
}

static bool walk_next(sk_machine_walk *walk, sk_buffer *out, size_t budget)
{
    return sk_walk_next(walk_of(walk), out, budget);
}

static void walk_close(sk_machine_walk *walk)
{
    sk_walk_close(walk_of(walk));
}

const sk_mergeable_ops sk_merge_ops = {
    .identify = identify,
    .prepare = prepare,
    .clear_due = clear_due,
    .next_due = next_due,
    .apply = apply_operations,
    .merge = merge,
    .seen = seen,
    .base = base,
    .join = join,
    .settle = settle,
    .walk_open = walk_open,
    .walk_full = walk_full,
    .walk_seen = walk_seen,
    .walk_base = walk_base,
    .walk_next = walk_next,
    .walk_close = walk_close,
};

static const sk_machine_ops mergespace_ops = {
    .apply = apply,
    .prefetch = prefetch,
    .advance = advance,
    .query = query,
    .next_deadline = next_deadline,
    .digest = digest,
    .memory = memory,
    .image_open = sk_merge_image_open,
    .image_next = sk_merge_image_next,
    .image_close = sk_merge_image_close,
    .restore_open = sk_merge_restore_open,
    .restore_add = sk_merge_restore_add,
    .restore_finish = sk_merge_restore_finish,
    .restore_abort = sk_merge_restore_abort,
    .collect = collect,
    .close = close_mergespace,
};

sk_machine *sk_mergespace_open(const sk_mergespace_options *options)
{
    sk_mergespace *space = sk_alloc_zeroed(sizeof *space);
    space->machine.ops = &mergespace_ops;
    space->machine.mergeable = &sk_merge_ops;
    space->options = *options;
    sk_mergespace_set_options(&space->machine, options);
    sk_mergeable_init(&space->state, options->node, options->drift_max_ms);
    return &space->machine;
}

void sk_mergespace_set_options(sk_machine *machine, const sk_mergespace_options *options)
{
    sk_mergespace *space = sk_mergespace_of(machine);
    space->options.multi_value = options->multi_value;
    space->options.grow_only = options->grow_only;
    space->options.conflict = options->conflict;
    sk_buffer_reset(&space->rule, 0);
    sk_buffer_append_slice(&space->rule, options->rule);
    space->options.rule = sk_buffer_slice(&space->rule);
}

void sk_mergespace_set_memory_max(sk_machine *machine, uint64_t bytes)
{
    sk_mergespace_of(machine)->options.memory_max = bytes;
}

sk_mergespace_facts sk_mergespace_facts_of(const sk_machine *machine)
{
    const sk_mergeable *state = &mergespace_of_const(machine)->state;
    return (sk_mergespace_facts){.keys = state->live,
                                 .expires = state->expiries.count,
                                 .tombstones = state->keys.count - state->live,
                                 .bytes = sk_mergeable_bytes(state),
                                 .index = state->index.count};
}
