// Numbers as Redis writes and reads them: one text for one number, so that what was read back is what was written.
#ifndef SK_REDIS_NUMBER_H
#define SK_REDIS_NUMBER_H

#include <stdbool.h>
#include "base/bytes.h"

enum { SK_NUMBER_SIZE_MAX = 20 }; // "-9223372036854775808"

// A whole number in its only accepted form: no sign but "-", no leading zero, no space, no "-0". False: it is not one, or
// it does not fit.
bool sk_number_parse(sk_slice text, int64_t *out);
// Writes at most SK_NUMBER_SIZE_MAX bytes without a terminator; returns how many.
size_t sk_number_format(uint8_t *out, int64_t value);

// The exact sum of two decimal numbers, rounded half to even to 17 places, in plain digits: no exponent, no trailing zeros, "0" and
// never "-0". Digit by digit, so every CPU writes the same text.
//
// Redis adds in the machine's long double and prints 17 places. The texts agree as long as its 64-bit mantissa does not
// show; where Redis prints noise (1234567.1 + 0.1 = 1234567.20000000000004547) this prints the exact sum. Hexadecimal floats, which
// strtold happens to take, are not numbers here.
typedef enum sk_decimal_sum {
    SK_DECIMAL_OK,
    SK_DECIMAL_NOT_A_NUMBER, // one of the two is none, or beyond the range of an x87 long double
    SK_DECIMAL_INFINITE,     // one of the two is an infinity, or the sum goes beyond that range
} sk_decimal_sum;
sk_decimal_sum sk_decimal_add(sk_slice a, sk_slice b, sk_buffer *out); // appends; only if OK

#endif
