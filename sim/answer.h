// Reading the few kinds of reply that the workload's commands have. Written apart from src/redis, so that a
// bug there is not mirrored here.
#ifndef SIM_ANSWER_H
#define SIM_ANSWER_H

#include "sim/history.h"

enum sk_answer_kind {
    SK_ANSWER_OK, // +OK
    SK_ANSWER_NULL,
    SK_ANSWER_NUMBER,
    SK_ANSWER_TEXT,
    SK_ANSWER_ARRAY,   // of texts: `text` is all of it, to be parsed item by item
    SK_ANSWER_DOWN,    // an error that means: certainly not done, since too few others can be reached, or this node cannot
    SK_ANSWER_REFUSED, // an error that means: certainly not done
    SK_ANSWER_FULL,    // likewise, because the space is full
    SK_ANSWER_UNKNOWN, // an error that means: may or may not be done
    SK_ANSWER_ODD,     // anything else; text says what
};

typedef struct sk_answer {
    enum sk_answer_kind kind;
    sk_slice text; // borrowed
    int64_t number;
    bool late; // an error that says that this node did not come to it in time
} sk_answer;

// 1 and `*used`, 0: more is needed, -1: not a reply.
int sk_answer_parse(sk_slice input, sk_answer *out, size_t *used);
// Outcome and result of the operation that it answers. False: it is no possible answer; `problem` says why.
bool sk_answer_settle(const sk_answer *answer, sk_operation *operation, char *problem, size_t size);

#endif
