"""Runs cells, a workload under a nemesis each: fresh cluster, clients, accidents, healing, a last look, a verdict."""
import os
import re
import shutil
import tempfile
import time
import traceback

from harness import Failure, quantile

import nemeses
import workloads
from cluster import Cluster

ACKNOWLEDGED_MIN = 100
QUIET_S = 1.0  # before and after the accidents
SERVE_LIMIT_S = 60


class Result:
    def __init__(self, workload, nemesis, seed):
        self.workload, self.nemesis, self.seed = workload, nemesis, seed
        self.verdict, self.why = "unknown", ""
        self.ok = self.info = self.fail = 0
        self.p99_ms = 0.0
        self.seconds = 0.0
        self.faults = {}
        self.directory = None

    @property
    def cell(self):
        return f"{self.workload}×{self.nemesis}"

    @property
    def unknown_share(self):
        return self.info / max(1, self.ok + self.info)

    @property
    def fault_count(self):
        return sum(self.faults.get(name, 0) for name in nemeses.ALL[self.nemesis].evidence)

    def line(self):
        faults = ", ".join(f"{count} {name}" for name, count in sorted(self.faults.items(), key=lambda item: -item[1]))
        text = (f"cell {self.cell}: {self.verdict}; {self.ok} ops acked, {100 * self.unknown_share:.2f}% unknown, {self.fail} refused, "
                f"p99 {self.p99_ms:.0f} ms, faults: {faults or 'none'}; seed {self.seed}")
        return text + (f"\n     {self.why}" if self.why else "") + (f"\n     kept: {self.directory}" if self.directory else "")


def settings_of(rng):
    """Small segments and frequent snapshots in most cells, so that a few seconds see them roll and travel."""
    settings = rng.choice([{}, {"snapshot-entries": 300}, {"snapshot-entries": 1500},
                           {"snapshot-entries": 600, "log-segment-size": "64kb", "log-size-max": "1mb"},
                           {"log-segment-size": "256kb", "log-size-max": "4mb", "snapshot-bytes": "512kb", "log-memory-max": "128kb"}])
    if rng.random() < 0.3:
        settings = settings | {"heartbeat-active": "30ms", "election-min": "100ms", "election-max": "200ms"}
    return settings


def accidents(cluster, nemesis, rng, seconds, clients):
    cluster.rest(QUIET_S)
    nemesis.run(nemeses.World(cluster, clients, rng, time.monotonic() + seconds))
    cluster.heal(SERVE_LIMIT_S)
    cluster.rest(QUIET_S)
    for client in clients:
        client.ending.set()
    for client in clients:
        client.join(30)
        if client.is_alive():
            raise Failure("a client hangs")


def run(result, workload, nemesis, rng, seconds):
    """Fills in the result; raises Failure for what must not happen."""
    cluster = Cluster(result.directory, nemesis.nodes, rng, settings_of(rng), nemesis.undo)
    cluster.disk_may_fail = nemesis.disk
    clients = []
    try:
        cluster.heal(SERVE_LIMIT_S)  # from the start
        cluster.counters.clear()
        ports = [node.port for node in cluster.nodes.values()]
        for number in range(workloads.CLIENTS):
            home = ports[number % len(ports)] if number < workloads.CLIENTS // 2 else None
            clients.append(workloads.Client(number, ports, workload, rng.randrange(1 << 30), home))
        for client in clients:
            client.start()
        accidents(cluster, nemesis, rng, seconds, clients)
        workloads.read_all(workload, ports, rng.randrange(1 << 30))
        cluster.wait_even()
    finally:
        for client in clients:
            client.ending.set()
        try:
            result.faults = cluster.faults()
        finally:
            cluster.close()
    broken = [client.broken for client in clients if client.broken]
    if broken:
        raise RuntimeError(f"the test broke: {broken[0]!r}")
    if cluster.problems:
        raise Failure("; ".join(cluster.problems[:5]))


def judge(result, workload):
    result.verdict, result.why = workload.judge(result.directory)
    if result.verdict != "holds":
        return
    if result.ok < ACKNOWLEDGED_MIN:
        result.verdict, result.why = "unknown", f"fewer than {ACKNOWLEDGED_MIN} operations were acknowledged"
    elif nemeses.ALL[result.nemesis].evidence and not result.fault_count:
        result.verdict, result.why = "unknown", "the nemesis did not fire"


def assertion_in_logs(directory):
    found = []
    for name in sorted(os.listdir(directory)):
        if re.fullmatch(r"node-\d+\.log", name):
            with open(os.path.join(directory, name), errors="replace") as log:
                found += [f"{name}: {line.strip()}" for line in log if "assertion" in line.lower()]
    return "; ".join(found[:2])


def cell(workload_name, nemesis_name, seed, seconds, keep=False):
    rng = nemeses.rng_of(seed, workload_name, nemesis_name)
    result = Result(workload_name, nemesis_name, seed)
    result.directory = tempfile.mkdtemp(prefix="skein-nemesis.")
    workload = workloads.ALL[workload_name]()
    began = time.monotonic()
    try:
        run(result, workload, nemeses.ALL[nemesis_name], rng, seconds)
        failure = None
    except Failure as problem:
        failure = problem
    except Exception:
        failure = None
        result.why = traceback.format_exc()
    result.ok, result.info, result.fail = workload.ok, workload.info, workload.fail
    result.p99_ms = 1000 * quantile(workload.latencies, 0.99) if workload.latencies else 0.0
    if not result.why:
        judge(result, workload)
    if failure and result.verdict != "violated":
        # Not serving, not even, an end that nobody asked for: a broken promise too.
        result.verdict, result.why = "violated", f"{failure} {assertion_in_logs(result.directory)}".strip()
    result.seconds = time.monotonic() - began
    if result.verdict == "violated" and nemesis_name in nemeses.CANARIES:
        result.verdict, keep = "caught", False
    elif nemesis_name in nemeses.CANARIES and result.verdict == "holds":
        result.verdict, result.why = "missed", "the canary lied and nobody noticed: this harness proves nothing"
    if result.verdict in ("holds", "caught") and not keep:
        shutil.rmtree(result.directory, ignore_errors=True)
        result.directory = None
    if result.verdict == "caught":
        result.why = result.why.split("\n")[0][:200]
    return result
