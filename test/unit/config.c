// Settings: every way to write them, every way to write them wrong.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/error.h"
#include "daemon/found.h"
#include "daemon/options.h"
#include "daemon/units.h"
#include "host/address.h"

enum { WORDS_MAX = 24 };

typedef struct loaded {
    sk_options options;
    char problem[SK_PROBLEM_MAX];
    int status;
} loaded;

static char *const no_environment[] = {NULL};

// A file with `text`; the name is static and replaced by the next call.
static const char *file_with(const char *text)
{
    static char name[64];
    snprintf(name, sizeof name, "/tmp/skein-config-XXXXXX");
    int fd = mkstemp(name);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    close(fd);
    return name;
}

static loaded load_words(const char *words, char *const *environment)
{
    static char text[2048];
    char *argv[WORDS_MAX + 1] = {(char *)"skeind"};
    int argc = 1;
    snprintf(text, sizeof text, "%s", words);
    for (char *word = strtok(text, " "); word; word = strtok(NULL, " ")) {
        assert_true(argc < WORDS_MAX);
        argv[argc++] = word;
    }
    static loaded result;
    result.status =
        sk_options_load(&result.options, argc, argv, environment, result.problem, sizeof result.problem);
    return result;
}

static loaded load_file(const char *content, const char *words, char *const *environment)
{
    char line[1024];
    const char *name = file_with(content);
    snprintf(line, sizeof line, "--config %s %s", name, words);
    loaded result = load_words(line, environment);
    unlink(name);
    return result;
}

static void file_fails(const char *content, const char *wanted)
{
    loaded got = load_file(content, "", no_environment);
    if (got.status != SK_EXIT_CONFIG || !strstr(got.problem, wanted)) {
        fail_msg("for <%s>: status %d, problem <%s>, wanted <%s>", content, got.status, got.problem, wanted);
    }
    assert_null(strchr(got.problem, '\n'));
}

static void words_fail(const char *words, int status, const char *wanted)
{
    loaded got = load_words(words, no_environment);
    if (got.status != status || !strstr(got.problem, wanted)) {
        fail_msg("for <%s>: status %d, problem <%s>, wanted %d <%s>", words, got.status, got.problem, status,
                 wanted);
    }
}

static void units(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        uint64_t value;
    } sizes[] = {{"0", 0},        {"17", 17},        {"17b", 17},        {"64kb", 65536},
                 {"64KB", 65536}, {"4 mb", 4 << 20}, {"2gb", 2ull << 30}},
      times[] = {{"0", 0},           {"5us", 5000},          {"200ms", 200000000},
                 {"2s", 2000000000}, {"3min", 180000000000}, {"1h", 3600000000000}};
    static const char *const bad_sizes[] = {
        "", "kb", "-1", "1.5mb", "1k", "1kib", "18446744073709551616", "18446744073709551615kb", "0x10"};
    static const char *const bad_times[] = {"", "ms", "200", "-2s", "2 days", "1.5s", "99999999999999h"};
    uint64_t value;
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        assert_null(sk_units_size(sizes[i].text, &value));
        assert_int_equal(value, sizes[i].value);
    }
    for (size_t i = 0; i < sizeof times / sizeof times[0]; i++) {
        assert_null(sk_units_time(times[i].text, &value));
        assert_int_equal(value, times[i].value);
    }
    for (size_t i = 0; i < sizeof bad_sizes / sizeof bad_sizes[0]; i++)
        assert_non_null(sk_units_size(bad_sizes[i], &value));
    for (size_t i = 0; i < sizeof bad_times / sizeof bad_times[0]; i++)
        assert_non_null(sk_units_time(bad_times[i], &value));
}

static void units_format_reads_back(void **state)
{
    (void)state;
    static const uint64_t sizes[] = {0, 1, 1023, 1024, 1025, 65536, 1 << 20, 3ull << 30, UINT64_MAX};
    static const uint64_t times[] = {0, SK_US, SK_MS, 1500 * SK_MS, SK_S, 60 * SK_S, 90 * SK_S, 3600 * SK_S};
    char text[SK_UNITS_TEXT_MAX];
    uint64_t value;
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        sk_units_format_size(sizes[i], text);
        assert_null(sk_units_size(text, &value));
        assert_int_equal(value, sizes[i]);
    }
    for (size_t i = 0; i < sizeof times / sizeof times[0]; i++) {
        sk_units_format_time(times[i], text);
        assert_null(sk_units_time(text, &value));
        assert_int_equal(value, times[i]);
    }
    sk_units_format_size(65536, text);
    assert_string_equal(text, "64kb");
    sk_units_format_time(1500 * SK_MS, text);
    assert_string_equal(text, "1500ms");
}

static void defaults_are_valid(void **state)
{
    (void)state;
    loaded got = load_words("", no_environment);
    assert_int_equal(got.status, 0);
    assert_int_equal(got.options.verb, SK_VERB_RUN);
    assert_int_equal(got.options.settings.port, 7379);
    assert_int_equal(got.options.settings.peer_port, 7380);
    assert_string_equal(got.options.settings.bind, "127.0.0.1");
    assert_int_equal(got.options.settings.request_timeout, 2 * SK_S);
}

static void file_is_read(void **state)
{
    (void)state;
    loaded got = load_file(
        "# a comment\n\n  ; another\n  port = 1234   # behind a "
        "value\nrequest-timeout=200ms\r\n\tclients-max = 7\n"
        "cluster-name = a#b\npeers = 2@[::1]:7382, 1@gw.local:7381\nlog-level = DEBUG\nallow-open = no",
        "", no_environment);
    assert_string_equal(got.problem, "");
    assert_int_equal(got.status, 0);
    const sk_settings *settings = &got.options.settings;
    assert_int_equal(settings->port, 1234);
    assert_int_equal(settings->request_timeout, 200 * SK_MS);
    assert_int_equal(settings->clients_max, 7);
    assert_string_equal(settings->cluster_name, "a#b");
    assert_int_equal(settings->log_level, SK_LOG_DEBUG);
    sk_founder founders[SK_FOUNDERS_MAX];
    uint32_t count;
    assert_int_equal(sk_settings_founders(settings->peers, founders, &count, got.problem, sizeof got.problem),
                     0);
    assert_int_equal(count, 2);
    assert_int_equal(founders[0].id, 1);
    assert_string_equal(founders[0].address, "gw.local:7381");
    assert_string_equal(founders[1].address, "[::1]:7382");
}

static void precedence(void **state)
{
    (void)state;
    char *const environment[] = {(char *)"SKEIN_PORT=2", (char *)"SKEIN_PEER_PORT=3", (char *)"SKEIN_PORTS=9",
                                 NULL};
    const char *content = "port = 1\npeer-port = 1\nclients-max = 1\n";
    loaded got = load_file(content, "--port=5 --log-level warn", environment);
    assert_int_equal(got.status, 0);
    assert_int_equal(got.options.settings.port, 5);
    assert_int_equal(got.options.settings.peer_port, 3);
    assert_int_equal(got.options.settings.clients_max, 1);
    assert_int_equal(got.options.settings.log_level, SK_LOG_WARN);
    got = load_words("--check-config --port 6 --port 8", environment);
    assert_int_equal(got.options.verb, SK_VERB_CHECK_CONFIG);
    assert_int_equal(got.options.settings.port, 8);
}

static void every_bad_line_is_one_clear_error(void **state)
{
    (void)state;
    file_fails("port = 99999\n", ":1: port: 99999 is out of range: 0 to 65535");
    file_fails("\n\nport = abc\n", ":3: port: 'abc' is not a number");
    file_fails("port = 1\nport = 2\n", ":2: port: is already set in line 1");
    file_fails("prot = 1\n", ":1: 'prot' is not a setting (did you mean 'port'?)");
    file_fails("colour-of-the-sky = 1\n", "'colour-of-the-sky' is not a setting ('skeind --help'");
    file_fails("[server]\nport = 1\n", ":1: sections are not used");
    file_fails("port = 1\nport 2\n", ":2: this is not 'key = value'");
    file_fails("port: 2\n", ":1: this is not 'key = value'");
    file_fails("= 2\n", ":1: ");
    file_fails("port =\n", ":1: port: '' is not a number");
    file_fails("request-timeout = 200\n", "is not a time: write a number with us, ms, s, min or h");
    file_fails("request-timeout = 1us\n", "is out of range: 10ms to 1h");
    file_fails("log-size-max = 1k\n", "is not a size");
    file_fails("allow-open = maybe\n", "'maybe' is neither yes nor no");
    file_fails("log-level = loud\n", "is none of debug, info, warn, error");
    file_fails("peers = 1@a:1,1@b:1\n", "peers: names node 1 twice");
    file_fails("peers = 1@a:1,2@a:1\n", "the same address");
    file_fails("peers = 1@a:1,\n", "empty entry");
    file_fails("peers = a:1\n", "has no node number");
    file_fails("peers = 0@a:1\n", "is not a node number");
    file_fails("peers = 256@a:1\n", "is not a node number");
    file_fails("peers = 1@a:0\n", "is not an address");
    file_fails("peers = 1@a\n", "is not an address");
    file_fails("peers = 1@::1:7380\n", "is not an address");
    file_fails("peers = 1@a:1,2@b:1,3@c:1,4@d:1,5@e:1,6@f:1,7@g:1,8@h:1,9@i:1,10@j:1\n",
               "more than 9 founders");
    file_fails("node = 4\npeers = 1@a:1,2@b:1\n", "node: 4 is not in peers");
    file_fails("cluster-id = 123\n", "is not 32 hexadecimal digits");
    file_fails("election-min = 5s\nelection-max = 1s\n", "election-min: is greater");
    file_fails("peer-port = 7379\n", "is the client port too");
    file_fails("advertise = here\n", "is not host:port");
    file_fails("cluster-name = \"x\"\n", "control character or a quote");
    file_fails("dir =\n", "dir: is empty");
}

static void long_lines_and_bytes_of_no_text(void **state)
{
    (void)state;
    char *line = malloc(5000);
    memset(line, 'x', 5000);
    memcpy(line, "peers = ", 8);
    line[4999] = 0;
    file_fails(line, ":1: the line is too long");
    snprintf(line, 5000, "peers = 1@%060d.x:7380\n", 0);
    file_fails(line, "peers: '000");
    free(line);
    char name[] = "/tmp/skein-config-XXXXXX";
    int fd = mkstemp(name);
    assert_int_equal(write(fd, "port\0= 1\nport = 2\n", 18), 18);
    close(fd);
    char words[64];
    snprintf(words, sizeof words, "--config %s", name);
    words_fail(words, SK_EXIT_CONFIG, ":1: the line is too long, or this is not a text file");
    unlink(name);
    words_fail("--config /nowhere/at/all", SK_EXIT_CONFIG, "No such file");
    words_fail("--config /tmp", SK_EXIT_CONFIG, "cannot be read");
}

// Security list 1: nothing but loopback without a plain word.
static void open_addresses_are_refused(void **state)
{
    (void)state;
    static const char *const open[] = {"0.0.0.0", "::", "10.1.2.3", "128.0.0.1", "fe80::1"};
    static const char *const closed[] = {"127.0.0.1", "127.9.9.9", "::1", "localhost"};
    char words[128];
    for (size_t i = 0; i < sizeof open / sizeof open[0]; i++) {
        snprintf(words, sizeof words, "--bind %s", open[i]);
        words_fail(words, SK_EXIT_CONFIG, "bind: ");
        words_fail(words, SK_EXIT_CONFIG, "there is no TLS and no password yet");
        snprintf(words, sizeof words, "--peer-bind %s", open[i]);
        words_fail(words, SK_EXIT_CONFIG, "peer-bind: ");
        snprintf(words, sizeof words, "--bind %s --peer-bind %s --allow-open yes", open[i], open[i]);
        assert_int_equal(load_words(words, no_environment).status, 0);
    }
    for (size_t i = 0; i < sizeof closed / sizeof closed[0]; i++) {
        snprintf(words, sizeof words, "--bind %s --peer-bind %s", closed[i], closed[i]);
        assert_int_equal(load_words(words, no_environment).status, 0);
    }
    words_fail("--bind gw.local", SK_EXIT_CONFIG, "is not an address of this machine");
}

static void command_line(void **state)
{
    (void)state;
    words_fail("--prot 1", SK_EXIT_USAGE, "did you mean 'port'?");
    words_fail("--port", SK_EXIT_USAGE, "needs a value");
    words_fail("port", SK_EXIT_USAGE, "is not understood");
    words_fail("--", SK_EXIT_USAGE, "is not understood");
    words_fail("-p 7379", SK_EXIT_USAGE, "is not understood");
    words_fail("--port x", SK_EXIT_CONFIG, "--port: 'x' is not a number");
    words_fail("--dir a init", SK_EXIT_USAGE, "is not understood");
    assert_int_equal(load_words("init --dir a --node 1", no_environment).options.verb, SK_VERB_INIT);
    assert_int_equal(load_words("--port 1 --help", no_environment).options.verb, SK_VERB_HELP);
    assert_int_equal(load_words("--version", no_environment).options.verb, SK_VERB_VERSION);
    char *const environment[] = {(char *)"SKEIN_PORT=x", NULL};
    loaded got = load_words("", environment);
    assert_int_equal(got.status, SK_EXIT_CONFIG);
    assert_non_null(strstr(got.problem, "environment variable SKEIN_PORT: 'x' is not a number"));
}

static void effective_settings_read_back(void **state)
{
    (void)state;
    loaded got =
        load_words("--peers 1@a:1,2@b:2 --log-size-max 96mb --request-timeout 1500ms", no_environment);
    sk_buffer text = {0};
    sk_options_print(&got.options, &text);
    sk_buffer_append_byte(&text, 0);
    loaded again = load_file((const char *)text.data, "", no_environment);
    assert_string_equal(again.problem, "");
    size_t count;
    const sk_setting *rows = sk_settings_rows(&count);
    for (size_t i = 0; i < count; i++) {
        char a[SK_SETTING_VALUE_MAX], b[SK_SETTING_VALUE_MAX];
        sk_settings_get(&got.options.settings, &rows[i], a);
        sk_settings_get(&again.options.settings, &rows[i], b);
        assert_string_equal(a, b);
    }
    sk_buffer_deinit(&text);
}

static void help_names_every_key(void **state)
{
    (void)state;
    sk_buffer text = {0};
    sk_options_help(&text);
    sk_buffer_append_byte(&text, 0);
    size_t count;
    const sk_setting *rows = sk_settings_rows(&count);
    for (size_t i = 0; i < count; i++) {
        char flag[64];
        snprintf(flag, sizeof flag, "--%s ", rows[i].name);
        assert_non_null(strstr((const char *)text.data, flag));
    }
    sk_buffer_deinit(&text);
}

// The sample has every key, commented out, in the table's order, with the table's default.
static void sample_lists_every_key_with_its_default(void **state)
{
    (void)state;
    FILE *file = fopen("packaging/skein.conf", "r");
    assert_non_null(file);
    char line[512];
    size_t count, next = 0;
    const sk_setting *rows = sk_settings_rows(&count);
    while (fgets(line, sizeof line, file)) {
        char name[64];
        char value[256] = "";
        line[strcspn(line, "\n")] = 0;
        assert_true(line[0] == '#' || line[0] == 0);
        if (sscanf(line, "#%63[a-z-] = %255[^\n]", name, value) < 1 || !strstr(line, " =")) continue;
        assert_true(next < count);
        assert_string_equal(name, rows[next].name);
        assert_string_equal(value, rows[next].initial);
        next++;
    }
    fclose(file);
    assert_int_equal(next, count);
    loaded got = load_words("--config packaging/skein.conf", no_environment);
    assert_string_equal(got.problem, "");
    assert_int_equal(got.status, 0);
}

static void addresses(void **state)
{
    (void)state;
    sk_address address;
    assert_true(sk_address_parse("gw-1.local:7380", &address));
    assert_string_equal(address.host, "gw-1.local");
    assert_int_equal(address.port, 7380);
    assert_true(sk_address_parse("[fe80::1]:1", &address));
    assert_string_equal(address.host, "fe80::1");
    static const char *const bad[] = {"",     ":1",    "a",     "a:",   "a:0",      "a:65536",
                                      "a:1x", "a b:1", "[x]:1", "[]:1", "::1:7380", "a:+1"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) assert_false(sk_address_parse(bad[i], &address));
    sk_socket_address socket_address;
    char text[SK_ADDRESS_TEXT_MAX];
    assert_true(sk_address_numeric("::1", 80, &socket_address));
    sk_address_format(&socket_address, text);
    assert_string_equal(text, "[::1]:80");
    assert_false(sk_address_numeric("gw.local", 80, &socket_address));
}

static void founders_derive_the_same_cluster(void **state)
{
    (void)state;
    sk_identity a, b, c;
    char problem[SK_PROBLEM_MAX], id[SK_CLUSTER_TEXT_MAX];
    loaded got = load_words("init --node 1 --peers 2@b:2,1@a:1 --cluster-name site", no_environment);
    assert_int_equal(sk_found_identity(&got.options.settings, &a, problem, sizeof problem), 0);
    got = load_words("init --node 2 --peers 1@a:1,2@b:2 --cluster-name site", no_environment);
    assert_int_equal(sk_found_identity(&got.options.settings, &b, problem, sizeof problem), 0);
    got = load_words("init --node 2 --peers 1@a:1,2@b:2 --cluster-name other", no_environment);
    assert_int_equal(sk_found_identity(&got.options.settings, &c, problem, sizeof problem), 0);
    assert_memory_equal(&a.cluster, &b.cluster, sizeof a.cluster);
    assert_memory_not_equal(&a.cluster, &c.cluster, sizeof a.cluster);
    // Known answer: printf 'skein cluster 1\nsite\n1@a:1\n2@b:2\n' | sha256sum
    sk_found_format(&a.cluster, id);
    assert_string_equal(id, "df93bc1f270ef3718d2cec48135afe22");
    got = load_words("init --node 2 --peers 1@a:1,2@b:2 --cluster-id 000102030405060708090a0b0c0d0e0f",
                     no_environment);
    assert_int_equal(sk_found_identity(&got.options.settings, &c, problem, sizeof problem), 0);
    assert_int_equal(c.cluster.bytes[15], 15);
}

static void founding_needs_to_be_told_enough(void **state)
{
    (void)state;
    static const struct {
        const char *words, *problem;
    } cases[] = {{"init", "--peers is missing"},
                 {"init --peers 1@a:1,2@b:1", "--node is missing"},
                 {"init --peers 1@a:1,2@b:1 --node 1", "--cluster-name is missing"}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        sk_identity identity;
        char problem[SK_PROBLEM_MAX];
        loaded got = load_words(cases[i].words, no_environment);
        assert_int_equal(got.status, 0);
        assert_int_equal(sk_found_identity(&got.options.settings, &identity, problem, sizeof problem),
                         SK_EINVAL);
        assert_non_null(strstr(problem, cases[i].problem));
    }
}

static void another_directory_is_refused(void **state)
{
    (void)state;
    sk_identity identity;
    char problem[SK_PROBLEM_MAX];
    loaded got = load_words("--node 1 --peers 1@a:1,2@b:2 --cluster-name site", no_environment);
    assert_int_equal(sk_found_identity(&got.options.settings, &identity, problem, sizeof problem), 0);
    static const struct {
        const char *words, *problem;
    } cases[] = {{"", NULL},
                 {"--node 1", NULL},
                 {"--peers 1@elsewhere:9,2@b:2 --cluster-name another", NULL}, // addresses may move
                 {"--node 2", "belongs to node 1"},
                 {"--peers 1@a:1,3@c:3", "node 3 is not a founder"},
                 {"--cluster-id 000102030405060708090a0b0c0d0e0f",
                  "belongs to cluster df93bc1f270ef3718d2cec48135afe22"}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        got = load_words(cases[i].words, no_environment);
        int error = sk_found_check(&got.options.settings, &identity, problem, sizeof problem);
        assert_int_equal(error, cases[i].problem ? SK_EFOREIGN : 0);
        if (cases[i].problem) assert_non_null(strstr(problem, cases[i].problem));
    }
    got = load_words("--peers 1@elsewhere:9,2@b:2", no_environment);
    sk_founder peers[SK_FOUNDERS_MAX];
    assert_int_equal(sk_found_peers(&got.options.settings, &identity, peers), 2);
    assert_string_equal(peers[0].address, "elsewhere:9");
    assert_string_equal(peers[1].address, "b:2");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(units),
        cmocka_unit_test(units_format_reads_back),
        cmocka_unit_test(defaults_are_valid),
        cmocka_unit_test(file_is_read),
        cmocka_unit_test(precedence),
        cmocka_unit_test(every_bad_line_is_one_clear_error),
        cmocka_unit_test(long_lines_and_bytes_of_no_text),
        cmocka_unit_test(open_addresses_are_refused),
        cmocka_unit_test(command_line),
        cmocka_unit_test(effective_settings_read_back),
        cmocka_unit_test(help_names_every_key),
        cmocka_unit_test(sample_lists_every_key_with_its_default),
        cmocka_unit_test(addresses),
        cmocka_unit_test(founders_derive_the_same_cluster),
        cmocka_unit_test(founding_needs_to_be_told_enough),
        cmocka_unit_test(another_directory_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
