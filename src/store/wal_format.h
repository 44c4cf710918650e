// The log's bytes: segment header, batch header, record. Little-endian; version 1.
//
//   segment header, SK_WAL_HEADER_SIZE bytes
//     magic 8, version u32, node u32, cluster 16, boot u64, segment number u64, file size u64,
//     recycled u32 (1: the file was another segment before, and its bytes lie behind the last batch; else zeros do),
//     CRC u32 of all before
//   batch header, SK_WAL_BATCH_HEADER_SIZE bytes, 8-byte aligned in the file
//     magic u32     SK_WAL_BATCH_MAGIC
//     size u32      header and records, without the zeros that pad to the next batch
//     number u64    1, 2, 3, ... over the log's life
//     synced u64    every batch up to this number was known synced when this one was written
//     oldest u64    segments below this number are no longer part of the log (they may still lie about)
//     boot u64      of the node that wrote it
//     records u32   how many follow
//     chain u32     header CRC of the batch before, whatever segment that is in
//     body u32      CRC of the records, seeded
//     header u32    CRC of all of the header before it, seeded
//   record          space, kind, number, position, epoch, payload size (varints; kind u8), payload
//
// The seed is the CRC of cluster, node and segment number: bytes of another log, of a recycled segment, or of
// a client's value that looks like a batch do not parse (D07). The header's own CRC means that a size is
// believed only together with everything else in the header, and that looking for batches behind damage costs
// one pass (D08).
//
// A batch header proves what was durable: up to `synced` by itself; and a segment's header proves that the
// segment before it has at least one durable batch, because no segment is prepared earlier.
#ifndef SK_STORE_WAL_FORMAT_H
#define SK_STORE_WAL_FORMAT_H

#include "store/disk.h"
#include "store/identity.h"
#include "wire/record.h"

enum {
    SK_WAL_HEADER_SIZE = 64,
    SK_WAL_BATCH_HEADER_SIZE = 56,
    SK_WAL_BATCH_MAGIC = 0x42574B53, // "SKWB"
    SK_WAL_BATCH_SIZE_MAX = 0x7fffff00,
};

typedef struct sk_wal_segment_header {
    uint64_t boot;
    uint64_t segment;
    uint64_t file_size;
    bool recycled;
} sk_wal_segment_header;

typedef struct sk_wal_batch_header {
    uint32_t size;
    uint64_t number;
    uint64_t synced;
    uint64_t oldest;
    uint64_t boot;
    uint32_t records;
    uint32_t chain;
    uint32_t body;
    uint32_t header; // this header's CRC: the next one's chain
} sk_wal_batch_header;

uint32_t sk_wal_seed(const sk_identity *identity, uint64_t segment);

void sk_wal_segment_header_put(uint8_t out[SK_WAL_HEADER_SIZE], const sk_identity *identity,
                               const sk_wal_segment_header *header);
// 0; SK_ECORRUPT (not a header); SK_EVERSION and SK_EFOREIGN only for whole headers.
int sk_wal_segment_header_get(const uint8_t bytes[SK_WAL_HEADER_SIZE], const sk_identity *identity,
                              sk_wal_segment_header *out);

// Fills body, header and the bytes at the front of `batch`, which holds header->size bytes with the records
// in place.
void sk_wal_batch_seal(uint8_t *batch, uint32_t seed, sk_wal_batch_header *header);
// False if these are not a batch header of this segment. Believe the body only after its CRC.
bool sk_wal_batch_header_get(const uint8_t bytes[SK_WAL_BATCH_HEADER_SIZE], uint32_t seed,
                             sk_wal_batch_header *out);
// Are these the records the header speaks of? CRC, and that exactly header->records of them parse.
bool sk_wal_batch_body_valid(const sk_wal_batch_header *header, uint32_t seed, sk_slice records);

// Where the next batch begins.
static inline uint64_t sk_wal_aligned(uint64_t size)
{
    return (size + 7) & ~(uint64_t)7;
}

void sk_wal_record_put(sk_buffer *out, uint32_t space, const sk_record *record);
// Takes one record off the front; the payload is borrowed. False if malformed.
bool sk_wal_record_take(sk_slice *from, uint32_t *space, sk_record *out);

void sk_wal_segment_name(char out[SK_DISK_NAME_MAX], const char *folder, uint64_t number);
// The number in "0123456789abcdef.log"; 0 if it is no segment's name.
uint64_t sk_wal_segment_number(const char *name);
// Likewise "wal/0123456789abcdef.spare": a file that was that segment and waits to be another.
void sk_wal_spare_name(char out[SK_DISK_NAME_MAX], uint64_t number);
uint64_t sk_wal_spare_number(const char *name);

#endif
