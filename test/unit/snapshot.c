// Snapshots: whole or not there, whatever fails or whenever the power goes.
#include "base/crc.h"
#include "test/unit/wal_model.h"
#include "store/snapshot.h"

static const sk_snapshot_info old_info = {.space = 5, .position = 100, .epoch = 2};
static const sk_snapshot_info new_info = {.space = 5, .position = 250, .epoch = 3};

typedef struct outcome {
    int calls;
    int error;
    sk_snapshot_info info;
} outcome;

static void on_done(void *context, int error, const sk_snapshot_info *info)
{
    outcome *outcome = context;
    outcome->calls++;
    outcome->error = error;
    outcome->info = *info;
}

// The chunks of a snapshot are a function of its position.
enum { CHUNKS = 7 };

static sk_slice chunk_of(uint64_t position, uint64_t index, uint8_t *into)
{
    return payload_of(position * 31 + index, 100 + index * index * 400, into);
}

static sk_snapshot_writer *write_start(sim_disk *disk, const sk_snapshot_info *info, outcome *outcome)
{
    static uint8_t bytes[PAYLOAD_MAX];
    sk_identity identity = rig_identity();
    sk_snapshot_writer *writer = sk_snapshot_write(sim_disk_face(disk), &identity, info, on_done, outcome);
    for (uint64_t i = 0; i < CHUNKS; i++) sk_snapshot_writer_add(writer, chunk_of(info->position, i, bytes));
    sk_snapshot_writer_finish(writer);
    return writer;
}

static int write_whole(sim_disk *disk, const sk_snapshot_info *info)
{
    outcome outcome = {0};
    write_start(disk, info, &outcome);
    while (sim_disk_step(disk)) continue;
    assert_int_equal(outcome.calls, 1);
    return outcome.error;
}

typedef struct collect {
    uint64_t position;
    uint64_t chunks;
    bool same;
} collect;

static int on_chunk(void *context, sk_slice bytes)
{
    static uint8_t want[PAYLOAD_MAX];
    collect *collect = context;
    if (!sk_slice_equal(bytes, chunk_of(collect->position, collect->chunks, want))) collect->same = false;
    collect->chunks++;
    return 0;
}

// What a start finds: the position of the snapshot, whole and right, or 0.
static uint64_t found_whole(sim_disk *disk)
{
    sk_identity identity = rig_identity();
    sk_snapshot_info info;
    int error = sk_snapshot_find(sim_disk_face(disk), &identity, 5, &rig_sink, &info);
    if (error) {
        assert_true(error == SK_ENOENT || error == SK_ECORRUPT);
        return 0;
    }
    collect collect = {.position = info.position, .same = true};
    assert_int_equal(sk_snapshot_read(sim_disk_face(disk), &identity, &info, on_chunk, &collect), 0);
    assert_true(collect.same && collect.chunks == CHUNKS);
    assert_true(info.epoch == (info.position == 100 ? 2u : 3u));
    return info.position;
}

static void written_and_read_back(void **state)
{
    sim_disk *disk = disk_new(1);
    assert_int_equal(found_whole(disk), 0);
    assert_int_equal(write_whole(disk, &old_info), 0);
    assert_int_equal(found_whole(disk), 100);
    assert_int_equal(write_whole(disk, &new_info), 0);
    assert_int_equal(found_whole(disk), 250);
    assert_false(there(disk, "0064.snap")); // the older one is gone
    assert_false(there(disk, ".part"));
    sim_disk_close(disk);
}

static void N05_D03_power_fails_at_every_request(void **state)
{
    for (uint64_t seed = 0; seed < 40; seed++) {
        sim_disk *disk = disk_new(seed);
        write_whole(disk, &old_info);
        outcome outcome = {0};
        write_start(disk, &new_info, &outcome);
        bool more = true;
        while (more) {
            for (uint64_t draw = 0; draw < 6; draw++) {
                sk_prng prng;
                sk_prng_init(&prng, seed * 100 + draw);
                sim_disk *image = sim_disk_crash_image(disk, prng);
                uint64_t position = found_whole(image);
                assert_true(position == 250 || (position == 100 && outcome.calls == 0));
                assert_false(there(image, "lost/")); // a crash is not damage
                assert_false(there(image, ".part")); // tidied
                sim_disk_close(image);
            }
            more = sim_disk_step(disk);
        }
        assert_int_equal(outcome.error, 0);
        sim_disk_close(disk);
    }
}

// The process dies, the machine lives; what the next start found and acted on is still there after a power cut.
static void R21_what_was_found_stays(void **state)
{
    for (uint64_t seed = 0; seed < 300; seed++) {
        sim_disk *disk = disk_new(seed);
        write_whole(disk, &old_info);
        outcome outcome = {0};
        sk_snapshot_writer *writer = write_start(disk, &new_info, &outcome);
        for (uint64_t i = 0; i < seed % 16; i++) sim_disk_step(disk);
        sim_disk_kill(disk);
        if (!outcome.calls) sk_snapshot_writer_drop(writer);
        uint64_t position = found_whole(disk);
        assert_true(position == 250 || (position == 100 && !outcome.calls));
        sim_disk_crash(disk);
        assert_true(found_whole(disk) == position);
        sim_disk_close(disk);
    }
}

// The n-th request of writing a snapshot fails; false: there are fewer.
static bool one_request_fails(uint32_t n, unsigned ops, uint32_t how_often, int with)
{
    sim_disk *disk = disk_new(n);
    write_whole(disk, &old_info);
    sim_disk_rule(disk, SIM_DISK_FAIL, ops, n, how_often, with);
    int error = write_whole(disk, &new_info);
    sim_disk_counts counts = sim_disk_counts_of(disk);
    bool fired = counts.errors + counts.syncs_failed > 0;
    sim_disk_rules_clear(disk);
    sim_disk_crash(disk);
    uint64_t position = found_whole(disk);
    // Reported as durable: it is. Else one of the two is there, whole.
    assert_true(position == 250 || (error && position == 100));
    sim_disk_close(disk);
    return fired;
}

// The n-th request of looking for one at a start fails: it is an error, or a whole one is found; and the next start finds a whole one.
static bool one_request_of_a_start_fails(uint32_t n, unsigned ops, uint32_t how_often, int with)
{
    sim_disk *disk = disk_new(n);
    write_whole(disk, &old_info);
    write_whole(disk, &new_info);
    sim_disk_rule(disk, SIM_DISK_FAIL, ops, n, how_often, with);
    sk_identity identity = rig_identity();
    sk_snapshot_info info;
    int error = sk_snapshot_find(sim_disk_face(disk), &identity, 5, &rig_sink, &info);
    assert_true(error || info.position == 250);
    sim_disk_counts counts = sim_disk_counts_of(disk);
    bool fired = counts.errors + counts.syncs_failed > 0;
    sim_disk_rules_clear(disk);
    if (!there(disk, "lost/")) assert_int_equal(found_whole(disk), 250);
    sim_disk_close(disk);
    return fired;
}

static unsigned every_request(bool (*one)(uint32_t n, unsigned ops, uint32_t how_often, int with))
{
    static const unsigned ops[] = {~(1u << SK_DISK_SYNC) & ~(1u << SK_DISK_CLOSE), 1u << SK_DISK_SYNC};
    static const uint32_t how_often[] = {1, SIM_DISK_FOREVER};
    static const int errors[] = {SK_EIO, SK_ENOSPC};
    unsigned cases = 0;
    for (int variant = 0; variant < 8; variant++)
        for (uint32_t n = 1; one(n, ops[variant & 1], how_often[variant >> 1 & 1], errors[variant >> 2]); n++) cases++;
    return cases;
}

static void every_request_fails_once_and_forever(void **state)
{
    unsigned cases = every_request(one_request_fails);
    print_message("figure: snapshot: %u failed requests\n", cases);
    assert_true(cases > 30);
}

static void every_request_of_a_start_fails_once_and_forever(void **state)
{
    unsigned cases = every_request(one_request_of_a_start_fails);
    print_message("figure: snapshot: %u failed requests of a start\n", cases);
    assert_true(cases > 10);
}

static void D01_a_snapshot_whose_sync_failed_is_given_up(void **state)
{
    for (uint64_t seed = 0; seed < 20; seed++) {
        sim_disk *disk = disk_new(seed);
        write_whole(disk, &old_info);
        sim_disk_rule(disk, SIM_DISK_FAIL, 1u << SK_DISK_SYNC, 1, 1, SK_EIO);
        assert_int_equal(write_whole(disk, &new_info), SK_EIO);
        assert_int_equal(found_whole(disk), 100);
        sim_disk_crash(disk);
        assert_int_equal(found_whole(disk), 100);
        assert_false(there(disk, ".part"));
        sim_disk_close(disk);
    }
}

static void N08_every_bit_flipped(void **state)
{
    sim_disk *disk = disk_new(3);
    outcome outcome = {0};
    sk_identity identity = rig_identity();
    static uint8_t bytes[64];
    write_whole(disk, &old_info);
    // A small one, and the older put back beside it.
    sk_slice file = sim_disk_file(disk, "snap/00000005-0000000000000064.snap");
    sk_buffer kept = {0};
    sk_buffer_append_slice(&kept, file);
    sk_snapshot_writer *writer =
        sk_snapshot_write(sim_disk_face(disk), &identity, &new_info, on_done, &outcome);
    sk_snapshot_writer_add(writer, payload_of(1, 64, bytes));
    sk_snapshot_writer_add(writer, payload_of(2, 17, bytes));
    sk_snapshot_writer_finish(writer);
    while (sim_disk_step(disk)) continue;
    const char *name = "snap/00000005-00000000000000fa.snap";
    sim_disk_put(disk, "snap/00000005-0000000000000064.snap", sk_buffer_slice(&kept));
    size_t size = sim_disk_file(disk, name).size;
    for (size_t bit = 0; bit < size * 8; bit++) {
        sk_prng prng;
        sk_prng_init(&prng, bit);
        sim_disk *image = sim_disk_crash_image(disk, prng);
        assert_true(sim_disk_flip(image, name, bit / 8, (uint8_t)(1u << (bit % 8))));
        assert_int_equal(found_whole(image), 100); // refused; the older one serves
        assert_true(there(image, "lost/00000005-00000000000000fa.snap"));
        assert_true(there(image, "snap/00000005-0000000000000064.snap"));
        sim_disk_close(image);
    }
    print_message("figure: snapshot: %zu bits flipped\n", size * 8);
    for (size_t cut = 0; cut < size; cut++) {
        sk_prng prng;
        sk_prng_init(&prng, cut);
        sim_disk *image = sim_disk_crash_image(disk, prng);
        sim_disk_cut(image, name, cut);
        assert_int_equal(found_whole(image), 100);
        sim_disk_close(image);
    }
    sk_buffer_deinit(&kept);
    sim_disk_close(disk);
}

// A start that dies after it has put a damaged snapshot aside: the next one must still know.
static void D14_damage_is_marked_before_it_is_set_aside(void **state)
{
    for (uint64_t seed = 0; seed < 20; seed++) {
        for (uint64_t count = 0;; count++) {
            sim_disk *disk = disk_new(seed);
            write_whole(disk, &new_info);
            for (size_t i = 0; i < sim_disk_file_count(disk); i++) {
                if (strstr(sim_disk_file_name(disk, i), "00fa.snap")) sim_disk_flip(disk, sim_disk_file_name(disk, i), 300, 4);
            }
            sk_identity identity = rig_identity();
            sk_snapshot_info info;
            sim_disk_halt_after(disk, count);
            int error = sk_snapshot_find(sim_disk_face(disk), &identity, 5, &rig_sink, &info);
            bool whole = !sim_disk_halted(disk);
            if (whole) assert_int_equal(error, SK_ECORRUPT);
            sim_disk_crash(disk);
            assert_true(there(disk, "snap/") || there(disk, "wal/damaged"));
            if (whole) assert_true(there(disk, "wal/damaged"));
            sim_disk_close(disk);
            if (whole) break;
        }
    }
}

static void foreign_and_newer_are_told_and_left(void **state)
{
    sim_disk *disk = disk_new(4);
    write_whole(disk, &old_info);
    const char *name = "snap/00000005-0000000000000064.snap";
    sk_identity other = rig_identity();
    other.cluster.bytes[3] ^= 1;
    sk_snapshot_info info;
    assert_int_equal(sk_snapshot_find(sim_disk_face(disk), &other, 5, &rig_sink, &info), SK_EFOREIGN);
    sk_buffer file = {0};
    sk_buffer_append_slice(&file, sim_disk_file(disk, name));
    file.data[8] = SK_FORMAT_VERSION + 1;
    uint32_t crc = sk_crc32c(0, file.data, 60);
    for (unsigned i = 0; i < 4; i++) file.data[60 + i] = (uint8_t)(crc >> (8 * i));
    sim_disk_put(disk, name, sk_buffer_slice(&file));
    sk_identity identity = rig_identity();
    assert_int_equal(sk_snapshot_find(sim_disk_face(disk), &identity, 5, &rig_sink, &info), SK_EVERSION);
    assert_true(there(disk, name));
    sk_buffer_deinit(&file);
    sim_disk_close(disk);
}

// ---- Receiving ----

static sk_buffer file_of_new(void)
{
    sim_disk *disk = disk_new(9);
    write_whole(disk, &new_info);
    sk_buffer file = {0};
    sk_buffer_append_slice(&file, sim_disk_file(disk, "snap/00000005-00000000000000fa.snap"));
    sim_disk_close(disk);
    return file;
}

static int receive_whole(sim_disk *disk, sk_slice file, size_t piece)
{
    sk_identity identity = rig_identity();
    identity.node = 7; // not the sender
    sk_snapshot_info info = new_info;
    info.size = file.size;
    outcome outcome = {0};
    sk_snapshot_receiver *receiver =
        sk_snapshot_receive(sim_disk_face(disk), &identity, &info, on_done, &outcome);
    for (size_t at = 0; at < file.size; at += piece) {
        size_t size = file.size - at < piece ? file.size - at : piece;
        assert_true(sk_snapshot_receiver_offset(receiver) == at || outcome.calls);
        assert_int_equal(sk_snapshot_receiver_add(receiver, sk_slice_make(file.data + at, size)), 0);
        if (at % 3 == 0) sim_disk_step(disk);
        if (outcome.calls) return outcome.error;
    }
    assert_int_equal(sk_snapshot_receiver_add(receiver, sk_slice_make(file.data, 1)), SK_ETOOBIG);
    while (sim_disk_step(disk)) continue;
    assert_int_equal(outcome.calls, 1);
    return outcome.error;
}

static void received_in_any_pieces(void **state)
{
    sk_buffer file = file_of_new();
    static const size_t pieces[] = {1, 7, 1000, 65536, 1 << 20};
    for (size_t i = 0; i < sizeof pieces / sizeof *pieces; i++) {
        sim_disk *disk = disk_new(i);
        write_whole(disk, &old_info);
        assert_int_equal(receive_whole(disk, sk_buffer_slice(&file), pieces[i]), 0);
        sim_disk_crash(disk);
        assert_int_equal(found_whole(disk), 250);
        assert_false(there(disk, ".recv"));
        sim_disk_close(disk);
    }
    sk_buffer_deinit(&file);
}

static void N08_damaged_on_the_way_is_refused(void **state)
{
    sk_buffer file = file_of_new();
    for (size_t at = 0; at < file.size; at += at < 80 ? 1 : 997) {
        sim_disk *disk = disk_new(at);
        write_whole(disk, &old_info);
        file.data[at] ^= 0x10;
        int error = receive_whole(disk, sk_buffer_slice(&file), 5000);
        file.data[at] ^= 0x10;
        assert_true(error == SK_ECORRUPT);
        assert_int_equal(found_whole(disk), 100);
        sim_disk_close(disk);
    }
    sk_buffer_deinit(&file);
}

static void N05_receiving_crashes_anywhere(void **state)
{
    sk_buffer file = file_of_new();
    for (uint64_t seed = 0; seed < 200; seed++) {
        sim_disk *disk = disk_new(seed);
        write_whole(disk, &old_info);
        sk_identity identity = rig_identity();
        sk_snapshot_info info = new_info;
        info.size = file.size;
        outcome outcome = {0};
        sk_snapshot_receiver *receiver =
            sk_snapshot_receive(sim_disk_face(disk), &identity, &info, on_done, &outcome);
        sk_snapshot_receiver_add(receiver, sk_buffer_slice(&file));
        for (uint64_t i = 0; i < seed % 20; i++) sim_disk_step(disk);
        sim_disk_crash(disk);
        if (!outcome.calls) sk_snapshot_receiver_drop(receiver);
        uint64_t position = found_whole(disk);
        assert_true(position == 250 || (position == 100 && !outcome.calls));
        sim_disk_close(disk);
    }
    sk_buffer_deinit(&file);
}

static void abort_leaves_nothing(void **state)
{
    for (unsigned steps = 0; steps < 8; steps++) {
        sim_disk *disk = disk_new(steps);
        write_whole(disk, &old_info);
        sk_identity identity = rig_identity();
        static uint8_t bytes[PAYLOAD_MAX];
        outcome outcome = {0};
        sk_snapshot_writer *writer =
            sk_snapshot_write(sim_disk_face(disk), &identity, &new_info, on_done, &outcome);
        sk_snapshot_writer_add(writer, payload_of(4, sizeof bytes, bytes));
        for (unsigned i = 0; i < steps; i++) sim_disk_step(disk);
        sk_snapshot_writer_abort(writer);
        sk_snapshot_writer_add(writer, payload_of(4, 10, bytes)); // of no effect
        while (sim_disk_step(disk)) continue;
        assert_int_equal(outcome.calls, 1);
        assert_int_equal(outcome.error, SK_EFAILED);
        assert_false(there(disk, ".part"));
        assert_int_equal(found_whole(disk), 100);
        sim_disk_close(disk);
    }
}

// ---- Reading while the node runs ----

typedef struct reader {
    int calls;
    int error;
    sk_buffer bytes;
} reader;

static void on_piece(void *context, const sk_snapshot_piece *piece)
{
    reader *reader = context;
    reader->calls++;
    reader->error = piece->error;
    assert_true(piece->error || piece->offset == reader->bytes.size);
    if (!piece->error) sk_buffer_append_slice(&reader->bytes, piece->bytes);
}

static void a_source_outlives_its_name(void **state)
{
    sim_disk *disk = disk_new(11);
    write_whole(disk, &old_info);
    sk_buffer want = {0};
    sk_buffer_append_slice(&want, sim_disk_file(disk, "snap/00000005-0000000000000064.snap"));
    reader reader = {0};
    sk_snapshot_source *source = sk_snapshot_source_open(sim_disk_face(disk), &old_info);
    sk_snapshot_source_read(source, 0, 1000, on_piece, &reader);
    assert_int_equal(reader.calls, 0);
    while (sim_disk_step(disk)) continue;
    assert_int_equal(write_whole(disk, &new_info), 0);
    assert_false(there(disk, "0064.snap"));
    int calls = 1;
    while (reader.bytes.size < want.size) {
        sk_snapshot_source_read(source, reader.bytes.size, 1000, on_piece, &reader);
        while (sim_disk_step(disk)) continue;
        assert_int_equal(reader.calls, ++calls);
        assert_int_equal(reader.error, 0);
    }
    assert_true(sk_slice_equal(sk_buffer_slice(&reader.bytes), sk_buffer_slice(&want)));
    sk_snapshot_source_read(source, 0, 1000, on_piece, &reader);
    sk_snapshot_source_close(source); // with a read under way
    while (sim_disk_step(disk)) continue;
    assert_int_equal(reader.calls, calls);

    sk_snapshot_info none = {.space = 6, .position = 1};
    source = sk_snapshot_source_open(sim_disk_face(disk), &none);
    sk_snapshot_source_read(source, 0, 10, on_piece, &reader);
    while (sim_disk_step(disk)) continue;
    assert_int_equal(reader.error, SK_ENOENT);
    sk_snapshot_source_read(source, 0, 10, on_piece, &reader);
    while (sim_disk_step(disk)) continue;
    assert_int_equal(reader.calls, calls + 2);
    sk_snapshot_source_close(source);
    while (sim_disk_step(disk)) continue;
    sk_buffer_deinit(&want);
    sk_buffer_deinit(&reader.bytes);
    sim_disk_close(disk);
}

static void parser_takes_any_cuts(void **state)
{
    sk_buffer file = file_of_new();
    sk_identity identity = rig_identity();
    sk_snapshot_info info = new_info;
    info.size = file.size;
    for (size_t piece = 1; piece < 200; piece += 13) {
        collect collect = {.position = 250, .same = true};
        sk_snapshot_parser *parser = sk_snapshot_parser_open(&identity, &info, on_chunk, &collect);
        for (size_t at = 0; at < file.size; at += piece) {
            size_t size = file.size - at < piece ? file.size - at : piece;
            assert_int_equal(sk_snapshot_parser_add(parser, sk_slice_make(file.data + at, size)), 0);
        }
        assert_int_equal(sk_snapshot_parser_finish(parser), 0);
        assert_true(collect.same && collect.chunks == CHUNKS);
    }
    sk_snapshot_parser *parser = sk_snapshot_parser_open(&identity, &info, NULL, NULL);
    sk_snapshot_parser_add(parser, sk_slice_make(file.data, file.size - 1));
    assert_int_equal(sk_snapshot_parser_finish(parser), SK_ECORRUPT);
    // D08: a chunk that claims to be huge takes no memory and ends it.
    parser = sk_snapshot_parser_open(&identity, &info, NULL, NULL);
    assert_int_equal(sk_snapshot_parser_add(parser, sk_slice_make(file.data, 64)), 0);
    assert_int_equal(sk_snapshot_parser_add(parser, sk_slice_make("\xff\xff\xff\x7f....", 8)), SK_ECORRUPT);
    sk_snapshot_parser_abort(parser);
    sk_buffer_deinit(&file);
}

// ---- With the log ----

typedef struct gap {
    uint64_t first, last;
} gap;

static void on_replay(void *context, uint32_t space, const sk_record *record)
{
    gap *gap = context;
    if (space != 5 || record->kind != SK_RECORD_ENTRY) return;
    if (gap->first == 0) gap->first = record->position;
    if (gap->last) assert_true(record->position == gap->last + 1);
    gap->last = record->position;
}

static void check_no_gap(const sim_disk *disk, uint64_t durable, uint64_t draw)
{
    sk_prng prng;
    sk_prng_init(&prng, draw);
    sim_disk *image = sim_disk_crash_image(disk, prng);
    sk_identity identity = rig_identity();
    sk_snapshot_info info = {0};
    int error = sk_snapshot_find(sim_disk_face(image), &identity, 5, &rig_sink, &info);
    assert_true(error == 0 || error == SK_ENOENT);
    rig again;
    rig_init(&again, image, 8192);
    gap gap = {0};
    assert_int_equal(rig_open(&again, NULL, on_replay, &gap), 0);
    assert_false(again.found.damaged);
    if (gap.first) assert_true(gap.first <= info.position + 1);
    assert_true(gap.last >= durable || info.position >= durable);
    sk_wal_close(again.wal);
    sim_disk_close(image);
}

// Entries are released once the snapshot that holds them is durable; cut anywhere, snapshot and log meet.
static void N05_no_gap_between_snapshot_and_log(void **state)
{
    for (uint64_t seed = 0; seed < 6; seed++) {
        sim_disk *disk = disk_new(seed);
        rig rig;
        rig_init(&rig, disk, 8192);
        assert_int_equal(rig_open(&rig, NULL, NULL, NULL), 0);
        static uint8_t bytes[512];
        outcome outcome = {0};
        sk_snapshot_info info = {.space = 5};
        bool snapping = false;
        for (uint64_t position = 1; position <= 400; position++) {
            sk_record record = {.kind = SK_RECORD_ENTRY,
                                .number = position,
                                .position = position,
                                .payload = payload_of(1, 300, bytes)};
            sk_wal_append(rig.wal, 5, &record); // one record a sequence: they are the same number
            sk_wal_flush(rig.wal);
            if (outcome.calls) {
                assert_int_equal(outcome.error, 0);
                sk_wal_release(rig.wal, 5, info.position);
                memset(&outcome, 0, sizeof outcome);
                snapping = false;
            } else if (!snapping && position % 40 == 0 && sk_wal_durable(rig.wal) > info.position) {
                info.position = sk_wal_durable(rig.wal);
                sk_snapshot_writer *writer =
                    sk_snapshot_write(sim_disk_face(disk), &rig.identity, &info, on_done, &outcome);
                sk_snapshot_writer_add(writer, payload_of(2, 512, bytes));
                sk_snapshot_writer_finish(writer);
                snapping = true;
            }
            for (uint64_t i = 0; i < 1 + position % 3; i++) {
                check_no_gap(disk, rig.durable, seed * 10000 + position * 4 + i);
                sim_disk_step(disk);
            }
        }
        while (sim_disk_step(disk)) continue;
        assert_true(sk_wal_stats_of(rig.wal).segments < 8); // they were freed
        rig_close(&rig);
        sim_disk_close(disk);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(written_and_read_back),
        cmocka_unit_test(N05_D03_power_fails_at_every_request),
        cmocka_unit_test(R21_what_was_found_stays),
        cmocka_unit_test(every_request_fails_once_and_forever),
        cmocka_unit_test(every_request_of_a_start_fails_once_and_forever),
        cmocka_unit_test(D01_a_snapshot_whose_sync_failed_is_given_up),
        cmocka_unit_test(N08_every_bit_flipped),
        cmocka_unit_test(D14_damage_is_marked_before_it_is_set_aside),
        cmocka_unit_test(foreign_and_newer_are_told_and_left),
        cmocka_unit_test(received_in_any_pieces),
        cmocka_unit_test(N08_damaged_on_the_way_is_refused),
        cmocka_unit_test(N05_receiving_crashes_anywhere),
        cmocka_unit_test(abort_leaves_nothing),
        cmocka_unit_test(a_source_outlives_its_name),
        cmocka_unit_test(parser_takes_any_cuts),
        cmocka_unit_test(N05_no_gap_between_snapshot_and_log),
    };
    return cmocka_run_group_tests_name("snapshot", tests, NULL, NULL);
}
