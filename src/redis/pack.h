// Variable-length integers (LEB128) for what src/redis puts in the log and in snapshots.
#ifndef SK_REDIS_PACK_H
#define SK_REDIS_PACK_H

#include "base/bytes.h"

enum { SK_PACK_SIZE_MAX = 10 };

static inline uint8_t *sk_pack(uint8_t *at, uint64_t value)
{
    while (value >= 0x80) {
        *at++ = (uint8_t)(value | 0x80);
        value >>= 7;
    }
    *at++ = (uint8_t)value;
    return at;
}

static inline void sk_pack_append(sk_buffer *out, uint64_t value)
{
    uint8_t *at = sk_buffer_reserve(out, SK_PACK_SIZE_MAX);
    out->size += (size_t)(sk_pack(at, value) - at);
}

// Takes one from the front. 1; 0: cut off; -1: longer than 64 bits or not the shortest form.
static inline int sk_unpack(sk_slice *bytes, uint64_t *value)
{
    uint64_t result = 0;
    for (size_t i = 0; i < bytes->size; i++) {
        uint8_t byte = bytes->data[i];
        if (i == 9 && byte > 1) return -1;
        result |= (uint64_t)(byte & 0x7f) << (7 * i);
        if (byte & 0x80) continue;
        if (i && !byte) return -1;
        *value = result;
        *bytes = sk_slice_make(bytes->data + i + 1, bytes->size - i - 1);
        return 1;
    }
    return bytes->size >= 10 ? -1 : 0;
}

#endif
