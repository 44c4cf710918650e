// Links between nodes over real sockets on loopback: good ones, slow ones, and everything that is not a node.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <stdio.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/alloc.h"
#include "base/crc.h"
#include "base/prng.h"
#include "host/link.h"
#include "host/socket.h"
#include "wire/codec.h"

enum { SCRATCH_SIZE = 64 * 1024, LIMIT_MS = 5000, HELLO_SIZE_ROOM = 256 };

typedef struct side {
    sk_link_setup setup;
    sk_link *link; // NULL after closed
    sk_hello heard;
    bool greeted, closed;
    const char *refuse; // what the hello is answered with
    char why[SK_LINK_WHY_MAX];
    size_t frames, bytes;
    uint32_t sum;
    bool cut_at_frame;
} side;

typedef struct world {
    uv_loop_t loop;
    uv_timer_t guard;
    bool expired;
    uint8_t scratch[SCRATCH_SIZE];
    int listener;
    uint16_t port;
    side here;  // the accepted side, under test
    side there; // a dialled link, where a test uses one
} world;

static const char *on_hello(sk_link *link, const sk_hello *hello)
{
    side *at = link->setup->owner;
    at->heard = *hello;
    at->greeted = true;
    return at->refuse;
}

static void on_frame(sk_link *link, const sk_frame *frame)
{
    side *at = link->setup->owner;
    at->frames++;
    at->bytes += frame->payload.size;
    for (size_t i = 0; i < frame->payload.size; i += 997) at->sum = at->sum * 31 + frame->payload.data[i];
    if (at->cut_at_frame) sk_link_cut(link, "the test says so");
}

static void on_closed(sk_link *link, const char *why)
{
    side *at = link->setup->owner;
    assert_false(at->closed);
    at->closed = true;
    at->link = NULL;
    snprintf(at->why, sizeof at->why, "%s", why);
}

static const sk_link_ops ops = {.hello = on_hello, .frame = on_frame, .closed = on_closed};

static void on_guard(uv_timer_t *timer)
{
    *(bool *)timer->data = true;
}

static void side_init(world *w, side *at)
{
    at->setup = (sk_link_setup){.loop = &w->loop,
                                .ops = &ops,
                                .owner = at,
                                .scratch = w->scratch,
                                .scratch_size = SCRATCH_SIZE,
                                .out_max = 1024 * 1024,
                                .hello_timeout_ms = LIMIT_MS,
                                .connect_timeout_ms = LIMIT_MS};
}

static int setup(void **state)
{
    world *w = sk_alloc_zeroed(sizeof *w);
    char problem[200];
    assert_int_equal(uv_loop_init(&w->loop), 0);
    w->listener = sk_socket_listen("127.0.0.1", &w->port, problem, sizeof problem);
    assert_true(w->listener >= 0);
    uv_timer_init(&w->loop, &w->guard);
    w->guard.data = &w->expired;
    side_init(w, &w->here);
    side_init(w, &w->there);
    *state = w;
    return 0;
}

static int teardown(void **state)
{
    world *w = *state;
    if (w->here.link) sk_link_cut(w->here.link, "over");
    if (w->there.link) sk_link_cut(w->there.link, "over");
    uv_close((uv_handle_t *)&w->guard, NULL);
    uv_run(&w->loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&w->loop), 0);
    close(w->listener);
    sk_free(w);
    return 0;
}

#define RUN_UNTIL(w, condition)                                                                              \
    do {                                                                                                     \
        (w)->expired = false;                                                                                \
        uv_timer_start(&(w)->guard, on_guard, LIMIT_MS, 0);                                                  \
        while (!(condition) && !(w)->expired) uv_run(&(w)->loop, UV_RUN_ONCE);                               \
        uv_timer_stop(&(w)->guard);                                                                          \
        if (!(condition)) fail_msg("waited in vain for: %s", #condition);                                    \
    } while (0)

static sk_hello hello_of(uint32_t node)
{
    return (sk_hello){.version = SK_WIRE_VERSION,
                      .feature_level = SK_FEATURE_LEVEL,
                      .node = node,
                      .boot = 7,
                      .client_address = "127.0.0.1:1"};
}

// The listener is blocking enough: the connection is in its queue as soon as connect has returned.
static void take_connection(world *w)
{
    sk_socket_address from;
    int fd = SK_EAGAIN;
    for (int i = 0; i < 1000 && fd == SK_EAGAIN; i++) {
        fd = sk_socket_accept(w->listener, &from);
        if (fd == SK_EAGAIN) uv_run(&w->loop, UV_RUN_NOWAIT);
        if (fd == SK_EAGAIN) usleep(1000);
    }
    assert_true(fd >= 0);
    sk_hello own = hello_of(2);
    w->here.link = sk_link_accepted(&w->here.setup, fd, &from, &own);
    assert_non_null(w->here.link);
}

static int connect_raw(world *w)
{
    sk_socket_address to;
    assert_true(sk_address_numeric("127.0.0.1", w->port, &to));
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&to.bytes, to.size), 0);
    take_connection(w);
    return fd;
}

static void send_raw(int fd, const void *data, size_t size)
{
    assert_int_equal(send(fd, data, size, MSG_NOSIGNAL), (ssize_t)size);
}

static void append_frame(sk_buffer *out, size_t size, uint8_t fill)
{
    uint8_t *payload = sk_alloc(size);
    for (size_t i = 0; i < size; i++) payload[i] = (uint8_t)(fill + i);
    sk_frame_write(
        out, &(sk_frame){.kind = SK_FRAME_PROTOCOL, .space = 1, .payload = sk_slice_make(payload, size)});
    sk_free(payload);
}

static int connect_greeted(world *w)
{
    int fd = connect_raw(w);
    sk_buffer bytes = {0};
    sk_hello hello = hello_of(1);
    sk_hello_write(&bytes, &hello);
    send_raw(fd, bytes.data, bytes.size);
    sk_buffer_deinit(&bytes);
    RUN_UNTIL(w, w->here.link && w->here.link->state == SK_LINK_UP);
    return fd;
}

static void connect_links(world *w)
{
    sk_socket_address to;
    assert_true(sk_address_numeric("127.0.0.1", w->port, &to));
    sk_hello own = hello_of(1);
    w->there.link = sk_link_dial(&w->there.setup, &to, &own);
    assert_non_null(w->there.link);
    take_connection(w);
    RUN_UNTIL(w, w->here.greeted && w->there.greeted);
    assert_int_equal(w->here.link->state, SK_LINK_UP);
    assert_int_equal(w->there.link->state, SK_LINK_UP);
}

static void greet_and_exchange(void **state)
{
    world *w = *state;
    connect_links(w);
    assert_int_equal(w->here.heard.node, 1);
    assert_int_equal(w->there.heard.node, 2);
    assert_int_equal(w->there.heard.boot, 7);
    sk_buffer frames = {0};
    for (size_t i = 0; i < 100; i++) append_frame(&frames, i * 37, (uint8_t)i);
    sk_link_send(w->there.link, sk_buffer_slice(&frames));
    sk_link_send(w->here.link, sk_buffer_slice(&frames));
    RUN_UNTIL(w, w->here.frames == 100 && w->there.frames == 100);
    assert_int_equal(w->here.sum, w->there.sum);
    assert_int_equal(w->here.bytes, 37 * 99 * 100 / 2);
    assert_int_equal(w->here.link->in.capacity, 0);
    sk_buffer_deinit(&frames);
}

// A frame far beyond every buffer passes whole, and its memory is given back.
static void big_frame_and_memory_after_it(void **state)
{
    world *w = *state;
    w->there.setup.out_max = 64 * 1024;
    connect_links(w);
    sk_buffer frames = {0};
    append_frame(&frames, 7 * 1024 * 1024 + 13, 3);
    append_frame(&frames, 5, 4);
    sk_link_send(w->there.link, sk_buffer_slice(&frames)); // alone it may be longer than out_max
    RUN_UNTIL(w, w->here.frames == 2);
    assert_int_equal(w->here.bytes, 7 * 1024 * 1024 + 18);
    assert_int_equal(w->here.link->in.capacity, 0);
    RUN_UNTIL(w, sk_link_waiting(w->there.link) == 0);
    assert_true(w->there.link->out.capacity <= 64 * 1024);
    sk_buffer_deinit(&frames);
}

// E04 for peers: the same frames whatever the packets.
static void cut_anywhere(void **state)
{
    world *w = *state;
    int fd = connect_raw(w);
    sk_buffer bytes = {0};
    sk_hello hello = hello_of(1);
    sk_hello_write(&bytes, &hello);
    for (size_t i = 0; i < 8; i++) append_frame(&bytes, i * 11, (uint8_t)i);
    for (size_t i = 0; i < bytes.size; i++) {
        send_raw(fd, bytes.data + i, 1);
        uv_run(&w->loop, UV_RUN_NOWAIT);
    }
    RUN_UNTIL(w, w->here.frames == 8);
    assert_int_equal(w->here.bytes, 11 * 28);
    sk_buffer_deinit(&bytes);
    shutdown(fd, SHUT_WR);
    RUN_UNTIL(w, w->here.closed);
    assert_string_equal(w->here.why, "it closed the connection");
    close(fd);
}

static void truncated_frame_is_no_frame(void **state)
{
    world *w = *state;
    int fd = connect_greeted(w);
    sk_buffer bytes = {0};
    append_frame(&bytes, 100, 0);
    send_raw(fd, bytes.data, bytes.size - 1);
    close(fd);
    RUN_UNTIL(w, w->here.closed);
    assert_int_equal(w->here.frames, 0);
    sk_buffer_deinit(&bytes);
}

static void oversized_frame_is_cut_and_costs_nothing(void **state)
{
    world *w = *state;
    int fd = connect_greeted(w);
    uint8_t bytes[16] = {0};
    sk_put_u32(bytes, SK_FRAME_SIZE_MAX + 1);
    send_raw(fd, bytes, sizeof bytes);
    RUN_UNTIL(w, w->here.closed);
    assert_string_equal(w->here.why, "what came is not a frame");
    close(fd);
}

// S04, S12: what a frame claims to be is not what is allocated.
static void claimed_size_allocates_nothing(void **state)
{
    world *w = *state;
    int fd = connect_greeted(w);
    uint8_t bytes[1000] = {0};
    sk_put_u32(bytes, SK_FRAME_SIZE_MAX);
    sk_put_u32(bytes + 8, sk_crc32c(0, bytes, 8));
    send_raw(fd, bytes, sizeof bytes);
    RUN_UNTIL(w, w->here.link && w->here.link->in.size == sizeof bytes);
    assert_true(w->here.link->in.capacity <= 4096);
    close(fd);
    RUN_UNTIL(w, w->here.closed);
}

static void every_flipped_bit_is_found(void **state)
{
    (void)state;
    sk_buffer good = {0};
    append_frame(&good, 20, 9);
    for (size_t bit = 0; bit < good.size * 8; bit++) {
        void *fresh;
        setup(&fresh);
        world *w = fresh;
        int fd = connect_greeted(w);
        good.data[bit / 8] ^= (uint8_t)(1u << (bit % 8));
        send_raw(fd, good.data, good.size);
        good.data[bit / 8] ^= (uint8_t)(1u << (bit % 8));
        shutdown(fd, SHUT_WR); // a flipped size may ask for more than comes
        RUN_UNTIL(w, w->here.closed);
        assert_int_equal(w->here.frames, 0);
        close(fd);
        teardown(&fresh);
    }
    sk_buffer_deinit(&good);
}

static void random_bytes_instead_of_a_hello(void **state)
{
    (void)state;
    sk_prng prng;
    sk_prng_init(&prng, 4711);
    for (int round = 0; round < 50; round++) {
        void *fresh;
        setup(&fresh);
        world *w = fresh;
        int fd = connect_raw(w);
        uint8_t bytes[700];
        size_t size = 1 + (size_t)sk_prng_below(&prng, sizeof bytes);
        for (size_t i = 0; i < size; i++) bytes[i] = (uint8_t)sk_prng_next(&prng);
        send_raw(fd, bytes, size);
        shutdown(fd, SHUT_WR);
        RUN_UNTIL(w, w->here.closed);
        assert_false(w->here.greeted);
        close(fd);
        teardown(&fresh);
    }
}

static void random_bytes_behind_a_hello(void **state)
{
    (void)state;
    sk_prng prng;
    sk_prng_init(&prng, 42);
    for (int round = 0; round < 50; round++) {
        void *fresh;
        setup(&fresh);
        world *w = fresh;
        int fd = connect_greeted(w);
        uint8_t bytes[3000];
        for (size_t i = 0; i < sizeof bytes; i++) bytes[i] = (uint8_t)sk_prng_next(&prng);
        if (round % 2) sk_put_u32(bytes, (uint32_t)sk_prng_below(&prng, sizeof bytes - 4));
        send_raw(fd, bytes, sizeof bytes);
        shutdown(fd, SHUT_WR);
        RUN_UNTIL(w, w->here.closed);
        assert_int_equal(w->here.frames, 0);
        close(fd);
        teardown(&fresh);
    }
}

static void other_protocols_are_told_apart(void **state)
{
    (void)state;
    static const char *const texts[] = {"GET / HTTP/1.1\r\nHost: a\r\n\r\n", "*1\r\n$4\r\nPING\r\n",
                                        "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        void *fresh;
        setup(&fresh);
        world *w = fresh;
        int fd = connect_raw(w);
        send_raw(fd, texts[i], strlen(texts[i]));
        RUN_UNTIL(w, w->here.closed);
        assert_string_equal(w->here.why, "it is not a Skein node");
        close(fd);
        teardown(&fresh);
    }
}

static void nothing_before_the_hello_and_only_one(void **state)
{
    world *w = *state;
    int fd = connect_raw(w);
    sk_buffer bytes = {0};
    append_frame(&bytes, 20, 1);
    send_raw(fd, bytes.data, bytes.size);
    RUN_UNTIL(w, w->here.closed);
    assert_int_equal(w->here.frames, 0);
    close(fd);
    sk_buffer_clear(&bytes);
    w->here.closed = w->here.greeted = false;
    fd = connect_greeted(w);
    sk_hello hello = hello_of(1);
    sk_hello_write(&bytes, &hello);
    send_raw(fd, bytes.data, bytes.size);
    RUN_UNTIL(w, w->here.closed);
    assert_string_equal(w->here.why, "a second hello came");
    close(fd);
    sk_buffer_deinit(&bytes);
}

static void newer_version_is_refused_in_plain_words(void **state)
{
    world *w = *state;
    int fd = connect_raw(w);
    sk_buffer bytes = {0};
    sk_hello hello = hello_of(1);
    hello.version = SK_WIRE_VERSION + 1;
    sk_hello_write(&bytes, &hello);
    send_raw(fd, bytes.data, bytes.size);
    RUN_UNTIL(w, w->here.closed);
    assert_string_equal(w->here.why, "it speaks a newer version of the link format: update this node");
    // It was told who we are all the same, so that it can say the reason too.
    uint8_t answer[HELLO_SIZE_ROOM];
    ssize_t size = recv(fd, answer, sizeof answer, 0);
    assert_true(size > 0);
    sk_frame frame;
    size_t used;
    assert_int_equal(sk_frame_parse(sk_slice_make(answer, (size_t)size), &frame, &used), 1);
    assert_int_equal(frame.kind, SK_FRAME_HELLO);
    sk_buffer_deinit(&bytes);
    close(fd);
}

static void refused_hello_ends_both_sides(void **state)
{
    world *w = *state;
    w->here.refuse = "another cluster";
    sk_socket_address to;
    assert_true(sk_address_numeric("127.0.0.1", w->port, &to));
    sk_hello own = hello_of(1);
    w->there.link = sk_link_dial(&w->there.setup, &to, &own);
    take_connection(w);
    RUN_UNTIL(w, w->here.closed && w->there.closed);
    assert_string_equal(w->here.why, "another cluster");
    assert_true(w->there.greeted);
}

static void silence_is_not_a_hello(void **state)
{
    world *w = *state;
    w->here.setup.hello_timeout_ms = 20;
    int fd = connect_raw(w);
    RUN_UNTIL(w, w->here.closed);
    assert_string_equal(w->here.why, "it sent no hello in time");
    close(fd);
}

static void nobody_listens(void **state)
{
    world *w = *state;
    sk_socket_address to;
    assert_true(sk_address_numeric("127.0.0.1", w->port, &to));
    close(w->listener);
    sk_hello own = hello_of(1);
    w->there.link = sk_link_dial(&w->there.setup, &to, &own);
    if (w->there.link) {
        RUN_UNTIL(w, w->there.closed);
        assert_string_equal(w->there.why, "Connection refused");
    }
    w->listener = socket(AF_INET, SOCK_STREAM, 0);
}

// E08 for peers: one that does not read is cut when too much waits for it.
static void output_is_bounded(void **state)
{
    world *w = *state;
    int fd = connect_greeted(w);
    sk_buffer frames = {0};
    append_frame(&frames, 256 * 1024, 1);
    size_t most = 0;
    for (int i = 0; i < 200 && w->here.link->state == SK_LINK_UP; i++) {
        sk_link_send(w->here.link, sk_buffer_slice(&frames));
        if (sk_link_waiting(w->here.link) > most) most = sk_link_waiting(w->here.link);
    }
    assert_true(most <= w->here.setup.out_max);
    RUN_UNTIL(w, w->here.closed);
    assert_string_equal(w->here.why, "more waits for it than peer-output-max");
    sk_buffer_deinit(&frames);
    close(fd);
}

static void cut_from_within_a_frame(void **state)
{
    world *w = *state;
    w->here.cut_at_frame = true;
    int fd = connect_greeted(w);
    sk_buffer frames = {0};
    for (int i = 0; i < 10; i++) append_frame(&frames, 10, 1);
    send_raw(fd, frames.data, frames.size);
    RUN_UNTIL(w, w->here.closed);
    assert_int_equal(w->here.frames, 1);
    sk_buffer_deinit(&frames);
    close(fd);
}

int main(void)
{
#define LINK_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        LINK_TEST(greet_and_exchange),
        LINK_TEST(big_frame_and_memory_after_it),
        LINK_TEST(cut_anywhere),
        LINK_TEST(truncated_frame_is_no_frame),
        LINK_TEST(oversized_frame_is_cut_and_costs_nothing),
        LINK_TEST(claimed_size_allocates_nothing),
        cmocka_unit_test(every_flipped_bit_is_found),
        cmocka_unit_test(random_bytes_instead_of_a_hello),
        cmocka_unit_test(random_bytes_behind_a_hello),
        cmocka_unit_test(other_protocols_are_told_apart),
        LINK_TEST(nothing_before_the_hello_and_only_one),
        LINK_TEST(newer_version_is_refused_in_plain_words),
        LINK_TEST(refused_hello_ends_both_sides),
        LINK_TEST(silence_is_not_a_hello),
        LINK_TEST(nobody_listens),
        LINK_TEST(output_is_bounded),
        LINK_TEST(cut_from_within_a_frame),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
