#include "host/socket_batch.h"

#include <errno.h>
#include <liburing.h>
#include <sys/socket.h>

#include "base/alloc.h"
#include "base/assert.h"
#include "base/error.h"
#include "host/socket.h"

struct sk_socket_batch {
    bool is_ring;
    struct io_uring ring;
};

sk_socket_batch *sk_socket_batch_open(void)
{
    sk_socket_batch *batch = sk_alloc_zeroed(sizeof *batch);
    batch->is_ring = io_uring_queue_init(SK_SOCKET_BATCH_MAX, &batch->ring, 0) == 0;
    return batch;
}

void sk_socket_batch_close(sk_socket_batch *batch)
{
    if (batch->is_ring) io_uring_queue_exit(&batch->ring);
    sk_free(batch);
}

bool sk_socket_batch_is_ring(const sk_socket_batch *batch)
{
    return batch->is_ring;
}

static void one_by_one(sk_socket_operation *list, size_t count, bool send)
{
    for (size_t i = 0; i < count; i++) {
        list[i].result = send ? sk_socket_send(list[i].fd, list[i].bytes, list[i].size)
                              : sk_socket_receive(list[i].fd, list[i].bytes, list[i].size);
    }
}

// The other side of a ring's result: SK_EAGAIN stays what it is, whatever else failed broke the connection.
static ssize_t result_of(int result)
{
    if (result >= 0) return result;
    return result == -EAGAIN || result == -EWOULDBLOCK || result == -EINTR ? SK_EAGAIN : SK_EIO;
}

static void through_ring(sk_socket_batch *batch, sk_socket_operation *list, size_t count, bool send)
{
    for (size_t i = 0; i < count; i++) {
        struct io_uring_sqe *entry = io_uring_get_sqe(&batch->ring);
        SK_ASSERT(entry);
        // DONTWAIT: the kernel answers EAGAIN rather than keep the operation and its bytes.
        if (send) io_uring_prep_send(entry, list[i].fd, list[i].bytes, list[i].size, MSG_NOSIGNAL | MSG_DONTWAIT);
        else io_uring_prep_recv(entry, list[i].fd, list[i].bytes, list[i].size, MSG_DONTWAIT);
        io_uring_sqe_set_data64(entry, i);
        list[i].result = SK_EAGAIN;
    }
    size_t done = 0;
    while (done < count) {
        int submitted = io_uring_submit_and_wait(&batch->ring, (unsigned)(count - done));
        SK_ASSERT(submitted >= 0 || submitted == -EINTR || submitted == -EAGAIN || submitted == -EBUSY);
        struct io_uring_cqe *completions[SK_SOCKET_BATCH_MAX];
        unsigned got = io_uring_peek_batch_cqe(&batch->ring, completions, SK_SOCKET_BATCH_MAX);
        for (unsigned i = 0; i < got; i++) {
            uint64_t at = io_uring_cqe_get_data64(completions[i]);
            SK_ASSERT(at < count);
            list[at].result = result_of(completions[i]->res);
        }
        io_uring_cq_advance(&batch->ring, got);
        done += got;
    }
}

static void run(sk_socket_batch *batch, sk_socket_operation *list, size_t count, bool send)
{
    SK_ASSERT(count <= SK_SOCKET_BATCH_MAX);
    if (batch->is_ring && count > 1) through_ring(batch, list, count, send);
    else one_by_one(list, count, send);
}

void sk_socket_batch_send(sk_socket_batch *batch, sk_socket_operation *list, size_t count)
{
    run(batch, list, count, true);
}

void sk_socket_batch_receive(sk_socket_batch *batch, sk_socket_operation *list, size_t count)
{
    run(batch, list, count, false);
}
