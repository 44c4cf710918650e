// Requests, their time, and their effect.
#include "sim/disk_private.h"

#include "base/alloc.h"
#include "base/assert.h"

static sim_disk *disk_of(sk_disk *face)
{
    return SK_CONTAINER(face, sim_disk, face);
}

// ---- Effects ----

static sim_file *file_of(const sim_disk *disk, int handle)
{
    if (handle < 1 || (size_t)handle > disk->handle_count) return NULL;
    return disk->handles[handle - 1];
}

static int handle_for(sim_disk *disk, sim_file *file)
{
    SIM_ROOM(disk->handles, disk->handle_count, disk->handle_capacity);
    sim_file_hold(file);
    disk->handles[disk->handle_count++] = file;
    return (int)disk->handle_count;
}

static bool no_room(sim_disk *disk, uint64_t more)
{
    if (disk->config.capacity == 0 || more == 0) return false;
    if (sim_disk_used(disk) + more <= disk->config.capacity) return false;
    disk->counts.no_space++;
    return true;
}

static int64_t do_sync(sim_disk *disk, sim_file *file)
{
    disk->face.syncs++;
    if (disk->lying)
        disk->counts.lies++;
    else
        sim_file_settle(file);
    return 0;
}

static int64_t do_create(sim_disk *disk, sk_disk_request *request)
{
    char folder[SK_DISK_NAME_MAX];
    sim_folder_of(request->name, folder);
    if (!sim_folder_exists(disk, folder)) return SK_ENOENT;
    sim_file *old = sim_names_find(&disk->names, request->name);
    uint64_t old_size = old ? old->size : 0;
    if (request->size > old_size && no_room(disk, request->size - old_size)) return SK_ENOSPC;
    sim_file *file = sim_file_new(request->size);
    sim_names_set(&disk->names, request->name, file);
    sim_name_change_add(disk, "", request->name, file);
    request->file = handle_for(disk, file);
    return 0;
}

static int64_t do_open(sim_disk *disk, sk_disk_request *request)
{
    sim_file *file = sim_names_find(&disk->names, request->name);
    if (!file) return SK_ENOENT;
    request->file = handle_for(disk, file);
    request->size = file->size;
    return 0;
}

static int64_t do_close(sim_disk *disk, int handle)
{
    sim_file *file = file_of(disk, handle);
    if (!file) return SK_EINVAL;
    disk->handles[handle - 1] = NULL;
    sim_file_drop(file);
    return 0;
}

static int64_t do_write(sim_disk *disk, const sk_disk_request *request, size_t size, bool misdirected)
{
    sim_file *file = file_of(disk, request->file);
    if (!file) return SK_EINVAL;
    uint64_t offset = request->offset;
    if (misdirected && file->size > size) {
        offset = sk_prng_below(&disk->prng, file->size - size + 1);
        disk->counts.writes_misdirected++;
    }
    uint64_t end = offset + size;
    if (end > file->size && no_room(disk, end - file->size)) return SK_ENOSPC;
    sim_file_write(file, offset, request->bytes.data, size);
    disk->face.bytes_written += size;
    return 0;
}

static int64_t do_read(sim_disk *disk, const sk_disk_request *request)
{
    const sim_file *file = file_of(disk, request->file);
    if (!file) return SK_EINVAL;
    if (request->offset >= file->size) return 0;
    uint64_t size = file->size - request->offset;
    if (size > request->into_size) size = request->into_size;
    if (size > 0) memcpy(request->into, file->data + request->offset, size);
    return (int64_t)size;
}

static int64_t do_truncate(sim_disk *disk, const sk_disk_request *request)
{
    sim_file *file = file_of(disk, request->file);
    if (!file) return SK_EINVAL;
    if (request->size > file->size && no_room(disk, request->size - file->size)) return SK_ENOSPC;
    if (request->size != file->size) sim_file_resize(file, request->size);
    return 0;
}

static int64_t do_rename(sim_disk *disk, const sk_disk_request *request)
{
    char folder[SK_DISK_NAME_MAX];
    sim_folder_of(request->name_new, folder);
    sim_file *file = sim_names_find(&disk->names, request->name);
    if (!file || !sim_folder_exists(disk, folder)) return SK_ENOENT;
    if (strcmp(request->name, request->name_new) == 0) return 0;
    sim_file_hold(file);
    sim_names_remove(&disk->names, request->name);
    sim_names_set(&disk->names, request->name_new, file);
    sim_name_change_add(disk, request->name, request->name_new, file);
    sim_file_drop(file);
    return 0;
}

static int64_t do_unlink(sim_disk *disk, const char *name)
{
    sim_file *file = sim_names_find(&disk->names, name);
    if (!file) return SK_ENOENT;
    sim_name_change_add(disk, name, "", file);
    sim_names_remove(&disk->names, name);
    return 0;
}

static int64_t do_sync_folder(sim_disk *disk, const char *name)
{
    if (!sim_folder_exists(disk, name)) return SK_ENOENT;
    disk->face.syncs++;
    if (disk->lying)
        disk->counts.lies++;
    else
        sim_folder_settle(disk, name);
    return 0;
}

static int64_t do_make_folder(sim_disk *disk, const char *name)
{
    if (sim_folder_exists(disk, name)) return 0;
    SIM_ROOM(disk->folders, disk->folder_count, disk->folder_capacity);
    sim_folder *folder = &disk->folders[disk->folder_count++];
    memset(folder, 0, sizeof *folder);
    memcpy(folder->name, name, strlen(name) + 1);
    return 0;
}

// In any order, as a real folder would.
static int64_t do_list(sim_disk *disk, const sk_disk_request *request)
{
    if (!sim_folder_exists(disk, request->name)) return SK_ENOENT;
    size_t *order = sk_alloc((disk->names.count + 1) * sizeof *order);
    size_t count = 0;
    for (size_t i = 0; i < disk->names.count; i++) {
        char folder[SK_DISK_NAME_MAX];
        sim_folder_of(disk->names.list[i].name, folder);
        if (strcmp(folder, request->name) == 0) order[count++] = i;
    }
    size_t skip = request->name[0] ? strlen(request->name) + 1 : 0;
    for (size_t i = count; i > 0; i--) {
        size_t pick = sk_prng_below(&disk->prng, i);
        const char *name = disk->names.list[order[pick]].name + skip;
        sk_buffer_append(request->listing, name, strlen(name) + 1);
        order[pick] = order[i - 1];
    }
    sk_free(order);
    return 0;
}

static int64_t effect(sim_disk *disk, sk_disk_request *request)
{
    switch (request->op) {
    case SK_DISK_CREATE:
        return do_create(disk, request);
    case SK_DISK_OPEN:
        return do_open(disk, request);
    case SK_DISK_CLOSE:
        return do_close(disk, request->file);
    case SK_DISK_WRITE:
        return do_write(disk, request, request->bytes.size, false);
    case SK_DISK_READ:
        return do_read(disk, request);
    case SK_DISK_SYNC:
        return file_of(disk, request->file) ? 0 : SK_EINVAL;
    case SK_DISK_TRUNCATE:
        return do_truncate(disk, request);
    case SK_DISK_RENAME:
        return do_rename(disk, request);
    case SK_DISK_UNLINK:
        return do_unlink(disk, request->name);
    case SK_DISK_SYNC_FOLDER:
        return do_sync_folder(disk, request->name);
    case SK_DISK_MAKE_FOLDER:
        return do_make_folder(disk, request->name);
    case SK_DISK_LIST:
        return do_list(disk, request);
    }
    SK_UNREACHABLE();
}

// ---- Faults on the way ----

static bool by_rate(sim_disk *disk, uint32_t ppm)
{
    return ppm > 0 && sk_prng_chance(&disk->prng, ppm, 1000000);
}

static void write_part(sim_disk *disk, const sk_disk_request *request)
{
    if (request->bytes.size == 0 || sk_prng_chance(&disk->prng, 1, 2)) return;
    size_t size = sk_prng_below(&disk->prng, request->bytes.size);
    if (do_write(disk, request, size, false) == 0 && size > 0) disk->counts.short_then_error++;
}

static int64_t fail(sim_disk *disk, const sk_disk_request *request, int error)
{
    disk->counts.errors++;
    if (request->op == SK_DISK_WRITE) write_part(disk, request);
    return error;
}

// The sync that a SYNC, or a WRITE with `sync`, asks for.
static int64_t sync_or_fail(sim_disk *disk, const sk_disk_request *request)
{
    sim_file *file = file_of(disk, request->file);
    if (!file) return SK_EINVAL;
    const sim_rule *rule = sim_rule_match(disk, request, true);
    int error = rule && rule->fault == SIM_DISK_FAIL ? rule->error : 0;
    if (!error && by_rate(disk, disk->config.sync_error_ppm)) error = SK_EIO;
    if (error) {
        disk->counts.syncs_failed++;
        file->stale_count = file->change_count;
        return error;
    }
    return do_sync(disk, file);
}

int64_t sim_execute(sim_disk *disk, sk_disk_request *request, bool part)
{
    disk->counts.requests++;
    bool writes = request->op == SK_DISK_WRITE;
    if (part) {
        if (writes)
            write_part(disk, request);
        else if (request->op != SK_DISK_SYNC && request->op != SK_DISK_SYNC_FOLDER &&
                 sk_prng_chance(&disk->prng, 1, 2))
            effect(disk, request);
        return SK_EIO;
    }
    const sim_rule *rule = sim_rule_match(disk, request, false);
    if (rule && rule->fault == SIM_DISK_FAIL) return fail(disk, request, rule->error);
    bool reads = request->op == SK_DISK_READ || request->op == SK_DISK_OPEN || request->op == SK_DISK_LIST;
    if (reads && by_rate(disk, disk->config.read_error_ppm)) return fail(disk, request, SK_EIO);
    bool closes = request->op == SK_DISK_CLOSE, syncs = request->op == SK_DISK_SYNC;
    if (!reads && !closes && !syncs && by_rate(disk, disk->config.write_error_ppm))
        return fail(disk, request, SK_EIO);

    int64_t result;
    if (writes && rule && rule->fault == SIM_DISK_DROP) {
        disk->counts.writes_dropped++;
        result = file_of(disk, request->file) ? 0 : SK_EINVAL;
    } else if (writes && rule && rule->fault == SIM_DISK_MISDIRECT) {
        result = do_write(disk, request, request->bytes.size, true);
    } else {
        result = effect(disk, request);
    }
    if (result >= 0 && ((writes && request->sync) || syncs)) {
        int64_t synced = sync_or_fail(disk, request);
        if (synced < 0) return synced;
    }
    return result;
}

// ---- The queue ----

static sk_ns latency(sim_disk *disk, const sk_disk_request *request)
{
    const sim_disk_config *config = &disk->config;
    bool reads = request->op == SK_DISK_READ || request->op == SK_DISK_OPEN || request->op == SK_DISK_LIST;
    sk_ns time = reads ? sk_prng_between(&disk->prng, config->read_min, config->read_max)
                       : sk_prng_between(&disk->prng, config->write_min, config->write_max);
    bool syncs = request->op == SK_DISK_SYNC || request->op == SK_DISK_SYNC_FOLDER ||
                 (request->op == SK_DISK_WRITE && request->sync);
    if (syncs) time += sk_prng_between(&disk->prng, config->sync_min, config->sync_max);
    return time;
}

static bool by_handle(const sk_disk_request *request)
{
    switch (request->op) {
    case SK_DISK_CLOSE:
    case SK_DISK_WRITE:
    case SK_DISK_READ:
    case SK_DISK_SYNC:
    case SK_DISK_TRUNCATE:
        return true;
    default:
        return false;
    }
}

static bool same_file(const sim_disk *disk, const sk_disk_request *a, const sk_disk_request *b)
{
    if (!by_handle(a) || !by_handle(b)) return false;
    return a->file == b->file || file_of(disk, a->file) == file_of(disk, b->file);
}

static void submit(sk_disk *face, sk_disk_request *request)
{
    sim_disk *disk = disk_of(face);
    SK_ASSERT(request->done != NULL);
    sim_entry entry = {.request = request, .submitted = disk->now, .order = ++disk->order};
    entry.at = disk->now + latency(disk, request);
    for (size_t i = 0; i < disk->queue_count; i++)
        if (same_file(disk, disk->queue[i].request, request) && disk->queue[i].at > entry.at)
            entry.at = disk->queue[i].at;
    SIM_ROOM(disk->queue, disk->queue_count, disk->queue_capacity);
    disk->queue[disk->queue_count++] = entry;
}

// Counts down to the halt: true when this request is the one that it overtakes.
static bool halts_now(sim_disk *disk)
{
    if (!disk->halting) return false;
    if (disk->halt_after-- > 0) return false;
    disk->halting = false;
    disk->halted = true;
    return true;
}

static int64_t run(sk_disk *face, sk_disk_request *request)
{
    sim_disk *disk = disk_of(face);
    SK_ASSERT(disk->queue_count == 0 || disk->halted);
    request->took = latency(disk, request);
    disk->run_cost += request->took;
    if (disk->halted)
        request->result = SK_EIO;
    else
        request->result = sim_execute(disk, request, halts_now(disk));
    return request->result;
}

static const sk_disk_ops face_ops = {.submit = submit, .run = run};

static size_t first_due(const sim_disk *disk)
{
    size_t best = 0;
    for (size_t i = 1; i < disk->queue_count; i++) {
        const sim_entry *a = &disk->queue[i], *b = &disk->queue[best];
        if (a->at < b->at || (a->at == b->at && a->order < b->order)) best = i;
    }
    return best;
}

static void complete(sim_disk *disk, size_t index)
{
    sim_entry entry = disk->queue[index];
    disk->queue_count--;
    memmove(&disk->queue[index], &disk->queue[index + 1], (disk->queue_count - index) * sizeof *disk->queue);
    sk_disk_request *request = entry.request;
    bool part = halts_now(disk);
    request->result = sim_execute(disk, request, part);
    if (part) {
        disk->counts.in_flight_lost++;
        return;
    }
    request->took = disk->now - entry.submitted;
    request->done(request);
}

// ---- Life ----

void sim_disk_config_default(sim_disk_config *config)
{
    *config = (sim_disk_config){
        .read_min = 20 * SK_US,
        .read_max = 200 * SK_US,
        .write_min = 20 * SK_US,
        .write_max = 200 * SK_US,
        .sync_min = 100 * SK_US,
        .sync_max = 2 * SK_MS,
    };
}

sim_disk *sim_disk_open(sk_prng prng, const sim_disk_config *config)
{
    sim_disk *disk = sk_alloc_zeroed(sizeof *disk);
    disk->face.ops = &face_ops;
    disk->prng = prng;
    if (config)
        disk->config = *config;
    else
        sim_disk_config_default(&disk->config);
    return disk;
}

void sim_disk_close(sim_disk *disk)
{
    if (!disk) return;
    sim_files_clear(disk);
    sk_free(disk->names.list);
    sk_free(disk->durable_names.list);
    sk_free(disk->name_changes);
    sk_free(disk->folders);
    sk_free(disk->handles);
    sk_free(disk->queue);
    sk_free(disk->rules);
    sk_free(disk);
}

sk_disk *sim_disk_face(sim_disk *disk)
{
    return &disk->face;
}

sim_disk_config *sim_disk_knobs(sim_disk *disk)
{
    return &disk->config;
}

// ---- Time ----

void sim_disk_time(sim_disk *disk, sk_ns now)
{
    SK_ASSERT(now >= disk->now);
    disk->now = now;
}

sk_ns sim_disk_next(const sim_disk *disk)
{
    if (disk->queue_count == 0 || disk->halted) return SK_NEVER;
    sk_ns at = disk->queue[first_due(disk)].at;
    return at > disk->stalled_until ? at : disk->stalled_until;
}

void sim_disk_run_until(sim_disk *disk, sk_ns now)
{
    for (;;) {
        sk_ns next = sim_disk_next(disk);
        if (next == SK_NEVER || next > now) break;
        if (next > disk->now) disk->now = next;
        complete(disk, first_due(disk));
    }
    if (now > disk->now) disk->now = now;
}

bool sim_disk_step(sim_disk *disk)
{
    sk_ns next = sim_disk_next(disk);
    if (next == SK_NEVER) return false;
    if (next > disk->now) disk->now = next;
    complete(disk, first_due(disk));
    return true;
}

size_t sim_disk_under_way(const sim_disk *disk)
{
    return disk->queue_count;
}

sk_ns sim_disk_run_cost(sim_disk *disk)
{
    sk_ns cost = disk->run_cost;
    disk->run_cost = 0;
    return cost;
}

// ---- Power ----

// Requests under way: of each file's queue a random run from the front took effect, the first one after it
// perhaps in part.
static void overtake(sim_disk *disk)
{
    for (size_t i = 0; i < disk->queue_count; i++) {
        disk->counts.in_flight_lost++;
        const sk_disk_request *request = disk->queue[i].request;
        if (!request) continue; // a queue-mate before it was cut
        sk_disk_request ghost = *request;
        bool effective = ghost.op != SK_DISK_READ && ghost.op != SK_DISK_OPEN && ghost.op != SK_DISK_LIST &&
                         ghost.op != SK_DISK_CLOSE;
        uint64_t lot = sk_prng_below(&disk->prng, 3);
        bool whole = lot > 0;
        if (lot == 1) { // done, but the sync that it asks for was not
            ghost.sync = false;
            if (ghost.op == SK_DISK_SYNC || ghost.op == SK_DISK_SYNC_FOLDER) effective = false;
        }
        if (effective && !disk->halted) sim_execute(disk, &ghost, !whole);
        if (whole) continue;
        for (size_t j = i + 1; j < disk->queue_count; j++)
            if (disk->queue[j].request && same_file(disk, disk->queue[j].request, request))
                disk->queue[j].request = NULL;
    }
    disk->queue_count = 0;
}

void sim_disk_kill(sim_disk *disk)
{
    overtake(disk);
    for (size_t i = 0; i < disk->handle_count; i++) {
        if (disk->handles[i]) sim_file_drop(disk->handles[i]);
        disk->handles[i] = NULL;
    }
    disk->halted = disk->halting = false;
}

void sim_disk_crash(sim_disk *disk)
{
    disk->counts.crashes++;
    sim_disk_kill(disk);
    sim_files_crash(disk);
    disk->stalled_until = 0;
    sim_disk_rules_clear(disk);
}

sim_disk *sim_disk_crash_image(const sim_disk *disk, sk_prng prng)
{
    sim_disk *image = sim_disk_open(prng, &disk->config);
    image->now = disk->now;
    image->order = disk->order;
    image->halted = disk->halted;
    sim_files_copy(image, disk);
    for (size_t i = 0; i < disk->queue_count; i++) {
        SIM_ROOM(image->queue, image->queue_count, image->queue_capacity);
        image->queue[image->queue_count++] = disk->queue[i];
    }
    sim_disk_crash(image);
    return image;
}

void sim_disk_halt_after(sim_disk *disk, uint64_t count)
{
    disk->halting = true;
    disk->halted = false;
    disk->halt_after = count;
}

bool sim_disk_halted(const sim_disk *disk)
{
    return disk->halted;
}
