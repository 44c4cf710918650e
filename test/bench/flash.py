"""script/bench flash: bytes that a write costs each node's disk: alone, in batches, with snapshots and fresh segments; and what an idle node
writes and how often it wakes.
"""
import argparse
import os
import time

from harness import Failure, bytes_written, wakeups
from measure import common_flags, device_bytes, Directory, finish, machine, machine_text, number, say, short, table
from nodes import Ground

# So large that no snapshot falls due.
LOG_ONLY = "--snapshot-entries 4000000000 --snapshot-bytes 100gb --log-size-max 200gb"
DELAYED = "--commit-delay 20ms"
SNAPSHOTS = 3


def snapshots(ground):
    """The least number of the default space's snapshots' position over the nodes, and how far each is: to see that they move on."""
    return {node["id"]: next(space["snapshot_position"] for space in node["spaces"] if space["name"] == "default") for node in ground.status()["nodes"]}


def writes(ground, connections, seconds, keys):
    """Bytes a write: a node's own (mean of the nodes), and the device's share of one node."""
    path = ground.directory
    before, device = [bytes_written(pid) for pid in ground.pids], device_bytes(path)
    result = ground.load(connections=connections, seconds=seconds, warm_up=0, keys=keys, value=256)
    count = result["writes"]["count"]
    own = [(bytes_written(pid) - was) / count for pid, was in zip(ground.pids, before)]
    after = device_bytes(path)
    return {"writes": count, "per_second": result["writes"]["per_second"], "bytes": sum(own) / len(own), "bytes_of_each": own,
            "device_bytes": None if device is None else (after - device) / count / len(own)}


def with_snapshots(ground, seconds, keys, limit_s):
    """Runs on until every node has taken at least three snapshots."""
    total = {"writes": 0, "bytes": 0.0, "device_bytes": 0.0, "per_second": None}
    seen = {node: {position} for node, position in snapshots(ground).items()}
    end = time.monotonic() + limit_s
    while min(len(positions) - 1 for positions in seen.values()) < SNAPSHOTS:
        if time.monotonic() > end:
            raise Failure(f"after {limit_s} s not every node has taken {SNAPSHOTS} snapshots: {seen}")
        one = writes(ground, 256, seconds, keys)
        for name in ("bytes", "device_bytes"):
            total[name] = None if one[name] is None else total[name] + one[name] * one["writes"]
        total["writes"] += one["writes"]
        for node, position in snapshots(ground).items():
            seen[node].add(position)
    for name in ("bytes", "device_bytes"):
        if total[name] is not None:
            total[name] /= total["writes"]
    total["snapshots"] = min(len(positions) - 1 for positions in seen.values())
    return total


def idle(ground, seconds):
    time.sleep(6)  # lets it become quiet: that is what is measured
    before = [(wakeups(pid), bytes_written(pid)) for pid in ground.pids]
    began = time.monotonic()
    time.sleep(seconds)
    took = time.monotonic() - began
    found = []
    for number_of, pid, (woken, written) in zip(ground.numbers, ground.pids, before):
        with ground.client(number_of) as client:
            leads = b"role=leader" in client.call("INFO", "skein")
        found.append({"leads": leads, "wakeups_per_s": (wakeups(pid) - woken) / took, "bytes": bytes_written(pid) - written})
    return found


def main(words):
    parser = argparse.ArgumentParser(prog="script/bench flash", description=__doc__)
    parser.add_argument("--seconds", type=int, default=10, help="of each load")
    parser.add_argument("--idle-seconds", type=int, default=60)
    parser.add_argument("--keys", type=int, default=100000, help="in the space: what a snapshot holds")
    common_flags(parser)
    arguments = parser.parse_args(words)
    raw = {}
    with Directory(arguments.dir) as directory:
        raw["machine"] = machine(directory)
        with Ground(os.path.join(directory, "log"), settings=f"{LOG_ONLY} {arguments.settings}") as ground:
            raw["idle"] = idle(ground, arguments.idle_seconds)
            say("idle: done")
            ground.load(connections=64, pipeline=16, fill=True, keys=arguments.keys, value=256, seconds=1, warm_up=0)
            raw["alone"] = writes(ground, 1, arguments.seconds, arguments.keys)
            raw["few"] = writes(ground, 8, arguments.seconds, arguments.keys)
            raw["log"] = writes(ground, 256, arguments.seconds, arguments.keys)
            say("log only: done")
        with Ground(os.path.join(directory, "delayed"), settings=f"{LOG_ONLY} {DELAYED} {arguments.settings}") as ground:
            raw["delayed"] = writes(ground, 8, arguments.seconds, arguments.keys)
            say("with commit-delay: done")
        with Ground(os.path.join(directory, "whole"), settings=arguments.settings) as ground:
            ground.load(connections=64, pipeline=16, fill=True, keys=arguments.keys, value=256, seconds=1, warm_up=0)
            raw["whole"] = with_snapshots(ground, arguments.seconds, arguments.keys, 600)
            say("with snapshots: done")
    rows = [[label, number(raw[name]["bytes"]), number(raw[name]["device_bytes"]), f"{raw[name]['writes']:,}", short(raw[name].get("per_second"))]
            for label, name in (("one connection: each write is a batch of its own", "alone"),
                                ("8 connections", "few"),
                                (f"8 connections, {DELAYED[2:]}", "delayed"),
                                ("256 connections, the log only", "log"),
                                (f"256 connections, with {raw['whole']['snapshots']} snapshots of {arguments.keys:,} keys and fresh segments", "whole"))]
    text = (f"{machine_text(raw['machine'])}. 256-byte values; bytes for each acknowledged write.\n\n"
            + table(["", "bytes a write a node", "on the device, a node's share, the file system's journal included", "writes", "a second"], rows) + "\n\n"
            + f"Idle, {arguments.idle_seconds} s: "
            + "; ".join(f"{'leader' if node['leads'] else 'follower'} {node['bytes']} bytes, {node['wakeups_per_s']:.1f} wake-ups/s"
                        for node in raw["idle"]) + ".")
    return finish(arguments, "flash", text, raw)
