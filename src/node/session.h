// A space's memory of requests: part of its replicated state, so that a retry never applies twice, whichever node leads.
//
// Each node numbers the requests it sends into a space 1, 2, 3, ... within one boot. The space executes them strictly in
// that order and keeps the replies of those that their origin has not yet reported as answered.
//
//   number <= answered        answered long ago: nothing to say
//   answered < number <= last executed before: the kept reply is given again
//   number == last + 1        executed now
//   number > last + 1         a gap: refused, the origin sends from the gap on again
//   boot < the newest seen    from an earlier life of its origin: refused
#ifndef SK_NODE_SESSION_H
#define SK_NODE_SESSION_H

#include "base/ring.h"
#include "node/envelope.h"

// A larger reply is not kept: every replica would hold up to origin-pending-max of them for each origin, and they would travel in
// every snapshot. Whoever asks again is told that it was applied and its reply is lost (UNKNOWN). Part of the state: never changes.
enum { SK_SESSION_REPLY_MAX = 4096 };

// What is kept of one origin, at most, even if it never reports anything as answered: beyond that the oldest replies are forgotten,
// and who asks for one of them again hears nothing. Twice what forward-pending-max allows by default. Never changes either.
enum { SK_SESSION_KEPT_BYTES_MAX = 64 * 1024 * 1024, SK_SESSION_KEPT_COUNT_MAX = 1024 * 1024 };

enum sk_session_verdict { SK_SESSION_EXECUTE, SK_SESSION_REPEAT, SK_SESSION_FORGOTTEN, SK_SESSION_GAP, SK_SESSION_STALE };

typedef struct sk_session {
    sk_node_id origin;
    uint64_t boot;
    uint64_t last;     // greatest number executed
    uint64_t answered; // replies up to here are forgotten
    sk_ring replies;   // of size_t: the sizes of replies answered + 1 ... last
    sk_buffer bytes;   // those replies, one after another, from `start`
    size_t start;
} sk_session;

typedef struct sk_sessions {
    sk_session *list;
    size_t count;
} sk_sessions;

void sk_sessions_init(sk_sessions *sessions);
void sk_sessions_deinit(sk_sessions *sessions);

// What to do with this envelope (which has an origin). REPEAT sets `reply` (borrowed until the next call). EXECUTE must be
// followed by sk_session_executed with the reply.
enum sk_session_verdict sk_session_judge(sk_sessions *sessions, const sk_envelope *envelope, sk_slice *reply);
void sk_session_executed(sk_sessions *sessions, const sk_envelope *envelope, sk_slice reply);

// Is this what was answered the first time? False: it says that the reply was too large to be kept.
bool sk_session_reply_kept(sk_slice reply);

// Bytes in a snapshot: the same on all replicas that applied the same.
void sk_sessions_write(const sk_sessions *sessions, sk_buffer *out);
int sk_sessions_read(sk_sessions *sessions, sk_reader *reader); // replaces; 0 or SK_ECORRUPT (then unchanged)
uint64_t sk_sessions_digest(const sk_sessions *sessions);
size_t sk_sessions_memory(const sk_sessions *sessions);

// The greatest number of this origin's boot that has been executed; 0: none.
uint64_t sk_session_last(const sk_sessions *sessions, sk_node_id origin, uint64_t boot);

// The kept reply of a request of this node itself, for one that waited while a snapshot passed it by. Verdict as above for
// that number; EXECUTE and GAP mean that it has not been applied.
enum sk_session_verdict sk_session_look(const sk_sessions *sessions, sk_node_id origin, uint64_t boot, uint64_t number,
                                        sk_slice *reply);

#endif
