#include "sim/merging.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include "base/alloc.h"
#include "protocol/crdt/crdt.h"
#include "sim/clients.h"
#include "sim/computer.h"
#include "sim/loss.h"
#include "sim/synced.h"

typedef struct look {
    const sk_machine *machine;
    uint64_t life;
    uint64_t chunks; // of others' states, merged in this life
    bool busy;       // half way through a peer's state
    bool whole;      // all that it has seen is in its records
    uint64_t number, durable; // of these: the last, the last on disk
} look;

struct sk_merging {
    sk_world *world;
    sk_vector wide[SK_VOTERS_MAX + 1];
    uint64_t chunks[SK_VOTERS_MAX + 1], boots[SK_VOTERS_MAX + 1], lives[SK_VOTERS_MAX + 1]; // as of the last look
    uint32_t last[SK_VOTERS_MAX + 1];                             // sight
    sk_vector held[SK_VOTERS_MAX + 1];
    sk_synced synced[SK_VOTERS_MAX + 1];
    sk_sight *sights;
    uint32_t count, capacity;
};

sk_merging *sk_merging_open(sk_world *world)
{
    sk_merging *merging = sk_alloc_zeroed(sizeof *merging);
    merging->world = world;
    for (int i = 0; i <= SK_VOTERS_MAX; i++) sk_synced_init(&merging->synced[i]);
    return merging;
}

void sk_merging_close(sk_merging *merging)
{
    if (!merging) return;
    for (int i = 0; i <= SK_VOTERS_MAX; i++) {
        sk_vector_deinit(&merging->wide[i]);
        sk_vector_deinit(&merging->held[i]);
        sk_synced_deinit(&merging->synced[i]);
    }
    for (uint32_t i = 0; i < merging->count; i++) {
        sk_vector_deinit(&merging->sights[i].seen);
        sk_vector_deinit(&merging->sights[i].wide);
    }
    sk_free(merging->sights);
    sk_free(merging);
}

// The space's facts. False: the node has it not.
static bool facts_of(const sk_computer *computer, sk_space_facts *out)
{
    size_t count = computer->node ? sk_node_space_count(computer->node) : 0;
    for (size_t i = 0; i < count; i++) {
        *out = sk_node_space_facts(computer->node, i, false);
        if (!strcmp(out->protocol, computer->world->swarm.protocol)) return true;
    }
    return false;
}

static bool look_at(const sk_computer *computer, look *out)
{
    sk_space_facts facts;
    const sk_protocol *protocol;
    if (!facts_of(computer, &facts)) return false;
    const sk_replica *replica = sk_node_replica(computer->node, facts.id, &protocol);
    const sk_merger *merger = (const void *)replica; // both have it first
    const sk_crdt_replica *crdt = protocol == &sk_crdt ? (const void *)replica : NULL;
    *out = (look){.machine = merger->machine,
                  .life = merger->life,
                  .chunks = crdt ? crdt->counts.chunks_received : 0,
                  .busy = crdt ? merger->ask.peer != NULL : merger->loading,
                  .whole = !merger->operations.size && !merger->answer_count && !merger->loading,
                  .number = merger->number,
                  .durable = merger->durable};
    return true;
}

static const sk_vector *seen_of(const look *look)
{
    return look->machine->mergeable->seen(look->machine);
}

// A process has begun, and with it a life. No number of an earlier one of its lives that anybody has heard of may be given again: a change
// of the new life would be taken for one of the old.
static void begin_life(sk_merging *merging, const sk_computer *computer, const look *now)
{
    sk_actor self = sk_actor_make(computer->id, now->life);
    uint64_t made = sk_vector_get(seen_of(now), self);
    sk_synced_restart(&merging->synced[computer->id]);
    if (computer->restored) return; // see sk_merging_is_bygone
    bool heard = sk_loss_answered_in(merging->world, sk_clients_history(merging->world->clients), self);
    for (sk_node_id id = 1; id <= merging->world->computer_count; id++) {
        uint64_t known = sk_vector_get(&merging->wide[id], self);
        heard |= id != computer->id && known > made && known != SK_RETIRED; // after a loss it may be one that is over: it begins another
    }
    if (heard)
        sk_world_fail(merging->world, SK_VERDICT_WRONG, "node %" PRIu32 " begins life %" PRIu64 " for the second time", computer->id, now->life);
}

void sk_merging_look(sk_merging *merging, const sk_computer *computer)
{
    look now;
    sk_node_id id = computer->id;
    if (!look_at(computer, &now)) return;
    sk_vector_join(&merging->wide[id], seen_of(&now));
    bool fresh = merging->boots[id] != computer->boots;
    bool merged = now.chunks != (fresh ? 0 : merging->chunks[id]);
    if (!fresh && computer->restored && merging->lives[id] != now.life)
        sk_clients_doubt_life(merging->world->clients, sk_actor_make(id, merging->lives[id]));
    if (fresh) begin_life(merging, computer, &now);
    if (now.whole) sk_synced_look(&merging->synced[id], now.number, now.durable, seen_of(&now));
    merging->lives[id] = now.life;
    merging->boots[id] = computer->boots;
    merging->chunks[id] = now.chunks;
    if (!merged) return;
    // Whoever sent the chunk may have shown, and handed on, whatever anybody has.
    for (sk_node_id other = 1; other <= merging->world->computer_count; other++) {
        look theirs;
        if (look_at(&merging->world->computers[other], &theirs)) sk_vector_join(&merging->wide[other], seen_of(&theirs));
        if (other != id) sk_vector_join(&merging->wide[id], &merging->wide[other]);
    }
}

static bool equal(const sk_vector *a, const sk_vector *b)
{
    return a->count == b->count && (!a->count || !memcmp(a->list, b->list, a->count * sizeof *a->list));
}

uint32_t sk_merging_sight(sk_merging *merging, const sk_computer *computer)
{
    sk_space_facts facts;
    look now;
    if (!facts_of(computer, &facts) || !look_at(computer, &now)) return 0;
    sk_merging_look(merging, computer);
    sk_actor self = sk_actor_make(computer->id, facts.status.epoch);
    uint64_t wall_ms = sk_computer_wall_ms(computer);
    uint32_t last = merging->last[computer->id];
    if (last) {
        const sk_sight *before = &merging->sights[last - 1];
        if (before->self == self && before->wall_ms == wall_ms && equal(&before->seen, seen_of(&now)) &&
            equal(&before->wide, &merging->wide[computer->id]))
            return last;
    }
    if (merging->count == merging->capacity) {
        merging->capacity = merging->capacity ? merging->capacity * 2 : 256;
        merging->sights = sk_realloc(merging->sights, merging->capacity * sizeof *merging->sights);
    }
    sk_sight *made = &merging->sights[merging->count++];
    *made = (sk_sight){.self = self, .wall_ms = wall_ms};
    sk_vector_copy(&made->seen, seen_of(&now));
    sk_vector_copy(&made->wide, &merging->wide[computer->id]);
    return merging->last[computer->id] = merging->count;
}

const sk_sight *sk_merging_sight_at(const sk_merging *merging, uint32_t sight)
{
    return &merging->sights[sight - 1];
}

bool sk_merging_founded(const sk_merging *merging, char *why, size_t size)
{
    const sk_world *world = merging->world;
    for (sk_node_id id = 1; id <= world->computer_count; id++) {
        sk_space_facts facts;
        if (facts_of(&world->computers[id], &facts) && facts.status.role == SK_ROLE_LEADER) continue;
        snprintf(why, size, "node %" PRIu32 " has no space of protocol %s yet", id, world->swarm.protocol);
        return false;
    }
    return true;
}

static bool same(const look *one, const look *first, sk_node_id id, sk_node_id first_id, char *why, size_t size)
{
    const char *wrong = NULL;
    if (one->busy)
        wrong = "is half way through a peer's state";
    else if (sk_vector_compare(seen_of(one), seen_of(first)) != SK_ORDER_EQUAL)
        wrong = "has not seen the same";
    else if (one->machine->ops->digest(one->machine) != first->machine->ops->digest(first->machine))
        wrong = "has seen the same and shows something else";
    if (wrong) snprintf(why, size, "node %" PRIu32 " %s as node %" PRIu32, id, wrong, first_id);
    return !wrong;
}

bool sk_merging_converged(const sk_merging *merging, char *why, size_t size)
{
    const sk_world *world = merging->world;
    look first = {0};
    sk_node_id first_id = 0;
    for (sk_node_id id = 1; id <= world->computer_count; id++) {
        const sk_computer *computer = &world->computers[id];
        look now;
        if (computer->gone) continue;
        if (!sk_computer_running(computer) || !look_at(computer, &now) || sk_merging_halted(computer)) {
            snprintf(why, size, "node %" PRIu32 " does not serve its space", id);
            return false;
        }
        if (!first_id) {
            first = now;
            first_id = id;
        }
        if (!same(&now, &first, id, first_id, why, size)) return false;
    }
    return true;
}

bool sk_merging_alone(const sk_merging *merging, const sk_computer *computer)
{
    sk_space_facts facts;
    if (merging->world->computer_count < 2 || !facts_of(computer, &facts)) return false;
    const sk_protocol *protocol;
    const sk_replica *replica = sk_node_replica(computer->node, facts.id, &protocol);
    for (sk_node_id id = 1; id <= merging->world->computer_count; id++) {
        if (id != computer->id && protocol->peer_status(replica, id).linked) return false;
    }
    return true;
}

bool sk_merging_halted(const sk_computer *computer)
{
    sk_space_facts facts;
    return facts_of(computer, &facts) && facts.status.role == SK_ROLE_HALTED;
}

sk_actor sk_merging_actor(const sk_computer *computer)
{
    look now;
    return look_at(computer, &now) ? sk_actor_make(computer->id, now.life) : 0;
}

bool sk_merging_is_bygone(const sk_merging *merging, const sk_computer *computer)
{
    look now;
    if (!computer->restored || !look_at(computer, &now)) return false;
    sk_actor self = sk_actor_make(computer->id, now.life);
    uint64_t made = sk_vector_get(seen_of(&now), self);
    for (sk_node_id id = 1; id <= merging->world->computer_count; id++) {
        if (id != computer->id && sk_vector_get(&merging->wide[id], self) > made) return true;
    }
    return false;
}

void sk_merging_note_held(sk_merging *merging, sk_node_id id)
{
    look now;
    if (look_at(&merging->world->computers[id], &now)) sk_vector_copy(&merging->held[id], seen_of(&now));
}

bool sk_merging_covers(const sk_merging *merging, const sk_computer *other, sk_node_id id)
{
    look now;
    if (!sk_computer_running(other) || sim_disk_under_way(other->platter) || !look_at(other, &now) || now.busy) return false;
    return sk_vector_covers(seen_of(&now), &merging->held[id]) && sk_vector_covers(&merging->synced[other->id].vector, &merging->held[id]);
}

bool sk_merging_is_elsewhere(const sk_merging *merging, sk_node_id id, sk_dot dot)
{
    for (sk_node_id other = 1; other <= merging->world->computer_count; other++) {
        const sk_computer *computer = &merging->world->computers[other];
        look now;
        if (other == id || !sk_computer_running(computer) || sim_disk_under_way(computer->platter)) continue;
        if (look_at(computer, &now) && sk_vector_has(seen_of(&now), dot) && sk_vector_has(&merging->synced[other].vector, dot)) return true;
    }
    return false;
}

bool sk_merging_is_synced(const sk_merging *merging, sk_node_id id, sk_dot dot)
{
    return sk_vector_has(&merging->synced[id].vector, dot);
}

void sk_merging_lost(sk_merging *merging, sk_node_id id)
{
    sk_synced_lose(&merging->synced[id]);
}
