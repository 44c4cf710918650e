#include "daemon/directory.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/options.h"

enum { PATH_SIZE = 256 };

int sk_directory_prepare(const char *dir, char *problem, size_t problem_size)
{
    if (mkdir(dir, 0700) && errno != EEXIST) {
        int error = errno;
        const char *hint = error == ENOENT   ? " (make the directory above it first)"
                           : error == EACCES ? " (choose another --dir, or give this user the one above it)"
                                             : "";
        snprintf(problem, problem_size, "dir: cannot make %s: %s%s", dir, strerror(error), hint);
        return error == EACCES || error == EPERM || error == EROFS ? SK_EXIT_PERMISSION : SK_EXIT_CONFIG;
    }
    struct stat found;
    if (stat(dir, &found) || !S_ISDIR(found.st_mode)) {
        snprintf(problem, problem_size, "dir: %s is not a directory", dir);
        return SK_EXIT_CONFIG;
    }
    if (access(dir, R_OK | W_OK | X_OK)) {
        snprintf(problem, problem_size, "dir: %s cannot be read and written by this user: %s", dir,
                 strerror(errno));
        return SK_EXIT_PERMISSION;
    }
    if (found.st_mode & (S_IWGRP | S_IWOTH)) {
        snprintf(problem, problem_size, "dir: others may write into %s (chmod 700 %s)", dir, dir);
        return SK_EXIT_PERMISSION;
    }
    return 0;
}

static void pid_path(const char *dir, char out[PATH_SIZE])
{
    snprintf(out, PATH_SIZE, "%s/pid", dir);
}

void sk_directory_write_pid(const char *dir)
{
    char path[PATH_SIZE], text[24];
    pid_path(dir, path);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0) return;
    int size = snprintf(text, sizeof text, "%ld\n", (long)getpid());
    // A convenience: without it nothing is lost.
    if (write(fd, text, (size_t)size) != size) (void)unlink(path);
    close(fd);
}

void sk_directory_remove_pid(const char *dir)
{
    char path[PATH_SIZE];
    pid_path(dir, path);
    (void)unlink(path);
}
