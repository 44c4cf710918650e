#include "data/dots.h"

#include "base/alloc.h"

static size_t find(const sk_dots *dots, sk_dot dot)
{
    size_t low = 0;
    size_t high = dots->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (sk_dot_compare(dots->list[middle], dot) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

bool sk_dots_has(const sk_dots *dots, sk_dot dot)
{
    size_t at = find(dots, dot);
    return at < dots->count && sk_dot_compare(dots->list[at], dot) == 0;
}

void sk_dots_add(sk_dots *dots, sk_dot dot)
{
    size_t at = find(dots, dot);
    if (at < dots->count && sk_dot_compare(dots->list[at], dot) == 0) return;
    if (dots->count == dots->capacity) {
        dots->capacity = dots->capacity ? dots->capacity * 2 : 4;
        dots->list = sk_realloc(dots->list, dots->capacity * sizeof *dots->list);
    }
    memmove(&dots->list[at + 1], &dots->list[at], (dots->count - at) * sizeof *dots->list);
    dots->list[at] = dot;
    dots->count++;
}

void sk_dots_copy(sk_dots *into, const sk_dots *other)
{
    sk_dots_clear(into);
    for (size_t i = 0; i < other->count; i++) sk_dots_add(into, other->list[i]);
}

void sk_dots_deinit(sk_dots *dots)
{
    sk_free(dots->list);
    *dots = (sk_dots){0};
}

void sk_dots_write(const sk_dots *dots, sk_buffer *out)
{
    sk_write_varint(out, dots->count);
    for (size_t i = 0; i < dots->count; i++) sk_dot_write(dots->list[i], out);
}

void sk_dots_read(sk_dots *out, sk_reader *reader)
{
    sk_dots_clear(out);
    uint64_t count = sk_read_varint(reader);
    if (count > sk_reader_left(reader)) reader->bad = true;
    for (uint64_t i = 0; i < count && !reader->bad; i++) {
        sk_dot dot = sk_dot_read(reader);
        if (out->count && sk_dot_compare(out->list[out->count - 1], dot) >= 0) reader->bad = true;
        if (!reader->bad) sk_dots_add(out, dot);
    }
    if (reader->bad) sk_dots_clear(out);
}

void sk_dots_merge(sk_dots *into, sk_seen into_seen, const sk_dots *other, sk_seen other_seen)
{
    size_t kept = 0;
    for (size_t i = 0; i < into->count; i++) {
        sk_dot dot = into->list[i];
        if (sk_dots_has(other, dot) || !sk_seen_has(other_seen, dot)) into->list[kept++] = dot;
    }
    into->count = kept;
    for (size_t i = 0; i < other->count; i++) {
        if (!sk_seen_has(into_seen, other->list[i])) sk_dots_add(into, other->list[i]);
    }
}

// ---- Contexts ----

void sk_context_clear(sk_context *context)
{
    sk_vector_clear(&context->vector);
    sk_dots_clear(&context->dots);
}

void sk_context_join(sk_context *into, const sk_context *other)
{
    sk_vector_join(&into->vector, &other->vector);
    for (size_t i = 0; i < other->dots.count; i++) sk_dots_add(&into->dots, other->dots.list[i]);
}

void sk_context_trim(sk_context *context, const sk_vector *base)
{
    size_t kept = 0;
    for (size_t i = 0; i < context->dots.count; i++) {
        sk_dot dot = context->dots.list[i];
        if (!sk_vector_has(&context->vector, dot) && !sk_vector_has(base, dot)) context->dots.list[kept++] = dot;
    }
    context->dots.count = kept;
    kept = 0;
    for (size_t i = 0; i < context->vector.count; i++) {
        sk_dot entry = context->vector.list[i];
        if (!sk_vector_has(base, entry)) context->vector.list[kept++] = entry;
    }
    context->vector.count = kept;
}

void sk_context_write(const sk_context *context, sk_buffer *out)
{
    sk_vector_write(&context->vector, out);
    sk_dots_write(&context->dots, out);
}

void sk_context_read(sk_context *out, sk_reader *reader)
{
    sk_vector_read(&out->vector, reader, sk_reader_left(reader));
    sk_dots_read(&out->dots, reader);
}

void sk_context_deinit(sk_context *context)
{
    sk_vector_deinit(&context->vector);
    sk_dots_deinit(&context->dots);
}

bool sk_seen_has(sk_seen seen, sk_dot dot)
{
    if (seen.base && sk_vector_has(seen.base, dot)) return true;
    return seen.context && (sk_vector_has(&seen.context->vector, dot) || sk_dots_has(&seen.context->dots, dot));
}
