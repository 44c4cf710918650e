#include "host/socket.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"

enum {
    BACKLOG = 1024,
    CLIENT_KEEPALIVE_S = 300,
    PEER_KEEPALIVE_S = 3,
    PEER_PROBE_S = 1,
    PEER_PROBES = 2,
    PEER_SILENCE_MS_MAX = 5000,
    FLUSH_CONSUME_MIN = 256 * 1024,
};

static void set_int(int fd, int level, int option, int value)
{
    // Each of these only improves things; a kernel without one is no reason to refuse the connection.
    (void)setsockopt(fd, level, option, &value, sizeof value);
}

static int listen_failed(int fd, const char *host, uint16_t port, char *problem, size_t problem_size)
{
    int error = errno;
    char address[SK_ADDRESS_TEXT_MAX];
    sk_address_join(host, port, address);
    const char *hint = error == EADDRINUSE ? " (another process has it; choose another port or stop that one)"
                       : error == EADDRNOTAVAIL ? " (no interface of this machine has this address)"
                       : error == EACCES        ? " (ports below 1024 need a privilege)"
                                                : "";
    snprintf(problem, problem_size, "cannot listen on %s: %s%s", address, strerror(error), hint);
    if (fd >= 0) close(fd);
    return error == EADDRINUSE ? SK_EBUSY : SK_EIO;
}

int sk_socket_listen(const char *host, uint16_t *port, char *problem, size_t problem_size)
{
    sk_socket_address address;
    if (!sk_address_numeric(host, *port, &address)) {
        snprintf(problem, problem_size, "cannot listen on '%s': not an IP address", host);
        return SK_EINVAL;
    }
    int fd = socket(address.bytes.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) return listen_failed(fd, host, *port, problem, problem_size);
    set_int(fd, SOL_SOCKET, SO_REUSEADDR, 1);
    // Accepted connections inherit these.
    set_int(fd, IPPROTO_TCP, TCP_NODELAY, 1);
    set_int(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
    set_int(fd, IPPROTO_TCP, TCP_KEEPIDLE, CLIENT_KEEPALIVE_S);
    if (bind(fd, (struct sockaddr *)&address.bytes, address.size) || listen(fd, BACKLOG)) {
        return listen_failed(fd, host, *port, problem, problem_size);
    }
    sk_socket_address bound = {.size = sizeof bound.bytes};
    if (getsockname(fd, (struct sockaddr *)&bound.bytes, &bound.size)) {
        return listen_failed(fd, host, *port, problem, problem_size);
    }
    // Both families keep the port at the same place.
    struct sockaddr_in any;
    memcpy(&any, &bound.bytes, sizeof any);
    *port = ntohs(any.sin_port);
    return fd;
}

int sk_socket_accept(int listener, sk_socket_address *from)
{
    from->size = sizeof from->bytes;
    int fd = accept4(listener, (struct sockaddr *)&from->bytes, &from->size, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd >= 0) return fd;
    if (errno == EAGAIN || errno == EWOULDBLOCK) return SK_EAGAIN;
    bool exhausted = errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS;
    return exhausted ? SK_ENOMEM : SK_ECONNECT;
}

int sk_socket_connect(const sk_socket_address *to)
{
    int fd = socket(to->bytes.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) return SK_ECONNECT;
    sk_socket_tune_peer(fd);
    if (connect(fd, (const struct sockaddr *)&to->bytes, to->size) == 0 || errno == EINPROGRESS) return fd;
    close(fd);
    return SK_ECONNECT;
}

int sk_socket_error(int fd)
{
    int error = 0;
    socklen_t size = sizeof error;
    return getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) ? errno : error;
}

void sk_socket_tune_peer(int fd)
{
    set_int(fd, IPPROTO_TCP, TCP_NODELAY, 1);
    set_int(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
    set_int(fd, IPPROTO_TCP, TCP_KEEPIDLE, PEER_KEEPALIVE_S);
    set_int(fd, IPPROTO_TCP, TCP_KEEPINTVL, PEER_PROBE_S);
    set_int(fd, IPPROTO_TCP, TCP_KEEPCNT, PEER_PROBES);
    set_int(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, PEER_SILENCE_MS_MAX);
}

ssize_t sk_socket_send(int fd, const void *data, size_t size)
{
    for (;;) {
        ssize_t sent = send(fd, data, size, MSG_NOSIGNAL);
        if (sent >= 0) return sent;
        if (errno == EINTR) continue;
        return errno == EAGAIN || errno == EWOULDBLOCK ? SK_EAGAIN : SK_EIO;
    }
}

ssize_t sk_socket_receive(int fd, void *into, size_t size)
{
    for (;;) {
        ssize_t got = recv(fd, into, size, 0);
        if (got >= 0) return got;
        if (errno == EINTR) continue;
        return errno == EAGAIN || errno == EWOULDBLOCK ? SK_EAGAIN : SK_EIO;
    }
}

int sk_socket_flush(int fd, sk_buffer *out, size_t *written, size_t keep)
{
    while (*written < out->size) {
        ssize_t sent = sk_socket_send(fd, out->data + *written, out->size - *written);
        if (sent == SK_EAGAIN) {
            size_t due = out->size / 4 > FLUSH_CONSUME_MIN ? out->size / 4 : FLUSH_CONSUME_MIN;
            if (*written >= due) {
                sk_buffer_consume(out, *written);
                *written = 0;
            }
            return SK_EAGAIN;
        }
        if (sent < 0) return SK_EIO;
        *written += (size_t)sent;
    }
    sk_buffer_reset(out, keep);
    *written = 0;
    return 0;
}
