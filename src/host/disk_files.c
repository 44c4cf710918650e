#include "host/disk_files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/alloc.h"
#include "base/assert.h"
#include "base/error.h"

enum { ZEROS_SIZE = 1 << 20, TRANSFER_MAX = 1 << 30 };

int sk_host_disk_error(int system_error)
{
    switch (system_error) {
    case 0:
        return 0;
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
        return SK_ENOSPC;
    case ENOENT:
        return SK_ENOENT;
    case EEXIST:
        return SK_EEXIST;
    case EBADF:
    case EINVAL:
        return SK_EINVAL;
    case ENOMEM:
        return SK_ENOMEM;
    default:
        return SK_EIO;
    }
}

static int last_error(void)
{
    return sk_host_disk_error(errno);
}

// Names are ours, never from outside: below the directory, at most one folder deep.
static void check_name(const char *name)
{
    const char *slash = strchr(name, '/');
    SK_ASSERT(name[0] != '/' && name[0] != '.');
    SK_ASSERT(!slash || (slash[1] != '\0' && slash[1] != '.' && !strchr(slash + 1, '/')));
}

static int open_retry(int directory, const char *name, int flags, mode_t mode)
{
    int fd;
    do fd = openat(directory, name, flags | O_CLOEXEC, mode);
    while (fd < 0 && errno == EINTR);
    return fd;
}

// ---- Bytes ----

static int write_all(int fd, const uint8_t *bytes, size_t size, uint64_t offset)
{
    while (size > 0) {
        size_t piece = size < TRANSFER_MAX ? size : TRANSFER_MAX;
        ssize_t wrote = pwrite(fd, bytes, piece, (off_t)offset);
        if (wrote < 0 && errno == EINTR) continue;
        if (wrote < 0) return last_error();
        if (wrote == 0) return SK_EIO;
        bytes += wrote;
        size -= (size_t)wrote;
        offset += (uint64_t)wrote;
    }
    return 0;
}

static int64_t read_all(int fd, uint8_t *into, size_t size, uint64_t offset)
{
    size_t done = 0;
    while (done < size) {
        size_t piece = size - done < TRANSFER_MAX ? size - done : TRANSFER_MAX;
        ssize_t got = pread(fd, into + done, piece, (off_t)(offset + done));
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return last_error();
        if (got == 0) break;
        done += (size_t)got;
    }
    if (size == 0 && fcntl(fd, F_GETFD) < 0) return last_error();
    return (int64_t)done;
}

static int sync_data(int fd)
{
    int result;
    do result = fdatasync(fd);
    while (result < 0 && errno == EINTR);
    return result < 0 ? last_error() : 0;
}

static int resize(int fd, uint64_t size)
{
    int result;
    do result = ftruncate(fd, (off_t)size);
    while (result < 0 && errno == EINTR);
    return result < 0 ? last_error() : 0;
}

static int write_zeros(int fd, uint64_t size)
{
    uint8_t *zeros = sk_alloc_zeroed(ZEROS_SIZE);
    int error = 0;
    for (uint64_t at = 0; !error && at < size; at += ZEROS_SIZE) {
        uint64_t left = size - at;
        error = write_all(fd, zeros, left < ZEROS_SIZE ? (size_t)left : ZEROS_SIZE, at);
    }
    sk_free(zeros);
    return error;
}

static int allocate(int fd, uint64_t size)
{
    if (size == 0) return 0;
    int result;
    do result = fallocate(fd, 0, 0, (off_t)size);
    while (result < 0 && errno == EINTR);
    if (result == 0) return 0;
    if (errno != EOPNOTSUPP && errno != ENOSYS) return last_error();
    return write_zeros(fd, size); // a file system that cannot: then by hand
}

// ---- Names ----

static int64_t create(int directory, sk_disk_request *request)
{
    check_name(request->name);
    if (unlinkat(directory, request->name, 0) < 0 && errno != ENOENT) return last_error();
    int fd = open_retry(directory, request->name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW, 0600);
    if (fd < 0) return last_error();
    int error = allocate(fd, request->size);
    if (error) {
        (void)close(fd);
        (void)unlinkat(directory, request->name, 0);
        return error;
    }
    request->file = fd + 1;
    return 0;
}

static int64_t open_file(int directory, sk_disk_request *request)
{
    check_name(request->name);
    int fd = open_retry(directory, request->name, O_RDWR | O_NOFOLLOW, 0);
    if (fd < 0) return last_error();
    struct stat status;
    if (fstat(fd, &status) < 0 || !S_ISREG(status.st_mode)) {
        (void)close(fd);
        return SK_EIO;
    }
    request->file = fd + 1;
    request->size = (uint64_t)status.st_size;
    return 0;
}

static int64_t rename_file(int directory, const sk_disk_request *request)
{
    check_name(request->name);
    check_name(request->name_new);
    return renameat(directory, request->name, directory, request->name_new) < 0 ? last_error() : 0;
}

static int open_folder(int directory, const char *name)
{
    return open_retry(directory, name[0] ? name : ".", O_RDONLY | O_DIRECTORY, 0);
}

int sk_host_disk_sync_folder(int directory, const char *name)
{
    int fd = open_folder(directory, name);
    if (fd < 0) return last_error();
    int result;
    do result = fsync(fd);
    while (result < 0 && errno == EINTR);
    int error = result < 0 ? last_error() : 0;
    (void)close(fd);
    return error;
}

static int64_t make_folder(int directory, const char *name)
{
    check_name(name);
    if (mkdirat(directory, name, 0700) == 0) return 0;
    if (errno != EEXIST) return last_error();
    struct stat status;
    if (fstatat(directory, name, &status, AT_SYMLINK_NOFOLLOW) < 0) return last_error();
    return S_ISDIR(status.st_mode) ? 0 : SK_EEXIST;
}

static bool is_file(int folder, const struct dirent *entry)
{
    if (entry->d_type == DT_REG) return true;
    if (entry->d_type != DT_UNKNOWN) return false;
    struct stat status;
    return fstatat(folder, entry->d_name, &status, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(status.st_mode);
}

static int64_t list(int directory, const sk_disk_request *request)
{
    int fd = open_folder(directory, request->name);
    if (fd < 0) return last_error();
    DIR *folder = fdopendir(fd);
    if (!folder) {
        int error = last_error();
        (void)close(fd);
        return error;
    }
    int error = 0;
    for (;;) {
        errno = 0;
        const struct dirent *entry = readdir(folder);
        if (!entry) {
            error = last_error();
            break;
        }
        if (is_file(fd, entry)) sk_buffer_append(request->listing, entry->d_name, strlen(entry->d_name) + 1);
    }
    (void)closedir(folder);
    return error;
}

int64_t sk_host_disk_execute(int directory, sk_disk_request *request)
{
    int fd = request->file - 1, error;
    switch (request->op) {
    case SK_DISK_CREATE:
        return create(directory, request);
    case SK_DISK_OPEN:
        return open_file(directory, request);
    case SK_DISK_CLOSE:
        return close(fd) < 0 && errno != EINTR ? last_error() : 0;
    case SK_DISK_WRITE:
        error = request->bytes.size == 0 && fcntl(fd, F_GETFD) < 0 ? last_error() : 0;
        if (!error) error = write_all(fd, request->bytes.data, request->bytes.size, request->offset);
        return !error && request->sync ? sync_data(fd) : error;
    case SK_DISK_READ:
        return read_all(fd, request->into, request->into_size, request->offset);
    case SK_DISK_SYNC:
        return sync_data(fd);
    case SK_DISK_TRUNCATE:
        return resize(fd, request->size);
    case SK_DISK_RENAME:
        return rename_file(directory, request);
    case SK_DISK_UNLINK:
        check_name(request->name);
        return unlinkat(directory, request->name, 0) < 0 ? last_error() : 0;
    case SK_DISK_SYNC_FOLDER:
        return sk_host_disk_sync_folder(directory, request->name);
    case SK_DISK_MAKE_FOLDER:
        return make_folder(directory, request->name);
    case SK_DISK_LIST:
        return list(directory, request);
    }
    SK_UNREACHABLE();
}
