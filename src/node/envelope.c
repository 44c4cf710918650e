#include "node/envelope.h"

#include "base/assert.h"

static uint64_t zigzag(int64_t value)
{
    return ((uint64_t)value << 1) ^ (value < 0 ? UINT64_MAX : 0);
}

static int64_t unzigzag(uint64_t value)
{
    return (int64_t)(value >> 1) ^ -(int64_t)(value & 1);
}

void sk_envelope_write(sk_buffer *out, const sk_envelope *envelope)
{
    SK_ASSERT(envelope->answered <= envelope->number);
    uint8_t *start = sk_buffer_reserve(out, SK_ENVELOPE_SIZE_MAX + envelope->command.size);
    uint8_t *at = start;
    *at++ = envelope->flags;
    at = sk_put_varint(at, envelope->clock_ms);
    if (envelope->flags & SK_ENVELOPE_OFFSET) at = sk_put_varint(at, zigzag(envelope->wall_offset_ms));
    if (envelope->flags & SK_ENVELOPE_ORIGIN) {
        at = sk_put_varint(at, envelope->origin);
        at = sk_put_varint(at, envelope->boot);
        at = sk_put_varint(at, envelope->number);
        at = sk_put_varint(at, envelope->number - envelope->answered);
    }
    if (envelope->flags & SK_ENVELOPE_ROUTED) at = sk_put_varint(at, envelope->routing);
    if (envelope->command.size) memcpy(at, envelope->command.data, envelope->command.size);
    out->size += (size_t)(at - start) + envelope->command.size;
}

int sk_envelope_read(sk_slice payload, sk_envelope *out)
{
    sk_reader reader = sk_reader_make(payload);
    sk_envelope envelope = {0};
    envelope.flags = sk_read_u8(&reader);
    envelope.clock_ms = sk_read_varint(&reader);
    if (envelope.flags & SK_ENVELOPE_OFFSET) envelope.wall_offset_ms = unzigzag(sk_read_varint(&reader));
    if (envelope.flags & SK_ENVELOPE_ORIGIN) {
        uint64_t origin = sk_read_varint(&reader);
        envelope.boot = sk_read_varint(&reader);
        envelope.number = sk_read_varint(&reader);
        uint64_t behind = sk_read_varint(&reader);
        if (origin == 0 || origin > SK_NODE_ID_MAX || envelope.number == 0 || behind > envelope.number) return SK_EPROTOCOL;
        envelope.origin = (sk_node_id)origin;
        envelope.answered = envelope.number - behind;
    }
    if (envelope.flags & SK_ENVELOPE_ROUTED) envelope.routing = sk_read_varint(&reader);
    if (reader.bad) return SK_EPROTOCOL;
    envelope.command = sk_slice_make(reader.at, sk_reader_left(&reader));
    *out = envelope;
    return 0;
}
