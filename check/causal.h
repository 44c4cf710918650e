// Consistency that follows from who saw what: causal, read-your-writes, monotonic reads.
//
// Happens-before is what every session did in its own order, and a write before who read it, and what follows from these. So that
// a read tells whose write it saw, no value may be written twice to a key (nil, the first value, never): else "unknown". Operations
// are those of registers: read, write, cas; get, put.
//
//   causal (Bouajjani et al. 2017, the bad patterns of CC)   the order has no cycle; nobody reads what nobody wrote, nor a value
//       that a later write before the read has replaced, nor nil after a write; and no session sees one value, another, and the
//       first again (which causal memory and causal convergence both forbid)
//   read-your-writes   the same for a session's reads and its own writes
//   monotonic reads    the same for a session's reads and what it read before
#ifndef SK_CHECK_CAUSAL_H
#define SK_CHECK_CAUSAL_H

#include "check/checker.h"

void sk_check_causal(const sk_check_history *history, sk_consistency what, const sk_check_limits *limits, sk_report *report);

#endif
