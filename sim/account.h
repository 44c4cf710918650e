// A chronicle read back: the events of a run with their texts and vector times, and the marks between them.
#ifndef SIM_ACCOUNT_H
#define SIM_ACCOUNT_H

#include "base/arena.h"
#include "sim/chronicle.h"

typedef struct sk_account_event {
    sk_ns time;
    enum sk_topic topic;
    uint32_t received; // SEND: how often it arrived
    uint32_t peer;     // the other process of a message
    const char *text;  // without process and kind: "VOTE term 5 last 12"
} sk_account_event;

typedef struct sk_account_mark {
    sk_ns time;
    uint32_t after; // the newest event then; 0: none yet
    enum sk_mark mark;
    // CUT, UNCUT: from, to. FAULT: its number in the plan, and the newest event before it struck, behind which it is put:
    // it is written when it is known to have struck. FAILED: the event that failed, or 0
    uint32_t a, b;
    const char *text;
} sk_account_mark;

typedef struct sk_account {
    uint32_t node_count, client_count; // processes: nodes 1... are 0..., then clients, the last the auditor
    sk_causality causality;
    sk_account_event *events; // by number; [0] unused
    uint32_t capacity;
    sk_account_mark *marks;
    uint32_t mark_count, mark_capacity;
    sk_arena texts;
} sk_account;

// Reads all records from the start of `in`. False: they are no chronicle, or end in the middle of its head.
bool sk_account_read(sk_account *account, FILE *in);
void sk_account_deinit(sk_account *account);
// "n2", "c3", "audit"
void sk_account_process(const sk_account *account, uint32_t process, char out[16]);
// The whole event as one line without its number and times: "n2 send VOTE term 5 -> n3".
void sk_account_line(const sk_account *account, uint32_t event, sk_buffer *out);
// The event at which a run that ended with `problem` failed: the newest of the process that the check looked at; else
// the newest that names a key which the problem names, or of the node or client that it names; else the newest. 0: there
// are no events.
uint32_t sk_account_failure(const sk_account *account, const char *problem);
// Does the text name a key that the problem names?
bool sk_account_names(const char *problem, const char *text);

#endif
