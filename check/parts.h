// A history by key: what each key's operations are, in order of call.
#ifndef SK_CHECK_PARTS_H
#define SK_CHECK_PARTS_H

#include "check/history.h"
#include "check/intern.h"

typedef struct sk_parts {
    const sk_check_operation **list; // the operations, part by part
    uint32_t *begin;                 // where each part begins in the list, and at [count] where the last ends
    uint32_t count;
    sk_intern keys; // the text of each part's key; empty: operations without one
} sk_parts;

// `together`: one part, whatever the keys.
void sk_parts_init(sk_parts *parts, const sk_check_history *history, bool together);
void sk_parts_deinit(sk_parts *parts);

#endif
