// Random schedules of a small causal cluster, judged by check/causal.
//
// SKEIN_LONG=1: ten times the seeds. SKEIN_SEED, SKEIN_SEEDS: the first one, and how many.
#include "check/checker.h"
#include "test/support/causal_cluster.h"

enum { SESSIONS = 6, KEYS = 4 };

typedef struct session {
    int64_t process;
    size_t node;
    uint64_t boot; // of the node, when it came there
    sk_vector token; // what it brought
} session;

typedef struct story {
    crdt_cluster c;
    sk_prng prng;
    session sessions[SESSIONS];
    int64_t processes;
    int value;
    sk_buffer history;
    uint64_t moved, waited, asks, held, states, log_syncs, closed;
} story;

static void begin_session(story *s, session *one)
{
    one->process = s->processes++;
    sk_vector_clear(&one->token);
    one->node = sk_prng_below(&s->prng, s->c.count);
    one->boot = s->c.nodes[one->node].boot;
}

static bool serves(story *s, const session *one)
{
    computer *n = &s->c.nodes[one->node];
    return n->up && !merger_of(&s->c, one->node)->loading && sk_vector_covers(seen_of(&s->c, one->node), &one->token);
}

static void event(story *s, const session *one, const char *type, const char *f, const char *key, const char *value)
{
    sk_check_history_write_event(&s->history, one->process, type, f, key, value);
}

static void act(story *s, session *one)
{
    computer *n = &s->c.nodes[one->node];
    if (!n->up || n->boot != one->boot) { // its connection is gone, and what it saw there may be
        begin_session(s, one);
        return;
    }
    if (!serves(s, one)) {
        s->waited++;
        return;
    }
    char key[8];
    char value[16];
    char request[40];
    snprintf(key, sizeof key, ":k%d", (int)sk_prng_below(&s->prng, KEYS));
    if (sk_prng_chance(&s->prng, 1, 2)) {
        snprintf(value, sizeof value, "%d", ++s->value);
        snprintf(request, sizeof request, "set %s %s", key + 1, value);
        event(s, one, "invoke", "write", key, value);
        crdt_submit(&s->c, n, request);
        event(s, one, "ok", "write", key, value);
        return;
    }
    snprintf(request, sizeof request, "get %s", key + 1);
    const char *reply = crdt_read(&s->c, n, request);
    int found = 0;
    if (sscanf(reply, "$%*d\r\n%d", &found) == 1) snprintf(value, sizeof value, "%d", found);
    else snprintf(value, sizeof value, "nil");
    event(s, one, "invoke", "read", key, NULL);
    event(s, one, "ok", "read", key, value);
}

// Takes a token, which is given when all of it is on disk, and goes elsewhere.
static void move(story *s, session *one)
{
    if (!serves(s, one) || s->c.nodes[one->node].boot != one->boot) return;
    crdt_sync_disk(&s->c, &s->c.nodes[one->node]);
    sk_vector_copy(&one->token, seen_of(&s->c, one->node));
    one->node = sk_prng_below(&s->prng, s->c.count);
    one->boot = s->c.nodes[one->node].boot;
    s->moved++;
}

static sk_verdict judge(story *s, sk_buffer *reason)
{
    sk_check_history history;
    sk_check_history_options options = {0};
    sk_check_limits limits = {0};
    sk_checker checker;
    const char *problem;
    int status = sk_checker_choose(&checker, "register", "causal", &problem);
    assert_int_equal(status, 0);
    status = sk_check_history_read(&history, sk_buffer_slice(&s->history), &options);
    if (status < 0) fail_msg("%s", history.error);
    sk_report report;
    sk_report_init(&report);
    sk_checker_run(&checker, &history, &limits, &report);
    sk_buffer_append_slice(reason, sk_buffer_slice(&report.reason));
    sk_buffer_append_byte(reason, 0);
    sk_verdict verdict = report.verdict;
    sk_report_deinit(&report);
    sk_check_history_deinit(&history);
    return verdict;
}

static void tell_story(story *s, uint64_t seed)
{
    sk_prng_init(&s->prng, seed);
    open_cluster(&s->c, 2 + sk_prng_below(&s->prng, 4), seed);
    s->c.drops = sk_prng_chance(&s->prng, 1, 2);
    s->c.duplicates = sk_prng_chance(&s->prng, 1, 2);
    s->c.reorders = sk_prng_chance(&s->prng, 1, 2);
    s->c.limits.log_entries_max = 60;
    size_t window = sk_prng_chance(&s->prng, 1, 2) ? 1500 : 1 << 20;
    s->c.limits.window_bytes_max = window;
    for (size_t i = 0; i < s->c.count; i++) merger_of(&s->c, i)->limits = s->c.limits;
    for (size_t i = 0; i < SESSIONS; i++) begin_session(s, &s->sessions[i]);
    for (int i = 0; i < 500; i++) {
        session *one = &s->sessions[sk_prng_below(&s->prng, SESSIONS)];
        if (sk_prng_chance(&s->prng, 1, 5)) move(s, one);
        else act(s, one);
        if (sk_prng_chance(&s->prng, 1, 15)) disturb(&s->c, &s->prng, 200); // clocks stay within the drift that is followed
        if (sk_prng_chance(&s->prng, 1, 2)) crdt_run(&s->c, sk_prng_below(&s->prng, 20 * SK_MS));
        if (sk_prng_chance(&s->prng, 1, 40)) crdt_run(&s->c, sk_prng_below(&s->prng, 3 * SK_S));
    }
}

static void random_schedules_are_causal(void **state)
{
    const char *count = getenv("SKEIN_SEEDS");
    const uint64_t seeds = count ? strtoull(count, NULL, 10) : (getenv("SKEIN_LONG") ? 10000u : 1000u) / SLOW;
    story *total = calloc(1, sizeof *total);
    uint64_t first = getenv("SKEIN_SEED") ? strtoull(getenv("SKEIN_SEED"), NULL, 10) : 1;
    for (uint64_t seed = first; seed < first + seeds; seed++) {
        story *s = calloc(1, sizeof *s);
        sk_buffer reason = {0};
        tell_story(s, seed);
        for (size_t i = 0; i < s->c.count; i++) {
            if (!s->c.nodes[i].up) continue;
            total->asks += merger_of(&s->c, i)->counts.asks;
            total->held += counts(&s->c, i)->held;
            total->states += counts(&s->c, i)->state_syncs;
            total->log_syncs += counts(&s->c, i)->log_syncs;
            total->closed += merger_of(&s->c, i)->counts.closed;
        }
        sk_verdict verdict = judge(s, &reason);
        if (verdict != SK_VERDICT_HOLDS) {
            fprintf(stderr, "%.*s\n", (int)s->history.size, (const char *)s->history.data);
            fail_msg("seed %lu: %s", seed, (const char *)reason.data);
        }
        crdt_heal(&s->c);
        for (size_t i = 0; i < s->c.count; i++) {
            bool same = sk_vector_compare(seen_of(&s->c, i), seen_of(&s->c, 0)) == SK_ORDER_EQUAL;
            if (!same || merger_of(&s->c, i)->counts.mismatches) print_message("seed %lu\n", seed);
        }
        agree(&s->c);
        total->moved += s->moved;
        total->waited += s->waited;
        for (size_t i = 0; i < SESSIONS; i++) sk_vector_deinit(&s->sessions[i].token);
        sk_buffer_deinit(&reason);
        sk_buffer_deinit(&s->history);
        crdt_close(&s->c);
        free(s);
    }
    print_message("figure: %lu schedules: %lu moves of sessions, %lu waits, %lu batches held, %lu asks, %lu served by the log, %lu by the "
                  "state, %lu closings of lives\n",
                  seeds, total->moved, total->waited, total->held, total->asks, total->log_syncs, total->states, total->closed);
    if (seeds >= 100) assert_true(total->moved && total->waited && total->held && total->log_syncs && total->states && total->closed);
    free(total);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_schedules_are_causal),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
