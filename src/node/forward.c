#include "node/forward.h"

#include "base/assert.h"
#include "node/state.h"

enum { ANSWER_BYTES_MAX = 1024 * 1024, ANSWER_BYTES_KEPT = 64 * 1024 };

static sk_forwarding *forwarding(sk_space *space, sk_node_id peer)
{
    for (size_t i = 0; i < space->node->peer_count; i++) {
        if (space->node->peers[i].id == peer) return &space->origins[i];
    }
    return NULL;
}

static void flush_peer(sk_space *space, size_t index)
{
    sk_forwarding *peer = &space->origins[index];
    if (!peer->answers.size) return;
    sk_peer_queue(space->node, space->node->peers[index].id, SK_FRAME_ANSWER, space->id, sk_buffer_slice(&peer->answers), false);
    sk_buffer_reset(&peer->answers, ANSWER_BYTES_KEPT);
}

void sk_forward_flush(sk_space *space)
{
    for (size_t i = 0; i < space->node->peer_count; i++) flush_peer(space, i);
}

void sk_forward_answer(sk_space *space, sk_node_id origin, uint64_t boot, uint64_t number, int verdict, sk_slice reply)
{
    SK_ASSERT(verdict <= 0);
    // Its origin applies the entry too: an answer through us is only sooner, which is not worth the link to a large one.
    if (reply.size > ANSWER_BYTES_MAX) return;
    sk_forwarding *peer = forwarding(space, origin);
    if (!peer) return;
    size_t index = (size_t)(peer - space->origins);
    if (space->node->peers[index].boot != boot) return; // its numbers began anew: this would answer another request
    if (!peer->answers.size) sk_write_varint(&peer->answers, space->node->peers[index].boot);
    sk_write_varint(&peer->answers, number);
    sk_write_varint(&peer->answers, (uint64_t)-verdict);
    if (!verdict) sk_write_sized(&peer->answers, reply);
    if (peer->answers.size > ANSWER_BYTES_MAX) flush_peer(space, index);
}

void sk_forward_refuse(sk_space *space, sk_node_id origin, uint64_t boot, uint64_t number, int why)
{
    sk_forwarding *forward = forwarding(space, origin);
    if (!forward || space->node->peers[forward - space->origins].boot != boot) return;
    forward->accept = number;
    sk_forward_answer(space, origin, boot, number, why, sk_slice_make(NULL, 0));
}

void sk_forward_gap(sk_space *space, sk_node_id origin)
{
    sk_forwarding *forward = forwarding(space, origin);
    if (forward) forward->accept = 0;
}

void sk_forward_peer_up(sk_space *space, sk_node_id id)
{
    sk_forwarding *peer = forwarding(space, id);
    if (!peer) return;
    peer->accept = 0;
    sk_buffer_reset(&peer->answers, ANSWER_BYTES_KEPT);
}

void sk_forward_receive(sk_space *space, sk_node_id from, sk_slice payload)
{
    sk_forwarding *forward = forwarding(space, from);
    sk_peer *peer = sk_node_peer(space->node, from);
    if (!forward || !peer) return;
    sk_reader reader = sk_reader_make(payload);
    uint64_t answered = sk_read_varint(&reader);
    // What was refused here may have been answered through an earlier copy: then nobody sends it again.
    if (!reader.bad && forward->accept && forward->accept <= answered) forward->accept = answered + 1;
    while (sk_reader_left(&reader)) {
        uint64_t number = sk_read_varint(&reader);
        uint8_t flags = sk_read_u8(&reader);
        uint64_t routing = flags & SK_FORWARD_ROUTED ? sk_read_varint(&reader) : 0;
        sk_slice command = sk_read_sized(&reader);
        if (reader.bad || number <= answered || number >> 40 || (flags & 3) < 2 || flags > SK_FORWARD_FLAGS) return; // not one of ours
        if (!sk_space_leads(space) || space->protocol->mergeable) { // a merging space's requests run where they came in
            sk_forward_answer(space, from, peer->boot, number, SK_ENOTLEADER, sk_slice_make(NULL, 0));
            return;
        }
        if (forward->accept && number > forward->accept) {
            sk_forward_answer(space, from, peer->boot, number, SK_EPROTOCOL, sk_slice_make(NULL, 0));
            return;
        }
        // Submitted in this term of office already, so in the log: another copy would only make the log longer, most of all
        // when it is slow. The origin gets its answer when the entry is applied, here or there.
        if (forward->accept && number < forward->accept) continue;
        forward->accept = number + 1;
        sk_envelope envelope = {.origin = from,
                                .boot = peer->boot,
                                .number = number,
                                .answered = answered,
                                .routing = routing,
                                .command = command};
        if ((flags & 3) == 3) envelope.flags |= SK_ENVELOPE_RESP3;
        if (flags & SK_FORWARD_CONTROL) envelope.flags |= SK_ENVELOPE_CONTROL;
        sk_space_order(space, &envelope);
    }
}

void sk_forward_answered(sk_space *space, sk_node_id from, sk_slice payload)
{
    sk_reader reader = sk_reader_make(payload);
    if (sk_read_varint(&reader) != space->node->identity.boot) return;
    while (sk_reader_left(&reader)) {
        uint64_t number = sk_read_varint(&reader);
        uint64_t verdict = sk_read_varint(&reader);
        sk_slice reply = verdict ? sk_slice_make(NULL, 0) : sk_read_sized(&reader);
        if (reader.bad || verdict > 100) return;
        if (verdict) sk_origin_refused(space, number, -(int)verdict);
        else sk_origin_answer(space, number, reply);
    }
}
