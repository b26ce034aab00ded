"""Which process may open the embedded Chroma database, and where that process serves it to the others."""

import fcntl
import os
from pathlib import Path
from typing import IO

DATA = "data"
"""The folder of Chroma's own files, beside the lock."""


class ChromaOwnership:
    """The exclusive right to open a Chroma folder: a file lock that ends with the process.

    An owner that also serves the folder over HTTP publishes its address beside the lock.
    """

    def __init__(self, folder: Path) -> None:
        """Store the folder; the lock is not acquired yet."""
        self.folder = folder
        self._address = folder / "served-at"
        self._lock: IO[str] | None = None

    def take(self) -> bool:
        """Acquire the lock; return False when another process has it."""
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        lock = (self.folder / "owner.lock").open("a")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            lock.close()
            return False
        self._lock = lock
        self._address.unlink(missing_ok=True)
        return True

    def data_folder(self) -> int | None:
        """Return the number of Chroma's database file, which changes when the folder is replaced; None where there is none."""
        try:
            return (self.folder / DATA / "chroma.sqlite3").stat().st_ino
        except OSError:
            return None

    def publish_address(self, url: str) -> None:
        """Write the address that the other processes of this machine connect to."""
        new_file = self._address.with_suffix(".new")
        new_file.write_text(url)
        os.replace(new_file, self._address)

    def address(self) -> str | None:
        """Return the address that the owner has published; None without one."""
        try:
            return self._address.read_text().strip() or None
        except OSError:
            return None

    def release(self) -> None:
        """Release the lock, so that another process can acquire it."""
        if self._lock is not None:
            self._address.unlink(missing_ok=True)
            self._lock.close()
            self._lock = None
