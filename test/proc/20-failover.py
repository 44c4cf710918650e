"""The leader is killed or frozen again and again: how long until the next acknowledged write, and is every acknowledged key there?"""
import os
import signal
import time

from harness import ConnectionLost, LONG, Playground, Resp, RespError, check, figure, quantile, run, wait_for

ROUNDS = 20 if LONG else 5


class Writer:
    """Writes keys one after the other through any node that takes them; remembers what was acknowledged."""

    def __init__(self, ground):
        self.ground = ground
        self.next = 0
        self.acknowledged = {}
        self.client = None

    def write(self, ports):
        """One key; True if acknowledged. The outcome of a failed attempt is unknown: its key is never used again."""
        key, value = f"failover:{self.next}", f"value {self.next}"
        self.next += 1
        try:
            if self.client is None:
                self.client = Resp(ports[self.next % len(ports)], 3.0)
            self.client.call("SET", key, value)
        except ConnectionLost:
            self.client = None
            return False
        except RespError:
            return False
        self.acknowledged[key] = value
        return True

    def drop(self):
        if self.client:
            self.client.close()
        self.client = None


def verify(ground, acknowledged, number):
    with ground.client(number, 30.0) as client:
        keys = list(acknowledged)
        replies = client.pipeline([("GET", key) for key in keys])
    missing = [key for key, reply in zip(keys, replies) if isinstance(reply, RespError) or reply is None or reply.decode() != acknowledged[key]]
    check(not missing, f"node {number} has lost {len(missing)} of {len(keys)} acknowledged keys, first: {missing[:3]}")


def freeze(ground, writer, quiet_s):
    """Stops the leader (SIGSTOP) under a client of another node; seconds from there, or from the client's next write after
    `quiet_s` without any, to the next acknowledged one."""
    leader = ground.leader()
    other = [ground.port(number) for number in ground.numbers if number != leader]
    writer.drop()
    for _ in range(100):
        check(writer.write(other[:1]), "a healthy cluster acknowledges")
    if quiet_s:
        time.sleep(quiet_s)
    pid = ground.pid(leader)
    os.kill(pid, signal.SIGSTOP)
    stopped = time.monotonic()
    try:
        wait_for("a write is acknowledged past a frozen leader", lambda: writer.write(other[:1]), 20, 0.001)
        took = time.monotonic() - stopped
    finally:
        os.kill(pid, signal.SIGCONT)
    writer.drop()
    ground.wait_all_serve()
    verify(ground, writer.acknowledged, leader)
    return took


def frozen_rounds(ground, writer, what, quiet_s, limit_s):
    times = [freeze(ground, writer, quiet_s) for _ in range(ROUNDS)]
    figure(f"leader frozen {what} to the next acknowledged write through another node, {ROUNDS} times:",
           f"median {quantile(times, 0.5) * 1000:.0f} ms, worst {max(times) * 1000:.0f} ms")
    check(quantile(times, 0.5) < limit_s, "a frozen leader is replaced too late")


def main():
    with Playground(interval=1) as ground:
        writer = Writer(ground)
        times = []
        for round_number in range(ROUNDS):
            leader = ground.leader()
            for _ in range(100):
                check(writer.write(ground.ports), "a healthy cluster acknowledges")
            writer.drop()
            survivors = [ground.port(number) for number in ground.numbers if number != leader]
            before = len(ground.lines)
            killed = ground.kill_at_once(leader)
            wait_for("a write is acknowledged again", lambda: writer.write(survivors), 20, 0.001)
            times.append(time.monotonic() - killed)
            writer.drop()
            ground.wait_line(rf"node {leader} died \(signal 9\)", after=before)
            for number in ground.numbers:
                if number != leader:
                    verify(ground, writer.acknowledged, number)
            ground.act("start", leader)
            ground.wait_all_serve()
            verify(ground, writer.acknowledged, leader)
        ground.wait_even()
        frozen_rounds(ground, writer, "under load", 0, 3)
        frozen_rounds(ground, writer, "after 3 s without requests", 3, 4)
        figure(f"kill -9 of the leader to the next acknowledged write, {ROUNDS} times:",
               f"median {quantile(times, 0.5) * 1000:.0f} ms, worst {max(times) * 1000:.0f} ms; "
               f"{len(writer.acknowledged)} acknowledged keys, all there")
        check(quantile(times, 0.5) < 5, "failover takes seconds")


run(main)
