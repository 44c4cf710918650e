// Reads that ask nobody: on what this node has applied (docs/guarantees.md).
//
//   local     at once, on whatever has been applied here
//   session   as soon as this node has applied every write that any connection of it has had answered: so never older than what
//             this connection has written or, since the applied state never goes back in one life of a node, read here
#ifndef SK_NODE_LOCAL_READS_H
#define SK_NODE_LOCAL_READS_H

#include "base/bytes.h"
#include "base/list.h"
#include "base/time.h"

typedef struct sk_client sk_client;
typedef struct sk_space sk_space;

typedef struct sk_local_reads {
    sk_list waiting; // session reads, oldest first
    size_t count;
} sk_local_reads;

void sk_local_reads_init(sk_local_reads *reads);
void sk_local_reads_deinit(sk_local_reads *reads);
// `session`: else local. The reply arrives in the client's slot, perhaps at once. Counts towards sk_reads_full while it waits.
void sk_local_reads_add(sk_space *space, sk_client *client, uint64_t slot, uint8_t resp, size_t argc, const sk_slice *argv,
                        bool session);
void sk_local_reads_turn(sk_space *space); // those whose state has come, or whose time is over
void sk_local_reads_leave(sk_space *space); // the space has been dropped
sk_ns sk_local_reads_deadline(const sk_space *space);

#endif
