// Writing a snapshot and receiving one: the same way to disk, one request at a time.
//
//   folder -> top synced -> create .part -> write* -> sync -> (received: read back and verify*) -> close -> rename
//          -> folder synced -> list -> unlink older* -> folder synced -> done(0)
//   any failure -> close -> unlink .part -> done(error)
#include <inttypes.h>
#include "base/alloc.h"
#include "base/assert.h"
#include "base/error.h"
#include "store/snapshot_format.h"

enum {
    WRITE_MIN = 64 << 10, // smaller pieces wait for more, or for the end
    READ_PIECE = 256 << 10,
    BUFFER_KEEP = 1 << 20,
};

enum step {
    MAKE_FOLDER,
    SYNC_TOP,
    CREATE,
    WRITE,
    SYNC,
    VERIFY,
    CLOSE,
    RENAME,
    SYNC_FOLDER,
    LIST,
    UNLINK_OLDER,
    SYNC_UNLINKED,
    FAILED_CLOSE,
    FAILED_UNLINK,
};

// Both faces of a file on its way to disk.
typedef struct snapshot_file {
    sk_disk *disk;
    sk_identity identity;
    sk_snapshot_info info;
    const char *ending; // of the unfinished file
    bool received;
    enum step step;
    bool busy;     // a request is with the disk
    bool complete; // nothing more will be added
    int error;
    sk_disk_request request;
    int file;
    uint64_t offset; // bytes written
    uint64_t taken;  // bytes added
    sk_buffer filling, writing;
    sk_snapshot_chain chain;
    sk_snapshot_parser *parser;
    uint64_t verified;
    uint8_t *piece;
    sk_buffer listing;
    size_t listed;
    void (*done)(void *context, int error, const sk_snapshot_info *info);
    void (*progress)(void *context);
    void *context;
} snapshot_file;

struct sk_snapshot_writer {
    snapshot_file file;
};

struct sk_snapshot_receiver {
    snapshot_file file;
};

static void advance(snapshot_file *file);

static void file_free(snapshot_file *file)
{
    sk_snapshot_parser_abort(file->parser);
    sk_buffer_deinit(&file->filling);
    sk_buffer_deinit(&file->writing);
    sk_buffer_deinit(&file->listing);
    sk_free(file->piece);
    sk_free(file);
}

static void finish(snapshot_file *file)
{
    void (*done)(void *, int, const sk_snapshot_info *) = file->done;
    void *context = file->context;
    sk_snapshot_info info = file->info;
    int error = file->error;
    file_free(file);
    done(context, error, &info);
}

static size_t pending(const snapshot_file *file)
{
    return file->filling.size + file->writing.size;
}

// ---- What a completion means ----

static void fail(snapshot_file *file, int error)
{
    if (!file->error) file->error = error;
    file->step = file->file ? FAILED_CLOSE : FAILED_UNLINK;
}

static void on_verified_piece(snapshot_file *file, int64_t got)
{
    int error = got == 0 ? SK_ECORRUPT : 0;
    if (!error) error = sk_snapshot_parser_add(file->parser, sk_slice_make(file->piece, (size_t)got));
    file->verified += (uint64_t)got;
    if (!error && file->verified < file->info.size) return;
    if (!error) {
        file->info.epoch = sk_snapshot_parser_info(file->parser).epoch;
        error = sk_snapshot_parser_finish(file->parser);
        file->parser = NULL;
    }
    if (error)
        fail(file, error);
    else
        file->step = CLOSE;
}

static void on_result(snapshot_file *file, int64_t result)
{
    enum step step = file->step;
    if (step == FAILED_CLOSE) {
        file->step = FAILED_UNLINK;
        return;
    }
    bool durable = step > SYNC_FOLDER; // under its name: an older one that will not go does no harm
    if (result < 0 && !durable) {
        fail(file, (int)result);
        return;
    }
    switch (step) {
    case MAKE_FOLDER:
        file->step = SYNC_TOP;
        break;
    case SYNC_TOP:
        file->step = CREATE;
        break;
    case CREATE:
        file->file = file->request.file;
        file->step = WRITE;
        break;
    case WRITE:
        file->offset += file->writing.size;
        sk_buffer_reset(&file->writing, BUFFER_KEEP);
        break;
    case SYNC:
        file->step = file->received ? VERIFY : CLOSE;
        break;
    case VERIFY:
        on_verified_piece(file, result);
        break;
    case CLOSE:
        file->file = 0;
        file->step = RENAME;
        break;
    case RENAME:
        file->step = SYNC_FOLDER;
        break;
    case SYNC_FOLDER:
        file->step = LIST;
        break;
    case LIST:
        file->step = UNLINK_OLDER;
        break;
    case UNLINK_OLDER:
        break;
    default:
        SK_UNREACHABLE();
    }
}

static void came_back(sk_disk_request *request)
{
    snapshot_file *file = request->owner;
    SK_ASSERT(file->busy);
    file->busy = false;
    if (file->step == FAILED_UNLINK || file->step == SYNC_UNLINKED) {
        finish(file);
        return;
    }
    bool wrote = file->step == WRITE;
    on_result(file, request->result);
    advance(file);
    // The owner may add, finish or abort from here: nothing may follow.
    if (wrote && file->step == WRITE && file->progress) file->progress(file->context);
}

// ---- The next request ----

static void submit(snapshot_file *file, sk_disk_request request)
{
    SK_ASSERT(!file->busy);
    file->busy = true;
    file->request = request;
    file->request.done = came_back;
    file->request.owner = file;
    sk_disk_submit(file->disk, &file->request);
}

static void submit_named(snapshot_file *file, enum sk_disk_op op, const char *ending)
{
    sk_disk_request request = {.op = op};
    sk_snapshot_name(request.name, "snap", file->info.space, file->info.position, ending);
    if (op == SK_DISK_RENAME)
        sk_snapshot_name(request.name_new, "snap", file->info.space, file->info.position, "snap");
    submit(file, request);
}

// Writes what has gathered, or goes on to the sync. False: waits for more.
static bool write_more(snapshot_file *file)
{
    if (file->error) { // aborted
        fail(file, file->error);
        return true;
    }
    if (file->filling.size >= WRITE_MIN || (file->complete && file->filling.size > 0)) {
        sk_buffer held = file->writing;
        file->writing = file->filling;
        file->filling = held;
        submit(file, (sk_disk_request){.op = SK_DISK_WRITE,
                                       .file = file->file,
                                       .offset = file->offset,
                                       .bytes = sk_buffer_slice(&file->writing)});
        return true;
    }
    if (!file->complete) return false;
    if (!file->received) file->info.size = file->offset;
    file->step = SYNC;
    return true;
}

static void verify_more(snapshot_file *file)
{
    if (!file->parser) {
        file->parser = sk_snapshot_parser_open(&file->identity, &file->info, NULL, NULL);
        file->piece = sk_alloc(READ_PIECE);
    }
    submit(file, (sk_disk_request){.op = SK_DISK_READ,
                                   .file = file->file,
                                   .offset = file->verified,
                                   .into = file->piece,
                                   .into_size = READ_PIECE});
}

static void unlink_next(snapshot_file *file)
{
    while (file->listed < file->listing.size) {
        const char *name = (const char *)file->listing.data + file->listed, *ending;
        file->listed += strlen(name) + 1;
        uint32_t space;
        uint64_t position;
        if (!sk_snapshot_name_parse(name, &space, &position, &ending) || space != file->info.space) continue;
        if (position >= file->info.position || strcmp(ending, "snap") != 0) continue;
        sk_disk_request request = {.op = SK_DISK_UNLINK};
        sk_snapshot_name(request.name, "snap", space, position, ending);
        submit(file, request);
        return;
    }
    file->step = SYNC_UNLINKED;
}

static void advance_step(snapshot_file *file)
{
    switch (file->step) {
    case MAKE_FOLDER:
        submit(file, (sk_disk_request){.op = SK_DISK_MAKE_FOLDER, .name = "snap"});
        break;
    case SYNC_TOP:
        submit(file, (sk_disk_request){.op = SK_DISK_SYNC_FOLDER});
        break;
    case CREATE:
        submit_named(file, SK_DISK_CREATE, file->ending);
        break;
    case SYNC:
        submit(file, (sk_disk_request){.op = SK_DISK_SYNC, .file = file->file});
        break;
    case VERIFY:
        verify_more(file);
        break;
    case FAILED_CLOSE:
    case CLOSE:
        submit(file, (sk_disk_request){.op = SK_DISK_CLOSE, .file = file->file});
        break;
    case RENAME:
        submit_named(file, SK_DISK_RENAME, file->ending);
        break;
    case LIST:
        submit(file, (sk_disk_request){.op = SK_DISK_LIST, .name = "snap", .listing = &file->listing});
        break;
    case UNLINK_OLDER:
        unlink_next(file);
        break;
    case SYNC_FOLDER:
    case SYNC_UNLINKED:
        submit(file, (sk_disk_request){.op = SK_DISK_SYNC_FOLDER, .name = "snap"});
        break;
    case FAILED_UNLINK:
        submit_named(file, SK_DISK_UNLINK, file->ending);
        break;
    case WRITE:
        SK_UNREACHABLE();
    }
}

static void advance(snapshot_file *file)
{
    while (!file->busy) {
        if (file->step != WRITE)
            advance_step(file);
        else if (!write_more(file))
            return;
    }
}

static void file_init(snapshot_file *file, sk_disk *disk, const sk_identity *identity,
                      const sk_snapshot_info *info, void (*done)(void *, int, const sk_snapshot_info *),
                      void *context)
{
    file->disk = disk;
    file->identity = *identity;
    file->info = *info;
    file->done = done;
    file->context = context;
    file->step = MAKE_FOLDER;
}

static void abort_file(snapshot_file *file)
{
    // Once the bytes are all here and valid it goes through: undoing would take as long.
    if (file->error || file->complete) return;
    file->error = SK_EFAILED;
    sk_buffer_clear(&file->filling);
    advance(file);
}

// ---- Writer ----

sk_snapshot_writer *sk_snapshot_write(sk_disk *disk, const sk_identity *identity,
                                      const sk_snapshot_info *info,
                                      void (*done)(void *context, int error, const sk_snapshot_info *info),
                                      void *context)
{
    sk_snapshot_writer *writer = sk_alloc_zeroed(sizeof *writer);
    file_init(&writer->file, disk, identity, info, done, context);
    writer->file.ending = "part";
    sk_snapshot_header_append(&writer->file.filling, &writer->file.chain, identity, info);
    advance(&writer->file);
    return writer;
}

size_t sk_snapshot_writer_pending(const sk_snapshot_writer *writer)
{
    return pending(&writer->file);
}

void sk_snapshot_writer_on_progress(sk_snapshot_writer *writer, void (*progress)(void *context))
{
    writer->file.progress = progress;
}

void sk_snapshot_writer_add(sk_snapshot_writer *writer, sk_slice bytes)
{
    snapshot_file *file = &writer->file;
    SK_ASSERT(!file->complete);
    if (file->error || bytes.size == 0) return; // failed: done is on its way
    sk_snapshot_chunk_append(&file->filling, &file->chain, bytes);
    advance(file);
}

void sk_snapshot_writer_finish(sk_snapshot_writer *writer)
{
    snapshot_file *file = &writer->file;
    SK_ASSERT(!file->complete);
    if (file->error) return;
    sk_snapshot_end_append(&file->filling, &file->chain);
    file->complete = true;
    advance(file);
}

void sk_snapshot_writer_abort(sk_snapshot_writer *writer)
{
    abort_file(&writer->file);
}

void sk_snapshot_writer_drop(sk_snapshot_writer *writer)
{
    if (writer) file_free(&writer->file);
}

// ---- Receiver ----

sk_snapshot_receiver *
sk_snapshot_receive(sk_disk *disk, const sk_identity *identity, const sk_snapshot_info *info,
                    void (*done)(void *context, int error, const sk_snapshot_info *info), void *context)
{
    sk_snapshot_receiver *receiver = sk_alloc_zeroed(sizeof *receiver);
    file_init(&receiver->file, disk, identity, info, done, context);
    receiver->file.ending = "recv";
    receiver->file.received = true;
    receiver->file.complete = info->size == 0; // then there is nothing to verify, and it fails
    advance(&receiver->file);
    return receiver;
}

uint64_t sk_snapshot_receiver_offset(const sk_snapshot_receiver *receiver)
{
    return receiver->file.taken;
}

size_t sk_snapshot_receiver_pending(const sk_snapshot_receiver *receiver)
{
    return pending(&receiver->file);
}

int sk_snapshot_receiver_add(sk_snapshot_receiver *receiver, sk_slice bytes)
{
    snapshot_file *file = &receiver->file;
    if (bytes.size > file->info.size - file->taken) return SK_ETOOBIG;
    if (file->error || bytes.size == 0) return 0; // failed: done is on its way
    file->taken += bytes.size;
    sk_buffer_append_slice(&file->filling, bytes);
    file->complete = file->taken == file->info.size;
    advance(file);
    return 0;
}

void sk_snapshot_receiver_abort(sk_snapshot_receiver *receiver)
{
    abort_file(&receiver->file);
}

void sk_snapshot_receiver_drop(sk_snapshot_receiver *receiver)
{
    if (receiver) file_free(&receiver->file);
}
