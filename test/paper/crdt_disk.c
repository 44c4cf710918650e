// crdt replicas whose disks are behind: what is not taken, and how it comes later all the same.
#include "test/support/merger_runs.h"

static void D11_a_disk_that_is_behind(void **state)
{
    run_a_disk_that_is_behind(&sk_crdt);
    run_an_answer_waits_for_the_disk(&sk_crdt);
    run_a_disk_slower_than_patience(&sk_crdt);
    run_a_disk_that_stands_still(&sk_crdt);
}

// A count is dropped by a disk that is behind, then one before it is reset by who had not seen the second, and all report to have all.
// The second counts here, and the first does not.
static void what_was_dropped_comes_with_its_reset(void **state)
{
    crdt_cluster c;
    crdt_open(&c, 3, 7);
    computer *n = &c.nodes[2];
    for (size_t i = 0; i < 3; i++) submit(&c, i, "incr k%zu", i);
    submit(&c, 0, "incr k");
    crdt_run(&c, 5 * SK_S);
    n->disk_behind = true;
    submit(&c, 0, "incrby k 5");
    arrive(&c, 0, 2);
    n->disk_behind = false;
    submit(&c, 1, "del k");
    arrive(&c, 0, 1);
    arrive(&c, 1, 0);
    arrive(&c, 1, 2);
    n->disk_behind = true;
    crdt_run(&c, 20 * SK_S); // reports
    n->disk_behind = false;
    crdt_heal(&c);
    agree(&c);
    reads(&c, "get k", "$1\r\n5\r\n");
    crdt_close(&c);
}

// The same, and a third, who has the reset and not yet the count, takes everything from there: the count comes to it after that, as it was made.
static void C05_what_was_dropped_is_not_settled(void **state)
{
    enum { MAKER, RESETTER, DROPPER, TAKER };
    crdt_cluster c;
    crdt_open(&c, 4, 7);
    for (size_t i = 0; i < 4; i++) submit(&c, i, "incr k%zu", i);
    submit(&c, MAKER, "incr k");
    crdt_run(&c, 5 * SK_S);
    c.nodes[DROPPER].disk_behind = true;
    submit(&c, MAKER, "incrby k 5");
    arrive(&c, MAKER, DROPPER);
    c.nodes[DROPPER].disk_behind = false;
    submit(&c, RESETTER, "del k");
    for (size_t i = 0; i < 4; i++) arrive(&c, RESETTER, i);
    arrive(&c, MAKER, RESETTER);
    for (size_t i = 0; i < 4; i++) crdt_sync_disk(&c, &c.nodes[i]);
    c.now += SK_S;
    c.nodes[DROPPER].disk_behind = true;
    merger_of(&c, DROPPER)->brought = UINT64_MAX; // so it asks nobody
    for (size_t i = 0; i < 4; i++) { // all report to it, and hear nothing
        crdt_tick(&c, &c.nodes[i]);
        crdt_sync_disk(&c, &c.nodes[i]);
        arrive(&c, i, DROPPER);
    }
    sk_crdt_replica *taker = sk_crdt_of(c.nodes[TAKER].replica);
    sk_merger_peer *dropper = sk_merger_find_peer(&taker->core, DROPPER + 1);
    dropper->mend = true;
    arrive(&c, DROPPER, TAKER); // its report, so it is asked
    assert_ptr_equal(taker->core.ask.peer, dropper);
    c.nodes[DROPPER].disk_behind = false;
    merger_of(&c, DROPPER)->brought = 0;
    for (int i = 0; i < 4; i++) {
        arrive(&c, TAKER, DROPPER);
        crdt_sync_disk(&c, &c.nodes[DROPPER]);
        arrive(&c, DROPPER, TAKER);
    }
    assert_ptr_not_equal(taker->core.ask.peer, dropper);
    while (taker->core.machine->ops->collect(taker->core.machine, 100)) continue;
    arrive(&c, MAKER, TAKER);
    reads_at(&c, TAKER, "get k", "$1\r\n5\r\n");
    crdt_heal(&c);
    agree(&c);
    reads(&c, "get k", "$1\r\n5\r\n");
    crdt_close(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(D11_a_disk_that_is_behind),
        cmocka_unit_test(what_was_dropped_comes_with_its_reset),
        cmocka_unit_test(C05_what_was_dropped_is_not_settled),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
