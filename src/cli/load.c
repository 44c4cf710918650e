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
#include "cli/load_batch.h"

enum { READ_SIZE = 16 * 1024, EVENTS_MAX = SK_LOAD_BATCH_MAX, READY_S = 10 };

typedef struct request {
    sk_ns since;
    uint8_t kind; // enum sk_load_kind
    bool busy;
} request;

struct sk_load_link {
    struct load *load;
    int socket;
    bool ready, polled_out;
    bool sending; // has bytes in the batch that is being gathered
    uint32_t waiting; // requests without their reply
    uint32_t first;   // slot of the oldest, unless multiplexed
    request *requests;
    uint32_t *free_slots; // a stack of plan->pipeline - waiting slots; multiplexed only
    sk_buffer out; // what the socket would not take yet
    sk_buffer in;  // the beginning of a reply
    void *state;   // the wire's
};

typedef struct load {
    const sk_load_plan *plan;
    sk_load_result *result;
    sk_load_progress *progress;
    sk_load_mark *mark;
    void *context;
    sk_load_link *links;
    uint32_t ready;
    int epoll;
    sk_prng prng;
    sk_ns now, started, measured_from, ends, next_progress;
    bool filling, measuring;
    double cpu_before;
    uint64_t filled; // keys given out while filling
    uint64_t done;
    uint64_t due; // open loop: requests that have fallen due and were sent
    uint32_t next_idle;
    sk_load_batch *batch;
    sk_buffer out; // what is about to be sent, one connection's behind the other's
    sk_load_operation sends[SK_LOAD_BATCH_MAX]; // of `out`; offsets until the batch leaves, because `out` may move
    sk_load_link *senders[SK_LOAD_BATCH_MAX];
    size_t send_count, out_taken; // the first bytes of `out` are in `sends`
    uint8_t *input; // READ_SIZE for each of a batch
    uint8_t *value;
} load;

// ---- What a wire may ask ----

const sk_load_plan *sk_load_plan_of(const sk_load_link *link)
{
    return link->load->plan;
}

void *sk_load_state(sk_load_link *link)
{
    return link->state;
}

uint32_t sk_load_number(const sk_load_link *link)
{
    return (uint32_t)(link - link->load->links);
}

const uint8_t *sk_load_value(const sk_load_link *link)
{
    return link->load->value;
}

enum sk_load_kind sk_load_oldest(const sk_load_link *link)
{
    return link->waiting ? (enum sk_load_kind)link->requests[link->first].kind : SK_LOAD_READ;
}

void sk_load_ready(sk_load_link *link)
{
    if (!link->ready) link->load->ready++;
    link->ready = true;
}

void sk_load_error(sk_load_link *link, const void *text, size_t size)
{
    sk_load_result *result = link->load->result;
    if (!result->errors++) snprintf(result->first_error, sizeof result->first_error, "%.*s", (int)(size > 100 ? 100 : size), (const char *)text);
}

void sk_load_answered(sk_load_link *link, uint32_t slot)
{
    load *load = link->load;
    uint32_t pipeline = load->plan->pipeline;
    bool multiplexed = load->plan->wire->multiplexed;
    if (!multiplexed) slot = link->first;
    if (slot >= pipeline || !link->requests[slot].busy) {
        static const char text[] = "a reply that nobody asked for";
        sk_load_error(link, text, sizeof text - 1);
        return;
    }
    request *request = &link->requests[slot];
    request->busy = false;
    link->waiting--;
    if (multiplexed) link->free_slots[pipeline - link->waiting - 1] = slot;
    else link->first = link->first + 1 == pipeline ? 0 : link->first + 1;
    load->done++;
    if (load->measuring) {
        sk_ns took = load->now > request->since ? load->now - request->since : 0;
        sk_histogram_add(request->kind == SK_LOAD_READ ? &load->result->read_ns : &load->result->write_ns, took);
    }
}

char *sk_load_put_text(char *at, const char *text)
{
    size_t size = strlen(text);
    memcpy(at, text, size);
    return at + size;
}

char *sk_load_put_number(char *at, uint64_t value, int width_min)
{
    char digits[20];
    int count = 0;
    do digits[count++] = (char)('0' + value % 10);
    while ((value /= 10) || count < width_min);
    while (count) *at++ = digits[--count];
    return at;
}

// ---- Sending ----

static void lose(sk_load_link *link)
{
    link->load->result->lost++;
    if (link->ready) link->load->ready--;
    close(link->socket);
    link->socket = -1;
    link->waiting = 0;
}

static void watch(sk_load_link *link, bool out)
{
    if (link->polled_out == out) return;
    link->polled_out = out;
    struct epoll_event event = {.events = EPOLLIN | (out ? EPOLLOUT : 0u), .data.u32 = sk_load_number(link)};
    epoll_ctl(link->load->epoll, EPOLL_CTL_MOD, link->socket, &event);
}

// Sends what the socket takes of link->out.
static void push_late(sk_load_link *link)
{
    ssize_t sent = send(link->socket, link->out.data, link->out.size, MSG_NOSIGNAL);
    if (sent < 0 && errno != EAGAIN && errno != EINTR) {
        lose(link);
        return;
    }
    if (sent > 0) sk_buffer_consume(&link->out, (size_t)sent);
    watch(link, link->out.size > 0);
}

static void sent(sk_load_link *link, const uint8_t *bytes, size_t size, ssize_t result)
{
    if (result < 0 && result != -EAGAIN && result != -EINTR) {
        lose(link);
        return;
    }
    size_t taken = result > 0 ? (size_t)result : 0;
    if (taken == size) return;
    sk_buffer_append(&link->out, bytes + taken, size - taken);
    watch(link, true);
}

// Sends all that was gathered.
static void flush(load *load)
{
    for (size_t i = 0; i < load->send_count; i++) load->sends[i].bytes = load->out.data + load->sends[i].offset;
    sk_load_batch_send(load->batch, load->sends, load->send_count);
    for (size_t i = 0; i < load->send_count; i++) {
        load->senders[i]->sending = false;
        sent(load->senders[i], load->sends[i].bytes, load->sends[i].size, load->sends[i].result);
    }
    load->send_count = 0;
    load->out.size = load->out_taken = 0;
}

// Takes what was appended to load->out since the last call as this connection's, to be sent with the others of the turn.
static void push(sk_load_link *link)
{
    load *load = link->load;
    size_t size = load->out.size - load->out_taken;
    if (!size) return;
    if (link->socket < 0 || link->out.size) {
        if (link->socket >= 0) sk_buffer_append(&link->out, load->out.data + load->out_taken, size);
        load->out.size = load->out_taken;
        return;
    }
    SK_ASSERT(!link->sending); // two sends of one connection in a batch would not wait for each other
    link->sending = true;
    load->senders[load->send_count] = link;
    load->sends[load->send_count++] = (sk_load_operation){.socket = link->socket, .offset = load->out_taken, .size = size};
    load->out_taken = load->out.size;
    if (load->send_count == SK_LOAD_BATCH_MAX) flush(load);
}

static void add_request(sk_load_link *link, sk_ns since)
{
    load *load = link->load;
    const sk_load_plan *plan = load->plan;
    SK_ASSERT(link->waiting < plan->pipeline);
    enum sk_load_kind kind = SK_LOAD_FILL;
    uint64_t key;
    if (load->filling) {
        key = load->filled++;
    } else {
        bool write = plan->reads == 0 || sk_prng_below(&load->prng, plan->writes + plan->reads) < plan->writes;
        kind = write ? SK_LOAD_WRITE : SK_LOAD_READ;
        key = sk_prng_below(&load->prng, plan->keys);
    }
    uint32_t slot = plan->wire->multiplexed ? link->free_slots[plan->pipeline - link->waiting - 1]
                                            : (uint32_t)(((uint64_t)link->first + link->waiting) % plan->pipeline);
    link->waiting++;
    link->requests[slot] = (request){.since = since, .kind = (uint8_t)kind, .busy = true};
    plan->wire->put(link, &load->out, slot, kind, key);
}

// Closed loop: a new burst when the last is answered, or (multiplexed) a request for each answered one.
static void refill(sk_load_link *link)
{
    load *load = link->load;
    if (link->socket < 0 || load->now >= load->ends) return;
    if (link->waiting && !load->plan->wire->multiplexed) return;
    uint32_t before = link->waiting;
    while (link->waiting < load->plan->pipeline && !(load->filling && load->filled == load->plan->keys)) add_request(link, load->now);
    if (link->waiting > before && load->plan->wire->burst_end) load->plan->wire->burst_end(link, &load->out);
}

// Open loop: everything that has fallen due, as far as connections have room.
static void send_due(load *load)
{
    const sk_load_plan *plan = load->plan;
    uint64_t fallen = (uint64_t)((double)(load->now - load->started) / 1e9 * (double)plan->rate);
    uint32_t looked = 0;
    while (load->due < fallen && looked < plan->connections && load->now < load->ends) {
        sk_load_link *link = &load->links[load->next_idle];
        load->next_idle = (load->next_idle + 1) % plan->connections;
        looked++;
        if (link->socket < 0 || link->waiting == plan->pipeline) continue;
        if (link->sending) flush(load);
        looked = 0;
        add_request(link, load->started + (sk_ns)((double)load->due / (double)plan->rate * 1e9));
        load->due++;
        push(link);
    }
    flush(load);
}

// ---- Replies ----

static void take_input(sk_load_link *link, const uint8_t *data, size_t size)
{
    if (link->in.size) {
        sk_buffer_append(&link->in, data, size);
        data = link->in.data;
        size = link->in.size;
    }
    size_t used = link->load->plan->wire->take(link, &link->load->out, data, size);
    if (used > size) {
        lose(link);
        return;
    }
    if (link->in.size) sk_buffer_consume(&link->in, used);
    else if (used < size) sk_buffer_append(&link->in, data + used, size - used);
}

static void received(sk_load_link *link, const uint8_t *data, ssize_t result)
{
    if (result == -EAGAIN || result == -EINTR) return;
    if (result <= 0) lose(link);
    else take_input(link, data, (size_t)result);
}

// ---- The loop ----

// Waits for at most wait_ms, then takes what came; `send` says whether answered requests are replaced at once. What did not fit into a
// read is still there in the next turn.
static void turn(load *load, int wait_ms, bool send)
{
    struct epoll_event events[EVENTS_MAX];
    sk_load_operation reads[EVENTS_MAX];
    sk_load_link *readers[EVENTS_MAX];
    size_t read_count = 0;
    int count = epoll_wait(load->epoll, events, EVENTS_MAX, wait_ms);
    load->now = sk_client_now();
    for (int i = 0; i < count; i++) {
        sk_load_link *link = &load->links[events[i].data.u32];
        if (link->socket >= 0 && (events[i].events & EPOLLOUT)) push_late(link);
        if (link->socket < 0 || !(events[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR))) continue;
        readers[read_count] = link;
        reads[read_count] = (sk_load_operation){.socket = link->socket, .bytes = load->input + read_count * READ_SIZE, .size = READ_SIZE};
        read_count++;
    }
    sk_load_batch_receive(load->batch, reads, read_count);
    for (size_t i = 0; i < read_count; i++) {
        received(readers[i], reads[i].bytes, reads[i].result);
        if (send) refill(readers[i]);
        push(readers[i]);
    }
    flush(load);
    if (load->now >= load->next_progress) {
        load->next_progress += SK_S;
        double total = load->filling ? 0 : (double)(load->ends - load->started) / 1e9;
        if (load->progress) load->progress(load->context, (double)(load->now - load->started) / 1e9, total, load->done, load->result->errors);
    }
}

static void begin(load *load)
{
    load->started = load->now = sk_client_now();
    load->ends = SK_NEVER;
    load->next_progress = load->started + SK_S;
    load->done = 0;
}

static void send_first(load *load)
{
    for (uint32_t i = 0; i < load->plan->connections; i++) {
        refill(&load->links[i]);
        push(&load->links[i]);
    }
    flush(load);
}

static void fill(load *load)
{
    begin(load);
    load->filling = true;
    send_first(load);
    while (load->done < load->plan->keys && !load->result->lost) turn(load, 100, true);
    load->filling = false;
}

static int wait_ms(const load *load)
{
    if (load->plan->rate) return 1;
    sk_ns until = load->ends < load->next_progress ? load->ends : load->next_progress;
    return until > load->now ? (int)((until - load->now) / SK_MS) + 1 : 0;
}

static double cpu_seconds(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

static void start_measuring(load *load)
{
    load->measuring = true;
    load->cpu_before = cpu_seconds();
    if (load->mark) load->mark(load->context, true);
    load->measured_from = sk_client_now();
    load->ends = load->measured_from + load->plan->duration;
}

static void run(load *load)
{
    const sk_load_plan *plan = load->plan;
    begin(load);
    load->measured_from = load->started + plan->warm_up;
    load->ends = load->measured_from + plan->duration;
    if (!plan->rate) send_first(load);
    while (load->now < load->ends && load->result->lost < plan->connections) {
        turn(load, wait_ms(load), !plan->rate);
        if (!load->measuring && load->now >= load->measured_from) start_measuring(load);
        if (plan->rate) send_due(load);
    }
    load->result->own_cpu_seconds = cpu_seconds() - load->cpu_before;
    if (load->mark) load->mark(load->context, false);
    load->result->seconds = (double)(load->now - load->measured_from) / 1e9;
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
        if (found < 0) {
            snprintf(problem, size, "a socket: %s", strerror(errno));
            continue;
        }
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

static int connect_one(load *load, sk_load_link *link)
{
    const sk_load_plan *plan = load->plan;
    sk_load_result *result = load->result;
    link->load = load;
    link->socket = open_socket(&plan->endpoints[sk_load_number(link) % plan->endpoint_count], result->first_error, sizeof result->first_error);
    if (link->socket < 0) return SK_ECONNECT;
    link->requests = sk_alloc_zeroed(plan->pipeline * sizeof *link->requests);
    link->state = sk_alloc_zeroed(plan->wire->state_size);
    if (plan->wire->multiplexed) {
        link->free_slots = sk_alloc(plan->pipeline * sizeof *link->free_slots);
        for (uint32_t i = 0; i < plan->pipeline; i++) link->free_slots[i] = i;
    }
    struct epoll_event event = {.events = EPOLLIN, .data.u32 = sk_load_number(link)};
    if (epoll_ctl(load->epoll, EPOLL_CTL_ADD, link->socket, &event) < 0) return SK_ECONNECT;
    if (plan->wire->greet) plan->wire->greet(link, &load->out);
    else sk_load_ready(link);
    push(link);
    return 0;
}

static int connect_all(load *load)
{
    const sk_load_plan *plan = load->plan;
    begin(load);
    for (uint32_t i = 0; i < plan->connections; i++) {
        if (connect_one(load, &load->links[i])) return SK_ECONNECT;
    }
    flush(load);
    while (load->ready < plan->connections) {
        turn(load, 100, false);
        if (load->result->lost || load->now > load->started + READY_S * SK_S) {
            snprintf(load->result->first_error, sizeof load->result->first_error, "%u of %u connections are ready after %d s", load->ready,
                     plan->connections, READY_S);
            return SK_ECONNECT;
        }
    }
    return 0;
}

static void disconnect_all(load *load)
{
    for (uint32_t i = 0; i < load->plan->connections; i++) {
        sk_load_link *link = &load->links[i];
        if (link->socket >= 0) close(link->socket);
        sk_buffer_deinit(&link->out);
        sk_buffer_deinit(&link->in);
        sk_free(link->requests);
        sk_free(link->free_slots);
        sk_free(link->state);
    }
}

int sk_load_run(const sk_load_plan *plan, sk_load_result *result, sk_load_progress *progress, sk_load_mark *mark, void *context)
{
    SK_ASSERT(plan->wire && plan->endpoint_count > 0 && plan->connections > 0 && plan->pipeline > 0 && plan->keys > 0);
    memset(result, 0, sizeof *result);
    const char *why = plan->wire->refuse ? plan->wire->refuse(plan) : NULL;
    if (why) {
        snprintf(result->first_error, sizeof result->first_error, "%s", why);
        return SK_EINVAL;
    }
    load load = {.plan = plan, .result = result, .progress = progress, .mark = mark, .context = context};
    load.links = sk_alloc_zeroed(plan->connections * sizeof *load.links);
    for (uint32_t i = 0; i < plan->connections; i++) load.links[i].socket = -1;
    load.epoll = epoll_create1(EPOLL_CLOEXEC);
    load.batch = sk_load_batch_open(true);
    load.input = sk_alloc((size_t)EVENTS_MAX * READ_SIZE);
    load.value = sk_alloc(plan->value_size);
    sk_prng_init(&load.prng, plan->seed);
    for (uint32_t i = 0; i < plan->value_size; i++) load.value[i] = (uint8_t)('a' + sk_prng_below(&load.prng, 26));
    int error = connect_all(&load);
    if (!error && plan->fill) fill(&load);
    if (!error) run(&load);
    disconnect_all(&load);
    close(load.epoll);
    sk_load_batch_close(load.batch);
    sk_buffer_deinit(&load.out);
    sk_free(load.links);
    sk_free(load.input);
    sk_free(load.value);
    return error;
}
