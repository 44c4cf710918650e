#include "node/answers.h"

#include "base/alloc.h"
#include "node/state.h"

enum { SHORT_MAX = 16 }; // most replies to writes are

typedef struct held_answer {
    uint64_t after, number;
    size_t size;
    union {
        uint8_t *bytes;
        uint8_t here[SHORT_MAX]; // up to as many
    } reply;
} held_answer;

static void free_reply(held_answer *held)
{
    if (held->size > SHORT_MAX) sk_free(held->reply.bytes);
}

void sk_answers_hold(sk_space *space, uint64_t after, uint64_t number, sk_slice reply)
{
    if (!space->answers.item_size) sk_ring_init(&space->answers, sizeof(held_answer));
    held_answer *held = sk_ring_push(&space->answers);
    *held = (held_answer){.after = after, .number = number, .size = reply.size};
    if (reply.size > SHORT_MAX) held->reply.bytes = sk_alloc(reply.size);
    memcpy(reply.size > SHORT_MAX ? held->reply.bytes : held->reply.here, reply.data, reply.size);
}

bool sk_answers_ready(const sk_space *space)
{
    if (!space->answers.count) return false;
    uint64_t after = ((const held_answer *)sk_ring_at(&space->answers, 0))->after;
    return after <= space->durable_number || sk_space_answers_early(space);
}

void sk_answers_release(sk_space *space)
{
    while (sk_answers_ready(space)) {
        held_answer held = *(held_answer *)sk_ring_at(&space->answers, 0);
        sk_ring_pop_front(&space->answers, 1);
        const uint8_t *reply = held.size > SHORT_MAX ? held.reply.bytes : held.reply.here;
        sk_origin_answer(space, held.number, sk_slice_make(reply, held.size));
        free_reply(&held);
    }
}

void sk_answers_deinit(sk_space *space)
{
    for (size_t i = 0; i < space->answers.count; i++) free_reply(sk_ring_at(&space->answers, i));
    sk_ring_deinit(&space->answers);
}
