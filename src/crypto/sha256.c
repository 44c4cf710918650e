#include "crypto/sha256.h"

#include <openssl/evp.h>

#include "base/assert.h"

void sk_sha256(sk_slice bytes, uint8_t out[SK_SHA256_SIZE])
{
    unsigned size = 0;
    int ok = EVP_Digest(bytes.data, bytes.size, out, &size, EVP_sha256(), NULL);
    SK_ASSERT(ok == 1 && size == SK_SHA256_SIZE);
}
