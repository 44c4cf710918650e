#include "data/register.h"

#include "base/alloc.h"
#include "base/hash.h"

static size_t find(const sk_register *reg, sk_dot dot)
{
    size_t low = 0;
    size_t high = reg->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (sk_dot_compare(reg->list[middle].dot, dot) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static bool has(const sk_register *reg, sk_dot dot)
{
    size_t at = find(reg, dot);
    return at < reg->count && sk_dot_compare(reg->list[at].dot, dot) == 0;
}

static bool is_less(const sk_sibling *a, const sk_sibling *b)
{
    if (a->stamp != b->stamp) return a->stamp < b->stamp;
    return sk_slice_compare(a->value, b->value) < 0;
}

void sk_register_add(sk_register *reg, sk_sibling sibling)
{
    size_t at = find(reg, sibling.dot);
    if (at < reg->count && sk_dot_compare(reg->list[at].dot, sibling.dot) == 0) {
        if (is_less(&reg->list[at], &sibling)) reg->list[at] = sibling;
        return;
    }
    if (reg->count == reg->capacity) {
        reg->capacity = reg->capacity ? reg->capacity * 2 : 2;
        reg->list = sk_realloc(reg->list, reg->capacity * sizeof *reg->list);
    }
    memmove(&reg->list[at + 1], &reg->list[at], (reg->count - at) * sizeof *reg->list);
    reg->list[at] = sibling;
    reg->count++;
}

static uint64_t hash_of(const sk_sibling *sibling)
{
    return sk_hash64(0, sibling->value.data, sibling->value.size);
}

const sk_sibling *sk_register_winner(const sk_register *reg)
{
    const sk_sibling *best = NULL;
    for (size_t i = 0; i < reg->count; i++) {
        const sk_sibling *one = &reg->list[i];
        if (!best || one->stamp > best->stamp) {
            best = one;
        } else if (one->stamp == best->stamp) {
            bool equal = one->dot.actor == best->dot.actor; // dots ascend: else this actor is the greater one
            if (!equal || hash_of(one) >= hash_of(best)) best = one;
        }
    }
    return best;
}

void sk_register_merge(sk_register *into, sk_seen into_seen, const sk_register *other, sk_seen other_seen)
{
    size_t kept = 0;
    for (size_t i = 0; i < into->count; i++) {
        sk_sibling one = into->list[i];
        if (has(other, one.dot) || !sk_seen_has(other_seen, one.dot)) into->list[kept++] = one;
    }
    into->count = kept;
    for (size_t i = 0; i < other->count; i++) {
        sk_dot dot = other->list[i].dot;
        if (has(into, dot) || !sk_seen_has(into_seen, dot)) sk_register_add(into, other->list[i]);
    }
}

void sk_register_deinit(sk_register *reg)
{
    sk_free(reg->list);
    *reg = (sk_register){0};
}

void sk_register_write(const sk_register *reg, sk_buffer *out)
{
    sk_write_varint(out, reg->count);
    for (size_t i = 0; i < reg->count; i++) {
        sk_dot_write(reg->list[i].dot, out);
        sk_write_u64(out, reg->list[i].stamp);
        sk_write_sized(out, reg->list[i].value);
    }
}

void sk_register_read(sk_register *out, sk_reader *reader)
{
    sk_register_clear(out);
    uint64_t count = sk_read_varint(reader);
    if (count > sk_reader_left(reader)) reader->bad = true;
    for (uint64_t i = 0; i < count && !reader->bad; i++) {
        sk_sibling one = {.dot = sk_dot_read(reader)};
        one.stamp = sk_read_u64(reader);
        one.value = sk_read_sized(reader);
        if (out->count && sk_dot_compare(out->list[out->count - 1].dot, one.dot) >= 0) reader->bad = true;
        if (!reader->bad) sk_register_add(out, one);
    }
    if (reader->bad) sk_register_clear(out);
}
