// A space on one node: its clock, and what its snapshots and its log give back after a restart.
#include "node/state.h"
#include "test/support/one_node.h"

typedef struct space_world {
    world w;
    connection c;
    sk_node_config config;
} space_world;

static uint64_t wall_ms_now; // the wall clock of these tests jumps

static uint64_t jumping_wall_ms(sk_node_host *host)
{
    return wall_ms_now;
}

static void space_open_with(space_world *s) // as s->config says
{
    static sk_node_host_ops ops;
    ops = host_ops;
    ops.wall_ms = jumping_wall_ms;
    wall_ms_now = 1700000000000;
    world_open(&s->w, &s->config);
    s->w.host.ops = &ops;
    connect_client(&s->w, &s->c, "10.0.0.9:50000");
}

static void space_open(space_world *s, uint64_t log_entries_max)
{
    world_prepare(&s->config);
    if (log_entries_max) s->config.limits.log_entries_max = log_entries_max;
    space_open_with(s);
}

static void space_close(space_world *s)
{
    disconnect(&s->w, &s->c);
    world_close(&s->w);
}

// The process ends and begins again, `later`; nothing that was written is lost.
static void space_restart(space_world *s, sk_ns later)
{
    disconnect(&s->w, &s->c);
    while (sim_disk_step(s->w.disk)) continue;
    sk_identity identity = *sk_node_identity(s->w.node);
    sk_node_close(s->w.node);
    s->w.now += later;
    char problem[256];
    assert_int_equal(sk_node_open(&s->w.node, &s->config, &identity, &s->w.host, sim_disk_face(s->w.disk),
                                  &s->w.sink, s->w.now, problem, sizeof problem),
                     0);
    connect_client(&s->w, &s->c, "10.0.0.9:50000");
}

static sk_space_facts default_space(const space_world *s)
{
    return sk_node_space_facts(s->w.node, SK_SPACE_DEFAULT, true);
}

static long ask_number(space_world *s, const char *line)
{
    sk_resp_value value = ask_value(&s->w, &s->c, line);
    assert_int_equal(value.type, SK_RESP_INTEGER);
    return (long)value.integer;
}

static void wait_for(space_world *s, sk_ns time)
{
    for (sk_ns end = s->w.now + time; s->w.now < end;) turn(&s->w, 10 * SK_MS);
}

// Until it leads again and has applied so much.
static sk_space_facts caught_up(space_world *s, uint64_t position)
{
    for (int i = 0; i < 5000 && default_space(s).applied < position; i++) turn(&s->w, SK_MS);
    assert_true(default_space(s).applied >= position);
    return default_space(s);
}

// ---- The clock ----

// A deadline runs by elapsed time, whatever the wall clock does meanwhile.
static void L07_the_wall_clock_expires_nothing(void **state)
{
    static const int64_t jumps[] = {3600 * 1000, -288 * 1000, -1700000000000 + 1, 288 * 1000};
    for (size_t i = 0; i < sizeof jumps / sizeof *jumps; i++) {
        space_world s;
        space_open(&s, 0);
        ask(&s.w, &s.c, "SET other x"); // the offset between the clocks is known from here on
        assert_string_equal(ask(&s.w, &s.c, "SET key value PX 10000"), "+OK\r\n");
        wall_ms_now += (uint64_t)jumps[i];
        ask(&s.w, &s.c, "SET other y");
        wait_for(&s, 5 * SK_S);
        ask(&s.w, &s.c, "SET other z");
        assert_string_equal(ask(&s.w, &s.c, "GET key"), "$5\r\nvalue\r\n");
        assert_in_range(ask_number(&s, "PTTL key"), 4500, 5000);
        wait_for(&s, 6 * SK_S);
        assert_string_equal(ask(&s.w, &s.c, "GET key"), "$-1\r\n");
        space_close(&s);
    }
}

// A new leader may not have applied yet what its predecessor stamped: an entry may say less than the one before it.
static void L07_the_clock_never_goes_back(void **state)
{
    space_world s;
    space_open(&s, 0);
    ask(&s.w, &s.c, "INCR counter");
    wait_for(&s, 5 * SK_S);
    sk_space *space = s.w.node->spaces[SK_SPACE_DEFAULT];
    uint64_t applied = default_space(&s).clock_ms;
    for (int i = 0; i < 2; i++) {
        sk_buffer_append_text(&s.c.input, "INCR counter\r\n");
        feed(&s.w, &s.c);
        space->clock.base_ms = applied; // as an election does
        space->clock.base_time = s.w.now;
    }
    settle(&s.w, &s.c);
    assert_int_equal(ask_number(&s, "INCRBY counter 0"), 3);
    assert_true(default_space(&s).clock_ms >= applied + 4000);
    space_close(&s);
}

// A new leader counts from when it was elected, and from what was applied: never twice the same time.
static void L04_an_election_expires_nothing(void **state)
{
    space_world s;
    space_open(&s, 0);
    wait_for(&s, 60 * SK_S); // a leader that has been in office for long, and has ordered nothing
    ask(&s.w, &s.c, "SET key value PX 10000");
    wait_for(&s, SK_S);
    space_restart(&s, 3600 * SK_S);
    ask(&s.w, &s.c, "SET other x");
    assert_in_range(ask_number(&s, "PTTL key"), 8000, 10000); // late, never early
    space_close(&s);
}

// The same log gives the same state, at whatever time of whatever clock it is applied.
static void R32_what_is_applied_depends_on_the_log_alone(void **state)
{
    space_world s;
    space_open(&s, 0);
    ask(&s.w, &s.c, "SET counter 1");
    for (int i = 0; i < 20; i++) {
        char line[64];
        snprintf(line, sizeof line, "SET key%d value PX %d", i, 1000 + 50 * i);
        ask(&s.w, &s.c, line);
        assert_in_range(ask_number(&s, "PTTL key0"), 1, 1000);
        ask(&s.w, &s.c, "INCR counter");
        wall_ms_now += 3600 * 1000 * (uint64_t)(i % 3);
    }
    wait_for(&s, SK_S);
    sk_space_facts before = default_space(&s);
    for (int i = 0; i < 2; i++) {
        wall_ms_now = i ? 5 : 2000000000000;
        space_restart(&s, 3600 * SK_S);
        sk_space_facts after = caught_up(&s, before.applied);
        assert_int_equal(after.keys, before.keys);
        assert_int_equal(after.clock_ms, before.clock_ms);
        assert_true(after.digest == before.digest);
    }
    space_close(&s);
}

// ---- Snapshots ----

// State moves at every turn while snapshots are taken; what a start gets from one is the state at its index.
static void counters_survive(uint64_t rounds, sk_ns pace)
{
    space_world s;
    space_open(&s, 20);
    uint64_t asked = 0;
    for (uint64_t round = 0; round < rounds; round++) {
        for (int i = 0; i < 40; i++) {
            sk_buffer_append_text(&s.c.input, "INCR counter\r\nAPPEND list x\r\n");
            feed(&s.w, &s.c);
            turn(&s.w, pace);
            asked++;
        }
        uint64_t applied = caught_up(&s, 2 * asked).applied;
        for (int i = 0; i < 1000 && !default_space(&s).snapshot_position; i++) turn(&s.w, SK_MS);
        assert_true(default_space(&s).snapshot_position > 0);
        space_restart(&s, SK_S);
        caught_up(&s, applied);
        assert_int_equal(ask_number(&s, "INCRBY counter 0"), asked);
        assert_int_equal(ask_number(&s, "STRLEN list"), asked);
    }
    space_close(&s);
}

static void R22_index_and_data_are_of_one_moment(void **state)
{
    counters_survive(4, SK_MS);
    counters_survive(4, 100 * SK_US);
}

static void N07_a_snapshot_does_not_move(void **state)
{
    counters_survive(4, 300 * SK_US);
    counters_survive(4, 3 * SK_MS);
}

// What a snapshot alone gives back: keys with their deadlines, the clock they count by, who asked for what.
static void N06_a_snapshot_carries_everything(void **state)
{
    space_world s;
    space_open(&s, 20);
    ask(&s.w, &s.c, "SET a 1 PX 10000");
    ask(&s.w, &s.c, "SET b 1 PX 12000");
    ask(&s.w, &s.c, "SET c 1");
    sk_space_facts before = default_space(&s);
    for (int i = 0; before.snapshot_position < before.applied; i++) { // until one covers all there is
        assert_true(i < 60);
        ask(&s.w, &s.c, "INCR counter");
        for (int k = 0; k < 50; k++) turn(&s.w, SK_MS);
        before = default_space(&s);
    }
    space_restart(&s, 0);
    sk_space_facts after = default_space(&s); // nothing of the log has been applied yet
    assert_int_equal(after.applied, before.applied);
    assert_int_equal(after.clock_ms, before.clock_ms);
    assert_true(after.digest == before.digest);
    caught_up(&s, before.applied);
    assert_in_range(ask_number(&s, "PTTL a"), 5000, 10000);
    assert_in_range(ask_number(&s, "PTTL b"), 7000, 12000);
    wait_for(&s, 13 * SK_S);
    assert_int_equal(default_space(&s).keys, 2); // gone by themselves: nobody has asked for them
    space_close(&s);
}

// Without a snapshot every segment is needed, however long ago its entries were applied.
static void N05_the_log_stays_until_a_snapshot_covers_it(void **state)
{
    space_world s;
    world_prepare(&s.config);
    s.config.wal.segment_size = 16 * 1024;
    space_open_with(&s);
    char line[1200];
    for (int i = 0; i < 60; i++) {
        memset(line, 'x', sizeof line);
        line[snprintf(line, sizeof line, "SET key%d ", i)] = 'x';
        line[sizeof line - 1] = 0;
        assert_string_equal(ask(&s.w, &s.c, line), "+OK\r\n");
    }
    wait_for(&s, SK_S);
    sk_space_facts before = default_space(&s);
    assert_int_equal(before.snapshot_position, 0);
    space_restart(&s, SK_S);
    sk_space_facts after = caught_up(&s, before.applied);
    assert_int_equal(after.keys, 60);
    space_close(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(L07_the_wall_clock_expires_nothing),
        cmocka_unit_test(L07_the_clock_never_goes_back),
        cmocka_unit_test(L04_an_election_expires_nothing),
        cmocka_unit_test(R32_what_is_applied_depends_on_the_log_alone),
        cmocka_unit_test(R22_index_and_data_are_of_one_moment),
        cmocka_unit_test(N07_a_snapshot_does_not_move),
        cmocka_unit_test(N06_a_snapshot_carries_everything),
        cmocka_unit_test(N05_the_log_stays_until_a_snapshot_covers_it),
    };
    return cmocka_run_group_tests_name("space", tests, NULL, NULL);
}
