// What the parts of the simulated disk share (disk.c: requests and time; disk_files.c: files, names and what a crash keeps;
// disk_fault.c: faults and looking).
//
// Invariants
//   - file->data holds what a reader sees; file->changes, undone from the last to the first, give what is durable
//   - disk->names is what a reader sees; disk->durable_names plus any subset of disk->name_changes is what a crash can leave
//   - a file lives as long as a name, a durable name, a name change or a handle refers to it
#ifndef SIM_DISK_PRIVATE_H
#define SIM_DISK_PRIVATE_H

#include "sim/disk.h"

// A change of a file's bytes or length that no sync has covered.
typedef struct sim_change {
    bool length;          // else a write
    uint64_t offset;      // of the write, or of the bytes cut off
    uint64_t size_before; // of the file
    uint64_t size_after;
    uint8_t *before; // old bytes that were overwritten or cut off
    size_t before_size;
    uint8_t *after; // new bytes
    size_t after_size;
} sim_change;

typedef struct sim_file {
    uint8_t *data;
    uint64_t size;
    uint64_t capacity;
    sim_change *changes;
    size_t change_count, change_capacity;
    size_t stale_count; // of `changes`: a sync that covered them failed, and later ones take them for saved
    uint32_t references;
} sim_file;

typedef struct sim_name {
    char name[SK_DISK_NAME_MAX];
    sim_file *file;
} sim_name;

typedef struct sim_names {
    sim_name *list;
    size_t count, capacity;
} sim_names;

typedef struct sim_folder {
    char name[SK_DISK_NAME_MAX];
    bool durable;
} sim_folder;

// A change of names that is not yet durable in every folder it touches.
typedef struct sim_name_change {
    char from[SK_DISK_NAME_MAX]; // removed, if it still is `file`; "" for a create
    char to[SK_DISK_NAME_MAX];   // set to `file`; "" for an unlink
    sim_file *file;
    bool from_open, to_open; // the folder of that name has not been synced since
} sim_name_change;

typedef struct sim_entry {
    sk_disk_request *request;
    sk_ns submitted;
    sk_ns at;
    uint64_t order;
} sim_entry;

typedef struct sim_rule {
    enum sim_disk_fault fault;
    unsigned ops;
    uint32_t skip; // matching requests to let pass first
    uint32_t times;
    int error;
} sim_rule;

struct sim_disk {
    sk_disk face;
    sk_prng prng;
    sim_disk_config config;
    sim_disk_counts counts;
    sk_ns now;
    sk_ns stalled_until;
    sk_ns run_cost;
    uint64_t order;

    sim_entry *queue;
    size_t queue_count, queue_capacity;
    sim_file **handles; // index + 1 is the handle; NULL: void
    size_t handle_count, handle_capacity;

    sim_names names, durable_names;
    sim_folder *folders;
    size_t folder_count, folder_capacity;
    sim_name_change *name_changes;
    size_t name_change_count, name_change_capacity;

    sim_rule *rules;
    size_t rule_count, rule_capacity;
    bool lying;
    bool halting, halted;
    uint64_t halt_after;
};

// Grows an array so that one more fits.
#define SIM_ROOM(list, count, capacity)                                                                      \
    do {                                                                                                     \
        if ((count) == (capacity)) {                                                                         \
            (capacity) = (capacity) ? (capacity)*2 : 8;                                                      \
            (list) = sk_realloc((list), (capacity) * sizeof *(list));                                        \
        }                                                                                                    \
    } while (0)

// ---- disk_files.c ----

sim_file *sim_file_new(uint64_t size);
void sim_file_hold(sim_file *file);
void sim_file_drop(sim_file *file);
void sim_file_write(sim_file *file, uint64_t offset, const uint8_t *bytes, size_t size); // unsynced
void sim_file_resize(sim_file *file, uint64_t size);                                     // unsynced
void sim_file_settle(sim_file *file); // all changes are durable now

sim_file *sim_names_find(const sim_names *names, const char *name);
void sim_names_set(sim_names *names, const char *name, sim_file *file);
void sim_names_remove(sim_names *names, const char *name);
bool sim_folder_exists(const sim_disk *disk, const char *name);
// The folder of a file's name, "" at the top.
void sim_folder_of(const char *name, char out[SK_DISK_NAME_MAX]);
void sim_name_change_add(sim_disk *disk, const char *from, const char *to, sim_file *file);
void sim_folder_settle(sim_disk *disk, const char *folder);

// Draws what the platter keeps of everything unsynced, and makes it durable.
void sim_files_crash(sim_disk *disk);
void sim_files_clear(sim_disk *disk); // no files, no names, no handles
void sim_files_copy(sim_disk *to, const sim_disk *from);

// ---- disk_fault.c ----

// The rule that this request meets, or NULL; counts it.
const sim_rule *sim_rule_match(sim_disk *disk, const sk_disk_request *request, bool sync);

// ---- disk.c ----

// Executes it; with `part` only a part of its effect, and no sync.
int64_t sim_execute(sim_disk *disk, sk_disk_request *request, bool part);

#endif
