// What happened in a run, as the theory sees it: events of processes (nodes and clients), which are sends, receives
// and internal ones, and marks (faults, partitions, stages, the failure), which belong to nobody.
//
//   world --hooks--> sk_chronicle --records--> FILE --> sk_account: the events with their texts and vector times
//
// The writer only looks: a run with a chronicle is the same run, to the trace hash. It writes as it goes, so that
// the record of a run that ends in an assertion is there too. Messages are peer frames, requests and replies; links
// and connections that open, break and end are internal events of who notices.
#ifndef SIM_CHRONICLE_H
#define SIM_CHRONICLE_H

#include "sim/causality.h"
#include "sim/world.h"

// What an event is about; a picture's colours, and what a short account leaves out first.
#define SK_TOPICS(X)                                                                                         \
    X(LIFE, "start")        /* a process starts, runs on after a pause */                                    \
    X(DEATH, "crash")       /* it is killed, loses power, is paused */                                       \
    X(ROLE, "role")         /* a replica's role or term changes */                                           \
    X(VOTE, "vote")         /* votes and pre-votes */                                                        \
    X(LOG, "log")           /* a replica's log or what is durable, committed, applied of it */               \
    X(APPEND, "append")     /* entries and their acknowledgements */                                         \
    X(BEAT, "heartbeat")    /* heartbeats */                                                                 \
    X(READ, "read")         /* reads' rounds */                                                              \
    X(FORWARD, "forward")   /* requests that another node asks for, and their answers */                     \
    X(SNAPSHOT, "snapshot") /* pieces of snapshots */                                                        \
    X(LINK, "link")         /* links between nodes */                                                        \
    X(CLIENT, "client")     /* what clients ask and get */

enum sk_topic {
#define X(name, text) SK_TOPIC_##name,
    SK_TOPICS(X)
#undef X
        SK_TOPIC_END
};
const char *sk_topic_name(enum sk_topic topic);

enum sk_mark { SK_MARK_FAULT, SK_MARK_CUT, SK_MARK_UNCUT, SK_MARK_STAGE, SK_MARK_FAILED };

// Below: called by the world's parts, only when there is a chronicle.

typedef struct sk_chronicle sk_chronicle;

// `out` stays the caller's and must outlive it.
sk_chronicle *sk_chronicle_open(FILE *out, const sk_world *world);
void sk_chronicle_close(sk_chronicle *chronicle);

// Whole frames leave `from` now. The number of the first one's SEND; the others follow it.
uint32_t sk_chronicle_send(sk_chronicle *chronicle, sk_node_id from, sk_node_id to, sk_slice frames);
// `event`: the frame's SEND. `frame` NULL: it came damaged. `from`: whom the receiver takes for the sender.
void sk_chronicle_receive(sk_chronicle *chronicle, sk_node_id from, sk_node_id to, uint32_t event,
                          const sk_frame *frame);
void sk_chronicle_node(sk_chronicle *chronicle, sk_node_id id, enum sk_topic topic, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
// Its replicas may have changed.
void sk_chronicle_look(sk_chronicle *chronicle, const sk_computer *computer);

void sk_chronicle_client(sk_chronicle *chronicle, uint32_t client, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
uint32_t sk_chronicle_ask(sk_chronicle *chronicle, uint32_t client, sk_node_id to, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
uint32_t sk_chronicle_reply(sk_chronicle *chronicle, sk_node_id from, uint32_t client, sk_slice bytes);
// What was asked (at the node) or replied (at the client) arrives; 0: it carries no message.
void sk_chronicle_arrive(sk_chronicle *chronicle, sk_node_id node, uint32_t client, bool at_node, uint32_t event);

uint32_t sk_chronicle_events(const sk_chronicle *chronicle); // so far
// See sk_account_mark for `a` and `b`.
void sk_chronicle_mark(sk_chronicle *chronicle, enum sk_mark mark, uint32_t a, uint32_t b, const char *format, ...)
    __attribute__((format(printf, 5, 6)));

// ---- The records: read by sim/account.c in a process of the same program ----

typedef struct sk_chronicle_head {
    char magic[8];
    uint32_t node_count, client_count;
} sk_chronicle_head;
#define SK_CHRONICLE_MAGIC "SKCHRON1"

// The text's bytes follow.
typedef struct sk_chronicle_record {
    sk_ns time;
    bool is_mark;
    uint8_t kind;     // enum sk_causal_kind or enum sk_mark
    uint8_t topic;    // events: enum sk_topic
    uint32_t process; // events
    uint32_t peer;    // SEND, RECEIVE: the other process
    uint32_t sent_by; // RECEIVE
    uint32_t a, b;    // marks: see sk_account_mark
    uint32_t size;    // of the text
} sk_chronicle_record;

#endif
