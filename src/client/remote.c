#include "client/remote.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/assert.h"

enum { READ_SIZE = 64 * 1024, KEPT_SIZE = 256 * 1024 };

sk_ns sk_client_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_BOOTTIME, &now);
    return (sk_ns)now.tv_sec * SK_S + (sk_ns)now.tv_nsec;
}

int sk_endpoint_parse(const char *text, uint16_t port_default, sk_endpoint *out)
{
    const char *host = text;
    const char *host_end = NULL;
    const char *port = NULL;
    if (text[0] == '[') {
        host = text + 1;
        host_end = strchr(host, ']');
        if (!host_end || (host_end[1] && host_end[1] != ':')) return SK_EINVAL;
        if (host_end[1] == ':') port = host_end + 2;
    } else {
        const char *colon = strrchr(text, ':');
        // Two colons without brackets are an IPv6 address without a port.
        if (colon && colon == strchr(text, ':')) port = colon + 1;
        host_end = port ? colon : text + strlen(text);
    }
    size_t host_size = (size_t)(host_end - host);
    if (host_size >= sizeof out->host) return SK_EINVAL;
    unsigned long number = port_default;
    if (port) {
        char *end = NULL;
        if (*port < '0' || *port > '9') return SK_EINVAL;
        number = strtoul(port, &end, 10);
        if (*end) return SK_EINVAL;
    }
    if (number == 0 || number > UINT16_MAX) return SK_EINVAL;
    if (host_size == 0) {
        snprintf(out->host, sizeof out->host, "127.0.0.1");
    } else {
        memcpy(out->host, host, host_size);
        out->host[host_size] = 0;
    }
    snprintf(out->port, sizeof out->port, "%lu", number);
    return 0;
}

void sk_remote_init(sk_remote *remote)
{
    *remote = (sk_remote){.socket = -1};
}

static void forget_addresses(sk_remote *remote)
{
    if (remote->addresses) freeaddrinfo(remote->addresses);
    remote->addresses = NULL;
    remote->address = NULL;
}

static void forget_reply(sk_remote *remote)
{
    sk_resp_value_deinit(&remote->reply);
    remote->reply = (sk_resp_value){0};
}

void sk_remote_close(sk_remote *remote)
{
    if (remote->socket >= 0) close(remote->socket);
    remote->socket = -1;
    remote->state = SK_REMOTE_CLOSED;
    remote->pending = 0;
    forget_addresses(remote);
    forget_reply(remote);
    sk_buffer_reset(&remote->out, KEPT_SIZE);
    sk_buffer_reset(&remote->in, KEPT_SIZE);
    remote->in_taken = 0;
}

void sk_remote_deinit(sk_remote *remote)
{
    sk_remote_close(remote);
    sk_buffer_deinit(&remote->out);
    sk_buffer_deinit(&remote->in);
}

// Closes, remembers why, and hands the error through.
static int fail(sk_remote *remote, int error, const char *format, ...) __attribute__((format(printf, 3, 4)));

static int fail(sk_remote *remote, int error, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(remote->problem, sizeof remote->problem, format, arguments);
    va_end(arguments);
    sk_remote_close(remote);
    return error;
}

// Begins with remote->address, or the first after it that takes the attempt.
static int try_addresses(sk_remote *remote, int last_errno)
{
    for (; remote->address; remote->address = remote->address->ai_next) {
        const struct addrinfo *address = remote->address;
        int fd = socket(address->ai_family, address->ai_socktype | SOCK_NONBLOCK | SOCK_CLOEXEC, address->ai_protocol);
        if (fd < 0) {
            last_errno = errno;
            continue;
        }
        int yes = 1;
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
        if (connect(fd, address->ai_addr, address->ai_addrlen) == 0 || errno == EINPROGRESS) {
            remote->socket = fd;
            remote->state = SK_REMOTE_CONNECTING;
            return 0;
        }
        last_errno = errno;
        close(fd);
    }
    return fail(remote, SK_ECONNECT, "cannot connect to %.100s port %s: %s", remote->endpoint.host,
                remote->endpoint.port, strerror(last_errno));
}

int sk_remote_start(sk_remote *remote, const sk_endpoint *endpoint)
{
    SK_ASSERT(remote->state == SK_REMOTE_CLOSED);
    remote->endpoint = *endpoint;
    remote->problem[0] = 0;
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV};
    int error = getaddrinfo(endpoint->host, endpoint->port, &hints, &remote->addresses);
    if (error) {
        remote->addresses = NULL;
        return fail(remote, SK_ECONNECT, "cannot find %.100s: %s", endpoint->host, gai_strerror(error));
    }
    remote->address = remote->addresses;
    return try_addresses(remote, EADDRNOTAVAIL);
}

short sk_remote_events(const sk_remote *remote)
{
    switch (remote->state) {
    case SK_REMOTE_CLOSED: return 0;
    case SK_REMOTE_CONNECTING: return POLLOUT;
    case SK_REMOTE_OPEN: break;
    }
    return (short)(remote->out.size ? POLLIN | POLLOUT : POLLIN);
}

static int finish_connecting(sk_remote *remote)
{
    int error = 0;
    socklen_t size = sizeof error;
    if (getsockopt(remote->socket, SOL_SOCKET, SO_ERROR, &error, &size) != 0) error = errno;
    if (error) {
        close(remote->socket);
        remote->socket = -1;
        remote->address = remote->address->ai_next;
        return try_addresses(remote, error);
    }
    forget_addresses(remote);
    remote->state = SK_REMOTE_OPEN;
    return 0;
}

static int send_queued(sk_remote *remote)
{
    while (remote->out.size) {
        ssize_t sent = send(remote->socket, remote->out.data, remote->out.size, MSG_NOSIGNAL);
        if (sent < 0 && errno == EINTR) continue;
        if (sent < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return 0;
        if (sent < 0) return fail(remote, SK_ECONNECT, "connection lost: %s", strerror(errno));
        sk_buffer_consume(&remote->out, (size_t)sent);
    }
    return 0;
}

static int receive_some(sk_remote *remote)
{
    forget_reply(remote);
    sk_buffer_consume(&remote->in, remote->in_taken);
    remote->in_taken = 0;
    bool received = false;
    for (int round = 0; round < 16; round++) { // bounded, so that a loop of many connections stays fair
        uint8_t *at = sk_buffer_reserve(&remote->in, READ_SIZE);
        ssize_t got = recv(remote->socket, at, READ_SIZE, 0);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return 0;
        if (got < 0) return fail(remote, SK_ECONNECT, "connection lost: %s", strerror(errno));
        if (got == 0) {
            if (received) return 0; // what came before the end is still good; the end is met again in the next call
            return fail(remote, SK_ECONNECT, "the server closed the connection");
        }
        remote->in.size += (size_t)got;
        received = true;
        if ((size_t)got < READ_SIZE) return 0;
    }
    return 0;
}

int sk_remote_ready(sk_remote *remote, short events)
{
    if (remote->state == SK_REMOTE_CONNECTING && (events & (POLLOUT | POLLERR | POLLHUP))) {
        int error = finish_connecting(remote);
        if (error || remote->state != SK_REMOTE_OPEN) return error;
        events = POLLOUT;
    }
    if (remote->state != SK_REMOTE_OPEN) return 0;
    if (events & POLLOUT) {
        int error = send_queued(remote);
        if (error) return error;
    }
    if (events & (POLLIN | POLLERR | POLLHUP)) return receive_some(remote);
    return 0;
}

void sk_remote_request(sk_remote *remote, size_t argc, const sk_slice *argv)
{
    SK_ASSERT(argc > 0);
    sk_buffer_printf(&remote->out, "*%zu\r\n", argc);
    for (size_t i = 0; i < argc; i++) {
        sk_buffer_printf(&remote->out, "$%zu\r\n", argv[i].size);
        sk_buffer_append_slice(&remote->out, argv[i]);
        sk_buffer_append_text(&remote->out, "\r\n");
    }
    remote->pending++;
}

int sk_remote_next(sk_remote *remote, const sk_resp_value **reply)
{
    forget_reply(remote);
    size_t left = remote->in.size - remote->in_taken;
    if (left == 0) return 0;
    size_t used = 0;
    sk_slice input = sk_slice_make(remote->in.data + remote->in_taken, left);
    int found = sk_resp_value_parse(input, &remote->reply, &used);
    if (found < 0) return fail(remote, SK_EPROTOCOL, "the server's answer is not RESP");
    if (found == 0) {
        if (left > SK_REPLY_SIZE_MAX) return fail(remote, SK_ETOOBIG, "the server's answer is too big");
        return 0;
    }
    remote->in_taken += used;
    if (remote->reply.type != SK_RESP_PUSH && remote->pending) remote->pending--;
    *reply = &remote->reply;
    return 1;
}

// Waits for the socket, does what it can. 0 or an error; SK_ETIMEDOUT closes.
static int step(sk_remote *remote, sk_ns deadline)
{
    sk_ns now = sk_client_now();
    sk_ns left = deadline > now ? (deadline - now + SK_MS - 1) / SK_MS : 0;
    struct pollfd item = {.fd = remote->socket, .events = sk_remote_events(remote)};
    int count = poll(&item, 1, left > INT32_MAX ? INT32_MAX : (int)left);
    if (count < 0 && errno != EINTR) return fail(remote, SK_ECONNECT, "poll: %s", strerror(errno));
    if (count > 0) return sk_remote_ready(remote, item.revents);
    if (sk_client_now() < deadline) return 0;
    return fail(remote, SK_ETIMEDOUT, "no answer from %.100s port %s in time", remote->endpoint.host,
                remote->endpoint.port);
}

int sk_remote_open(sk_remote *remote, const sk_endpoint *endpoint, sk_ns deadline)
{
    int error = sk_remote_start(remote, endpoint);
    while (!error && remote->state == SK_REMOTE_CONNECTING) error = step(remote, deadline);
    return error;
}

int sk_remote_wait(sk_remote *remote, sk_ns deadline, const sk_resp_value **reply)
{
    for (;;) {
        int found = sk_remote_next(remote, reply);
        if (found < 0) return found;
        if (found > 0 && (*reply)->type != SK_RESP_PUSH) return 0;
        if (found > 0) continue;
        if (remote->state == SK_REMOTE_CLOSED) return SK_ECONNECT;
        int error = step(remote, deadline);
        if (error) return error;
    }
}

int sk_remote_call(sk_remote *remote, size_t argc, const sk_slice *argv, sk_ns deadline,
                       const sk_resp_value **reply)
{
    sk_remote_request(remote, argc, argv);
    return sk_remote_wait(remote, deadline, reply);
}
