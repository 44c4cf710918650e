// The node's directory as the daemon sees it: private, one process's, with a file that says which.
#ifndef SK_DAEMON_DIRECTORY_H
#define SK_DAEMON_DIRECTORY_H

#include <stddef.h>

// Makes it if it is missing (0700), and refuses one that is not a directory or that others may write to. 0,
// or the status to exit with: then `problem` says why.
int sk_directory_prepare(const char *dir, char *problem, size_t problem_size);
// dir/pid, for scripts; the lock that counts is the disk's.
void sk_directory_write_pid(const char *dir);
void sk_directory_remove_pid(const char *dir);

#endif
