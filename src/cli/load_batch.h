// Many receives or many sends on as many sockets as one system call where the kernel has io_uring, else one by one. Each is tried once
// without waiting; nothing is left under way.
#ifndef SK_CLI_LOAD_BATCH_H
#define SK_CLI_LOAD_BATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum { SK_LOAD_BATCH_MAX = 64 };

typedef struct sk_load_batch sk_load_batch;

typedef struct sk_load_operation {
    int socket;
    uint8_t *bytes; // only read by send
    size_t offset;  // the caller's
    size_t size;
    ssize_t result; // bytes, or a negative errno
} sk_load_operation;

// Never NULL. `ring`: with io_uring if the kernel has it and lets us.
sk_load_batch *sk_load_batch_open(bool ring);
void sk_load_batch_close(sk_load_batch *batch);
// At most SK_LOAD_BATCH_MAX.
void sk_load_batch_receive(sk_load_batch *batch, sk_load_operation *list, size_t count);
void sk_load_batch_send(sk_load_batch *batch, sk_load_operation *list, size_t count);

#endif
