"""What all of script/bench's subcommands share: running the load generator, reading /proc, medians, the machine, the document."""
import ctypes
import json
import os
import platform
import re
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time

from harness import BUILD, Failure, ROOT, SKEIN

DOCUMENT = os.path.join(ROOT, "docs", "performance.md")
PEERS = os.path.join(BUILD, "bench-peers")


def say(text):
    """A line about progress: on standard error, so that standard output is the result."""
    print(f"[{time.strftime('%H:%M:%S')}] {text}", file=sys.stderr, flush=True)


# ---- Processes ----

def dies_with_us():
    """For preexec_fn: the kernel ends the child when this script ends, however it ends."""
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG


def start(command, log, environment=None):
    with open(log, "ab") as out:
        return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT, preexec_fn=dies_with_us,
                                env=dict(os.environ, **(environment or {})), start_new_session=True)


def end(processes):
    for process in processes:
        if process.poll() is None:
            process.send_signal(signal.SIGCONT)
            process.kill()
    for process in processes:
        process.wait()


# ---- Load ----

def load(addresses, pids=(), wire="resp", **flags):
    """Runs the generator against addresses (host:port) and returns its JSON; flags are its own, with _ for -; True: without a value."""
    command = [SKEIN, "bench"] if wire == "resp" else [PEERS, wire]
    command += ["--addr", ",".join(addresses), "--json"]
    if pids:
        command += ["--pids", ",".join(str(pid) for pid in pids)]
    for name, value in flags.items():
        if value is True:
            command += ["--" + name.replace("_", "-")]
        elif value is not None and value is not False:  # 0 is a value
            command += ["--" + name.replace("_", "-"), str(value)]
    limit_s = float(flags.get("seconds", 10)) + float(flags.get("warm_up", 1)) + 600
    done = subprocess.run(command, capture_output=True, text=True, timeout=limit_s)
    if done.returncode not in (0, 1) or not done.stdout:
        raise Failure(f"{' '.join(command)}: exit {done.returncode}: {done.stderr.strip()}")
    result = json.loads(done.stdout)
    if result["errors"] or result["lost_connections"]:
        raise Failure(f"{' '.join(command)}: {result['errors']} errors (first: {result.get('first_error')}), "
                      f"{result['lost_connections']} connections lost")
    return result


class Running:
    """The generator in the background: `with Running(command)`; .result() waits for it and returns its JSON, errors included."""

    def __init__(self, addresses, **flags):
        command = [SKEIN, "bench", "--addr", ",".join(addresses), "--json"]
        for name, value in flags.items():
            command += ["--" + name.replace("_", "-"), str(value)]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, preexec_fn=dies_with_us)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()

    def result(self, limit_s=900):
        out, err = self.process.communicate(timeout=limit_s)
        if not out:
            raise Failure(f"the generator ended with {self.process.returncode}: {err.strip()}")
        return json.loads(out)


def median(values):
    return statistics.median(values) if values else None


# ---- Directories and the machine ----

def filesystem(path):
    """(type, device) of the file system that holds path."""
    best = ("", "?", "?")
    with open("/proc/mounts") as file:
        for line in file:
            device, where, kind = line.split()[:3]
            where = where.replace("\\040", " ")
            if (path == where or path.startswith(where.rstrip("/") + "/")) and len(where) >= len(best[0]):
                best = (where, kind, device)
    return best[1], best[2]


class Directory:
    """A temporary directory on a real disk, gone afterwards unless something failed."""

    def __init__(self, parent=None):
        self.path = tempfile.mkdtemp(prefix="skein-bench.", dir=parent)
        kind, _ = filesystem(os.path.realpath(self.path))
        if kind in ("tmpfs", "ramfs"):
            os.rmdir(self.path)
            sys.exit(f"script/bench: {os.path.dirname(self.path)} is in memory ({kind}); name a directory on the disk with --dir")

    def __enter__(self):
        return self.path

    def __exit__(self, kind, *_):
        if kind and kind is not KeyboardInterrupt:
            print(f"script/bench: what the servers said is in {self.path}", file=sys.stderr)
        else:
            shutil.rmtree(self.path, ignore_errors=True)


def machine(directory):
    """Facts that a figure needs to be worth anything."""
    model = "unknown processor"
    with open("/proc/cpuinfo") as file:
        for line in file:
            if line.startswith(("model name", "Model")):
                model = line.split(":", 1)[1].strip()
                break
    with open("/proc/meminfo") as file:
        memory_gib = int(file.readline().split()[1]) / (1 << 20)
    kind, _ = filesystem(os.path.realpath(directory))
    return {"processors": os.cpu_count(), "model": model, "memory_gib": round(memory_gib, 1), "kernel": platform.release(),
            "filesystem": kind, "date": time.strftime("%Y-%m-%d"), "load_at_start": os.getloadavg()[0]}


def machine_text(facts):
    text = (f"{facts['processors']} × {facts['model']}, {facts['memory_gib']} GiB, Linux {facts['kernel'].split('-')[0]}, {facts['filesystem']}, "
            f"{facts['date']}")
    if facts["load_at_start"] > 0.5:
        text += f"; **the machine was not quiet** (load {facts['load_at_start']:.1f} at the start)"
    return text


def disk_alone(directory, seconds=1.0):
    """Overwrites of preallocated 4 KiB, each followed by fdatasync: median seconds of one, the floor of every durable write."""
    path = os.path.join(directory, "floor")
    file = os.open(path, os.O_RDWR | os.O_CREAT)
    times = []
    try:
        block = os.urandom(4096)
        for at in range(256):
            os.pwrite(file, block, at * 4096)
        os.fsync(file)
        end_at = time.monotonic() + seconds
        while time.monotonic() < end_at:
            began = time.monotonic()
            os.pwrite(file, block, len(times) % 256 * 4096)
            os.fdatasync(file)
            times.append(time.monotonic() - began)
    finally:
        os.close(file)
        os.unlink(path)
    return median(times)


# ---- The document ----

def write_section(name, text):
    """Puts text between the markers of docs/performance.md that carry this name."""
    with open(DOCUMENT, encoding="utf-8") as file:
        whole = file.read()
    pattern = re.compile(rf"(<!-- {name}: [^\n]*-->\n).*?(<!-- end of {name} -->)", re.S)
    if len(pattern.findall(whole)) != 1:
        raise Failure(f"docs/performance.md has no place for {name}")
    whole = pattern.sub(lambda match: match.group(1) + text.rstrip("\n") + "\n" + match.group(2), whole)
    with open(DOCUMENT, "w", encoding="utf-8") as file:
        file.write(whole)


def table(heads, rows):
    lines = ["| " + " | ".join(heads) + " |", "|" + "---|" * len(heads)]
    return "\n".join(lines + ["| " + " | ".join(str(cell) for cell in row) + " |" for row in rows])


def common_flags(parser):
    parser.add_argument("--json", metavar="FILE", help="write everything measured to this file, too")
    parser.add_argument("--dir", help="where the servers' directories go (default: the temporary directory)")
    parser.add_argument("--dry", action="store_true", help="print the section, leave docs/performance.md alone")
    parser.add_argument("--settings", default="", help="settings of the Skein nodes, as in '--snapshot-entries 50000'")


def finish(arguments, name, text, raw):
    print(text)
    if arguments.json:
        with open(arguments.json, "w", encoding="utf-8") as file:
            json.dump(raw, file, indent=1)
    if not arguments.dry:
        write_section(name, text)
    return 0


def number(value, digits=0):
    return "-" if value is None else f"{value:,.{digits}f}"


def short(value):
    """12,345 as 12.3k: three figures are all that a measurement holds."""
    if value is None:
        return "-"
    if value >= 1e6:
        return f"{value / 1e6:.2f}M"
    if value >= 1e4:
        return f"{value / 1e3:.0f}k"
    return f"{value / 1e3:.1f}k" if value >= 1e3 else f"{value:.0f}"



def device_bytes(path):
    """Bytes written so far to the block device below path, whoever wrote them; None when there is none to be seen."""
    _, device = filesystem(os.path.realpath(path))
    try:
        with open(f"/sys/class/block/{os.path.basename(os.path.realpath(device))}/stat") as file:
            return int(file.read().split()[6]) * 512
    except (OSError, IndexError):
        return None
