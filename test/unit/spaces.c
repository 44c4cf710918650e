// Spaces: the catalogue and a space's rules by themselves; then on one node, through every crash of a CREATE and a DROP.
#include <stdlib.h>

#include "base/error.h"
#include "node/catalogue.h"
#include "node/rules.h"
#include "node/state.h"
#include "node/verdict.h"
#include "redis/command.h"
#include "test/support/one_node.h"

// ---- The catalogue ----

static const char *change(sk_catalogue *catalogue, sk_buffer *request)
{
    static char text[256];
    sk_slice argv[3];
    assert_int_equal(sk_command_decode(sk_buffer_slice(request), argv, 3), 3);
    sk_buffer reply = {0};
    sk_catalogue_apply(catalogue, 3, argv, &reply);
    sk_catalogue_check(catalogue);
    assert_true(reply.size > 0 && reply.size < sizeof text);
    memcpy(text, reply.data, reply.size);
    text[reply.size] = 0;
    sk_buffer_deinit(&reply);
    sk_buffer_clear(request);
    return text;
}

static const char *create(sk_catalogue *catalogue, const char *name, const char *prefix, uint32_t number)
{
    sk_buffer request = {0};
    sk_space_record record = {.number = number, .protocol = "raft", .phase = SK_PHASE_ACTIVE, .prefix = sk_slice_text(prefix)};
    snprintf(record.name, sizeof record.name, "%s", name);
    sk_catalogue_write_create(&request, &record);
    const char *reply = change(catalogue, &request);
    sk_buffer_deinit(&request);
    return reply;
}

static void step(sk_catalogue *catalogue, const char *verb, const char *name)
{
    const sk_space_record *record = sk_catalogue_by_name(catalogue, sk_slice_text(name));
    assert_non_null(record);
    sk_buffer request = {0};
    sk_catalogue_write_step(&request, verb, record->id, record->fence_version);
    assert_string_equal(change(catalogue, &request), "+OK\r\n");
    sk_buffer_deinit(&request);
}

static const char *drop(sk_catalogue *catalogue, const char *name, bool force)
{
    sk_buffer request = {0};
    sk_catalogue_write_drop(&request, sk_slice_text(name), force);
    const char *reply = change(catalogue, &request);
    sk_buffer_deinit(&request);
    return reply;
}

static void created(sk_catalogue *catalogue, const char *name, const char *prefix, uint32_t number)
{
    assert_int_equal(create(catalogue, name, prefix, number)[0], 1);
    step(catalogue, "FENCED", name);
    step(catalogue, "ACTIVE", name);
}

static const char *owner(const sk_catalogue *catalogue, const char *key)
{
    const sk_space_record *record = sk_catalogue_owner(catalogue, sk_slice_text(key));
    return record ? record->name : "";
}

static void begins(const char *text, const char *with)
{
    if (strncmp(text, with, strlen(with))) fail_msg("'%s' does not begin with '%s'", text, with);
}

static void no_prefix_begins_another(void **state)
{
    sk_catalogue catalogue;
    sk_catalogue_init(&catalogue);
    created(&catalogue, "one", "b/", 0);
    begins(create(&catalogue, "two", "b/x", 0), "-ERR no prefix may begin another's");
    begins(create(&catalogue, "two", "b", 0), "-ERR no prefix may begin another's");
    begins(create(&catalogue, "two", "b/", 0), "-ERR no prefix may begin another's");
    created(&catalogue, "two", "a", 0);
    created(&catalogue, "three", "b0", 0);
    assert_string_equal(owner(&catalogue, "b/"), "one");
    assert_string_equal(owner(&catalogue, "b/key"), "one");
    assert_string_equal(owner(&catalogue, "b"), "");
    assert_string_equal(owner(&catalogue, "b."), "");
    assert_string_equal(owner(&catalogue, "b0"), "three");
    assert_string_equal(owner(&catalogue, "azz"), "two");
    assert_string_equal(owner(&catalogue, ""), "");
    assert_string_equal(owner(&catalogue, "c"), "");
    sk_catalogue_deinit(&catalogue);
}

// Against a look at every prefix.
static void owners_of_random_keys(void **state)
{
    sk_prng prng;
    sk_prng_init(&prng, 5);
    sk_catalogue catalogue;
    sk_catalogue_init(&catalogue);
    for (int i = 0; i < 60; i++) {
        char name[16], prefix[8];
        snprintf(name, sizeof name, "s%d", i);
        size_t size = (size_t)sk_prng_between(&prng, 1, 4);
        for (size_t k = 0; k < size; k++) prefix[k] = (char)('a' + sk_prng_below(&prng, 3));
        prefix[size] = 0;
        if (create(&catalogue, name, prefix, 0)[0] != 1) continue;
        step(&catalogue, "FENCED", name);
        step(&catalogue, "ACTIVE", name);
    }
    assert_true(sk_catalogue_created(&catalogue) > 5);
    for (int i = 0; i < 5000; i++) {
        char key[8];
        size_t size = (size_t)sk_prng_below(&prng, 6);
        for (size_t k = 0; k < size; k++) key[k] = (char)('a' + sk_prng_below(&prng, 3));
        key[size] = 0;
        const char *expected = "";
        for (size_t k = 0; k < catalogue.count; k++) {
            if (sk_prefix_begins(catalogue.records[k].prefix, sk_slice_text(key))) expected = catalogue.records[k].name;
        }
        assert_string_equal(owner(&catalogue, key), expected);
    }
    sk_catalogue_deinit(&catalogue);
}

static void numbers_and_ids_are_never_used_again(void **state)
{
    sk_catalogue catalogue;
    sk_catalogue_init(&catalogue);
    created(&catalogue, "a", "a/", 0);
    created(&catalogue, "b", "b/", 4);
    created(&catalogue, "c", "c/", 0);
    created(&catalogue, "d", "d/", 0);
    assert_int_equal(sk_catalogue_by_name(&catalogue, sk_slice_text("a"))->number, 2);
    assert_int_equal(sk_catalogue_by_name(&catalogue, sk_slice_text("c"))->number, 3);
    assert_int_equal(sk_catalogue_by_name(&catalogue, sk_slice_text("d"))->number, 5);
    uint32_t id = sk_catalogue_by_name(&catalogue, sk_slice_text("b"))->id;
    assert_int_equal(drop(&catalogue, "b", true)[0], 1);
    step(&catalogue, "DROPPED", "b");
    begins(create(&catalogue, "b", "b/", 4), "-ERR number 4 is or was a space's");
    created(&catalogue, "b", "b/", 0);
    assert_int_equal(sk_catalogue_by_name(&catalogue, sk_slice_text("b"))->number, 6);
    assert_true(sk_catalogue_by_name(&catalogue, sk_slice_text("b"))->id > id);
    // What is refused has used its number too.
    assert_int_equal(create(&catalogue, "e", "e/", 9)[0], 1);
    step(&catalogue, "REFUSED", "e");
    begins(create(&catalogue, "e", "e/", 9), "-ERR number 9");
    sk_catalogue_deinit(&catalogue);
}

static void one_space_is_under_way(void **state)
{
    sk_catalogue catalogue;
    sk_catalogue_init(&catalogue);
    assert_int_equal(create(&catalogue, "a", "a/", 0)[0], 1);
    assert_string_equal(owner(&catalogue, "a/x"), ""); // until the fence stands
    begins(create(&catalogue, "b", "b/", 0), "-TRYAGAIN");
    begins(drop(&catalogue, "a", true), "-TRYAGAIN");
    step(&catalogue, "ACTIVE", "a"); // not its turn: nothing happens
    assert_int_equal(sk_catalogue_by_name(&catalogue, sk_slice_text("a"))->phase, SK_PHASE_CREATING);
    uint64_t routing = catalogue.routing, fence = sk_catalogue_by_name(&catalogue, sk_slice_text("a"))->fence_version;
    assert_true(routing < fence);
    step(&catalogue, "FENCED", "a");
    assert_true(catalogue.routing > fence);
    assert_string_equal(owner(&catalogue, "a/x"), "a");
    step(&catalogue, "FENCED", "a");
    step(&catalogue, "REFUSED", "a"); // too late
    step(&catalogue, "ACTIVE", "a");
    assert_int_equal(drop(&catalogue, "a", false)[0], 1);
    step(&catalogue, "KEPT", "a");
    assert_string_equal(owner(&catalogue, "a/x"), "a");
    sk_catalogue_deinit(&catalogue);
}

static void bytes_and_back(void **state)
{
    sk_catalogue catalogue, other;
    sk_catalogue_init(&catalogue);
    sk_catalogue_init(&other);
    sk_buffer request = {0}, bytes = {0}, again = {0};
    sk_catalogue_write_init(&request, 4711);
    assert_string_equal(change(&catalogue, &request), "+OK\r\n");
    created(&catalogue, "a", "a/", 0);
    created(&catalogue, "b", "b/", 77);
    assert_int_equal(drop(&catalogue, "a", true)[0], 1);
    sk_catalogue_encode(&catalogue, &bytes);
    assert_int_equal(sk_catalogue_decode(&other, sk_buffer_slice(&bytes)), 0);
    sk_catalogue_encode(&other, &again);
    assert_true(sk_slice_equal(sk_buffer_slice(&bytes), sk_buffer_slice(&again)));
    sk_catalogue_check(&other);
    for (size_t size = 0; size < bytes.size; size++)
        assert_int_equal(sk_catalogue_decode(&other, sk_slice_make(bytes.data, size)), SK_ECORRUPT);
    sk_prng prng;
    sk_prng_init(&prng, 3);
    for (int i = 0; i < 3000; i++) { // whatever comes of damaged bytes, nothing breaks
        size_t at = (size_t)sk_prng_below(&prng, bytes.size);
        uint8_t was = bytes.data[at];
        bytes.data[at] = (uint8_t)sk_prng_next(&prng);
        (void)sk_catalogue_decode(&other, sk_buffer_slice(&bytes));
        bytes.data[at] = was;
    }
    sk_buffer_deinit(&request);
    sk_buffer_deinit(&bytes);
    sk_buffer_deinit(&again);
    sk_catalogue_deinit(&catalogue);
    sk_catalogue_deinit(&other);
}

// ---- One node ----

typedef struct spaces_world {
    world w;
    connection c;
    sk_node_config config;
} spaces_world;

static void spaces_open(spaces_world *s)
{
    world_prepare(&s->config);
    world_open(&s->w, &s->config);
    connect_client(&s->w, &s->c, "10.0.0.9:50000");
    ask(&s->w, &s->c, "SET there 1");
}

static void spaces_close(spaces_world *s)
{
    disconnect(&s->w, &s->c);
    world_close(&s->w);
}

// The power fails, and comes back.
static void spaces_crash(spaces_world *s)
{
    disconnect(&s->w, &s->c);
    sim_disk_crash(s->w.disk);
    sk_identity identity = *sk_node_identity(s->w.node);
    sk_node_close(s->w.node);
    char problem[256];
    assert_int_equal(sk_node_open(&s->w.node, &s->config, &identity, &s->w.host, sim_disk_face(s->w.disk), &s->w.sink, s->w.now,
                                  problem, sizeof problem),
                     0);
    connect_client(&s->w, &s->c, "10.0.0.9:50000");
    for (int i = 0; i < 100; i++) turn(&s->w, 10 * SK_MS);
}

static const char *say(spaces_world *s, const char *line)
{
    return ask(&s->w, &s->c, line);
}

static void is(spaces_world *s, const char *line, const char *reply)
{
    const char *got = say(s, line);
    if (strcmp(got, reply)) fail_msg("%s: '%s', not '%s'", line, got, reply);
}

static void routes(spaces_world *s)
{
    is(s, "SET s/a 1", "+OK\r\n");
    is(s, "GET s/a", "$1\r\n1\r\n");
    is(s, "DBSIZE", ":1\r\n");
    is(s, "SELECT 2", "+OK\r\n");
    is(s, "GET a", "$1\r\n1\r\n");
    is(s, "DBSIZE", ":1\r\n");
    is(s, "SELECT 0", "+OK\r\n");
    begins(say(s, "MGET s/a there"), "-CROSSSPACE");
}

static void created_used_and_there_again(void **state)
{
    spaces_world s;
    spaces_open(&s);
    is(&s, "SPACE CREATE s PREFIX s/ PROTOCOL raft", "+OK\r\n");
    routes(&s);
    spaces_crash(&s);
    routes(&s);
    begins(say(&s, "SPACE DROP s"), "-ERR the space holds keys");
    is(&s, "SET s/b 2", "+OK\r\n");
    is(&s, "SPACE DROP s FORCE", "+OK\r\n");
    is(&s, "GET s/a", "$-1\r\n");
    is(&s, "SET s/a default", "+OK\r\n");
    is(&s, "DBSIZE", ":2\r\n");
    is(&s, "SELECT 2", "-ERR DB index is out of range\r\n");
    begins(say(&s, "SPACE CREATE s PREFIX s/ PROTOCOL raft"), "-ERR the default space has keys with this prefix");
    spaces_crash(&s);
    is(&s, "GET s/a", "$7\r\ndefault\r\n");
    spaces_close(&s);
}

static void a_connection_bound_to_what_is_dropped(void **state)
{
    spaces_world s;
    spaces_open(&s);
    connection other;
    connect_client(&s.w, &other, "10.0.0.8:50000");
    is(&s, "SPACE CREATE s PREFIX s/ PROTOCOL raft", "+OK\r\n");
    is(&s, "SELECT 2", "+OK\r\n");
    is(&s, "SET a 1", "+OK\r\n");
    assert_string_equal(ask(&s.w, &other, "SPACE DROP s FORCE"), "+OK\r\n");
    begins(say(&s, "GET a"), "-ERR the space that SELECT 2 chose has been dropped");
    is(&s, "SELECT 0", "+OK\r\n");
    is(&s, "GET s/a", "$-1\r\n");
    disconnect(&s.w, &other);
    spaces_close(&s);
}

static void read_modes(void **state)
{
    spaces_world s;
    spaces_open(&s);
    is(&s, "READMODE", "$7\r\ndefault\r\n");
    is(&s, "READMODE local", "+OK\r\n");
    is(&s, "GET there", "$1\r\n1\r\n");
    is(&s, "READMODE session", "+OK\r\n");
    for (int i = 0; i < 20; i++) {
        char line[32], reply[32];
        snprintf(line, sizeof line, "SET there %d", i);
        is(&s, line, "+OK\r\n");
        snprintf(reply, sizeof reply, "$%d\r\n%d\r\n", i < 10 ? 1 : 2, i);
        is(&s, "GET there", reply);
    }
    begins(say(&s, "READMODE fresh"), "-ERR READMODE is");
    is(&s, "RESET", "+RESET\r\n");
    is(&s, "READMODE", "$7\r\ndefault\r\n");
    spaces_close(&s);
}

static void the_bound_is_the_spaces(void **state)
{
    spaces_world s;
    world_prepare(&s.config);
    s.config.space_memory_max = 5000;
    world_open(&s.w, &s.config);
    connect_client(&s.w, &s.c, "10.0.0.9:50000");
    is(&s, "SET there 1", "+OK\r\n");
    for (int i = 0; i < 50; i++) turn(&s.w, 10 * SK_MS);
    is(&s, "SPACE CREATE s PREFIX s/ PROTOCOL raft OPTION memory-max 0", "+OK\r\n");
    s.config.space_memory_max = 0; // another configuration at the next start changes nothing
    spaces_crash(&s);
    bool full = false;
    for (int i = 0; i < 200 && !full; i++) {
        char line[64];
        snprintf(line, sizeof line, "SET key:%d 01234567890123456789", i);
        full = !strncmp(say(&s, line), "-OOM", 4);
    }
    assert_true(full);
    for (int i = 0; i < 200; i++) {
        char line[64];
        snprintf(line, sizeof line, "SET s/%d 01234567890123456789", i);
        is(&s, line, "+OK\r\n");
    }
    is(&s, "SPACE ALTER default OPTION memory-max 1mb", "+OK\r\n");
    for (int i = 0; i < 50; i++) turn(&s.w, 10 * SK_MS);
    is(&s, "SET more 1", "+OK\r\n");
    spaces_close(&s);
}

static void contains(spaces_world *s, const char *line, const char *part)
{
    const char *got = say(s, line);
    if (!strstr(got, part)) fail_msg("%s: '%s' has no '%s'", line, got, part);
}

static void options_are_checked(void **state)
{
    static const struct {
        const char *options, *why;
    } bad[] = {
        {"OPTION conflict best", "-ERR OPTION 'conflict' has no such value: register is lww or mv"},
        {"OPTION colour red", "-ERR OPTION 'colour': a crdt or causal space has the options register"},
        {"OPTION conflict custom", "-ERR OPTION 'conflict': custom needs a rule"},
        {"OPTION rule \"return s[1]\"", "-ERR OPTION 'rule' goes with OPTION conflict custom"},
        {"OPTION conflict merge OPTION rule \"return s[1]\"", "-ERR OPTION 'rule' goes with OPTION conflict custom"},
        {"OPTION conflict custom rule \"return function(s)\\n return s[1] +\\nend\"",
         "-ERR OPTION 'rule': rule:3: unexpected symbol near 'end'"},
        {"OPTION conflict custom OPTION rule \"return os.time()\"", "-ERR OPTION 'rule': rule:1: attempt to index a nil value"},
        {"OPTION conflict custom OPTION rule \"while true do end\"", "-ERR OPTION 'rule': rule:1: it takes more than"},
        {"OPTION conflict custom OPTION rule \"return 1\"", "-ERR OPTION 'rule': rule: it gives number, not a string"},
        {"OPTION conflict custom OPTION rule \"\"", "-ERR OPTION 'rule': a rule has 1 to 4096 bytes"},
    };
    spaces_world s;
    spaces_open(&s);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        char line[512];
        snprintf(line, sizeof line, "SPACE CREATE s PREFIX s/ PROTOCOL crdt %s", bad[i].options);
        begins(say(&s, line), bad[i].why);
    }
    begins(say(&s, "SPACE CREATE s PREFIX s/ PROTOCOL raft OPTION conflict merge"), "-ERR OPTION 'conflict': a raft space has one option");
    is(&s, "SPACE CREATE s PREFIX s/ PROTOCOL crdt OPTION CONFLICT custom OPTION Rule \"return s[1]\" READS local OPTION counter pn", "+OK\r\n");
    contains(&s, "SPACE INFO s", "*6\r\n$8\r\nconflict\r\n$6\r\ncustom\r\n$4\r\nrule\r\n$11\r\nreturn s[1]\r\n$7\r\ncounter\r\n$2\r\npn\r\n");
    is(&s, "SPACE CREATE c PREFIX c/ PROTOCOL causal OPTION conflict merge", "+OK\r\n");
    begins(say(&s, "SPACE ALTER c OPTION conflict custom"), "-ERR OPTION 'conflict': custom needs a rule");
    is(&s, "SPACE ALTER c OPTION rule \"return s[2]\" OPTION conflict custom", "+OK\r\n");
    contains(&s, "SPACE INFO c", "*4\r\n$8\r\nconflict\r\n$6\r\ncustom\r\n$4\r\nrule\r\n$11\r\nreturn s[2]\r\n");
    begins(say(&s, "SPACE ALTER c OPTION rule \"return\""), "-ERR OPTION 'rule': rule: it gives nil");
    is(&s, "SPACE ALTER c OPTION conflict last-writer", "+OK\r\n");
    is(&s, "SPACE ALTER c OPTION rule \"return s[1]\"", "+OK\r\n"); // ahead
    is(&s, "SPACE ALTER c OPTION conflict custom", "+OK\r\n");
    spaces_close(&s);
}

// At once, not only after a start; and after it.
static void altered_options_hold(void **state)
{
    spaces_world s;
    spaces_open(&s);
    is(&s, "SPACE CREATE s PREFIX s/ PROTOCOL crdt", "+OK\r\n");
    is(&s, "DECR s/n", ":-1\r\n");
    is(&s, "SPACE ALTER s OPTION counter g", "+OK\r\n");
    for (int i = 0; i < 50; i++) turn(&s.w, 10 * SK_MS);
    begins(say(&s, "DECR s/n"), "-ERR counters of this space only grow");
    spaces_crash(&s);
    begins(say(&s, "DECR s/n"), "-ERR counters of this space only grow");
    is(&s, "SPACE ALTER s OPTION counter pn", "+OK\r\n");
    for (int i = 0; i < 50; i++) turn(&s.w, 10 * SK_MS);
    is(&s, "DECR s/n", ":-2\r\n");
    spaces_close(&s);
}

// ---- Crashes ----

// Sends the request and lets the disk die after so many requests. True: it was answered +OK. `*halted`: the disk died before the
// node had come to rest.
static bool interrupted(spaces_world *s, const char *line, uint64_t after, bool *halted)
{
    sk_buffer_clear(&s->c.output);
    sk_buffer_append_text(&s->c.input, line);
    sk_buffer_append_text(&s->c.input, "\r\n");
    sim_disk_halt_after(s->w.disk, after);
    for (int i = 0; i < 400 && !sim_disk_halted(s->w.disk); i++) {
        if (i == 0 || s->c.resumed) feed(&s->w, &s->c);
        turn(&s->w, 5 * SK_MS);
    }
    *halted = sim_disk_halted(s->w.disk);
    return s->c.output.size >= 3 && !memcmp(s->c.output.data, "+OK", 3);
}

static bool listed(spaces_world *s)
{
    return strstr(say(s, "SPACE LIST"), "\r\ns/\r\n") != NULL;
}

static void any_crash_of_a_create(void **state)
{
    bool halted = true;
    uint64_t points = 0;
    for (; halted; points++) {
        spaces_world s;
        spaces_open(&s);
        for (int i = 0; i < 100; i++) turn(&s.w, 10 * SK_MS);
        bool acknowledged = interrupted(&s, "SPACE CREATE s PREFIX s/ PROTOCOL raft", points, &halted);
        spaces_crash(&s);
        if (acknowledged) assert_true(listed(&s));
        if (!listed(&s)) is(&s, "SPACE CREATE s PREFIX s/ PROTOCOL raft NUMBER 3", "+OK\r\n");
        is(&s, "SET s/a 1", "+OK\r\n");
        spaces_crash(&s);
        is(&s, "GET s/a", "$1\r\n1\r\n");
        is(&s, "DBSIZE", ":1\r\n");
        is(&s, "SPACE DROP s FORCE", "+OK\r\n");
        is(&s, "GET s/a", "$-1\r\n");
        spaces_close(&s);
    }
    print_message("%d crash points\n", (int)points);
    assert_true(points > 8);
}

static void any_crash_of_a_drop(void **state)
{
    bool halted = true;
    uint64_t points = 0;
    for (; halted; points++) {
        spaces_world s;
        spaces_open(&s);
        is(&s, "SPACE CREATE s PREFIX s/ PROTOCOL raft", "+OK\r\n");
        is(&s, "SET s/a 1", "+OK\r\n");
        for (int i = 0; i < 100; i++) turn(&s.w, 10 * SK_MS);
        bool acknowledged = interrupted(&s, "SPACE DROP s FORCE", points, &halted);
        spaces_crash(&s);
        if (acknowledged) assert_false(listed(&s));
        if (listed(&s)) is(&s, "GET s/a", "$1\r\n1\r\n");
        else is(&s, "GET s/a", "$-1\r\n");
        if (listed(&s)) is(&s, "SPACE DROP s FORCE", "+OK\r\n");
        is(&s, "SET s/a 2", "+OK\r\n");
        is(&s, "DBSIZE", ":2\r\n");
        spaces_crash(&s);
        is(&s, "GET s/a", "$1\r\n2\r\n");
        spaces_close(&s);
    }
    print_message("%d crash points\n", (int)points);
    assert_true(points > 8);
}

// The list of spaces is damaged, or gone: what the log has of them is found all the same.
static void the_roster_is_lost(void **state)
{
    for (int how = 0; how < 3; how++) {
        spaces_world s;
        spaces_open(&s);
        is(&s, "SPACE CREATE s PREFIX s/ PROTOCOL raft", "+OK\r\n");
        is(&s, "SET s/a 1", "+OK\r\n");
        for (int i = 0; i < 100; i++) turn(&s.w, 10 * SK_MS);
        if (how == 0) assert_true(sim_disk_flip(s.w.disk, "spaces", 40, 8));
        if (how == 1) assert_true(sim_disk_lose(s.w.disk, "spaces"));
        if (how == 2) assert_true(sim_disk_cut(s.w.disk, "spaces", 11));
        spaces_crash(&s);
        is(&s, "GET s/a", "$1\r\n1\r\n");
        spaces_crash(&s);
        is(&s, "GET s/a", "$1\r\n1\r\n");
        is(&s, "DBSIZE", ":1\r\n");
        spaces_close(&s);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_prefix_begins_another),
        cmocka_unit_test(owners_of_random_keys),
        cmocka_unit_test(numbers_and_ids_are_never_used_again),
        cmocka_unit_test(one_space_is_under_way),
        cmocka_unit_test(bytes_and_back),
        cmocka_unit_test(created_used_and_there_again),
        cmocka_unit_test(a_connection_bound_to_what_is_dropped),
        cmocka_unit_test(read_modes),
        cmocka_unit_test(the_bound_is_the_spaces),
        cmocka_unit_test(options_are_checked),
        cmocka_unit_test(altered_options_hold),
        cmocka_unit_test(any_crash_of_a_create),
        cmocka_unit_test(any_crash_of_a_drop),
        cmocka_unit_test(the_roster_is_lost),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
