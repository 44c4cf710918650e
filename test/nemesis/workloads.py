"""What clients do, what they were told, and who judges it.

Each workload records a history (docs: `skein check --help`): invoke, then ok, fail (certainly did not happen) or info (nobody
knows). A process whose operation ended as info is never used again. What has no model in `skein check` is judged here: expiry
(never early, gone in the end), order (one connection's commands take effect as sent), and the totals that INCRBY and APPEND answer.
"""
import json
import os
import random
import socket
import subprocess
import threading
import time

from harness import SKEIN, ConnectionLost, Failure, Resp, RespError, check

CERTAINLY_NOT = ("CLUSTERDOWN", "TRYAGAIN", "LOADING", "READONLY", "OOM")
CLIENTS = 8
CALL_LIMIT_S = 3.0  # the daemon answers within 2 s; beyond, it is paused or dead
CHECK_LIMIT_S = 60
FINAL_LIMIT_S = 60
INFO_MAX = 6  # open operations on one key: bounds the checker's search


class Keys:
    """Keys in use one after another: a checker's search is bounded by what happens to one key."""

    def __init__(self, prefix, width, size):
        self.prefix, self.width, self.size = prefix, width, size
        self.lock = threading.Lock()
        self.names, self.live, self.used, self.opened = [], [], {}, {}
        for _ in range(width):
            self.new()

    def new(self):
        name = f"{self.prefix}{len(self.names)}"
        self.names.append(name)
        self.live.append(name)
        self.used[name] = self.opened[name] = 0
        return name

    def choose(self, rng):
        with self.lock:
            # Now and then an old one: what was open there may still take effect.
            return rng.choice(self.names[-4 * self.width:] if rng.random() < 0.05 else self.live)

    def took(self, name, kind):
        with self.lock:
            self.used[name] += kind == "ok"
            self.opened[name] += kind == "info"
            if name in self.live and (self.used[name] >= self.size or self.opened[name] >= INFO_MAX):
                self.live.remove(name)
                self.new()


class Workload:
    """`step` does one operation; `read_all` looks at everything in the end; `judge` returns (verdict, text)."""
    model = None
    per_key = 200
    width = 2

    def __init__(self):
        self.lock = threading.Lock()
        self.history = []
        self.problems = []
        self.values = 0
        self.ok = self.info = self.fail = 0
        self.latencies = []
        self.errors = {}
        self.keys = Keys(f"{type(self).__name__.lower()}:", self.width, self.per_key)

    def unique(self):
        with self.lock:
            self.values += 1
            return self.values

    def problem(self, text):
        with self.lock:
            self.problems.append(text)

    def event(self, process, kind, what, key, value):
        self.history.append({"process": process, "type": kind, "f": what, "key": key, "value": value})

    def step(self, client):
        raise NotImplementedError

    def read_all(self, client):
        for key in self.keys.names:
            client.must(lambda: self.read(client, key))

    def observed(self):
        """(key, value) of all writes that somebody may have seen; None: not told, so nothing is left out."""
        return None

    def decided(self):
        """The history, in which open writes that nobody ever saw have failed: had they happened, then after all else. (Each value is
        written once, and the last looks are at everything.) It spares the checker their permutations."""
        seen = self.observed()
        if seen is None:
            return self.history
        return [event | {"type": "fail"} if event["type"] == "info" and (event["key"], written(event)) not in seen else event
                for event in self.history]

    def write_history(self, directory):
        path = os.path.join(directory, "history.jsonl")
        with open(path, "w") as file:
            file.writelines(json.dumps(event) + "\n" for event in self.decided())
        return [path]

    def judge(self, directory):
        verdict, text = self.check_model(directory) if self.model else ("holds", "")
        if self.problems:
            return "violated", f"{len(self.problems)} problems: " + "; ".join(self.problems[:3] + [text] * bool(text))
        return verdict, text

    def check_model(self, directory):
        done = subprocess.run([SKEIN, "check", "--model", self.model, "--seconds", str(CHECK_LIMIT_S)] + self.write_history(directory),
                              capture_output=True, text=True)
        if done.returncode == 0:
            return "holds", ""
        lines = [line.split(": ", 1)[1] for line in done.stdout.strip().split("\n") if ": holds" not in line]
        return {1: "violated"}.get(done.returncode, "unknown"), "; ".join(lines[:3]) + " " + done.stderr[-2000:]


class Client(threading.Thread):
    def __init__(self, number, ports, workload, seed, home=None):
        super().__init__(daemon=True)
        self.number, self.ports, self.workload = number, ports, workload
        self.home = home  # half of the clients stay with one node, whatever happens to it
        self.rng = random.Random(seed)
        self.process = number
        self.connection = None
        self.ending = threading.Event()
        self.broken = None

    def connect(self):
        if self.connection is None:
            self.connection = Resp(self.home or self.rng.choice(self.ports), CALL_LIMIT_S)
        return self.connection

    def drop(self):
        if self.connection:
            self.connection.close()
            self.connection = None

    def hang_up(self):
        """From another thread: the connection ends, whatever is on its way. False: there is none."""
        connection = self.connection
        try:
            if connection:
                connection.socket.shutdown(socket.SHUT_RDWR)
                return True
        except OSError:
            pass
        return False

    def pipeline(self, *commands):
        """Replies, one for each command: (reply, None), (None, "fail") or (None, "info")."""
        workload = self.workload
        try:
            connection = self.connect()
        except ConnectionLost:
            time.sleep(0.02)
            return [(None, "fail")] * len(commands)
        results = []
        started = time.monotonic()
        try:
            connection.send(b"".join(connection.encode(*command) for command in commands))
            for _ in commands:
                reply = connection.read()
                if not isinstance(reply, RespError):
                    results.append((reply, None))
                    continue
                results.append((None, "fail" if str(reply).startswith(CERTAINLY_NOT) else "info"))
                with workload.lock:
                    word = " ".join(str(reply).split(" ")[:7])
                    workload.errors[word] = workload.errors.get(word, 0) + 1
            if all(why is None for _, why in results):
                workload.latencies.append(time.monotonic() - started)
            elif self.rng.random() < 0.3:
                self.drop()
        except ConnectionLost as problem:
            self.drop()
            with workload.lock:
                word = "connection: " + str(problem).split(": ", 1)[-1]
                workload.errors[word] = workload.errors.get(word, 0) + 1
        return results + [(None, "info")] * (len(commands) - len(results))

    def operate(self, what, key, value, command, output=None, reads=False, refuses=None):
        """One recorded operation; returns (reply, kind). `output(reply)`: the value seen. `refuses(reply)`: it did not happen."""
        workload = self.workload
        workload.event(self.process, "invoke", what, key, value)
        (reply, why), = self.pipeline(command)
        kind = why or ("fail" if refuses and refuses(reply) else "ok")
        if kind == "info" and reads:
            kind = "fail"  # who was told nothing has seen nothing
        workload.event(self.process, kind, what, key, output(reply) if output and kind == "ok" else value)
        with workload.lock:
            setattr(workload, kind, getattr(workload, kind) + 1)
        workload.keys.took(key, kind)
        if kind == "info":
            self.process += 1000
        return reply, kind

    def must(self, action):
        """Until it succeeds: for the end, when all is well."""
        end = time.monotonic() + FINAL_LIMIT_S
        while action()[1] != "ok":
            check(time.monotonic() < end, f"client {self.number} got no answer in the end")
            time.sleep(0.05)

    def run(self):
        try:
            while not self.ending.is_set():
                self.workload.step(self)
                time.sleep(self.rng.random() * 0.006)
        except Exception as problem:  # a bug of the test must not look like silence
            self.broken = problem
            raise
        finally:
            self.drop()


def written(event):
    """The value that a write, a cas or an append leaves behind."""
    return event["value"][1] if event["f"] == "cas" else event["value"]


def number_or_none(reply):
    return None if reply is None else int(reply)


class Register(Workload):
    """SET and GET of values that nobody writes twice."""
    model = "register"

    def read(self, client, key):
        return client.operate("read", key, None, ("GET", key), number_or_none, reads=True)

    def observed(self):
        read = {(event["key"], event["value"]) for event in self.history if event["f"] == "read" and event["type"] == "ok"}
        return read | {(event["key"], event["value"][0]) for event in self.history if event["f"] == "cas"}

    def step(self, client):
        key = self.keys.choose(client.rng)
        if client.rng.random() < 0.5:
            return self.read(client, key)
        value = self.unique()
        return client.operate("write", key, value, ("SET", key, value))


class Cas(Register):
    """SET key new IFEQ old, among SET and GET."""
    model = "cas-register"

    def step(self, client):
        key = self.keys.choose(client.rng)
        reply, kind = self.read(client, key)
        if kind != "ok":
            return
        value = self.unique()
        if reply is None or client.rng.random() < 0.1:
            client.operate("write", key, value, ("SET", key, value))
            return
        old = int(reply)
        client.operate("cas", key, [old, value], ("SET", key, value, "IFEQ", old), refuses=lambda answer: answer is None)


class Claims:
    """Answers that are totals: each answer n to `by` claims n-by+1 .. n for itself, and later calls claim more."""

    def __init__(self):
        self.list = []  # (key, from, to, began, ended)

    def add(self, key, total, by, began):
        self.list.append((key, total - by, total, began, time.monotonic()))

    def problems(self):
        before = None
        for key, low, high, began, ended in sorted(self.list):
            if before is None or before[0] != key:
                before = (key, 0, 0, began)
            if before[2] > low:
                yield f"{key}: {low + 1}..{high} was answered, and {before[1] + 1}..{before[2]} too"
            if before[3] > ended:
                yield f"{key}: {high} was answered before a call began that was answered {before[2]} or less"
            before = (key, low, high, max(began, before[3]))


class Counter(Workload):
    """INCRBY and GET; what INCRBY answers is judged too."""
    model = "counter"
    per_key = 120

    def __init__(self):
        super().__init__()
        self.claims = Claims()

    def read(self, client, key):
        return client.operate("read", key, None, ("GET", key), lambda reply: int(reply or 0), reads=True)

    def step(self, client):
        key = self.keys.choose(client.rng)
        if client.rng.random() < 0.3:
            self.read(client, key)
            return
        by = client.rng.randrange(1, 4)
        began = time.monotonic()
        total, kind = client.operate("add", key, by, ("INCRBY", key, by), lambda reply: by)
        if kind == "ok":
            self.claims.add(key, total, by, began)

    def judge(self, directory):
        self.problems += self.claims.problems()
        return super().judge(directory)


class Set(Workload):
    """A set whose elements are keys: SET adds, DEL removes, MGET reads all of them at one point."""
    model = "set"
    per_key = 120
    ELEMENTS = 8

    def element(self, key, number):
        return f"{key}:{number}"

    def read(self, client, key):
        return client.operate("read", key, None, ["MGET"] + [self.element(key, number) for number in range(self.ELEMENTS)],
                              lambda replies: [number for number, reply in enumerate(replies) if reply is not None], reads=True)

    def step(self, client):
        key = self.keys.choose(client.rng)
        number = client.rng.randrange(self.ELEMENTS)
        draw = client.rng.random()
        if draw < 0.4:
            self.read(client, key)
        elif draw < 0.75:
            client.operate("add", key, number, ("SET", self.element(key, number), 1))
        else:
            client.operate("remove", key, number, ("DEL", self.element(key, number)))


class Append(Workload):
    """APPEND of words that nobody writes twice, and GET of the whole list; the lengths that APPEND answers are judged too."""
    model = "kv"
    per_key = 80
    width = 4  # appends that nobody reads between may have come in any order: more than a checker can try

    def __init__(self):
        super().__init__()
        self.claims = Claims()

    def read(self, client, key):
        return client.operate("get", key, None, ("GET", key), lambda reply: None if reply is None else reply.decode(), reads=True)

    def observed(self):
        reads = {(event["key"], event["value"]) for event in self.history if event["f"] == "get" and event["type"] == "ok"}
        return {(key, word + ",") for key, text in reads if text for word in text.split(",")[:-1]}

    def step(self, client):
        key = self.keys.choose(client.rng)
        if client.rng.random() < 0.5:
            self.read(client, key)
            return
        word = f"{self.unique()},"
        began = time.monotonic()
        length, kind = client.operate("append", key, word, ("APPEND", key, word))
        if kind == "ok":
            self.claims.add(key, length, len(word), began)

    def judge(self, directory):
        self.problems += self.claims.problems()
        return super().judge(directory)


class Multi(Workload):
    """MSET and MGET of several keys: each takes effect at one point."""
    model = "multi-register"
    per_key = 60  # the checker takes a group as one
    width = 3
    PARTS = 3

    def name(self, key, part):
        return f"{key}:{part}"

    def read(self, client, key, parts=None):
        parts = parts or list(range(self.PARTS))
        return client.operate("txn", key, [["read", part, None] for part in parts], ["MGET"] + [self.name(key, part) for part in parts],
                              lambda replies: [["read", part, number_or_none(reply)] for part, reply in zip(parts, replies)], reads=True)

    def step(self, client):
        key = self.keys.choose(client.rng)
        parts = client.rng.sample(range(self.PARTS), client.rng.randrange(2, self.PARTS + 1))
        if client.rng.random() < 0.5:
            self.read(client, key, parts)
            return
        values = [["write", part, self.unique()] for part in parts]
        client.operate("txn", key, values, ["MSET"] + [word for _, part, value in values for word in (self.name(key, part), value)])

    def write_history(self, directory):
        """A file for each group: the model knows no keys beside those in its transactions."""
        groups = {}
        for event in self.history:
            groups.setdefault(event["key"], []).append({name: event[name] for name in event if name != "key"})
        paths = []
        for key, events in groups.items():
            paths.append(os.path.join(directory, f"history-{key.replace(':', '-')}.jsonl"))
            with open(paths[-1], "w") as file:
                file.writelines(json.dumps(event) + "\n" for event in events)
        return paths


class Lock(Workload):
    """A lock by compare-and-set: free -> holder's token -> free."""
    model = "mutex"
    per_key = 40
    width = 3

    def __init__(self):
        super().__init__()
        self.made = set()

    def read_all(self, client):
        pass  # the model has no read; what was open has been seen by those who acquired since

    def step(self, client):
        key = self.keys.choose(client.rng)
        if key not in self.made:
            (_, why), = client.pipeline(("SET", key, "free", "NX"))
            if why:
                return
            self.made.add(key)
        token = f"token-{self.unique()}"
        _, kind = client.operate("acquire", key, None, ("SET", key, token, "IFEQ", "free"), refuses=lambda reply: reply is None)
        while kind == "ok" and not client.ending.is_set():
            reply, freed = client.operate("release", key, None, ("SET", key, "free", "IFEQ", token))
            if freed == "ok" and reply is None:
                self.problem(f"{key}: {token} held the lock, and another one has it")
            if freed != "fail":
                break


class Expiry(Workload):
    """SET PX and GET: a value is there until its time has passed since the SET was sent, never again once it was seen gone, and
    gone in the end. Times are the test's own monotonic clock: that of the nodes is what is judged."""
    MARGIN_S = 0.002  # clients' clock is read after the socket
    GONE_LIMIT_S = 10  # in the end, beyond the time to live

    def __init__(self):
        super().__init__()
        self.entries = {}  # key -> [value, sent, time to live, acknowledged at, seen gone at]

    def step(self, client):
        if client.rng.random() < 0.35:
            key = f"expiry:{client.number}:{self.unique()}"
            ttl_s = client.rng.choice([0.05, 0.2, 0.6, 1.5, 3.0])
            entry = [key, time.monotonic(), ttl_s, None, None]
            self.event(client.process, "invoke", "write", key, ttl_s)
            (_, why), = client.pipeline(("SET", key, key, "PX", int(ttl_s * 1000)))
            if why is None:
                entry[3] = time.monotonic()
                with self.lock:
                    self.entries[key] = entry
            self.took(client, "write", key, why, ttl_s)
            return
        with self.lock:
            if not self.entries:
                return
            young = list(self.entries)[-60:]
        self.look(client, client.rng.choice(young))

    def took(self, client, what, key, why, value):
        kind = why or "ok"
        self.event(client.process, kind, what, key, value)
        with self.lock:
            setattr(self, kind, getattr(self, kind) + 1)

    def look(self, client, key):
        entry = self.entries[key]
        began, gone_before = time.monotonic(), entry[4]
        self.event(client.process, "invoke", "read", key, None)
        (reply, why), = client.pipeline(("GET", key))
        ended = time.monotonic()
        self.took(client, "read", key, "fail" if why else None, reply.decode() if reply else None)
        if why:
            return None
        if reply is None:
            with self.lock:
                entry[4] = entry[4] or ended
            if ended < entry[1] + entry[2] - self.MARGIN_S:
                self.problem(f"{key}: gone {(entry[1] + entry[2] - ended) * 1000:.0f} ms before its {entry[2] * 1000:.0f} ms had passed")
        elif gone_before and gone_before < began:
            self.problem(f"{key}: there again after it had been seen gone")
        return reply is None

    def read_all(self, client):
        end = time.monotonic() + max((entry[2] for entry in self.entries.values()), default=0) + self.GONE_LIMIT_S
        left = list(self.entries)
        while left and time.monotonic() < end:
            left = [key for key in left if self.look(client, key) is not True]
        if left:
            self.problem(f"{len(left)} keys are still there {self.GONE_LIMIT_S} s after their time, first {left[0]}")


class Order(Workload):
    """Pipelines on a key of the client's own: what one connection sends takes effect in that order, and is seen so."""

    def __init__(self):
        super().__init__()
        self.own = {}

    def step(self, client):
        key = self.own.get(client.number)
        if key is None:
            key = self.own[client.number] = f"order:{client.number}:{self.unique()}"
        first, second = f"a{self.unique()}", f"b{self.unique()}"
        commands = [("SET", key, first), ("GET", key), ("APPEND", key, second), ("GET", key), ("DEL", key), ("EXISTS", key), ("SET", key, second),
                    ("STRLEN", key), ("GET", key)]
        both = first + second
        expected = ["OK", first.encode(), len(both), both.encode(), 1, 0, "OK", len(second), second.encode()]
        results = client.pipeline(*commands)
        kinds = [why or "ok" for _, why in results]
        self.event(client.process, "ok" if set(kinds) == {"ok"} else "info", "pipeline", key, [first, second, kinds])
        with self.lock:
            for kind in kinds:
                setattr(self, kind, getattr(self, kind) + 1)
        if set(kinds) != {"ok"}:
            self.own[client.number] = None  # what is open may take effect at any time
            return
        answers = [reply for reply, _ in results]
        if answers != expected:
            self.problem(f"{key}: {commands} answered {answers}")

    def read_all(self, client):
        pass


class Big(Register):
    """As register, with values of up to 64 KiB: segments roll, snapshots are taken and sent."""
    per_key = 60
    SIZE_MAX = 1 << 16

    def encode(self, value):
        size = (value * 2654435761) % self.SIZE_MAX
        return (f"{value}:" + "x" * size).encode()

    def decode(self, reply):
        if reply is None:
            return None
        value = int(reply.split(b":", 1)[0])
        if reply != self.encode(value):
            self.problem(f"value {value} came back with other bytes")
        return value

    def read(self, client, key):
        return client.operate("read", key, None, ("GET", key), self.decode, reads=True)

    def step(self, client):
        key = self.keys.choose(client.rng)
        if client.rng.random() < 0.3:
            self.read(client, key)
            return
        value = self.unique()
        client.operate("write", key, value, ("SET", key, self.encode(value)))


ALL = {workload.__name__.lower(): workload for workload in (Register, Cas, Counter, Set, Append, Expiry, Multi, Lock, Order, Big)}


def read_all(workload, ports, seed):
    """Everything once more, through every node, at the same time."""
    clients = [Client(CLIENTS + index, [port], workload, seed + index, home=port) for index, port in enumerate(ports)]
    failures = []

    def work(client):
        try:
            workload.read_all(client)
        except Failure as problem:
            failures.append(problem)
        except Exception as problem:
            failures.append(Failure(f"the test broke: {problem!r}"))
        finally:
            client.drop()

    threads = [threading.Thread(target=work, args=(client,), daemon=True) for client in clients]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]
