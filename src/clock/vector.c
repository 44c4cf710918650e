#include "clock/vector.h"

#include "base/alloc.h"
#include "base/assert.h"

// The first entry whose actor is not less.
static size_t find(const sk_vector *vector, sk_actor actor)
{
    size_t low = 0;
    size_t high = vector->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (vector->list[middle].actor < actor)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static bool same_node(sk_actor a, sk_actor b)
{
    return sk_actor_node(a) == sk_actor_node(b);
}

uint64_t sk_vector_get(const sk_vector *vector, sk_actor actor)
{
    size_t at = find(vector, actor);
    if (at == vector->count) return 0;
    const sk_dot *entry = &vector->list[at];
    if (entry->actor == actor) return entry->counter;
    return entry->counter == SK_RETIRED && same_node(entry->actor, actor) ? SK_RETIRED : 0;
}

static void insert(sk_vector *vector, size_t at, sk_dot dot)
{
    if (vector->count == vector->capacity) {
        vector->capacity = vector->capacity ? vector->capacity * 2 : 4;
        vector->list = sk_realloc(vector->list, vector->capacity * sizeof *vector->list);
    }
    memmove(&vector->list[at + 1], &vector->list[at], (vector->count - at) * sizeof *vector->list);
    vector->list[at] = dot;
    vector->count++;
}

static void erase(sk_vector *vector, size_t from, size_t to)
{
    if (from == to) return;
    memmove(&vector->list[from], &vector->list[to], (vector->count - to) * sizeof *vector->list);
    vector->count -= to - from;
}

void sk_vector_retire(sk_vector *vector, sk_actor actor)
{
    if (sk_vector_get(vector, actor) == SK_RETIRED) return;
    size_t from = find(vector, sk_actor_make(sk_actor_node(actor), 0));
    size_t to = find(vector, actor);
    if (to < vector->count && vector->list[to].actor == actor) to++;
    erase(vector, from, to);
    insert(vector, from, (sk_dot){.actor = actor, .counter = SK_RETIRED});
}

void sk_vector_raise(sk_vector *vector, sk_actor actor, uint64_t counter)
{
    if (counter <= sk_vector_get(vector, actor)) return;
    if (counter == SK_RETIRED) {
        sk_vector_retire(vector, actor);
        return;
    }
    size_t at = find(vector, actor);
    if (at < vector->count && vector->list[at].actor == actor)
        vector->list[at].counter = counter;
    else
        insert(vector, at, (sk_dot){.actor = actor, .counter = counter});
}

void sk_vector_remove(sk_vector *vector, sk_actor actor)
{
    size_t at = find(vector, actor);
    if (at < vector->count && vector->list[at].actor == actor) erase(vector, at, at + 1);
}

void sk_vector_join(sk_vector *into, const sk_vector *other)
{
    for (size_t i = 0; i < other->count; i++) sk_vector_raise(into, other->list[i].actor, other->list[i].counter);
}

void sk_vector_meet(sk_vector *into, const sk_vector *other)
{
    sk_vector result = {0};
    for (int side = 0; side < 2; side++) {
        const sk_vector *one = side ? other : into;
        const sk_vector *two = side ? into : other;
        for (size_t i = 0; i < one->count; i++) {
            uint64_t counter = sk_vector_get(two, one->list[i].actor);
            if (one->list[i].counter < counter) counter = one->list[i].counter;
            sk_vector_raise(&result, one->list[i].actor, counter);
        }
    }
    sk_free(into->list);
    *into = result;
}

void sk_vector_copy(sk_vector *into, const sk_vector *other)
{
    if (into->capacity < other->count) {
        into->list = sk_realloc(into->list, other->count * sizeof *into->list);
        into->capacity = other->count;
    }
    if (other->count) memcpy(into->list, other->list, other->count * sizeof *into->list);
    into->count = other->count;
}

void sk_vector_clear(sk_vector *vector)
{
    vector->count = 0;
}

void sk_vector_deinit(sk_vector *vector)
{
    sk_free(vector->list);
    *vector = (sk_vector){0};
}

bool sk_vector_covers(const sk_vector *vector, const sk_vector *other)
{
    for (size_t i = 0; i < other->count; i++) {
        if (!sk_vector_has(vector, other->list[i])) return false;
    }
    return true;
}

enum sk_order sk_vector_compare(const sk_vector *a, const sk_vector *b)
{
    bool less = sk_vector_covers(b, a);
    bool greater = sk_vector_covers(a, b);
    if (less) return greater ? SK_ORDER_EQUAL : SK_ORDER_BEFORE;
    return greater ? SK_ORDER_AFTER : SK_ORDER_CONCURRENT;
}

// ---- Bytes ----

void sk_actor_write(sk_actor actor, sk_buffer *out)
{
    sk_write_varint(out, sk_actor_node(actor));
    sk_write_varint(out, sk_actor_life(actor));
}

sk_actor sk_actor_read(sk_reader *reader)
{
    uint64_t node = sk_read_varint(reader);
    uint64_t life = sk_read_varint(reader);
    if (node == 0 || node > UINT16_MAX || life == 0 || life >> SK_ACTOR_LIFE_BITS) reader->bad = true;
    return reader->bad ? 0 : sk_actor_make((uint32_t)node, life);
}

void sk_dot_write(sk_dot dot, sk_buffer *out)
{
    sk_actor_write(dot.actor, out);
    sk_write_varint(out, dot.counter);
}

sk_dot sk_dot_read(sk_reader *reader)
{
    sk_dot dot = {.actor = sk_actor_read(reader)};
    dot.counter = sk_read_varint(reader);
    if (dot.counter == 0 || dot.counter > SK_COUNTER_MAX) reader->bad = true;
    return reader->bad ? (sk_dot){0} : dot;
}

void sk_vector_write(const sk_vector *vector, sk_buffer *out)
{
    sk_write_varint(out, vector->count);
    for (size_t i = 0; i < vector->count; i++) {
        sk_dot dot = vector->list[i];
        sk_actor_write(dot.actor, out);
        sk_write_varint(out, dot.counter == SK_RETIRED ? 0 : dot.counter);
    }
}

void sk_vector_read(sk_vector *out, sk_reader *reader, size_t count_max)
{
    sk_vector_clear(out);
    uint64_t count = sk_read_varint(reader);
    if (count > count_max) reader->bad = true;
    for (uint64_t i = 0; i < count && !reader->bad; i++) {
        sk_dot dot = {.actor = sk_actor_read(reader), .counter = sk_read_varint(reader)};
        if (dot.counter > SK_COUNTER_MAX) reader->bad = true;
        if (dot.counter == 0) dot.counter = SK_RETIRED;
        const sk_dot *last = out->count ? &out->list[out->count - 1] : NULL;
        if (last && last->actor >= dot.actor) reader->bad = true;
        if (last && dot.counter == SK_RETIRED && same_node(last->actor, dot.actor)) reader->bad = true;
        if (!reader->bad) insert(out, out->count, dot);
    }
    if (reader->bad) sk_vector_clear(out);
}

void sk_vector_check(const sk_vector *vector)
{
    for (size_t i = 0; i < vector->count; i++) {
        const sk_dot *entry = &vector->list[i];
        SK_ASSERT(entry->actor && entry->counter);
        if (i == 0) continue;
        SK_ASSERT(entry[-1].actor < entry->actor);
        SK_ASSERT(entry->counter != SK_RETIRED || !same_node(entry[-1].actor, entry->actor));
    }
}
