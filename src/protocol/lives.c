#include "protocol/lives.h"

uint64_t sk_life_choose(uint32_t node, uint64_t boot, uint64_t wall_ms, const sk_vector *seen, uint64_t beyond)
{
    enum { BOOT_BITS = 8 };
    for (size_t i = 0; i < seen->count; i++) {
        sk_actor actor = seen->list[i].actor;
        if (sk_actor_node(actor) == node && sk_actor_life(actor) > beyond) beyond = sk_actor_life(actor);
    }
    uint64_t ticks = wall_ms * 256 / 1000 & (((uint64_t)1 << (SK_ACTOR_LIFE_BITS - BOOT_BITS)) - 1);
    uint64_t life = ticks << BOOT_BITS | (boot & (((uint64_t)1 << BOOT_BITS) - 1));
    return life > beyond ? life : beyond + 1;
}

sk_operation_head sk_operation_head_read(sk_reader *reader)
{
    sk_operation_head head = {.actor = sk_actor_read(reader)};
    head.first = sk_read_varint(reader);
    uint64_t more = sk_read_varint(reader);
    sk_read_sized(reader);
    if (head.first == 0 || head.first > SK_COUNTER_MAX || more > 1) reader->bad = true;
    head.last = head.first + more;
    return head;
}
