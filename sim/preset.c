#include "sim/preset.h"

#include <stdio.h>
#include <string.h>
#include "base/assert.h"
#include "protocol/protocol.h"

#define CLASS(name) (1u << SK_CLASS_##name)

typedef struct row {
    const char *name;
    bool timing;
    int value;        // of its enumeration
    unsigned classes; // of faults that it allows
} row;

static const row rows[] = {
    {"synchronous", true, SK_TIMING_SYNCHRONOUS, 0},
    {"partially-synchronous", true, SK_TIMING_PARTIAL, CLASS(TIMING) | CLASS(LINK)},
    {"asynchronous", true, SK_TIMING_ASYNCHRONOUS, CLASS(TIMING)},
    {"crash-stop", false, SK_FAILURE_CRASH_STOP, CLASS(CRASH)},
    {"crash-recovery", false, SK_FAILURE_CRASH_RECOVERY, CLASS(CRASH)},
    {"send-omission", false, SK_FAILURE_SEND_OMISSION, CLASS(SEND_OMISSION)},
    {"receive-omission", false, SK_FAILURE_RECEIVE_OMISSION, CLASS(RECEIVE_OMISSION)},
    {"byzantine", false, SK_FAILURE_BYZANTINE, CLASS(CRASH)},
    {"unrecoverable", false, SK_FAILURE_UNRECOVERABLE, CLASS(CRASH) | CLASS(STORAGE)},
};

// What a protocol can bear. One that bears lies comes with a way to tell them.
typedef struct tolerance {
    const char *protocol;
    sk_lie lie; // NULL: it does not bear them
    const char *why_not;
} tolerance;

static const tolerance tolerances[] = {
    {"raft", NULL,
     "raft believes what its members say, so one liar can make two leaders of one term; it bears f of 2f + 1 members that stop. "
     "Members that lie need signed votes by 2f + 1 of 3f + 1, as pbft has them; "
     "try crash-recovery or send-omission here"},
};

static const row *find(const char *name, size_t size)
{
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (strlen(rows[i].name) == size && !memcmp(rows[i].name, name, size)) return &rows[i];
    }
    return NULL;
}

static const tolerance *tolerance_of(const char *protocol)
{
    for (size_t i = 0; i < sizeof tolerances / sizeof *tolerances; i++) {
        if (!strcmp(tolerances[i].protocol, protocol)) return &tolerances[i];
    }
    return NULL;
}

sk_lie sk_preset_lie(const char *protocol)
{
    const tolerance *one = tolerance_of(protocol);
    return one ? one->lie : NULL;
}

static bool bears_lies(const char *protocol, char *problem, size_t size)
{
    const tolerance *one = tolerance_of(protocol);
    snprintf(problem, size, "preset byzantine: %s", one ? one->why_not : "nobody has said whether this protocol bears members that lie");
    return one && one->lie;
}

static void list_names(char *problem, size_t size, const char *wrong, size_t wrong_size)
{
    int used = snprintf(problem, size, "no such preset: %.*s; there are", (int)wrong_size, wrong);
    for (size_t i = 0; i < sizeof rows / sizeof *rows && used > 0 && (size_t)used < size; i++)
        used += snprintf(problem + used, size - (size_t)used, " %s", rows[i].name);
}

static bool take(sk_preset *out, const row *one, char *problem, size_t size)
{
    bool twice = one->timing ? out->timing != SK_TIMING_DRAWN : out->failure != SK_FAILURE_DRAWN;
    if (twice) {
        snprintf(problem, size, "two %s presets: a run has one timing and one failure model, as in synchronous,crash-stop",
                 one->timing ? "timing" : "failure");
        return false;
    }
    if (one->timing)
        out->timing = (enum sk_preset_timing)one->value;
    else
        out->failure = (enum sk_preset_failure)one->value;
    return true;
}

bool sk_preset_parse(const char *text, const char *protocol, sk_preset *out, char *problem, size_t size)
{
    *out = (sk_preset){0};
    for (;;) {
        size_t length = strcspn(text, ",");
        const row *one = find(text, length);
        if (!one) {
            list_names(problem, size, text, length);
            return false;
        }
        if (!take(out, one, problem, size)) return false;
        if (!text[length]) break;
        text += length + 1;
    }
    if (out->failure == SK_FAILURE_BYZANTINE && !bears_lies(protocol, problem, size)) return false;
    if (out->failure == SK_FAILURE_UNRECOVERABLE && sk_protocol_find(protocol)->mergeable) {
        snprintf(problem, size, "preset unrecoverable: a %s space needs no majority, so there is none to lose; try crash-stop", protocol);
        return false;
    }
    if (out->failure == SK_FAILURE_UNRECOVERABLE) return true; // whatever else happens: the seed draws it
    if (out->timing == SK_TIMING_DRAWN) out->timing = SK_TIMING_PARTIAL;
    if (out->failure == SK_FAILURE_DRAWN) out->failure = SK_FAILURE_NONE;
    return true;
}

static unsigned classes_of(bool timing, int value)
{
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (rows[i].timing == timing && rows[i].value == value) return rows[i].classes;
    }
    return 0;
}

bool sk_preset_allows(const sk_preset *preset, enum sk_fault fault)
{
    if (preset->timing == SK_TIMING_DRAWN) return true;
    unsigned allowed = CLASS(WALL) | CLASS(CLIENT) | classes_of(true, (int)preset->timing) | classes_of(false, (int)preset->failure);
    if (!(allowed & 1u << sk_fault_class_of(fault))) return false;
    if (preset->failure != SK_FAILURE_CRASH_STOP || sk_fault_class_of(fault) != SK_CLASS_CRASH) return true;
    return fault == SK_FAULT_KILL || fault == SK_FAULT_KILL_LEADER || fault == SK_FAULT_POWER;
}

static const char *name_of(bool timing, int value)
{
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (rows[i].timing == timing && rows[i].value == value) return rows[i].name;
    }
    return NULL;
}

void sk_preset_name(const sk_preset *preset, char *out, size_t size)
{
    const char *timing = name_of(true, (int)preset->timing), *failure = name_of(false, (int)preset->failure);
    snprintf(out, size, "%s%s%s", timing ? timing : "", timing && failure ? "," : "", failure ? failure : "");
    if (!timing && !failure) snprintf(out, size, "drawn");
}
