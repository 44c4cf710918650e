"""script/bench compare: Skein, Redis, etcd, ZooKeeper and NATS JetStream with the same work on this machine, one after another, in rounds
(A B C A B C ...); medians of the rounds, ratios within each round.
"""
import argparse
import os
import shlex
import sys
import time

from harness import memory_kib
from measure import common_flags, Directory, disk_alone, finish, machine, machine_text, median, number, say, short, table
import systems

VALUE = 256
KEYS = 20000
# name: (does it write, connections, requests under way on each)
FLOOR_RATE, FLOOR_P99_MS, FLOOR_PER_JOULE = 1000, 100, 100  # what the project set out to reach, a second, at most, and a joule
BEATEN_BY = 50
JOBS = {"w1": (True, 1, 1), "w64": (True, 64, 1), "w256": (True, 256, 1), "p16": (True, 64, 16), "r64": (False, 64, 1)}


def jobs_of(system):
    jobs = dict(JOBS)
    if system.wire == "etcd":
        jobs["m256"] = (True, 16, 16)  # its p16 is the one with 1,024 calls
    return jobs


def figures(result, writes):
    kind = result["writes" if writes else "reads"]
    return {"per_second": kind["per_second"], "p50_ms": kind["p50_ms"], "p99_ms": kind["p99_ms"],
            "cpu_us": result["server_cpu_us_per_operation"], "own_cpu_us": result["own_cpu_us_per_operation"], "per_joule": result.get("operations_per_joule"), "energy": result.get("energy")}


class LeaseReads(systems.Skein):
    """Beside Skein, for its reads alone."""
    name = "Skein, reads = lease"
    settings = "--reads lease"
    words = ("--reads", "lease")
    only = ("r64",)


def measure(kind, directory, seconds, failovers):
    """One round of one system: {job: figures}, and rss_mib, kill_ms, stop_ms."""
    found = {}
    only = getattr(kind, "only", None)
    failovers = failovers and not only
    with kind(os.path.join(directory, "load")) as system:
        time.sleep(1.0)
        found["rss_mib"] = sum(memory_kib(pid) for pid in system.pids()) / 1024 / systems.NODES
        many = {"connections": 16, "pipeline": 16} if system.wire == "etcd" else {"connections": 64}
        warm = 5 if system.wire == "zookeeper" else 1
        system.load(True, fill=True, keys=KEYS, value=VALUE, seconds=1, warm_up=warm, **many)
        for name, (writes, connections, pipeline) in jobs_of(system).items():
            if only and name not in only:
                continue
            result = system.load(writes, connections=connections, pipeline=pipeline, keys=KEYS, value=VALUE, seconds=seconds, warm_up=1)
            found[name] = figures(result, writes)
        if kind is systems.Skein:
            rate = BEATEN_BY * FLOOR_RATE
            found["floor"] = figures(system.load(True, connections=64, rate=rate, keys=KEYS, value=VALUE, seconds=seconds, warm_up=1), True)
        if failovers:
            system.before_failover()
            found["kill_ms"] = systems.time_failover(system, "kill") * 1000
    if failovers:
        with kind(os.path.join(directory, "stop")) as system:
            system.before_failover()
            found["stop_ms"] = systems.time_failover(system, "stop") * 1000
    return found


def variant(text):
    """A Skein with other settings, from "label=--setting value"."""
    label, _, words = text.partition("=")

    class Variant(systems.Skein):
        name = label
        settings = words
    Variant.words = tuple(shlex.split(words))
    return Variant


# ---- The section ----

def middle(rounds, *path):
    values = []
    for one in rounds:
        for word in path:
            one = one.get(word) if one else None
        if one is not None:
            values.append(one)
    return median(values)


def row(kind, rounds):
    rate = [short(middle(rounds, job, "per_second")) for job in ("w1", "w64", "w256")]
    return [kind.name, " / ".join(rate), short(middle(rounds, "p16", "per_second")),
            f"{number(middle(rounds, 'w1', 'p50_ms'), 2)}; {number(middle(rounds, 'w64', 'p99_ms'), 1)} / {number(middle(rounds, 'w256', 'p99_ms'), 1)}",
            f"{number(middle(rounds, 'w64', 'cpu_us'))} / {number(middle(rounds, 'w256', 'cpu_us'))}",
            f"{short(middle(rounds, 'r64', 'per_second'))}, p99 {number(middle(rounds, 'r64', 'p99_ms'), 1)} ms; {kind.reads}",
            f"{number(middle(rounds, 'kill_ms'))} / {number(middle(rounds, 'stop_ms'))}", number(middle(rounds, "rss_mib"), 1)]


def ratio(ours, theirs, *path):
    """The median over rounds of ours / theirs."""
    values = []
    for one, other in zip(ours, theirs):
        for word in path:
            one, other = one.get(word), other.get(word)
            if one is None or other is None:
                break
        if one is not None and other:
            values.append(one / other)
    return median(values)


def ratio_row(kind, ours, theirs):
    def cell(*path):
        value = ratio(ours, theirs, *path)
        return "-" if value is None else f"{value:.2f}"
    return [kind.name, " / ".join(cell(job, "per_second") for job in ("w1", "w64", "w256")), cell("p16", "per_second"), cell("w1", "p50_ms"),
            f"{cell('w64', 'p99_ms')} / {cell('w256', 'p99_ms')}", f"{cell('w64', 'cpu_us')} / {cell('w256', 'cpu_us')}",
            f"{cell('r64', 'per_second')}; p99 {cell('r64', 'p99_ms')}"]


def section(kinds, rounds, facts, floors, arguments):
    heads = ["system", "writes/s, 1 / 64 / 256 connections", "writes/s, 64 × 16 under way", "p50 ms with 1; p99 ms with 64 / 256",
             "server CPU µs a write, 64 / 256", "reads/s, 64", "failover ms, killed / frozen leader", "RSS MiB idle, a node"]
    lines = [f"{machine_text(facts)}. Medians of {len(rounds['Skein'])}; {VALUE}-byte values, {KEYS:,} keys, {arguments.seconds} s a figure.", "",
             table(heads, [row(kind, rounds[kind.name]) for kind in kinds]), ""]
    etcd = rounds.get("etcd")
    if etcd:
        lines += [f"etcd with many calls on one connection: {short(middle(etcd, 'm256', 'per_second'))} writes/s with 256 calls on 16 connections "
                  f"(p99 {number(middle(etcd, 'm256', 'p99_ms'), 1)} ms, {number(middle(etcd, 'm256', 'cpu_us'))} µs), "
                  f"{short(middle(etcd, 'p16', 'per_second'))} with 1,024 on 64.", ""]
    lines += [f"One node's disk alone (4 KiB over preallocated bytes, then fdatasync): {median(floors) * 1000:.3f} ms.", "",
              "Ratios Skein : system, each taken within one round, then the median. Rates: more is better; times and CPU: less is.", "",
              table(["against", "writes/s, 1 / 64 / 256", "64 × 16 under way", "p50 with 1", "p99, 64 / 256", "CPU a write, 64 / 256", "reads, 64"],
                    [ratio_row(kind, rounds["Skein"], rounds[kind.name]) for kind in kinds if kind.name != "Skein"])]
    if etcd:
        lines += ["", "Against etcd's best with 256 calls, however driven: "
                  f"{ratio_best(rounds['Skein'], etcd):.2f} times its writes/s."]
    ours = rounds["Skein"]
    lines += ["", f"Skein with 64 × 16 under way: {ratio_within(ours, 'p16', 'w64'):.1f} times its own writes/s with 64. With 256 connections "
              f"{short(middle(ours, 'w256', 'per_joule'))} writes a joule ({'the whole machine, measured' if ours[0]['w256']['energy'] == 'measured' else 'estimated: CPU time of all three nodes at 5 W a core'}); "
              f"the generator took {number(middle(ours, 'w256', 'own_cpu_us'), 1)} µs of CPU an operation."]
    lines += ["", floor_text(ours)]
    lines += ["", "What an acknowledged write means, and how each was set:", ""]
    lines += [f"- {kind.name} {kind.version()}: {kind.acknowledgement}. {kind.settings}." for kind in kinds]
    return "\n".join(lines)


def floor_text(ours):
    rate, p99, joule = middle(ours, "floor", "per_second"), middle(ours, "floor", "p99_ms"), middle(ours, "w256", "per_joule")
    return (f"The floor that the project set itself is {FLOOR_RATE:,} writes/s, a p99 of {FLOOR_P99_MS} ms and {FLOOR_PER_JOULE} writes a joule. At a fixed rate of "
            f"{BEATEN_BY * FLOOR_RATE:,} writes/s over 64 connections (open loop, latency from when each fell due) {rate:,.0f} were acknowledged a second: "
            f"{rate / FLOOR_RATE:.0f} times; with a p99 of {p99:.1f} ms: {FLOOR_P99_MS / p99:.0f} times less; and with 256 connections {joule:,.0f} a joule: "
            f"{joule / FLOOR_PER_JOULE:.0f} times ({1e6 / joule / 5:.1f} µs of CPU a write, all nodes, at 5 W a core, are {1e6 / joule:.0f} µJ).")


def ratio_within(rounds, one, other):
    return median([found[one]["per_second"] / found[other]["per_second"] for found in rounds])


def ratio_best(ours, theirs):
    return median([one["w256"]["per_second"] / max(other["w256"]["per_second"], other["m256"]["per_second"]) for one, other in zip(ours, theirs)])


# ---- ----

def choose(arguments):
    kinds = [systems.Skein] + [variant(text) for text in arguments.variant]
    if not arguments.quick:
        kinds.append(LeaseReads)
    systems.Skein.words = tuple(shlex.split(arguments.settings))
    if arguments.settings:
        systems.Skein.settings = arguments.settings
    for peer in systems.PEERS:
        if arguments.only and peer.wire not in arguments.only.split(",") and peer.name.lower() not in arguments.only.split(","):
            continue
        if arguments.quick and peer is not systems.Redis:
            continue
        kinds.append(peer)
    lacking = sorted({kind.missing() for kind in kinds if kind.missing()})
    if lacking:
        sys.exit("script/bench compare: these Debian packages are missing: " + " ".join(lacking) +
                 "\n  sudo apt-get install --no-install-recommends " + " ".join(lacking) +
                 "\n  (their services need not run: systemctl disable --now " + " ".join(lacking) + "), or leave systems out with --only redis,...")
    return kinds


def main(words):
    parser = argparse.ArgumentParser(prog="script/bench compare", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="Redis alone, three rounds, one failover each: under 3 minutes")
    parser.add_argument("--only", metavar="SYSTEM,...", help="redis, etcd, zookeeper, nats: those instead of all")
    parser.add_argument("--rounds", type=int)
    parser.add_argument("--seconds", type=int, help="of each figure (default 4; quick: 2)")
    parser.add_argument("--variant", action="append", default=[], metavar="LABEL=SETTINGS", help="one more Skein, with these settings")
    common_flags(parser)
    arguments = parser.parse_args(words)
    arguments.seconds = arguments.seconds or (2 if arguments.quick else 4)
    count = arguments.rounds or (3 if arguments.quick else 5)
    kinds = choose(arguments)
    rounds = {kind.name: [] for kind in kinds}
    floors = []
    with Directory(arguments.dir) as directory:
        facts = machine(directory)
        for at in range(count):
            floors.append(disk_alone(directory))
            for kind in kinds:
                say(f"round {at + 1} of {count}: {kind.name}")
                found = measure(kind, os.path.join(directory, f"{at}-{kinds.index(kind)}"), arguments.seconds, at == 0 or not arguments.quick)
                rounds[kind.name].append(found)
                say("  " + ", ".join(f"{job} {found[job]['per_second']:.0f}/s" for job in JOBS if job in found))
    raw = {"machine": facts, "disk_alone_s": floors, "versions": {kind.name: kind.version() for kind in kinds}, "rounds": rounds}
    name = "compare" if not arguments.quick else "quick"
    return finish(arguments, name, section(kinds, rounds, facts, floors, arguments), raw)
