#include "protocol/raft/message.h"

#include "base/assert.h"

#define BIT(name) (1u << SK_RAFT_FIELD_##name)

// What each kind carries.
static const uint32_t fields_of[SK_RAFT_KIND_END] = {
    [SK_RAFT_PREVOTE] = BIT(term) | BIT(last_index) | BIT(last_term) | BIT(attempt),
    [SK_RAFT_PREVOTE_ANSWER] = BIT(term) | BIT(attempt),
    [SK_RAFT_VOTE] = BIT(term) | BIT(last_index) | BIT(last_term),
    [SK_RAFT_VOTE_ANSWER] = BIT(term),
    [SK_RAFT_APPEND] = BIT(term) | BIT(previous_index) | BIT(previous_term) | BIT(commit) | BIT(promise_ms),
    [SK_RAFT_APPEND_ANSWER] = BIT(term) | BIT(previous_index) | BIT(boot) | BIT(recovered) | BIT(match) |
                              BIT(conflict_index) | BIT(conflict_term),
    [SK_RAFT_HEARTBEAT] =
        BIT(term) | BIT(commit) | BIT(promise_ms) | BIT(lease_ms) | BIT(trip_us) | BIT(round) | BIT(stamp) | BIT(heal) | BIT(boot),
    [SK_RAFT_HEARTBEAT_ANSWER] =
        BIT(term) | BIT(round) | BIT(stamp) | BIT(boot) | BIT(recovered) | BIT(received),
    [SK_RAFT_READ] = BIT(term) | BIT(boot) | BIT(request),
    [SK_RAFT_READ_ANSWER] = BIT(term) | BIT(boot) | BIT(request) | BIT(read_index),
    [SK_RAFT_DOUBT] = BIT(term),
};

_Static_assert(SK_RAFT_FIELD_COUNT <= 32, "fields_of holds a bit a field");

const char *sk_raft_kind_name(enum sk_raft_kind kind)
{
    static const char *const names[SK_RAFT_KIND_END] = {"NONE",
#define X(name) #name,
                                                        SK_RAFT_KINDS(X)
#undef X
    };
    return (unsigned)kind < SK_RAFT_KIND_END ? names[kind] : "UNKNOWN";
}

sk_raft_writer sk_raft_writer_begin(sk_arena *arena, const sk_raft_message *message, size_t entries_size)
{
    SK_ASSERT(message->kind > SK_RAFT_KIND_NONE && message->kind < SK_RAFT_KIND_END);
    SK_ASSERT(!entries_size || message->kind == SK_RAFT_APPEND);
    uint32_t fields = fields_of[message->kind];
    size_t size = 2 + (size_t)__builtin_popcount(fields) * SK_VARINT_SIZE_MAX + entries_size;
    sk_raft_writer writer = {.arena = arena, .start = sk_arena_take(arena, size), .size = size};
    uint8_t *at = writer.start;
    *at++ = (uint8_t)message->kind;
    *at++ = message->flags;
#define X(name)                                                                                              \
    if (fields & BIT(name)) at = sk_put_varint(at, message->name);
    SK_RAFT_FIELDS(X)
#undef X
    writer.at = at;
    return writer;
}

void sk_raft_writer_add(sk_raft_writer *writer, uint64_t term, sk_slice payload)
{
    SK_ASSERT(sk_raft_entry_size(payload.size) <= writer->size - (size_t)(writer->at - writer->start));
    uint8_t *at = sk_put_varint(writer->at, term);
    at = sk_put_varint(at, payload.size);
    if (payload.size) memcpy(at, payload.data, payload.size);
    writer->at = at + payload.size;
}

sk_slice sk_raft_writer_end(sk_raft_writer *writer)
{
    size_t used = (size_t)(writer->at - writer->start);
    SK_ASSERT(used <= writer->size);
    sk_arena_give_back(writer->arena, writer->size - used);
    return sk_slice_make(writer->start, used);
}

sk_slice sk_raft_message_encode(sk_arena *arena, const sk_raft_message *message)
{
    sk_raft_writer writer = sk_raft_writer_begin(arena, message, 0);
    return sk_raft_writer_end(&writer);
}

bool sk_raft_entries_next(sk_slice *entries, sk_raft_sent_entry *out)
{
    if (!entries->size) return false;
    sk_reader reader = sk_reader_make(*entries);
    out->term = sk_read_varint(&reader);
    out->payload = sk_read_sized(&reader);
    if (reader.bad) return false;
    *entries = sk_slice_make(reader.at, (size_t)(reader.end - reader.at));
    return true;
}

// Counts an append's entries and judges their terms: none falls, none is 0 or above the sender's.
static bool entries_valid(sk_raft_message *message)
{
    uint64_t term = message->previous_term;
    sk_raft_sent_entry entry;
    sk_slice left = message->entries;
    while (left.size) {
        if (!sk_raft_entries_next(&left, &entry)) return false;
        if (entry.term == 0 || entry.term < term) return false;
        term = entry.term;
        message->count++;
    }
    return term <= message->term;
}

bool sk_raft_message_decode(sk_slice bytes, sk_raft_message *out)
{
    *out = (sk_raft_message){.kind = SK_RAFT_KIND_NONE};
    sk_reader reader = sk_reader_make(bytes);
    uint8_t kind = sk_read_u8(&reader);
    out->flags = sk_read_u8(&reader);
    if (reader.bad || kind <= SK_RAFT_KIND_NONE || kind >= SK_RAFT_KIND_END) return false;
    if (out->flags & ~SK_RAFT_FLAGS_ALL) return false;
    out->kind = (enum sk_raft_kind)kind;
    uint32_t fields = fields_of[kind];
    uint64_t greatest = 0;
    // Stamp and boot are only compared, never added to.
#define X(name)                                                                                              \
    if (fields & BIT(name)) {                                                                                \
        out->name = sk_read_varint(&reader);                                                                 \
        if (!(BIT(name) & (BIT(stamp) | BIT(boot) | BIT(request))) && out->name > greatest)                  \
            greatest = out->name;                                                                            \
    }
    SK_RAFT_FIELDS(X)
#undef X
    if (reader.bad || greatest > SK_RAFT_NUMBER_MAX || out->lease_ms > SK_RAFT_LEASE_MS_MAX) return false;
    if (out->kind != SK_RAFT_APPEND) return sk_reader_done(&reader);
    if ((out->previous_index == 0) != (out->previous_term == 0)) return false;
    out->entries = sk_slice_make(reader.at, (size_t)(reader.end - reader.at));
    return entries_valid(out);
}
