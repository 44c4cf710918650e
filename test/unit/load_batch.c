// Batches of sends and receives do the same with io_uring and without.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "cli/load_batch.h"

enum { PAIRS = 3 };

static void with(bool ring)
{
    sk_load_batch *batch = sk_load_batch_open(ring);
    int pairs[PAIRS][2];
    uint8_t text[PAIRS][8], got[PAIRS][8];
    sk_load_operation list[PAIRS];
    for (int i = 0; i < PAIRS; i++) {
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pairs[i]), 0); // blocking: nothing may wait all the same
        memset(text[i], 'a' + i, sizeof text[i]);
        list[i] = (sk_load_operation){.socket = pairs[i][1], .bytes = got[i], .size = sizeof got[i]};
    }
    sk_load_batch_receive(batch, list, PAIRS);
    for (int i = 0; i < PAIRS; i++) assert_int_equal(list[i].result, -EAGAIN);
    for (int i = 0; i < PAIRS; i++) list[i] = (sk_load_operation){.socket = pairs[i][0], .bytes = text[i], .size = (size_t)i + 1};
    sk_load_batch_send(batch, list, PAIRS);
    for (int i = 0; i < PAIRS; i++) assert_int_equal(list[i].result, i + 1);
    close(pairs[0][0]);
    for (int i = 0; i < PAIRS; i++) list[i] = (sk_load_operation){.socket = pairs[i][1], .bytes = got[i], .size = sizeof got[i]};
    sk_load_batch_receive(batch, list, PAIRS);
    for (int i = 0; i < PAIRS; i++) {
        assert_int_equal(list[i].result, i + 1);
        assert_memory_equal(got[i], text[i], (size_t)i + 1);
    }
    sk_load_batch_receive(batch, list, PAIRS);
    assert_int_equal(list[0].result, 0); // closed
    assert_int_equal(list[1].result, -EAGAIN);
    list[0] = (sk_load_operation){.socket = pairs[0][1], .bytes = text[0], .size = 1};
    list[1] = (sk_load_operation){.socket = pairs[1][1], .bytes = text[1], .size = 1};
    sk_load_batch_send(batch, list, 2);
    assert_int_equal(list[0].result, -EPIPE); // and no signal
    assert_int_equal(list[1].result, 1);
    for (int i = 0; i < PAIRS; i++) {
        if (i) close(pairs[i][0]);
        close(pairs[i][1]);
    }
    sk_load_batch_close(batch);
}

static void test_ring(void **state)
{
    with(true);
}

static void test_one_by_one(void **state)
{
    with(false);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_ring), cmocka_unit_test(test_one_by_one)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
