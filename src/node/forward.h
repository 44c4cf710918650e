// Requests that came in at another node, and what became of them.
//
//   FORWARD   varint: every number up to here is answered; then items: varint number, u8 RESP version and flags, varint routing version
//             (if SK_FORWARD_ROUTED), sized command
//   ANSWER    varint: the origin's boot; then items: varint number, varint verdict (0: answered, else minus the SK_E* code),
//             and for an answered one the sized reply
//
// A number is submitted once in a term of office, however often it comes, unless the log refused it.
// Nothing is forwarded twice: who receives a FORWARD and does not lead refuses it, and the origin looks for the leader.
#ifndef SK_NODE_FORWARD_H
#define SK_NODE_FORWARD_H

#include "protocol/protocol.h"
#include "wire/frame.h"

typedef struct sk_space sk_space;

// Beside the RESP version in its two lowest bits.
enum { SK_FORWARD_ROUTED = 4, SK_FORWARD_CONTROL = 8, SK_FORWARD_FLAGS = 15 };

// What a leader keeps for each peer.
typedef struct sk_forwarding {
    uint64_t accept;   // next number to take from it in this term of office; 0: any
    sk_buffer answers; // items of this turn's ANSWER
} sk_forwarding;

void sk_forward_receive(sk_space *space, sk_node_id from, sk_slice payload); // FORWARD
void sk_forward_answered(sk_space *space, sk_node_id from, sk_slice payload); // ANSWER
// To the process that asked: numbers begin anew with every boot, so an answer for an earlier one is dropped.
void sk_forward_answer(sk_space *space, sk_node_id origin, uint64_t boot, uint64_t number, int verdict, sk_slice reply);
void sk_forward_refuse(sk_space *space, sk_node_id origin, uint64_t boot, uint64_t number, int why);
// An entry of this origin was applied out of turn: what is missing may be submitted again.
void sk_forward_gap(sk_space *space, sk_node_id origin);
void sk_forward_flush(sk_space *space); // end of turn
void sk_forward_peer_up(sk_space *space, sk_node_id peer);

#endif
