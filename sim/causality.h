// Events and happens-before (Lamport, Time, clocks and the ordering of events, 1978), with the vector time of each
// event (Fidge 1988; Mattern 1989).
//
//      process 0   ---e1--------e4------->        e1 -> e3, because a message says so;
//                    \         ^                  e2 and e1 are concurrent.
//      process 1   ---e2---e3--/---------->       time of e3: [1,2]: one event of process 0 and two of its own
//
// A process's events are numbered 1, 2, 3, ...; events of all processes have numbers of their own in the order in
// which they were added, which is some order that happens-before allows. Component p of an event's vector time says
// how many events of process p it could know of, itself included. So a -> b iff b's time counts a.
//
// Limits: 80 processes; 4 bytes for each pair of event and process, for as long as the run is looked at.
#ifndef SIM_CAUSALITY_H
#define SIM_CAUSALITY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { SK_CAUSALITY_PROCESSES_MAX = 80 };

enum sk_causal_kind { SK_CAUSAL_INTERNAL, SK_CAUSAL_SEND, SK_CAUSAL_RECEIVE };

typedef struct sk_causal_event {
    enum sk_causal_kind kind;
    uint32_t process;
    uint32_t number;  // among its process's: 1, 2, ...
    uint32_t sent_by; // RECEIVE: the SEND; else 0
} sk_causal_event;

typedef struct sk_causal_line { // a process's events in order; [0] is its number 1
    uint32_t *events;
    uint32_t count, capacity;
} sk_causal_line;

typedef struct sk_causality {
    uint32_t process_count;
    sk_causal_event *events; // by number; [0] unused
    uint32_t count;          // the newest event's number
    uint32_t capacity;
    uint32_t *times; // process_count each
    sk_causal_line lines[SK_CAUSALITY_PROCESSES_MAX];
} sk_causality;

enum sk_causal_order { SK_CAUSAL_SAME, SK_CAUSAL_BEFORE, SK_CAUSAL_AFTER, SK_CAUSAL_CONCURRENT };

void sk_causality_init(sk_causality *causality, uint32_t process_count);
void sk_causality_deinit(sk_causality *causality);
// The new event's number. `sent_by`: for a RECEIVE, an earlier SEND (one may be received twice, or never); else 0.
uint32_t sk_causality_add(sk_causality *causality, enum sk_causal_kind kind, uint32_t process, uint32_t sent_by);
// process_count numbers; valid until the next is added.
const uint32_t *sk_causality_time(const sk_causality *causality, uint32_t event);
bool sk_causality_before(const sk_causality *causality, uint32_t a, uint32_t b); // a -> b
enum sk_causal_order sk_causality_order(const sk_causality *causality, uint32_t a, uint32_t b);
// Why a -> b: a, b and between them events of which each is earlier in its process than the next, or sends what the
// next receives. `out` has room for 2 * the number of messages + 2, which 2 * process_count always is. How many; 0: not a -> b.
size_t sk_causality_chain(const sk_causality *causality, uint32_t a, uint32_t b, uint32_t *out, size_t capacity);
void sk_causality_check(const sk_causality *causality); // aborts if an invariant does not hold

#endif
