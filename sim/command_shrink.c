#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include "base/alloc.h"
#include "sim/attempt.h"
#include "sim/command.h"
#include "sim/diagram.h"
#include "sim/shrink.h"
#include "sim/summary.h"

enum {
    LINES_MAX = 50,     // of the account at the end
    VARIATIONS_MAX = 8, // of one candidate
    TRY_MS = 600,       // about as long as one candidate is looked at
};

typedef struct search {
    const sk_options *options;
    uint64_t seed;
    const sk_plan *plan;
    sk_attempt_result drawn; // how the run as drawn failed
    sk_attempt_result best;  // how the smallest so far fails
    sk_overrides smallest;
    uint64_t begun, until; // milliseconds of processor time
    uint64_t runs, runs_ms;
} search;

// ---- Is it the same failure? ----

// The next word of a problem; one that holds a number, or reads as a hexadecimal one, is any such word.
static const char *next_word(const char *text, char out[64])
{
    while (*text && !isalnum((unsigned char)*text)) text++;
    size_t size = 0;
    bool number = false, hexadecimal = true;
    for (; isalnum((unsigned char)*text); text++) {
        number |= isdigit((unsigned char)*text) != 0;
        hexadecimal &= isxdigit((unsigned char)*text) != 0;
        if (size < 63) out[size++] = *text;
    }
    out[size] = 0;
    if (size && (number || hexadecimal)) strcpy(out, "#");
    return text;
}

// The same kind of verdict; and the same words but for names and numbers, unless the run is stuck: how it is stuck depends
// on when somebody looks.
static bool same_failure(const sk_attempt_result *a, const sk_attempt_result *b)
{
    if (a->verdict != b->verdict) return false;
    if (a->verdict == SK_VERDICT_STUCK) return true;
    const char *x = a->problem, *y = b->problem;
    char word[64], other[64];
    do {
        x = next_word(x, word);
        y = next_word(y, other);
        if (strcmp(word, other) != 0) return false;
    } while (word[0]);
    return true;
}

// ---- Trying ----

static bool fails_so(search *self, const sk_overrides *candidate, sk_attempt_result *result)
{
    uint64_t begun = sk_attempt_spent_ms();
    sk_attempt attempt = {
        .fleet = &self->options->fleet, .seed = self->seed, .overrides = candidate, .plan = self->plan};
    sk_attempt_run(&attempt, result);
    self->runs++;
    self->runs_ms += sk_attempt_spent_ms() - begun;
    return same_failure(&self->drawn, result);
}

static void show_progress(const search *self)
{
    if (!self->options->fleet.progress) return;
    fprintf(stderr, "\r%" PRIu64 " runs, %.0f s, %" PRIu64 " events, %" PRIu64 " operations   ", self->runs,
            (double)(sk_attempt_spent_ms() - self->begun) / 1000, self->best.events, self->best.operations);
}

// What is left out shifts what is drawn behind it, so a candidate that should fail may not: others that differ in
// nothing but luck get a chance too, more of them the quicker they are.
static bool candidate_fails(void *context, sk_overrides *candidate)
{
    search *self = context;
    uint64_t each = self->runs ? self->runs_ms / self->runs + 1 : TRY_MS;
    uint64_t variations = each > TRY_MS ? 1 : TRY_MS / each > VARIATIONS_MAX ? VARIATIONS_MAX : TRY_MS / each;
    uint64_t same = candidate->vary;
    for (uint64_t i = 0; i < variations && sk_attempt_spent_ms() < self->until; i++) {
        sk_attempt_result result;
        candidate->vary = i ? (same + i) % VARIATIONS_MAX : same;
        if (!fails_so(self, candidate, &result)) continue;
        self->best = result;
        self->smallest = *candidate;
        show_progress(self);
        return true;
    }
    return false;
}

// Among runs that differ in nothing but luck, the one that fails soonest.
static void pick_shortest(search *self, uint64_t until)
{
    for (uint64_t vary = 0; vary < 4 * VARIATIONS_MAX && sk_attempt_spent_ms() < until; vary++) {
        sk_overrides candidate = self->smallest;
        sk_attempt_result result;
        candidate.vary = vary;
        if (!fails_so(self, &candidate, &result)) continue;
        if (result.verdict != SK_VERDICT_CRASH && result.events >= self->best.events) continue;
        self->best = result;
        self->smallest = candidate;
    }
}

// ---- What there is to leave out ----

static sk_shrink_subject subject_of(const sk_swarm *swarm, const sk_plan *plan, const sk_attempt_result *drawn)
{
    sk_shrink_subject made = {.nodes = swarm->node_count,
                              .clients = swarm->client_count,
                              .operations = swarm->operations_max,
                              .keys = swarm->keys,
                              .phases = swarm->phase_count,
                              .faults = plan->count};
    bool any = false;
    for (int i = 0; i < SK_FAULT_END; i++) any |= drawn->faults[i] > 0;
    for (int i = 0; i < SK_FAULT_END; i++)
        made.habits[i] = swarm->fault[i] && !sk_fault_strikes((enum sk_fault)i) && (!any || drawn->faults[i]);
    for (uint32_t i = 0; i < swarm->phase_count; i++) made.length += swarm->phases[i].length;
    return made;
}

static uint64_t kinds_left(const sk_shrink_subject *subject, const sk_overrides *overrides)
{
    uint64_t count = 0;
    for (int i = 0; i < SK_FAULT_END; i++) count += subject->habits[i] && !overrides->without[i];
    return count;
}

static uint64_t strikes_left(const sk_plan *plan, const sk_overrides *overrides)
{
    uint64_t count = 0;
    for (uint32_t i = 0; i < plan->count; i++)
        count += plan->list[i].fault < SK_FAULT_END && sk_overrides_keeps(overrides, plan->list[i].number);
    return count;
}

static uint32_t phases_left(uint32_t drawn, const sk_overrides *overrides)
{
    return overrides->phases ? (uint32_t)__builtin_popcount(overrides->phases) : drawn;
}

// ---- Telling ----

static void print_size(const char *name, uint64_t drawn, uint64_t shrunk)
{
    printf("  %-18s %10" PRIu64 " %10" PRIu64 "\n", name, drawn, shrunk);
}

static void print_sizes(const search *self, const sk_shrink_subject *subject)
{
    const sk_overrides *left = &self->smallest, none = {0};
    printf("shrunk by %" PRIu64 " runs in %.1f s of processor time\n  %-18s %10s %10s\n", self->runs,
           (double)(sk_attempt_spent_ms() - self->begun) / 1000, "", "as drawn", "shrunk");
    if (self->drawn.events) {
        print_size("events simulated", self->drawn.events, self->best.events);
        print_size("virtual ms", self->drawn.virtual_ns / SK_MS, self->best.virtual_ns / SK_MS);
        print_size("operations", self->drawn.operations, self->best.operations);
    }
    print_size("faults that strike", strikes_left(self->plan, &none), strikes_left(self->plan, left));
    print_size("other fault kinds", kinds_left(subject, &none), kinds_left(subject, left));
    print_size("phases", subject->phases, phases_left(subject->phases, left));
    print_size("nodes", subject->nodes, left->nodes ? left->nodes : subject->nodes);
    print_size("clients", subject->clients, left->clients ? left->clients : subject->clients);
}

static void write_picture(const search *self, const sk_account *account, const sk_selection *selection)
{
    FILE *out = fopen(self->options->svg_path, "w");
    if (!out) sk_options_fail("cannot write ", self->options->svg_path);
    char title[200];
    snprintf(title, sizeof title, "skein-sim, seed %" PRIu64 ", shrunk: %s", self->seed, sk_verdict_text(self->best.verdict));
    sk_diagram_write(account, selection, title, self->best.problem, out);
    fclose(out);
}

// The smallest run once more, with a chronicle, and what matters of that.
static void tell(search *self)
{
    FILE *chronicle = tmpfile();
    if (!chronicle) sk_options_fail("no temporary file", "");
    sk_attempt attempt = {.fleet = &self->options->fleet,
                          .seed = self->seed,
                          .overrides = &self->smallest,
                          .plan = self->plan,
                          .chronicle = chronicle};
    sk_attempt_run(&attempt, &self->best);
    sk_account account;
    bool readable = sk_account_read(&account, chronicle);
    fclose(chronicle);
    if (!readable) return;
    uint32_t failure = sk_account_failure(&account, self->best.problem), past = 0;
    for (uint32_t event = 1; event < failure; event++) past += sk_causality_before(&account.causality, event, failure);
    sk_selection selection = sk_select_essence(&account, failure, self->best.problem, LINES_MAX);
    printf("\nwhat matters, of %" PRIu32 " events of which %" PRIu32 " happened before the failing one, e%" PRIu32 ":\n\n",
           account.causality.count, past, failure);
    uint32_t lines = sk_tell_essence(&account, &selection, stdout);
    printf("\n%" PRIu32 " lines\n%s: %s\n", lines, sk_verdict_text(self->best.verdict), self->best.problem);
    if (self->options->svg_path) write_picture(self, &account, &selection);
    sk_selection_deinit(&selection);
    sk_account_deinit(&account);
}

static void search_all(search *self, const sk_swarm *swarm)
{
    sk_shrink_subject subject = subject_of(swarm, self->plan, &self->drawn);
    sk_overrides best = self->options->overrides;
    for (uint32_t number = self->plan->count + 1; number <= SK_PLAN_FAULTS_MAX; number++)
        sk_overrides_keep(&best, number, false); // there are none of these
    uint64_t limit_ms = self->options->shrink_seconds * 1000ull;
    self->until = self->begun + limit_ms * 9 / 10;
    if (candidate_fails(self, &best)) {
        sk_shrink(&subject, candidate_fails, self, &best);
        pick_shortest(self, self->begun + limit_ms);
    }
    if (self->options->fleet.progress) fprintf(stderr, "\r%70s\r", "");
    print_sizes(self, &subject);
}

int sk_command_shrink(const sk_options *options, uint64_t seed)
{
    search self = {.options = options, .seed = seed, .begun = sk_attempt_spent_ms(), .smallest = options->overrides};
    sk_plan *plan = sk_attempt_plan(&options->fleet, seed, &self.drawn);
    self.plan = plan;
    if (sk_overrides_any(&options->overrides)) fails_so(&self, &options->overrides, &self.drawn);
    printf("seed %" PRIu64 ": %s %s\n", seed, sk_verdict_text(self.drawn.verdict), self.drawn.problem);
    fflush(stdout);
    int status = (int)self.drawn.verdict;
    if (self.drawn.verdict == SK_VERDICT_OK) {
        printf("it does not fail: there is nothing to shrink\n");
    } else {
        sk_swarm swarm;
        sk_free(sk_attempt_draw(&options->fleet, seed, &options->overrides, plan, &swarm));
        self.best = self.drawn;
        search_all(&self, &swarm);
        sk_options smaller = *options;
        smaller.overrides = self.smallest;
        sk_summary_replay(stdout, &smaller, seed);
        tell(&self);
    }
    sk_free(plan);
    return status;
}
