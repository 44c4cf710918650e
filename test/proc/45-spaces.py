"""Spaces through the real daemon: created, routed, bound by number, listed, dropped, and there again after a restart of all nodes."""
import threading
import time

import redis

from harness import check, Failure, Playground, Resp, RespError, run, wait_for


def pairs(flat):
    return dict(zip(flat[::2], flat[1::2]))


def refused(client, start, *words):
    try:
        reply = client.call(*words)
    except RespError as error:
        check(str(error).startswith(start), f"{words}: {error}")
        return str(error)
    raise Failure(f"{words}: {reply!r}, not an error")


def spaces(client):
    return {space[b"name"].decode(): space for space in map(pairs, client.call("SPACE", "LIST"))}


def everywhere(ground, what, condition):
    for number in ground.numbers:
        with ground.client(number) as client:
            wait_for(f"{what} at node {number}", lambda: condition(client))


def create_and_route(ground, client):
    check(client.call("SPACE", "CREATE", "telemetry", "PREFIX", "telemetry/", "PROTOCOL", "raft") == "OK", "CREATE")
    check(client.call("SPACE", "CREATE", "jobs", "PREFIX", "jobs:", "PROTOCOL", "raft", "NUMBER", 9, "OPTION", "memory-max", "1mb") == "OK",
          "CREATE with all")
    everywhere(ground, "both spaces", lambda one: {"default", "telemetry", "jobs"} <= set(spaces(one)))
    check(spaces(client)["telemetry"][b"number"] == 2 and spaces(client)["jobs"][b"number"] == 9, "numbers")
    check(client.call("SET", "telemetry/gw1/temp", "21.5") == "OK", "SET by prefix")
    check(client.call("SET", "plain", "1") == "OK", "SET in the default space")
    for number in ground.numbers:
        with ground.client(number) as other:
            check(other.call("GET", "telemetry/gw1/temp") == b"21.5", f"GET by prefix at node {number}")
            check(other.call("DBSIZE") == 1 and other.call("KEYS", "*") == [b"plain"], "the routed view means the default space")
            other.call("SELECT", 2)
            check(other.call("GET", "gw1/temp") == b"21.5" and other.call("DBSIZE") == 1, "keys relative to the bound space")
            check(other.call("GET", "telemetry/gw1/temp") is None, "no routing in a bound space")
    with redis.Redis.from_url(f"redis://127.0.0.1:{ground.port(2)}/9") as bound:
        bound.set("a", "1")
        check(bound.incr("n") == 1 and bound.dbsize() == 2 and sorted(bound.keys()) == [b"a", b"n"], "redis-py with /9")
    check(client.call("GET", "jobs:a") == b"1", "the same key in the routed view")


def refusals(client):
    refused(client, "CROSSSPACE", "MSET", "plain", "1", "telemetry/x", "2")
    refused(client, "CROSSSPACE", "DEL", "jobs:a", "telemetry/x")
    refused(client, "ERR FLUSHALL", "FLUSHALL")
    refused(client, "ERR no prefix may begin another's", "SPACE", "CREATE", "x", "PREFIX", "telemetry/gw", "PROTOCOL", "raft")
    refused(client, "ERR no prefix may begin another's", "SPACE", "CREATE", "x", "PREFIX", "tele", "PROTOCOL", "raft")
    refused(client, "ERR there is a space 'jobs'", "SPACE", "CREATE", "jobs", "PREFIX", "j/", "PROTOCOL", "raft")
    refused(client, "ERR there is no protocol 'magic'", "SPACE", "CREATE", "m", "PREFIX", "m/", "PROTOCOL", "magic")
    refused(client, "ERR number 9", "SPACE", "CREATE", "m", "PREFIX", "m/", "PROTOCOL", "raft", "NUMBER", 9)
    refused(client, "ERR DURABILITY group", "SPACE", "CREATE", "m", "PREFIX", "m/", "PROTOCOL", "raft", "DURABILITY", "group", "MS", 50)
    refused(client, "ERR DURABILITY volatile", "SPACE", "CREATE", "m", "PREFIX", "m/", "PROTOCOL", "raft", "DURABILITY", "volatile")
    refused(client, "ERR the default space has keys", "SPACE", "CREATE", "p", "PREFIX", "pl", "PROTOCOL", "raft")
    refused(client, "ERR the space holds keys", "SPACE", "DROP", "telemetry")
    refused(client, "ERR there is no space", "SPACE", "INFO", "nobody")
    refused(client, "ERR DB index is out of range", "SELECT", 77)
    check(client.call("SET", "plain", "2") == "OK" and client.call("GET", "telemetry/gw1/temp") == b"21.5", "nothing came of the refusals")
    with Resp(client.port) as bound:
        bound.call("SELECT", 1)
        refused(bound, "ERR this key belongs to space 'telemetry'", "SET", "telemetry/x", "1")


def limits(client):
    """memory-max belongs to the space: the others are not bound by it."""
    value = "x" * 100000
    for i in range(20):
        try:
            client.call("SET", f"jobs:big{i}", value)
        except RespError as error:
            check(str(error).startswith("OOM") and i > 8, f"{i}: {error}")
            break
    else:
        raise Failure("memory-max 1mb took 2 MB")
    for i in range(15):
        check(client.call("SET", f"telemetry/big{i}", value) == "OK", "another space has no such bound")
    check(client.call("SPACE", "ALTER", "jobs", "OPTION", "memory-max", "64mb") == "OK", "ALTER")
    wait_for("the greater bound", lambda: pairs(client.call("SPACE", "INFO", "jobs"))[b"memory_max"] == 64 << 20)
    check(client.call("SET", "jobs:more", value) == "OK", "SET under the greater bound")


def racing(ground):
    """Keys with the prefix are written through all nodes while the space is created: none may be lost or seen in two places."""
    stop = threading.Event()
    written, problems = [], []

    def write(number):
        try:
            with ground.client(number) as client:
                i = 0
                while not stop.is_set():
                    key = f"race/{number}/{i}"
                    try:
                        client.call("SET", key, i)
                        check(client.call("GET", key) == str(i).encode(), f"{key} is not there after its SET")
                        if i % 2:
                            check(client.call("DEL", key) == 1, f"{key} could not be deleted")
                        else:
                            client.call("DEL", key)
                    except RespError as error:
                        check(str(error).startswith("TRYAGAIN"), str(error))
                    i += 1
                    written.append(key)
        except Exception as problem:
            problems.append(f"node {number}: {problem}")

    threads = [threading.Thread(target=write, args=(number,)) for number in ground.numbers]
    for thread in threads:
        thread.start()
    with ground.client(1) as client:
        for turn in range(200):
            try:
                if client.call("SPACE", "CREATE", "race", "PREFIX", "race/", "PROTOCOL", "raft") == "OK":
                    break
            except RespError as error:
                check(str(error).startswith("ERR the default space has keys"), str(error))
        else:
            raise Failure("the space could not be created between two keys in 200 tries")
        at = len(written)
        wait_for("a hundred more writes", lambda: len(written) > at + 100 or problems)
        stop.set()
        for thread in threads:
            thread.join()
        check(not problems, "; ".join(problems))
        check(not [key for key in client.call("KEYS", "*") if key.startswith(b"race/")], "a key of the space is in the default space")
        check(client.call("SPACE", "DROP", "race", "FORCE") == "OK", "DROP FORCE")
        check(client.call("SET", "race/again", "1") == "OK" and b"race/again" in client.call("KEYS", "race/*"),
              "its prefix belongs to the default space again")
        client.call("DEL", "race/again")


def restart_all(ground):
    for number in ground.numbers:
        ground.act("stop", number)
    for number in ground.numbers:
        ground.act("start", number)
    for number in ground.numbers:
        wait_for(f"node {number} serves", lambda: ground.serves(number), 60)
    everywhere(ground, "all spaces after the restart", lambda one: {"default", "telemetry", "jobs"} <= set(spaces(one)))


def main():
    with Playground(interval=0) as ground:
        ground.leader()
        with ground.client(1) as client:
            wait_for("the default space's record", lambda: len(client.call("SPACE", "LIST")) == 1)
            create_and_route(ground, client)
            refusals(client)
            limits(client)
            info = pairs(client.call("SPACE", "INFO", "telemetry"))
            check(info[b"writable"] == 1 and info[b"protocol"] == b"raft" and info[b"phase"] == b"active", f"INFO: {info}")
            route = pairs(client.call("SPACE", "ROUTE", "telemetry/x"))
            check(route[b"space"] == b"telemetry" and route[b"key"] == b"x", f"ROUTE: {route}")
        racing(ground)
        restart_all(ground)
        with ground.client(3) as client:
            check(client.call("GET", "telemetry/gw1/temp") == b"21.5" and client.call("GET", "jobs:n") == b"1", "data after the restart")
            check(client.call("SPACE", "DROP", "jobs", "FORCE") == "OK", "DROP after the restart")
            check(client.call("SPACE", "CREATE", "next", "PREFIX", "next/", "PROTOCOL", "raft") == "OK", "CREATE after a DROP")
            check(spaces(client)["next"][b"number"] not in (2, 9), "a number was used again")


run(main)
