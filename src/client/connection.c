#include "client/connection.h"

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

void sk_connection_init(sk_connection *connection)
{
    *connection = (sk_connection){.socket = -1};
}

static void forget_addresses(sk_connection *connection)
{
    if (connection->addresses) freeaddrinfo(connection->addresses);
    connection->addresses = NULL;
    connection->address = NULL;
}

static void forget_reply(sk_connection *connection)
{
    sk_resp_value_deinit(&connection->reply);
    connection->reply = (sk_resp_value){0};
}

void sk_connection_close(sk_connection *connection)
{
    if (connection->socket >= 0) close(connection->socket);
    connection->socket = -1;
    connection->state = SK_CONNECTION_CLOSED;
    connection->pending = 0;
    forget_addresses(connection);
    forget_reply(connection);
    sk_buffer_reset(&connection->out, KEPT_SIZE);
    sk_buffer_reset(&connection->in, KEPT_SIZE);
    connection->in_taken = 0;
}

void sk_connection_deinit(sk_connection *connection)
{
    sk_connection_close(connection);
    sk_buffer_deinit(&connection->out);
    sk_buffer_deinit(&connection->in);
}

// Closes, remembers why, and hands the error through.
static int fail(sk_connection *connection, int error, const char *format, ...) __attribute__((format(printf, 3, 4)));

static int fail(sk_connection *connection, int error, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(connection->problem, sizeof connection->problem, format, arguments);
    va_end(arguments);
    sk_connection_close(connection);
    return error;
}

// Begins with connection->address, or the first after it that takes the attempt.
static int try_addresses(sk_connection *connection, int last_errno)
{
    for (; connection->address; connection->address = connection->address->ai_next) {
        const struct addrinfo *address = connection->address;
        int fd = socket(address->ai_family, address->ai_socktype | SOCK_NONBLOCK | SOCK_CLOEXEC, address->ai_protocol);
        if (fd < 0) {
            last_errno = errno;
            continue;
        }
        int yes = 1;
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
        if (connect(fd, address->ai_addr, address->ai_addrlen) == 0 || errno == EINPROGRESS) {
            connection->socket = fd;
            connection->state = SK_CONNECTION_CONNECTING;
            return 0;
        }
        last_errno = errno;
        close(fd);
    }
    return fail(connection, SK_ECONNECT, "cannot connect to %.100s port %s: %s", connection->endpoint.host,
                connection->endpoint.port, strerror(last_errno));
}

int sk_connection_start(sk_connection *connection, const sk_endpoint *endpoint)
{
    SK_ASSERT(connection->state == SK_CONNECTION_CLOSED);
    connection->endpoint = *endpoint;
    connection->problem[0] = 0;
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV};
    int error = getaddrinfo(endpoint->host, endpoint->port, &hints, &connection->addresses);
    if (error) {
        connection->addresses = NULL;
        return fail(connection, SK_ECONNECT, "cannot find %.100s: %s", endpoint->host, gai_strerror(error));
    }
    connection->address = connection->addresses;
    return try_addresses(connection, EADDRNOTAVAIL);
}

short sk_connection_events(const sk_connection *connection)
{
    switch (connection->state) {
    case SK_CONNECTION_CLOSED: return 0;
    case SK_CONNECTION_CONNECTING: return POLLOUT;
    case SK_CONNECTION_OPEN: break;
    }
    return (short)(connection->out.size ? POLLIN | POLLOUT : POLLIN);
}

static int finish_connecting(sk_connection *connection)
{
    int error = 0;
    socklen_t size = sizeof error;
    if (getsockopt(connection->socket, SOL_SOCKET, SO_ERROR, &error, &size) != 0) error = errno;
    if (error) {
        close(connection->socket);
        connection->socket = -1;
        connection->address = connection->address->ai_next;
        return try_addresses(connection, error);
    }
    forget_addresses(connection);
    connection->state = SK_CONNECTION_OPEN;
    return 0;
}

static int send_queued(sk_connection *connection)
{
    while (connection->out.size) {
        ssize_t sent = send(connection->socket, connection->out.data, connection->out.size, MSG_NOSIGNAL);
        if (sent < 0 && errno == EINTR) continue;
        if (sent < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return 0;
        if (sent < 0) return fail(connection, SK_ECONNECT, "connection lost: %s", strerror(errno));
        sk_buffer_consume(&connection->out, (size_t)sent);
    }
    return 0;
}

static int receive_some(sk_connection *connection)
{
    forget_reply(connection);
    sk_buffer_consume(&connection->in, connection->in_taken);
    connection->in_taken = 0;
    bool received = false;
    for (int round = 0; round < 16; round++) { // bounded, so that a loop of many connections stays fair
        uint8_t *at = sk_buffer_reserve(&connection->in, READ_SIZE);
        ssize_t got = recv(connection->socket, at, READ_SIZE, 0);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return 0;
        if (got < 0) return fail(connection, SK_ECONNECT, "connection lost: %s", strerror(errno));
        if (got == 0) {
            if (received) return 0; // what came before the end is still good; the end is met again in the next call
            return fail(connection, SK_ECONNECT, "the server closed the connection");
        }
        connection->in.size += (size_t)got;
        received = true;
        if ((size_t)got < READ_SIZE) return 0;
    }
    return 0;
}

int sk_connection_ready(sk_connection *connection, short events)
{
    if (connection->state == SK_CONNECTION_CONNECTING && (events & (POLLOUT | POLLERR | POLLHUP))) {
        int error = finish_connecting(connection);
        if (error || connection->state != SK_CONNECTION_OPEN) return error;
        events = POLLOUT;
    }
    if (connection->state != SK_CONNECTION_OPEN) return 0;
    if (events & POLLOUT) {
        int error = send_queued(connection);
        if (error) return error;
    }
    if (events & (POLLIN | POLLERR | POLLHUP)) return receive_some(connection);
    return 0;
}

void sk_connection_request(sk_connection *connection, size_t argc, const sk_slice *argv)
{
    SK_ASSERT(argc > 0);
    sk_buffer_printf(&connection->out, "*%zu\r\n", argc);
    for (size_t i = 0; i < argc; i++) {
        sk_buffer_printf(&connection->out, "$%zu\r\n", argv[i].size);
        sk_buffer_append_slice(&connection->out, argv[i]);
        sk_buffer_append_text(&connection->out, "\r\n");
    }
    connection->pending++;
}

int sk_connection_next(sk_connection *connection, const sk_resp_value **reply)
{
    forget_reply(connection);
    size_t left = connection->in.size - connection->in_taken;
    if (left == 0) return 0;
    size_t used = 0;
    sk_slice input = sk_slice_make(connection->in.data + connection->in_taken, left);
    int found = sk_resp_value_parse(input, &connection->reply, &used);
    if (found < 0) return fail(connection, SK_EPROTOCOL, "the server's answer is not RESP");
    if (found == 0) {
        if (left > SK_REPLY_SIZE_MAX) return fail(connection, SK_ETOOBIG, "the server's answer is too big");
        return 0;
    }
    connection->in_taken += used;
    if (connection->reply.type != SK_RESP_PUSH && connection->pending) connection->pending--;
    *reply = &connection->reply;
    return 1;
}

// Waits for the socket, does what it can. 0 or an error; SK_ETIMEDOUT closes.
static int step(sk_connection *connection, sk_ns deadline)
{
    sk_ns now = sk_client_now();
    sk_ns left = deadline > now ? (deadline - now + SK_MS - 1) / SK_MS : 0;
    struct pollfd item = {.fd = connection->socket, .events = sk_connection_events(connection)};
    int count = poll(&item, 1, left > INT32_MAX ? INT32_MAX : (int)left);
    if (count < 0 && errno != EINTR) return fail(connection, SK_ECONNECT, "poll: %s", strerror(errno));
    if (count > 0) return sk_connection_ready(connection, item.revents);
    if (sk_client_now() < deadline) return 0;
    return fail(connection, SK_ETIMEDOUT, "no answer from %.100s port %s in time", connection->endpoint.host,
                connection->endpoint.port);
}

int sk_connection_open(sk_connection *connection, const sk_endpoint *endpoint, sk_ns deadline)
{
    int error = sk_connection_start(connection, endpoint);
    while (!error && connection->state == SK_CONNECTION_CONNECTING) error = step(connection, deadline);
    return error;
}

int sk_connection_wait(sk_connection *connection, sk_ns deadline, const sk_resp_value **reply)
{
    for (;;) {
        int found = sk_connection_next(connection, reply);
        if (found < 0) return found;
        if (found > 0 && (*reply)->type != SK_RESP_PUSH) return 0;
        if (found > 0) continue;
        if (connection->state == SK_CONNECTION_CLOSED) return SK_ECONNECT;
        int error = step(connection, deadline);
        if (error) return error;
    }
}

int sk_connection_call(sk_connection *connection, size_t argc, const sk_slice *argv, sk_ns deadline,
                       const sk_resp_value **reply)
{
    sk_connection_request(connection, argc, argv);
    return sk_connection_wait(connection, deadline, reply);
}
