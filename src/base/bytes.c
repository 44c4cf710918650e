#include "base/bytes.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/alloc.h"
#include "base/assert.h"

int sk_slice_compare(sk_slice a, sk_slice b)
{
    size_t common = a.size < b.size ? a.size : b.size;
    int order = common ? memcmp(a.data, b.data, common) : 0;
    if (order) return order;
    return (a.size > b.size) - (a.size < b.size);
}

bool sk_slice_equal(sk_slice a, sk_slice b)
{
    return a.size == b.size && (a.size == 0 || memcmp(a.data, b.data, a.size) == 0);
}

static uint8_t fold(uint8_t c)
{
    return c >= 'A' && c <= 'Z' ? (uint8_t)(c + 32) : c;
}

bool sk_slice_equal_nocase(sk_slice a, const char *text)
{
    for (size_t i = 0; i < a.size; i++) {
        if (!text[i] || fold(a.data[i]) != fold((uint8_t)text[i])) return false;
    }
    return text[a.size] == 0;
}

void sk_buffer_grow(sk_buffer *buffer, size_t more)
{
    SK_ASSERT(buffer->size <= buffer->capacity);
    SK_ASSERT(more <= SIZE_MAX / 2 - buffer->size);
    size_t need = buffer->size + more;
    size_t capacity = buffer->capacity < 64 ? 64 : buffer->capacity;
    while (capacity < need) capacity += capacity / 2;
    buffer->data = sk_realloc(buffer->data, capacity);
    buffer->capacity = capacity;
}

void sk_buffer_append(sk_buffer *buffer, const void *data, size_t size)
{
    if (!size) return;
    memcpy(sk_buffer_reserve(buffer, size), data, size);
    buffer->size += size;
}

void sk_buffer_append_slice(sk_buffer *buffer, sk_slice slice)
{
    sk_buffer_append(buffer, slice.data, slice.size);
}

void sk_buffer_append_text(sk_buffer *buffer, const char *text)
{
    sk_buffer_append(buffer, text, strlen(text));
}

void sk_buffer_append_byte(sk_buffer *buffer, uint8_t byte)
{
    *sk_buffer_reserve(buffer, 1) = byte;
    buffer->size++;
}

void sk_buffer_printf(sk_buffer *buffer, const char *format, ...)
{
    va_list list, again;
    va_start(list, format);
    va_copy(again, list);
    int size = vsnprintf(NULL, 0, format, list);
    va_end(list);
    SK_ASSERT(size >= 0);
    uint8_t *at = sk_buffer_reserve(buffer, (size_t)size + 1);
    vsnprintf((char *)at, (size_t)size + 1, format, again);
    va_end(again);
    buffer->size += (size_t)size;
}

void sk_buffer_consume(sk_buffer *buffer, size_t size)
{
    SK_ASSERT(size <= buffer->size);
    if (size < buffer->size && size) memmove(buffer->data, buffer->data + size, buffer->size - size);
    buffer->size -= size;
}

void sk_buffer_reset(sk_buffer *buffer, size_t keep)
{
    buffer->size = 0;
    if (buffer->capacity > keep) sk_buffer_deinit(buffer);
}

void sk_buffer_deinit(sk_buffer *buffer)
{
    sk_free(buffer->data);
    *buffer = (sk_buffer){0};
}
