#include "protocol/lives.h"

uint64_t sk_life_choose(uint32_t node, uint64_t boot, uint64_t wall_ms, const sk_vector *seen)
{
    enum { BOOT_BITS = 16 };
    boot &= ((uint64_t)1 << BOOT_BITS) - 1;
    uint64_t life = (wall_ms / 1000) << BOOT_BITS | (boot ? boot : 1);
    for (size_t i = 0; i < seen->count; i++) {
        sk_actor actor = seen->list[i].actor;
        if (sk_actor_node(actor) == node && sk_actor_life(actor) >= life) life = sk_actor_life(actor) + 1;
    }
    return life;
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
