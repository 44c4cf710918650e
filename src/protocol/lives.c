#include "protocol/lives.h"

uint64_t sk_life_choose(uint32_t node, uint64_t boot, uint64_t wall_ms, const sk_vector *seen, uint64_t beyond)
{
    enum { BOOT_BITS = 16 };
    for (size_t i = 0; i < seen->count; i++) {
        sk_actor actor = seen->list[i].actor;
        if (sk_actor_node(actor) == node && sk_actor_life(actor) > beyond) beyond = sk_actor_life(actor);
    }
    uint64_t seconds = wall_ms / 1000;
    boot &= ((uint64_t)1 << BOOT_BITS) - 1;
    if ((seconds << BOOT_BITS | boot) <= beyond) seconds = (beyond >> BOOT_BITS) + 1;
    return seconds << BOOT_BITS | boot;
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
