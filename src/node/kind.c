#include "node/kind.h"

#include <stdio.h>

#include "node/catalogue_machine.h"
#include "redis/command.h"
#include "redis/mergespace.h"
#include "redis/rule.h"

static sk_machine *open_keyspace(sk_node_id node, sk_slice options)
{
    return sk_keyspace_open(&(sk_keyspace_limits){0});
}

static const char *quorum_durability_refused(enum sk_durability durability)
{
    switch (durability) {
    case SK_DURABILITY_ALWAYS: return NULL;
    case SK_DURABILITY_GROUP:
        return "a raft space answers when a majority has the write on disk; replicas that may lose their last milliseconds would "
               "make that majority a guess. Use DURABILITY always";
    case SK_DURABILITY_VOLATILE:
        return "a raft space without a disk would forget its votes with its power and could choose two leaders. Use DURABILITY "
               "always";
    }
    return "unknown";
}

static const char *const no_options[] = {NULL};

static const sk_space_kind raft_kind = {
    .protocol = &sk_raft,
    .promise = "linearizable: every read sees every write that was answered before it began",
    .writable = "a majority of the nodes",
    .open = open_keyspace,
    .facts = sk_keyspace_facts_of,
    .has_prefix = sk_keyspace_has_prefix,
    .set_memory_max = sk_keyspace_set_memory_max,
    .durability_refused = quorum_durability_refused,
    .options = no_options,
    .options_help = "a raft space has one option, memory-max",
    .reads = SK_READS_LINEARIZABLE,
};

// ---- crdt ----

static const uint64_t drift_max_ms = 500; // of stamps; decides no outcome (clock/hlc.h)

static const char *const mergespace_options[] = {"register", "counter", "conflict", "rule", NULL};
static const char mergespace_options_help[] = "a crdt or causal space has the options register (lww or mv), counter (pn or g), conflict (last-writer, "
                                              "merge or custom), rule and memory-max";

static bool take_conflict(enum sk_conflict *out, sk_slice value)
{
    static const char *const names[] = {"last-writer", "merge", "custom"};
    for (int i = 0; i < 3; i++) {
        if (!sk_slice_equal_nocase(value, names[i])) continue;
        *out = (enum sk_conflict)i;
        return true;
    }
    return false;
}

// One option's place in `out`. False: no such option or value.
static bool take_option(sk_mergespace_options *out, sk_slice name, sk_slice value)
{
    if (sk_slice_equal_nocase(name, "conflict")) return take_conflict(&out->conflict, value);
    if (sk_slice_equal_nocase(name, "rule")) {
        out->rule = value;
        return true;
    }
    if (sk_slice_equal_nocase(name, "register")) {
        out->multi_value = sk_slice_equal_nocase(value, "mv");
        return out->multi_value || sk_slice_equal_nocase(value, "lww");
    }
    if (!sk_slice_equal_nocase(name, "counter")) return false;
    out->grow_only = sk_slice_equal_nocase(value, "g");
    return out->grow_only || sk_slice_equal_nocase(value, "pn");
}

// All of them. False: one is not good, `*name` is its name.
static bool take_options(sk_mergespace_options *out, sk_slice options, sk_slice *name)
{
    sk_slice words[SK_SPACE_OPTION_WORDS_MAX];
    bool good = true;
    int count = options.size ? sk_command_decode(options, words, SK_SPACE_OPTION_WORDS_MAX) : 0;
    for (int i = 0; i + 1 < count; i += 2) {
        if (take_option(out, words[i], words[i + 1])) continue;
        *name = words[i];
        good = false;
    }
    return good;
}

// A rule may be given ahead of `conflict custom`, but hardly on purpose when the space is created. (A refusal by this node's catalogue, which may
// be old, would be wrong for whoever has just altered the other option elsewhere.)
static bool mergespace_options_ok(sk_slice options, sk_slice given, bool created, sk_buffer *why)
{
    sk_mergespace_options all = {0}, fresh = {0};
    sk_slice name;
    if (!take_options(&all, options, &name)) {
        sk_buffer_printf(why, "OPTION '%.*s' has no such value: ", (int)name.size, (const char *)name.data);
        sk_buffer_append_text(why, "register is lww or mv, counter pn or g, conflict last-writer, merge or custom (with a rule)");
        return false;
    }
    (void)take_options(&fresh, given, &name);
    if (created && fresh.rule.data && all.conflict != SK_CONFLICT_CUSTOM) {
        sk_buffer_append_text(why, "OPTION 'rule' goes with OPTION conflict custom");
        return false;
    }
    if (all.conflict == SK_CONFLICT_CUSTOM && !all.rule.data) {
        sk_buffer_append_text(why, "OPTION 'conflict': custom needs a rule, such as OPTION rule \"return function(s) return s[1] end\"");
        return false;
    }
    sk_buffer said = {0};
    bool good = !fresh.rule.data || sk_rule_check(fresh.rule, &said);
    if (!good) sk_buffer_printf(why, "OPTION 'rule': %.*s", (int)said.size, (const char *)said.data);
    sk_buffer_deinit(&said);
    return good;
}

static sk_machine *open_mergespace(sk_node_id node, sk_slice options)
{
    sk_mergespace_options taken = {.node = node, .drift_max_ms = drift_max_ms};
    sk_slice ignored;
    (void)take_options(&taken, options, &ignored);
    return sk_mergespace_open(&taken);
}

static void set_mergespace_options(sk_machine *machine, sk_slice options)
{
    sk_mergespace_options taken = {0};
    sk_slice ignored;
    (void)take_options(&taken, options, &ignored);
    sk_mergespace_set_options(machine, &taken);
}

static sk_keyspace_facts mergespace_facts(const sk_machine *machine)
{
    sk_mergespace_facts facts = sk_mergespace_facts_of(machine);
    return (sk_keyspace_facts){.keys = facts.keys, .expires = facts.expires, .bytes = facts.bytes};
}

// Its writes need no other node, so what is answered early can be lost here alone; and a node numbers nothing again that it has lost: every
// start is another life (node/space.h, "Durability").
static const char *any_durability(enum sk_durability durability)
{
    (void)durability;
    return NULL;
}

static const sk_space_kind crdt_kind = {
    .protocol = &sk_crdt,
    .promise = "strong eventual: every node takes writes at once; nodes that have seen the same writes show the same",
    .writable = "this node",
    .open = open_mergespace,
    .facts = mergespace_facts,
    .set_memory_max = sk_mergespace_set_memory_max,
    .durability_refused = any_durability,
    .options = mergespace_options,
    .options_help = mergespace_options_help,
    .options_ok = mergespace_options_ok,
    .set_options = set_mergespace_options,
    .reads = SK_READS_LOCAL,
};

// ---- causal ----

static const sk_space_kind causal_kind = {
    .protocol = &sk_causal,
    .promise = "causal: every node takes writes at once; no node shows a write without all that its writer had seen",
    .writable = "this node",
    .open = open_mergespace,
    .facts = mergespace_facts,
    .set_memory_max = sk_mergespace_set_memory_max,
    .durability_refused = any_durability,
    .options = mergespace_options,
    .options_help = mergespace_options_help,
    .options_ok = mergespace_options_ok,
    .set_options = set_mergespace_options,
    .reads = SK_READS_SESSION,
};

static sk_machine *open_catalogue(sk_node_id node, sk_slice options)
{
    return sk_catalogue_machine_open();
}

const sk_space_kind sk_space_kind_system = {
    .protocol = &sk_raft,
    .promise = "linearizable",
    .writable = "a majority of the nodes",
    .open = open_catalogue,
    .facts = sk_catalogue_machine_facts,
    .reads = SK_READS_LINEARIZABLE,
};

static const sk_space_kind *const kinds[] = {&raft_kind, &crdt_kind, &causal_kind};

const sk_space_kind *sk_space_kind_find(sk_slice name)
{
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        if (sk_slice_equal_nocase(name, kinds[i]->protocol->name)) return kinds[i];
    }
    return NULL;
}

const sk_space_kind *const *sk_space_kinds(size_t *count)
{
    *count = sizeof kinds / sizeof *kinds;
    return kinds;
}

const char *sk_durability_name(enum sk_durability durability)
{
    static const char *const names[] = {"always", "group", "volatile"};
    return names[durability];
}

uint32_t sk_durability_window_ms(enum sk_durability durability, uint32_t group_ms)
{
    switch (durability) {
    case SK_DURABILITY_ALWAYS: return 0;
    case SK_DURABILITY_GROUP: return group_ms;
    case SK_DURABILITY_VOLATILE: return 2 * SK_VOLATILE_WRITTEN_MS;
    }
    return 0;
}

const char *sk_durability_loss(enum sk_durability durability, uint32_t group_ms, char *out, size_t size)
{
    if (durability == SK_DURABILITY_ALWAYS) snprintf(out, size, "none");
    else if (durability == SK_DURABILITY_GROUP) snprintf(out, size, "%u ms", (unsigned)group_ms);
    else snprintf(out, size, "no bound (written about every %d ms)", SK_VOLATILE_WRITTEN_MS);
    return out;
}

static const char *const reads_names[] = {"default", "linearizable", "session", "local"};

const char *sk_reads_mode_name(enum sk_reads_mode mode)
{
    return reads_names[mode];
}

bool sk_reads_mode_parse(sk_slice text, enum sk_reads_mode *out)
{
    for (int i = SK_READS_LINEARIZABLE; i <= SK_READS_LOCAL; i++) {
        if (!sk_slice_equal_nocase(text, reads_names[i])) continue;
        *out = (enum sk_reads_mode)i;
        return true;
    }
    return false;
}
