// KEYS and SCAN.
//
// A SCAN cursor names a place: "all keys before the index I, as the key space was when it had seen C changes,
// have been given". C counts every key added and every key removed since the beginning. It is part of the
// state, so a cursor means the same on every replica, and nothing has to be remembered for it.
//
//   Never a miss.    A change moves an index by at most one. With D = |changes now - C|, a key that had an
//   index of I or more then
//                    has one of I - D or more now; so the scan goes on from I - D. It does not matter which
//                    state is the older one: a client may go on at a replica that lags.
//   Always onward.   What is at I - D now may have been given already, and what comes next may be as far as I
//   + D now. So a call gives what is
//                    between I - D and I + D + COUNT: at least COUNT keys further, at the price of some given
//                    twice. Nothing is given twice while no key comes or goes. D is bounded (OVERLAP_MAX) in
//                    this second rule, never in the first: only a client that lets more changes pass between
//                    every two of its calls could be held back.
//
// (Counterexamples that ruled out the obvious: the first bytes of the next key do not tell keys with a long
// common prefix apart, so a cursor would stand still; an index alone misses keys when one before it is
// deleted; the order of a hash needs a second tree as big as the first.)
//
// A cursor stays below 2^53, since some clients keep it in a double: two bits say how wide the index is,
// which is as narrow as the number of keys allows, and the other bits hold the end of C. A cursor is good
// until half their range of changes has passed before the next call: 2^32 for up to 2^18 keys, 2^26 for up to
// 2^24.
#include "base/alloc.h"
#include "base/glob.h"
#include "base/list.h"
#include "redis/keyspace_data.h"
#include "redis/number.h"
#include "redis/scan.h"
#include "redis/table.h"

enum { COUNT_DEFAULT = 10, COUNT_MAX = 16384, OVERLAP_MAX = 8192 };
enum { CURSOR_BITS = 53, WIDTH_BITS = 2 };
static const uint8_t index_bits[1 << WIDTH_BITS] = {12, 18, 24, 32};

static uint64_t low_bits(uint64_t value, unsigned bits)
{
    return value & (((uint64_t)1 << bits) - 1);
}

// index >= 1, so never 0.
static uint64_t make_cursor(uint64_t index, uint64_t changes)
{
    unsigned width = 0;
    while (width < 3 && index >> index_bits[width]) width++;
    unsigned bits = index_bits[width];
    return (low_bits(changes, CURSOR_BITS - WIDTH_BITS - bits) << bits | low_bits(index, bits))
               << WIDTH_BITS |
           width;
}

// The index of the cursor, and how many changes lie between it and now.
static uint64_t read_cursor(uint64_t cursor, uint64_t changes, uint64_t *distance)
{
    unsigned bits = index_bits[low_bits(cursor, WIDTH_BITS)];
    unsigned left = CURSOR_BITS - WIDTH_BITS - bits;
    uint64_t then = low_bits(cursor >> (WIDTH_BITS + bits), left);
    uint64_t later = low_bits(changes - then, left);
    uint64_t earlier = low_bits(then - changes, left);
    *distance = later < earlier ? later : earlier;
    return low_bits(cursor >> WIDTH_BITS, bits);
}

// What a match may cost at most.
static size_t match_cost(sk_slice pattern, sk_slice key)
{
    uint64_t steps = (uint64_t)pattern.size * (key.size + 1);
    return steps < SK_GLOB_STEPS_MAX ? (size_t)steps : SK_GLOB_STEPS_MAX;
}

static bool parse_cursor(sk_slice text, uint64_t *out)
{
    uint64_t value = 0;
    for (size_t i = 0; i < text.size; i++) {
        uint8_t digit = (uint8_t)(text.data[i] - '0');
        if (digit > 9 || value > (UINT64_MAX - digit) / 10) return false;
        value = value * 10 + digit;
    }
    *out = value;
    return true; // no digits at all are 0, as in Redis
}

bool sk_scan_parse(sk_command_call *call, size_t index, bool of_space, sk_scan *out)
{
    *out = (sk_scan){.count = COUNT_DEFAULT};
    if (!parse_cursor(call->argv[index], &out->cursor)) {
        sk_reply_error(&call->reply, "ERR invalid cursor");
        return false;
    }
    for (size_t i = index + 1; i < call->argc; i += 2) {
        int64_t count = 1;
        bool paired = i + 1 < call->argc;
        if (paired && sk_slice_equal_nocase(call->argv[i], "count")) {
            if (!sk_call_integer(call, i + 1, &count)) return false;
            out->count = count > COUNT_MAX ? COUNT_MAX : (uint64_t)count;
        } else if (paired && sk_slice_equal_nocase(call->argv[i], "match")) {
            out->pattern = call->argv[i + 1];
            out->has_pattern = true;
        } else if (paired && of_space && sk_slice_equal_nocase(call->argv[i], "type")) {
            out->type = call->argv[i + 1];
            out->has_type = true;
        } else {
            count = 0;
        }
        if (count < 1) {
            sk_reply_error(&call->reply, SK_ERR_SYNTAX);
            return false;
        }
    }
    return true;
}

bool sk_scan_matches(const sk_scan *scan, sk_slice name, size_t *steps)
{
    if (!scan->has_pattern) return true;
    *steps += match_cost(scan->pattern, name);
    return sk_glob_match(scan->pattern, name, false);
}

static bool is_expired(const sk_keyspace *keyspace, const sk_value *value)
{
    return value->meta && value->meta <= keyspace->clock_ms;
}

static bool wanted(const sk_keyspace *keyspace, const sk_scan *scan, sk_slice key, const sk_value *value,
                   size_t *steps)
{
    if (is_expired(keyspace, value)) return false;
    if (scan->has_type && !sk_slice_equal_nocase(scan->type, sk_type_names[value->tag & SK_TYPE_MASK]))
        return false;
    return sk_scan_matches(scan, key, steps);
}

// Appends the wanted keys from index `at` to `end` (or until the patterns have cost enough) to body. Returns
// where it stopped.
static uint64_t scan_range(sk_keyspace *keyspace, const sk_scan *scan, uint64_t at, uint64_t end, sk_reply *body,
                           size_t *given)
{
    sk_slice key;
    sk_value value;
    if (!sk_tree_at(&keyspace->keys, at, &key, &value)) return keyspace->keys.count;
    sk_tree_cursor cursor;
    sk_tree_seek(&cursor, &keyspace->keys, key);
    size_t steps = 0;
    for (; at < end && steps < SK_SCAN_STEPS_MAX && sk_tree_next(&cursor, &key, &value); at++) {
        if (!wanted(keyspace, scan, key, &value, &steps)) continue;
        sk_reply_bulk(body, key);
        ++*given;
    }
    return at;
}

void sk_run_scan(sk_command_call *call)
{
    sk_scan scan;
    if (!sk_scan_parse(call, 1, true, &scan)) return;
    sk_keyspace *keyspace = call->keyspace;
    uint64_t distance = 0;
    uint64_t index = scan.cursor ? read_cursor(scan.cursor, keyspace->changes, &distance) : 0;
    uint64_t begin = index > distance ? index - distance : 0;
    uint64_t overlap = distance > OVERLAP_MAX ? OVERLAP_MAX : distance;
    uint64_t end = begin + scan.count + 2 * overlap;
    sk_buffer_clear(&keyspace->scratch);
    sk_reply body = {.out = &keyspace->scratch, .resp = call->reply.resp};
    size_t given = 0;
    uint64_t stopped = scan_range(keyspace, &scan, begin, end, &body, &given);
    uint64_t next = stopped < keyspace->keys.count ? make_cursor(stopped, keyspace->changes) : 0;
    uint8_t text[SK_NUMBER_SIZE_MAX];
    sk_reply_array(&call->reply, 2);
    sk_reply_bulk(&call->reply, sk_slice_make(text, sk_number_format(text, (int64_t)next)));
    sk_reply_array(&call->reply, given);
    sk_buffer_append_slice(call->reply.out, sk_buffer_slice(&keyspace->scratch));
}

// ---- KEYS: over the state as it was when asked, some entries a slice ----

typedef struct keys_job {
    sk_machine_job job; // first
    sk_tree keys;       // a snapshot
    sk_tree_cursor cursor;
    uint64_t clock_ms;
    sk_buffer pattern;
    sk_buffer body; // the keys found, as they are replied; how many comes before them, so they wait here
    size_t given;
    size_t told; // of body
    bool all, found_all;
    size_t skip;
    bool tagged;
} keys_job;

enum { STEPS_PER_UNIT = 256, BYTES_PER_UNIT = 1024 };

static bool keys_find(keys_job *job, size_t budget)
{
    sk_slice pattern = sk_buffer_slice(&job->pattern);
    sk_reply body = {.out = &job->body, .resp = 2};
    size_t steps = 0;
    for (size_t i = 0; i < budget && steps / STEPS_PER_UNIT < budget; i++) {
        sk_slice key;
        sk_value value;
        if (!sk_tree_next(&job->cursor, &key, &value)) return true;
        if (value.meta && value.meta <= job->clock_ms) continue;
        if (job->tagged && !value.tag) continue;
        key = sk_slice_make(key.data + job->skip, key.size - job->skip);
        if (!job->all) {
            steps += match_cost(pattern, key);
            if (!sk_glob_match(pattern, key, false)) continue;
        }
        sk_reply_bulk(&body, key);
        job->given++;
    }
    return false;
}

static bool keys_run(sk_machine_job *base, sk_buffer *reply, size_t budget)
{
    keys_job *job = SK_CONTAINER(base, keys_job, job);
    if (budget == 0) budget = 1;
    if (!job->found_all) {
        job->found_all = keys_find(job, budget);
        if (!job->found_all) return true;
        sk_reply header = {.out = reply, .resp = 2};
        sk_reply_array(&header, job->given);
    }
    size_t left = job->body.size - job->told;
    size_t part = left / BYTES_PER_UNIT < budget ? left : budget * BYTES_PER_UNIT;
    if (part) sk_buffer_append(reply, job->body.data + job->told, part);
    job->told += part;
    return job->told < job->body.size;
}

static void keys_close(sk_machine_job *base)
{
    keys_job *job = SK_CONTAINER(base, keys_job, job);
    sk_tree_drop(&job->keys);
    sk_buffer_deinit(&job->pattern);
    sk_buffer_deinit(&job->body);
    sk_free(job);
}

static const sk_machine_job_ops keys_ops = {.run = keys_run, .close = keys_close};

sk_machine_job *sk_keys_job_open(sk_tree *keys, size_t skip, bool tagged, uint64_t clock_ms, sk_slice pattern)
{
    keys_job *job = sk_alloc_zeroed(sizeof *job);
    job->job.ops = &keys_ops;
    job->keys = sk_tree_snapshot(keys);
    sk_tree_seek(&job->cursor, &job->keys, sk_slice_make(NULL, 0));
    job->clock_ms = clock_ms;
    job->all = pattern.size == 1 && pattern.data[0] == '*';
    job->skip = skip;
    job->tagged = tagged;
    sk_buffer_append_slice(&job->pattern, pattern);
    return &job->job;
}

void sk_run_keys(sk_command_call *call)
{
    sk_keyspace *keyspace = call->keyspace;
    call->job = sk_keys_job_open(&keyspace->keys, 0, false, keyspace->clock_ms, call->argv[1]);
}
