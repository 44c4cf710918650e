// Bytes: a borrowed slice and an owned, growing buffer.
#ifndef SK_BASE_BYTES_H
#define SK_BASE_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

// Borrowed bytes: whoever hands out a slice says how long it lives.
typedef struct sk_slice {
    const uint8_t *data;
    size_t size;
} sk_slice;

// Owned bytes. Invariant: size <= capacity. Zero-initialised is a valid empty buffer.
typedef struct sk_buffer {
    uint8_t *data;
    size_t size;
    size_t capacity;
} sk_buffer;

static inline sk_slice sk_slice_make(const void *data, size_t size)
{
    return (sk_slice){.data = (const uint8_t *)data, .size = size};
}

static inline sk_slice sk_slice_text(const char *text)
{
    return sk_slice_make(text, strlen(text));
}

static inline sk_slice sk_buffer_slice(const sk_buffer *buffer)
{
    return sk_slice_make(buffer->data, buffer->size);
}

// A part of it; safe for an empty part of an empty buffer, which has no address to add to.
static inline sk_slice sk_buffer_part(const sk_buffer *buffer, size_t from, size_t size)
{
    return sk_slice_make(size ? buffer->data + from : NULL, size);
}

// Byte order: negative, 0, positive as memcmp, a prefix sorts first.
int sk_slice_compare(sk_slice a, sk_slice b);
bool sk_slice_equal(sk_slice a, sk_slice b);
// ASCII case folded; for command and option names.
bool sk_slice_equal_nocase(sk_slice a, const char *text);

void sk_buffer_grow(sk_buffer *buffer, size_t more); // for reserve alone: looks at the invariant, too
// Room for `more` bytes behind size; returns where they go. Ends the process when memory ends (alloc.h).
static inline uint8_t *sk_buffer_reserve(sk_buffer *buffer, size_t more)
{
    if (buffer->size > buffer->capacity || more > buffer->capacity - buffer->size) sk_buffer_grow(buffer, more);
    return buffer->data + buffer->size;
}
void sk_buffer_append(sk_buffer *buffer, const void *data, size_t size);
void sk_buffer_append_slice(sk_buffer *buffer, sk_slice slice);
void sk_buffer_append_text(sk_buffer *buffer, const char *text);
void sk_buffer_append_byte(sk_buffer *buffer, uint8_t byte);
void sk_buffer_printf(sk_buffer *buffer, const char *format, ...) __attribute__((format(printf, 2, 3)));
// Drops the first `size` bytes and moves the rest to the front.
void sk_buffer_consume(sk_buffer *buffer, size_t size);
// Empties it; memory above `keep` bytes of capacity is given back.
void sk_buffer_reset(sk_buffer *buffer, size_t keep);
static inline void sk_buffer_clear(sk_buffer *buffer)
{
    buffer->size = 0;
}
void sk_buffer_deinit(sk_buffer *buffer);

#endif
