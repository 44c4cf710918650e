// Hashes of bytes in memory.
//   sk_siphash   keyed; for every table whose keys a client chooses (SipHash-1-3, Aumasson and Bernstein 2012)
//   sk_hash64    fast and unkeyed (XXH3); for digests, fingerprints and tables with keys of our own
#ifndef SK_BASE_HASH_H
#define SK_BASE_HASH_H

#include <stddef.h>
#include <stdint.h>

typedef struct sk_hash_key {
    uint64_t k0;
    uint64_t k1;
} sk_hash_key;

uint64_t sk_siphash(sk_hash_key key, const void *data, size_t size);
uint64_t sk_hash64(uint64_t seed, const void *data, size_t size);
// Mixes one word into a running fingerprint.
uint64_t sk_hash_mix(uint64_t hash, uint64_t word);

#endif
