#include "sim/checks.h"

#include <inttypes.h>
#include <stdio.h>
#include "base/alloc.h"
#include "base/assert.h"
#include "base/hash.h"
#include "sim/computer.h"
#include "sim/merging.h"

enum { SPACES_MAX = 256 }; // ids; those of later ones are not looked at

typedef struct office { // who leads a space in an epoch
    uint64_t epoch;
    sk_node_id leader;
    uint64_t boot;
} office;

typedef struct mark { // the digest at a position
    uint64_t digest;
    sk_node_id seen_by; // first; 0: nobody was seen there
} mark;

typedef struct space_memory {
    office *offices; // in order of discovery; few
    size_t office_count, office_capacity;
    mark *marks; // by position
    size_t mark_count;
    uint64_t committed, committed_epoch; // the furthest that anybody said, and that node's epoch then
} space_memory;

typedef struct last_look { // at one node's space, in this life
    uint64_t epoch, last, committed, applied, looked, clock_ms;
    uint64_t repeats, fetches, snapshots_installed, snapshot_position;
    bool known, recovering, halted;
} last_look;

struct sk_checks {
    sk_world *world;
    space_memory spaces[SPACES_MAX];
    last_look looks[SK_VOTERS_MAX + 1][SPACES_MAX];
    sk_node_id leader;
    uint64_t leader_epoch;
    uint64_t healed_committed[SPACES_MAX]; // when all was healed
};

sk_checks *sk_checks_open(sk_world *world)
{
    sk_checks *checks = sk_alloc_zeroed(sizeof *checks);
    checks->world = world;
    return checks;
}

void sk_checks_close(sk_checks *checks)
{
    for (int i = 0; i < SPACES_MAX; i++) {
        sk_free(checks->spaces[i].offices);
        sk_free(checks->spaces[i].marks);
    }
    sk_free(checks);
}

// What a running node says of the space with this id. False: it has none such.
static bool facts_of(const sk_computer *computer, uint32_t id, sk_space_facts *out)
{
    size_t count = sk_node_space_count(computer->node);
    for (size_t i = 0; i < count; i++) {
        *out = sk_node_space_facts(computer->node, i, false);
        if (out->id == id) return true;
    }
    return false;
}

// Somebody leads who did not before. Where time keeps its promises and nobody fails there is no reason for that.
static void note_office(sk_checks *checks, const sk_computer *computer, uint32_t space, const sk_status *status)
{
    sk_world *world = checks->world;
    const space_memory *memory = &checks->spaces[space];
    const office *before = memory->office_count ? &memory->offices[memory->office_count - 1] : NULL;
    const sk_preset *preset = &world->swarm.preset;
    if (!before) return;
    sk_world_reach(world, SK_SOMETIMES_LEADER_CHANGED);
    if (status->epoch > before->epoch + 1) sk_world_reach(world, SK_SOMETIMES_EPOCH_WITHOUT_LEADER);
    for (sk_node_id id = 1; id <= world->computer_count; id++) {
        const sk_computer *other = &world->computers[id];
        if (id == computer->id || !other->node) continue;
        sk_space_facts facts;
        if (facts_of(other, space, &facts) && facts.status.role == SK_ROLE_LEADER) sk_world_reach(world, SK_SOMETIMES_TWO_LEADERS);
    }
    if (preset->timing == SK_TIMING_SYNCHRONOUS && preset->failure == SK_FAILURE_NONE && !world->healed)
        sk_world_fail(world, SK_VERDICT_WRONG,
                      "space %" PRIu32 ": node %" PRIu32 " leads epoch %" PRIu64 " after epoch %" PRIu64
                      " although nothing is late and nobody failed",
                      space, computer->id, status->epoch, before->epoch);
}

static void check_office(sk_checks *checks, const sk_computer *computer, uint32_t space,
                         const sk_status *status)
{
    space_memory *memory = &checks->spaces[space];
    for (size_t i = memory->office_count; i-- > 0;) {
        const office *held = &memory->offices[i];
        if (held->epoch != status->epoch) continue;
        if (held->leader != computer->id)
            sk_world_fail(checks->world, SK_VERDICT_WRONG,
                          "space %" PRIu32 ": nodes %" PRIu32 " and %" PRIu32 " both led epoch %" PRIu64,
                          space, held->leader, computer->id, status->epoch);
        else if (held->boot != computer->boots)
            sk_world_fail(checks->world, SK_VERDICT_WRONG,
                          "space %" PRIu32 ": node %" PRIu32 " led epoch %" PRIu64 " in two lives", space,
                          computer->id, status->epoch);
        return;
    }
    note_office(checks, computer, space, status);
    if (memory->office_count == memory->office_capacity) {
        memory->office_capacity = memory->office_capacity ? memory->office_capacity * 2 : 16;
        memory->offices = sk_realloc(memory->offices, memory->office_capacity * sizeof *memory->offices);
    }
    memory->offices[memory->office_count++] =
        (office){.epoch = status->epoch, .leader = computer->id, .boot = computer->boots};
    SK_TRACE(&checks->world->trace, "node %" PRIu32 " leads space %" PRIu32 " in epoch %" PRIu64,
             computer->id, space, status->epoch);
    if (status->epoch > memory->committed_epoch && status->last < memory->committed)
        sk_world_fail(checks->world, SK_VERDICT_WRONG,
                      "space %" PRIu32 ": leader %" PRIu32 " of epoch %" PRIu64
                      " has positions up to %" PRIu64 ", but %" PRIu64 " were committed",
                      space, computer->id, status->epoch, status->last, memory->committed);
}

static void check_digest(sk_checks *checks, const sk_computer *computer, uint32_t space, uint64_t position,
                         uint64_t digest)
{
    space_memory *memory = &checks->spaces[space];
    if (position >= memory->mark_count) {
        size_t count = memory->mark_count ? memory->mark_count : 1024;
        while (count <= position) count *= 2;
        memory->marks = sk_realloc(memory->marks, count * sizeof *memory->marks);
        memset(memory->marks + memory->mark_count, 0, (count - memory->mark_count) * sizeof *memory->marks);
        memory->mark_count = count;
    }
    mark *at = &memory->marks[position];
    if (!at->seen_by) {
        *at = (mark){.digest = digest, .seen_by = computer->id};
        return;
    }
    checks->world->checked++;
    if (at->digest != digest)
        sk_world_fail(checks->world, SK_VERDICT_WRONG,
                      "space %" PRIu32 ": node %" PRIu32 " differs from node %" PRIu32
                      " at position %" PRIu64,
                      space, computer->id, at->seen_by, position);
}

static void check_order(sk_checks *checks, const sk_computer *computer, const sk_space_facts *facts,
                        last_look *look)
{
    const sk_status *status = &facts->status;
    const char *wrong = NULL;
    if (facts->applied > status->applied)
        wrong = "the machine is ahead of what was applied";
    else if (status->applied > status->committed)
        wrong = "applied what is not committed";
    else if (status->committed > status->last)
        wrong = "committed what it does not have";
    else if (status->epoch < look->epoch)
        wrong = "its epoch went back";
    else if (status->committed < look->committed)
        wrong = "what is committed went back";
    else if (status->applied < look->applied)
        wrong = "what is applied went back";
    else if (facts->clock_ms < look->clock_ms)
        wrong = "its clock went back";
    if (wrong)
        sk_world_fail(checks->world, SK_VERDICT_WRONG,
                      "space %" PRIu32 ", node %" PRIu32 ": %s (epoch %" PRIu64 ", last %" PRIu64
                      ", committed %" PRIu64 ", applied %" PRIu64 ", machine %" PRIu64 ")",
                      facts->id, computer->id, wrong, status->epoch, status->last, status->committed,
                      status->applied, facts->applied);
    look->epoch = status->epoch;
    look->committed = status->committed;
    look->applied = status->applied;
    look->clock_ms = facts->clock_ms;
}

// What the run may be proud of having seen.
static void note_reached(sk_checks *checks, const sk_space_facts *facts, last_look *look)
{
    sk_world *world = checks->world;
    const sk_status *status = &facts->status;
    bool halted = status->role == SK_ROLE_HALTED;
    if (look->known && status->last < look->last) sk_world_reach(world, SK_SOMETIMES_LOG_TRUNCATED);
    if (facts->repeats > look->repeats) sk_world_reach(world, SK_SOMETIMES_RETRY_FROM_KEPT);
    if (facts->fetches > look->fetches) sk_world_reach(world, SK_SOMETIMES_WINDOW_FETCHED);
    if (facts->snapshots_installed > look->snapshots_installed) sk_world_reach(world, SK_SOMETIMES_SNAPSHOT_INSTALLED);
    if (look->known && facts->snapshot_position > look->snapshot_position) sk_world_reach(world, SK_SOMETIMES_SNAPSHOT_TAKEN);
    if (status->recovering) sk_world_reach(world, SK_SOMETIMES_RECOVERING);
    if (look->recovering && !status->recovering && !halted) sk_world_reach(world, SK_SOMETIMES_RECOVERING_HEALED);
    if (halted && !look->halted) sk_world_reach(world, SK_SOMETIMES_LOG_FAILED);
    look->last = status->last;
    look->repeats = facts->repeats;
    look->fetches = facts->fetches;
    look->snapshots_installed = facts->snapshots_installed;
    look->snapshot_position = facts->snapshot_position;
    look->recovering = status->recovering;
    look->halted = halted;
    look->known = true;
}

static void look_at(sk_checks *checks, const sk_computer *computer, size_t index)
{
    sk_space_facts facts = sk_node_space_facts(computer->node, index, false);
    if (facts.id >= SPACES_MAX) return;
    last_look *look = &checks->looks[computer->id][facts.id];
    space_memory *memory = &checks->spaces[facts.id];
    check_order(checks, computer, &facts, look);
    note_reached(checks, &facts, look);
    if (sk_protocol_find(facts.protocol)->mergeable) { // positions, epochs and who leads are its own affair
        sk_trace_mix(&checks->world->trace, facts.status.epoch, facts.status.last, facts.applied);
        return;
    }
    if (facts.status.role == SK_ROLE_LEADER) {
        check_office(checks, computer, facts.id, &facts.status);
        if (facts.id == SK_SPACE_DEFAULT && facts.status.epoch >= checks->leader_epoch) {
            checks->leader = computer->id;
            checks->leader_epoch = facts.status.epoch;
        }
    }
    if (facts.status.committed > memory->committed) {
        memory->committed = facts.status.committed;
        if (facts.status.epoch > memory->committed_epoch) memory->committed_epoch = facts.status.epoch;
    }
    if (facts.applied != look->looked) {
        look->looked = facts.applied;
        sk_space_facts full = sk_node_space_facts(computer->node, index, true);
        check_digest(checks, computer, facts.id, full.digest_position, full.digest);
    }
    sk_trace_mix(&checks->world->trace, facts.status.epoch, facts.status.last, facts.applied);
}

void sk_checks_turn(sk_checks *checks, const sk_computer *computer)
{
    size_t count = sk_node_space_count(computer->node);
    for (size_t i = 0; i < count; i++) look_at(checks, computer, i);
    if (checks->world->merging) sk_merging_look(checks->world->merging, computer);
#ifdef SK_VERIFY
    sk_node_check(computer->node);
#endif
}

void sk_checks_stopped(sk_checks *checks, sk_node_id id)
{
    memset(checks->looks[id], 0, sizeof checks->looks[id]);
    if (checks->leader == id) checks->leader = 0;
}

static bool same(const sk_space_facts *facts, const sk_space_facts *first, sk_node_id id, char *why,
                 size_t size)
{
    const char *wrong = NULL;
    if (!facts->serving)
        wrong = facts->why_not ? facts->why_not : "does not serve";
    else if (facts->id != first->id)
        wrong = "is another space than node 1 has there";
    else if (facts->status.recovering)
        wrong = "is recovering";
    else if (facts->status.committed != facts->status.last)
        wrong = "has entries that are not committed";
    else if (facts->applied != first->applied)
        wrong = "is behind or ahead";
    else if (facts->digest_position == first->digest_position && facts->digest != first->digest)
        wrong = "differs";
    if (wrong)
        snprintf(why, size,
                 "node %" PRIu32 ", space %" PRIu32 ": %s (role %d, epoch %" PRIu64 ", last %" PRIu64
                 ", committed %" PRIu64 ", applied %" PRIu64 " of %" PRIu64 ")",
                 id, facts->id, wrong, (int)facts->status.role, facts->status.epoch, facts->status.last,
                 facts->status.committed, facts->applied, first->applied);
    return !wrong;
}

bool sk_checks_converged(sk_checks *checks, char *why, size_t size)
{
    sk_world *world = checks->world;
    sk_space_facts first[SPACES_MAX] = {0}; // by id
    size_t spaces = 0;
    for (sk_node_id id = 1; id <= world->computer_count; id++) {
        const sk_computer *computer = &world->computers[id];
        if (computer->gone) continue;
        if (!computer->node || computer->paused) {
            snprintf(why, size, "node %" PRIu32 " does not run", id);
            return false;
        }
        size_t count = sk_node_space_count(computer->node);
        if (!spaces) spaces = count;
        if (count != spaces) {
            snprintf(why, size, "node %" PRIu32 " has %zu spaces, others %zu", id, count, spaces);
            return false;
        }
        for (size_t i = 0; i < count; i++) {
            sk_space_facts facts = sk_node_space_facts(computer->node, i, true);
            if (facts.id >= SPACES_MAX || sk_protocol_find(facts.protocol)->mergeable) continue;
            if (!first[facts.id].name) first[facts.id] = facts;
            if (!same(&facts, &first[facts.id], id, why, size)) return false;
        }
    }
    return !world->merging || sk_merging_converged(world->merging, why, size);
}

static void describe_peers(const sk_checks *checks, const sk_computer *computer, uint32_t space)
{
    const sk_protocol *protocol;
    const sk_replica *replica = sk_node_replica(computer->node, space, &protocol);
    for (sk_node_id id = 1; id <= checks->world->computer_count; id++) {
        sk_peer_status peer = protocol->peer_status(replica, id);
        if (id != computer->id)
            SK_TRACE(&checks->world->trace,
                     "    peer %" PRIu32 ": matched %" PRIu64 ", heard %" PRIu64 " ms ago%s", id,
                     peer.matched, (sk_computer_local(computer) - peer.heard) / SK_MS,
                     peer.linked ? "" : ", no link");
    }
}

void sk_checks_describe(const sk_checks *checks)
{
    const sk_world *world = checks->world;
    for (sk_node_id id = 1; id <= world->computer_count && world->trace.lines; id++) {
        const sk_computer *computer = &world->computers[id];
        SK_TRACE(&world->trace, "node %" PRIu32 "%s", id,
                 !computer->node    ? ": down"
                 : computer->paused ? ": paused"
                                    : "");
        size_t count = computer->node ? sk_node_space_count(computer->node) : 0;
        for (size_t i = 0; i < count; i++) {
            sk_space_facts facts = sk_node_space_facts(computer->node, i, true);
            const sk_status *status = &facts.status;
            SK_TRACE(&world->trace,
                     "  space %" PRIu32 ": role %d leader %" PRIu32 " epoch %" PRIu64 " first %" PRIu64
                     " last %" PRIu64 " committed %" PRIu64 " applied %" PRIu64 " snapshot %" PRIu64
                     " digest %016" PRIx64 "%s %s %s",
                     facts.id, (int)status->role, status->leader, status->epoch, status->first, status->last,
                     status->committed, facts.applied, facts.snapshot_position, facts.digest,
                     status->recovering ? " recovering" : "", status->why ? status->why : "",
                     facts.why_not ? facts.why_not : "");
            if (status->role == SK_ROLE_LEADER) describe_peers(checks, computer, facts.id);
        }
    }
}

// Do most of those that run follow this leader in its epoch?
static bool followed(const sk_world *world, uint32_t space, const sk_status *leader)
{
    uint32_t followers = 0;
    for (sk_node_id id = 1; id <= world->computer_count; id++) {
        const sk_computer *computer = &world->computers[id];
        if (!sk_computer_running(computer)) continue;
        sk_space_facts facts;
        followers += facts_of(computer, space, &facts) && facts.status.leader == leader->leader &&
                     facts.status.epoch == leader->epoch;
    }
    return followers > world->computer_count / 2;
}

bool sk_checks_led(const sk_checks *checks, char *why, size_t size)
{
    const sk_world *world = checks->world;
    enum { ABSENT, LEADERLESS, LED } spaces[SPACES_MAX] = {ABSENT};
    bool any = false;
    for (sk_node_id id = 1; id <= world->computer_count; id++) {
        const sk_computer *computer = &world->computers[id];
        size_t count = sk_computer_running(computer) ? sk_node_space_count(computer->node) : 0;
        for (size_t i = 0; i < count; i++) {
            sk_space_facts facts = sk_node_space_facts(computer->node, i, false);
            if (facts.id >= SPACES_MAX || sk_protocol_find(facts.protocol)->mergeable) continue;
            any = true;
            if (!spaces[facts.id]) spaces[facts.id] = LEADERLESS;
            if (facts.status.role != SK_ROLE_LEADER) continue;
            bool moved = facts.status.committed > checks->healed_committed[facts.id];
            if (moved || followed(world, facts.id, &facts.status)) spaces[facts.id] = LED;
        }
    }
    for (uint32_t i = 0; i < SPACES_MAX; i++) {
        if (spaces[i] != LEADERLESS) continue;
        snprintf(why, size, "space %" PRIu32 " has no leader that most follow", i);
        return false;
    }
    return any;
}

void sk_checks_healed(sk_checks *checks)
{
    for (int i = 0; i < SPACES_MAX; i++) checks->healed_committed[i] = checks->spaces[i].committed;
}

sk_node_id sk_checks_leader(const sk_checks *checks)
{
    return checks->leader;
}
