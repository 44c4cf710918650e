// A history: what clients asked and what they were told, in the order it happened.
//
// Read from Jepsen's operation maps (EDN: one a line, or all in one vector or list) and from JSON lines. Each event has :process
// :type (:invoke :ok :fail :info) :f and :value; :key optional (or, keyed, as the first of a `:value [key v]`). An :invoke is
// completed by the next event of its process. :fail: it certainly did not happen, and is left out. :info or no completion: it may
// have happened at any time since. Events of processes that are no number (:nemesis) are skipped.
#ifndef SK_CHECK_HISTORY_H
#define SK_CHECK_HISTORY_H

#include "check/datum.h"

enum { SK_NO_RETURN = UINT32_MAX };

typedef struct sk_check_operation {
    int64_t process;
    uint32_t call;     // index of the event that began it
    uint32_t ret;      // of the one that ended it; SK_NO_RETURN: open for ever
    bool ok;           // completed with :ok: `output` is what the client saw
    const char *f;     // interned: equal names have equal pointers
    const sk_datum *key; // NULL: none
    const sk_datum *input;
    const sk_datum *output;
    size_t line;
} sk_check_operation;

typedef struct sk_check_history {
    sk_check_operation *list; // ordered by call
    size_t count, capacity;
    sk_check_operation *failed; // the :fail ones, which transactions' checkers want (reads of aborted writes)
    size_t failed_count, failed_capacity;
    uint32_t events;
    sk_arena arena;
    char error[160];
} sk_check_history;

typedef struct sk_check_history_options {
    bool keyed;
} sk_check_history_options;

// 0 or SK_EPROTOCOL with history->error ("line 12: ..."). `input` may be dropped afterwards.
int sk_check_history_read(sk_check_history *history, sk_slice input, const sk_check_history_options *options);
void sk_check_history_deinit(sk_check_history *history);

// For those who record one themselves (the simulator): the data are copied as text and read back.
// A line of our own form, {:process p, :type :ok, :f :read, ...}; value and key are EDN or NULL.
void sk_check_history_write_event(sk_buffer *out, int64_t process, const char *type, const char *f, const char *key,
                            const char *value);
void sk_check_operation_write(const sk_check_operation *operation, sk_buffer *out); // one line for people

#endif
