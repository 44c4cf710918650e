#include "protocol/merger/message.h"

#include "base/assert.h"
#include "base/error.h"

void sk_merger_message_write_head(const sk_merger_form *form, const sk_merger_message *message, sk_buffer *out)
{
    SK_ASSERT(message->kind < form->kind_end);
    uint16_t fields = form->fields[message->kind];
    SK_ASSERT(fields);
    sk_write_u8(out, message->kind);
    if (fields & SK_HAS_REPORT) {
        sk_write_varint(out, message->wall_ms);
        sk_write_varint(out, message->life);
        if (fields & SK_HAS_HEARD) {
            sk_write_varint(out, message->heard_life);
            sk_write_u8(out, message->wanted);
        }
        sk_write_u64(out, message->digest);
    }
    if (fields & SK_HAS_SESSION) sk_write_varint(out, message->session);
    if (fields & SK_HAS_NUMBER) sk_write_varint(out, message->number);
    if (fields & (SK_HAS_FLAG | SK_HAS_FLAGS)) sk_write_u8(out, message->flag);
    if (fields & SK_HAS_SEEN) sk_vector_write(&message->seen, out);
    if (fields & SK_HAS_BASE) sk_vector_write(&message->base, out);
}

void sk_merger_message_write(const sk_merger_form *form, const sk_merger_message *message, sk_buffer *out)
{
    sk_merger_message_write_head(form, message, out);
    if (form->fields[message->kind] & SK_HAS_BYTES) sk_buffer_append_slice(out, message->bytes);
}

static uint8_t read_flags(sk_reader *reader, uint8_t most)
{
    uint8_t value = sk_read_u8(reader);
    if (value > most) reader->bad = true;
    return value;
}

int sk_merger_message_read(const sk_merger_form *form, sk_slice bytes, sk_merger_message *out)
{
    sk_reader reader = sk_reader_make(bytes);
    *out = (sk_merger_message){.kind = sk_read_u8(&reader)};
    if (out->kind >= form->kind_end || !form->fields[out->kind]) return SK_EPROTOCOL;
    uint16_t fields = form->fields[out->kind];
    if (fields & SK_HAS_REPORT) {
        out->wall_ms = sk_read_varint(&reader);
        out->life = sk_read_varint(&reader);
        if (out->life == 0 || out->life >> SK_ACTOR_LIFE_BITS) reader.bad = true;
        if (fields & SK_HAS_HEARD) {
            out->heard_life = sk_read_varint(&reader);
            out->wanted = read_flags(&reader, 1);
        }
        out->digest = sk_read_u64(&reader);
    }
    if (fields & SK_HAS_SESSION) out->session = sk_read_varint(&reader);
    if (fields & SK_HAS_NUMBER) out->number = sk_read_varint(&reader);
    if (fields & SK_HAS_FLAG) out->flag = read_flags(&reader, 1);
    if (fields & SK_HAS_FLAGS) out->flag = read_flags(&reader, 3);
    if (fields & SK_HAS_SEEN) sk_vector_read(&out->seen, &reader, SK_MERGER_VECTOR_MAX);
    if (fields & SK_HAS_BASE) sk_vector_read(&out->base, &reader, SK_MERGER_VECTOR_MAX);
    if (fields & SK_HAS_BYTES) out->bytes = sk_read_bytes(&reader, sk_reader_left(&reader));
    return sk_reader_done(&reader) ? 0 : SK_EPROTOCOL;
}

void sk_merger_message_deinit(sk_merger_message *message)
{
    sk_vector_deinit(&message->seen);
    sk_vector_deinit(&message->base);
}
