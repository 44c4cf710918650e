#include "redis/number.h"

bool sk_number_parse(sk_slice text, int64_t *out)
{
    if (text.size == 0 || text.size > SK_NUMBER_SIZE_MAX) return false;
    bool negative = text.data[0] == '-';
    size_t at = negative;
    if (at == text.size) return false;
    if (text.data[at] == '0') {
        *out = 0;
        return text.size == 1;
    }
    uint64_t bound = negative ? (uint64_t)INT64_MAX + 1 : (uint64_t)INT64_MAX;
    uint64_t value = 0;
    for (; at < text.size; at++) {
        uint8_t digit = (uint8_t)(text.data[at] - '0');
        if (digit > 9 || value > (bound - digit) / 10) return false;
        value = value * 10 + digit;
    }
    *out = (int64_t)(negative ? 0 - value : value);
    return true;
}

size_t sk_number_format(uint8_t *out, int64_t value)
{
    uint8_t reversed[SK_NUMBER_SIZE_MAX];
    uint64_t left = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
    size_t digits = 0;
    do {
        reversed[digits++] = (uint8_t)('0' + left % 10);
        left /= 10;
    } while (left);
    size_t size = 0;
    if (value < 0) out[size++] = '-';
    while (digits) out[size++] = reversed[--digits];
    return size;
}
