#include "cli/disk_probe.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/prng.h"
#include "client/remote.h"

enum { TMPFS = 0x01021994, SECTOR = 512 };

_Static_assert((SK_PROBE_SYNCS + SK_PROBE_GROUP * SK_PROBE_GROUP_SYNCS) * SK_PROBE_RECORD_SIZE <= SK_PROBE_FILE_SIZE, "all records fit");

typedef struct probe_file {
    int fd;
    uint64_t used;
    dev_t device;
    uint8_t batch[SK_PROBE_GROUP * SK_PROBE_RECORD_SIZE];
} probe_file;

static int fail(sk_probe *probe, const char *what, const char *directory)
{
    snprintf(probe->problem, sizeof probe->problem, "%s in %.100s: %s", what, directory, strerror(errno));
    return SK_EIO;
}

// A file without a name, where the file system can; else one whose name is gone as soon as it is open.
static int open_nameless(const char *directory)
{
    int fd = open(directory, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (fd >= 0) return fd;
    char path[4096];
    if (snprintf(path, sizeof path, "%s/.skein-doctor-XXXXXX", directory) >= (int)sizeof path) {
        errno = ENAMETOOLONG;
        return -1;
    }
    fd = mkostemp(path, O_CLOEXEC);
    if (fd >= 0) unlink(path);
    return fd;
}

static uint64_t process_bytes(void)
{
    char line[128];
    unsigned long long bytes = 0;
    FILE *file = fopen("/proc/self/io", "r");
    while (file && fgets(line, sizeof line, file)) {
        if (sscanf(line, "write_bytes: %llu", &bytes) == 1) break;
    }
    if (file) fclose(file);
    return bytes;
}

static uint64_t device_bytes(dev_t device)
{
    char path[96];
    unsigned long long sectors = 0;
    snprintf(path, sizeof path, "/sys/dev/block/%u:%u/stat", major(device), minor(device));
    FILE *file = fopen(path, "r");
    if (!file) return 0;
    if (fscanf(file, "%*u %*u %*u %*u %*u %*u %llu", &sectors) != 1) sectors = 0;
    fclose(file);
    return sectors * SECTOR;
}

static int run_series(probe_file *file, uint32_t syncs, uint32_t records, sk_probe_series *series)
{
    size_t size = (size_t)records * SK_PROBE_RECORD_SIZE;
    SK_ASSERT(size <= sizeof file->batch && file->used + syncs * size <= SK_PROBE_FILE_SIZE);
    uint64_t page_before = process_bytes(), device_before = device_bytes(file->device);
    for (uint32_t i = 0; i < syncs; i++) {
        sk_ns before = sk_client_now();
        if (pwrite(file->fd, file->batch, size, (off_t)file->used) != (ssize_t)size || fdatasync(file->fd) < 0) return SK_EIO;
        sk_histogram_add(&series->sync_ns, sk_client_now() - before);
        file->used += size;
        series->records += records;
    }
    series->page_bytes = process_bytes() - page_before;
    series->device_bytes = device_bytes(file->device) - device_before;
    return 0;
}

int sk_probe_disk(const char *directory, sk_probe *probe)
{
    memset(probe, 0, sizeof *probe);
    struct statfs system;
    struct stat facts = {0};
    if (statfs(directory, &system) < 0) return fail(probe, "cannot look", directory);
    probe->in_memory = system.f_type == TMPFS;
    probe_file file = {.fd = open_nameless(directory)};
    if (file.fd < 0) return fail(probe, "cannot make a file", directory);
    sk_prng prng;
    sk_prng_init(&prng, 1); // bytes that no controller can compress
    for (size_t i = 0; i < sizeof file.batch; i++) file.batch[i] = (uint8_t)sk_prng_next(&prng);
    int error = 0;
    if (fstat(file.fd, &facts) < 0 || (fallocate(file.fd, 0, 0, SK_PROBE_FILE_SIZE) < 0 && errno != EOPNOTSUPP && errno != ENOSYS) ||
        fsync(file.fd) < 0) {
        error = fail(probe, "cannot allocate 1 MiB", directory);
    }
    file.device = facts.st_dev;
    if (!error && run_series(&file, SK_PROBE_SYNCS, 1, &probe->alone)) error = fail(probe, "cannot write", directory);
    if (!error && run_series(&file, SK_PROBE_GROUP_SYNCS, SK_PROBE_GROUP, &probe->grouped)) error = fail(probe, "cannot write", directory);
    close(file.fd);
    return error;
}
