#include "redis/keyspace.h"

#include "base/alloc.h"
#include "base/assert.h"
#include "base/error.h"
#include "base/hash.h"
#include "base/list.h"
#include "redis/keyspace_data.h"
#include "redis/keyspace_image.h"

// Expired entries removed by one ordered command, and by one advance, which has nothing else to do.
enum { EXPIRED_PER_APPLY = 32, EXPIRED_PER_ADVANCE = 1024 };
enum { ARGUMENTS_MIN = 64, ARGUMENTS_KEPT_MAX = 4096, SCRATCH_KEPT_MAX = 64 * 1024 };
enum { SLICE_BUDGET = 4096 };

static sk_keyspace *keyspace_of(sk_machine *machine)
{
    return SK_CONTAINER(machine, sk_keyspace, machine);
}

static const sk_keyspace *keyspace_of_const(const sk_machine *machine)
{
    return SK_CONTAINER(machine, sk_keyspace, machine);
}

static void tell_clock(sk_keyspace *keyspace, uint64_t clock_ms)
{
    if (clock_ms > keyspace->clock_ms) keyspace->clock_ms = clock_ms;
}

// Into keyspace->argv. Grows only as far as the bytes can hold arguments. Negative: malformed.
static int decode(sk_keyspace *keyspace, sk_slice bytes)
{
    int argc;
    while ((argc = sk_command_decode(bytes, keyspace->argv, keyspace->argv_capacity)) == SK_ETOOBIG) {
        size_t capacity = keyspace->argv_capacity ? keyspace->argv_capacity * 4 : ARGUMENTS_MIN;
        keyspace->argv = sk_realloc(keyspace->argv, capacity * sizeof *keyspace->argv);
        keyspace->argv_capacity = capacity;
    }
    return argc;
}

static void give_back_scratch(sk_keyspace *keyspace)
{
    if (keyspace->argv_capacity > ARGUMENTS_KEPT_MAX) {
        sk_free(keyspace->argv);
        keyspace->argv = NULL;
        keyspace->argv_capacity = 0;
    }
    sk_buffer_reset(&keyspace->scratch, SCRATCH_KEPT_MAX);
    sk_buffer_reset(&keyspace->expiry_key, SCRATCH_KEPT_MAX);
    sk_buffer_reset(&keyspace->expired_key, SCRATCH_KEPT_MAX);
}

static sk_machine_job *run(sk_keyspace *keyspace, const sk_command_context *context, sk_slice bytes,
                           uint32_t forbidden, sk_buffer *out)
{
    sk_command_call call = {
        .keyspace = keyspace, .context = context, .reply = {.out = out, .resp = context->resp}};
    int argc = decode(keyspace, bytes);
    if (argc <= 0) {
        sk_reply_error(&call.reply, "ERR malformed command");
        return NULL;
    }
    call.argc = (size_t)argc;
    call.argv = keyspace->argv;
    call.command = sk_command_select(call.argc, call.argv, &call.reply);
    if (!call.command) return NULL;
    if (!call.command->run || (call.command->flags & forbidden)) {
        sk_reply_errorf(&call.reply, "ERR command '%s' cannot run here", call.command->name);
        return NULL;
    }
    if ((call.command->flags & SK_COMMAND_DENY_OOM) && sk_keyspace_is_full(keyspace, 0)) {
        sk_reply_error(&call.reply, SK_ERR_OOM);
        return NULL;
    }
    size_t before = out->size;
    call.command->run(&call);
    SK_ASSERT(call.job || out->size > before);
    return call.job;
}

static void apply(sk_machine *machine, const sk_command_context *context, sk_slice command, sk_buffer *reply)
{
    sk_keyspace *keyspace = keyspace_of(machine);
    tell_clock(keyspace, context->clock_ms);
    sk_keyspace_remove_expired(keyspace, EXPIRED_PER_APPLY);
    sk_machine_job *job = run(keyspace, context, command, 0, reply);
    if (job) { // a protocol that orders its reads: no slices
        while (job->ops->run(job, reply, SLICE_BUDGET)) {
        }
        job->ops->close(job);
    }
    give_back_scratch(keyspace);
}

static void prefetch(sk_machine *machine, const sk_slice *commands, size_t count)
{
    sk_slice keys[SK_MACHINE_TOGETHER];
    size_t keys_count = sk_command_peek_keys(commands, count, keys);
    sk_tree_prefetch(&keyspace_of(machine)->keys, keys, keys_count);
}

static void advance(sk_machine *machine, uint64_t clock_ms)
{
    sk_keyspace *keyspace = keyspace_of(machine);
    tell_clock(keyspace, clock_ms);
    sk_keyspace_remove_expired(keyspace, EXPIRED_PER_ADVANCE);
}

static sk_machine_job *query(sk_machine *machine, const sk_command_context *context, sk_slice command,
                             sk_buffer *reply)
{
    sk_keyspace *keyspace = keyspace_of(machine);
    sk_machine_job *job = run(keyspace, context, command, SK_COMMAND_WRITE, reply);
    give_back_scratch(keyspace);
    return job;
}

static uint64_t next_deadline(const sk_machine *machine)
{
    return sk_keyspace_next_deadline(keyspace_of_const(machine));
}

static uint64_t digest(const sk_machine *machine)
{
    const sk_keyspace *keyspace = keyspace_of_const(machine);
    uint64_t hash = sk_hash_mix(0x5eed, keyspace->content);
    hash = sk_hash_mix(hash, keyspace->keys.count);
    hash = sk_hash_mix(hash, keyspace->expiries.count);
    hash = sk_hash_mix(hash, keyspace->changes);
    return sk_hash_mix(hash, keyspace->clock_ms);
}

static size_t memory(const sk_machine *machine)
{
    return (size_t)sk_keyspace_bytes(keyspace_of_const(machine));
}

static bool collect(sk_machine *machine, size_t budget)
{
    return sk_tree_collect(&keyspace_of(machine)->garbage, budget);
}

static void close_keyspace(sk_machine *machine)
{
    sk_keyspace *keyspace = keyspace_of(machine);
    sk_tree_drop(&keyspace->keys);
    sk_tree_drop(&keyspace->expiries);
    sk_tree_garbage_deinit(&keyspace->garbage);
    sk_free(keyspace->argv);
    sk_buffer_deinit(&keyspace->scratch);
    sk_buffer_deinit(&keyspace->expiry_key);
    sk_buffer_deinit(&keyspace->expired_key);
    sk_free(keyspace);
}

static const sk_machine_ops keyspace_ops = {
    .apply = apply,
    .prefetch = prefetch,
    .advance = advance,
    .query = query,
    .next_deadline = next_deadline,
    .digest = digest,
    .memory = memory,
    .image_open = sk_keyspace_image_open,
    .image_next = sk_keyspace_image_next,
    .image_close = sk_keyspace_image_close,
    .restore_open = sk_keyspace_restore_open,
    .restore_add = sk_keyspace_restore_add,
    .restore_finish = sk_keyspace_restore_finish,
    .restore_abort = sk_keyspace_restore_abort,
    .collect = collect,
    .close = close_keyspace,
};

sk_machine *sk_keyspace_open(const sk_keyspace_limits *limits)
{
    sk_keyspace *keyspace = sk_alloc_zeroed(sizeof *keyspace);
    keyspace->machine.ops = &keyspace_ops;
    keyspace->limits = *limits;
    if (!keyspace->limits.value_size_max) keyspace->limits.value_size_max = SK_VALUE_SIZE_MAX_DEFAULT;
    sk_tree_init(&keyspace->keys, &keyspace->garbage);
    sk_tree_init(&keyspace->expiries, &keyspace->garbage);
    return &keyspace->machine;
}

sk_keyspace_facts sk_keyspace_facts_of(const sk_machine *machine)
{
    const sk_keyspace *keyspace = keyspace_of_const(machine);
    uint64_t expired = sk_keyspace_expired_count(keyspace);
    return (sk_keyspace_facts){.keys = keyspace->keys.count - expired,
                               .expires = keyspace->expiries.count - expired,
                               .bytes = sk_keyspace_bytes(keyspace)};
}

void sk_keyspace_set_memory_max(sk_machine *machine, uint64_t bytes)
{
    keyspace_of(machine)->limits.memory_max = bytes;
}

bool sk_keyspace_has_prefix(const sk_machine *machine, sk_slice prefix)
{
    enum { EXPIRED_MAX = 1000 };
    const sk_keyspace *keyspace = keyspace_of_const(machine);
    sk_tree_cursor cursor;
    sk_tree_seek(&cursor, &keyspace->keys, prefix);
    sk_slice key;
    sk_value value;
    for (int i = 0; sk_tree_next(&cursor, &key, &value); i++) {
        if (key.size < prefix.size || memcmp(key.data, prefix.data, prefix.size) != 0) return false;
        if (!value.meta || value.meta > keyspace->clock_ms || i == EXPIRED_MAX) return true;
    }
    return false;
}
