// Only the last star needs to be remembered: when what follows it fails, the star takes one more byte of the
// text. A star before it need not be tried again, since whatever it could give, the last one could take. So
// the work is at most |pattern| * |text| steps.
#include "redis/glob.h"

// One element of a pattern other than a star: its size, and whether it matches c.
typedef struct element {
    size_t size;
    bool match;
} element;

static element match_set(sk_slice pattern, size_t begin, uint8_t c)
{
    size_t at = begin + 1;
    bool negated = at < pattern.size && pattern.data[at] == '^';
    if (negated) at++;
    bool match = false;
    for (; at < pattern.size && pattern.data[at] != ']'; at++) {
        if (pattern.data[at] == '\\' && at + 1 < pattern.size) {
            at++;
            match |= pattern.data[at] == c;
        } else if (at + 2 < pattern.size && pattern.data[at + 1] == '-') {
            uint8_t low = pattern.data[at];
            uint8_t high = pattern.data[at + 2];
            match |= low <= high ? c >= low && c <= high : c >= high && c <= low;
            at += 2;
        } else {
            match |= pattern.data[at] == c;
        }
    }
    size_t end = at < pattern.size ? at + 1 : at; // an open set ends with the pattern
    return (element){.size = end - begin, .match = match != negated};
}

static element match_element(sk_slice pattern, size_t at, uint8_t c)
{
    switch (pattern.data[at]) {
    case '?':
        return (element){.size = 1, .match = true};
    case '[':
        return match_set(pattern, at, c);
    case '\\':
        if (at + 1 < pattern.size) return (element){.size = 2, .match = pattern.data[at + 1] == c};
        // fall through
    default:
        return (element){.size = 1, .match = pattern.data[at] == c};
    }
}

static bool match_all(sk_slice pattern, sk_slice text, size_t *left)
{
    size_t p = 0;
    size_t t = 0;
    size_t star_p = 0; // behind the last star; 0: none yet
    size_t star_t = 0;
    while (t < text.size) {
        if (p < pattern.size && pattern.data[p] == '*') {
            star_p = ++p;
            star_t = t;
            if (p == pattern.size) return true;
            continue;
        }
        element e = {.size = 1, .match = false};
        if (p < pattern.size) e = match_element(pattern, p, text.data[t]);
        if (*left < e.size) return false;
        *left -= e.size;
        if (e.match) {
            p += e.size;
            t++;
        } else {
            if (!star_p) return false;
            p = star_p;
            t = ++star_t;
        }
    }
    while (p < pattern.size && pattern.data[p] == '*') p++;
    return p == pattern.size;
}

bool sk_glob_match(sk_slice pattern, sk_slice text, size_t *steps)
{
    size_t left = SK_GLOB_STEPS_MAX;
    bool match = match_all(pattern, text, &left);
    if (steps) *steps += SK_GLOB_STEPS_MAX - left;
    return match;
}
