// What nodes say about themselves, read from RESP: whole, in part, with more than we know, and wrong.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "cli/view.h"

// "id 1 name 'a b' spaces [[...]]" would need a parser; replies are written as RESP with sizes filled in here.
static void text(sk_buffer *out, const char *word)
{
    sk_buffer_printf(out, "$%zu\r\n%s\r\n", strlen(word), word);
}

static void pair(sk_buffer *out, const char *name, uint64_t value)
{
    text(out, name);
    sk_buffer_printf(out, ":%llu\r\n", (unsigned long long)value);
}

typedef struct node_facts {
    uint32_t id;
    const char *role;
    uint64_t epoch, committed, applied;
    uint32_t peer; // with a round trip of 250 us
} node_facts;

static int read_status(const node_facts *facts, sk_node_view *out)
{
    sk_buffer bytes = {0};
    sk_buffer_append_text(&bytes, "*14\r\n");
    pair(&bytes, "node", facts->id);
    pair(&bytes, "cpu_us", 200000);
    pair(&bytes, "commands", 1000);
    pair(&bytes, "rss_bytes", 4200000);
    text(&bytes, "something new");
    sk_buffer_append_text(&bytes, "*1\r\n:1\r\n");
    text(&bytes, "spaces");
    sk_buffer_append_text(&bytes, "*2\r\n*4\r\n");
    pair(&bytes, "id", 0);
    text(&bytes, "role");
    text(&bytes, "leader");
    sk_buffer_append_text(&bytes, "*12\r\n");
    pair(&bytes, "id", 1);
    text(&bytes, "role");
    text(&bytes, facts->role);
    pair(&bytes, "epoch", facts->epoch);
    pair(&bytes, "committed", facts->committed);
    pair(&bytes, "applied", facts->applied);
    pair(&bytes, "serving", 1);
    text(&bytes, "peers");
    sk_buffer_append_text(&bytes, "*1\r\n*6\r\n");
    pair(&bytes, "id", facts->peer);
    pair(&bytes, "linked", 1);
    pair(&bytes, "round_trip_us", 250);
    sk_resp_value value = {0};
    size_t used = 0;
    assert_int_equal(sk_resp_value_parse(sk_buffer_slice(&bytes), &value, &used), 1);
    assert_int_equal(used, bytes.size);
    int error = sk_view_read_status(&value, out);
    sk_resp_value_deinit(&value);
    sk_buffer_deinit(&bytes);
    return error;
}

static int read_text(const char *resp, sk_node_view *node, sk_cluster_view *cluster)
{
    sk_resp_value value = {0};
    size_t used = 0;
    assert_int_equal(sk_resp_value_parse(sk_slice_text(resp), &value, &used), 1);
    int error = node ? sk_view_read_status(&value, node) : sk_view_read_list(&value, cluster);
    sk_resp_value_deinit(&value);
    return error;
}

static sk_cluster_view three_nodes(void)
{
    static const node_facts facts[] = {
        {1, "leader", 6, 90, 90, 2}, // an old leader that does not know it yet
        {2, "leader", 7, 100, 100, 3},
        {3, "follower", 7, 100, 93, 2},
    };
    sk_cluster_view cluster = {.count = 3};
    for (size_t i = 0; i < 3; i++) assert_int_equal(read_status(&facts[i], &cluster.nodes[i]), 0);
    return cluster;
}

static void a_status_is_read(void **state)
{
    sk_cluster_view cluster = three_nodes();
    const sk_node_view *node = &cluster.nodes[2];
    assert_true(node->answered);
    assert_int_equal(node->id, 3);
    assert_int_equal(node->rss_bytes, 4200000);
    assert_int_equal(node->space_count, 2);
    assert_string_equal(sk_view_default_space(node)->role, "follower");
    assert_int_equal(sk_view_default_space(node)->applied, 93);
    assert_true(sk_view_default_space(node)->serving);
}

static void commands_a_joule_are_of_all_that_answer(void **state)
{
    sk_cluster_view cluster = three_nodes();
    assert_true(sk_view_per_joule(&cluster) == 1000.0); // 3,000 for 0.6 s of a core at 5 W
    cluster.nodes[0].answered = false;
    cluster.nodes[1].commands = 5000;
    assert_true(sk_view_per_joule(&cluster) == 3000.0);
    cluster.count = 0;
    assert_true(sk_view_per_joule(&cluster) == 0);
}

static void the_newest_leader_counts(void **state)
{
    sk_cluster_view cluster = three_nodes();
    assert_ptr_equal(sk_view_leader(&cluster), &cluster.nodes[1]);
    assert_int_equal(sk_view_lag(&cluster, &cluster.nodes[2]), 7);
    assert_int_equal(sk_view_lag(&cluster, &cluster.nodes[0]), 10);
    assert_int_equal(sk_view_round_trip(&cluster, &cluster.nodes[2]), 250); // as the leader measured it
    assert_int_equal(sk_view_round_trip(&cluster, &cluster.nodes[1]), 0);
    cluster.nodes[1].answered = false;
    assert_ptr_equal(sk_view_leader(&cluster), &cluster.nodes[0]);
    cluster.nodes[0].answered = false;
    assert_null(sk_view_leader(&cluster));
    assert_int_equal(sk_view_lag(&cluster, &cluster.nodes[2]), 0);
}

static void rows_fit_the_screen(void **state)
{
    sk_cluster_view cluster = three_nodes();
    char row[256];
    for (size_t i = 0; i < 3; i++) {
        sk_view_row(&cluster, &cluster.nodes[i], row, sizeof row);
        assert_int_equal(strlen(row), strlen(sk_view_heading));
        assert_true(strlen(row) <= 74);
    }
    assert_non_null(strstr(row, "4.2 MB"));
    cluster.nodes[0].answered = false;
    snprintf(cluster.nodes[0].why, sizeof cluster.nodes[0].why, "refused");
    sk_view_row(&cluster, &cluster.nodes[0], row, sizeof row);
    assert_non_null(strstr(row, "unreachable: refused"));
}

static void a_list_is_read(void **state)
{
    sk_cluster_view cluster;
    assert_int_equal(read_text("*2\r\n*4\r\n+id\r\n:1\r\n+peer_address\r\n+a:1\r\n*4\r\n+id\r\n:2\r\n+client_address\r\n+b\x01:2\r\n",
                               NULL, &cluster),
                     0);
    assert_int_equal(cluster.count, 2);
    assert_string_equal(cluster.nodes[0].peer_address, "a:1");
    assert_string_equal(cluster.nodes[0].client_address, "");
    assert_string_equal(cluster.nodes[1].client_address, "b?:2"); // nothing that a terminal would obey
}

static void what_is_not_a_status_is_refused(void **state)
{
    static const char *const wrong[] = {
        "+OK\r\n", ":1\r\n", "*1\r\n+node\r\n", "*2\r\n+spaces\r\n:1\r\n", "*2\r\n+spaces\r\n*1\r\n:1\r\n",
        "*2\r\n+peers\r\n+x\r\n", "*2\r\n+peers\r\n*1\r\n*1\r\n+id\r\n",
    };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        sk_node_view node = {0};
        assert_int_equal(read_text(wrong[i], &node, NULL), SK_EPROTOCOL);
        assert_false(node.answered);
    }
    sk_cluster_view cluster;
    assert_int_equal(read_text("+OK\r\n", NULL, &cluster), SK_EPROTOCOL);
    assert_int_equal(read_text("*1\r\n:1\r\n", NULL, &cluster), SK_EPROTOCOL);
}

static void more_nodes_than_room_are_cut(void **state)
{
    sk_buffer bytes = {0};
    sk_buffer_printf(&bytes, "*%d\r\n", SK_VIEW_NODES_MAX + 5);
    for (int i = 0; i < SK_VIEW_NODES_MAX + 5; i++) sk_buffer_printf(&bytes, "*2\r\n+id\r\n:%d\r\n", i + 1);
    sk_buffer_append_byte(&bytes, 0);
    sk_cluster_view cluster;
    assert_int_equal(read_text((const char *)bytes.data, NULL, &cluster), 0);
    assert_int_equal(cluster.count, SK_VIEW_NODES_MAX);
    sk_buffer_deinit(&bytes);
}

static void sizes_are_short(void **state)
{
    static const struct {
        uint64_t bytes;
        const char *text;
    } table[] = {
        {0, "0 B"},           {999, "999 B"},           {1000, "1.0 kB"},          {123456, "123 kB"},
        {999499, "999 kB"},   {999999, "1.0 MB"},       {12345678, "12.3 MB"},     {UINT64_MAX, "18447 PB"},
    };
    char out[24];
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        assert_string_equal(sk_view_bytes(out, sizeof out, table[i].bytes), table[i].text);
    }
    assert_string_equal(sk_view_micros(out, sizeof out, 0), "-");
    assert_string_equal(sk_view_micros(out, sizeof out, 213), "0.21 ms");
    assert_string_equal(sk_view_micros(out, sizeof out, 2500000), "2.5 s");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_status_is_read),
        cmocka_unit_test(the_newest_leader_counts),
        cmocka_unit_test(commands_a_joule_are_of_all_that_answer),
        cmocka_unit_test(rows_fit_the_screen),
        cmocka_unit_test(a_list_is_read),
        cmocka_unit_test(what_is_not_a_status_is_refused),
        cmocka_unit_test(more_nodes_than_room_are_cut),
        cmocka_unit_test(sizes_are_short),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
