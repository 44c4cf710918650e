// A disk and a clock that misbehave on command, loaded in front of libc (LD_PRELOAD) by the nemesis tests.
//
// NEMESIS_CONTROL  a file, mapped: `control` below; the test writes rules into it while the daemon runs, the shim writes back
//                  how often each fired, so that the test knows what really happened
// NEMESIS_UNDO     a file, optional: what is needed to take back every change that no sync has covered yet. The test kills the
//                  daemon and then plays it back, in part: that is a power cut (test/nemesis/power.py)
//
// Only files that were opened relative to a directory (as the disk thread does) are touched.
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

enum op { OP_WRITE, OP_SYNC, OP_CREATE, OP_ALLOCATE, OP_RENAME, OP_UNLINK, OP_READ, OP_OPEN, OP_COUNT };

struct rule {
    int64_t error;    // errno to fail with; 0: none
    int64_t per_1000; // of the calls
    int64_t left;     // so often; negative: without end
    int64_t fired;    // written here
};

// test/nemesis/control.py has the same order.
struct control {
    struct rule rules[OP_COUNT];
    int64_t sync_delay_us, sync_delays;
    int64_t short_per_1000, shorts; // writes of a part, and EINTR
    int64_t lie, lies;              // a sync says yes and does nothing
    int64_t wall_offset_ns, wall_reads;
    int64_t boot_offset_ns; // taken at start
    // The n-th of all these calls fails, and so many from there on (every_call.py).
    int64_t calls, nth, nth_times, nth_error, nth_fired; // nth 0: none; error NTH_SHORT: a write of a part
};

enum { CONTROL_SIZE = 4096, FDS_MAX = 1024, DIRTY_MAX = 256, NTH_SHORT = -1 };

static struct control idle;
static struct control *control = &idle;
static int64_t boot_offset;
static int undo_file = -1;
static char undo_path[512];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static bool ours[FDS_MAX]; // opened below the node's directory
static uint64_t dirty[DIRTY_MAX];
static size_t dirty_count;
static bool dirty_overflow;

// The daemon is built with 64-bit offsets: what it calls has that suffix, and so have the functions defined here.
_Static_assert(sizeof(off_t) == 8, "build with _FILE_OFFSET_BITS=64");

#define REAL_NAMED(function, name)                                                                           \
    static __typeof__(&function) real;                                                                       \
    if (!real) real = (__typeof__(&function))dlsym(RTLD_NEXT, name)
#define REAL(function)   REAL_NAMED(function, #function)
#define REAL64(function) REAL_NAMED(function, #function "64")

static int64_t load(const int64_t *word)
{
    return __atomic_load_n(word, __ATOMIC_RELAXED);
}

static void add(int64_t *word, int64_t more)
{
    __atomic_fetch_add(word, more, __ATOMIC_RELAXED);
}

__attribute__((constructor)) static void begin(void)
{
    // Whatever ends the test ends its nodes.
    const char *parent = getenv("NEMESIS_PARENT");
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (parent && getppid() != atoi(parent)) _exit(1);
    const char *path = getenv("NEMESIS_CONTROL");
    int fd = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
    if (fd >= 0) {
        void *at = mmap(NULL, CONTROL_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        if (at != MAP_FAILED) control = at;
        close(fd);
    }
    boot_offset = load(&control->boot_offset_ns);
    path = getenv("NEMESIS_UNDO");
    if (path && strlen(path) < sizeof undo_path - 32) {
        memcpy(undo_path, path, strlen(path) + 1);
        undo_file = open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    }
}

static uint32_t draw(void)
{
    static __thread uint64_t state;
    if (!state) {
        struct timespec now;
        REAL(clock_gettime);
        real(CLOCK_MONOTONIC, &now);
        state = (uint64_t)now.tv_nsec * 2654435761u + (uint64_t)getpid();
    }
    state = state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(state >> 33);
}

// Is this call among those that fail by their number? errno is set; NTH_SHORT only means something to a write.
static bool fails_by_number(enum op op)
{
    int64_t number = __atomic_add_fetch(&control->calls, 1, __ATOMIC_RELAXED), nth = load(&control->nth);
    if (!nth || number < nth || number - nth >= load(&control->nth_times)) return false;
    int64_t error = load(&control->nth_error);
    if (error == NTH_SHORT && op != OP_WRITE) return false;
    add(&control->nth_fired, 1);
    errno = (int)error;
    return true;
}

// True: the call fails now, with errno set.
static bool fails(enum op op)
{
    if (fails_by_number(op)) return true;
    struct rule *rule = &control->rules[op];
    int64_t error = load(&rule->error), left = load(&rule->left);
    if (!error || !left || draw() % 1000 >= load(&rule->per_1000)) return false;
    if (left > 0) add(&rule->left, -1);
    add(&rule->fired, 1);
    errno = (int)error;
    return true;
}

static bool is_ours(int fd)
{
    return fd >= 0 && fd < FDS_MAX && ours[fd];
}

// ---- The undo journal ----

enum undo_kind {
    UNDO_WRITE = 1,
    UNDO_SIZE,
    UNDO_CREATE,
    UNDO_RENAME,
    UNDO_UNLINK,
    UNDO_SYNC,
    UNDO_SYNC_FOLDER
};

struct undo {
    uint64_t magic, kind, inode; // of the file; of the folder for names
    uint64_t offset, size_old, size_new;
    uint64_t first, second; // sizes of what follows: old and new bytes, or names
};

#define UNDO_MAGIC 0x6f646e75736d656eu

static void put(int fd, const void *bytes, size_t size)
{
    const char *at = bytes;
    while (size) {
        ssize_t wrote = write(fd, at, size);
        if (wrote <= 0) abort(); // the test's own disk
        at += wrote;
        size -= (size_t)wrote;
    }
}

static void undo_write(struct undo record, const void *first, const void *second)
{
    record.magic = UNDO_MAGIC;
    size_t size = sizeof record + record.first + record.second;
    char *bytes = malloc(size);
    if (!bytes) abort();
    memcpy(bytes, &record, sizeof record);
    if (record.first) memcpy(bytes + sizeof record, first, record.first);
    if (record.second) memcpy(bytes + sizeof record + record.first, second, record.second);
    put(undo_file, bytes, size);
    free(bytes);
}

static void mark_dirty(uint64_t inode)
{
    for (size_t i = 0; i < dirty_count; i++) {
        if (dirty[i] == inode) return;
    }
    if (dirty_count < DIRTY_MAX)
        dirty[dirty_count++] = inode;
    else
        dirty_overflow = true;
}

// All is on disk again: nothing before this point can be lost.
static void mark_clean(uint64_t inode)
{
    for (size_t i = 0; i < dirty_count; i++) {
        if (dirty[i] == inode) dirty[i--] = dirty[--dirty_count];
    }
    if (!dirty_count && !dirty_overflow && ftruncate(undo_file, 0)) abort();
}

static struct stat stat_of(int fd)
{
    struct stat status;
    if (fstat(fd, &status)) memset(&status, 0, sizeof status);
    return status;
}

static void undo_data(int fd, const void *bytes, uint64_t size, uint64_t offset, uint64_t size_new)
{
    struct stat status = stat_of(fd);
    uint64_t size_old = (uint64_t)status.st_size;
    // Old bytes: below a write, or what a shorter size cuts off.
    uint64_t from = bytes ? offset : size_new, to = bytes ? offset + size : size_old;
    if (to > size_old) to = size_old;
    uint64_t keep = to > from ? to - from : 0;
    char *old = malloc(keep + 1);
    if (!old) abort();
    REAL64(pread);
    if (keep && real(fd, old, keep, (off_t)from) != (ssize_t)keep) abort();
    undo_write((struct undo){.kind = bytes ? UNDO_WRITE : UNDO_SIZE,
                             .inode = status.st_ino,
                             .offset = from,
                             .size_old = size_old,
                             .size_new = size_new,
                             .first = keep,
                             .second = bytes ? size : 0},
               old, bytes);
    free(old);
    mark_dirty(status.st_ino);
}

// A name goes away: keep the file under its inode's number.
static void keep_file(int folder, const char *name)
{
    struct stat status;
    char path[sizeof undo_path + 32];
    if (fstatat(folder, name, &status, AT_SYMLINK_NOFOLLOW)) return;
    snprintf(path, sizeof path, "%s.d/%llu", undo_path, (unsigned long long)status.st_ino);
    if (linkat(folder, name, AT_FDCWD, path, 0) && errno != EEXIST) abort();
}

static uint64_t folder_inode(int folder, const char *name)
{
    char path[300];
    const char *slash = strrchr(name, '/');
    snprintf(path, sizeof path, "%.*s", slash ? (int)(slash - name) : 1, slash ? name : ".");
    struct stat status;
    return fstatat(folder, path, &status, 0) ? 0 : status.st_ino;
}

static void undo_name(enum undo_kind kind, int folder, const char *name, const char *name_new)
{
    struct stat status;
    if (fstatat(folder, name, &status, AT_SYMLINK_NOFOLLOW)) memset(&status, 0, sizeof status);
    struct undo record = {
        .kind = kind, .inode = folder_inode(folder, name), .offset = status.st_ino, .first = strlen(name)};
    if (name_new) {
        struct stat replaced;
        record.second = strlen(name_new);
        record.size_old = fstatat(folder, name_new, &replaced, AT_SYMLINK_NOFOLLOW) ? 0 : replaced.st_ino;
        record.size_new = folder_inode(folder, name_new);
        if (record.size_new != record.inode) mark_dirty(record.size_new);
    }
    undo_write(record, name, name_new);
    mark_dirty(record.inode);
}

// ---- Files ----

int openat(int folder, const char *path, int flags, ...)
{
    va_list list;
    va_start(list, flags);
    mode_t mode = flags & O_CREAT ? va_arg(list, mode_t) : 0;
    va_end(list);
    REAL64(openat);
    if (folder == AT_FDCWD || strcmp(path, "lock") == 0) return real(folder, path, flags, mode);
    bool creates = flags & O_CREAT;
    if (fails(creates ? OP_CREATE : OP_OPEN)) return -1;
    pthread_mutex_lock(&lock);
    int fd = real(folder, path, flags, mode);
    int error = errno;
    if (fd >= 0 && fd < FDS_MAX) ours[fd] = true;
    if (fd >= 0 && creates && undo_file >= 0) undo_name(UNDO_CREATE, folder, path, NULL);
    pthread_mutex_unlock(&lock);
    errno = error;
    return fd;
}

int close(int fd)
{
    REAL(close);
    if (fd >= 0 && fd < FDS_MAX) ours[fd] = false;
    return real(fd);
}

ssize_t pwrite(int fd, const void *bytes, size_t size, off_t offset)
{
    REAL64(pwrite);
    if (!is_ours(fd)) return real(fd, bytes, size, offset);
    if (fails(OP_WRITE)) {
        if (errno != NTH_SHORT) return -1;
        size = (size + 1) / 2;
    }
    if (draw() % 1000 < load(&control->short_per_1000)) {
        add(&control->shorts, 1);
        if (size < 2 || draw() % 2) {
            errno = EINTR;
            return -1;
        }
        size = 1 + draw() % (size - 1);
    }
    if (undo_file < 0) return real(fd, bytes, size, offset);
    pthread_mutex_lock(&lock);
    undo_data(fd, bytes, size, (uint64_t)offset, 0);
    ssize_t wrote = real(fd, bytes, size, offset);
    pthread_mutex_unlock(&lock);
    return wrote;
}

ssize_t pread(int fd, void *into, size_t size, off_t offset)
{
    REAL64(pread);
    if (is_ours(fd) && fails(OP_READ)) return -1;
    return real(fd, into, size, offset);
}

int ftruncate(int fd, off_t size)
{
    REAL64(ftruncate);
    if (!is_ours(fd)) return real(fd, size);
    if (fails(OP_ALLOCATE)) return -1;
    pthread_mutex_lock(&lock);
    if (undo_file >= 0) undo_data(fd, NULL, 0, 0, (uint64_t)size);
    int result = real(fd, size);
    pthread_mutex_unlock(&lock);
    return result;
}

int fallocate(int fd, int mode, off_t offset, off_t size)
{
    REAL64(fallocate);
    if (!is_ours(fd)) return real(fd, mode, offset, size);
    if (fails(OP_ALLOCATE)) return -1;
    pthread_mutex_lock(&lock);
    if (undo_file >= 0) {
        uint64_t now = (uint64_t)stat_of(fd).st_size, end = (uint64_t)(offset + size);
        undo_data(fd, NULL, 0, 0, end > now ? end : now);
    }
    int result = real(fd, mode, offset, size);
    pthread_mutex_unlock(&lock);
    return result;
}

// A stall ends early when the test takes it away.
static void stall(void)
{
    int64_t total = load(&control->sync_delay_us);
    if (total <= 0) return;
    add(&control->sync_delays, 1);
    for (int64_t waited = 0; waited < total && waited < load(&control->sync_delay_us); waited += 5000) {
        usleep((useconds_t)(total - waited < 5000 ? total - waited : 5000));
    }
}

static int sync_file(int fd, int (*real)(int))
{
    if (!is_ours(fd)) return real(fd);
    stall();
    if (fails(OP_SYNC)) return -1;
    if (load(&control->lie)) {
        add(&control->lies, 1);
        return 0;
    }
    pthread_mutex_lock(&lock);
    int result = real(fd), error = errno;
    if (result == 0 && undo_file >= 0) {
        struct stat status = stat_of(fd);
        undo_write((struct undo){.kind = S_ISDIR(status.st_mode) ? UNDO_SYNC_FOLDER : UNDO_SYNC,
                                 .inode = status.st_ino},
                   NULL, NULL);
        mark_clean(status.st_ino);
    }
    pthread_mutex_unlock(&lock);
    errno = error;
    return result;
}

int fdatasync(int fd)
{
    REAL(fdatasync);
    return sync_file(fd, real);
}

int fsync(int fd)
{
    REAL(fsync);
    return sync_file(fd, real);
}

int renameat(int folder, const char *name, int folder_new, const char *name_new)
{
    REAL(renameat);
    if (fails(OP_RENAME)) return -1;
    pthread_mutex_lock(&lock);
    if (undo_file >= 0) {
        keep_file(folder_new, name_new);
        undo_name(UNDO_RENAME, folder, name, name_new);
    }
    int result = real(folder, name, folder_new, name_new);
    pthread_mutex_unlock(&lock);
    return result;
}

int unlinkat(int folder, const char *name, int flags)
{
    REAL(unlinkat);
    if (fails(OP_UNLINK)) return -1;
    pthread_mutex_lock(&lock);
    struct stat status;
    if (undo_file >= 0 && !flags && fstatat(folder, name, &status, AT_SYMLINK_NOFOLLOW) == 0) {
        keep_file(folder, name);
        undo_name(UNDO_UNLINK, folder, name, NULL);
    }
    int result = real(folder, name, flags);
    pthread_mutex_unlock(&lock);
    return result;
}

// ---- Clocks ----

static void shift(struct timespec *time, int64_t by)
{
    int64_t ns = (int64_t)time->tv_sec * 1000000000 + time->tv_nsec + by;
    if (ns < 1) ns = 1;
    time->tv_sec = ns / 1000000000;
    time->tv_nsec = ns % 1000000000;
}

int clock_gettime(clockid_t clock, struct timespec *out)
{
    REAL(clock_gettime);
    int result = real(clock, out);
    if (result) return result;
    if (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE) {
        int64_t offset = load(&control->wall_offset_ns);
        if (offset) {
            shift(out, offset);
            add(&control->wall_reads, 1);
        }
    } else if (clock == CLOCK_BOOTTIME && boot_offset) {
        shift(out, boot_offset);
    }
    return 0;
}

int gettimeofday(struct timeval *restrict out, void *restrict zone)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    out->tv_sec = now.tv_sec;
    out->tv_usec = now.tv_nsec / 1000;
    return 0;
}

time_t time(time_t *out)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (out) *out = now.tv_sec;
    return now.tv_sec;
}

// The daemon's only one runs on the boot-time clock.
int timerfd_settime(int fd, int flags, const struct itimerspec *when, struct itimerspec *old)
{
    REAL(timerfd_settime);
    struct itimerspec shifted = *when;
    if (boot_offset && (flags & TFD_TIMER_ABSTIME) && (when->it_value.tv_sec || when->it_value.tv_nsec))
        shift(&shifted.it_value, -boot_offset);
    return real(fd, flags, &shifted, old);
}
