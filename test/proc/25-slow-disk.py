"""A disk that stalls 200 ms every second, a follower's and then the leader's, under load: nobody stands for election."""
import os
import random
import sys
import tempfile
import threading

from harness import LONG, ROOT, Resp, check, figure, run

sys.path.insert(0, os.path.join(ROOT, "test", "nemesis"))
import cluster

SECONDS = 120 if LONG else 8
STALL_S = 0.2


def load(port, stop, counts):
    """Pipelines of writes until told to stop; every reply must come, whatever it says."""
    acknowledged = 0
    with Resp(port, 10.0) as client:
        while not stop.is_set():
            replies = client.pipeline([("SET", f"slow:{i}", "x" * 200) for i in range(64)])
            acknowledged += sum(reply == "OK" for reply in replies)
    counts.append(acknowledged)


def office(nodes):
    """(leader, epoch) as every node sees it."""
    seen = set()
    for node in nodes.nodes.values():
        info = node.info(3.0)
        check(info, f"node {node.number} answers INFO")
        facts = dict(word.split("=", 1) for word in info["space1"].split(","))
        seen.add((facts["leader"], facts["epoch"]))
    return seen


def stall(nodes, victim, what):
    stop, counts = threading.Event(), []
    writers = [threading.Thread(target=load, args=(node.port, stop, counts)) for node in nodes.nodes.values() for _ in range(2)]
    for writer in writers:
        writer.start()
    nodes.rest(1)
    before = office(nodes)
    check(len(before) == 1, f"one leader before: {before}")
    rules = nodes.nodes[victim].control
    stalled = rules.get("sync_delays")
    for _ in range(SECONDS):
        rules.set("sync_delay_us", int(STALL_S * 1e6))
        nodes.rest(STALL_S)
        rules.set("sync_delay_us", 0)
        nodes.rest(1 - STALL_S)
    after = office(nodes)
    stop.set()
    for writer in writers:
        writer.join()
    stalled = rules.get("sync_delays") - stalled
    figure(f"{what} disk stalls 200 ms every second for {SECONDS} s under load:",
           f"{stalled} stalled syncs, {sum(counts) / (SECONDS + 1):.0f} writes/s acknowledged, leader and epoch "
           f"{'unchanged' if after == before else f'{before} became {after}'}")
    check(stalled >= SECONDS / 2, "the disk did not stall")
    check(sum(counts) > 100 * SECONDS, "hardly a load")
    check(after == before, f"a slow disk changed the leader: {before} became {after}")


def main():
    with tempfile.TemporaryDirectory(prefix="skein-test.") as directory:
        nodes = cluster.Cluster(directory, 3, random.Random(1), {})
        try:
            for number in nodes.numbers:
                nodes.wait_for(f"node {number} serves", lambda: nodes.serves(number), 20)
            leader = nodes.wait_for("a leader", nodes.leader, 20)
            follower = next(number for number in nodes.numbers if number != leader)
            stall(nodes, follower, "a follower's")
            stall(nodes, leader, "the leader's")
            check(not nodes.problems, f"problems: {nodes.problems}")
        finally:
            nodes.close()


run(main)
