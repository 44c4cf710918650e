// One client connection: bytes in, requests in order, replies in order.
//
// Every request gets a slot. Replies leave in the order of slots, whoever finishes first. The rules that keep "commands of one
// connection take effect in the order sent" (design.md section 7):
//
//     nothing under way            a read asks its space (one round shared with others); a write is ordered
//     writes under way, one space  another write of that space follows at once; a read of that space is ordered behind them
//                                  like a write (it costs a log entry and saves a round for each change of kind)
//     anything else under way      the input waits until all is answered
//
// A client whose connection has gone lives on, without a handle, until its last slot is filled.
#ifndef SK_NODE_CLIENT_H
#define SK_NODE_CLIENT_H

#include "base/list.h"
#include "base/ring.h"
#include "node/kind.h"
#include "node/node.h"
#include "node/token.h"
#include "redis/command.h"
#include "redis/resp.h"

enum { SK_CLIENT_NAME_MAX = 64 };
enum sk_client_reply_mode { SK_REPLY_ON, SK_REPLY_OFF, SK_REPLY_SKIP }; // SKIP: the next one

struct sk_client {
    sk_node *node;
    void *handle; // the host's; NULL: gone
    uint64_t id;
    char address[SK_ADDRESS_SIZE_MAX];
    char name[SK_CLIENT_NAME_MAX];
    char library[SK_CLIENT_NAME_MAX], library_version[SK_CLIENT_NAME_MAX];
    sk_ns opened, active;
    uint8_t resp;
    uint32_t selected; // space number bound by SELECT; 0: the routed view
    uint32_t bound;    // that space's id; 0: none
    enum sk_reads_mode read_mode;
    sk_token_spaces seen; // what a token of this connection is about
    uint32_t tries;    // how often what is under way was routed again
    enum sk_client_reply_mode reply_mode;
    const sk_command *last_command;

    sk_resp_parser parser;
    sk_buffer out;
    bool draining;  // the host has left something in `out` and will say when it is gone
    bool closing;   // close once all is written
    bool stalled;   // input waits: until the slots are empty, half of them are, or `out` has gone
    bool resume;    // tell the host in this turn
    size_t stalled_at; // slots under way when it stalled
    sk_ns blocked_since; // its next request has found no room since; 0: it has not been tried, or it found some
    sk_list link;   // node->clients
    sk_list dirty;  // node->dirty
    sk_list working; // node->working
    sk_list blocked; // node->blocked

    // Slots: requests without a reply yet, oldest first.
    sk_ring slots;
    uint64_t slot_first; // number of the oldest
    size_t held;         // bytes of replies that are finished before those in front of them
    bool flooded;        // more replies than it may leave unread: the rest is dropped, it is to be closed
    uint32_t space;      // of all slots under way
    bool ordered;        // they are being ordered (else: read)
    bool exclusive;      // nothing may follow before they are answered (a sliced command, WAIT)

    // A sliced command under way (then it is the only slot).
    sk_machine_job *job;
    uint64_t job_slot;
    // WAIT or SESSION under way: answer at this time, SESSION as soon as it can.
    sk_ns wait_until;
    int64_t wait_answer;
    sk_token_wait *token; // SESSION's
};

// Where the reply of a slot is to be appended; then complete it. Exactly one RESP value.
sk_buffer *sk_client_reply_at(sk_client *client, uint64_t slot);
void sk_client_complete(sk_client *client, uint64_t slot);
void sk_client_answer(sk_client *client, uint64_t slot, sk_slice reply); // both at once
void sk_client_start_job(sk_client *client, uint64_t slot, sk_machine_job *job);
void sk_client_touch(sk_client *client); // has output for the end of the turn
void sk_client_close(sk_client *client); // after what is in `out`
bool sk_client_idle(const sk_client *client); // no slot under way

// End of turn: jobs' slices (true: there is more), time limits, output, resumptions.
bool sk_clients_work(sk_node *node);
void sk_clients_flush(sk_node *node);
sk_ns sk_clients_deadline(const sk_node *node);
void sk_client_free(sk_client *client);

#endif
