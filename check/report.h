// What a check found, whatever it checked: a verdict, one line why, lines for people, and what a picture of it needs.
//
// "Unknown" is a verdict of its own: the check could not run, or ran out of time or memory. It never means "holds".
#ifndef SK_CHECK_REPORT_H
#define SK_CHECK_REPORT_H

#include "check/history.h"

typedef enum sk_verdict { SK_VERDICT_HOLDS, SK_VERDICT_VIOLATED, SK_VERDICT_UNKNOWN } sk_verdict;

// Zero means no limit (of depth_steps: a good one). The checkers never look at a clock: whoever has one answers `late`, asked every few thousand steps.
typedef struct sk_check_limits {
    uint64_t steps;
    uint64_t depth_steps; // of one search in depth, before it is done in layers (linear_layers.c)
    size_t memory; // bytes, about
    bool (*late)(void *context);
    void *context;
} sk_check_limits;

enum sk_mark {
    SK_MARK_CULPRIT,    // what nothing explains; or: on the cycle
    SK_MARK_CONCURRENT, // overlaps the culprit in time, or bears on it
    SK_MARK_PLACED,     // before it, with its place in the best order that was found
};

typedef struct sk_report_operation {
    const sk_check_operation *operation; // of the history, which must outlive the report
    enum sk_mark mark;
    uint32_t place; // in the best order found, from 1; 0: none
} sk_report_operation;

typedef struct sk_report_edge {
    uint32_t from, to; // indexes in `operations`
    const char *label; // "ww", "wr", "rw", "process", "realtime", ...: static
} sk_report_edge;

typedef struct sk_report {
    sk_verdict verdict;
    sk_buffer reason; // one line
    sk_buffer detail; // more lines, each with its newline; may be empty
    sk_report_operation *operations;
    size_t operation_count, operation_capacity;
    sk_report_edge *edges;
    size_t edge_count, edge_capacity;
    sk_buffer states; // the possible ones before the culprit, one a line
    uint64_t steps;   // what the search cost
} sk_report;

void sk_report_init(sk_report *report); // "unknown" until somebody says otherwise
void sk_report_deinit(sk_report *report);
void sk_report_set(sk_report *report, sk_verdict verdict, const char *format, ...) __attribute__((format(printf, 3, 4)));
uint32_t sk_report_add(sk_report *report, const sk_check_operation *operation, enum sk_mark mark, uint32_t place);
void sk_report_add_edge(sk_report *report, uint32_t from, uint32_t to, const char *label);
// "  process 3, line 17: read 4" and a newline, into `detail`.
void sk_report_line(sk_report *report, const char *before, const sk_check_operation *operation);
// The usual reasons for "unknown".
void sk_report_misfit(sk_report *report, const char *model, const sk_check_operation *misfit);
void sk_report_out_of(sk_report *report, const char *what, uint64_t steps); // "time", "memory" or "steps"
const char *sk_verdict_name(sk_verdict verdict);

#endif
