// What no single value can say: whether they fit each other.
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "daemon/settings.h"
#include "daemon/units.h"
#include "host/address.h"
#include "protocol/protocol.h"

static int refuse(char *problem, size_t size, const char *format, ...) __attribute__((format(printf, 3, 4)));

static int refuse(char *problem, size_t size, const char *format, ...)
{
    va_list list;
    va_start(list, format);
    vsnprintf(problem, size, format, list);
    va_end(list);
    return SK_EINVAL;
}

bool sk_settings_cluster_id(const char *text, sk_cluster_id *out)
{
    if (strlen(text) != 2 * SK_CLUSTER_ID_SIZE) return false;
    sk_cluster_id id;
    for (size_t i = 0; i < 2 * SK_CLUSTER_ID_SIZE; i++) {
        char c = text[i];
        int digit = c >= '0' && c <= '9'   ? c - '0'
                    : c >= 'a' && c <= 'f' ? c - 'a' + 10
                    : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                           : -1;
        if (digit < 0) return false;
        id.bytes[i / 2] = (uint8_t)(i % 2 ? id.bytes[i / 2] | digit : digit << 4);
    }
    *out = id;
    return true;
}

// One "ID@HOST:PORT" of `size` bytes.
static int parse_founder(const char *text, size_t size, sk_founder *out, char *problem, size_t problem_size)
{
    char item[4 + SK_ADDRESS_SIZE_MAX + 8];
    const char *wanted = "write ID@HOST:PORT, like 1@10.0.0.1:7380";
    if (size == 0) return refuse(problem, problem_size, "has an empty entry (%s)", wanted);
    if (size >= sizeof item)
        return refuse(problem, problem_size, "has an entry that is too long (%s)", wanted);
    memcpy(item, text, size);
    item[size] = 0;
    char *at = strchr(item, '@');
    if (!at) return refuse(problem, problem_size, "'%s' has no node number (%s)", item, wanted);
    *at = 0;
    uint64_t id;
    if (sk_units_number(item, &id) || id == 0 || id > SK_NODE_ID_MAX) {
        return refuse(problem, problem_size, "'%s' is not a node number: 1 to %d (%s)", item, SK_NODE_ID_MAX,
                      wanted);
    }
    sk_address address;
    if (strlen(at + 1) >= SK_ADDRESS_SIZE_MAX || !sk_address_parse(at + 1, &address)) {
        return refuse(problem, problem_size, "'%s' is not an address (%s)", at + 1, wanted);
    }
    *out = (sk_founder){.id = (uint32_t)id};
    memcpy(out->address, at + 1, strlen(at + 1));
    return 0;
}

static int compare_founders(const void *a, const void *b)
{
    uint32_t left = ((const sk_founder *)a)->id, right = ((const sk_founder *)b)->id;
    return (left > right) - (left < right);
}

int sk_settings_founders(const char *peers, sk_founder founders[SK_FOUNDERS_MAX], uint32_t *count,
                         char *problem, size_t problem_size)
{
    *count = 0;
    if (!*peers) return 0;
    uint32_t found = 0;
    for (const char *item = peers;; item++) {
        while (*item == ' ') item++;
        size_t size = strcspn(item, ",");
        size_t trimmed = size;
        while (trimmed && item[trimmed - 1] == ' ') trimmed--;
        if (found == SK_FOUNDERS_MAX)
            return refuse(problem, problem_size, "has more than %d founders", SK_FOUNDERS_MAX);
        int error = parse_founder(item, trimmed, &founders[found], problem, problem_size);
        if (error) return error;
        found++;
        item += size;
        if (!*item) break;
    }
    qsort(founders, found, sizeof founders[0], compare_founders);
    for (uint32_t i = 1; i < found; i++) {
        if (founders[i].id == founders[i - 1].id)
            return refuse(problem, problem_size, "names node %u twice", founders[i].id);
    }
    for (uint32_t i = 0; i < found; i++) {
        for (uint32_t k = 0; k < i; k++) {
            if (strcmp(founders[i].address, founders[k].address) != 0) continue;
            return refuse(problem, problem_size, "gives nodes %u and %u the same address", founders[k].id,
                          founders[i].id);
        }
    }
    *count = found;
    return 0;
}

static int check_bind(const sk_settings *settings, const char *key, const char *host, char *problem,
                      size_t size)
{
    sk_socket_address address;
    if (!sk_address_numeric(host, 1, &address)) {
        return refuse(problem, size,
                      "%s: '%s' is not an address of this machine (write an IP address, or localhost)", key,
                      host);
    }
    if (sk_address_is_loopback(host) || settings->allow_open) return 0;
    return refuse(problem, size,
                  "%s: %s can be reached from other machines, and there is no TLS and no password yet: "
                  "whoever reaches it may "
                  "read and change everything (keep 127.0.0.1, or, on a network you trust wholly, set "
                  "allow-open = yes)",
                  key, host);
}

static int check_addresses(const sk_settings *settings, char *problem, size_t size)
{
    int error = check_bind(settings, "bind", settings->bind, problem, size);
    if (!error) error = check_bind(settings, "peer-bind", settings->peer_bind, problem, size);
    if (error) return error;
    if (settings->port && settings->port == settings->peer_port) {
        return refuse(problem, size,
                      "peer-port: %u is the client port too (clients and nodes need a port each)",
                      (unsigned)settings->port);
    }
    sk_address address;
    if (*settings->advertise && !sk_address_parse(settings->advertise, &address)) {
        return refuse(problem, size, "advertise: '%s' is not host:port", settings->advertise);
    }
    return 0;
}

static int check_cluster(const sk_settings *settings, char *problem, size_t size)
{
    char wrong[SK_PROBLEM_MAX];
    sk_founder founders[SK_FOUNDERS_MAX];
    uint32_t count;
    if (sk_settings_founders(settings->peers, founders, &count, wrong, sizeof wrong)) {
        return refuse(problem, size, "peers: %s", wrong);
    }
    if (count && settings->node) {
        bool listed = false;
        for (uint32_t i = 0; i < count; i++) listed = listed || founders[i].id == settings->node;
        if (!listed) {
            return refuse(problem, size, "node: %u is not in peers (list every founder there, this node too)",
                          (unsigned)settings->node);
        }
    }
    sk_cluster_id id;
    if (*settings->cluster_id && !sk_settings_cluster_id(settings->cluster_id, &id)) {
        return refuse(problem, size, "cluster-id: '%s' is not 32 hexadecimal digits", settings->cluster_id);
    }
    return 0;
}

int sk_settings_check(const sk_settings *settings, char *problem, size_t size)
{
    if (!*settings->dir)
        return refuse(problem, size, "dir: is empty (name the directory for this node's data)");
    int error = check_addresses(settings, problem, size);
    if (!error) error = check_cluster(settings, problem, size);
    if (error) return error;
    if (settings->election_min > settings->election_max) {
        return refuse(problem, size, "election-min: is greater than election-max");
    }
    if (settings->heartbeat_active > settings->heartbeat_idle) {
        return refuse(problem, size, "heartbeat-active: is greater than heartbeat-idle");
    }
    bool leases = strcmp(settings->reads, "lease") == 0;
    if (!leases && strcmp(settings->reads, "quorum") != 0)
        return refuse(problem, size, "reads: '%s' is neither quorum nor lease", settings->reads);
    if (leases && settings->election_min <= 2 * settings->heartbeat_active) {
        return refuse(problem, size,
                      "reads: a lease lasts election-min, and heartbeats must renew it (make election-min more than twice "
                      "heartbeat-active, or set reads = quorum)");
    }
    if (leases && settings->election_min > 60 * SK_S)
        return refuse(problem, size, "reads: a lease lasts election-min, which may be 60s at most then");
    if (settings->log_size_max < 4 * settings->log_segment_size) {
        return refuse(problem, size,
                      "log-size-max: has no room for four segments of log-segment-size (raise it or make "
                      "segments smaller)");
    }
    return 0;
}
