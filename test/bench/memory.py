"""script/bench memory: resident memory of a node at rest, of a small key, of an idle connection; and whether thousands of idle connections slow
down those that work.
"""
import argparse
import os
import resource
import socket
import sys
import time

from harness import Failure, memory_kib
from measure import common_flags, Directory, finish, machine, machine_text, median, number, say, short, table
from nodes import Ground

KEY_SIZE, VALUE_SIZE = 16, 16


def resident_mib(ground):
    return [memory_kib(pid) / 1024 for pid in ground.pids]


def mean(values):
    return sum(values) / len(values)


class Idlers:
    """Connections that say nothing."""

    def __init__(self, port, count):
        wanted = count + 256
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        if hard != resource.RLIM_INFINITY and hard < wanted:
            sys.exit(f"script/bench memory: {wanted} open files are needed, the limit is {hard} (ulimit -Hn)")
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, wanted), hard))
        self.sockets = [socket.create_connection(("127.0.0.1", port)) for _ in range(count)]
        # The last one has been answered: the server has taken all.
        self.sockets[-1].sendall(b"PING\r\n")
        if not self.sockets[-1].recv(16).startswith(b"+PONG"):
            raise Failure("an idle connection was not accepted")

    def close(self):
        for one in self.sockets:
            one.close()


def idle_connections(ground, count, rounds, seconds):
    """Throughput of 64 working connections without and with the idle ones, in turn, on the same node."""
    leader = ground.leader()
    port, pid = ground.port(leader), ground.pid(leader)
    found = {"without": [], "with": [], "before_mib": memory_kib(pid) / 1024}
    for at in range(rounds):
        found["without"].append(ground.load(connections=64, seconds=seconds)["writes"]["per_second"])
        idlers = Idlers(port, count)
        time.sleep(1)
        found["idle_mib"] = memory_kib(pid) / 1024
        found["with"].append(ground.load(connections=64, seconds=seconds)["writes"]["per_second"])
        found["active_mib"] = memory_kib(pid) / 1024
        idlers.close()
        time.sleep(1)
        say(f"idle connections, round {at + 1} of {rounds}: {found['without'][-1]:.0f} writes/s without, {found['with'][-1]:.0f} with")
    return found


def main(words):
    parser = argparse.ArgumentParser(prog="script/bench memory", description=__doc__)
    parser.add_argument("--keys", type=int, default=1000000)
    parser.add_argument("--idle", type=int, default=10000, help="idle connections")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=4, help="of each load beside the idle connections")
    common_flags(parser)
    arguments = parser.parse_args(words)
    raw = {}
    many = f"--clients-max {arguments.idle + 1000} {arguments.settings}"
    with Directory(arguments.dir) as directory:
        raw["machine"] = machine(directory)
        with Ground(os.path.join(directory, "keys"), settings=arguments.settings) as ground:
            time.sleep(2)
            raw["rest_mib"] = resident_mib(ground)
            ground.load(connections=64, pipeline=64, fill=True, keys=arguments.keys, value=VALUE_SIZE, seconds=1, warm_up=0)
            ground.wait_even(120)
            time.sleep(2)
            raw["full_mib"] = resident_mib(ground)
            say("keys: done")
        with Ground(os.path.join(directory, "idle"), settings=many) as ground:
            fresh = memory_kib(ground.pid(ground.leader())) / 1024
            idlers = Idlers(ground.port(ground.leader()), arguments.idle)
            time.sleep(1)
            raw["idle_alone_mib"] = [fresh, memory_kib(ground.pid(ground.leader())) / 1024]
            idlers.close()
            raw["connections"] = idle_connections(ground, arguments.idle, arguments.rounds, arguments.seconds)
    grown = (mean(raw["full_mib"]) - mean(raw["rest_mib"])) * (1 << 20) / arguments.keys
    found = raw["connections"]
    share = median([after / before for before, after in zip(found["without"], found["with"])])
    raw["bytes_over_key_and_value"] = grown - KEY_SIZE - VALUE_SIZE
    rows = [["a node at rest, no data, no TLS", f"{mean(raw['rest_mib']):.1f} MiB"],
            [f"a key of {KEY_SIZE} B with a value of {VALUE_SIZE} B, {arguments.keys:,} of them: over key and value (all that the process grew, its log window included)",
             f"{number(raw['bytes_over_key_and_value'])} B"],
            [f"a node with {arguments.idle:,} idle connections (without: {raw['idle_alone_mib'][0]:.1f} MiB)", f"{raw['idle_alone_mib'][1]:.1f} MiB"],
            [f"writes/s of 64 connections, without / with {arguments.idle:,} idle ones on the same node, medians of {arguments.rounds}",
             f"{short(median(found['without']))} / {short(median(found['with']))}: {share * 100:.0f} %"]]
    return finish(arguments, "memory", f"{machine_text(raw['machine'])}.\n\n" + table(["", ""], rows), raw)
