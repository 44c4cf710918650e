#include <stdio.h>

#include "base/alloc.h"
#include "check/graph.h"
#include "check/transactions_private.h"

enum { WW = 1, WR = 2, RW = 4, PROCESS = 8, REALTIME = 16, KINDS = 5 };

static const char *const labels[KINDS] = {"ww", "wr", "rw", "process", "realtime"};

static const char *label_of(uint32_t kind)
{
    uint32_t bit = 0;
    while (kind >> (bit + 1)) bit++;
    return labels[bit];
}

// ---- Edges from the lists ----

// By key: elements that happened and that nobody read, behind those that were read.
typedef struct unread {
    uint32_t *list, *begin; // begin: by key, and the end
} unread;

static unread find_unread(const sk_txns *txns)
{
    size_t keys = txns->keys.count;
    unread result = {.list = sk_alloc((txns->append_count + 1) * sizeof *result.list)};
    result.begin = sk_alloc_zeroed((keys + 2) * sizeof *result.begin);
    for (int pass = 0; pass < 2; pass++) {
        for (uint32_t i = 0; i < txns->append_count; i++) {
            const sk_txn_element *element = &txns->elements[txns->appends[i]];
            if (element->place != SK_TXN_NONE || !txns->list[element->txn].counts) continue;
            if (pass) result.list[result.begin[element->key + 1]++] = txns->appends[i];
            else result.begin[element->key + 2]++;
        }
        for (size_t key = 0; !pass && key < keys; key++) result.begin[key + 2] += result.begin[key + 1];
    }
    return result;
}

static void add_orders(const sk_txns *txns, const unread *later, sk_graph *graph)
{
    for (uint32_t key = 0; key < txns->keys.count; key++) {
        if (txns->longest[key] == SK_TXN_NONE) continue;
        const sk_txn_read *read = &txns->reads[txns->longest[key]];
        const uint32_t *order = read->count ? &txns->seen[read->begin] : NULL;
        for (uint32_t i = 1; i < read->count; i++)
            sk_graph_add(graph, txns->elements[order[i - 1]].txn, txns->elements[order[i]].txn, WW, order[i]);
        for (uint32_t i = later->begin[key]; i < later->begin[key + 1] && read->count; i++)
            sk_graph_add(graph, txns->elements[order[read->count - 1]].txn, txns->elements[later->list[i]].txn, WW, later->list[i]);
    }
}

static void add_reads(const sk_txns *txns, const unread *later, sk_graph *graph)
{
    for (uint32_t i = 0; i < txns->read_count; i++) {
        const sk_txn_read *read = &txns->reads[i], *longest = &txns->reads[txns->longest[read->key]];
        const uint32_t *order = longest->count ? &txns->seen[longest->begin] : NULL;
        uint32_t at = read->external;
        if (read->repeated) continue;
        if (at) sk_graph_add(graph, txns->elements[order[at - 1]].txn, read->txn, WR, order[at - 1]);
        if (at < longest->count) {
            sk_graph_add(graph, read->txn, txns->elements[order[at]].txn, RW, order[at]);
            continue;
        }
        for (uint32_t k = later->begin[read->key]; k < later->begin[read->key + 1]; k++)
            sk_graph_add(graph, read->txn, txns->elements[later->list[k]].txn, RW, later->list[k]);
    }
}

// ---- Edges from time ----

// An edge from all that returned before a call, but for those that are before one of the others: these follow from the rest. So
// `front` holds who has returned and is not before another who has.
static void add_realtime(const sk_txns *txns, const sk_check_history *history, sk_graph *graph)
{
    size_t events = history->events;
    uint32_t *at = sk_alloc((events + 1) * sizeof *at); // by event: the transaction
    uint32_t *front = sk_alloc(((size_t)txns->count + 1) * sizeof *front);
    uint32_t front_count = 0;
    for (size_t i = 0; i < events; i++) at[i] = SK_TXN_NONE;
    for (uint32_t i = 0; i < txns->count; i++) {
        const sk_check_operation *operation = txns->list[i].operation;
        if (!txns->list[i].counts) continue;
        at[operation->call] = i;
        if (operation->ok) at[operation->ret] = i;
    }
    for (uint32_t event = 0; event < events; event++) {
        uint32_t txn = at[event];
        if (txn == SK_TXN_NONE) continue;
        const sk_check_operation *operation = txns->list[txn].operation;
        if (operation->call == event) {
            for (uint32_t i = 0; i < front_count; i++) sk_graph_add(graph, front[i], txn, REALTIME, 0);
            continue;
        }
        uint32_t kept = 0;
        for (uint32_t i = 0; i < front_count; i++) {
            if (txns->list[front[i]].operation->ret > operation->call) front[kept++] = front[i];
        }
        front[kept++] = txn;
        front_count = kept;
    }
    sk_free(at);
    sk_free(front);
}

static void add_processes(const sk_txns *txns, const sk_check_history *history, sk_graph *graph)
{
    sk_intern processes = {0};
    uint32_t *last = sk_alloc(((size_t)txns->count + 1) * sizeof *last);
    for (uint32_t i = 0; i < txns->count; i++) {
        const sk_txn *txn = &txns->list[i];
        if (!txn->counts) continue;
        uint32_t known = processes.count;
        uint32_t id = sk_intern_put(&processes, sk_slice_make(&txn->operation->process, sizeof txn->operation->process));
        if (id == known) last[id] = SK_TXN_NONE;
        if (last[id] != SK_TXN_NONE) sk_graph_add(graph, last[id], i, PROCESS, 0);
        if (txn->status == SK_TXN_OK) last[id] = i; // nothing waits for one of unknown outcome
    }
    sk_free(last);
    sk_intern_deinit(&processes);
}

// ---- Cycles ----

typedef struct anomaly {
    uint32_t kinds, once;
    const char *name;
} anomaly;

static const anomaly anomalies[] = {
    {WW, 0, "G0"},
    {WW | WR, 0, "G1c"},
    {WW | WR, RW, "G-single"},
    {WW | WR | RW, 0, "G2"},
};

static const char *meaning(const char *name)
{
    switch (name[1]) {
    case '0': return "write cycle";
    case '1': return "circular information flow";
    case '-': return "read skew";
    default: return "write skew or worse";
    }
}

static void explain(const sk_txns *txns, const sk_graph_edge *edge, sk_buffer *out)
{
    sk_buffer_printf(out, "    %-8s ", label_of(edge->kind));
    switch (edge->kind) {
    case WW: sk_buffer_append_text(out, "the next appended after it: "); break;
    case WR: sk_buffer_append_text(out, "the next read what it appended: "); break;
    case RW: sk_buffer_append_text(out, "it did not see yet what the next appended: "); break;
    case PROCESS: sk_buffer_append_text(out, "the next is of the same process, later"); break;
    default: sk_buffer_append_text(out, "it had returned before the next was called"); break;
    }
    if (edge->kind <= RW) sk_txns_write_element(txns, edge->note, out);
    sk_buffer_append_byte(out, '\n');
}

static void report_cycle(sk_txns *txns, const sk_cycle *cycle, const char *name, const char *suffix)
{
    sk_buffer text = {0};
    for (size_t i = 0; i < cycle->count; i++) {
        const sk_check_operation *operation = txns->list[cycle->edges[i]->from].operation;
        if (i < 8) sk_buffer_printf(&text, "line %zu -%s-> ", operation->line, label_of(cycle->edges[i]->kind));
        else if (i == 8) sk_buffer_append_text(&text, "... ");
        sk_report_add(txns->report, operation, SK_MARK_CULPRIT, 0);
        sk_report_add_edge(txns->report, (uint32_t)i, (uint32_t)((i + 1) % cycle->count), label_of(cycle->edges[i]->kind));
        sk_report_line(txns->report, "  ", operation);
        explain(txns, cycle->edges[i], &txns->report->detail);
    }
    sk_report_set(txns->report, SK_VERDICT_VIOLATED, "%s%s (%s): %.*sline %zu", name, suffix, meaning(name), (int)text.size,
                  (const char *)text.data, txns->list[cycle->edges[0]->from].operation->line);
    sk_buffer_deinit(&text);
}

static bool find_cycles(sk_txns *txns, const sk_graph *graph, uint32_t extra, const char *suffix)
{
    for (size_t i = 0; i < sizeof anomalies / sizeof *anomalies; i++) {
        sk_cycle cycle;
        if (!sk_graph_find_cycle(graph, anomalies[i].kinds | extra, anomalies[i].once, &cycle)) continue;
        report_cycle(txns, &cycle, anomalies[i].name, suffix);
        sk_cycle_deinit(&cycle);
        return false;
    }
    return true;
}

// Who read a whole list precedes everybody whose append to it nobody read: the one kind of edge that may be many.
static size_t bytes_needed(const sk_txns *txns, const unread *later)
{
    size_t edges = txns->append_count + 2 * (size_t)txns->read_count;
    for (uint32_t i = 0; i < txns->read_count; i++) {
        const sk_txn_read *read = &txns->reads[i];
        if (read->external == txns->reads[txns->longest[read->key]].count)
            edges += later->begin[read->key + 1] - later->begin[read->key];
    }
    return edges * sizeof(sk_graph_edge) * 2;
}

static bool check_graph(sk_txns *txns, const unread *later, const sk_check_history *history, enum sk_transaction_order order)
{
    sk_graph graph;
    sk_graph_init(&graph, txns->count);
    add_orders(txns, later, &graph);
    add_reads(txns, later, &graph);
    if (order >= SK_ORDER_PROCESS) add_processes(txns, history, &graph);
    if (order >= SK_ORDER_REALTIME) add_realtime(txns, history, &graph);
    sk_graph_seal(&graph);
    bool right = find_cycles(txns, &graph, 0, "");
    if (right && order >= SK_ORDER_PROCESS) right = find_cycles(txns, &graph, PROCESS, "-process");
    if (right && order >= SK_ORDER_REALTIME) right = find_cycles(txns, &graph, PROCESS | REALTIME, "-realtime");
    sk_graph_deinit(&graph);
    return right;
}

bool sk_txns_check_cycles(sk_txns *txns, const sk_check_history *history, enum sk_transaction_order order, size_t memory)
{
    unread later = find_unread(txns);
    bool fits = !memory || bytes_needed(txns, &later) <= memory;
    if (!fits) sk_report_out_of(txns->report, "memory", 0);
    bool right = fits && check_graph(txns, &later, history, order);
    sk_free(later.list);
    sk_free(later.begin);
    return right;
}
