// Histories from outside: the first byte chooses model and consistency, the rest is the file.
//
// Beyond not crashing: a datum's canonical form reads back as itself, no verdict is given on what cannot be read, and a page is
// made of whatever was found.
#include "base/assert.h"
#include "check/checker.h"
#include "check/picture.h"
#include "test/support/fuzz.h"

static void canonical(sk_slice input)
{
    sk_arena arena = {0};
    sk_datum_reader reader;
    sk_datum datum, again;
    sk_datum_reader_init(&reader, input, &arena);
    while (sk_datum_read(&reader, &datum) == 1) {
        sk_buffer first = {0}, second = {0};
        sk_datum_write(&datum, &first);
        sk_datum_reader back;
        sk_datum_reader_init(&back, sk_buffer_slice(&first), &arena);
        SK_ASSERT(sk_datum_read(&back, &again) == 1);
        sk_datum_write(&again, &second);
        SK_ASSERT(sk_slice_equal(sk_buffer_slice(&first), sk_buffer_slice(&second)));
        sk_buffer_deinit(&first);
        sk_buffer_deinit(&second);
    }
    sk_arena_deinit(&arena);
}

static void check(sk_slice input, const sk_checker *checker, bool keyed)
{
    const sk_check_limits limits = {.steps = 2000, .memory = 16 << 20, .depth_steps = 200};
    const sk_check_history_options options = {.keyed = keyed};
    sk_check_history history;
    sk_report report;
    sk_report_init(&report);
    if (!sk_check_history_read(&history, input, &options)) {
        sk_checker_run(checker, &history, &limits, &report);
        SK_ASSERT(report.reason.size);
        SK_ASSERT(history.count + history.failed_count || report.verdict == SK_VERDICT_UNKNOWN);
        sk_buffer page = {0};
        sk_picture_begin(&page);
        sk_picture_add(&page, "<file>", sk_consistency_name(checker->consistency), &report);
        sk_picture_end(&page);
        sk_buffer_deinit(&page);
        sk_check_history_deinit(&history);
    } else {
        SK_ASSERT(history.error[0] && !history.list);
    }
    sk_report_deinit(&report);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const models[] = {"register", "cas-register", "multi-register", "counter",    "set",
                                         "queue",    "mutex",        "kv",             "list-append"};
    enum { MODELS = sizeof models / sizeof *models };
    if (!size) return 0;
    sk_slice input = sk_slice_make(data + 1, size - 1);
    sk_checker checker;
    const char *problem;
    const char *consistency = sk_consistency_name((sk_consistency)(data[0] / MODELS % SK_CONSISTENCY_COUNT));
    SK_ASSERT(!sk_checker_choose(&checker, models[data[0] % MODELS], consistency, &problem));
    canonical(input);
    check(input, &checker, data[0] / MODELS / SK_CONSISTENCY_COUNT % 2);
    return 0;
}
