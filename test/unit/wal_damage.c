// The log, line by line of the pitfalls (section C, "WAL and storage"): torn tails, damage, foreign bytes, lost segments.
#include "test/unit/wal_model.h"
#include "wire/codec.h"

// ---- Tails ----

static void D04_torn_tail_removed(void **state)
{
    rig rig;
    model model;
    open_new(&rig, &model, 9, 8192);
    for (int i = 0; i < 5; i++) put(&model, &rig, 1, 100);
    rig_close(&rig);
    // The last batch loses its last bytes, as if they had never been written; and another time only its header is lost.
    sk_slice file = sim_disk_file(rig.disk, segment(1));
    size_t used = file.size;
    while (file.data[used - 1] == 0) used--;
    for (int variant = 0; variant < 2; variant++) {
        sim_disk *image = image_of(rig.disk, 1);
        size_t from = variant == 0 ? used - 20 : used - 160;
        for (size_t at = from; at < from + 8; at++) {
            uint8_t byte = sim_disk_file(image, segment(1)).data[at];
            if (byte) sim_disk_flip(image, segment(1), at, byte);
        }
        struct rig again;
        judge *judge = reopen(image, &model, &again, 8192);
        assert_true(judge->last == 4 && again.found.torn_bytes > 0 && !again.found.damaged);
        assert_non_null(strstr(again.found.what, "torn"));
        sk_free(judge);
        sk_wal_close(again.wal);
        expect_whole(reopen(image, &model, &again, 8192), 4);
        assert_int_equal(again.found.torn_bytes, 0); // physically gone
        struct model copy = model;
        copy.list = sk_alloc(RECORDS_MAX * sizeof *copy.list);
        memcpy(copy.list, model.list, model.count * sizeof *copy.list);
        model_forget_after(&copy, 4);
        again.base = again.durable = 4;
        for (int i = 0; i < 3; i++) put(&copy, &again, 1, 30);
        sk_wal_close(again.wal);
        expect_whole(reopen(image, &copy, &again, 8192), 7);
        sk_wal_close(again.wal);
        model_deinit(&copy);
        sim_disk_close(image);
    }
    end(&rig, &model);
}

// ---- Damage ----

static void D05_interior_damage_is_told_and_kept(void **state)
{
    rig rig, again;
    model model;
    three_segments(&rig, &model, 10);
    assert_true(sim_disk_flip(rig.disk, segment(2), 700, 0x04));
    judge *judge = reopen(rig.disk, &model, &again, 4096);
    assert_true(again.found.damaged);
    assert_non_null(strstr(again.found.what, "damaged"));
    assert_false(judge->bad &&
                 strstr(judge->why, "nobody")); // a prefix and the last states: nothing invented
    assert_true(there(rig.disk, "lost/0000000000000002.log") && there(rig.disk, "lost/0000000000000003.log"));
    assert_true(there(rig.disk, "wal/damaged"));
    assert_true(judge->state.entry[1][2] != 0);  // what is before it serves
    assert_true(judge->state.entry[1][13] == 0); // what is behind it is not believed
    sk_record last = {0};
    for (size_t i = 0; i < model.count; i++)
        if (model.list[i].space == 2) last = model.list[i].record;
    assert_true(last.epoch == 14);
    judge_compare(judge);
    assert_true(judge->state.state[2] !=
                0); // the last state was rescued from behind the damage (D12: no term goes back)
    uint64_t hash = 0;
    for (size_t i = 0; i < model.count; i++)
        if (model.list[i].space == 2) hash = model_hash(&model.list[i]);
    assert_true(judge->state.state[2] == hash);
    sk_free(judge);
    sk_wal_close(again.wal);
    // It says so at every start until healed, and then no more; a crash in between changes nothing.
    for (int start = 0; start < 3; start++) {
        sim_disk_crash(rig.disk);
        judge = reopen(rig.disk, &model, &again, 4096);
        assert_true(again.found.damaged && judge->state.state[2] == hash);
        sk_free(judge);
        if (start < 2) sk_wal_close(again.wal);
    }
    sk_wal_healed(again.wal);
    rig_drain(&again);
    sim_disk_crash(rig.disk);
    sk_wal_close(again.wal);
    judge = reopen(rig.disk, &model, &again, 4096);
    assert_false(again.found.damaged);
    assert_string_equal(again.found.what, "");
    sk_free(judge);
    rig.wal = again.wal;
    end(&rig, &model);
}

// Damage, and the power goes during the recovery from it, three times: still told.
static void D14_recovery_from_damage_crashes(void **state)
{
    for (uint64_t seed = 0; seed < 150; seed++) {
        rig rig, again;
        model model;
        three_segments(&rig, &model, 11);
        sim_disk *image = image_of(rig.disk, seed);
        sk_prng prng;
        sk_prng_init(&prng, seed);
        sim_disk_flip(image, segment(1 + seed % 2), 300 + seed, 0x80);
        for (int deep = 0; deep < 3; deep++) {
            sim_disk_halt_after(image, sk_prng_below(&prng, 45));
            judge *judge = reopen(image, &model, &again, 4096);
            bool opened = again.wal != NULL;
            assert_true(!opened || again.found.damaged);
            if (opened) sk_wal_close(again.wal);
            sk_free(judge);
            sim_disk_crash(image);
        }
        judge *judge = reopen(image, &model, &again, 4096);
        assert_non_null(again.wal);
        assert_true(again.found.damaged);
        sk_free(judge);
        sk_wal_close(again.wal);
        sim_disk_close(image);
        end(&rig, &model);
    }
}

// G11: every bit of a log, segment headers and the prepared segment included. Detected, or nothing is missing.
static void D05_D08_every_bit_flipped(void **state)
{
    rig rig, again;
    model model;
    open_new(&rig, &model, 12, 4096);
    for (uint64_t i = 0; i < 9; i++) {
        append_state(&model, &rig, 2, i);
        put(&model, &rig, 1, 300);
    }
    uint64_t before_last = model.count;
    put(&model, &rig, 1, 50);
    rig_close(&rig);
    uint64_t flips = 0, damaged = 0, torn = 0, harmless = 0;
    for (size_t f = 0; f < sim_disk_file_count(rig.disk); f++) {
        char name[SK_DISK_NAME_MAX];
        (void)snprintf(name, sizeof name, "%s", sim_disk_file_name(rig.disk, f));
        sk_slice file = sim_disk_file(rig.disk, name);
        size_t used = file.size;
        while (used > 0 && file.data[used - 1] == 0) used--;
        used = used + 64 < file.size ? used + 64 : file.size;
        for (size_t bit = 0; bit < used * 8; bit++) {
            sim_disk *image = image_of(rig.disk, bit);
            sim_disk_flip(image, name, bit / 8, (uint8_t)(1u << (bit % 8)));
            judge *judge = reopen(image, &model, &again, 4096);
            assert_non_null(again.wal);
            flips++;
            if (judge->bad) print_error("%s bit %zu: %s\n", name, bit, judge->why);
            assert_false(judge->bad);
            if (again.found.damaged) {
                damaged++;
            } else {
                judge_compare(judge);
                assert_false(judge->bad);
                if (judge->last < model.count) {
                    torn++;
                    assert_true(again.found.torn_bytes > 0 && judge->last == before_last);
                } else {
                    harmless++;
                }
            }
            sk_free(judge);
            sk_wal_close(again.wal);
            sim_disk_close(image);
        }
    }
    print_message("%llu damage, %llu torn tails, %llu harmless\n", (unsigned long long)damaged, (unsigned long long)torn,
                  (unsigned long long)harmless);
    print_message("figure: log: %llu bits flipped\n", (unsigned long long)flips);
    assert_true(damaged > 10000 && torn > 0);
    end(&rig, &model);
}

// Harm at several places at once: it starts and invents nothing. Each flipped bit can take one batch off the end unnoticed (a torn
// tail looks the same), never more; a zeroed sector at the very end takes what was in it.
static void D05_random_harm(void **state)
{
    for (uint64_t seed = 0; seed < 1500; seed++) {
        rig rig, again;
        model model;
        open_new(&rig, &model, seed, 4096);
        sk_prng prng;
        sk_prng_init(&prng, seed);
        uint64_t puts = sk_prng_between(&prng, 1, 25), harms = sk_prng_between(&prng, 1, 3);
        for (uint64_t i = 0; i < puts; i++)
            put(&model, &rig, 1 + (uint32_t)sk_prng_below(&prng, 3), sk_prng_below(&prng, 900));
        rig_close(&rig);
        char what[100];
        bool flips = true;
        for (uint64_t i = 0; i < harms; i++) {
            if (!sim_disk_corrupt(rig.disk, "wal/0", what, sizeof what)) break; // nothing left to harm
            flips = flips && strncmp(what, "flipped", 7) == 0;
        }
        judge *judge = reopen(rig.disk, &model, &again, 4096);
        assert_non_null(again.wal);
        assert_false(judge->bad);
        if (!again.found.damaged && flips) assert_true(judge->last + harms >= model.count);
        sk_free(judge);
        rig.wal = again.wal;
        end(&rig, &model);
    }
}

// ---- Foreign bytes ----

static void D07_old_bytes_do_not_parse(void **state)
{
    rig rig, again;
    model model;
    three_segments(&rig, &model, 13);
    // Bytes of segment 1 in the free tail of the last segment, right where the next batch would be and further on.
    uint64_t last = 0;
    for (uint64_t n = 1; n < 10; n++)
        if (sim_disk_file(rig.disk, segment(n)).size > 0 &&
            sim_disk_file(rig.disk, segment(n)).data[SK_WAL_HEADER_SIZE] != 0)
            last = n;
    sk_slice old = sim_disk_file(rig.disk, segment(1)), file = sim_disk_file(rig.disk, segment(last));
    size_t used = file.size;
    while (file.data[used - 1] == 0) used--;
    used = (used + 7) & ~(size_t)7;
    sk_buffer bytes = {0};
    sk_buffer_append_slice(&bytes, file);
    for (size_t i = 0; i < 600 && used + i < bytes.size; i++) bytes.data[used + i] = old.data[64 + i];
    sim_disk_put(rig.disk, segment(last), sk_buffer_slice(&bytes));
    judge *judge = reopen(rig.disk, &model, &again, 4096);
    assert_false(again.found.damaged);
    assert_true(again.found.torn_bytes > 0);
    expect_whole(judge, model.count);
    sk_buffer_deinit(&bytes);
    rig.wal = again.wal;
    end(&rig, &model);
}

// A client's value that is the image of a batch, in a batch that is torn: no evidence of anything. The client knows the layout, and
// either not the cluster's id or not the segment that its value will be in.
static void D07_a_value_that_looks_like_a_batch(void **state)
{
    for (int variant = 0; variant < 3; variant++) {
        rig rig;
        model model;
        open_new(&rig, &model, 14, 8192);
        put(&model, &rig, 1, 100);
        sk_identity other = rig.identity;
        if (variant == 0) other.cluster.bytes[0] ^= 1;
        static uint8_t batch[64];
        sk_wal_batch_header header = {
            .size = SK_WAL_BATCH_HEADER_SIZE, .number = 90, .synced = 89, .oldest = 1};
        sk_wal_batch_seal(batch, sk_wal_seed(&other, variant == 1 ? 2 : 1), &header);
        for (uint64_t position = 2; position < 18; position++) { // at every alignment
            sk_slice payload = sk_slice_make(batch, 56);
            sk_record pad = {.kind = SK_RECORD_STATE, .number = position, .payload = sk_slice_make(batch, 1)};
            sk_record record = {
                .kind = SK_RECORD_ENTRY, .number = position, .position = position, .payload = payload};
            for (uint64_t i = 2; i < position; i++) sk_wal_append(rig.wal, 3, &pad);
            sk_wal_append(rig.wal, 1, &record);
        }
        sk_wal_flush(rig.wal);
        rig_drain(&rig);
        rig_close(&rig);
        sim_disk_flip(rig.disk, segment(1), SK_WAL_HEADER_SIZE + 56 + sk_wal_aligned(56 + 106) + 10,
                      1); // its header
        judge *judge = reopen(rig.disk, &model, &rig, 8192);
        assert_true(rig.found.damaged ==
                    (variant == 2)); // who knows both can make a torn tail look worse than it is
        assert_true(rig.found.damaged || rig.found.torn_bytes > 0);
        sk_free(judge);
        end(&rig, &model);
    }
}

// A sector goes back in time: the batch there was valid once, with this number, in this segment. The chain tells.
static void D09_a_stale_batch_breaks_the_chain(void **state)
{
    rig rig, again;
    model model;
    open_new(&rig, &model, 27, 8192);
    put(&model, &rig, 1, 100);
    put(&model, &rig, 1, 100);
    rig_close(&rig);
    sk_buffer stale = {0};
    sk_buffer_append_slice(&stale, sim_disk_file(rig.disk, segment(1)));
    size_t second = SK_WAL_HEADER_SIZE + 56 + (size_t)sk_wal_aligned(56 + 106);
    sim_disk_flip(rig.disk, segment(1), second + 60, 1); // torn: cut, and another one takes its place
    judge *judge = reopen(rig.disk, &model, &again, 8192);
    assert_int_equal(judge->last, 1);
    sk_free(judge);
    model_forget_after(&model, 1);
    again.base = again.durable = 1;
    append_truncate(&model, &again, 1, 2);
    put(&model, &again, 1, 98);
    put(&model, &again, 1, 100);
    rig_close(&again);
    sk_slice file = sim_disk_file(rig.disk, segment(1));
    sk_buffer mixed = {0};
    sk_buffer_append_slice(&mixed, file);
    size_t size = (size_t)sk_wal_aligned(sk_get_u32(mixed.data + second + 4));
    assert_int_equal(size, sk_wal_aligned(sk_get_u32(stale.data + second + 4)));
    memcpy(mixed.data + second, stale.data + second, size);
    sim_disk_put(rig.disk, segment(1), sk_buffer_slice(&mixed));
    judge = reopen(rig.disk, &model, &again, 8192);
    assert_true(again.found.damaged);
    sk_free(judge);
    sk_buffer_deinit(&stale);
    sk_buffer_deinit(&mixed);
    rig.wal = again.wal;
    end(&rig, &model);
}

static void D09_lost_and_misdirected_writes(void **state)
{
    static const enum sim_disk_fault faults[] = {SIM_DISK_DROP, SIM_DISK_MISDIRECT};
    for (uint32_t n = 1; n < 40; n++) {
        for (int f = 0; f < 2; f++) {
            rig rig, again;
            model model;
            open_new(&rig, &model, n, 4096);
            sim_disk_rule(rig.disk, faults[f], 1u << SK_DISK_WRITE, n, 1, 0);
            for (int i = 0; i < 20; i++) put(&model, &rig, 1, 300);
            rig_close(&rig);
            sim_disk_counts counts = sim_disk_counts_of(rig.disk);
            bool fired = counts.writes_dropped + counts.writes_misdirected > 0;
            judge *judge = reopen(rig.disk, &model, &again, 4096);
            assert_false(judge->bad); // never an old or invented record
            assert_non_null(again.wal);
            // Something is missing: it says so. Only the very last write can vanish without a trace.
            if (judge->last < model.count && !again.found.damaged)
                assert_true(judge->last >= model.count - 1);
            if (!fired) assert_true(judge->last == model.count);
            sk_free(judge);
            rig.wal = again.wal;
            end(&rig, &model);
        }
    }
}

static void D12_no_state_left(void **state)
{
    rig rig, again;
    model model;
    open_new(&rig, &model, 15, 8192);
    append_state(&model, &rig, 1, 5);
    put(&model, &rig, 1, 10);
    append_state(&model, &rig, 1, 6);
    put(&model, &rig, 1, 10);
    put(&model, &rig, 2, 10);
    rig_close(&rig);
    // Both places where the state is are bad.
    sim_disk_zero_sector(rig.disk, segment(1), 70);
    judge *judge = reopen(rig.disk, &model, &again, 8192);
    assert_non_null(again.wal);            // starts,
    assert_true(again.found.damaged);      // knows that it must not vote,
    assert_true(again.found.what[0] != 0); // and says why
    sk_free(judge);
    rig.wal = again.wal;
    end(&rig, &model);
}

// The whole folder is gone, or never came to be: only the second is a new node.
static void D12_no_log_left(void **state)
{
    rig rig, again;
    model model;
    three_segments(&rig, &model, 26);
    for (size_t i = sim_disk_file_count(rig.disk); i-- > 0;)
        if (strncmp(sim_disk_file_name(rig.disk, i), "wal/", 4) == 0)
            sim_disk_lose(rig.disk, sim_disk_file_name(rig.disk, i));
    judge *judge = reopen(rig.disk, &model, &again, 4096);
    assert_true(again.wal && again.found.damaged && judge->last == 0);
    sk_free(judge);
    rig.wal = again.wal;
    end(&rig, &model);
}

static void D14_the_first_start_crashes(void **state)
{
    for (uint64_t seed = 0; seed < 400; seed++) {
        rig rig;
        rig_init(&rig, disk_new(seed), 8192);
        for (uint64_t deep = 0; deep < 3; deep++) {
            sim_disk_halt_after(rig.disk, (seed + deep * 7) % 20);
            if (rig_open(&rig, NULL, NULL, NULL) == 0) sk_wal_close(rig.wal);
            sim_disk_crash(rig.disk);
        }
        assert_int_equal(rig_open(&rig, NULL, NULL, NULL), 0);
        assert_false(rig.found.damaged);
        rig_close(&rig);
        sim_disk_close(rig.disk);
    }
}

// ---- D13: whole segments ----

enum harm { EMPTY, ZEROED, MISSING, GARBLED };

static void harm_segment(sim_disk *disk, uint64_t number, enum harm harm)
{
    size_t size = sim_disk_file(disk, segment(number)).size;
    switch (harm) {
    case EMPTY:
        sim_disk_cut(disk, segment(number), 0);
        break;
    case ZEROED:
        for (size_t at = 0; at < size; at += 512) sim_disk_zero_sector(disk, segment(number), at);
        break;
    case GARBLED:
        for (size_t at = 0; at < size; at += 512) sim_disk_garble_sector(disk, segment(number), at);
        break;
    case MISSING:
        sim_disk_lose(disk, segment(number));
        break;
    }
}

static void D13_segments_empty_missing_zeroed_garbled(void **state)
{
    for (uint64_t set = 1; set < 8; set++) { // any of the first three of at least four
        for (int harm = EMPTY; harm <= GARBLED; harm++) {
            rig rig, again;
            model model;
            open_new(&rig, &model, 16, 4096);
            for (uint64_t i = 0; i < 20; i++) put(&model, &rig, 1, 700);
            assert_true(sk_wal_stats_of(rig.wal).segments >= 5);
            rig_close(&rig);
            for (uint64_t n = 1; n <= 3; n++)
                if (set & (1u << (n - 1))) harm_segment(rig.disk, n, (enum harm)harm);
            judge *judge = reopen(rig.disk, &model, &again, 4096);
            assert_non_null(again.wal);
            assert_true(again.found.damaged);
            assert_false(judge->bad);
            assert_int_equal(judge->last == 0, set & 1);
            sk_free(judge);
            // And it works.
            memset(&model.numbers, 0, sizeof model.numbers);
            again.base = again.durable = model.count;
            put(&model, &again, 3, 100);
            assert_int_equal(again.durable, model.count);
            rig.wal = again.wal;
            end(&rig, &model);
        }
    }
}

static void D13_swapped_segments(void **state)
{
    for (uint64_t a = 1; a < 5; a++) {
        for (uint64_t b = a + 1; b <= 5; b++) {
            rig rig, again;
            model model;
            open_new(&rig, &model, 17, 4096);
            for (uint64_t i = 0; i < 20; i++) put(&model, &rig, 1, 700);
            rig_close(&rig);
            assert_true(sim_disk_swap(rig.disk, segment(a), segment(b)));
            judge *judge = reopen(rig.disk, &model, &again, 4096);
            assert_true(again.found.damaged && !judge->bad);
            sk_free(judge);
            rig.wal = again.wal;
            end(&rig, &model);
        }
    }
}

// The newest segment is emptied, lost, or changes places with the one prepared behind it: no later batch tells of it, only the
// prepared segment's header does.
static void D13_the_newest_segment(void **state)
{
    for (int harm = EMPTY; harm <= GARBLED + 1; harm++) {
        rig rig, again;
        model model;
        open_new(&rig, &model, 28, 4096);
        uint64_t newest = 0;
        while (newest < 3 || sim_disk_file(rig.disk, segment(newest + 1)).size == 0) {
            put(&model, &rig, 1, 400);
            for (newest = 1; sim_disk_file(rig.disk, segment(newest + 1)).size > 0 &&
                             sim_disk_file(rig.disk, segment(newest + 1)).data[SK_WAL_HEADER_SIZE] != 0;)
                newest++;
        }
        rig_close(&rig);
        if (harm <= GARBLED)
            harm_segment(rig.disk, newest, (enum harm)harm);
        else
            sim_disk_swap(rig.disk, segment(newest), segment(newest + 1));
        judge *judge = reopen(rig.disk, &model, &again, 4096);
        assert_true(again.wal && again.found.damaged && !judge->bad);
        assert_true(judge->last > 0 && judge->last < model.count);
        sk_free(judge);
        rig.wal = again.wal;
        end(&rig, &model);
    }
}

static void the_whole_log_is_gone_or_the_tail_is_cut(void **state)
{
    for (size_t cut = 0; cut <= 4096; cut += 13) {
        rig rig, again;
        model model;
        open_new(&rig, &model, 18, 4096);
        for (uint64_t i = 0; i < 3; i++) put(&model, &rig, 1, 300);
        rig_close(&rig);
        sim_disk_cut(rig.disk, segment(1), cut);
        judge *judge = reopen(rig.disk, &model, &again, 4096);
        assert_non_null(again.wal);
        assert_false(judge->bad);
        model_forget_after(&model, judge->last);
        sk_free(judge);
        again.base = again.durable = model.count;
        put(&model, &again, 1, 500);
        put(&model, &again, 1, 500);
        rig_close(&again);
        expect_whole(reopen(rig.disk, &model, &again, 4096), model.count);
        rig.wal = again.wal;
        end(&rig, &model);
    }
}

// Unreadable sectors are damage, not a reason not to start.
static void unreadable_bytes_are_damage(void **state)
{
    rig rig, again;
    model model;
    three_segments(&rig, &model, 25);
    sim_disk_rule(rig.disk, SIM_DISK_FAIL, 1u << SK_DISK_READ, 3, SIM_DISK_FOREVER, SK_EIO);
    judge *judge = reopen(rig.disk, &model, &again, 4096);
    assert_non_null(again.wal);
    assert_true(again.found.damaged);
    sk_free(judge);
    rig.wal = again.wal;
    end(&rig, &model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(D04_torn_tail_removed),
        cmocka_unit_test(D05_interior_damage_is_told_and_kept),
        cmocka_unit_test(D14_recovery_from_damage_crashes),
        cmocka_unit_test(D05_D08_every_bit_flipped),
        cmocka_unit_test(D05_random_harm),
        cmocka_unit_test(D07_old_bytes_do_not_parse),
        cmocka_unit_test(D07_a_value_that_looks_like_a_batch),
        cmocka_unit_test(D09_lost_and_misdirected_writes),
        cmocka_unit_test(D12_no_state_left),
        cmocka_unit_test(D12_no_log_left),
        cmocka_unit_test(D14_the_first_start_crashes),
        cmocka_unit_test(D13_segments_empty_missing_zeroed_garbled),
        cmocka_unit_test(D13_swapped_segments),
        cmocka_unit_test(D13_the_newest_segment),
        cmocka_unit_test(D09_a_stale_batch_breaks_the_chain),
        cmocka_unit_test(the_whole_log_is_gone_or_the_tail_is_cut),
        cmocka_unit_test(unreadable_bytes_are_damage),
    };
    return cmocka_run_group_tests_name("wal_damage", tests, NULL, NULL);
}
