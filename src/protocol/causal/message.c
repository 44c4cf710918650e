#include "protocol/causal/message.h"

#include "base/assert.h"
#include "base/error.h"
#include "protocol/lives.h"

enum { HAS_REPORT = 1, HAS_SESSION = 2, HAS_NUMBER = 4, HAS_FLAG = 8, HAS_SEEN = 16, HAS_BASE = 32, HAS_BYTES = 64 };

static const uint8_t fields_of[SK_CAUSAL_KIND_END] = {
    [SK_CAUSAL_BATCHES] = HAS_BYTES,
    [SK_CAUSAL_REPORT] = HAS_REPORT | HAS_FLAG | HAS_SEEN,
    [SK_CAUSAL_ASK] = HAS_SESSION | HAS_FLAG | HAS_SEEN,
    [SK_CAUSAL_LOGGED] = HAS_SESSION | HAS_NUMBER | HAS_BYTES,
    [SK_CAUSAL_CHUNK] = HAS_SESSION | HAS_NUMBER | HAS_BYTES,
    [SK_CAUSAL_GRANT] = HAS_SESSION | HAS_NUMBER,
    [SK_CAUSAL_LOGGED_ALL] = HAS_SESSION | HAS_NUMBER,
    [SK_CAUSAL_DONE] = HAS_SESSION | HAS_NUMBER | HAS_FLAG | HAS_SEEN | HAS_BASE,
};

void sk_causal_message_write_head(const sk_causal_message *message, sk_buffer *out)
{
    uint8_t fields = fields_of[message->kind];
    SK_ASSERT(fields);
    sk_write_u8(out, (uint8_t)message->kind);
    if (fields & HAS_REPORT) {
        sk_write_varint(out, message->wall_ms);
        sk_write_varint(out, message->life);
        sk_write_varint(out, message->heard_life);
        sk_write_u8(out, message->wanted);
        sk_write_u64(out, message->digest);
    }
    if (fields & HAS_SESSION) sk_write_varint(out, message->session);
    if (fields & HAS_NUMBER) sk_write_varint(out, message->number);
    if (fields & HAS_FLAG) sk_write_u8(out, message->flag);
    if (fields & HAS_SEEN) sk_vector_write(&message->seen, out);
    if (fields & HAS_BASE) sk_vector_write(&message->base, out);
}

void sk_causal_message_write(const sk_causal_message *message, sk_buffer *out)
{
    sk_causal_message_write_head(message, out);
    if (fields_of[message->kind] & HAS_BYTES) sk_buffer_append_slice(out, message->bytes);
}

static bool read_bool(sk_reader *reader)
{
    uint8_t value = sk_read_u8(reader);
    if (value > 1) reader->bad = true;
    return value;
}

int sk_causal_message_read(sk_slice bytes, sk_causal_message *out)
{
    sk_reader reader = sk_reader_make(bytes);
    uint8_t kind = sk_read_u8(&reader);
    *out = (sk_causal_message){.kind = (enum sk_causal_kind)kind};
    if (kind >= SK_CAUSAL_KIND_END || !fields_of[kind]) return SK_EPROTOCOL;
    uint8_t fields = fields_of[kind];
    if (fields & HAS_REPORT) {
        out->wall_ms = sk_read_varint(&reader);
        out->life = sk_read_varint(&reader);
        out->heard_life = sk_read_varint(&reader);
        out->wanted = read_bool(&reader);
        out->digest = sk_read_u64(&reader);
    }
    if (fields & HAS_SESSION) out->session = sk_read_varint(&reader);
    if (fields & HAS_NUMBER) out->number = sk_read_varint(&reader);
    if (fields & HAS_FLAG) out->flag = read_bool(&reader);
    if (fields & HAS_SEEN) sk_vector_read(&out->seen, &reader, SK_CAUSAL_VECTOR_MAX);
    if (fields & HAS_BASE) sk_vector_read(&out->base, &reader, SK_CAUSAL_VECTOR_MAX);
    if (fields & HAS_BYTES) out->bytes = sk_read_bytes(&reader, sk_reader_left(&reader));
    return sk_reader_done(&reader) ? 0 : SK_EPROTOCOL;
}

void sk_causal_message_deinit(sk_causal_message *message)
{
    sk_vector_deinit(&message->seen);
    sk_vector_deinit(&message->base);
}

// ---- Batches ----

void sk_causal_batch_write(const sk_causal_batch *batch, const sk_vector *needs, sk_buffer *out)
{
    SK_ASSERT(batch->first > 0 && batch->first <= batch->last && batch->closes < sk_actor_life(batch->actor));
    sk_actor_write(batch->actor, out);
    sk_write_varint(out, batch->first);
    sk_write_varint(out, batch->last);
    sk_write_varint(out, batch->closes);
    sk_vector_write(needs, out);
    sk_write_sized(out, batch->operations);
}

static bool is_run(const sk_causal_batch *batch)
{
    sk_reader reader = sk_reader_make(batch->operations);
    uint64_t next = batch->first;
    while (sk_reader_left(&reader)) {
        sk_operation_head head = sk_operation_head_read(&reader);
        if (reader.bad || head.actor != batch->actor || head.first != next) return false;
        next = head.last + 1;
    }
    return !reader.bad && next == batch->last + 1;
}

void sk_causal_batch_read(sk_reader *reader, sk_causal_batch *out, sk_vector *needs)
{
    const uint8_t *from = reader->at;
    *out = (sk_causal_batch){.actor = sk_actor_read(reader)};
    out->first = sk_read_varint(reader);
    out->last = sk_read_varint(reader);
    out->closes = sk_read_varint(reader);
    sk_vector_read(needs, reader, SK_CAUSAL_VECTOR_MAX);
    out->operations = sk_read_sized(reader);
    if (out->first == 0 || out->first > out->last || out->last > SK_COUNTER_MAX || !is_run(out)) reader->bad = true;
    if (out->closes >= sk_actor_life(out->actor)) reader->bad = true;
    out->bytes = sk_slice_make(from, (size_t)(reader->at - from));
}
