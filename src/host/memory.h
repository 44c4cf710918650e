// libuv's memory comes from base/alloc.h: where libuv would abort for want of it, the process ends with status 71 and its line, as
// everywhere else. The allocator is the process's: set once, before anything else of libuv.
#ifndef SK_HOST_MEMORY_H
#define SK_HOST_MEMORY_H

void sk_host_own_memory(void);

#endif
