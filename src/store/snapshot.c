// Finding and reading snapshots at start.
#include "store/snapshot.h"

#include <inttypes.h>
#include <stdio.h>
#include "base/alloc.h"
#include "base/error.h"
#include "store/snapshot_format.h"

enum { READ_PIECE = 256 << 10 };

static int run(sk_disk *disk, sk_disk_request request)
{
    int64_t result = sk_disk_run(disk, &request);
    return result < 0 ? (int)result : 0;
}

static int parse_pieces(sk_disk *disk, int file, uint64_t size, sk_snapshot_parser *parser)
{
    uint8_t *bytes = sk_alloc(READ_PIECE);
    int error = 0;
    for (uint64_t at = 0; !error && at < size;) {
        sk_disk_request request = {
            .op = SK_DISK_READ, .file = file, .offset = at, .into = bytes, .into_size = READ_PIECE};
        int64_t got = sk_disk_run(disk, &request);
        if (got > 0)
            error = sk_snapshot_parser_add(parser, sk_slice_make(bytes, (size_t)got));
        else
            error = got < 0 ? (int)got : SK_ECORRUPT;
        at += got > 0 ? (uint64_t)got : 0;
    }
    sk_free(bytes);
    return error;
}

// Reads the file of that name through a parser. `out`, if not NULL, gets what its header says, and its size.
static int parse_file(sk_disk *disk, const sk_identity *identity, const sk_snapshot_info *info,
                      int (*chunk)(void *context, sk_slice bytes), void *context, sk_snapshot_info *out)
{
    sk_disk_request request = {.op = SK_DISK_OPEN};
    sk_snapshot_name(request.name, "snap", info->space, info->position, "snap");
    int error = (int)sk_disk_run(disk, &request);
    if (error) return error;
    sk_snapshot_parser *parser = sk_snapshot_parser_open(identity, info, chunk, context);
    error = parse_pieces(disk, request.file, request.size, parser);
    sk_snapshot_info said = sk_snapshot_parser_info(parser);
    if (error)
        sk_snapshot_parser_abort(parser);
    else
        error = sk_snapshot_parser_finish(parser);
    if (!error && out) *out = said;
    (void)run(disk, (sk_disk_request){.op = SK_DISK_CLOSE, .file = request.file});
    return error;
}

int sk_snapshot_read(sk_disk *disk, const sk_identity *identity, const sk_snapshot_info *info,
                     int (*chunk)(void *context, sk_slice bytes), void *context)
{
    return parse_file(disk, identity, info, chunk, context, NULL);
}

// The mark that sk_wal_open finds at this start and every later one (store/wal.h), until all is refilled. A log whose snapshot
// is gone looks like one that never held anything: whoever started on that would vote with an empty log (D14).
static int mark_damaged(sk_disk *disk)
{
    int error = run(disk, (sk_disk_request){.op = SK_DISK_MAKE_FOLDER, .name = "wal"});
    if (!error) error = run(disk, (sk_disk_request){.op = SK_DISK_SYNC_FOLDER});
    if (error) return error;
    sk_disk_request request = {.op = SK_DISK_CREATE, .name = "wal/damaged"};
    error = (int)sk_disk_run(disk, &request);
    if (error) return error;
    error = run(disk, (sk_disk_request){.op = SK_DISK_SYNC, .file = request.file});
    (void)run(disk, (sk_disk_request){.op = SK_DISK_CLOSE, .file = request.file});
    return error ? error : run(disk, (sk_disk_request){.op = SK_DISK_SYNC_FOLDER, .name = "wal"});
}

static int set_aside(sk_disk *disk, uint32_t space, uint64_t position, sk_log_sink *sink)
{
    int error = mark_damaged(disk);
    if (error) return error;
    sk_log(sink, SK_LOG_ERROR,
           "msg=\"damaged snapshot set aside under lost/\" space=%" PRIu32 " position=%" PRIu64, space,
           position);
    error = run(disk, (sk_disk_request){.op = SK_DISK_MAKE_FOLDER, .name = "lost"});
    if (error) return error;
    sk_disk_request request = {.op = SK_DISK_RENAME};
    sk_snapshot_name(request.name, "snap", space, position, "snap");
    sk_snapshot_name(request.name_new, "lost", space, position, "snap");
    error = run(disk, request);
    if (!error) error = run(disk, (sk_disk_request){.op = SK_DISK_SYNC_FOLDER});
    if (!error) error = run(disk, (sk_disk_request){.op = SK_DISK_SYNC_FOLDER, .name = "lost"});
    if (!error) error = run(disk, (sk_disk_request){.op = SK_DISK_SYNC_FOLDER, .name = "snap"});
    return error;
}

// The greatest position of the space below `below` (0: none), and unfinished files removed on the way.
static uint64_t next_older(sk_disk *disk, const sk_buffer *listing, uint32_t space, uint64_t below,
                           bool *found)
{
    uint64_t best = 0;
    *found = false;
    for (size_t at = 0; at < listing->size;) {
        const char *name = (const char *)listing->data + at, *ending;
        at += strlen(name) + 1;
        uint32_t id;
        uint64_t position;
        if (!sk_snapshot_name_parse(name, &id, &position, &ending) || id != space) continue;
        if (strcmp(ending, "part") == 0 || strcmp(ending, "recv") == 0) {
            sk_disk_request request = {.op = SK_DISK_UNLINK};
            sk_snapshot_name(request.name, "snap", space, position, ending);
            (void)sk_disk_run(disk, &request);
        }
        if (strcmp(ending, "snap") != 0 || position >= below || (*found && position < best)) continue;
        best = position;
        *found = true;
    }
    return best;
}

// What was renamed before a crash of the process alone may never have been synced as a name; it is whole, so
// make it stay (R21).
static int make_stay(sk_disk *disk, const sk_snapshot_info *info)
{
    sk_disk_request request = {.op = SK_DISK_OPEN};
    sk_snapshot_name(request.name, "snap", info->space, info->position, "snap");
    int error = (int)sk_disk_run(disk, &request);
    if (error) return error;
    error = run(disk, (sk_disk_request){.op = SK_DISK_SYNC, .file = request.file});
    (void)run(disk, (sk_disk_request){.op = SK_DISK_CLOSE, .file = request.file});
    return error ? error : run(disk, (sk_disk_request){.op = SK_DISK_SYNC_FOLDER, .name = "snap"});
}

int sk_snapshot_find(sk_disk *disk, const sk_identity *identity, uint32_t space, sk_log_sink *sink,
                     sk_snapshot_info *out)
{
    sk_buffer listing = {0};
    int error = run(disk, (sk_disk_request){.op = SK_DISK_LIST, .name = "snap", .listing = &listing});
    bool damaged = false, found = false;
    uint64_t below = UINT64_MAX;
    while (!error) {
        sk_snapshot_info info = {.space = space};
        info.position = below = next_older(disk, &listing, space, below, &found);
        if (!found) break;
        error = parse_file(disk, identity, &info, NULL, NULL, out);
        if (error == SK_EIO) error = parse_file(disk, identity, &info, NULL, NULL, out);
        if (error != SK_ECORRUPT && error != SK_EIO) break; // whole, or not ours to touch
        damaged = true;
        error = set_aside(disk, space, info.position, sink);
    }
    sk_buffer_deinit(&listing);
    if (error) return error; // SK_ENOENT: not even the folder
    if (!found) return damaged ? SK_ECORRUPT : SK_ENOENT;
    return make_stay(disk, out);
}
