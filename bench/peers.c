// Drives etcd, ZooKeeper or NATS JetStream as `skein bench` drives a RESP server: the same loop, flags and report.
//
//   build/bench-peers etcd --addr 127.0.0.1:2379 --connections 16 --pipeline 16 --fill --json
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/peers.h"
#include "cli/bench.h"

static const struct {
    const char *name;
    const sk_load_wire *wire;
} peers[] = {{"etcd", &bench_wire_etcd}, {"zookeeper", &bench_wire_zookeeper}, {"nats", &bench_wire_nats}};

enum { PEER_COUNT = sizeof peers / sizeof *peers };

static int run(const sk_load_wire *wire, int argc, char **argv)
{
    sk_arguments arguments;
    char **list = calloc((size_t)argc + 1, sizeof *list);
    if (!list) return SK_EXIT_SOFTWARE;
    int code = sk_cli_parse(&sk_verb_bench, argc, argv, &arguments, list);
    if (!code) code = sk_bench_run(&arguments, wire);
    free(list);
    return code;
}

int main(int argc, char **argv)
{
    for (size_t i = 0; argc > 1 && i < PEER_COUNT; i++) {
        if (strcmp(argv[1], peers[i].name) == 0) return run(peers[i].wire, argc - 2, argv + 2);
    }
    fputs("usage: bench-peers etcd|zookeeper|nats FLAG...   (the flags of skein bench)\n", stderr);
    return SK_EXIT_USAGE;
}
