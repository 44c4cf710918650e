#include "node/snapshot_job.h"

#include "base/assert.h"
#include "node/state.h"

enum { SLICE_BYTES = 64 * 1024, SLICES_A_TURN = 4, PENDING_BYTES_MAX = 512 * 1024 };

static const sk_ns retry_pause = 1 * SK_S;

// ---- Head ----

static void write_head(const sk_space *space, sk_buffer *out)
{
    sk_write_varint(out, space->applied);
    sk_write_varint(out, space->applied_epoch);
    sk_write_varint(out, space->clock.applied_ms);
    sk_write_u8(out, space->clock.has_offset);
    sk_write_u64(out, (uint64_t)space->clock.wall_offset_ms);
    sk_sessions_write(&space->sessions, out);
    sk_rules_write(&space->rules, out);
}

void sk_snapshot_head_init(sk_snapshot_head *head)
{
    *head = (sk_snapshot_head){0};
    sk_sessions_init(&head->sessions);
}

void sk_snapshot_head_deinit(sk_snapshot_head *head)
{
    sk_sessions_deinit(&head->sessions);
    sk_rules_deinit(&head->rules);
}

int sk_snapshot_head_read(sk_snapshot_head *head, sk_slice chunk, const sk_snapshot_info *info)
{
    sk_reader reader = sk_reader_make(chunk);
    head->position = sk_read_varint(&reader);
    head->epoch = sk_read_varint(&reader);
    head->clock_ms = sk_read_varint(&reader);
    head->has_offset = sk_read_u8(&reader) != 0;
    head->wall_offset_ms = (int64_t)sk_read_u64(&reader);
    int error = sk_sessions_read(&head->sessions, &reader);
    if (!error && sk_reader_left(&reader)) error = sk_rules_read(&head->rules, &reader); // none: written before there were any
    if (error || !sk_reader_done(&reader)) return SK_ECORRUPT;
    return head->position == info->position && head->epoch == info->epoch ? 0 : SK_ECORRUPT;
}

void sk_snapshot_head_take(sk_snapshot_head *head, sk_space *space)
{
    space->applied = head->position;
    space->applied_epoch = head->epoch;
    space->clock.applied_ms = head->clock_ms;
    space->clock.wall_offset_ms = head->wall_offset_ms;
    space->clock.has_offset = head->has_offset;
    sk_sessions_deinit(&space->sessions);
    space->sessions = head->sessions;
    sk_sessions_init(&head->sessions);
    sk_rules_deinit(&space->rules);
    space->rules = head->rules;
    head->rules = (sk_rules){0};
    if (space->kind->set_memory_max && !space->protocol->mergeable)
        space->kind->set_memory_max(space->machine, space->rules.memory_max);
    sk_spaces_look(space->node);
}

// ---- Taking ----

static void on_written(void *context, int error, const sk_snapshot_info *info)
{
    sk_space *space = context;
    if (space->job.image) {
        space->machine->ops->image_close(space->job.image);
        space->job.image = NULL;
    }
    space->job.writer = NULL;
    if (error == SK_ENOSPC) sk_wal_room_wanted(space->node->wal);
    if (error) {
        sk_log(space->node->sink, SK_LOG_WARN, "msg=\"snapshot failed\" space=%s position=%llu error=\"%s\"", space->name,
               (unsigned long long)info->position, sk_error_text(error));
        space->job.retry_at = space->node->now + retry_pause;
        space->snapshot_wanted = true; // whoever asked does not ask again soon
        return;
    }
    sk_log(space->node->sink, SK_LOG_DEBUG, "msg=\"snapshot taken\" space=%s position=%llu bytes=%llu", space->name,
           (unsigned long long)info->position, (unsigned long long)info->size);
    if (info->position > space->snapshot.position) space->snapshot = *info;
    space->snapshots_taken++;
    sk_space_step(space, (sk_event){.kind = SK_EVENT_SNAPSHOT_TAKEN,
                                    .snapshot = {.position = info->position, .epoch = info->epoch, .ok = true}});
}

static bool wanted(const sk_space *space)
{
    if (space->job.writer || space->job.retry_at > space->node->now || sk_transfer_installing(space)) return false;
    if (space->applied <= space->snapshot.position || space->status.loading) return false;
    return space->snapshot_wanted || sk_wal_pressed(space->node->wal, space->id);
}

static void start(sk_space *space)
{
    sk_node *node = space->node;
    space->snapshot_wanted = false;
    sk_snapshot_info info = {.space = space->id, .position = space->applied, .epoch = space->applied_epoch};
    space->job.image = space->machine->ops->image_open(space->machine);
    space->job.writer = sk_snapshot_write(node->disk, &node->identity, &info, on_written, space);
    sk_buffer_clear(&node->scratch);
    write_head(space, &node->scratch);
    sk_snapshot_writer_add(space->job.writer, sk_buffer_slice(&node->scratch));
}

bool sk_snapshot_job_work(sk_space *space)
{
    if (wanted(space)) start(space);
    if (!space->job.image) return false;
    sk_buffer *chunk = &space->node->scratch;
    for (int i = 0; i < SLICES_A_TURN; i++) {
        if (sk_snapshot_writer_pending(space->job.writer) >= PENDING_BYTES_MAX) return false; // the disk's turn
        sk_buffer_clear(chunk);
        bool more = space->machine->ops->image_next(space->job.image, chunk, SLICE_BYTES);
        if (chunk->size) sk_snapshot_writer_add(space->job.writer, sk_buffer_slice(chunk));
        if (more) continue;
        space->machine->ops->image_close(space->job.image);
        space->job.image = NULL;
        sk_snapshot_writer_finish(space->job.writer);
        return false;
    }
    return true;
}

sk_ns sk_snapshot_job_deadline(const sk_space *space)
{
    return space->snapshot_wanted && !space->job.writer && space->job.retry_at > space->node->now ? space->job.retry_at
                                                                                                  : SK_NEVER;
}

// ---- Restoring at start ----

typedef struct restoring {
    sk_space *space;
    const sk_snapshot_info *info;
    sk_machine_restore *restore;
    sk_snapshot_head head;
    bool head_seen;
} restoring;

static int on_chunk(void *context, sk_slice bytes)
{
    restoring *state = context;
    if (state->head_seen) return state->space->machine->ops->restore_add(state->restore, bytes);
    state->head_seen = true;
    return sk_snapshot_head_read(&state->head, bytes, state->info);
}

int sk_snapshot_job_restore(sk_space *space)
{
    sk_node *node = space->node;
    sk_snapshot_info info = {0};
    int error = sk_snapshot_find(node->disk, &node->identity, space->id, node->sink, &info);
    if (error == SK_ENOENT) return 0;
    if (error) return error;
    restoring state = {.space = space, .info = &info};
    sk_snapshot_head_init(&state.head);
    state.restore = space->machine->ops->restore_open(space->machine);
    error = sk_snapshot_read(node->disk, &node->identity, &info, on_chunk, &state);
    if (!error && !state.head_seen) error = SK_ECORRUPT;
    if (error) space->machine->ops->restore_abort(state.restore);
    else error = space->machine->ops->restore_finish(state.restore);
    if (!error) {
        sk_snapshot_head_take(&state.head, space);
        space->snapshot = info;
    }
    sk_snapshot_head_deinit(&state.head);
    return error;
}
