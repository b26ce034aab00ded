"""Last known good versions on disk, for a restart while the server is down: by server and key, one file per label or number."""

import hashlib
import os
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from promptuary.client.disk.copy_file import (
    SIZE_LIMIT,
    NotACopy,
    locked,
    make_folder,
    read_file,
    remove_abandoned,
    replace_file,
)
from promptuary.client.disk.stored_copy import MISSING, StoredBody, StoredCopy, read_stored_copy
from promptuary.client.lookup.entry import PendingFetch
from promptuary.client.lookup.steps import DiskCopy
from promptuary.client.lookup.warning_log import WarningLog
from promptuary.client.transport.wire import FetchOutcome, NotModified, ReceivedVersion, ServerRefusal
from promptuary.client.versions.selector import Selector
from promptuary.client.versions.version import UnusableResponse, read_selected_version
from promptuary.prompt.split import Split

STORE_SECONDS = 5.0
"""Seconds after which a write gives up waiting for one before it, which a disk that hangs never ends."""


class DiskCache:
    """A folder of copies. Nothing it does raises: with a disk that is full or gone, only the copies are missing.

    Several processes may share the folder. A file is replaced in one step, so a reader always finds a whole copy.
    """

    def __init__(
        self,
        root: Path,
        mark: str,
        warn: Callable[[str], None],
        wall_clock: Callable[[], float] = time.time,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Store copies under `root`, in a folder of this server and key, which `mark` names; both clocks are in seconds."""
        self._folder = root / mark
        self._warnings = WarningLog(warn)
        self._wall_clock = wall_clock
        self._clock = clock
        self._lock = threading.Lock()
        self._is_clean = False

    def after_fork(self) -> None:
        """Replace the locks: threads that this process does not have may own the old ones."""
        self._lock = threading.Lock()
        self._warnings.after_fork()

    # --- reading --------------------------------------------------------------------------------------------------------

    def read(self, selector: Selector) -> DiskCopy | None:
        """Return the copy, or None where there is no usable one. For a split label it is the key's arm, else another arm."""
        path = self._path(selector, selector.version)
        file = self._load(selector, path)
        if file is None:
            return None
        stored, age = file
        if stored.split is None:
            body = stored.bodies.get(None)
            return None if body is None else self._copy(selector, path, body, age)
        own = stored.split.arm(selector.targeting_key)
        for number in (own.version, *(arm.version for arm in stored.split.arms if arm is not own)):
            body = stored.bodies.get(number) or self._former_arm(selector, number)
            copy = None if body is None else self._copy(selector, path, body, age, (stored.split, number))
            if copy is not None:
                return copy
        return None

    def _copy(
        self, selector: Selector, path: Path, body: StoredBody, age: float, arm: tuple[Split, int] | None = None
    ) -> DiskCopy | None:
        """Read a version from a copy. An arm's split is the one that leads to it now, whatever it was when it was stored."""
        split, number = arm or (None, selector.version)
        try:
            version = read_selected_version(body.parse(), selector)
            if number is not None and version.number != number:
                raise UnusableResponse("it contains another arm than it names")
        except UnusableResponse as error:
            self._warn_unusable(selector, path, error)
            return None
        return DiskCopy(replace(version, split=split), body.etag, age)

    def _load(self, selector: Selector, path: Path) -> tuple[StoredCopy, float] | None:
        """Return what a file contains and its age in seconds; None where it cannot be used."""
        try:
            file = read_file(path)
            if file is None:
                return None
            return read_stored_copy(file.data), max(0.0, self._wall_clock() - file.modified_at)
        except OSError as error:
            self._warn_disk(error)
        except (UnusableResponse, NotACopy) as error:
            self._warn_unusable(selector, path, error)
        return None

    def _former_arm(self, selector: Selector, number: int) -> StoredBody | None:
        """Return the copy of an arm in a file of its own, where releases up to 0.3.0 stored it."""
        file = self._load(selector, self._path(selector, number))
        return None if file is None else file[0].bodies.get(None)

    # --- writing --------------------------------------------------------------------------------------------------------

    def store(self, fetch: PendingFetch, outcome: FetchOutcome, is_superseded: Callable[[], bool]) -> bool:
        """Store what a request brought: a version, that the server confirmed the copy, or that it no longer has the prompt.

        Args:
            fetch: the request.
            outcome: what it brought.
            is_superseded: returns whether memory has a later answer by now; then the later one is on the disk, or soon will be.

        Returns:
            False where the server confirmed a version that the disk does not have, so that it must be requested whole.
        """
        if not self._lock.acquire(timeout=STORE_SECONDS):
            self._warnings.warn(self._folder, f"the disk does not answer: no copies are stored in {self._folder}")
            return True
        try:
            if is_superseded():
                return True
            make_folder(self._folder)
            if not self._is_clean:
                self._is_clean = True
                remove_abandoned(self._folder)
            with locked(self._folder):
                return self._store(fetch, outcome)
        except OSError as error:
            self._warn_disk(error)
            return True
        finally:
            self._lock.release()

    def _store(self, fetch: PendingFetch, outcome: FetchOutcome) -> bool:
        selector = fetch.selector
        path = self._path(selector, selector.version)
        file = self._load(selector, path)
        former, age = file or (None, 0.0)
        # Another process may have written since this request began; what that process received may be the later answer.
        is_recent = file is not None and age < self._clock() - fetch.requested_at
        if isinstance(outcome, ReceivedVersion):
            self._write(selector, path, outcome, former, is_recent)
        elif isinstance(outcome, ServerRefusal):
            self._end(selector, path, former, is_recent, arm_only=outcome.is_erased)
        elif isinstance(outcome, NotModified) and fetch.entry is not None:
            return self._confirm(path, former, fetch.entry.version.number, fetch.entry.etag)
        return True

    def _write(
        self, selector: Selector, path: Path, received: ReceivedVersion, former: StoredCopy | None, is_recent: bool
    ) -> None:
        """Write a version, and of a split label the arms that the file has already."""
        if is_recent and former is not None:
            known, revision = former.revision, received.version.revision
            if former.is_missing or (known is not None and revision is not None and known > revision):
                return
        split, number = received.version.split, received.version.number
        body = StoredBody(received.etag, received.body.decode())
        stored = StoredCopy(split, {number if split is not None else None: body}).with_arms_of(former)
        data = stored.encode()
        if len(data) > SIZE_LIMIT:
            self._warnings.warn(path, f"{selector}: no copy is stored for a restart: it is too large")
            return
        replace_file(path, data)

    def _end(self, selector: Selector, path: Path, former: StoredCopy | None, is_recent: bool, *, arm_only: bool) -> None:
        """Replace a copy by the report that it is missing, so that no late response of another process brings it back."""
        if is_recent or former is None or former.is_missing:
            return
        remaining = MISSING
        if arm_only and former.split is not None:
            remaining = former.without_arm(former.split.arm(selector.targeting_key).version)
        replace_file(path, remaining.encode())
        for arm in () if former.split is None else former.split.arms:
            self._path(selector, arm.version).unlink(missing_ok=True)  # of releases up to 0.3.0

    def _confirm(self, path: Path, former: StoredCopy | None, number: int | None, etag: str | None) -> bool:
        """Record that a server confirmed the copy; return whether it is the one on disk."""
        body = None if former is None else former.bodies.get(None if former.split is None else number)
        if body is None or body.etag != etag:
            return False
        os.utime(path)
        return True

    # --- paths and reports ----------------------------------------------------------------------------------------------

    def _path(self, selector: Selector, number: int | None) -> Path:
        key = f"{selector.name}\0{selector.label or ''}\0{number or ''}"
        return self._folder / (hashlib.sha256(key.encode()).hexdigest()[:40] + ".json")

    def _warn_unusable(self, selector: Selector, path: Path, error: Exception) -> None:
        self._warnings.warn(path, f"{selector}: the copy {path} is ignored: {error}")

    def _warn_disk(self, error: OSError) -> None:
        message = f"copies for a restart cannot be stored in {self._folder}: {error.strerror}; see PROMPTUARY_CACHE_DIR"
        self._warnings.warn(self._folder, message)
