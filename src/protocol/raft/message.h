// Raft's messages between replicas: one field list gives struct, encoding and decoding.
//
//   kind u8, flags u8, then the kind's fields in the order of SK_RAFT_FIELDS, each a varint; an append ends
//   with its entries (term varint, payload sized) up to the end of the message.
//
// docs/raft.md has the table of what each kind carries and when it is sent.
#ifndef SK_PROTOCOL_RAFT_MESSAGE_H
#define SK_PROTOCOL_RAFT_MESSAGE_H

#include "base/arena.h"
#include "wire/codec.h"

#define SK_RAFT_FIELDS(X)                                                                                    \
    X(term)       /* the sender's current term */                                                            \
    X(last_index) /* a candidate's last entry */                                                             \
    X(last_term)                                                                                             \
    X(attempt)        /* numbers the pre-votes of one life */                                                \
    X(previous_index) /* the entry just before those sent; in a rejection: the one that did not match */     \
    X(previous_term)                                                                                         \
    X(commit)         /* the leader's commit index */                                                        \
    X(promise_ms)     /* the next message from this leader comes within so long */                           \
    X(lease_ms)       /* help nobody else to office for so long from when this is received; 0: not asked for */   \
    X(trip_us)        /* the round trip to the receiver, as its leader measured it; 0: not known */          \
    X(round)          /* numbers the heartbeat rounds of a term */                                           \
    X(stamp)          /* the leader's clock, echoed */                                                       \
    X(heal)           /* a recovering replica is healed once its durable log reaches here; 0: not yet */     \
    X(boot)           /* the follower's life: its own in answers, whom the leader means in heartbeats */     \
    X(recovered)      /* last index that the follower's life began with */                                   \
    X(received)       /* the follower's log equals the leader's up to here, in memory */                     \
    X(match)          /* ... and on disk (the answer waited for it) */                                       \
    X(conflict_index) /* first index of the conflicting term, or one past the follower's last */             \
    X(conflict_term)  /* 0: the follower has no entry there */                                               \
    X(request)        /* numbers the read requests of one life */                                            \
    X(read_index)     /* reads asked for may be served once this is applied */

enum sk_raft_field {
#define X(name) SK_RAFT_FIELD_##name,
    SK_RAFT_FIELDS(X)
#undef X
        SK_RAFT_FIELD_COUNT
};

#define SK_RAFT_KINDS(X)                                                                                     \
    X(PREVOTE)                                                                                               \
    X(PREVOTE_ANSWER)                                                                                        \
    X(VOTE) X(VOTE_ANSWER) X(APPEND) X(APPEND_ANSWER) X(HEARTBEAT) X(HEARTBEAT_ANSWER) X(READ) X(READ_ANSWER) X(DOUBT)

enum sk_raft_kind {
    SK_RAFT_KIND_NONE,
#define X(name) SK_RAFT_##name,
    SK_RAFT_KINDS(X)
#undef X
        SK_RAFT_KIND_END
};

enum sk_raft_flag {
    SK_RAFT_GRANTED = 1,
    SK_RAFT_REJECTED = 2,
    SK_RAFT_RECOVERING = 4, // an answer from a replica that must not be counted
    SK_RAFT_REFILL = 8,     // a heartbeat: you have lost what you had acknowledged
    SK_RAFT_FLAGS_ALL = 15,
};

// Nobody counts so far: greater numbers are nonsense (and would overflow sums).
#define SK_RAFT_NUMBER_MAX ((uint64_t)1 << 62)

// Nor asks anybody for a longer lease.
#define SK_RAFT_LEASE_MS_MAX 60000

typedef struct sk_raft_message {
    enum sk_raft_kind kind;
    uint8_t flags;
#define X(name) uint64_t name;
    SK_RAFT_FIELDS(X)
#undef X
    sk_slice entries; // an append's, encoded: walk it with sk_raft_entries_next
    uint64_t count;   // of them
} sk_raft_message;

typedef struct sk_raft_sent_entry {
    uint64_t term;
    sk_slice payload; // borrowed from the message
} sk_raft_sent_entry;

const char *sk_raft_kind_name(enum sk_raft_kind kind);
// A message without entries, built in `arena`.
sk_slice sk_raft_message_encode(sk_arena *arena, const sk_raft_message *message);

// An append with entries: begin with a bound on their encoded size (sk_raft_entry_size each), add them, end.
typedef struct sk_raft_writer {
    sk_arena *arena;
    uint8_t *start;
    uint8_t *at;
    size_t size;
} sk_raft_writer;

static inline size_t sk_raft_entry_size(size_t payload_size)
{
    return payload_size + 2 * SK_VARINT_SIZE_MAX;
}
sk_raft_writer sk_raft_writer_begin(sk_arena *arena, const sk_raft_message *message, size_t entries_size);
void sk_raft_writer_add(sk_raft_writer *writer, uint64_t term, sk_slice payload);
sk_slice sk_raft_writer_end(sk_raft_writer *writer);

// Bytes from outside. True: every field is there and plausible by itself (terms and indexes below
// SK_RAFT_NUMBER_MAX, entries' terms rising, none above the sender's). False: to be ignored.
bool sk_raft_message_decode(sk_slice bytes, sk_raft_message *out);
// The next entry of a decoded append; false at the end.
bool sk_raft_entries_next(sk_slice *entries, sk_raft_sent_entry *out);

#endif
