// A register and a counter as one number.
#include "redis/mergespace_data.h"
#include "redis/number.h"

enum { FRACTION_DIGITS = 17 };

void sk_merge_format_total(sk_total total, sk_buffer *out)
{
    if (total.negative && (total.amount.whole || total.amount.fraction)) sk_buffer_append_byte(out, '-');
    sk_buffer_printf(out, "%llu", (unsigned long long)total.amount.whole);
    if (total.amount.fraction == 0) return;
    sk_buffer_printf(out, ".%017llu", (unsigned long long)total.amount.fraction);
    while (out->data[out->size - 1] == '0') out->size--;
}

bool sk_merge_parse_total(sk_slice text, sk_total *out)
{
    *out = (sk_total){0};
    size_t at = 0;
    if (at < text.size && text.data[at] == '-') {
        out->negative = true;
        at++;
    }
    for (; at < text.size && text.data[at] != '.'; at++) {
        uint64_t digit = (uint64_t)(text.data[at] - '0');
        if (digit > 9) return false;
        if (__builtin_mul_overflow(out->amount.whole, 10, &out->amount.whole)) return false;
        if (__builtin_add_overflow(out->amount.whole, digit, &out->amount.whole)) return false;
    }
    if (at < text.size) at++;
    size_t digits = 0;
    for (; at < text.size && digits < FRACTION_DIGITS; at++, digits++) {
        uint64_t digit = (uint64_t)(text.data[at] - '0');
        if (digit > 9) return false;
        out->amount.fraction = out->amount.fraction * 10 + digit;
    }
    for (; digits < FRACTION_DIGITS; digits++) out->amount.fraction *= 10;
    return at == text.size;
}

static enum sk_values_sum sum_whole(sk_slice shown, sk_slice more, sk_buffer *sum)
{
    int64_t before = 0;
    int64_t step;
    if (shown.size && !sk_number_parse(shown, &before)) return SK_VALUES_NO_NUMBER;
    if (!sk_number_parse(more, &step)) return SK_VALUES_NO_NUMBER;
    if (__builtin_add_overflow(before, step, &before)) return SK_VALUES_OVERFLOW;
    uint8_t text[SK_NUMBER_SIZE_MAX];
    sk_buffer_append(sum, text, sk_number_format(text, before));
    return SK_VALUES_OK;
}

enum sk_values_sum sk_merge_sum(sk_mergespace *space, sk_slice shown, sk_slice more, bool whole, sk_buffer *sum, sk_total *amount)
{
    enum sk_values_sum result = SK_VALUES_OK;
    sk_slice base = shown.size ? shown : sk_slice_text("0");
    if (whole) {
        result = sum_whole(shown, more, sum);
    } else {
        enum sk_decimal_sum added = sk_decimal_add(base, more, sum);
        if (added != SK_DECIMAL_OK) result = added == SK_DECIMAL_INFINITE ? SK_VALUES_OVERFLOW : SK_VALUES_NO_NUMBER;
    }
    if (result != SK_VALUES_OK) return result;
    sk_buffer_clear(&space->more);
    if (sk_decimal_add(sk_slice_text("0"), more, &space->more) != SK_DECIMAL_OK) return SK_VALUES_NO_NUMBER;
    return sk_merge_parse_total(sk_buffer_slice(&space->more), amount) ? SK_VALUES_OK : SK_VALUES_OVERFLOW;
}
