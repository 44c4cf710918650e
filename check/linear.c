#include "check/linear.h"

#include <stdio.h>

#include "base/alloc.h"
#include "check/linear_search.h"
#include "check/parts.h"

enum {
    QUICK_STEPS = 100 * 1000, // every key gets these before any key gets all that is left
    WINDOW_MAX = 24,             // operations beside the culprit that are named
    BEFORE_MAX = 8,              // the last ones of the best order
    STATE_TEXT_MAX = 80,
};

// ---- For people ----

void sk_check_write_state(sk_slice state, sk_buffer *out)
{
    size_t size = state.size;
    while (size && (state.data[size - 1] == '\n' || state.data[size - 1] == '\t')) size--;
    bool cut = size > STATE_TEXT_MAX;
    if (!size) sk_buffer_append_text(out, "empty");
    for (size_t i = 0; i < size && i < STATE_TEXT_MAX; i++) {
        uint8_t c = state.data[i];
        if (c == '\t' && i + 1 < size && state.data[i + 1] == '\n') continue;
        if (c == '\t') sk_buffer_append_byte(out, '=');
        else if (c == '\n') sk_buffer_append_byte(out, ' ');
        else sk_buffer_append_byte(out, c);
    }
    if (cut) sk_buffer_append_text(out, "...");
}

void sk_check_write_states(const sk_slice *states, uint32_t count, uint32_t shown, bool more, sk_buffer *out)
{
    more = more || count > shown;
    if (count > shown) count = shown;
    for (uint32_t i = 0; i < count; i++) {
        if (i) sk_buffer_append_text(out, i + 1 == count && !more ? " or " : ", ");
        sk_check_write_state(states[i], out);
    }
    if (more) sk_buffer_append_text(out, ", ...");
}

static bool overlaps(const sk_check_operation *a, const sk_check_operation *b)
{
    return a->call < b->ret && b->call < a->ret;
}

// The culprit, what ran beside it (completed operations first: an open one may be old), and the end of the best order.
static void report_window(sk_report *report, const sk_check_operation *const *list, uint32_t count,
                          const sk_linear_result *result)
{
    const sk_check_operation *culprit = list[result->culprit];
    uint32_t *place = sk_alloc_zeroed((count + 1) * sizeof *place);
    for (uint32_t i = 0; i < result->order_count; i++) place[result->order[i]] = i + 1;
    sk_report_add(report, culprit, SK_MARK_CULPRIT, 0);
    sk_report_line(report, "  nothing explains  ", culprit);
    uint32_t hidden = 0;
    for (int open = 0; open < 2; open++) {
        for (uint32_t i = 0; i < count; i++) {
            if (i == result->culprit || list[i]->ok == (open == 1) || !overlaps(list[i], culprit)) continue;
            if (report->operation_count > WINDOW_MAX) {
                hidden++;
                continue;
            }
            sk_report_add(report, list[i], SK_MARK_CONCURRENT, place[i]);
            sk_report_line(report, open ? "  still open        " : "  at the same time  ", list[i]);
        }
    }
    if (hidden) sk_buffer_printf(&report->detail, "  and %u more at the same time\n", hidden);
    uint32_t from = result->order_count > BEFORE_MAX ? result->order_count - BEFORE_MAX : 0;
    for (uint32_t i = from; i < result->order_count; i++) {
        const sk_check_operation *operation = list[result->order[i]];
        if (!overlaps(operation, culprit)) sk_report_add(report, operation, SK_MARK_PLACED, i + 1);
    }
    sk_free(place);
}

static void report_violation(sk_report *report, const sk_stepper *stepper, const sk_check_operation *const *list,
                             uint32_t count, const sk_linear_result *result)
{
    const sk_check_operation *culprit = list[result->culprit];
    sk_slice states[SK_LINEAR_STATES_MAX];
    for (uint32_t i = 0; i < result->state_count; i++) {
        states[i] = stepper->states.texts[result->states[i]];
        sk_check_write_state(states[i], &report->states);
        sk_buffer_append_byte(&report->states, '\n');
    }
    sk_buffer what = {0}, before = {0};
    sk_check_operation_write(culprit, &what);
    sk_check_write_states(states, result->state_count, 6, result->more_states, &before);
    sk_report_set(report, SK_VERDICT_VIOLATED, "nothing explains \"%.*s\" of process %lld (line %zu); the state before was %.*s",
                  (int)what.size, (const char *)what.data, (long long)culprit->process, culprit->line, (int)before.size,
                  (const char *)before.data);
    report_window(report, list, count, result);
    sk_buffer_printf(&report->detail, "  possible before   %.*s\n", (int)before.size, (const char *)before.data);
    sk_buffer_deinit(&what);
    sk_buffer_deinit(&before);
}

// ---- One key, all keys ----

static sk_verdict check_part(const sk_parts *parts, uint32_t part, const sk_model *model, sk_check_budget *budget,
                             sk_report *report)
{
    const sk_check_operation *const *list = &parts->list[parts->begin[part]];
    uint32_t count = parts->begin[part + 1] - parts->begin[part];
    sk_stepper stepper;
    sk_linear_result result;
    sk_stepper_init(&stepper, model);
    sk_linear_search(&stepper, list, count, budget, &result);
    sk_verdict verdict = result.verdict;
    if (verdict == SK_VERDICT_VIOLATED) report_violation(report, &stepper, list, count, &result);
    else if (stepper.misfit) sk_report_misfit(report, model->name, stepper.misfit);
    if (parts->count == 1 && verdict == SK_VERDICT_HOLDS) {
        for (uint32_t i = 0; i < result.order_count; i++) sk_report_add(report, list[result.order[i]], SK_MARK_PLACED, i + 1);
    }
    sk_linear_result_deinit(&result);
    sk_stepper_deinit(&stepper);
    return verdict;
}

static sk_verdict check_with(const sk_parts *parts, uint32_t part, const sk_model *model, const sk_check_limits *limits,
                             sk_report *report, bool *out_of)
{
    sk_check_budget budget = {.limits = *limits};
    sk_verdict verdict = check_part(parts, part, model, &budget, report);
    report->steps += budget.steps;
    *out_of = verdict == SK_VERDICT_UNKNOWN && budget.out_of;
    if (*out_of) sk_report_out_of(report, budget.out_of, report->steps);
    return verdict;
}

// Keys get their steps in two rounds: a few each, so that one hard key hides no violation of another; then all that is left.
static sk_verdict check_parts(const sk_parts *parts, const sk_model *model, const sk_check_limits *limits, sk_report *report)
{
    sk_check_limits quick = *limits;
    if (!limits->steps || limits->steps > QUICK_STEPS) quick.steps = QUICK_STEPS;
    bool *open = sk_alloc_zeroed(parts->count + 1);
    memset(open, true, parts->count);
    sk_verdict verdict = SK_VERDICT_HOLDS;
    for (int round = parts->count > 1 ? 0 : 1; round < 2; round++) {
        for (uint32_t part = 0; part < parts->count && verdict == SK_VERDICT_HOLDS; part++) {
            if (!open[part]) continue;
            verdict = check_with(parts, part, model, round ? limits : &quick, report, &open[part]);
            if (!round && open[part]) verdict = SK_VERDICT_HOLDS; // so far
        }
    }
    sk_free(open);
    return verdict;
}

void sk_check_linear(const sk_check_history *history, const sk_model *model, const sk_check_limits *limits, sk_report *report)
{
    sk_parts parts;
    sk_parts_init(&parts, history, !model->single_key);
    sk_verdict verdict = check_parts(&parts, model, limits, report);
    if (verdict == SK_VERDICT_HOLDS) {
        sk_report_set(report, verdict, "linearizable: %zu operations, %u %s, %llu steps", history->count, parts.count,
                      parts.count == 1 ? "part" : "keys", (unsigned long long)report->steps);
    }
    sk_parts_deinit(&parts);
}
