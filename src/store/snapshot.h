// Snapshots: one file each, snap/SPACE-POSITION.snap (both in hexadecimal).
//
//   header   magic, format version, cluster, node, boot, space, position, epoch, CRC
//   chunk*   size, CRC (seeded by space, position and chunk number), bytes
//   end      size 0, number of chunks, CRC of all
//
// Written as .part, synced, renamed, folder synced; only then older ones of the space are removed. A received
// snapshot is the sender's file byte for byte: verified whole before anybody believes it (N08); a failed one
// deletes nothing else.
#ifndef SK_STORE_SNAPSHOT_H
#define SK_STORE_SNAPSHOT_H

#include "base/log.h"
#include "store/disk.h"
#include "store/identity.h"

typedef struct sk_snapshot_info {
    uint32_t space;
    uint64_t position;
    uint64_t epoch;
    uint64_t size; // of the file, bytes
} sk_snapshot_info;

// ---- Finding and reading (synchronous, at start) ----

// The newest whole snapshot of a space. Damaged ones are moved to lost/, after wal/damaged is durable, and an older
// whole one is taken if there is one. 0, SK_ENOENT (none), SK_ECORRUPT (there were only damaged ones), SK_EFOREIGN, SK_EVERSION,
// SK_EIO.
int sk_snapshot_find(sk_disk *disk, const sk_identity *identity, uint32_t space, sk_log_sink *sink,
                     sk_snapshot_info *out);
// Every chunk of a snapshot in order, verified. `chunk` returns 0 or an error that ends it.
int sk_snapshot_read(sk_disk *disk, const sk_identity *identity, const sk_snapshot_info *info,
                     int (*chunk)(void *context, sk_slice bytes), void *context);

// ---- Writing (asynchronous) ----

typedef struct sk_snapshot_writer sk_snapshot_writer;

// `done` is called once, on the loop's thread: 0 when the snapshot is durable under its name and older ones
// are gone, else why; then nothing changed on disk but a .part file to be overwritten. The writer is gone
// after it.
sk_snapshot_writer *sk_snapshot_write(sk_disk *disk, const sk_identity *identity,
                                      const sk_snapshot_info *info,
                                      void (*done)(void *context, int error, const sk_snapshot_info *info),
                                      void *context);
// Bytes handed over and not yet on disk: the caller pauses above a bound of its own.
size_t sk_snapshot_writer_pending(const sk_snapshot_writer *writer);
// Called whenever pending falls (so that a paused caller goes on). May be NULL.
void sk_snapshot_writer_on_progress(sk_snapshot_writer *writer, void (*progress)(void *context));
void sk_snapshot_writer_add(sk_snapshot_writer *writer, sk_slice bytes); // one chunk; copied
void sk_snapshot_writer_finish(sk_snapshot_writer *writer);              // no more chunks; done follows
void sk_snapshot_writer_abort(sk_snapshot_writer *writer);               // done follows with SK_EFAILED
// Frees it at once and calls nobody: when its requests will never come back (the power is gone).
void sk_snapshot_writer_drop(sk_snapshot_writer *writer);

// ---- Receiving a peer's file (asynchronous) ----

typedef struct sk_snapshot_receiver sk_snapshot_receiver;

// Bytes of the sender's file come in order; `info->size` is their number. `done` as above; before it renames,
// it reads the whole file back and verifies it (SK_ECORRUPT, SK_EFOREIGN otherwise).
sk_snapshot_receiver *
sk_snapshot_receive(sk_disk *disk, const sk_identity *identity, const sk_snapshot_info *info,
                    void (*done)(void *context, int error, const sk_snapshot_info *info), void *context);
uint64_t
sk_snapshot_receiver_offset(const sk_snapshot_receiver *receiver); // bytes accepted so far: where to resume
size_t sk_snapshot_receiver_pending(const sk_snapshot_receiver *receiver);
int sk_snapshot_receiver_add(sk_snapshot_receiver *receiver,
                             sk_slice bytes); // copied; SK_ETOOBIG beyond info->size
void sk_snapshot_receiver_abort(sk_snapshot_receiver *receiver);
void sk_snapshot_receiver_drop(sk_snapshot_receiver *receiver); // as sk_snapshot_writer_drop

// ---- Reading for a peer, or back into the machine, while the node runs (asynchronous) ----

typedef struct sk_snapshot_source sk_snapshot_source;
typedef struct sk_snapshot_piece {
    int error;
    uint64_t offset;
    sk_slice bytes; // raw bytes of the file (valid until done returns)
} sk_snapshot_piece;

// Keeps the file readable until closed, even when a newer snapshot replaces it.
sk_snapshot_source *sk_snapshot_source_open(sk_disk *disk, const sk_snapshot_info *info);
// One read under way at a time.
void sk_snapshot_source_read(sk_snapshot_source *source, uint64_t offset, size_t size,
                             void (*done)(void *context, const sk_snapshot_piece *piece), void *context);
void sk_snapshot_source_close(
    sk_snapshot_source *source); // safe with a read under way: done is then not called
void sk_snapshot_source_drop(sk_snapshot_source *source); // as sk_snapshot_writer_drop

// Takes the bytes of a snapshot file in order, cut anywhere, verifies them and hands out the chunks.
typedef struct sk_snapshot_parser sk_snapshot_parser;
sk_snapshot_parser *sk_snapshot_parser_open(const sk_identity *identity, const sk_snapshot_info *info,
                                            int (*chunk)(void *context, sk_slice bytes), void *context);
int sk_snapshot_parser_add(sk_snapshot_parser *parser,
                           sk_slice bytes);                // 0, SK_ECORRUPT, SK_EFOREIGN, or chunk's error
int sk_snapshot_parser_finish(sk_snapshot_parser *parser); // 0 only if the end was seen; frees it either way
void sk_snapshot_parser_abort(sk_snapshot_parser *parser);

#endif
