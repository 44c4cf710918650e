#include "sim/overrides.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include "base/assert.h"

// ---- Reading ----

static bool read_number(const char *text, uint64_t low, uint64_t high, uint64_t *out)
{
    char *end;
    if (*text < '0' || *text > '9') return false;
    *out = strtoull(text, &end, 10);
    return !*end && *out >= low && *out <= high;
}

// "3,17..19": calls for each number. False: it is no such list.
static bool read_list(const char *text, uint32_t high, uint64_t *bits)
{
    while (*text) {
        char *end;
        if (*text < '0' || *text > '9') return false;
        unsigned long first = strtoul(text, &end, 10), last = first;
        if (!strncmp(end, "..", 2)) last = strtoul(end + 2, &end, 10);
        if (first < 1 || last < first || last > high) return false;
        for (unsigned long i = first; i <= last; i++) bits[i / 64] |= (uint64_t)1 << i % 64;
        if (*end && *end != ',') return false;
        text = *end ? end + 1 : end;
    }
    return true;
}

static bool read_without(sk_overrides *overrides, const char *text)
{
    while (*text) {
        size_t size = strcspn(text, ",");
        int i = 0;
        while (i < SK_FAULT_END && (strlen(sk_fault_name((enum sk_fault)i)) != size ||
                                    strncmp(sk_fault_name((enum sk_fault)i), text, size) != 0))
            i++;
        if (i == SK_FAULT_END) return false;
        overrides->without[i] = true;
        text += size;
        if (*text) text++;
    }
    return true;
}

bool sk_overrides_seconds(const char *text, sk_ns *out)
{
    char *end;
    if (*text < '0' || *text > '9') return false;
    uint64_t whole = strtoull(text, &end, 10), part = 0, scale = SK_S;
    if (*end == '.') {
        for (end++; *end >= '0' && *end <= '9' && scale > SK_US; end++) {
            scale /= 10;
            part += (uint64_t)(*end - '0') * scale;
        }
    }
    if (*end || whole > 1000000) return false;
    *out = whole * SK_S + part;
    return true;
}

static bool read_count(const char *text, uint32_t *out)
{
    uint64_t number;
    if (!read_number(text, 1, 1000000, &number)) return false;
    *out = (uint32_t)number;
    return true;
}

bool sk_overrides_set(sk_overrides *overrides, enum sk_overrides_option option, const char *value)
{
    uint64_t bits[1] = {0};
    switch (option) {
    case SK_OVERRIDES_WITHOUT:
        return read_without(overrides, value);
    case SK_OVERRIDES_ONLY_FAULTS:
        overrides->chosen = true;
        return !strcmp(value, "none") || read_list(value, SK_PLAN_FAULTS_MAX, overrides->kept);
    case SK_OVERRIDES_PHASES:
        if (!read_list(value, SK_SWARM_PHASES_MAX, bits)) return false;
        overrides->phases = (uint32_t)(bits[0] >> 1);
        return overrides->phases != 0;
    case SK_OVERRIDES_FEWER_NODES:
        return read_count(value, &overrides->nodes);
    case SK_OVERRIDES_CLIENTS:
        return read_count(value, &overrides->clients);
    case SK_OVERRIDES_OPERATIONS:
        return read_count(value, &overrides->operations);
    case SK_OVERRIDES_KEYS:
        return read_count(value, &overrides->keys);
    case SK_OVERRIDES_UNTIL:
        return sk_overrides_seconds(value, &overrides->until) && overrides->until > 0;
    case SK_OVERRIDES_VARY:
        return read_number(value, 0, UINT64_MAX, &overrides->vary);
    default:
        return false;
    }
}

// ---- Printing ----

static void print_list(const uint64_t *bits, uint32_t high, sk_buffer *out)
{
    const char *between = " ";
    for (uint32_t i = 1; i <= high; i++) {
        if (!(bits[i / 64] >> i % 64 & 1)) continue;
        uint32_t last = i;
        while (last < high && bits[(last + 1) / 64] >> (last + 1) % 64 & 1) last++;
        sk_buffer_printf(out, "%s%" PRIu32, between, i);
        if (last > i) sk_buffer_printf(out, last == i + 1 ? ",%" PRIu32 : "..%" PRIu32, last);
        between = ",";
        i = last;
    }
    if (*between == ' ') sk_buffer_append_text(out, " none");
}

static void print_count(const char *name, uint64_t value, sk_buffer *out)
{
    if (value) sk_buffer_printf(out, " --%s %" PRIu64, name, value);
}

void sk_overrides_print(const sk_overrides *overrides, sk_buffer *out)
{
    const char *between = " --without ";
    for (int i = 0; i < SK_FAULT_END; i++) {
        if (!overrides->without[i]) continue;
        sk_buffer_printf(out, "%s%s", between, sk_fault_name((enum sk_fault)i));
        between = ",";
    }
    if (overrides->chosen) {
        sk_buffer_append_text(out, " --only-faults");
        print_list(overrides->kept, SK_PLAN_FAULTS_MAX, out);
    }
    if (overrides->phases) {
        uint64_t bits = (uint64_t)overrides->phases << 1;
        sk_buffer_append_text(out, " --phases");
        print_list(&bits, SK_SWARM_PHASES_MAX, out);
    }
    print_count("fewer-nodes", overrides->nodes, out);
    print_count("clients", overrides->clients, out);
    print_count("operations", overrides->operations, out);
    print_count("keys", overrides->keys, out);
    if (overrides->until)
        sk_buffer_printf(out, " --until %" PRIu64 ".%06" PRIu64, overrides->until / SK_S,
                         overrides->until % SK_S / SK_US);
    print_count("vary", overrides->vary, out);
}

bool sk_overrides_any(const sk_overrides *overrides)
{
    for (int i = 0; i < SK_FAULT_END; i++) {
        if (overrides->without[i]) return true;
    }
    return overrides->chosen || overrides->phases || overrides->nodes || overrides->clients ||
           overrides->operations || overrides->keys || overrides->until || overrides->vary;
}

bool sk_overrides_keeps(const sk_overrides *overrides, uint32_t fault_number)
{
    SK_ASSERT(fault_number >= 1 && fault_number <= SK_PLAN_FAULTS_MAX);
    return !overrides->chosen || overrides->kept[fault_number / 64] >> fault_number % 64 & 1;
}

void sk_overrides_keep(sk_overrides *overrides, uint32_t fault_number, bool keep)
{
    SK_ASSERT(fault_number >= 1 && fault_number <= SK_PLAN_FAULTS_MAX);
    uint64_t bit = (uint64_t)1 << fault_number % 64;
    if (!overrides->chosen) memset(overrides->kept, 0xff, sizeof overrides->kept);
    overrides->chosen = true;
    if (keep)
        overrides->kept[fault_number / 64] |= bit;
    else
        overrides->kept[fault_number / 64] &= ~bit;
}

// ---- Applying ----

// The kinds that are rates or habits of their own, not strikes of the nemesis.
static void leave_out_rates(const sk_overrides *overrides, sk_swarm *swarm)
{
    const bool *without = overrides->without;
    for (int i = 0; i < SK_FAULT_END; i++) {
        if (without[i]) swarm->fault[i] = false;
    }
    if (without[SK_FAULT_NET_LOSS]) swarm->loss = 0;
    if (without[SK_FAULT_NET_DUPLICATE]) swarm->duplicate = 0;
    if (without[SK_FAULT_NET_REPLAY]) swarm->replay = 0;
    if (without[SK_FAULT_NET_REORDER]) swarm->reorder = 0;
    if (without[SK_FAULT_NET_TAIL]) swarm->tail = 0;
    if (!swarm->fault[SK_FAULT_NET_CORRUPT] && !swarm->fault[SK_FAULT_NET_TRUNCATE]) swarm->corrupt = 0;
    if (without[SK_FAULT_NET_DELAY] && swarm->delay_mean > 500 * SK_US) swarm->delay_mean = 500 * SK_US;
    if (without[SK_FAULT_CLOCK_DRIFT]) swarm->drift_ppm_max = 0;
    if (without[SK_FAULT_CLIENT_PIPELINE]) swarm->pipeline_max = 1;
    if (without[SK_FAULT_CLIENT_HUGE] && swarm->value_size_max > 100) swarm->value_size_max = 100;
    if (without[SK_FAULT_CLIENT_TIMEOUT] && swarm->client_timeout < swarm->request_timeout + SK_S)
        swarm->client_timeout = swarm->request_timeout + SK_S;
}

// New numbers of the phases, from 1; 0: gone.
static void leave_out_phases(const sk_overrides *overrides, sk_swarm *swarm, uint32_t places[SK_SWARM_PHASES_MAX])
{
    uint32_t count = 0;
    sk_ns length = 0;
    for (uint32_t i = 0; i < swarm->phase_count; i++) {
        sk_swarm_phase phase = swarm->phases[i];
        places[i] = 0;
        if (overrides->phases && !(overrides->phases >> i & 1)) continue;
        if (overrides->until && length >= overrides->until) continue;
        if (overrides->until && length + phase.length > overrides->until) phase.length = overrides->until - length;
        length += phase.length;
        swarm->phases[count++] = phase;
        places[i] = count;
    }
    swarm->phase_count = count;
}

void sk_overrides_apply(const sk_overrides *overrides, sk_swarm *swarm, sk_plan *plan)
{
    uint32_t places[SK_SWARM_PHASES_MAX];
    uint32_t phase_count = swarm->phase_count;
    leave_out_rates(overrides, swarm);
    leave_out_phases(overrides, swarm, places);
    if (overrides->nodes && overrides->nodes < swarm->node_count) swarm->node_count = overrides->nodes;
    if (overrides->clients && overrides->clients < swarm->client_count) swarm->client_count = overrides->clients;
    if (overrides->keys && overrides->keys < swarm->keys) swarm->keys = overrides->keys;
    if (overrides->operations) {
        swarm->operations_max = overrides->operations;
        swarm->operations_end = true;
    }
    swarm->vary = overrides->vary;
    for (uint32_t i = 0; i < plan->count; i++) {
        sk_plan_fault *fault = &plan->list[i];
        bool kept = sk_overrides_keeps(overrides, fault->number) && fault->phase <= phase_count &&
                    (fault->fault == SK_FAULT_END || !overrides->without[fault->fault]);
        fault->phase = kept ? places[fault->phase - 1] : 0;
    }
}
