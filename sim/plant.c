#include "sim/plant.h"

#include <string.h>
#include "sim/workload.h"
#include "base/assert.h"
#include "sim/network.h"
#include "sim/world.h"
#include "wire/codec.h"
#include "wire/frame.h"

const char *sk_plant_name(enum sk_plant plant)
{
    static const char *const names[] = {
#define X(name, text, help) text,
        SK_PLANTS(X)
#undef X
    };
    SK_ASSERT(plant < SK_PLANT_END);
    return names[plant];
}

const char *sk_plant_help(enum sk_plant plant)
{
    static const char *const helps[] = {
#define X(name, text, help) help,
        SK_PLANTS(X)
#undef X
    };
    SK_ASSERT(plant < SK_PLANT_END);
    return helps[plant];
}

enum sk_plant sk_plant_find(const char *name)
{
    for (int i = 0; i < SK_PLANT_END; i++) {
        if (!strcmp(sk_plant_name((enum sk_plant)i), name)) return (enum sk_plant)i;
    }
    return SK_PLANT_END;
}

// Leaders that are cut off while their clients read and others write. Reads alone must show it: keys that expire early would, too.
void sk_plant_swarm(enum sk_plant plant, sk_swarm *swarm)
{
    if (plant != SK_PLANT_FAST_CLOCKS) return;
    memset(swarm->fault, 0, sizeof swarm->fault);
    swarm->fault[SK_FAULT_NET_LEADER] = true;
    swarm->fault_mean = 2 * SK_S;
    swarm->fault_hold = 2 * SK_S;
    swarm->lease = (sk_lease){.length = 2 * swarm->timing.election_min, .drift_ppm = 0};
    swarm->keys = 1;
    swarm->client_count = 12;
    swarm->think_mean = 5 * SK_MS;
    swarm->operations_max = 3000;
    memset(swarm->weights, 0, sizeof swarm->weights);
    swarm->weights[sk_workload_find("register")] = 1;
    swarm->reads = 50;
}

// Flips a bit of the last byte of a payload and makes the checksum right again: what no link layer would
// catch.
static void damage_silently(uint8_t *bytes, size_t size)
{
    bytes[size - 1] ^= 1;
    sk_frame frame = {0};
    sk_reader reader = sk_reader_make(sk_slice_make(bytes, size));
    sk_read_bytes(&reader, SK_FRAME_CHECKED_SIZE);
    frame.kind = (enum sk_frame_kind)sk_read_u8(&reader);
    frame.flags = sk_read_u8(&reader);
    frame.space = (uint32_t)sk_read_varint(&reader);
    frame.payload = sk_read_bytes(&reader, sk_reader_left(&reader));
    sk_buffer made = {0};
    sk_frame_write(&made, &frame);
    SK_ASSERT(made.size == size);
    memcpy(bytes, made.data, size);
    sk_buffer_deinit(&made);
}

void sk_plant_frame(enum sk_plant plant, sk_world *world, sk_prng *prng, uint8_t *bytes, size_t size,
                    sk_node_id *from)
{
    bool protocol = size > SK_FRAME_HEADER_SIZE_MAX && bytes[SK_FRAME_CHECKED_SIZE] == SK_FRAME_PROTOCOL;
    if (!protocol || world->healed) return;
    if (plant == SK_PLANT_SPOOF_SENDER && sk_prng_chance(prng, 1, 3))
        *from = (sk_node_id)sk_prng_between(prng, 1, world->computer_count);
    if (plant == SK_PLANT_SILENT_DAMAGE && size > 80 && sk_prng_chance(prng, 1, 20) &&
        !(bytes[SK_FRAME_CHECKED_SIZE + 1] & SK_FRAME_TRACED))
        damage_silently(bytes, size);
}
