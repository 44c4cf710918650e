#include "sim/fleet.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "base/assert.h"
#include "sim/clients.h"

// What a worker shares with its parent.
typedef struct worker {
    pid_t pid;
    atomic_uint_fast64_t seed;  // under way; 0: none
    atomic_uint_fast64_t since; // milliseconds of the worker's own processor time
    bool busy;
    sk_fleet_totals totals;
    uint32_t failure_count;
    sk_fleet_failure failures[SK_FLEET_FAILURES_MAX];
} worker;

typedef struct fleet {
    atomic_uint_fast64_t next;
    atomic_bool stop;
    worker workers[SK_FLEET_JOBS_MAX];
} fleet;

static uint64_t clock_ms(clockid_t clock)
{
    struct timespec now;
    if (clock_gettime(clock, &now)) return 0;
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static uint64_t real_ms(void)
{
    return clock_ms(CLOCK_MONOTONIC);
}

// Of all workers that have ended.
static double cpu_seconds(void)
{
    struct rusage used;
    getrusage(RUSAGE_CHILDREN, &used);
    return (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) + (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6;
}

static void note_failure(worker *self, uint64_t seed, enum sk_verdict verdict, const char *problem)
{
    if (self->failure_count < SK_FLEET_FAILURES_MAX) {
        sk_fleet_failure *failure = &self->failures[self->failure_count];
        *failure = (sk_fleet_failure){.seed = seed, .verdict = verdict};
        snprintf(failure->problem, sizeof failure->problem, "%s", problem);
    }
    self->failure_count++;
}

static void count_reached(sk_fleet_totals *totals, const sk_world *world)
{
    for (int i = 0; i < SK_SOMETIMES_END; i++) totals->sometimes[i] += world->sometimes[i];
    uint64_t led = world->led_after * 1000 / world->swarm.lead_max;
    if (led <= totals->led_after_max) return;
    totals->led_after_max = led;
    totals->led_after_seed = world->swarm.seed;
}

static void count(sk_fleet_totals *totals, const sk_world *world)
{
    const sk_judge_counts *judged = sk_clients_judged(world->clients);
    uint64_t acknowledged = sk_clients_acknowledged(world->clients);
    uint32_t kinds = 0;
    totals->schedules++;
    totals->events += world->events;
    totals->virtual_ns += world->now;
    totals->checked += world->checked;
    totals->operations += sk_clients_operations(world->clients);
    totals->acknowledged += acknowledged;
    totals->judged.keys += judged->keys;
    totals->judged.linearized += judged->linearized;
    totals->judged.given_up += judged->given_up;
    for (int i = 0; i < SK_FAULT_END; i++) {
        totals->faults[i] += world->faults[i];
        totals->fault_schedules[i] += world->faults[i] > 0;
        kinds += world->faults[i] > 0;
    }
    totals->full += world->events >= SK_FULL_EVENTS_MIN && kinds >= SK_FULL_KINDS_MIN && acknowledged >= SK_FULL_OPERATIONS_MIN;
    count_reached(totals, world);
}

static void run_seed(const sk_fleet_options *options, worker *self, uint64_t seed)
{
    sk_swarm swarm;
    sk_swarm_draw(&swarm, seed, &options->wish);
    sk_world *world = sk_world_open(&swarm, options->plant, options->events_max, NULL);
    enum sk_verdict verdict = sk_world_run(world);
    count(&self->totals, world);
    if (verdict != SK_VERDICT_OK) note_failure(self, seed, verdict, world->problem);
    sk_world_close(world);
}

static _Noreturn void work(const sk_fleet_options *options, fleet *shared, worker *self)
{
    for (;;) {
        if (atomic_load(&shared->stop)) break;
        uint64_t seed = atomic_fetch_add(&shared->next, 1);
        if (seed > options->last) break;
        atomic_store(&self->since, clock_ms(CLOCK_PROCESS_CPUTIME_ID));
        atomic_store(&self->seed, seed + 1);
        uint32_t failures = self->failure_count;
        run_seed(options, self, seed);
        atomic_store(&self->seed, 0);
        if (self->failure_count > failures && !options->keep_going) atomic_store(&shared->stop, true);
    }
    _exit(0);
}

static void start(const sk_fleet_options *options, fleet *shared, worker *self)
{
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) work(options, shared, self);
    if (pid < 0) {
        perror("fork");
        exit(1);
    }
    self->pid = pid;
    self->busy = true;
}

static void on_exit_of(const sk_fleet_options *options, fleet *shared, worker *self, int status)
{
    self->busy = false;
    uint64_t seed = atomic_exchange(&self->seed, 0);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return;
    char problem[80];
    bool looped = WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM;
    if (looped)
        snprintf(problem, sizeof problem, "no end within %" PRIu32 " s of processor time", options->seconds_max);
    else if (WIFSIGNALED(status))
        snprintf(problem, sizeof problem, "the process died of signal %d", WTERMSIG(status));
    else
        snprintf(problem, sizeof problem, "the process ended with status %d", WEXITSTATUS(status));
    SK_ASSERT(seed > 0);
    self->totals.schedules++;
    note_failure(self, seed - 1, looped ? SK_VERDICT_STUCK : SK_VERDICT_CRASH, problem);
    if (!options->keep_going) atomic_store(&shared->stop, true);
    if (!atomic_load(&shared->stop)) start(options, shared, self);
}

static void show_progress(const sk_fleet_options *options, const fleet *shared, uint64_t begun)
{
    uint64_t done = 0, events = 0, failures = 0, virtual_ns = 0;
    for (uint32_t i = 0; i < options->jobs; i++) {
        const sk_fleet_totals *totals = &shared->workers[i].totals;
        done += totals->schedules;
        events += totals->events;
        virtual_ns += totals->virtual_ns;
        failures += shared->workers[i].failure_count;
    }
    double seconds = (double)(real_ms() - begun) / 1000;
    char all[32] = "", left[48] = "";
    double until = 0;
    if (options->last != UINT64_MAX) {
        uint64_t count = options->last - options->first + 1;
        snprintf(all, sizeof all, " of %" PRIu64, count);
        until = done ? seconds / (double)done * (double)(count - done) : 0;
    }
    if (options->seconds && (options->last == UINT64_MAX || until > options->seconds - seconds)) until = options->seconds - seconds;
    if (until > 0) snprintf(left, sizeof left, ", %.0f:%02.0f left", (double)((uint64_t)until / 60), (double)((uint64_t)until % 60));
    fprintf(stderr, "\r%" PRIu64 "%s schedules, %.1f/s, %.0f k events/s, %.0f times real time, %" PRIu64 " failed%s   ", done, all,
            (double)done / seconds, (double)events / seconds / 1000, (double)virtual_ns / 1e9 / seconds, failures, left);
}

// A worker that has worked on one seed for too long gets SIGALRM. It is its own time that counts: a busy machine is no loop.
static void watch(const sk_fleet_options *options, fleet *shared)
{
    for (uint32_t i = 0; i < options->jobs; i++) {
        worker *self = &shared->workers[i];
        if (!self->busy || !atomic_load(&self->seed)) continue;
        clockid_t clock;
        if (clock_getcpuclockid(self->pid, &clock)) continue;
        uint64_t since = atomic_load(&self->since), now = clock_ms(clock);
        if (now > since && now - since > options->seconds_max * 1000ull) kill(self->pid, SIGALRM);
    }
}

// Up to 10 ms. True: SIGINT came (it is blocked everywhere while a fleet runs).
static bool wait_interrupted(const sigset_t *set)
{
    struct timespec wait = {.tv_nsec = 10000000};
    return sigtimedwait(set, NULL, &wait) == SIGINT;
}

static void wait_all(const sk_fleet_options *options, fleet *shared, uint64_t begun, const sigset_t *interrupt)
{
    for (uint32_t rounds = 0;; rounds++) {
        int status;
        pid_t pid = waitpid(-1, &status, WNOHANG);
        if (pid < 0 && errno == ECHILD) return;
        for (uint32_t i = 0; pid > 0 && i < options->jobs; i++) {
            if (shared->workers[i].busy && shared->workers[i].pid == pid)
                on_exit_of(options, shared, &shared->workers[i], status);
        }
        if (pid > 0) continue;
        if (options->progress && rounds % 50 == 10) show_progress(options, shared, begun);
        bool late = options->seconds && real_ms() - begun > options->seconds * 1000ull;
        if (late) atomic_store(&shared->stop, true);
        watch(options, shared);
        if (wait_interrupted(interrupt)) atomic_store(&shared->stop, true);
    }
}

static int by_seed(const void *left, const void *right)
{
    const sk_fleet_failure *a = left, *b = right;
    return a->seed < b->seed ? -1 : a->seed > b->seed;
}

static void add(sk_fleet_totals *to, const sk_fleet_totals *one)
{
    to->schedules += one->schedules;
    to->full += one->full;
    to->events += one->events;
    to->virtual_ns += one->virtual_ns;
    to->checked += one->checked;
    to->operations += one->operations;
    to->acknowledged += one->acknowledged;
    to->judged.keys += one->judged.keys;
    to->judged.linearized += one->judged.linearized;
    to->judged.given_up += one->judged.given_up;
    for (int i = 0; i < SK_FAULT_END; i++) {
        to->faults[i] += one->faults[i];
        to->fault_schedules[i] += one->fault_schedules[i];
    }
    for (int i = 0; i < SK_SOMETIMES_END; i++) to->sometimes[i] += one->sometimes[i];
    if (one->led_after_max <= to->led_after_max) return;
    to->led_after_max = one->led_after_max;
    to->led_after_seed = one->led_after_seed;
}

static void gather(const fleet *shared, uint32_t jobs, sk_fleet_report *report)
{
    uint32_t told = 0;
    for (uint32_t i = 0; i < jobs; i++) {
        const worker *one = &shared->workers[i];
        add(&report->totals, &one->totals);
        for (uint32_t k = 0;
             k < one->failure_count && k < SK_FLEET_FAILURES_MAX && told < SK_FLEET_FAILURES_MAX; k++)
            report->failures[told++] = one->failures[k];
        report->failure_count += one->failure_count;
    }
    qsort(report->failures, told, sizeof *report->failures, by_seed);
}

void sk_fleet_run(const sk_fleet_options *options, sk_fleet_report *report)
{
    SK_ASSERT(options->jobs >= 1 && options->jobs <= SK_FLEET_JOBS_MAX && options->first <= options->last);
    memset(report, 0, sizeof *report);
    fleet *shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED) {
        perror("mmap");
        exit(1);
    }
    uint64_t begun = real_ms();
    double cpu = cpu_seconds();
    sigset_t interrupt, before;
    sigemptyset(&interrupt);
    sigaddset(&interrupt, SIGINT);
    sigprocmask(SIG_BLOCK, &interrupt, &before);
    atomic_store(&shared->next, options->first);
    for (uint32_t i = 0; i < options->jobs; i++) start(options, shared, &shared->workers[i]);
    wait_all(options, shared, begun, &interrupt);
    if (options->progress) fprintf(stderr, "\r%90s\r", "");
    gather(shared, options->jobs, report);
    sigprocmask(SIG_SETMASK, &before, NULL);
    uint64_t next = atomic_load(&shared->next);
    report->last = next > options->last ? options->last : next - 1;
    report->seconds = (double)(real_ms() - begun) / 1000;
    report->cpu_seconds = cpu_seconds() - cpu;
    munmap(shared, sizeof *shared);
}
