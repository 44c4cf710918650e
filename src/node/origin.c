#include "node/origin.h"

#include "base/alloc.h"
#include "base/assert.h"
#include "node/route.h"
#include "node/state.h"
#include "node/verdict.h"
#include "redis/command.h"

enum { FORWARD_BYTES_MAX = 1024 * 1024 };

static const sk_ns refused_pause = 5 * SK_MS;

static const char not_ordered[] = "-CLUSTERDOWN no leader within request-timeout: certainly not applied, try again\r\n";
static const char maybe_ordered[] = "-UNKNOWN may or may not have been applied: no answer within request-timeout\r\n";

static const char not_taken[] = "-TRYAGAIN this node did not come to it within request-timeout: certainly not applied, try again\r\n";
static const char halted[] = "-CLUSTERDOWN this node's disk has failed: certainly not applied, restart it or go elsewhere\r\n";
static const char loading[] = "-LOADING this node is taking over the state of another: certainly not applied, try again\r\n";

static const char maybe_outlived[] = "-UNKNOWN may or may not have been applied: this node's disk had lost something that others have of it\r\n";
static const char maybe_before_drop[] = "-UNKNOWN may or may not have been applied: its space has been dropped\r\n";

void sk_origin_init(sk_origin *origin)
{
    *origin = (sk_origin){.resend_at = SK_NEVER};
    sk_ring_init(&origin->waiting, sizeof(sk_origin_item));
    sk_ring_init(&origin->sent, sizeof(sk_origin_item));
}

static sk_origin_item *item_at(const sk_ring *ring, size_t index)
{
    return sk_ring_at(ring, index);
}

void sk_origin_deinit(sk_origin *origin)
{
    for (size_t i = 0; i < origin->waiting.count; i++) sk_free(item_at(&origin->waiting, i)->command);
    for (size_t i = 0; i < origin->sent.count; i++) sk_free(item_at(&origin->sent, i)->command);
    sk_ring_deinit(&origin->waiting);
    sk_ring_deinit(&origin->sent);
}

static void empty_item(sk_origin *origin, sk_origin_item *item)
{
    SK_ASSERT(origin->bytes >= item->command_size);
    origin->bytes -= item->command_size;
    sk_free(item->command);
    item->command = NULL;
    item->command_size = 0;
    item->client = NULL;
}

static sk_slice item_command(const sk_origin_item *item)
{
    return sk_slice_make(item->command, item->command_size);
}

// The reply, then nothing more to do with this item's client or command.
static void settle(sk_origin *origin, sk_origin_item *item, sk_slice reply)
{
    if (item->client && sk_is_verdict(reply)) {
        sk_space *space = SK_CONTAINER(origin, sk_space, origin);
        sk_route_verdict(space, item->client, item->slot, item->resp, true, item_command(item), item->deadline, reply);
    } else if (item->client) {
        sk_client_answer(item->client, item->slot, reply);
    }
    empty_item(origin, item);
}

bool sk_origin_full(const sk_space *space)
{
    const sk_node_config *config = &space->node->config;
    const sk_origin *origin = &space->origin;
    return origin->waiting.count + origin->sent.count >= config->origin_pending_max ||
           origin->bytes >= config->origin_bytes_max;
}

// Whom requests can be given to right now; 0: nobody.
static sk_node_id reachable_leader(const sk_space *space)
{
    sk_node_id leader = space->status.leader;
    if (leader == space->node->identity.node) return sk_space_leads(space) ? leader : 0;
    return leader && sk_peer_linked(space->node, leader) ? leader : 0;
}

static uint64_t number_at(const sk_origin *origin, size_t index)
{
    return origin->answered_to + 1 + index;
}

// What a mergeable replica runs next, at once, as it is submitted.
static void prefetch(const sk_space *space)
{
    const sk_origin *origin = &space->origin;
    sk_slice commands[SK_MACHINE_TOGETHER];
    size_t count = 0;
    for (size_t i = origin->sent_count; i < origin->sent.count && count < SK_MACHINE_TOGETHER; i++)
        commands[count++] = item_command(item_at(&origin->sent, i));
    if (count > 1) space->machine->ops->prefetch(space->machine, commands, count);
}

// All of `sent` from `sent_count` on, to ourselves as leader, or in frames to the leader.
static void deliver(sk_space *space)
{
    sk_origin *origin = &space->origin;
    sk_node *node = space->node;
    if (origin->sent_count == origin->sent.count) return;
    if (origin->leader == node->identity.node) {
        bool together = space->protocol->mergeable && space->machine->ops->prefetch;
        for (size_t i = 0; origin->sent_count < origin->sent.count; i++) {
            if (together && i % SK_MACHINE_TOGETHER == 0) prefetch(space);
            size_t index = origin->sent_count++;
            const sk_origin_item *item = item_at(&origin->sent, index);
            sk_envelope envelope = {.flags = (uint8_t)((item->resp == 3 ? SK_ENVELOPE_RESP3 : 0) |
                                                       (item->control ? SK_ENVELOPE_CONTROL : 0)),
                                    .origin = node->identity.node,
                                    .boot = node->identity.boot,
                                    .number = number_at(origin, index),
                                    .answered = origin->answered_to,
                                    .routing = item->routing,
                                    .command = item_command(item)};
            sk_space_order(space, &envelope);
            if (origin->paused) return; // refused on the spot
        }
    } else {
        sk_buffer *frame = &node->scratch;
        while (origin->sent_count < origin->sent.count) {
            sk_buffer_clear(frame);
            sk_write_varint(frame, origin->answered_to);
            while (origin->sent_count < origin->sent.count && frame->size < FORWARD_BYTES_MAX) {
                size_t index = origin->sent_count++;
                const sk_origin_item *item = item_at(&origin->sent, index);
                sk_write_varint(frame, number_at(origin, index));
                uint8_t flags = (uint8_t)((item->routing ? SK_FORWARD_ROUTED : 0) | (item->control ? SK_FORWARD_CONTROL : 0));
                sk_write_u8(frame, item->resp | flags);
                if (item->routing) sk_write_varint(frame, item->routing);
                sk_write_sized(frame, item_command(item));
            }
            sk_peer_queue(node, origin->leader, SK_FRAME_FORWARD, space->id, sk_buffer_slice(frame), false);
        }
        sk_space_step(space, (sk_event){.kind = SK_EVENT_WAITING});
    }
    if (origin->resend_at == SK_NEVER) origin->resend_at = node->now + node->config.request_timeout / 4;
}

static void move_waiting(sk_origin *origin)
{
    for (size_t i = 0; i < origin->waiting.count; i++) {
        *(sk_origin_item *)sk_ring_push(&origin->sent) = *item_at(&origin->waiting, i);
    }
    sk_ring_pop_front(&origin->waiting, origin->waiting.count);
}

static void submit(sk_space *space, sk_client *client, uint64_t slot, uint8_t resp, bool control, sk_slice command)
{
    sk_origin *origin = &space->origin;
    sk_node *node = space->node;
    sk_origin_item item = {.client = client,
                           .slot = slot,
                           .deadline = node->now + node->config.request_timeout,
                           .command = sk_alloc(command.size),
                           .command_size = command.size,
                           .routing = sk_route_stamp(space),
                           .resp = resp,
                           .control = control};
    memcpy(item.command, command.data, command.size);
    origin->bytes += command.size;
    *(sk_origin_item *)sk_ring_push(&origin->waiting) = item;
    sk_space_touch(space);
    // As leader, with everything before it already ordered: no need to wait for the end of the turn. What runs as it is submitted does, to
    // wait for memory together.
    if (!space->protocol->mergeable && origin->leader == node->identity.node && origin->epoch == space->status.epoch && sk_space_leads(space) &&
        origin->waiting.count == 1 && origin->sent_count == origin->sent.count) {
        move_waiting(origin);
        deliver(space);
    }
}

void sk_origin_submit(sk_space *space, sk_client *client, uint64_t slot, uint8_t resp, size_t argc, const sk_slice *argv)
{
    sk_buffer *bytes = &space->node->scratch;
    sk_buffer_clear(bytes);
    sk_command_encode(bytes, argc, argv);
    submit(space, client, slot, resp, false, sk_buffer_slice(bytes));
}

void sk_origin_submit_encoded(sk_space *space, sk_client *client, uint64_t slot, uint8_t resp, sk_slice command)
{
    submit(space, client, slot, resp, false, command);
}

void sk_origin_submit_control(sk_space *space, sk_slice order)
{
    submit(space, NULL, 0, 2, true, order);
}

void sk_origin_leave(sk_space *space)
{
    sk_origin *origin = &space->origin;
    for (size_t i = 0; i < origin->sent.count; i++) {
        sk_origin_item *item = item_at(&origin->sent, i);
        if (item->command) settle(origin, item, sk_slice_text(maybe_before_drop));
    }
    for (size_t i = 0; i < origin->waiting.count; i++) {
        sk_origin_item *item = item_at(&origin->waiting, i);
        if (item->client)
            sk_route_leave(space, item->client, item->slot, item->resp, true, item_command(item), item->deadline);
        empty_item(origin, item);
    }
    sk_ring_pop_front(&origin->waiting, origin->waiting.count);
    sk_ring_pop_front(&origin->sent, origin->sent.count);
    origin->sent_count = origin->expired_count = 0;
    origin->resend_at = SK_NEVER;
}

static void pop_answered(sk_space *space)
{
    sk_origin *origin = &space->origin;
    while (origin->sent.count && item_at(&origin->sent, 0)->answered) {
        sk_ring_pop_front(&origin->sent, 1);
        origin->answered_to++;
        if (origin->sent_count) origin->sent_count--;
        if (origin->expired_count) origin->expired_count--;
    }
    if (!origin->sent.count) { // a refusal before this answer holds back nobody any more
        origin->paused = false;
        origin->resend_at = SK_NEVER;
    } else if (!origin->paused) {
        origin->resend_at = space->node->now + space->node->config.request_timeout / 4;
    }
}

void sk_origin_answer(sk_space *space, uint64_t number, sk_slice reply)
{
    sk_origin *origin = &space->origin;
    if (number <= origin->answered_to || number - origin->answered_to > origin->sent.count) return;
    sk_origin_item *item = item_at(&origin->sent, (size_t)(number - origin->answered_to - 1));
    if (item->answered) return;
    if (number > origin->answered_max) origin->answered_max = number;
    settle(origin, item, reply);
    item->answered = true;
    pop_answered(space);
    if (origin->paused && origin->crowded) origin->resend_at = space->node->now; // there is room for another
}

void sk_origin_refused(sk_space *space, uint64_t number, int why)
{
    sk_origin *origin = &space->origin;
    if (number <= origin->answered_to || number - origin->answered_to > origin->sent.count) return;
    size_t index = (size_t)(number - origin->answered_to - 1);
    if (why == SK_EUNKNOWN && space->protocol->mergeable) return; // it has run, and nobody knows whether that lasts
    // Whoever misses an earlier number does not say which: from the first unanswered on.
    if (why == SK_EPROTOCOL) index = 0;
    if (index < origin->sent_count) {
        origin->sent_count = index;
        origin->resends++;
    }
    sk_ns at = space->node->now + refused_pause;
    if (at < origin->resend_at) origin->resend_at = at;
    origin->paused = true;
    origin->crowded = why == SK_EBUSY && origin->leader == space->node->identity.node;
}

void sk_origin_installed(sk_space *space)
{
    sk_node *node = space->node;
    sk_origin *origin = &space->origin;
    for (size_t i = 0; i < origin->sent.count; i++) {
        sk_origin_item *item = item_at(&origin->sent, i);
        sk_slice reply = {0};
        enum sk_session_verdict verdict = sk_session_look(&space->sessions, node->identity.node, node->identity.boot,
                                                          number_at(origin, i), &reply);
        if (verdict != SK_SESSION_REPEAT || item->answered) continue;
        settle(origin, item, reply);
        item->answered = true;
    }
    pop_answered(space);
}

// Why what was not delivered was not; it has certainly not been applied.
static sk_slice undelivered(const sk_space *space)
{
    if (!space->protocol->mergeable) return sk_slice_text(not_ordered);
    if (space->status.role == SK_ROLE_HALTED) return sk_slice_text(halted);
    return space->status.loading ? sk_slice_text(loading) : sk_slice_text(not_taken);
}

static void expire(sk_space *space)
{
    sk_origin *origin = &space->origin;
    sk_ns now = space->node->now;
    bool mergeable = space->protocol->mergeable; // it runs when it is delivered, here, or not at all
    while (origin->waiting.count && item_at(&origin->waiting, 0)->deadline <= now) {
        settle(origin, item_at(&origin->waiting, 0), undelivered(space));
        sk_ring_pop_front(&origin->waiting, 1);
    }
    // Each expires once: those already told have given up their client and their command.
    for (size_t i = origin->expired_count; i < origin->sent.count; i++) {
        sk_origin_item *item = item_at(&origin->sent, i);
        if (item->deadline > now) break;
        origin->expired_count = i + 1;
        if (item->answered || !item->command) continue;
        settle(origin, item, mergeable && i >= origin->sent_count ? undelivered(space) : sk_slice_text(maybe_ordered));
    }
}

// A mergeable replica has run what it was given, and does not run it again in another life; but what it did in the one before may be lost.
static void doubt_sent(sk_origin *origin)
{
    for (size_t i = 0; i < origin->sent_count; i++) {
        sk_origin_item *item = item_at(&origin->sent, i);
        if (!item->answered && item->command) settle(origin, item, sk_slice_text(maybe_outlived));
    }
}

// From the first unanswered on.
static void send_again(sk_origin *origin)
{
    if (origin->sent_count) origin->resends++;
    origin->sent_count = 0;
}

void sk_origin_turn(sk_space *space)
{
    sk_origin *origin = &space->origin;
    if (!origin->waiting.count && !origin->sent.count) return;
    sk_ns now = space->node->now;
    expire(space);
    sk_node_id leader = reachable_leader(space);
    if (!leader) {
        origin->leader = 0;
        return;
    }
    if (leader != origin->leader || space->status.epoch != origin->epoch) {
        origin->leader = leader;
        origin->epoch = space->status.epoch;
        origin->paused = false;
        if (space->protocol->mergeable) doubt_sent(origin);
        else send_again(origin);
    } else if (origin->resend_at <= now) {
        // Frames to a leader elsewhere may be lost; what we order ourselves is in the log until we lose office.
        if (!origin->paused && leader != space->node->identity.node) send_again(origin);
        origin->paused = false;
        origin->resend_at = SK_NEVER;
    }
    if (origin->paused) return;
    move_waiting(origin);
    deliver(space);
}

sk_ns sk_origin_deadline(const sk_space *space)
{
    const sk_origin *origin = &space->origin;
    sk_ns at = SK_NEVER;
    if (origin->waiting.count) at = item_at(&origin->waiting, 0)->deadline;
    if (origin->expired_count < origin->sent.count) {
        sk_ns expires = item_at(&origin->sent, origin->expired_count)->deadline;
        if (expires < at) at = expires;
    }
    if (origin->leader && origin->resend_at < at) at = origin->resend_at;
    return at;
}

void sk_origin_check(const sk_origin *origin)
{
    size_t bytes = 0;
    sk_ns before = 0;
    for (size_t i = 0; i < origin->waiting.count; i++) {
        const sk_origin_item *item = item_at(&origin->waiting, i);
        SK_ASSERT(item->command && item->deadline >= before);
        before = item->deadline;
        bytes += item->command_size;
    }
    before = 0;
    for (size_t i = 0; i < origin->sent.count; i++) {
        const sk_origin_item *item = item_at(&origin->sent, i);
        SK_ASSERT(item->deadline >= before && (i > 0 || !item->answered));
        before = item->deadline;
        bytes += item->command_size;
    }
    SK_ASSERT(bytes == origin->bytes);
    SK_ASSERT(origin->sent_count <= origin->sent.count);
    SK_ASSERT(origin->expired_count <= origin->sent.count);
}
