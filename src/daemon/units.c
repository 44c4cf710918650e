#include "daemon/units.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

typedef struct unit {
    const char *name;
    uint64_t factor;
} unit;

// Largest first, so that formatting finds the shortest text; the first of a factor is the one shown.
static const unit sizes[] = {
    {"gb", 1024 * 1024 * 1024}, {"mb", 1024 * 1024}, {"kb", 1024}, {"b", 1}, {"", 1}, {NULL, 0}};
static const unit times[] = {{"h", 3600 * SK_S}, {"min", 60 * SK_S}, {"s", SK_S},
                             {"ms", SK_MS},      {"us", SK_US},      {NULL, 0}};

static const char size_wanted[] =
    "is not a size: write a number with b, kb, mb or gb (powers of 1024), like 64kb";
static const char time_wanted[] = "is not a time: write a number with us, ms, s, min or h, like 200ms";
static const char number_wanted[] = "is not a number: write digits only";

// Digits at the start of `text`: how many, or 0 when there are none or the value does not fit.
static size_t read_digits(const char *text, uint64_t *out)
{
    uint64_t value = 0;
    size_t count = 0;
    for (; text[count] >= '0' && text[count] <= '9'; count++) {
        uint64_t digit = (uint64_t)(text[count] - '0');
        if (value > (UINT64_MAX - digit) / 10) return 0;
        value = value * 10 + digit;
    }
    *out = value;
    return count;
}

static bool read_with_unit(const char *text, const unit *units, uint64_t *out)
{
    uint64_t value;
    size_t digits = read_digits(text, &value);
    if (digits == 0) return false;
    const char *suffix = text + digits;
    while (*suffix == ' ') suffix++;
    for (; units->name; units++) {
        if (strcasecmp(suffix, units->name) != 0) continue;
        if (value > UINT64_MAX / units->factor) return false;
        *out = value * units->factor;
        return true;
    }
    return false;
}

const char *sk_units_number(const char *text, uint64_t *out)
{
    uint64_t value;
    size_t digits = read_digits(text, &value);
    if (digits == 0 || text[digits]) return number_wanted;
    *out = value;
    return NULL;
}

const char *sk_units_size(const char *text, uint64_t *out)
{
    return read_with_unit(text, sizes, out) ? NULL : size_wanted;
}

const char *sk_units_time(const char *text, sk_ns *out)
{
    if (strcmp(text, "0") == 0) {
        *out = 0;
        return NULL;
    }
    return read_with_unit(text, times, out) ? NULL : time_wanted;
}

const char *sk_units_flag(const char *text, bool *out)
{
    bool yes = strcasecmp(text, "yes") == 0 || strcasecmp(text, "true") == 0 || strcasecmp(text, "on") == 0;
    bool no = strcasecmp(text, "no") == 0 || strcasecmp(text, "false") == 0 || strcasecmp(text, "off") == 0;
    if (!yes && !no) return "is neither yes nor no";
    *out = yes;
    return NULL;
}

static void format_with_unit(uint64_t value, const unit *units, char out[SK_UNITS_TEXT_MAX])
{
    for (; units->name; units++) {
        if (value == 0 || value % units->factor != 0) continue;
        snprintf(out, SK_UNITS_TEXT_MAX, "%" PRIu64 "%s", value / units->factor,
                 units->factor == 1 ? "" : units->name);
        return;
    }
    snprintf(out, SK_UNITS_TEXT_MAX, "%" PRIu64, value);
}

void sk_units_format_size(uint64_t bytes, char out[SK_UNITS_TEXT_MAX])
{
    format_with_unit(bytes, sizes, out);
}

void sk_units_format_time(sk_ns time, char out[SK_UNITS_TEXT_MAX])
{
    format_with_unit(time, times, out);
}
