"""The leader is killed again and again: how long until the next acknowledged write, and is every acknowledged key there?"""
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
        figure(f"kill -9 of the leader to the next acknowledged write, {ROUNDS} times:",
               f"median {quantile(times, 0.5) * 1000:.0f} ms, worst {max(times) * 1000:.0f} ms; "
               f"{len(writer.acknowledged)} acknowledged keys, all there")
        check(quantile(times, 0.5) < 5, "failover takes seconds")


run(main)
