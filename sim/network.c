#include "sim/network.h"

#include <inttypes.h>
#include "base/alloc.h"
#include "base/assert.h"
#include "base/hash.h"
#include "sim/chronicle.h"
#include "sim/computer.h"
#include "sim/ruin.h"

typedef struct message {
    sk_list link;
    uint64_t generation; // of the connection it travels on
    sk_node_id from, to;
    bool hello;
    uint32_t event; // chronicle: the SEND of its first frame
    size_t size;
    uint8_t bytes[];
} message;

// One direction of a connection.
typedef struct direction {
    sk_list stalled; // messages whose time had come while nothing could pass
    sk_ns last;      // delivery of the newest message that keeps order
    bool blocked, clogged;
    sk_network_way way;
    sk_ns busy_until;   // by its bandwidth
    uint32_t under_way; // messages in the heap
    message *old; // a message of some time ago, to be replayed
} direction;

typedef struct connection {
    uint64_t generation;
    bool open;
    bool dialling; // a DIAL event is in the heap
    bool up[2];    // side (0: the lower id) believes in it
    uint64_t up_generation[2];
    sk_ns refused_until;
    direction to[2]; // towards side 0, towards side 1
} connection;

struct sk_network {
    sk_world *world;
    sk_prng prng;
    bool calm;
    uint32_t event; // chronicle: the SEND of what is being posted
    connection pairs[SK_VOTERS_MAX + 1][SK_VOTERS_MAX + 1]; // [lower][higher]
};

static connection *pair_of(sk_network *network, sk_node_id a, sk_node_id b)
{
    SK_ASSERT(a != b && a >= 1 && b >= 1 && a <= SK_VOTERS_MAX && b <= SK_VOTERS_MAX);
    return a < b ? &network->pairs[a][b] : &network->pairs[b][a];
}

static int side_of(sk_node_id self, sk_node_id other)
{
    return self < other ? 0 : 1;
}

static direction *towards(sk_network *network, sk_node_id from, sk_node_id to)
{
    return &pair_of(network, from, to)->to[side_of(to, from)];
}

static void drop_stalled(direction *way)
{
    while (!sk_list_empty(&way->stalled)) {
        message *first = SK_CONTAINER(way->stalled.next, message, link);
        sk_list_remove(&first->link);
        sk_free(first);
    }
}

sk_network *sk_network_open(sk_world *world, sk_prng prng)
{
    sk_network *network = sk_alloc_zeroed(sizeof *network);
    network->world = world;
    network->prng = prng;
    for (sk_node_id a = 1; a <= SK_VOTERS_MAX; a++) {
        for (sk_node_id b = a + 1; b <= SK_VOTERS_MAX; b++) {
            sk_list_init(&network->pairs[a][b].to[0].stalled);
            sk_list_init(&network->pairs[a][b].to[1].stalled);
        }
    }
    return network;
}

void sk_network_close(sk_network *network)
{
    for (sk_node_id a = 1; a <= SK_VOTERS_MAX; a++) {
        for (sk_node_id b = a + 1; b <= SK_VOTERS_MAX; b++) {
            for (int side = 0; side < 2; side++) {
                drop_stalled(&network->pairs[a][b].to[side]);
                sk_free(network->pairs[a][b].to[side].old);
            }
        }
    }
    sk_free(network);
}

// ---- Sending ----

static sk_ns draw_delay(sk_network *network)
{
    const sk_swarm *swarm = &network->world->swarm;
    if (swarm->delay_bound) return sk_prng_between(&network->prng, swarm->delay_min, swarm->delay_bound);
    if (network->calm) return swarm->delay_min + sk_swarm_around(&network->prng, 200 * SK_US);
    sk_ns delay = swarm->delay_min + sk_swarm_around(&network->prng, swarm->delay_mean);
    if (swarm->fault[SK_FAULT_NET_DELAY]) sk_world_count(network->world, SK_FAULT_NET_DELAY);
    if (swarm->tail && sk_prng_chance(&network->prng, swarm->tail, 1000000)) {
        sk_world_count(network->world, SK_FAULT_NET_TAIL);
        delay += 100 * swarm->delay_mean;
    }
    return delay;
}

static message *message_make(const connection *pair, sk_node_id from, sk_node_id to, sk_slice bytes)
{
    message *made = sk_alloc(sizeof *made + bytes.size);
    *made = (message){.generation = pair->generation, .from = from, .to = to, .size = bytes.size};
    if (bytes.size) memcpy(made->bytes, bytes.data, bytes.size);
    sk_list_init(&made->link);
    return made;
}

// In order behind what was sent before, or (a reordered one) whenever it arrives.
static void post(sk_network *network, message *sent, bool ordered)
{
    direction *way = towards(network, sent->from, sent->to);
    if (!sent->event) sent->event = network->event;
    sk_ns now = network->world->now, time = now + draw_delay(network) + way->way.extra;
    if (way->way.bandwidth) {
        sk_ns begin = way->busy_until > now ? way->busy_until : now;
        way->busy_until = begin + sent->size * SK_S / way->way.bandwidth;
        if (time < way->busy_until) time = way->busy_until;
    }
    if (way->way.capacity && way->under_way >= way->way.capacity && time < way->last) time = way->last + (time - now);
    if (ordered) {
        if (time <= way->last) time = way->last + 1;
        way->last = time;
    }
    way->under_way++;
    sk_world_push(network->world, time, SK_WORLD_DELIVER, sent->to, sent->from, sent->generation, sent);
}

static void damage(sk_network *network, message *sent)
{
    const bool *on = network->world->swarm.fault;
    bool cut =
        on[SK_FAULT_NET_TRUNCATE] && (!on[SK_FAULT_NET_CORRUPT] || sk_prng_chance(&network->prng, 1, 2));
    if (cut) {
        sent->size = (size_t)sk_prng_below(&network->prng, sent->size);
        sk_world_count(network->world, SK_FAULT_NET_TRUNCATE);
        return;
    }
    size_t flips = (size_t)sk_prng_between(&network->prng, 1, 3);
    size_t last = sent->size;
    for (size_t i = 0; i < flips; i++) {
        size_t at = (size_t)sk_prng_below(&network->prng, sent->size);
        if (at == last) continue; // never undo a flip
        sent->bytes[at] ^= (uint8_t)(1u << sk_prng_below(&network->prng, 8));
        last = at;
        break;
    }
    sk_world_count(network->world, SK_FAULT_NET_CORRUPT);
}

static bool draw(sk_network *network, uint32_t of_a_million, enum sk_fault fault)
{
    if (!of_a_million || !sk_prng_chance(&network->prng, of_a_million, 1000000)) return false;
    sk_world_count(network->world, fault);
    return true;
}

// Keeps one message in a while, and sends the one it kept again much later.
static void replay_old(sk_network *network, const connection *pair, direction *way, const message *sent)
{
    if (way->old && way->old->generation == pair->generation) {
        message *copy = message_make(pair, way->old->from, way->old->to, sk_slice_make(way->old->bytes, way->old->size));
        copy->event = way->old->event;
        post(network, copy, false);
    }
    sk_free(way->old);
    way->old = message_make(pair, sent->from, sent->to, sk_slice_make(sent->bytes, sent->size));
    way->old->event = network->event;
}

// The frame's kind, or for a protocol's message, that of the message: its first byte.
static uint32_t kind_bit(const sk_frame *frame)
{
    uint32_t kind = (uint32_t)frame->kind;
    if (frame->kind == SK_FRAME_PROTOCOL && frame->payload.size) kind = SK_FRAME_KIND_END + frame->payload.data[0];
    return kind < SK_NETWORK_KINDS ? 1u << kind : 0;
}

// Its sender forgets to send it, or the network loses its kind.
static bool omitted(sk_network *network, sk_node_id from, sk_node_id to, const sk_frame *frame)
{
    uint32_t omits = network->world->computers[from].omit_send;
    if (omits && sk_prng_chance(&network->prng, omits, 1000000)) return true;
    return (towards(network, from, to)->way.lost & kind_bit(frame)) != 0;
}

static void send_honest(sk_network *network, const connection *pair, sk_node_id from, sk_node_id to,
                       const sk_frame *frame, sk_slice bytes)
{
    const sk_swarm *swarm = &network->world->swarm;
    bool may_suffer = frame->kind == SK_FRAME_PROTOCOL || swarm->hostile_frames;
    bool ordered = true;
    if (omitted(network, from, to, frame)) return;
    message *sent = message_make(pair, from, to, bytes);
    sk_plant_frame(network->world->plant, network->world, &network->prng, sent->bytes, sent->size,
                   &sent->from);
    if (sent->from == to) sent->from = from;
    if (sent->from != from) { // a planted bug: it claims to come from somebody else
        sent->generation = pair_of(network, sent->from, to)->generation;
        post(network, sent, false);
        return;
    }
    if (!network->calm) {
        if (may_suffer && draw(network, swarm->loss, SK_FAULT_NET_LOSS)) {
            sk_free(sent);
            return;
        }
        if (may_suffer && draw(network, swarm->duplicate, SK_FAULT_NET_DUPLICATE))
            post(network, message_make(pair, from, to, bytes), false);
        if (may_suffer && draw(network, swarm->replay, SK_FAULT_NET_REPLAY))
            replay_old(network, pair, towards(network, from, to), sent);
        if (may_suffer && draw(network, swarm->reorder, SK_FAULT_NET_REORDER)) ordered = false;
        if (swarm->corrupt && sk_prng_chance(&network->prng, swarm->corrupt, 1000000)) damage(network, sent);
    }
    post(network, sent, ordered);
}

static void send_frame(sk_network *network, const connection *pair, sk_node_id from, sk_node_id to, const sk_frame *frame,
                       sk_slice bytes)
{
    sk_world *world = network->world;
    if (!world->lie || from > world->liars) {
        send_honest(network, pair, from, to, frame, bytes);
        return;
    }
    sk_buffer lie = {0};
    sk_frame told;
    size_t used;
    sk_buffer_append_slice(&lie, bytes);
    bool sent = world->lie(world, &network->prng, from, to, &lie);
    if (sent && sk_frame_parse(sk_buffer_slice(&lie), &told, &used) == 1)
        send_honest(network, pair, from, to, &told, sk_buffer_slice(&lie));
    sk_buffer_deinit(&lie);
}

void sk_network_send(sk_network *network, sk_node_id from, sk_node_id to, sk_slice frames)
{
    connection *pair = pair_of(network, from, to);
    int side = side_of(from, to);
    if (!pair->up[side] || !pair->open || pair->up_generation[side] != pair->generation) return;
    sk_trace_mix(&network->world->trace, SK_WORLD_DELIVER, from, sk_hash64(to, frames.data, frames.size));
    if (network->world->chronicle) network->event = sk_chronicle_send(network->world->chronicle, from, to, frames);
    const sk_swarm *swarm = &network->world->swarm;
    bool whole = network->calm ||
                 !(swarm->loss || swarm->duplicate || swarm->replay || swarm->reorder || swarm->corrupt);
    if (network->world->ruin_at) sk_ruin_tap(network->world, from, frames);
    bool picky = network->world->computers[from].omit_send || towards(network, from, to)->way.lost || network->world->lie;
    if (whole && !picky && network->world->plant == SK_PLANT_NONE) {
        post(network, message_make(pair, from, to, frames), true);
        return;
    }
    while (frames.size) {
        sk_frame frame;
        size_t used;
        int complete = sk_frame_parse(frames, &frame, &used);
        SK_ASSERT(complete == 1); // the node hands over whole, right frames
        send_frame(network, pair, from, to, &frame, sk_slice_make(frames.data, used));
        if (network->event) network->event++;
        frames = sk_slice_make(frames.data + used, frames.size - used);
    }
}

// ---- Connections ----

static void dial_later(sk_network *network, sk_node_id a, sk_node_id b, sk_ns wait)
{
    connection *pair = pair_of(network, a, b);
    if (pair->dialling) return;
    pair->dialling = true;
    sk_world_push(network->world, network->world->now + wait, SK_WORLD_DIAL, a < b ? a : b, a < b ? b : a, 0,
                  NULL);
}

static void redial(sk_network *network, sk_node_id a, sk_node_id b)
{
    sk_ns longest = network->calm ? 50 * SK_MS : network->world->swarm.redial_max;
    dial_later(network, a, b, SK_MS + sk_prng_below(&network->prng, longest));
}

static void tell_down(sk_network *network, sk_node_id self, sk_node_id peer)
{
    connection *pair = pair_of(network, self, peer);
    int side = side_of(self, peer);
    if (!pair->up[side]) return;
    pair->up[side] = false;
    sk_computer *computer = &network->world->computers[self];
    if (!sk_computer_up(computer)) return;
    if (network->world->chronicle)
        sk_chronicle_node(network->world->chronicle, self, SK_TOPIC_LINK, "link to n%" PRIu32 " is down", peer);
    SK_TRACE(&network->world->trace, "link %" PRIu32 " sees %" PRIu32 " down", self, peer);
    sk_trace_mix(&network->world->trace, SK_WORLD_NOTICE, self, peer);
    sk_computer_input(computer);
    sk_node_peer_down(computer->node, peer);
}

void sk_network_break(sk_network *network, sk_node_id a, sk_node_id b, sk_ns notice)
{
    connection *pair = pair_of(network, a, b);
    if (pair->open) {
        pair->open = false;
        drop_stalled(&pair->to[0]);
        drop_stalled(&pair->to[1]);
    }
    for (int side = 0; side < 2; side++) {
        sk_node_id self = (side == 0) == (a < b) ? a : b, peer = self == a ? b : a;
        if (!pair->up[side] || notice == SK_NEVER) continue;
        sk_ns wait = notice ? sk_prng_below(&network->prng, notice) : 0;
        sk_world_push(network->world, network->world->now + wait, SK_WORLD_NOTICE, self, peer,
                      pair->up_generation[side], NULL);
    }
    redial(network, a, b);
}

static void on_notice(sk_network *network, sk_node_id self, sk_node_id peer, uint64_t generation)
{
    connection *pair = pair_of(network, self, peer);
    int side = side_of(self, peer);
    if (!pair->up[side] || pair->up_generation[side] != generation) return;
    if (network->world->computers[self].paused) { // it will notice when it runs again
        sk_world_push(network->world, network->world->now + 10 * SK_MS, SK_WORLD_NOTICE, self, peer,
                      generation, NULL);
        return;
    }
    tell_down(network, self, peer);
}

static void send_hello(sk_network *network, const connection *pair, sk_node_id from, sk_node_id to)
{
    sk_hello hello;
    sk_node_hello(network->world->computers[from].node, &hello);
    sk_buffer bytes = {0};
    sk_hello_write(&bytes, &hello);
    message *sent = message_make(pair, from, to, sk_buffer_slice(&bytes));
    sent->hello = true;
    if (network->world->chronicle)
        network->event = sk_chronicle_send(network->world->chronicle, from, to, sk_buffer_slice(&bytes));
    sk_buffer_deinit(&bytes);
    post(network, sent, true);
}

static void on_dial(sk_network *network, sk_node_id a, sk_node_id b)
{
    connection *pair = pair_of(network, a, b);
    sk_world *world = network->world;
    pair->dialling = false;
    if (pair->open) return;
    bool possible = sk_computer_running(&world->computers[a]) && sk_computer_running(&world->computers[b]) &&
                    !pair->to[0].blocked && !pair->to[1].blocked;
    if (possible && pair->refused_until > world->now) {
        sk_world_count(world, SK_FAULT_NET_REFUSED);
        possible = false;
    }
    if (!possible) {
        redial(network, a, b);
        return;
    }
    tell_down(network, a, b); // whoever still believed in the old one
    tell_down(network, b, a);
    pair->open = true;
    pair->generation++;
    pair->to[0].last = pair->to[1].last = world->now;
    pair->to[0].busy_until = pair->to[1].busy_until = world->now;
    if (!network->calm && world->swarm.fault[SK_FAULT_NET_SLOW_ACCEPT] && sk_prng_chance(&network->prng, 1, 3)) {
        pair->to[0].last = pair->to[1].last = world->now + sk_prng_below(&network->prng, 2 * SK_S);
        sk_world_count(world, SK_FAULT_NET_SLOW_ACCEPT);
    }
    send_hello(network, pair, a, b);
    send_hello(network, pair, b, a);
}

// ---- Delivering ----

static void on_hello(sk_network *network, const message *got)
{
    sk_world *world = network->world;
    connection *pair = pair_of(network, got->from, got->to);
    sk_computer *computer = &world->computers[got->to];
    sk_frame frame;
    sk_hello hello;
    size_t used;
    char why[160] = "";
    int complete = sk_frame_parse(sk_slice_make(got->bytes, got->size), &frame, &used);
    SK_ASSERT(complete == 1 && frame.kind == SK_FRAME_HELLO);
    if (world->chronicle) sk_chronicle_receive(world->chronicle, got->from, got->to, got->event, &frame);
    int error = sk_hello_read(frame.payload, &hello);
    SK_ASSERT(error == 0);
    error = sk_node_peer_judge(computer->node, &hello, why, sizeof why);
    if (error) {
        SK_TRACE(&world->trace, "link %" PRIu32 " refuses %" PRIu32 ": %s", got->to, got->from, why);
        sk_network_break(network, got->from, got->to, 0);
        return;
    }
    int side = side_of(got->to, got->from);
    SK_ASSERT(!pair->up[side]);
    pair->up[side] = true;
    pair->up_generation[side] = pair->generation;
    SK_TRACE(&world->trace, "link %" PRIu32 " sees %" PRIu32 " up", got->to, got->from);
    sk_computer_input(computer);
    sk_node_peer_up(computer->node, &hello);
}

static void receive(sk_network *network, const message *got)
{
    sk_world *world = network->world;
    sk_computer *computer = &world->computers[got->to];
    connection *pair = pair_of(network, got->from, got->to);
    sk_trace_mix(&world->trace, SK_WORLD_DELIVER, got->to, got->size);
    if (got->hello) {
        on_hello(network, got);
        return;
    }
    if (!pair->up[side_of(got->to, got->from)]) return; // overtook the hello
    sk_computer_input(computer);
    sk_slice left = sk_slice_make(got->bytes, got->size);
    for (uint32_t event = got->event; left.size; event++) {
        sk_frame frame;
        size_t used;
        int result = sk_frame_parse(left, &frame, &used);
        if (result != 1 && world->chronicle) sk_chronicle_receive(world->chronicle, got->from, got->to, event, NULL);
        if (result != 1) { // damaged on the way, and seen to be: the connection ends
            SK_TRACE(&world->trace, "link %" PRIu32 " got a damaged frame from %" PRIu32, got->to, got->from);
            sk_network_break(network, got->from, got->to, world->swarm.notice_max);
            return;
        }
        bool omits = computer->omit_receive && sk_prng_chance(&network->prng, computer->omit_receive, 1000000);
        if (!omits && world->chronicle) sk_chronicle_receive(world->chronicle, got->from, got->to, event, &frame);
        if (!omits) sk_node_peer_receive(computer->node, got->from, &frame);
        left = sk_slice_make(left.data + used, left.size - used);
    }
}

static bool flows(const sk_network *network, const direction *way, sk_node_id to)
{
    return !way->blocked && !way->clogged && !network->world->computers[to].paused;
}

static bool fits(const direction *way, const message *one)
{
    return !way->way.mtu || one->size <= way->way.mtu;
}

static void on_deliver(sk_network *network, message *got)
{
    connection *pair = pair_of(network, got->from, got->to);
    direction *way = towards(network, got->from, got->to);
    SK_ASSERT(way->under_way > 0);
    way->under_way--;
    bool alive = pair->open && pair->generation == got->generation &&
                 sk_computer_up(&network->world->computers[got->to]);
    if (alive && (!flows(network, way, got->to) || !fits(way, got) || !sk_list_empty(&way->stalled))) {
        sk_list_push_back(&way->stalled, &got->link);
        return;
    }
    if (alive) receive(network, got);
    sk_free(got);
}

static void on_drain(sk_network *network, sk_node_id from, sk_node_id to)
{
    connection *pair = pair_of(network, from, to);
    direction *way = towards(network, from, to);
    uint64_t generation = pair->generation;
    while (!sk_list_empty(&way->stalled) && flows(network, way, to)) {
        message *first = SK_CONTAINER(way->stalled.next, message, link);
        if (!fits(way, first)) break;
        sk_list_remove(&first->link);
        bool alive = pair->open && pair->generation == generation && first->generation == generation;
        if (alive) receive(network, first);
        sk_free(first);
    }
}

static void drain_soon(sk_network *network, sk_node_id from, sk_node_id to)
{
    if (sk_list_empty(&towards(network, from, to)->stalled)) return;
    sk_world_push(network->world, network->world->now + sk_prng_below(&network->prng, SK_MS), SK_WORLD_DRAIN,
                  from, to, 0, NULL);
}

void sk_network_event(sk_network *network, const sk_heap_event *event)
{
    switch ((enum sk_world_event)event->kind) {
    case SK_WORLD_DELIVER:
        on_deliver(network, event->pointer);
        break;
    case SK_WORLD_DRAIN:
        on_drain(network, event->a, event->b);
        break;
    case SK_WORLD_DIAL:
        on_dial(network, event->a, event->b);
        break;
    case SK_WORLD_NOTICE:
        on_notice(network, event->a, event->b, event->c);
        break;
    default:
        SK_UNREACHABLE();
    }
}

// ---- What others do to it ----

void sk_network_started(sk_network *network, sk_node_id id)
{
    for (sk_node_id other = 1; other <= network->world->computer_count; other++) {
        if (other != id) dial_later(network, id, other, SK_MS);
    }
}

void sk_network_stopped(sk_network *network, sk_node_id id)
{
    for (sk_node_id other = 1; other <= network->world->computer_count; other++) {
        if (other == id) continue;
        pair_of(network, id, other)->up[side_of(id, other)] = false;
        sk_network_break(network, id, other, network->calm ? SK_MS : network->world->swarm.notice_max);
    }
}

void sk_network_resumed(sk_network *network, sk_node_id id)
{
    for (sk_node_id other = 1; other <= network->world->computer_count; other++) {
        if (other != id) drain_soon(network, other, id);
    }
}

void sk_network_block(sk_network *network, sk_node_id from, sk_node_id to, bool blocked)
{
    direction *way = towards(network, from, to);
    if (network->world->chronicle && way->blocked != blocked)
        sk_chronicle_mark(network->world->chronicle, blocked ? SK_MARK_CUT : SK_MARK_UNCUT, from, to, "n%" PRIu32 " -> n%" PRIu32, from, to);
    way->blocked = blocked;
    if (!blocked) drain_soon(network, from, to);
}

void sk_network_clog(sk_network *network, sk_node_id from, sk_node_id to, bool clogged)
{
    towards(network, from, to)->clogged = clogged;
    if (!clogged) drain_soon(network, from, to);
}

sk_network_way *sk_network_way_of(sk_network *network, sk_node_id from, sk_node_id to)
{
    return &towards(network, from, to)->way;
}

void sk_network_way_mended(sk_network *network, sk_node_id from, sk_node_id to)
{
    const direction *way = towards(network, from, to);
    if (way->last > network->world->now + 200 * SK_MS) sk_network_break(network, from, to, SK_MS);
    drain_soon(network, from, to);
}

void sk_network_refuse(sk_network *network, sk_node_id a, sk_node_id b, sk_ns until)
{
    pair_of(network, a, b)->refused_until = until;
}

void sk_network_calm(sk_network *network, bool calm)
{
    network->calm = calm;
}

void sk_network_heal(sk_network *network)
{
    for (sk_node_id a = 1; a <= network->world->computer_count; a++) {
        for (sk_node_id b = a + 1; b <= network->world->computer_count; b++) {
            connection *pair = pair_of(network, a, b);
            pair->refused_until = 0;
            sk_network_block(network, a, b, false);
            sk_network_block(network, b, a, false);
            sk_network_clog(network, a, b, false);
            sk_network_clog(network, b, a, false);
            *sk_network_way_of(network, a, b) = *sk_network_way_of(network, b, a) = (sk_network_way){0};
            sk_network_way_mended(network, a, b);
            sk_network_way_mended(network, b, a);
            if (!pair->open) sk_network_break(network, a, b, SK_MS);
        }
    }
}
