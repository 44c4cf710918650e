// Who this directory belongs to: written once by whoever founds the cluster, read at every start.
//
//   identity   magic, format version, cluster id, node id, the founding members and their peer addresses, CRC-32C
//   boot       magic, version, the number of the last boot, CRC; replaced (write, sync, rename, sync folder) at
//              every start before anything is served. When it is damaged the greatest boot seen in the log counts.
#ifndef SK_STORE_IDENTITY_H
#define SK_STORE_IDENTITY_H

#include "base/bytes.h"
#include "store/disk.h"

enum { SK_CLUSTER_ID_SIZE = 16, SK_ADDRESS_SIZE_MAX = 64, SK_FOUNDERS_MAX = 9, SK_FORMAT_VERSION = 1 };
enum { SK_BOOT_COUNT_BITS = 8, SK_BOOT_RANDOM_BITS = 16 };

typedef struct sk_cluster_id {
    uint8_t bytes[SK_CLUSTER_ID_SIZE];
} sk_cluster_id;

typedef struct sk_founder {
    uint32_t id;
    char address[SK_ADDRESS_SIZE_MAX]; // host:port of its peer listener, for the first contact
} sk_founder;

typedef struct sk_identity {
    sk_cluster_id cluster;
    uint32_t node;
    uint32_t founder_count;
    sk_founder founders[SK_FOUNDERS_MAX];
    uint64_t boot; // of this start, after sk_identity_boot
} sk_identity;

// Reads the identity. 0, SK_ENOENT (nobody founded this directory), SK_ECORRUPT, SK_EVERSION, SK_EIO.
int sk_identity_load(sk_disk *disk, sk_identity *out);
// Founds a directory. SK_EEXIST if it has an identity, whatever it is; then nothing is changed.
int sk_identity_found(sk_disk *disk, const sk_identity *identity);
// Takes a boot number, greater than the boot file's and than `seen_max`, and makes it durable; sets identity->boot.
// How much greater is drawn by lot (`random`, of which SK_BOOT_RANDOM_BITS count), so that a directory put back from
// a copy does not live the same number again (R18): the next one is 1 more in its lowest SK_BOOT_COUNT_BITS.
int sk_identity_boot(sk_disk *disk, sk_identity *identity, uint64_t seen_max, uint64_t random);

#endif
