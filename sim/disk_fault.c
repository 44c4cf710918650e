// Faults that are asked for, and looking at what the disk holds.
#include "sim/disk_private.h"

#include <stdio.h>
#include "base/alloc.h"
#include "base/assert.h"
#include "base/hash.h"

// ---- Rules ----

void sim_disk_rule(sim_disk *disk, enum sim_disk_fault fault, unsigned ops, uint32_t nth, uint32_t times,
                   int error)
{
    SK_ASSERT(nth > 0 && times > 0);
    SK_ASSERT(fault != SIM_DISK_FAIL || error < 0);
    SIM_ROOM(disk->rules, disk->rule_count, disk->rule_capacity);
    disk->rules[disk->rule_count++] =
        (sim_rule){.fault = fault, .ops = ops, .skip = nth - 1, .times = times, .error = error};
}

void sim_disk_rules_clear(sim_disk *disk)
{
    disk->rule_count = 0;
}

const sim_rule *sim_rule_match(sim_disk *disk, const sk_disk_request *request, bool sync)
{
    // A SYNC comes here once as a request and once as the sync it is: only the second counts.
    if (!sync && request->op == SK_DISK_SYNC) return NULL;
    unsigned bit = sync ? 1u << SK_DISK_SYNC : 1u << request->op;
    for (size_t i = 0; i < disk->rule_count; i++) {
        sim_rule *rule = &disk->rules[i];
        if (!(rule->ops & bit) || rule->times == 0) continue;
        if (rule->skip > 0) {
            rule->skip--;
            continue;
        }
        if (rule->times != SIM_DISK_FOREVER) rule->times--;
        return rule;
    }
    return NULL;
}

void sim_disk_lie(sim_disk *disk, bool on)
{
    disk->lying = on;
}

void sim_disk_stall(sim_disk *disk, sk_ns until)
{
    disk->counts.stalls++;
    if (until > disk->stalled_until) disk->stalled_until = until;
}

void sim_disk_hurry(sim_disk *disk, sk_ns until)
{
    disk->stalled_until = 0;
    for (size_t i = 0; i < disk->queue_count; i++) {
        if (disk->queue[i].at > until) disk->queue[i].at = until;
    }
}

// ---- At rest ----
// Damage goes below everything that may yet be undone: changes that are not synced are settled first.

static sim_file *file_at(sim_disk *disk, const char *name, uint64_t offset)
{
    sim_file *file = sim_names_find(&disk->names, name);
    if (!file || offset >= file->size) return NULL;
    sim_file_settle(file);
    return file;
}

bool sim_disk_flip(sim_disk *disk, const char *name, uint64_t offset, uint8_t mask)
{
    sim_file *file = file_at(disk, name, offset);
    if (!file) return false;
    file->data[offset] ^= mask;
    disk->counts.flips++;
    return true;
}

static bool change_sector(sim_disk *disk, const char *name, uint64_t offset, bool garble)
{
    sim_file *file = file_at(disk, name, offset);
    if (!file) return false;
    uint64_t begin = offset / 512 * 512;
    uint64_t end = begin + 512 < file->size ? begin + 512 : file->size;
    for (uint64_t i = begin; i < end; i++) file->data[i] = garble ? (uint8_t)sk_prng_next(&disk->prng) : 0;
    return true;
}

bool sim_disk_zero_sector(sim_disk *disk, const char *name, uint64_t offset)
{
    if (!change_sector(disk, name, offset, false)) return false;
    disk->counts.sectors_zeroed++;
    return true;
}

bool sim_disk_garble_sector(sim_disk *disk, const char *name, uint64_t offset)
{
    if (!change_sector(disk, name, offset, true)) return false;
    disk->counts.sectors_garbled++;
    return true;
}

bool sim_disk_move_sector(sim_disk *disk, const char *name, uint64_t from, uint64_t to, bool swap)
{
    from = from / 512 * 512;
    to = to / 512 * 512;
    sim_file *file = file_at(disk, name, from > to ? from + 511 : to + 511);
    if (!file || from == to) return false;
    uint8_t held[512];
    memcpy(held, file->data + to, sizeof held);
    memcpy(file->data + to, file->data + from, sizeof held);
    if (swap) memcpy(file->data + from, held, sizeof held);
    return true;
}

bool sim_disk_lose(sim_disk *disk, const char *name)
{
    if (!sim_names_find(&disk->names, name)) return false;
    char own[SK_DISK_NAME_MAX];
    (void)snprintf(own, sizeof own, "%s", name); // `name` may be the entry's own
    sim_file *file = sim_names_find(&disk->names, own);
    sim_name_change_add(disk, own, "", file);
    sim_names_remove(&disk->names, own);
    char folder[SK_DISK_NAME_MAX];
    sim_folder_of(own, folder);
    sim_folder_settle(disk, folder);
    disk->counts.files_lost++;
    return true;
}

bool sim_disk_cut(sim_disk *disk, const char *name, uint64_t size)
{
    sim_file *file = sim_names_find(&disk->names, name);
    if (!file || size > file->size) return false;
    sim_file_resize(file, size);
    sim_file_settle(file);
    disk->counts.files_cut++;
    return true;
}

bool sim_disk_swap(sim_disk *disk, const char *name, const char *other)
{
    sim_file *a = sim_names_find(&disk->names, name), *b = sim_names_find(&disk->names, other);
    if (!a || !b) return false;
    sim_file_settle(a);
    sim_file_settle(b);
    sim_file held = *a;
    a->data = b->data, a->size = b->size, a->capacity = b->capacity;
    b->data = held.data, b->size = held.size, b->capacity = held.capacity;
    return true;
}

static uint64_t used_part(const sim_file *file)
{
    uint64_t used = file->size;
    while (used > 0 && file->data[used - 1] == 0) used--;
    return used;
}

bool sim_disk_corrupt(sim_disk *disk, const char *prefix, char *what, size_t what_size)
{
    size_t candidates = 0, pick = 0;
    for (size_t i = 0; i < disk->names.count; i++) {
        const sim_name *name = &disk->names.list[i];
        if (strncmp(name->name, prefix, strlen(prefix)) != 0 || used_part(name->file) == 0) continue;
        if (sk_prng_below(&disk->prng, ++candidates) == 0) pick = i;
    }
    if (candidates == 0) return false;
    const char *name = disk->names.list[pick].name;
    uint64_t offset = sk_prng_below(&disk->prng, used_part(disk->names.list[pick].file));
    const char *kind = "";
    switch (sk_prng_below(&disk->prng, 5)) {
    case 0:
        kind = "zeroed sector", sim_disk_zero_sector(disk, name, offset);
        break;
    case 1:
        kind = "garbled sector", sim_disk_garble_sector(disk, name, offset);
        break;
    default:
        kind = "flipped bit";
        sim_disk_flip(disk, name, offset, (uint8_t)(1u << sk_prng_below(&disk->prng, 8)));
        break;
    }
    (void)snprintf(what, what_size, "%s at %llu of %s", kind, (unsigned long long)offset, name);
    return true;
}

void sim_disk_wipe(sim_disk *disk)
{
    SK_ASSERT(disk->queue_count == 0);
    sim_files_clear(disk);
    disk->counts.files_lost++;
}

void sim_disk_roll_back(sim_disk *disk, const sim_disk *older)
{
    SK_ASSERT(disk->queue_count == 0 && older->queue_count == 0);
    sim_files_clear(disk);
    disk->handle_count = 0;
    sim_files_copy(disk, older);
    disk->counts.rollbacks++;
}

// ---- Looking ----

size_t sim_disk_file_count(const sim_disk *disk)
{
    return disk->names.count;
}

const char *sim_disk_file_name(const sim_disk *disk, size_t index)
{
    SK_ASSERT(index < disk->names.count);
    return disk->names.list[index].name;
}

sk_slice sim_disk_file(const sim_disk *disk, const char *name)
{
    const sim_file *file = sim_names_find(&disk->names, name);
    if (!file) return sk_slice_make(NULL, 0);
    return sk_slice_make(file->data ? file->data : (const uint8_t *)"", file->size);
}

void sim_disk_put(sim_disk *disk, const char *name, sk_slice bytes)
{
    char folder[SK_DISK_NAME_MAX];
    sim_folder_of(name, folder);
    sk_disk_request make = {.op = SK_DISK_MAKE_FOLDER};
    memcpy(make.name, folder, sizeof folder);
    if (folder[0]) sim_execute(disk, &make, false);
    sim_file *file = sim_file_new(0);
    sim_file_write(file, 0, bytes.data, bytes.size);
    sim_file_settle(file);
    sim_names_set(&disk->names, name, file);
    sim_name_change_add(disk, "", name, file);
    sim_folder_settle(disk, folder);
    sim_folder_settle(disk, "");
}

uint64_t sim_disk_used(const sim_disk *disk)
{
    uint64_t used = 0;
    for (size_t i = 0; i < disk->names.count; i++) used += disk->names.list[i].file->size;
    return used;
}

uint64_t sim_disk_fingerprint(const sim_disk *disk)
{
    uint64_t hash = 0;
    for (size_t i = 0; i < disk->names.count; i++) {
        const sim_name *name = &disk->names.list[i];
        hash = sk_hash64(hash, name->name, strlen(name->name));
        hash = sk_hash64(hash, name->file->data, name->file->size);
    }
    return hash;
}

sim_disk_counts sim_disk_counts_of(const sim_disk *disk)
{
    return disk->counts;
}
