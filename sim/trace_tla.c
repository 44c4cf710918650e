#include "sim/trace_tla.h"

#include <inttypes.h>
#include <string.h>
#include "base/alloc.h"
#include "base/assert.h"
#include "protocol/raft/raft.h"

enum { TERMS_MAX = 4096 }; // entries of a log that is still written down

// One replica at one moment.
typedef struct state {
    bool known;
    uint64_t term, vote;
    uint64_t floor; // entries up to here are not in the log any more
    uint64_t base, commit, last;
    uint64_t durable; // its log is on disk up to here, as it says itself
    bool state_durable;
    enum sk_raft_role role;
    uint64_t terms[TERMS_MAX]; // of floor + 1 ... last
} state;

struct sk_trace_tla {
    FILE *out;
    uint32_t node_count;
    uint32_t lines, lines_max;
    enum sk_trace_tla_lie lie;
    bool lied;
    state *last; // by node
    state *look, *honest;
};

enum sk_trace_tla_lie sk_trace_tla_lie_find(const char *name)
{
    static const char *const names[] = {"true", "vote", "role", "commit", "log", "forget"};
    int lie = 0;
    while (lie < SK_TRACE_TLA_LIE_END && strcmp(name, names[lie]) != 0) lie++;
    return (enum sk_trace_tla_lie)lie;
}

sk_trace_tla *sk_trace_tla_open(FILE *out, uint32_t node_count, uint32_t lines_max, enum sk_trace_tla_lie lie)
{
    SK_ASSERT(node_count > 0 && node_count <= SK_VOTERS_MAX);
    sk_trace_tla *trace = sk_alloc_zeroed(sizeof *trace);
    trace->out = out;
    trace->node_count = node_count;
    trace->lines_max = lines_max;
    trace->lie = lie;
    trace->last = sk_alloc_zeroed((node_count + 1) * sizeof *trace->last);
    trace->look = sk_alloc_zeroed(sizeof *trace->look);
    trace->honest = sk_alloc_zeroed(sizeof *trace->honest);
    fprintf(out, "---- MODULE Run ----\nEXTENDS Naturals, Sequences\nMembers == 1..%" PRIu32 "\nRun == <<\n",
            node_count);
    return trace;
}

uint32_t sk_trace_tla_close(sk_trace_tla *trace, bool *lied)
{
    uint32_t lines = trace->lines;
    *lied = trace->lied;
    fputs(">>\n====\n", trace->out);
    sk_free(trace->last);
    sk_free(trace->look);
    sk_free(trace->honest);
    sk_free(trace);
    return lines;
}

static void fill(state *look, const sk_raft_replica *raft)
{
    memset(look, 0, sizeof *look); // compared as bytes
    look->known = true;
    look->term = raft->term;
    look->vote = raft->vote;
    look->floor = raft->log.floor.index;
    look->base = raft->log.base.index;
    look->commit = raft->commit;
    look->last = raft->log.last;
    look->durable = raft->log.durable;
    look->state_durable = !raft->state_dirty && raft->state_record <= raft->record_durable;
    look->role = raft->role;
    for (uint64_t i = look->floor + 1; i <= look->last; i++)
        look->terms[i - look->floor - 1] = sk_raft_log_term(&raft->log, i);
}

// True: there was something to falsify.
static bool falsify(const sk_trace_tla *trace, state *look, const state *before, sk_node_id id, bool started)
{
    switch (trace->lie) {
    case SK_TRACE_TLA_VOTE:
        if (!look->vote || look->vote == id || look->vote == before->vote) return false;
        do look->vote = look->vote % trace->node_count + 1;
        while (look->vote == id);
        return true;
    case SK_TRACE_TLA_ROLE:
        if (look->role != SK_RAFT_CANDIDATE || before->role == SK_RAFT_CANDIDATE) return false;
        look->role = SK_RAFT_LEADER;
        return true;
    case SK_TRACE_TLA_COMMIT:
        if (look->role != SK_RAFT_LEADER || before->role != SK_RAFT_LEADER || look->last <= before->last)
            return false;
        look->commit = look->last;
        return true;
    case SK_TRACE_TLA_LOG:
        if (look->role != SK_RAFT_FOLLOWER || look->last <= before->last || look->last == look->floor)
            return false;
        look->terms[look->last - look->floor - 1]--;
        return true;
    case SK_TRACE_TLA_FORGET:
        if (!started || look->last <= look->floor || before->durable < look->last) return false;
        look->last--;
        look->durable = look->last;
        return true;
    case SK_TRACE_TLA_TRUE:
    case SK_TRACE_TLA_LIE_END:
        break;
    }
    return false;
}

static const char *role_name(enum sk_raft_role role)
{
    if (role == SK_RAFT_LEADER) return "leader";
    return role == SK_RAFT_CANDIDATE ? "candidate" : "follower";
}

static void write_line(sk_trace_tla *trace, const state *look, sk_node_id id, bool started)
{
    fprintf(trace->out,
            "%s[node |-> %" PRIu32 ", started |-> %s, term |-> %" PRIu64 ", vote |-> %" PRIu64
            ", role |-> \"%s\", base |-> %" PRIu64 ", commit |-> %" PRIu64 ", durable |-> %" PRIu64
            ", stateDurable |-> %s, floor |-> %" PRIu64 ", log |-> <<",
            trace->lines ? ",\n" : "", id, started ? "TRUE" : "FALSE", look->term, look->vote,
            role_name(look->role), look->base, look->commit, look->durable,
            look->state_durable ? "TRUE" : "FALSE", look->floor);
    for (uint64_t i = 0; i < look->last - look->floor; i++)
        fprintf(trace->out, "%s%" PRIu64, i ? "," : "", look->terms[i]);
    fputs(">>]", trace->out);
    trace->lines++;
}

void sk_trace_tla_look(sk_trace_tla *trace, const sk_computer *computer, bool started)
{
    if (trace->lines == trace->lines_max) return;
    const sk_protocol *protocol;
    const sk_replica *replica = sk_node_replica(computer->node, SK_SPACE_DEFAULT, &protocol);
    if (!replica || protocol != &sk_raft) return;
    const sk_raft_replica *raft = (const void *)replica;
    if (raft->log.last - raft->log.floor.index > TERMS_MAX) { // enough was seen
        trace->lines_max = trace->lines;
        return;
    }
    state *before = &trace->last[computer->id], *look = trace->look;
    fill(look, raft);
    if (!started && before->known && !memcmp(look, before, sizeof *look)) return;
    *trace->honest = *look;
    if (trace->lie && !trace->lied) trace->lied = falsify(trace, look, before, computer->id, started);
    write_line(trace, look, computer->id, started);
    *before = *trace->honest;
}
