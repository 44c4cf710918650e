// An account as lines for people, and the part of it that a failure's reader needs.
#ifndef SIM_TELL_H
#define SIM_TELL_H

#include "sim/account.h"

// Which events: of a stretch of virtual time, or the last so many of it.
typedef struct sk_window {
    sk_ns from, to; // 0, SK_NEVER: all
    uint32_t last;  // 0: all
} sk_window;

typedef struct sk_selection { // in order
    uint32_t *events;
    uint32_t count;
    uint32_t mark; // the first to be told with them
} sk_selection;

sk_selection sk_select_window(const sk_account *account, const sk_window *window);
// Of the causal past of `failure` what fits into `lines_max` lines with the marks before it: crashes, changes of role and
// what names the problem's keys first, then votes and entries, heartbeats last; of what is alike the newest. A message that
// arrived counts as one line, though both its events are selected.
sk_selection sk_select_essence(const sk_account *account, uint32_t failure, const char *problem, uint32_t lines_max);
void sk_selection_deinit(sk_selection *selection);

// "e17 12.345678 n2 send VOTE term 5 -> n3 [3,7,0]"
void sk_tell_event(const sk_account *account, uint32_t event, FILE *out);
// Every event of the selection with its vector time, the marks at their places.
void sk_tell_window(const sk_account *account, const sk_selection *selection, FILE *out);
// Likewise, but a message that arrived is told once, at its arrival. Returns how many lines.
uint32_t sk_tell_essence(const sk_account *account, const sk_selection *selection, FILE *out);
// Whether a happened before b, and a chain of events that proves it.
void sk_tell_order(const sk_account *account, uint32_t a, uint32_t b, FILE *out);

// Marks that stand together become one line: "cut n1|n2 n3", "fault 3 power-cut". The next mark after those told.
uint32_t sk_tell_marks(const sk_account *account, uint32_t mark, sk_buffer *out);
// With the cuts among the first `marks` marks: the least node of those that each node reaches one way or the other,
// directly or not, by id (room for SK_VOTERS_MAX + 1).
void sk_account_groups(const sk_account *account, uint32_t marks, uint32_t groups[]);

#endif
