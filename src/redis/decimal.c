// Decimal addition for INCRBYFLOAT.
//
// A number is held as fixed point: PLACES digits behind the point and up to WHOLE before it, most significant
// first. PLACES is more than twice what is shown; digits behind it are cut off, which can matter only to a
// tie broken by the 41st place.
#include <string.h>

#include "redis/number.h"

enum {
    TEXT_SIZE_MAX = 5 * 1024 - 1, // as Redis: a longer text is not a number
    WHOLE = 4933,                 // digits of the largest long double, 1.19e4932
    PLACES = 40,
    PLACES_SHOWN = 17,
    DIGITS = WHOLE + PLACES,
    EXPONENT_MIN = -4951, // the smallest long double, 3.6e-4951
};

typedef struct decimal {
    uint8_t digits[DIGITS]; // digits[WHOLE - 1] are the ones
    size_t first;           // all before it are zero
    bool negative;
    bool infinite;
} decimal;

static bool digit_at(sk_slice text, size_t at)
{
    return at < text.size && text.data[at] >= '0' && text.data[at] <= '9';
}

// Exponents beyond these bounds mean the same as the bounds.
static bool parse_exponent(sk_slice text, size_t at, int64_t *exponent)
{
    bool negative = at < text.size && text.data[at] == '-';
    if (at < text.size && (text.data[at] == '-' || text.data[at] == '+')) at++;
    if (!digit_at(text, at)) return false;
    int64_t value = 0;
    for (; digit_at(text, at); at++) {
        if (value < 1000000) value = value * 10 + (text.data[at] - '0');
    }
    *exponent = negative ? -value : value;
    return at == text.size;
}

// Moves the digits of text (with at most one point among them) to their places. `ones` is the power of ten of
// the first digit.
static bool place_digits(decimal *out, sk_slice digits, int64_t power)
{
    bool zero = true;
    out->first = DIGITS;
    for (size_t i = 0; i < digits.size; i++) {
        if (digits.data[i] == '.') continue;
        if (digits.data[i] != '0') {
            if (zero && (power >= WHOLE || power < EXPONENT_MIN)) return false;
            zero = false;
        }
        int64_t at = WHOLE - 1 - power;
        power--;
        if (zero || at >= DIGITS) continue;
        if (out->first == DIGITS) out->first = (size_t)at;
        out->digits[at] = (uint8_t)(digits.data[i] - '0');
    }
    return true;
}

static bool parse(sk_slice text, decimal *out)
{
    memset(out, 0, sizeof *out);
    if (text.size == 0 || text.size > TEXT_SIZE_MAX) return false;
    out->first = DIGITS;
    out->negative = text.data[0] == '-';
    size_t at = text.data[0] == '-' || text.data[0] == '+';
    sk_slice rest = sk_slice_make(text.data + at, text.size - at);
    if (sk_slice_equal_nocase(rest, "inf") || sk_slice_equal_nocase(rest, "infinity")) {
        out->infinite = true;
        return true;
    }
    size_t begin = at;
    int64_t whole = 0;
    int64_t places = 0;
    for (; digit_at(text, at); at++) whole++;
    if (at < text.size && text.data[at] == '.') {
        for (at++; digit_at(text, at); at++) places++;
    }
    if (whole + places == 0) return false;
    size_t end = at;
    int64_t exponent = 0;
    if (at < text.size) {
        if (text.data[at] != 'e' && text.data[at] != 'E') return false;
        if (!parse_exponent(text, at + 1, &exponent)) return false;
    }
    return place_digits(out, sk_slice_make(text.data + begin, end - begin), whole - 1 + exponent);
}

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

// a += b, magnitudes only. False: a digit would be needed before the first.
static bool add_magnitude(decimal *a, const decimal *b)
{
    size_t first = smaller(a->first, b->first);
    uint8_t carry = 0;
    for (size_t i = DIGITS; i-- > first;) {
        uint8_t sum = (uint8_t)(a->digits[i] + b->digits[i] + carry);
        carry = sum > 9;
        a->digits[i] = (uint8_t)(sum - (carry ? 10 : 0));
    }
    a->first = first;
    if (!carry) return true;
    if (first == 0) return false;
    a->digits[--a->first] = 1;
    return true;
}

// a -= b, magnitudes only; a's is not the smaller one.
static void subtract_magnitude(decimal *a, const decimal *b)
{
    uint8_t borrow = 0;
    for (size_t i = DIGITS; i-- > a->first;) {
        int8_t difference = (int8_t)(a->digits[i] - b->digits[i] - borrow);
        borrow = difference < 0;
        a->digits[i] = (uint8_t)(difference + (borrow ? 10 : 0));
    }
    while (a->first < DIGITS && a->digits[a->first] == 0) a->first++;
}

static bool smaller_magnitude(const decimal *a, const decimal *b)
{
    return memcmp(a->digits, b->digits, DIGITS) < 0;
}

// Half to even at the last place shown.
static bool round_shown(decimal *a)
{
    size_t last = WHOLE + PLACES_SHOWN - 1;
    bool more = false;
    for (size_t i = last + 2; i < DIGITS; i++) more |= a->digits[i] != 0;
    uint8_t next = a->digits[last + 1];
    bool up = next > 5 || (next == 5 && (more || a->digits[last] % 2 == 1));
    memset(a->digits + last + 1, 0, DIGITS - last - 1);
    if (!up) return true;
    decimal unit = {.first = last};
    unit.digits[last] = 1;
    return add_magnitude(a, &unit);
}

static void print(const decimal *a, sk_buffer *out)
{
    size_t end = WHOLE + PLACES_SHOWN;
    while (end > WHOLE && a->digits[end - 1] == 0) end--;
    size_t first = 0;
    while (first < WHOLE - 1 && a->digits[first] == 0) first++;
    bool zero = first == WHOLE - 1 && a->digits[first] == 0 && end == WHOLE;
    if (a->negative && !zero) sk_buffer_append_byte(out, '-');
    for (size_t i = first; i < end; i++) {
        if (i == WHOLE) sk_buffer_append_byte(out, '.');
        sk_buffer_append_byte(out, (uint8_t)('0' + a->digits[i]));
    }
}

sk_decimal_sum sk_decimal_add(sk_slice a_text, sk_slice b_text, sk_buffer *out)
{
    decimal a;
    decimal b;
    if (!parse(a_text, &a) || !parse(b_text, &b)) return SK_DECIMAL_NOT_A_NUMBER;
    if (a.infinite || b.infinite) return SK_DECIMAL_INFINITE;
    decimal *sum = &a;
    if (a.negative == b.negative) {
        if (!add_magnitude(&a, &b)) return SK_DECIMAL_INFINITE;
    } else if (smaller_magnitude(&a, &b)) {
        subtract_magnitude(&b, &a);
        sum = &b;
    } else {
        subtract_magnitude(&a, &b);
    }
    if (!round_shown(sum)) return SK_DECIMAL_INFINITE;
    print(sum, out);
    return SK_DECIMAL_OK;
}
