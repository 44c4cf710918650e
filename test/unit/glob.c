// Glob patterns against known answers and against a plain recursive matcher on short random ones.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>
#include "base/glob.h"
#include "base/prng.h"

static bool match(const char *pattern, const char *text)
{
    return sk_glob_match(sk_slice_text(pattern), sk_slice_text(text), false);
}

static void known_answers(void **state)
{
    assert_true(match("", ""));
    assert_false(match("", "a"));
    assert_true(match("*", ""));
    assert_true(match("**", "abc"));
    assert_true(match("h?llo", "hello"));
    assert_false(match("h?llo", "hllo"));
    assert_true(match("h*llo", "heeeello"));
    assert_true(match("h[ae]llo", "hallo"));
    assert_false(match("h[ae]llo", "hillo"));
    assert_true(match("h[^e]llo", "hallo"));
    assert_false(match("h[^e]llo", "hello"));
    assert_true(match("h[a-b]llo", "hbllo"));
    assert_true(match("h[b-a]llo", "hbllo"));
    assert_true(match("a\\*b", "a*b"));
    assert_false(match("a\\?b", "axb"));
    assert_false(match("a\\*b", "axb"));
    assert_true(match("a[\\]]b", "a]b"));
    assert_true(match("a\\", "a\\"));
    assert_true(match("*ab*cd", "xxabyyabcdcd"));
    assert_false(match("*ab*cd", "xxabyyabcdc"));
    assert_true(sk_glob_match(sk_slice_text("MAX*[M-P]"), sk_slice_text("maxmemo"), true));
    assert_false(sk_glob_match(sk_slice_text("MAX*"), sk_slice_text("maxmemory"), false));
    assert_true(sk_glob_match(sk_slice_make("a\0*", 3), sk_slice_make("a\0b", 3), false));
}

// The plainest matcher there is: stars and question marks by recursion.
static bool plain(const char *pattern, const char *text)
{
    if (!*pattern) return !*text;
    if (*pattern == '*') return plain(pattern + 1, text) || (*text && plain(pattern, text + 1));
    return *text && (*pattern == '?' || *pattern == *text) && plain(pattern + 1, text + 1);
}

static void agrees_with_plain(void **state)
{
    sk_prng prng;
    sk_prng_init(&prng, 1);
    size_t matched = 0;
    for (int round = 0; round < 20000; round++) {
        char pattern[9] = {0}, text[9] = {0};
        for (uint64_t i = sk_prng_below(&prng, 9); i-- > 0;) pattern[i] = "ab?*"[sk_prng_below(&prng, 4)];
        for (uint64_t i = sk_prng_below(&prng, 9); i-- > 0;) text[i] = "ab"[sk_prng_below(&prng, 2)];
        assert_int_equal(match(pattern, text), plain(pattern, text));
        matched += plain(pattern, text);
    }
    assert_in_range(matched, 1000, 19000);
}

static void E09_glob_does_not_blow_up(void **state)
{
    enum { SIZE = 64 * 1024 };
    uint8_t *pattern = malloc(SIZE), *text = malloc(SIZE);
    for (size_t i = 0; i < SIZE; i++) {
        pattern[i] = i % 2 ? 'a' : '*';
        text[i] = i == SIZE - 1 ? 'b' : 'a';
    }
    assert_false(sk_glob_match(sk_slice_make(pattern, SIZE), sk_slice_make(text, SIZE), false));
    assert_true(sk_glob_match(sk_slice_make(pattern, SIZE), sk_slice_make(text, SIZE - 1), false));
    // A long class behind a star counts as long as it is: it gives up instead of taking 4 G steps.
    memset(pattern, 'x', SIZE);
    pattern[0] = '*';
    pattern[1] = '[';
    pattern[SIZE - 1] = ']';
    assert_false(sk_glob_match(sk_slice_make(pattern, SIZE), sk_slice_make(text, SIZE), false));
    // Even one that would match in the end: 40 million steps for one key are too many.
    memset(pattern, 'a', SIZE);
    memset(text, 'a', SIZE);
    pattern[0] = '*';
    pattern[2000] = text[20000] = 'b';
    assert_true(sk_glob_match(sk_slice_make(pattern, 21), sk_slice_make(text, 20000), false));
    assert_false(sk_glob_match(sk_slice_make(pattern, 2001), sk_slice_make(text, 20001), false));
    free(pattern);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_answers),
        cmocka_unit_test(agrees_with_plain),
        cmocka_unit_test(E09_glob_does_not_blow_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
