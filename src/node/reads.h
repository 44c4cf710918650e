// Linearizable reads of this node's clients in one space. All reads of a turn share one round of the protocol.
//
//     gathering --(end of turn: one read event)--> asked --(query)--> run here, answered
//                          ^                         |
//                          +----- refused: again ----+        request-timeout: CLUSTERDOWN
#ifndef SK_NODE_READS_H
#define SK_NODE_READS_H

#include "base/arena.h"
#include "base/list.h"
#include "base/time.h"

typedef struct sk_client sk_client;
typedef struct sk_space sk_space;

typedef struct sk_read_item {
    struct sk_read_item *next;
    sk_client *client;
    uint64_t slot;
    sk_slice command; // encoded, in the group's arena
    uint64_t routing; // the version that it was routed by
    uint8_t resp;
} sk_read_item;

typedef struct sk_read_group {
    sk_list link;
    uint64_t id; // with SK_READ_REQUEST set: the protocol's request
    sk_ns deadline, retry_at;
    bool asked;
    sk_arena arena;
    sk_read_item *first, *last;
    size_t count, bytes; // of items, of their commands
} sk_read_group;

typedef struct sk_reads {
    sk_read_group *gathering; // NULL: none this turn
    sk_list groups;           // asked or to be asked again, oldest first
    uint64_t next_id;
    size_t count, bytes;      // of items in groups, of their commands
} sk_reads;

// Marks a request number as a read group's (others are origins' submits).
#define SK_READ_REQUEST ((uint64_t)1 << 63)

void sk_reads_init(sk_reads *reads);
void sk_reads_spare_free(sk_list *spare); // node->read_spare
void sk_reads_deinit(sk_reads *reads);
// True when it should take no more for now: as many bytes of commands wait as an origin may hold.
bool sk_reads_full(const sk_space *space);
void sk_reads_add(sk_space *space, sk_client *client, uint64_t slot, uint8_t resp, size_t argc, const sk_slice *argv);
// One read, now, on what is applied here: the slot is answered then or later.
void sk_reads_run(sk_space *space, sk_client *client, uint64_t slot, uint8_t resp, uint64_t routing, sk_slice command,
                  sk_ns deadline);
void sk_reads_query(sk_space *space, uint64_t id);            // the protocol says: run it now
void sk_reads_refused(sk_space *space, uint64_t id, int why); // ask again soon
// The space has been dropped: all are routed again.
void sk_reads_leave(sk_space *space);
void sk_reads_turn(sk_space *space);
sk_ns sk_reads_deadline(const sk_space *space);

#endif
