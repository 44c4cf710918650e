// Loaded into a test's program by script/mutants: runs only the tests whose names match SKEIN_TEST_FILTER.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

__attribute__((constructor)) static void set_filter(void)
{
    const char *pattern = getenv("SKEIN_TEST_FILTER");
    if (pattern) cmocka_set_test_filter(pattern);
}
