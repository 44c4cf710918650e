// The simulator itself: a seed is one run, whatever ran before it in the process.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "sim/swarm.h"
#include "sim/world.h"

static uint64_t hash_of(uint64_t seed, enum sk_verdict *verdict)
{
    sk_swarm swarm;
    sk_swarm_draw(&swarm, seed, &(sk_swarm_wish){0});
    sk_world *world = sk_world_open(&swarm, SK_PLANT_NONE, 20000000, NULL);
    *verdict = sk_world_run(world);
    if (*verdict) print_message("seed %llu: %s\n", (unsigned long long)seed, world->problem);
    uint64_t hash = world->trace.hash;
    sk_world_close(world);
    return hash;
}

static void same_seed_same_trace(void **state)
{
    uint64_t last = 0;
    for (uint64_t seed = 100; seed < 104; seed++) {
        enum sk_verdict verdict;
        uint64_t hash = hash_of(seed, &verdict);
        assert_int_equal(verdict, SK_VERDICT_OK);
        assert_true(hash == hash_of(seed, &verdict));
        assert_true(hash != last);
        last = hash;
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(same_seed_same_trace),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
