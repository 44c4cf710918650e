// Spaces: where their entries are, what they have released, their last states.
#include "store/wal_private.h"

#include "base/alloc.h"
#include "base/assert.h"

static size_t lower_bound(const sk_wal *wal, uint32_t id)
{
    size_t low = 0, high = wal->space_count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (wal->spaces[middle]->id < id)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

sk_wal_space *sk_wal_space_find(const sk_wal *wal, uint32_t id)
{
    size_t index = lower_bound(wal, id);
    return index < wal->space_count && wal->spaces[index]->id == id ? wal->spaces[index] : NULL;
}

sk_wal_space *sk_wal_space_get(sk_wal *wal, uint32_t id)
{
    size_t index = lower_bound(wal, id);
    if (index < wal->space_count && wal->spaces[index]->id == id) return wal->spaces[index];
    if (wal->space_count == wal->space_capacity) {
        wal->space_capacity = wal->space_capacity ? wal->space_capacity * 2 : 8;
        wal->spaces = sk_realloc(wal->spaces, wal->space_capacity * sizeof *wal->spaces);
    }
    sk_wal_space *space = sk_alloc_zeroed(sizeof *space);
    space->id = id;
    sk_ring_init(&space->points, sizeof(sk_wal_point));
    memmove(&wal->spaces[index + 1], &wal->spaces[index], (wal->space_count - index) * sizeof *wal->spaces);
    wal->spaces[index] = space;
    wal->space_count++;
    return space;
}

static void space_free(sk_wal_space *space)
{
    sk_ring_deinit(&space->points);
    sk_buffer_deinit(&space->state_bytes);
    sk_free(space);
}

void sk_wal_spaces_free(sk_wal *wal)
{
    for (size_t i = 0; i < wal->space_count; i++) space_free(wal->spaces[i]);
    sk_free(wal->spaces);
    wal->spaces = NULL;
    wal->space_count = wal->space_capacity = 0;
}

void sk_wal_forget(sk_wal *wal, uint32_t id)
{
    sk_wal_batch *batch;
    for (sk_list *node = wal->pending.next; node != &wal->pending; node = node->next) {
        batch = SK_CONTAINER(node, sk_wal_batch, link);
        for (size_t i = 0; i < batch->run_count; i++)
            if (batch->runs[i].space == id) batch->runs[i].void_run = true;
        for (size_t i = 0; i < batch->state_count; i++) {
            sk_slice rest =
                sk_slice_make(batch->bytes.data + batch->states[i], batch->bytes.size - batch->states[i]);
            uint32_t space;
            sk_record record;
            if (sk_wal_record_take(&rest, &space, &record) && space == id) batch->states[i] = 0;
        }
    }
    size_t index = lower_bound(wal, id);
    if (index < wal->space_count && wal->spaces[index]->id == id) {
        space_free(wal->spaces[index]);
        wal->space_count--;
        memmove(&wal->spaces[index], &wal->spaces[index + 1],
                (wal->space_count - index) * sizeof *wal->spaces);
    }
    if (sk_wal_oldest_needed(wal) > wal->oldest_sealed) wal->batch_wanted = true;
}

static sk_wal_point *last_point(const sk_wal_space *space)
{
    return space->points.count ? sk_ring_at(&space->points, space->points.count - 1) : NULL;
}

void sk_wal_index_run(sk_wal_space *space, const sk_wal_point *run)
{
    sk_wal_point *last;
    while ((last = last_point(space)) && last->first >= run->first) sk_ring_pop_back(&space->points, 1);
    if (last && last->last >= run->first) last->last = run->first - 1;
    if (last && last->last <= space->released) {
        sk_ring_pop_back(&space->points, 1);
        last = NULL; // everything before it is released too
        SK_ASSERT(space->points.count == 0);
    }
    if (run->last < run->first || run->last <= space->released) return;
    if (last && last->last + 1 == run->first && last->segment == run->segment && last->begin <= run->begin &&
        run->end - last->begin <= SK_WAL_POINT_BYTES) {
        last->last = run->last;
        last->end = run->end;
        return;
    }
    *(sk_wal_point *)sk_ring_push(&space->points) = *run;
}

void sk_wal_index_state(sk_wal_space *space, const sk_record *record)
{
    SK_ASSERT(record->kind == SK_RECORD_STATE);
    sk_buffer_clear(&space->state_bytes);
    sk_buffer_append_slice(&space->state_bytes, record->payload);
    space->state = *record;
    space->state.payload = sk_buffer_slice(&space->state_bytes);
    space->has_state = true;
}

void sk_wal_index_batch(sk_wal *wal, const sk_wal_batch *batch, uint64_t begin, uint64_t end)
{
    for (size_t i = 0; i < batch->run_count; i++) {
        const sk_wal_run *run = &batch->runs[i];
        if (run->void_run) continue;
        sk_wal_point point = {.first = run->first,
                              .last = run->last,
                              .segment = wal->current->number,
                              .begin = begin,
                              .end = end};
        sk_wal_index_run(sk_wal_space_get(wal, run->space), &point);
    }
    for (size_t i = 0; i < batch->state_count; i++) {
        if (batch->states[i] == 0) continue;
        sk_slice rest =
            sk_slice_make(batch->bytes.data + batch->states[i], batch->bytes.size - batch->states[i]);
        uint32_t space;
        sk_record record;
        bool parsed = sk_wal_record_take(&rest, &space, &record);
        SK_ASSERT(parsed);
        sk_wal_index_state(sk_wal_space_get(wal, space), &record);
    }
}

const sk_wal_point *sk_wal_index_find(const sk_wal_space *space, uint64_t position, size_t *index)
{
    size_t low = 0, high = space->points.count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        const sk_wal_point *point = sk_ring_at(&space->points, middle);
        if (point->last < position)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == space->points.count) return NULL;
    const sk_wal_point *point = sk_ring_at(&space->points, low);
    *index = low;
    return point->first <= position ? point : NULL;
}

uint32_t sk_wal_carry(const sk_wal *wal, sk_buffer *out)
{
    uint32_t count = 0;
    for (size_t i = 0; i < wal->space_count; i++) {
        const sk_wal_space *space = wal->spaces[i];
        if (!space->has_state) continue;
        sk_wal_record_put(out, space->id, &space->state);
        count++;
    }
    return count;
}

// ---- Releasing ----

void sk_wal_release(sk_wal *wal, uint32_t id, uint64_t position)
{
    sk_wal_space *space = sk_wal_space_get(wal, id);
    if (position <= space->released) return;
    space->released = position;
    size_t gone = 0;
    while (gone < space->points.count && ((sk_wal_point *)sk_ring_at(&space->points, gone))->last <= position)
        gone++;
    if (gone == 0) return;
    sk_ring_pop_front(&space->points, gone);
    // The next batch tells the disk what is free; if nobody writes one, an empty batch will.
    if (sk_wal_oldest_needed(wal) > wal->oldest_sealed) wal->batch_wanted = true;
}

uint64_t sk_wal_oldest_needed(const sk_wal *wal)
{
    uint64_t oldest = wal->current->number;
    for (size_t i = 0; i < wal->space_count; i++) {
        const sk_wal_space *space = wal->spaces[i];
        if (space->points.count == 0) continue;
        const sk_wal_point *first = sk_ring_at(&space->points, 0);
        if (first->segment < oldest) oldest = first->segment;
    }
    return oldest;
}

bool sk_wal_over(const sk_wal *wal)
{
    return wal->full || wal->stats.size > wal->config.size_max;
}

bool sk_wal_pressed(const sk_wal *wal, uint32_t id)
{
    if (!sk_wal_over(wal)) return false;
    const sk_wal_space *space = sk_wal_space_find(wal, id);
    if (!space || space->points.count == 0) return false;
    const sk_wal_point *first = sk_ring_at(&space->points, 0);
    return first->segment < wal->current->number && first->segment <= sk_wal_oldest_needed(wal);
}
