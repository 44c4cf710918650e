// Many sends, or many receives, on as many sockets, as one system call where the kernel has io_uring, else one by one.
//
// Nothing is left under way: each operation is tried once without waiting, exactly as sk_socket_send and
// sk_socket_receive would, and its result is there when the call returns.
#ifndef SK_HOST_SOCKET_BATCH_H
#define SK_HOST_SOCKET_BATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum { SK_SOCKET_BATCH_MAX = 64 };

typedef struct sk_socket_batch sk_socket_batch;

typedef struct sk_socket_operation {
    int fd;
    uint8_t *bytes; // only read by send
    size_t size;
    ssize_t result; // as of sk_socket_send and sk_socket_receive
} sk_socket_operation;

// Never NULL. Without io_uring (an old kernel, a forbidding one) it does the same with one call each.
sk_socket_batch *sk_socket_batch_open(void);
void sk_socket_batch_close(sk_socket_batch *batch);
bool sk_socket_batch_is_ring(const sk_socket_batch *batch);

// At most SK_SOCKET_BATCH_MAX.
void sk_socket_batch_send(sk_socket_batch *batch, sk_socket_operation *list, size_t count);
void sk_socket_batch_receive(sk_socket_batch *batch, sk_socket_operation *list, size_t count);

#endif
