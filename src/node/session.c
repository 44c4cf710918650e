#include "node/session.h"

#include "base/alloc.h"
#include "base/assert.h"
#include "base/hash.h"

enum { REPLY_BYTES_KEPT = 4096 };

void sk_sessions_init(sk_sessions *sessions)
{
    *sessions = (sk_sessions){0};
}

static void session_deinit(sk_session *session)
{
    sk_ring_deinit(&session->replies);
    sk_buffer_deinit(&session->bytes);
}

void sk_sessions_deinit(sk_sessions *sessions)
{
    for (size_t i = 0; i < sessions->count; i++) session_deinit(&sessions->list[i]);
    sk_free(sessions->list);
    *sessions = (sk_sessions){0};
}

// Origins are few (nodes of one site) and kept in order of id, so that snapshots are equal everywhere.
static sk_session *find(const sk_sessions *sessions, sk_node_id origin)
{
    for (size_t i = 0; i < sessions->count; i++) {
        if (sessions->list[i].origin == origin) return &sessions->list[i];
    }
    return NULL;
}

static sk_session *find_or_add(sk_sessions *sessions, sk_node_id origin)
{
    sk_session *session = find(sessions, origin);
    if (session) return session;
    sessions->list = sk_realloc(sessions->list, (sessions->count + 1) * sizeof *sessions->list);
    size_t at = sessions->count++;
    while (at > 0 && sessions->list[at - 1].origin > origin) {
        sessions->list[at] = sessions->list[at - 1];
        at--;
    }
    sessions->list[at] = (sk_session){.origin = origin};
    sk_ring_init(&sessions->list[at].replies, sizeof(size_t));
    return &sessions->list[at];
}

static size_t reply_size(const sk_session *session, size_t index)
{
    return *(size_t *)sk_ring_at(&session->replies, index);
}

static void forget_all(sk_session *session)
{
    sk_ring_pop_front(&session->replies, session->replies.count);
    sk_buffer_reset(&session->bytes, REPLY_BYTES_KEPT);
    session->start = 0;
}

static void forget_answered(sk_session *session, uint64_t answered)
{
    if (answered > session->last) answered = session->last;
    while (session->answered < answered) {
        session->start += reply_size(session, 0);
        sk_ring_pop_front(&session->replies, 1);
        session->answered++;
    }
    if (session->replies.count == 0) {
        forget_all(session);
    } else if (session->start > REPLY_BYTES_KEPT && session->start > session->bytes.size / 2) {
        sk_buffer_consume(&session->bytes, session->start);
        session->start = 0;
    }
}

static sk_slice kept_reply(const sk_session *session, uint64_t number)
{
    SK_ASSERT(number > session->answered && number <= session->last);
    size_t at = session->start;
    size_t index = (size_t)(number - session->answered - 1);
    for (size_t i = 0; i < index; i++) at += reply_size(session, i);
    return sk_buffer_part(&session->bytes, at, reply_size(session, index));
}

static enum sk_session_verdict look(const sk_session *session, uint64_t boot, uint64_t number, sk_slice *reply)
{
    if (boot < session->boot) return SK_SESSION_STALE;
    uint64_t last = boot > session->boot ? 0 : session->last;
    if (number > last + 1) return SK_SESSION_GAP;
    if (number == last + 1) return SK_SESSION_EXECUTE;
    if (number <= session->answered) return SK_SESSION_FORGOTTEN;
    *reply = kept_reply(session, number);
    return SK_SESSION_REPEAT;
}

enum sk_session_verdict sk_session_judge(sk_sessions *sessions, const sk_envelope *envelope, sk_slice *reply)
{
    SK_ASSERT(envelope->flags & SK_ENVELOPE_ORIGIN);
    sk_session *session = find_or_add(sessions, envelope->origin);
    if (envelope->boot > session->boot) {
        forget_all(session);
        session->boot = envelope->boot;
        session->last = session->answered = 0;
    }
    if (envelope->boot == session->boot) forget_answered(session, envelope->answered);
    return look(session, envelope->boot, envelope->number, reply);
}

static const char not_kept[] = "-UNKNOWN it was applied, but its reply was too large to be kept for a second answer\r\n";

bool sk_session_reply_kept(sk_slice reply)
{
    return !sk_slice_equal(reply, sk_slice_text(not_kept));
}

void sk_session_executed(sk_sessions *sessions, const sk_envelope *envelope, sk_slice reply)
{
    sk_session *session = find(sessions, envelope->origin);
    SK_ASSERT(session && session->boot == envelope->boot && session->last + 1 == envelope->number);
    SK_ASSERT(session->replies.count == session->last - session->answered);
    sk_slice kept = reply.size > SK_SESSION_REPLY_MAX ? sk_slice_text(not_kept) : reply;
    *(size_t *)sk_ring_push(&session->replies) = kept.size;
    sk_buffer_append_slice(&session->bytes, kept);
    session->last = envelope->number;
    while (session->bytes.size - session->start > SK_SESSION_KEPT_BYTES_MAX ||
           session->replies.count > SK_SESSION_KEPT_COUNT_MAX)
        forget_answered(session, session->answered + 1);
}

enum sk_session_verdict sk_session_look(const sk_sessions *sessions, sk_node_id origin, uint64_t boot, uint64_t number,
                                        sk_slice *reply)
{
    const sk_session *session = find(sessions, origin);
    if (!session) return number == 1 ? SK_SESSION_EXECUTE : SK_SESSION_GAP;
    return look(session, boot, number, reply);
}

uint64_t sk_session_last(const sk_sessions *sessions, sk_node_id origin, uint64_t boot)
{
    const sk_session *session = find(sessions, origin);
    return session && session->boot == boot ? session->last : 0;
}

void sk_sessions_write(const sk_sessions *sessions, sk_buffer *out)
{
    sk_write_varint(out, sessions->count);
    for (size_t i = 0; i < sessions->count; i++) {
        const sk_session *session = &sessions->list[i];
        sk_write_varint(out, session->origin);
        sk_write_varint(out, session->boot);
        sk_write_varint(out, session->last);
        sk_write_varint(out, session->answered);
        size_t at = session->start;
        for (size_t r = 0; r < session->replies.count; r++) {
            sk_write_sized(out, sk_buffer_part(&session->bytes, at, reply_size(session, r)));
            at += reply_size(session, r);
        }
    }
}

static int read_one(sk_sessions *sessions, sk_reader *reader)
{
    uint64_t origin = sk_read_varint(reader);
    if (origin == 0 || origin > SK_NODE_ID_MAX || find(sessions, (sk_node_id)origin)) return SK_ECORRUPT;
    sk_session *session = find_or_add(sessions, (sk_node_id)origin);
    session->boot = sk_read_varint(reader);
    uint64_t last = sk_read_varint(reader);
    uint64_t answered = sk_read_varint(reader);
    if (reader->bad || answered > last || last - answered > sk_reader_left(reader)) return SK_ECORRUPT;
    session->answered = answered;
    for (session->last = answered; session->last < last; session->last++) {
        sk_slice reply = sk_read_sized(reader);
        *(size_t *)sk_ring_push(&session->replies) = reply.size;
        sk_buffer_append_slice(&session->bytes, reply);
    }
    return reader->bad ? SK_ECORRUPT : 0;
}

int sk_sessions_read(sk_sessions *sessions, sk_reader *reader)
{
    sk_sessions fresh;
    sk_sessions_init(&fresh);
    uint64_t count = sk_read_varint(reader);
    int error = reader->bad || count > SK_NODE_ID_MAX ? SK_ECORRUPT : 0;
    for (uint64_t i = 0; i < count && !error; i++) error = read_one(&fresh, reader);
    if (error) {
        sk_sessions_deinit(&fresh);
        return error;
    }
    sk_sessions_deinit(sessions);
    *sessions = fresh;
    return 0;
}

uint64_t sk_sessions_digest(const sk_sessions *sessions)
{
    sk_buffer bytes = {0};
    sk_sessions_write(sessions, &bytes);
    uint64_t digest = sk_hash64(0, bytes.data, bytes.size);
    sk_buffer_deinit(&bytes);
    return digest;
}

size_t sk_sessions_memory(const sk_sessions *sessions)
{
    size_t size = sessions->count * sizeof *sessions->list;
    for (size_t i = 0; i < sessions->count; i++) {
        size += sessions->list[i].bytes.capacity + sessions->list[i].replies.capacity * sizeof(size_t);
    }
    return size;
}
