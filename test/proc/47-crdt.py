"""A crdt space through the real daemon: every node takes writes whatever became of the others; together again, all show the same; a restart of
all nodes loses nothing."""
import glob
import os

import redis

from harness import check, Playground, RespError, run, wait_for

SPACE = "counters/"


def everywhere(ground, what, condition):
    for number in ground.numbers:
        with ground.client(number) as client:
            wait_for(f"{what} at node {number}", lambda: condition(client))


def write_everywhere(ground):
    for number in ground.numbers:
        with ground.client(number) as client:
            for _ in range(100):
                client.call("INCR", SPACE + "total")
            client.call("SADD", SPACE + "nodes", f"node{number}")
            client.call("HSET", SPACE + "seen", f"by{number}", number)
            client.call("HINCRBY", SPACE + "seen", "count", 7)
            client.call("SET", SPACE + f"last{number}", "there")


def agree(ground, total, nodes):
    def condition(client):
        fields = client.call("HGETALL", SPACE + "seen")
        return (client.call("GET", SPACE + "total") == str(total).encode()
                and set(client.call("SMEMBERS", SPACE + "nodes")) == {f"node{n}".encode() for n in nodes}
                and dict(zip(fields[::2], fields[1::2])).get(b"count") == str(7 * total // 100).encode())
    everywhere(ground, f"{total} counted", condition)


def refused(client, *words):
    try:
        reply = client.call(*words)
    except RespError as error:
        check("needs one order of all changes" in str(error), f"{words}: {error}")
        return
    check(False, f"{words}: {reply!r}, not an error")


def main():
    with Playground(interval=0, settings=["--snapshot-entries", "200"]) as ground:
        ground.wait_all_serve()
        with ground.client(1) as client:
            check(client.call("SPACE", "CREATE", "counters", "PREFIX", SPACE, "PROTOCOL", "crdt", "OPTION", "register", "mv") == "OK", "CREATE")
            everywhere(ground, "the space", lambda one: one.call("SET", SPACE + "hello", "1") == "OK")
            refused(client, "SETNX", SPACE + "a", "1")
            refused(client, "SET", SPACE + "a", "1", "NX")
            refused(client, "SPOP", SPACE + "nodes")
            client.call("READMODE", "linearizable")
            try:
                client.call("GET", SPACE + "hello")
                check(False, "a linearizable read of a crdt space")
            except RespError as error:
                check("no one order" in str(error), str(error))
            client.call("READMODE", "default")
            replies = client.pipeline([("SET", SPACE + "p", "1"), ("INCR", SPACE + "p"), ("GET", SPACE + "p"), ("KEYS", "*"), ("DEL", SPACE + "p")])
            check(replies[:3] == ["OK", 2, b"2"] and replies[4] == 1, f"a pipeline: {replies}")
        write_everywhere(ground)
        agree(ground, 300, ground.numbers)

        # Two of three gone: raft spaces refuse, this one goes on.
        for number in (2, 3):
            ground.act("kill", number)
        with ground.client(1) as client:
            for _ in range(50):
                check(client.call("INCR", SPACE + "alone") >= 1, "INCR alone")
            check(client.call("GET", SPACE + "alone") == b"50", "GET alone")
            try:
                client.call("SET", "ordered", "1")
                check(False, "a raft write without a majority")
            except RespError as error:
                check(str(error).startswith(("CLUSTERDOWN", "UNKNOWN")), str(error))
        for number in (2, 3):
            ground.act("start", number)
        ground.wait_all_serve()
        everywhere(ground, "what was written alone", lambda one: one.call("GET", SPACE + "alone") == b"50")
        agree(ground, 300, ground.numbers)

        # A client that knows nothing of it: redis-py, bound by number.
        with redis.Redis.from_url(f"redis://127.0.0.1:{ground.port(2)}/2") as bound:
            bound.set("session", "x", ex=100)
            check(bound.incr("total") == 301 and 0 < bound.ttl("session") <= 100, "redis-py with /2")
            bound.sadd("set", "a", "b")
            bound.hset("hash", mapping={"f": "1", "g": "2"})
            check(bound.smembers("set") == {b"a", b"b"} and bound.hgetall("hash") == {b"f": b"1", b"g": b"2"}, "sets and hashes")
            check(sorted(bound.scan_iter(match="s*")) == [b"seen", b"session", b"set"], "SCAN")

        # All at once: what was answered is on disk, some of it in a snapshot.
        def snapshots(number):
            return glob.glob(os.path.join(ground.directory, f"node-{number}", "**", "00000002-*.snap"), recursive=True)
        for number in ground.numbers:
            wait_for(f"a snapshot at node {number}", lambda: len(snapshots(number)) > 0)
        for number in ground.numbers:
            ground.act("kill", number)
        for number in ground.numbers:
            ground.act("start", number)
        ground.wait_all_serve()
        everywhere(ground, "everything after a restart of all", lambda one: one.call("GET", SPACE + "total") == b"301"
                   and one.call("GET", SPACE + "alone") == b"50" and one.call("SCARD", SPACE + "set") == 2)
        everywhere(ground, "empty after DEL", lambda one: one.call("DEL", SPACE + "set") in (0, 1) and one.call("EXISTS", SPACE + "set") == 0)


run(main)
