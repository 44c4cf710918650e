"""What the tests of the real daemon share: a playground on free ports, a small RESP client, waiting with a limit.

A test is a program NN-topic.py: exit code 0 is success; what it prints is shown when it fails, and lines that begin with
`figure: ` always. script/test gives it a process group of its own and a time limit.
"""
import glob
import json
import os
import random
import re
import signal
import socket
import subprocess
import sys
import tempfile
import shutil
import threading
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.path.join(ROOT, os.environ.get("SKEIN_BUILD", "build"))
SKEIN = os.path.join(BUILD, "skein")
SKEIND = os.path.join(BUILD, "skeind")
LONG = os.environ.get("SKEIN_LONG") == "1"


class Failure(Exception):
    pass


def check(condition, text):
    if not condition:
        raise Failure(text)


def figure(name, value):
    print(f"figure: {name} {value}", flush=True)


def wait_for(what, condition, limit_s=20.0, every_s=0.02):
    """Waits until condition() is true and returns what it returned."""
    end = time.monotonic() + limit_s
    while True:
        found = condition()
        if found:
            return found
        if time.monotonic() > end:
            raise Failure(f"after {limit_s} s still not: {what}")
        time.sleep(every_s)


def quantile(values, part):
    values = sorted(values)
    return values[min(len(values) - 1, int(len(values) * part))]


def memory_kib(pid):
    """What a process has resident."""
    with open(f"/proc/{pid}/status") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("VmRSS"))


def cpu_seconds(pid):
    """Processor time of all its threads so far."""
    with open(f"/proc/{pid}/stat") as file:
        fields = file.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def bytes_written(pid):
    """Bytes of files that it has changed so far, whole pages, each time they are on their way to the disk."""
    with open(f"/proc/{pid}/io") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("write_bytes"))


def wakeups(pid):
    """Times that a thread went to sleep of its own so far (being preempted by others is not its doing)."""
    total = 0
    for path in glob.glob(f"/proc/{pid}/task/*/status"):
        with open(path) as file:
            total += sum(int(line.split()[1]) for line in file if line.startswith("voluntary_ctxt_switches"))
    return total


def node_clients():
    """The folder with the Node.js programs, in which their client libraries are installed."""
    folder = os.path.join(ROOT, "test", "proc", "node")
    # Debian's Node.js is 18; the clients' newest majors want 20.
    major = int(subprocess.run(["node", "-p", "process.versions.node.split('.')[0]"], capture_output=True, text=True, timeout=60).stdout)
    older = [] if major >= 20 else ["--no-save", "ioredis@5.11.1", "redis@5.12.1"]
    if not all(os.path.isdir(os.path.join(folder, "node_modules", name)) for name in ("ioredis", "redis")):
        done = subprocess.run(["npm", "install", "--no-package-lock", "--no-audit", "--no-fund", "--silent", *older], cwd=folder,
                              capture_output=True, text=True, timeout=240)
        check(done.returncode == 0, f"npm install: {done.stdout} {done.stderr}")
    return folder


# ---- RESP ----

class RespError(Exception):
    """An error reply. Returned, not raised, inside pipelines."""


class ConnectionLost(Exception):
    pass


class Resp:
    """A RESP2 connection, as plain as can be, so that no library hides or retries anything."""

    def __init__(self, port, timeout_s=5.0):
        self.port = port
        self.buffer = b""
        try:
            self.socket = socket.create_connection(("127.0.0.1", port), timeout=timeout_s)
        except OSError as problem:
            raise ConnectionLost(f"port {port}: {problem}") from None
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.socket.close()

    @staticmethod
    def encode(*words):
        parts = [b"*%d\r\n" % len(words)]
        for word in words:
            if not isinstance(word, bytes):
                word = str(word).encode()
            parts.append(b"$%d\r\n%s\r\n" % (len(word), word))
        return b"".join(parts)

    def send(self, data):
        try:
            self.socket.sendall(data)
        except OSError as problem:
            raise ConnectionLost(f"port {self.port}: {problem}") from None

    def _more(self):
        try:
            data = self.socket.recv(1 << 16)
        except OSError as problem:
            raise ConnectionLost(f"port {self.port}: {problem}") from None
        if not data:
            raise ConnectionLost(f"port {self.port}: closed")
        self.buffer += data

    def _line(self):
        while b"\r\n" not in self.buffer:
            self._more()
        line, self.buffer = self.buffer.split(b"\r\n", 1)
        return line

    def read(self):
        line = self._line()
        kind, rest = line[:1], line[1:]
        if kind == b"+":
            return rest.decode()
        if kind == b"-":
            return RespError(rest.decode())
        if kind == b":":
            return int(rest)
        if kind == b"$":
            size = int(rest)
            if size < 0:
                return None
            if len(self.buffer) < size + 2:
                parts = [self.buffer]
                have = len(self.buffer)
                while have < size + 2:
                    self.buffer = b""
                    self._more()
                    parts.append(self.buffer)
                    have += len(self.buffer)
                self.buffer = b"".join(parts)
            data, self.buffer = self.buffer[:size], self.buffer[size + 2:]
            return data
        if kind == b"*":
            count = int(rest)
            return None if count < 0 else [self.read() for _ in range(count)]
        raise Failure(f"not RESP2: {line!r}")

    def call(self, *words):
        """One command. Raises RespError for an error reply, ConnectionLost when there is no answer."""
        self.send(self.encode(*words))
        reply = self.read()
        if isinstance(reply, RespError):
            raise reply
        return reply

    def pipeline(self, commands, chunk=1000):
        """Many commands; returns all replies, errors among them."""
        replies = []
        for at in range(0, len(commands), chunk):
            part = commands[at:at + chunk]
            self.send(b"".join(self.encode(*command) for command in part))
            replies += [self.read() for _ in part]
        return replies


# ---- The playground ----

def can_bind(port):
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def free_base(nodes):
    """A base below the ports that the kernel hands out by itself, with room for nodes' clients and peers."""
    for _ in range(1000):
        base = random.randrange(12000, 31000)
        if all(can_bind(base + i) and can_bind(base + 100 + i) for i in range(1, nodes + 1)):
            return base
    raise Failure("no free ports")


class Playground:
    """A running `skein playground`. Leaving the with block ends it; its directory stays if the test failed."""

    def __init__(self, nodes=3, interval=1, restart=None, settings=(), directory=None, ready_limit_s=30, cuts=False):
        self.count = nodes
        self.numbers = list(range(1, nodes + 1))
        self.base = free_base(nodes)
        self.own_directory = directory is None
        self.directory = directory or tempfile.mkdtemp(prefix="skein-test.")
        self.lines = []
        self.changed = threading.Condition()
        command = [SKEIN, "playground", "--nodes", str(nodes), "--dir", self.directory, "--base-port", str(self.base),
                   "--interval", str(interval)]
        if not cuts:
            command.append("--direct")  # nothing in between that costs time
        if restart:
            command += ["--restart", str(restart)]
        if settings:
            command += ["--"] + [str(word) for word in settings]
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()
        try:
            self.wait_line(r"^ready ", limit_s=ready_limit_s)
        except Failure:
            self.show_logs()
            self.process.terminate()
            self.process.wait(30)
            raise

    def _read(self):
        for line in self.process.stdout:
            with self.changed:
                self.lines.append(line.rstrip("\n"))
                self.changed.notify_all()
        with self.changed:
            self.lines.append("(ended)")
            self.changed.notify_all()

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        if kind:
            self.show_logs()
        code = self.close()
        if kind:
            print(f"the nodes' directories: {self.directory}")
            return
        if self.own_directory:
            shutil.rmtree(self.directory, ignore_errors=True)
        check(code == 0, f"the playground ended with {code}")
        check(not self.accidents(), f"nodes ended by themselves: {self.accidents()}")

    def accidents(self):
        """Ends that nobody asked for: an abort, a failed assertion, an exit code."""
        return [line for line in self.lines if re.match(r"node \d+ died", line) and "(signal 9)" not in line]

    def close(self):
        if self.process.poll() is None:
            self.process.terminate()
        try:
            return self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            return self.process.wait()

    def show_logs(self, size=3000):
        print("\n".join(["playground said:"] + self.lines[-30:]))
        for number in self.numbers:
            path = os.path.join(self.directory, f"node-{number}.log")
            if os.path.exists(path):
                with open(path, "rb") as file:
                    text = file.read()[-size:].decode("utf-8", "replace")
                print(f"--- node-{number}.log\n{text}")

    def wait_line(self, pattern, limit_s=20, after=0):
        """The first line from index `after` on that matches; returns (index, line)."""
        end = time.monotonic() + limit_s
        with self.changed:
            while True:
                for index in range(after, len(self.lines)):
                    if re.search(pattern, self.lines[index]):
                        return index, self.lines[index]
                left = end - time.monotonic()
                check(left > 0, f"the playground did not say {pattern!r} within {limit_s} s")
                check(self.lines[-1:] != ["(ended)"], f"the playground ended before it said {pattern!r}")
                self.changed.wait(left)

    # ---- Nodes ----

    def port(self, number):
        return self.base + number

    def peer_port(self, number):
        return self.base + 100 + number

    @property
    def ports(self):
        return [self.port(number) for number in self.numbers]

    def client(self, number, timeout_s=5.0):
        return Resp(self.port(number), timeout_s)

    def act(self, action, *numbers):
        """kill, stop, start, pause, resume; with cuts=True also cut and heal (without a number: all)."""
        done = subprocess.run([SKEIN, "playground", action, *map(str, numbers), "--dir", self.directory], capture_output=True,
                              text=True, timeout=30)
        check(done.returncode == 0, f"playground {action} {numbers}: {done.stderr.strip()}")

    def pid(self, number):
        with open(os.path.join(self.directory, f"node-{number}", "pid")) as file:
            return int(file.read())

    def kill_at_once(self, number):
        """kill -9 without a process in between, for measurements; returns when it was sent."""
        pid = self.pid(number)
        at = time.monotonic()
        os.kill(pid, signal.SIGKILL)
        return at

    def status(self):
        """What `skein status --json` says, from the first node that answers; None if none does."""
        for port in self.ports:
            done = subprocess.run([SKEIN, "status", "--addr", f"127.0.0.1:{port}", "--json"], capture_output=True, text=True, timeout=30)
            if done.returncode == 0:
                return json.loads(done.stdout)
        return None

    def leader(self, limit_s=20):
        """The number of the node that leads the default space."""
        def found():
            status = self.status()
            return status and status["leader"]
        return wait_for("a leader", found, limit_s)

    def serves(self, number):
        """Does this node answer a linearizable read?"""
        try:
            with self.client(number, 2.0) as client:
                client.call("GET", "skein:test:serves")
                return True
        except (ConnectionLost, RespError):
            return False

    def wait_all_serve(self, limit_s=30):
        for number in self.numbers:
            wait_for(f"node {number} serves", lambda: self.serves(number), limit_s)

    def wait_even(self, limit_s=60):
        """All nodes reachable and applied as far as the leader has committed."""
        def even():
            status = self.status()
            return (status and status["leader"] and
                    all(node["reachable"] and node.get("serving") and node.get("lag") == 0 for node in status["nodes"]) and
                    len({node["applied"] for node in status["nodes"]}) == 1 and status)
        return wait_for("all nodes are even with the leader", even, limit_s, 0.1)


def run(main):
    """The test's own main: prints why it failed."""
    random.seed(int(os.environ.get("SKEIN_SEED", random.randrange(1 << 30))))
    for program in (SKEIN, SKEIND):
        if not os.path.exists(program):
            print(f"{program} is missing: script/build")
            sys.exit(1)
    try:
        main()
    except Failure as problem:
        import traceback
        traceback.print_exc()
        print(f"FAILED: {problem}")
        sys.exit(1)
    sys.exit(0)
