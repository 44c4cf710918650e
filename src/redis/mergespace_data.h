// Inside a mergeable key space: what its commands work with.
#ifndef SK_REDIS_MERGESPACE_DATA_H
#define SK_REDIS_MERGESPACE_DATA_H

#include "base/list.h"
#include "data/mergeable.h"
#include "redis/command.h"
#include "redis/mergespace.h"
#include "redis/values.h"

#define SK_ERR_GROW_ONLY "ERR counters of this space only grow (OPTION counter g)"

typedef struct sk_slices {
    sk_slice *list;
    size_t count, capacity;
} sk_slices;

struct sk_mergespace {
    sk_machine machine; // first
    sk_mergespace_options options;
    sk_mergeable state;
    sk_writer writer;   // of the command that runs
    sk_slice *argv;
    size_t argv_capacity;
    sk_head head;       // scratch, all below
    sk_scalar scalar;
    sk_buffer text, total, more;
    sk_buffer rule;     // the text that options.rule is
    sk_slices values, lines;
    sk_buffer resolved; // what a conflict was made
    sk_buffer failure;  // why the command that runs fails, whatever it has replied
    uint64_t conflict_steps; // of the command that runs
};

static inline sk_mergespace *sk_mergespace_of(sk_machine *machine)
{
    return SK_CONTAINER(machine, sk_mergespace, machine);
}

// Wall time of the command that runs, in milliseconds.
static inline uint64_t sk_merge_wall_ms(const sk_command_call *call)
{
    return call->mergespace->writer.wall_ms;
}

// What is shown at a key: 0 (nothing) or one of these.
enum sk_shown { SK_SHOWN_NOTHING, SK_SHOWN_STRING, SK_SHOWN_SET, SK_SHOWN_MAP };
enum sk_shown sk_merge_shown(uint8_t tag);
enum sk_shown sk_merge_find(sk_command_call *call, sk_slice key, sk_value *value);

// ---- mergespace_conflict.c ----

// A register and a counter as the one value they are shown as; something is there. Appends. False: the space's rule gives none; nothing is
// appended, and the command is answered with that in the end. It must not change anything then.
bool sk_merge_show(sk_mergespace *space, const sk_scalar *scalar, sk_buffer *out);

// A decimal text without exponent, as sk_decimal_add writes it. False: beyond 64 bits of whole.
bool sk_merge_parse_total(sk_slice text, sk_total *out);
void sk_merge_format_total(sk_total total, sk_buffer *out);
// What `shown` (empty: 0) and `more` add up to, and `more` as an amount.
enum sk_values_sum sk_merge_sum(sk_mergespace *space, sk_slice shown, sk_slice more, bool whole, sk_buffer *sum, sk_total *amount);

// The function of a row in a mergeable space; NULL: refused.
sk_command_run *sk_merge_find_run(const sk_command *command);
void sk_merge_refuse(sk_command_call *call, const char *what);

extern const sk_values_ops sk_merge_values;
extern const sk_mergeable_ops sk_merge_ops;

sk_command_run sk_merge_set, sk_merge_setex, sk_merge_psetex, sk_merge_get, sk_merge_mget, sk_merge_strlen, sk_merge_getrange;
sk_command_run sk_merge_incr, sk_merge_decr, sk_merge_incrby, sk_merge_decrby, sk_merge_incrbyfloat;
sk_command_run sk_merge_del, sk_merge_exists, sk_merge_type, sk_merge_dbsize, sk_merge_flush, sk_merge_keys, sk_merge_scan;
sk_command_run sk_merge_randomkey, sk_merge_siblings, sk_merge_encoding;
sk_command_run sk_merge_expire, sk_merge_pexpire, sk_merge_expireat, sk_merge_pexpireat, sk_merge_persist, sk_merge_ttl, sk_merge_pttl;
sk_command_run sk_merge_expiretime, sk_merge_pexpiretime;

sk_machine_image *sk_merge_image_open(sk_machine *machine);
bool sk_merge_image_next(sk_machine_image *image, sk_buffer *out, size_t budget);
void sk_merge_image_close(sk_machine_image *image);
sk_machine_restore *sk_merge_restore_open(sk_machine *machine);
int sk_merge_restore_add(sk_machine_restore *restore, sk_slice bytes);
int sk_merge_restore_finish(sk_machine_restore *restore);
void sk_merge_restore_abort(sk_machine_restore *restore);

#endif
