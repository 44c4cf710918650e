// What this node knows of the cluster's spaces, on its own disk: the newest catalogue it has seen applied.
//
//   spaces   magic, format version, node, cluster, the catalogue (catalogue.h), CRC-32C; replaced as .part, sync, rename, sync of folder
//
// Why beside the system space's log: applied state comes back only after a quorum has been heard, and before that the records of
// every space must already be replayed to its replica, and spaces that need no quorum must serve.
//
// Order of things, and what a crash leaves:
//   opening   the file names the space, durably, before its replica writes its first record. A crash between leaves a space without
//             records: it has promised nothing, and begins as a fresh one
//   dropping  the file no longer names it, durably, before anything of it is given back. A crash between leaves records and
//             snapshots that nobody asks for: records of unknown spaces are passed over at replay, ids are never used again, and
//             leftover snapshots are removed at the next start
//
// May a replica that this node never had vote? Yes: the file says that no replica of that space was ever opened here, so nothing was
// promised here in its name, and an empty log without a vote is the truth. That stands on the file: when it is damaged, or gone while the
// log has records of created spaces, every space found in the log or opened in this life begins as after damage, without a vote, and
// refills (sk_roster.damaged). A node whose whole disk was lost does not come so far: it has no identity, and founded anew
// its boot number is lower than the one its peers have seen (sk_node_peer_judge).
#ifndef SK_NODE_ROSTER_H
#define SK_NODE_ROSTER_H

#include "base/time.h"
#include "node/catalogue.h"
#include "store/disk.h"
#include "store/identity.h"

typedef struct sk_roster {
    sk_catalogue known;     // what this node routes by: from the file, then from the system space; never an older one
    uint64_t durable;       // version of the catalogue in the file
    bool absent;            // there was no file at start
    bool damaged;
    // Writing
    sk_disk *disk;
    const sk_identity *identity;
    sk_disk_request request;
    sk_buffer bytes;
    uint64_t writing;  // version under way; 0: none
    int step;
    int error;         // of the last try
    sk_ns retry_at;
} sk_roster;

// Synchronously, at start. 0 (a file that is damaged or missing is 0 too), SK_EIO, SK_EVERSION, SK_EFOREIGN.
int sk_roster_load(sk_roster *roster, sk_disk *disk, const sk_identity *identity);
void sk_roster_deinit(sk_roster *roster);
// A newer catalogue was applied: it is copied. False: not newer.
bool sk_roster_learn(sk_roster *roster, const sk_catalogue *catalogue);
// Writes the file when it is behind and nothing is under way.
void sk_roster_write(sk_roster *roster, sk_ns now);
sk_ns sk_roster_deadline(const sk_roster *roster);
static inline bool sk_roster_current(const sk_roster *roster)
{
    return roster->durable == roster->known.version;
}

#endif
