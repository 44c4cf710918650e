#include "sim/tell.h"

#include <inttypes.h>
#include "base/alloc.h"

sk_selection sk_select_window(const sk_account *account, const sk_window *window)
{
    uint32_t count = account->causality.count;
    sk_selection made = {.events = sk_alloc((count + 1) * sizeof *made.events)};
    uint32_t first = 1, end = count + 1;
    while (first < end && account->events[first].time < window->from) first++;
    while (end > first && account->events[end - 1].time > window->to) end--;
    if (window->last && end - first > window->last) first = end - window->last;
    for (uint32_t event = first; event < end; event++) made.events[made.count++] = event;
    while (made.mark < account->mark_count && account->marks[made.mark].after + 1 < first) made.mark++;
    return made;
}

void sk_selection_deinit(sk_selection *selection)
{
    sk_free(selection->events);
    *selection = (sk_selection){0};
}

static void print_time(sk_ns time, FILE *out)
{
    fprintf(out, "%4" PRIu64 ".%06" PRIu64 " ", time / SK_S, time % SK_S / SK_US);
}

// ---- Marks ----

void sk_account_groups(const sk_account *account, uint32_t end, uint32_t groups[])
{
    bool cut[SK_VOTERS_MAX + 1][SK_VOTERS_MAX + 1] = {{false}};
    for (uint32_t i = 0; i < end; i++) {
        const sk_account_mark *mark = &account->marks[i];
        if (mark->mark != SK_MARK_CUT && mark->mark != SK_MARK_UNCUT) continue;
        if (mark->a <= SK_VOTERS_MAX && mark->b <= SK_VOTERS_MAX) cut[mark->a][mark->b] = mark->mark == SK_MARK_CUT;
    }
    uint32_t nodes = account->node_count;
    for (uint32_t a = 1; a <= nodes; a++) groups[a] = a;
    for (uint32_t round = 0; round < nodes; round++) {
        for (uint32_t a = 1; a <= nodes; a++) {
            for (uint32_t b = 1; b <= nodes; b++) {
                if (a != b && !(cut[a][b] && cut[b][a]) && groups[b] < groups[a]) groups[a] = groups[b];
            }
        }
    }
}

// "n1 n3 | n2", or the directions when that does not say it.
static void tell_cuts(const sk_account *account, uint32_t first, uint32_t end, sk_buffer *out)
{
    uint32_t groups[SK_VOTERS_MAX + 1], count = 0;
    sk_account_groups(account, end, groups);
    for (uint32_t group = 1; group <= account->node_count; group++) {
        bool any = false;
        for (uint32_t a = 1; a <= account->node_count; a++) {
            if (groups[a] != group) continue;
            sk_buffer_printf(out, "%sn%" PRIu32, any ? " " : count ? " | " : "partition ", a);
            any = true;
        }
        count += any;
    }
    if (count > 1) return;
    out->size = 0;
    for (int cut = 1; cut >= 0; cut--) {
        const char *between = cut ? "cut " : out->size ? "; open again " : "open again ";
        for (uint32_t i = first; i < end; i++) {
            if ((account->marks[i].mark == SK_MARK_CUT) != cut) continue;
            sk_buffer_printf(out, "%sn%" PRIu32 "->n%" PRIu32, between, account->marks[i].a, account->marks[i].b);
            between = ", ";
        }
    }
}

static bool is_cut(const sk_account_mark *mark)
{
    return mark->mark == SK_MARK_CUT || mark->mark == SK_MARK_UNCUT;
}

uint32_t sk_tell_marks(const sk_account *account, uint32_t mark, sk_buffer *out)
{
    const sk_account_mark *first = &account->marks[mark];
    uint32_t end = mark + 1;
    switch (first->mark) {
    case SK_MARK_FAULT:
        sk_buffer_printf(out, "fault %" PRIu32 ": %s", first->a, first->text);
        break;
    case SK_MARK_FAILED:
        sk_buffer_printf(out, "FAILED: %s", first->text);
        break;
    case SK_MARK_STAGE:
        sk_buffer_append_text(out, first->text);
        break;
    case SK_MARK_CUT:
    case SK_MARK_UNCUT:
        while (end < account->mark_count && is_cut(&account->marks[end]) && account->marks[end].time == first->time) end++;
        tell_cuts(account, mark, end, out);
        break;
    }
    return end;
}

// Those that stand before event `until`; from `mark` on. The next one.
static uint32_t print_marks(const sk_account *account, uint32_t mark, uint32_t until, FILE *out, uint32_t *lines)
{
    sk_buffer text = {0};
    while (mark < account->mark_count && account->marks[mark].after < until) {
        sk_ns time = account->marks[mark].time;
        sk_buffer_clear(&text);
        mark = sk_tell_marks(account, mark, &text);
        fputs("------- ", out);
        print_time(time, out);
        fprintf(out, "%.*s\n", (int)text.size, (const char *)text.data);
        (*lines)++;
    }
    sk_buffer_deinit(&text);
    return mark;
}

// ---- Events ----

static void print_head(const sk_account *account, uint32_t event, FILE *out)
{
    fprintf(out, "e%-6" PRIu32 " ", event);
    print_time(account->events[event].time, out);
}

void sk_tell_event(const sk_account *account, uint32_t event, FILE *out)
{
    sk_buffer line = {0};
    sk_account_line(account, event, &line);
    print_head(account, event, out);
    fprintf(out, "%.*s [", (int)line.size, (const char *)line.data);
    const uint32_t *time = sk_causality_time(&account->causality, event);
    for (uint32_t i = 0; i < account->causality.process_count; i++) fprintf(out, "%s%" PRIu32, i ? "," : "", time[i]);
    fputs("]\n", out);
    sk_buffer_deinit(&line);
}

void sk_tell_window(const sk_account *account, const sk_selection *selection, FILE *out)
{
    uint32_t mark = selection->mark, lines = 0;
    for (uint32_t i = 0; i < selection->count; i++) {
        mark = print_marks(account, mark, selection->events[i], out, &lines);
        sk_tell_event(account, selection->events[i], out);
    }
    bool to_the_end = !selection->count || selection->events[selection->count - 1] == account->causality.count;
    if (to_the_end) print_marks(account, mark, UINT32_MAX, out, &lines);
}

uint32_t sk_tell_essence(const sk_account *account, const sk_selection *selection, FILE *out)
{
    uint32_t mark = selection->mark, lines = 0;
    sk_buffer line = {0};
    for (uint32_t i = 0; i < selection->count; i++) {
        uint32_t event = selection->events[i];
        const sk_causal_event *causal = &account->causality.events[event];
        if (causal->kind == SK_CAUSAL_SEND && account->events[event].received) continue;
        mark = print_marks(account, mark, event, out, &lines);
        sk_buffer_clear(&line);
        sk_account_line(account, event, &line);
        print_head(account, event, out);
        fprintf(out, "%.*s", (int)line.size, (const char *)line.data);
        if (causal->sent_by) fprintf(out, " (e%" PRIu32 ")", causal->sent_by);
        fputc('\n', out);
        lines++;
    }
    sk_buffer_deinit(&line);
    print_marks(account, mark, UINT32_MAX, out, &lines);
    return lines;
}

void sk_tell_order(const sk_account *account, uint32_t a, uint32_t b, FILE *out)
{
    static const char *const says[] = {"is the same as", "happened before", "happened after", "is concurrent with"};
    enum sk_causal_order order = sk_causality_order(&account->causality, a, b);
    fprintf(out, "e%" PRIu32 " %s e%" PRIu32 "\n", a, says[order], b);
    if (order == SK_CAUSAL_SAME || order == SK_CAUSAL_CONCURRENT) {
        sk_tell_event(account, a, out);
        if (a != b) sk_tell_event(account, b, out);
        return;
    }
    uint32_t chain[2 * SK_CAUSALITY_PROCESSES_MAX];
    bool before = order == SK_CAUSAL_BEFORE;
    size_t count = sk_causality_chain(&account->causality, before ? a : b, before ? b : a, chain,
                                      2 * account->causality.process_count);
    for (size_t i = 0; i < count; i++) {
        if (i)
            fprintf(out, "  %s\n", account->causality.events[chain[i]].sent_by == chain[i - 1]
                                       ? "which sends what is received in"
                                       : "which is earlier in the same process than");
        sk_tell_event(account, chain[i], out);
    }
}
