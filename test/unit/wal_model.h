// A dumb second version of the log: everything ever appended, in an array. And a log on a simulated disk
// beside it.
//
// What a recovered log must satisfy, given the model (`model_judge`):
//   - every record it replays was appended, byte for byte: nothing invented
//   - apart from repeated last states, records come in the order appended, without a hole
//   - the state they amount to is the state of the model after some prefix, which holds at least everything
//   reported durable
#ifndef TEST_UNIT_WAL_MODEL_H
#define TEST_UNIT_WAL_MODEL_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/hash.h"
#include "sim/disk.h"
#include "store/wal.h"
#include "store/wal_format.h"

enum { SPACES = 4, POSITIONS_MAX = 2048, RECORDS_MAX = 20000, PAYLOAD_MAX = 64 << 10 };

typedef struct model_record {
    uint32_t space;
    sk_record record; // payload: data NULL, made from the seed by payload_of
    uint64_t seed;
} model_record;

typedef struct model {
    model_record *list; // index: sequence - 1, over all lives
    size_t count;
    uint64_t numbers[SPACES];   // last record number
    uint64_t positions[SPACES]; // last position
    uint64_t released[SPACES];
} model;

typedef struct effective {                 // what replay amounts to
    uint64_t entry[SPACES][POSITIONS_MAX]; // 0: none; else hash of the entry
    uint64_t top[SPACES];                  // nothing above it
    uint64_t state[SPACES];                // hash of the last state
} effective;

typedef struct rig { // a log on a disk
    sim_disk *disk;
    sk_identity identity;
    sk_wal_config config;
    sk_wal *wal;
    sk_wal_owner owner;
    sk_wal_found found;
    uint64_t base;    // model sequence before the wal's first
    uint64_t durable; // model sequence
    int failed;
    uint64_t durable_calls;
} rig;

static inline sk_slice payload_of(uint64_t seed, size_t size, uint8_t *into)
{
    for (size_t i = 0; i < size; i++) into[i] = (uint8_t)(sk_hash_mix(seed, i / 8) >> (8 * (i % 8)));
    return sk_slice_make(into, size);
}

static inline uint64_t record_hash(uint32_t space, const sk_record *record)
{
    uint64_t hash = sk_hash_mix(space + 1, (uint64_t)record->kind);
    hash = sk_hash_mix(hash, record->number);
    hash = sk_hash_mix(hash, record->position);
    hash = sk_hash_mix(hash, record->epoch);
    return sk_hash64(hash, record->payload.data, record->payload.size);
}

static inline uint64_t model_hash(const model_record *record)
{
    static uint8_t bytes[PAYLOAD_MAX];
    sk_record whole = record->record;
    whole.payload = payload_of(record->seed, whole.payload.size, bytes);
    return record_hash(record->space, &whole);
}

static inline void model_init(model *model)
{
    memset(model, 0, sizeof *model);
    model->list = sk_alloc(RECORDS_MAX * sizeof *model->list);
}

static inline void model_deinit(model *model)
{
    sk_free(model->list);
}

static inline void effective_apply(effective *state, uint32_t space, const sk_record *record, uint64_t hash)
{
    switch (record->kind) {
    case SK_RECORD_STATE:
        state->state[space] = hash;
        break;
    case SK_RECORD_ENTRY:
    case SK_RECORD_TRUNCATE:
        for (uint64_t p = record->position; p <= state->top[space]; p++) state->entry[space][p] = 0;
        state->top[space] = record->position;
        state->entry[space][record->position] = record->kind == SK_RECORD_ENTRY ? hash : 0;
        break;
    }
}

// ---- The rig ----

static inline void rig_durable(sk_wal_owner *owner, uint64_t sequence)
{
    rig *rig = SK_CONTAINER(owner, struct rig, owner);
    assert_true(rig->base + sequence > rig->durable);
    rig->durable = rig->base + sequence;
    rig->durable_calls++;
}

static inline void rig_failed(sk_wal_owner *owner, int error)
{
    rig *rig = SK_CONTAINER(owner, struct rig, owner);
    assert_int_equal(rig->failed, 0);
    rig->failed = error;
}

static inline void rig_silent(sk_log_sink *sink, enum sk_log_level level, const char *line)
{
    (void)sink;
    if (getenv("WAL_TRACE")) fprintf(stderr, "%s %s\n", sk_log_level_name(level), line);
}

static inline sk_identity rig_identity(void)
{
    sk_identity identity = {.node = 3, .boot = 1};
    for (unsigned i = 0; i < SK_CLUSTER_ID_SIZE; i++) identity.cluster.bytes[i] = (uint8_t)(0xC0 + i);
    return identity;
}

static sk_log_sink rig_sink = {.write = rig_silent, .level = SK_LOG_INFO};

static inline void rig_init(rig *rig, sim_disk *disk, uint64_t segment_size)
{
    *rig = (struct rig){.disk = disk, .identity = rig_identity()};
    rig->config = (sk_wal_config){.segment_size = segment_size, .size_max = segment_size * 4};
    rig->owner = (sk_wal_owner){.durable = rig_durable, .failed = rig_failed};
}

static inline int rig_open(rig *rig, const model *model, sk_wal_replay *replay, void *context)
{
    rig->base = rig->durable = model ? model->count : 0;
    rig->failed = 0;
    return sk_wal_open(&rig->wal, sim_disk_face(rig->disk), &rig->identity, &rig->config, &rig->owner,
                       &rig_sink, replay, context, &rig->found);
}

static inline void rig_drain(rig *rig)
{
    while (sim_disk_step(rig->disk)) sk_wal_check(rig->wal);
}

static inline void rig_close(rig *rig)
{
    rig_drain(rig);
    assert_false(sk_wal_busy(rig->wal));
    sk_wal_close(rig->wal);
    rig->wal = NULL;
}

// Appends to the log and the model. Returns the model's sequence.
static inline uint64_t model_append(model *model, rig *rig, uint32_t space, sk_record record, uint64_t seed)
{
    static uint8_t bytes[PAYLOAD_MAX];
    assert_true(model->count < RECORDS_MAX);
    record.number = ++model->numbers[space];
    model->list[model->count++] = (model_record){.space = space, .record = record, .seed = seed};
    sk_record whole = record;
    whole.payload = payload_of(seed, record.payload.size, bytes);
    uint64_t sequence = sk_wal_append(rig->wal, space, &whole);
    memset(bytes, 0xEE, sizeof bytes); // the log must have copied
    assert_true(rig->base + sequence == model->count);
    return model->count;
}

static inline uint64_t append_entry(model *model, rig *rig, uint32_t space, size_t size)
{
    sk_record record = {.kind = SK_RECORD_ENTRY, .position = ++model->positions[space], .epoch = 1};
    record.payload.size = size;
    return model_append(model, rig, space, record, model->count * 7919 + 13);
}

static inline uint64_t append_state(model *model, rig *rig, uint32_t space, uint64_t epoch)
{
    sk_record record = {.kind = SK_RECORD_STATE, .epoch = epoch};
    record.payload.size = 9;
    return model_append(model, rig, space, record, model->count + epoch);
}

static inline uint64_t append_truncate(model *model, rig *rig, uint32_t space, uint64_t position)
{
    sk_record record = {.kind = SK_RECORD_TRUNCATE, .position = position};
    model->positions[space] = position - 1;
    return model_append(model, rig, space, record, 0);
}

// ---- Judging a recovery ----

typedef struct judge {
    const model *model;
    effective state;
    uint64_t last; // model sequence of the newest record seen
    size_t count;
    bool bad;
    char why[160];
} judge;

static inline void judge_bad(judge *judge, const char *why, uint64_t at)
{
    if (!judge->bad)
        (void)snprintf(judge->why, sizeof judge->why, "%s (at %llu)", why, (unsigned long long)at);
    judge->bad = true;
}

static inline void judge_replay(void *context, uint32_t space, const sk_record *record)
{
    judge *judge = context;
    const model *model = judge->model;
    judge->count++;
    uint64_t hash = record_hash(space, record);
    uint64_t sequence = 0;
    // The same number may stand for two records of two lives (the first was lost): the newest of that content
    // counts.
    for (size_t i = model->count; i > 0 && !sequence; i--)
        if (model->list[i - 1].space == space && model->list[i - 1].record.number == record->number &&
            model_hash(&model->list[i - 1]) == hash)
            sequence = i;
    if (!sequence) {
        judge_bad(judge, "a record nobody appended", record->number);
        return;
    }
    if (sequence <= judge->last) {
        if (record->kind != SK_RECORD_STATE) judge_bad(judge, "out of order", sequence);
        effective_apply(&judge->state, space, record, hash); // a last state, repeated
        return;
    }
    judge->last = sequence;
    effective_apply(&judge->state, space, record, hash);
}

// The state must be that after the model's first `last` records, and at least the first `durable`: the records themselves may
// be gone where nothing needs them any more (released, replaced, or repeated as a last state).
static inline void judge_compare_durable(judge *judge, uint64_t durable)
{
    if (judge->last < durable) judge->last = durable;
    effective *want = sk_alloc_zeroed(sizeof *want);
    for (size_t i = 0; i < judge->last; i++) {
        const model_record *record = &judge->model->list[i];
        effective_apply(want, record->space, &record->record, model_hash(record));
    }
    for (uint32_t s = 0; s < SPACES; s++) {
        if (want->state[s] != judge->state.state[s]) judge_bad(judge, "another last state", s);
        for (uint64_t p = judge->model->released[s] + 1; p < POSITIONS_MAX; p++)
            if (want->entry[s][p] != judge->state.entry[s][p]) judge_bad(judge, "another entry", p);
    }
    sk_free(want);
}

static inline void judge_compare(judge *judge)
{
    judge_compare_durable(judge, 0);
}

// After an unclean end the model forgets what the log does not have, and goes on from there.
static inline void model_forget_after(model *model, uint64_t last)
{
    model->count = last;
    memset(model->numbers, 0, sizeof model->numbers);
    memset(model->positions, 0, sizeof model->positions);
    for (size_t i = 0; i < last; i++) {
        const model_record *record = &model->list[i];
        model->numbers[record->space] = record->record.number;
        if (record->record.kind == SK_RECORD_ENTRY) model->positions[record->space] = record->record.position;
        if (record->record.kind == SK_RECORD_TRUNCATE)
            model->positions[record->space] = record->record.position - 1;
    }
}

// ---- Steps that many tests take ----

static inline sim_disk *disk_new(uint64_t seed)
{
    sk_prng prng;
    sk_prng_init(&prng, seed);
    return sim_disk_open(prng, NULL);
}

static inline sim_disk *image_of(const sim_disk *disk, uint64_t seed)
{
    sk_prng prng;
    sk_prng_init(&prng, seed);
    return sim_disk_crash_image(disk, prng);
}

static inline void open_new(rig *rig, model *model, uint64_t seed, uint64_t segment_size)
{
    model_init(model);
    rig_init(rig, disk_new(seed), segment_size);
    assert_int_equal(rig_open(rig, model, NULL, NULL), 0);
}

static inline void end(rig *rig, model *model)
{
    if (rig->wal) rig_close(rig);
    sim_disk_close(rig->disk);
    model_deinit(model);
}

// Appends, flushes, and waits until it is durable.
static inline void put(model *model, rig *rig, uint32_t space, size_t size)
{
    append_entry(model, rig, space, size);
    sk_wal_flush(rig->wal);
    rig_drain(rig);
}

// Opens a log on `disk` and judges the replay against the model.
static inline judge *reopen(sim_disk *disk, const model *model, rig *out, uint64_t segment_size)
{
    judge *judge = sk_alloc_zeroed(sizeof *judge);
    judge->model = model;
    rig_init(out, disk, segment_size);
    int error = rig_open(out, model, judge_replay, judge);
    if (error) judge_bad(judge, sk_error_name(error), 0);
    return judge;
}

static inline void expect_whole(judge *judge, uint64_t last)
{
    judge_compare(judge);
    if (judge->bad) print_error("%s\n", judge->why);
    assert_false(judge->bad);
    assert_true(judge->last == last);
    sk_free(judge);
}

static inline char *segment(uint64_t number)
{
    static char names[4][SK_DISK_NAME_MAX];
    static int turn;
    turn = (turn + 1) % 4;
    sk_wal_segment_name(names[turn], "wal", number);
    return names[turn];
}

static inline bool there(sim_disk *disk, const char *part)
{
    for (size_t i = 0; i < sim_disk_file_count(disk); i++)
        if (strstr(sim_disk_file_name(disk, i), part)) return true;
    return false;
}

static inline void three_segments(rig *rig, model *model, uint64_t seed)
{
    open_new(rig, model, seed, 4096);
    for (uint64_t i = 0; i < 14; i++) {
        append_state(model, rig, 2, i + 1);
        put(model, rig, 1, 600);
    }
    assert_true(sk_wal_stats_of(rig->wal).segments >= 3);
    rig_close(rig);
}

#endif
