#include "daemon/settings.h"

#include <inttypes.h>
#include <stdio.h>
#include <strings.h>

#include "base/assert.h"
#include "base/error.h"
#include "daemon/units.h"

#define FIELD(member) offsetof(sk_settings, member), sizeof(((sk_settings *)0)->member)
#define KB            1024
#define MB            (1024 * 1024)
#define GB            ((uint64_t)1024 * 1024 * 1024)

static const sk_setting rows[] = {
    {"dir", SK_SETTING_TEXT, FIELD(dir), "skein-data", 0, 0, "Who this node is",
     "the directory that holds everything this node must not forget; made if missing"},
    {"node", SK_SETTING_NUMBER, FIELD(node), "0", 0, 255, NULL,
     "this node's number among the founders; 0: whatever the directory says"},
    {"peers", SK_SETTING_TEXT, FIELD(peers), "", 0, 0, NULL,
     "all founders with the addresses of their peer ports, this node too: "
     "1@host:port,2@host:port,3@host:port; empty: a cluster of one"},
    {"cluster-name", SK_SETTING_TEXT, FIELD(cluster_name), "", 0, 0, NULL,
     "used by 'skeind init': founders with the same name and peers found the same cluster"},
    {"cluster-id", SK_SETTING_TEXT, FIELD(cluster_id), "", 0, 0, NULL,
     "32 hexadecimal digits; a directory of another cluster is refused; empty: any"},

    {"bind", SK_SETTING_TEXT, FIELD(bind), "127.0.0.1", 0, 0, "Where it listens",
     "address of the client port; anything but loopback needs allow-open"},
    {"port", SK_SETTING_NUMBER, FIELD(port), "7379", 0, 65535, NULL,
     "client port, spoken to by any Redis client; 0: a free one, see the log"},
    {"peer-bind", SK_SETTING_TEXT, FIELD(peer_bind), "127.0.0.1", 0, 0, NULL,
     "address of the port for the other nodes; anything but loopback needs allow-open"},
    {"peer-port", SK_SETTING_NUMBER, FIELD(peer_port), "7380", 0, 65535, NULL,
     "port for the other nodes; 0: a free one"},
    {"advertise", SK_SETTING_TEXT, FIELD(advertise), "", 0, 0, NULL,
     "host:port at which clients reach this node, as told to the other nodes; empty: bind and port"},
    {"allow-open", SK_SETTING_FLAG, FIELD(allow_open), "no", 0, 0, NULL,
     "yes: listen beyond loopback although there is neither TLS nor a password; only on a network you trust "
     "wholly"},

    {"log-level", SK_SETTING_LEVEL, FIELD(log_level), "info", 0, 0, "Behaviour",
     "debug, info, warn or error; lines go to stderr"},
    {"request-timeout", SK_SETTING_TIME, FIELD(request_timeout), "2s", 10 * SK_MS, 3600 * SK_S, NULL,
     "every request is answered within this time, if only with an error"},
    {"stop-timeout", SK_SETTING_TIME, FIELD(stop_timeout), "5s", 0, 600 * SK_S, NULL,
     "a clean stop waits no longer than this for what is under way"},
    {"heartbeat-active", SK_SETTING_TIME, FIELD(heartbeat_active), "100ms", SK_MS, 60 * SK_S, NULL,
     "a leader's messages while there is work"},
    {"heartbeat-idle", SK_SETTING_TIME, FIELD(heartbeat_idle), "1s", SK_MS, 600 * SK_S, NULL,
     "and when there is none; longer saves power and finds a dead leader later"},
    {"election-min", SK_SETTING_TIME, FIELD(election_min), "300ms", 2 * SK_MS, 600 * SK_S, NULL,
     "silence beyond the promised heartbeat before a follower stands for election: learnt from round trips, lateness and the disk, "
     "and never less than this"},
    {"election-max", SK_SETTING_TIME, FIELD(election_max), "2s", 2 * SK_MS, 600 * SK_S, NULL,
     "and never more; each node draws its own between what it learnt and twice that"},
    {"reads", SK_SETTING_TEXT, FIELD(reads), "quorum", 0, 0, NULL,
     "how reads are kept linearizable: quorum (a majority confirms the leader) or lease (the leader's word while a majority "
     "has promised, by its clocks, to elect nobody else; no message for a read, but a dead leader is replaced election-min later)"},
    {"clock-drift-max", SK_SETTING_NUMBER, FIELD(clock_drift_max), "1000", 0, 500000, NULL,
     "with reads = lease: no node's clock runs faster or slower than true time by more parts in a million"},

    {"commit-delay", SK_SETTING_TIME, FIELD(commit_delay), "0", 0, 100 * SK_MS, "Disk",
     "how long a write may wait for others, to reach the disk with them: fewer flash pages and wake-ups, slower answers; 0: those "
     "go together that come while the disk is busy"},
    {"log-segment-size", SK_SETTING_SIZE, FIELD(log_segment_size), "8mb", 64 * KB, GB, NULL,
     "bytes of one segment of the log, allocated ahead"},
    {"log-size-max", SK_SETTING_SIZE, FIELD(log_size_max), "96mb", 256 * KB, 1024 * GB, NULL,
     "bytes of all segments; beyond, spaces are snapshotted to free old ones"},
    {"log-memory-max", SK_SETTING_SIZE, FIELD(log_memory_max), "16mb", 64 * KB, 64 * GB, NULL,
     "bytes of a space's recent log kept in memory for slow followers; older entries are read back from "
     "disk"},
    {"snapshot-entries", SK_SETTING_NUMBER, FIELD(snapshot_entries), "1000000", 100, UINT32_MAX, NULL,
     "entries after which a space is snapshotted"},
    {"snapshot-bytes", SK_SETTING_SIZE, FIELD(snapshot_bytes), "48mb", 64 * KB, 1024 * GB, NULL,
     "bytes of entries after which a space is snapshotted"},
    {"snapshot-inflight-max", SK_SETTING_SIZE, FIELD(snapshot_inflight_max), "512kb", 64 * KB, GB, NULL,
     "bytes of a snapshot sent to a peer and not yet accepted"},

    {"space-memory-max", SK_SETTING_SIZE, FIELD(space_memory_max), "0", 0, 1024 * GB, "Bounds",
     "logical bytes that a space begins with as its bound, if created through this node or, the default one, founded; beyond, writes that add are refused; 0: no bound"},
    {"space-pending-max", SK_SETTING_NUMBER, FIELD(space_pending_max), "32768", 16, 16777216, NULL,
     "requests that a space's replica has accepted and not yet ended"},
    {"clients-max", SK_SETTING_NUMBER, FIELD(clients_max), "10000", 1, 1000000, NULL,
     "client connections at once"},
    {"request-size-max", SK_SETTING_SIZE, FIELD(request_size_max), "64mb", 16 * KB, 64 * MB, NULL,
     "bytes of one client request"},
    {"client-output-max", SK_SETTING_SIZE, FIELD(client_output_max), "256mb", 64 * KB, 64 * GB, NULL,
     "unread bytes of replies to one client; beyond, it is closed"},
    {"client-pending-max", SK_SETTING_NUMBER, FIELD(client_pending_max), "1024", 1, 1048576, NULL,
     "requests of one client under way; beyond, its input waits"},
    {"forward-pending-max", SK_SETTING_NUMBER, FIELD(forward_pending_max), "8192", 1, 1048576, NULL,
     "requests of this node under way in one space"},
    {"forward-bytes-max", SK_SETTING_SIZE, FIELD(forward_bytes_max), "4mb", 64 * KB, 64 * GB, NULL,
     "and their bytes"},
    {"peer-message-max", SK_SETTING_SIZE, FIELD(peer_message_max), "1mb", 4 * KB, 64 * MB, NULL,
     "bytes of log entries in one message to a peer (a larger entry goes alone)"},
    {"peer-inflight-max", SK_SETTING_SIZE, FIELD(peer_inflight_max), "4mb", 64 * KB, GB, NULL,
     "bytes of a space sent to one peer and not yet acknowledged"},
    {"peer-inflight-messages", SK_SETTING_NUMBER, FIELD(peer_inflight_messages), "256", 1, 65536, NULL,
     "messages likewise"},
    {"peer-output-max", SK_SETTING_SIZE, FIELD(peer_output_max), "64mb", 64 * KB, 64 * GB, NULL,
     "bytes that wait for one peer's socket; beyond, the link is cut and made anew"},
};

enum { ROW_COUNT = sizeof rows / sizeof rows[0] };
_Static_assert((size_t)ROW_COUNT <= (size_t)SK_SETTING_COUNT_MAX,
               "origins and lines have a place for every row");

const sk_setting *sk_settings_rows(size_t *count)
{
    *count = ROW_COUNT;
    return rows;
}

const sk_setting *sk_settings_find(const char *name)
{
    for (size_t i = 0; i < ROW_COUNT; i++) {
        if (strcmp(rows[i].name, name) == 0) return &rows[i];
    }
    return NULL;
}

// Levenshtein distance, with inputs cut to what a key can be.
static size_t distance(const char *a, const char *b)
{
    enum { LENGTH_MAX = 32 };
    size_t a_size = strnlen(a, LENGTH_MAX), b_size = strnlen(b, LENGTH_MAX);
    size_t row[LENGTH_MAX + 1];
    for (size_t j = 0; j <= b_size; j++) row[j] = j;
    for (size_t i = 1; i <= a_size; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= b_size; j++) {
            size_t above = row[j];
            size_t best = diagonal + (a[i - 1] != b[j - 1]);
            if (above + 1 < best) best = above + 1;
            if (row[j - 1] + 1 < best) best = row[j - 1] + 1;
            row[j] = best;
            diagonal = above;
        }
    }
    return row[b_size];
}

const char *sk_settings_nearest(const char *name)
{
    const char *nearest = NULL;
    size_t least = strlen(name) / 3 + 2;
    for (size_t i = 0; i < ROW_COUNT; i++) {
        size_t d = distance(name, rows[i].name);
        if (d >= least) continue;
        least = d;
        nearest = rows[i].name;
    }
    return nearest;
}

void sk_settings_default(sk_settings *settings)
{
    *settings = (sk_settings){0};
    for (size_t i = 0; i < ROW_COUNT; i++) {
        char problem[SK_PROBLEM_MAX];
        int error = sk_settings_set(settings, &rows[i], rows[i].initial, problem, sizeof problem);
        SK_ASSERT(error == 0);
    }
}

static void *field_of(sk_settings *settings, const sk_setting *row)
{
    return (char *)settings + row->offset;
}

static void format_value(const sk_setting *row, uint64_t value, char out[SK_UNITS_TEXT_MAX])
{
    if (row->kind == SK_SETTING_SIZE) {
        sk_units_format_size(value, out);
    } else if (row->kind == SK_SETTING_TIME) {
        sk_units_format_time(value, out);
    } else {
        snprintf(out, SK_UNITS_TEXT_MAX, "%" PRIu64, value);
    }
}

static int set_value(sk_settings *settings, const sk_setting *row, const char *text, char *problem,
                     size_t problem_size)
{
    uint64_t value;
    const char *wrong = row->kind == SK_SETTING_SIZE   ? sk_units_size(text, &value)
                        : row->kind == SK_SETTING_TIME ? sk_units_time(text, &value)
                                                       : sk_units_number(text, &value);
    if (wrong) {
        snprintf(problem, problem_size, "'%.60s' %s", text, wrong);
        return SK_EINVAL;
    }
    if (value < row->min || value > row->max) {
        char min[SK_UNITS_TEXT_MAX], max[SK_UNITS_TEXT_MAX];
        format_value(row, row->min, min);
        format_value(row, row->max, max);
        snprintf(problem, problem_size, "%.60s is out of range: %s to %s", text, min, max);
        return SK_EINVAL;
    }
    *(uint64_t *)field_of(settings, row) = value;
    return 0;
}

static int set_text(sk_settings *settings, const sk_setting *row, const char *text, char *problem,
                    size_t problem_size)
{
    size_t size = strlen(text);
    if (size >= row->size) {
        snprintf(problem, problem_size, "is longer than %zu bytes", row->size - 1);
        return SK_EINVAL;
    }
    for (const char *at = text; *at; at++) {
        if ((unsigned char)*at >= 0x20 && *at != 0x7f && *at != '"') continue;
        snprintf(problem, problem_size, "holds a control character or a quote");
        return SK_EINVAL;
    }
    memset(field_of(settings, row), 0, row->size);
    memcpy(field_of(settings, row), text, size);
    return 0;
}

static int set_level(sk_settings *settings, const sk_setting *row, const char *text, char *problem,
                     size_t problem_size)
{
    for (int level = SK_LOG_DEBUG; level <= SK_LOG_ERROR; level++) {
        if (strcasecmp(text, sk_log_level_name((enum sk_log_level)level)) != 0) continue;
        *(enum sk_log_level *)field_of(settings, row) = (enum sk_log_level)level;
        return 0;
    }
    snprintf(problem, problem_size, "'%.60s' is none of debug, info, warn, error", text);
    return SK_EINVAL;
}

int sk_settings_set(sk_settings *settings, const sk_setting *row, const char *text, char *problem,
                    size_t problem_size)
{
    switch (row->kind) {
    case SK_SETTING_TEXT:
        return set_text(settings, row, text, problem, problem_size);
    case SK_SETTING_LEVEL:
        return set_level(settings, row, text, problem, problem_size);
    case SK_SETTING_NUMBER:
    case SK_SETTING_SIZE:
    case SK_SETTING_TIME:
        return set_value(settings, row, text, problem, problem_size);
    case SK_SETTING_FLAG:
        break;
    }
    const char *wrong = sk_units_flag(text, field_of(settings, row));
    if (!wrong) return 0;
    snprintf(problem, problem_size, "'%.60s' %s", text, wrong);
    return SK_EINVAL;
}

void sk_settings_get(const sk_settings *settings, const sk_setting *row, char *out)
{
    const char *field = (const char *)settings + row->offset;
    switch (row->kind) {
    case SK_SETTING_TEXT:
        snprintf(out, SK_SETTING_VALUE_MAX, "%s", field);
        return;
    case SK_SETTING_LEVEL:
        snprintf(out, SK_SETTING_VALUE_MAX, "%s",
                 sk_log_level_name(*(const enum sk_log_level *)(const void *)field));
        return;
    case SK_SETTING_FLAG:
        snprintf(out, SK_SETTING_VALUE_MAX, "%s", *(const bool *)field ? "yes" : "no");
        return;
    case SK_SETTING_NUMBER:
    case SK_SETTING_SIZE:
    case SK_SETTING_TIME:
        format_value(row, *(const uint64_t *)(const void *)field, out);
        return;
    }
}
