#include "base/glob.h"

static uint8_t folded(uint8_t byte, bool fold)
{
    return fold && byte >= 'A' && byte <= 'Z' ? (uint8_t)(byte + ('a' - 'A')) : byte;
}

// One class "[...]" at *at, which is left behind it.
static bool class_matches(sk_slice pattern, size_t *at, uint8_t byte, bool fold)
{
    size_t i = *at + 1;
    bool negated = i < pattern.size && pattern.data[i] == '^';
    bool found = false;
    if (negated) i++;
    while (i < pattern.size && pattern.data[i] != ']') {
        if (pattern.data[i] == '\\' && i + 1 < pattern.size) i++;
        uint8_t low = folded(pattern.data[i], fold), high = low;
        if (i + 2 < pattern.size && pattern.data[i + 1] == '-') {
            high = folded(pattern.data[i + 2], fold);
            i += 2;
        }
        if (low > high) {
            uint8_t swap = low;
            low = high;
            high = swap;
        }
        if (byte >= low && byte <= high) found = true;
        i++;
    }
    *at = i < pattern.size ? i + 1 : i;
    return found != negated;
}

// Does the item at `at` (not a star) match this byte? `next` is set behind it.
static bool item_matches(sk_slice pattern, size_t at, uint8_t raw, bool fold, size_t *next)
{
    uint8_t byte = folded(raw, fold);
    *next = at;
    if (pattern.data[at] == '[') return class_matches(pattern, next, byte, fold);
    bool any = pattern.data[at] == '?';
    if (pattern.data[at] == '\\' && at + 1 < pattern.size) at++;
    *next = at + 1;
    return any || folded(pattern.data[at], fold) == byte;
}

bool sk_glob_match(sk_slice pattern, sk_slice text, bool fold)
{
    size_t p = 0, t = 0;
    size_t star = SIZE_MAX,
           star_text = 0; // where to go on behind the last star, and what it has not swallowed yet
    size_t steps = 0;
    while (t < text.size) {
        size_t next = p;
        if (p < pattern.size && pattern.data[p] == '*') {
            star = next = ++p;
            star_text = t;
        } else if (p < pattern.size && item_matches(pattern, p, text.data[t], fold, &next)) {
            steps += next - p; // a class is as many steps as it is long
            p = next;
            t++;
        } else {
            if (star == SIZE_MAX) return false;
            steps += next - p;
            p = star;
            t = ++star_text;
        }
        if (++steps > SK_GLOB_STEPS_MAX) return false;
    }
    while (p < pattern.size && pattern.data[p] == '*') p++;
    return p == pattern.size;
}
