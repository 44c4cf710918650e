#include "sim/chronicle.h"

#include <inttypes.h>
#include <stdarg.h>
#include "base/alloc.h"
#include "base/assert.h"
#include "protocol/raft/raft.h"
#include "sim/computer.h"
#include "sim/frame_text.h"

enum { SPACES_MAX = 4, TEXT_SIZE_MAX = 400 };
enum { PRECANDIDATE = SK_ROLE_HALTED + 1 }; // Raft's; to the node it is a candidate

typedef struct standing { // of a replica, as last written down
    bool known;
    int role; // enum sk_role, or PRECANDIDATE
    bool recovering;
    uint64_t epoch, last, durable, committed, applied;
} standing;

struct sk_chronicle {
    FILE *out;
    const sk_world *world;
    uint32_t events;                                 // so far
    uint32_t newest[SK_CAUSALITY_PROCESSES_MAX];     // of each process
    uint32_t subject;                                // the process last looked at
    sk_ns looked;                                    // when
    uint64_t boots[SK_VOTERS_MAX + 1]; // lives that the standings are of
    standing standings[SK_VOTERS_MAX + 1][SPACES_MAX];
    sk_buffer text; // scratch
};

const char *sk_topic_name(enum sk_topic topic)
{
    static const char *const names[] = {
#define X(name, text) text,
        SK_TOPICS(X)
#undef X
    };
    SK_ASSERT(topic < SK_TOPIC_END);
    return names[topic];
}

sk_chronicle *sk_chronicle_open(FILE *out, const sk_world *world)
{
    sk_chronicle *chronicle = sk_alloc_zeroed(sizeof *chronicle);
    chronicle->out = out;
    chronicle->world = world;
    chronicle->looked = SK_NEVER;
    sk_chronicle_head head = {.magic = SK_CHRONICLE_MAGIC,
                           .node_count = world->computer_count,
                           .client_count = world->swarm.client_count + 1};
    SK_ASSERT(head.node_count + head.client_count <= SK_CAUSALITY_PROCESSES_MAX);
    fwrite(&head, sizeof head, 1, out);
    return chronicle;
}

void sk_chronicle_close(sk_chronicle *chronicle)
{
    fflush(chronicle->out);
    sk_buffer_deinit(&chronicle->text);
    sk_free(chronicle);
}

static uint32_t node_process(sk_node_id id)
{
    return id - 1;
}

static uint32_t client_process(const sk_chronicle *chronicle, uint32_t client)
{
    return chronicle->world->computer_count + client;
}

// The scratch text goes with it, and is empty again.
static void write_record(sk_chronicle *chronicle, sk_chronicle_record record)
{
    record.time = chronicle->world->now;
    record.size = (uint32_t)(chronicle->text.size < TEXT_SIZE_MAX ? chronicle->text.size : TEXT_SIZE_MAX);
    fwrite(&record, sizeof record, 1, chronicle->out);
    if (record.size) fwrite(chronicle->text.data, record.size, 1, chronicle->out);
    sk_buffer_clear(&chronicle->text);
}

static uint32_t write_event(sk_chronicle *chronicle, enum sk_causal_kind kind, enum sk_topic topic, uint32_t process,
                            uint32_t peer, uint32_t sent_by)
{
    chronicle->newest[process] = ++chronicle->events;
    write_record(chronicle, (sk_chronicle_record){.kind = (uint8_t)kind,
                                        .topic = (uint8_t)topic,
                                        .process = process,
                                        .peer = peer,
                                        .sent_by = sent_by});
    return chronicle->events;
}

static void look_from(sk_chronicle *chronicle, uint32_t process)
{
    chronicle->subject = process;
    chronicle->looked = chronicle->world->now;
}

static void format_text(sk_chronicle *chronicle, const char *format, va_list arguments)
{
    char text[TEXT_SIZE_MAX];
    vsnprintf(text, sizeof text, format, arguments);
    sk_buffer_append_text(&chronicle->text, text);
}

// ---- Nodes ----

uint32_t sk_chronicle_send(sk_chronicle *chronicle, sk_node_id from, sk_node_id to, sk_slice frames)
{
    const sk_computer *computer = &chronicle->world->computers[from];
    if (computer->turning) sk_chronicle_look(chronicle, computer); // what made it send comes first
    uint32_t first = chronicle->events + 1;
    while (frames.size) {
        sk_frame frame;
        size_t used;
        int complete = sk_frame_parse(frames, &frame, &used);
        SK_ASSERT(complete == 1); // the node hands over whole, right frames
        enum sk_topic topic = sk_frame_text(&frame, &chronicle->text);
        write_event(chronicle, SK_CAUSAL_SEND, topic, node_process(from), node_process(to), 0);
        frames = sk_slice_make(frames.data + used, frames.size - used);
    }
    return first;
}

void sk_chronicle_receive(sk_chronicle *chronicle, sk_node_id from, sk_node_id to, uint32_t event,
                          const sk_frame *frame)
{
    enum sk_topic topic = SK_TOPIC_LINK;
    if (!frame) {
        sk_buffer_append_text(&chronicle->text, "a damaged frame");
    } else {
        topic = sk_frame_text(frame, &chronicle->text);
    }
    write_event(chronicle, SK_CAUSAL_RECEIVE, topic, node_process(to), node_process(from), event);
}

void sk_chronicle_node(sk_chronicle *chronicle, sk_node_id id, enum sk_topic topic, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    format_text(chronicle, format, arguments);
    va_end(arguments);
    write_event(chronicle, SK_CAUSAL_INTERNAL, topic, node_process(id), node_process(id), 0);
}

static void space_prefix(uint32_t space, sk_buffer *out)
{
    if (space == SK_SPACE_SYSTEM) sk_buffer_append_text(out, "sys ");
    if (space > SK_SPACE_DEFAULT) sk_buffer_printf(out, "space %" PRIu32 " ", space);
}

static void look_at_role(sk_chronicle *chronicle, sk_node_id id, const standing *before, const standing *now,
                         const sk_space_facts *facts)
{
    static const char *const names[] = {"follower", "candidate", "leader", "learner", "halted", "precandidate"};
    if (before->known && before->role == now->role && before->epoch == now->epoch &&
        before->recovering == now->recovering)
        return;
    space_prefix(facts->id, &chronicle->text);
    sk_buffer_printf(&chronicle->text, "%s, term %" PRIu64 "%s", names[now->role], now->epoch,
                     now->recovering ? ", recovering" : "");
    if (facts->status.why) sk_buffer_printf(&chronicle->text, " (%s)", facts->status.why);
    write_event(chronicle, SK_CAUSAL_INTERNAL, SK_TOPIC_ROLE, node_process(id), node_process(id), 0);
}

static void progress(sk_buffer *out, const char *name, uint64_t before, uint64_t now)
{
    if (before != now) sk_buffer_printf(out, "%s%s %" PRIu64, out->size ? ", " : "", name, now);
}

static void look_at_log(sk_chronicle *chronicle, sk_node_id id, const standing *before, const standing *now,
                        uint32_t space)
{
    sk_buffer *text = &chronicle->text;
    progress(text, "log", before->last, now->last);
    progress(text, "durable", before->durable, now->durable);
    progress(text, "commit", before->committed, now->committed);
    progress(text, "apply", before->applied, now->applied);
    if (!text->size) return;
    sk_buffer what = *text; // the prefix goes in front
    *text = (sk_buffer){0};
    space_prefix(space, text);
    sk_buffer_append_slice(text, sk_buffer_slice(&what));
    sk_buffer_deinit(&what);
    write_event(chronicle, SK_CAUSAL_INTERNAL, SK_TOPIC_LOG, node_process(id), node_process(id), 0);
}

static void look_at_raft(const sk_raft_replica *raft, standing *now)
{
    now->durable = raft->log.durable;
    if (raft->role == SK_RAFT_PRECANDIDATE) now->role = PRECANDIDATE;
}

void sk_chronicle_look(sk_chronicle *chronicle, const sk_computer *computer)
{
    look_from(chronicle, node_process(computer->id));
    if (chronicle->boots[computer->id] != computer->boots)
        memset(chronicle->standings[computer->id], 0, sizeof chronicle->standings[computer->id]);
    chronicle->boots[computer->id] = computer->boots;
    size_t count = sk_node_space_count(computer->node);
    for (size_t i = 0; i < count && i < SPACES_MAX; i++) {
        sk_space_facts facts = sk_node_space_facts(computer->node, i, false);
        const sk_protocol *protocol;
        const sk_replica *replica = sk_node_replica(computer->node, facts.id, &protocol);
        standing *before = &chronicle->standings[computer->id][i];
        standing now = {.known = true,
                        .role = (int)facts.status.role,
                        .recovering = facts.status.recovering,
                        .epoch = facts.status.epoch,
                        .last = facts.status.last,
                        .committed = facts.status.committed,
                        .applied = facts.applied};
        if (replica && protocol == &sk_raft) look_at_raft((const void *)replica, &now);
        look_at_role(chronicle, computer->id, before, &now, &facts);
        look_at_log(chronicle, computer->id, before, &now, facts.id);
        *before = now;
    }
}

// ---- Clients ----

void sk_chronicle_client(sk_chronicle *chronicle, uint32_t client, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    format_text(chronicle, format, arguments);
    va_end(arguments);
    uint32_t process = client_process(chronicle, client);
    write_event(chronicle, SK_CAUSAL_INTERNAL, SK_TOPIC_CLIENT, process, process, 0);
    look_from(chronicle, process);
}

uint32_t sk_chronicle_ask(sk_chronicle *chronicle, uint32_t client, sk_node_id to, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    format_text(chronicle, format, arguments);
    va_end(arguments);
    return write_event(chronicle, SK_CAUSAL_SEND, SK_TOPIC_CLIENT, client_process(chronicle, client),
                       node_process(to), 0);
}

uint32_t sk_chronicle_reply(sk_chronicle *chronicle, sk_node_id from, uint32_t client, sk_slice bytes)
{
    const sk_computer *computer = &chronicle->world->computers[from];
    if (computer->turning) sk_chronicle_look(chronicle, computer);
    for (size_t i = 0; i < bytes.size && i < 48; i++) {
        uint8_t byte = bytes.data[i];
        if (byte == '\n') continue;
        sk_buffer_append_byte(&chronicle->text, byte > ' ' && byte < 0x7f ? byte : ' ');
    }
    while (chronicle->text.size && chronicle->text.data[chronicle->text.size - 1] == ' ') chronicle->text.size--;
    if (bytes.size > 48) sk_buffer_append_text(&chronicle->text, "...");
    return write_event(chronicle, SK_CAUSAL_SEND, SK_TOPIC_CLIENT, node_process(from),
                       client_process(chronicle, client), 0);
}

void sk_chronicle_arrive(sk_chronicle *chronicle, sk_node_id node, uint32_t client, bool at_node, uint32_t event)
{
    if (!event) return;
    uint32_t there = node_process(node), here = client_process(chronicle, client);
    write_event(chronicle, SK_CAUSAL_RECEIVE, SK_TOPIC_CLIENT, at_node ? there : here, at_node ? here : there, event);
    if (!at_node) look_from(chronicle, here);
}

// ---- Marks ----

uint32_t sk_chronicle_events(const sk_chronicle *chronicle)
{
    return chronicle->events;
}

void sk_chronicle_mark(sk_chronicle *chronicle, enum sk_mark mark, uint32_t a, uint32_t b, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    format_text(chronicle, format, arguments);
    va_end(arguments);
    if (mark == SK_MARK_FAILED && chronicle->looked == chronicle->world->now) a = chronicle->newest[chronicle->subject];
    write_record(chronicle, (sk_chronicle_record){.is_mark = true, .kind = (uint8_t)mark, .a = a, .b = b});
}
