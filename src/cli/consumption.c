#include "cli/consumption.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

// CPU time of all threads of a process in seconds, or -1.
static double process_cpu(int pid)
{
    char path[64], text[1024];
    snprintf(path, sizeof path, "/proc/%d/stat", pid);
    FILE *file = fopen(path, "r");
    if (!file) return -1;
    size_t size = fread(text, 1, sizeof text - 1, file);
    fclose(file);
    text[size] = 0;
    const char *behind = strrchr(text, ')'); // a program's name may hold anything
    unsigned long user = 0, kernel = 0;
    if (!behind || sscanf(behind + 1, " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user, &kernel) != 2) return -1;
    return (double)(user + kernel) / (double)sysconf(_SC_CLK_TCK);
}

static double processes_cpu(const sk_consumption *consumption)
{
    double sum = 0;
    for (size_t i = 0; i < consumption->pid_count; i++) {
        double seconds = process_cpu(consumption->pids[i]);
        if (seconds > 0) sum += seconds;
    }
    return sum;
}

static bool read_package(size_t number, const char *what, uint64_t *out)
{
    char path[96];
    unsigned long long value = 0;
    snprintf(path, sizeof path, "/sys/class/powercap/intel-rapl:%zu/%s", number, what);
    FILE *file = fopen(path, "r");
    if (!file) return false;
    bool got = fscanf(file, "%llu", &value) == 1;
    fclose(file);
    *out = value;
    return got;
}

void sk_consumption_begin(sk_consumption *consumption)
{
    size_t count = 0;
    while (count < SK_CONSUMPTION_PACKAGES_MAX && read_package(count, "energy_uj", &consumption->energy_before_uj[count])) count++;
    consumption->package_count = count;
    consumption->cpu_before = processes_cpu(consumption);
}

void sk_consumption_end(sk_consumption *consumption)
{
    consumption->cpu_seconds = processes_cpu(consumption) - consumption->cpu_before;
    if (consumption->cpu_seconds < 0) consumption->cpu_seconds = 0; // one of them ended meanwhile
    uint64_t sum_uj = 0;
    for (size_t i = 0; i < consumption->package_count; i++) {
        uint64_t now = 0, range = 0, before = consumption->energy_before_uj[i];
        if (!read_package(i, "energy_uj", &now)) continue;
        if (now < before && read_package(i, "max_energy_range_uj", &range)) now += range; // the counter went round
        sum_uj += now > before ? now - before : 0;
    }
    consumption->measured = sum_uj > 0;
    consumption->joules = consumption->measured ? (double)sum_uj / 1e6 : consumption->cpu_seconds * SK_WATTS_A_CORE;
}
