#include "store/snapshot_format.h"

#include <inttypes.h>
#include <stdio.h>
#include "base/alloc.h"
#include "base/assert.h"
#include "base/crc.h"
#include "base/error.h"
#include "wire/codec.h"

static const char snapshot_magic[8] = {'S', 'K', 'E', 'I', 'N', 'S', 'N', '\n'};

// ---- Writing ----

static uint32_t chunk_crc(const sk_snapshot_chain *chain, const uint8_t *size_bytes, sk_slice bytes)
{
    uint8_t place[16];
    uint8_t *at = sk_put_u32(place, chain->space);
    at = sk_put_u64(at, chain->position);
    sk_put_u32(at, chain->chunks);
    uint32_t crc = sk_crc32c(0, place, sizeof place);
    crc = sk_crc32c(crc, size_bytes, 4);
    return sk_crc32c(crc, bytes.data, bytes.size);
}

static void chain_add(sk_snapshot_chain *chain, uint32_t crc)
{
    uint8_t bytes[4];
    sk_put_u32(bytes, crc);
    chain->crc = sk_crc32c(chain->crc, bytes, sizeof bytes);
    chain->chunks++;
}

static uint32_t end_crc(const sk_snapshot_chain *chain)
{
    uint8_t bytes[8];
    sk_put_u32(sk_put_u32(bytes, 0), chain->chunks);
    return sk_crc32c(chain->crc, bytes, sizeof bytes);
}

void sk_snapshot_header_append(sk_buffer *out, sk_snapshot_chain *chain, const sk_identity *identity,
                               const sk_snapshot_info *info)
{
    size_t begin = out->size;
    sk_buffer_append(out, snapshot_magic, sizeof snapshot_magic);
    sk_write_u32(out, SK_FORMAT_VERSION);
    sk_write_u32(out, identity->node);
    sk_buffer_append(out, identity->cluster.bytes, SK_CLUSTER_ID_SIZE);
    sk_write_u64(out, identity->boot);
    sk_write_u32(out, info->space);
    sk_write_u64(out, info->position);
    sk_write_u64(out, info->epoch);
    uint32_t crc = sk_crc32c(0, out->data + begin, out->size - begin);
    sk_write_u32(out, crc);
    SK_ASSERT(out->size - begin == SK_SNAPSHOT_HEADER_SIZE);
    *chain = (sk_snapshot_chain){.space = info->space, .position = info->position, .crc = crc};
}

void sk_snapshot_chunk_append(sk_buffer *out, sk_snapshot_chain *chain, sk_slice bytes)
{
    SK_ASSERT(bytes.size > 0 && bytes.size <= SK_SNAPSHOT_CHUNK_SIZE_MAX);
    uint8_t head[SK_SNAPSHOT_CHUNK_HEADER_SIZE];
    sk_put_u32(head, (uint32_t)bytes.size);
    uint32_t crc = chunk_crc(chain, head, bytes);
    sk_put_u32(head + 4, crc);
    sk_buffer_append(out, head, sizeof head);
    sk_buffer_append_slice(out, bytes);
    chain_add(chain, crc);
}

void sk_snapshot_end_append(sk_buffer *out, const sk_snapshot_chain *chain)
{
    sk_write_u32(out, 0);
    sk_write_u32(out, chain->chunks);
    sk_write_u32(out, end_crc(chain));
}

// ---- Reading ----

int sk_snapshot_header_get(const uint8_t bytes[SK_SNAPSHOT_HEADER_SIZE], const sk_identity *identity,
                           sk_snapshot_info *out, uint32_t *crc)
{
    if (memcmp(bytes, snapshot_magic, sizeof snapshot_magic) != 0) return SK_ECORRUPT;
    *crc = sk_get_u32(bytes + SK_SNAPSHOT_HEADER_SIZE - 4);
    if (*crc != sk_crc32c(0, bytes, SK_SNAPSHOT_HEADER_SIZE - 4)) return SK_ECORRUPT;
    if (sk_get_u32(bytes + 8) != SK_FORMAT_VERSION) return SK_EVERSION;
    if (memcmp(bytes + 16, identity->cluster.bytes, SK_CLUSTER_ID_SIZE) != 0) return SK_EFOREIGN;
    out->space = sk_get_u32(bytes + 40);
    out->position = sk_get_u64(bytes + 44);
    out->epoch = sk_get_u64(bytes + 52);
    return 0;
}

enum parser_state { IN_HEADER, IN_CHUNKS, AT_END, BROKEN };

struct sk_snapshot_parser {
    sk_identity identity;
    sk_snapshot_info wanted;
    sk_snapshot_info info;
    sk_snapshot_chain chain;
    enum parser_state state;
    int error;
    uint64_t taken;  // bytes of the file
    sk_buffer bytes; // not parsed yet
    int (*chunk)(void *context, sk_slice bytes);
    void *context;
};

sk_snapshot_parser *sk_snapshot_parser_open(const sk_identity *identity, const sk_snapshot_info *info,
                                            int (*chunk)(void *context, sk_slice bytes), void *context)
{
    sk_snapshot_parser *parser = sk_alloc_zeroed(sizeof *parser);
    parser->identity = *identity;
    parser->wanted = *info;
    parser->chunk = chunk;
    parser->context = context;
    return parser;
}

sk_snapshot_info sk_snapshot_parser_info(const sk_snapshot_parser *parser)
{
    sk_snapshot_info info = parser->info;
    info.size = parser->taken;
    return info;
}

static int take_header(sk_snapshot_parser *parser, const uint8_t *at)
{
    uint32_t crc;
    int error = sk_snapshot_header_get(at, &parser->identity, &parser->info, &crc);
    if (error) return error;
    if (parser->info.space != parser->wanted.space || parser->info.position != parser->wanted.position)
        return SK_ECORRUPT;
    parser->chain =
        (sk_snapshot_chain){.space = parser->info.space, .position = parser->info.position, .crc = crc};
    parser->state = IN_CHUNKS;
    return 0;
}

static int take_chunk(sk_snapshot_parser *parser, const uint8_t *at, uint32_t size)
{
    sk_slice bytes = sk_slice_make(at + SK_SNAPSHOT_CHUNK_HEADER_SIZE, size);
    uint32_t crc = chunk_crc(&parser->chain, at, bytes);
    if (crc != sk_get_u32(at + 4)) return SK_ECORRUPT;
    chain_add(&parser->chain, crc);
    return parser->chunk ? parser->chunk(parser->context, bytes) : 0;
}

// Takes one part off the front. Its size; 0: more bytes are needed; or an error.
static int64_t take_part(sk_snapshot_parser *parser, const uint8_t *at, size_t left)
{
    int error;
    switch (parser->state) {
    case IN_HEADER:
        if (left < SK_SNAPSHOT_HEADER_SIZE) return 0;
        error = take_header(parser, at);
        return error ? error : SK_SNAPSHOT_HEADER_SIZE;
    case IN_CHUNKS: {
        if (left < SK_SNAPSHOT_CHUNK_HEADER_SIZE) return 0;
        uint32_t size = sk_get_u32(at);
        if (size > SK_SNAPSHOT_CHUNK_SIZE_MAX) return SK_ECORRUPT;
        if (size == 0) {
            if (left < SK_SNAPSHOT_END_SIZE) return 0;
            if (sk_get_u32(at + 4) != parser->chain.chunks || sk_get_u32(at + 8) != end_crc(&parser->chain))
                return SK_ECORRUPT;
            parser->state = AT_END;
            return SK_SNAPSHOT_END_SIZE;
        }
        // Memory grows with the bytes that came, never with the size that is claimed (D08).
        if (left - SK_SNAPSHOT_CHUNK_HEADER_SIZE < size) return 0;
        error = take_chunk(parser, at, size);
        return error ? error : SK_SNAPSHOT_CHUNK_HEADER_SIZE + (int64_t)size;
    }
    case AT_END:
        return left > 0 ? SK_ECORRUPT : 0;
    case BROKEN:
        return parser->error;
    }
    SK_UNREACHABLE();
}

int sk_snapshot_parser_add(sk_snapshot_parser *parser, sk_slice bytes)
{
    sk_buffer_append_slice(&parser->bytes, bytes);
    size_t at = 0;
    int64_t part = parser->state == BROKEN ? parser->error : 0;
    while (!part && at < parser->bytes.size) {
        part = take_part(parser, parser->bytes.data + at, parser->bytes.size - at);
        if (part <= 0) break;
        at += (size_t)part;
        part = 0;
    }
    parser->taken += at;
    sk_buffer_consume(&parser->bytes, at);
    if (part == 0 && parser->wanted.size > 0 && parser->taken + parser->bytes.size > parser->wanted.size)
        part = SK_ECORRUPT;
    if (part < 0) {
        parser->state = BROKEN;
        parser->error = (int)part;
    }
    return (int)part;
}

int sk_snapshot_parser_finish(sk_snapshot_parser *parser)
{
    int error = parser->state == AT_END ? 0 : parser->state == BROKEN ? parser->error : SK_ECORRUPT;
    if (!error && parser->wanted.size > 0 && parser->taken != parser->wanted.size) error = SK_ECORRUPT;
    sk_snapshot_parser_abort(parser);
    return error;
}

void sk_snapshot_parser_abort(sk_snapshot_parser *parser)
{
    if (!parser) return;
    sk_buffer_deinit(&parser->bytes);
    sk_free(parser);
}

// ---- Names ----

void sk_snapshot_name(char out[SK_DISK_NAME_MAX], const char *folder, uint32_t space, uint64_t position,
                      const char *ending)
{
    (void)snprintf(out, SK_DISK_NAME_MAX, "%s/%08" PRIx32 "-%016" PRIx64 ".%s", folder, space, position,
                   ending);
}

// Exactly `digits` lower-case hexadecimal digits.
static bool hexadecimal(const char *text, int digits, uint64_t *out)
{
    *out = 0;
    for (int i = 0; i < digits; i++) {
        char c = text[i];
        bool digit = c >= '0' && c <= '9', letter = c >= 'a' && c <= 'f';
        if (!digit && !letter) return false;
        *out = *out << 4 | (unsigned)(digit ? c - '0' : c - 'a' + 10);
    }
    return true;
}

bool sk_snapshot_name_parse(const char *name, uint32_t *space, uint64_t *position, const char **ending)
{
    uint64_t id;
    if (strlen(name) < 8 + 1 + 16 + 1 || name[8] != '-' || name[25] != '.') return false;
    if (!hexadecimal(name, 8, &id) || !hexadecimal(name + 9, 16, position)) return false;
    *space = (uint32_t)id;
    *ending = name + 26;
    return true;
}
