#include "node/answers.h"

#include "base/alloc.h"
#include "node/state.h"

typedef struct held_answer {
    uint64_t after, number;
    uint8_t *reply;
    size_t size;
} held_answer;

void sk_answers_hold(sk_space *space, uint64_t after, uint64_t number, sk_slice reply)
{
    if (!space->answers.item_size) sk_ring_init(&space->answers, sizeof(held_answer));
    held_answer *held = sk_ring_push(&space->answers);
    *held = (held_answer){.after = after, .number = number, .reply = sk_alloc(reply.size), .size = reply.size};
    memcpy(held->reply, reply.data, reply.size);
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
        sk_origin_answer(space, held.number, sk_slice_make(held.reply, held.size));
        sk_free(held.reply);
    }
}

void sk_answers_deinit(sk_space *space)
{
    for (size_t i = 0; i < space->answers.count; i++) sk_free(((held_answer *)sk_ring_at(&space->answers, i))->reply);
    sk_ring_deinit(&space->answers);
}
