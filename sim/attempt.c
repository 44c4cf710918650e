#include "sim/attempt.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>
#include "base/alloc.h"
#include "base/assert.h"
#include "sim/chronicle.h"
#include "sim/clients.h"

static FILE *temporary_file(void)
{
    FILE *file = tmpfile();
    if (file) return file;
    perror("skein-sim: no temporary file");
    exit(1);
}

sk_plan *sk_attempt_draw(const sk_fleet_options *fleet, uint64_t seed, const sk_overrides *overrides, const sk_plan *plan,
                         sk_swarm *swarm)
{
    sk_swarm_draw(swarm, seed, &fleet->wish);
    if (!overrides || !sk_overrides_any(overrides)) return NULL;
    sk_plan *left;
    if (plan) {
        left = sk_alloc(sizeof *left);
        *left = *plan;
    } else {
        sk_attempt_result unused;
        left = sk_attempt_plan(fleet, seed, &unused);
    }
    sk_overrides_apply(overrides, swarm, left);
    return left;
}

uint64_t sk_attempt_spent_ms(void)
{
    struct rusage own, runs;
    getrusage(RUSAGE_SELF, &own);
    getrusage(RUSAGE_CHILDREN, &runs);
    uint64_t seconds = (uint64_t)(own.ru_utime.tv_sec + own.ru_stime.tv_sec + runs.ru_utime.tv_sec + runs.ru_stime.tv_sec);
    uint64_t us = (uint64_t)(own.ru_utime.tv_usec + own.ru_stime.tv_usec + runs.ru_utime.tv_usec + runs.ru_stime.tv_usec);
    return seconds * 1000 + us / 1000;
}

// An assertion: what was written so far is wanted.
static void on_abort(int number)
{
    fflush(NULL);
    _exit(SK_VERDICT_CRASH);
}

static _Noreturn void run_here(const sk_attempt *attempt, FILE *said, sk_attempt_result *shared)
{
    dup2(fileno(said), STDERR_FILENO);
    signal(SIGABRT, on_abort);
    struct itimerval limit = {.it_value.tv_sec = attempt->fleet->seconds_max};
    setitimer(ITIMER_PROF, &limit, NULL);
    sk_swarm swarm;
    sk_plan *plan = sk_attempt_draw(attempt->fleet, attempt->seed, attempt->overrides, attempt->plan, &swarm);
    sk_world *world = sk_world_open(&swarm, attempt->fleet->plant, attempt->fleet->events_max, NULL);
    world->plan = plan;
    world->plan_notes = attempt->plan_notes;
    if (attempt->chronicle) world->chronicle = sk_chronicle_open(attempt->chronicle, world);
    enum sk_verdict verdict = sk_world_run(world);
    *shared = (sk_attempt_result){.verdict = verdict,
                                  .events = world->events,
                                  .virtual_ns = world->now,
                                  .operations = sk_clients_operations(world->clients)};
    memcpy(shared->faults, world->faults, sizeof shared->faults);
    memcpy(shared->problem, world->problem, sizeof shared->problem);
    fflush(NULL);
    _exit(0); // its memory goes with it
}

// The line that says what was wrong: an assertion, a sanitizer's finding, else the first.
static void read_said(FILE *said, char *problem, size_t size)
{
    static const char *const signs[] = {"assertion failed", "runtime error:", "ERROR: AddressSanitizer"};
    char line[400];
    bool found = false;
    rewind(said);
    while (!found && fgets(line, sizeof line, said)) {
        line[strcspn(line, "\n")] = 0;
        for (size_t i = 0; i < sizeof signs / sizeof signs[0]; i++) found |= strstr(line, signs[i]) != NULL;
        if (found || !problem[0]) snprintf(problem, size, "%s", line);
    }
}

static void judge(int status, uint32_t seconds_max, FILE *said, sk_attempt_result *result)
{
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return;
    memset(result, 0, sizeof *result);
    if (WIFSIGNALED(status) && WTERMSIG(status) == SIGPROF) {
        result->verdict = SK_VERDICT_STUCK;
        snprintf(result->problem, sizeof result->problem, "no end within %u s of processor time", (unsigned)seconds_max);
        return;
    }
    result->verdict = SK_VERDICT_CRASH;
    read_said(said, result->problem, sizeof result->problem);
    if (result->problem[0]) return;
    if (WIFSIGNALED(status))
        snprintf(result->problem, sizeof result->problem, "the process died of signal %d", WTERMSIG(status));
    else
        snprintf(result->problem, sizeof result->problem, "the process ended with status %d", WEXITSTATUS(status));
}

void sk_attempt_run(const sk_attempt *attempt, sk_attempt_result *result)
{
    sk_attempt_result *shared =
        mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED) {
        perror("skein-sim: mmap");
        exit(1);
    }
    FILE *said = temporary_file();
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) run_here(attempt, said, shared);
    if (pid < 0) {
        perror("skein-sim: fork");
        exit(1);
    }
    int status;
    while (waitpid(pid, &status, 0) < 0) SK_ASSERT(errno == EINTR);
    *result = *shared;
    judge(status, attempt->fleet->seconds_max, said, result);
    fclose(said);
    munmap(shared, sizeof *shared);
}

sk_plan *sk_attempt_plan(const sk_fleet_options *fleet, uint64_t seed, sk_attempt_result *result)
{
    FILE *notes = temporary_file();
    sk_attempt attempt = {.fleet = fleet, .seed = seed, .plan_notes = notes};
    sk_attempt_run(&attempt, result);
    sk_plan *plan = sk_alloc(sizeof *plan);
    sk_plan_read(plan, notes);
    fclose(notes);
    return plan;
}
