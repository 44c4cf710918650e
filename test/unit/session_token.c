// SESSION TOKEN and USE: on one node; the text of tokens, whole and damaged.
#include "node/state.h"
#include "redis/command.h"
#include "test/support/one_node.h"

static void open_all(world *w, connection *c)
{
    sk_node_config config;
    world_prepare(&config);
    world_open(w, &config);
    connect_client(w, c, "10.0.0.2:1234");
    ask(w, c, "PING");
    for (int i = 0; i < 500 && strncmp(ask(w, c, "SET ready 1"), "+OK", 3); i++) turn(w, 10 * SK_MS);
    assert_string_equal(ask(w, c, "SPACE CREATE shadows PREFIX s/ PROTOCOL causal"), "+OK\r\n");
    for (int i = 0; i < 500 && strncmp(ask(w, c, "SET s/ready 1"), "+OK", 3); i++) turn(w, 10 * SK_MS);
}

// The text of a bulk reply, copied.
static void token_of(const char *reply, char *out, size_t size)
{
    const char *from = strchr(reply, '\n');
    assert_true(reply[0] == '$' && from);
    const char *to = strchr(from + 1, '\r');
    assert_true(to && (size_t)(to - from) <= size);
    memcpy(out, from + 1, (size_t)(to - from - 1));
    out[to - from - 1] = 0;
}

static void begins(const char *text, const char *with)
{
    if (strncmp(text, with, strlen(with))) fail_msg("'%s' does not begin with '%s'", text, with);
}

static void a_token_and_its_use(void **state)
{
    world w;
    connection c, other;
    char token[512], line[600];
    open_all(&w, &c);
    connect_client(&w, &other, "10.0.0.2:1235");
    begins(ask(&w, &other, "SESSION TOKEN"), "$"); // about nothing
    assert_string_equal(ask(&w, &c, "SET s/a 1"), "+OK\r\n");
    token_of(ask(&w, &c, "SESSION TOKEN"), token, sizeof token);
    snprintf(line, sizeof line, "SESSION USE %s WAIT 0", token);
    assert_string_equal(ask(&w, &other, line), "+OK\r\n");
    // What it was used for is part of what the connection hands on.
    char again[512];
    token_of(ask(&w, &other, "SESSION TOKEN"), again, sizeof again);
    assert_string_equal(again, token);
    assert_string_equal(ask(&w, &c, "RESET"), "+RESET\r\n");
    assert_true(strlen(ask(&w, &c, "SESSION TOKEN")) < strlen(token));
    disconnect(&w, &c);
    disconnect(&w, &other);
    world_close(&w);
}

// What was read may be on no disk yet: a token for it is not given before.
static void V07_a_token_stands_for_what_lasts(void **state)
{
    world w;
    connection writer, reader;
    open_all(&w, &writer);
    connect_client(&w, &reader, "10.0.0.2:1235");
    ask(&w, &reader, "GET s/a");
    sk_buffer_clear(&reader.output);
    sk_buffer_append_text(&writer.input, "SET s/a 1\r\n");
    feed(&w, &writer);
    sk_node_turn(w.node); // the disk has not done it
    sk_buffer_append_text(&reader.input, "GET s/a\r\n");
    feed(&w, &reader);
    sk_node_turn(w.node);
    sk_buffer_append_byte(&reader.output, 0);
    assert_string_equal((const char *)reader.output.data, "$1\r\n1\r\n");
    sk_buffer_clear(&reader.output);
    sk_buffer_append_text(&reader.input, "SESSION TOKEN\r\n");
    feed(&w, &reader);
    for (int i = 0; i < 3; i++) sk_node_turn(w.node);
    assert_int_equal(reader.output.size, 0);
    settle(&w, &reader);
    assert_true(reader.output.size > 0 && reader.output.data[0] == '$');
    settle(&w, &writer);
    disconnect(&w, &writer);
    disconnect(&w, &reader);
    world_close(&w);
}

// Somebody's writes that no node but a lost one has had: an honest answer in time.
static void V07_what_is_not_here_is_waited_for_and_then_refused(void **state)
{
    world w;
    connection c;
    open_all(&w, &c);
    sk_token_wait wait = {.count = 1};
    sk_space *space = w.node->spaces[w.node->space_count - 1];
    assert_string_equal(space->name, "shadows");
    wait.parts[0].space = space->id;
    sk_vector_raise(&wait.parts[0].seen, sk_actor_make(2, 7), 3);
    sk_buffer text = {0};
    sk_token_write(w.node, &wait, &text);
    char line[600];
    snprintf(line, sizeof line, "SESSION USE %.*s WAIT 100", (int)text.size, (const char *)text.data);
    sk_ns before = w.now;
    begins(ask(&w, &c, line), "-TRYAGAIN");
    assert_true(w.now - before >= 100 * SK_MS && w.now - before < 200 * SK_MS);
    snprintf(line, sizeof line, "SESSION USE %.*s", (int)text.size, (const char *)text.data);
    before = w.now;
    begins(ask(&w, &c, line), "-TRYAGAIN");
    assert_true(w.now - before >= w.node->config.request_timeout);
    sk_vector_deinit(&wait.parts[0].seen);
    sk_buffer_deinit(&text);
    disconnect(&w, &c);
    world_close(&w);
}

static void a_client_that_goes_while_it_waits(void **state)
{
    world w;
    connection c;
    open_all(&w, &c);
    sk_token_wait wait = {.count = 1};
    wait.parts[0].space = w.node->spaces[w.node->space_count - 1]->id;
    sk_vector_raise(&wait.parts[0].seen, sk_actor_make(2, 7), 3);
    sk_buffer text = {0};
    sk_token_write(w.node, &wait, &text);
    sk_buffer_append_text(&c.input, "SESSION USE ");
    sk_buffer_append_slice(&c.input, sk_buffer_slice(&text));
    sk_buffer_append_text(&c.input, "\r\n");
    feed(&w, &c);
    turn(&w, SK_MS);
    disconnect(&w, &c);
    turn(&w, 5 * SK_S);
    sk_vector_deinit(&wait.parts[0].seen);
    sk_buffer_deinit(&text);
    world_close(&w);
}

static void damaged_tokens(void **state)
{
    world w;
    connection c;
    char token[512], line[600];
    open_all(&w, &c);
    token_of(ask(&w, &c, "SESSION TOKEN"), token, sizeof token);
    size_t size = strlen(token);
    for (size_t i = 0; i < size; i++) {
        char kept = token[i];
        token[i] = kept == '0' ? '1' : '0';
        snprintf(line, sizeof line, "SESSION USE %s", token);
        begins(ask(&w, &c, line), "-ERR");
        token[i] = 'x';
        snprintf(line, sizeof line, "SESSION USE %s", token);
        begins(ask(&w, &c, line), "-ERR this is no token");
        token[i] = kept;
        snprintf(line, sizeof line, "SESSION USE %.*s", (int)i, i ? token : "\"\"");
        if (i) begins(ask(&w, &c, line), "-ERR this is no token");
    }
    w.node->identity.cluster.bytes[0] ^= 1;
    snprintf(line, sizeof line, "SESSION USE %s", token);
    begins(ask(&w, &c, line), "-ERR this token is of another cluster");
    w.node->identity.cluster.bytes[0] ^= 1;
    begins(ask(&w, &c, "SESSION USE 00 WAIT x"), "-ERR WAIT");
    begins(ask(&w, &c, "SESSION USE 00 STAY 1"), "-ERR syntax error");
    disconnect(&w, &c);
    world_close(&w);
}

static void reads_and_their_modes(void **state)
{
    world w;
    connection c;
    open_all(&w, &c);
    assert_string_equal(ask(&w, &c, "SET s/a 1"), "+OK\r\n");
    assert_string_equal(ask(&w, &c, "GET s/a"), "$1\r\n1\r\n");
    assert_string_equal(ask(&w, &c, "READMODE session"), "+OK\r\n");
    assert_string_equal(ask(&w, &c, "GET s/a"), "$1\r\n1\r\n");
    disconnect(&w, &c);
    world_close(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_token_and_its_use),
        cmocka_unit_test(V07_a_token_stands_for_what_lasts),
        cmocka_unit_test(V07_what_is_not_here_is_waited_for_and_then_refused),
        cmocka_unit_test(a_client_that_goes_while_it_waits),
        cmocka_unit_test(damaged_tokens),
        cmocka_unit_test(reads_and_their_modes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
