// crdt and causal spaces and their node's disk: what is answered before it is there (DURABILITY group and volatile), what is not, and how much
// may wait for it.
#include "base/alloc.h"
#include "protocol/causal/message.h"
#include "protocol/crdt/message.h"
#include "protocol/merger/merger.h"
#include "test/support/group.h"

enum { WINDOW_MS = 60 };

typedef struct setting {
    group g;
    connection one, two; // at nodes 1 and 2
} setting;

static const char *const protocols[] = {"crdt", "causal"};
static const char *const durabilities[] = {"ALWAYS", "GROUP MS 60", "VOLATILE"};

// Messages that tell of a life's changes, by who sends them; in crdt spaces that includes every report.
static enum post count_told(group *g, const letter *l)
{
    bool ours = l->frame.kind == SK_FRAME_PROTOCOL && l->frame.space >= SK_SPACE_FIRST_ID;
    if (ours && (g->seen[0] == 0 || l->frame.payload.data[0] == SK_CAUSAL_BATCHES)) g->seen[l->from]++;
    return POST_DELIVER;
}

static setting *open_all(const char *protocol, const char *durability)
{
    char line[160];
    setting *s = sk_alloc_zeroed(sizeof *s);
    group_prepare(&s->g, 3);
    s->g.post = count_told;
    s->g.seen[0] = strcmp(protocol, "causal") == 0;
    group_open(&s->g);
    GROUP_UNTIL(&s->g, group_leader(&s->g));
    group_connect(&s->g, 1, &s->one);
    GROUP_UNTIL(&s->g, strcmp(group_ask(&s->g, 1, &s->one, "SET ready 1"), "+OK\r\n") == 0);
    snprintf(line, sizeof line, "SPACE CREATE made PREFIX m/ PROTOCOL %s DURABILITY %s", protocol, durability);
    assert_string_equal(group_ask(&s->g, 1, &s->one, line), "+OK\r\n");
    group_connect(&s->g, 2, &s->two);
    GROUP_UNTIL(&s->g, strcmp(group_ask(&s->g, 2, &s->two, "SET m/ready 1"), "+OK\r\n") == 0);
    group_run(&s->g, 5 * SK_S); // until all is told
    return s;
}

static void close_all(setting *s)
{
    group_disconnect(&s->g, 1, &s->one);
    group_disconnect(&s->g, 2, &s->two);
    group_close(&s->g);
    sk_free(s);
}

static void C02_a_life_is_on_disk_before_anybody_hears_of_it(void **state)
{
    for (int at = 0; at < 6; at++) {
        setting *s = open_all(protocols[at % 2], durabilities[at / 2]);
        group_disconnect(&s->g, 2, &s->two);
        group_stop(&s->g, 2);
        s->g.nodes[2].disk_stopped = true;
        s->g.seen[2] = 0;
        group_start(&s->g, 2);
        group_connect(&s->g, 2, &s->two);
        group_run(&s->g, 100 * SK_MS);
        group_send(&s->g, 2, &s->two, "INCR m/n");
        group_run(&s->g, 400 * SK_MS);
        assert_int_equal(s->two.output.size, 0);
        assert_int_equal(s->g.seen[2], 0);
        assert_string_equal(group_ask(&s->g, 1, &s->one, "GET m/n"), "$-1\r\n");
        s->g.nodes[2].disk_stopped = false;
        group_run(&s->g, 100 * SK_MS);
        assert_true(group_heard(&s->two, ":1\r\n"));
        assert_true(s->g.seen[2] > 0);
        // From here on it is as the space says.
        s->g.nodes[2].disk_stopped = true;
        sk_buffer_clear(&s->two.output);
        group_send(&s->g, 2, &s->two, "INCR m/n");
        group_run(&s->g, 5 * SK_MS);
        assert_int_equal(group_heard(&s->two, ":2\r\n"), at / 2 > 0);
        s->g.nodes[2].disk_stopped = false;
        group_run(&s->g, 100 * SK_MS);
        close_all(s);
    }
}

static size_t answers(const connection *c)
{
    size_t count = 0;
    for (size_t i = 0; i < c->output.size; i++) count += c->output.data[i] == ':';
    return count;
}

// The disk stands still, then takes one batch and stands still again: what is answered and not on disk is never more than one window has.
static void D11_answers_wait_for_a_disk_that_falls_behind(void **state)
{
    for (int at = 0; at < 2; at++) {
        setting *s = open_all(protocols[at], durabilities[1]);
        connection c;
        group_connect(&s->g, 2, &c);
        for (int round = 0; round < 3; round++) {
            s->g.nodes[2].disk_stopped = true;
            sk_buffer_clear(&c.output);
            for (int i = 0; i < 3 * WINDOW_MS; i++) {
                group_send(&s->g, 2, &c, "INCR m/n");
                group_turn(&s->g);
            }
            size_t early = answers(&c);
            assert_true(early >= WINDOW_MS - 5 && early <= WINDOW_MS);
            s->g.nodes[2].disk_stopped = false;
            GROUP_UNTIL(&s->g, answers(&c) == 3 * WINDOW_MS);
            group_run(&s->g, SK_S);
        }
        assert_null(memmem(c.output.data, c.output.size, "-", 1));
        group_disconnect(&s->g, 2, &c);
        close_all(s);
    }
}

// One write, and nothing after it: it is on disk within its window.
static void D11_what_waits_is_written_in_time(void **state)
{
    const sk_ns windows[] = {0, WINDOW_MS * SK_MS, 2 * SK_VOLATILE_WRITTEN_MS * SK_MS};
    for (int at = 1; at < 3; at++) {
        setting *s = open_all("crdt", durabilities[at]);
        sk_node *node = s->g.nodes[2].w.node;
        assert_string_equal(group_ask(&s->g, 2, &s->two, "INCR m/n"), ":1\r\n");
        assert_true(sk_node_space_facts(node, node->space_count - 1, false).not_synced > 0);
        group_run(&s->g, windows[at]);
        assert_int_equal(sk_node_space_facts(node, node->space_count - 1, false).not_synced, 0);
        close_all(s);
    }
}

static char *long_set(size_t size)
{
    static const char begin[] = "SET m/k ";
    char *line = sk_alloc(sizeof begin + size);
    memcpy(line, begin, sizeof begin - 1);
    memset(line + sizeof begin - 1, 'x', size);
    line[sizeof begin - 1 + size] = '\0';
    return line;
}

// The disk stands still within the window, and much is written: a quarter of the log's size may wait, no more, for votes are written behind it.
static void D11_no_more_waits_than_a_part_of_the_log(void **state)
{
    enum { SIZE = 60000, FIT = 96 * 1024 * 1024 / 4 / SIZE, WRITES = FIT + 30, TURN = 20 };
    setting *s = open_all("crdt", durabilities[2]);
    char *line = long_set(SIZE);
    connection c;
    group_connect(&s->g, 2, &c);
    s->g.nodes[2].disk_stopped = true;
    for (int i = 0; i < WRITES; i++) {
        group_send(&s->g, 2, &c, line);
        if (i % TURN == 0) group_turn(&s->g);
    }
    size_t early = 0;
    for (size_t i = 0; i < c.output.size; i++) early += c.output.data[i] == '+';
    assert_true(early >= FIT - TURN && early <= FIT + 1);
    s->g.nodes[2].disk_stopped = false;
    GROUP_UNTIL(&s->g, c.output.size == WRITES * strlen("+OK\r\n"));
    group_disconnect(&s->g, 2, &c);
    close_all(s);
    sk_free(line);
}

// The disk stands still: what others write is not taken without end, and who asks here for more is told that it was not taken.
static void D11_a_node_takes_no_more_than_its_disk_does(void **state)
{
    enum { SIZE = 60000, FIT = 96 * 1024 * 1024 / 4 / SIZE, WRITES = FIT + 100, MORE = 20 };
    char *line = long_set(SIZE);
    for (int at = 0; at < 2; at++) {
        setting *s = open_all(protocols[at], durabilities[0]);
        s->g.nodes[2].disk_stopped = true;
        for (int i = 0; i < WRITES; i++) assert_string_equal(group_ask(&s->g, 1, &s->one, line), "+OK\r\n");
        sk_node *node = s->g.nodes[2].w.node;
        uint64_t waiting = sk_node_space_facts(node, node->space_count - 1, false).not_synced;
        assert_true(waiting >= FIT - 10 && waiting <= FIT + 10);
        sk_buffer_clear(&s->two.output);
        for (int i = 0; i < MORE; i++) group_send(&s->g, 2, &s->two, "INCR m/n");
        group_run(&s->g, s->g.nodes[2].config.request_timeout + 10 * SK_MS);
        size_t refused = 0;
        for (size_t i = 0; i + 10 < s->two.output.size; i++) refused += memcmp(s->two.output.data + i, "-TRYAGAIN ", 10) == 0;
        assert_int_equal(refused, MORE);
        s->g.nodes[2].disk_stopped = false;
        group_run(&s->g, 5 * SK_S);
        assert_string_equal(group_ask(&s->g, 2, &s->two, "GET m/n"), "$-1\r\n");
        assert_string_equal(group_ask(&s->g, 2, &s->two, "STRLEN m/k"), ":60000\r\n");
        close_all(s);
    }
    sk_free(line);
}

// A small log: what a peer made is a quarter of it, and would wait for the report to be written. Whoever asks for more must not wait for that.
static void D11_what_is_too_much_is_written_at_once(void **state)
{
    setting *s = sk_alloc_zeroed(sizeof *s);
    group_prepare(&s->g, 2);
    s->g.nodes[2].config.wal = (sk_wal_config){.segment_size = 64 * 1024, .size_max = 4 * 64 * 1024};
    group_open(&s->g);
    GROUP_UNTIL(&s->g, group_leader(&s->g));
    group_connect(&s->g, 1, &s->one);
    GROUP_UNTIL(&s->g, strcmp(group_ask(&s->g, 1, &s->one, "SET ready 1"), "+OK\r\n") == 0);
    assert_string_equal(group_ask(&s->g, 1, &s->one, "SPACE CREATE made PREFIX m/ PROTOCOL crdt"), "+OK\r\n");
    group_connect(&s->g, 2, &s->two);
    GROUP_UNTIL(&s->g, strcmp(group_ask(&s->g, 2, &s->two, "SET m/ready 1"), "+OK\r\n") == 0);
    group_run(&s->g, 5 * SK_S);
    char line[256];
    int size = snprintf(line, sizeof line, "SET m/k %0200d", 7);
    assert_true(size > 0 && (size_t)size < sizeof line);
    for (int i = 0; i < 310; i++) group_send(&s->g, 1, &s->one, line); // fewer bytes than are written by themselves
    group_run(&s->g, 20 * SK_MS);
    sk_buffer_clear(&s->two.output);
    group_send(&s->g, 2, &s->two, "INCR m/n");
    group_run(&s->g, 20 * SK_MS);
    assert_true(group_heard(&s->two, ":1\r\n"));
    close_all(s);
}

// Node 1 says that it knows more of node 2's life than that does itself. How a report reads: protocol/crdt/message.h.
static void tell_of_a_lost_future(group *g, sk_space *space)
{
    sk_merger *merger = (sk_merger *)(void *)space->replica;
    sk_buffer payload = {0};
    sk_buffer bytes = {0};
    sk_merger_message report = {.kind = SK_CRDT_REPORT, .life = sk_merger_find_peer(merger, 1)->life, .heard_life = merger->life};
    sk_vector_copy(&report.seen, sk_merger_seen(merger));
    sk_vector_raise(&report.seen, sk_merger_self(merger), sk_vector_get(&report.seen, sk_merger_self(merger)) + 5);
    sk_merger_message_write(merger->form, &report, &payload);
    sk_frame_write(&bytes, &(sk_frame){.kind = SK_FRAME_PROTOCOL, .space = space->id, .payload = sk_buffer_slice(&payload)});
    letter l = letter_make(1, 2, sk_buffer_slice(&bytes));
    group_receive(g, &l);
    sk_buffer_deinit(&l.bytes);
    sk_buffer_deinit(&bytes);
    sk_buffer_deinit(&payload);
    sk_merger_message_deinit(&report);
}

// A request has run and waits for the disk when its replica must begin another life: it does not run again, and
// nobody is told that it lasts.
static void C01_begun_again_runs_nothing_twice(void **state)
{
    setting *s = open_all(protocols[0], durabilities[0]);
    const sk_node *node = s->g.nodes[2].w.node;
    sk_space *space = node->spaces[node->space_count - 1];
    uint64_t life = space->protocol->status(space->replica).epoch;
    s->g.nodes[2].disk_stopped = true;
    sk_buffer_clear(&s->two.output);
    group_send(&s->g, 2, &s->two, "INCR m/n");
    group_turn(&s->g);
    tell_of_a_lost_future(&s->g, space);
    group_run(&s->g, 20 * SK_MS);
    assert_true(space->protocol->status(space->replica).epoch > life);
    group_send(&s->g, 2, &s->two, "INCR m/other");
    group_run(&s->g, 20 * SK_MS);
    s->g.nodes[2].disk_stopped = false;
    GROUP_UNTIL(&s->g, s->two.output.size > 4 && !memcmp(s->two.output.data + s->two.output.size - 6, "\r\n:1\r\n", 6));
    assert_int_equal(memcmp(s->two.output.data, "-UNKNOWN ", 9), 0);
    group_run(&s->g, 5 * SK_S);
    assert_string_equal(group_ask(&s->g, 2, &s->two, "INCR m/n"), ":2\r\n");
    close_all(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(C02_a_life_is_on_disk_before_anybody_hears_of_it),
        cmocka_unit_test(C01_begun_again_runs_nothing_twice),
        cmocka_unit_test(D11_answers_wait_for_a_disk_that_falls_behind),
        cmocka_unit_test(D11_what_waits_is_written_in_time),
        cmocka_unit_test(D11_no_more_waits_than_a_part_of_the_log),
        cmocka_unit_test(D11_a_node_takes_no_more_than_its_disk_does),
        cmocka_unit_test(D11_what_is_too_much_is_written_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
