// A snapshot file's bytes. Little-endian; version 1.
//
//   header, 64 bytes   magic 8, version u32, node u32, cluster 16, boot u64, space u32, position u64, epoch u64,
//                      CRC u32 of all before
//   chunk              size u32 (not 0), CRC u32 over size and bytes, seeded by (space, position, number of the chunk), bytes
//   end, 12 bytes      size 0 u32, number of chunks u32, CRC u32 over both, seeded by the chain of all chunks' CRCs, which
//                      begins with the header's: so no chunk can be missing, repeated, or come from another file
#ifndef SK_STORE_SNAPSHOT_FORMAT_H
#define SK_STORE_SNAPSHOT_FORMAT_H

#include "store/snapshot.h"

enum {
    SK_SNAPSHOT_HEADER_SIZE = 64,
    SK_SNAPSHOT_CHUNK_HEADER_SIZE = 8,
    SK_SNAPSHOT_END_SIZE = 12,
    SK_SNAPSHOT_CHUNK_SIZE_MAX = 128 << 20,
};

// The running part of a file being written or read.
typedef struct sk_snapshot_chain {
    uint32_t space;
    uint64_t position;
    uint32_t chunks;
    uint32_t crc;
} sk_snapshot_chain;

void sk_snapshot_header_append(sk_buffer *out, sk_snapshot_chain *chain, const sk_identity *identity,
                               const sk_snapshot_info *info);
void sk_snapshot_chunk_append(sk_buffer *out, sk_snapshot_chain *chain, sk_slice bytes);
void sk_snapshot_end_append(sk_buffer *out, const sk_snapshot_chain *chain);

// What a header says of itself: 0 (space, position, epoch set), SK_ECORRUPT, SK_EVERSION, SK_EFOREIGN
// (another cluster's).
int sk_snapshot_header_get(const uint8_t bytes[SK_SNAPSHOT_HEADER_SIZE], const sk_identity *identity,
                           sk_snapshot_info *out, uint32_t *crc);
// What the parser's header said; valid once it has taken the header.
sk_snapshot_info sk_snapshot_parser_info(const sk_snapshot_parser *parser);

// "snap/SPACE-POSITION" and the ending.
void sk_snapshot_name(char out[SK_DISK_NAME_MAX], const char *folder, uint32_t space, uint64_t position,
                      const char *ending);
// Reads "SPACE-POSITION.ENDING"; false if it is no such name. `ending` points into the name.
bool sk_snapshot_name_parse(const char *name, uint32_t *space, uint64_t *position, const char **ending);

#endif
