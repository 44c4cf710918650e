// The workload: clients that speak RESP to any node over connections that may be slow, cut up and abandoned,
// and write down what they asked and got. `CLUSTERDOWN` and `OOM` are certain refusals; `UNKNOWN`, a client's
// own time limit and a lost connection leave the outcome open.
//
// At the end, when all is healed, every client must get a write through; then an auditor reads every key ever
// used.
#ifndef SIM_CLIENTS_H
#define SIM_CLIENTS_H

#include "sim/history.h"
#include "sim/judge.h"
#include "sim/world.h"

enum sk_clients_stage {
    SK_CLIENTS_WORK,  // until told otherwise
    SK_CLIENTS_PROVE, // finish what is under way; one write each must succeed
    SK_CLIENTS_AUDIT, // the auditor reads all keys
    SK_CLIENTS_FOUND, // before all else, where there is a mergeable space: the auditor creates it, the others wait
};

sk_clients *sk_clients_open(sk_world *world, sk_prng prng);
void sk_clients_close(sk_clients *clients);
void sk_clients_stage_set(sk_clients *clients, enum sk_clients_stage stage);
bool sk_clients_stage_done(const sk_clients *clients);
void sk_clients_calm(sk_clients *clients, bool calm);
// Says who has not got through; for a run that is stuck.
void sk_clients_describe(const sk_clients *clients, char *out, size_t size);
// The whole history, when the audit is over.
void sk_clients_check(sk_clients *clients);
sk_history *sk_clients_history(sk_clients *clients); // all that was asked
size_t sk_clients_operations(const sk_clients *clients);      // asked for
uint64_t sk_clients_acknowledged(const sk_clients *clients); // answered with a result
// Has anything been, of what was asked at `start` or later?
bool sk_clients_acknowledged_since(const sk_clients *clients, sk_ns start);
const sk_judge_counts *sk_clients_judged(const sk_clients *clients);

void sk_clients_event(sk_clients *clients, const sk_heap_event *event); // CLIENT, REQUEST, REPLY, SLOW_READ

// The disk of this node loses what came after `since`; its process is about to die. What nobody else has of it may be lost.
void sk_clients_doubt(sk_clients *clients, sk_node_id id, sk_ns since);

// A node on an old backup has given up this life: what it wrote in it may be lost (docs/crdt.md).
void sk_clients_doubt_life(sk_clients *clients, uint64_t actor);

// What the node's host operations lead to.
void sk_clients_output(sk_clients *clients, void *handle, sk_buffer *out);
void sk_clients_node_closes(sk_clients *clients, void *handle, sk_buffer *out);
void sk_clients_node_resumes(sk_clients *clients, void *handle);
void sk_clients_stopped(sk_clients *clients, sk_node_id id); // its process is gone
void sk_clients_resumed(sk_clients *clients, sk_node_id id); // it runs again after a pause

#endif
