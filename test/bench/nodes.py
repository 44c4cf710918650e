"""A Skein of any number of nodes for measurements: a playground that tells its counters and whose nodes can be loaded through the leader.
With `shimmed`, nodes are started without a playground, each below test/nemesis/shim.c, so that the test rules one node's disk.
"""
import json
import os
import shlex
import subprocess
import sys

from harness import BUILD, Failure, free_base, Playground, Resp, ROOT, SKEIN, SKEIND, wait_for
from measure import dies_with_us, load

sys.path.insert(0, os.path.join(ROOT, "test", "nemesis"))
import control

SHIM = os.path.join(BUILD, "nemesis-shim.so")


class Ground(Playground):
    def __init__(self, directory, nodes=3, settings=""):
        super().__init__(nodes=nodes, interval=0, directory=directory, settings=shlex.split(settings), ready_limit_s=60)
        self.wait_all_serve()

    @property
    def pids(self):
        return [self.pid(number) for number in self.numbers]

    def load(self, **flags):
        return load([f"127.0.0.1:{self.port(self.leader())}"], self.pids, **flags)

    def info(self, number):
        """INFO skein and server, as a dictionary of texts."""
        with self.client(number, 10.0) as client:
            text = client.call("INFO", "all").decode()
        return dict(line.split(":", 1) for line in text.split("\r\n") if ":" in line and not line.startswith("#"))


class Shimmed:
    """Three skeind below the shim; `controls[number]` rules the disk of a node."""

    def __init__(self, directory, settings=""):
        self.numbers = [1, 2, 3]
        self.base = free_base(3)
        peers = ",".join(f"{number}@127.0.0.1:{self.base + 100 + number}" for number in self.numbers)
        self.controls = {}
        self.processes = []
        for number in self.numbers:
            home = os.path.join(directory, f"node-{number}")
            done = subprocess.run([SKEIND, "init", "--dir", home, "--node", str(number), "--peers", peers, "--cluster-name", "bench"],
                                  capture_output=True, text=True)
            if done.returncode:
                raise Failure(f"skeind init: {done.stderr}")
            self.controls[number] = control.Control(os.path.join(directory, f"control-{number}"))
            environment = dict(os.environ, LD_PRELOAD=SHIM, **control.environment(self.controls[number]))
            with open(os.path.join(directory, f"node-{number}.log"), "ab") as log:
                self.processes.append(subprocess.Popen(
                    [SKEIND, "--dir", home, "--port", str(self.base + number), "--peer-port", str(self.base + 100 + number), "--peers", peers,
                     *shlex.split(settings)], env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log, preexec_fn=dies_with_us))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for process in self.processes:
            process.kill()
        for process in self.processes:
            process.wait()

    def port(self, number):
        return self.base + number

    def status(self):
        for number in self.numbers:
            done = subprocess.run([SKEIN, "status", "--addr", f"127.0.0.1:{self.port(number)}", "--json"], capture_output=True, text=True)
            if done.returncode == 0:
                return json.loads(done.stdout)
        return None

    def leads(self):
        """(leader, greatest term) of the default space; waits for a leader."""
        def found():
            status = self.status()
            if status and status["leader"]:
                return status["leader"], max(node.get("term", 0) for node in status["nodes"])
            return None
        return wait_for("a leader", found, 30)
