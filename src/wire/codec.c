#include "wire/codec.h"

#include "base/assert.h"

static const uint8_t *take(sk_reader *reader, size_t size)
{
    if (reader->bad || (size_t)(reader->end - reader->at) < size) {
        reader->bad = true;
        return NULL;
    }
    const uint8_t *at = reader->at;
    reader->at += size;
    return at;
}

static uint64_t get(const uint8_t *at, int size)
{
    uint64_t value = 0;
    for (int i = 0; i < size; i++) value |= (uint64_t)at[i] << (8 * i);
    return value;
}

uint8_t sk_read_u8(sk_reader *reader)
{
    const uint8_t *at = take(reader, 1);
    return at ? *at : 0;
}

uint16_t sk_read_u16(sk_reader *reader)
{
    const uint8_t *at = take(reader, 2);
    return at ? (uint16_t)get(at, 2) : 0;
}

uint32_t sk_read_u32(sk_reader *reader)
{
    const uint8_t *at = take(reader, 4);
    return at ? (uint32_t)get(at, 4) : 0;
}

uint64_t sk_read_u64(sk_reader *reader)
{
    const uint8_t *at = take(reader, 8);
    return at ? get(at, 8) : 0;
}

uint64_t sk_read_varint(sk_reader *reader)
{
    const uint8_t *at = reader->at;
    uint64_t value = 0;
    if (reader->bad) return 0;
    for (int shift = 0; shift < 70 && at < reader->end; shift += 7) {
        uint8_t byte = *at++;
        if (shift == 63 && byte > 1) break;
        value |= (uint64_t)(byte & 0x7f) << shift;
        if (byte & 0x80) continue;
        reader->at = at;
        return value;
    }
    reader->bad = true;
    return 0;
}

sk_slice sk_read_bytes(sk_reader *reader, size_t size)
{
    const uint8_t *at = take(reader, size);
    return at ? sk_slice_make(at, size) : sk_slice_make(NULL, 0);
}

sk_slice sk_read_sized(sk_reader *reader)
{
    uint64_t size = sk_read_varint(reader);
    if (size > sk_reader_left(reader)) {
        reader->bad = true;
        return sk_slice_make(NULL, 0);
    }
    return sk_read_bytes(reader, (size_t)size);
}

uint8_t *sk_put_u16(uint8_t *at, uint16_t value)
{
    at[0] = (uint8_t)value;
    at[1] = (uint8_t)(value >> 8);
    return at + 2;
}

uint8_t *sk_put_u32(uint8_t *at, uint32_t value)
{
    for (int i = 0; i < 4; i++) at[i] = (uint8_t)(value >> (8 * i));
    return at + 4;
}

uint8_t *sk_put_u64(uint8_t *at, uint64_t value)
{
    for (int i = 0; i < 8; i++) at[i] = (uint8_t)(value >> (8 * i));
    return at + 8;
}

uint8_t *sk_put_varint(uint8_t *at, uint64_t value)
{
    while (value >= 0x80) {
        *at++ = (uint8_t)(value | 0x80);
        value >>= 7;
    }
    *at++ = (uint8_t)value;
    return at;
}

uint32_t sk_get_u32(const uint8_t *at)
{
    return (uint32_t)get(at, 4);
}

uint64_t sk_get_u64(const uint8_t *at)
{
    return get(at, 8);
}

size_t sk_varint_size(uint64_t value)
{
    size_t size = 1;
    while (value >= 0x80) {
        value >>= 7;
        size++;
    }
    return size;
}

void sk_write_u8(sk_buffer *out, uint8_t value)
{
    sk_buffer_append_byte(out, value);
}

void sk_write_u16(sk_buffer *out, uint16_t value)
{
    sk_put_u16(sk_buffer_reserve(out, 2), value);
    out->size += 2;
}

void sk_write_u32(sk_buffer *out, uint32_t value)
{
    sk_put_u32(sk_buffer_reserve(out, 4), value);
    out->size += 4;
}

void sk_write_u64(sk_buffer *out, uint64_t value)
{
    sk_put_u64(sk_buffer_reserve(out, 8), value);
    out->size += 8;
}

void sk_write_varint(sk_buffer *out, uint64_t value)
{
    uint8_t *at = sk_buffer_reserve(out, SK_VARINT_SIZE_MAX);
    out->size += (size_t)(sk_put_varint(at, value) - at);
}

void sk_write_sized(sk_buffer *out, sk_slice bytes)
{
    sk_write_varint(out, bytes.size);
    sk_buffer_append_slice(out, bytes);
}
