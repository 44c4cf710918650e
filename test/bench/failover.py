"""script/bench failover: how long no write is acknowledged after the leader was killed or frozen, and whether a leader stays who it is under
full load while one follower's disk stalls.
"""
import argparse
import os
import time

from harness import Failure
from measure import common_flags, Directory, finish, machine, machine_text, median, number, Running, say, table
import nodes
import systems

STALL_US = 200000
EVERY_S = 1.0


def settle(ground, limit_s=60):
    ground.wait_all_serve(limit_s)
    ground.wait_even(limit_s)


def killed(system, count):
    ground = system.ground
    times = []
    for at in range(count):
        settle(ground)
        leader = ground.leader()
        before = len(ground.lines)
        times.append(systems.time_failover(system, "kill") * 1000)
        say(f"kill {at + 1} of {count}: node {leader}, {times[-1]:.0f} ms")
        ground.wait_line(rf"node {leader} died \(signal 9\)", after=before)
        ground.act("start", leader)
    return times


def frozen(system, count):
    times = []
    for at in range(count):
        settle(system.ground)
        times.append(systems.time_failover(system, "stop") * 1000)
        say(f"freeze {at + 1} of {count}: {times[-1]:.0f} ms")
    return times


def stalling(directory, seconds, settings):
    """Full load on the leader; one follower's next fdatasync after each full second takes 200 ms more."""
    with nodes.Shimmed(directory, settings) as cluster:
        leader, term = first = cluster.leads()
        victim = next(number for number in cluster.numbers if number != leader)
        rule = cluster.controls[victim]
        changes, stalls, began = [], 0, time.monotonic()
        with Running([f"127.0.0.1:{cluster.port(leader)}"], connections=256, seconds=seconds, value=256) as run:
            while run.process.poll() is None:
                next_at = time.monotonic() + EVERY_S
                before = rule.get("sync_delays")
                rule.set("sync_delay_us", STALL_US)
                while rule.get("sync_delays") == before and time.monotonic() < next_at:
                    time.sleep(0.001)
                rule.set("sync_delay_us", 0)
                now = cluster.leads()
                if now != (leader, term):
                    changes.append({"after_s": time.monotonic() - began, "from": [leader, term], "to": list(now)})
                    say(f"leader change after {changes[-1]['after_s']:.0f} s: {changes[-1]['from']} to {list(now)} (node, term)")
                    leader, term = now
                time.sleep(max(0.0, next_at - time.monotonic()))
            stalls = rule.get("sync_delays")
            result = run.result()
    if stalls < seconds * 0.8:
        raise Failure(f"the disk stalled only {stalls} times in {seconds} s: this run shows nothing")
    return {"first": first, "victim": victim, "changes": changes, "stalls": stalls, "load": result}


def failovers(arguments, directory, raw):
    rows = []
    with systems.Skein(os.path.join(directory, "failover")) as system:
        for name, what, count, act in (("killed_ms", "killed (-9)", arguments.kills, killed),
                                       ("frozen_ms", "frozen (SIGSTOP)", arguments.freezes, frozen)):
            times = raw[name] = act(system, count)
            if times:
                rows.append([f"leader {what}, {len(times)} times", number(median(times)), number(max(times))])
    return finish(arguments, "failover", f"{machine_text(raw['machine'])}. From the signal to the first write that another node acknowledges; three "
                  f"nodes.\n\n" + table(["", "median ms", "worst ms"], rows), raw)


def stall_text(raw):
    found = raw["stalling"]
    load = found["load"]
    return (f"{machine_text(raw['machine'])}. {load['seconds']:.0f} s of full load (256 connections, {load['writes']['per_second']:,.0f} writes/s, p99 "
            f"{load['writes']['p99_ms']:.1f} ms, {load['errors']} errors) while one follower's disk stalled 200 ms every second ({found['stalls']} "
            f"times): **{len(found['changes'])} leader changes**.")


def main(words):
    parser = argparse.ArgumentParser(prog="script/bench failover", description=__doc__)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--freezes", type=int, default=20)
    parser.add_argument("--stall", action="store_true", help="only the full load over a stalling disk")
    parser.add_argument("--seconds", type=int, default=600, help="of that load")
    common_flags(parser)
    arguments = parser.parse_args(words)
    systems.Skein.words = tuple(arguments.settings.split())
    raw = {}
    with Directory(arguments.dir) as directory:
        raw["machine"] = machine(directory)
        if not arguments.stall:
            return failovers(arguments, directory, raw)
        raw["stalling"] = stalling(directory, arguments.seconds, arguments.settings)
    return finish(arguments, "stall", stall_text(raw), raw)
