#include "protocol/crdt/message.h"

#include "base/assert.h"
#include "base/error.h"

enum { HAS_REPORT = 1, HAS_SESSION = 2, HAS_NUMBER = 4, HAS_FLAG = 8, HAS_SEEN = 16, HAS_BASE = 32, HAS_BYTES = 64 };

static const uint8_t fields_of[SK_CRDT_KIND_END] = {
    [SK_CRDT_OPERATIONS] = HAS_BYTES,
    [SK_CRDT_REPORT] = HAS_REPORT | HAS_FLAG | HAS_SEEN | HAS_BASE,
    [SK_CRDT_ASK] = HAS_SESSION | HAS_FLAG | HAS_SEEN,
    [SK_CRDT_CHUNK] = HAS_SESSION | HAS_NUMBER | HAS_BYTES,
    [SK_CRDT_GRANT] = HAS_SESSION | HAS_NUMBER,
    [SK_CRDT_DONE] = HAS_SESSION | HAS_NUMBER | HAS_FLAG | HAS_SEEN | HAS_BASE,
};

void sk_crdt_message_write_head(const sk_crdt_message *message, sk_buffer *out)
{
    uint8_t fields = fields_of[message->kind];
    SK_ASSERT(fields);
    sk_write_u8(out, (uint8_t)message->kind);
    if (fields & HAS_REPORT) {
        sk_write_varint(out, message->wall_ms);
        sk_write_varint(out, message->life);
        sk_write_u64(out, message->digest);
    }
    if (fields & HAS_SESSION) sk_write_varint(out, message->session);
    if (fields & HAS_NUMBER) sk_write_varint(out, message->number);
    if (fields & HAS_FLAG) sk_write_u8(out, message->flag);
    if (fields & HAS_SEEN) sk_vector_write(&message->seen, out);
    if (fields & HAS_BASE) sk_vector_write(&message->base, out);
}

void sk_crdt_message_write(const sk_crdt_message *message, sk_buffer *out)
{
    sk_crdt_message_write_head(message, out);
    if (fields_of[message->kind] & HAS_BYTES) sk_buffer_append_slice(out, message->bytes);
}

int sk_crdt_message_read(sk_slice bytes, sk_crdt_message *out)
{
    sk_reader reader = sk_reader_make(bytes);
    uint8_t kind = sk_read_u8(&reader);
    *out = (sk_crdt_message){.kind = (enum sk_crdt_kind)kind};
    if (kind >= SK_CRDT_KIND_END || !fields_of[kind]) return SK_EPROTOCOL;
    uint8_t fields = fields_of[kind];
    if (fields & HAS_REPORT) {
        out->wall_ms = sk_read_varint(&reader);
        out->life = sk_read_varint(&reader);
        out->digest = sk_read_u64(&reader);
    }
    if (fields & HAS_SESSION) out->session = sk_read_varint(&reader);
    if (fields & HAS_NUMBER) out->number = sk_read_varint(&reader);
    if (fields & HAS_FLAG) {
        uint8_t flag = sk_read_u8(&reader);
        if (flag > (kind == SK_CRDT_REPORT ? SK_CRDT_EXACT | SK_CRDT_ANSWER : 1)) reader.bad = true;
        out->flag = flag;
    }
    if (fields & HAS_SEEN) sk_vector_read(&out->seen, &reader, SK_CRDT_VECTOR_MAX);
    if (fields & HAS_BASE) sk_vector_read(&out->base, &reader, SK_CRDT_VECTOR_MAX);
    if (fields & HAS_BYTES) out->bytes = sk_read_bytes(&reader, sk_reader_left(&reader));
    return sk_reader_done(&reader) ? 0 : SK_EPROTOCOL;
}

void sk_crdt_message_deinit(sk_crdt_message *message)
{
    sk_vector_deinit(&message->seen);
    sk_vector_deinit(&message->base);
}
