"""A power cut: the node is dead (kill -9), and of what no sync has covered some part never reached the disk.

shim.c keeps a journal of every change (old and new bytes, names). Data of a file may be lost write by write, in any subset, torn at
a sector or a byte; names (create, rename, unlink) are lost from some point on. What fdatasync or fsync of the file (its data and
size) or of the folder (its names) has covered stays, and nothing else is promised.
"""
import os
import struct

HEAD = struct.Struct("<8Q")
MAGIC = 0x6f646e75736d656e
WRITE, SIZE, CREATE, RENAME, UNLINK, SYNC, SYNC_FOLDER = range(1, 8)
SECTOR = 512


class Change:
    def __init__(self, head, first, second):
        _, self.kind, self.inode, self.offset, self.size_old, self.size_new, _, _ = head
        self.first, self.second = first, second


def read_journal(path):
    with open(path, "rb") as file:
        data = file.read()
    changes, at = [], 0
    while at + HEAD.size <= len(data):
        head = HEAD.unpack_from(data, at)
        if head[0] != MAGIC:
            raise ValueError(f"{path}: no record at {at}")
        first_end = at + HEAD.size + head[6]
        end = first_end + head[7]
        if end > len(data):
            break  # killed while writing it: the change itself never began
        changes.append(Change(head, data[at + HEAD.size:first_end], data[first_end:end]))
        at = end
    return changes


def uncovered(changes):
    """Those that no later sync covers: (of data, of names), each in order."""
    data, names = [], []
    for change in changes:
        if change.kind in (WRITE, SIZE):
            data.append(change)
        elif change.kind == SYNC:
            data = [other for other in data if other.inode != change.inode]
        elif change.kind == SYNC_FOLDER:
            for other in names:
                other.folders.discard(change.inode)
            names = [other for other in names if other.folders]
        else:
            change.folders = {change.inode} | ({change.size_new} if change.kind == RENAME else set())
            names.append(change)
    return data, names


def undo_data(fd, change):
    os.ftruncate(fd, change.size_old)
    if change.first:
        os.pwrite(fd, change.first, change.offset)


def redo_data(fd, change, size):
    if change.kind == SIZE:
        os.ftruncate(fd, change.size_new)
    elif size:
        os.pwrite(fd, change.second[:size], change.offset)


def undo_name(directory, kept, change):
    name = os.path.join(directory, change.first.decode())
    if change.kind == CREATE:
        os.unlink(name)
    elif change.kind == UNLINK:
        os.link(os.path.join(kept, str(change.offset)), name)
    else:
        new = os.path.join(directory, change.second.decode())
        os.rename(new, name)
        if change.size_old:
            os.link(os.path.join(kept, str(change.size_old)), new)


def done(directory, change):
    """Was the change made, or was the node killed between saying and doing it?"""
    name = os.path.join(directory, change.first.decode())
    return os.path.lexists(name) == (change.kind == CREATE)


def cut(directory, journal, rng, everything=False):
    """Takes back what the power cut loses (`everything`: all that is uncovered); returns how many changes it lost or tore."""
    kept = journal + ".d"
    changes = read_journal(journal)
    data, names = uncovered(changes)
    lost = 0
    files = {}
    for folder, _, entries in list(os.walk(directory)) + list(os.walk(kept)):
        for entry in entries:
            path = os.path.join(folder, entry)
            files.setdefault(os.lstat(path).st_ino, path)
    fds = {}
    try:
        for change in data:
            if change.inode in files and change.inode not in fds:
                fds[change.inode] = os.open(files[change.inode], os.O_RDWR)
        data = [change for change in data if change.inode in fds]
        for change in reversed(data):
            undo_data(fds[change.inode], change)
        mood = rng.choice(["none", "half", "most"])  # of what is lost
        for change in data:
            size = len(change.second)
            keep = 0 if everything or rng.random() < {"none": 0.1, "half": 0.5, "most": 0.9}[mood] else size
            if keep and change.kind == WRITE and rng.random() < 0.3:
                keep = rng.randrange(size + 1)
                if rng.random() < 0.7:
                    keep -= keep % SECTOR
            if change.kind == SIZE and (everything or rng.random() < 0.3):
                lost += 1
                continue
            lost += keep < size
            redo_data(fds[change.inode], change, keep)
    finally:
        for fd in fds.values():
            os.close(fd)
    first = 0 if everything or not names else rng.randrange(len(names) + 1)
    for index in range(len(names) - 1, first - 1, -1):
        if index < len(names) - 1 or done(directory, names[index]):
            undo_name(directory, kept, names[index])
            lost += 1
    for entry in os.listdir(kept):
        os.unlink(os.path.join(kept, entry))
    os.truncate(journal, 0)
    return lost
