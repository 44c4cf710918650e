"""A million keys, and a node that must be given a large snapshot. Figures; what fails is loss and long silence."""
import json
import select
import subprocess
import sys
import threading
import time

from harness import check, ConnectionLost, figure, memory_kib, Playground, quantile, Resp, RespError, run, wait_for

KEYS = 1_000_000
VALUE = b"x" * 100


class Pinger:
    """How long does a PING take on a node while something big happens there? A process of its own: a thread would measure
    the interpreter's lock."""

    def __init__(self, port):
        self.process = subprocess.Popen([sys.executable, __file__, "ping", str(port)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        check(self.process.stdout.readline() == "pinging\n", "the pinger starts")

    def stop(self):
        said, _ = self.process.communicate("\n", timeout=60)
        times = json.loads(said)
        return f"PING p50 {quantile(times, 0.5) * 1000:.1f} ms, p99 {quantile(times, 0.99) * 1000:.1f} ms, worst {max(times) * 1000:.0f} ms"


def ping(port):
    times = []
    with Resp(port, 30.0) as client:
        client.call("PING")
        print("pinging", flush=True)
        while not select.select([sys.stdin], [], [], 0.001)[0]:
            started = time.monotonic()
            client.call("PING")
            times.append(time.monotonic() - started)
    print(json.dumps(times or [0]))


def load(client, count, name, value, batch=10000):
    """SETs in a pipeline; every one must be acknowledged."""
    for at in range(0, count, batch):
        part = b"".join(Resp.encode("SET", f"{name}{i:08}", value) for i in range(at, min(at + batch, count)))
        writer = threading.Thread(target=client.send, args=(part,))
        writer.start()
        for i in range(at, min(at + batch, count)):
            reply = client.read()
            check(reply == "OK", f"SET {i}: {reply}")
        writer.join()


def dbsize(ground, number):
    try:
        with ground.client(number, 10.0) as client:
            return client.call("DBSIZE")
    except (ConnectionLost, RespError):
        return -1


def million_keys():
    with Playground(nodes=1, interval=1) as ground:
        with ground.client(1, 60.0) as client:
            started = time.monotonic()
            load(client, KEYS, "big:", VALUE)
            seconds = time.monotonic() - started
            figure("1,000,000 SETs of 100 bytes, one connection, one node:", f"{KEYS / seconds:.0f}/s")
            check(client.call("DBSIZE") == KEYS, "DBSIZE")
            memory = memory_kib(ground.pid(1))
            data = KEYS * (len(VALUE) + len("big:00000000"))
            figure("memory for a million keys of 100 bytes:", f"{memory / 1024:.0f} MiB, {memory * 1024 / data:.2f} times the data")
            for action in ("kill", "stop"):
                ground.act(action, 1)
                started = time.monotonic()
                ground.act("start", 1)
                wait_for("the node has its keys", lambda: dbsize(ground, 1) == KEYS, 60, 0.005)
                figure(f"start after {action} with a million keys, until it serves:", f"{time.monotonic() - started:.2f} s (goal: under 2)")
        with ground.client(1, 60.0) as client:
            pinger = Pinger(ground.port(1))
            started = time.monotonic()
            keys = client.call("KEYS", "*")
            seconds = time.monotonic() - started
            check(len(keys) == KEYS and len(set(keys)) == KEYS, f"KEYS gives {len(keys)}")
            figure("KEYS * on a million keys:", f"{seconds:.2f} s; meanwhile {pinger.stop()}")
            pinger = Pinger(ground.port(1))
            started = time.monotonic()
            check(client.call("FLUSHALL") == "OK", "FLUSHALL")
            seconds = time.monotonic() - started
            wait_for("it is empty", lambda: dbsize(ground, 1) == 0, 30)
            time.sleep(0.5)  # the pinger goes on while memory is given back
            figure("FLUSHALL of a million keys:", f"{seconds:.3f} s; meanwhile {pinger.stop()}")


def default_space(status, number):
    node = next(node for node in status["nodes"] if node["id"] == number)
    return next(space for space in node["spaces"] if space["name"] == "default")


def log_first(ground, number):
    return default_space(ground.status(), number)["first"]


def snapshot_position(status, number):
    return default_space(status, number)["snapshot_position"]


def lagging_node():
    """Node 3 is away while 200 MB are written and the log behind them is dropped: it needs a snapshot."""
    settings = ["--log-size-max", "16mb", "--log-segment-size", "4mb", "--snapshot-bytes", "16mb"]
    count, value = 20000, b"y" * 10000
    with Playground(interval=1, settings=settings) as ground:
        leader = ground.leader()
        away = next(number for number in ground.numbers if number != leader)
        ground.act("stop", away)
        with ground.client(leader, 60.0) as client:
            load(client, count, "lag:", value, batch=500)
        term = next(node["term"] for node in ground.status()["nodes"] if node["id"] == leader)
        first = wait_for("the log's beginning has been dropped", lambda: log_first(ground, leader) > 1000 and log_first(ground, leader), 30)
        pinger = Pinger(ground.port(leader))
        started = time.monotonic()
        ground.act("start", away)
        wait_for("the node has all keys", lambda: dbsize(ground, away) == count, 120, 0.05)
        status = ground.wait_even()
        seconds = time.monotonic() - started
        figure("a node that was away gets a 200 MB snapshot:", f"{seconds:.1f} s; on the leader {pinger.stop()}")
        check(snapshot_position(status, away) > 1000, f"the node that was away needed no snapshot; the leader's log began at {first}")
        after = {node["id"]: node["term"] for node in status["nodes"]}
        check(status["leader"] == leader and set(after.values()) == {term},
              f"an election during the transfer: leader {leader} -> {status['leader']}, term {term} -> {after}")
        with ground.client(away, 30.0) as client:
            for i in range(0, count, 997):
                check(client.call("GET", f"lag:{i:08}") == value, f"lag:{i:08} on the node that was away")


def main():
    million_keys()
    lagging_node()


if sys.argv[1:2] == ["ping"]:
    ping(int(sys.argv[2]))
else:
    run(main)
