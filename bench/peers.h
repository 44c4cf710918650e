// The wires of the systems that Skein is compared with (script/bench compare), under the loop of src/cli/load.h. Each is as lean as its
// protocol lets it be: requests are put together by hand, replies are looked at just so far as to know whether they say yes.
#ifndef SK_BENCH_PEERS_H
#define SK_BENCH_PEERS_H

#include "cli/load.h"

// Create, setData, getData (version -1), znodes directly below the root.
extern const sk_load_wire bench_wire_zookeeper;
// JetStream: publishes to kv.KEY of the stream KV, each awaiting its acknowledgement; reads are direct gets of a subject's last message.
extern const sk_load_wire bench_wire_nats;
// gRPC Put and Range (linearizable) over HTTP/2, `pipeline` calls under way on each connection. A call's bytes times `pipeline` must stay
// below BENCH_ETCD_BYTES_MAX, so that the flow control of HTTP/2 (64 KiB a connection) never holds one back.
extern const sk_load_wire bench_wire_etcd;

enum { BENCH_ETCD_BYTES_MAX = 48 * 1024, BENCH_ETCD_SLOTS_MAX = 128, BENCH_ETCD_OVERHEAD = 64 };

// Big-endian, as ZooKeeper and HTTP/2 have it.
static inline void bench_put32(uint8_t *at, uint32_t value)
{
    for (int i = 0; i < 4; i++) at[i] = (uint8_t)(value >> (24 - 8 * i));
}

static inline uint32_t bench_get32(const uint8_t *at)
{
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

#endif
