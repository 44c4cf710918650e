#include "cli/load.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/assert.h"

enum { READ_SIZE = 64 * 1024, EVENTS_MAX = 256, BULK_HEADER_MAX = 32 };

typedef struct connection {
    int socket;
    sk_buffer out;       // what the socket would not take yet
    uint32_t waiting;    // requests without their last reply
    uint32_t replies_left; // of the front request: 2 for SET and WAIT
    uint64_t bulk_left;  // bytes of a bulk string to skip
    char line[BULK_HEADER_MAX];
    uint32_t line_size;
    bool line_long;
    bool polled_out;
    struct request {
        sk_ns since;
        bool write;
    } *requests; // ring of plan->pipeline
    uint32_t first;
} connection;

typedef struct load {
    const sk_load_plan *plan;
    sk_load_result *result;
    connection *connections;
    int epoll;
    sk_prng prng;
    sk_ns now, started, measured_from, ends;
    bool measuring;
    uint64_t done;
    uint64_t due; // open loop: requests that have fallen due and were sent
    uint32_t next_idle;
    uint8_t *input;
    uint8_t *value;
} load;

static void note_error(load *load, const char *text, size_t size)
{
    if (!load->result->errors++) {
        snprintf(load->result->first_error, sizeof load->result->first_error, "%.*s", (int)(size > 100 ? 100 : size), text);
    }
}

// ---- Connecting ----

static int open_socket(const sk_endpoint *endpoint, char *problem, size_t size)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *list = NULL;
    int error = getaddrinfo(endpoint->host, endpoint->port, &hints, &list);
    if (error) {
        snprintf(problem, size, "%s: %s", endpoint->host, gai_strerror(error));
        return -1;
    }
    int found = -1;
    for (struct addrinfo *at = list; at && found < 0; at = at->ai_next) {
        found = socket(at->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (found < 0) continue;
        if (connect(found, at->ai_addr, at->ai_addrlen) == 0) break;
        snprintf(problem, size, "%s:%s: %s", endpoint->host, endpoint->port, strerror(errno));
        close(found);
        found = -1;
    }
    freeaddrinfo(list);
    if (found < 0) return -1;
    int on = 1;
    setsockopt(found, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    fcntl(found, F_SETFL, fcntl(found, F_GETFL) | O_NONBLOCK);
    return found;
}

static int connect_all(load *load)
{
    const sk_load_plan *plan = load->plan;
    for (uint32_t i = 0; i < plan->connections; i++) {
        connection *at = &load->connections[i];
        at->socket = open_socket(&plan->endpoints[i % plan->endpoint_count], load->result->first_error,
                                 sizeof load->result->first_error);
        if (at->socket < 0) return SK_ECONNECT;
        at->requests = sk_alloc_zeroed(plan->pipeline * sizeof *at->requests);
        struct epoll_event event = {.events = EPOLLIN, .data.u32 = i};
        if (epoll_ctl(load->epoll, EPOLL_CTL_ADD, at->socket, &event) < 0) return SK_ECONNECT;
    }
    return 0;
}

static void lose(load *load, connection *at)
{
    load->result->lost++;
    close(at->socket);
    at->socket = -1;
    at->waiting = 0;
}

// ---- Sending ----

static void watch(load *load, connection *at, bool out)
{
    if (at->polled_out == out) return;
    at->polled_out = out;
    struct epoll_event event = {.events = EPOLLIN | (out ? EPOLLOUT : 0u), .data.u32 = (uint32_t)(at - load->connections)};
    epoll_ctl(load->epoll, EPOLL_CTL_MOD, at->socket, &event);
}

static void push_out(load *load, connection *at)
{
    ssize_t sent = send(at->socket, at->out.data, at->out.size, MSG_NOSIGNAL);
    if (sent < 0 && errno != EAGAIN && errno != EINTR) {
        lose(load, at);
        return;
    }
    if (sent > 0) sk_buffer_consume(&at->out, (size_t)sent);
    watch(load, at, at->out.size > 0);
}

static char *put_text(char *at, const char *text)
{
    while (*text) *at++ = *text++;
    return at;
}

static char *put_number(char *at, uint64_t value, int width)
{
    char digits[20];
    int count = 0;
    do digits[count++] = (char)('0' + value % 10);
    while ((value /= 10) || count < width);
    while (count) *at++ = digits[--count];
    return at;
}

enum { KEY_SIZE = 16 }; // "key:" and twelve digits, as redis-benchmark has it

static void add_request(load *load, connection *at, sk_ns since)
{
    const sk_load_plan *plan = load->plan;
    SK_ASSERT(at->waiting < plan->pipeline);
    bool write = plan->reads == 0 || sk_prng_below(&load->prng, plan->writes + plan->reads) < plan->writes;
    at->requests[(at->first + at->waiting) % plan->pipeline] = (struct request){.since = since, .write = write};
    if (at->waiting++ == 0) at->replies_left = write && plan->wait_replicas ? 2 : 1;
    char *start = (char *)sk_buffer_reserve(&at->out, plan->value_size + 160);
    char *to = put_text(start, write ? "*3\r\n$3\r\nSET\r\n$16\r\nkey:" : "*2\r\n$3\r\nGET\r\n$16\r\nkey:");
    to = put_number(to, sk_prng_below(&load->prng, plan->keys), KEY_SIZE - 4);
    to = put_text(to, "\r\n");
    if (write) {
        *to++ = '$';
        to = put_number(to, plan->value_size, 1);
        to = put_text(to, "\r\n");
        memcpy(to, load->value, plan->value_size);
        to += plan->value_size;
        to = put_text(to, "\r\n");
        if (plan->wait_replicas) {
            to = put_text(to, "*3\r\n$4\r\nWAIT\r\n$1\r\n");
            *to++ = (char)('0' + plan->wait_replicas);
            to = put_text(to, "\r\n$1\r\n0\r\n");
        }
    }
    at->out.size += (size_t)(to - start);
}

static void refill(load *load, connection *at)
{
    if (at->waiting || at->socket < 0 || load->now >= load->ends) return;
    while (at->waiting < load->plan->pipeline) add_request(load, at, load->now);
    push_out(load, at);
}

// Open loop: everything that has fallen due, as far as connections have room.
static void send_due(load *load)
{
    const sk_load_plan *plan = load->plan;
    uint64_t fallen = (uint64_t)((double)(load->now - load->started) / 1e9 * (double)plan->rate);
    uint32_t looked = 0;
    while (load->due < fallen && looked < plan->connections && load->now < load->ends) {
        connection *at = &load->connections[load->next_idle];
        load->next_idle = (load->next_idle + 1) % plan->connections;
        looked++;
        if (at->socket < 0 || at->waiting == plan->pipeline) continue;
        looked = 0;
        add_request(load, at, load->started + (sk_ns)((double)load->due / (double)plan->rate * 1e9));
        load->due++;
        push_out(load, at);
    }
}

// ---- Replies ----

static void answered(load *load, connection *at)
{
    if (at->waiting == 0) {
        note_error(load, "a reply that nobody asked for", 29);
        return;
    }
    if (--at->replies_left) return;
    const struct request *request = &at->requests[at->first];
    load->done++;
    if (load->measuring) {
        sk_ns took = load->now > request->since ? load->now - request->since : 0;
        sk_histogram_add(request->write ? &load->result->write_ns : &load->result->read_ns, took);
    }
    at->first = (at->first + 1) % load->plan->pipeline;
    if (--at->waiting) at->replies_left = at->requests[at->first].write && load->plan->wait_replicas ? 2 : 1;
}

static void line_ended(load *load, connection *at)
{
    uint32_t size = at->line_size;
    at->line_size = 0;
    if (size == 0) return;
    if (at->line[0] == '-') note_error(load, at->line + 1, size - 1);
    if (at->line[0] == '$' && at->line[1] != '-') {
        uint64_t bulk = 0;
        for (uint32_t i = 1; i < size; i++) bulk = bulk * 10 + (uint64_t)(at->line[i] - '0');
        at->bulk_left = bulk + 2;
        return;
    }
    answered(load, at);
}

static void take_input(load *load, connection *at, const uint8_t *data, size_t size)
{
    while (size) {
        if (at->bulk_left) {
            size_t skip = at->bulk_left < size ? (size_t)at->bulk_left : size;
            at->bulk_left -= skip;
            data += skip;
            size -= skip;
            if (!at->bulk_left) answered(load, at);
            continue;
        }
        uint8_t c = *data++;
        size--;
        if (c == '\n') line_ended(load, at);
        else if (c != '\r' && at->line_size < BULK_HEADER_MAX) at->line[at->line_size++] = (char)c;
    }
}

static void readable(load *load, connection *at)
{
    for (;;) {
        ssize_t got = recv(at->socket, load->input, READ_SIZE, 0);
        if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
        if (got <= 0) {
            lose(load, at);
            return;
        }
        take_input(load, at, load->input, (size_t)got);
        if (got < READ_SIZE) return;
    }
}

// ---- The loop ----

static double cpu_seconds(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

static int wait_ms(const load *load, sk_ns next_progress)
{
    if (load->plan->rate) return 1;
    sk_ns until = load->ends < next_progress ? load->ends : next_progress;
    return until > load->now ? (int)((until - load->now) / SK_MS) + 1 : 0;
}

static void run(load *load, sk_load_progress *progress, sk_load_mark *mark, void *context)
{
    struct epoll_event events[EVENTS_MAX];
    load->started = load->now = sk_client_now();
    load->measured_from = load->started + load->plan->warm_up;
    load->ends = load->measured_from + load->plan->duration;
    sk_ns next_progress = load->started + SK_S;
    double cpu_before = 0;
    if (!load->plan->rate) {
        for (uint32_t i = 0; i < load->plan->connections; i++) refill(load, &load->connections[i]);
    }
    while (load->now < load->ends && load->result->lost < load->plan->connections) {
        int count = epoll_wait(load->epoll, events, EVENTS_MAX, wait_ms(load, next_progress));
        load->now = sk_client_now();
        if (!load->measuring && load->now >= load->measured_from) {
            load->measuring = true;
            load->measured_from = load->now;
            cpu_before = cpu_seconds();
            if (mark) mark(context, true);
        }
        for (int i = 0; i < count; i++) {
            connection *at = &load->connections[events[i].data.u32];
            if (at->socket >= 0 && (events[i].events & EPOLLOUT)) push_out(load, at);
            if (at->socket >= 0 && (events[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR))) readable(load, at);
            if (!load->plan->rate) refill(load, at);
        }
        if (load->plan->rate) send_due(load);
        if (load->now >= next_progress) {
            next_progress += SK_S;
            if (progress) progress(context, (double)(load->now - load->started) / 1e9, load->done, load->result->errors);
        }
    }
    if (mark) mark(context, false);
    load->result->own_cpu_seconds = cpu_seconds() - cpu_before;
    load->result->seconds = (double)(load->now - load->measured_from) / 1e9;
}

int sk_load_run(const sk_load_plan *plan, sk_load_result *result, sk_load_progress *progress, sk_load_mark *mark,
                void *context)
{
    SK_ASSERT(plan->endpoint_count > 0 && plan->connections > 0 && plan->pipeline > 0 && plan->keys > 0);
    memset(result, 0, sizeof *result);
    load load = {.plan = plan, .result = result};
    load.connections = sk_alloc_zeroed(plan->connections * sizeof *load.connections);
    for (uint32_t i = 0; i < plan->connections; i++) load.connections[i].socket = -1;
    load.epoll = epoll_create1(EPOLL_CLOEXEC);
    load.input = sk_alloc(READ_SIZE);
    load.value = sk_alloc(plan->value_size);
    sk_prng_init(&load.prng, plan->seed);
    for (uint32_t i = 0; i < plan->value_size; i++) load.value[i] = (uint8_t)('a' + sk_prng_below(&load.prng, 26));
    int error = connect_all(&load);
    if (!error) run(&load, progress, mark, context);
    for (uint32_t i = 0; i < plan->connections; i++) {
        connection *at = &load.connections[i];
        if (at->socket >= 0) close(at->socket);
        sk_buffer_deinit(&at->out);
        sk_free(at->requests);
    }
    close(load.epoll);
    sk_free(load.connections);
    sk_free(load.input);
    sk_free(load.value);
    return error;
}
