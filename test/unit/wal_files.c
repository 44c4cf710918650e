// The log, a snapshot and the identity on real files: what the simulated disk lets through, a file system lets through too.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/error.h"
#include "host/disk.h"
#include "store/snapshot.h"
#include "store/wal.h"

typedef struct files {
    char path[64];
    uv_loop_t loop;
    sk_host_disk *host;
    sk_disk *disk;
    sk_identity identity;
    sk_wal *wal;
    sk_wal_owner owner;
    sk_wal_found found;
    uint64_t durable;
    uint64_t replayed;
    bool snapshot_done;
} files;

static void on_durable(sk_wal_owner *owner, uint64_t sequence)
{
    SK_CONTAINER(owner, files, owner)->durable = sequence;
}

static void on_failed(sk_wal_owner *owner, int error)
{
    fail();
}

static void on_line(sk_log_sink *sink, enum sk_log_level level, const char *line) {}

static sk_log_sink sink = {.write = on_line, .level = SK_LOG_WARN};

static void on_replay(void *context, uint32_t space, const sk_record *record)
{
    files *files = context;
    if (record->kind != SK_RECORD_ENTRY) return;
    assert_true(files->replayed == 0 || record->position == files->replayed + 1);
    assert_int_equal(record->payload.size, 100 + record->position % 50);
    files->replayed = record->position;
}

static void up(files *files)
{
    char problem[256];
    assert_int_equal(uv_loop_init(&files->loop), 0);
    assert_int_equal(sk_host_disk_open(&files->host, &files->loop, files->path, problem, sizeof problem), 0);
    files->disk = sk_host_disk_face(files->host);
    int error = sk_identity_load(files->disk, &files->identity);
    if (error) {
        assert_int_equal(error, SK_ENOENT);
        files->identity = (sk_identity){.node = 1};
        assert_int_equal(sk_identity_found(files->disk, &files->identity), 0);
    }
    assert_int_equal(sk_identity_boot(files->disk, &files->identity, 0, 0), 0);
    files->owner = (sk_wal_owner){.durable = on_durable, .failed = on_failed};
    sk_wal_config config = {.segment_size = 64 << 10, .size_max = 1 << 20};
    files->durable = files->replayed = 0;
    assert_int_equal(sk_wal_open(&files->wal, files->disk, &files->identity, &config, &files->owner, &sink,
                                 on_replay, files, &files->found),
                     0);
}

static void down(files *files)
{
    while (sk_host_disk_under_way(files->host) > 0) uv_run(&files->loop, UV_RUN_ONCE);
    sk_wal_close(files->wal);
    sk_host_disk_close(files->host);
    uv_run(&files->loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&files->loop), 0);
}

static void append(files *files, uint64_t from, uint64_t to)
{
    static uint8_t bytes[200];
    uint64_t sequence = 0;
    for (uint64_t position = from; position <= to; position++) {
        sk_record record = {.kind = SK_RECORD_ENTRY, .number = position, .position = position};
        record.payload = sk_slice_make(bytes, 100 + position % 50);
        sequence = sk_wal_append(files->wal, 1, &record);
        if (position % 17 == 0) sk_wal_flush(files->wal);
        if (position % 40 == 0) uv_run(&files->loop, UV_RUN_NOWAIT);
    }
    sk_wal_flush(files->wal);
    while (files->durable < sequence) uv_run(&files->loop, UV_RUN_ONCE);
}

static void on_snapshot(void *context, int error, const sk_snapshot_info *info)
{
    assert_int_equal(error, 0);
    ((files *)context)->snapshot_done = true;
}

static void take_snapshot(files *files, uint64_t position)
{
    sk_snapshot_info info = {.space = 1, .position = position};
    sk_snapshot_writer *writer = sk_snapshot_write(files->disk, &files->identity, &info, on_snapshot, files);
    static uint8_t bytes[100000];
    for (int i = 0; i < 5; i++) sk_snapshot_writer_add(writer, sk_slice_make(bytes, sizeof bytes));
    sk_snapshot_writer_finish(writer);
    files->snapshot_done = false;
    while (!files->snapshot_done) uv_run(&files->loop, UV_RUN_ONCE);
}

static void a_node_lives_three_times(void **state)
{
    files files = {.path = "/tmp/skein-files-XXXXXX"};
    assert_non_null(mkdtemp(files.path));
    up(&files);
    assert_int_equal(files.identity.boot, 1);
    append(&files, 1, 3000);
    assert_true(sk_wal_stats_of(files.wal).segments > 4);
    assert_true(sk_wal_stats_of(files.wal).sync_last > 0);
    down(&files);

    up(&files);
    assert_int_equal(files.identity.boot, 2);
    assert_int_equal(files.replayed, 3000);
    assert_false(files.found.damaged);
    append(&files, 3001, 3500);
    take_snapshot(&files, 3400);
    sk_wal_release(files.wal, 1, 3400);
    append(&files, 3501, 3502);
    while (sk_wal_busy(files.wal)) uv_run(&files.loop, UV_RUN_ONCE);
    assert_true(sk_wal_stats_of(files.wal).segments <= 2);
    down(&files);

    char path[128];
    (void)snprintf(path, sizeof path, "%s/boot", files.path);
    assert_int_equal(unlink(path), 0);
    up(&files);
    assert_int_equal(files.found.boot_max, 2); // the log has seen it
    assert_int_equal(files.replayed, 3502);
    sk_snapshot_info info;
    assert_int_equal(sk_snapshot_find(files.disk, &files.identity, 1, &sink, &info), 0);
    assert_int_equal(info.position, 3400);
    down(&files);
    char command[128];
    (void)snprintf(command, sizeof command, "rm -r %s", files.path);
    assert_int_equal(system(command), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(a_node_lives_three_times)};
    return cmocka_run_group_tests_name("wal_files", tests, NULL, NULL);
}
