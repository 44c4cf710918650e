// Reading and writing bytes of wire and disk layouts: little-endian fixed integers, LEB128 varints, length-prefixed
// bytes. A reader never runs past its end: once short or malformed it is `bad`, returns zeros, and stays bad, so
// a decoder reads all its fields and asks once.
#ifndef SK_WIRE_CODEC_H
#define SK_WIRE_CODEC_H

#include <stdbool.h>
#include "base/bytes.h"

typedef struct sk_reader {
    const uint8_t *at;
    const uint8_t *end;
    bool bad;
} sk_reader;

static inline sk_reader sk_reader_make(sk_slice bytes)
{
    const uint8_t *at = bytes.size > 0 ? bytes.data : (const uint8_t *)""; // never NULL: arithmetic on it is undefined
    return (sk_reader){.at = at, .end = at + bytes.size, .bad = false};
}

static inline size_t sk_reader_left(const sk_reader *reader)
{
    return reader->bad ? 0 : (size_t)(reader->end - reader->at);
}

// All bytes read and none missing.
static inline bool sk_reader_done(const sk_reader *reader)
{
    return !reader->bad && reader->at == reader->end;
}

uint8_t sk_read_u8(sk_reader *reader);
uint16_t sk_read_u16(sk_reader *reader);
uint32_t sk_read_u32(sk_reader *reader);
uint64_t sk_read_u64(sk_reader *reader);
uint64_t sk_read_varint(sk_reader *reader);          // at most 10 bytes; longer or overflowing is bad
sk_slice sk_read_bytes(sk_reader *reader, size_t size); // borrowed from the input
sk_slice sk_read_sized(sk_reader *reader);           // varint length, then that many bytes

enum { SK_VARINT_SIZE_MAX = 10 };

void sk_write_u8(sk_buffer *out, uint8_t value);
void sk_write_u16(sk_buffer *out, uint16_t value);
void sk_write_u32(sk_buffer *out, uint32_t value);
void sk_write_u64(sk_buffer *out, uint64_t value);
void sk_write_varint(sk_buffer *out, uint64_t value);
void sk_write_sized(sk_buffer *out, sk_slice bytes);

// The same into memory that the caller has sized; each returns the byte behind what it wrote.
uint8_t *sk_put_u16(uint8_t *at, uint16_t value);
uint8_t *sk_put_u32(uint8_t *at, uint32_t value);
uint8_t *sk_put_u64(uint8_t *at, uint64_t value);
uint8_t *sk_put_varint(uint8_t *at, uint64_t value);
uint32_t sk_get_u32(const uint8_t *at);
uint64_t sk_get_u64(const uint8_t *at);
size_t sk_varint_size(uint64_t value);

#endif
