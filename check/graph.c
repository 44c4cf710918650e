#include "check/graph.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/assert.h"

enum { NO_NODE = UINT32_MAX };

// Edges looked at before a shortest cycle is no longer looked for.
static const uint64_t work_max = 30u * 1000 * 1000;

void sk_graph_init(sk_graph *graph, uint32_t node_count)
{
    *graph = (sk_graph){.node_count = node_count};
}

void sk_graph_deinit(sk_graph *graph)
{
    sk_free(graph->edges);
    sk_free(graph->begin);
    *graph = (sk_graph){0};
}

void sk_graph_add(sk_graph *graph, uint32_t from, uint32_t to, uint32_t kind, uint32_t note)
{
    SK_ASSERT(from < graph->node_count && to < graph->node_count && !graph->begin);
    if (from == to) return;
    if (graph->edge_count == graph->edge_capacity) {
        graph->edge_capacity = graph->edge_capacity ? graph->edge_capacity * 2 : 256;
        graph->edges = sk_realloc(graph->edges, graph->edge_capacity * sizeof *graph->edges);
    }
    graph->edges[graph->edge_count++] = (sk_graph_edge){.from = from, .to = to, .kind = kind, .note = note};
}

static int compare_edges(const void *a, const void *b)
{
    const sk_graph_edge *left = a, *right = b;
    if (left->from != right->from) return left->from < right->from ? -1 : 1;
    if (left->kind != right->kind) return left->kind < right->kind ? -1 : 1;
    return left->to < right->to ? -1 : left->to > right->to;
}

void sk_graph_seal(sk_graph *graph)
{
    if (graph->edge_count) qsort(graph->edges, graph->edge_count, sizeof *graph->edges, compare_edges);
    graph->begin = sk_alloc_zeroed(((size_t)graph->node_count + 2) * sizeof *graph->begin);
    for (size_t i = 0; i < graph->edge_count; i++) graph->begin[graph->edges[i].from + 1]++;
    for (uint32_t i = 0; i < graph->node_count; i++) graph->begin[i + 1] += graph->begin[i];
}

void sk_cycle_deinit(sk_cycle *cycle)
{
    sk_free(cycle->edges);
    *cycle = (sk_cycle){0};
}

bool sk_graph_sort(const sk_graph *graph, uint32_t kinds, uint32_t *order)
{
    uint32_t *waiting = sk_alloc_zeroed(((size_t)graph->node_count + 1) * sizeof *waiting);
    uint32_t count = 0;
    for (size_t i = 0; i < graph->edge_count; i++) waiting[graph->edges[i].to] += (graph->edges[i].kind & kinds) != 0;
    for (uint32_t node = 0; node < graph->node_count; node++) {
        if (!waiting[node]) order[count++] = node;
    }
    for (uint32_t done = 0; done < count; done++) {
        for (size_t i = graph->begin[order[done]]; i < graph->begin[order[done] + 1]; i++) {
            const sk_graph_edge *edge = &graph->edges[i];
            if (edge->kind & kinds && --waiting[edge->to] == 0) order[count++] = edge->to;
        }
    }
    sk_free(waiting);
    return count == graph->node_count;
}

// ---- Strongly connected components (Tarjan 1972, without recursion) ----

typedef struct components {
    uint32_t *of;    // by node; nodes alone have NO_NODE
    uint32_t *index, *low, *stack, *path;
    size_t *next;    // edge to look at
    uint32_t counter, stack_size, path_size, count;
} components;

static void enter(components *c, const sk_graph *graph, uint32_t node)
{
    c->index[node] = c->low[node] = ++c->counter;
    c->next[node] = graph->begin[node];
    c->stack[c->stack_size++] = node;
    c->path[c->path_size++] = node;
}

static void close_component(components *c, uint32_t root)
{
    bool alone = c->stack[c->stack_size - 1] == root;
    uint32_t node;
    do {
        node = c->stack[--c->stack_size];
        c->of[node] = alone ? NO_NODE : c->count;
        c->index[node] = NO_NODE; // no longer on the stack
    } while (node != root);
    c->count += !alone;
}

static void walk(components *c, const sk_graph *graph, uint32_t kinds, uint32_t root)
{
    enter(c, graph, root);
    while (c->path_size) {
        uint32_t node = c->path[c->path_size - 1];
        if (c->next[node] < graph->begin[node + 1]) {
            const sk_graph_edge *edge = &graph->edges[c->next[node]++];
            if (!(edge->kind & kinds)) continue;
            uint32_t index = c->index[edge->to];
            if (!index) enter(c, graph, edge->to);
            else if (index != NO_NODE && index < c->low[node]) c->low[node] = index;
            continue;
        }
        c->path_size--;
        if (c->path_size && c->low[node] < c->low[c->path[c->path_size - 1]])
            c->low[c->path[c->path_size - 1]] = c->low[node];
        if (c->low[node] == c->index[node]) close_component(c, node);
    }
}

// The component of every node, as an array of the caller; *count components have more than one node.
static uint32_t *find_components(const sk_graph *graph, uint32_t kinds, uint32_t *count)
{
    size_t size = (size_t)graph->node_count + 1;
    components c = {.of = sk_alloc(size * sizeof *c.of), .index = sk_alloc_zeroed(size * sizeof *c.index)};
    c.low = sk_alloc_zeroed(size * sizeof *c.low);
    c.stack = sk_alloc(size * sizeof *c.stack);
    c.path = sk_alloc(size * sizeof *c.path);
    c.next = sk_alloc(size * sizeof *c.next);
    for (uint32_t node = 0; node < graph->node_count; node++) {
        if (!c.index[node]) walk(&c, graph, kinds, node);
    }
    sk_free(c.index);
    sk_free(c.low);
    sk_free(c.stack);
    sk_free(c.path);
    sk_free(c.next);
    *count = c.count;
    return c.of;
}

// ---- Shortest ways ----

typedef struct finder {
    const sk_graph *graph;
    const uint32_t *component;
    uint32_t *queue;
    const sk_graph_edge **came; // by which edge a node was reached
    uint32_t *round;            // came[node] counts if round[node] is this search's
    uint32_t rounds;
    uint64_t work;
} finder;

// A shortest way from `from` to `to` inside their component, shorter than `longest` edges; its length, or 0. (From a node to
// itself: around a cycle.)
static size_t find_way(finder *f, uint32_t from, uint32_t to, uint32_t kinds, size_t longest)
{
    uint32_t head = 0, tail = 0, level_end = 1;
    size_t length = 0;
    f->rounds++;
    f->queue[tail++] = from;
    while (head < tail && length + 1 < longest) {
        uint32_t node = f->queue[head++];
        for (size_t i = f->graph->begin[node]; i < f->graph->begin[node + 1]; i++) {
            const sk_graph_edge *edge = &f->graph->edges[i];
            f->work++;
            if (!(edge->kind & kinds) || f->component[edge->to] != f->component[from]) continue;
            if (f->round[edge->to] == f->rounds) continue;
            f->round[edge->to] = f->rounds;
            f->came[edge->to] = edge;
            if (edge->to == to) return length + 1;
            if (edge->to != from) f->queue[tail++] = edge->to;
        }
        if (head == level_end) {
            level_end = tail;
            length++;
        }
    }
    return 0;
}

// Writes the way that find_way() found last, from edges[count - 1] backwards.
static void write_way(const finder *f, uint32_t to, const sk_graph_edge **edges, size_t count)
{
    while (count) {
        edges[--count] = f->came[to];
        to = f->came[to]->from;
    }
}

static void keep(sk_cycle *cycle, const finder *f, uint32_t to, size_t way, const sk_graph_edge *last)
{
    sk_free(cycle->edges);
    cycle->count = way + (last != NULL);
    cycle->edges = sk_alloc(cycle->count * sizeof *cycle->edges);
    write_way(f, to, cycle->edges, way);
    if (last) cycle->edges[way] = last;
}

static void find_plain(finder *f, uint32_t kinds, sk_cycle *cycle)
{
    for (uint32_t node = 0; node < f->graph->node_count; node++) {
        if (f->component[node] == NO_NODE || (cycle->count && f->work > work_max)) continue;
        size_t way = find_way(f, node, node, kinds, cycle->count ? cycle->count : SIZE_MAX);
        if (way) keep(cycle, f, node, way, NULL);
        if (cycle->count == 2) return;
    }
}

static void find_with_one(finder *f, uint32_t kinds, uint32_t once, sk_cycle *cycle)
{
    for (size_t i = 0; i < f->graph->edge_count; i++) {
        const sk_graph_edge *edge = &f->graph->edges[i];
        if (!(edge->kind & once) || f->component[edge->from] == NO_NODE) continue;
        if (f->component[edge->from] != f->component[edge->to]) continue;
        if (f->work > work_max || cycle->count == 2) return;
        size_t way = find_way(f, edge->to, edge->from, kinds, cycle->count ? cycle->count - 1 : SIZE_MAX);
        if (way) keep(cycle, f, edge->from, way, edge);
    }
}

static void finder_init(finder *f, const sk_graph *graph, const uint32_t *component)
{
    size_t size = (size_t)graph->node_count + 1;
    *f = (finder){.graph = graph, .component = component, .queue = sk_alloc(size * sizeof *f->queue)};
    f->came = sk_alloc(size * sizeof *f->came);
    f->round = sk_alloc_zeroed(size * sizeof *f->round);
}

static void finder_deinit(finder *f)
{
    sk_free(f->queue);
    sk_free(f->came);
    sk_free(f->round);
}

bool sk_graph_find_way(const sk_graph *graph, uint32_t from, uint32_t to, uint32_t kinds, sk_cycle *way)
{
    SK_ASSERT(graph->begin && from != to);
    *way = (sk_cycle){0};
    uint32_t *together = sk_alloc_zeroed(((size_t)graph->node_count + 1) * sizeof *together);
    finder f;
    finder_init(&f, graph, together);
    size_t length = find_way(&f, from, to, kinds, SIZE_MAX);
    if (length) keep(way, &f, to, length, NULL);
    finder_deinit(&f);
    sk_free(together);
    return length > 0;
}

bool sk_graph_find_cycle(const sk_graph *graph, uint32_t kinds, uint32_t once, sk_cycle *cycle)
{
    SK_ASSERT(graph->begin);
    *cycle = (sk_cycle){0};
    uint32_t count;
    uint32_t *component = find_components(graph, kinds | once, &count);
    if (count) {
        finder f;
        finder_init(&f, graph, component);
        if (once) find_with_one(&f, kinds, once, cycle);
        else find_plain(&f, kinds, cycle);
        finder_deinit(&f);
    }
    sk_free(component);
    return cycle->count > 0;
}
