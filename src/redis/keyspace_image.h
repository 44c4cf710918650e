// A key space as bytes: snapshots and state transfer. Integers are LEB128.
//
//   magic  "SKKEYS" and the format version in two bytes
//   clock_ms, changes, key count
//   per key, ascending:  1 + tag, deadline, key size, key, value size, value
//   end    0, then a hash over all of it (entries, clock, changes) in eight bytes, least significant first
#ifndef SK_REDIS_KEYSPACE_IMAGE_H
#define SK_REDIS_KEYSPACE_IMAGE_H

#include "protocol/machine.h"

// As in machine.h. Memory of a restore: the new trees, and one entry.
sk_machine_image *sk_keyspace_image_open(sk_machine *machine);
bool sk_keyspace_image_next(sk_machine_image *image, sk_buffer *out, size_t budget);
void sk_keyspace_image_close(sk_machine_image *image);
sk_machine_restore *sk_keyspace_restore_open(sk_machine *machine);
int sk_keyspace_restore_add(sk_machine_restore *restore, sk_slice bytes);
int sk_keyspace_restore_finish(sk_machine_restore *restore);
void sk_keyspace_restore_abort(sk_machine_restore *restore);

#endif
