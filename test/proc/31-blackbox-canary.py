"""The black box must be able to fail: a store that forgets when it is killed (redis-server without a file) is found out."""
import importlib.util
import os
import random
import subprocess
import tempfile
import time

from harness import ConnectionLost, Failure, Resp, check, figure, free_base, run, wait_for

KILLS = 8  # each is one chance for a read of a shared key to come before the next write


def load_blackbox():
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "30-blackbox.py")
    spec = importlib.util.spec_from_file_location("blackbox", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Forgetful:
    """One redis-server that stands where a cluster of one would."""

    def __init__(self):
        self.numbers = [1]
        self.ports = [free_base(1) + 1]
        self.start()

    def start(self):
        self.process = subprocess.Popen(["redis-server", "--port", str(self.ports[0]), "--save", "", "--bind", "127.0.0.1"],
                                        stdout=subprocess.DEVNULL)
        wait_for("redis-server answers", self.answers, 10)

    def answers(self):
        try:
            with Resp(self.ports[0]) as client:
                return client.call("PING") == "PONG"
        except ConnectionLost:
            return False

    def kill(self):
        self.process.kill()
        self.process.wait()

    def client(self, _, timeout_s=5.0):
        return Resp(self.ports[0], timeout_s)


def work(blackbox, ground, forget):
    record = blackbox.Record()
    until = time.monotonic() + 1 + 0.6 * KILLS * forget
    clients = [blackbox.Client(number, ground, record, until) for number in range(blackbox.CLIENTS)]
    for client in clients:
        client.start()
    for _ in range(KILLS * forget):
        time.sleep(0.2 + random.random() * 0.2)
        ground.kill()
        ground.start()
    for client in clients:
        client.join(60)
        check(client.broken is None, f"a client broke: {client.broken}")
    return record


def complaint(judge, *arguments):
    try:
        judge(*arguments)
    except Failure as problem:
        return str(problem)
    return None


def main():
    blackbox = load_blackbox()
    with tempfile.TemporaryDirectory() as folder:
        for forget in (False, True):
            ground = Forgetful()
            record = work(blackbox, ground, forget)
            complaints = [bool(record.problems), bool(complaint(blackbox.judge, ground, record)),
                          bool(complaint(blackbox.judge_history, record, folder))]
            ground.kill()
            check(record.writes > 100 and record.reads > 100, "too little happened")
            check(complaints == [forget] * 3, f"forgets: {forget}; reads, end and history complain: {complaints} {record.problems[:2]}")
    figure("black box canary:", "a store that forgets is caught by reads, by the end state, and by the history")


run(main)
