// Moving a snapshot to a peer that needs more than the log holds: the file as it is on disk, in pieces, resumable.
//
//     sender                                              receiver
//     OFFER position epoch size sender's boot  ------->   has it already? -> DONE   busy or broken? -> FAILED
//                                              <-------   ACCEPT offset (what it kept of the same offer before)
//     PIECE offset bytes ...                   ------->   to the disk
//       (at most snapshot-inflight-max ahead)  <-------   ACCEPT offset
//                                              <-------   DONE (verified, durable, restored) or FAILED
//
// All frames name position and the sender's boot, so that a late one of an older transfer is recognised. An offer that nobody
// answers is repeated every SK_TRANSFER_REPEAT. A transfer that makes no progress for SK_TRANSFER_SILENCE is given up; the
// protocol asks again when it still needs it.
#ifndef SK_NODE_TRANSFER_H
#define SK_NODE_TRANSFER_H

#include "base/list.h"
#include "base/time.h"
#include "protocol/machine.h"
#include "protocol/protocol.h"
#include "store/snapshot.h"
#include "wire/frame.h"

typedef struct sk_space sk_space;

#define SK_TRANSFER_SILENCE (10 * SK_S)
#define SK_TRANSFER_REPEAT  SK_S
enum { SK_TRANSFER_PIECE_SIZE = 64 * 1024 };

typedef struct sk_outgoing sk_outgoing; // one peer that is being sent one
typedef struct sk_incoming sk_incoming; // the one that we are being sent

typedef struct sk_transfers {
    sk_list outgoing;
    sk_incoming *incoming;
    sk_list incomings; // it, and those given up whose file is not closed yet
} sk_transfers;

void sk_transfers_init(sk_transfers *transfers);
void sk_transfers_deinit(sk_space *space);
// The protocol offers `to` a snapshot of at least that position: start when there is one (a fresh one is taken if not).
void sk_transfer_offer(sk_space *space, sk_node_id to, uint64_t at_least);
void sk_transfer_receive(sk_space *space, sk_node_id from, const sk_frame *frame);
void sk_transfer_link_down(sk_space *space, sk_node_id peer);
// Pieces, restores, time limits. True: there is more to do at once.
bool sk_transfer_work(sk_space *space);
sk_ns sk_transfer_deadline(const sk_space *space);
// The space is dropped: what is under way is given up; quiet says when nothing of it is with the disk any more.
void sk_transfers_abort(sk_space *space);
bool sk_transfers_quiet(const sk_space *space);
bool sk_transfer_installing(const sk_space *space);
size_t sk_transfer_held(const sk_space *space); // bytes of the one that we are being sent, in memory until the disk takes them

#endif
