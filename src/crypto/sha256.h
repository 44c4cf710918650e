// SHA-256 (FIPS 180-4), by OpenSSL.
#ifndef SK_CRYPTO_SHA256_H
#define SK_CRYPTO_SHA256_H

#include "base/bytes.h"

enum { SK_SHA256_SIZE = 32 };

void sk_sha256(sk_slice bytes, uint8_t out[SK_SHA256_SIZE]);

#endif
