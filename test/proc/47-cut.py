"""A crdt space (and a causal one) whose nodes are all cut off from each other: each takes its writes, and once healed all agree on what the algebra says.

The same through three clients: the plain one, redis-py and ioredis, bound to the space by redis://host:port/n alone. What must come out is
computed here from each side's own history: nobody knew of the others, so the last word of each side stands beside the others'."""
import collections
import json
import random
import subprocess
import time

import redis

from harness import check, figure, node_clients, Playground, Resp, run, wait_for

WRITES = 10000  # a node
PIPELINE = 500
SPACES = {"crdt": 7, "causal": 8}  # name and protocol: number
KEYS = 20
MEMBERS = 50


class Side:
    """What one node is told while it is alone, and what of it the others cannot have overwritten."""

    def __init__(self, node):
        self.node = node
        self.counts = collections.Counter()  # key, or (key, field)
        self.last = {}  # (key, member or field or None) -> value, or None: removed
        self.removed = set()  # ever, on this side: what was there before is gone

    def put(self, place, value):
        self.last[place] = value

    def remove(self, place):
        self.last[place] = None
        self.removed.add(place)

    def write(self, draw, at):
        kind = draw.randrange(7)
        key = draw.randrange(KEYS)
        part = draw.randrange(MEMBERS)
        value = f"n{self.node}w{at}"
        if kind == 0:
            amount = draw.randrange(1, 100)
            down = draw.random() < 0.3
            self.counts[f"c{key}"] += -amount if down else amount
            return ["DECRBY" if down else "INCRBY", f"c{key}", amount]
        if kind == 1:
            self.put((f"s{key}", f"e{part}"), True)
            return ["SADD", f"s{key}", f"e{part}"]
        if kind == 2:
            self.remove((f"s{key}", f"e{part}"))
            return ["SREM", f"s{key}", f"e{part}"]
        if kind == 3:
            self.put((f"m{key}", f"f{part}"), value)
            return ["HSET", f"m{key}", f"f{part}", value]
        if kind == 4:
            self.remove((f"m{key}", f"f{part}"))
            return ["HDEL", f"m{key}", f"f{part}"]
        if kind == 5:
            self.counts[f"m{key}", f"count{part}"] += part + 1
            return ["HINCRBY", f"m{key}", f"count{part}", part + 1]
        if draw.random() < 0.2:
            self.remove((f"r{key}", None))
            return ["DEL", f"r{key}"]
        self.put((f"r{key}", None), value)
        self.removed.add((f"r{key}", None))  # a register's write replaces what its writer had seen
        return ["SET", f"r{key}", value]


def merged(before, sides):
    """place -> the values that stand beside each other at the end."""
    after = {}
    for place in set(before) | {place for side in sides for place in side.last}:
        values = {side.last[place] for side in sides if side.last.get(place) is not None}
        touched = any(place in side.removed or side.last.get(place) is not None for side in sides)
        if place in before and not touched:
            values |= before[place]
        if values:
            after[place] = values
    return after


# ---- Three ways to write ----

def plain(port, space, commands):
    with Resp(port, 30) as client:
        client.call("SELECT", space)
        return [reply if isinstance(reply, int) or reply == "OK" else str(reply) for reply in client.pipeline(commands, PIPELINE)]


def redis_py(port, space, commands):
    with redis.Redis.from_url(f"redis://127.0.0.1:{port}/{space}") as client:
        replies = []
        for at in range(0, len(commands), PIPELINE):
            with client.pipeline(transaction=False) as pipeline:
                for command in commands[at:at + PIPELINE]:
                    pipeline.execute_command(*command)
                replies += ["OK" if reply is True else reply for reply in pipeline.execute()]
        return replies


def ioredis(port, space, commands):
    done = subprocess.run(["node", "write.mjs", f"redis://127.0.0.1:{port}/{space}"], input=json.dumps(commands), capture_output=True,
                          text=True, timeout=120, cwd=node_clients())
    check(done.returncode == 0, f"write.mjs: {done.stdout[-500:]} {done.stderr[-500:]}")
    return json.loads(done.stdout)


# ---- What every node shows ----

def digests(ground, space):
    found = []
    for number in ground.numbers:
        with ground.client(number) as client:
            info = client.call("SPACE", "INFO", space)
            found.append(dict(zip(info[::2], info[1::2]))[b"digest"])
    return found


def shown(port, space):
    """(counts, place -> set of values) as one node shows them."""
    with redis.Redis.from_url(f"redis://127.0.0.1:{port}/{space}", decode_responses=True) as client:
        counts, places = {}, {}
        for key in range(KEYS):
            counts[f"c{key}"] = int(client.get(f"c{key}") or 0)
            for member in client.smembers(f"s{key}"):
                places[f"s{key}", member] = {True}
            for field, value in client.hgetall(f"m{key}").items():
                if field.startswith("count"):
                    counts[f"m{key}", field] = int(value)
                else:
                    places[f"m{key}", field] = {value}
            siblings = [text for text in flat(client.execute_command("SIBLINGS", f"r{key}")) if text.startswith("n")]
            if siblings:
                places[f"r{key}", None] = set(siblings)
                check(client.get(f"r{key}") in siblings, "one of the siblings is shown")
        return counts, places


def flat(value):
    if isinstance(value, list):
        return [text for item in value for text in flat(item)]
    return [str(value)]


def compare(number, seen, counts, expected):
    seen_counts, seen_places = seen
    for name, count in counts.items():
        check(seen_counts.get(name, 0) == count, f"node {number}: {name} is {seen_counts.get(name)}, not {count}")
    check(set(seen_places) == set(expected), f"node {number}: {sorted(map(str, set(seen_places) ^ set(expected)))[:5]} should (not) be there")
    for place, values in seen_places.items():
        if place[1] is None:
            check(values == expected[place], f"node {number}: {place} is {values}, not {expected[place]}")
        else:
            check(values <= expected[place], f"node {number}: {place} is {values}, none of {expected[place]}")


def apart(ground, space, write, counts, before, draw):
    """One round: cut, write everywhere, heal, compare. Returns what there is then."""
    ground.act("cut", 1)
    ground.act("cut", 2)
    sides = [Side(number) for number in ground.numbers]
    begun = time.monotonic()
    for side in sides:
        commands = [side.write(draw, f"{at}-{len(before)}") for at in range(WRITES)]
        replies = write(ground.port(side.node), SPACES[space], commands)
        bad = [reply for reply in replies if not isinstance(reply, int) and reply != "OK"]
        check(len(replies) == WRITES and not bad, f"{write.__name__}: {len(replies)} replies, {bad[:3]}")
        counts.update(side.counts)
    took = time.monotonic() - begun
    check(len(set(digests(ground, space))) == 3, "nobody knows of the others yet")
    ground.act("heal")
    begun = time.monotonic()
    wait_for("all digests are equal", lambda: len(set(digests(ground, space))) == 1, 2, 0.01)
    figure(f"47-cut {space}, {write.__name__}:", f"3 x {WRITES} writes apart in {took:.1f} s; equal {(time.monotonic() - begun) * 1000:.0f} ms after healing")
    expected = merged(before, sides)
    check(len(expected) > 1000 and len(counts) > 900, f"there is something to compare: {len(expected)} and {len(counts)}")
    seen = {}
    for number in ground.numbers:
        seen[number] = shown(ground.port(number), SPACES[space])
        compare(number, seen[number], counts, expected)
    check(seen[1] == seen[2] == seen[3], "all nodes show the same")
    return seen[1][1]


def main():
    seed = random.randrange(1 << 30)
    print(f"seed {seed}")
    draw = random.Random(seed)
    with Playground(interval=0, cuts=True) as ground:
        ground.wait_all_serve()
        with ground.client(1) as client:
            for space, number in SPACES.items():
                check(client.call("SPACE", "CREATE", space, "PREFIX", f"{space}/", "PROTOCOL", space, "NUMBER", number, "OPTION", "register", "mv")
                      == "OK", "CREATE")
        for number in ground.numbers:
            with ground.client(number) as client:
                for space in SPACES:
                    wait_for(f"the space at node {number}", lambda: client.call("INCRBY", f"{space}/begin", 0) == 0)
        for space in SPACES:
            counts, before = collections.Counter(), {}
            for write in (plain, redis_py, ioredis):
                before = apart(ground, space, write, counts, before, draw)


run(main)
