// The client's connection against a listener in the same process: every cut of the answer, errors, timeouts.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "client/remote.h"

typedef struct server {
    int listener;
    int peer; // the accepted side
    sk_endpoint endpoint;
} server;

static void server_open(server *server)
{
    server->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    server->peer = -1;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    assert_int_equal(bind(server->listener, (struct sockaddr *)&address, size), 0);
    assert_int_equal(listen(server->listener, 4), 0);
    assert_int_equal(getsockname(server->listener, (struct sockaddr *)&address, &size), 0);
    char text[32];
    snprintf(text, sizeof text, "127.0.0.1:%u", ntohs(address.sin_port));
    assert_int_equal(sk_endpoint_parse(text, 0, &server->endpoint), 0);
}

static void server_close(server *server)
{
    if (server->peer >= 0) close(server->peer);
    close(server->listener);
}

static void connect_both(server *server, sk_remote *remote)
{
    sk_remote_init(remote);
    assert_int_equal(sk_remote_open(remote, &server->endpoint, sk_client_now() + 5 * SK_S), 0);
    server->peer = accept4(server->listener, NULL, NULL, SOCK_CLOEXEC);
    assert_true(server->peer >= 0);
}

// Lets the connection do what it can, once.
static int turn(sk_remote *remote)
{
    struct pollfd item = {.fd = remote->socket, .events = sk_remote_events(remote)};
    assert_int_equal(poll(&item, 1, 5000), 1);
    return sk_remote_ready(remote, item.revents);
}

static void endpoints_are_parsed(void **state)
{
    static const struct {
        const char *text;
        uint16_t port_default;
        const char *host, *port; // NULL: refused
    } table[] = {
        {"10.0.0.1:7379", 0, "10.0.0.1", "7379"},
        {"gw.local", 7379, "gw.local", "7379"},
        {"gw.local", 0, NULL, NULL},
        {":7401", 0, "127.0.0.1", "7401"},
        {"[::1]:7401", 0, "::1", "7401"},
        {"::1", 7379, "::1", "7379"},
        {"[::1]", 7379, "::1", "7379"},
        {"[::1", 7379, NULL, NULL},
        {"[::1]x", 7379, NULL, NULL},
        {"a:0", 7379, NULL, NULL},
        {"a:65536", 7379, NULL, NULL},
        {"a:12x", 7379, NULL, NULL},
        {"a:", 7379, NULL, NULL},
        {"a:-1", 7379, NULL, NULL},
        {"a:99999999999999999999", 0, NULL, NULL},
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        sk_endpoint endpoint = {0};
        int error = sk_endpoint_parse(table[i].text, table[i].port_default, &endpoint);
        assert_int_equal(error, table[i].host ? 0 : SK_EINVAL);
        if (!table[i].host) continue;
        assert_string_equal(endpoint.host, table[i].host);
        assert_string_equal(endpoint.port, table[i].port);
    }
}

static void a_request_is_written_as_resp(void **state)
{
    server server;
    sk_remote remote;
    server_open(&server);
    connect_both(&server, &remote);
    sk_slice argv[] = {sk_slice_text("SET"), sk_slice_make("k\0\r\n", 4), sk_slice_text("")};
    sk_remote_request(&remote, 3, argv);
    assert_int_equal(turn(&remote), 0);
    static const char wanted[] = "*3\r\n$3\r\nSET\r\n$4\r\nk\0\r\n\r\n$0\r\n\r\n";
    char got[sizeof wanted] = {0};
    assert_int_equal(recv(server.peer, got, sizeof got, 0), sizeof wanted - 1);
    assert_memory_equal(got, wanted, sizeof wanted - 1);
    assert_int_equal(remote.pending, 1);
    sk_remote_deinit(&remote);
    server_close(&server);
}

// Three answers in one stream, cut in two at every byte: the same values come out, in order.
static void E04_answers_do_not_depend_on_cuts(void **state)
{
    static const char stream[] = "+OK\r\n*2\r\n$3\r\na\r\n\r\n:-7\r\n$-1\r\n";
    size_t size = sizeof stream - 1;
    server server;
    sk_remote remote;
    server_open(&server);
    connect_both(&server, &remote);
    for (size_t cut = 0; cut <= size; cut++) {
        int step = 0;
        for (size_t part = 0; part < 2; part++) {
            const char *at = part ? stream + cut : stream;
            size_t length = part ? size - cut : cut;
            if (length == 0) continue;
            assert_int_equal(send(server.peer, at, length, 0), length);
            assert_int_equal(turn(&remote), 0);
            const sk_resp_value *reply;
            while (sk_remote_next(&remote, &reply) == 1) {
                if (step == 0) assert_true(reply->type == SK_RESP_SIMPLE && reply->text.size == 2);
                if (step == 1) {
                    assert_true(reply->type == SK_RESP_ARRAY && reply->count == 2);
                    assert_memory_equal(reply->items[0].text.data, "a\r\n", 3);
                    assert_true(reply->items[1].integer == -7);
                }
                if (step == 2) assert_int_equal(reply->type, SK_RESP_NULL);
                step++;
            }
        }
        assert_int_equal(step, 3);
    }
    sk_remote_deinit(&remote);
    server_close(&server);
}

static void answers_before_the_end_still_count(void **state)
{
    server server;
    sk_remote remote;
    server_open(&server);
    connect_both(&server, &remote);
    assert_int_equal(send(server.peer, "+a\r\n+b\r\n", 8, 0), 8);
    close(server.peer);
    server.peer = -1;
    const sk_resp_value *reply;
    sk_ns deadline = sk_client_now() + 5 * SK_S;
    assert_int_equal(sk_remote_wait(&remote, deadline, &reply), 0);
    assert_int_equal(sk_remote_wait(&remote, deadline, &reply), 0);
    assert_memory_equal(reply->text.data, "b", 1);
    assert_int_equal(sk_remote_wait(&remote, deadline, &reply), SK_ECONNECT);
    assert_int_equal(remote.state, SK_REMOTE_CLOSED);
    assert_int_not_equal(strlen(remote.problem), 0);
    sk_remote_deinit(&remote);
    server_close(&server);
}

static void an_unfinished_answer_at_the_end_is_an_error(void **state)
{
    server server;
    sk_remote remote;
    server_open(&server);
    connect_both(&server, &remote);
    assert_int_equal(send(server.peer, "$100\r\nabc", 9, 0), 9);
    close(server.peer);
    server.peer = -1;
    const sk_resp_value *reply;
    sk_slice argv[] = {sk_slice_text("PING")};
    assert_int_equal(sk_remote_call(&remote, 1, argv, sk_client_now() + 5 * SK_S, &reply), SK_ECONNECT);
    sk_remote_deinit(&remote);
    server_close(&server);
}

static void what_is_not_resp_closes(void **state)
{
    server server;
    sk_remote remote;
    server_open(&server);
    connect_both(&server, &remote);
    assert_int_equal(send(server.peer, "HTTP/1.1 400\r\n", 14, 0), 14);
    const sk_resp_value *reply;
    assert_int_equal(sk_remote_wait(&remote, sk_client_now() + 5 * SK_S, &reply), SK_EPROTOCOL);
    assert_int_equal(remote.socket, -1);
    sk_remote_deinit(&remote);
    server_close(&server);
}

static void silence_times_out(void **state)
{
    server server;
    sk_remote remote;
    server_open(&server);
    connect_both(&server, &remote);
    const sk_resp_value *reply;
    sk_slice argv[] = {sk_slice_text("PING")};
    assert_int_equal(sk_remote_call(&remote, 1, argv, sk_client_now() + 20 * SK_MS, &reply), SK_ETIMEDOUT);
    assert_int_equal(remote.state, SK_REMOTE_CLOSED);
    sk_remote_deinit(&remote);
    server_close(&server);
}

static void a_refused_connection_says_so(void **state)
{
    server server;
    sk_remote remote;
    server_open(&server);
    server_close(&server); // nobody listens there now
    sk_remote_init(&remote);
    assert_int_equal(sk_remote_open(&remote, &server.endpoint, sk_client_now() + 5 * SK_S), SK_ECONNECT);
    assert_non_null(strstr(remote.problem, server.endpoint.port));
    sk_remote_deinit(&remote);
}

// A big pipeline: what the socket does not take at once waits, and nothing is lost or reordered.
static void a_long_pipeline_keeps_its_order(void **state)
{
    enum { COUNT = 20000 };
    server server;
    sk_remote remote;
    server_open(&server);
    connect_both(&server, &remote);
    sk_buffer got = {0};
    sk_buffer answers = {0};
    char number[16];
    for (int i = 0; i < COUNT; i++) {
        snprintf(number, sizeof number, "%d", i);
        sk_slice argv[] = {sk_slice_text("ECHO"), sk_slice_text(number)};
        sk_remote_request(&remote, 2, argv);
        sk_buffer_printf(&answers, ":%d\r\n", i);
    }
    size_t queued = remote.out.size;
    while (got.size < queued) {
        assert_int_equal(sk_remote_ready(&remote, POLLOUT), 0);
        uint8_t *at = sk_buffer_reserve(&got, 4096);
        ssize_t size = recv(server.peer, at, 4096, 0);
        assert_true(size > 0);
        got.size += (size_t)size;
    }
    size_t sent = 0;
    int next = 0;
    while (next < COUNT) {
        if (sent < answers.size) {
            ssize_t size = send(server.peer, answers.data + sent, answers.size - sent, MSG_DONTWAIT);
            if (size > 0) sent += (size_t)size;
        }
        assert_int_equal(turn(&remote), 0);
        const sk_resp_value *reply;
        while (sk_remote_next(&remote, &reply) == 1) assert_int_equal(reply->integer, next++);
    }
    assert_int_equal(remote.pending, 0);
    sk_buffer_deinit(&got);
    sk_buffer_deinit(&answers);
    sk_remote_deinit(&remote);
    server_close(&server);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(endpoints_are_parsed),
        cmocka_unit_test(a_request_is_written_as_resp),
        cmocka_unit_test(E04_answers_do_not_depend_on_cuts),
        cmocka_unit_test(answers_before_the_end_still_count),
        cmocka_unit_test(an_unfinished_answer_at_the_end_is_an_error),
        cmocka_unit_test(what_is_not_resp_closes),
        cmocka_unit_test(silence_times_out),
        cmocka_unit_test(a_refused_connection_says_so),
        cmocka_unit_test(a_long_pipeline_keeps_its_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
