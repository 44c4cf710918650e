"""skein bench and skein doctor: what they count is what happened."""
import json
import socket
import subprocess
import threading
import time

from harness import bytes_written, check, figure, Playground, run, SKEIN


def bench(*words):
    """(exit code, the JSON it printed)."""
    done = subprocess.run([SKEIN, "bench", "--json", "--seconds", "1", *(str(word) for word in words)], capture_output=True, text=True, timeout=60)
    check(done.stdout.startswith("{"), f"bench {words}: {done.returncode}: {done.stderr}")
    return done.returncode, json.loads(done.stdout)


def with_nodes(ground):
    leader = ground.leader()
    address = f"127.0.0.1:{ground.port(leader)}"
    pids = ",".join(str(ground.pid(number)) for number in ground.numbers)
    code, found = bench("--addr", address, "--fill", "--keys", 500, "--connections", 8, "--pipeline", 4, "--value", 100, "--ratio", "1:1", "--pids", pids)
    check(code == 0 and found["errors"] == 0 and found["lost_connections"] == 0, found)
    check(found["writes"]["count"] > 100 and found["reads"]["count"] > 100, "both kinds were sent")
    check(0 < found["writes"]["p50_ms"] <= found["writes"]["p99_ms"] <= found["writes"]["max_ms"], "percentiles are in order")
    check(found["server_cpu_us_per_operation"] > 0 and found["operations_per_joule"] > 0, "the servers worked for it")
    with ground.client(leader) as client:
        replies = client.pipeline([("STRLEN", f"key:{number:012d}") for number in range(501)])
        check(replies == [100] * 500 + [0], "every key was filled in, and no other")
    code, found = bench("--addr", address, "--rate", 300, "--connections", 8)
    check(code == 0 and 200 <= found["writes"]["per_second"] <= 400, f"an open loop keeps its rate: {found['writes']['per_second']}")


def many_connections(ground):
    addresses = ",".join(f"127.0.0.1:{port}" for port in ground.ports)
    _, found = bench("--addr", addresses, "--connections", 2000, "--ratio", "0:1")
    check(found["lost_connections"] == 0 and found["reads"]["count"] > 2000, f"two thousand connections in one thread: {found}")


def server(answer, silence_s=0.0):
    """Gives this answer to every SET of one connection; `silence_s` once, in the middle of the measured second."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve():
        connection, _ = listener.accept()
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        silent_at, rest = time.monotonic() + 1.4, b""
        while True:
            if silent_at and time.monotonic() > silent_at:
                time.sleep(silence_s)
                silent_at = None
            data = connection.recv(1 << 16)
            if not data:
                return
            rest += data
            count = rest.count(b"*3\r\n$3\r\nSET")
            # Whole requests only: each is as long as any other here.
            size = len(rest) // count if count and len(rest) % count == 0 else 0
            if size and rest.endswith(b"\r\n"):
                connection.sendall(answer * count)
                rest = b""

    threading.Thread(target=serve, daemon=True).start()
    return listener


def errors_are_counted():
    listener = server(b"-TRYAGAIN not now\r\n")
    code, found = bench("--addr", f"127.0.0.1:{listener.getsockname()[1]}", "--connections", 1, "--value", 8)
    listener.close()
    check(code == 1 and found["errors"] > 10 and found["first_error"] == "TRYAGAIN not now", found)


def coordinated_omission():
    """An open loop is charged for the requests that fell due while the server was silent."""
    listener = server(b"+OK\r\n", 0.3)
    code, found = bench("--addr", f"127.0.0.1:{listener.getsockname()[1]}", "--connections", 1, "--rate", 200, "--value", 8)
    listener.close()
    check(code == 0, found)
    # 60 of 200 requests fell due in the silence and waited for its end, evenly spread over 0 to 300 ms.
    check(found["writes"]["p90_ms"] > 60, f"p90 is {found['writes']['p90_ms']} ms although the server was silent for 300 ms of a second")
    check(found["writes"]["p50_ms"] < 100, f"p50 is {found['writes']['p50_ms']} ms")


def doctor(ground):
    number = ground.leader()
    pid = ground.pid(number)
    stop = threading.Event()

    def write():
        with ground.client(number) as client:
            while not stop.is_set():
                client.call("SET", "doctor", "x" * 300)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        before, began = bytes_written(pid), time.monotonic()
        done = subprocess.run([SKEIN, "doctor", ground.directory, "-p", str(ground.port(number)), "-s", "3", "--rated", "30", "--json"],
                              capture_output=True, text=True, timeout=60)
        seconds, written = time.monotonic() - began, bytes_written(pid) - before
    finally:
        stop.set()
        writer.join()
    check(done.returncode == 0, done.stderr)
    found = json.loads(done.stdout)
    check(found["disk"]["alone"]["syncs"] == 200 and found["disk"]["alone"]["p99_ms"] >= found["disk"]["alone"]["p50_ms"] > 0, found)
    node = found["node"]
    check(node["node"] == number and node["years"] > 0, found)
    # /proc counts whole pages, the forecast estimates them.
    day = written / seconds * 86400
    check(day / 2 < node["bytes_a_day"] < day * 2, f"{node['bytes_a_day']:.0f} bytes a day forecast, /proc says {day:.0f}")
    figure("doctor, one client writing 300 bytes at a time:",
           f"{node['bytes_a_day'] / 1e9:.2f} GB a day forecast, {day / 1e9:.2f} GB by /proc")
    done = subprocess.run([SKEIN, "doctor", "/nowhere/at/all"], capture_output=True, text=True)
    check(done.returncode == 1 and "/nowhere/at/all" in done.stderr, done.stderr)


def main():
    with Playground(interval=0) as ground:
        with_nodes(ground)
        many_connections(ground)
        doctor(ground)
    errors_are_counted()
    coordinated_omission()


run(main)
