// TCP sockets, without blocking. Descriptors are plain ints so that the loop polls them and writes go out
// directly.
#ifndef SK_HOST_SOCKET_H
#define SK_HOST_SOCKET_H

#include <sys/types.h>
#include "base/bytes.h"
#include "host/address.h"

// A listening descriptor, or SK_EBUSY (the address is taken), SK_EINVAL or SK_EIO; then `problem` says it in
// plain words. `port` 0 takes a free one; the one taken is left there.
int sk_socket_listen(const char *host, uint16_t *port, char *problem, size_t problem_size);
// The next connection, tuned for a client; `from` says whose. SK_EAGAIN: none waits; SK_ENOMEM: out of
// descriptors or memory; SK_ECONNECT: one that is gone already.
int sk_socket_accept(int listener, sk_socket_address *from);
// Begins to connect; finished when writable and sk_socket_error is 0. A descriptor or SK_ECONNECT.
int sk_socket_connect(const sk_socket_address *to);
int sk_socket_error(int fd); // pending errno; 0: none
// For links between nodes: a silently dead peer is noticed within about five seconds.
void sk_socket_tune_peer(int fd);

// Bytes moved, 0 (receive: the other side has ended), SK_EAGAIN, or SK_EIO (the connection is broken).
ssize_t sk_socket_send(int fd, const void *data, size_t size);
ssize_t sk_socket_receive(int fd, void *into, size_t size);

// Sends from offset *written of `out`. 0: all of it has gone and `out` is empty, holding at most `keep` bytes
// of memory; SK_EAGAIN: the rest waits; SK_EIO. What has gone is taken from the front now and then, so that a
// long rest is not moved often.
int sk_socket_flush(int fd, sk_buffer *out, size_t *written, size_t keep);

#endif
