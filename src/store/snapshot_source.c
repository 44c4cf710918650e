// Reading a snapshot's bytes while the node runs. An open handle keeps them, whatever happens to the name.
#include "base/alloc.h"
#include "base/assert.h"
#include "base/error.h"
#include "store/snapshot_format.h"

struct sk_snapshot_source {
    sk_disk *disk;
    sk_disk_request request;
    bool busy;
    bool closing;
    int error; // of the open
    int file;
    bool wanted; // a read waits for the open
    uint64_t offset;
    uint8_t *bytes;
    size_t size, capacity;
    void (*done)(void *context, const sk_snapshot_piece *piece);
    void *context;
};

static void came_back(sk_disk_request *request);

static void submit(sk_snapshot_source *source)
{
    source->busy = true;
    source->request.done = came_back;
    source->request.owner = source;
    sk_disk_submit(source->disk, &source->request);
}

static void source_free(sk_snapshot_source *source)
{
    sk_free(source->bytes);
    sk_free(source);
}

// After an open that failed a read of nothing goes to the disk all the same: its answer never comes from
// inside the call.
static void read_submit(sk_snapshot_source *source)
{
    source->request = (sk_disk_request){.op = SK_DISK_READ,
                                        .file = source->file,
                                        .offset = source->offset,
                                        .into = source->bytes,
                                        .into_size = source->error ? 0 : source->size};
    submit(source);
}

static void close_submit(sk_snapshot_source *source)
{
    source->request = (sk_disk_request){.op = SK_DISK_CLOSE, .file = source->file};
    source->file = 0;
    submit(source);
}

static void answer(sk_snapshot_source *source, int64_t result)
{
    sk_snapshot_piece piece = {.offset = source->offset};
    piece.error = source->error ? source->error : result < 0 ? (int)result : 0;
    if (!piece.error) piece.bytes = sk_slice_make(source->bytes, (size_t)result);
    source->wanted = false;
    source->done(source->context, &piece);
}

static void came_back(sk_disk_request *request)
{
    sk_snapshot_source *source = request->owner;
    source->busy = false;
    if (request->op == SK_DISK_OPEN) {
        if (request->result < 0)
            source->error = (int)request->result;
        else
            source->file = request->file;
    }
    if (source->closing) {
        if (source->file)
            close_submit(source);
        else
            source_free(source);
        return;
    }
    if (request->op == SK_DISK_OPEN && source->wanted)
        read_submit(source);
    else if (request->op == SK_DISK_READ)
        answer(source, request->result);
}

sk_snapshot_source *sk_snapshot_source_open(sk_disk *disk, const sk_snapshot_info *info)
{
    sk_snapshot_source *source = sk_alloc_zeroed(sizeof *source);
    source->disk = disk;
    source->request = (sk_disk_request){.op = SK_DISK_OPEN};
    sk_snapshot_name(source->request.name, "snap", info->space, info->position, "snap");
    submit(source);
    return source;
}

void sk_snapshot_source_read(sk_snapshot_source *source, uint64_t offset, size_t size,
                             void (*done)(void *context, const sk_snapshot_piece *piece), void *context)
{
    SK_ASSERT(!source->wanted && !source->closing && size > 0);
    source->wanted = true;
    source->offset = offset;
    source->done = done;
    source->context = context;
    source->size = size;
    if (size > source->capacity) {
        source->bytes = sk_realloc(source->bytes, size);
        source->capacity = size;
    }
    if (!source->busy) read_submit(source);
}

void sk_snapshot_source_close(sk_snapshot_source *source)
{
    SK_ASSERT(!source->closing);
    source->closing = true;
    if (source->busy) return; // its completion goes on
    if (source->file)
        close_submit(source);
    else
        source_free(source);
}

void sk_snapshot_source_drop(sk_snapshot_source *source)
{
    if (source) source_free(source);
}
