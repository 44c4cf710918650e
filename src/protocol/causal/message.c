#include "protocol/causal/message.h"

#include "base/assert.h"
#include "protocol/merger/lives.h"

static const uint16_t fields[SK_CAUSAL_KIND_END] = {
    [SK_CAUSAL_BATCHES] = SK_HAS_BYTES,
    [SK_CAUSAL_REPORT] = SK_HAS_REPORT | SK_HAS_HEARD | SK_HAS_FLAG | SK_HAS_SEEN,
    [SK_CAUSAL_ASK] = SK_HAS_SESSION | SK_HAS_FLAG | SK_HAS_SEEN,
    [SK_CAUSAL_LOGGED] = SK_HAS_SESSION | SK_HAS_NUMBER | SK_HAS_BYTES,
    [SK_CAUSAL_CHUNK] = SK_HAS_SESSION | SK_HAS_NUMBER | SK_HAS_BYTES,
    [SK_CAUSAL_GRANT] = SK_HAS_SESSION | SK_HAS_NUMBER,
    [SK_CAUSAL_LOGGED_ALL] = SK_HAS_SESSION | SK_HAS_NUMBER,
    [SK_CAUSAL_DONE] = SK_HAS_SESSION | SK_HAS_NUMBER | SK_HAS_FLAG | SK_HAS_SEEN | SK_HAS_BASE,
};

const sk_merger_form sk_causal_form = {.fields = fields, .kind_end = SK_CAUSAL_KIND_END};

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
    sk_vector_read(needs, reader, SK_MERGER_VECTOR_MAX);
    out->operations = sk_read_sized(reader);
    if (out->first == 0 || out->first > out->last || out->last > SK_COUNTER_MAX || !is_run(out)) reader->bad = true;
    if (out->closes >= sk_actor_life(out->actor)) reader->bad = true;
    out->bytes = sk_slice_make(from, (size_t)(reader->at - from));
}
