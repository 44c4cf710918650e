// A simulated disk: files in memory, one prng, virtual time; what a power cut leaves is drawn by lot.
//
//     world: sim_disk_time(now) -> the node works and submits -> sim_disk_next() says when the next completion is due
//            -> sim_disk_run_until(that time) calls `done` -> ...
//            sim_disk_crash() -> a new node opens sim_disk_face()
//
// Model
//   - A request takes effect when it completes. Requests on one file complete in the order submitted; requests that name a
//     file complete in any order: who needs an order waits for the completion.
//   - Bytes are durable after a sync of the file, names after a sync of their folder, a folder after a sync of "".
//   - A crash keeps any subset of the unsynced writes, each whole or torn at a byte, at 512 bytes or at 4 KiB; unsynced
//     creates, renames (whole or not at all), unlinks and length changes are each kept or lost. Of the requests under way a
//     random run from the front of each file's queue took effect, synced or not.
//   - After a failed sync the file's dirty bytes count as clean: later syncs succeed and save nothing of them unless they are
//     written again (that is what Linux does, and why a failed sync must be final). Killing the process does not change it.
// `run` (start-up) executes at once; what it would have taken is added up in sim_disk_run_cost.
#ifndef SIM_DISK_H
#define SIM_DISK_H

#include "base/bytes.h"
#include "base/error.h"
#include "base/prng.h"
#include "base/time.h"
#include "store/disk.h"

typedef struct sim_disk sim_disk;

typedef struct sim_disk_config {
    sk_ns read_min, read_max;   // latency, drawn uniformly for each request
    sk_ns write_min, write_max; // also create, rename, ...
    sk_ns sync_min, sync_max;   // added when a request syncs
    uint64_t capacity;          // bytes of all files together, SK_ENOSPC beyond; 0: no bound
    // Chance of a failure in a million requests of that kind (SK_EIO).
    uint32_t read_error_ppm;
    uint32_t write_error_ppm;
    uint32_t sync_error_ppm;
} sim_disk_config;

// Microseconds for everything, no bound, no errors.
void sim_disk_config_default(sim_disk_config *config);

// How often each fault has fired.
typedef struct sim_disk_counts {
    uint64_t requests; // completed or run
    uint64_t crashes;
    uint64_t writes_lost; // unsynced writes dropped by a crash
    uint64_t writes_torn;
    uint64_t names_lost; // unsynced creates, renames, unlinks dropped by a crash
    uint64_t folders_lost;
    uint64_t in_flight_lost; // requests that a crash overtook
    uint64_t errors;         // requests failed by a rule or by a rate
    uint64_t syncs_failed;
    uint64_t no_space;
    uint64_t short_then_error; // failed writes of which a part was written
    uint64_t lies;             // syncs reported and not done
    uint64_t writes_dropped;   // reported and never written
    uint64_t writes_misdirected;
    uint64_t stalls;
    uint64_t flips; // bits or bytes changed at rest
    uint64_t sectors_zeroed;
    uint64_t sectors_garbled;
    uint64_t files_lost;
    uint64_t files_cut;
    uint64_t rollbacks;
} sim_disk_counts;

sim_disk *sim_disk_open(sk_prng prng, const sim_disk_config *config); // config NULL: the default
void sim_disk_close(sim_disk *disk);
// What the store and the node take; stays the same over crashes.
sk_disk *sim_disk_face(sim_disk *disk);
sim_disk_config *sim_disk_knobs(sim_disk *disk); // latencies, capacity and rates may change at any time

// ---- Time ----

// Tells the time to requests submitted from here on. Never back.
void sim_disk_time(sim_disk *disk, sk_ns now);
// When the next completion is due; SK_NEVER if nothing is under way (or the disk has halted).
sk_ns sim_disk_next(const sim_disk *disk);
// Completes all that is due up to and including `now`, in order of time; `done` may submit more.
void sim_disk_run_until(sim_disk *disk, sk_ns now);
// Completes the next request, whenever it is due (moving the disk's time there). False if nothing is under
// way.
bool sim_disk_step(sim_disk *disk);
size_t sim_disk_under_way(const sim_disk *disk);
// What `run` would have taken since this was last asked.
sk_ns sim_disk_run_cost(sim_disk *disk);

// ---- Power ----

// The power fails now: requests under way never complete (their memory is their owner's again), handles are
// void, unsynced work is drawn by lot, everything that is left is durable. Rules, halts, stalls and poison
// are forgotten; knobs stay.
void sim_disk_crash(sim_disk *disk);
// What a crash now would leave, as another disk; this one goes on. For enumerating crash points.
sim_disk *sim_disk_crash_image(const sim_disk *disk, sk_prng prng);
// The process dies and the machine lives: requests under way never complete, but everything executed (and the
// part of those under way that is drawn) stays readable; it stays unsynced too, until the power fails or
// someone syncs.
void sim_disk_kill(sim_disk *disk);
// After `count` more requests the disk is dead until the next crash: the one then executed is done in part,
// fails (or never completes, if submitted), and so do all after it. For crashing inside recovery.
void sim_disk_halt_after(sim_disk *disk, uint64_t count);
bool sim_disk_halted(const sim_disk *disk);

// ---- Faults ----

enum { SIM_DISK_FOREVER = 0x7fffffff };

enum sim_disk_fault {
    SIM_DISK_FAIL,      // completes with `error`; a write may have been done in part
    SIM_DISK_DROP,      // a write is reported and never happens
    SIM_DISK_MISDIRECT, // a write goes to another place of the same file
};

// The n-th (1: the next) request from now on whose op is in `ops` (bits 1u << op; a WRITE with sync also
// counts as SYNC) meets the fault, and so do the `times - 1` such requests after it. Several rules may be
// set.
void sim_disk_rule(sim_disk *disk, enum sim_disk_fault fault, unsigned ops, uint32_t nth, uint32_t times,
                   int error);
void sim_disk_rules_clear(sim_disk *disk);
// Syncs report success and save nothing. A disk that does so breaks what the store promises: say so in the
// run's report.
void sim_disk_lie(sim_disk *disk, bool on);
// Nothing completes before `until`.
void sim_disk_stall(sim_disk *disk, sk_ns until);
// The stall is over, and what is under way is done by `until` (in its order), however slow the disk was when it was asked.
void sim_disk_hurry(sim_disk *disk, sk_ns until);

// At rest. All return false when there is no such file or no such byte. What they do is durable.
bool sim_disk_flip(sim_disk *disk, const char *name, uint64_t offset,
                   uint8_t mask);                                             // mask: the bits to change
bool sim_disk_zero_sector(sim_disk *disk, const char *name, uint64_t offset); // the 512 bytes around it
bool sim_disk_garble_sector(sim_disk *disk, const char *name, uint64_t offset);
// The sector around `from` lands on that around `to`; with `swap` the other way too.
bool sim_disk_move_sector(sim_disk *disk, const char *name, uint64_t from, uint64_t to, bool swap);
bool sim_disk_lose(sim_disk *disk, const char *name);
bool sim_disk_cut(sim_disk *disk, const char *name, uint64_t size);
bool sim_disk_swap(sim_disk *disk, const char *name, const char *other); // the contents of two files
// One of the above by lot on a file whose name begins with `prefix`, somewhere in its used part (up to its
// last non-zero byte). Says what in `what` (size bytes).
bool sim_disk_corrupt(sim_disk *disk, const char *prefix, char *what, size_t what_size);
void sim_disk_wipe(sim_disk *disk); // an empty directory
// Goes back to what `older` (a crash image taken before) held.
void sim_disk_roll_back(sim_disk *disk, const sim_disk *older);

// ---- Looking, and putting in place ----

size_t sim_disk_file_count(const sim_disk *disk);
const char *sim_disk_file_name(const sim_disk *disk, size_t index); // in order of name
// Bytes as a reader would see them; valid until the disk changes. data NULL: no such file.
sk_slice sim_disk_file(const sim_disk *disk, const char *name);
void sim_disk_put(sim_disk *disk, const char *name, sk_slice bytes); // a durable file, its folder too
uint64_t sim_disk_used(const sim_disk *disk);                        // bytes of all files
uint64_t sim_disk_fingerprint(const sim_disk *disk);                 // of names and bytes
sim_disk_counts sim_disk_counts_of(const sim_disk *disk);

#endif
