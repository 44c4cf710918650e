// Memory that ends on command, loaded in front of libc (LD_PRELOAD) by test/nemesis/every_call.py.
//
// MEMORY_CONTROL names a file, mapped: `control` below. The n-th allocation of the process fails, or that and all after it;
// whoever asks for it, the daemon or a library. Allocations from before this library was set up do not count.
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

// test/nemesis/every_call.py has the same order.
struct control {
    int64_t calls; // so far; written here
    int64_t at;    // the first that fails; 0: none
    int64_t times; // and so many from there on
    int64_t fired; // written here
};

enum { CONTROL_SIZE = 4096 };

static struct control *control;

// glibc's own, under the names that no library stands in front of.
extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t count, size_t size);
extern void *__libc_realloc(void *old, size_t size);
extern void *__libc_memalign(size_t alignment, size_t size);

__attribute__((constructor)) static void begin(void)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL); // whatever ends the test ends its nodes
    const char *parent = getenv("NEMESIS_PARENT");
    if (parent && getppid() != atoi(parent)) _exit(1);
    const char *path = getenv("MEMORY_CONTROL");
    int fd = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
    if (fd < 0) _exit(1);
    void *at = mmap(NULL, CONTROL_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (at == MAP_FAILED) _exit(1);
    close(fd);
    control = at;
}

// True: there is no memory for this one.
static int ends(void)
{
    if (!control) return 0;
    int64_t number = __atomic_add_fetch(&control->calls, 1, __ATOMIC_RELAXED);
    if (!control->at || number < control->at || number - control->at >= control->times) return 0;
    __atomic_add_fetch(&control->fired, 1, __ATOMIC_RELAXED);
    errno = ENOMEM;
    return 1;
}

void *malloc(size_t size)
{
    return ends() ? NULL : __libc_malloc(size);
}

void *calloc(size_t count, size_t size)
{
    return ends() ? NULL : __libc_calloc(count, size);
}

void *realloc(void *old, size_t size)
{
    return ends() ? NULL : __libc_realloc(old, size);
}

void *memalign(size_t alignment, size_t size)
{
    return ends() ? NULL : __libc_memalign(alignment, size);
}

void *aligned_alloc(size_t alignment, size_t size)
{
    return memalign(alignment, size);
}

int posix_memalign(void **out, size_t alignment, size_t size)
{
    void *memory = memalign(alignment, size);
    if (!memory) return ENOMEM;
    *out = memory;
    return 0;
}
