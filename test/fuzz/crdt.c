// What a peer may bring to a mergeable key space: operations and chunks of a real peer with bytes changed, as the input says. They must
// neither crash it nor break its invariants, whatever is done with it afterwards.
#include "base/assert.h"
#include "redis/mergespace_data.h"
#include "test/support/fuzz.h"
#include "test/support/mergespaces.h"

typedef struct script {
    const uint8_t *at, *end;
} script;

static uint8_t next_byte(script *s)
{
    return s->at < s->end ? *s->at++ : 0;
}

static void run_commands(merge_node *node, script *s)
{
    static const char *const requests[] = {"set a 1",      "incr a",        "incrbyfloat a 0.5", "sadd a x y",     "srem a x",
                                           "hset a f v",   "hincrby a f 3", "hdel a f",          "expire a 10",    "del a",
                                           "set b 2 px 9", "sadd s m",      "incrby b -7",       "hset h f 1 g 2", "persist a",
                                           "flushdb"};
    for (int count = next_byte(s) % 16; count; count--) {
        merge_ask(node, requests[next_byte(s) % (sizeof requests / sizeof requests[0])]);
        node->context.clock_ms += next_byte(s) % 16;
    }
}

// Some bytes changed, some left out at the end.
static void damage(sk_buffer *bytes, script *s)
{
    for (int count = next_byte(s) % 6; count && bytes->size; count--) {
        size_t at = (size_t)(next_byte(s) << 8 | next_byte(s)) % bytes->size;
        bytes->data[at] ^= next_byte(s);
    }
    if (next_byte(s) % 8 == 0 && bytes->size) bytes->size -= next_byte(s) % bytes->size;
}

static void bring(merge_node *to, const merge_node *from, script *s)
{
    sk_buffer bytes = {0};
    size_t taken;
    sk_buffer_append_slice(&bytes, sk_buffer_slice(&from->operations));
    damage(&bytes, s);
    (void)to->machine->mergeable->apply(to->machine, merge_wall_ms(to), sk_buffer_slice(&bytes), &taken);
    const sk_mergeable_ops *ops = from->machine->mergeable;
    sk_machine_walk *walk = ops->walk_open(from->machine, next_byte(s) % 2 ? ops->seen(to->machine) : NULL);
    bool more;
    do {
        sk_buffer_clear(&bytes);
        more = ops->walk_next(walk, &bytes, 1 + next_byte(s));
        damage(&bytes, s);
        (void)to->machine->mergeable->merge(to->machine, merge_wall_ms(to), sk_buffer_slice(&bytes));
    } while (more);
    ops->join(to->machine, ops->walk_seen(walk), ops->walk_full(walk) ? ops->walk_base(walk) : NULL);
    ops->walk_close(walk);
    sk_buffer_deinit(&bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    script s = {data, data + size};
    merge_node nodes[3];
    for (uint32_t i = 0; i < 3; i++) merge_node_open(&nodes[i], i + 1, (sk_mergespace_options){0});
    for (int round = 0; round < 4 && s.at < s.end; round++) {
        merge_node *from = &nodes[next_byte(&s) % 3];
        merge_node *to = &nodes[next_byte(&s) % 3];
        run_commands(from, &s);
        if (from != to) bring(to, from, &s);
        if (next_byte(&s) % 2) to->machine->mergeable->settle(to->machine, to->machine->mergeable->seen(to->machine));
        while (to->machine->ops->collect(to->machine, 1 + next_byte(&s))) {
        }
        run_commands(to, &s);
        to->machine->mergeable->clear_due(to->machine, merge_wall_ms(to), &to->operations);
        sk_mergeable_check(&sk_mergespace_of(to->machine)->state);
    }
    for (int i = 0; i < 3; i++) merge_node_close(&nodes[i]);
    return 0;
}
