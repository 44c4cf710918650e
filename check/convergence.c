#include "check/convergence.h"

#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "check/parts.h"

typedef struct part {
    const sk_model *model;
    const sk_check_operation *const *list;
    uint32_t count;
    sk_slice key;
    const sk_check_operation **reads; // the last of each process after all changes
    uint32_t read_count;
    bool open; // a change of unknown outcome exists
    sk_report *report;
} part;

static bool is(const sk_check_operation *operation, const char *name)
{
    return strcmp(operation->f, name) == 0;
}

static bool looks(const sk_check_operation *operation)
{
    return is(operation, "read") || is(operation, "get");
}

static bool is_model(const part *p, const char *name)
{
    return strcmp(p->model->name, name) == 0;
}

// What a read saw, so that equal sets are equal however they are listed.
static void write_seen(const part *p, const sk_check_operation *read, sk_buffer *out)
{
    sk_datum value = *read->output;
    if (is_model(p, "set") && value.type == SK_DATUM_LIST) value.type = SK_DATUM_SET;
    sk_buffer_clear(out);
    sk_datum_write(&value, out);
}

static void find_reads(part *p)
{
    uint32_t quiet = 0;
    bool changed = false;
    for (uint32_t i = 0; i < p->count; i++) {
        const sk_check_operation *operation = p->list[i];
        if (looks(operation)) continue;
        uint32_t until = operation->ok ? operation->ret : operation->call;
        if (until > quiet) quiet = until;
        p->open |= !operation->ok;
        changed = true;
    }
    for (uint32_t i = 0; i < p->count; i++) {
        const sk_check_operation *operation = p->list[i];
        if (!operation->ok || !looks(operation) || (changed && operation->call < quiet)) continue;
        uint32_t at = 0;
        while (at < p->read_count && p->reads[at]->process != operation->process) at++;
        p->reads[at] = operation;
        if (at == p->read_count) p->read_count++;
    }
}

static void say(const part *p, sk_verdict verdict, const char *what, const sk_check_operation *a, const sk_check_operation *b)
{
    sk_buffer text = {0};
    if (p->key.size) {
        sk_buffer_append_text(&text, "key ");
        sk_buffer_append_slice(&text, p->key);
        sk_buffer_append_text(&text, ": ");
    }
    sk_buffer_append_text(&text, what);
    const sk_check_operation *both[] = {a, b};
    for (int i = 0; i < 2 && both[i]; i++) {
        sk_buffer_append_text(&text, i ? " and \"" : " \"");
        sk_check_operation_write(both[i], &text);
        sk_buffer_printf(&text, "\" of process %lld (line %zu)", (long long)both[i]->process, both[i]->line);
        sk_report_add(p->report, both[i], i ? SK_MARK_CONCURRENT : SK_MARK_CULPRIT, 0);
        sk_report_line(p->report, "  ", both[i]);
    }
    sk_report_set(p->report, verdict, "%.*s", (int)text.size, (const char *)text.data);
    sk_buffer_deinit(&text);
}

// May an open write be the reason that a register reads as `value`?
static bool open_writes(const part *p, const sk_datum *value)
{
    for (uint32_t i = 0; i < p->count; i++) {
        const sk_check_operation *operation = p->list[i];
        if (operation->ok || looks(operation)) continue;
        const sk_datum *input = operation->input;
        if (is(operation, "append")) return true;
        if (is(operation, "cas") && input->type == SK_DATUM_LIST && input->count == 2) input = &input->items[1];
        if (sk_datum_equal(input, value)) return true;
    }
    return false;
}

static sk_verdict check_agree(const part *p)
{
    sk_buffer first = {0}, other = {0};
    sk_verdict verdict = SK_VERDICT_HOLDS;
    write_seen(p, p->reads[0], &first);
    for (uint32_t i = 1; i < p->read_count && verdict == SK_VERDICT_HOLDS; i++) {
        write_seen(p, p->reads[i], &other);
        if (sk_slice_equal(sk_buffer_slice(&first), sk_buffer_slice(&other))) continue;
        bool values = !is_model(p, "counter") && !is_model(p, "set");
        bool excused = p->open;
        if (values) excused = open_writes(p, p->reads[0]->output) || open_writes(p, p->reads[i]->output);
        verdict = excused ? SK_VERDICT_UNKNOWN : SK_VERDICT_VIOLATED;
        say(p, verdict, excused ? "an open change may explain the difference of" : "after all changes, these differ:",
            p->reads[0], p->reads[i]);
    }
    sk_buffer_deinit(&first);
    sk_buffer_deinit(&other);
    return verdict;
}

// ---- Is it what the changes allow? ----

static sk_verdict wrong(const part *p, const char *what, const sk_check_operation *read, const sk_check_operation *change)
{
    say(p, SK_VERDICT_VIOLATED, what, read, change);
    return SK_VERDICT_VIOLATED;
}

static sk_verdict check_value(const part *p, const sk_check_operation *read)
{
    bool nil = read->output->type == SK_DATUM_NIL;
    for (uint32_t i = 0; i < p->count; i++) {
        const sk_check_operation *operation = p->list[i];
        if (looks(operation)) continue;
        if (is(operation, "append")) return SK_VERDICT_HOLDS; // texts that grow are not taken apart
        const sk_datum *input = operation->input;
        if (is(operation, "cas") && input->type == SK_DATUM_LIST && input->count == 2) input = &input->items[1];
        if (sk_datum_equal(input, read->output)) return SK_VERDICT_HOLDS;
        if (nil && operation->ok) return wrong(p, "a write is lost:", read, operation);
    }
    return nil ? SK_VERDICT_HOLDS : wrong(p, "nobody wrote what was last read:", read, NULL);
}

static sk_verdict check_sum(const part *p, const sk_check_operation *read)
{
    int64_t least = 0, most = 0;
    if (read->output->type != SK_DATUM_INTEGER) return wrong(p, "no number:", read, NULL);
    for (uint32_t i = 0; i < p->count; i++) {
        const sk_check_operation *operation = p->list[i];
        if (looks(operation)) continue;
        int64_t by = operation->input->type == SK_DATUM_INTEGER ? operation->input->integer : 1;
        if (operation->f[0] == 'd') by = (int64_t)(0 - (uint64_t)by);
        if (operation->ok || by < 0) least = (int64_t)((uint64_t)least + (uint64_t)by);
        if (operation->ok || by > 0) most = (int64_t)((uint64_t)most + (uint64_t)by);
    }
    if (read->output->integer >= least && read->output->integer <= most) return SK_VERDICT_HOLDS;
    char text[100];
    snprintf(text, sizeof text, "the changes allow %lld to %lld, but:", (long long)least, (long long)most);
    return wrong(p, text, read, NULL);
}

static sk_verdict check_elements(const part *p, const sk_check_operation *read)
{
    sk_intern elements = {0};
    sk_verdict verdict = SK_VERDICT_HOLDS;
    const sk_datum *set = read->output;
    for (size_t i = 0; i < set->count; i++) sk_intern_datum(&elements, &set->items[i]);
    uint32_t seen = elements.count, count = seen;
    for (uint32_t i = 0; i < p->count; i++) {
        if (!looks(p->list[i])) sk_intern_datum(&elements, p->list[i]->input);
    }
    count = elements.count;
    const sk_check_operation **added = sk_alloc_zeroed((count + 1) * sizeof *added);
    bool *tried = sk_alloc_zeroed(count + 1), *removed = sk_alloc_zeroed(count + 1);
    for (uint32_t i = 0; i < p->count; i++) {
        const sk_check_operation *operation = p->list[i];
        if (looks(operation)) continue;
        uint32_t element = sk_intern_datum(&elements, operation->input);
        if (is(operation, "remove")) removed[element] = true;
        else tried[element] = true;
        if (is(operation, "add") && operation->ok) added[element] = operation;
    }
    for (uint32_t element = 0; element < count && verdict == SK_VERDICT_HOLDS; element++) {
        if (element < seen && !tried[element]) verdict = wrong(p, "nobody added an element of", read, NULL);
        if (element >= seen && added[element] && !removed[element]) verdict = wrong(p, "lost:", added[element], read);
    }
    sk_free(added);
    sk_free(tried);
    sk_free(removed);
    sk_intern_deinit(&elements);
    return verdict;
}

static sk_verdict check_content(const part *p)
{
    if (is_model(p, "counter")) return check_sum(p, p->reads[0]);
    if (is_model(p, "set")) return check_elements(p, p->reads[0]);
    return check_value(p, p->reads[0]);
}

// ---- All keys ----

static bool can_check(const sk_model *model)
{
    static const char *const names[] = {"register", "cas-register", "kv", "counter", "set"};
    for (size_t i = 0; model && i < sizeof names / sizeof *names; i++) {
        if (!strcmp(names[i], model->name)) return true;
    }
    return false;
}

void sk_check_convergence(const sk_check_history *history, const sk_model *model, sk_report *report)
{
    if (!can_check(model)) {
        sk_report_set(report, SK_VERDICT_UNKNOWN, "convergence is checked of register, cas-register, kv, counter and set");
        return;
    }
    sk_parts parts;
    sk_parts_init(&parts, history, false);
    const sk_check_operation **reads = sk_alloc((history->count + 1) * sizeof *reads);
    uint32_t few = 0;
    sk_verdict verdict = SK_VERDICT_HOLDS;
    bool unknown = false;
    for (uint32_t i = 0; i < parts.count && verdict != SK_VERDICT_VIOLATED; i++) {
        part p = {.model = model, .list = &parts.list[parts.begin[i]], .count = parts.begin[i + 1] - parts.begin[i]};
        p.key = parts.keys.texts[i];
        p.reads = reads;
        p.report = report;
        find_reads(&p);
        few += p.read_count < 2;
        if (!p.read_count) continue;
        verdict = check_agree(&p);
        if (verdict == SK_VERDICT_HOLDS) verdict = check_content(&p);
        unknown |= verdict == SK_VERDICT_UNKNOWN;
    }
    if (verdict != SK_VERDICT_VIOLATED && few) {
        sk_report_set(report, SK_VERDICT_UNKNOWN, "%u of %u keys were not read by two processes after the last change", few,
                      parts.count);
    } else if (verdict != SK_VERDICT_VIOLATED && !unknown) {
        sk_report_set(report, SK_VERDICT_HOLDS, "converged: %u %s", parts.count, parts.count == 1 ? "part" : "keys");
    }
    sk_free(reads);
    sk_parts_deinit(&parts);
}
