#include "check/picture.h"

#include <stdlib.h>

#include "base/alloc.h"

enum {
    OPERATIONS_MAX = 200, // drawn
    LABEL_MAX = 44,       // bytes
    LEFT = 110,           // pixels, and so are the rest
    ROW_ARROWS = 68,      // a row's height where arrows are drawn
    STEP = 20,
    ROW = 36,
    BAR = 24,
    TOP = 34,
};

static const double letter = 7.3;

typedef struct bar {
    const sk_report_operation *of;
    sk_buffer label; // whole, not escaped
    uint32_t row;
    double begin, end;
    bool open;
} bar;

typedef struct layout {
    bar *bars;
    uint32_t count, rows;
    int64_t *processes; // by row
    double width, row_height;
    double *row_end;    // by row: where its last bar ends
} layout;

// ---- Text ----

static void put(sk_buffer *page, const void *data, size_t size)
{
    const uint8_t *bytes = data;
    for (size_t i = 0; i < size; i++) {
        switch (bytes[i]) {
        case '&': sk_buffer_append_text(page, "&amp;"); break;
        case '<': sk_buffer_append_text(page, "&lt;"); break;
        case '>': sk_buffer_append_text(page, "&gt;"); break;
        case '"': sk_buffer_append_text(page, "&quot;"); break;
        default: sk_buffer_append_byte(page, bytes[i] < ' ' && bytes[i] != '\n' ? ' ' : bytes[i]); break;
        }
    }
}

static void put_text(sk_buffer *page, const char *text)
{
    put(page, text, strlen(text));
}

static size_t label_size(const bar *at)
{
    size_t size = at->label.size;
    if (size <= LABEL_MAX) return size;
    size = LABEL_MAX;
    while (size && (at->label.data[size] & 0xC0) == 0x80) size--; // whole characters
    return size;
}

// ---- Where everything is ----

typedef struct event {
    uint32_t at;  // in the history
    uint32_t bar;
    bool end;
} event;

static int compare_events(const void *a, const void *b)
{
    const event *left = a, *right = b;
    if (left->at != right->at) return left->at < right->at ? -1 : 1;
    return left->end - right->end;
}

static double bar_width(const bar *at)
{
    return (double)label_size(at) * letter + 18 + (at->of->place ? 30 : 0);
}

// In order of events, each as near to the one before as labels allow.
static void place_in_time(layout *l)
{
    event *events = sk_alloc((l->count * 2 + 1) * sizeof *events);
    size_t count = 0;
    for (uint32_t i = 0; i < l->count; i++) {
        const sk_check_operation *operation = l->bars[i].of->operation;
        events[count++] = (event){.at = operation->call, .bar = i};
        if (!l->bars[i].open) events[count++] = (event){.at = operation->ret, .bar = i, .end = true};
    }
    if (count) qsort(events, count, sizeof *events, compare_events);
    double x = LEFT;
    for (size_t i = 0; i < count; i++) {
        bar *at = &l->bars[events[i].bar];
        x += STEP;
        if (!events[i].end) at->begin = x;
        else if (x < at->begin + bar_width(at)) x = at->begin + bar_width(at);
        if (events[i].end) at->end = x;
    }
    l->width = x + STEP;
    for (uint32_t i = 0; i < l->count; i++) {
        if (l->bars[i].open && l->bars[i].begin + bar_width(&l->bars[i]) > l->width)
            l->width = l->bars[i].begin + bar_width(&l->bars[i]);
    }
    for (uint32_t i = 0; i < l->count; i++) {
        if (l->bars[i].open) l->bars[i].end = l->width;
    }
    l->width += STEP;
    sk_free(events);
}

static int compare_bars(const void *a, const void *b)
{
    const sk_check_operation *left = ((const bar *)a)->of->operation, *right = ((const bar *)b)->of->operation;
    if (left->process != right->process) return left->process < right->process ? -1 : 1;
    return left->call < right->call ? -1 : left->call > right->call;
}

// A row a process; another one for it where operations overlap (one is open, and the process went on).
static void place_in_rows(layout *l)
{
    uint32_t first = 0; // row of this process
    for (uint32_t i = 0; i < l->count; i++) {
        bar *at = &l->bars[i];
        int64_t process = at->of->operation->process;
        if (!l->rows || l->processes[l->rows - 1] != process) first = l->rows;
        uint32_t row = first;
        while (row < l->rows && l->row_end[row] > at->begin) row++;
        if (row == l->rows) l->processes[l->rows++] = process;
        l->row_end[row] = at->end;
        at->row = row;
    }
}

static void lay_out(layout *l, const sk_report *report)
{
    size_t count = report->operation_count < OPERATIONS_MAX ? report->operation_count : OPERATIONS_MAX;
    *l = (layout){.bars = sk_alloc_zeroed((count + 1) * sizeof *l->bars), .count = (uint32_t)count};
    l->row_height = report->edge_count ? ROW_ARROWS : ROW;
    l->processes = sk_alloc((count + 1) * sizeof *l->processes);
    l->row_end = sk_alloc((count + 1) * sizeof *l->row_end);
    for (size_t i = 0; i < count; i++) {
        bar *at = &l->bars[i];
        at->of = &report->operations[i];
        at->open = at->of->operation->ret == SK_NO_RETURN;
        sk_check_operation_write(at->of->operation, &at->label);
    }
    if (count) qsort(l->bars, count, sizeof *l->bars, compare_bars);
    place_in_time(l);
    place_in_rows(l);
}

static void lay_down(layout *l)
{
    for (uint32_t i = 0; i < l->count; i++) sk_buffer_deinit(&l->bars[i].label);
    sk_free(l->bars);
    sk_free(l->processes);
    sk_free(l->row_end);
}

// ---- Drawing ----

static double middle_of(const layout *l, uint32_t row)
{
    return TOP + (row + 0.5) * l->row_height;
}

static void draw_rows(sk_buffer *page, const layout *l)
{
    for (uint32_t row = 0; row < l->rows; row++) {
        sk_buffer_printf(page, "<line class=\"row\" x1=\"%d\" x2=\"%.0f\" y1=\"%.0f\" y2=\"%.0f\"/>\n", LEFT, l->width,
                         middle_of(l, row), middle_of(l, row));
        if (row && l->processes[row] == l->processes[row - 1]) continue;
        sk_buffer_printf(page, "<text class=\"process\" x=\"%d\" y=\"%.0f\">process %lld</text>\n", LEFT - 10,
                         middle_of(l, row) + 4, (long long)l->processes[row]);
    }
}

static void draw_bar(sk_buffer *page, const layout *l, const bar *at)
{
    static const char *const classes[] = {"culprit", "concurrent", "placed"};
    const sk_check_operation *operation = at->of->operation;
    double y = middle_of(l, at->row) - BAR / 2.0;
    sk_buffer_printf(page, "<g class=\"%s%s\"><title>", classes[at->of->mark], at->open ? " open" : "");
    put(page, at->label.data, at->label.size);
    sk_buffer_printf(page, "&#10;process %lld, line %zu", (long long)operation->process, operation->line);
    if (at->of->place) sk_buffer_printf(page, "&#10;number %u in the best order found", at->of->place);
    sk_buffer_append_text(page, at->open ? "&#10;outcome unknown</title>" : "</title>");
    sk_buffer_printf(page, "<rect x=\"%.0f\" y=\"%.0f\" width=\"%.0f\" height=\"%d\" rx=\"4\"/>", at->begin, y,
                     at->end - at->begin, BAR);
    sk_buffer_printf(page, "<text x=\"%.0f\" y=\"%.0f\">", at->begin + 8, y + 16);
    size_t size = label_size(at);
    put(page, at->label.data, size);
    if (size < at->label.size) sk_buffer_append_text(page, "&#8230;");
    if (at->of->place) sk_buffer_printf(page, " <tspan class=\"place\">#%u</tspan>", at->of->place);
    sk_buffer_append_text(page, "</text></g>\n");
}

static const bar *find_bar(const layout *l, const sk_report *report, uint32_t operation)
{
    for (uint32_t i = 0; i < l->count; i++) {
        if (l->bars[i].of == &report->operations[operation]) return &l->bars[i];
    }
    return NULL;
}

static void draw_edge(sk_buffer *page, const layout *l, const bar *from, const bar *to, const char *label)
{
    double x1 = (from->begin + from->end) / 2, x2 = (to->begin + to->end) / 2;
    double y1 = middle_of(l, from->row), y2 = middle_of(l, to->row);
    bool same = from->row == to->row;
    double side = !same && y2 > y1 ? 1 : -1;
    y1 += side * BAR / 2.0;
    y2 -= same ? BAR / 2.0 : side * BAR / 2.0;
    if (!same) { // there and back are two lines
        x1 += side * 24;
        x2 += side * 24;
    }
    double cx = (x1 + x2) / 2 + (same ? 0 : side * 24), cy = (y1 + y2) / 2 - (same ? 36 : 0);
    double x = (x1 + 2 * cx + x2) / 4, y = (y1 + 2 * cy + y2) / 4;
    sk_buffer_printf(page, "<path class=\"edge\" d=\"M%.0f %.0f Q%.0f %.0f %.0f %.0f\" marker-end=\"url(#tip)\"/>", x1, y1, cx, cy,
                     x2, y2);
    sk_buffer_printf(page, "<text class=\"edge\" x=\"%.0f\" y=\"%.0f\"%s>", same ? x : x + side * 6, same ? y - 4 : y + 4,
                     same ? " text-anchor=\"middle\"" : side < 0 ? " text-anchor=\"end\"" : "");
    put_text(page, label);
    sk_buffer_append_text(page, "</text>\n");
}

// The beginning of "1, 2, 3" from lines.
static void put_states(sk_buffer *page, sk_slice lines)
{
    size_t size = lines.size && lines.data[lines.size - 1] == '\n' ? lines.size - 1 : lines.size;
    bool cut = size > LABEL_MAX;
    while (cut && size > LABEL_MAX / 2 && (size > LABEL_MAX || (lines.data[size] & 0xC0) == 0x80)) size--;
    for (size_t i = 0; i < size; i++) {
        if (lines.data[i] == '\n') sk_buffer_append_text(page, ", ");
        else put(page, &lines.data[i], 1);
    }
    if (cut) sk_buffer_append_text(page, "&#8230;");
}

// Where the culprit returned: what was so just before.
static void draw_moment(sk_buffer *page, const layout *l, const sk_report *report)
{
    if (!report->states.size) return;
    for (uint32_t i = 0; i < l->count; i++) {
        const bar *at = &l->bars[i];
        if (at->of->mark != SK_MARK_CULPRIT) continue;
        sk_buffer_printf(page, "<line class=\"moment\" x1=\"%.0f\" x2=\"%.0f\" y1=\"%d\" y2=\"%.0f\"/>", at->end, at->end, TOP - 8,
                         middle_of(l, l->rows - 1) + l->row_height / 2);
        sk_buffer_printf(page, "<text class=\"moment\" x=\"%.0f\" y=\"%d\">the state was ", at->end, TOP - 14);
        put_states(page, sk_buffer_slice(&report->states));
        sk_buffer_append_text(page, "</text>\n");
    }
}

static void draw(sk_buffer *page, const sk_report *report)
{
    layout l;
    lay_out(&l, report);
    double height = TOP + l.rows * l.row_height + 16;
    sk_buffer_printf(page, "<div class=\"timeline\"><svg width=\"%.0f\" height=\"%.0f\" viewBox=\"0 0 %.0f %.0f\" role=\"img\">\n",
                     l.width + 60, height, l.width + 60, height);
    draw_rows(page, &l);
    for (uint32_t i = 0; i < l.count; i++) draw_bar(page, &l, &l.bars[i]);
    for (size_t i = 0; i < report->edge_count; i++) {
        const bar *from = find_bar(&l, report, report->edges[i].from), *to = find_bar(&l, report, report->edges[i].to);
        if (from && to) draw_edge(page, &l, from, to, report->edges[i].label);
    }
    draw_moment(page, &l, report);
    sk_buffer_append_text(page, "</svg></div>\n");
    if (report->operation_count > OPERATIONS_MAX)
        sk_buffer_printf(page, "<p>The first %d of %zu operations.</p>\n", OPERATIONS_MAX, report->operation_count);
    lay_down(&l);
}

// ---- The page ----

void sk_picture_begin(sk_buffer *page)
{
    sk_buffer_append_text(
        page,
        "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>skein check</title><style>\n"
        "body{font:14px/1.5 system-ui,sans-serif;margin:24px;color:#222;background:#fff}\n"
        "h2{font-size:17px;margin:28px 0 4px}.holds{color:#157a3c}.violated{color:#b3261e}.unknown{color:#8a6100}\n"
        ".timeline{overflow-x:auto;border:1px solid #ddd;border-radius:6px;padding:8px;margin:10px 0}\n"
        ".timeline svg{overflow:visible}svg text{font:12px ui-monospace,monospace}.row{stroke:#e4e4e4}.process{text-anchor:end;fill:#555}\n"
        "rect{fill:#e9ebee;stroke:#9aa0a6}.concurrent rect{fill:#dbe8fd;stroke:#3f76c9}\n"
        ".culprit rect{fill:#fbdad7;stroke:#b3261e;stroke-width:2}.open rect{stroke-dasharray:5 4;fill-opacity:.55}\n"
        ".place{fill:#777}path.edge{fill:none;stroke:#6b3fa0;stroke-width:1.5}text.edge{fill:#6b3fa0}\n"
        ".moment{stroke:#b3261e;stroke-dasharray:3 3}text.moment{fill:#b3261e;stroke:none;text-anchor:middle}\n"
        ".key span{display:inline-block;padding:0 8px;margin-right:8px;border:1px solid #9aa0a6;border-radius:4px}\n"
        "pre{background:#f6f7f8;padding:8px 12px;border-radius:6px;overflow-x:auto}\n"
        "</style></head><body>\n<h1>skein check</h1>\n"
        "<svg width=\"0\" height=\"0\" style=\"position:absolute\"><defs><marker id=\"tip\" viewBox=\"0 0 8 8\" refX=\"7\" refY=\"4\" "
        "markerWidth=\"7\" markerHeight=\"7\" orient=\"auto\"><path d=\"M0 0L8 4L0 8z\" fill=\"#6b3fa0\"/></marker></defs></svg>\n"
        "<p class=\"key\"><span style=\"background:#fbdad7\">nothing explains it, or on the cycle</span>"
        "<span style=\"background:#dbe8fd\">beside it</span>"
        "<span style=\"background:#e9ebee\">before it; #n is its place in the best order found</span>"
        "<span style=\"border-style:dashed\">outcome unknown</span> Time goes right, not to scale.</p>\n");
}

void sk_picture_add(sk_buffer *page, const char *file, const char *checked, const sk_report *report)
{
    const char *verdict = sk_verdict_name(report->verdict);
    sk_buffer_printf(page, "<section>\n<h2><span class=\"%s\">%s</span> ", verdict, verdict);
    put_text(page, file);
    sk_buffer_append_text(page, "</h2>\n<p>");
    put_text(page, checked);
    sk_buffer_append_text(page, ". ");
    put(page, report->reason.data, report->reason.size);
    sk_buffer_append_text(page, "</p>\n");
    if (report->operation_count) draw(page, report);
    if (report->states.size) {
        sk_buffer_append_text(page, "<p>Possible states just before:</p>\n<pre>");
        put(page, report->states.data, report->states.size);
        sk_buffer_append_text(page, "</pre>\n");
    }
    if (report->detail.size) {
        sk_buffer_append_text(page, "<pre>");
        put(page, report->detail.data, report->detail.size);
        sk_buffer_append_text(page, "</pre>\n");
    }
    sk_buffer_append_text(page, "</section>\n");
}

void sk_picture_end(sk_buffer *page)
{
    sk_buffer_append_text(page, "</body></html>\n");
}
