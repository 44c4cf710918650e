"""script/bench scale: how the cost of an operation grows with nodes, with keys, with the size of a value and with spaces."""
import argparse
import os
import time

from harness import memory_kib, wait_for
from measure import common_flags, Directory, finish, machine, machine_text, number, say, short, table
from nodes import Ground

SIZES = (16, 64, 256, 1024, 4096, 16384, 65536, 262144, 1048576)
UNDER_WAY = 4 << 20  # bytes of values at once: large ones are written over fewer connections


def brief(result, kind="writes"):
    return {"per_second": result[kind]["per_second"], "p50_ms": result[kind]["p50_ms"], "p99_ms": result[kind]["p99_ms"],
            "cpu_us": result["server_cpu_us_per_operation"]}


def nodes_part(directory, arguments):
    found = {}
    for count in (3, 5, 7):
        with Ground(os.path.join(directory, f"nodes-{count}"), nodes=count, settings=arguments.settings) as ground:
            found[count] = {"one": brief(ground.load(connections=1, seconds=arguments.seconds)),
                            "many": brief(ground.load(connections=256, seconds=arguments.seconds)),
                            "reads": brief(ground.load(connections=64, ratio="0:1", seconds=arguments.seconds), "reads")}
        say(f"{count} nodes: {found[count]['many']['per_second']:.0f} writes/s")
    return found


def keys_part(directory, arguments):
    found = {}
    for power in range(3, arguments.keys_power + 1):
        count = 10 ** power
        with Ground(os.path.join(directory, f"keys-{power}"), settings=arguments.settings) as ground:
            before = memory_kib(ground.pids[0])
            began = time.monotonic()
            ground.load(connections=64, pipeline=64, fill=True, keys=count, value=16, seconds=1, warm_up=0)
            filled = time.monotonic() - began
            ground.wait_even(600)
            found[count] = {"fill_s": filled, "writes": brief(ground.load(connections=64, keys=count, value=16, seconds=arguments.seconds)),
                            "reads": brief(ground.load(connections=64, keys=count, value=16, ratio="0:1", seconds=arguments.seconds), "reads"),
                            "grown_kib": memory_kib(ground.pids[0]) - before}
        say(f"{count} keys: {found[count]['writes']['per_second']:.0f} writes/s, {found[count]['reads']['per_second']:.0f} reads/s")
    return found


def values_part(directory, arguments):
    found = {}
    for size in SIZES:
        with Ground(os.path.join(directory, f"value-{size}"), settings=arguments.settings) as ground:
            keys, connections = max(100, min(10000, (64 << 20) // size)), max(2, min(64, UNDER_WAY // size))
            found[size] = {"connections": connections,
                           "writes": brief(ground.load(connections=connections, keys=keys, value=size, fill=True, seconds=arguments.seconds)),
                           "reads": brief(ground.load(connections=connections, keys=keys, value=size, ratio="0:1", seconds=arguments.seconds), "reads")}
        say(f"values of {size} B: {found[size]['writes']['per_second']:.0f} writes/s")
    return found


def all_serve(ground, count):
    status = ground.status()
    return status and all(sum(space["serving"] for space in node.get("spaces", ()) if space["id"] > 1) == count for node in status["nodes"])


def spaces_part(directory, arguments):
    """The same 20,000 keys (key:000000012345), spread over 1, 2, 20 or 200 spaces by their first digits."""
    found = {}
    for digits, count in enumerate((1, 2, 20, 200)):
        found[count] = {}
        for protocol in ("raft", "crdt"):
            with Ground(os.path.join(directory, f"spaces-{protocol}-{count}"), settings=arguments.settings) as ground:
                with ground.client(ground.leader(), 10) as client:
                    for at in range(count):
                        prefix = "key:0000000" + (f"{at:0{digits}d}" if digits else "")
                        client.call("SPACE", "CREATE", f"s{at}", "PREFIX", prefix, "PROTOCOL", protocol)
                wait_for("all spaces serve on all nodes", lambda: all_serve(ground, count), 60)
                found[count][protocol] = brief(ground.load(connections=64, keys=20000, seconds=arguments.seconds))
        say(f"{count} spaces: " + ", ".join(f"{protocol} {one['per_second']:.0f} writes/s" for protocol, one in found[count].items()))
    return found


def size_text(size):
    return f"{size} B" if size < 1024 else f"{size >> 10} KiB" if size < 1 << 20 else f"{size >> 20} MiB"


def section(raw):
    text = machine_text(raw["machine"]) + ".\n\n"
    text += "Nodes, 256-byte values. Each node more costs its own copy of the work: one frame sent and one taken, one log written, one machine fed.\n\n"
    text += table(["nodes", "p50 ms, 1 connection", "writes/s, 256", "p99 ms, 256", "CPU µs a write, all nodes", "CPU µs a write, a node", "reads/s, 64"],
                  [[count, number(found["one"]["p50_ms"], 2), short(found["many"]["per_second"]), number(found["many"]["p99_ms"], 1),
                    number(found["many"]["cpu_us"], 1), number(found["many"]["cpu_us"] / count, 1), short(found["reads"]["per_second"])]
                   for count, found in raw["nodes"].items()])
    text += ("\n\nKeys, 64 connections, 16-byte values. The tree is of logarithmic depth; what grows beside it is how seldom a key is in the "
             "processor's cache, and the snapshots.\n\n")
    text += table(["keys", "writes/s", "p99 ms", "CPU µs", "reads/s", "p99 ms", "CPU µs", "memory a key"],
                  [[f"{count:,}", short(found["writes"]["per_second"]), number(found["writes"]["p99_ms"], 1), number(found["writes"]["cpu_us"], 1),
                    short(found["reads"]["per_second"]), number(found["reads"]["p99_ms"], 1), number(found["reads"]["cpu_us"], 1),
                    f"{found['grown_kib'] * 1024 / count:.0f} B" if count >= 100000 else "-"] for count, found in raw["keys"].items()])
    text += ("\n\nValues; 64 connections, of large values fewer, so that at most 4 MiB are under way. Small ones cost their request; large ones their bytes, which are copied, summed, sent twice and written "
             "three times.\n\n")
    text += table(["value", "connections", "writes/s", "MB/s", "p99 ms", "CPU µs", "reads/s", "p99 ms", "CPU µs"],
                  [[size_text(size), found["connections"], short(found["writes"]["per_second"]), number(found["writes"]["per_second"] * size / 1e6, 1),
                    number(found["writes"]["p99_ms"], 1), number(found["writes"]["cpu_us"]), short(found["reads"]["per_second"]),
                    number(found["reads"]["p99_ms"], 1), number(found["reads"]["cpu_us"])] for size, found in raw["values"].items()])
    text += ("\n\nSpaces, 64 connections to one node, the keys spread evenly. Many spaces share a node's log and its syncs, and its frames to a peer; each has its "
             "own protocol messages, and a raft space that another node leads is written by forwarding.\n\n")
    text += table(["spaces", "raft: writes/s", "p99 ms", "CPU µs", "crdt: writes/s", "p99 ms", "CPU µs"],
                  [[count] + [cell for protocol in ("raft", "crdt") for cell in (short(found[protocol]["per_second"]), number(found[protocol]["p99_ms"], 1),
                                                                               number(found[protocol]["cpu_us"], 1))] for count, found in raw["spaces"].items()])
    return text


def main(words):
    parser = argparse.ArgumentParser(prog="script/bench scale", description=__doc__)
    parser.add_argument("--seconds", type=int, default=5, help="of each figure")
    parser.add_argument("--keys-power", type=int, default=7, help="up to 10 to the power of this (7 takes 6 GB of memory)")
    common_flags(parser)
    arguments = parser.parse_args(words)
    raw = {}
    with Directory(arguments.dir) as directory:
        raw["machine"] = machine(directory)
        raw["nodes"] = nodes_part(directory, arguments)
        raw["keys"] = keys_part(directory, arguments)
        raw["values"] = values_part(directory, arguments)
        raw["spaces"] = spaces_part(directory, arguments)
    return finish(arguments, "scale", section(raw), raw)
