#include "base/crc.h"

#include <string.h>

// Four bits a turn: 16 constants, no table to build and so no state to guard. Only the fallback uses it.
static uint32_t crc_portable(uint32_t crc, const uint8_t *data, size_t size)
{
    static const uint32_t table[16] = {
        0x00000000, 0x105EC76F, 0x20BD8EDE, 0x30E349B1, 0x417B1DBC, 0x5125DAD3, 0x61C69362, 0x7198540D,
        0x82F63B78, 0x92A8FC17, 0xA24BB5A6, 0xB21572C9, 0xC38D26C4, 0xD3D3E1AB, 0xE330A81A, 0xF36E6F75,
    };
    for (size_t i = 0; i < size; i++) {
        crc ^= data[i];
        crc = (crc >> 4) ^ table[crc & 15];
        crc = (crc >> 4) ^ table[crc & 15];
    }
    return crc;
}

#if defined(__x86_64__)
#include <nmmintrin.h>

__attribute__((target("sse4.2"))) static uint32_t crc_hardware(uint32_t crc, const uint8_t *data, size_t size)
{
    uint64_t wide = crc;
    while (size >= 8) {
        uint64_t word;
        memcpy(&word, data, 8);
        wide = _mm_crc32_u64(wide, word);
        data += 8;
        size -= 8;
    }
    crc = (uint32_t)wide;
    while (size--) crc = _mm_crc32_u8(crc, *data++);
    return crc;
}

static int have_hardware(void)
{
    return __builtin_cpu_supports("sse4.2");
}
#elif defined(__ARM_FEATURE_CRC32)
#include <arm_acle.h>

static uint32_t crc_hardware(uint32_t crc, const uint8_t *data, size_t size)
{
    while (size >= 8) {
        uint64_t word;
        memcpy(&word, data, 8);
        crc = __crc32cd(crc, word);
        data += 8;
        size -= 8;
    }
    while (size--) crc = __crc32cb(crc, *data++);
    return crc;
}

static int have_hardware(void)
{
    return 1;
}
#else
static uint32_t crc_hardware(uint32_t crc, const uint8_t *data, size_t size)
{
    return crc_portable(crc, data, size);
}

static int have_hardware(void)
{
    return 0;
}
#endif

uint32_t sk_crc32c(uint32_t crc, const void *data, size_t size)
{
    crc = ~crc;
    crc = have_hardware() ? crc_hardware(crc, data, size) : crc_portable(crc, data, size);
    return ~crc;
}
