#include "sim/frame_text.h"

#include <inttypes.h>
#include "protocol/raft/message.h"
#include "wire/codec.h"

// What matters of each kind; the rest is bookkeeping (docs/raft.md has it all).
static void raft_fields(const sk_raft_message *message, sk_buffer *out)
{
    switch (message->kind) {
    case SK_RAFT_PREVOTE:
    case SK_RAFT_VOTE:
        sk_buffer_printf(out, " last %" PRIu64 "@%" PRIu64, message->last_index, message->last_term);
        break;
    case SK_RAFT_APPEND:
        sk_buffer_printf(out, " +%" PRIu64 " after %" PRIu64 "@%" PRIu64 " commit %" PRIu64, message->count,
                         message->previous_index, message->previous_term, message->commit);
        break;
    case SK_RAFT_APPEND_ANSWER:
        if (message->flags & SK_RAFT_REJECTED)
            sk_buffer_printf(out, " rejects %" PRIu64 " conflict %" PRIu64 "@%" PRIu64, message->previous_index,
                             message->conflict_index, message->conflict_term);
        else
            sk_buffer_printf(out, " durable %" PRIu64 " received %" PRIu64, message->match, message->received);
        break;
    case SK_RAFT_HEARTBEAT:
    case SK_RAFT_HEARTBEAT_ANSWER:
        sk_buffer_printf(out, " round %" PRIu64, message->round);
        break;
    case SK_RAFT_READ:
    case SK_RAFT_READ_ANSWER:
        sk_buffer_printf(out, " ask %" PRIu64, message->request);
        break;
    default:
        break;
    }
    if (message->kind == SK_RAFT_READ_ANSWER) sk_buffer_printf(out, " at %" PRIu64, message->read_index);
    if (message->kind == SK_RAFT_VOTE_ANSWER || message->kind == SK_RAFT_PREVOTE_ANSWER)
        sk_buffer_append_text(out, message->flags & SK_RAFT_GRANTED ? " granted" : " denied");
    if (message->flags & SK_RAFT_RECOVERING) sk_buffer_append_text(out, " recovering");
    if (message->flags & SK_RAFT_REFILL) sk_buffer_append_text(out, " refill");
}

static enum sk_topic raft_topic(enum sk_raft_kind kind)
{
    switch (kind) {
    case SK_RAFT_APPEND:
    case SK_RAFT_APPEND_ANSWER:
        return SK_TOPIC_APPEND;
    case SK_RAFT_HEARTBEAT:
    case SK_RAFT_HEARTBEAT_ANSWER:
        return SK_TOPIC_BEAT;
    case SK_RAFT_READ:
    case SK_RAFT_READ_ANSWER:
        return SK_TOPIC_READ;
    default:
        return SK_TOPIC_VOTE;
    }
}

static enum sk_topic protocol_text(const sk_frame *frame, sk_buffer *out)
{
    sk_raft_message message;
    if (!sk_raft_message_decode(frame->payload, &message)) {
        sk_buffer_printf(out, "message of %zu bytes", frame->payload.size);
        return SK_TOPIC_APPEND;
    }
    sk_buffer_printf(out, "%s term %" PRIu64, sk_raft_kind_name(message.kind), message.term);
    raft_fields(&message, out);
    return raft_topic(message.kind);
}

// The numbers of the first and last item: node/forward.h.
static void forward_text(const sk_frame *frame, sk_buffer *out)
{
    bool answer = frame->kind == SK_FRAME_ANSWER;
    sk_reader reader = sk_reader_make(frame->payload);
    sk_read_varint(&reader);
    uint64_t first = 0, last = 0;
    while (sk_reader_left(&reader) && !reader.bad) {
        last = sk_read_varint(&reader);
        if (!first) first = last;
        bool body = answer ? !sk_read_varint(&reader) : (sk_read_u8(&reader), true);
        if (body) sk_read_sized(&reader);
    }
    sk_buffer_append_text(out, answer ? "ANSWER" : "FORWARD");
    if (first) sk_buffer_printf(out, " request %" PRIu64, first);
    if (last != first) sk_buffer_printf(out, "..%" PRIu64, last);
}

enum sk_topic sk_frame_text(const sk_frame *frame, sk_buffer *out)
{
    if (frame->space == SK_SPACE_SYSTEM && frame->kind != SK_FRAME_HELLO) sk_buffer_append_text(out, "sys ");
    if (frame->space > SK_SPACE_DEFAULT) sk_buffer_printf(out, "space %" PRIu32 " ", frame->space);
    switch (frame->kind) {
    case SK_FRAME_HELLO:
        sk_buffer_append_text(out, "HELLO");
        return SK_TOPIC_LINK;
    case SK_FRAME_PROTOCOL:
        return protocol_text(frame, out);
    case SK_FRAME_FORWARD:
    case SK_FRAME_ANSWER:
        forward_text(frame, out);
        return SK_TOPIC_FORWARD;
    case SK_FRAME_SNAPSHOT_OFFER:
        sk_buffer_append_text(out, "SNAPSHOT_OFFER");
        return SK_TOPIC_SNAPSHOT;
    case SK_FRAME_SNAPSHOT_ACCEPT:
        sk_buffer_append_text(out, "SNAPSHOT_ACCEPT");
        return SK_TOPIC_SNAPSHOT;
    case SK_FRAME_SNAPSHOT_PIECE:
        sk_buffer_printf(out, "SNAPSHOT_PIECE of %zu bytes", frame->payload.size);
        return SK_TOPIC_SNAPSHOT;
    default:
        sk_buffer_printf(out, "frame of kind %d", (int)frame->kind);
        return SK_TOPIC_LINK;
    }
}
