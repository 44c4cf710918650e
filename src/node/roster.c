#include "node/roster.h"

#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/assert.h"
#include "base/crc.h"
#include "base/error.h"

static const char magic[8] = {'S', 'K', 'E', 'I', 'N', 'S', 'P', '\n'};
static const char name[] = "spaces", part[] = "spaces.part";

enum { FILE_SIZE_MAX = 4 * 1024 * 1024 };
enum step { STEP_CREATE, STEP_WRITE, STEP_CLOSE, STEP_RENAME, STEP_SYNC_FOLDER, STEP_DONE };

static const sk_ns retry_pause = 1 * SK_S;

// ---- Reading ----

static int64_t read_file(sk_disk *disk, sk_buffer *into)
{
    sk_disk_request request = {.op = SK_DISK_OPEN};
    (void)snprintf(request.name, sizeof request.name, "%s", name);
    int64_t result = sk_disk_run(disk, &request);
    if (result < 0) return result;
    result = SK_ECORRUPT;
    if (request.size && request.size <= FILE_SIZE_MAX) {
        request.op = SK_DISK_READ;
        request.offset = 0;
        request.into_size = (size_t)request.size;
        request.into = sk_buffer_reserve(into, request.into_size);
        result = sk_disk_run(disk, &request);
        if (result > 0) into->size = (size_t)result;
    }
    request.op = SK_DISK_CLOSE;
    (void)sk_disk_run(disk, &request);
    return result;
}

static int decode(sk_roster *roster, sk_slice file)
{
    if (file.size < 16 || memcmp(file.data, magic, sizeof magic) != 0) return SK_ECORRUPT;
    if (sk_get_u32(file.data + file.size - 4) != sk_crc32c(0, file.data, file.size - 4)) return SK_ECORRUPT;
    sk_reader reader = sk_reader_make(sk_slice_make(file.data + 8, file.size - 12));
    if (sk_read_u32(&reader) != SK_FORMAT_VERSION) return SK_EVERSION;
    uint32_t node = sk_read_u32(&reader);
    sk_slice cluster = sk_read_bytes(&reader, SK_CLUSTER_ID_SIZE);
    sk_slice catalogue = sk_read_sized(&reader);
    if (!sk_reader_done(&reader)) return SK_ECORRUPT;
    const sk_identity *identity = roster->identity;
    if (node != identity->node || memcmp(cluster.data, identity->cluster.bytes, cluster.size) != 0) return SK_EFOREIGN;
    return sk_catalogue_decode(&roster->known, catalogue);
}

int sk_roster_load(sk_roster *roster, sk_disk *disk, const sk_identity *identity)
{
    *roster = (sk_roster){.disk = disk, .identity = identity};
    sk_catalogue_init(&roster->known);
    sk_buffer file = {0};
    int64_t result = read_file(disk, &file);
    int error = result < 0 ? (int)result : decode(roster, sk_buffer_slice(&file));
    sk_buffer_deinit(&file);
    roster->absent = error == SK_ENOENT;
    roster->damaged = error == SK_ECORRUPT;
    if (!error) roster->durable = roster->known.version;
    return roster->absent || roster->damaged ? 0 : error;
}

void sk_roster_deinit(sk_roster *roster)
{
    sk_catalogue_deinit(&roster->known);
    sk_buffer_deinit(&roster->bytes);
}

bool sk_roster_learn(sk_roster *roster, const sk_catalogue *catalogue)
{
    if (catalogue->version <= roster->known.version) return false;
    sk_buffer bytes = {0};
    sk_catalogue_encode(catalogue, &bytes);
    int error = sk_catalogue_decode(&roster->known, sk_buffer_slice(&bytes));
    SK_ASSERT(!error);
    sk_buffer_deinit(&bytes);
    return true;
}

// ---- Writing ----

static void advance(sk_roster *roster);

static void on_step(sk_disk_request *request)
{
    sk_roster *roster = request->owner;
    if (request->result < 0) {
        // What was there before stands. A handle that stays open is the least of a failing disk's troubles.
        roster->error = (int)request->result;
        roster->writing = 0;
        return;
    }
    roster->step++;
    if (roster->step == STEP_DONE) {
        roster->durable = roster->writing;
        roster->writing = 0;
        roster->error = 0;
        return;
    }
    advance(roster);
}

static void advance(sk_roster *roster)
{
    sk_disk_request *request = &roster->request;
    int file = request->file;
    *request = (sk_disk_request){.file = file, .done = on_step, .owner = roster};
    switch (roster->step) {
    case STEP_CREATE:
        request->op = SK_DISK_CREATE;
        request->size = roster->bytes.size;
        memcpy(request->name, part, sizeof part);
        break;
    case STEP_WRITE:
        request->op = SK_DISK_WRITE;
        request->bytes = sk_buffer_slice(&roster->bytes);
        request->sync = true;
        break;
    case STEP_CLOSE: request->op = SK_DISK_CLOSE; break;
    case STEP_RENAME:
        request->op = SK_DISK_RENAME;
        memcpy(request->name, part, sizeof part);
        memcpy(request->name_new, name, sizeof name);
        break;
    case STEP_SYNC_FOLDER: request->op = SK_DISK_SYNC_FOLDER; break;
    default: SK_UNREACHABLE();
    }
    sk_disk_submit(roster->disk, request);
}

void sk_roster_write(sk_roster *roster, sk_ns now)
{
    if (roster->writing || sk_roster_current(roster) || (roster->error && now < roster->retry_at)) return;
    roster->retry_at = now + retry_pause; // counts when this try fails
    sk_buffer *out = &roster->bytes;
    sk_buffer catalogue = {0};
    sk_catalogue_encode(&roster->known, &catalogue);
    sk_buffer_clear(out);
    sk_buffer_append(out, magic, sizeof magic);
    sk_write_u32(out, SK_FORMAT_VERSION);
    sk_write_u32(out, roster->identity->node);
    sk_buffer_append(out, roster->identity->cluster.bytes, SK_CLUSTER_ID_SIZE);
    sk_write_sized(out, sk_buffer_slice(&catalogue));
    sk_write_u32(out, sk_crc32c(0, out->data, out->size));
    sk_buffer_deinit(&catalogue);
    roster->writing = roster->known.version;
    roster->step = STEP_CREATE;
    advance(roster);
}

sk_ns sk_roster_deadline(const sk_roster *roster)
{
    return roster->error && !roster->writing && !sk_roster_current(roster) ? roster->retry_at : SK_NEVER;
}
