// What one disk request does to files: blocking calls, on whatever thread.
#ifndef SK_HOST_DISK_FILES_H
#define SK_HOST_DISK_FILES_H

#include "store/disk.h"

// Does it in the directory open as `directory` and returns its result (request->result is not set). Handles are descriptors
// plus one, so that 0 is none.
int64_t sk_host_disk_execute(int directory, sk_disk_request *request);
int sk_host_disk_error(int system_error); // SK_E*
int sk_host_disk_sync_folder(int directory, const char *name);

#endif
