// Crash points of the log: a random script, the power cut at every request boundary, many draws of what the
// disk keeps.
#include "test/unit/wal_model.h"

static uint64_t images, tails_cut;

static uint64_t from_environment(const char *name, uint64_t otherwise)
{
    const char *text = getenv(name);
    return text ? strtoull(text, NULL, 10) : otherwise;
}

// For long runs. WAL_CRASH_TIMES=n: n times as many seeds; WAL_CRASH_FROM=n: others, n further on.
static uint64_t times(uint64_t seeds)
{
    return seeds * from_environment("WAL_CRASH_TIMES", 1);
}

static uint64_t from(uint64_t seed)
{
    return seed + from_environment("WAL_CRASH_FROM", 0);
}

static void say(const char *what, uint64_t seed, uint64_t step, uint64_t draw, const judge *judge)
{
    print_error("%s: seed %llu step %llu draw %llu: %s\n", what, (unsigned long long)seed,
                (unsigned long long)step, (unsigned long long)draw, judge->why);
}

// Opens the log on an image, judges what it replays. The judge's `last` says how far the log goes.
static bool recover(sim_disk *image, const model *model, const rig *of, judge *judge, rig *out)
{
    memset(judge, 0, sizeof *judge);
    judge->model = model;
    rig_init(out, image, of->config.segment_size);
    int error = rig_open(out, model, judge_replay, judge);
    if (error) {
        if (!sim_disk_halted(image)) judge_bad(judge, sk_error_name(error), 0);
        return false;
    }
    images++;
    if (out->found.damaged) judge_bad(judge, "a crash taken for damage", 0);
    if (out->found.torn_bytes) tails_cut++;
    judge_compare_durable(judge, of->durable);
    return true;
}

// One image; recovery may itself be cut `deep` times. Afterwards the log must take new records and give all
// back.
static void judge_image(const sim_disk *disk, model *model, const rig *of, uint64_t seed, uint64_t step,
                        uint64_t draw, int deep)
{
    sk_prng prng;
    sk_prng_init(&prng, seed * 1000003 + step * 1009 + draw);
    judge *verdict = sk_alloc(sizeof *verdict);
    sim_disk *image = sim_disk_crash_image(disk, prng);
    rig again;
    for (int i = 0; i < deep; i++) {
        sim_disk_halt_after(image, sk_prng_below(&prng, 24));
        if (recover(image, model, of, verdict, &again)) sk_wal_close(again.wal);
        sim_disk_crash(image);
    }
    bool opened = recover(image, model, of, verdict, &again);
    if (!opened || verdict->bad) {
        say("recovery", seed, step, draw, verdict);
        fail();
    }
    // D04: what comes after the cut is there at the next start.
    struct model copy = *model;
    copy.list = sk_alloc(RECORDS_MAX * sizeof *copy.list);
    memcpy(copy.list, model->list, model->count * sizeof *copy.list);
    model_forget_after(&copy, verdict->last);
    again.base = again.durable = copy.count;
    append_entry(&copy, &again, 1, 40);
    append_entry(&copy, &again, 2, 700);
    sk_wal_flush(again.wal);
    rig_drain(&again);
    assert_true(again.durable == copy.count);
    sk_wal_close(again.wal);
    sim_disk_crash(image);
    again.durable = copy.count;
    rig third;
    opened = recover(image, &copy, &again, verdict, &third);
    if (!opened || verdict->bad || verdict->last != copy.count) {
        say("second start", seed, step, draw, verdict);
        fail();
    }
    sk_wal_close(third.wal);
    sk_free(copy.list);
    sim_disk_close(image);
    sk_free(verdict);
}

static void random_op(sk_prng *prng, model *model, rig *rig)
{
    uint32_t space = (uint32_t)sk_prng_below(prng, 3) + 1;
    uint64_t lot = sk_prng_below(prng, 100);
    if (lot < 55) {
        append_entry(model, rig, space, sk_prng_below(prng, 400));
    } else if (lot < 58) {
        append_entry(model, rig, space, sk_prng_between(prng, 3000, 12000)); // up to more than a segment
    } else if (lot < 66) {
        append_state(model, rig, space, lot);
    } else if (lot < 70) {
        uint64_t last = model->positions[space], floor = model->released[space];
        if (last > floor + 1) append_truncate(model, rig, space, sk_prng_between(prng, floor + 1, last));
    } else if (lot < 78) {
        // Released is what a durable snapshot has: nothing beyond what is durable now.
        uint64_t position = 0;
        for (size_t i = 0; i < rig->durable; i++) {
            const model_record *record = &model->list[i];
            if (record->space == space && record->record.kind == SK_RECORD_ENTRY)
                position = record->record.position;
        }
        if (position > model->positions[space]) position = model->positions[space];
        if (position > model->released[space]) {
            model->released[space] = position;
            sk_wal_release(rig->wal, space, position);
        }
    } else {
        sk_wal_flush(rig->wal);
    }
}

static void crash_script(uint64_t seed, unsigned steps, unsigned draws, int deep)
{
    model model;
    model_init(&model);
    rig rig;
    rig_init(&rig, disk_new(seed), 8192);
    assert_int_equal(rig_open(&rig, &model, NULL, NULL), 0);
    sk_prng prng;
    sk_prng_init(&prng, seed + 77);
    for (unsigned step = 0; step < steps; step++) {
        random_op(&prng, &model, &rig);
        sk_wal_check(rig.wal);
        for (uint64_t draw = 0; draw < draws; draw++)
            judge_image(rig.disk, &model, &rig, seed, step, draw, deep);
        if (sk_prng_chance(&prng, 1, 2)) sim_disk_step(rig.disk);
    }
    rig_close(&rig);
    sim_disk_close(rig.disk);
    model_deinit(&model);
}

static void G08_crash_at_every_request(void **state)
{
    images = tails_cut = 0;
    for (uint64_t seed = from(1); seed < from(1) + times(12); seed++) crash_script(seed, 250, 2, 0);
    print_message("figure: log: %llu crash images\n", (unsigned long long)images);
    assert_true(tails_cut > 50);
}

static void D14_recovery_itself_crashes(void **state)
{
    images = 0;
    for (uint64_t seed = from(100); seed < from(100) + times(8); seed++) crash_script(seed, 150, 2, 3);
    print_message("figure: log: %llu recoveries cut short\n", (unsigned long long)images);
}

// Everything is released, then the log rolls: a crash in between is a torn tail, and no reason to miss the old segments (I6).
static void a_roll_after_everything_was_released(void **state)
{
    for (uint64_t seed = from(1); seed < from(1) + times(20); seed++) {
        model model;
        model_init(&model);
        rig rig;
        rig_init(&rig, disk_new(seed), 8192);
        assert_int_equal(rig_open(&rig, &model, NULL, NULL), 0);
        for (int i = 0; i < 12; i++) {
            append_state(&model, &rig, 1, seed);
            append_entry(&model, &rig, 1, 580);
            sk_wal_flush(rig.wal);
            rig_drain(&rig);
        }
        sk_wal_release(rig.wal, 1, model.released[1] = model.positions[1]);
        append_entry(&model, &rig, 1, 4000);
        sk_wal_flush(rig.wal);
        uint64_t step = 0;
        do {
            for (uint64_t draw = 0; draw < 6; draw++)
                judge_image(rig.disk, &model, &rig, seed, step, draw, 0);
            step++;
        } while (sim_disk_step(rig.disk));
        rig_close(&rig);
        sim_disk_close(rig.disk);
        model_deinit(&model);
    }
}

// Many lives on one disk: each goes on where the one before was cut.
static void lives_one_after_another(void **state)
{
    for (uint64_t seed = from(500); seed < from(500) + times(40); seed++) {
        model model;
        model_init(&model);
        rig rig;
        judge *verdict = sk_alloc(sizeof *verdict);
        rig_init(&rig, disk_new(seed), 8192);
        assert_int_equal(rig_open(&rig, &model, NULL, NULL), 0);
        sk_prng prng;
        sk_prng_init(&prng, seed);
        for (int life = 0; life < 12; life++) {
            uint64_t steps = sk_prng_below(&prng, 120);
            for (uint64_t step = 0; step < steps; step++) {
                random_op(&prng, &model, &rig);
                while (sk_prng_chance(&prng, 2, 3) && sim_disk_step(rig.disk)) sk_wal_check(rig.wal);
            }
            bool power = sk_prng_chance(&prng, 2, 3);
            struct rig old = rig;
            if (power)
                sim_disk_crash(rig.disk);
            else
                sim_disk_kill(rig.disk);
            sk_wal_close(rig.wal);
            if (!recover(rig.disk, &model, &old, verdict, &rig) || verdict->bad) {
                say("life", seed, (uint64_t)life, power, verdict);
                fail();
            }
            model_forget_after(&model, verdict->last);
            rig.base = rig.durable = model.count;
            for (uint32_t s = 1; s < SPACES; s++) sk_wal_release(rig.wal, s, model.released[s]);
        }
        rig_close(&rig);
        sk_free(verdict);
        sim_disk_close(rig.disk);
        model_deinit(&model);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(G08_crash_at_every_request),
        cmocka_unit_test(D14_recovery_itself_crashes),
        cmocka_unit_test(a_roll_after_everything_was_released),
        cmocka_unit_test(lives_one_after_another),
    };
    return cmocka_run_group_tests_name("wal_crash", tests, NULL, NULL);
}
