"""Eight clients write and read while nodes are killed, paused and restarted at random; then the record is judged.

Each key has one writer, which writes 1, 2, 3, ... into it. A write whose outcome is not known may take effect much later (its
bytes may sit in a paused node), so its key is left alone by its writer from then on. So on every key:

    no acknowledged write is missing   a read that began after write n was acknowledged returns n or more
    no read goes back in time          a read that began after another had returned n returns n or more
    nothing is invented                a read returns nothing greater than what was tried, and never a write that was
                                       refused as certainly not ordered

Keys that all clients write and read are recorded as a history and given to `skein check`, which searches for an order that explains
every answer (linearizability). Further: INCR on a shared counter counts every acknowledged call once and an unknown one at most once; a shared list of words
(APPEND) has every acknowledged word exactly once and an unknown one at most once.
"""
import json
import os
import random
import re
import subprocess
import threading
import time

from harness import SKEIN, ConnectionLost, LONG, Playground, Resp, RespError, check, figure, quantile, run

SECONDS = float(os.environ.get("SKEIN_SECONDS", 60 if LONG else 15))
CLIENTS = 8
SHARED_OPERATIONS = 500  # answered ones on one shared key before the next is taken: bounds the checker's search
CERTAINLY_NOT = ("CLUSTERDOWN", "TRYAGAIN", "LOADING", "READONLY", "OOM")


class Key:
    def __init__(self, name):
        self.name = name
        self.tried = 0
        self.acknowledged = 0  # greatest
        self.seen = 0          # greatest that a finished read has returned
        self.refused = set()
        self.lock = threading.Lock()


class Record:
    def __init__(self):
        self.lock = threading.Lock()
        self.keys = []
        self.problems = []
        self.writes = self.reads = self.unknown = self.refused = 0
        self.counter_acknowledged = self.counter_unknown = 0
        self.words_acknowledged, self.words_unknown, self.words_refused = set(), set(), set()
        self.latencies = []
        self.errors = {}
        self.history = []  # of the shared keys, in the order it happened
        self.shared_operations = 0

    def count(self, name, more=1):
        with self.lock:
            setattr(self, name, getattr(self, name) + more)

    def problem(self, text):
        with self.lock:
            self.problems.append(text)

    def error(self, text):
        with self.lock:
            word = " ".join(text.split(" ")[:6])
            self.errors[word] = self.errors.get(word, 0) + 1

    def shared_key(self):
        with self.lock:
            return f"bb:shared:{self.shared_operations // SHARED_OPERATIONS}"

    def event(self, process, kind, what, key, value):
        with self.lock:
            self.history.append({"process": process, "type": kind, "f": what, "key": key, "value": value})
            # What fails does not count: a key must live through an accident to show what it did.
            self.shared_operations += kind == "ok"

    def new_key(self, client):
        with self.lock:
            key = Key(f"bb:{client}:{len(self.keys)}")
            self.keys.append(key)
            return key

    def any_key(self, rng):
        with self.lock:
            # Mostly young ones, where things happen.
            index = len(self.keys) - 1 - min(int(rng.expovariate(1 / 10)), len(self.keys) - 1)
            return self.keys[index]


class Client(threading.Thread):
    def __init__(self, number, ground, record, until):
        super().__init__(daemon=True)
        self.number = number
        self.ground = ground
        self.record = record
        self.until = until
        self.rng = random.Random(random.random())
        self.connection = None
        self.key = record.new_key(number)
        self.word = 0
        self.process = number  # in the history; another one after an unknown outcome
        self.broken = None

    def call(self, *words):
        """(reply, None) or (None, 'refused' or 'unknown')."""
        try:
            if self.connection is None:
                self.connection = Resp(self.rng.choice(self.ground.ports), 4.0)
        except ConnectionLost:
            time.sleep(0.01)
            return None, "refused"
        try:
            started = time.monotonic()
            reply = self.connection.call(*words)
            with self.record.lock:
                self.record.latencies.append(time.monotonic() - started)
            return reply, None
        except ConnectionLost as problem:
            self.record.error(re.sub(r"port \d+", "port", str(problem)))
            self.connection.close()
            self.connection = None
            return None, "unknown"
        except RespError as problem:
            self.record.error(str(problem))
            if self.rng.random() < 0.3:
                self.connection.close()
                self.connection = None
            return None, "refused" if str(problem).startswith(CERTAINLY_NOT) else "unknown"

    def write(self):
        key = self.key
        with key.lock:
            key.tried += 1
            value = key.tried
        reply, why = self.call("SET", key.name, value)
        with key.lock:
            if why is None:
                key.acknowledged = max(key.acknowledged, value)
            elif why == "refused":
                key.refused.add(value)
        if why == "unknown":
            self.key = self.record.new_key(self.number)
        self.record.count("writes" if why is None else why)

    def read(self):
        key = self.record.any_key(self.rng)
        with key.lock:
            floor, which = max((key.acknowledged, "acknowledged"), (key.seen, "seen"))
        reply, why = self.call("GET", key.name)
        if why:
            return
        value = int(reply or 0)
        with key.lock:
            if value < floor:
                self.record.problem(f"{key.name}: read {value}, but {floor} had been {which} before the read began")
            if value > key.tried or value in key.refused:
                self.record.problem(f"{key.name}: read {value}, tried up to {key.tried}, refused {value in key.refused}")
            key.seen = max(key.seen, value)
        self.record.count("reads")

    def share(self):
        key = self.record.shared_key()
        writing = self.rng.random() < 0.5
        value = self.rng.randrange(1 << 40) if writing else None
        what = "write" if writing else "read"
        self.record.event(self.process, "invoke", what, key, value)
        reply, why = self.call("SET", key, value) if writing else self.call("GET", key)
        if why is None and not writing:
            value = int(reply) if reply is not None else None
        # A read that failed has told nobody anything.
        kind = "ok" if why is None else "fail" if why == "refused" or not writing else "info"
        self.record.event(self.process, kind, what, key, value)
        if kind == "info":
            self.process += CLIENTS

    def increment(self):
        reply, why = self.call("INCR", "bb:counter")
        if why != "refused":
            self.record.count("counter_acknowledged" if why is None else "counter_unknown")

    def append(self):
        self.word += 1
        word = f"{self.number}.{self.word}"
        reply, why = self.call("APPEND", "bb:words", word + ";")
        with self.record.lock:
            {None: self.record.words_acknowledged, "unknown": self.record.words_unknown, "refused": self.record.words_refused}[why].add(word)

    def run(self):
        try:
            while time.monotonic() < self.until:
                what = self.rng.random()
                if what < 0.35:
                    self.write()
                elif what < 0.70:
                    self.read()
                elif what < 0.90:
                    self.share()
                elif what < 0.97:
                    self.increment()
                else:
                    self.append()
        except Exception as problem:  # a bug of this test must not look like silence
            self.broken = problem
        if self.connection:
            self.connection.close()


class Nemesis(threading.Thread):
    """Breaks and mends nodes; at the end all are running."""

    def __init__(self, ground, until):
        super().__init__(daemon=True)
        self.ground = ground
        self.until = until
        self.rng = random.Random(random.random())
        self.state = {number: "up" for number in ground.numbers}
        self.done = {}
        self.broken = None

    def act(self, action, number, state):
        self.ground.act(action, number)
        self.state[number] = state
        self.done[action] = self.done.get(action, 0) + 1

    def step(self):
        number = self.rng.choice(self.ground.numbers)
        state = self.state[number]
        if state == "dead":
            self.act("start", number, "up")
        elif state == "paused":
            if self.rng.random() < 0.3:
                self.act("kill", number, "dead")
            else:
                self.act("resume", number, "up")
        else:
            action = self.rng.choice(["kill", "kill", "kill", "pause", "pause", "stop"])
            self.act(action, number, "paused" if action == "pause" else "dead")

    def run(self):
        try:
            time.sleep(1.0)
            while time.monotonic() < self.until:
                self.step()
                time.sleep(self.rng.choice([0.05, 0.3, 0.6, 1.2]))
                # Long times without a majority show nothing new.
                while sum(state == "up" for state in self.state.values()) < 2:
                    broken = [number for number, state in self.state.items() if state != "up"]
                    number = self.rng.choice(broken)
                    self.act("start" if self.state[number] == "dead" else "resume", number, "up")
            for number, state in self.state.items():
                if state != "up":
                    self.act("start" if state == "dead" else "resume", number, "up")
        except Exception as problem:
            self.broken = problem


def judge(ground, record):
    contents = []
    for number in ground.numbers:
        with ground.client(number, 30.0) as client:
            replies = client.pipeline([("GET", key.name) for key in record.keys])
            counter = int(client.call("GET", "bb:counter") or 0)
            words = (client.call("GET", "bb:words") or b"").decode()
        contents.append((replies, counter, words))
        for key, reply in zip(record.keys, replies):
            check(not isinstance(reply, RespError), f"reading {key.name} at the end: {reply}")
            value = int(reply or 0)
            check(max(key.acknowledged, key.seen) <= value <= key.tried and value not in key.refused,
                  f"node {number}, {key.name} at the end: {value}; acknowledged {key.acknowledged}, seen {key.seen}, tried {key.tried}")
        low, high = record.counter_acknowledged, record.counter_acknowledged + record.counter_unknown
        check(low <= counter <= high, f"node {number}: the counter is {counter}, must be {low} to {high}")
        found = words.split(";")[:-1]
        check(len(found) == len(set(found)), f"node {number}: a word was appended twice")
        lost = record.words_acknowledged - set(found)
        check(not lost, f"node {number}: {len(lost)} acknowledged words are missing: {sorted(lost)[:5]}")
        risen = record.words_refused & set(found)
        check(not risen, f"node {number}: words refused as not ordered are there: {sorted(risen)[:5]}")
        check(set(found) <= record.words_acknowledged | record.words_unknown, f"node {number}: words nobody wrote")
    check(all(content == contents[0] for content in contents), "the nodes differ at the end")


def judge_history(record, directory):
    path = os.path.join(directory, "history.jsonl")
    with open(path, "w") as file:
        file.writelines(json.dumps(event) + "\n" for event in record.history)
    done = subprocess.run([SKEIN, "check", "--model", "register", path], capture_output=True, text=True, timeout=120)
    check(done.returncode == 0, f"skein check: exit {done.returncode}: {done.stdout[-1000:]} {done.stderr[-2000:]}")
    return done.stdout.strip().split(": ", 1)[1]


def main():
    with Playground(interval=1) as ground:
        record = Record()
        until = time.monotonic() + SECONDS
        nemesis = Nemesis(ground, until)
        clients = [Client(number, ground, record, until + 1) for number in range(CLIENTS)]
        for thread in clients + [nemesis]:
            thread.start()
        for thread in clients + [nemesis]:
            thread.join(SECONDS + 60)
            check(not thread.is_alive(), "a thread of this test hangs")
        broken = [thread.broken for thread in clients + [nemesis] if thread.broken]
        check(not broken, f"broken: {broken}")
        check(not record.problems, f"{len(record.problems)} problems, first: " + "; ".join(record.problems[:5]))
        ground.wait_all_serve(60)
        judge(ground, record)
        verdict = judge_history(record, ground.directory)
        ground.wait_even()
        check(record.writes > 50 * SECONDS / 15 and record.reads > 50 * SECONDS / 15, f"too little got through: {record.writes} writes, {record.reads} reads")
        figure(f"black box, {SECONDS:.0f} s, {CLIENTS} clients:",
               f"{record.writes} writes and {record.reads} reads acknowledged, {record.unknown} unknown, {record.refused} refused; "
               + ", ".join(f"{count} x {action}" for action, count in sorted(nemesis.done.items()))
               + f"; p50 {quantile(record.latencies, 0.5) * 1000:.1f} ms, p99 {quantile(record.latencies, 0.99) * 1000:.0f} ms")
        figure("black box, shared keys:", verdict)
        for text, count in sorted(record.errors.items(), key=lambda item: -item[1])[:8]:
            print(f"  {count} x {text}")


if __name__ == "__main__":
    run(main)
