// Strings: reading and setting. Numbers and parts of strings are in family_string_change.c.
#include "redis/keyspace_data.h"
#include "redis/number.h"
#include "redis/table.h"

// ---- Options of SET and GETEX ----

enum option {
    OPTION_NX = 1 << 0,
    OPTION_XX = 1 << 1,
    OPTION_GET = 1 << 2,
    OPTION_KEEPTTL = 1 << 3,
    OPTION_PERSIST = 1 << 4,
    OPTION_EX = 1 << 5,
    OPTION_PX = 1 << 6,
    OPTION_EXAT = 1 << 7,
    OPTION_PXAT = 1 << 8,
    OPTION_IFEQ = 1 << 9,
    OPTIONS_OF_TIME = OPTION_EX | OPTION_PX | OPTION_EXAT | OPTION_PXAT,
    OPTIONS_OF_SET = OPTION_NX | OPTION_XX | OPTION_GET | OPTION_KEEPTTL | OPTIONS_OF_TIME | OPTION_IFEQ,
    OPTIONS_OF_GETEX = OPTION_PERSIST | OPTIONS_OF_TIME,
};

// A time option may be repeated (the last one counts), as in Redis: it excludes others, not itself.
static const struct option_row {
    const char *name;
    uint32_t option;
    uint32_t excludes;
    bool has_value;
} option_rows[] = {
    {"nx", OPTION_NX, OPTION_XX | OPTION_IFEQ, false},
    {"xx", OPTION_XX, OPTION_NX | OPTION_IFEQ, false},
    {"get", OPTION_GET, 0, false},
    {"keepttl", OPTION_KEEPTTL, OPTION_PERSIST | OPTIONS_OF_TIME, false},
    {"persist", OPTION_PERSIST, OPTION_KEEPTTL | OPTIONS_OF_TIME, false},
    {"ex", OPTION_EX, OPTION_KEEPTTL | OPTION_PERSIST | (OPTIONS_OF_TIME & ~OPTION_EX), true},
    {"px", OPTION_PX, OPTION_KEEPTTL | OPTION_PERSIST | (OPTIONS_OF_TIME & ~OPTION_PX), true},
    {"exat", OPTION_EXAT, OPTION_KEEPTTL | OPTION_PERSIST | (OPTIONS_OF_TIME & ~OPTION_EXAT), true},
    {"pxat", OPTION_PXAT, OPTION_KEEPTTL | OPTION_PERSIST | (OPTIONS_OF_TIME & ~OPTION_PXAT), true},
    {"ifeq", OPTION_IFEQ, OPTION_NX | OPTION_XX | OPTION_IFEQ, true},
};

typedef struct options {
    uint32_t given;
    size_t time;     // index in argv of the time; 0: none
    size_t expected; // of IFEQ's value
} options;

static const struct option_row *find_option(sk_slice word)
{
    for (size_t i = 0; i < sizeof option_rows / sizeof option_rows[0]; i++) {
        if (sk_slice_equal_nocase(word, option_rows[i].name)) return &option_rows[i];
    }
    return NULL;
}

// False: a syntax error has been replied.
static bool parse_options(sk_command_call *call, size_t at, uint32_t allowed, options *out)
{
    *out = (options){0};
    for (; at < call->argc; at++) {
        const struct option_row *row = find_option(call->argv[at]);
        bool fits = row && (row->option & allowed) && !(row->excludes & out->given) &&
                    (!row->has_value || at + 1 < call->argc);
        if (!fits) {
            sk_reply_error(&call->reply, SK_ERR_SYNTAX);
            return false;
        }
        out->given |= row->option;
        if (!row->has_value) continue;
        at++;
        if (row->option == OPTION_IFEQ)
            out->expected = at;
        else
            out->time = at;
    }
    return true;
}

// The deadline that argv[index] asks for, by the option given. False: the error has been replied.
static bool take_time(sk_command_call *call, size_t index, uint32_t option, uint64_t *deadline)
{
    int64_t time;
    if (!sk_call_integer(call, index, &time)) return false;
    bool seconds = option & (OPTION_EX | OPTION_EXAT);
    bool relative = option & (OPTION_EX | OPTION_PX);
    bool valid = time > 0 && !(seconds && time > INT64_MAX / 1000);
    if (valid && seconds) time *= 1000;
    if (valid && relative) valid = !__builtin_add_overflow(time, sk_call_wall_ms(call), &time) && time > 0;
    if (!valid) {
        sk_reply_errorf(&call->reply, "ERR invalid expire time in '%s' command", call->command->name);
        return false;
    }
    *deadline = sk_call_deadline(call, time);
    return true;
}

static void reply_string(sk_command_call *call, enum sk_found found, const sk_value *value)
{
    if (found == SK_FOUND)
        sk_reply_bulk(&call->reply, value->bytes);
    else if (found == SK_ABSENT)
        sk_reply_null(&call->reply);
}

static void put_string(sk_command_call *call, sk_slice key, sk_slice bytes, uint64_t deadline)
{
    sk_keyspace_put(call->keyspace, key, (sk_value){.bytes = bytes, .meta = deadline, .tag = SK_TYPE_STRING});
}

// ---- SET and its relatives ----

// Do NX, XX and IFEQ let the value be set?
static bool condition_holds(const sk_command_call *call, const options *given, bool found,
                            const sk_value *old)
{
    if (given->given & OPTION_NX) return !found;
    if (given->given & OPTION_XX) return found;
    if (given->given & OPTION_IFEQ) return found && sk_slice_equal(old->bytes, call->argv[given->expected]);
    return true;
}

void sk_run_set(sk_command_call *call)
{
    options given;
    uint64_t deadline = 0;
    if (!parse_options(call, 3, OPTIONS_OF_SET, &given)) return;
    if (given.time && !take_time(call, given.time, given.given, &deadline)) return;
    sk_slice key = call->argv[1];
    bool get = given.given & OPTION_GET;
    if (given.given & (OPTION_NX | OPTION_XX | OPTION_GET | OPTION_KEEPTTL | OPTION_IFEQ)) {
        sk_value old = {0};
        bool found = sk_keyspace_find(call->keyspace, key, &old);
        bool string = found && (old.tag & SK_TYPE_MASK) == SK_TYPE_STRING;
        if (found && !string && (given.given & (OPTION_GET | OPTION_IFEQ))) {
            sk_reply_error(&call->reply, SK_ERR_WRONGTYPE);
            return;
        }
        if (get) reply_string(call, found ? SK_FOUND : SK_ABSENT, &old);
        if (!condition_holds(call, &given, found, &old)) {
            if (!get) sk_reply_null(&call->reply);
            return;
        }
        if (given.given & OPTION_KEEPTTL) deadline = found ? old.meta : 0;
    }
    put_string(call, key, call->argv[2], deadline);
    if (!get) sk_reply_simple(&call->reply, "OK");
}

void sk_run_setnx(sk_command_call *call)
{
    sk_value old;
    bool found = sk_keyspace_find(call->keyspace, call->argv[1], &old);
    if (!found) put_string(call, call->argv[1], call->argv[2], 0);
    sk_reply_integer(&call->reply, !found);
}

static void set_with_time(sk_command_call *call, uint32_t option)
{
    uint64_t deadline;
    if (!take_time(call, 2, option, &deadline)) return;
    put_string(call, call->argv[1], call->argv[3], deadline);
    sk_reply_simple(&call->reply, "OK");
}

void sk_run_setex(sk_command_call *call)
{
    set_with_time(call, OPTION_EX);
}

void sk_run_psetex(sk_command_call *call)
{
    set_with_time(call, OPTION_PX);
}

void sk_run_getset(sk_command_call *call)
{
    sk_value old;
    enum sk_found found = sk_call_string(call, call->argv[1], &old);
    if (found == SK_WRONG) return;
    reply_string(call, found, &old);
    put_string(call, call->argv[1], call->argv[2], 0);
}

// ---- GET and its relatives ----

void sk_run_get(sk_command_call *call)
{
    sk_value value;
    reply_string(call, sk_call_string(call, call->argv[1], &value), &value);
}

void sk_run_getdel(sk_command_call *call)
{
    sk_value value;
    enum sk_found found = sk_call_string(call, call->argv[1], &value);
    reply_string(call, found, &value);
    if (found == SK_FOUND) sk_keyspace_remove(call->keyspace, call->argv[1]);
}

void sk_run_getex(sk_command_call *call)
{
    options given;
    if (!parse_options(call, 2, OPTIONS_OF_GETEX, &given)) return;
    sk_value value;
    enum sk_found found = sk_call_string(call, call->argv[1], &value);
    uint64_t deadline = 0;
    if (found == SK_FOUND && given.time && !take_time(call, given.time, given.given, &deadline)) return;
    reply_string(call, found, &value);
    if (found != SK_FOUND) return;
    if (given.given & (OPTIONS_OF_TIME | OPTION_PERSIST)) {
        sk_keyspace_set_deadline(call->keyspace, call->argv[1], deadline);
    }
}

void sk_run_strlen(sk_command_call *call)
{
    sk_value value;
    if (sk_call_string(call, call->argv[1], &value) == SK_WRONG) return;
    sk_reply_integer(&call->reply, (int64_t)value.bytes.size);
}

// ---- Several keys ----

void sk_run_mget(sk_command_call *call)
{
    sk_reply_array(&call->reply, call->argc - 1);
    for (size_t i = 1; i < call->argc; i++) {
        sk_value value;
        bool found = sk_keyspace_find(call->keyspace, call->argv[i], &value);
        bool string = found && (value.tag & SK_TYPE_MASK) == SK_TYPE_STRING;
        reply_string(call, string ? SK_FOUND : SK_ABSENT, &value);
    }
}

static bool even_pairs(sk_command_call *call)
{
    if (call->argc % 2 == 1) return true;
    sk_command_reply_arity(&call->reply, call->command);
    return false;
}

static void put_pairs(sk_command_call *call)
{
    for (size_t i = 1; i < call->argc; i += 2) put_string(call, call->argv[i], call->argv[i + 1], 0);
}

void sk_run_mset(sk_command_call *call)
{
    if (!even_pairs(call)) return;
    put_pairs(call);
    sk_reply_simple(&call->reply, "OK");
}

void sk_run_msetnx(sk_command_call *call)
{
    if (!even_pairs(call)) return;
    for (size_t i = 1; i < call->argc; i += 2) {
        sk_value value;
        if (sk_keyspace_find(call->keyspace, call->argv[i], &value)) {
            sk_reply_integer(&call->reply, 0);
            return;
        }
    }
    put_pairs(call);
    sk_reply_integer(&call->reply, 1);
}
