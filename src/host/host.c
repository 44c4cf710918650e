#include "host/host.h"

#include <signal.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/assert.h"
#include "host/clock.h"
#include "host/socket.h"
#include "host/state.h"

// While turns follow each other this closely, a deadline that moves back is left where it is: one wake-up too
// early costs less than a system call a turn.
#define BUSY_WITHIN (5 * SK_MS)

// ---- The node's calls ----

static sk_host *host_of(sk_node_host *face)
{
    return (sk_host *)face;
}

static void face_peer_send(sk_node_host *face, sk_node_id peer, sk_slice frames)
{
    sk_peers_send(&host_of(face)->peers, peer, frames);
}

static void face_peer_cut(sk_node_host *face, sk_node_id peer, const char *why)
{
    sk_peers_cut(&host_of(face)->peers, peer, why);
}

static void face_client_output(sk_node_host *face, void *handle, sk_buffer *out)
{
    sk_door_output(handle, out);
}

static void face_client_close(sk_node_host *face, void *handle, sk_buffer *out)
{
    sk_door_client_close(handle, out);
}

static void face_client_resume(sk_node_host *face, void *handle)
{
    sk_door_client_resume(handle);
}

static uint64_t face_wall_ms(sk_node_host *face)
{
    return sk_clock_wall_ms();
}

static size_t face_memory_rss(sk_node_host *face)
{
    return sk_memory_rss();
}

static sk_cpu_time face_cpu_time(sk_node_host *face)
{
    return sk_clock_cpu();
}

static const sk_node_host_ops face_ops = {
    .peer_send = face_peer_send,
    .peer_cut = face_peer_cut,
    .client_output = face_client_output,
    .client_close = face_client_close,
    .client_resume = face_client_resume,
    .wall_ms = face_wall_ms,
    .memory_rss = face_memory_rss,
    .cpu_time = face_cpu_time,
};

// ---- The deadline ----

static void on_again(uv_idle_t *handle)
{
    // Only there so that the loop does not wait.
}

static void set_deadline(sk_host *host, sk_ns time)
{
    struct itimerspec when = {0};
    if (time != SK_NEVER) {
        when.it_value.tv_sec = (time_t)(time / SK_S);
        when.it_value.tv_nsec = (long)(time % SK_S);
    }
    int error = timerfd_settime(host->deadline_fd, TFD_TIMER_ABSTIME, &when, NULL);
    SK_ASSERT(error == 0);
    host->armed = time;
}

static void arm(sk_host *host, sk_ns time)
{
    if (time == host->armed) return;
    if (host->armed == SK_NEVER || time < host->armed) {
        set_deadline(host, time);
        host->armed_at = sk_clock_boot();
        return;
    }
    sk_ns now = sk_clock_boot();
    if (now - host->armed_at < BUSY_WITHIN) return;
    set_deadline(host, time);
    host->armed_at = now;
}

static void on_deadline(uv_poll_t *handle, int status, int events)
{
    sk_host *host = handle->data;
    uint64_t expirations;
    if (read(host->deadline_fd, &expirations, sizeof expirations) == sizeof expirations)
        host->armed = SK_NEVER;
}

// ---- The turn ----

void sk_host_input(sk_host *host)
{
    if (host->timed || !host->node) return;
    host->timed = true;
    sk_node_time(host->node, sk_clock_boot());
    uv_idle_start(&host->again, on_again);
}

static void finish_stop(sk_host *host, bool clean)
{
    if (!host->running) return;
    host->running = false;
    host->stopped_clean = clean;
    uv_stop(&host->loop);
}

static void on_check(uv_check_t *handle)
{
    sk_host *host = handle->data;
    if (!host->node) {
        if (host->stopping) finish_stop(host, true);
        return;
    }
    sk_door_receive(&host->door);
    sk_door_resume(&host->door);
    sk_host_input(host);
    // Anew, whatever time the inputs had: what is decided by a lease must be decided later than what it decides about came (R08).
    sk_node_time(host->node, sk_clock_boot());
    sk_ns next = sk_node_turn(host->node);
    host->timed = false;
    sk_door_send(&host->door);
    sk_heap_watch(&host->heap);
    if (host->watch && !host->watch(host->watch_context)) host->watch = NULL;
    if (host->stopping && sk_node_stopping(host->node)) {
        finish_stop(host, true);
        return;
    }
    bool at_once = next == 0 || host->timed || sk_door_waits(&host->door);
    if (at_once) {
        uv_idle_start(&host->again, on_again);
    } else {
        uv_idle_stop(&host->again);
        arm(host, next);
    }
}

// ---- Stopping ----

static void on_stop_timeout(uv_timer_t *timer)
{
    finish_stop(timer->data, false);
}

void sk_host_stop(sk_host *host)
{
    if (host->stopping) {
        finish_stop(host, false);
        return;
    }
    host->stopping = true;
    sk_door_stop(&host->door);
    uv_timer_start(&host->stop_timer, on_stop_timeout, host->config.stop_timeout / SK_MS, 0);
    uv_idle_start(&host->again, on_again);
}

static void on_signal(uv_signal_t *handle, int number)
{
    sk_host *host = handle->data;
    sk_log(host->sink, SK_LOG_INFO, "msg=\"%s\" signal=%s", host->stopping ? "stopping at once" : "stopping",
           number == SIGTERM ? "SIGTERM" : "SIGINT");
    sk_host_stop(host);
}

int sk_host_watch_signals(sk_host *host)
{
    static const int numbers[2] = {SIGTERM, SIGINT};
    SK_ASSERT(!host->signals_watched);
    for (int i = 0; i < 2; i++) {
        uv_signal_init(&host->loop, &host->signals[i]);
        host->signals[i].data = host;
        if (uv_signal_start(&host->signals[i], on_signal, numbers[i])) return SK_EIO;
    }
    host->signals_watched = true;
    return 0;
}

// ---- Life ----

int sk_host_open(sk_host **out, sk_log_sink *sink)
{
    sk_host *host = sk_alloc_zeroed(sizeof *host);
    host->face.ops = &face_ops;
    host->sink = sink;
    host->armed = SK_NEVER;
    if (uv_loop_init(&host->loop)) goto err_after_host;
    host->deadline_fd = timerfd_create(CLOCK_BOOTTIME, TFD_NONBLOCK | TFD_CLOEXEC);
    if (host->deadline_fd < 0) goto err_after_loop;
    if (uv_poll_init(&host->loop, &host->deadline_poll, host->deadline_fd)) goto err_after_deadline;
    uv_check_init(&host->loop, &host->check);
    uv_idle_init(&host->loop, &host->again);
    uv_timer_init(&host->loop, &host->stop_timer);
    host->deadline_poll.data = host->check.data = host->again.data = host->stop_timer.data = host;
    host->scratch = sk_alloc(SK_HOST_SCRATCH_SIZE);
    sk_heap_init(&host->heap);
    *out = host;
    return 0;
err_after_deadline:
    close(host->deadline_fd);
err_after_loop:
    uv_loop_close(&host->loop);
err_after_host:
    sk_free(host);
    return SK_EIO;
}

int sk_host_listen(sk_host *host, const sk_host_config *config, char *problem, size_t problem_size)
{
    SK_ASSERT(!host->listening);
    uint16_t client_port = config->client_port, peer_port = config->peer_port;
    int peers = -1;
    int clients = sk_socket_listen(config->client_bind, &client_port, problem, problem_size);
    if (clients < 0) return clients;
    if (!config->alone) {
        peers = sk_socket_listen(config->peer_bind, &peer_port, problem, problem_size);
        if (peers < 0) {
            close(clients);
            return peers;
        }
    }
    host->config = *config;
    host->client_port = client_port;
    host->peer_port = config->alone ? 0 : peer_port;
    host->listening = true;
    sk_door_open(&host->door, host, clients, config->clients_max);
    sk_peers_open(&host->peers, host, peers);
    return 0;
}

void sk_host_close(sk_host *host)
{
    if (host->listening) {
        sk_door_close(&host->door);
        sk_peers_close(&host->peers);
    }
    uv_close((uv_handle_t *)&host->deadline_poll, NULL);
    uv_close((uv_handle_t *)&host->check, NULL);
    uv_close((uv_handle_t *)&host->again, NULL);
    uv_close((uv_handle_t *)&host->stop_timer, NULL);
    for (int i = 0; host->signals_watched && i < 2; i++) uv_close((uv_handle_t *)&host->signals[i], NULL);
    uv_run(&host->loop, UV_RUN_DEFAULT);
    int error = uv_loop_close(&host->loop);
    SK_ASSERT(error == 0);
    close(host->deadline_fd);
    sk_free(host->scratch);
    sk_free(host);
}

uint16_t sk_host_client_port(const sk_host *host)
{
    return host->client_port;
}

uint16_t sk_host_peer_port(const sk_host *host)
{
    return host->peer_port;
}

uv_loop_t *sk_host_loop(sk_host *host)
{
    return &host->loop;
}

sk_node_host *sk_host_face(sk_host *host)
{
    return &host->face;
}

void sk_host_serve(sk_host *host, sk_node *node)
{
    host->node = node;
    host->door.refusal = NULL;
}

void sk_host_refuse(sk_host *host, const char *error)
{
    SK_ASSERT(!host->node);
    host->door.refusal = error;
}

void sk_host_set_watch(sk_host *host, sk_host_watch *watch, void *context)
{
    host->watch = watch;
    host->watch_context = context;
}

void sk_host_run(sk_host *host)
{
    SK_ASSERT(host->listening && (host->node || host->door.refusal));
    uv_poll_start(&host->deadline_poll, UV_READABLE, on_deadline);
    uv_check_start(&host->check, on_check);
    uv_idle_start(&host->again, on_again); // the first turn comes at once
    host->running = true;
    sk_door_start(&host->door);
    if (host->node) sk_peers_start(&host->peers);
    if (!host->node) uv_idle_stop(&host->again);
    uv_run(&host->loop, UV_RUN_DEFAULT);
    host->node = NULL;
}

bool sk_host_looking_up(const sk_host *host)
{
    for (size_t i = 0; i < host->peers.count; i++) {
        if (host->peers.list[i].looking) return true;
    }
    return false;
}

bool sk_host_stopped_clean(const sk_host *host)
{
    return host->stopped_clean;
}
