#include "protocol/merger/lives.h"

#include "base/assert.h"

uint64_t sk_life_choose(uint32_t node, uint64_t boot, uint64_t wall_ms, const sk_vector *seen, uint64_t beyond)
{
    enum { BOOT_BITS = 7, SPREAD = 512 };
    const uint64_t begin_ms = 1577836800000; // 2020: enough until 2089
    for (size_t i = 0; i < seen->count; i++) {
        sk_actor actor = seen->list[i].actor;
        if (sk_actor_node(actor) == node && sk_actor_life(actor) > beyond) beyond = sk_actor_life(actor);
    }
    uint64_t time_ms = wall_ms > begin_ms ? wall_ms - begin_ms : 0;
    uint64_t low = boot & (((uint64_t)1 << BOOT_BITS) - 1);
    // Not the next number: a life may be lost that had it, its operations being sent before they are on disk. Another start, another boot.
    if ((time_ms << BOOT_BITS | low) <= beyond) time_ms = (beyond >> BOOT_BITS) + 1 + (boot >> BOOT_BITS) % SPREAD;
    uint64_t life = time_ms << BOOT_BITS | low;
    SK_ASSERT(life >> SK_ACTOR_LIFE_BITS == 0); // from SK_LIFE_HONEST_MAX on there are 2^29 starts left
    return life ? life : 1;
}

uint64_t sk_life_beyond_time(uint64_t boot)
{
    const uint64_t half = (uint64_t)1 << (SK_ACTOR_LIFE_BITS - 1);
    return half | (boot & (half / 2 - 1));
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

sk_slice sk_operations_take(sk_reader *reader, size_t size, sk_operation_head *last)
{
    const uint8_t *from = reader->at;
    while (sk_reader_left(reader) && (size_t)(reader->at - from) < size) {
        *last = sk_operation_head_read(reader);
        SK_ASSERT(!reader->bad);
    }
    return sk_slice_make(from, (size_t)(reader->at - from));
}
