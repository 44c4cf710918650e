// What skeind can be told: one table. --help, the check of packaging/skein.conf, --check-config and every
// parser are made from it, so that a key exists everywhere or nowhere.
//
// A key is written three ways, the later row wins:
//     default   in the table
//     file      key = value        (--config FILE)
//     env       SKEIN_KEY=value    (dashes are underscores)
//     flag      --key value        (or --key=value)
#ifndef SK_DAEMON_SETTINGS_H
#define SK_DAEMON_SETTINGS_H

#include "base/bytes.h"
#include "base/log.h"
#include "base/time.h"
#include "store/identity.h"

enum { SK_SETTING_VALUE_MAX = 800, SK_SETTING_COUNT_MAX = 48, SK_PROBLEM_MAX = 600 };

enum sk_setting_kind {
    SK_SETTING_TEXT,
    SK_SETTING_NUMBER,
    SK_SETTING_SIZE,
    SK_SETTING_TIME,
    SK_SETTING_FLAG,
    SK_SETTING_LEVEL
};
enum sk_setting_origin { SK_ORIGIN_DEFAULT, SK_ORIGIN_FILE, SK_ORIGIN_ENVIRONMENT, SK_ORIGIN_FLAG };

typedef struct sk_settings {
    char dir[240];
    uint64_t node;
    char peers[SK_SETTING_VALUE_MAX];
    char cluster_name[64];
    char cluster_id[40];

    char bind[64];
    uint64_t port;
    char peer_bind[64];
    uint64_t peer_port;
    char advertise[SK_ADDRESS_SIZE_MAX];
    bool allow_open;

    enum sk_log_level log_level;
    sk_ns request_timeout;
    sk_ns stop_timeout;

    sk_ns heartbeat_active, heartbeat_idle, election_min, election_max;
    char reads[16];
    uint64_t clock_drift_max;

    sk_ns commit_delay;
    uint64_t log_segment_size, log_size_max, log_memory_max;
    uint64_t snapshot_entries, snapshot_bytes, snapshot_inflight_max;
    uint64_t space_memory_max, space_pending_max;

    uint64_t clients_max, request_size_max, client_output_max, client_pending_max;
    uint64_t forward_pending_max, forward_bytes_max;

    uint64_t peer_message_max, peer_inflight_max, peer_inflight_messages, peer_output_max;

    enum sk_setting_origin origins[SK_SETTING_COUNT_MAX]; // of each row
    int lines[SK_SETTING_COUNT_MAX];                      // in the file, for those from there
} sk_settings;

typedef struct sk_setting {
    const char *name;
    enum sk_setting_kind kind;
    size_t offset; // in sk_settings
    size_t size;   // of the field; of a text with its end
    const char *initial;
    uint64_t min, max; // of numbers, sizes (bytes) and times (ns)
    const char *group; // heading in --help, on the first row of a group; else NULL
    const char *help;
} sk_setting;

const sk_setting *sk_settings_rows(size_t *count);
const sk_setting *sk_settings_find(const char *name); // NULL: no such key
// The key that a mistyped one most resembles, or NULL.
const char *sk_settings_nearest(const char *name);

void sk_settings_default(sk_settings *settings);
// Sets one value from text. 0, or SK_EINVAL: `problem` says what is wrong with it, without the key; nothing
// changed.
int sk_settings_set(sk_settings *settings, const sk_setting *row, const char *text, char *problem,
                    size_t problem_size);
// The value as text that set() takes (SK_SETTING_VALUE_MAX bytes of room).
void sk_settings_get(const sk_settings *settings, const sk_setting *row, char *out);

// Do the values fit each other? 0, or SK_EINVAL with `problem` in plain words, key and hint included.
int sk_settings_check(const sk_settings *settings, char *problem, size_t problem_size);
// "1@host:port,2@host:port,..." in order of id. 0, or SK_EINVAL with `problem`. An empty text has no
// founders.
int sk_settings_founders(const char *peers, sk_founder founders[SK_FOUNDERS_MAX], uint32_t *count,
                         char *problem, size_t problem_size);
// 32 hexadecimal digits. False: something else.
bool sk_settings_cluster_id(const char *text, sk_cluster_id *out);

#endif
