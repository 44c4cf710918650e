// Scripts over a tiny raft cluster: commands and the trace expected of them (test/script/raft/*.txt).
//
//     command ...          any number of lines, # begins a comment
//     ----
//     expected trace       up to an empty line
//
// Commands (ids are nodes; nothing moves unless a command says so; a message arrives at once or stays in the network)
//     nodes N | campaign ID | turn ID | settle | quiet COMMAND ...
//     deliver FROM TO KIND | drop FROM TO | network | durable ID | freeze
//     submit ID TEXT | read ID | cut A B | heal | kill ID | start ID [damaged] | lose ID COUNT
//     link ID PEER up/down | time MS | snapshot ID | window BYTES | status
// SKEIN_ACCEPT=1 rewrites what is expected (script/accept); the diff is then reviewed.
#include <dirent.h>
#include "base/bytes.h"
#include "test/support/raft_cluster.h"

typedef struct script {
    cluster *c;
    sk_buffer produced; // the whole file as it should be
} script;

static void trace_status(cluster *c)
{
    static const char *const roles[] = {"follower", "candidate", "leader", "learner", "halted"};
    for (sk_node_id id = 1; id <= c->count; id++) {
        if (!c->nodes[id].up) {
            fprintf(c->trace, "%u down\n", id);
            continue;
        }
        sk_status s = status_of(c, id);
        fprintf(c->trace,
                "%u %s term=%llu leader=%u log=%llu..%llu commit=%llu applied=%llu durable=%llu%s%s\n", id,
                roles[s.role], (unsigned long long)s.epoch, s.leader, (unsigned long long)s.first,
                (unsigned long long)s.last, (unsigned long long)s.committed, (unsigned long long)s.applied,
                (unsigned long long)raft_of(c, id)->log.durable, s.why ? ": " : "", s.why ? s.why : "");
    }
}

static void trace_network(cluster *c)
{
    for (size_t i = 0; i < c->packet_count; i++) {
        fprintf(c->trace, "%u to %u ", c->network[i].from, c->network[i].to);
        trace_message(c->trace, c->network[i].bytes);
        fprintf(c->trace, "\n");
    }
}

static enum sk_raft_kind kind_of(const char *name)
{
    for (int kind = 1; kind < SK_RAFT_KIND_END; kind++) {
        if (!strcmp(sk_raft_kind_name((enum sk_raft_kind)kind), name)) return (enum sk_raft_kind)kind;
    }
    fail_msg("no message kind %s", name);
    return SK_RAFT_KIND_NONE;
}

static void lose_records(cluster *c, sk_node_id id, unsigned count)
{
    member *m = cluster_node(c, id);
    assert_false(m->up);
    for (; count && m->disk_count; count--) slice_drop(m->disk[--m->disk_count].record.payload);
}

static bool run_topology(script *s, const char *verb, unsigned a, unsigned b, const char *rest)
{
    cluster *c = s->c;
    if (!strcmp(verb, "cut")) {
        c->cut[a][b] = c->cut[b][a] = true;
    } else if (!strcmp(verb, "heal")) {
        cluster_heal(c);
    } else if (!strcmp(verb, "kill")) {
        cluster_kill(c, a);
    } else if (!strcmp(verb, "start")) {
        cluster_start(c, a, strstr(rest, "damaged") != NULL);
        raft_inside(c, a)->election_at = SK_NEVER;
    } else if (!strcmp(verb, "lose")) {
        lose_records(c, a, b);
    } else if (!strcmp(verb, "link")) {
        cluster_link(c, a, b, strstr(rest, "up") != NULL);
    } else if (!strcmp(verb, "window")) {
        for (sk_node_id id = 1; id <= c->count; id++) raft_inside(c, id)->log.bytes_max = a;
    } else if (!strcmp(verb, "freeze")) {
        for (sk_node_id id = 1; id <= c->count; id++) c->nodes[id].disk_auto = false;
    } else {
        return false;
    }
    return true;
}

static bool run_messages(script *s, const char *verb, unsigned a, unsigned b, const char *rest)
{
    cluster *c = s->c;
    if (!strcmp(verb, "deliver")) {
        char name[32] = "";
        sscanf(rest, "%*u %*u %31s", name);
        if (!cluster_deliver_kind(c, a, b, kind_of(name))) fprintf(c->trace, "no such message\n");
    } else if (!strcmp(verb, "drop")) {
        cluster_drop(c, a, b);
    } else if (!strcmp(verb, "network")) {
        trace_network(c);
    } else if (!strcmp(verb, "settle")) {
        cluster_settle(c);
    } else {
        return false;
    }
    return true;
}

static void run_command(script *s, char *line)
{
    char verb[32] = "";
    int used = 0;
    if (sscanf(line, "%31s %n", verb, &used) < 1 || verb[0] == '#') return;
    const char *rest = line + used;
    unsigned a = 0, b = 0;
    sscanf(rest, "%u %u", &a, &b);
    cluster *c = s->c;
    if (!strcmp(verb, "campaign")) { // nobody else's timer interferes
        for (sk_node_id id = 1; id <= c->count; id++) {
            if (c->nodes[id].up) raft_inside(c, id)->election_at = SK_NEVER;
        }
        cluster_campaign(c, a);
        cluster_turn(c, a);
    } else if (!strcmp(verb, "turn")) {
        cluster_turn(c, a);
    } else if (!strcmp(verb, "durable")) {
        cluster_durable(c, a);
    } else if (!strcmp(verb, "submit")) {
        cluster_submit(c, a, strchr(rest, ' ') ? strchr(rest, ' ') + 1 : "");
    } else if (!strcmp(verb, "read")) {
        cluster_read(c, a);
    } else if (!strcmp(verb, "time")) {
        c->now += a * SK_MS;
    } else if (!strcmp(verb, "snapshot")) {
        cluster_take_snapshot(c, a);
    } else if (!strcmp(verb, "status")) {
        trace_status(c);
    } else if (!run_topology(s, verb, a, b, rest) && !run_messages(s, verb, a, b, rest)) {
        fail_msg("no command %s", verb);
    }
}

// One line, with its trace into `out` unless it asks for quiet.
static void run_line(script *s, char *line, FILE *out)
{
    unsigned count = 0;
    if (sscanf(line, "nodes %u", &count) == 1) {
        assert_null(s->c);
        s->c = lab_new(count);
        for (sk_node_id id = 1; id <= count; id++) raft_inside(s->c, id)->election_at = SK_NEVER;
        return;
    }
    if (line[0] && line[0] != '#') assert_non_null(s->c);
    if (!s->c) return;
    bool quiet = !strncmp(line, "quiet ", 6);
    FILE *null = quiet ? fopen("/dev/null", "w") : NULL;
    s->c->trace = quiet ? null : out;
    run_command(s, quiet ? line + 6 : line);
    s->c->trace = NULL;
    if (null) fclose(null);
}

static void run_text(script *s, char *text)
{
    char *trace = NULL;
    size_t trace_size = 0;
    FILE *out = open_memstream(&trace, &trace_size);
    bool expecting = false;
    for (char *line = text, *next; line && *line; line = next) {
        next = strchr(line, '\n');
        if (next) *next++ = 0;
        if (expecting) { // skipped: produced again instead
            if (!*line) {
                expecting = false;
                sk_buffer_append_text(&s->produced, "\n");
            }
            continue;
        }
        sk_buffer_printf(&s->produced, "%s\n", line);
        if (!strcmp(line, "----")) {
            fflush(out);
            sk_buffer_append(&s->produced, trace, trace_size);
            rewind(out);
            fclose(out);
            free(trace);
            out = open_memstream(&trace, &trace_size);
            expecting = true;
            continue;
        }
        run_line(s, line, out);
    }
    fclose(out);
    free(trace);
}

static char *read_file(const char *path)
{
    FILE *file = fopen(path, "r");
    if (!file) fail_msg("cannot read %s", path);
    sk_buffer bytes = {0};
    size_t count;
    do {
        uint8_t *at = sk_buffer_reserve(&bytes, 4096);
        count = fread(at, 1, 4096, file);
        bytes.size += count;
    } while (count);
    fclose(file);
    sk_buffer_append_byte(&bytes, 0);
    return (char *)bytes.data;
}

static void show_difference(const char *path, const char *expected, const char *produced)
{
    int line = 1;
    while (*expected && *expected == *produced) {
        line += *expected == '\n';
        expected++;
        produced++;
    }
    while (line > 1 && expected[-1] != '\n') {
        expected--;
        produced--;
    }
    fprintf(stderr, "%s:%d\n  expected: %.*s\n  produced: %.*s\n(script/accept rewrites it)\n", path, line,
            (int)strcspn(expected, "\n"), expected, (int)strcspn(produced, "\n"), produced);
}

static bool run_file(const char *path)
{
    char *expected = read_file(path);
    char *text = strdup(expected);
    script s = {0};
    run_text(&s, text);
    sk_buffer_append_byte(&s.produced, 0);
    bool equal = !strcmp(expected, (const char *)s.produced.data);
    if (!equal && getenv("SKEIN_ACCEPT")) {
        FILE *file = fopen(path, "w");
        assert_non_null(file);
        fputs((const char *)s.produced.data, file);
        assert_int_equal(fclose(file), 0);
        printf("accepted %s\n", path);
        equal = true;
    }
    if (!equal) show_difference(path, expected, (const char *)s.produced.data);
    if (s.c) cluster_close(s.c);
    sk_buffer_deinit(&s.produced);
    free(text);
    sk_free(expected);
    return equal;
}

static int is_script(const struct dirent *entry)
{
    size_t size = strlen(entry->d_name);
    return size > 4 && !strcmp(entry->d_name + size - 4, ".txt");
}

static void all_scripts(void **state)
{
    (void)state;
    struct dirent **list;
    int count = scandir("test/script/raft", &list, is_script, alphasort);
    assert_true(count > 0); // run it from the root of the sources
    int failed = 0;
    for (int i = 0; i < count; i++) {
        char path[300];
        snprintf(path, sizeof path, "test/script/raft/%s", list[i]->d_name);
        failed += !run_file(path);
        free(list[i]);
    }
    free(list);
    assert_int_equal(failed, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(all_scripts)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
