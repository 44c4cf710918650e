// What a raft replica does, as text: one line an effect, one a message.
#ifndef TEST_SUPPORT_RAFT_TRACE_H
#define TEST_SUPPORT_RAFT_TRACE_H

#include <stdio.h>
#include "protocol/protocol.h"
#include "protocol/raft/message.h"

#pragma GCC diagnostic ignored "-Wunused-function" // not every test needs every helper

static void trace_slice(FILE *out, sk_slice s)
{
    if (!s.size) {
        fprintf(out, " -");
        return;
    }
    bool text = true;
    for (size_t i = 0; i < s.size; i++) text = text && s.data[i] >= ' ' && s.data[i] < 127;
    if (text) {
        fprintf(out, " \"%.*s\"", (int)s.size, (const char *)s.data);
        return;
    }
    fprintf(out, " ");
    for (size_t i = 0; i < s.size; i++) fprintf(out, "%02x", s.data[i]);
}

// Fields that are zero are not shown, nor the stamp (a time).
static void trace_message(FILE *out, sk_slice bytes)
{
    sk_raft_message m;
    if (!sk_raft_message_decode(bytes, &m)) {
        fprintf(out, "malformed");
        return;
    }
    static const char *const flags[] = {"granted", "rejected", "recovering", "refill"};
    fprintf(out, "%s", sk_raft_kind_name(m.kind));
    for (int i = 0; i < 4; i++) {
        if (m.flags >> i & 1) fprintf(out, " %s", flags[i]);
    }
    m.stamp = 0;
#define X(name)                                                                                              \
    if (m.name) fprintf(out, " " #name "=%llu", (unsigned long long)m.name);
    SK_RAFT_FIELDS(X)
#undef X
    sk_raft_sent_entry entry;
    uint64_t index = m.previous_index;
    while (sk_raft_entries_next(&m.entries, &entry)) {
        fprintf(out, " [%llu@%llu", (unsigned long long)++index, (unsigned long long)entry.term);
        trace_slice(out, entry.payload);
        fprintf(out, "]");
    }
}

static void trace_effect(FILE *out, sk_node_id id, const sk_effect *e)
{
    const sk_record *r = &e->persist.record;
    fprintf(out, "%u ", id);
    switch (e->kind) {
    case SK_EFFECT_SEND:
        fprintf(out, "send %u ", e->send.to);
        trace_message(out, e->send.message);
        if (e->send.after) fprintf(out, " after #%llu", (unsigned long long)e->send.after);
        break;
    case SK_EFFECT_PERSIST:
        fprintf(out, "persist #%llu ", (unsigned long long)r->number);
        if (r->kind == SK_RECORD_STATE) {
            fprintf(out, "state term=%llu vote=%u%s", (unsigned long long)r->epoch, r->payload.data[0],
                    r->payload.data[1] ? " recovering" : "");
        } else {
            fprintf(out, "%s %llu@%llu", r->kind == SK_RECORD_ENTRY ? "entry" : "truncate",
                    (unsigned long long)r->position, (unsigned long long)r->epoch);
            if (r->kind == SK_RECORD_ENTRY) trace_slice(out, r->payload);
        }
        break;
    case SK_EFFECT_FETCH:
        fprintf(out, "fetch %llu to %llu", (unsigned long long)e->fetch.from,
                (unsigned long long)e->fetch.to);
        break;
    case SK_EFFECT_APPLY:
        fprintf(out, "apply %llu@%llu", (unsigned long long)e->apply.position,
                (unsigned long long)e->apply.epoch);
        trace_slice(out, e->apply.payload);
        if (e->apply.request) fprintf(out, " for %llu", (unsigned long long)e->apply.request);
        break;
    case SK_EFFECT_QUERY:
        fprintf(out, "query %llu at %llu", (unsigned long long)e->query.request,
                (unsigned long long)e->query.position);
        break;
    case SK_EFFECT_REFUSE:
        fprintf(out, "refuse %llu %s", (unsigned long long)e->refuse.request, sk_error_name(e->refuse.why));
        if (e->refuse.leader) fprintf(out, " leader %u", e->refuse.leader);
        break;
    case SK_EFFECT_SNAPSHOT_WANTED:
        fprintf(out, "snapshot wanted");
        break;
    case SK_EFFECT_SNAPSHOT_OFFERED:
        fprintf(out, "snapshot offered to %u at least %llu", e->snapshot_offered.to,
                (unsigned long long)e->snapshot_offered.at_least);
        break;
    case SK_EFFECT_ANSWER:
    case SK_EFFECT_STATUS:
        fprintf(out, "status");
        break;
    }
    fprintf(out, "\n");
}

#endif
