// The replicated window of requests: a retry never applies twice, gaps are refused, snapshots carry it all (R27, N06).
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/prng.h"
#include "node/session.h"

static sk_envelope request(sk_node_id origin, uint64_t boot, uint64_t number, uint64_t answered)
{
    return (sk_envelope){
        .flags = SK_ENVELOPE_ORIGIN, .origin = origin, .boot = boot, .number = number, .answered = answered};
}

static enum sk_session_verdict judge(sk_sessions *sessions, sk_envelope envelope, sk_slice *reply)
{
    return sk_session_judge(sessions, &envelope, reply);
}

static void execute(sk_sessions *sessions, sk_envelope envelope, const char *reply)
{
    sk_slice kept;
    assert_int_equal(sk_session_judge(sessions, &envelope, &kept), SK_SESSION_EXECUTE);
    sk_session_executed(sessions, &envelope, sk_slice_text(reply));
}

static void assert_reply(sk_slice reply, const char *text)
{
    assert_true(sk_slice_equal(reply, sk_slice_text(text)));
}

static void R27_retry_is_answered_not_applied(void **state)
{
    sk_sessions sessions;
    sk_sessions_init(&sessions);
    execute(&sessions, request(1, 7, 1, 0), "+one");
    execute(&sessions, request(1, 7, 2, 0), "+two");
    sk_slice reply;
    assert_int_equal(judge(&sessions, request(1, 7, 1, 0), &reply), SK_SESSION_REPEAT);
    assert_reply(reply, "+one");
    assert_int_equal(judge(&sessions, request(1, 7, 2, 1), &reply), SK_SESSION_REPEAT);
    assert_reply(reply, "+two");
    assert_int_equal(judge(&sessions, request(1, 7, 1, 1), &reply), SK_SESSION_FORGOTTEN);
    sk_sessions_deinit(&sessions);
}

// What a space remembers has a bound: a large reply is given once.
static void large_replies_are_not_kept(void **state)
{
    sk_sessions sessions;
    sk_sessions_init(&sessions);
    char large[SK_SESSION_REPLY_MAX + 2];
    for (size_t i = 0; i < sizeof large; i++) large[i] = i + 1 < sizeof large ? 'x' : 0;
    execute(&sessions, request(1, 7, 1, 0), large + 1);
    execute(&sessions, request(1, 7, 2, 0), large);
    sk_slice reply;
    assert_int_equal(judge(&sessions, request(1, 7, 1, 0), &reply), SK_SESSION_REPEAT);
    assert_reply(reply, large + 1);
    assert_int_equal(judge(&sessions, request(1, 7, 2, 0), &reply), SK_SESSION_REPEAT);
    assert_false(sk_session_reply_kept(reply));
    assert_true(sk_session_reply_kept(sk_slice_text(large + 1)));
    assert_true(reply.size < 128 && memcmp(reply.data, "-UNKNOWN ", 9) == 0);
    sk_sessions_deinit(&sessions);
}

// An origin that never says what it has heard costs so much and no more, the same on every replica.
static void R27_a_silent_origin_costs_a_bound(void **state)
{
    static char reply_of[2][SK_SESSION_REPLY_MAX + 1]; // as large as are kept, and as small as there are
    memset(reply_of[0], 'x', SK_SESSION_REPLY_MAX);
    for (int kind = 0; kind < 2; kind++) {
        uint64_t most = kind ? SK_SESSION_KEPT_COUNT_MAX : SK_SESSION_KEPT_BYTES_MAX / SK_SESSION_REPLY_MAX;
        sk_sessions sessions;
        sk_sessions_init(&sessions);
        uint64_t last = most + most / 2;
        for (uint64_t number = 1; number <= last; number++) execute(&sessions, request(1, 7, number, 0), reply_of[kind]);
        sk_slice reply;
        assert_int_equal(sk_session_look(&sessions, 1, 7, last - most, &reply), SK_SESSION_FORGOTTEN);
        assert_int_equal(sk_session_look(&sessions, 1, 7, last - most + 1, &reply), SK_SESSION_REPEAT);
        assert_reply(reply, reply_of[kind]);
        assert_true(sk_sessions_memory(&sessions) <= 4 * (size_t)SK_SESSION_KEPT_BYTES_MAX);
        sk_sessions_deinit(&sessions);
    }
}

static void gaps_are_refused_and_change_nothing(void **state)
{
    sk_sessions sessions;
    sk_sessions_init(&sessions);
    sk_slice reply;
    assert_int_equal(judge(&sessions, request(2, 1, 2, 0), &reply), SK_SESSION_GAP);
    execute(&sessions, request(2, 1, 1, 0), "+a");
    assert_int_equal(judge(&sessions, request(2, 1, 3, 0), &reply), SK_SESSION_GAP);
    execute(&sessions, request(2, 1, 2, 0), "+b");
    sk_sessions_deinit(&sessions);
}

static void a_new_boot_starts_anew_and_the_old_is_stale(void **state)
{
    sk_sessions sessions;
    sk_sessions_init(&sessions);
    sk_slice reply;
    execute(&sessions, request(1, 1, 1, 0), "+old");
    execute(&sessions, request(1, 2, 1, 0), "+new");
    assert_int_equal(judge(&sessions, request(1, 1, 2, 0), &reply), SK_SESSION_STALE);
    assert_int_equal(judge(&sessions, request(1, 2, 1, 0), &reply), SK_SESSION_REPEAT);
    assert_reply(reply, "+new");
    sk_sessions_deinit(&sessions);
}

static void N06_snapshot_carries_replies(void **state)
{
    sk_sessions sessions, restored;
    sk_sessions_init(&sessions);
    sk_sessions_init(&restored);
    execute(&sessions, request(3, 5, 1, 0), "+x");
    execute(&sessions, request(1, 9, 1, 0), "$3\r\nabc\r\n");
    execute(&sessions, request(1, 9, 2, 1), ":2\r\n");
    sk_buffer bytes = {0};
    sk_sessions_write(&sessions, &bytes);
    sk_reader reader = sk_reader_make(sk_buffer_slice(&bytes));
    assert_int_equal(sk_sessions_read(&restored, &reader), 0);
    assert_true(sk_reader_done(&reader));
    assert_int_equal(sk_sessions_digest(&sessions), sk_sessions_digest(&restored));
    sk_slice reply;
    assert_int_equal(judge(&restored, request(1, 9, 2, 1), &reply), SK_SESSION_REPEAT);
    assert_reply(reply, ":2\r\n");
    assert_int_equal(sk_session_look(&restored, 3, 5, 1, &reply), SK_SESSION_REPEAT);
    assert_reply(reply, "+x");
    for (size_t size = 0; size < bytes.size; size++) { // every truncation is found, and changes nothing
        reader = sk_reader_make(sk_slice_make(bytes.data, size));
        assert_int_equal(sk_sessions_read(&restored, &reader), SK_ECORRUPT);
    }
    assert_int_equal(sk_sessions_digest(&sessions), sk_sessions_digest(&restored));
    sk_buffer_deinit(&bytes);
    sk_sessions_deinit(&sessions);
    sk_sessions_deinit(&restored);
}

// Shuffled, doubled and delayed requests of one origin: each number executes once, in order.
static void random_retries_execute_once(void **state)
{
    for (uint64_t seed = 1; seed <= 200; seed++) {
        sk_prng prng;
        sk_prng_init(&prng, seed);
        sk_sessions sessions;
        sk_sessions_init(&sessions);
        uint64_t executed = 0, answered = 0;
        for (int i = 0; i < 500; i++) {
            uint64_t number = answered + 1 + sk_prng_below(&prng, 8);
            sk_envelope envelope = request(4, 1, number, answered);
            sk_slice reply;
            char text[32];
            snprintf(text, sizeof text, "+%llu", (unsigned long long)number);
            switch (sk_session_judge(&sessions, &envelope, &reply)) {
            case SK_SESSION_EXECUTE:
                assert_int_equal(number, executed + 1);
                executed++;
                sk_session_executed(&sessions, &envelope, sk_slice_text(text));
                break;
            case SK_SESSION_REPEAT:
                assert_true(number <= executed);
                assert_reply(reply, text);
                break;
            case SK_SESSION_GAP:
                assert_true(number > executed + 1);
                break;
            default:
                fail();
            }
            if (executed > answered && sk_prng_chance(&prng, 1, 3)) answered++;
        }
        assert_true(executed > 20);
        sk_sessions_deinit(&sessions);
    }
}

static void envelopes_survive_the_trip(void **state)
{
    sk_envelope envelope = {.flags = SK_ENVELOPE_ORIGIN | SK_ENVELOPE_OFFSET | SK_ENVELOPE_RESP3,
                            .clock_ms = 123456789,
                            .wall_offset_ms = -5,
                            .origin = 255,
                            .boot = UINT64_MAX,
                            .number = 1000,
                            .answered = 990,
                            .command = sk_slice_text("command")};
    sk_buffer bytes = {0};
    sk_envelope_write(&bytes, &envelope);
    sk_envelope read;
    assert_int_equal(sk_envelope_read(sk_buffer_slice(&bytes), &read), 0);
    assert_int_equal(read.flags, envelope.flags);
    assert_int_equal(read.clock_ms, envelope.clock_ms);
    assert_int_equal(read.wall_offset_ms, envelope.wall_offset_ms);
    assert_int_equal(read.origin, envelope.origin);
    assert_true(read.boot == envelope.boot && read.number == 1000 && read.answered == 990);
    assert_true(sk_slice_equal(read.command, envelope.command));
    for (size_t size = 0; size + envelope.command.size < bytes.size; size++) {
        assert_int_equal(sk_envelope_read(sk_slice_make(bytes.data, size), &read), SK_EPROTOCOL);
    }
    sk_buffer_deinit(&bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(R27_retry_is_answered_not_applied),
        cmocka_unit_test(large_replies_are_not_kept),
        cmocka_unit_test(R27_a_silent_origin_costs_a_bound),
        cmocka_unit_test(gaps_are_refused_and_change_nothing),
        cmocka_unit_test(a_new_boot_starts_anew_and_the_old_is_stale),
        cmocka_unit_test(N06_snapshot_carries_replies),
        cmocka_unit_test(random_retries_execute_once),
        cmocka_unit_test(envelopes_survive_the_trip),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
