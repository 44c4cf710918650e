// Judges what clients saw of a key of a mergeable space. Every read, and at last the audit's, must be one that the algebra allows:
//
//   set        an element is there iff some add of it is visible that no visible remove had observed
//   register   a value is shown that no visible write or delete had observed; none only if deletes had observed all
//   counter    the sum of the visible counts that no visible delete had observed
//   map        of each field the same: registers and counters
//   lease      nothing is gone before the earliest of the deadlines that could count has passed on the fastest clock; nothing is shown when
//              the last of them has passed where it was read
//
// Operation A is *surely visible* to B when B's node, before B ran, had seen what A's node had seen when A was acknowledged; or when A had
// been acknowledged by the same node before B was asked, and that node's disk has lost nothing since (read your writes, in one life and
// over a crash). It is *possibly visible* when it may have been among what B's node could show when B's answer left. What lies
// between, and what has no acknowledgement, may count or not; so may what a node had acknowledged that lost its disk before anybody else
// had it. To the audit everything is visible: nothing acknowledged may be missing, and nothing may be there that nobody asked for.
#ifndef SIM_MERGE_CHECK_H
#define SIM_MERGE_CHECK_H

#include "sim/judge.h"
#include "sim/merging.h"

// False: `problem` (size bytes) says what is wrong.
bool sk_merge_check(const sk_history *history, const sk_keys *keys, uint32_t index, const sk_merging *merging,
                    sk_judge_counts *counts, char *problem, size_t size);

#endif
