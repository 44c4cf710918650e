// Files, names, and what a power cut leaves of them.
#include "sim/disk_private.h"

#include "base/alloc.h"
#include "base/assert.h"

// ---- Files ----

sim_file *sim_file_new(uint64_t size)
{
    sim_file *file = sk_alloc_zeroed(sizeof *file);
    if (size > 0) {
        file->data = sk_alloc_zeroed(size);
        file->size = file->capacity = size;
        SIM_ROOM(file->changes, file->change_count, file->change_capacity);
        file->changes[file->change_count++] = (sim_change){.length = true, .size_after = size};
    }
    return file;
}

static void changes_free(sim_file *file)
{
    for (size_t i = 0; i < file->change_count; i++) {
        sk_free(file->changes[i].before);
        sk_free(file->changes[i].after);
    }
    file->change_count = file->stale_count = 0;
}

void sim_file_hold(sim_file *file)
{
    file->references++;
}

void sim_file_drop(sim_file *file)
{
    SK_ASSERT(file->references > 0);
    if (--file->references > 0) return;
    changes_free(file);
    sk_free(file->changes);
    sk_free(file->data);
    sk_free(file);
}

// The length alone, without a record of it; new bytes are zeros.
static void set_size(sim_file *file, uint64_t size)
{
    if (size > file->capacity) {
        uint64_t capacity = file->capacity * 2 > size ? file->capacity * 2 : size;
        file->data = sk_realloc(file->data, capacity);
        file->capacity = capacity;
    }
    if (size > file->size) memset(file->data + file->size, 0, size - file->size);
    file->size = size;
}

static uint8_t *copy_of(const uint8_t *bytes, size_t size)
{
    if (size == 0) return NULL;
    uint8_t *copy = sk_alloc(size);
    memcpy(copy, bytes, size);
    return copy;
}

void sim_file_write(sim_file *file, uint64_t offset, const uint8_t *bytes, size_t size)
{
    if (size == 0) return;
    sim_change change = {.offset = offset, .size_before = file->size, .after_size = size};
    if (offset < file->size) {
        uint64_t old = file->size - offset;
        change.before_size = old < size ? old : size;
        change.before = copy_of(file->data + offset, change.before_size);
    }
    change.after = copy_of(bytes, size);
    if (offset + size > file->size) set_size(file, offset + size);
    change.size_after = file->size;
    memcpy(file->data + offset, bytes, size);
    SIM_ROOM(file->changes, file->change_count, file->change_capacity);
    file->changes[file->change_count++] = change;
}

void sim_file_resize(sim_file *file, uint64_t size)
{
    sim_change change = {.length = true, .offset = size, .size_before = file->size, .size_after = size};
    if (size < file->size) {
        change.before_size = file->size - size;
        change.before = copy_of(file->data + size, change.before_size);
    }
    set_size(file, size);
    SIM_ROOM(file->changes, file->change_count, file->change_capacity);
    file->changes[file->change_count++] = change;
}

// Where `into` (at `at`) meets the bytes of `saved`, it takes theirs.
static void take_over(uint8_t *into, uint64_t at, size_t size, const sim_change *saved)
{
    uint64_t begin = at > saved->offset ? at : saved->offset;
    uint64_t end_into = at + size, end_saved = saved->offset + saved->after_size;
    uint64_t end = end_into < end_saved ? end_into : end_saved;
    if (begin < end)
        memcpy(into + (begin - at), saved->after + (begin - saved->offset), (size_t)(end - begin));
}

// What was changed since the failed sync is saved; the stale changes below it stay unsaved, but for bytes that have
// been written again since.
void sim_file_settle(sim_file *file)
{
    if (file->stale_count == 0) {
        changes_free(file);
        return;
    }
    for (size_t i = file->stale_count; i < file->change_count; i++) {
        sim_change *saved = &file->changes[i];
        for (size_t k = 0; k < file->stale_count; k++) {
            sim_change *stale = &file->changes[k];
            uint64_t end = saved->length ? saved->size_after : saved->offset + saved->after_size;
            if (stale->size_before < end)
                stale->size_before = end; // bytes that are saved are within the file
            if (saved->length) continue;
            take_over(stale->before, stale->offset, stale->before_size, saved);
            if (!stale->length) take_over(stale->after, stale->offset, stale->after_size, saved);
        }
        sk_free(saved->before);
        sk_free(saved->after);
    }
    file->change_count = file->stale_count;
}

static void undo(sim_file *file, const sim_change *change)
{
    set_size(file, change->size_before);
    if (change->before_size > 0) memcpy(file->data + change->offset, change->before, change->before_size);
}

static void keep_range(sim_file *file, const sim_change *change, size_t begin, size_t end)
{
    if (begin >= end) return;
    if (change->offset + end > file->size) set_size(file, change->offset + end);
    memcpy(file->data + change->offset + begin, change->after + begin, end - begin);
}

// Blocks of `unit` bytes, aligned in the file, each kept or lost.
static void keep_blocks(sim_disk *disk, sim_file *file, const sim_change *change, uint64_t unit)
{
    size_t begin = 0;
    while (begin < change->after_size) {
        uint64_t edge = (change->offset + begin) / unit * unit + unit;
        size_t end = (size_t)(edge - change->offset);
        if (end > change->after_size) end = change->after_size;
        if (sk_prng_chance(&disk->prng, 1, 2)) keep_range(file, change, begin, end);
        begin = end;
    }
}

static void keep_torn(sim_disk *disk, sim_file *file, const sim_change *change)
{
    disk->counts.writes_torn++;
    switch (sk_prng_below(&disk->prng, 4)) {
    case 0:
        keep_range(file, change, 0, sk_prng_below(&disk->prng, change->after_size + 1));
        break;
    case 1:
        keep_range(file, change, sk_prng_below(&disk->prng, change->after_size + 1), change->after_size);
        break;
    case 2:
        keep_blocks(disk, file, change, 512);
        break;
    default:
        keep_blocks(disk, file, change, 4096);
        break;
    }
}

static void crash_file(sim_disk *disk, sim_file *file)
{
    for (size_t i = file->change_count; i-- > 0;) undo(file, &file->changes[i]);
    for (size_t i = 0; i < file->change_count; i++) {
        const sim_change *change = &file->changes[i];
        uint64_t lot = sk_prng_below(&disk->prng, 3);
        if (lot == 0) {
            disk->counts.writes_lost++;
        } else if (change->length) {
            set_size(file, change->size_after);
        } else if (lot == 1) {
            keep_range(file, change, 0, change->after_size);
        } else {
            keep_torn(disk, file, change);
        }
    }
    changes_free(file);
}

// ---- Names ----

static size_t lower_bound(const sim_names *names, const char *name)
{
    size_t low = 0, high = names->count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (strcmp(names->list[middle].name, name) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static bool found_at(const sim_names *names, size_t index, const char *name)
{
    return index < names->count && strcmp(names->list[index].name, name) == 0;
}

sim_file *sim_names_find(const sim_names *names, const char *name)
{
    size_t index = lower_bound(names, name);
    return found_at(names, index, name) ? names->list[index].file : NULL;
}

static void name_copy(char out[SK_DISK_NAME_MAX], const char *name)
{
    size_t size = strlen(name);
    SK_ASSERT(size < SK_DISK_NAME_MAX);
    memcpy(out, name, size + 1);
}

void sim_names_set(sim_names *names, const char *name, sim_file *file)
{
    sim_file_hold(file);
    size_t index = lower_bound(names, name);
    if (found_at(names, index, name)) {
        sim_file_drop(names->list[index].file);
        names->list[index].file = file;
        return;
    }
    SIM_ROOM(names->list, names->count, names->capacity);
    memmove(&names->list[index + 1], &names->list[index], (names->count - index) * sizeof *names->list);
    names->count++;
    name_copy(names->list[index].name, name);
    names->list[index].file = file;
}

void sim_names_remove(sim_names *names, const char *name)
{
    size_t index = lower_bound(names, name);
    if (!found_at(names, index, name)) return;
    sim_file *file = names->list[index].file;
    names->count--;
    memmove(&names->list[index], &names->list[index + 1], (names->count - index) * sizeof *names->list);
    sim_file_drop(file);
}

bool sim_folder_exists(const sim_disk *disk, const char *name)
{
    if (name[0] == '\0') return true;
    for (size_t i = 0; i < disk->folder_count; i++)
        if (strcmp(disk->folders[i].name, name) == 0) return true;
    return false;
}

void sim_folder_of(const char *name, char out[SK_DISK_NAME_MAX])
{
    const char *slash = strchr(name, '/');
    size_t size = slash ? (size_t)(slash - name) : 0;
    SK_ASSERT(size < SK_DISK_NAME_MAX);
    memcpy(out, name, size);
    out[size] = '\0';
}

static bool in_folder(const char *name, const char *folder)
{
    char own[SK_DISK_NAME_MAX];
    sim_folder_of(name, own);
    return strcmp(own, folder) == 0;
}

void sim_name_change_add(sim_disk *disk, const char *from, const char *to, sim_file *file)
{
    SIM_ROOM(disk->name_changes, disk->name_change_count, disk->name_change_capacity);
    sim_name_change *change = &disk->name_changes[disk->name_change_count++];
    name_copy(change->from, from);
    name_copy(change->to, to);
    change->file = file;
    change->from_open = from[0] != '\0';
    change->to_open = to[0] != '\0';
    sim_file_hold(file);
}

// An old name goes only if it still is the same file: a newer file of that name may be durable already.
static void apply_change(sim_names *names, const sim_name_change *change)
{
    if (change->from[0] && sim_names_find(names, change->from) == change->file)
        sim_names_remove(names, change->from);
    if (change->to[0]) sim_names_set(names, change->to, change->file);
}

void sim_folder_settle(sim_disk *disk, const char *folder)
{
    size_t kept = 0;
    for (size_t i = 0; i < disk->name_change_count; i++) {
        sim_name_change *change = &disk->name_changes[i];
        if (change->from_open && in_folder(change->from, folder)) change->from_open = false;
        if (change->to_open && in_folder(change->to, folder)) change->to_open = false;
        if (change->from_open || change->to_open) {
            disk->name_changes[kept++] = *change;
            continue;
        }
        apply_change(&disk->durable_names, change);
        sim_file_drop(change->file);
    }
    disk->name_change_count = kept;
    if (folder[0] == '\0')
        for (size_t i = 0; i < disk->folder_count; i++) disk->folders[i].durable = true;
}

// ---- Crash ----

static void names_clear(sim_names *names)
{
    for (size_t i = 0; i < names->count; i++) sim_file_drop(names->list[i].file);
    names->count = 0;
}

static void names_copy(sim_names *to, const sim_names *from)
{
    for (size_t i = 0; i < from->count; i++) sim_names_set(to, from->list[i].name, from->list[i].file);
}

static void crash_folders(sim_disk *disk)
{
    size_t kept = 0;
    for (size_t i = 0; i < disk->folder_count; i++) {
        sim_folder folder = disk->folders[i];
        if (!folder.durable && sk_prng_chance(&disk->prng, 1, 2)) {
            disk->counts.folders_lost++;
            for (size_t n = disk->durable_names.count; n-- > 0;)
                if (in_folder(disk->durable_names.list[n].name, folder.name))
                    sim_names_remove(&disk->durable_names, disk->durable_names.list[n].name);
            continue;
        }
        folder.durable = true;
        disk->folders[kept++] = folder;
    }
    disk->folder_count = kept;
}

void sim_files_crash(sim_disk *disk)
{
    for (size_t i = 0; i < disk->name_change_count; i++) {
        sim_name_change *change = &disk->name_changes[i];
        if (sk_prng_chance(&disk->prng, 1, 2))
            apply_change(&disk->durable_names, change);
        else
            disk->counts.names_lost++;
        sim_file_drop(change->file);
    }
    disk->name_change_count = 0;
    crash_folders(disk);
    names_clear(&disk->names);
    names_copy(&disk->names, &disk->durable_names);
    for (size_t i = 0; i < disk->names.count; i++) crash_file(disk, disk->names.list[i].file);
}

void sim_files_clear(sim_disk *disk)
{
    names_clear(&disk->names);
    names_clear(&disk->durable_names);
    for (size_t i = 0; i < disk->name_change_count; i++) sim_file_drop(disk->name_changes[i].file);
    disk->name_change_count = 0;
    for (size_t i = 0; i < disk->handle_count; i++) {
        if (disk->handles[i]) sim_file_drop(disk->handles[i]);
        disk->handles[i] = NULL;
    }
    disk->folder_count = 0;
}

// ---- Copy ----

typedef struct copied {
    const sim_file *from;
    sim_file *to;
} copied;

typedef struct copies {
    copied *list;
    size_t count, capacity;
} copies;

static sim_file *file_copy(const sim_file *from)
{
    sim_file *to = sk_alloc_zeroed(sizeof *to);
    to->data = copy_of(from->data, from->size);
    to->size = to->capacity = from->size;
    to->stale_count = from->stale_count;
    for (size_t i = 0; i < from->change_count; i++) {
        sim_change change = from->changes[i];
        change.before = copy_of(change.before, change.before_size);
        change.after = copy_of(change.after, change.after_size);
        SIM_ROOM(to->changes, to->change_count, to->change_capacity);
        to->changes[to->change_count++] = change;
    }
    return to;
}

static sim_file *copy_once(copies *copies, const sim_file *from)
{
    for (size_t i = 0; i < copies->count; i++)
        if (copies->list[i].from == from) return copies->list[i].to;
    sim_file *to = file_copy(from);
    SIM_ROOM(copies->list, copies->count, copies->capacity);
    copies->list[copies->count++] = (copied){.from = from, .to = to};
    return to;
}

void sim_files_copy(sim_disk *to, const sim_disk *from)
{
    copies copies = {0};
    for (size_t i = 0; i < from->names.count; i++)
        sim_names_set(&to->names, from->names.list[i].name, copy_once(&copies, from->names.list[i].file));
    for (size_t i = 0; i < from->durable_names.count; i++)
        sim_names_set(&to->durable_names, from->durable_names.list[i].name,
                      copy_once(&copies, from->durable_names.list[i].file));
    for (size_t i = 0; i < from->name_change_count; i++) {
        const sim_name_change *change = &from->name_changes[i];
        sim_name_change_add(to, change->from, change->to, copy_once(&copies, change->file));
        to->name_changes[i].from_open = change->from_open;
        to->name_changes[i].to_open = change->to_open;
    }
    for (size_t i = 0; i < from->handle_count; i++) {
        SIM_ROOM(to->handles, to->handle_count, to->handle_capacity);
        sim_file *file = from->handles[i] ? copy_once(&copies, from->handles[i]) : NULL;
        if (file) sim_file_hold(file);
        to->handles[to->handle_count++] = file;
    }
    for (size_t i = 0; i < from->folder_count; i++) {
        SIM_ROOM(to->folders, to->folder_count, to->folder_capacity);
        to->folders[to->folder_count++] = from->folders[i];
    }
    sk_free(copies.list);
}
