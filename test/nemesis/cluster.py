"""Nodes as real processes, whose links go through the proxy and whose disks and clocks go through the shim.

Nodes are started, watched and ended from one thread, the test's main one: the kernel ends a node when the thread that started it
ends. `rest` is how that thread waits; meanwhile nodes that ended by themselves are seen, and started again as a supervisor would.
"""
import os
import signal
import subprocess
import time

from harness import BUILD, SKEIND, ConnectionLost, Failure, Resp, RespError, check, free_base

import control
import power
import proxy

SHIM = os.path.join(BUILD, "nemesis-shim.so")
DISK_FAILED = 74  # the status with which skeind ends if its disk cannot be used at start
RESTART_AFTER_S = 0.2


class Node:
    def __init__(self, cluster, number):
        self.number = number
        self.cluster = cluster
        self.directory = os.path.join(cluster.directory, f"node-{number}")
        self.port, self.peer_port = cluster.base + number, cluster.base + 100 + number
        self.control = control.Control(os.path.join(cluster.directory, f"control-{number}"))
        self.journal = os.path.join(cluster.directory, f"undo-{number}") if cluster.undo else None
        self.process = None
        self.wanted = False  # should it run?
        self.paused = False
        self.started_at = 0.0

    @property
    def up(self):
        return self.process is not None and self.process.poll() is None

    def found(self):
        done = subprocess.run([SKEIND, "init", "--dir", self.directory, "--node", str(self.number), "--peers", self.cluster.founders,
                               "--cluster-name", "nemesis"], capture_output=True, text=True)
        check(done.returncode == 0, f"skeind init: {done.stderr}")

    def start(self):
        check(not self.up, f"node {self.number} runs already")
        peers = ",".join(f"{other}@127.0.0.1:{self.peer_port if other == self.number else self.cluster.proxy.ports[self.number, other]}"
                         for other in self.cluster.numbers)
        command = [SKEIND, "--dir", self.directory, "--port", str(self.port), "--peer-port", str(self.peer_port), "--peers", peers]
        for name, value in self.cluster.settings.items():
            command += [f"--{name}", str(value)]
        environment = dict(os.environ, LD_PRELOAD=SHIM, **control.environment(self.control, self.journal))
        with open(os.path.join(self.cluster.directory, f"node-{self.number}.log"), "ab") as log:
            self.process = subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        self.wanted = True
        self.paused = False
        self.started_at = time.monotonic()

    def signal(self, which):
        if self.up:
            self.process.send_signal(which)

    def kill(self):
        """kill -9; counted only if there was something to kill."""
        self.wanted = False
        if self.up:
            self.process.kill()
            self.cluster.count("kills")
        if self.process:
            self.process.wait()
        self.paused = False

    def kill_soon(self):
        """For several at once: `kill` reaps it."""
        self.wanted = False
        if self.up:
            self.process.kill()
            self.cluster.count("kills")

    def stop(self, limit_s=15):
        self.wanted = False
        if not self.up:
            return
        self.process.terminate()
        try:
            code = self.process.wait(limit_s)
            self.cluster.count("stops")
            if code != 0:
                self.cluster.problem(f"node {self.number}: asked to stop, it ended with {code}")
        except subprocess.TimeoutExpired:
            self.cluster.problem(f"node {self.number} did not stop within {limit_s} s")
            self.kill()

    def pause(self):
        """Counted when the kernel says that it stands still."""
        if not self.up or self.paused:
            return
        self.process.send_signal(signal.SIGSTOP)
        self.paused = True
        end = time.monotonic() + 1
        while self.up and time.monotonic() < end:
            with open(f"/proc/{self.process.pid}/stat") as file:
                if file.read().rsplit(")", 1)[1].split()[0] in "Tt":
                    self.cluster.count("pauses")
                    return
            time.sleep(0.001)

    def resume(self):
        if self.paused:
            self.signal(signal.SIGCONT)
            self.paused = False

    def power_cut(self, everything=False):
        """After `kill`: what was not synced may be lost."""
        check(not self.up and self.journal, "a power cut needs a dead node with a journal")
        if os.path.exists(self.journal):
            self.cluster.count("lost writes", power.cut(self.directory, self.journal, self.cluster.rng, everything))
            self.cluster.count("power cuts")

    def files(self):
        """Of its log and snapshots."""
        folders = [os.path.join(self.directory, name) for name in ("wal", "snap")]
        return sorted(os.path.join(folder, name) for folder in folders if os.path.isdir(folder) for name in os.listdir(folder))

    def flip_bit(self, rng):
        """In a byte of some file that is not zero: most of a segment is empty. Returns how many it flipped."""
        files = self.files()
        if not files:
            return 0
        with open(rng.choice(files), "r+b") as file:
            data = file.read()
            used = len(data.rstrip(b"\0"))
            if not used:
                return 0
            at = rng.randrange(used)
            file.seek(at)
            file.write(bytes([data[at] ^ 1 << rng.randrange(8)]))
        return 1

    def info(self, timeout_s=0.5):
        """INFO as a dictionary, None if it does not answer."""
        try:
            with Resp(self.port, timeout_s) as client:
                text = client.call("INFO", "skein").decode()
        except (ConnectionLost, RespError):
            return None
        return dict(line.split(":", 1) for line in text.split("\r\n") if ":" in line)


class Cluster:
    def __init__(self, directory, count, rng, settings, undo=False):
        self.directory = directory
        self.rng = rng
        self.settings = settings
        self.undo = undo
        self.numbers = list(range(1, count + 1))
        self.base = free_base(count)
        self.counters = {}
        self.problems = []
        self.disk_may_fail = False
        self.nodes = {number: Node(self, number) for number in self.numbers}
        self.founders = ",".join(f"{number}@127.0.0.1:{node.peer_port}" for number, node in self.nodes.items())
        self.proxy = proxy.Proxy({number: node.peer_port for number, node in self.nodes.items()}, rng.randrange(1 << 30))
        for node in self.nodes.values():
            node.found()
            node.start()

    def count(self, what, more=1):
        self.counters[what] = self.counters.get(what, 0) + more

    def problem(self, text):
        self.problems.append(text)

    def close(self):
        for node in self.nodes.values():
            node.wanted = False
            if node.up:
                node.process.kill()
        for node in self.nodes.values():
            if node.process:
                node.process.wait()
            node.control.close()
        self.proxy.close()

    # ---- Waiting ----

    def supervise(self):
        for node in self.nodes.values():
            if not node.wanted or node.up:
                continue
            code = node.process.returncode
            expected = self.disk_may_fail and code == DISK_FAILED
            if expected and time.monotonic() < node.started_at + RESTART_AFTER_S:
                continue
            self.count("ends by itself")
            if not expected:
                self.problem(f"node {node.number} ended by itself with {code}")
            node.start()

    def rest(self, seconds):
        end = time.monotonic() + seconds
        while True:
            self.supervise()
            left = end - time.monotonic()
            if left <= 0:
                return
            time.sleep(min(left, 0.02))

    def wait_for(self, what, condition, limit_s):
        end = time.monotonic() + limit_s
        while not (found := condition()):
            if time.monotonic() > end:
                raise Failure(f"after {limit_s} s still not: {what}")
            self.rest(0.05)
        return found

    # ---- Who, and how are they ----

    def leader(self):
        """The number of the default space's leader as a majority's newest term has it; None if nobody knows."""
        best = (-1, None)
        for node in self.nodes.values():
            if not node.up or node.paused:
                continue
            info = node.info(0.2)
            if info and "space1" in info:
                facts = dict(word.split("=", 1) for word in info["space1"].split(","))
                if facts["role"] == "leader":
                    best = max(best, (int(facts["epoch"]), node.number))
        return best[1]

    def serves(self, number):
        try:
            with Resp(self.nodes[number].port, 1.0) as client:
                client.call("GET", "nemesis:serves")
                return True
        except (ConnectionLost, RespError):
            return False

    def heal(self, serve_limit_s=60):
        """Everything is well again: links, disks, clocks; all nodes run, and serve."""
        self.proxy.heal()
        for node in self.nodes.values():
            node.control.heal()
            node.resume()
            if not node.up:
                node.start()
        self.rest(0.1)
        self.revive()
        for number in self.numbers:
            self.wait_for(f"node {number} serves", lambda: self.revive() or self.serves(number), serve_limit_s)

    def revive(self):
        """What an operator does whose disk is well again: a node that has given up its log is started anew."""
        for node in self.nodes.values():
            if node.up and not node.paused and (info := node.info()) and info.get("log_failed") == "1":
                self.count("halted nodes")
                node.kill()
                node.start()

    def wait_healed(self, limit_s=60):
        """No node is still refilling."""
        def healed():
            infos = [node.info() for node in self.nodes.values()]
            return all(info and info.get("healing") == "0" and
                       all(",recovering=0" in info[name] for name in info if name.startswith("space")) for info in infos)
        self.wait_for("all nodes have refilled", healed, limit_s)

    def wait_even(self, limit_s=60):
        def even():
            infos = [node.info() for node in self.nodes.values()]
            if not all(infos):
                return False
            spaces = [dict(word.split("=", 1) for word in info["space1"].split(",")) for info in infos]
            return len({space["applied"] for space in spaces}) == 1 and all(space["applied"] == space["last"] for space in spaces)
        self.wait_for("all nodes are even", even, limit_s)

    def faults(self):
        """What really happened, by name."""
        found = dict(self.counters)
        for node in self.nodes.values():
            for name, count in node.control.fired().items():
                found[name] = found.get(name, 0) + count
        for name, count in self.proxy.counters().items():
            if count and name != "connections":
                found[name] = count
        return found
