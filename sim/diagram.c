#include "sim/diagram.h"

#include <inttypes.h>
#include <string.h>
#include "base/alloc.h"
#include "base/assert.h"

enum {
    LEFT = 100,       // the column of times
    PITCH = 84,       // between two processes
    TOP = 164,         // legend and names
    ROW = 18,         // an event
    TEXT_WIDTH = 720, // the column of texts
    NAMES_EVERY = 40, // rows, then the processes' names again
};

typedef struct row {
    bool is_mark;
    uint32_t index; // of the event or the mark
    uint32_t event; // the newest event then
} row;

typedef struct picture {
    const sk_account *account;
    const sk_selection *selection;
    FILE *out;
    row *rows;
    uint32_t row_count;
    uint32_t column[SK_CAUSALITY_PROCESSES_MAX]; // from 1; 0: not shown
    uint32_t columns;
    uint32_t *row_of;      // of an event, + 1; 0: not shown
    uint32_t *row_of_mark; // likewise
} picture;

static const char *colour(enum sk_topic topic)
{
    static const char *const colours[] = {
        [SK_TOPIC_LIFE] = "#1a7f37",    [SK_TOPIC_DEATH] = "#cf222e",  [SK_TOPIC_ROLE] = "#a80fa0",
        [SK_TOPIC_VOTE] = "#8250df",    [SK_TOPIC_LOG] = "#24292f",    [SK_TOPIC_APPEND] = "#0969da",
        [SK_TOPIC_BEAT] = "#9aa4ae",    [SK_TOPIC_READ] = "#0a8a8a",   [SK_TOPIC_FORWARD] = "#bc6c00",
        [SK_TOPIC_SNAPSHOT] = "#7d4e24", [SK_TOPIC_LINK] = "#6e7781",  [SK_TOPIC_CLIENT] = "#2da44e",
    };
    SK_ASSERT(topic < SK_TOPIC_END && colours[topic]);
    return colours[topic];
}

static uint32_t x_of(const picture *drawn, uint32_t process)
{
    SK_ASSERT(drawn->column[process]);
    return LEFT + (drawn->column[process] - 1) * PITCH + PITCH / 2;
}

static uint32_t y_of_row(uint32_t index)
{
    return TOP + index * ROW + ROW / 2;
}

// Where an event stands, or would stand: below the newest row that is not later.
static uint32_t y_of_event(const picture *drawn, uint32_t event)
{
    if (drawn->row_of[event]) return y_of_row(drawn->row_of[event] - 1);
    uint32_t low = 0, high = drawn->row_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (drawn->rows[middle].event <= event)
            low = middle + 1;
        else
            high = middle;
    }
    return TOP + low * ROW;
}

static uint32_t y_of_mark(const picture *drawn, uint32_t mark)
{
    if (drawn->row_of_mark[mark]) return y_of_row(drawn->row_of_mark[mark] - 1);
    return y_of_event(drawn, drawn->account->marks[mark].after);
}

static uint32_t bottom(const picture *drawn)
{
    return TOP + drawn->row_count * ROW;
}

static uint32_t right(const picture *drawn)
{
    return LEFT + drawn->columns * PITCH;
}

static void write_text(FILE *out, const char *text, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        unsigned char byte = (unsigned char)text[i];
        if (byte == '<')
            fputs("&lt;", out);
        else if (byte == '>')
            fputs("&gt;", out);
        else if (byte == '&')
            fputs("&amp;", out);
        else
            fputc(byte >= ' ' && byte < 0x7f ? byte : '?', out);
    }
}

// ---- What is shown ----

static void lay_out(picture *drawn)
{
    const sk_account *account = drawn->account;
    const sk_selection *selection = drawn->selection;
    bool used[SK_CAUSALITY_PROCESSES_MAX] = {false};
    drawn->row_of = sk_alloc_zeroed((account->causality.count + 2) * sizeof *drawn->row_of);
    drawn->row_of_mark = sk_alloc_zeroed((account->mark_count + 1) * sizeof *drawn->row_of_mark);
    drawn->rows = sk_alloc((selection->count + account->mark_count + 1) * sizeof *drawn->rows);
    uint32_t mark = selection->mark;
    sk_buffer unused = {0};
    for (uint32_t i = 0; i <= selection->count; i++) {
        uint32_t event = i < selection->count ? selection->events[i] : account->causality.count + 1;
        bool to_the_end = i < selection->count || !i || selection->events[i - 1] == account->causality.count;
        while (to_the_end && mark < account->mark_count && account->marks[mark].after < event) {
            drawn->rows[drawn->row_count++] =
                (row){.is_mark = true, .index = mark, .event = account->marks[mark].after};
            for (uint32_t end = sk_tell_marks(account, mark, &unused); mark < end; mark++)
                drawn->row_of_mark[mark] = drawn->row_count;
        }
        if (i == selection->count) break;
        drawn->row_of[event] = drawn->row_count + 1;
        drawn->rows[drawn->row_count++] = (row){.index = event, .event = event};
        used[account->causality.events[event].process] = true;
    }
    sk_buffer_deinit(&unused);
    for (uint32_t process = 0; process < account->causality.process_count; process++) {
        if (process < account->node_count || used[process]) drawn->column[process] = ++drawn->columns;
    }
}

// ---- The ground: partitions, lines of life ----

// Between two changes of what is cut: each group of nodes that still reach one another has a shade.
static void shade(const picture *drawn, uint32_t marks, uint32_t from, uint32_t to)
{
    static const char *const shades[] = {"#fde2e1", "#dbeafe", "#fef3c7", "#e9d8fd", "#d1fae5"};
    const sk_account *account = drawn->account;
    uint32_t groups[SK_VOTERS_MAX + 1];
    bool parted = false;
    sk_account_groups(account, marks, groups);
    for (uint32_t id = 1; id <= account->node_count; id++) parted |= groups[id] != groups[1];
    if (!parted || to <= from) return;
    for (uint32_t id = 1; id <= account->node_count; id++)
        fprintf(drawn->out,
                "<rect x=\"%" PRIu32 "\" y=\"%" PRIu32 "\" width=\"%d\" height=\"%" PRIu32 "\" fill=\"%s\"/>\n",
                x_of(drawn, id - 1) - PITCH / 2, from, PITCH, to - from,
                shades[groups[id] % (sizeof shades / sizeof shades[0])]);
}

static void draw_partitions(const picture *drawn)
{
    const sk_account *account = drawn->account;
    uint32_t from = TOP;
    for (uint32_t i = 0; i < account->mark_count; i++) {
        bool change = account->marks[i].mark == SK_MARK_CUT || account->marks[i].mark == SK_MARK_UNCUT;
        if (!change) continue;
        uint32_t to = y_of_mark(drawn, i);
        if (to > bottom(drawn)) to = bottom(drawn);
        if (i) shade(drawn, i, from, to);
        if (to > from) from = to;
    }
    shade(drawn, account->mark_count, from, bottom(drawn));
}

enum life { NOT_RUNNING, PAUSED, RUNNING };

static void draw_life(const picture *drawn, uint32_t process, enum life life, uint32_t from, uint32_t to)
{
    static const char *const looks[] = {"stroke=\"#cf222e\" stroke-width=\"2\" stroke-dasharray=\"2 5\"",
                                        "stroke=\"#bc6c00\" stroke-width=\"3\" stroke-dasharray=\"6 4\"",
                                        "stroke=\"#57606a\" stroke-width=\"1.5\""};
    if (to <= from) return;
    fprintf(drawn->out,
            "<line x1=\"%" PRIu32 "\" y1=\"%" PRIu32 "\" x2=\"%" PRIu32 "\" y2=\"%" PRIu32 "\" %s/>\n",
            x_of(drawn, process), from, x_of(drawn, process), to, looks[life]);
}

static void draw_lives(const picture *drawn)
{
    const sk_account *account = drawn->account;
    for (uint32_t process = 0; process < account->causality.process_count; process++) {
        if (!drawn->column[process]) continue;
        enum life life = process < account->node_count ? NOT_RUNNING : RUNNING;
        uint32_t from = TOP;
        const sk_causal_line *line = &account->causality.lines[process];
        for (uint32_t i = 0; i < line->count; i++) {
            const sk_account_event *about = &account->events[line->events[i]];
            if (about->topic != SK_TOPIC_LIFE && about->topic != SK_TOPIC_DEATH) continue;
            uint32_t to = y_of_event(drawn, line->events[i]);
            if (to > bottom(drawn)) to = bottom(drawn);
            draw_life(drawn, process, life, from, to);
            from = to > from ? to : from;
            life = about->topic == SK_TOPIC_LIFE ? RUNNING : strstr(about->text, "paused") ? PAUSED : NOT_RUNNING;
        }
        draw_life(drawn, process, life, from, bottom(drawn));
    }
}

static void draw_names(const picture *drawn)
{
    for (uint32_t process = 0; process < drawn->account->causality.process_count; process++) {
        char name[16];
        if (!drawn->column[process]) continue;
        sk_account_process(drawn->account, process, name);
        for (uint32_t index = 0; index < drawn->row_count; index += NAMES_EVERY)
            fprintf(drawn->out,
                    "<text x=\"%" PRIu32 "\" y=\"%" PRIu32 "\" text-anchor=\"%s\" font-weight=\"bold\" "
                    "fill=\"%s\">%s</text>\n",
                    x_of(drawn, process) - (index ? 9 : 0), TOP + index * ROW - 8 + (index ? ROW : 0),
                    index ? "end" : "middle", index ? "#8c959f" : "#24292f", name);
    }
}

// ---- Messages ----

static void draw_arrow(const picture *drawn, uint32_t x1, uint32_t y1, uint32_t x2, uint32_t y2, enum sk_topic topic,
                       bool whole)
{
    fprintf(drawn->out,
            "<line x1=\"%" PRIu32 "\" y1=\"%" PRIu32 "\" x2=\"%" PRIu32 "\" y2=\"%" PRIu32
            "\" stroke=\"%s\" stroke-width=\"1.3\"%s marker-end=\"url(#%s)\"/>\n",
            x1, y1, x2, y2, colour(topic), whole ? "" : " stroke-dasharray=\"4 3\"", sk_topic_name(topic));
}

static uint32_t towards(uint32_t from, uint32_t to, uint32_t percent)
{
    return to > from ? from + (to - from) * percent / 100 : from - (from - to) * percent / 100;
}

// One that never arrives ends in a cross; of one whose other end is not shown a dashed stub is.
static void draw_sent(const picture *drawn, uint32_t event)
{
    const sk_account_event *about = &drawn->account->events[event];
    uint32_t from = drawn->account->causality.events[event].process;
    uint32_t x = x_of(drawn, from), y = y_of_event(drawn, event);
    uint32_t there = drawn->column[about->peer] ? x_of(drawn, about->peer) : right(drawn);
    uint32_t end = towards(x, there, 40);
    if (about->received) {
        draw_arrow(drawn, x, y, end, y + ROW / 2, about->topic, false);
        return;
    }
    fprintf(drawn->out,
            "<path d=\"M%" PRIu32 " %" PRIu32 " L%" PRIu32 " %" PRIu32 " m-4 -4 l8 8 m0 -8 l-8 8\" stroke=\"%s\" "
            "stroke-width=\"1.3\" fill=\"none\"/>\n",
            x, y, end, y + ROW / 2, colour(about->topic));
}

static void draw_messages(const picture *drawn)
{
    const sk_account *account = drawn->account;
    bool *shown = sk_alloc_zeroed(account->causality.count + 1); // SENDs with an arrow
    for (uint32_t i = 0; i < drawn->selection->count; i++) {
        uint32_t event = drawn->selection->events[i];
        uint32_t sent_by = account->causality.events[event].sent_by;
        if (!sent_by) continue;
        uint32_t from = account->causality.events[sent_by].process;
        uint32_t x = x_of(drawn, account->causality.events[event].process), y = y_of_event(drawn, event);
        uint32_t there = drawn->column[from] ? x_of(drawn, from) : right(drawn);
        if (drawn->row_of[sent_by])
            draw_arrow(drawn, there, y_of_event(drawn, sent_by), x, y, account->events[event].topic, true);
        else
            draw_arrow(drawn, towards(x, there, 40), y - ROW / 2, x, y, account->events[event].topic, false);
        shown[sent_by] = drawn->row_of[sent_by] > 0;
    }
    for (uint32_t i = 0; i < drawn->selection->count; i++) {
        uint32_t event = drawn->selection->events[i];
        if (account->causality.events[event].kind == SK_CAUSAL_SEND && !shown[event]) draw_sent(drawn, event);
    }
    sk_free(shown);
}

// ---- Events and their texts ----

static void draw_point(const picture *drawn, uint32_t x, uint32_t y, enum sk_topic topic, enum sk_causal_kind kind)
{
    FILE *out = drawn->out;
    if (topic == SK_TOPIC_DEATH)
        fprintf(out, "<path d=\"M%" PRIu32 " %" PRIu32 " m-6 -6 l12 12 m0 -12 l-12 12\" stroke=\"%s\" stroke-width=\"3\"/>\n",
                x, y, colour(topic));
    else if (topic == SK_TOPIC_ROLE || topic == SK_TOPIC_LIFE)
        fprintf(out, "<path d=\"M%" PRIu32 " %" PRIu32 " m0 -6 l6 6 l-6 6 l-6 -6 z\" fill=\"%s\"/>\n", x, y, colour(topic));
    else
        fprintf(out, "<circle cx=\"%" PRIu32 "\" cy=\"%" PRIu32 "\" r=\"%d\" fill=\"%s\"/>\n", x, y,
                kind == SK_CAUSAL_INTERNAL ? 4 : 3, colour(topic));
}

static void write_time(FILE *out, uint32_t y, sk_ns time)
{
    fprintf(out, "<text x=\"%d\" y=\"%" PRIu32 "\" text-anchor=\"end\" fill=\"#6e7781\">%" PRIu64 ".%06" PRIu64 "</text>\n",
            LEFT - 12, y + 4, time / SK_S, time % SK_S / SK_US);
}

static void draw_event(const picture *drawn, uint32_t event, uint32_t y)
{
    const sk_account *account = drawn->account;
    const sk_causal_event *causal = &account->causality.events[event];
    const sk_account_event *about = &account->events[event];
    FILE *out = drawn->out;
    sk_buffer line = {0};
    sk_account_line(account, event, &line);
    fputs("<g><title>vector time [", out);
    const uint32_t *time = sk_causality_time(&account->causality, event);
    for (uint32_t i = 0; i < account->causality.process_count; i++) fprintf(out, "%s%" PRIu32, i ? "," : "", time[i]);
    fputs("]</title>", out);
    draw_point(drawn, x_of(drawn, causal->process), y, about->topic, causal->kind);
    write_time(out, y, about->time);
    fprintf(out, "<text x=\"%" PRIu32 "\" y=\"%" PRIu32 "\" fill=\"%s\">e%" PRIu32 " ", right(drawn) + 16, y + 4,
            colour(about->topic), event);
    write_text(out, (const char *)line.data, line.size);
    fputs("</text></g>\n", out);
    sk_buffer_deinit(&line);
}

static void draw_mark(const picture *drawn, uint32_t mark, uint32_t y)
{
    bool failed = drawn->account->marks[mark].mark == SK_MARK_FAILED;
    bool stage = drawn->account->marks[mark].mark == SK_MARK_STAGE;
    const char *ink = stage ? "#57606a" : "#cf222e";
    sk_buffer text = {0};
    sk_tell_marks(drawn->account, mark, &text);
    fprintf(drawn->out,
            "<line x1=\"%d\" y1=\"%" PRIu32 "\" x2=\"%" PRIu32 "\" y2=\"%" PRIu32
            "\" stroke=\"%s\" stroke-width=\"%d\" stroke-dasharray=\"1 3\"/>\n",
            LEFT, y, right(drawn) + 8, y, ink, failed ? 3 : 1);
    write_time(drawn->out, y, drawn->account->marks[mark].time);
    fprintf(drawn->out, "<text x=\"%" PRIu32 "\" y=\"%" PRIu32 "\" fill=\"%s\" font-weight=\"bold\">", right(drawn) + 16,
            y + 4, ink);
    write_text(drawn->out, (const char *)text.data, text.size);
    fputs("</text>\n", drawn->out);
    sk_buffer_deinit(&text);
}

static void draw_rows(const picture *drawn)
{
    for (uint32_t i = 0; i < drawn->row_count; i++) {
        const row *one = &drawn->rows[i];
        if (one->is_mark)
            draw_mark(drawn, one->index, y_of_row(i));
        else
            draw_event(drawn, one->index, y_of_row(i));
    }
}

// ---- Head ----

static void draw_legend(const picture *drawn)
{
    static const char *const lines[] = {
        "Time goes down, a row an event, not to scale. Point at an event for its vector time.",
        "Arrow: a message; ending in a cross: it never arrives; dashed: its other end is not shown.",
        "Cross on a line: crash or pause. Diamond: start, change of role. Dots in red instead of a line: down; thick dashes: paused.",
        "Shaded: a partition; those of the same shade still reach each other.",
    };
    FILE *out = drawn->out;
    for (int topic = 0; topic < SK_TOPIC_END; topic++) {
        int x = 16 + topic * 92;
        fprintf(out, "<rect x=\"%d\" y=\"46\" width=\"10\" height=\"10\" fill=\"%s\"/><text x=\"%d\" y=\"55\">%s</text>\n", x,
                colour((enum sk_topic)topic), x + 14, sk_topic_name((enum sk_topic)topic));
    }
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++)
        fprintf(out, "<text x=\"16\" y=\"%zu\" fill=\"#57606a\">%s</text>\n", 74 + i * 15, lines[i]);
}

static void draw_stripes(const picture *drawn, uint32_t width)
{
    for (uint32_t i = 0; i < drawn->row_count; i += 2)
        fprintf(drawn->out, "<rect x=\"0\" y=\"%" PRIu32 "\" width=\"%" PRIu32 "\" height=\"%d\" fill=\"#f6f8fa\"/>\n",
                TOP + i * ROW, width, ROW);
}

void sk_diagram_write(const sk_account *account, const sk_selection *selection, const char *title, const char *subtitle,
                      FILE *out)
{
    picture drawn = {.account = account, .selection = selection, .out = out};
    lay_out(&drawn);
    uint32_t width = right(&drawn) + TEXT_WIDTH, height = bottom(&drawn) + 20;
    if (width < 1100) width = 1100;
    fprintf(out,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%" PRIu32 "\" height=\"%" PRIu32 "\" viewBox=\"0 0 %" PRIu32
            " %" PRIu32 "\" font-family=\"DejaVu Sans Mono, Menlo, Consolas, monospace\" font-size=\"11\">\n<defs>\n",
            width, height, width, height);
    for (int topic = 0; topic < SK_TOPIC_END; topic++)
        fprintf(out,
                "<marker id=\"%s\" viewBox=\"0 0 8 8\" refX=\"8\" refY=\"4\" markerWidth=\"7\" markerHeight=\"7\" "
                "orient=\"auto\"><path d=\"M0 0 L8 4 L0 8 z\" fill=\"%s\"/></marker>\n",
                sk_topic_name((enum sk_topic)topic), colour((enum sk_topic)topic));
    fprintf(out, "</defs>\n<rect width=\"%" PRIu32 "\" height=\"%" PRIu32 "\" fill=\"white\"/>\n", width, height);
    fputs("<text x=\"16\" y=\"20\" font-size=\"14\" font-weight=\"bold\">", out);
    write_text(out, title, strlen(title));
    fputs("</text>\n<text x=\"16\" y=\"36\" fill=\"#cf222e\">", out);
    write_text(out, subtitle, strlen(subtitle));
    fputs("</text>\n", out);
    draw_legend(&drawn);
    draw_stripes(&drawn, width);
    draw_partitions(&drawn);
    draw_lives(&drawn);
    draw_names(&drawn);
    draw_messages(&drawn);
    draw_rows(&drawn);
    fputs("</svg>\n", out);
    sk_free(drawn.rows);
    sk_free(drawn.row_of);
    sk_free(drawn.row_of_mark);
}
