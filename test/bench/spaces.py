"""script/bench spaces: do writes in crdt and causal spaces wait for anybody? Latency and throughput of one node in a cluster of three, with the two
others up, with them dead, and of a cluster of one; raft spaces beside them. With --idle: what two hundred idle spaces cost beside one.
"""
import argparse
import os
import time

from harness import memory_kib, wait_for, wakeups
from measure import common_flags, Directory, finish, load, machine, machine_text, median, number, say, short, table
from nodes import Ground

KEYS = "key:"  # what the generator's keys begin with: the space has all of them
WRITER = 1


def create(ground, protocol):
    with ground.client(WRITER, 10) as client:
        client.call("SPACE", "CREATE", "measured", "PREFIX", KEYS, "PROTOCOL", protocol)
    def serves():
        status = ground.status()
        return status and all(any(space["name"] == "measured" and space["serving"] for space in node.get("spaces", ())) for node in status["nodes"])
    wait_for("the space serves on all nodes", serves, 30)


def writer(ground, protocol):
    """Where its writes cost least: at the leader if it has one."""
    if protocol != "raft":
        return WRITER
    spaces = next(node["spaces"] for node in ground.status()["nodes"] if node["reachable"])
    return next(space["leader"] for space in spaces if space["name"] == "measured")


def one_load(ground, protocol, seconds):
    at = writer(ground, protocol)
    address, pid = [f"127.0.0.1:{ground.port(at)}"], [ground.pid(at)]
    alone = load(address, pid, connections=1, seconds=seconds)["writes"]
    many = load(address, pid, connections=64, seconds=seconds)["writes"]
    most = load(address, pid, connections=256, seconds=seconds)["writes"]
    return {"p50_us": alone["p50_ms"] * 1000, "many_p50_us": many["p50_ms"] * 1000, "per_second": many["per_second"],
            "most_per_second": most["per_second"]}


def measure(directory, protocol, at, arguments):
    found = {}
    with Ground(os.path.join(directory, f"{protocol}-{at}-one"), nodes=1, settings=arguments.settings) as ground:
        create(ground, protocol)
        one_load(ground, protocol, arguments.seconds)  # keys and a log as the last load finds them, which comes behind another, too
        found["one"] = one_load(ground, protocol, arguments.seconds)
    with Ground(os.path.join(directory, f"{protocol}-{at}-three"), settings=arguments.settings) as ground:
        create(ground, protocol)
        found["up"] = one_load(ground, protocol, arguments.seconds)
        if protocol != "raft":
            for number_ in ground.numbers:
                if number_ != WRITER:
                    ground.act("kill", number_)
            found["down"] = one_load(ground, protocol, arguments.seconds)
    say(f"{protocol}, round {at + 1}: " + ", ".join(f"{name} {one['p50_us']:.0f} us {one['per_second']:.0f}/s" for name, one in found.items()))
    return found


def writes(arguments, directory, raw):
    raw["rounds"] = {protocol: [] for protocol in ("raft", "crdt", "causal")}
    for at in range(arguments.rounds):
        for protocol, rounds in raw["rounds"].items():
            rounds.append(measure(directory, protocol, at, arguments))
    rows = []
    for protocol, rounds in raw["rounds"].items():
        for name, what in (("one", "a cluster of one"), ("up", "three nodes, all up"), ("down", "three nodes, two of them dead")):
            if name in rounds[0]:
                of = {fact: median([one[name][fact] for one in rounds]) for fact in ("p50_us", "many_p50_us", "per_second", "most_per_second")}
                rows.append([protocol, what, f"{number(of['p50_us'])} µs", f"{number(of['many_p50_us'])} µs", short(of["per_second"]),
                             short(of["most_per_second"])])
    heads = ["protocol", "", "p50, 1 connection", "p50, 64 connections", "writes/s, 64 connections", "256"]
    return finish(arguments, "spaces", f"{machine_text(raw['machine'])}. SET of 256 B, medians of {arguments.rounds} rounds.\n\n"
                  + table(heads, rows), raw)


def look(ground, seconds):
    before = {one: wakeups(ground.pid(one)) for one in ground.numbers}
    time.sleep(seconds)
    return {one: ((wakeups(ground.pid(one)) - before[one]) / seconds, memory_kib(ground.pid(one))) for one in ground.numbers}


def idle(arguments, directory, raw):
    rows = []
    for protocol in ("raft", "crdt", "causal"):
        with Ground(os.path.join(directory, protocol), settings=arguments.settings) as ground:
            time.sleep(5)
            before = look(ground, arguments.seconds)
            with ground.client(WRITER, 10) as client:
                for at in range(arguments.spaces):
                    client.call("SPACE", "CREATE", f"s{at}", "PREFIX", f"s{at}/", "PROTOCOL", protocol)
            time.sleep(8)
            after = look(ground, arguments.seconds)
        raw[protocol] = {"before": before, "after": after}
        grown = [(after[one][1] - before[one][1]) / 1024 for one in after]
        more = [after[one][0] - before[one][0] for one in after]
        rows.append([protocol, f"{max(grown):.1f} MiB", f"{max(more):+.2f}", f"{max(one[0] for one in after.values()):.1f}"])
        say(f"idle, {protocol}: {rows[-1][1:]}")
    heads = ["protocol", "memory more", "wake-ups/s more", "wake-ups/s in all"]
    return finish(arguments, "idle-spaces", f"{machine_text(raw['machine'])}. {arguments.spaces} idle spaces beside none but the default one; the node "
                  f"that takes most.\n\n" + table(heads, rows), raw)


def main(words):
    parser = argparse.ArgumentParser(prog="script/bench spaces", description=__doc__)
    parser.add_argument("--idle", action="store_true", help="measure idle spaces instead of writes")
    parser.add_argument("--spaces", type=int, default=200, help="with --idle: how many")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--seconds", type=int, help="of each load (4), or look (16: a node wakes a few times a second, and not evenly)")
    common_flags(parser)
    arguments = parser.parse_args(words)
    arguments.seconds = arguments.seconds or (16 if arguments.idle else 4)
    with Directory(arguments.dir) as directory:
        raw = {"machine": machine(directory)}
        return (idle if arguments.idle else writes)(arguments, directory, raw)
