#include "node/rules.h"

#include <string.h>

#include "base/alloc.h"
#include "base/assert.h"
#include "base/error.h"
#include "base/hash.h"
#include "node/catalogue.h"
#include "node/space.h"
#include "redis/command.h"
#include "redis/keyspace.h"

enum order { ORDER_FENCE = 1, ORDER_UNFENCE = 2, ORDER_CLOSE = 3, ORDER_LIMIT = 4 };
enum { RULES_VERSION = 1, FENCES_MAX = SK_SPACES_CREATED_MAX, ARGUMENTS_STACK = 64 };

static void fences_free(sk_rules *rules)
{
    for (size_t i = 0; i < rules->fence_count; i++) sk_free((void *)(uintptr_t)rules->fences[i].prefix.data);
    sk_free(rules->fences);
    rules->fences = NULL;
    rules->fence_count = 0;
}

void sk_rules_deinit(sk_rules *rules)
{
    fences_free(rules);
    *rules = (sk_rules){0};
}

// ---- Fences ----

static void note_newest(sk_rules *rules)
{
    rules->fence_newest = 0;
    for (size_t i = 0; i < rules->fence_count; i++) {
        if (rules->fences[i].version > rules->fence_newest) rules->fence_newest = rules->fences[i].version;
    }
}

static void fence_add(sk_rules *rules, uint32_t id, uint64_t version, sk_slice prefix)
{
    uint8_t *owned = sk_alloc(prefix.size);
    memcpy(owned, prefix.data, prefix.size);
    rules->fences = sk_realloc(rules->fences, (rules->fence_count + 1) * sizeof *rules->fences);
    size_t at = rules->fence_count++;
    for (; at > 0 && sk_slice_compare(rules->fences[at - 1].prefix, prefix) > 0; at--) rules->fences[at] = rules->fences[at - 1];
    rules->fences[at] = (sk_fence){.id = id, .version = version, .prefix = sk_slice_make(owned, prefix.size)};
    note_newest(rules);
}

const sk_fence *sk_rules_fence(const sk_rules *rules, uint32_t id)
{
    for (size_t i = 0; i < rules->fence_count; i++) {
        if (rules->fences[i].id == id) return &rules->fences[i];
    }
    return NULL;
}

static void fence_remove(sk_rules *rules, uint32_t id)
{
    const sk_fence *fence = sk_rules_fence(rules, id);
    if (!fence) return;
    size_t at = (size_t)(fence - rules->fences);
    sk_free((void *)(uintptr_t)fence->prefix.data);
    rules->fence_count--;
    memmove(&rules->fences[at], &rules->fences[at + 1], (rules->fence_count - at) * sizeof *rules->fences);
    note_newest(rules);
}

// As sk_catalogue_owner: the last prefix at or before the key, if it begins it.
static const sk_fence *fence_of(const sk_rules *rules, sk_slice key)
{
    size_t low = 0, high = rules->fence_count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (sk_slice_compare(rules->fences[middle].prefix, key) <= 0) low = middle + 1;
        else high = middle;
    }
    return low && sk_prefix_begins(rules->fences[low - 1].prefix, key) ? &rules->fences[low - 1] : NULL;
}

static uint64_t touches(const sk_rules *rules, uint64_t routing, int argc, const sk_slice *argv)
{
    sk_buffer nowhere = {0};
    const sk_command *command = sk_command_select((size_t)argc, argv, &(sk_reply){.out = &nowhere, .resp = 2});
    sk_buffer_deinit(&nowhere);
    if (!command) return 0;
    uint64_t version = 0;
    for (size_t i = 0, at; (at = sk_command_key(command, (size_t)argc, i)); i++) {
        const sk_fence *fence = fence_of(rules, argv[at]);
        if (fence && routing < fence->version && fence->version > version) version = fence->version;
    }
    return version;
}

uint64_t sk_rules_turn_away(const sk_rules *rules, uint64_t routing, sk_slice command)
{
    if (rules->closed) return rules->close_judged;
    if (routing >= rules->fence_newest) return 0;
    sk_slice few[ARGUMENTS_STACK];
    sk_slice *argv = few;
    int argc = sk_command_decode(command, few, ARGUMENTS_STACK);
    if (argc == SK_ETOOBIG) {
        argv = sk_alloc(command.size * sizeof *argv); // an argument takes at least a byte
        argc = sk_command_decode(command, argv, command.size);
    }
    uint64_t version = argc > 0 ? touches(rules, routing, argc, argv) : 0;
    if (argv != few) sk_free(argv);
    return version;
}

// ---- Bytes ----

void sk_rules_write(const sk_rules *rules, sk_buffer *out)
{
    sk_write_varint(out, RULES_VERSION);
    sk_write_varint(out, rules->fence_judged);
    sk_write_u8(out, (uint8_t)(rules->fence_refused | rules->closed << 1 | rules->close_refused << 2));
    sk_write_varint(out, rules->close_judged);
    sk_write_varint(out, rules->memory_max);
    sk_write_varint(out, rules->limit_version);
    sk_write_varint(out, rules->fence_count);
    for (size_t i = 0; i < rules->fence_count; i++) {
        sk_write_varint(out, rules->fences[i].id);
        sk_write_varint(out, rules->fences[i].version);
        sk_write_sized(out, rules->fences[i].prefix);
    }
}

static int read_into(sk_rules *fresh, sk_reader *reader)
{
    if (sk_read_varint(reader) != RULES_VERSION) return SK_ECORRUPT;
    fresh->fence_judged = (uint32_t)sk_read_varint(reader);
    uint8_t flags = sk_read_u8(reader);
    fresh->fence_refused = flags & 1;
    fresh->closed = flags & 2;
    fresh->close_refused = flags & 4;
    fresh->close_judged = sk_read_varint(reader);
    fresh->memory_max = sk_read_varint(reader);
    fresh->limit_version = sk_read_varint(reader);
    uint64_t count = sk_read_varint(reader);
    if (reader->bad || count > FENCES_MAX || flags > 7) return SK_ECORRUPT;
    for (uint64_t i = 0; i < count; i++) {
        uint64_t id = sk_read_varint(reader);
        uint64_t version = sk_read_varint(reader);
        sk_slice prefix = sk_read_sized(reader);
        if (reader->bad || !prefix.size || prefix.size > SK_SPACE_PREFIX_MAX || id > UINT32_MAX) return SK_ECORRUPT;
        fence_add(fresh, (uint32_t)id, version, prefix);
    }
    return 0;
}

int sk_rules_read(sk_rules *rules, sk_reader *reader)
{
    sk_rules fresh = {0};
    int error = read_into(&fresh, reader);
    if (error) {
        sk_rules_deinit(&fresh);
        return error;
    }
    sk_rules_deinit(rules);
    *rules = fresh;
    return 0;
}

uint64_t sk_rules_digest(const sk_rules *rules)
{
    sk_buffer bytes = {0};
    sk_rules_write(rules, &bytes);
    uint64_t digest = sk_hash64(0, bytes.data, bytes.size);
    sk_buffer_deinit(&bytes);
    return digest;
}

// ---- Orders ----

void sk_rules_write_fence(sk_buffer *out, uint32_t id, uint64_t version, sk_slice prefix)
{
    sk_write_u8(out, ORDER_FENCE);
    sk_write_varint(out, id);
    sk_write_varint(out, version);
    sk_write_sized(out, prefix);
}

void sk_rules_write_unfence(sk_buffer *out, uint32_t id)
{
    sk_write_u8(out, ORDER_UNFENCE);
    sk_write_varint(out, id);
}

void sk_rules_write_close(sk_buffer *out, uint64_t version, bool force)
{
    sk_write_u8(out, ORDER_CLOSE);
    sk_write_varint(out, version);
    sk_write_u8(out, force);
}

void sk_rules_write_limit(sk_buffer *out, uint64_t version, uint64_t memory_max)
{
    sk_write_u8(out, ORDER_LIMIT);
    sk_write_varint(out, version);
    sk_write_varint(out, memory_max);
}

static void on_fence(sk_space *space, sk_reader *order)
{
    sk_rules *rules = &space->rules;
    uint64_t id = sk_read_varint(order);
    uint64_t version = sk_read_varint(order);
    sk_slice prefix = sk_read_sized(order);
    if (!sk_reader_done(order) || !prefix.size || prefix.size > SK_SPACE_PREFIX_MAX || id > UINT32_MAX) return;
    if (id <= rules->fence_judged || rules->fence_count >= FENCES_MAX) return;
    rules->fence_judged = (uint32_t)id;
    rules->fence_refused = space->kind->has_prefix(space->machine, prefix);
    if (!rules->fence_refused) fence_add(rules, (uint32_t)id, version, prefix);
}

static void on_close(sk_space *space, sk_reader *order)
{
    sk_rules *rules = &space->rules;
    uint64_t version = sk_read_varint(order);
    bool force = sk_read_u8(order) != 0;
    if (!sk_reader_done(order) || version <= rules->close_judged || rules->closed) return;
    rules->close_judged = version;
    rules->closed = force || space->kind->facts(space->machine).keys == 0;
    rules->close_refused = !rules->closed;
}

static void on_limit(sk_space *space, sk_reader *order)
{
    sk_rules *rules = &space->rules;
    uint64_t version = sk_read_varint(order);
    uint64_t memory_max = sk_read_varint(order);
    if (!sk_reader_done(order) || version <= rules->limit_version) return;
    rules->limit_version = version;
    rules->memory_max = memory_max;
    space->kind->set_memory_max(space->machine, memory_max);
}

void sk_rules_apply(sk_space *space, sk_slice order)
{
    sk_reader reader = sk_reader_make(order);
    switch (sk_read_u8(&reader)) {
    case ORDER_FENCE: on_fence(space, &reader); break;
    case ORDER_UNFENCE: {
        uint64_t id = sk_read_varint(&reader);
        if (sk_reader_done(&reader) && id <= UINT32_MAX) fence_remove(&space->rules, (uint32_t)id);
        break;
    }
    case ORDER_CLOSE: on_close(space, &reader); break;
    case ORDER_LIMIT: on_limit(space, &reader); break;
    default: break;
    }
}
