"""Clients that people have: each works, unchanged, with every node."""
import re
import subprocess

import redis

from harness import Playground, check, figure, node_clients, run, wait_for


def redis_cli(port, *words, stdin=None, flags=()):
    done = subprocess.run(["redis-cli", "-p", str(port), *flags, *words], input=stdin, capture_output=True, text=True, timeout=30)
    check(done.returncode == 0, f"redis-cli {words}: {done.stdout} {done.stderr}")
    return done.stdout.strip("\n")


def with_redis_cli(ground):
    first, second, third = ground.ports
    for port in ground.ports:
        check(redis_cli(port, "PING") == "PONG", "PING")
        check(redis_cli(port, "SET", f"cli:{port}", f"v{port}") == "OK", "SET")
        check("redis_version:7" in redis_cli(port, "INFO"), "INFO")
    for port in ground.ports:
        for other in ground.ports:
            check(redis_cli(other, "GET", f"cli:{port}") == f"v{port}", "written on one, read on another")
    check(redis_cli(second, "GET", "cli:missing") == "", "a missing key")
    check(redis_cli(third, stdin="SET piped 1\nINCR piped\nGET piped\n") == "OK\n2\n2", "commands from a pipe")
    check(redis_cli(first, "SET", "cli:three", "x", flags=["-3"]) == "OK", "RESP3")
    check(redis_cli(first, "GET", "cli:three", flags=["-3"]) == "x", "RESP3")
    check(redis_cli(second, "INCRBY", "cli:n", "41") == "41" and redis_cli(third, "INCR", "cli:n") == "42", "INCR")
    check(redis_cli(first, "NOSUCH").startswith("ERR unknown command"), "an unknown command")
    check(redis_cli(first, "GET").startswith("ERR wrong number of arguments"), "the arity")
    mass = "".join(f"*3\r\n$3\r\nSET\r\n$8\r\nm{i:07}\r\n$1\r\nx\r\n" for i in range(5000))
    out = redis_cli(second, stdin=mass, flags=["--pipe"])
    check("errors: 0, replies: 5000" in out, f"redis-cli --pipe: {out}")


def with_redis_benchmark(ground):
    for number, port in zip(ground.numbers, ground.ports):
        for flags, count in ((["-c", "20"], 4000), (["-P", "16", "-c", "20"], 32000)):
            done = subprocess.run(["redis-benchmark", "-p", str(port), "-t", "set,get,incr,mset", "-n", str(count), "-q", *flags],
                                  capture_output=True, text=True, timeout=120)
            check(done.returncode == 0 and "rror" not in done.stdout + done.stderr, f"redis-benchmark {flags}: {done.stdout} {done.stderr}")
            rates = re.findall(r"(\w+)[^\n\r]*?: ([\d.]+) requests per second", done.stdout)
            check(len({name for name, _ in rates}) == 4, f"redis-benchmark {flags}: {done.stdout}")
            figure(f"redis-benchmark {' '.join(flags)} node {number}:",
                   " ".join(f"{name} {float(rate):.0f}/s" for name, rate in rates))


def with_redis_py(ground):
    clients = [redis.Redis(port=port, decode_responses=True, socket_timeout=10) for port in ground.ports]
    one, two, three = clients
    check(one.set("py", "1") and two.get("py") == "1", "set, get")
    check(one.set("py:nx", "a", nx=True) and not two.set("py:nx", "b", nx=True), "set nx")
    check(three.set("py:old", "new", get=True) is None and one.set("py:old", "newer", get=True) == "new", "set get")
    check(two.incr("py:count") == 1 and three.incrby("py:count", 9) == 10 and one.decr("py:count") == 9, "counters")
    check(one.mset({"py:a": "1", "py:b": "2"}) and three.mget("py:a", "py:b", "py:c") == ["1", "2", None], "mset, mget")
    check(two.append("py", "23") == 3 and one.strlen("py") == 3 and one.getrange("py", 1, 2) == "23", "append, getrange")
    check(one.setex("py:short", 100, "x") and 0 < two.ttl("py:short") <= 100, "setex, ttl")
    check(two.persist("py:short") and one.ttl("py:short") == -1, "persist")
    check(one.pexpire("py:short", 40), "pexpire")
    check(one.exists("py:a", "py:b", "py:zzz") == 2 and two.delete("py:a", "py:b", "py:zzz") == 2, "exists, del")
    with two.pipeline(transaction=False) as pipeline:
        for i in range(500):
            pipeline.set(f"py:p{i}", i)
        check(all(pipeline.execute()), "a pipeline")
    check(sum(1 for _ in three.scan_iter(match="py:p*", count=100)) >= 500, "scan")
    check(set(one.keys("py:p1?")) == {f"py:p{i}" for i in range(10, 20)}, "keys")
    blob = bytes(range(256)) * 5000
    raw = redis.Redis(port=ground.ports[1])
    check(raw.set(b"py:\x00\r\n", blob) and redis.Redis(port=ground.ports[2]).get(b"py:\x00\r\n") == blob, "any bytes")
    check(one.type("py") == "string" and one.dbsize() == three.dbsize(), "type, dbsize")
    check("redis_version" in one.info() and one.ping(), "info, ping")
    check(one.client_setname("me") and one.client_getname() == "me", "client setname")
    try:
        one.incr("py:old")
        raise AssertionError("INCR of a text must fail")
    except redis.ResponseError as error:
        check(str(error) == "value is not an integer or out of range", f"the error's text: {error}")
    for client in clients:
        wait_for("a key past its deadline is gone", lambda: client.get("py:short") is None, 10)


def with_node(ground):
    folder = node_clients()
    for program in ("ioredis.mjs", "node-redis.mjs"):
        done = subprocess.run(["node", program, *map(str, ground.ports)], cwd=folder, capture_output=True, text=True, timeout=60)
        check(done.returncode == 0 and "all good" in done.stdout, f"{program}: {done.stdout} {done.stderr}")


def main():
    with Playground() as ground:
        with_redis_cli(ground)
        with_redis_py(ground)
        with_node(ground)
        with_redis_benchmark(ground)
        status = ground.wait_even()
        check(len(status["nodes"]) == 3, "three nodes")


run(main)
