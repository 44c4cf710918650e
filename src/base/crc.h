// CRC-32C (Castagnoli, reflected polynomial 0x82F63B78; RFC 3720 appendix B.4).
#ifndef SK_BASE_CRC_H
#define SK_BASE_CRC_H

#include <stddef.h>
#include <stdint.h>

// Continues from `crc` (0 to start). Uses the CPU's instruction where there is one; same result everywhere.
uint32_t sk_crc32c(uint32_t crc, const void *data, size_t size);

#endif
