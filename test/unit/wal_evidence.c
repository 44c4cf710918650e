// What tells damage from a torn tail, each piece of evidence (wal_scan.h) alone; and that it outlives a crash. Lines of the pitfalls
// (section C) by their ids.
#include "test/unit/wal_model.h"

// ---- A disk with a place that cannot be read ----

typedef struct spoiled {
    sk_disk face;
    sk_disk *under;
    const char *name; // of the file; its bytes from `from` on fail
    uint64_t from;
    int file;
} spoiled;

static void spoiled_submit(sk_disk *disk, sk_disk_request *request)
{
    sk_disk_submit(SK_CONTAINER(disk, spoiled, face)->under, request);
}

static int64_t spoiled_run(sk_disk *disk, sk_disk_request *request)
{
    spoiled *s = SK_CONTAINER(disk, spoiled, face);
    bool bad = request->op == SK_DISK_READ && request->file == s->file && request->offset + request->into_size > s->from;
    if (bad) return request->result = SK_EIO;
    int64_t result = sk_disk_run(s->under, request);
    if (request->op == SK_DISK_OPEN && strcmp(request->name, s->name) == 0) s->file = request->file;
    return result;
}

static const sk_disk_ops spoiled_ops = {spoiled_submit, spoiled_run};

// Nothing is left behind the unreadable place that could tell of what was there.
static void D05_an_end_that_cannot_be_read_is_damage(void **state)
{
    rig rig, again;
    model model;
    open_new(&rig, &model, 31, 8192);
    for (int i = 0; i < 9; i++) put(&model, &rig, 1, 600);
    assert_int_equal(sk_wal_stats_of(rig.wal).segments, 1);
    rig_close(&rig);
    sim_disk_lose(rig.disk, segment(2)); // what was prepared
    spoiled disk = {.face = {.ops = &spoiled_ops}, .under = sim_disk_face(rig.disk), .name = segment(1), .from = 4096, .file = -1};
    judge *judge = sk_alloc_zeroed(sizeof *judge);
    judge->model = &model;
    rig_init(&again, rig.disk, 8192);
    assert_int_equal(sk_wal_open(&again.wal, &disk.face, &again.identity, &again.config, &again.owner, &rig_sink,
                                 judge_replay, judge, &again.found),
                     0);
    assert_true(again.found.damaged);
    assert_int_equal(judge->last, 5); // all that stands before the unreadable sector
    assert_false(judge->bad);
    sk_free(judge);
    sk_wal_close(again.wal);
    end(&rig, &model);
}

// ---- Segments ----

// The last segment that holds a batch.
static uint64_t newest(sim_disk *disk)
{
    uint64_t number = 1;
    while (sim_disk_file(disk, segment(number + 1)).size > SK_WAL_HEADER_SIZE &&
           sim_disk_file(disk, segment(number + 1)).data[SK_WAL_HEADER_SIZE] != 0)
        number++;
    return number;
}

// A write went astray: the newest segment holds the bytes of an older one, and nothing stands behind it.
static void D13_another_segment_in_the_newest_ones_place(void **state)
{
    rig rig, again;
    model model;
    for (uint64_t other = 1; other <= 2; other++) {
        three_segments(&rig, &model, 32);
        uint64_t last = newest(rig.disk);
        assert_true(last > other);
        sim_disk_lose(rig.disk, segment(last + 1)); // what was prepared
        sk_buffer bytes = {0};
        sk_buffer_append_slice(&bytes, sim_disk_file(rig.disk, segment(other)));
        sim_disk_put(rig.disk, segment(last), sk_buffer_slice(&bytes));
        sk_buffer_deinit(&bytes);
        judge *judge = reopen(rig.disk, &model, &again, 4096);
        assert_true(again.found.damaged);
        assert_true(judge->last < model.count && !judge->bad);
        sk_free(judge);
        rig.wal = again.wal;
        end(&rig, &model);
    }
}

// Only the segment prepared behind it tells that the newest one was lost, and that is moved aside too: a crash anywhere in between
// must leave the damage, or the mark of it.
static void D14_damage_is_not_forgotten_by_a_crash(void **state)
{
    for (uint64_t halt = 1; halt < 40; halt++) {
        for (uint64_t seed = 0; seed < 24; seed++) {
            rig rig, again;
            model model;
            three_segments(&rig, &model, 33);
            uint64_t last = newest(rig.disk);
            sim_disk *image = image_of(rig.disk, seed * 100 + halt);
            for (size_t at = 0; at < 4096; at += 512) sim_disk_garble_sector(image, segment(last), at);
            assert_true(sim_disk_file(image, segment(last + 1)).size > 0);
            sim_disk_halt_after(image, halt);
            judge *judge = reopen(image, &model, &again, 4096);
            if (again.wal) sk_wal_close(again.wal);
            sk_free(judge);
            sim_disk_crash(image);
            judge = reopen(image, &model, &again, 4096);
            assert_non_null(again.wal);
            assert_true(again.found.damaged);
            sk_free(judge);
            sk_wal_close(again.wal);
            sim_disk_close(image);
            end(&rig, &model);
        }
    }
}

// The batch that says that a segment is not needed any more must be on disk before the segment goes.
static void D21_a_segment_goes_after_the_word_of_it(void **state)
{
    rig rig, again;
    model model;
    open_new(&rig, &model, 34, 4096);
    append_state(&model, &rig, 3, 77);
    for (int i = 0; i < 20; i++) put(&model, &rig, 1, 700);
    uint64_t segments = sk_wal_stats_of(rig.wal).segments;
    for (uint64_t released = 4; released <= 16; released += 4) {
        sk_wal_release(rig.wal, 1, model.released[1] = released);
        sk_wal_flush(rig.wal);
        do {
            for (uint64_t seed = 0; seed < 8; seed++) {
                sim_disk *image = image_of(rig.disk, seed);
                expect_whole(reopen(image, &model, &again, 4096), model.count);
                assert_false(again.found.damaged);
                sk_wal_close(again.wal);
                sim_disk_close(image);
            }
        } while (sim_disk_step(rig.disk));
    }
    assert_true(sk_wal_stats_of(rig.wal).segments < segments);
    end(&rig, &model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(D05_an_end_that_cannot_be_read_is_damage),
        cmocka_unit_test(D13_another_segment_in_the_newest_ones_place),
        cmocka_unit_test(D14_damage_is_not_forgotten_by_a_crash),
        cmocka_unit_test(D21_a_segment_goes_after_the_word_of_it),
    };
    return cmocka_run_group_tests_name("wal_evidence", tests, NULL, NULL);
}
