// Steps; a turn's submits, and their answers.
#include "base/alloc.h"
#include "base/assert.h"
#include "protocol/merger/merger.h"

static void refuse(sk_merger *merger, uint64_t request, int why)
{
    sk_effect *effect = sk_effects_add(merger->out, SK_EFFECT_REFUSE);
    effect->refuse.request = request;
    effect->refuse.why = why;
}

bool sk_merger_step(sk_merger *merger, const sk_event *event, sk_effects *out)
{
    SK_ASSERT(merger->started && event->now >= merger->now);
    merger->now = event->now;
    if (event->wall_ms) merger->wall_ms = event->wall_ms;
    merger->disk_behind = event->disk_behind;
    merger->out = out;
    if (!merger->halted) return true;
    if (event->kind == SK_EVENT_SUBMIT) refuse(merger, event->submit.request, SK_ENOTLEADER);
    if (event->kind == SK_EVENT_READ) sk_merger_on_read(merger, event);
    return false;
}

// Nothing more lasts here: what waits may or may not have been written.
void sk_merger_halt(sk_merger *merger)
{
    for (size_t i = 0; i < merger->answer_count; i++) refuse(merger, merger->answers[i].request, SK_EUNKNOWN);
    merger->answer_count = 0;
    merger->halted = true;
    merger->why = "the disk failed: restart this node";
    sk_effects_add(merger->out, SK_EFFECT_STATUS);
}

bool sk_merger_admit(sk_merger *merger, const sk_event *event)
{
    bool full = merger->answer_count >= merger->limits.pending_max || merger->disk_behind;
    if (full || merger->loading) refuse(merger, event->submit.request, full ? SK_EBUSY : SK_EAGAIN);
    return !full && !merger->loading;
}

void sk_merger_run(sk_merger *merger, const sk_event *event)
{
    sk_command_context context = {
        .clock_ms = merger->wall_ms, .seed = event->submit.seed, .resp = event->submit.resp == 3 ? 3 : 2};
    size_t from = merger->replies.size;
    merger->ops->prepare(merger->machine, &context, event->submit.command, &merger->replies, &merger->operations);
    if (merger->answer_count == merger->answer_capacity) {
        merger->answer_capacity = merger->answer_capacity ? merger->answer_capacity * 2 : 16;
        merger->answers = sk_realloc(merger->answers, merger->answer_capacity * sizeof *merger->answers);
    }
    merger->answers[merger->answer_count++] =
        (sk_merger_answer){.request = event->submit.request, .from = from, .size = merger->replies.size - from};
}

void sk_merger_on_read(sk_merger *merger, const sk_event *event)
{
    if (merger->loading) {
        refuse(merger, event->read.request, SK_EAGAIN);
        return;
    }
    sk_effect *effect = sk_effects_add(merger->out, SK_EFFECT_QUERY);
    effect->query.request = event->read.request;
    effect->query.position = merger->number;
}

void sk_merger_clear_due(sk_merger *merger)
{
    if (merger->loading || merger->ops->next_due(merger->machine) > merger->wall_ms) return;
    merger->ops->clear_due(merger->machine, merger->wall_ms, &merger->operations);
}

void sk_merger_answer_all(sk_merger *merger)
{
    enum { BYTES_KEPT = 64 * 1024 };
    sk_slice replies = sk_arena_copy(&merger->out->arena, sk_buffer_slice(&merger->replies));
    for (size_t i = 0; i < merger->answer_count; i++) {
        const sk_merger_answer *answer = &merger->answers[i];
        sk_effect *effect = sk_effects_add(merger->out, SK_EFFECT_ANSWER);
        effect->answer.request = answer->request;
        effect->answer.reply = sk_slice_make(replies.data + answer->from, answer->size);
        effect->answer.after = merger->number > merger->durable ? merger->number : 0;
    }
    merger->answer_count = 0;
    sk_buffer_reset(&merger->replies, BYTES_KEPT);
    sk_buffer_reset(&merger->operations, BYTES_KEPT);
}
