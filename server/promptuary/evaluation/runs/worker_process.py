"""The process that has a run's lease, named so that others on the same machine can see whether it is still there."""

import hashlib
import os
import secrets
import socket
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

PROC = Path("/proc")
_START_FIELD = 19
"""The place of the start time among the fields after the command's name in `/proc/PID/stat` (proc(5): field 22)."""


@dataclass(frozen=True)
class WorkerProcess:
    """A process as a lease names it.

    Attributes:
        pid: its number, which a later process may get again.
        started: when it started, in the clock ticks of its machine; empty where that cannot be read.
        machine: the start of its machine, and the namespace of its number.
    """

    pid: int
    started: str
    machine: str

    @property
    def is_gone(self) -> bool:
        """Whether it has ended for certain: it was on this machine since its last start, and is not there any more."""
        if self.machine != _machine():
            return False
        started = _start_time(self.pid)
        return started is None or bool(self.started and started and started != self.started)


def worker_name() -> str:
    """Return a name that no other worker has: `HOST:PID:START.MACHINE.RANDOM`."""
    return f"{socket.gethostname()}:{os.getpid()}:{_start_time(os.getpid()) or ''}.{_machine()}.{secrets.token_hex(2)}"


def parse_worker_name(name: str) -> WorkerProcess | None:
    """Return the process of a worker; None for a name in the form of an earlier release."""
    _, _, rest = name.rpartition(":")
    pid = name.removesuffix(f":{rest}").rpartition(":")[2]
    identity = rest.split(".")
    if len(identity) != 3 or not pid.isdigit():
        return None
    return WorkerProcess(int(pid), identity[0], identity[1])


def has_ended(worker: str | None) -> bool:
    """Return whether a worker's process has ended for certain; False where this machine cannot know."""
    process = None if worker is None else parse_worker_name(worker)
    return process is not None and process.is_gone


def _machine() -> str:
    """Return a digest of the machine's start and of the namespace in which its processes have their numbers."""
    parts = [socket.gethostname()]
    with suppress(OSError):
        parts.append((PROC / "sys/kernel/random/boot_id").read_text().strip())
        parts.append(os.readlink(PROC / "self/ns/pid"))
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:12]


def _start_time(pid: int) -> str | None:
    """Return when a process started, an empty text where that cannot be read, None where there is no such process."""
    try:
        fields = (PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
    except OSError:
        return "" if _exists(pid) else None
    return None if fields[0] in "ZX" else fields[_START_FIELD]  # a zombie has ended


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True
