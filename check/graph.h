// A directed graph whose edges have kinds, and its shortest cycles of chosen kinds.
#ifndef SK_CHECK_GRAPH_H
#define SK_CHECK_GRAPH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct sk_graph_edge {
    uint32_t from, to;
    uint32_t kind; // one bit
    uint32_t note; // the caller's
} sk_graph_edge;

typedef struct sk_graph {
    uint32_t node_count;
    sk_graph_edge *edges; // after sk_graph_seal: by `from`, then by kind
    size_t edge_count, edge_capacity;
    size_t *begin; // node_count + 1; set by sk_graph_seal
} sk_graph;

typedef struct sk_cycle { // or a way, whose end is not its beginning
    const sk_graph_edge **edges; // each begins where the one before ends; released by sk_cycle_deinit
    size_t count;
} sk_cycle;

void sk_graph_init(sk_graph *graph, uint32_t node_count);
void sk_graph_deinit(sk_graph *graph);
void sk_graph_add(sk_graph *graph, uint32_t from, uint32_t to, uint32_t kind, uint32_t note); // from itself to itself: none
void sk_graph_seal(sk_graph *graph); // sorts; nothing is added afterwards
// A shortest cycle of edges of `kinds`, with exactly one edge of `once` (0: without such a wish). The search for a shortest one is
// bounded; beyond that any cycle will do. False: there is none. One may be overlooked only with `once`, when the bound is reached:
// ask for it without `once` too.
bool sk_graph_find_cycle(const sk_graph *graph, uint32_t kinds, uint32_t once, sk_cycle *cycle);
// A shortest way from `from` to another node `to`, in the same form. False: there is none.
bool sk_graph_find_way(const sk_graph *graph, uint32_t from, uint32_t to, uint32_t kinds, sk_cycle *way);
// An order of all nodes that every edge of `kinds` agrees with, into order[node_count]. False: a cycle forbids it.
bool sk_graph_sort(const sk_graph *graph, uint32_t kinds, uint32_t *order);
void sk_cycle_deinit(sk_cycle *cycle);

#endif
