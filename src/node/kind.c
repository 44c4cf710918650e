#include "node/kind.h"

#include "node/catalogue_machine.h"

static sk_machine *open_keyspace(void)
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

static const char *no_options(sk_slice name, sk_slice value)
{
    (void)name;
    (void)value;
    return "a raft space has one option, memory-max";
}

static const sk_space_kind raft_kind = {
    .protocol = &sk_raft,
    .promise = "linearizable: every read sees every write that was answered before it began",
    .writable = "a majority of the nodes",
    .open = open_keyspace,
    .facts = sk_keyspace_facts_of,
    .has_prefix = sk_keyspace_has_prefix,
    .set_memory_max = sk_keyspace_set_memory_max,
    .durability_refused = quorum_durability_refused,
    .option_refused = no_options,
    .reads = SK_READS_LINEARIZABLE,
};

const sk_space_kind sk_space_kind_system = {
    .protocol = &sk_raft,
    .promise = "linearizable",
    .writable = "a majority of the nodes",
    .open = sk_catalogue_machine_open,
    .facts = sk_catalogue_machine_facts,
    .reads = SK_READS_LINEARIZABLE,
};

static const sk_space_kind *const kinds[] = {&raft_kind};

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
