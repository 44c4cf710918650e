#include "host/door.h"

#include <unistd.h>

#include "base/alloc.h"
#include "base/assert.h"
#include "host/address.h"
#include "host/clock.h"
#include "host/refusal.h"
#include "host/socket.h"
#include "host/state.h"

enum {
    ACCEPT_BURST = 64,
    ACCEPT_PAUSE_MS = 200,
    SWEEP_MS = 500,
    PREFIX_MAX = 16 * 1024, // a rest this short is put in front of the next read instead of read behind
    READ_STEP = 128 * 1024,
    SPARE_MAX = 64 * 1024, // unused capacity that a rest may keep
    OUT_KEEP = 4 * 1024,
    REFUSAL_OUT_MAX = 64 * 1024,
    BATCH_READ_SIZE = 8 * 1024, // of one connection in a batch of reads; what is longer comes in the next round
};

#define CLOSING_MAX     (5 * SK_S)
#define LINGERING_MAX   (1 * SK_S)
#define HALF_CLOSED_MAX (10 * SK_S)

enum state { SERVED, CLOSING, LINGERING, BROKEN };

struct sk_connection {
    uv_poll_t poll;
    sk_door *door;
    sk_client *client;   // SERVED by a node; BROKEN until it has been told
    sk_refusal *refusal; // SERVED without a node
    sk_buffer in;        // came and not consumed
    sk_buffer *out;      // the node's, or `rest`; NULL: nothing waits
    sk_buffer rest;      // handed over by the node
    size_t written;      // of *out
    sk_ns until;         // on `leaving`: when to give up
    int fd;
    int events; // polled for
    enum state state;
    bool half_closed;
    sk_list link, resume, leaving;
    sk_list reading, sending; // in the next batch
};

static const char too_many[] = "-ERR max number of clients reached\r\n";

static void on_poll(uv_poll_t *handle, int status, int events);
static void on_sweep(uv_timer_t *timer);

// ---- Life and death ----

static void on_closed(uv_handle_t *handle)
{
    sk_connection *connection = handle->data;
    sk_door *door = connection->door;
    if (connection->client && door->host->node) {
        sk_host_input(door->host);
        sk_node_client_gone(door->host->node, connection->client);
    }
    if (connection->refusal) sk_refusal_close(connection->refusal);
    sk_buffer_deinit(&connection->in);
    sk_buffer_deinit(&connection->rest);
    sk_list_remove(&connection->link);
    door->count--;
    sk_free(connection);
}

// Also from within a turn: the node hears of it later.
static void break_off(sk_connection *connection)
{
    if (connection->state == BROKEN) return;
    connection->state = BROKEN;
    sk_list_remove(&connection->resume);
    sk_list_remove(&connection->leaving);
    sk_list_remove(&connection->reading);
    sk_list_remove(&connection->sending);
    uv_poll_stop(&connection->poll);
    close(connection->fd);
    connection->fd = -1;
    uv_close((uv_handle_t *)&connection->poll, on_closed);
}

static void leave_by(sk_connection *connection, sk_ns time)
{
    sk_door *door = connection->door;
    connection->until = sk_clock_boot() + time;
    sk_list_remove(&connection->leaving);
    sk_list_push_back(&door->leaving, &connection->leaving);
    if (!uv_is_active((uv_handle_t *)&door->sweep))
        uv_timer_start(&door->sweep, on_sweep, SWEEP_MS, SWEEP_MS);
}

static void on_sweep(uv_timer_t *timer)
{
    sk_door *door = timer->data;
    sk_ns now = sk_clock_boot();
    sk_list *next;
    for (sk_list *at = door->leaving.next; at != &door->leaving; at = next) {
        next = at->next;
        sk_connection *connection = SK_CONTAINER(at, sk_connection, leaving);
        if (connection->until <= now) break_off(connection);
    }
    if (sk_list_empty(&door->leaving)) uv_timer_stop(timer);
}

// Polls for what this connection can use now.
static void want(sk_connection *connection)
{
    int events = 0;
    if (connection->state == LINGERING) {
        events = UV_READABLE;
    } else if (connection->state == SERVED && !connection->half_closed) {
        bool enough = connection->client ? sk_node_client_stalled(connection->client)
                                         : connection->rest.size > REFUSAL_OUT_MAX;
        if (!enough) events |= UV_READABLE;
    }
    if (connection->out) events |= UV_WRITABLE;
    if (events == connection->events) return;
    connection->events = events;
    if (events) {
        uv_poll_start(&connection->poll, events, on_poll);
    } else {
        uv_poll_stop(&connection->poll);
    }
}

static void queue_resume(sk_connection *connection)
{
    sk_list_remove(&connection->resume);
    sk_list_push_back(&connection->door->resumes, &connection->resume);
}

// ---- Writing ----

static void linger(sk_connection *connection)
{
    if (connection->half_closed || shutdown(connection->fd, SHUT_WR)) {
        break_off(connection);
        return;
    }
    connection->state = LINGERING;
    leave_by(connection, LINGERING_MAX);
    want(connection);
}

// True: all has gone. False: the rest waits for the socket, or the connection is BROKEN.
static bool write_out(sk_connection *connection, sk_buffer *out)
{
    int error = sk_socket_flush(connection->fd, out, &connection->written, OUT_KEEP);
    if (error == SK_EIO) {
        connection->out = NULL;
        break_off(connection);
        return false;
    }
    connection->out = error ? out : NULL;
    want(connection);
    return !error;
}

void sk_door_output(void *handle, sk_buffer *out)
{
    sk_connection *connection = handle;
    if (connection->state != SERVED || connection->out) return;
    connection->out = out;
    sk_list_push_back(&connection->door->sends, &connection->sending);
}

void sk_door_client_close(void *handle, sk_buffer *out)
{
    sk_connection *connection = handle;
    connection->client = NULL;
    connection->rest = *out;
    *out = (sk_buffer){0};
    sk_list_remove(&connection->sending);
    if (connection->state == BROKEN) return;
    SK_ASSERT(connection->state == SERVED);
    connection->state = CLOSING;
    sk_list_remove(&connection->resume);
    sk_buffer_deinit(&connection->in);
    if (write_out(connection, &connection->rest)) {
        linger(connection);
    } else if (connection->state == CLOSING) {
        leave_by(connection, CLOSING_MAX);
    }
}

// All replies of a client have gone.
static void drained(sk_connection *connection)
{
    sk_door *door = connection->door;
    // Only who was held back for them has anything to do now.
    if (sk_node_client_stalled(connection->client)) sk_host_input(door->host);
    sk_node_client_drained(door->host->node, connection->client);
    if (connection->half_closed) queue_resume(connection);
}

static void on_writable(sk_connection *connection)
{
    if (!connection->out || !write_out(connection, connection->out)) return;
    if (connection->state == CLOSING) linger(connection);
    else if (connection->client) drained(connection);
}

// What a batch could do for one connection; the rest goes the ordinary way.
static void sent(sk_connection *connection, ssize_t result)
{
    sk_buffer *out = connection->out;
    if (result == SK_EIO) {
        connection->out = NULL;
        break_off(connection);
        return;
    }
    if (result > 0) connection->written += (size_t)result;
    if (connection->written == out->size) {
        sk_buffer_reset(out, OUT_KEEP);
        connection->written = 0;
        connection->out = NULL;
    } else if (!write_out(connection, out)) {
        return;
    }
    drained(connection);
}

void sk_door_send(sk_door *door)
{
    sk_connection *waiting[SK_SOCKET_BATCH_MAX];
    sk_socket_operation list[SK_SOCKET_BATCH_MAX];
    while (!sk_list_empty(&door->sends)) {
        size_t count = 0;
        while (count < SK_SOCKET_BATCH_MAX && !sk_list_empty(&door->sends)) {
            sk_connection *connection = SK_CONTAINER(door->sends.next, sk_connection, sending);
            sk_list_remove(&connection->sending);
            SK_ASSERT(connection->written == 0 && connection->out);
            waiting[count] = connection;
            list[count++] = (sk_socket_operation){
                .fd = connection->fd, .bytes = connection->out->data, .size = connection->out->size};
        }
        sk_socket_batch_send(door->batch, list, count);
        for (size_t i = 0; i < count; i++) sent(waiting[i], list[i].result);
    }
}

// ---- Reading ----

static size_t consume(sk_connection *connection, sk_slice input)
{
    sk_door *door = connection->door;
    if (connection->client) {
        sk_host_input(door->host);
        return sk_node_client_receive(door->host->node, connection->client, input);
    }
    bool end = false;
    size_t used = sk_refusal_receive(connection->refusal, input, door->refusal, &connection->rest, &end);
    if (end) connection->state = CLOSING;
    return used;
}

// After input without a node: what was answered goes out at once.
static void answer_refused(sk_connection *connection)
{
    bool gone = connection->out || write_out(connection, &connection->rest);
    if (connection->state != CLOSING) return;
    if (gone && !connection->out) {
        linger(connection);
    } else {
        leave_by(connection, CLOSING_MAX);
    }
}

static void give_back(sk_buffer *in)
{
    if (in->size == 0) {
        sk_buffer_deinit(in);
    } else if (in->capacity > 4 * in->size + SPARE_MAX) {
        in->data = sk_realloc(in->data, in->size);
        in->capacity = in->size;
    }
}

// The other side sends no more. What it asked is still answered.
static void on_end(sk_connection *connection)
{
    if (connection->state != SERVED || !connection->client) {
        break_off(connection);
        return;
    }
    connection->half_closed = true;
    if (connection->out || sk_node_client_busy(connection->client) ||
        sk_node_client_stalled(connection->client)) {
        leave_by(connection, HALF_CLOSED_MAX);
        want(connection);
    } else {
        break_off(connection);
    }
}

static void on_input(sk_connection *connection, uint8_t *scratch, size_t size)
{
    size_t used = consume(connection, sk_slice_make(scratch, size));
    connection->in.size = 0;
    if (used == size || connection->in.capacity > size - used + SPARE_MAX) sk_buffer_deinit(&connection->in);
    sk_buffer_append(&connection->in, scratch + used, size - used);
}

static void on_received(sk_connection *connection, uint8_t *bytes, ssize_t got)
{
    if (got == SK_EAGAIN) return;
    if (got == SK_EIO) {
        break_off(connection);
    } else if (got == 0) {
        on_end(connection);
    } else {
        on_input(connection, bytes, (size_t)got);
        want(connection);
    }
}

void sk_door_receive(sk_door *door)
{
    sk_connection *waiting[SK_SOCKET_BATCH_MAX];
    sk_socket_operation list[SK_SOCKET_BATCH_MAX];
    while (!sk_list_empty(&door->reads)) {
        size_t count = 0;
        while (count < SK_SOCKET_BATCH_MAX && !sk_list_empty(&door->reads)) {
            sk_connection *connection = SK_CONTAINER(door->reads.next, sk_connection, reading);
            sk_list_remove(&connection->reading);
            waiting[count] = connection;
            list[count] = (sk_socket_operation){.fd = connection->fd,
                                                .bytes = door->inputs + count * BATCH_READ_SIZE,
                                                .size = BATCH_READ_SIZE};
            count++;
        }
        sk_socket_batch_receive(door->batch, list, count);
        for (size_t i = 0; i < count; i++) on_received(waiting[i], list[i].bytes, list[i].result);
    }
}

static void on_readable(sk_connection *connection)
{
    uint8_t *scratch = connection->door->host->scratch;
    sk_buffer *in = &connection->in;
    bool prefixed = in->size <= PREFIX_MAX;
    size_t before = in->size;
    ssize_t got;
    if (prefixed) {
        if (before) memcpy(scratch, in->data, before);
        got = sk_socket_receive(connection->fd, scratch + before, SK_HOST_SCRATCH_SIZE - before);
    } else {
        uint8_t *into = sk_buffer_reserve(in, READ_STEP);
        got = sk_socket_receive(connection->fd, into, in->capacity - in->size);
    }
    if (got == SK_EAGAIN) return;
    if (got == SK_EIO) {
        break_off(connection);
    } else if (got == 0) {
        on_end(connection);
    } else if (connection->state == SERVED) {
        if (prefixed) {
            on_input(connection, scratch, before + (size_t)got);
        } else {
            in->size += (size_t)got;
            sk_buffer_consume(in, consume(connection, sk_buffer_slice(in)));
            give_back(in);
        }
        if (!connection->client) answer_refused(connection);
        if (connection->state != BROKEN) want(connection);
    }
}

static void on_poll(uv_poll_t *handle, int status, int events)
{
    sk_connection *connection = handle->data;
    if (status < 0) {
        break_off(connection);
        return;
    }
    if (events & UV_WRITABLE) on_writable(connection);
    if (connection->state == BROKEN || !(events & UV_READABLE)) return;
    bool plain = connection->state != SERVED || !connection->client || connection->in.size;
    if (plain) {
        on_readable(connection);
    } else {
        sk_list_remove(&connection->reading);
        sk_list_push_back(&connection->door->reads, &connection->reading);
    }
}

void sk_door_client_resume(void *handle)
{
    sk_connection *connection = handle;
    if (connection->state == SERVED) queue_resume(connection);
}

bool sk_door_waits(const sk_door *door)
{
    return !sk_list_empty(&door->resumes);
}

void sk_door_resume(sk_door *door)
{
    // Only those who wait now: what the node asks for during this comes in the next round.
    sk_list round;
    sk_list_init(&round);
    while (!sk_list_empty(&door->resumes)) {
        sk_list *first = door->resumes.next;
        sk_list_remove(first);
        sk_list_push_back(&round, first);
    }
    while (!sk_list_empty(&round)) {
        sk_connection *connection = SK_CONTAINER(round.next, sk_connection, resume);
        sk_list_remove(&connection->resume);
        if (connection->in.size) {
            sk_buffer_consume(&connection->in, consume(connection, sk_buffer_slice(&connection->in)));
            give_back(&connection->in);
        }
        bool waits = connection->out || sk_node_client_busy(connection->client) ||
                     sk_node_client_stalled(connection->client);
        if (connection->half_closed && !waits) {
            break_off(connection);
        } else {
            want(connection);
        }
    }
}

// ---- Accepting ----

static void admit(sk_door *door, int fd, const sk_socket_address *from)
{
    char address[SK_ADDRESS_TEXT_MAX];
    sk_address_format(from, address);
    sk_connection *connection = sk_alloc_zeroed(sizeof *connection);
    connection->door = door;
    connection->fd = fd;
    connection->poll.data = connection;
    bool room = door->count < door->count_max;
    if (room && !door->refusal) {
        sk_host_input(door->host);
        connection->client = sk_node_client_open(door->host->node, connection, address);
    } else if (room) {
        connection->refusal = sk_refusal_open();
    }
    bool served = connection->client || connection->refusal;
    if (!served || uv_poll_init(&door->host->loop, &connection->poll, fd)) {
        if (!served) (void)sk_socket_send(fd, too_many, sizeof too_many - 1);
        if (!served)
            sk_log(door->host->sink, SK_LOG_WARN, "msg=\"client refused: clients-max is reached\" clients=%u",
                   door->count);
        if (connection->client) sk_node_client_gone(door->host->node, connection->client);
        if (connection->refusal) sk_refusal_close(connection->refusal);
        close(fd);
        sk_free(connection);
        return;
    }
    sk_list_init(&connection->resume);
    sk_list_init(&connection->leaving);
    sk_list_init(&connection->reading);
    sk_list_init(&connection->sending);
    sk_list_push_back(&door->connections, &connection->link);
    door->count++;
    want(connection);
}

static void on_pause_over(uv_timer_t *timer)
{
    sk_door_start(timer->data);
}

static void on_connection(uv_poll_t *handle, int status, int events)
{
    (void)events;
    sk_door *door = handle->data;
    if (status < 0) return;
    for (int i = 0; i < ACCEPT_BURST; i++) {
        sk_socket_address from;
        int fd = sk_socket_accept(door->listener, &from);
        if (fd == SK_EAGAIN) return;
        if (fd == SK_ENOMEM) {
            // Polling on would spin: the connection stays in the queue.
            sk_log(door->host->sink, SK_LOG_WARN,
                   "msg=\"out of file descriptors or memory: accepting waits\" clients=%u", door->count);
            uv_poll_stop(&door->poll);
            uv_timer_start(&door->pause, on_pause_over, ACCEPT_PAUSE_MS, 0);
            return;
        }
        if (fd >= 0) admit(door, fd, &from);
    }
}

void sk_door_open(sk_door *door, sk_host *host, int listener, uint32_t count_max)
{
    *door = (sk_door){.host = host, .listener = listener, .count_max = count_max};
    sk_list_init(&door->connections);
    sk_list_init(&door->resumes);
    sk_list_init(&door->leaving);
    sk_list_init(&door->reads);
    sk_list_init(&door->sends);
    door->batch = sk_socket_batch_open();
    door->inputs = sk_alloc(SK_SOCKET_BATCH_MAX * BATCH_READ_SIZE);
    int error = uv_poll_init(&host->loop, &door->poll, listener);
    SK_ASSERT(error == 0);
    uv_timer_init(&host->loop, &door->pause);
    uv_timer_init(&host->loop, &door->sweep);
    door->poll.data = door->pause.data = door->sweep.data = door;
}

void sk_door_start(sk_door *door)
{
    uv_poll_start(&door->poll, UV_READABLE, on_connection);
}

void sk_door_stop(sk_door *door)
{
    if (door->listener < 0) return;
    uv_timer_stop(&door->pause);
    uv_poll_stop(&door->poll);
    close(door->listener);
    door->listener = -1;
}

void sk_door_close(sk_door *door)
{
    sk_door_stop(door);
    uv_close((uv_handle_t *)&door->poll, NULL);
    uv_close((uv_handle_t *)&door->pause, NULL);
    uv_close((uv_handle_t *)&door->sweep, NULL);
    for (sk_list *at = door->connections.next; at != &door->connections; at = at->next) {
        break_off(SK_CONTAINER(at, sk_connection, link));
    }
    sk_socket_batch_close(door->batch);
    sk_free(door->inputs);
}
