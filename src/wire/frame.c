#include "wire/frame.h"

#include "base/assert.h"
#include "base/crc.h"
#include "wire/codec.h"

static const uint8_t hello_magic[8] = {'S', 'K', 'E', 'I', 'N', 0, 'L', 'K'};

void sk_frame_write(sk_buffer *out, const sk_frame *frame)
{
    SK_ASSERT(frame->trace.size == 0 || frame->trace.size == SK_TRACE_CONTEXT_SIZE);
    SK_ASSERT(frame->payload.size <= SK_FRAME_SIZE_MAX - SK_FRAME_HEADER_SIZE_MAX - SK_TRACE_CONTEXT_SIZE);
    size_t size = 2 + sk_varint_size(frame->space) + frame->trace.size + frame->payload.size;
    uint8_t *start = sk_buffer_reserve(out, SK_FRAME_CHECKED_SIZE + size);
    uint8_t *at = start + SK_FRAME_CHECKED_SIZE;
    *at++ = (uint8_t)frame->kind;
    *at++ = (uint8_t)(frame->trace.size ? frame->flags | SK_FRAME_TRACED : frame->flags);
    at = sk_put_varint(at, frame->space);
    if (frame->trace.size) memcpy(at, frame->trace.data, frame->trace.size);
    at += frame->trace.size;
    if (frame->payload.size) memcpy(at, frame->payload.data, frame->payload.size);
    at += frame->payload.size;
    SK_ASSERT((size_t)(at - start) == SK_FRAME_CHECKED_SIZE + size);
    sk_put_u32(start, (uint32_t)size);
    sk_put_u32(start + 4, sk_crc32c(0, start + SK_FRAME_CHECKED_SIZE, size));
    sk_put_u32(start + 8, sk_crc32c(0, start, 8));
    out->size += SK_FRAME_CHECKED_SIZE + size;
}

int sk_frame_parse(sk_slice input, sk_frame *frame, size_t *used)
{
    if (input.size < 4) return 0;
    uint32_t size = sk_get_u32(input.data);
    if (size < 2 + 1 || size > SK_FRAME_SIZE_MAX) return SK_EPROTOCOL;
    if (input.size < SK_FRAME_CHECKED_SIZE) return 0;
    if (sk_get_u32(input.data + 8) != sk_crc32c(0, input.data, 8)) return SK_ECORRUPT;
    if (input.size - SK_FRAME_CHECKED_SIZE < size) return 0;
    const uint8_t *body = input.data + SK_FRAME_CHECKED_SIZE;
    if (sk_get_u32(input.data + 4) != sk_crc32c(0, body, size)) return SK_ECORRUPT;
    sk_reader reader = sk_reader_make(sk_slice_make(body, size));
    uint8_t kind = sk_read_u8(&reader);
    uint8_t flags = sk_read_u8(&reader);
    uint64_t space = sk_read_varint(&reader);
    if (kind == 0 || kind >= SK_FRAME_KIND_END || (flags & ~SK_FRAME_TRACED) || space > UINT32_MAX)
        return SK_EPROTOCOL;
    sk_slice trace = {0};
    if (flags & SK_FRAME_TRACED) trace = sk_read_bytes(&reader, SK_TRACE_CONTEXT_SIZE);
    if (reader.bad) return SK_EPROTOCOL;
    *frame = (sk_frame){.kind = (enum sk_frame_kind)kind,
                        .flags = flags,
                        .space = (uint32_t)space,
                        .trace = trace,
                        .payload = sk_slice_make(reader.at, sk_reader_left(&reader))};
    *used = SK_FRAME_CHECKED_SIZE + (size_t)size;
    return 1;
}

void sk_hello_write(sk_buffer *out, const sk_hello *hello)
{
    sk_buffer payload = {0};
    sk_buffer_append(&payload, hello_magic, sizeof hello_magic);
    sk_write_u16(&payload, hello->version);
    sk_write_u16(&payload, hello->feature_level);
    sk_buffer_append(&payload, hello->cluster, sizeof hello->cluster);
    sk_write_u32(&payload, hello->node);
    sk_write_u64(&payload, hello->boot);
    sk_write_sized(&payload, sk_slice_text(hello->client_address));
    sk_frame_write(out, &(sk_frame){.kind = SK_FRAME_HELLO, .payload = sk_buffer_slice(&payload)});
    sk_buffer_deinit(&payload);
}

int sk_hello_read(sk_slice payload, sk_hello *out)
{
    sk_reader reader = sk_reader_make(payload);
    sk_slice magic = sk_read_bytes(&reader, sizeof hello_magic);
    if (reader.bad || memcmp(magic.data, hello_magic, sizeof hello_magic) != 0) return SK_EPROTOCOL;
    sk_hello hello = {0};
    hello.version = sk_read_u16(&reader);
    if (!reader.bad && hello.version > SK_WIRE_VERSION) return SK_EVERSION;
    hello.feature_level = sk_read_u16(&reader);
    sk_slice cluster = sk_read_bytes(&reader, sizeof hello.cluster);
    hello.node = sk_read_u32(&reader);
    hello.boot = sk_read_u64(&reader);
    sk_slice address = sk_read_sized(&reader);
    if (!sk_reader_done(&reader) || hello.version == 0 || address.size >= sizeof hello.client_address)
        return SK_EPROTOCOL;
    memcpy(hello.cluster, cluster.data, sizeof hello.cluster);
    if (address.size) memcpy(hello.client_address, address.data, address.size);
    *out = hello;
    return 0;
}
