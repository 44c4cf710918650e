// One suite, two disks: what disk.h promises holds for real files and for the simulated ones. Then what only one of them can show.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <signal.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/error.h"
#include "host/disk.h"
#include "sim/disk.h"

// ---- The two disks ----

typedef struct bench {
    sk_disk *disk;
    sim_disk *sim;
    uv_loop_t loop;
    sk_host_disk *host;
    char path[64];
    char problem[256];
    int completed;
    int before_calls;
} bench;

static void on_before(void *context)
{
    ((bench *)context)->before_calls++;
}

static void sim_up(bench *bench)
{
    sk_prng prng;
    sk_prng_init(&prng, 42);
    memset(bench, 0, sizeof *bench);
    bench->sim = sim_disk_open(prng, NULL);
    bench->disk = sim_disk_face(bench->sim);
}

static void host_up(bench *bench)
{
    memset(bench, 0, sizeof *bench);
    (void)snprintf(bench->path, sizeof bench->path, "/tmp/skein-disk-XXXXXX");
    assert_non_null(mkdtemp(bench->path));
    assert_int_equal(uv_loop_init(&bench->loop), 0);
    assert_int_equal(
        sk_host_disk_open(&bench->host, &bench->loop, bench->path, bench->problem, sizeof bench->problem), 0);
    sk_host_disk_before(bench->host, on_before, bench);
    bench->disk = sk_host_disk_face(bench->host);
}

static void remove_below(const char *path, const char *folder)
{
    char command[128];
    (void)snprintf(command, sizeof command, "%s/%s", path, folder);
    sk_host_disk *disk;
    char problem[64];
    sk_buffer names = {0};
    if (sk_host_disk_open(&disk, NULL, command, problem, sizeof problem)) return;
    sk_disk_request list = {.op = SK_DISK_LIST, .listing = &names};
    sk_disk_run(sk_host_disk_face(disk), &list);
    for (size_t at = 0; at < names.size;) {
        const char *name = (const char *)names.data + at;
        at += strlen(name) + 1;
        char whole[256];
        (void)snprintf(whole, sizeof whole, "%s/%s", command, name);
        (void)unlink(whole);
    }
    sk_buffer_deinit(&names);
    sk_host_disk_close(disk);
    (void)rmdir(command);
}

static void down(bench *bench)
{
    if (bench->sim) {
        sim_disk_close(bench->sim);
        return;
    }
    sk_host_disk_close(bench->host);
    uv_run(&bench->loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&bench->loop), 0);
    if (access(bench->path, F_OK) == 0) {
        static const char *const folders[] = {"sub", "snap"};
        for (int i = 0; i < 2; i++) {
            char folder[128];
            (void)snprintf(folder, sizeof folder, "%s/%s", bench->path, folders[i]);
            if (access(folder, F_OK) == 0) remove_below(bench->path, folders[i]);
        }
        remove_below(bench->path, ".");
        (void)rmdir(bench->path);
    }
}

// Until nothing is under way.
static void pump(bench *bench)
{
    if (bench->sim)
        while (sim_disk_step(bench->sim)) continue;
    else
        while (sk_host_disk_under_way(bench->host) > 0) uv_run(&bench->loop, UV_RUN_ONCE);
}

static int64_t run(bench *bench, sk_disk_request request)
{
    return sk_disk_run(bench->disk, &request);
}

static int create(bench *bench, const char *name, uint64_t size)
{
    sk_disk_request request = {.op = SK_DISK_CREATE, .size = size};
    (void)snprintf(request.name, sizeof request.name, "%s", name);
    assert_int_equal(sk_disk_run(bench->disk, &request), 0);
    assert_true(request.file != 0);
    return request.file;
}

static int64_t open_named(bench *bench, const char *name, int *file, uint64_t *size)
{
    sk_disk_request request = {.op = SK_DISK_OPEN};
    (void)snprintf(request.name, sizeof request.name, "%s", name);
    int64_t result = sk_disk_run(bench->disk, &request);
    *file = request.file;
    *size = request.size;
    return result;
}

static int64_t write_text(bench *bench, int file, uint64_t offset, const char *text, bool sync)
{
    return run(
        bench,
        (sk_disk_request){
            .op = SK_DISK_WRITE, .file = file, .offset = offset, .bytes = sk_slice_text(text), .sync = sync});
}

static int64_t read_into(bench *bench, int file, uint64_t offset, void *into, size_t size)
{
    return run(bench,
               (sk_disk_request){
                   .op = SK_DISK_READ, .file = file, .offset = offset, .into = into, .into_size = size});
}

// ---- The suite ----

static void files(bench *bench)
{
    char bytes[64];
    int file = create(bench, "a", 10);
    assert_int_equal(read_into(bench, file, 0, bytes, sizeof bytes), 10);
    for (int i = 0; i < 10; i++) assert_int_equal(bytes[i], 0);
    assert_int_equal(write_text(bench, file, 3, "hello", false), 0);
    assert_int_equal(write_text(bench, file, 20, "beyond", true), 0); // grows, the gap reads as zeros
    assert_int_equal(read_into(bench, file, 0, bytes, sizeof bytes), 26);
    assert_memory_equal(bytes + 3, "hello", 5);
    assert_int_equal(bytes[12], 0);
    assert_memory_equal(bytes + 20, "beyond", 6);
    assert_int_equal(read_into(bench, file, 24, bytes, sizeof bytes), 2); // fewer only at the end
    assert_int_equal(read_into(bench, file, 26, bytes, sizeof bytes), 0);
    assert_int_equal(read_into(bench, file, 1000, bytes, sizeof bytes), 0);
    assert_int_equal(run(bench, (sk_disk_request){.op = SK_DISK_SYNC, .file = file}), 0);
    assert_int_equal(run(bench, (sk_disk_request){.op = SK_DISK_TRUNCATE, .file = file, .size = 5}), 0);
    assert_int_equal(run(bench, (sk_disk_request){.op = SK_DISK_TRUNCATE, .file = file, .size = 9}), 0);
    assert_int_equal(read_into(bench, file, 0, bytes, sizeof bytes), 9);
    assert_memory_equal(bytes, "\0\0\0he\0\0\0\0", 9);
    assert_int_equal(run(bench, (sk_disk_request){.op = SK_DISK_CLOSE, .file = file}), 0);
    int again;
    uint64_t size;
    assert_int_equal(open_named(bench, "a", &again, &size), 0);
    assert_true(size == 9);
    assert_int_equal(run(bench, (sk_disk_request){.op = SK_DISK_CLOSE, .file = again}), 0);
}

static void a_closed_handle_is_refused(bench *bench)
{
    char byte;
    int file = create(bench, "a", 1);
    run(bench, (sk_disk_request){.op = SK_DISK_CLOSE, .file = file});
    assert_int_equal(read_into(bench, file, 0, &byte, 1), SK_EINVAL);
    assert_int_equal(write_text(bench, file, 0, "x", true), SK_EINVAL);
    assert_int_equal(run(bench, (sk_disk_request){.op = SK_DISK_SYNC, .file = file}), SK_EINVAL);
    assert_int_equal(read_into(bench, 0, 0, &byte, 1), SK_EINVAL); // 0 is no handle
}

static void names(bench *bench)
{
    int file, other;
    uint64_t size;
    char bytes[8];
    assert_int_equal(open_named(bench, "none", &file, &size), SK_ENOENT);
    assert_int_equal(run(bench, (sk_disk_request){.op = SK_DISK_UNLINK, .name = "none"}), SK_ENOENT);
    assert_int_equal(run(bench, (sk_disk_request){.op = SK_DISK_RENAME, .name = "none", .name_new = "x"}),
                     SK_ENOENT);
    sk_disk_request homeless = {.op = SK_DISK_CREATE, .name = "sub/a"};
    assert_int_equal(sk_disk_run(bench->disk, &homeless), SK_ENOENT);
    assert_int_equal(run(bench, (sk_disk_request){.op = SK_DISK_SYNC_FOLDER, .name = "sub"}), SK_ENOENT);
    assert_int_equal(run(bench, (sk_disk_request){.op = SK_DISK_MAKE_FOLDER, .name = "sub"}), 0);
    assert_int_equal(run(bench, (sk_disk_request){.op = SK_DISK_MAKE_FOLDER, .name = "sub"}), 0);
    file = create(bench, "sub/a", 0);
    write_text(bench, file, 0, "first", true);
    // Created again: a new file; whoever has the old one open keeps it.
    other = create(bench, "sub/a", 3);
    assert_int_equal(read_into(bench, other, 0, bytes, sizeof bytes), 3);
    assert_int_equal(read_into(bench, file, 0, bytes, sizeof bytes), 5);
    write_text(bench, other, 0, "two", true);
    run(bench, (sk_disk_request){.op = SK_DISK_CLOSE, .file = other});
    assert_int_equal(run(bench, (sk_disk_request){.op = SK_DISK_RENAME, .name = "sub/a", .name_new = "b"}),
                     0);
    assert_int_equal(open_named(bench, "sub/a", &other, &size), SK_ENOENT);
    assert_int_equal(open_named(bench, "b", &other, &size), 0);
    // Unlinked and still open: readable.
    assert_int_equal(run(bench, (sk_disk_request){.op = SK_DISK_UNLINK, .name = "b"}), 0);
    assert_int_equal(read_into(bench, other, 0, bytes, sizeof bytes), 3);
    assert_memory_equal(bytes, "two", 3);
    // A rename replaces.
    create(bench, "c", 1);
    create(bench, "d", 2);
    assert_int_equal(run(bench, (sk_disk_request){.op = SK_DISK_RENAME, .name = "c", .name_new = "d"}), 0);
    assert_int_equal(open_named(bench, "d", &other, &size), 0);
    assert_true(size == 1);
    assert_int_equal(run(bench, (sk_disk_request){.op = SK_DISK_SYNC_FOLDER, .name = "sub"}), 0);
    assert_int_equal(run(bench, (sk_disk_request){.op = SK_DISK_SYNC_FOLDER}), 0);
}

static bool listed(const sk_buffer *listing, const char *name)
{
    for (size_t at = 0; at < listing->size; at += strlen((const char *)listing->data + at) + 1)
        if (strcmp((const char *)listing->data + at, name) == 0) return true;
    return false;
}

static void listing(bench *bench)
{
    sk_buffer list = {0};
    assert_int_equal(run(bench, (sk_disk_request){.op = SK_DISK_LIST, .name = "sub", .listing = &list}),
                     SK_ENOENT);
    run(bench, (sk_disk_request){.op = SK_DISK_MAKE_FOLDER, .name = "sub"});
    assert_int_equal(run(bench, (sk_disk_request){.op = SK_DISK_LIST, .name = "sub", .listing = &list}), 0);
    assert_int_equal(list.size, 0);
    create(bench, "top", 0);
    create(bench, "sub/one", 0);
    create(bench, "sub/two", 0);
    assert_int_equal(run(bench, (sk_disk_request){.op = SK_DISK_LIST, .name = "sub", .listing = &list}), 0);
    assert_int_equal(list.size, 8);
    assert_true(listed(&list, "one") && listed(&list, "two"));
    sk_buffer_clear(&list);
    assert_int_equal(run(bench, (sk_disk_request){.op = SK_DISK_LIST, .listing = &list}), 0);
    assert_true(listed(&list, "top"));
    assert_false(listed(&list, "sub") || listed(&list, "one")); // no folders, nothing from below
    sk_buffer_deinit(&list);
}

enum { QUEUED = 200 };

typedef struct queued {
    sk_disk_request request;
    bench *bench;
    int index;
    int *last;
    uint8_t byte;
} queued;

static void on_queued(sk_disk_request *request)
{
    queued *queued = request->owner;
    assert_true(queued->index == *queued->last + 1); // in order
    *queued->last = queued->index;
    queued->bench->completed++;
    assert_true(request->result >= 0);
    assert_true(request->took > 0);
    // A read behind a write sees it.
    if (request->op == SK_DISK_READ) assert_int_equal(queued->byte, queued->index - 1);
}

static void one_file_in_order(bench *bench)
{
    int file = create(bench, "a", 0), last = -1;
    static queued list[QUEUED];
    static uint8_t byte[QUEUED];
    for (int i = 0; i < QUEUED; i++) {
        list[i] = (queued){.bench = bench, .index = i, .last = &last};
        byte[i] = (uint8_t)i;
        if (i % 2 == 0)
            list[i].request = (sk_disk_request){
                .op = SK_DISK_WRITE, .file = file, .bytes = sk_slice_make(&byte[i], 1), .sync = i % 8 == 0};
        else
            list[i].request =
                (sk_disk_request){.op = SK_DISK_READ, .file = file, .into = &list[i].byte, .into_size = 1};
        list[i].request.done = on_queued;
        list[i].request.owner = &list[i];
        sk_disk_submit(bench->disk, &list[i].request);
        assert_int_equal(bench->completed, 0); // never from inside submit
    }
    pump(bench);
    assert_int_equal(bench->completed, QUEUED);
    if (bench->host) assert_true(bench->before_calls > 0 && bench->before_calls <= QUEUED);
}

// Two files, one of them a snapshot: each in order, whatever the other does.
static void files_side_by_side(bench *bench)
{
    run(bench, (sk_disk_request){.op = SK_DISK_MAKE_FOLDER, .name = "snap"});
    int file[2] = {create(bench, "a", 0), create(bench, "snap/a", 0)}, last[2] = {-1, -1};
    static queued list[2][QUEUED];
    static uint8_t byte[QUEUED];
    for (int i = 0; i < QUEUED; i++) byte[i] = (uint8_t)i;
    for (int i = 0; i < QUEUED; i++) {
        for (int f = 0; f < 2; f++) {
            list[f][i] = (queued){.bench = bench, .index = i, .last = &last[f]};
            sk_disk_request *request = &list[f][i].request;
            if (i % 2 == 0)
                *request = (sk_disk_request){
                    .op = SK_DISK_WRITE, .bytes = sk_slice_make(&byte[i], 1), .sync = f == 1};
            else
                *request = (sk_disk_request){.op = SK_DISK_READ, .into = &list[f][i].byte, .into_size = 1};
            request->file = file[f];
            request->done = on_queued;
            request->owner = &list[f][i];
            sk_disk_submit(bench->disk, request);
        }
    }
    pump(bench);
    assert_int_equal(bench->completed, 2 * QUEUED);
    assert_int_equal(run(bench, (sk_disk_request){.op = SK_DISK_UNLINK, .name = "snap/a"}), 0);
}

static void on_chained(sk_disk_request *request)
{
    bench *bench = request->owner;
    assert_int_equal(request->result, 0);
    if (++bench->completed < 20) sk_disk_submit(bench->disk, request); // `done` may submit again
}

static void counted_and_chained(bench *bench)
{
    int file = create(bench, "a", 0);
    uint64_t bytes = bench->disk->bytes_written, syncs = bench->disk->syncs;
    sk_disk_request request = {.op = SK_DISK_WRITE,
                               .file = file,
                               .bytes = sk_slice_text("0123456789"),
                               .sync = true,
                               .done = on_chained,
                               .owner = bench};
    sk_disk_submit(bench->disk, &request);
    pump(bench);
    assert_int_equal(bench->completed, 20);
    assert_true(bench->disk->bytes_written == bytes + 200);
    assert_true(bench->disk->syncs == syncs + 20);
    run(bench, (sk_disk_request){.op = SK_DISK_SYNC_FOLDER});
    assert_true(bench->disk->syncs == syncs + 21);
}

static void large(bench *bench)
{
    enum { SIZE = 3 << 20 };
    uint8_t *bytes = malloc(SIZE), *back = malloc(SIZE);
    for (size_t i = 0; i < SIZE; i++) bytes[i] = (uint8_t)(i * 7 + i / 4096);
    int file = create(bench, "big", 8 << 20);
    sk_disk_request request = {.op = SK_DISK_WRITE,
                               .file = file,
                               .offset = 12345,
                               .bytes = sk_slice_make(bytes, SIZE),
                               .sync = true};
    assert_int_equal(sk_disk_run(bench->disk, &request), 0);
    assert_int_equal(read_into(bench, file, 12345, back, SIZE), SIZE);
    assert_memory_equal(bytes, back, SIZE);
    free(bytes);
    free(back);
}

// ---- Only real files ----

static void private_modes(void **state)
{
    bench bench;
    host_up(&bench);
    char path[128];
    struct stat status;
    run(&bench, (sk_disk_request){.op = SK_DISK_MAKE_FOLDER, .name = "sub"});
    create(&bench, "sub/a", 4096);
    (void)snprintf(path, sizeof path, "%s/sub", bench.path);
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_mode & 0777, 0700);
    (void)snprintf(path, sizeof path, "%s/sub/a", bench.path);
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_mode & 0777, 0600);
    assert_true(status.st_blocks * 512 >= 4096); // allocated, not sparse
    down(&bench);
}

// A second process is told plainly; when the first dies, however, the next gets in, whatever pid file lies about.
static void D24_two_processes_on_one_directory(void **state)
{
    bench bench;
    host_up(&bench);
    int status;
    pid_t child = fork();
    if (child == 0) {
        sk_host_disk *disk;
        char problem[256] = "";
        int error = sk_host_disk_open(&disk, NULL, bench.path, problem, sizeof problem);
        _exit(error == SK_ELOCKED && strstr(problem, "in use") && strstr(problem, bench.path) ? 0 : 1);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    sk_host_disk *second;
    char problem[256];
    assert_int_equal(sk_host_disk_open(&second, NULL, bench.path, problem, sizeof problem),
                     SK_ELOCKED); // nor we
    down(&bench);

    (void)snprintf(bench.path, sizeof bench.path, "/tmp/skein-disk-XXXXXX");
    assert_non_null(mkdtemp(bench.path));
    int ready[2];
    assert_int_equal(pipe(ready), 0);
    child = fork();
    if (child == 0) {
        sk_host_disk *disk;
        int error = sk_host_disk_open(&disk, NULL, bench.path, problem, sizeof problem);
        (void)!write(ready[1], error ? "n" : "y", 1);
        for (;;) pause();
    }
    char answer;
    assert_int_equal(read(ready[0], &answer, 1), 1);
    assert_int_equal(answer, 'y');
    assert_int_equal(sk_host_disk_open(&second, NULL, bench.path, problem, sizeof problem), SK_ELOCKED);
    char pid_file[128];
    (void)snprintf(pid_file, sizeof pid_file, "%s/pid", bench.path);
    FILE *file = fopen(pid_file, "w");
    assert_non_null(file);
    fprintf(file, "%d\n",
            (int)getpid()); // stale: it names a process that runs and is not a node of this directory
    fclose(file);
    assert_int_equal(kill(child, SIGKILL), 0);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(sk_host_disk_open(&second, NULL, bench.path, problem, sizeof problem), 0);
    sk_host_disk_close(second);
    close(ready[0]);
    close(ready[1]);
    remove_below(bench.path, ".");
    (void)rmdir(bench.path);
}

static void a_directory_that_cannot_be(void **state)
{
    sk_host_disk *disk;
    char problem[256] = "";
    int error = sk_host_disk_open(&disk, NULL, "/proc/none/skein", problem, sizeof problem);
    assert_int_equal(error, SK_ENOENT);
    assert_non_null(strstr(problem, "/proc/none/skein"));
    assert_int_equal(sk_host_disk_open(&disk, NULL, "/dev/null", problem, sizeof problem), SK_EIO);
}

// D11: a write over the process's file size limit is short, then fails: an error, not a success.
static void D11_a_short_write_is_an_error(void **state)
{
    bench bench;
    host_up(&bench);
    int status;
    pid_t child = fork();
    if (child == 0) {
        signal(SIGXFSZ, SIG_IGN);
        struct rlimit limit = {.rlim_cur = 10000, .rlim_max = 10000};
        setrlimit(RLIMIT_FSIZE, &limit);
        static uint8_t bytes[20000];
        sk_disk_request make = {.op = SK_DISK_CREATE, .name = "a"};
        if (sk_disk_run(bench.disk, &make)) _exit(2);
        sk_disk_request request = {.op = SK_DISK_WRITE,
                                   .file = make.file,
                                   .bytes = sk_slice_make(bytes, sizeof bytes),
                                   .sync = true};
        int64_t result = sk_disk_run(bench.disk, &request);
        sk_disk_request big = {.op = SK_DISK_CREATE, .name = "b", .size = 20000};
        int64_t created = sk_disk_run(bench.disk, &big);
        sk_disk_request open = {.op = SK_DISK_OPEN, .name = "b"};
        // A file that could not be allocated is not left behind.
        _exit(result < 0 && created == SK_ENOSPC && sk_disk_run(bench.disk, &open) == SK_ENOENT ? 0 : 1);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    down(&bench);
}

static void closing_with_work_under_way(void **state)
{
    bench bench;
    host_up(&bench);
    static sk_disk_request requests[50];
    int file = create(&bench, "a", 0);
    for (int i = 0; i < 50; i++) {
        requests[i] = (sk_disk_request){.op = SK_DISK_WRITE,
                                        .file = file,
                                        .offset = (uint64_t)i,
                                        .bytes = sk_slice_text("x"),
                                        .done = on_chained,
                                        .owner = &bench};
        sk_disk_submit(bench.disk, &requests[i]);
    }
    down(&bench); // done is not called
    assert_int_equal(bench.completed, 0);
}

// ---- Only the simulated disk ----

static sim_disk *sim_new(uint64_t seed)
{
    sk_prng prng;
    sk_prng_init(&prng, seed);
    return sim_disk_open(prng, NULL);
}

// Of 64 unsynced single-byte writes each crash keeps some subset; what was synced before always stays.
static void a_crash_keeps_a_subset(void **state)
{
    int kept_all = 0, kept_none = 0, mixed = 0;
    for (uint64_t seed = 0; seed < 200; seed++) {
        bench bench = {.sim = sim_new(seed)};
        bench.disk = sim_disk_face(bench.sim);
        int file = create(&bench, "a", 8);
        write_text(&bench, file, 0, "12345678", true);
        run(&bench, (sk_disk_request){.op = SK_DISK_SYNC_FOLDER});
        for (uint64_t i = 4; i < 8; i++) write_text(&bench, file, i, "x", false);
        sim_disk_crash(bench.sim);
        sk_slice bytes = sim_disk_file(bench.sim, "a");
        assert_int_equal(bytes.size, 8);
        assert_memory_equal(bytes.data, "1234", 4);
        int kept = 0;
        for (int i = 4; i < 8; i++) kept += bytes.data[i] == 'x';
        kept_all += kept == 4;
        kept_none += kept == 0;
        mixed += kept > 0 && kept < 4;
        sim_disk_close(bench.sim);
    }
    assert_true(kept_all > 0 && kept_none > 0 && mixed > 50);
}

static void a_crash_tears_a_write(void **state)
{
    int torn = 0;
    static uint8_t bytes[10000];
    memset(bytes, 'x', sizeof bytes);
    for (uint64_t seed = 0; seed < 100; seed++) {
        bench bench = {.sim = sim_new(seed)};
        bench.disk = sim_disk_face(bench.sim);
        int file = create(&bench, "a", 12000);
        run(&bench, (sk_disk_request){.op = SK_DISK_SYNC, .file = file});
        run(&bench, (sk_disk_request){.op = SK_DISK_SYNC_FOLDER});
        run(&bench, (sk_disk_request){.op = SK_DISK_WRITE,
                                      .file = file,
                                      .offset = 1000,
                                      .bytes = sk_slice_make(bytes, sizeof bytes)});
        sim_disk_crash(bench.sim);
        sk_slice left = sim_disk_file(bench.sim, "a");
        size_t kept = 0;
        for (size_t i = 0; i < left.size; i++) kept += left.data[i] == 'x';
        for (size_t i = 0; i < 1000; i++) assert_int_equal(left.data[i], 0); // never outside its range
        torn += kept > 0 && kept < sizeof bytes;
        sim_disk_close(bench.sim);
    }
    assert_true(torn > 10);
}

static void D02_names_need_their_folder_synced(void **state)
{
    int lost = 0, resurrected = 0, halfway = 0;
    for (uint64_t seed = 0; seed < 100; seed++) {
        bench bench = {.sim = sim_new(seed)};
        bench.disk = sim_disk_face(bench.sim);
        create(&bench, "synced", 0);
        create(&bench, "gone", 0);
        run(&bench, (sk_disk_request){.op = SK_DISK_SYNC_FOLDER});
        create(&bench, "fresh", 0);
        run(&bench, (sk_disk_request){.op = SK_DISK_UNLINK, .name = "gone"});
        run(&bench, (sk_disk_request){.op = SK_DISK_RENAME, .name = "synced", .name_new = "renamed"});
        sim_disk_crash(bench.sim);
        lost += !sim_disk_file(bench.sim, "fresh").data;
        resurrected += sim_disk_file(bench.sim, "gone").data != NULL;
        bool old = sim_disk_file(bench.sim, "synced").data, new = sim_disk_file(bench.sim, "renamed").data;
        halfway += old == new; // both or neither
        sim_disk_close(bench.sim);
    }
    assert_true(lost > 20 && lost < 80 && resurrected > 20 && resurrected < 80);
    assert_int_equal(halfway, 0);
}

static void D01_after_a_failed_sync_nothing_is_saved(void **state)
{
    int lost = 0;
    for (uint64_t seed = 0; seed < 50; seed++) {
        bench bench = {.sim = sim_new(seed)};
        bench.disk = sim_disk_face(bench.sim);
        int file = create(&bench, "a", 1);
        run(&bench, (sk_disk_request){.op = SK_DISK_SYNC, .file = file});
        run(&bench, (sk_disk_request){.op = SK_DISK_SYNC_FOLDER});
        sim_disk_rule(bench.sim, SIM_DISK_FAIL, 1u << SK_DISK_SYNC, 1, 1, SK_EIO);
        assert_int_equal(write_text(&bench, file, 0, "x", true), SK_EIO);
        assert_int_equal(run(&bench, (sk_disk_request){.op = SK_DISK_SYNC, .file = file}), 0); // "succeeds"
        sim_disk_crash(bench.sim);
        lost += sim_disk_file(bench.sim, "a").data[0] != 'x';
        assert_int_equal(sim_disk_counts_of(bench.sim).syncs_failed, 1);
        sim_disk_close(bench.sim);
    }
    assert_true(lost > 5);
}

static void faults_fire_and_are_counted(void **state)
{
    bench bench = {.sim = sim_new(7)};
    bench.disk = sim_disk_face(bench.sim);
    int file = create(&bench, "a", 4096);
    sim_disk_rule(bench.sim, SIM_DISK_FAIL, 1u << SK_DISK_WRITE, 3, 2, SK_ENOSPC);
    int64_t want[] = {0, 0, SK_ENOSPC, SK_ENOSPC, 0};
    for (int i = 0; i < 5; i++) assert_int_equal(write_text(&bench, file, 0, "x", false), want[i]);
    sim_disk_rules_clear(bench.sim);
    sim_disk_rule(bench.sim, SIM_DISK_DROP, 1u << SK_DISK_WRITE, 1, 1, 0);
    assert_int_equal(write_text(&bench, file, 100, "dropped", true), 0);
    assert_int_equal(sim_disk_file(bench.sim, "a").data[100], 0);
    sim_disk_rule(bench.sim, SIM_DISK_MISDIRECT, 1u << SK_DISK_WRITE, 1, 1, 0);
    assert_int_equal(write_text(&bench, file, 200, "y", true), 0);
    assert_true(memchr(sim_disk_file(bench.sim, "a").data, 'y', 4096) != NULL);
    sim_disk_knobs(bench.sim)->capacity = 5000;
    sk_disk_request request = {.op = SK_DISK_CREATE, .name = "b", .size = 1000};
    assert_int_equal(sk_disk_run(bench.disk, &request), SK_ENOSPC);
    sim_disk_knobs(bench.sim)->read_error_ppm = 1000000;
    char byte;
    assert_int_equal(read_into(&bench, file, 0, &byte, 1), SK_EIO);
    char what[100];
    assert_true(sim_disk_corrupt(bench.sim, "a", what, sizeof what));
    sim_disk_counts counts = sim_disk_counts_of(bench.sim);
    assert_int_equal(counts.errors, 3);
    assert_int_equal(counts.writes_dropped, 1);
    assert_int_equal(counts.writes_misdirected, 1);
    assert_int_equal(counts.no_space, 1);
    assert_int_equal(counts.flips + counts.sectors_zeroed + counts.sectors_garbled, 1);
    sim_disk_close(bench.sim);
}

static void stalls_and_time(void **state)
{
    bench bench = {.sim = sim_new(8)};
    bench.disk = sim_disk_face(bench.sim);
    int file = create(&bench, "a", 0);
    bench.completed = 19; // once
    sk_disk_request request = {
        .op = SK_DISK_WRITE, .file = file, .bytes = sk_slice_text("x"), .done = on_chained, .owner = &bench};
    assert_true(sim_disk_next(bench.sim) == SK_NEVER);
    sim_disk_time(bench.sim, 5 * SK_MS);
    sk_disk_submit(bench.disk, &request);
    assert_true(sim_disk_next(bench.sim) >= 5 * SK_MS && sim_disk_next(bench.sim) < 6 * SK_MS);
    sim_disk_stall(bench.sim, 30 * SK_S);
    sim_disk_run_until(bench.sim, 29 * SK_S);
    assert_int_equal(bench.completed, 19);
    assert_true(sim_disk_next(bench.sim) == 30 * SK_S);
    sim_disk_run_until(bench.sim, 30 * SK_S);
    assert_int_equal(bench.completed, 20);
    assert_true(request.took == 30 * SK_S - 5 * SK_MS);
    sim_disk_close(bench.sim);
}

static void same_seed_same_disk(void **state)
{
    uint64_t prints[2];
    for (int turn = 0; turn < 2; turn++) {
        bench bench = {.sim = sim_new(99)};
        bench.disk = sim_disk_face(bench.sim);
        for (int i = 0; i < 20; i++) {
            char name[8];
            (void)snprintf(name, sizeof name, "f%d", i);
            int file = create(&bench, name, (uint64_t)i * 100);
            write_text(&bench, file, 0, "some bytes", i % 3 == 0);
            if (i % 5 == 0) run(&bench, (sk_disk_request){.op = SK_DISK_SYNC_FOLDER});
        }
        sim_disk_crash(bench.sim);
        prints[turn] = sim_disk_fingerprint(bench.sim);
        sim_disk_close(bench.sim);
    }
    assert_true(prints[0] == prints[1]);
}

#define BOTH(check)                                                                                          \
    static void check##_simulated(void **state)                                                              \
    {                                                                                                        \
        bench bench;                                                                                         \
        sim_up(&bench);                                                                                      \
        check(&bench);                                                                                       \
        down(&bench);                                                                                        \
    }                                                                                                        \
    static void check##_real(void **state)                                                                   \
    {                                                                                                        \
        bench bench;                                                                                         \
        host_up(&bench);                                                                                     \
        check(&bench);                                                                                       \
        down(&bench);                                                                                        \
    }

BOTH(files)
BOTH(a_closed_handle_is_refused)
BOTH(names)
BOTH(listing)
BOTH(one_file_in_order)
BOTH(files_side_by_side)
BOTH(counted_and_chained)
BOTH(large)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(files_simulated),
        cmocka_unit_test(files_real),
        cmocka_unit_test(a_closed_handle_is_refused_simulated),
        cmocka_unit_test(a_closed_handle_is_refused_real),
        cmocka_unit_test(names_simulated),
        cmocka_unit_test(names_real),
        cmocka_unit_test(listing_simulated),
        cmocka_unit_test(listing_real),
        cmocka_unit_test(one_file_in_order_simulated),
        cmocka_unit_test(one_file_in_order_real),
        cmocka_unit_test(files_side_by_side_simulated),
        cmocka_unit_test(files_side_by_side_real),
        cmocka_unit_test(counted_and_chained_simulated),
        cmocka_unit_test(counted_and_chained_real),
        cmocka_unit_test(large_simulated),
        cmocka_unit_test(large_real),
        cmocka_unit_test(private_modes),
        cmocka_unit_test(D24_two_processes_on_one_directory),
        cmocka_unit_test(a_directory_that_cannot_be),
        cmocka_unit_test(D11_a_short_write_is_an_error),
        cmocka_unit_test(closing_with_work_under_way),
        cmocka_unit_test(a_crash_keeps_a_subset),
        cmocka_unit_test(a_crash_tears_a_write),
        cmocka_unit_test(D02_names_need_their_folder_synced),
        cmocka_unit_test(D01_after_a_failed_sync_nothing_is_saved),
        cmocka_unit_test(faults_fire_and_are_counted),
        cmocka_unit_test(stalls_and_time),
        cmocka_unit_test(same_seed_same_disk),
    };
    return cmocka_run_group_tests_name("disk", tests, NULL, NULL);
}
