// The files of format version 1, byte for byte: written the same for ever, and read back.
//
// test/golden/*.bin are kept in the repository. `build/test-unit-golden write` makes them anew: only for a new format version.
#include "test/unit/wal_model.h"
#include "store/snapshot.h"

static bool writing;

static sk_identity golden_identity(void)
{
    sk_identity identity = {.node = 2, .founder_count = 2, .boot = 7};
    for (unsigned i = 0; i < SK_CLUSTER_ID_SIZE; i++) identity.cluster.bytes[i] = (uint8_t)(i * 17);
    identity.founders[0] = (sk_founder){.id = 1, .address = "gw1.example:7400"};
    identity.founders[1] = (sk_founder){.id = 2, .address = "[fd00::2]:7400"};
    return identity;
}

static sk_buffer load(const char *name)
{
    char path[128];
    (void)snprintf(path, sizeof path, "test/golden/%s", name);
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    sk_buffer bytes = {0};
    uint8_t piece[4096];
    for (size_t got; (got = fread(piece, 1, sizeof piece, file)) > 0;) sk_buffer_append(&bytes, piece, got);
    fclose(file);
    return bytes;
}

// The file as it is kept: without the zeros at the end of a preallocated segment.
static void same_as_golden(sim_disk *disk, const char *name, const char *golden)
{
    sk_slice file = sim_disk_file(disk, name);
    assert_non_null(file.data);
    while (file.size > 0 && file.data[file.size - 1] == 0) file.size--;
    if (writing) {
        char path[128];
        (void)snprintf(path, sizeof path, "test/golden/%s", golden);
        FILE *out = fopen(path, "wb");
        assert_non_null(out);
        assert_int_equal(fwrite(file.data, 1, file.size, out), file.size);
        fclose(out);
    }
    sk_buffer want = load(golden);
    assert_int_equal(file.size, want.size);
    assert_memory_equal(file.data, want.data, want.size);
    sk_buffer_deinit(&want);
}

static void put_golden(sim_disk *disk, const char *name, const char *golden, size_t size)
{
    sk_buffer bytes = load(golden);
    while (bytes.size < size) sk_buffer_append_byte(&bytes, 0);
    sim_disk_put(disk, name, sk_buffer_slice(&bytes));
    sk_buffer_deinit(&bytes);
}

static void identity_and_boot(void **state)
{
    sim_disk *disk = disk_new(1);
    sk_identity identity = golden_identity(), read;
    identity.boot = 0;
    assert_int_equal(sk_identity_found(sim_disk_face(disk), &identity), 0);
    assert_int_equal(sk_identity_boot(sim_disk_face(disk), &identity, 41, 0), 0);
    same_as_golden(disk, "identity", "identity-1.bin");
    same_as_golden(disk, "boot", "boot-1.bin");
    sim_disk_close(disk);
    disk = disk_new(1);
    put_golden(disk, "identity", "identity-1.bin", 0);
    put_golden(disk, "boot", "boot-1.bin", 0);
    assert_int_equal(sk_identity_load(sim_disk_face(disk), &read), 0);
    identity.boot = 0;
    assert_memory_equal(&read, &identity, sizeof read);
    assert_int_equal(sk_identity_boot(sim_disk_face(disk), &read, 0, 0), 0);
    assert_int_equal(read.boot, 43);
    sim_disk_close(disk);
}

static const struct {
    uint32_t space;
    sk_record record;
    const char *payload;
} records[] = {
    {0, {.kind = SK_RECORD_STATE, .number = 1, .epoch = 1}, "vote 2"},
    {1, {.kind = SK_RECORD_STATE, .number = 1, .epoch = 3}, "vote 1"},
    {1, {.kind = SK_RECORD_ENTRY, .number = 2, .position = 1, .epoch = 3}, "SET a 1"},
    {1, {.kind = SK_RECORD_ENTRY, .number = 3, .position = 2, .epoch = 3}, ""},
    {1, {.kind = SK_RECORD_TRUNCATE, .number = 4, .position = 2}, ""},
    {4000000000u,
     {.kind = SK_RECORD_ENTRY, .number = 300, .position = 1ull << 40, .epoch = 70000},
     "SET b 2"},
};
enum { RECORDS = sizeof records / sizeof *records };

static void on_record(void *context, uint32_t space, const sk_record *record)
{
    size_t *count = context;
    assert_true(*count < RECORDS);
    sk_record want = records[*count].record;
    assert_int_equal(space, records[*count].space);
    assert_int_equal(record->kind, want.kind);
    assert_true(record->number == want.number && record->position == want.position &&
                record->epoch == want.epoch);
    assert_true(sk_slice_equal(record->payload, sk_slice_text(records[*count].payload)));
    ++*count;
}

static void log_segment(void **state)
{
    rig rig;
    rig_init(&rig, disk_new(1), 4096);
    rig.identity = golden_identity();
    assert_int_equal(rig_open(&rig, NULL, NULL, NULL), 0);
    for (size_t i = 0; i < RECORDS; i++) {
        sk_record record = records[i].record;
        record.payload = sk_slice_text(records[i].payload);
        sk_wal_append(rig.wal, records[i].space, &record);
        if (i % 2) sk_wal_flush(rig.wal);
        if (i % 2) rig_drain(&rig);
    }
    same_as_golden(rig.disk, "wal/0000000000000001.log", "segment-1.bin");
    rig_close(&rig);
    sim_disk_close(rig.disk);

    rig_init(&rig, disk_new(1), 4096);
    rig.identity = golden_identity();
    put_golden(rig.disk, "wal/0000000000000001.log", "segment-1.bin", 4096);
    size_t count = 0;
    assert_int_equal(rig_open(&rig, NULL, on_record, &count), 0);
    assert_int_equal(count, RECORDS);
    assert_false(rig.found.damaged);
    assert_int_equal(rig.found.torn_bytes, 0);
    rig_close(&rig);
    sim_disk_close(rig.disk);
}

static void on_done(void *context, int error, const sk_snapshot_info *info)
{
    assert_int_equal(error, 0);
    *(bool *)context = true;
}

static int on_chunk(void *context, sk_slice bytes)
{
    sk_buffer_append_slice(context, bytes);
    sk_buffer_append_byte(context, '|');
    return 0;
}

static void snapshot(void **state)
{
    sim_disk *disk = disk_new(1);
    sk_identity identity = golden_identity();
    sk_snapshot_info info = {.space = 1, .position = 0x1234, .epoch = 9};
    bool done = false;
    sk_snapshot_writer *writer = sk_snapshot_write(sim_disk_face(disk), &identity, &info, on_done, &done);
    sk_snapshot_writer_add(writer, sk_slice_text("first chunk"));
    sk_snapshot_writer_add(writer, sk_slice_text("2"));
    sk_snapshot_writer_finish(writer);
    while (sim_disk_step(disk)) continue;
    assert_true(done);
    same_as_golden(disk, "snap/00000001-0000000000001234.snap", "snapshot-1.bin");
    sim_disk_close(disk);

    disk = disk_new(1);
    put_golden(disk, "snap/00000001-0000000000001234.snap", "snapshot-1.bin", 0);
    assert_int_equal(sk_snapshot_find(sim_disk_face(disk), &identity, 1, &rig_sink, &info), 0);
    assert_true(info.position == 0x1234 && info.epoch == 9);
    sk_buffer chunks = {0};
    assert_int_equal(sk_snapshot_read(sim_disk_face(disk), &identity, &info, on_chunk, &chunks), 0);
    assert_true(sk_slice_equal(sk_buffer_slice(&chunks), sk_slice_text("first chunk|2|")));
    sk_buffer_deinit(&chunks);
    sim_disk_close(disk);
}

int main(int count, char **arguments)
{
    writing = count > 1 && strcmp(arguments[1], "write") == 0;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(identity_and_boot),
        cmocka_unit_test(log_segment),
        cmocka_unit_test(snapshot),
    };
    return cmocka_run_group_tests_name("golden", tests, NULL, NULL);
}
