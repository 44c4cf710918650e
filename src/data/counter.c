#include "data/counter.h"

#include "base/alloc.h"

// ---- Amounts ----

bool sk_amount_add(sk_amount *into, sk_amount more)
{
    uint64_t fraction = into->fraction + more.fraction; // below 2 * 10^17
    bool carry = fraction >= SK_AMOUNT_FRACTION_END;
    uint64_t whole;
    if (__builtin_add_overflow(into->whole, more.whole, &whole)) return false;
    if (carry && __builtin_add_overflow(whole, 1, &whole)) return false;
    *into = (sk_amount){.whole = whole, .fraction = carry ? fraction - SK_AMOUNT_FRACTION_END : fraction};
    return true;
}

int sk_amount_compare(sk_amount a, sk_amount b)
{
    if (a.whole != b.whole) return a.whole < b.whole ? -1 : 1;
    return (a.fraction > b.fraction) - (a.fraction < b.fraction);
}

sk_amount sk_amount_subtract(sk_amount a, sk_amount b)
{
    if (sk_amount_compare(a, b) <= 0) return (sk_amount){0};
    bool borrow = a.fraction < b.fraction;
    return (sk_amount){.whole = a.whole - b.whole - borrow,
                       .fraction = a.fraction + (borrow ? SK_AMOUNT_FRACTION_END : 0) - b.fraction};
}

static sk_amount greater(sk_amount a, sk_amount b)
{
    return sk_amount_compare(a, b) < 0 ? b : a;
}

// ---- Tallies ----

static size_t find(const sk_counter *counter, sk_actor actor)
{
    size_t at = 0;
    while (at < counter->count && counter->list[at].actor < actor) at++;
    return at;
}

sk_tally *sk_counter_find(const sk_counter *counter, sk_actor actor)
{
    size_t at = find(counter, actor);
    return at < counter->count && counter->list[at].actor == actor ? &counter->list[at] : NULL;
}

// The later of two tallies of one actor; of one tally, the later of each half. Where both halves are of the same change they are
// equal, unless somebody lies: then the greater ones, so that all agree.
static void merge_tally(sk_tally *into, const sk_tally *other)
{
    if (into->birth != other->birth) {
        if (into->birth < other->birth) *into = *other;
        return;
    }
    if (into->counter < other->counter) {
        into->counter = other->counter;
        into->plus = other->plus;
        into->minus = other->minus;
    } else if (into->counter == other->counter) {
        into->plus = greater(into->plus, other->plus);
        into->minus = greater(into->minus, other->minus);
    }
    if (into->reset < other->reset) {
        into->reset = other->reset;
        into->plus_reset = other->plus_reset;
        into->minus_reset = other->minus_reset;
    } else if (into->reset == other->reset) {
        into->plus_reset = greater(into->plus_reset, other->plus_reset);
        into->minus_reset = greater(into->minus_reset, other->minus_reset);
    }
}

sk_tally *sk_counter_add(sk_counter *counter, sk_tally tally)
{
    size_t at = find(counter, tally.actor);
    if (at < counter->count && counter->list[at].actor == tally.actor) {
        merge_tally(&counter->list[at], &tally);
        return &counter->list[at];
    }
    if (counter->count == counter->capacity) {
        counter->capacity = counter->capacity ? counter->capacity * 2 : 2;
        counter->list = sk_realloc(counter->list, counter->capacity * sizeof *counter->list);
    }
    memmove(&counter->list[at + 1], &counter->list[at], (counter->count - at) * sizeof *counter->list);
    counter->list[at] = tally;
    counter->count++;
    return &counter->list[at];
}

bool sk_counter_live(const sk_counter *counter)
{
    for (size_t i = 0; i < counter->count; i++) {
        if (sk_tally_live(&counter->list[i])) return true;
    }
    return false;
}

bool sk_counter_has_dead(const sk_counter *counter)
{
    for (size_t i = 0; i < counter->count; i++) {
        if (!sk_tally_live(&counter->list[i])) return true;
    }
    return false;
}

void sk_counter_drop_dead(sk_counter *counter)
{
    size_t kept = 0;
    for (size_t i = 0; i < counter->count; i++) {
        if (sk_tally_live(&counter->list[i])) counter->list[kept++] = counter->list[i];
    }
    counter->count = kept;
}

void sk_counter_merge(sk_counter *into, sk_seen into_seen, const sk_counter *other, sk_seen other_seen)
{
    size_t kept = 0;
    for (size_t i = 0; i < into->count; i++) {
        sk_tally one = into->list[i];
        bool gone = !sk_counter_find(other, one.actor) && sk_seen_has(other_seen, (sk_dot){one.actor, one.counter});
        if (!gone) into->list[kept++] = one;
    }
    into->count = kept;
    for (size_t i = 0; i < other->count; i++) {
        const sk_tally *one = &other->list[i];
        bool gone = !sk_counter_find(into, one->actor) && sk_seen_has(into_seen, (sk_dot){one->actor, one->counter});
        if (!gone) sk_counter_add(into, *one);
    }
}

void sk_counter_deinit(sk_counter *counter)
{
    sk_free(counter->list);
    *counter = (sk_counter){0};
}

// ---- Value: sums in three words, which no number of actors can overflow ----

typedef struct sum {
    uint64_t high;
    sk_amount low;
} sum;

static void sum_add(sum *into, sk_amount more)
{
    uint64_t fraction = into->low.fraction + more.fraction;
    uint64_t carry = fraction >= SK_AMOUNT_FRACTION_END;
    into->low.fraction = carry ? fraction - SK_AMOUNT_FRACTION_END : fraction;
    into->high += __builtin_add_overflow(into->low.whole, more.whole, &into->low.whole);
    into->high += __builtin_add_overflow(into->low.whole, carry, &into->low.whole);
}

static int sum_compare(const sum *a, const sum *b)
{
    if (a->high != b->high) return a->high < b->high ? -1 : 1;
    return sk_amount_compare(a->low, b->low);
}

sk_total sk_counter_value(const sk_counter *counter)
{
    sum plus = {0};
    sum minus = {0};
    for (size_t i = 0; i < counter->count; i++) {
        const sk_tally *one = &counter->list[i];
        sum_add(&plus, sk_amount_subtract(one->plus, one->plus_reset));
        sum_add(&minus, sk_amount_subtract(one->minus, one->minus_reset));
    }
    bool negative = sum_compare(&plus, &minus) < 0;
    const sum *more = negative ? &minus : &plus;
    const sum *less = negative ? &plus : &minus;
    uint64_t fraction = more->low.fraction - less->low.fraction;
    uint64_t borrow = more->low.fraction < less->low.fraction;
    if (borrow) fraction += SK_AMOUNT_FRACTION_END;
    uint64_t whole;
    uint64_t high = more->high - less->high;
    high -= __builtin_sub_overflow(more->low.whole, less->low.whole, &whole);
    high -= __builtin_sub_overflow(whole, borrow, &whole);
    if (high) return (sk_total){negative, {UINT64_MAX, SK_AMOUNT_FRACTION_END - 1}};
    return (sk_total){negative, {whole, fraction}};
}

// ---- Bytes ----
// varint count; per tally: actor, birth, counter - birth, flags, then plus, minus, reset - birth and its two, each if its flag says so

enum { HAS_PLUS = 1, HAS_MINUS = 2, HAS_RESET = 4, HAS_PLUS_RESET = 8, HAS_MINUS_RESET = 16, FLAGS_END = 32 };

static bool is_zero(sk_amount amount)
{
    return amount.whole == 0 && amount.fraction == 0;
}

static void write_amount(sk_amount amount, sk_buffer *out)
{
    if (is_zero(amount)) return;
    sk_write_varint(out, amount.whole);
    sk_write_varint(out, amount.fraction);
}

// An amount that is there is not 0: one form for one tally.
static sk_amount read_amount(sk_reader *reader, bool there)
{
    if (!there) return (sk_amount){0};
    sk_amount amount = {.whole = sk_read_varint(reader)};
    amount.fraction = sk_read_varint(reader);
    if (amount.fraction >= SK_AMOUNT_FRACTION_END || is_zero(amount)) reader->bad = true;
    return amount;
}

static void write_tally(const sk_tally *one, sk_buffer *out)
{
    uint8_t flags = 0;
    if (!is_zero(one->plus)) flags |= HAS_PLUS;
    if (!is_zero(one->minus)) flags |= HAS_MINUS;
    if (one->reset) flags |= HAS_RESET;
    if (!is_zero(one->plus_reset)) flags |= HAS_PLUS_RESET;
    if (!is_zero(one->minus_reset)) flags |= HAS_MINUS_RESET;
    sk_actor_write(one->actor, out);
    sk_write_varint(out, one->birth);
    sk_write_varint(out, one->counter - one->birth);
    sk_write_u8(out, flags);
    write_amount(one->plus, out);
    write_amount(one->minus, out);
    if (one->reset) sk_write_varint(out, one->reset - one->birth);
    write_amount(one->plus_reset, out);
    write_amount(one->minus_reset, out);
}

static void read_tally(sk_tally *one, sk_reader *reader)
{
    *one = (sk_tally){.actor = sk_actor_read(reader)};
    one->birth = sk_read_varint(reader);
    one->counter = sk_read_varint(reader);
    if (one->birth == 0 || one->birth > SK_COUNTER_MAX || one->counter > SK_COUNTER_MAX) reader->bad = true;
    one->counter += one->birth;
    uint8_t flags = sk_read_u8(reader);
    bool halves = flags & (HAS_PLUS_RESET | HAS_MINUS_RESET);
    if (flags >= FLAGS_END || (halves && !(flags & HAS_RESET))) reader->bad = true;
    one->plus = read_amount(reader, flags & HAS_PLUS);
    one->minus = read_amount(reader, flags & HAS_MINUS);
    if (flags & HAS_RESET) one->reset = sk_read_varint(reader) + one->birth;
    if (one->reset > one->counter) reader->bad = true;
    one->plus_reset = read_amount(reader, flags & HAS_PLUS_RESET);
    one->minus_reset = read_amount(reader, flags & HAS_MINUS_RESET);
}

void sk_counter_write(const sk_counter *counter, bool dead_too, sk_buffer *out)
{
    size_t count = 0;
    for (size_t i = 0; i < counter->count; i++) count += dead_too || sk_tally_live(&counter->list[i]);
    sk_write_varint(out, count);
    for (size_t i = 0; i < counter->count; i++) {
        if (dead_too || sk_tally_live(&counter->list[i])) write_tally(&counter->list[i], out);
    }
}

void sk_counter_read(sk_counter *out, sk_reader *reader)
{
    sk_counter_clear(out);
    uint64_t count = sk_read_varint(reader);
    if (count > sk_reader_left(reader)) reader->bad = true;
    for (uint64_t i = 0; i < count && !reader->bad; i++) {
        sk_tally one;
        read_tally(&one, reader);
        if (out->count && out->list[out->count - 1].actor >= one.actor) reader->bad = true;
        if (!reader->bad) sk_counter_add(out, one);
    }
    if (reader->bad) sk_counter_clear(out);
}
