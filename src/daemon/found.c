#include "daemon/found.h"

#include <stdio.h>

#include "base/assert.h"
#include "base/error.h"
#include "crypto/sha256.h"
#include "host/address.h"

void sk_found_format(const sk_cluster_id *id, char out[SK_CLUSTER_TEXT_MAX])
{
    for (size_t i = 0; i < SK_CLUSTER_ID_SIZE; i++) snprintf(out + 2 * i, 3, "%02x", id->bytes[i]);
}

sk_cluster_id sk_found_derive(const char *name, const sk_founder *founders, uint32_t count)
{
    sk_buffer text = {0};
    sk_buffer_printf(&text, "skein cluster 1\n%s\n", name);
    for (uint32_t i = 0; i < count; i++) {
        SK_ASSERT(i == 0 || founders[i - 1].id < founders[i].id);
        sk_buffer_printf(&text, "%u@%s\n", founders[i].id, founders[i].address);
    }
    uint8_t digest[SK_SHA256_SIZE];
    sk_sha256(sk_buffer_slice(&text), digest);
    sk_buffer_deinit(&text);
    sk_cluster_id id;
    memcpy(id.bytes, digest, sizeof id.bytes);
    return id;
}

static int refuse(int error, char *problem, size_t size, const char *what)
{
    snprintf(problem, size, "%s", what);
    return error;
}

int sk_found_identity(const sk_settings *settings, sk_identity *out, char *problem, size_t problem_size)
{
    *out = (sk_identity){.node = (uint32_t)settings->node};
    char wrong[SK_PROBLEM_MAX];
    if (sk_settings_founders(settings->peers, out->founders, &out->founder_count, wrong, sizeof wrong)) {
        return refuse(SK_EINVAL, problem, problem_size, wrong);
    }
    if (out->founder_count == 0) {
        return refuse(SK_EINVAL, problem, problem_size,
                      "init: --peers is missing (all founders, the same on each: "
                      "1@host:port,2@host:port,3@host:port; a cluster of one "
                      "needs no init, just start skeind)");
    }
    if (out->node == 0)
        return refuse(SK_EINVAL, problem, problem_size,
                      "init: --node is missing (which of --peers is this one?)");
    if (!*settings->cluster_id && !*settings->cluster_name) {
        return refuse(SK_EINVAL, problem, problem_size,
                      "init: --cluster-name is missing (any name, the same on each founder; or --cluster-id "
                      "with 32 hexadecimal digits)");
    }
    if (*settings->cluster_id) {
        bool valid = sk_settings_cluster_id(settings->cluster_id, &out->cluster);
        SK_ASSERT(valid);
    } else {
        out->cluster = sk_found_derive(settings->cluster_name, out->founders, out->founder_count);
    }
    return 0;
}

void sk_found_alone(const sk_settings *settings, const uint8_t random[SK_CLUSTER_ID_SIZE], sk_identity *out)
{
    *out = (sk_identity){.node = settings->node ? (uint32_t)settings->node : 1, .founder_count = 1};
    if (*settings->cluster_id) {
        bool valid = sk_settings_cluster_id(settings->cluster_id, &out->cluster);
        SK_ASSERT(valid);
    } else {
        memcpy(out->cluster.bytes, random, SK_CLUSTER_ID_SIZE);
    }
    out->founders[0].id = out->node;
    char address[SK_ADDRESS_TEXT_MAX];
    sk_address_join(settings->peer_bind, (uint16_t)settings->peer_port, address);
    snprintf(out->founders[0].address, sizeof out->founders[0].address, "%.63s", address);
}

int sk_found_check(const sk_settings *settings, const sk_identity *identity, char *problem,
                   size_t problem_size)
{
    if (settings->node && settings->node != identity->node) {
        snprintf(problem, problem_size,
                 "node: the settings say %u, but %s belongs to node %u (one of the two is wrong; never copy "
                 "a node's directory)",
                 (unsigned)settings->node, settings->dir, identity->node);
        return SK_EFOREIGN;
    }
    char id[SK_CLUSTER_TEXT_MAX];
    sk_found_format(&identity->cluster, id);
    sk_cluster_id wanted;
    if (*settings->cluster_id) {
        bool valid = sk_settings_cluster_id(settings->cluster_id, &wanted);
        SK_ASSERT(valid);
        if (memcmp(wanted.bytes, identity->cluster.bytes, sizeof wanted.bytes) != 0) {
            snprintf(problem, problem_size, "cluster-id: the settings say %s, but %s belongs to cluster %s",
                     settings->cluster_id, settings->dir, id);
            return SK_EFOREIGN;
        }
    }
    sk_founder founders[SK_FOUNDERS_MAX];
    uint32_t count;
    int error = sk_settings_founders(settings->peers, founders, &count, problem, problem_size);
    SK_ASSERT(error == 0);
    for (uint32_t i = 0; i < count; i++) {
        bool known = false;
        for (uint32_t k = 0; k < identity->founder_count; k++)
            known = known || identity->founders[k].id == founders[i].id;
        if (known) continue;
        snprintf(problem, problem_size,
                 "peers: node %u is not a founder of the cluster %s that %s belongs to", founders[i].id, id,
                 settings->dir);
        return SK_EFOREIGN;
    }
    return 0;
}

uint32_t sk_found_peers(const sk_settings *settings, const sk_identity *identity,
                        sk_founder out[SK_FOUNDERS_MAX])
{
    char problem[SK_PROBLEM_MAX];
    sk_founder configured[SK_FOUNDERS_MAX];
    uint32_t count;
    int error = sk_settings_founders(settings->peers, configured, &count, problem, sizeof problem);
    SK_ASSERT(error == 0);
    for (uint32_t i = 0; i < identity->founder_count; i++) {
        out[i] = identity->founders[i];
        for (uint32_t k = 0; k < count; k++) {
            if (configured[k].id == out[i].id) out[i] = configured[k];
        }
    }
    return identity->founder_count;
}
