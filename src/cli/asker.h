// Asks one node how it is, again and again, without ever waiting for it.
//
//   idle --ask--> waiting --ready: the answer came--> idle, view.answered
//                         --failed, or expire after the deadline--> idle, view.why
#ifndef SK_CLI_ASKER_H
#define SK_CLI_ASKER_H

#include "cli/view.h"
#include "client/remote.h"

typedef struct sk_asker {
    sk_remote remote; // kept open between questions
    sk_endpoint endpoint;
    sk_node_view *view; // the caller's; filled in with every answer or failure
    bool waiting;
    sk_ns deadline;
} sk_asker;

void sk_asker_init(sk_asker *asker, const sk_endpoint *endpoint, sk_node_view *view);
void sk_asker_deinit(sk_asker *asker);
// Sends NODE STATUS (connecting first if need be). Nothing happens while an answer is still awaited.
void sk_asker_ask(sk_asker *asker, sk_ns now, sk_ns timeout);
// What poll said about remote.socket.
void sk_asker_ready(sk_asker *asker, short events);
// Gives up what is past its deadline.
void sk_asker_expire(sk_asker *asker, sk_ns now);
// Drops the connection (the node is known to be gone).
void sk_asker_reset(sk_asker *asker, const char *why);

#endif
