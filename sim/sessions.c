#include "sim/sessions.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include "base/assert.h"
#include "check/checker.h"
#include "sim/request.h"
#include "sim/workload.h"

sk_operation sk_workload_merge_session(const sk_workload_draw *draw)
{
    uint32_t key = sk_keys_room(draw->keys, SK_KEY_MERGE_SESSION, draw->slot);
    return (sk_operation){.kind = draw->read ? SK_OPERATION_MERGE_GET : SK_OPERATION_MERGE_SET, .key = key};
}

void sk_session_deinit(sk_session *session)
{
    sk_buffer_deinit(&session->token);
}

static void begin(sk_session *session, uint32_t *sessions)
{
    sk_buffer_clear(&session->token);
    session->number = ++*sessions;
}

void sk_session_connected(sk_session *session, uint32_t *sessions)
{
    session->moves = session->asked = false;
    if (!session->token.size) begin(session, sessions);
}

bool sk_session_next(sk_session *session, sk_prng *prng, const sk_keys *keys, sk_operation *out)
{
    *out = (sk_operation){.kind = SK_OPERATION_SESSION_USE, .key = keys->spaces};
    if (!session->token.size) out->kind = SK_OPERATION_SESSION_TOKEN;
    session->asked = session->token.size || sk_prng_chance(prng, 1, 8);
    return session->asked;
}

bool sk_session_answered(sk_session *session, const sk_operation *op, sk_slice text, uint32_t *sessions)
{
    bool fine = op->outcome == SK_OUTCOME_OK;
    if (sk_request_moves(op->kind)) session->asked = false;
    if (op->kind == SK_OPERATION_SESSION_TOKEN && fine) {
        sk_buffer_clear(&session->token);
        sk_buffer_append_slice(&session->token, text);
        session->moves = true;
    } else if (op->kind == SK_OPERATION_SESSION_USE) {
        if (!fine) begin(session, sessions);
        sk_buffer_clear(&session->token);
        return fine;
    } else if (op->outcome == SK_OUTCOME_UNKNOWN) {
        begin(session, sessions); // whoever does not know what became of an operation is no session any more
    }
    return false;
}

void sk_session_lost(sk_session *session, uint32_t *sessions)
{
    if (session->token.size) begin(session, sessions);
}

// ---- Judging ----

static void write_operation(const sk_operation *op, size_t index, const sk_keys *keys, sk_buffer *out)
{
    bool read = sk_request_reads(op->kind), done = op->outcome == SK_OUTCOME_OK;
    if (op->outcome == SK_OUTCOME_FAILED || (read && !done)) return;
    char name[SK_KEY_NAME_MAX], key[SK_KEY_NAME_MAX + 2], value[24] = "nil";
    sk_keys_name(keys, op->key, name);
    snprintf(key, sizeof key, ":%s", name);
    uint64_t seen = read ? op->result : op->value;
    if (seen) snprintf(value, sizeof value, "%" PRIu64, seen);
    // What is open for ever is a session of its own.
    int64_t process = done ? (int64_t)op->session : (int64_t)UINT32_MAX + (int64_t)index;
    sk_check_history_write_event(out, process, "invoke", read ? "read" : "write", key, read ? NULL : value);
    if (done) sk_check_history_write_event(out, process, "ok", read ? "read" : "write", key, value);
}

// Clocks that differ by more than what stamps are followed show one value, a concurrent one, and the first again (docs/causal.md).
static bool clocks_differ(const sk_swarm *swarm)
{
    return swarm->fault[SK_FAULT_CLOCK_DRIFT] || swarm->fault[SK_FAULT_CLOCK_WALL_JUMP] || swarm->fault[SK_FAULT_CLOCK_WALL_STROBE] ||
           swarm->fault[SK_FAULT_CLOCK_WALL_1970] || swarm->fault[SK_FAULT_ASLEEP];
}

static bool judge(sk_slice text, bool tolerant, char *problem, size_t size)
{
    sk_check_history history;
    sk_checker checker;
    sk_report report;
    const char *why;
    int error = sk_checker_choose(&checker, "register", "causal", &why);
    SK_ASSERT(!error);
    error = sk_check_history_read(&history, text, &(sk_check_history_options){0});
    SK_ASSERT(!error);
    sk_report_init(&report);
    sk_checker_run(&checker, &history, &(sk_check_limits){.memory = 256u << 20}, &report);
    sk_buffer_append_byte(&report.reason, 0);
    const char *reason = (const char *)report.reason.data;
    bool again = strstr(reason, "sees a value again") != NULL;
    bool fine = report.verdict != SK_VERDICT_VIOLATED || (tolerant && again);
    if (!fine) snprintf(problem, size, "sessions are not causal: %s", reason);
    sk_report_deinit(&report);
    sk_check_history_deinit(&history);
    return fine;
}

bool sk_sessions_check(const sk_history *history, const sk_keys *keys, const sk_swarm *swarm, char *problem, size_t size)
{
    sk_buffer text = {0};
    for (size_t i = 0; i < history->count; i++) {
        const sk_operation *op = &history->list[i];
        if (keys->list[op->key].kind == SK_KEY_MERGE_SESSION) write_operation(op, i, keys, &text);
    }
    bool fine = !text.size || judge(sk_buffer_slice(&text), clocks_differ(swarm), problem, size);
    sk_buffer_deinit(&text);
    return fine;
}
