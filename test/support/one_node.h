// A node of one member in memory, and clients of it: the simulated disk, a host that keeps what it is given,
// a clock of its own.
#ifndef SK_TEST_SUPPORT_ONE_NODE_H
#define SK_TEST_SUPPORT_ONE_NODE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>
#include "node/client.h"
#include "node/node.h"
#include "sim/disk.h"

typedef struct connection {
    sk_client *client; // NULL: closed
    sk_buffer input, output;
    bool resumed;
    bool deaf;         // takes no output
    sk_buffer *unread; // what it has not taken
} connection;

typedef struct world {
    sk_node_host host;
    sim_disk *disk;
    sk_node *node;
    sk_ns now;
    sk_log_sink sink;
} world;

static inline void on_peer_send(sk_node_host *host, sk_node_id peer, sk_slice frames) {}

static inline void on_peer_cut(sk_node_host *host, sk_node_id peer, const char *why) {}

static inline void on_client_output(sk_node_host *host, void *handle, sk_buffer *out)
{
    connection *to = handle;
    if (to->deaf) {
        to->unread = out;
        return;
    }
    sk_buffer_append_slice(&to->output, sk_buffer_slice(out));
    sk_buffer_consume(out, out->size);
}

static inline void on_client_close(sk_node_host *host, void *handle, sk_buffer *out)
{
    connection *to = handle;
    sk_buffer_append_slice(&to->output, sk_buffer_slice(out));
    sk_buffer_deinit(out);
    to->client = NULL;
    to->unread = NULL;
}

static inline void on_client_resume(sk_node_host *host, void *handle)
{
    ((connection *)handle)->resumed = true;
}

static inline uint64_t on_wall_ms(sk_node_host *host)
{
    return 1700000000123;
}

static inline size_t on_memory_rss(sk_node_host *host)
{
    return 5 * 1024 * 1024;
}

static inline sk_cpu_time on_cpu_time(sk_node_host *host)
{
    return (sk_cpu_time){.user = 3 * SK_S, .system = 250 * SK_MS};
}

static const sk_node_host_ops host_ops = {on_peer_send,     on_peer_cut, on_client_output, on_client_close,
                                          on_client_resume, on_wall_ms,  on_memory_rss, on_cpu_time};

static inline void on_log(sk_log_sink *sink, enum sk_log_level level, const char *line) {}

// Set what differs from the default in `config` between the two.
static inline void world_prepare(sk_node_config *config)
{
    sk_node_config_default(config);
    snprintf(config->client_address, sizeof config->client_address, "10.0.0.1:7379");
    config->resp_port = 7379;
    config->process_id = 4711;
    config->clients_max = 10;
}

static inline void world_open(world *w, const sk_node_config *config)
{
    *w = (world){.host = {&host_ops}, .now = SK_S, .sink = {.write = on_log, .level = SK_LOG_ERROR}};
    sk_prng prng;
    sk_prng_init(&prng, 1);
    w->disk = sim_disk_open(prng, NULL);
    sk_identity identity = {.cluster = {"cluster-of-tests"}, .node = 1, .founder_count = 1};
    identity.founders[0] = (sk_founder){.id = 1, .address = "10.0.0.1:7380"};
    assert_int_equal(sk_identity_found(sim_disk_face(w->disk), &identity), 0);
    char problem[256];
    assert_int_equal(sk_node_open(&w->node, config, &identity, &w->host, sim_disk_face(w->disk), &w->sink,
                                  w->now, problem, sizeof problem),
                     0);
}

static inline void world_close(world *w)
{
    while (sim_disk_step(w->disk)) continue;
    sk_node_close(w->node);
    sim_disk_close(w->disk);
}

static inline void turn(world *w, sk_ns step)
{
    w->now += step;
    sim_disk_time(w->disk, w->now);
    sim_disk_run_until(w->disk, w->now);
    sk_node_time(w->node, w->now);
    sk_node_turn(w->node);
}

static inline void feed(world *w, connection *from)
{
    from->resumed = false;
    sk_buffer_consume(&from->input,
                      sk_node_client_receive(w->node, from->client, sk_buffer_slice(&from->input)));
}

// Everything sent is taken and answered, in at most a few simulated seconds.
static inline void settle(world *w, connection *from)
{
    for (int i = 0; i < 5000; i++) {
        if (from->client && (i == 0 || from->resumed)) feed(w, from);
        turn(w, SK_MS);
        if (!from->client || (from->input.size == 0 && sk_client_idle(from->client))) return;
    }
    fail_msg("nothing came back");
}

// It reads again what it left lying.
static inline void listen_again(world *w, connection *to)
{
    to->deaf = false;
    if (!to->unread) return;
    sk_buffer *out = to->unread;
    to->unread = NULL;
    sk_buffer_append_slice(&to->output, sk_buffer_slice(out));
    sk_buffer_consume(out, out->size);
    sk_node_client_drained(w->node, to->client);
}

static inline void connect_client(world *w, connection *to, const char *address)
{
    *to = (connection){0};
    to->client = sk_node_client_open(w->node, to, address);
    assert_non_null(to->client);
}

static inline void disconnect(world *w, connection *from)
{
    if (from->client) sk_node_client_gone(w->node, from->client);
    sk_buffer_deinit(&from->input);
    sk_buffer_deinit(&from->output);
}

// The raw reply to an inline request, terminated; valid until the next one.
static const char *ask(world *w, connection *from, const char *line)
{
    sk_buffer_clear(&from->output);
    sk_buffer_append_text(&from->input, line);
    sk_buffer_append_text(&from->input, "\r\n");
    settle(w, from);
    sk_buffer_append_byte(&from->output, 0);
    return (const char *)from->output.data;
}

static inline sk_resp_value ask_value(world *w, connection *from, const char *line)
{
    ask(w, from, line);
    sk_resp_value value;
    size_t used;
    assert_int_equal(
        sk_resp_value_parse(sk_slice_make(from->output.data, from->output.size - 1), &value, &used), 1);
    assert_int_equal(used, from->output.size - 1);
    return value;
}

#endif
