#include "check/causal.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "check/graph.h"
#include "check/intern.h"

enum { NO_ONE = UINT32_MAX, INITIAL = UINT32_MAX - 1, SESSION = 1, READS_FROM = 2 };

typedef struct node {
    const sk_check_operation *operation;
    uint32_t session, place; // place: in its session, from 0
    uint32_t key;
    uint32_t writes;         // number of the pair (key, value); NO_ONE
    uint32_t reads;          // the same, INITIAL or NO_ONE
    uint32_t writer;         // node that wrote what it reads; INITIAL; NO_ONE
} node;

typedef struct writes { // of one key, by session and place
    uint32_t *list;     // nodes
    uint32_t count;
} writes;

typedef struct causal {
    sk_consistency what;
    sk_report *report;
    node *nodes; // session by session, each in its order; open writes that somebody read are sessions of their own
    uint32_t count, session_count;
    uint32_t *session_begin; // session_count + 1
    sk_intern keys, pairs;
    uint32_t *pair_writer; // by pair: node; NO_ONE
    sk_graph graph;
    uint32_t *clock; // count * session_count: how many of a session happened before a node, itself included
    writes *by_key;
    uint32_t *write_list;
} causal;

// ---- Reading operations ----

static bool is(const sk_check_operation *operation, const char *a, const char *b)
{
    return strcmp(operation->f, a) == 0 || strcmp(operation->f, b) == 0;
}

static uint32_t pair_of(causal *c, uint32_t key, const sk_datum *value)
{
    sk_buffer text = {0};
    sk_buffer_printf(&text, "%u ", key);
    sk_datum_write(value, &text);
    uint32_t id = sk_intern_put(&c->pairs, sk_buffer_slice(&text));
    sk_buffer_deinit(&text);
    return id;
}

static bool read_node(causal *c, const sk_check_operation *operation, node *out)
{
    static const sk_datum none = {.type = SK_DATUM_NIL};
    const sk_datum *sees = NULL, *leaves = NULL;
    *out = (node){.operation = operation, .writes = NO_ONE, .reads = NO_ONE, .writer = NO_ONE};
    out->key = sk_intern_datum(&c->keys, operation->key ? operation->key : &none);
    if (is(operation, "read", "get")) {
        sees = operation->output;
    } else if (is(operation, "write", "put")) {
        leaves = operation->input;
    } else if (is(operation, "cas", "cas") && operation->input->type == SK_DATUM_LIST && operation->input->count == 2) {
        sees = &operation->input->items[0];
        leaves = &operation->input->items[1];
    } else {
        sk_report_set(c->report, SK_VERDICT_UNKNOWN, "%s reads registers only, not \"%s\" (line %zu)",
                      sk_consistency_name(c->what), operation->f, operation->line);
        return false;
    }
    if (leaves) out->writes = pair_of(c, out->key, leaves);
    if (sees) out->reads = sees->type == SK_DATUM_NIL ? INITIAL : pair_of(c, out->key, sees);
    if (leaves && leaves->type != SK_DATUM_NIL) return true;
    if (leaves) sk_report_set(c->report, SK_VERDICT_UNKNOWN, "nil is written (line %zu), so a read of nil tells nothing", operation->line);
    return !leaves;
}

static int compare_nodes(const void *a, const void *b)
{
    const sk_check_operation *left = ((const node *)a)->operation, *right = ((const node *)b)->operation;
    if (left->ok != right->ok) return left->ok ? -1 : 1;
    if (left->process != right->process) return left->process < right->process ? -1 : 1;
    return left->call < right->call ? -1 : left->call > right->call;
}

// All operations as nodes: completed ones in order of session, then open writes.
static bool read_nodes(causal *c, const sk_check_history *history)
{
    c->nodes = sk_alloc((history->count + 1) * sizeof *c->nodes);
    for (size_t i = 0; i < history->count; i++) {
        const sk_check_operation *operation = &history->list[i];
        if (!operation->ok && is(operation, "read", "get")) continue;
        if (!read_node(c, operation, &c->nodes[c->count])) return false;
        c->count++;
    }
    if (c->count) qsort(c->nodes, c->count, sizeof *c->nodes, compare_nodes);
    return true;
}

static bool find_writers(causal *c)
{
    c->pair_writer = sk_alloc((c->pairs.count + 1) * sizeof *c->pair_writer);
    for (uint32_t i = 0; i < c->pairs.count; i++) c->pair_writer[i] = NO_ONE;
    for (uint32_t i = 0; i < c->count; i++) {
        const node *at = &c->nodes[i];
        if (at->writes == NO_ONE) continue;
        uint32_t other = c->pair_writer[at->writes];
        if (other != NO_ONE) {
            sk_report_set(c->report, SK_VERDICT_UNKNOWN,
                          "a value is written twice (lines %zu and %zu), so a read does not tell whose write it saw",
                          c->nodes[other].operation->line, at->operation->line);
            return false;
        }
        c->pair_writer[at->writes] = i;
    }
    return true;
}

// ---- Sessions and edges ----

// Keeps the open writes that somebody read: of the others nobody knows whether they happened. (Nodes before them do not move.)
static void drop_unread(causal *c)
{
    bool *read = sk_alloc_zeroed(c->pairs.count + 1);
    for (uint32_t i = 0; i < c->count; i++) {
        if (c->nodes[i].operation->ok && c->nodes[i].reads < INITIAL) read[c->nodes[i].reads] = true;
    }
    uint32_t kept = 0;
    for (uint32_t i = 0; i < c->count; i++) {
        const node *at = &c->nodes[i];
        if (!at->operation->ok && !read[at->writes]) {
            c->pair_writer[at->writes] = NO_ONE;
            continue;
        }
        if (at->writes != NO_ONE) c->pair_writer[at->writes] = kept;
        c->nodes[kept] = *at;
        if (!at->operation->ok) c->nodes[kept].reads = NO_ONE; // an open cas: what it saw is known only if it happened
        kept++;
    }
    c->count = kept;
    sk_free(read);
}

static void find_sessions(causal *c)
{
    c->session_begin = sk_alloc(((size_t)c->count + 2) * sizeof *c->session_begin);
    for (uint32_t i = 0; i < c->count; i++) {
        node *at = &c->nodes[i];
        const node *before = i ? &c->nodes[i - 1] : NULL;
        bool same = before && at->operation->ok && before->operation->ok && before->operation->process == at->operation->process;
        if (!same) c->session_begin[c->session_count++] = i;
        at->session = c->session_count - 1;
        at->place = i - c->session_begin[at->session];
    }
    c->session_begin[c->session_count] = c->count;
}

// An open write comes after what its process did before it; what its process did later does not wait for it.
static uint32_t before_open(const causal *c, const node *open)
{
    uint32_t last = NO_ONE;
    for (uint32_t i = 0; i < c->count; i++) {
        const sk_check_operation *other = c->nodes[i].operation;
        if (other->ok && other->process == open->operation->process && other->call < open->operation->call) last = i;
    }
    return last;
}

static void add_edges(causal *c)
{
    sk_graph_init(&c->graph, c->count);
    for (uint32_t i = 0; i < c->count; i++) {
        const node *at = &c->nodes[i];
        uint32_t before = at->place ? i - 1 : at->operation->ok ? NO_ONE : before_open(c, at);
        if (before != NO_ONE) sk_graph_add(&c->graph, before, i, SESSION, 0);
        if (at->writer < INITIAL) sk_graph_add(&c->graph, at->writer, i, READS_FROM, 0);
    }
    sk_graph_seal(&c->graph);
}

static void set_clocks(causal *c, const uint32_t *order)
{
    size_t width = c->session_count;
    c->clock = sk_alloc_zeroed((c->count * width + 1) * sizeof *c->clock);
    for (uint32_t k = 0; k < c->count; k++) {
        uint32_t i = order[k];
        uint32_t *mine = &c->clock[i * width];
        mine[c->nodes[i].session] = c->nodes[i].place + 1;
        for (size_t e = c->graph.begin[i]; e < c->graph.begin[i + 1]; e++) {
            uint32_t *next = &c->clock[c->graph.edges[e].to * width];
            for (size_t s = 0; s < width; s++) next[s] = next[s] > mine[s] ? next[s] : mine[s];
        }
    }
}

static bool happened_before(const causal *c, uint32_t a, uint32_t b)
{
    return a != b && c->clock[(size_t)b * c->session_count + c->nodes[a].session] > c->nodes[a].place;
}

static void index_writes(causal *c)
{
    c->by_key = sk_alloc_zeroed((c->keys.count + 1) * sizeof *c->by_key);
    c->write_list = sk_alloc((c->count + 1) * sizeof *c->write_list);
    for (uint32_t i = 0; i < c->count; i++) c->by_key[c->nodes[i].key].count += c->nodes[i].writes != NO_ONE;
    uint32_t at = 0;
    for (uint32_t key = 0; key < c->keys.count; key++) {
        c->by_key[key].list = &c->write_list[at];
        at += c->by_key[key].count;
        c->by_key[key].count = 0;
    }
    for (uint32_t i = 0; i < c->count; i++) {
        writes *of = &c->by_key[c->nodes[i].key];
        if (c->nodes[i].writes != NO_ONE) of->list[of->count++] = i;
    }
}

// ---- What is wrong ----

// How `from`, number `after` in the report, came before the reader, number `at`.
static void report_way(causal *c, uint32_t from, uint32_t reader, uint32_t after, uint32_t at)
{
    sk_cycle way;
    if (!sk_graph_find_way(&c->graph, from, reader, SESSION | READS_FROM, &way)) return;
    for (size_t i = 0; i < way.count; i++) {
        bool session = way.edges[i]->kind == SESSION, last = i + 1 == way.count;
        const sk_check_operation *next = c->nodes[way.edges[i]->to].operation;
        uint32_t to = last ? at : sk_report_add(c->report, next, SK_MARK_CONCURRENT, 0);
        sk_report_add_edge(c->report, after, to, session ? "then" : "read by");
        sk_report_line(c->report, session ? "    then             " : "    read by          ", next);
        after = to;
    }
    sk_cycle_deinit(&way);
}

// `later` is named at the end of the sentence that `what` begins.
static bool violated(causal *c, uint32_t reader, uint32_t writer, uint32_t later, const char *what)
{
    sk_report *report = c->report;
    const sk_check_operation *culprit = c->nodes[reader].operation, *other = NULL;
    sk_buffer text = {0};
    sk_check_operation_write(culprit, &text);
    sk_buffer_printf(&text, "\" of process %lld (line %zu) %s", (long long)culprit->process, culprit->line, what);
    if (later < INITIAL) {
        other = c->nodes[later].operation;
        sk_buffer_append_text(&text, " \"");
        sk_check_operation_write(other, &text);
        sk_buffer_printf(&text, "\" of process %lld (line %zu)", (long long)other->process, other->line);
    }
    sk_report_set(report, SK_VERDICT_VIOLATED, "\"%.*s", (int)text.size, (const char *)text.data);
    sk_buffer_deinit(&text);
    uint32_t at = sk_report_add(report, culprit, SK_MARK_CULPRIT, 0), from = 0;
    sk_report_line(report, "  wrong              ", culprit);
    if (writer < INITIAL && writer != later) {
        from = sk_report_add(report, c->nodes[writer].operation, SK_MARK_CONCURRENT, 0);
        sk_report_add_edge(report, from, at, "read by");
        sk_report_line(report, "  it saw the value of", c->nodes[writer].operation);
    }
    if (other) {
        uint32_t after = sk_report_add(report, other, SK_MARK_CONCURRENT, 0);
        if (from) sk_report_add_edge(report, from, after, "before");
        sk_report_line(report, "  but before it came ", other);
        report_way(c, later, reader, after, at);
    }
    return false;
}

// Whose writes the reads saw. False: somebody read what nobody wrote.
static bool find_reads_from(causal *c)
{
    for (uint32_t i = 0; i < c->count; i++) {
        node *at = &c->nodes[i];
        if (at->reads == NO_ONE) continue;
        at->writer = at->reads == INITIAL ? INITIAL : c->pair_writer[at->reads];
        if (at->writer == NO_ONE) return violated(c, i, NO_ONE, NO_ONE, "sees a value that nobody wrote");
    }
    return true;
}

static bool report_cycle(causal *c)
{
    sk_cycle cycle;
    if (!sk_graph_find_cycle(&c->graph, SESSION | READS_FROM, 0, &cycle)) return true;
    sk_report_set(c->report, SK_VERDICT_VIOLATED, "happens-before has a cycle of %zu operations", cycle.count);
    for (size_t i = 0; i < cycle.count; i++) {
        const sk_check_operation *operation = c->nodes[cycle.edges[i]->from].operation;
        const char *label = cycle.edges[i]->kind == SESSION ? "then" : "read by";
        sk_report_add(c->report, operation, SK_MARK_CULPRIT, 0);
        sk_report_add_edge(c->report, (uint32_t)i, (uint32_t)((i + 1) % cycle.count), label);
        sk_report_line(c->report, cycle.edges[i]->kind == SESSION ? "  then    " : "  read by ", operation);
    }
    sk_cycle_deinit(&cycle);
    return false;
}

// The last write of [from, to) in of->list, all of one session, whose place is below `place`; NO_ONE: none.
static uint32_t last_below(const causal *c, const writes *of, uint32_t from, uint32_t to, uint32_t place)
{
    uint32_t begin = from;
    while (from < to) {
        uint32_t middle = from + (to - from) / 2;
        if (c->nodes[of->list[middle]].place < place) from = middle + 1;
        else to = middle;
    }
    return from > begin ? of->list[from - 1] : NO_ONE;
}

// Where the writes of sessions beyond `session` begin.
static uint32_t end_of_session(const causal *c, const writes *of, uint32_t from, uint32_t session)
{
    uint32_t to = of->count;
    while (from < to) {
        uint32_t middle = from + (to - from) / 2;
        if (c->nodes[of->list[middle]].session <= session) from = middle + 1;
        else to = middle;
    }
    return from;
}

// A read must not miss `write`, which happened before it. (Of one session's writes only the last can be missed: if an earlier one
// replaced what was read, the last did too.)
static bool check_not_missed(causal *c, uint32_t reader, uint32_t write)
{
    uint32_t writer = c->nodes[reader].writer;
    if (write == writer || write == NO_ONE) return true;
    if (writer == INITIAL) return violated(c, reader, writer, write, "sees nothing although before it came");
    if (happened_before(c, writer, write)) return violated(c, reader, writer, write, "sees a value that had been replaced by");
    return true;
}

static bool check_writes(causal *c, uint32_t reader)
{
    const node *at = &c->nodes[reader];
    const writes *of = &c->by_key[at->key];
    bool all = c->what == SK_CONSISTENCY_CAUSAL;
    uint32_t from = all || !at->session ? 0 : end_of_session(c, of, 0, at->session - 1);
    while (from < of->count) {
        uint32_t session = c->nodes[of->list[from]].session;
        if (!all && session != at->session) break;
        uint32_t to = end_of_session(c, of, from, session);
        uint32_t below = session == at->session ? at->place : c->clock[(size_t)reader * c->session_count + session];
        if (!check_not_missed(c, reader, last_below(c, of, from, to, below))) return false;
        from = to;
    }
    return true;
}

// What a session has seen of the keys so far.
typedef struct seen {
    uint32_t *latest;   // by key: the writer last seen; NO_ONE
    uint32_t *keys;     // by key: the session that `latest` is of, plus one
    uint32_t *writers;  // by node: the session that saw its value, plus one
    uint32_t **newest;  // by key: writers seen, none before another
    uint32_t *newest_count, *newest_capacity;
} seen;

static void enter_session(seen *s, uint32_t key, uint32_t mark)
{
    if (s->keys[key] == mark) return;
    s->keys[key] = mark;
    s->latest[key] = NO_ONE;
    s->newest_count[key] = 0;
}

static bool check_seen(causal *c, const seen *s, uint32_t reader)
{
    const node *at = &c->nodes[reader];
    uint32_t latest = s->latest[at->key];
    if (at->writer == INITIAL)
        return latest == NO_ONE || violated(c, reader, INITIAL, latest, "sees nothing although its session had seen");
    for (uint32_t i = 0; i < s->newest_count[at->key]; i++) {
        uint32_t other = s->newest[at->key][i];
        if (happened_before(c, at->writer, other))
            return violated(c, reader, at->writer, other, "sees an older value than its session had seen of");
    }
    if (s->writers[at->writer] == at->session + 1 && latest != at->writer)
        return violated(c, reader, at->writer, latest, "sees a value again after its session had seen that of");
    return true;
}

static void note_seen(const causal *c, seen *s, uint32_t key, uint32_t mark, uint32_t writer)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < s->newest_count[key]; i++) {
        uint32_t other = s->newest[key][i];
        if (other != writer && !happened_before(c, other, writer)) s->newest[key][kept++] = other;
    }
    if (kept == s->newest_capacity[key]) {
        s->newest_capacity[key] = kept * 2 + 4;
        s->newest[key] = sk_realloc(s->newest[key], s->newest_capacity[key] * sizeof **s->newest);
    }
    s->newest[key][kept++] = writer;
    s->newest_count[key] = kept;
    s->writers[writer] = mark;
    s->latest[key] = writer;
}

static bool check_sessions(causal *c)
{
    size_t keys = (size_t)c->keys.count + 1;
    seen s = {.latest = sk_alloc(keys * sizeof *s.latest), .keys = sk_alloc_zeroed(keys * sizeof *s.keys)};
    s.writers = sk_alloc_zeroed(((size_t)c->count + 1) * sizeof *s.writers);
    s.newest = sk_alloc_zeroed(keys * sizeof *s.newest);
    s.newest_count = sk_alloc_zeroed(keys * sizeof *s.newest_count);
    s.newest_capacity = sk_alloc_zeroed(keys * sizeof *s.newest_capacity);
    bool right = true;
    for (uint32_t i = 0; i < c->count && right; i++) {
        const node *at = &c->nodes[i];
        enter_session(&s, at->key, at->session + 1);
        if (at->reads != NO_ONE) right = check_seen(c, &s, i);
        if (right && at->writer < INITIAL) note_seen(c, &s, at->key, at->session + 1, at->writer);
        bool own = at->writes != NO_ONE && c->what == SK_CONSISTENCY_CAUSAL; // monotonic reads is about reads alone
        if (own) note_seen(c, &s, at->key, at->session + 1, i);
    }
    for (size_t key = 0; key < keys; key++) sk_free(s.newest[key]);
    void *all[] = {s.latest, s.keys, s.writers, s.newest, s.newest_count, s.newest_capacity};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) sk_free(all[i]);
    return right;
}

static bool check_all(causal *c)
{
    if (c->what != SK_CONSISTENCY_MONOTONIC_READS) {
        for (uint32_t i = 0; i < c->count; i++) {
            if (c->nodes[i].reads != NO_ONE && !check_writes(c, i)) return false;
        }
    }
    return c->what == SK_CONSISTENCY_READ_YOUR_WRITES || check_sessions(c);
}

static void check(causal *c, const sk_check_history *history, const sk_check_limits *limits)
{
    if (!read_nodes(c, history) || !find_writers(c)) return;
    drop_unread(c);
    find_sessions(c);
    if (!find_reads_from(c)) return;
    add_edges(c);
    if (limits->memory && (size_t)c->count * c->session_count * sizeof *c->clock > limits->memory) {
        sk_report_out_of(c->report, "memory", 0);
        return;
    }
    uint32_t *order = sk_alloc(((size_t)c->count + 1) * sizeof *order);
    if (sk_graph_sort(&c->graph, SESSION | READS_FROM, order)) {
        set_clocks(c, order);
        index_writes(c);
        if (check_all(c)) {
            sk_report_set(c->report, SK_VERDICT_HOLDS, "%s: %u operations of %u sessions, %u keys",
                          sk_consistency_name(c->what), c->count, c->session_count, c->keys.count);
        }
    } else {
        report_cycle(c);
    }
    sk_free(order);
}

void sk_check_causal(const sk_check_history *history, sk_consistency what, const sk_check_limits *limits, sk_report *report)
{
    causal c = {.what = what, .report = report};
    check(&c, history, limits);
    void *all[] = {c.nodes, c.session_begin, c.pair_writer, c.clock, c.by_key, c.write_list};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) sk_free(all[i]);
    sk_graph_deinit(&c.graph);
    sk_intern_deinit(&c.keys);
    sk_intern_deinit(&c.pairs);
}
