// Handing requests to the threads and their completions back, and the directory's lock.
#include "host/disk.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/alloc.h"
#include "base/assert.h"
#include "base/error.h"
#include "host/disk_files.h"

enum { LOG_LANE, SNAPSHOT_LANE, LANES, STACK_SIZE = 256 << 10 };

typedef struct lane {
    sk_host_disk *disk;
    pthread_t thread;
    pthread_cond_t wake;
    sk_list submitted;
    bool started;
} lane;

// Invariants: a request is on a lane's `submitted`, or in its thread's hands, or on `completed`, or not ours; these lists and
// `stopping` are touched only under the lock; everything else belongs to the loop's thread.
struct sk_host_disk {
    sk_disk face;
    int directory;
    int lock_file;
    uv_loop_t *loop;
    uv_async_t async;
    pthread_mutex_t lock;
    lane lanes[LANES];
    sk_list completed;
    bool stopping;
    size_t under_way;
    sk_buffer lane_of; // by handle, one byte each
    void (*before)(void *context);
    void *before_context;
};

static sk_host_disk *disk_of(sk_disk *face)
{
    return SK_CONTAINER(face, sk_host_disk, face);
}

// ---- Loop's side ----

static void count(sk_host_disk *disk, const sk_disk_request *request)
{
    if (request->op == SK_DISK_WRITE && request->result >= 0) disk->face.bytes_written += request->bytes.size;
    if (request->op == SK_DISK_SYNC || request->op == SK_DISK_SYNC_FOLDER ||
        (request->op == SK_DISK_WRITE && request->sync))
        disk->face.syncs++;
}

// ---- Lanes ----

static bool of_snapshots(const char *name)
{
    return strncmp(name, "snap", 4) == 0 && (name[4] == '/' || name[4] == '\0');
}

static uint8_t lane_for(const sk_host_disk *disk, const sk_disk_request *request)
{
    switch (request->op) {
    case SK_DISK_CLOSE:
    case SK_DISK_WRITE:
    case SK_DISK_READ:
    case SK_DISK_SYNC:
    case SK_DISK_TRUNCATE: {
        size_t handle = (size_t)request->file;
        return request->file > 0 && handle < disk->lane_of.size ? disk->lane_of.data[handle] : LOG_LANE;
    }
    default:
        return of_snapshots(request->name) ? SNAPSHOT_LANE : LOG_LANE;
    }
}

// A handle is known to the caller only once this has noted its lane.
static void note_handle(sk_host_disk *disk, const sk_disk_request *request)
{
    if (request->result < 0 || (request->op != SK_DISK_CREATE && request->op != SK_DISK_OPEN)) return;
    size_t handle = (size_t)request->file;
    while (disk->lane_of.size <= handle) sk_buffer_append_byte(&disk->lane_of, LOG_LANE);
    disk->lane_of.data[handle] = of_snapshots(request->name) ? SNAPSHOT_LANE : LOG_LANE;
}

static void submit(sk_disk *face, sk_disk_request *request)
{
    sk_host_disk *disk = disk_of(face);
    SK_ASSERT(disk->loop != NULL && request->done != NULL);
    request->took = uv_hrtime(); // until it is done: when it came
    if (disk->under_way++ == 0) uv_ref((uv_handle_t *)&disk->async);
    lane *lane = &disk->lanes[lane_for(disk, request)];
    pthread_mutex_lock(&disk->lock);
    sk_list_push_back(&lane->submitted, &request->link);
    pthread_cond_signal(&lane->wake);
    pthread_mutex_unlock(&disk->lock);
}

static int64_t run(sk_disk *face, sk_disk_request *request)
{
    sk_host_disk *disk = disk_of(face);
    SK_ASSERT(disk->under_way == 0);
    sk_ns begin = uv_hrtime();
    request->result = sk_host_disk_execute(disk->directory, request);
    request->took = uv_hrtime() - begin;
    count(disk, request);
    note_handle(disk, request);
    return request->result;
}

static const sk_disk_ops face_ops = {.submit = submit, .run = run};

static void take_all(sk_list *from, sk_list *to)
{
    sk_list_init(to);
    while (!sk_list_empty(from)) {
        sk_list *node = from->next;
        sk_list_remove(node);
        sk_list_push_back(to, node);
    }
}

static void deliver(uv_async_t *async)
{
    sk_host_disk *disk = async->data;
    sk_list list;
    pthread_mutex_lock(&disk->lock);
    take_all(&disk->completed, &list);
    pthread_mutex_unlock(&disk->lock);
    if (!sk_list_empty(&list) && disk->before) disk->before(disk->before_context);
    while (!sk_list_empty(&list)) {
        sk_disk_request *request = SK_CONTAINER(list.next, sk_disk_request, link);
        sk_list_remove(&request->link);
        count(disk, request);
        note_handle(disk, request);
        SK_ASSERT(disk->under_way > 0);
        if (--disk->under_way == 0) uv_unref((uv_handle_t *)&disk->async);
        request->done(request);
    }
}

// ---- Threads' side ----

static void *work(void *argument)
{
    lane *lane = argument;
    sk_host_disk *disk = lane->disk;
    pthread_mutex_lock(&disk->lock);
    for (;;) {
        while (sk_list_empty(&lane->submitted) && !disk->stopping)
            pthread_cond_wait(&lane->wake, &disk->lock);
        if (sk_list_empty(&lane->submitted)) break;
        sk_disk_request *request = SK_CONTAINER(lane->submitted.next, sk_disk_request, link);
        sk_list_remove(&request->link);
        pthread_mutex_unlock(&disk->lock);
        request->result = sk_host_disk_execute(disk->directory, request);
        request->took = uv_hrtime() - request->took;
        pthread_mutex_lock(&disk->lock);
        bool first = sk_list_empty(&disk->completed);
        sk_list_push_back(&disk->completed, &request->link);
        if (first) uv_async_send(&disk->async);
    }
    pthread_mutex_unlock(&disk->lock);
    return NULL;
}

static void stop_threads(sk_host_disk *disk)
{
    pthread_mutex_lock(&disk->lock);
    disk->stopping = true;
    for (int i = 0; i < LANES; i++) pthread_cond_signal(&disk->lanes[i].wake);
    pthread_mutex_unlock(&disk->lock);
    for (int i = 0; i < LANES; i++) {
        if (disk->lanes[i].started) pthread_join(disk->lanes[i].thread, NULL);
        pthread_cond_destroy(&disk->lanes[i].wake);
    }
    pthread_mutex_destroy(&disk->lock);
}

// Signals are the loop's: the threads take none.
static int start_threads(sk_host_disk *disk)
{
    sigset_t all, old;
    pthread_attr_t attributes;
    sigfillset(&all);
    pthread_mutex_init(&disk->lock, NULL);
    pthread_attr_init(&attributes);
    (void)pthread_attr_setstacksize(&attributes, STACK_SIZE); // if not, then the system's own
    pthread_sigmask(SIG_SETMASK, &all, &old);
    int error = 0;
    for (int i = 0; i < LANES; i++) {
        lane *lane = &disk->lanes[i];
        lane->disk = disk;
        sk_list_init(&lane->submitted);
        pthread_cond_init(&lane->wake, NULL);
        if (!error) error = pthread_create(&lane->thread, &attributes, work, lane);
        lane->started = !error;
    }
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    pthread_attr_destroy(&attributes);
    if (error) stop_threads(disk);
    return error ? SK_EIO : 0;
}

// ---- Open, close ----

static int open_directory(const char *path, char *problem, size_t size)
{
    bool made = mkdir(path, 0700) == 0;
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) {
        int error = sk_host_disk_error(errno);
        (void)snprintf(problem, size, "cannot open the directory %s: %s", path, strerror(errno));
        return error;
    }
    // Its own name must last too; what is above may be nobody's business but the file system's.
    int above = made ? openat(fd, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
    if (above >= 0) {
        (void)fsync(above);
        (void)close(above);
    }
    return fd;
}

static int take_lock(int directory, const char *path, int *lock_file, char *problem, size_t size)
{
    int fd = openat(directory, "lock", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0) {
        int error = sk_host_disk_error(errno);
        (void)snprintf(problem, size, "cannot open %s/lock: %s", path, strerror(errno));
        return error;
    }
    int result;
    do result = flock(fd, LOCK_EX | LOCK_NB);
    while (result < 0 && errno == EINTR);
    if (result < 0) {
        int error = errno == EWOULDBLOCK ? SK_ELOCKED : SK_EIO;
        if (error == SK_ELOCKED)
            (void)snprintf(problem, size,
                           "%s is in use by another running skeind (it holds the lock on %s/lock)", path,
                           path);
        else
            (void)snprintf(problem, size, "cannot lock %s/lock: %s", path, strerror(errno));
        (void)close(fd);
        return error;
    }
    *lock_file = fd;
    return 0;
}

static void closed(uv_handle_t *handle)
{
    sk_free(handle->data);
}

int sk_host_disk_open(sk_host_disk **out, uv_loop_t *loop, const char *directory, char *problem,
                      size_t problem_size)
{
    int lock_file = -1;
    int fd = open_directory(directory, problem, problem_size);
    if (fd < 0) return fd;
    int error = take_lock(fd, directory, &lock_file, problem, problem_size);
    if (error) goto err_after_directory;
    sk_host_disk *disk = sk_alloc_zeroed(sizeof *disk);
    disk->face.ops = &face_ops;
    disk->directory = fd;
    disk->lock_file = lock_file;
    disk->loop = loop;
    sk_list_init(&disk->completed);
    *out = disk;
    if (!loop) return 0;
    error = uv_async_init(loop, &disk->async, deliver) ? SK_EIO : 0;
    if (error) goto err_after_disk;
    disk->async.data = disk;
    uv_unref((uv_handle_t *)&disk->async);
    error = start_threads(disk);
    if (!error) return 0;
    (void)snprintf(problem, problem_size, "cannot start the disk threads");
    *out = NULL;
    uv_close((uv_handle_t *)&disk->async, closed);
    (void)close(lock_file);
    goto err_after_directory;

err_after_disk:
    (void)snprintf(problem, problem_size, "cannot watch for disk completions");
    *out = NULL;
    sk_free(disk);
    (void)close(lock_file);
err_after_directory:
    (void)close(fd);
    return error;
}

void sk_host_disk_close(sk_host_disk *disk)
{
    if (!disk) return;
    if (disk->loop) stop_threads(disk);
    sk_buffer_deinit(&disk->lane_of);
    (void)close(disk->lock_file);
    (void)close(disk->directory);
    if (disk->loop)
        uv_close((uv_handle_t *)&disk->async, closed);
    else
        sk_free(disk);
}

sk_disk *sk_host_disk_face(sk_host_disk *disk)
{
    return &disk->face;
}

void sk_host_disk_before(sk_host_disk *disk, void (*before)(void *context), void *context)
{
    disk->before = before;
    disk->before_context = context;
}

size_t sk_host_disk_under_way(const sk_host_disk *disk)
{
    return disk->under_way;
}
