#include "check/report.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/alloc.h"

void sk_report_init(sk_report *report)
{
    *report = (sk_report){.verdict = SK_VERDICT_UNKNOWN};
}

void sk_report_deinit(sk_report *report)
{
    sk_buffer_deinit(&report->reason);
    sk_buffer_deinit(&report->detail);
    sk_buffer_deinit(&report->states);
    sk_free(report->operations);
    sk_free(report->edges);
    *report = (sk_report){.verdict = SK_VERDICT_UNKNOWN};
}

void sk_report_set(sk_report *report, sk_verdict verdict, const char *format, ...)
{
    char text[400];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    report->verdict = verdict;
    sk_buffer_clear(&report->reason);
    sk_buffer_append_text(&report->reason, text);
}

uint32_t sk_report_add(sk_report *report, const sk_check_operation *operation, enum sk_mark mark, uint32_t place)
{
    if (report->operation_count == report->operation_capacity) {
        report->operation_capacity = report->operation_capacity ? report->operation_capacity * 2 : 16;
        report->operations = sk_realloc(report->operations, report->operation_capacity * sizeof *report->operations);
    }
    report->operations[report->operation_count] =
        (sk_report_operation){.operation = operation, .mark = mark, .place = place};
    return (uint32_t)report->operation_count++;
}

void sk_report_add_edge(sk_report *report, uint32_t from, uint32_t to, const char *label)
{
    if (report->edge_count == report->edge_capacity) {
        report->edge_capacity = report->edge_capacity ? report->edge_capacity * 2 : 16;
        report->edges = sk_realloc(report->edges, report->edge_capacity * sizeof *report->edges);
    }
    report->edges[report->edge_count++] = (sk_report_edge){.from = from, .to = to, .label = label};
}

void sk_report_line(sk_report *report, const char *before, const sk_check_operation *operation)
{
    sk_buffer_printf(&report->detail, "%sprocess %lld, line %zu: ", before, (long long)operation->process, operation->line);
    sk_check_operation_write(operation, &report->detail);
    sk_buffer_append_byte(&report->detail, '\n');
}

void sk_report_misfit(sk_report *report, const char *model, const sk_check_operation *misfit)
{
    sk_buffer what = {0};
    sk_check_operation_write(misfit, &what);
    sk_report_set(report, SK_VERDICT_UNKNOWN, "the model %s does not know \"%.*s\" (line %zu)", model, (int)what.size,
                  (const char *)what.data, misfit->line);
    sk_buffer_deinit(&what);
}

void sk_report_out_of(sk_report *report, const char *what, uint64_t steps)
{
    sk_report_set(report, SK_VERDICT_UNKNOWN, "out of %s after %llu steps; nothing wrong was found so far", what,
                  (unsigned long long)steps);
}

const char *sk_verdict_name(sk_verdict verdict)
{
    switch (verdict) {
    case SK_VERDICT_HOLDS: return "holds";
    case SK_VERDICT_VIOLATED: return "violated";
    case SK_VERDICT_UNKNOWN: break;
    }
    return "unknown";
}
