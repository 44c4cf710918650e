// The log, line by line of the pitfalls (section C, "WAL and storage"): writing, failing, freeing, reading back.
#include "base/crc.h"
#include "test/unit/wal_model.h"
#include "store/snapshot.h"

// ---- Appending and writing ----

static void durable_after_flush_and_not_before(void **state)
{
    rig rig;
    model model;
    open_new(&rig, &model, 1, 8192);
    append_entry(&model, &rig, 1, 10);
    assert_int_equal(sim_disk_under_way(rig.disk), 0); // nothing goes without a flush
    sk_wal_flush(rig.wal);
    assert_true(sk_wal_busy(rig.wal));
    assert_int_equal(sk_wal_durable(rig.wal), 0);
    rig_drain(&rig);
    assert_int_equal(sk_wal_durable(rig.wal), 1);
    assert_int_equal(rig.durable, 1);
    end(&rig, &model);
}

// What comes while a write is under way leaves with the next one, all together.
static void group_commit(void **state)
{
    rig rig;
    model model;
    open_new(&rig, &model, 2, 1 << 20);
    put(&model, &rig, 1, 10);
    sk_wal_stats before = sk_wal_stats_of(rig.wal);
    rig.durable_calls = 0;
    append_entry(&model, &rig, 1, 10);
    sk_wal_flush(rig.wal);
    for (int i = 0; i < 500; i++) {
        append_entry(&model, &rig, 1 + (uint32_t)i % 3, 10);
        sk_wal_flush(rig.wal);
        assert_int_equal(sim_disk_under_way(rig.disk), 1); // one write at a time
    }
    rig_drain(&rig);
    sk_wal_stats after = sk_wal_stats_of(rig.wal);
    assert_int_equal(rig.durable, model.count);
    assert_int_equal(rig.durable_calls, 2);
    assert_int_equal(after.batches - before.batches, 2);
    assert_int_equal(after.syncs - before.syncs, 2);
    assert_true(after.bytes_written - before.bytes_written < 501 * 24 + 200); // hardly more than the records
    end(&rig, &model);
}

static void records_larger_than_a_segment(void **state)
{
    rig rig;
    model model;
    open_new(&rig, &model, 3, 8192);
    put(&model, &rig, 1, 100);
    put(&model, &rig, 1, 60000);
    put(&model, &rig, 2, 5);
    append_entry(&model, &rig, 1, 30000);
    append_entry(&model, &rig, 1, 30000);
    append_entry(&model, &rig, 1, 3000);
    sk_wal_flush(rig.wal);
    rig_drain(&rig);
    assert_int_equal(rig.durable, model.count);
    rig_close(&rig);
    struct rig again;
    expect_whole(reopen(rig.disk, &model, &again, 8192), model.count);
    rig.wal = again.wal;
    end(&rig, &model);
}

static void R20_nothing_is_durable_before_its_sync(void **state)
{
    for (uint64_t seed = 0; seed < 30; seed++) {
        rig rig;
        model model;
        open_new(&rig, &model, seed, 8192);
        for (int i = 0; i < 30; i++) {
            append_entry(&model, &rig, 1, 50);
            sk_wal_flush(rig.wal);
            uint64_t before = rig.durable;
            sim_disk_step(rig.disk);
            if (rig.durable == before) continue;
            sim_disk *image = image_of(rig.disk, seed * 100 + (uint64_t)i);
            struct rig again;
            judge *judge = reopen(image, &model, &again, 8192);
            assert_true(judge->last >= rig.durable);
            sk_free(judge);
            sk_wal_close(again.wal);
            sim_disk_close(image);
        }
        end(&rig, &model);
    }
}

// The process is killed, the machine lives: the next start acts on page cache. Then the power goes.
static void R21_what_recovery_saw_is_synced_before_anybody_acts(void **state)
{
    for (uint64_t seed = 0; seed < 60; seed++) {
        rig rig;
        model model;
        open_new(&rig, &model, seed, 8192);
        for (uint64_t i = 0; i < 40; i++) {
            append_entry(&model, &rig, 1 + (uint32_t)(i % 2), 100 + i);
            sk_wal_flush(rig.wal);
            if (i % 2) sim_disk_step(rig.disk);
        }
        sim_disk_kill(rig.disk);
        sk_wal_close(rig.wal);
        struct rig again, third;
        judge *judge = reopen(rig.disk, &model, &again, 8192);
        uint64_t seen = judge->last;
        sk_free(judge);
        sim_disk_crash(rig.disk);
        sk_wal_close(again.wal);
        expect_whole(reopen(rig.disk, &model, &third, 8192), seen);
        rig.wal = third.wal;
        end(&rig, &model);
    }
}

// ---- Failing requests ----

static void D01_a_failed_sync_is_final(void **state)
{
    for (uint32_t n = 1; n < 12; n++) {
        rig rig;
        model model;
        open_new(&rig, &model, n, 8192);
        sim_disk_rule(rig.disk, SIM_DISK_FAIL, 1u << SK_DISK_SYNC, n, 1,
                      SK_EIO); // once: a retry would "succeed"
        for (int i = 0; i < 40; i++) put(&model, &rig, 1, 200);
        assert_int_equal(rig.failed, SK_EIO);
        uint64_t durable = rig.durable, appended = sk_wal_stats_of(rig.wal).records;
        assert_true(durable < model.count);
        sk_record record = {.kind = SK_RECORD_STATE, .number = 1};
        uint64_t sequence = sk_wal_append(rig.wal, 3, &record);
        assert_true(sequence == model.count + 1); // numbers go on, records are dropped
        sk_wal_flush(rig.wal);
        rig_drain(&rig);
        assert_int_equal(rig.durable, durable);
        assert_int_equal(sk_wal_stats_of(rig.wal).records, appended);
        sim_disk_crash(rig.disk);
        sk_wal_close(rig.wal);
        struct rig again;
        judge *judge = reopen(rig.disk, &model, &again, 8192);
        judge_compare(judge);
        assert_false(judge->bad);
        assert_true(judge->last >= durable);
        sk_free(judge);
        rig.wal = again.wal;
        end(&rig, &model);
    }
}

// A sync fails and the process is started again: the page cache shows bytes that no sync will save any more. What the next
// life builds on them must survive a power cut all the same.
static void D01_what_a_failed_sync_left_is_written_again(void **state)
{
    for (uint32_t n = 1; n < 40; n++) {
        rig rig;
        model model;
        open_new(&rig, &model, n, 8192);
        for (int i = 0; i < 5; i++) put(&model, &rig, 1, 300);
        sim_disk_rule(rig.disk, SIM_DISK_FAIL, 1u << SK_DISK_SYNC, 1 + n % 8, 1, SK_EIO);
        for (int i = 0; i < 30; i++) put(&model, &rig, 1, 300);
        assert_int_equal(rig.failed, SK_EIO);
        sim_disk_kill(rig.disk);
        sk_wal_close(rig.wal);
        sim_disk_kill(rig.disk);
        struct rig again, third;
        judge *judge = reopen(rig.disk, &model, &again, 8192);
        uint64_t seen = judge->last;
        assert_false(judge->bad);
        sk_free(judge);
        sim_disk_crash(rig.disk);
        sk_wal_close(again.wal);
        expect_whole(reopen(rig.disk, &model, &third, 8192), seen);
        assert_false(third.found.damaged);
        rig.wal = third.wal;
        end(&rig, &model);
    }
}

// Request n of every kind fails, once or for ever: what was reported is there, at both of the next two starts.
static uint64_t failed_requests(const sim_disk *disk)
{
    sim_disk_counts counts = sim_disk_counts_of(disk);
    return counts.errors + counts.syncs_failed;
}

// The n-th request of a script fails, once or for ever; false: it has fewer than n. Two starts afterwards give what was durable.
static bool one_request_fails(uint32_t n, int error, uint32_t how_often)
{
    rig rig;
    model model;
    open_new(&rig, &model, n, 8192);
    sim_disk_rule(rig.disk, SIM_DISK_FAIL, ~(1u << SK_DISK_SYNC), n, how_often, error);
    for (uint64_t i = 0; i < 60; i++) {
        append_entry(&model, &rig, 1 + (uint32_t)(i % 2), 250);
        if (i % 3 == 0) sk_wal_flush(rig.wal);
        sim_disk_step(rig.disk);
        sk_wal_check(rig.wal);
        if (i == 30) sk_wal_release(rig.wal, 1, model.released[1] = 5);
    }
    sk_wal_flush(rig.wal);
    rig_drain(&rig);
    sim_disk_rules_clear(rig.disk); // space again
    bool fired = failed_requests(rig.disk) > 0;
    uint64_t durable = rig.durable;
    sk_wal_close(rig.wal);
    for (int start = 0; start < 2; start++) {
        if (start == 0) sim_disk_crash(rig.disk);
        struct rig again;
        judge *judge = reopen(rig.disk, &model, &again, 8192);
        judge_compare(judge);
        if (judge->bad) print_error("n %u error %d: %s\n", n, error, judge->why);
        assert_false(judge->bad || again.found.damaged);
        assert_true(judge->last >= durable);
        model_forget_after(&model, judge->last);
        again.base = again.durable = model.count;
        put(&model, &again, 1, 300);
        assert_int_equal(again.failed, 0);
        durable = model.count;
        sk_wal_close(again.wal);
        sk_free(judge);
    }
    rig.wal = NULL;
    end(&rig, &model);
    return fired;
}

static void D10_D11_every_request_fails(void **state)
{
    static const int errors[] = {SK_EIO, SK_ENOSPC};
    static const uint32_t how_often[] = {1, SIM_DISK_FOREVER};
    unsigned cases = 0;
    for (int variant = 0; variant < 4; variant++)
        for (uint32_t n = 1; one_request_fails(n, errors[variant / 2], how_often[variant % 2]); n++) cases++;
    print_message("figure: log: %u failed requests\n", cases);
    assert_true(cases > 100);
}

// The same for the requests of a start: it is refused, or what cannot be read is told as damage and nothing is invented.
static bool one_request_of_a_start_fails(uint32_t n, int error, uint32_t how_often)
{
    rig rig, again;
    model model;
    three_segments(&rig, &model, n);
    sim_disk_rule(rig.disk, SIM_DISK_FAIL, ~(1u << SK_DISK_CLOSE), n, how_often, error);
    judge *judge = sk_alloc_zeroed(sizeof *judge);
    judge->model = &model;
    rig_init(&again, rig.disk, 4096);
    int opened = rig_open(&again, &model, judge_replay, judge);
    sim_disk_rules_clear(rig.disk);
    bool fired = failed_requests(rig.disk) > 0;
    assert_true(fired || opened == 0);
    bool told = opened != 0 || again.found.damaged;
    if (!told) judge_compare_durable(judge, model.count);
    if (judge->bad) print_error("start, n %u error %d: %s\n", n, error, judge->why);
    assert_false(judge->bad);
    sk_free(judge);
    if (opened == 0) {
        while (sim_disk_step(rig.disk)) continue;
        sk_wal_close(again.wal);
    }
    sim_disk_crash(rig.disk);
    judge = reopen(rig.disk, &model, &again, 4096);
    told = told && again.found.damaged;
    if (!told) judge_compare_durable(judge, model.count);
    if (judge->bad) print_error("start after n %u error %d: %s\n", n, error, judge->why);
    assert_false(judge->bad);
    sk_free(judge);
    rig.wal = again.wal;
    end(&rig, &model);
    return fired;
}

static void D10_D11_every_request_of_a_start_fails(void **state)
{
    static const int errors[] = {SK_EIO, SK_ENOSPC};
    static const uint32_t how_often[] = {1, SIM_DISK_FOREVER};
    unsigned cases = 0;
    for (int variant = 0; variant < 4; variant++)
        for (uint32_t n = 1; one_request_of_a_start_fails(n, errors[variant / 2], how_often[variant % 2]); n++) cases++;
    print_message("figure: log: %u failed requests of a start\n", cases);
    assert_true(cases > 40);
}

static void on_snapshot(void *context, int error, const sk_snapshot_info *info)
{
    *(int *)context = error;
}

// D25: the disk is full. The log goes on in what it has, gives up its reserve, a snapshot fits into that, segments are freed, and the
// log has room again: without a restart and without a failure.
static void D25_a_full_disk_can_be_freed(void **state)
{
    rig rig;
    model model;
    open_new(&rig, &model, 5, 16384);
    sim_disk_knobs(rig.disk)->capacity = 5 * 16384; // four segments and the reserve
    int rounds = 0;
    bool was_full = false;
    while (rounds < 400) {
        rounds++;
        append_entry(&model, &rig, 1, 500);
        sk_wal_flush(rig.wal);
        rig_drain(&rig);
        assert_int_equal(rig.failed, 0);
        if (!sk_wal_stats_of(rig.wal).full) continue;
        was_full = true;
        assert_true(sk_wal_pressed(rig.wal, 1));
        assert_false(there(rig.disk, "wal/reserve"));
        int outcome = 1;
        sk_snapshot_info info = {.space = 1, .position = model.positions[1] - 1, .epoch = 1};
        sk_snapshot_writer *writer =
            sk_snapshot_write(sim_disk_face(rig.disk), &rig.identity, &info, on_snapshot, &outcome);
        static uint8_t bytes[8000];
        sk_snapshot_writer_add(writer, payload_of(1, sizeof bytes, bytes));
        sk_snapshot_writer_finish(writer);
        rig_drain(&rig);
        assert_int_equal(outcome, 0);
        sk_wal_release(rig.wal, 1, model.released[1] = info.position);
        sk_wal_flush(rig.wal);
        rig_drain(&rig);
        assert_false(sk_wal_stats_of(rig.wal).full);
        assert_true(there(rig.disk, "wal/reserve"));
        assert_int_equal(rig.durable, model.count);
    }
    assert_true(was_full);
    rig_close(&rig);
    struct rig again;
    expect_whole(reopen(rig.disk, &model, &again, 16384), model.count);
    rig.wal = again.wal;
    end(&rig, &model);
}

// Nothing can be freed: appends wait, nobody is told a lie, and when somebody else makes room they go through.
static void D25_waiting_for_room(void **state)
{
    rig rig;
    model model;
    open_new(&rig, &model, 6, 8192);
    sim_disk_knobs(rig.disk)->capacity = 3 * 8192;
    for (int i = 0; i < 100; i++) {
        append_entry(&model, &rig, 1, 300);
        sk_wal_flush(rig.wal);
        rig_drain(&rig);
    }
    assert_int_equal(rig.failed, 0);
    assert_true(sk_wal_stats_of(rig.wal).full);
    assert_true(rig.durable < model.count);
    sim_disk_knobs(rig.disk)->capacity = 0;
    sk_wal_flush(rig.wal);
    rig_drain(&rig);
    assert_int_equal(rig.durable, model.count);
    end(&rig, &model);
}

// A start on a full disk: what is there is served.
static void D25_a_start_on_a_full_disk(void **state)
{
    rig rig;
    model model;
    open_new(&rig, &model, 7, 8192);
    for (int i = 0; i < 40; i++) put(&model, &rig, 1, 300);
    rig_close(&rig);
    sim_disk_knobs(rig.disk)->capacity = sim_disk_used(rig.disk);
    struct rig again;
    expect_whole(reopen(rig.disk, &model, &again, 8192), model.count);
    rig.wal = again.wal;
    end(&rig, &model);
}

// ---- Recycling ----

// Spares are used before anything is allocated, and in the steady state nothing is created or unlinked.
static void freed_segments_become_the_next_ones(void **state)
{
    rig rig;
    model model;
    open_new(&rig, &model, 31, 8192);
    uint64_t recycled = 0;
    for (int round = 0; round < 40; round++) {
        for (int i = 0; i < 20; i++) put(&model, &rig, 1, 500);
        sk_wal_release(rig.wal, 1, model.released[1] = model.positions[1] - 1);
        sk_wal_flush(rig.wal);
        rig_drain(&rig);
        sk_wal_check(rig.wal);
        sk_wal_stats stats = sk_wal_stats_of(rig.wal);
        assert_true((stats.segments + stats.spares) * 8192 <= rig.config.size_max);
        uint64_t now = sim_disk_used(rig.disk);
        if (round > 10) {
            assert_true(now <= rig.config.size_max + 8192); // and the reserve
            assert_true(stats.recycled > recycled);
        }
        recycled = stats.recycled;
    }
    assert_true(recycled > 30);
    rig_close(&rig);
    struct rig again;
    expect_whole(reopen(rig.disk, &model, &again, 8192), model.count);
    assert_int_equal(again.found.torn_bytes, 0); // the old bytes are nobody's
    assert_true(sk_wal_stats_of(again.wal).spares > 0);
    rig.wal = again.wal;
    end(&rig, &model);
}

// A start writes nothing over the old bytes behind the last batch, and a torn batch among them is cut.
static void D07_recycled_bytes_are_neither_records_nor_a_tail(void **state)
{
    for (uint64_t rounds = 30; rounds < 60; rounds++) { // another place in the segment each
        rig rig, again;
        model model;
        open_new(&rig, &model, rounds, 8192);
        for (uint64_t i = 0; i < rounds * 3; i++) {
            put(&model, &rig, 1, 300 + rounds);
            sk_wal_release(rig.wal, 1, model.released[1] = model.positions[1] - 1);
        }
        rig_drain(&rig);
        assert_true(sk_wal_stats_of(rig.wal).recycled > 0);
        rig_close(&rig);
        uint64_t written = sim_disk_face(rig.disk)->bytes_written;
        expect_whole(reopen(rig.disk, &model, &again, 8192), model.count);
        assert_int_equal(again.found.torn_bytes, 0);
        assert_true(sim_disk_face(rig.disk)->bytes_written - written < 2048); // only what nobody vouched for, and names
        // One more batch, of which only the header reaches the disk.
        put(&model, &again, 1, 200);
        char name[SK_DISK_NAME_MAX];
        uint64_t at = 0, number = 0;
        for (uint64_t n = 1; n < 200; n++) {
            if (sim_disk_file(rig.disk, segment(n)).size > 0) number = n;
        }
        (void)snprintf(name, sizeof name, "%s", segment(number));
        sk_wal_close(again.wal);
        sk_slice file = sim_disk_file(rig.disk, name);
        uint32_t seed = sk_wal_seed(&rig.identity, number);
        sk_wal_batch_header header;
        for (uint64_t o = SK_WAL_HEADER_SIZE; o + SK_WAL_BATCH_HEADER_SIZE <= file.size; o += 8) {
            if (sk_wal_batch_header_get(file.data + o, seed, &header)) at = o;
        }
        if (at) {
            sim_disk_flip(rig.disk, name, at + SK_WAL_BATCH_HEADER_SIZE + 50, 0xff);
            judge *judge = reopen(rig.disk, &model, &again, 8192);
            assert_false(again.found.damaged);
            assert_true(again.found.torn_bytes > 0 && judge->last >= model.count - 1);
            sk_free(judge);
            sk_wal_close(again.wal);
            judge = reopen(rig.disk, &model, &again, 8192);
            assert_int_equal(again.found.torn_bytes, 0);
            sk_free(judge);
            sk_wal_close(again.wal);
        }
        rig.wal = NULL;
        end(&rig, &model);
    }
}

// D25: what is kept for later is given up when somebody finds no room.
static void D25_spares_give_way(void **state)
{
    rig rig;
    model model;
    open_new(&rig, &model, 33, 8192);
    for (int i = 0; i < 100; i++) put(&model, &rig, 1, 500);
    sk_wal_release(rig.wal, 1, model.released[1] = model.positions[1] - 1);
    sk_wal_flush(rig.wal);
    rig_drain(&rig);
    uint64_t used = sim_disk_used(rig.disk), spares = sk_wal_stats_of(rig.wal).spares;
    assert_true(spares > 0);
    sk_wal_room_wanted(rig.wal);
    rig_drain(&rig);
    assert_int_equal(sk_wal_stats_of(rig.wal).spares, 0);
    assert_true(sim_disk_used(rig.disk) <= used - spares * 8192);
    sk_wal_check(rig.wal);
    for (int i = 0; i < 30; i++) put(&model, &rig, 1, 500);
    sk_wal_release(rig.wal, 1, model.released[1] = model.positions[1] - 1);
    sk_wal_flush(rig.wal);
    rig_drain(&rig);
    assert_true(sk_wal_stats_of(rig.wal).spares > 0); // a segment could be made: there is room again
    rig_close(&rig);
    struct rig again;
    expect_whole(reopen(rig.disk, &model, &again, 8192), model.count);
    rig.wal = again.wal;
    end(&rig, &model);
}

// ---- Freeing ----

static void D21_segments_go_when_nobody_needs_them(void **state)
{
    rig rig;
    model model;
    open_new(&rig, &model, 8, 8192);
    append_state(&model, &rig, 3, 77); // only here: must outlive its segment
    for (int i = 0; i < 60; i++) {
        put(&model, &rig, 1, 400);
        put(&model, &rig, 2, 400);
    }
    uint64_t segments = sk_wal_stats_of(rig.wal).segments;
    assert_true(segments > 5);
    assert_true(sk_wal_pressed(rig.wal, 1) && sk_wal_pressed(rig.wal, 2) && !sk_wal_pressed(rig.wal, 3));
    sk_wal_release(rig.wal, 1, model.released[1] = model.positions[1]);
    sk_wal_flush(rig.wal);
    rig_drain(&rig);
    assert_true(sk_wal_stats_of(rig.wal).segments == segments); // space 2 still holds them
    assert_true(!sk_wal_pressed(rig.wal, 1) && sk_wal_pressed(rig.wal, 2));
    sk_wal_release(rig.wal, 2, model.released[2] = 30);
    sk_wal_flush(rig.wal);
    // At no moment does a crash lose anything.
    do {
        sim_disk *image = image_of(rig.disk, 1);
        struct rig again;
        expect_whole(reopen(image, &model, &again, 8192), model.count);
        assert_false(again.found.damaged);
        sk_wal_close(again.wal);
        sim_disk_close(image);
    } while (sim_disk_step(rig.disk));
    assert_true(sk_wal_stats_of(rig.wal).segments < segments);
    sk_wal_forget(rig.wal, 2);
    memset(model.released, 0xff, sizeof model.released);
    sk_wal_flush(rig.wal);
    rig_drain(&rig);
    assert_int_equal(sk_wal_stats_of(rig.wal).segments, 1);
    assert_false(there(rig.disk, segment(1)));
    rig_close(&rig);
    struct rig again;
    judge *judge = reopen(rig.disk, &model, &again, 8192);
    assert_true(judge->state.state[3] != 0);
    sk_free(judge);
    rig.wal = again.wal;
    end(&rig, &model);
}

// ---- Whose log ----

static void D22_another_clusters_log_is_left_alone(void **state)
{
    rig rig, again;
    model model;
    three_segments(&rig, &model, 19);
    uint64_t print = sim_disk_fingerprint(rig.disk);
    rig_init(&again, rig.disk, 4096);
    again.identity.node = 4; // restored under another node's identity
    assert_int_equal(rig_open(&again, NULL, NULL, NULL), SK_EFOREIGN);
    again.identity = rig_identity();
    again.identity.cluster.bytes[15] ^= 1;
    assert_int_equal(rig_open(&again, NULL, NULL, NULL), SK_EFOREIGN);
    assert_true(sim_disk_fingerprint(rig.disk) == print);
    end(&rig, &model);
}

static void a_newer_format_is_left_alone(void **state)
{
    rig rig, again;
    model model;
    three_segments(&rig, &model, 20);
    sk_buffer bytes = {0};
    sk_buffer_append_slice(&bytes, sim_disk_file(rig.disk, segment(2)));
    bytes.data[8] = SK_FORMAT_VERSION + 1;
    uint32_t crc = sk_crc32c(0, bytes.data, 60);
    for (unsigned i = 0; i < 4; i++) bytes.data[60 + i] = (uint8_t)(crc >> (8 * i));
    sim_disk_put(rig.disk, segment(2), sk_buffer_slice(&bytes));
    uint64_t print = sim_disk_fingerprint(rig.disk);
    rig_init(&again, rig.disk, 4096);
    assert_int_equal(rig_open(&again, NULL, NULL, NULL), SK_EVERSION);
    assert_true(sim_disk_fingerprint(rig.disk) == print);
    sk_buffer_deinit(&bytes);
    end(&rig, &model);
}

static void boot_numbers_are_seen(void **state)
{
    rig rig, again;
    model model;
    open_new(&rig, &model, 21, 8192);
    for (uint64_t boot = 2; boot < 9; boot++) {
        rig_close(&rig);
        rig_init(&again, rig.disk, 8192);
        again.identity.boot = boot;
        assert_int_equal(rig_open(&again, NULL, NULL, NULL), 0);
        assert_true(again.found.boot_max == boot - 1);
        if (boot % 2) sk_wal_boot(again.wal, boot);
        sk_wal_flush(again.wal); // nothing to say but this
        rig_drain(&again);
        rig.wal = again.wal;
    }
    end(&rig, &model);
}

// ---- Reading back ----

typedef struct reading {
    sk_wal_read read;
    model *model;
    int calls;
    uint64_t next; // position expected
    bool check;
} reading;

static uint64_t entry_hash_of(const model *model, uint32_t space, uint64_t position)
{
    for (size_t i = model->count; i > 0; i--) {
        const model_record *record = &model->list[i - 1];
        if (record->space == space && record->record.kind == SK_RECORD_ENTRY &&
            record->record.position == position)
            return model_hash(record);
    }
    return 0;
}

static void on_read(sk_wal_read *read)
{
    reading *reading = read->owner;
    reading->calls++;
    for (size_t i = 0; i < read->count; i++) {
        assert_true(read->list[i].position == reading->next);
        assert_true(record_hash(read->space, &read->list[i]) ==
                    entry_hash_of(reading->model, read->space, reading->next));
        reading->next++;
    }
}

static void start_reading(reading *reading, model *model, rig *rig, uint32_t space, uint64_t from,
                          uint64_t to, size_t bytes)
{
    *reading = (struct reading){.model = model, .next = from};
    reading->read = (sk_wal_read){
        .space = space, .from = from, .to = to, .bytes_max = bytes, .done = on_read, .owner = reading};
    sk_wal_read_start(rig->wal, &reading->read);
    assert_int_equal(reading->calls, 0);
}

static void read_all_back(model *model, rig *rig, uint32_t space, uint64_t from, uint64_t to, size_t bytes)
{
    while (from <= to) {
        reading reading;
        start_reading(&reading, model, rig, space, from, to, bytes);
        rig_drain(rig);
        assert_int_equal(reading.calls, 1);
        assert_int_equal(reading.read.error, 0);
        assert_true(reading.next > from && reading.next <= to + 1);
        from = reading.next;
    }
}

static void entries_read_back(void **state)
{
    rig rig;
    model model;
    open_new(&rig, &model, 22, 16384);
    sk_prng prng;
    sk_prng_init(&prng, 22);
    for (int i = 0; i < 400; i++) {
        uint32_t space = 1 + (uint32_t)sk_prng_below(&prng, 3);
        append_entry(&model, &rig, space, sk_prng_below(&prng, 300));
        // Overwritten tails, in the same batch and in later ones, with and without a truncation before.
        if (i % 29 == 0 && model.positions[space] > 6)
            append_truncate(&model, &rig, space, model.positions[space] - 4);
        if (i % 37 == 0 && model.positions[space] > 6) model.positions[space] -= 3;
        if (sk_prng_chance(&prng, 1, 4)) sk_wal_flush(rig.wal);
        if (sk_prng_chance(&prng, 1, 2)) sim_disk_step(rig.disk);
    }
    sk_wal_flush(rig.wal);
    rig_drain(&rig);
    for (int life = 0; life < 2; life++) { // from the index as built, and as recovered
        for (uint32_t space = 1; space <= 3; space++) {
            read_all_back(&model, &rig, space, 1, model.positions[space], 1 << 20);
            read_all_back(&model, &rig, space, 1, model.positions[space], 1);
            read_all_back(&model, &rig, space, 20, 40, 1000);
        }
        reading reading;
        start_reading(&reading, &model, &rig, 1, model.positions[1] + 1, model.positions[1] + 5, 100);
        rig_drain(&rig);
        assert_int_equal(reading.read.error, SK_ECOMPACTED);
        start_reading(&reading, &model, &rig, 9, 1, 5, 100);
        rig_drain(&rig);
        assert_int_equal(reading.read.error, SK_ECOMPACTED);
        if (life == 1) break;
        rig_close(&rig);
        struct rig again;
        expect_whole(reopen(rig.disk, &model, &again, 16384), model.count);
        rig.wal = again.wal;
        rig.owner = again.owner;
        rig = again;
    }
    end(&rig, &model);
}

static void a_read_outlives_its_segment(void **state)
{
    rig rig;
    model model;
    open_new(&rig, &model, 23, 8192);
    for (int i = 0; i < 60; i++) put(&model, &rig, 1, 400);
    sim_disk_knobs(rig.disk)->read_min = sim_disk_knobs(rig.disk)->read_max = SK_S;
    reading reading, late;
    start_reading(&reading, &model, &rig, 1, 1, 10, 10000);
    sk_wal_release(rig.wal, 1, 50);
    sk_wal_flush(rig.wal);
    start_reading(&late, &model, &rig, 1, 1, 10, 10000);
    rig_drain(&rig);
    assert_false(there(rig.disk, segment(1)));
    assert_int_equal(reading.read.error, 0);
    assert_int_equal(reading.calls, 1);
    assert_true(reading.next > 1);
    assert_int_equal(late.read.error, SK_ECOMPACTED);
    end(&rig, &model);
}

// A freed segment becomes the next one, but not while somebody reads it.
static void D21_what_is_read_is_not_written_over(void **state)
{
    rig rig;
    model model;
    open_new(&rig, &model, 25, 8192);
    for (int i = 0; i < 100; i++) put(&model, &rig, 1, 500);
    sim_disk_knobs(rig.disk)->read_min = sim_disk_knobs(rig.disk)->read_max = 10 * SK_S;
    reading reading;
    uint64_t from = model.positions[1] - 25; // one of the last that are freed: those before it are too many to be kept
    start_reading(&reading, &model, &rig, 1, from, from + 5, 10000);
    sk_ns read_due = sim_disk_next(rig.disk);
    sk_wal_release(rig.wal, 1, model.released[1] = model.positions[1] - 1);
    for (int i = 0; i < 60; i++) {
        append_entry(&model, &rig, 1, 500);
        sk_wal_flush(rig.wal);
        while (sim_disk_next(rig.disk) < read_due) sim_disk_step(rig.disk);
    }
    assert_int_equal(reading.calls, 0);
    assert_true(sk_wal_stats_of(rig.wal).recycled > 0);
    rig_drain(&rig);
    assert_int_equal(reading.read.error, 0);
    assert_true(reading.next > from);
    sk_wal_check(rig.wal);
    end(&rig, &model);
}

static void reads_verify(void **state)
{
    rig rig;
    model model;
    open_new(&rig, &model, 24, 8192);
    for (int i = 0; i < 10; i++) put(&model, &rig, 1, 400);
    for (size_t at = 64 + 56; at < 64 + 56 + 400; at += 3) {
        sim_disk_flip(rig.disk, segment(1), at, 0x20);
        reading reading;
        start_reading(&reading, &model, &rig, 1, 1, 3, 10);
        rig_drain(&rig);
        assert_int_equal(reading.read.error, SK_ECORRUPT);
        assert_int_equal(reading.read.count, 0);
        sim_disk_flip(rig.disk, segment(1), at, 0x20);
    }
    sim_disk_rule(rig.disk, SIM_DISK_FAIL, 1u << SK_DISK_READ, 1, 1, SK_EIO);
    reading reading;
    start_reading(&reading, &model, &rig, 1, 1, 3, 10);
    rig_drain(&rig);
    assert_int_equal(reading.read.error, SK_EIO);
    assert_int_equal(rig.failed, 0); // a read that fails does not end the log
    end(&rig, &model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(durable_after_flush_and_not_before),
        cmocka_unit_test(group_commit),
        cmocka_unit_test(records_larger_than_a_segment),
        cmocka_unit_test(R20_nothing_is_durable_before_its_sync),
        cmocka_unit_test(R21_what_recovery_saw_is_synced_before_anybody_acts),
        cmocka_unit_test(D01_a_failed_sync_is_final),
        cmocka_unit_test(D01_what_a_failed_sync_left_is_written_again),
        cmocka_unit_test(D10_D11_every_request_fails),
        cmocka_unit_test(D10_D11_every_request_of_a_start_fails),
        cmocka_unit_test(D25_a_full_disk_can_be_freed),
        cmocka_unit_test(D25_waiting_for_room),
        cmocka_unit_test(D25_a_start_on_a_full_disk),
        cmocka_unit_test(freed_segments_become_the_next_ones),
        cmocka_unit_test(D07_recycled_bytes_are_neither_records_nor_a_tail),
        cmocka_unit_test(D25_spares_give_way),
        cmocka_unit_test(D21_segments_go_when_nobody_needs_them),
        cmocka_unit_test(D22_another_clusters_log_is_left_alone),
        cmocka_unit_test(a_newer_format_is_left_alone),
        cmocka_unit_test(boot_numbers_are_seen),
        cmocka_unit_test(entries_read_back),
        cmocka_unit_test(a_read_outlives_its_segment),
        cmocka_unit_test(D21_what_is_read_is_not_written_over),
        cmocka_unit_test(reads_verify),
    };
    return cmocka_run_group_tests_name("wal", tests, NULL, NULL);
}
