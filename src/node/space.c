#include "node/space.h"

#include "base/alloc.h"
#include "base/assert.h"
#include "base/hash.h"
#include "node/state.h"
#include "node/verdict.h"

typedef struct mark {
    uint64_t number, sequence, epoch;
    sk_ns at; // when it was appended
} mark;

typedef struct held_send {
    uint64_t after;
    sk_node_id to;
    bool urgent;
    uint8_t *message;
    size_t size;
} held_send;

// A read of the log under way.
typedef struct fetch {
    sk_wal_read read;
    sk_list link;
} fetch;

enum { TICKS_A_TURN_MAX = 4, REPLY_BYTES_KEPT = 64 * 1024 };
// Bytes of records that nobody waits for: more than those are written by themselves, so that who is in a hurry is not behind many. At
// 10 MB/s so many take 26 ms.
enum { UNHURRIED_MAX = 256 * 1024 };

// A submit's request: origin, the low bits of its boot (a peer's earlier life may have submits in flight), number.
enum { SUBMIT_NUMBER_BITS = 40, SUBMIT_BOOT_BITS = SK_BOOT_COUNT_BITS };

// The request number of entries that only move the clock: origin 0, so never mixed up with a client's.
static const uint64_t advance_number = 1;
static const sk_ns advance_pause = 5 * SK_MS;

static char *copy_text(const char *text)
{
    size_t size = strlen(text) + 1;
    return memcpy(sk_alloc(size), text, size);
}

void sk_space_rename(sk_space *space, const char *name)
{
    if (space->name && !strcmp(space->name, name)) return;
    sk_free((void *)(uintptr_t)space->name);
    space->name = copy_text(name);
}

sk_space *sk_space_open(sk_node *node, uint32_t id, const char *name, const sk_space_kind *kind, sk_slice options)
{
    sk_space *space = sk_alloc_zeroed(sizeof *space);
    space->node = node;
    space->id = id;
    space->name = copy_text(name);
    space->kind = kind;
    space->protocol = kind->protocol;
    space->machine = kind->open(node->identity.node, options);
    space->snapshot.space = id;
    sk_ring_init(&space->marks, sizeof(mark));
    sk_ring_init(&space->held, sizeof(held_send));
    sk_ring_init(&space->own, sizeof(held_send));
    sk_sessions_init(&space->sessions);
    sk_origin_init(&space->origin);
    sk_reads_init(&space->reads);
    sk_local_reads_init(&space->local_reads);
    sk_list_init(&space->marked);
    space->read_mode = kind->reads;
    sk_transfers_init(&space->transfers);
    sk_list_init(&space->fetches);
    return space;
}

void sk_space_open_replica(sk_space *space, bool first_choice)
{
    sk_node *node = space->node;
    sk_member members[SK_FOUNDERS_MAX];
    for (uint32_t i = 0; i < node->identity.founder_count; i++) {
        members[i] = (sk_member){.id = node->identity.founders[i].id, .voter = true};
    }
    sk_setup setup = {.self = node->identity.node,
                      .members = members,
                      .member_count = node->identity.founder_count,
                      .boot = node->identity.boot,
                      .seed = sk_prng_next(&node->prng),
                      .limits = node->config.limits,
                      .timing = node->config.timing,
                      .lease = space->id == SK_SPACE_DEFAULT ? node->config.lease : (sk_lease){0},
                      .first_choice = first_choice,
                      .recovery = {.snapshot_position = space->snapshot.position,
                                   .snapshot_epoch = space->snapshot.epoch},
                      .now = node->now,
                      .wall_ms = sk_node_wall_ms(node),
                      .machine = space->machine->mergeable ? space->machine : NULL};
    space->replica = space->protocol->open(&setup);
}

static void drop_messages(sk_ring *ring)
{
    for (size_t i = 0; i < ring->count; i++) sk_free(((held_send *)sk_ring_at(ring, i))->message);
    sk_ring_deinit(ring);
}

void sk_space_close(sk_space *space)
{
    if (!space) return;
    sk_transfers_deinit(space);
    if (space->job.writer) sk_snapshot_writer_drop(space->job.writer);
    while (!sk_list_empty(&space->fetches)) {
        fetch *one = SK_CONTAINER(space->fetches.next, fetch, link);
        sk_list_remove(&one->link);
        sk_free(one);
    }
    if (space->job.image) space->machine->ops->image_close(space->job.image);
    if (space->replica) space->protocol->close(space->replica);
    space->machine->ops->close(space->machine);
    sk_ring_deinit(&space->marks);
    drop_messages(&space->held);
    drop_messages(&space->own);
    sk_answers_deinit(space);
    sk_sessions_deinit(&space->sessions);
    sk_origin_deinit(&space->origin);
    sk_reads_deinit(&space->reads);
    sk_local_reads_deinit(&space->local_reads);
    sk_list_remove(&space->marked);
    for (size_t i = 0; i < SK_FOUNDERS_MAX; i++) sk_buffer_deinit(&space->origins[i].answers);
    sk_buffer_deinit(&space->reply);
    sk_buffer_deinit(&space->envelope);
    sk_rules_deinit(&space->rules);
    sk_buffer_deinit(&space->prefix);
    sk_free((void *)(uintptr_t)space->name);
    sk_free(space);
}

bool sk_space_leads(const sk_space *space)
{
    return space->status.role == SK_ROLE_LEADER;
}

// ---- Effects ----

static void send_now(sk_space *space, sk_node_id to, sk_slice message, bool urgent)
{
    if (to == space->node->identity.node) {
        held_send *own = sk_ring_push(&space->own);
        *own = (held_send){.to = to, .message = sk_alloc(message.size), .size = message.size};
        memcpy(own->message, message.data, message.size);
        return;
    }
    sk_peer_queue(space->node, to, SK_FRAME_PROTOCOL, space->id, message, urgent);
}

static void on_send(sk_space *space, const sk_effect *effect)
{
    bool urgent = effect->send.class == SK_SEND_URGENT;
    if (effect->send.after <= space->durable_number) {
        send_now(space, effect->send.to, effect->send.message, urgent);
        return;
    }
    sk_space_ask_sync(space);
    held_send *held = sk_ring_push(&space->held);
    *held = (held_send){.after = effect->send.after,
                        .to = effect->send.to,
                        .urgent = urgent,
                        .message = sk_alloc(effect->send.message.size),
                        .size = effect->send.message.size};
    memcpy(held->message, effect->send.message.data, held->size);
}

// How long a record may stay in memory. Raft's votes and terms go at once: an election waits for them, and they are few.
static sk_ns may_wait(const sk_space *space, enum sk_record_kind kind)
{
    if (sk_space_answers_early(space)) return space->sync_within;
    return kind == SK_RECORD_ENTRY ? space->node->config.commit_delay : 0;
}

static void on_persist(sk_space *space, const sk_effect *effect)
{
    uint64_t sequence = sk_wal_append(space->node->wal, space->id, &effect->persist.record);
    mark *last = space->marks.count ? sk_ring_at(&space->marks, space->marks.count - 1) : NULL;
    SK_ASSERT(!last || (effect->persist.record.number > last->number && sequence > last->sequence));
    uint64_t epoch = effect->persist.record.epoch;
    *(mark *)sk_ring_push(&space->marks) =
        (mark){.number = effect->persist.record.number, .sequence = sequence, .epoch = epoch, .at = space->node->now};
    space->persisted_epoch = epoch;
    sk_ns within = may_wait(space, effect->persist.record.kind);
    bool unhurried = space->durability == SK_DURABILITY_ALWAYS && space->node->unsynced < UNHURRIED_MAX; // else the window rules
    if (unhurried && within < effect->persist.within) within = effect->persist.within;
    sk_node_log_grew(space->node, effect->persist.record.payload.size, within);
    if (sk_list_empty(&space->marked)) sk_list_push_back(&space->node->marked, &space->marked);
}

static void on_fetched(sk_wal_read *read)
{
    fetch *one = SK_CONTAINER(read, fetch, read);
    sk_list_remove(&one->link);
    sk_space_step(read->owner, (sk_event){.kind = SK_EVENT_RECORDS,
                                          .records = {.from = read->from,
                                                      .list = read->list,
                                                      .count = read->count,
                                                      .error = read->error}});
    sk_free(one);
}

static void on_fetch(sk_space *space, const sk_effect *effect)
{
    fetch *one = sk_alloc_zeroed(sizeof *one);
    space->fetched++;
    sk_list_push_back(&space->fetches, &one->link);
    one->read.space = space->id;
    one->read.from = effect->fetch.from;
    one->read.to = effect->fetch.to;
    one->read.bytes_max = space->node->config.limits.message_bytes_max;
    one->read.done = on_fetched;
    one->read.owner = space;
    sk_wal_read_start(space->node->wal, &one->read);
}

// What an entry's session made of it, to whoever asked.
static void answer_origin(sk_space *space, const sk_envelope *envelope, bool ordered_here, bool gap, sk_slice reply)
{
    sk_node *node = space->node;
    if (envelope->origin == node->identity.node) {
        if (envelope->boot != node->identity.boot) return;
        if (gap) sk_origin_refused(space, envelope->number, SK_EPROTOCOL);
        else sk_origin_answer(space, envelope->number, reply);
        return;
    }
    if (gap) sk_forward_gap(space, envelope->origin);
    // A reply that was not kept says less than what its origin will find when it applies the entry itself.
    if (ordered_here && (gap || sk_session_reply_kept(reply)))
        sk_forward_answer(space, envelope->origin, envelope->boot, envelope->number, gap ? SK_EPROTOCOL : 0, reply);
}

// The machine's result into space->reply, or the verdict that keeps the entry from it.
static void run_command(sk_space *space, const sk_effect *effect, const sk_envelope *envelope)
{
    uint64_t elsewhere = 0;
    if (sk_rules_guard(&space->rules, envelope->routing))
        elsewhere = sk_rules_turn_away(&space->rules, envelope->routing, envelope->command);
    if (elsewhere) {
        space->turned_away++;
        sk_verdict_write(&space->reply, &(sk_verdict){.kind = SK_VERDICT_AGAIN, .version = elsewhere});
        return;
    }
    sk_command_context context;
    sk_space_context(space, envelope->flags & SK_ENVELOPE_RESP3 ? 3 : 2, &context);
    context.seed = sk_hash_mix(effect->apply.position, effect->apply.epoch);
    space->machine->ops->apply(space->machine, &context, envelope->command, &space->reply);
}

static void obey(sk_space *space, const sk_envelope *envelope)
{
    space->machine->ops->advance(space->machine, space->clock.applied_ms);
    sk_rules_apply(space, envelope->command);
    sk_buffer_append_text(&space->reply, "+OK\r\n");
    sk_spaces_look(space->node);
}

static void execute(sk_space *space, const sk_effect *effect, const sk_envelope *envelope)
{
    bool has_origin = envelope->flags & SK_ENVELOPE_ORIGIN;
    sk_slice reply = {0};
    if (has_origin) {
        switch (sk_session_judge(&space->sessions, envelope, &reply)) {
        case SK_SESSION_EXECUTE: break;
        case SK_SESSION_REPEAT:
            space->repeats++;
            answer_origin(space, envelope, effect->apply.request != 0, false, reply);
            return;
        case SK_SESSION_GAP:
            space->gaps++;
            answer_origin(space, envelope, effect->apply.request != 0, true, reply);
            return;
        default: return;
        }
    }
    sk_buffer_reset(&space->reply, REPLY_BYTES_KEPT);
    if (envelope->flags & SK_ENVELOPE_CONTROL) {
        obey(space, envelope);
    } else if (envelope->command.size) {
        run_command(space, effect, envelope);
    } else {
        space->machine->ops->advance(space->machine, space->clock.applied_ms);
    }
    if (!has_origin) return;
    reply = sk_buffer_slice(&space->reply);
    sk_session_executed(&space->sessions, envelope, reply);
    answer_origin(space, envelope, effect->apply.request != 0, false, reply);
}

static void on_apply(sk_space *space, const sk_effect *effect)
{
    // A mergeable replica's positions only say how far its log goes: after recovery one stands for all.
    SK_ASSERT(effect->apply.position == space->applied + 1 || (space->protocol->mergeable && effect->apply.position > space->applied));
    space->applied = effect->apply.position;
    space->applied_epoch = effect->apply.epoch;
    space->applies++;
    if (space->id == SK_SPACE_SYSTEM) space->node->driver_look = true;
    if (!effect->apply.payload.size) return;
    sk_envelope envelope;
    if (sk_envelope_read(effect->apply.payload, &envelope) < 0) {
        sk_log(space->node->sink, SK_LOG_ERROR, "msg=\"unreadable entry skipped\" space=%s position=%llu", space->name,
               (unsigned long long)space->applied);
        return;
    }
    if (envelope.clock_ms > space->clock.applied_ms) space->clock.applied_ms = envelope.clock_ms;
    if (envelope.flags & SK_ENVELOPE_OFFSET) {
        space->clock.wall_offset_ms = envelope.wall_offset_ms;
        space->clock.has_offset = true;
    }
    if (!(envelope.flags & SK_ENVELOPE_ORIGIN)) space->clock.advancing = false;
    execute(space, effect, &envelope);
}

static void on_refuse(sk_space *space, const sk_effect *effect)
{
    uint64_t request = effect->refuse.request;
    if (request & SK_READ_REQUEST) {
        sk_reads_refused(space, request, effect->refuse.why);
        return;
    }
    space->refused = request;
    sk_node_id origin = (sk_node_id)(request >> (SUBMIT_NUMBER_BITS + SUBMIT_BOOT_BITS));
    uint64_t boot_bits = request >> SUBMIT_NUMBER_BITS & (((uint64_t)1 << SUBMIT_BOOT_BITS) - 1);
    uint64_t number = request & (((uint64_t)1 << SUBMIT_NUMBER_BITS) - 1);
    if (origin == 0) {
        space->clock.advancing = false;
        space->clock.advance_again = space->node->now + advance_pause;
    } else if (origin == space->node->identity.node) {
        sk_origin_refused(space, number, effect->refuse.why);
    } else {
        const sk_peer *peer = sk_node_peer(space->node, origin);
        if (peer && (peer->boot & (((uint64_t)1 << SUBMIT_BOOT_BITS) - 1)) == boot_bits)
            sk_forward_refuse(space, origin, peer->boot, number, effect->refuse.why);
    }
}

static void on_status(sk_space *space)
{
    sk_status status = space->protocol->status(space->replica);
    bool elected = status.role == SK_ROLE_LEADER && (space->status.role != SK_ROLE_LEADER || status.epoch != space->status.epoch);
    if (status.leader != space->status.leader || status.epoch != space->status.epoch || status.role != space->status.role) {
        static const char *const roles[] = {"follower", "candidate", "leader", "learner", "halted"};
        sk_log(space->node->sink, space->id == SK_SPACE_DEFAULT ? SK_LOG_INFO : SK_LOG_DEBUG,
               "msg=\"status\" space=%s role=%s leader=%u epoch=%llu%s%s", space->name, roles[status.role], status.leader,
               (unsigned long long)status.epoch, status.why ? " why=" : "", status.why ? status.why : "");
    }
    space->status = status;
    space->node->driver_look = true;
    if (!elected) return;
    // The clock goes on from the applied value, counted from now: late, never early.
    space->clock.base_ms = space->clock.proposed_ms = space->clock.applied_ms;
    space->clock.base_time = space->node->now;
    space->clock.proposed_offset_known = false;
    space->clock.advancing = false;
    for (size_t i = 0; i < SK_FOUNDERS_MAX; i++) space->origins[i].accept = 0;
}

static void on_answer(sk_space *space, const sk_effect *effect)
{
    uint64_t number = effect->answer.request & (((uint64_t)1 << SUBMIT_NUMBER_BITS) - 1);
    if (effect->answer.after > space->durable_number) sk_space_ask_sync(space);
    sk_answers_hold(space, effect->answer.after, number, effect->answer.reply);
}

static void carry_out(sk_space *space, const sk_effect *effect)
{
    switch (effect->kind) {
    case SK_EFFECT_SEND: on_send(space, effect); break;
    case SK_EFFECT_PERSIST: on_persist(space, effect); break;
    case SK_EFFECT_FETCH: on_fetch(space, effect); break;
    case SK_EFFECT_APPLY: on_apply(space, effect); break;
    case SK_EFFECT_QUERY: sk_reads_query(space, effect->query.request); break;
    case SK_EFFECT_REFUSE: on_refuse(space, effect); break;
    case SK_EFFECT_SNAPSHOT_WANTED: space->snapshot_wanted = true; break;
    case SK_EFFECT_SNAPSHOT_OFFERED:
        sk_transfer_offer(space, effect->snapshot_offered.to, effect->snapshot_offered.at_least);
        break;
    case SK_EFFECT_STATUS: on_status(space); break;
    case SK_EFFECT_ANSWER: on_answer(space, effect); break;
    }
}

// What the next effects will apply is asked for together: each alone would wait for memory on its own.
static void prefetch(const sk_space *space, size_t from)
{
    sk_slice commands[SK_MACHINE_TOGETHER];
    size_t count = 0;
    for (size_t i = from; i < space->node->effects.count && i < from + SK_MACHINE_TOGETHER; i++) {
        const sk_effect *effect = &space->node->effects.list[i];
        sk_envelope envelope;
        if (effect->kind == SK_EFFECT_APPLY && sk_envelope_read(effect->apply.payload, &envelope) == 0)
            commands[count++] = envelope.command;
    }
    space->machine->ops->prefetch(space->machine, commands, count);
}

static void step_once(sk_space *space, sk_event *event)
{
    SK_ASSERT(!space->node->stepping); // effects are the node's: no step within a step, of whichever space
    space->node->stepping = true;
    event->now = space->node->now;
    if (space->protocol->mergeable) {
        event->wall_ms = sk_node_wall_ms(space->node);
        event->disk_behind = sk_wal_is_behind(space->node->wal);
    }
    sk_effects_reset(&space->node->effects);
    space->protocol->step(space->replica, event, &space->node->effects);
    bool together = space->node->effects.count > 2 && space->machine->ops->prefetch && !space->protocol->mergeable;
    for (size_t i = 0; i < space->node->effects.count; i++) {
        if (i % SK_MACHINE_TOGETHER == 0 && together) prefetch(space, i);
        carry_out(space, &space->node->effects.list[i]);
    }
    space->node->stepping = false;
#ifdef SK_VERIFY
    space->protocol->check(space->replica);
#endif
}

void sk_space_step(sk_space *space, sk_event event)
{
    sk_space_touch(space);
    step_once(space, &event);
    while (space->own.count) {
        held_send own = *(held_send *)sk_ring_at(&space->own, 0);
        sk_ring_pop_front(&space->own, 1);
        sk_event received = {.kind = SK_EVENT_RECEIVE,
                             .receive = {.from = own.to, .message = sk_slice_make(own.message, own.size)}};
        step_once(space, &received);
        sk_free(own.message);
    }
}

void sk_space_start(sk_space *space, bool damaged)
{
    sk_effects_reset(&space->node->effects);
    space->protocol->start(space->replica, space->node->now, damaged, &space->node->effects);
    space->node->stepping = true;
    for (size_t i = 0; i < space->node->effects.count; i++) carry_out(space, &space->node->effects.list[i]);
    space->node->stepping = false;
    space->status = space->protocol->status(space->replica);
}

// ---- The log ----

void sk_space_durable(sk_space *space, uint64_t sequence)
{
    uint64_t number = 0;
    while (space->marks.count) {
        mark *first = sk_ring_at(&space->marks, 0);
        if (first->sequence > sequence) break;
        number = first->number;
        space->durable_epoch = first->epoch;
        sk_ring_pop_front(&space->marks, 1);
    }
    if (!number) return;
    space->durable_number = number;
    while (space->held.count) {
        held_send held = *(held_send *)sk_ring_at(&space->held, 0);
        if (held.after > number) break;
        sk_ring_pop_front(&space->held, 1);
        send_now(space, held.to, sk_slice_make(held.message, held.size), held.urgent);
        sk_free(held.message);
    }
    sk_space_step(space, (sk_event){.kind = SK_EVENT_DURABLE, .durable.number = number});
    sk_answers_release(space);
}

void sk_space_link_down(sk_space *space, sk_node_id peer)
{
    for (size_t left = space->held.count; left; left--) {
        held_send held = *(held_send *)sk_ring_at(&space->held, 0);
        sk_ring_pop_front(&space->held, 1);
        if (held.to == peer) sk_free(held.message);
        else *(held_send *)sk_ring_push(&space->held) = held;
    }
    sk_space_step(space, (sk_event){.kind = SK_EVENT_LINK, .link = {.peer = peer, .up = false}});
}

void sk_space_set_durability(sk_space *space, enum sk_durability durability, uint32_t group_ms)
{
    if (space->durability == durability && space->durability_ms == group_ms) return;
    space->durability = durability;
    space->durability_ms = group_ms;
    space->window = sk_durability_window_ms(durability, group_ms) * SK_MS;
    space->sync_within = space->window / 2;
    sk_node_log_grew(space->node, 0, 0); // what waits has waited by another rule
}

void sk_space_ask_sync(sk_space *space)
{
    if (space->marks.count) sk_node_log_grew(space->node, 0, may_wait(space, SK_RECORD_ENTRY));
}

// The oldest record that is not on disk is a window old, or there is too much: more is written than the disk takes.
static bool disk_is_behind(const sk_space *space)
{
    if (sk_wal_is_behind(space->node->wal)) return true;
    return space->marks.count && space->node->now >= ((const mark *)sk_ring_at(&space->marks, 0))->at + space->window;
}

bool sk_space_answers_early(const sk_space *space)
{
    return space->durability != SK_DURABILITY_ALWAYS && space->persisted_epoch && space->durable_epoch == space->persisted_epoch &&
           !space->node->wal_failed && !disk_is_behind(space);
}

bool sk_space_wants_sync(const sk_space *space)
{
    return space->marks.count && (space->snapshot_wanted || space->job.writer);
}

bool sk_space_is_durable(const sk_space *space, uint64_t number)
{
    return space->marks.count == 0 || ((const mark *)sk_ring_at(&space->marks, 0))->number > number;
}

void sk_space_disk_failed(sk_space *space, int error)
{
    sk_space_step(space, (sk_event){.kind = SK_EVENT_DISK_FAILED, .disk_failed.error = error});
}

// ---- Ordering ----

static uint64_t clock_now(const sk_space *space)
{
    const sk_space_clock *clock = &space->clock;
    uint64_t elapsed = (space->node->now - clock->base_time) / SK_MS;
    uint64_t now_ms = clock->base_ms + elapsed;
    return now_ms > clock->applied_ms ? now_ms : clock->applied_ms;
}

static void stamp(sk_space *space, sk_envelope *envelope)
{
    sk_space_clock *clock = &space->clock;
    envelope->clock_ms = clock_now(space);
    if (envelope->clock_ms > clock->proposed_ms) clock->proposed_ms = envelope->clock_ms;
    int64_t offset = (int64_t)sk_node_wall_ms(space->node) - (int64_t)envelope->clock_ms;
    int64_t known = clock->proposed_offset_known ? clock->proposed_offset_ms : clock->wall_offset_ms;
    bool far = offset > known + 1000 || offset < known - 1000;
    if (!far && (clock->proposed_offset_known || clock->has_offset)) return;
    envelope->flags |= SK_ENVELOPE_OFFSET;
    envelope->wall_offset_ms = offset;
    clock->proposed_offset_ms = offset;
    clock->proposed_offset_known = true;
}

static uint64_t request_of(const sk_envelope *envelope)
{
    uint64_t boot_bits = envelope->boot & (((uint64_t)1 << SUBMIT_BOOT_BITS) - 1);
    return ((uint64_t)envelope->origin << SUBMIT_BOOT_BITS | boot_bits) << SUBMIT_NUMBER_BITS | envelope->number;
}

// A mergeable space's request runs on this node's replica; nobody forwards one. Its rules are this node's own: the catalogue sees to
// it that every node comes to have them.
static void run_here(sk_space *space, const sk_envelope *envelope)
{
    SK_ASSERT(envelope->origin == space->node->identity.node);
    uint64_t elsewhere = 0;
    if (envelope->flags & SK_ENVELOPE_CONTROL) {
        sk_rules_apply(space, envelope->command);
        sk_answers_hold(space, 0, envelope->number, sk_slice_text("+OK\r\n"));
        sk_spaces_look(space->node);
        return;
    }
    if (sk_rules_guard(&space->rules, envelope->routing))
        elsewhere = sk_rules_turn_away(&space->rules, envelope->routing, envelope->command);
    if (elsewhere) {
        space->turned_away++;
        sk_buffer_reset(&space->reply, REPLY_BYTES_KEPT);
        sk_verdict_write(&space->reply, &(sk_verdict){.kind = SK_VERDICT_AGAIN, .version = elsewhere});
        sk_answers_hold(space, 0, envelope->number, sk_buffer_slice(&space->reply));
        return;
    }
    sk_space_step(space, (sk_event){.kind = SK_EVENT_SUBMIT,
                                    .submit = {.request = request_of(envelope),
                                               .command = envelope->command,
                                               .seed = sk_prng_next(&space->node->prng),
                                               .resp = envelope->flags & SK_ENVELOPE_RESP3 ? 3 : 2}});
}

void sk_space_order(sk_space *space, sk_envelope *envelope)
{
    SK_ASSERT(envelope->number < (uint64_t)1 << SUBMIT_NUMBER_BITS);
    if (space->protocol->mergeable) {
        run_here(space, envelope);
        return;
    }
    if (envelope->origin) envelope->flags |= SK_ENVELOPE_ORIGIN;
    if (envelope->routing) envelope->flags |= SK_ENVELOPE_ROUTED;
    sk_space_clock before = space->clock;
    stamp(space, envelope);
    sk_buffer_reset(&space->envelope, REPLY_BYTES_KEPT);
    sk_envelope_write(&space->envelope, envelope);
    uint64_t request = request_of(envelope);
    space->refused = 0;
    sk_space_step(space, (sk_event){.kind = SK_EVENT_SUBMIT,
                                    .submit = {.request = request, .command = sk_buffer_slice(&space->envelope)}});
    if (space->refused != request) return;
    // No entry carries what was stamped: the next one must, and nothing under way moves the clock so far.
    space->clock.proposed_ms = before.proposed_ms;
    space->clock.proposed_offset_ms = before.proposed_offset_ms;
    space->clock.proposed_offset_known = before.proposed_offset_known;
}

static sk_ns advance_wanted(const sk_space *space)
{
    uint64_t deadline = space->machine->ops->next_deadline(space->machine);
    if (deadline == UINT64_MAX) return SK_NEVER;
    const sk_space_clock *clock = &space->clock;
    if (deadline <= clock->applied_ms) return space->node->now; // removal work is left over
    if (deadline <= clock->proposed_ms) return SK_NEVER;        // an entry under way will do
    if (deadline <= clock->base_ms) return space->node->now;
    uint64_t wait_ms = deadline - clock->base_ms;
    return wait_ms > SK_NEVER / SK_MS / 2 ? SK_NEVER : clock->base_time + wait_ms * SK_MS;
}

// When the leader should log an advance of the clock, because something expires and nothing else moves it.
static sk_ns advance_due(const sk_space *space)
{
    if (!sk_space_leads(space) || space->clock.advancing) return SK_NEVER;
    sk_ns at = advance_wanted(space);
    return at < space->clock.advance_again ? space->clock.advance_again : at;
}

static void advance_clock(sk_space *space)
{
    if (advance_due(space) > space->node->now) return;
    space->clock.advancing = true;
    sk_space_order(space, &(sk_envelope){.number = advance_number});
}

void sk_space_context(const sk_space *space, uint8_t resp, sk_command_context *out)
{
    *out = (sk_command_context){.clock_ms = space->protocol->mergeable ? sk_node_wall_ms(space->node) : space->clock.applied_ms,
                                .wall_offset_ms = space->clock.wall_offset_ms,
                                .seed = sk_prng_next(&space->node->prng),
                                .resp = resp};
}

// ---- Turns ----

// What the replica no longer keeps, the log need not keep either.
static void release_log(sk_space *space)
{
    uint64_t first = space->status.first;
    if (first > 1 && first - 1 > space->released) {
        space->released = first - 1;
        sk_wal_release(space->node->wal, space->id, space->released);
    }
}

void sk_space_turn(sk_space *space)
{
    if (space->closing) return;
    sk_origin_turn(space);
    sk_reads_turn(space);
    sk_local_reads_turn(space);
    advance_clock(space);
    for (int i = 0; i < TICKS_A_TURN_MAX && space->protocol->deadline(space->replica) <= space->node->now; i++) {
        sk_space_step(space, (sk_event){.kind = SK_EVENT_TICK});
    }
    sk_answers_release(space);
    space->status = space->protocol->status(space->replica);
    release_log(space);
    sk_forward_flush(space);
}

static sk_ns earlier(sk_ns a, sk_ns b)
{
    return a < b ? a : b;
}

sk_ns sk_space_deadline(sk_space *space)
{
    if (space->closing) return SK_NEVER;
    if (sk_answers_ready(space)) return space->node->now;
    sk_ns at = space->protocol->deadline(space->replica);
    at = earlier(at, sk_origin_deadline(space));
    at = earlier(at, sk_reads_deadline(space));
    at = earlier(at, sk_local_reads_deadline(space));
    at = earlier(at, advance_due(space));
    at = earlier(at, sk_snapshot_job_deadline(space));
    return earlier(at, sk_transfer_deadline(space));
}

bool sk_space_watched(const sk_space *space)
{
    return space->job.writer || !sk_transfers_quiet(space);
}

bool sk_space_work(sk_space *space)
{
    if (space->closing) return false;
    bool more = sk_snapshot_job_work(space);
    more |= sk_transfer_work(space);
    more |= space->machine->ops->collect(space->machine, 2000);
    return more;
}

void sk_space_check(const sk_space *space)
{
    space->protocol->check(space->replica);
    sk_origin_check(&space->origin);
    sk_status status = space->protocol->status(space->replica);
    SK_ASSERT(space->applied <= status.committed || status.committed == 0);
}
