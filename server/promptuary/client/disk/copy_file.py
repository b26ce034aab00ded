"""Files of copies: reading one that may be anything by now, and replacing one that other processes read.

Plain files, and no cache library: those expire by age, pickle what they store, or keep a database that a killed process can
leave locked. A copy must stay readable for as long as the server is down, by several processes, and must be safe to delete.
"""

import os
import stat
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from promptuary.prompt.files.file_locks import CAN_LOCK, lock

SIZE_LIMIT = 16 * 1024 * 1024
"""Bytes of a copy at most, those of every arm of a split label together."""
LOCK_ATTEMPTS, LOCK_PAUSE_SECONDS = 20, 0.01
"""How often and how fast a writer tries to lock the folder. Then it writes without: the owner may be a stopped process."""
ABANDONED_SECONDS = 3600.0
"""Age after which a temporary file counts as left by a process that was killed."""
_NO_FILE = "it is no regular file; delete it, or set PROMPTUARY_CACHE_DIR"
_TOO_LARGE = f"it is over {SIZE_LIMIT // 1024**2} MiB; delete it, or set PROMPTUARY_CACHE_DIR"
_OPEN_FLAGS = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0)


class NotACopy(Exception):
    """A path is not that of a copy: no regular file, or too large. Never leaves the client."""


@dataclass(frozen=True)
class FileContent:
    """The bytes of a file, and when it was last written or confirmed, in seconds of the wall clock."""

    data: bytes
    modified_at: float


def read_file(path: Path) -> FileContent | None:
    """Read a file without ever waiting for a writer; None where there is none.

    Raises:
        NotACopy: for a FIFO, a folder, a device, a link or a file over the limit, which are not read.
        OSError: when it cannot be read.
    """
    try:
        if not stat.S_ISREG(os.lstat(path).st_mode):  # before it is opened: opening a device can have an effect
            raise NotACopy(_NO_FILE)
        handle = os.open(path, _OPEN_FLAGS)
    except FileNotFoundError:
        return None
    with os.fdopen(handle, "rb") as file:
        status = os.fstat(handle)
        if not stat.S_ISREG(status.st_mode):
            raise NotACopy(_NO_FILE)
        if status.st_size > SIZE_LIMIT:
            raise NotACopy(_TOO_LARGE)
        data = file.read(SIZE_LIMIT + 1)
    if len(data) > SIZE_LIMIT:  # it grew
        raise NotACopy(_TOO_LARGE)
    return FileContent(data, status.st_mtime)


def replace_file(path: Path, data: bytes) -> None:
    """Replace a file in one step: a reader in another process finds the former content or the new one, whole.

    Raises:
        OSError: when it cannot be written; the former content is still there.
    """
    handle, name = tempfile.mkstemp(dir=path.parent, suffix=".tmp")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def make_folder(folder: Path) -> None:
    """Make a folder that only its user may read.

    Raises:
        OSError: when it cannot be made.
    """
    folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder.mkdir(mode=0o700, exist_ok=True)


def remove_abandoned(folder: Path) -> None:
    """Remove the temporary files of writers that were killed."""
    for path in folder.glob("*.tmp"):
        with suppress(OSError):
            if time.time() - path.lstat().st_mtime > ABANDONED_SECONDS:
                path.unlink()


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Lock a folder for its writers, if that is possible soon; never wait for a process that was stopped with the lock.

    Raises:
        OSError: when the lock's file cannot be opened.
    """
    if not CAN_LOCK:  # writers may overwrite each other's arms, and no reader notices
        yield
        return
    handle = os.open(folder / ".lock", os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, 0o600)
    try:
        for _ in range(LOCK_ATTEMPTS):
            try:
                lock(handle, wait=False)
                break
            except BlockingIOError:
                time.sleep(LOCK_PAUSE_SECONDS)
            except OSError:  # a file system without locks
                break
        yield
    finally:
        os.close(handle)
