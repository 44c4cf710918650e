// Sessions that move between nodes, and what causal consistency promises them.
//
// A client's operations on one connection are a session. Now and then it asks for a token, leaves, and uses the token elsewhere before
// anything else: if it is accepted its session goes on there, if not (TRYAGAIN, which is honest) another one begins. At the end the whole
// history of the workload's keys, all sessions and nodes together, is judged by check/causal: read your writes, monotonic reads, monotonic
// writes and writes that follow reads are its happens-before.
#ifndef SIM_SESSIONS_H
#define SIM_SESSIONS_H

#include "sim/keys.h"
#include "sim/swarm.h"

typedef struct sk_session {
    uint32_t number;   // of the session: what a checker calls a process
    sk_buffer token;   // given, and not used yet; empty: none
    bool moves;        // it has been given, and the client has not left yet
    bool asked;        // its use, or another one, is: nothing else must be asked meanwhile
} sk_session;

void sk_session_deinit(sk_session *session);
// A connection has begun: another session, unless there is a token to go on with. `sessions`: how many there have been.
void sk_session_connected(sk_session *session, uint32_t *sessions);
// What the client must do about its session before anything else, or (chance) wants to. False: nothing.
bool sk_session_next(sk_session *session, sk_prng *prng, const sk_keys *keys, sk_operation *out);
// An operation of this session has been answered; true: the session has moved.
bool sk_session_answered(sk_session *session, const sk_operation *op, sk_slice text, uint32_t *sessions);

// A disk has lost what only it had. Its node will close the life that made it, and then knows a token for that no more from one that
// it can honour (docs/causal.md): who has a token begins anew.
void sk_session_lost(sk_session *session, uint32_t *sessions);

// The audit is over. False: `problem` (size bytes) says what is wrong.
bool sk_sessions_check(const sk_history *history, const sk_keys *keys, const sk_swarm *swarm, char *problem, size_t size);

#endif
