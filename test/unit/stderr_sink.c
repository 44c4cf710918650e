// The log's lines and what holds repeats back.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <cmocka.h>

#include "host/stderr_sink.h"

static bool admit(sk_stderr_sink *sink, const char *line, sk_ns now, sk_buffer *summary)
{
    return sk_stderr_sink_admit(sink, SK_LOG_WARN, line, now, summary);
}

static void repeats_are_held_back_and_counted(void **state)
{
    (void)state;
    sk_stderr_sink sink;
    sk_buffer summary = {0};
    sk_stderr_sink_init(&sink, -1, SK_LOG_INFO, false);
    int let_through = 0;
    for (int i = 0; i < 100; i++) {
        char line[64];
        snprintf(line, sizeof line, "msg=\"no link\" peer=%d", i);
        let_through += admit(&sink, line, (sk_ns)i, &summary);
    }
    assert_int_equal(let_through, SK_SINK_BURST);
    assert_int_equal(summary.size, 0);
    assert_true(admit(&sink, "msg=\"other\"", 100, &summary)); // nobody else is held back
    assert_true(admit(&sink, "msg=\"other\"", SK_SINK_WINDOW, &summary));
    assert_int_equal(summary.size, strlen("msg=\"no link\" repeated=95\n"));
    assert_memory_equal(summary.data, "msg=\"no link\" repeated=95\n", summary.size);
    sk_buffer_clear(&summary);
    assert_true(admit(&sink, "msg=\"no link\" peer=1", SK_SINK_WINDOW, &summary)); // a new window
    assert_int_equal(summary.size, 0);
    sk_buffer_deinit(&summary);
}

static void many_messages_share_few_slots(void **state)
{
    (void)state;
    sk_stderr_sink sink;
    sk_buffer summary = {0};
    sk_stderr_sink_init(&sink, -1, SK_LOG_INFO, false);
    for (int i = 0; i < 10 * SK_SINK_SLOTS; i++) {
        char line[200];
        snprintf(line, sizeof line, "msg=\"%0150d\"", i);
        assert_true(admit(&sink, line, (sk_ns)i, &summary));
    }
    assert_int_equal(summary.size, 0);
    sk_buffer_deinit(&summary);
}

static void line_has_both_clocks(void **state)
{
    (void)state;
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    sk_stderr_sink sink;
    sk_stderr_sink_init(&sink, ends[1], SK_LOG_INFO, true);
    sk_log(&sink.base, SK_LOG_DEBUG, "msg=\"hidden\"");
    sk_log(&sink.base, SK_LOG_WARN, "msg=\"shown\" n=%d", 7);
    char line[400];
    ssize_t size = read(ends[0], line, sizeof line - 1);
    assert_true(size > 0);
    line[size] = 0;
    unsigned year, month, day, hour, minute, second, ms, boot_ms;
    unsigned long long boot;
    char rest[100];
    assert_int_equal(sscanf(line, "<4>time=%4u-%2u-%2uT%2u:%2u:%2u.%3uZ boot=%llu.%3u level=warn %99[^\n]",
                            &year, &month, &day, &hour, &minute, &second, &ms, &boot, &boot_ms, rest),
                     10);
    assert_string_equal(rest, "msg=\"shown\" n=7");
    assert_int_equal(line[size - 1], '\n');
    close(ends[0]);
    close(ends[1]);
}

static void a_long_line_stays_one_line(void **state)
{
    (void)state;
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    sk_stderr_sink sink;
    sk_stderr_sink_init(&sink, ends[1], SK_LOG_INFO, false);
    char text[3000];
    memset(text, 'x', sizeof text);
    text[sizeof text - 1] = 0;
    sink.base.write(&sink.base, SK_LOG_INFO, text);
    char line[4000];
    ssize_t size = read(ends[0], line, sizeof line);
    assert_true(size > 1000 && size < 1300);
    assert_ptr_equal(memchr(line, '\n', (size_t)size), line + size - 1);
    close(ends[0]);
    close(ends[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(repeats_are_held_back_and_counted),
        cmocka_unit_test(many_messages_share_few_slots),
        cmocka_unit_test(line_has_both_clocks),
        cmocka_unit_test(a_long_line_stays_one_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
