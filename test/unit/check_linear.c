// check/linear: histories with known verdicts, and random ones against every order there is.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "check/linear.h"
int main(int argc, char **argv)
{
    const sk_model *m = sk_model_find(argv[1]);
    for (int i = 2; i < argc; i++) {
        FILE *f = fopen(argv[i], "r");
        static char buf[1 << 24];
        size_t n = fread(buf, 1, sizeof buf, f);
        fclose(f);
        sk_check_history h;
        sk_check_history_options o = {0};
        if (sk_check_history_read(&h, sk_slice_make(buf, n), &o)) { printf("%s: %s\n", argv[i], h.error); continue; }
        sk_report r;
        sk_report_init(&r);
        sk_check_limits l = {.memory = 1 << 30};
        sk_check_linear(&h, m, &l, &r);
        printf("%s: %s %.*s\n%.*s", argv[i], sk_verdict_name(r.verdict), (int)r.reason.size, (char *)r.reason.data, (int)r.detail.size, (char*)r.detail.data);
        sk_report_deinit(&r);
        sk_check_history_deinit(&h);
    }
}
