// Rules 1 to 3: writes here, and operations of others as they happen.
#include "protocol/crdt/crdt.h"

static void send_operations(sk_crdt_replica *crdt)
{
    sk_reader reader = sk_reader_make(sk_buffer_slice(&crdt->core.operations));
    while (sk_reader_left(&reader)) {
        sk_operation_head last;
        sk_merger_message message = {.kind = SK_CRDT_OPERATIONS, .bytes = sk_operations_take(&reader, SK_MERGER_PART_SIZE, &last)};
        crdt->counts.operations_sent += sk_merger_send_to_linked(&crdt->core, &message, 0);
    }
}

void sk_crdt_flush(sk_crdt_replica *crdt)
{
    if (crdt->core.operations.size) {
        sk_merger_persist(&crdt->core, SK_CRDT_RECORD_OPERATIONS, sk_buffer_slice(&crdt->core.operations), 0);
        send_operations(crdt);
        sk_merger_changed(&crdt->core);
    }
    sk_merger_answer_all(&crdt->core);
}

// ---- Of others ----

// Are they all of lives of that node? Each operation begins with its actor; the machine looks at the rest.
static bool are_its_own(sk_slice operations, sk_node_id node)
{
    sk_reader reader = sk_reader_make(operations);
    while (sk_reader_left(&reader)) {
        if (sk_actor_node(sk_actor_read(&reader)) != node) return false;
        sk_read_varint(&reader);
        sk_read_varint(&reader);
        sk_read_sized(&reader);
    }
    return !reader.bad;
}

// Those that fit; the rest is held, if there is room, and what is missing asked for.
static void apply(sk_crdt_replica *crdt, sk_crdt_peer *peer, sk_slice operations, bool hold)
{
    size_t taken;
    int status = crdt->core.ops->apply(crdt->core.machine, crdt->core.wall_ms, operations, &taken);
    if (taken) {
        sk_merger_persist(&crdt->core, SK_CRDT_RECORD_OPERATIONS, sk_slice_make(operations.data, taken), SK_MERGER_REPORT_PAUSE);
        sk_merger_changed(&crdt->core);
    }
    if (status == SK_EPROTOCOL) crdt->core.counts.ignored.malformed++;
    if (status != SK_EAGAIN || !hold) return;
    if (peer->held.size + operations.size - taken <= SK_CRDT_HELD_MAX) {
        sk_buffer_append(&peer->held, operations.data + taken, operations.size - taken);
        crdt->counts.operations_held++;
    } else {
        crdt->core.counts.ignored.held_full++;
    }
    sk_crdt_ask_somebody(crdt);
}

void sk_crdt_on_operations(sk_crdt_replica *crdt, sk_crdt_peer *peer, sk_slice operations)
{
    crdt->counts.operations_received++;
    if (!are_its_own(operations, peer->core.id)) {
        crdt->counts.not_its_own++;
        return;
    }
    if (sk_merger_declines(&crdt->core)) return;
    apply(crdt, peer, operations, true);
}

// A gap has been filled, perhaps: once more. What still does not fit is dropped; the next report or operation tells of it.
void sk_crdt_apply_held(sk_crdt_replica *crdt)
{
    for (size_t i = 0; i < crdt->core.peer_count; i++) {
        sk_crdt_peer *peer = &crdt->peers[i];
        if (peer->held.size == 0) continue;
        sk_buffer held = peer->held;
        peer->held = (sk_buffer){0};
        apply(crdt, peer, sk_buffer_slice(&held), false);
        sk_buffer_deinit(&held);
    }
}
