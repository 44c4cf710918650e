"""The `skein` program: the playground keeps its promises about processes, status and the small verbs their exit codes."""
import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile

from harness import SKEIN, Playground, check, free_base, run, wait_for


def skein(*words, limit_s=30):
    done = subprocess.run([SKEIN, *map(str, words)], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=limit_s)
    return done.returncode, done.stdout, done.stderr


def alive(pid):
    """Running, that is: not gone, and not only waiting to be collected by whoever adopted it."""
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def actions(ground):
    code, _, said = skein("playground", "start", 2, "--dir", ground.directory)
    check(code == 1 and "node 2 is running" in said, f"starting a running node: {code} {said}")
    code, _, said = skein("playground", "kill", 9, "--dir", ground.directory)
    check(code == 1 and "no node 9" in said, f"an unknown node: {code} {said}")
    check(skein("playground", "kill", "x", "--dir", ground.directory)[0] == 64, "no number")
    check(skein("playground", "break", "1", "--dir", ground.directory)[0] == 64, "no action")
    check(skein("playground", "kill", "1")[0] == 64, "no directory")
    code, _, said = skein("playground", "kill", 1, "--dir", "/nowhere")
    check(code == 69 and "no playground runs" in said, f"no playground there: {code} {said}")
    code, _, said = skein("playground", "--dir", ground.directory, "--base-port", free_base(3))
    check(code == 1 and "runs in" in said, f"a second playground in one directory: {code} {said}")
    pid = ground.pid(2)
    ground.act("kill", 2)
    check(not alive(pid), "kill returns when the process is gone")
    code, _, said = skein("playground", "pause", 2, "--dir", ground.directory)
    check(code == 1 and "not running" in said, f"pausing a dead node: {code} {said}")
    ground.act("start", 2)
    ground.wait_all_serve()
    ground.act("pause", 3)
    ground.act("stop", 3)  # a paused node can be stopped too
    ground.act("start", 3)
    ground.wait_all_serve()


def status(ground):
    code, said, _ = skein("status", "--addr", f"127.0.0.1:{ground.port(2)}")
    check(code == 0 and said.count("follower") == 2 and said.count("leader ") >= 1 and "3 of 3 nodes answer" in said, f"status: {said}")
    check(all(len(line) <= 80 for line in said.split("\n")), "status fits 80 columns")
    ground.act("stop", 3)
    code, said, _ = skein("status", "-p", ground.port(1), "--json")
    nodes = {node["id"]: node for node in json.loads(said)["nodes"]}
    check(code == 0 and sorted(nodes) == [1, 2, 3], "a dead node is listed")
    check(not nodes[3]["reachable"] and "refused" in nodes[3]["why"] and nodes[1]["reachable"], f"and called unreachable: {nodes[3]}")
    ground.act("start", 3)
    ground.wait_all_serve()
    code, _, said = skein("status", "-p", ground.port(1) + 50)
    check(code == 69 and "cannot connect" in said, f"nobody there: {code} {said}")
    check(skein("status", "--addr", "nonsense:x")[0] == 64, "no address")
    check(skein("status", "--no-such-flag")[0] == 64 and skein("nonsense")[0] == 64 and skein()[0] == 64, "wrong usage")
    check(skein("help", "status")[0] == 0 and skein("--help")[0] == 0 and skein("status", "--help")[0] == 0, "help")


def small_verbs(ground):
    address = ["-p", ground.port(1)]
    other = ["--addr", f"127.0.0.1:{ground.port(3)}"]
    check(skein("put", "k", "some value", *address)[0] == 0, "put")
    check(skein("get", "k", *other)[:2] == (0, "some value\n"), "get")
    check(skein("put", *address, "--", "-k", "-v")[0] == 0 and skein("get", *other, "--", "-k")[1] == "-v\n", "words behind -- are no flags")
    check(skein("del", "k", *other)[0] == 0 and skein("del", "k", *other)[0] == 1 and skein("get", "k", *address)[0] == 1, "del")
    check(skein("get", *address)[0] == 64 and skein("put", "k", *address)[0] == 64, "missing words")
    for number in (2, 3):
        ground.act("stop", number)
    code, said, complaint = skein("get", "k", *address)
    check(code == 75 and "CLUSTERDOWN" in complaint, f"a read without a majority: {code} {said} {complaint}")
    for number in (2, 3):
        ground.act("start", number)
    ground.wait_all_serve()


def nodes_die_with_it():
    with Playground() as ground:
        pids = [ground.pid(number) for number in ground.numbers]
        ground.act("pause", 2)  # a stopped process must go too
        ground.process.send_signal(signal.SIGKILL)
        ground.process.wait(10)
        wait_for("the nodes are gone", lambda: not any(alive(pid) for pid in pids), 10)
        ground.process.returncode = 0  # as asked


def a_directory_lives_on():
    directory = tempfile.mkdtemp(prefix="skein-test.")
    with Playground(directory=directory) as ground:
        check(skein("put", "kept", "yes", "-p", ground.port(1))[0] == 0, "put")
    with Playground(directory=directory) as ground:  # on other ports
        check(skein("get", "kept", "-p", ground.port(2))[1] == "yes\n", "what was written is there after a restart of all")
    code, _, said = skein("playground", "--dir", directory, "--nodes", 5, "--base-port", free_base(5))
    check(code == 64 and "founded with 3" in said, f"another number of nodes: {code} {said}")
    shutil.rmtree(directory)


def the_dead_come_back():
    with Playground(restart=1) as ground:
        pid = ground.pid(1)
        after = len(ground.lines)
        os.kill(pid, signal.SIGKILL)
        index, _ = ground.wait_line(r"node 1 died \(signal 9\)", after=after)
        ground.wait_line(r"node 1 started pid \d+", after=index)
        ground.wait_all_serve()
        check(ground.pid(1) != pid, "another process")


def cuts():
    with Playground(cuts=True) as ground:
        leader = ground.leader()
        others = [number for number in ground.numbers if number != leader]
        with ground.client(leader) as client:
            client.call("SPACE", "CREATE", "always", "PREFIX", "a/", "PROTOCOL", "crdt")
            client.call("SPACE", "CREATE", "stale", "PREFIX", "s/", "PROTOCOL", "raft", "READS", "local")
        wait_for("the spaces lead", lambda: all(
            {"always", "stale"} <= {space["name"] for space in node["spaces"] if space["serving"]} for node in ground.status()["nodes"]))
        after = len(ground.lines)
        ground.act("cut", leader)
        ground.wait_line(rf"node {leader} cut off", after=after)
        wait_for("the majority goes on", lambda: ground.serves(others[0]))
        check(skein("put", "k", "v", "-p", ground.port(others[1]))[0] == 0, "and writes")
        code, _, said = skein("put", "k", "w", "-p", ground.port(leader))
        check(code != 0 and ("CLUSTERDOWN" in said or "UNKNOWN" in said), f"who is cut off takes no write: {code} {said}")
        wait_for("it knows", lambda: not any(space["name"] == "stale" and space["serving"] for node in ground.status()["nodes"]
                                             if node["id"] == leader for space in node["spaces"]))
        code, said, _ = skein("status", "-p", ground.port(leader))
        check(code == 0 and "3 of 3 nodes answer" in said, f"clients reach all of them: {said}")
        check("space default (raft): written at 2, read at 2 of 3 nodes" in said and f"at node {leader} neither: no leader" in said,
              f"and it says what serves where: {said}")
        check("space always (crdt, prefix a/): written at 3, read at 3" in said, f"a space that needs nobody: {said}")
        check("space stale (raft, prefix s/): written at 2, read at 3" in said and f"at node {leader} only read: no leader" in said,
              f"a space that is read without a leader: {said}")
        code, said, _ = skein("status", "-p", ground.port(leader), "--json")
        here = next(node for node in json.loads(said)["nodes"] if node["id"] == leader)
        can = {space["name"]: (space["writable"], space["readable"], bool(space["why"])) for space in here["spaces"]}
        check((can["default"], can["always"], can["stale"]) == ((False, False, True), (True, True, False), (False, True, True)),
              f"the same as JSON: {can}")
        ground.act("kill", leader)  # cut and dead, and back
        ground.act("start", leader)
        check(not ground.serves(leader), "a cut node stays cut when it starts again")
        ground.act("heal")
        ground.wait_all_serve()
        check(skein("get", "k", "-p", ground.port(leader))[1] == "v\n", "it has caught up")
        ground.act("cut", 1)
        ground.act("cut", 2)  # all are alone: no pair of two uncut nodes is left
        wait_for("nobody serves", lambda: not any(ground.serves(number) for number in ground.numbers))
        ground.act("heal", 1)
        wait_for("two of three serve", lambda: ground.serves(1) and ground.serves(3))
        check(not ground.serves(2), "node 2 is still cut off")
        ground.act("heal", 2)
        ground.wait_all_serve()
    with Playground(nodes=1) as ground:
        code, _, said = skein("playground", "cut", 1, "--dir", ground.directory)
        check(code == 1 and "--direct" in said, f"nothing to cut: {code} {said}")


def a_taken_port():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        base = taken.getsockname()[1] - 2
        code, _, said = skein("playground", "--nodes", 3, "--base-port", base)
        check(code == 69 and "is taken" in said, f"a taken port: {code} {said}")


def main():
    with Playground() as ground:
        actions(ground)
        status(ground)
        small_verbs(ground)
    nodes_die_with_it()
    a_directory_lives_on()
    the_dead_come_back()
    cuts()
    a_taken_port()


run(main)
