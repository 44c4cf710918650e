#include "host/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "base/assert.h"

enum { EXIT_NO_ENTROPY = 71 }; // EX_OSERR of sysexits.h

sk_ns sk_clock_boot(void)
{
    struct timespec now;
    int error = clock_gettime(CLOCK_BOOTTIME, &now);
    SK_ASSERT(error == 0);
    return (sk_ns)now.tv_sec * SK_S + (sk_ns)now.tv_nsec;
}

uint64_t sk_clock_wall_ms(void)
{
    struct timespec now;
    int error = clock_gettime(CLOCK_REALTIME, &now);
    SK_ASSERT(error == 0);
    return now.tv_sec < 0 ? 0 : (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

void sk_random_bytes(void *out, size_t size)
{
    for (size_t done = 0; done < size;) {
        ssize_t got = getrandom((char *)out + done, size - done, 0);
        if (got > 0) {
            done += (size_t)got;
        } else if (got < 0 && errno != EINTR) {
            fprintf(stderr, "level=error msg=\"the kernel gives no random bytes\" errno=%d\n", errno);
            _Exit(EXIT_NO_ENTROPY);
        }
    }
}

uint64_t sk_random_u64(void)
{
    uint64_t value;
    sk_random_bytes(&value, sizeof value);
    return value;
}

static sk_ns of_timeval(struct timeval time)
{
    return (sk_ns)time.tv_sec * SK_S + (sk_ns)time.tv_usec * SK_US;
}

sk_cpu_time sk_clock_cpu(void)
{
    struct rusage usage;
    if (getrusage(RUSAGE_SELF, &usage) < 0) return (sk_cpu_time){0};
    return (sk_cpu_time){.user = of_timeval(usage.ru_utime), .system = of_timeval(usage.ru_stime)};
}

size_t sk_memory_rss(void)
{
    int fd = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
    if (fd < 0) return 0;
    char text[128];
    ssize_t size = read(fd, text, sizeof text - 1);
    close(fd);
    if (size <= 0) return 0;
    text[size] = 0;
    unsigned long long pages = 0;
    if (sscanf(text, "%*u %llu", &pages) != 1) return 0;
    long page_size = sysconf(_SC_PAGESIZE);
    return page_size > 0 ? (size_t)pages * (size_t)page_size : 0;
}
