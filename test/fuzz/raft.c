// What a peer may send to a Raft replica, with state: the input is a script of events on one replica of three, each a kind byte, a
// sender and a sized message (or nothing). A hostile or broken peer must neither crash it nor break its invariants, which are
// checked after every step; effects are carried out only as far as durability goes.
#include "base/assert.h"
#include "protocol/protocol.h"
#include "wire/codec.h"
#include "test/support/fuzz.h"

enum { NODES = 3 };

static sk_replica *replica_open(uint64_t boot)
{
    sk_member members[NODES];
    for (sk_node_id i = 0; i < NODES; i++) members[i] = (sk_member){.id = i + 1, .voter = true};
    sk_setup setup = {.self = 1,
                      .members = members,
                      .member_count = NODES,
                      .boot = boot,
                      .seed = 7,
                      .limits = {.window_bytes_max = 4096, .message_bytes_max = 1024, .inflight_bytes_max = 4096,
                                 .inflight_count_max = 4, .pending_max = 8, .log_entries_max = 16, .log_bytes_max = 4096},
                      .timing = {.heartbeat_active = 100 * SK_MS, .heartbeat_idle = 500 * SK_MS, .election_min = 300 * SK_MS,
                                 .election_max = 600 * SK_MS},
                      .now = SK_S};
    return sk_raft.open(&setup);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    sk_replica *replica = replica_open(1);
    sk_effects out = {0};
    sk_raft.start(replica, SK_S, false, &out);
    sk_reader reader = sk_reader_make(sk_slice_make(data, size));
    sk_ns now = SK_S;
    uint64_t persisted = 0, request = 0;
    for (int steps = 0; sk_reader_left(&reader) && steps < 200; steps++) {
        uint8_t what = sk_read_u8(&reader);
        sk_event event = {.kind = SK_EVENT_TICK};
        switch (what % 8) {
        case 0:
        case 1:
        case 2:
            event.kind = SK_EVENT_RECEIVE;
            event.receive.from = what >> 3;
            event.receive.message = sk_read_sized(&reader);
            break;
        case 3: now += (sk_ns)(what >> 3) * 50 * SK_MS; break;
        case 4:
            event.kind = SK_EVENT_DURABLE;
            event.durable.number = persisted;
            if (!persisted) continue;
            break;
        case 5:
            event.kind = SK_EVENT_SUBMIT;
            event.submit.request = ++request;
            event.submit.command = sk_slice_make(data, size < 8 ? size : 8);
            break;
        case 6:
            event.kind = SK_EVENT_READ;
            event.read.request = ++request | (uint64_t)1 << 62;
            break;
        default:
            event.kind = SK_EVENT_LINK;
            event.link.peer = 2 + (what >> 3) % 2;
            event.link.up = what & 0x80;
        }
        if (reader.bad) break;
        event.now = now;
        sk_effects_reset(&out);
        sk_raft.step(replica, &event, &out);
        sk_raft.check(replica);
        for (size_t i = 0; i < out.count; i++) {
            if (out.list[i].kind == SK_EFFECT_PERSIST) persisted = out.list[i].persist.record.number;
        }
    }
    (void)sk_raft.fingerprint(replica);
    sk_raft.close(replica);
    sk_effects_deinit(&out);
    return 0;
}
