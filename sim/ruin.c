#include "sim/ruin.h"

#include <inttypes.h>
#include <string.h>
#include "base/assert.h"
#include "protocol/raft/message.h"
#include "sim/computer.h"
#include "sim/nemesis.h"
#include "store/wal_format.h"

// ---- Damage ----

static bool is_data(const char *name)
{
    return !strncmp(name, "wal/", 4) || !strncmp(name, "snap/", 5);
}

static void garble_all(sk_computer *computer)
{
    size_t count = sim_disk_file_count(computer->platter);
    for (size_t i = 0; i < count; i++) {
        const char *name = sim_disk_file_name(computer->platter, i);
        if (!is_data(name)) continue;
        size_t size = sim_disk_file(computer->platter, name).size;
        for (uint64_t at = 0; at < size; at += 512) sim_disk_garble_sector(computer->platter, name, at);
    }
}

static void lose_all(sk_computer *computer)
{
    for (size_t i = sim_disk_file_count(computer->platter); i-- > 0;) {
        const char *name = sim_disk_file_name(computer->platter, i);
        if (is_data(name)) sim_disk_lose(computer->platter, name);
    }
}

// Walks the batches of a segment. `damage`: spoils those that are this node's share and known synced. The count of such.
typedef struct walk {
    sk_computer *computer;
    uint64_t synced, oldest; // greatest that any header says
    uint32_t share, shares;
    bool damage;
    size_t hit;
} walk;

static void walk_segment(walk *walk, const char *name)
{
    sk_computer *computer = walk->computer;
    uint64_t number = sk_wal_segment_number(name + 4);
    sk_identity identity = computer->world->founding;
    identity.node = computer->id;
    uint32_t seed = sk_wal_seed(&identity, number);
    sk_slice bytes = sim_disk_file(computer->platter, name);
    for (uint64_t at = SK_WAL_HEADER_SIZE; at + SK_WAL_BATCH_HEADER_SIZE <= bytes.size;) {
        sk_wal_batch_header header;
        if (!sk_wal_batch_header_get(bytes.data + at, seed, &header) || header.size < SK_WAL_BATCH_HEADER_SIZE) break;
        if (header.synced > walk->synced) walk->synced = header.synced;
        if (header.oldest > walk->oldest) walk->oldest = header.oldest;
        bool mine = header.number % walk->shares == walk->share && header.number <= walk->synced;
        if (walk->damage && mine && number >= walk->oldest) {
            // In place, not a sector: the neighbour's headers must go on to witness that this one was durable.
            uint64_t inside = at + sk_prng_below(&computer->prng, header.size);
            sim_disk_flip(computer->platter, name, inside, (uint8_t)(1u << sk_prng_below(&computer->prng, 8)));
            bytes = sim_disk_file(computer->platter, name);
            walk->hit++;
        }
        at += sk_wal_aligned(header.size);
    }
}

static void walk_log(walk *walk)
{
    size_t count = sim_disk_file_count(walk->computer->platter);
    for (size_t i = 0; i < count; i++) {
        const char *name = sim_disk_file_name(walk->computer->platter, i);
        if (!strncmp(name, "wal/", 4) && sk_wal_segment_number(name + 4)) walk_segment(walk, name);
    }
}

// Every batch that is known synced is bad on one of the nodes; where that leaves a node nothing to lose, it loses all.
static void helix(sk_computer *computer)
{
    walk look = {.computer = computer, .share = computer->id - 1, .shares = computer->world->computer_count};
    walk_log(&look);
    look.damage = true;
    walk_log(&look);
    SK_TRACE(&computer->world->trace, "ruin: node %" PRIu32 " lost %zu batches up to %" PRIu64, computer->id, look.hit, look.synced);
    if (!look.hit) garble_all(computer);
}

void sk_ruin_strike(sk_world *world)
{
    static const char *const names[] = {"none", "wipe", "no-log", "garbage", "helix"};
    world->ruin_at = world->now;
    sk_world_count(world, SK_FAULT_DISK_RUIN);
    sk_nemesis_power_all(world->nemesis, 10 * SK_MS);
    for (sk_node_id id = 1; id <= world->swarm.ruined; id++) {
        sk_computer *computer = &world->computers[id];
        computer->ruined = true;
        SK_TRACE(&world->trace, "ruin: %s at node %" PRIu32, names[world->swarm.ruin], id);
        switch (world->swarm.ruin) {
        case SK_RUIN_WIPE:
            sim_disk_wipe(computer->platter);
            break;
        case SK_RUIN_NO_LOG:
            lose_all(computer);
            break;
        case SK_RUIN_GARBAGE:
            garble_all(computer);
            break;
        case SK_RUIN_HELIX:
            helix(computer);
            break;
        case SK_RUIN_NONE:
        case SK_RUIN_END:
            SK_UNREACHABLE();
        }
    }
}

// ---- What must not happen ----

static void tap_message(sk_world *world, sk_node_id from, const sk_frame *frame)
{
    sk_raft_message message;
    if (!sk_raft_message_decode(frame->payload, &message)) return;
    bool answers = message.kind == SK_RAFT_VOTE_ANSWER || message.kind == SK_RAFT_PREVOTE_ANSWER;
    bool stands = message.kind == SK_RAFT_VOTE || message.kind == SK_RAFT_PREVOTE;
    if (stands || (answers && (message.flags & SK_RAFT_GRANTED)))
        sk_world_fail(world, SK_VERDICT_WRONG, "node %" PRIu32 ", whose disk was ruined, sends %s in space %" PRIu32, from,
                      sk_raft_kind_name(message.kind), frame->space);
}

void sk_ruin_tap(sk_world *world, sk_node_id from, sk_slice frames)
{
    if (!world->computers[from].ruined) return;
    while (frames.size) {
        sk_frame frame;
        size_t used;
        if (sk_frame_parse(frames, &frame, &used) != 1) return;
        if (frame.kind == SK_FRAME_PROTOCOL) tap_message(world, from, &frame);
        frames = sk_slice_make(frames.data + used, frames.size - used);
    }
}

void sk_ruin_check(sk_world *world)
{
    for (sk_node_id id = 1; id <= world->swarm.ruined; id++) {
        const sk_computer *computer = &world->computers[id];
        if (!computer->node) continue; // it refuses to start: an empty directory
        size_t count = sk_node_space_count(computer->node);
        for (size_t i = 0; i < count; i++) {
            sk_space_facts facts = sk_node_space_facts(computer->node, i, false);
            bool still = facts.status.role == SK_ROLE_HALTED || (facts.status.recovering && facts.status.role != SK_ROLE_LEADER);
            if (!still)
                sk_world_fail(world, SK_VERDICT_WRONG, "node %" PRIu32 " takes part in space %" PRIu32 " although its disk was ruined",
                              id, facts.id);
        }
    }
    if (world->verdict == SK_VERDICT_OK) sk_world_reach(world, SK_SOMETIMES_SAFE_HALT);
}
