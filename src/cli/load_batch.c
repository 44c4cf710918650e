#include "cli/load_batch.h"

#include <errno.h>
#include <liburing.h>
#include <sys/socket.h>

#include "base/alloc.h"
#include "base/assert.h"

struct sk_load_batch {
    bool is_ring;
    struct io_uring ring;
};

sk_load_batch *sk_load_batch_open(bool ring)
{
    sk_load_batch *batch = sk_alloc_zeroed(sizeof *batch);
    // Only this thread submits, and it looks for completions in the same call.
    unsigned setup = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN;
    batch->is_ring = ring && io_uring_queue_init(SK_LOAD_BATCH_MAX, &batch->ring, setup) == 0;
    return batch;
}

void sk_load_batch_close(sk_load_batch *batch)
{
    if (batch->is_ring) io_uring_queue_exit(&batch->ring);
    sk_free(batch);
}

static void one_by_one(sk_load_operation *list, size_t count, bool sends)
{
    for (size_t i = 0; i < count; i++) {
        sk_load_operation *one = &list[i];
        one->result = sends ? send(one->socket, one->bytes, one->size, MSG_NOSIGNAL | MSG_DONTWAIT)
                            : recv(one->socket, one->bytes, one->size, MSG_DONTWAIT);
        if (one->result < 0) one->result = -errno;
    }
}

static void through_ring(sk_load_batch *batch, sk_load_operation *list, size_t count, bool sends)
{
    for (size_t i = 0; i < count; i++) {
        struct io_uring_sqe *entry = io_uring_get_sqe(&batch->ring);
        SK_ASSERT(entry);
        if (sends) io_uring_prep_send(entry, list[i].socket, list[i].bytes, list[i].size, MSG_NOSIGNAL | MSG_DONTWAIT);
        else io_uring_prep_recv(entry, list[i].socket, list[i].bytes, list[i].size, MSG_DONTWAIT);
        io_uring_sqe_set_data64(entry, i);
    }
    for (size_t done = 0; done < count;) {
        int submitted = io_uring_submit_and_wait(&batch->ring, (unsigned)(count - done));
        SK_ASSERT(submitted >= 0 || submitted == -EINTR || submitted == -EAGAIN || submitted == -EBUSY);
        struct io_uring_cqe *completions[SK_LOAD_BATCH_MAX];
        unsigned got = io_uring_peek_batch_cqe(&batch->ring, completions, SK_LOAD_BATCH_MAX);
        for (unsigned i = 0; i < got; i++) {
            uint64_t at = io_uring_cqe_get_data64(completions[i]);
            SK_ASSERT(at < count);
            list[at].result = completions[i]->res;
        }
        io_uring_cq_advance(&batch->ring, got);
        done += got;
    }
}

static void run(sk_load_batch *batch, sk_load_operation *list, size_t count, bool sends)
{
    SK_ASSERT(count <= SK_LOAD_BATCH_MAX);
    if (batch->is_ring && count > 1) through_ring(batch, list, count, sends);
    else one_by_one(list, count, sends);
}

void sk_load_batch_receive(sk_load_batch *batch, sk_load_operation *list, size_t count)
{
    run(batch, list, count, false);
}

void sk_load_batch_send(sk_load_batch *batch, sk_load_operation *list, size_t count)
{
    run(batch, list, count, true);
}
