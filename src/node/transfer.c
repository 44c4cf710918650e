#include "node/transfer.h"

#include "base/alloc.h"
#include "base/assert.h"
#include "node/state.h"

// Above RECEIVED_PENDING_MAX that the disk has not taken yet, accepts wait; above RECEIVED_HELD_MAX, which no sender reaches that
// waits for them (but by a snapshot-inflight-max out of all proportion), pieces are dropped.
enum { READ_BACK_BYTES = 256 * 1024, RECEIVED_PENDING_MAX = 512 * 1024, RECEIVED_HELD_MAX = 16 * 1024 * 1024 };
#define NUMBER_MAX ((uint64_t)1 << 62)
enum accept_verdict { ACCEPT_GO = 0, ACCEPT_DONE = 1, ACCEPT_FAILED = 2 };

struct sk_outgoing {
    sk_list link;
    sk_space *space;
    sk_node_id peer;
    uint64_t at_least;
    sk_snapshot_info info; // position 0: waits for a snapshot to be taken
    sk_snapshot_source *source;
    uint64_t next, accepted;
    bool reading;
    sk_ns progress_at, offered_at;
};

enum incoming_state { RECEIVING, RESTORING };

struct sk_incoming {
    sk_list link;
    sk_space *space;
    sk_node_id from;
    uint64_t boot;
    sk_snapshot_info info;
    enum incoming_state state;
    sk_snapshot_receiver *receiver; // RECEIVING
    bool accept_due;
    sk_ns progress_at;
    // RESTORING
    sk_snapshot_source *source;
    sk_snapshot_parser *parser;
    sk_machine_restore *restore;
    sk_snapshot_head head;
    bool head_seen, reading;
    uint64_t next;
};

void sk_transfers_init(sk_transfers *transfers)
{
    *transfers = (sk_transfers){0};
    sk_list_init(&transfers->outgoing);
    sk_list_init(&transfers->incomings);
}

// ---- Sending ----

static void drop_outgoing(sk_outgoing *out)
{
    if (out->source) sk_snapshot_source_close(out->source);
    sk_list_remove(&out->link);
    sk_free(out);
}

static void end_outgoing(sk_outgoing *out, bool ok)
{
    sk_space *space = out->space;
    sk_event event = {.kind = SK_EVENT_SNAPSHOT_SENT,
                      .snapshot = {.position = out->info.position, .epoch = out->info.epoch, .peer = out->peer, .ok = ok}};
    drop_outgoing(out);
    sk_space_step(space, event);
}

static sk_outgoing *outgoing_to(sk_space *space, sk_node_id peer)
{
    for (sk_list *at = space->transfers.outgoing.next; at != &space->transfers.outgoing; at = at->next) {
        sk_outgoing *out = SK_CONTAINER(at, sk_outgoing, link);
        if (out->peer == peer) return out;
    }
    return NULL;
}

static bool waits_for_snapshot(const sk_outgoing *out)
{
    return !out->info.position;
}

// The offer, or the first accept, may be lost: pieces are not sent before it.
static bool unanswered(const sk_outgoing *out)
{
    return !waits_for_snapshot(out) && !out->source;
}

static void send_offer(sk_outgoing *out)
{
    sk_space *space = out->space;
    out->info = space->snapshot;
    out->next = out->accepted = 0;
    out->offered_at = space->node->now;
    sk_buffer frame = {0};
    sk_write_varint(&frame, out->info.position);
    sk_write_varint(&frame, space->node->identity.boot);
    sk_write_varint(&frame, out->info.epoch);
    sk_write_varint(&frame, out->info.size);
    sk_peer_queue(space->node, out->peer, SK_FRAME_SNAPSHOT_OFFER, space->id, sk_buffer_slice(&frame), false);
    sk_buffer_deinit(&frame);
}

void sk_transfer_offer(sk_space *space, sk_node_id to, uint64_t at_least)
{
    if (outgoing_to(space, to)) return;
    sk_outgoing *out = sk_alloc_zeroed(sizeof *out);
    out->space = space;
    out->peer = to;
    out->at_least = at_least;
    out->progress_at = space->node->now;
    sk_list_push_back(&space->transfers.outgoing, &out->link);
    if (space->snapshot.position >= at_least && space->snapshot.position) send_offer(out);
    else space->snapshot_wanted = true;
}

static void pump(sk_outgoing *out);

static void on_piece(void *context, const sk_snapshot_piece *piece)
{
    sk_outgoing *out = context;
    sk_space *space = out->space;
    out->reading = false;
    if (piece->error || !piece->bytes.size) {
        sk_log(space->node->sink, SK_LOG_WARN, "msg=\"snapshot cannot be read for a peer\" space=%s peer=%u error=\"%s\"",
               space->name, out->peer, sk_error_text(piece->error));
        end_outgoing(out, false);
        return;
    }
    if (piece->offset != out->next) { // it was told to go back meanwhile
        pump(out);
        return;
    }
    sk_buffer frame = {0};
    sk_write_varint(&frame, out->info.position);
    sk_write_varint(&frame, space->node->identity.boot);
    sk_write_varint(&frame, piece->offset);
    sk_buffer_append_slice(&frame, piece->bytes);
    sk_peer_queue(space->node, out->peer, SK_FRAME_SNAPSHOT_PIECE, space->id, sk_buffer_slice(&frame), false);
    sk_buffer_deinit(&frame);
    out->next += piece->bytes.size;
    pump(out);
}

static void pump(sk_outgoing *out)
{
    if (out->reading || !out->source || out->next >= out->info.size) return;
    if (out->next - out->accepted >= out->space->node->config.snapshot_inflight_max) return;
    uint64_t left = out->info.size - out->next;
    out->reading = true;
    sk_snapshot_source_read(out->source, out->next, left < SK_TRANSFER_PIECE_SIZE ? (size_t)left : SK_TRANSFER_PIECE_SIZE,
                            on_piece, out);
}

static void on_accept(sk_space *space, sk_node_id from, sk_slice payload)
{
    sk_reader reader = sk_reader_make(payload);
    uint64_t position = sk_read_varint(&reader);
    uint64_t boot = sk_read_varint(&reader);
    uint8_t verdict = sk_read_u8(&reader);
    uint64_t offset = sk_read_varint(&reader);
    sk_outgoing *out = outgoing_to(space, from);
    if (!sk_reader_done(&reader) || !out || boot != space->node->identity.boot || position != out->info.position || !position)
        return;
    if (verdict == ACCEPT_DONE || verdict == ACCEPT_FAILED) {
        end_outgoing(out, verdict == ACCEPT_DONE);
        return;
    }
    if (verdict != ACCEPT_GO || offset > out->info.size) return;
    if (!out->source) {
        out->source = sk_snapshot_source_open(space->node->disk, &out->info);
        out->next = offset;
    }
    if (offset > out->accepted || offset > out->next) out->progress_at = space->node->now;
    if (offset < out->accepted || offset > out->next) out->next = offset; // it lost some: from there again
    out->accepted = offset;
    pump(out);
}

// ---- Receiving ----

static void send_accept(sk_space *space, sk_node_id to, uint64_t position, uint64_t boot, enum accept_verdict verdict,
                        uint64_t offset)
{
    sk_buffer frame = {0};
    sk_write_varint(&frame, position);
    sk_write_varint(&frame, boot);
    sk_write_u8(&frame, (uint8_t)verdict);
    sk_write_varint(&frame, offset);
    sk_peer_queue(space->node, to, SK_FRAME_SNAPSHOT_ACCEPT, space->id, sk_buffer_slice(&frame), true);
    sk_buffer_deinit(&frame);
}

static void accept(sk_incoming *in, enum accept_verdict verdict)
{
    uint64_t offset = in->receiver ? sk_snapshot_receiver_offset(in->receiver) : in->info.size;
    send_accept(in->space, in->from, in->info.position, in->boot, verdict, offset);
    in->accept_due = false;
}

// The receiver must be gone already (it goes with its done).
static void drop_incoming(sk_incoming *in)
{
    SK_ASSERT(!in->receiver);
    if (in->source) sk_snapshot_source_close(in->source);
    if (in->parser) sk_snapshot_parser_abort(in->parser);
    if (in->restore) in->space->machine->ops->restore_abort(in->restore);
    sk_snapshot_head_deinit(&in->head);
    if (in->space->transfers.incoming == in) in->space->transfers.incoming = NULL;
    sk_list_remove(&in->link);
    sk_free(in);
}

static void fail_incoming(sk_incoming *in, int error)
{
    sk_log(in->space->node->sink, SK_LOG_WARN, "msg=\"snapshot from a peer refused\" space=%s peer=%u error=\"%s\"",
           in->space->name, in->from, sk_error_text(error));
    accept(in, ACCEPT_FAILED);
    drop_incoming(in);
}

static int on_chunk(void *context, sk_slice bytes)
{
    sk_incoming *in = context;
    if (in->head_seen) return in->space->machine->ops->restore_add(in->restore, bytes);
    in->head_seen = true;
    return sk_snapshot_head_read(&in->head, bytes, &in->info);
}

static void on_received(void *context, int error, const sk_snapshot_info *info)
{
    sk_incoming *in = context;
    sk_space *space = in->space;
    in->receiver = NULL;
    if (error) {
        // An abort of ours has replaced or given up this transfer already.
        if (space->transfers.incoming == in) fail_incoming(in, error);
        else drop_incoming(in);
        return;
    }
    if (info->position > space->snapshot.position) space->snapshot = *info;
    in->info.size = info->size;
    in->state = RESTORING;
    in->next = 0;
    in->source = sk_snapshot_source_open(space->node->disk, &in->info);
    in->parser = sk_snapshot_parser_open(&space->node->identity, &in->info, on_chunk, in);
    in->restore = space->machine->ops->restore_open(space->machine);
}

// Else the machine would jump ahead of its replica: one that has halted takes nothing more, and who leads holds all that is committed.
static bool would_follow(const sk_space *space)
{
    return !space->node->wal_failed && space->status.role != SK_ROLE_HALTED && !sk_space_leads(space);
}

// The state is complete beside the old one: swap, unless the log has overtaken it meanwhile.
static void install(sk_incoming *in)
{
    sk_space *space = in->space;
    int error = sk_snapshot_parser_finish(in->parser);
    in->parser = NULL;
    bool stale = in->info.position <= space->applied;
    if (!error && !in->head_seen) error = SK_ECORRUPT;
    if (!error && !would_follow(space)) error = SK_EFAILED;
    if (error || stale) {
        if (error) fail_incoming(in, error);
        else {
            accept(in, ACCEPT_DONE);
            drop_incoming(in);
        }
        return;
    }
    error = space->machine->ops->restore_finish(in->restore);
    in->restore = NULL;
    if (error) {
        fail_incoming(in, error);
        return;
    }
    sk_snapshot_head_take(&in->head, space);
    space->snapshots_installed++;
    sk_log(space->node->sink, SK_LOG_INFO, "msg=\"snapshot installed\" space=%s position=%llu from=%u", space->name,
           (unsigned long long)in->info.position, in->from);
    sk_event event = {.kind = SK_EVENT_SNAPSHOT_RECEIVED,
                      .snapshot = {.position = in->info.position, .epoch = in->info.epoch, .peer = in->from, .ok = true}};
    accept(in, ACCEPT_DONE);
    drop_incoming(in);
    sk_space_step(space, event);
    sk_origin_installed(space);
}

static void on_read_back(void *context, const sk_snapshot_piece *piece)
{
    sk_incoming *in = context;
    in->reading = false;
    int error = piece->error ? piece->error : piece->bytes.size ? 0 : SK_ECORRUPT;
    if (!error) error = sk_snapshot_parser_add(in->parser, piece->bytes);
    if (error) {
        fail_incoming(in, error);
        return;
    }
    in->next += piece->bytes.size;
}

static void abandon_incoming(sk_space *space)
{
    sk_incoming *in = space->transfers.incoming;
    space->transfers.incoming = NULL;
    if (in->receiver) sk_snapshot_receiver_abort(in->receiver); // on_received drops it
    else drop_incoming(in);
}

static void on_offer(sk_space *space, sk_node_id from, sk_slice payload)
{
    sk_reader reader = sk_reader_make(payload);
    sk_snapshot_info info = {.space = space->id};
    info.position = sk_read_varint(&reader);
    uint64_t boot = sk_read_varint(&reader);
    info.epoch = sk_read_varint(&reader);
    info.size = sk_read_varint(&reader);
    if (!sk_reader_done(&reader) || !info.position || !info.size) return;
    if (info.position >= NUMBER_MAX || info.epoch >= NUMBER_MAX || info.size >= NUMBER_MAX) return; // nobody counts so far
    if (info.position <= space->applied) {
        send_accept(space, from, info.position, boot, ACCEPT_DONE, 0);
        return;
    }
    if (!would_follow(space)) {
        send_accept(space, from, info.position, boot, ACCEPT_FAILED, 0);
        return;
    }
    sk_incoming *in = space->transfers.incoming;
    if (in && in->from == from && in->boot == boot && in->info.position == info.position && in->info.size == info.size) {
        in->progress_at = space->node->now;
        accept(in, ACCEPT_GO);
        return;
    }
    // Once all bytes are here it goes through: it cannot be given up any more.
    if (in && (in->state == RESTORING || sk_snapshot_receiver_offset(in->receiver) == in->info.size)) {
        send_accept(space, from, info.position, boot, ACCEPT_FAILED, 0);
        return;
    }
    if (in) abandon_incoming(space);
    in = sk_alloc_zeroed(sizeof *in);
    *in = (sk_incoming){.space = space, .from = from, .boot = boot, .info = info, .progress_at = space->node->now};
    sk_snapshot_head_init(&in->head);
    sk_list_push_back(&space->transfers.incomings, &in->link);
    space->transfers.incoming = in;
    in->receiver = sk_snapshot_receive(space->node->disk, &space->node->identity, &info, on_received, in);
    accept(in, ACCEPT_GO);
}

static void on_piece_received(sk_space *space, sk_node_id from, sk_slice payload)
{
    sk_reader reader = sk_reader_make(payload);
    uint64_t position = sk_read_varint(&reader);
    uint64_t boot = sk_read_varint(&reader);
    uint64_t offset = sk_read_varint(&reader);
    sk_slice bytes = sk_slice_make(reader.at, sk_reader_left(&reader));
    sk_incoming *in = space->transfers.incoming;
    if (reader.bad || !bytes.size || !in || !in->receiver || in->from != from || in->boot != boot ||
        in->info.position != position)
        return;
    in->accept_due = true;
    if (offset != sk_snapshot_receiver_offset(in->receiver)) return; // lost or repeated: the accept says where we are
    if (sk_snapshot_receiver_pending(in->receiver) > RECEIVED_HELD_MAX) return; // it does not wait for accepts
    if (sk_snapshot_receiver_add(in->receiver, bytes) < 0) return;
    in->progress_at = space->node->now;
}

// ---- Both ----

void sk_transfer_receive(sk_space *space, sk_node_id from, const sk_frame *frame)
{
    switch (frame->kind) {
    case SK_FRAME_SNAPSHOT_OFFER: on_offer(space, from, frame->payload); break;
    case SK_FRAME_SNAPSHOT_ACCEPT: on_accept(space, from, frame->payload); break;
    case SK_FRAME_SNAPSHOT_PIECE: on_piece_received(space, from, frame->payload); break;
    default: break;
    }
}

void sk_transfer_link_down(sk_space *space, sk_node_id peer)
{
    // What has been received is kept for a while: the same offer goes on from there.
    sk_outgoing *out = outgoing_to(space, peer);
    if (out) end_outgoing(out, false);
}

bool sk_transfer_installing(const sk_space *space)
{
    return space->transfers.incoming && space->transfers.incoming->state == RESTORING;
}

size_t sk_transfer_held(const sk_space *space)
{
    const sk_incoming *in = space->transfers.incoming;
    return in && in->receiver ? sk_snapshot_receiver_pending(in->receiver) : 0;
}

static bool work_incoming(sk_space *space)
{
    sk_incoming *in = space->transfers.incoming;
    if (!in) return false;
    if (in->state == RECEIVING) {
        if (in->accept_due && (!in->receiver || sk_snapshot_receiver_pending(in->receiver) < RECEIVED_PENDING_MAX)) {
            accept(in, ACCEPT_GO);
        }
        if (space->node->now - in->progress_at > SK_TRANSFER_SILENCE && in->receiver &&
            sk_snapshot_receiver_offset(in->receiver) < in->info.size) {
            abandon_incoming(space);
        }
        return false;
    }
    if (in->reading) return false;
    if (in->next >= in->info.size) {
        install(in);
        return true;
    }
    uint64_t left = in->info.size - in->next;
    in->reading = true;
    sk_snapshot_source_read(in->source, in->next, left < READ_BACK_BYTES ? (size_t)left : READ_BACK_BYTES, on_read_back, in);
    return false;
}

bool sk_transfer_work(sk_space *space)
{
    sk_list *at = space->transfers.outgoing.next;
    while (at != &space->transfers.outgoing) {
        sk_outgoing *out = SK_CONTAINER(at, sk_outgoing, link);
        at = at->next;
        if (waits_for_snapshot(out) && space->snapshot.position && space->snapshot.position >= out->at_least) {
            out->progress_at = space->node->now;
            send_offer(out);
        }
        if (unanswered(out) && space->node->now - out->offered_at >= SK_TRANSFER_REPEAT) send_offer(out);
        if (space->node->now - out->progress_at > SK_TRANSFER_SILENCE) {
            end_outgoing(out, false);
            break; // the step may have changed the list
        }
    }
    return work_incoming(space);
}

sk_ns sk_transfer_deadline(const sk_space *space)
{
    sk_ns at = SK_NEVER;
    const sk_transfers *transfers = &space->transfers;
    for (const sk_list *link = transfers->outgoing.next; link != &transfers->outgoing; link = link->next) {
        const sk_outgoing *out = SK_CONTAINER(link, sk_outgoing, link);
        if (out->progress_at + SK_TRANSFER_SILENCE + 1 < at) at = out->progress_at + SK_TRANSFER_SILENCE + 1;
        if (unanswered(out) && out->offered_at + SK_TRANSFER_REPEAT < at) at = out->offered_at + SK_TRANSFER_REPEAT;
    }
    const sk_incoming *in = transfers->incoming;
    if (in && in->state == RECEIVING && in->receiver && sk_snapshot_receiver_offset(in->receiver) < in->info.size &&
        in->progress_at + SK_TRANSFER_SILENCE + 1 < at) {
        at = in->progress_at + SK_TRANSFER_SILENCE + 1;
    }
    return at;
}

void sk_transfers_abort(sk_space *space)
{
    sk_transfers *transfers = &space->transfers;
    while (!sk_list_empty(&transfers->outgoing)) drop_outgoing(SK_CONTAINER(transfers->outgoing.next, sk_outgoing, link));
    if (transfers->incoming) abandon_incoming(space);
}

bool sk_transfers_quiet(const sk_space *space)
{
    return sk_list_empty(&space->transfers.outgoing) && sk_list_empty(&space->transfers.incomings);
}

void sk_transfers_deinit(sk_space *space)
{
    sk_transfers *transfers = &space->transfers;
    // The disk is gone: what is with it will not call back.
    while (!sk_list_empty(&transfers->outgoing)) {
        sk_outgoing *out = SK_CONTAINER(transfers->outgoing.next, sk_outgoing, link);
        if (out->source) sk_snapshot_source_drop(out->source);
        out->source = NULL;
        drop_outgoing(out);
    }
    while (!sk_list_empty(&transfers->incomings)) {
        sk_incoming *in = SK_CONTAINER(transfers->incomings.next, sk_incoming, link);
        if (in->receiver) sk_snapshot_receiver_drop(in->receiver);
        if (in->source) sk_snapshot_source_drop(in->source);
        in->receiver = NULL;
        in->source = NULL;
        drop_incoming(in);
    }
}
