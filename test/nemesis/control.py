"""The test's side of shim.c: a mapped file with rules for a node's disk and clocks, and with what really fired."""
import errno
import mmap
import os
import struct
import time

OPERATIONS = ("write", "sync", "create", "allocate", "rename", "unlink", "read", "open")
RULE = ("error", "per_1000", "left", "fired")
REST = ("sync_delay_us", "sync_delays", "short_per_1000", "shorts", "lie", "lies", "wall_offset_ns", "wall_reads", "boot_offset_ns",
        "calls", "nth", "nth_times", "nth_error", "nth_fired")
WORDS = {name: index for index, name in enumerate([f"{operation}.{field}" for operation in OPERATIONS for field in RULE] + list(REST))}
SIZE = 4096
FULL = ("write", "create", "allocate")  # what a full disk refuses


class Control:
    def __init__(self, path):
        self.path = path
        with open(path, "wb") as file:
            file.write(bytes(SIZE))
        with open(path, "r+b") as file:
            self.map = mmap.mmap(file.fileno(), SIZE)

    def close(self):
        self.map.close()

    def get(self, name):
        return struct.unpack_from("<q", self.map, 8 * WORDS[name])[0]

    def set(self, name, value):
        struct.pack_into("<q", self.map, 8 * WORDS[name], value)

    def fail(self, operations, error, per_1000=1000, left=-1):
        """Those calls fail, `left` times (negative: until `heal`)."""
        for operation in operations:
            self.set(f"{operation}.left", left)
            self.set(f"{operation}.per_1000", per_1000)
            self.set(f"{operation}.error", getattr(errno, error))

    def heal(self):
        for operation in OPERATIONS:
            self.set(f"{operation}.error", 0)
        for name in ("sync_delay_us", "short_per_1000", "lie"):
            self.set(name, 0)

    def set_wall(self, offset_s):
        self.set("wall_offset_ns", int(offset_s * 1e9))

    def set_boot(self, offset_s):
        """Counts from the node's next start. Never before the clock's zero."""
        least = 1.0 - time.clock_gettime(time.CLOCK_BOOTTIME)
        self.set("boot_offset_ns", int(max(offset_s, least) * 1e9))

    def fired(self):
        counters = {f"failed {operation}": self.get(f"{operation}.fired") for operation in OPERATIONS}
        counters |= {"stalled syncs": self.get("sync_delays"), "short writes": self.get("shorts"), "lies": self.get("lies"),
                     "wall clock lies": self.get("wall_reads")}
        return {name: count for name, count in counters.items() if count}


def environment(control, undo=None):
    """For the daemon that it shall rule."""
    variables = {"NEMESIS_CONTROL": control.path, "NEMESIS_PARENT": str(os.getpid())}
    if undo:
        os.makedirs(undo + ".d", exist_ok=True)
        variables["NEMESIS_UNDO"] = undo
    return variables
