// Faults of disks (see sim/nemesis.h).
#include "sim/nemesis_private.h"

#include <inttypes.h>
#include <string.h>
#include "sim/atlas.h"
#include "sim/computer.h"

// A node whose log has failed serves no more; whoever looks after it starts it again.
static void restart_later(sk_nemesis *nemesis, enum sk_fault fault, const sk_computer *computer)
{
    sk_nemesis_mend_later(nemesis, fault, computer->id, computer->boots, SK_S + sk_nemesis_hold(nemesis));
}

// Another file of the same folder, or the same one when there is no other.
static const char *other_of(sk_nemesis *nemesis, const sk_computer *computer, const char *name)
{
    size_t count = sim_disk_file_count(computer->platter);
    for (int tries = 0; tries < 8; tries++) {
        const char *other = sim_disk_file_name(computer->platter, (size_t)sk_prng_below(&nemesis->prng, count));
        if (!strncmp(name, other, 4) && strcmp(name, other) != 0) return other;
    }
    return name;
}

static bool damage_file(sk_nemesis *nemesis, enum sk_fault fault, sk_computer *computer, const char *name)
{
    sk_slice bytes = sim_disk_file(computer->platter, name);
    size_t used = bytes.size;
    while (used && !bytes.data[used - 1]) used--;
    bool log = !strncmp(name, "wal/", 4), snapshot = !strncmp(name, "snap/", 5);
    if (!used || !(snapshot || (log && fault != SK_FAULT_DISK_LOSE_SNAPSHOT))) return false;
    uint64_t at = sk_prng_below(&nemesis->prng, used);
    SK_TRACE(&nemesis->world->trace, "disk %" PRIu32 ": %s, %s at %" PRIu64 " of %zu", computer->id, sk_fault_name(fault),
             name, at, used);
    sk_atlas_damaged(computer);
    switch (fault) {
    case SK_FAULT_DISK_BIT_FLIP:
        return sim_disk_flip(computer->platter, name, at, (uint8_t)(1u << sk_prng_below(&nemesis->prng, 8)));
    case SK_FAULT_DISK_ZERO: return sim_disk_zero_sector(computer->platter, name, at);
    case SK_FAULT_DISK_GARBAGE: return sim_disk_garble_sector(computer->platter, name, at);
    case SK_FAULT_DISK_LOSE_SNAPSHOT: return sim_disk_lose(computer->platter, name);
    case SK_FAULT_DISK_SWAP_SECTOR:
        return sim_disk_move_sector(computer->platter, name, at, sk_prng_below(&nemesis->prng, used), true);
    case SK_FAULT_DISK_COPY_SECTOR:
        return sim_disk_move_sector(computer->platter, name, at, sk_prng_below(&nemesis->prng, used), false);
    case SK_FAULT_DISK_SWAP_FILES: return sim_disk_swap(computer->platter, name, other_of(nemesis, computer, name));
    default:
        computer->restored |= log; // one that lost its end may look whole to its node, and is of the past
        return sim_disk_cut(computer->platter, name, at);
    }
}

static bool damage_files(sk_nemesis *nemesis, enum sk_fault fault, sk_computer *computer)
{
    if (computer->node) sk_computer_note_held(computer);
    if (!sk_atlas_may_damage(nemesis->world, computer)) return false;
    sk_nemesis_kill(nemesis, computer, sk_prng_chance(&nemesis->prng, 1, 2));
    for (int tries = 0; tries < 8; tries++) {
        size_t count = sim_disk_file_count(computer->platter);
        char name[SK_DISK_NAME_MAX];
        if (!count) return false;
        strcpy(name, sim_disk_file_name(computer->platter, (size_t)sk_prng_below(&nemesis->prng, count)));
        if (damage_file(nemesis, fault, computer, name)) return true;
    }
    return false;
}

#define BIT(op) (1u << SK_DISK_##op)

// One of the next requests of these kinds fails: it alone, a few, or all from there on.
static bool fail_requests(sk_nemesis *nemesis, enum sk_fault fault, sk_computer *computer, unsigned ops, int error)
{
    uint32_t nth = (uint32_t)sk_prng_between(&nemesis->prng, 1, 20);
    uint32_t times[] = {1, (uint32_t)sk_prng_between(&nemesis->prng, 2, 8), SIM_DISK_FOREVER};
    sim_disk_rule(computer->platter, SIM_DISK_FAIL, ops, nth, times[sk_prng_below(&nemesis->prng, 3)], error);
    restart_later(nemesis, fault, computer);
    return true;
}

bool sk_nemesis_strike_disk(sk_nemesis *nemesis, enum sk_fault fault)
{
    sk_world *world = nemesis->world;
    sk_computer *computer = &world->computers[sk_nemesis_some(nemesis)];
    sim_disk_config *knobs = sim_disk_knobs(computer->platter);
    switch (fault) {
    case SK_FAULT_DISK_SLOW:
        knobs->write_max = 10 * SK_MS + knobs->write_min + sk_prng_below(&nemesis->prng, 500 * SK_MS);
        knobs->sync_max = knobs->sync_min + sk_prng_below(&nemesis->prng, 500 * SK_MS);
        sk_nemesis_mend_later(nemesis, fault, computer->id, 0, sk_nemesis_hold(nemesis));
        return true;
    case SK_FAULT_DISK_SYNC_STALL: // everything else is as quick as ever
        knobs->sync_min = knobs->sync_max = sk_prng_between(&nemesis->prng, 100 * SK_MS, 10 * SK_S);
        sk_nemesis_mend_later(nemesis, fault, computer->id, 0, sk_nemesis_hold(nemesis));
        return true;
    case SK_FAULT_DISK_STALL: {
        sk_ns until = world->now + 100 * SK_MS + sk_nemesis_hold(nemesis);
        sim_disk_stall(computer->platter, until);
        sk_computer_trouble(computer, until + 2 * SK_S);
        return true;
    }
    case SK_FAULT_DISK_WRITE_ERROR:
        return fail_requests(nemesis, fault, computer, BIT(WRITE), SK_EIO);
    case SK_FAULT_DISK_SYNC_ERROR:
        return fail_requests(nemesis, fault, computer, BIT(SYNC) | BIT(SYNC_FOLDER), SK_EIO);
    case SK_FAULT_DISK_OPEN_ERROR: // no file descriptors left; at a start it is damage, as a failed read is
        if (!computer->node) return false;
        return fail_requests(nemesis, fault, computer, BIT(CREATE) | BIT(OPEN), SK_EIO);
    case SK_FAULT_DISK_NAME_ERROR:
        return fail_requests(nemesis, fault, computer, BIT(RENAME) | BIT(UNLINK) | BIT(SYNC_FOLDER) | BIT(MAKE_FOLDER), SK_EIO);
    case SK_FAULT_DISK_QUOTA: // no room for this one, though there is room
        return fail_requests(nemesis, fault, computer, BIT(WRITE) | BIT(CREATE) | BIT(TRUNCATE), SK_ENOSPC);
    case SK_FAULT_DISK_READ_ERROR: // a read that fails at start is damage: that is the atlas's to allow
        if (!computer->node) return false;
        return fail_requests(nemesis, fault, computer, BIT(READ), SK_EIO);
    case SK_FAULT_DISK_READ_ONLY: // remounted by a kernel that has seen enough
        sim_disk_rule(computer->platter, SIM_DISK_FAIL,
                      BIT(WRITE) | BIT(SYNC) | BIT(CREATE) | BIT(TRUNCATE) | BIT(RENAME) | BIT(UNLINK) | BIT(SYNC_FOLDER), 1,
                      SIM_DISK_FOREVER, SK_EIO);
        restart_later(nemesis, fault, computer);
        return true;
    case SK_FAULT_DISK_FULL:
        knobs->capacity = sim_disk_used(computer->platter) + sk_prng_below(&nemesis->prng, 20000);
        restart_later(nemesis, fault, computer);
        return true;
    default:
        return damage_files(nemesis, fault, computer);
    }
}

