"""The last copy of every lookup on disk, so that an application can start again while the server is down.

One file per server, key, prompt and label or version; for a split label one per arm, and one with the split. The targeting key
is no part of it: it may name a person, and there can be any number of them. A file is written completely or not at all,
contains no secret, and is used only when its digest is right. Its modification time is when a server last confirmed it.

Plain files, and no cache library: those expire by age, pickle what they store, or keep a database that a killed process can
leave locked. A copy must stay readable for as long as the server is down, by several processes, and must be safe to delete.
"""

import hashlib
import json
import os
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from promptuary.client.lookup.entry import PendingFetch
from promptuary.client.lookup.steps import DiskCopy
from promptuary.client.lookup.warning_log import WarningLog
from promptuary.client.transport.wire import FetchOutcome, NotModified, ReceivedVersion, ServerRefusal
from promptuary.client.versions.selector import Selector
from promptuary.client.versions.version import ResolvedVersion, UnusableResponse, read_json, read_split, read_version
from promptuary.prompt.split import Split


class DiskCache:
    """A folder of copies. Nothing it does raises: with a disk that is full or gone, only the copies are missing."""

    def __init__(self, root: Path, mark: str, warn: Callable[[str], None], wall_clock: Callable[[], float] = time.time) -> None:
        """Store copies under `root`, in a folder of this server and key, which `mark` names."""
        self._folder = root / mark
        self._warnings = WarningLog(warn)
        self._wall_clock = wall_clock
        self._lock = threading.Lock()

    def after_fork(self) -> None:
        """Replace the locks: threads that this process does not have may own the old ones."""
        self._lock = threading.Lock()
        self._warnings.after_fork()

    def read(self, selector: Selector) -> DiskCopy | None:
        """Return the copy, or None where there is no usable one. For a split label it is the key's arm, else another arm."""
        path = self._label_path(selector)
        stored = self._load(selector, path)
        if stored is None or "split" not in stored:
            return self._copy(selector, selector.version, path, stored, None)
        try:
            split = read_split(stored["split"])
        except UnusableResponse as error:
            self._warn_unusable(selector, path, error)
            return None
        return None if split is None else self._arm_copy(selector, split)

    def store(self, fetch: PendingFetch, outcome: FetchOutcome, is_superseded: Callable[[], bool]) -> None:
        """Store what a request brought: a version, that the server confirmed the copy, or that it no longer has the prompt.

        Args:
            fetch: the request.
            outcome: what it brought.
            is_superseded: returns whether memory has a later answer by now; then the later one is on the disk, or soon will be.
        """
        with self._lock:
            if is_superseded():
                return
            if isinstance(outcome, ReceivedVersion):
                self._write(fetch.selector, outcome)
            elif isinstance(outcome, NotModified) and fetch.entry is not None:
                self._confirm(fetch.selector, fetch.entry.version)
            elif isinstance(outcome, ServerRefusal):
                self._remove(fetch.selector)

    def _write(self, selector: Selector, received: ReceivedVersion) -> None:
        """Write the copy. Of a split label, write the arm's copy first, and then the split that leads to it."""
        content = {"etag": received.etag, "body": read_json(received.body)}
        split, number = received.version.split, received.version.number
        path = self._label_path(selector)
        try:
            self._folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._folder.mkdir(mode=0o700, exist_ok=True)
            former_arms = self._arms_at(path) if selector.version is None else set()
            if split is None or number is None:
                self._put(path, content)
                arms = set()
            else:
                self._put(self._arm_path(selector, number), content)
                self._put(path, {"split": split.as_json()})
                arms = {arm.version for arm in split.arms}
            for former_arm in former_arms - arms:
                self._arm_path(selector, former_arm).unlink(missing_ok=True)
        except OSError as error:
            self._warn_disk(error)

    def _confirm(self, selector: Selector, version: ResolvedVersion) -> None:
        """Record that a server confirmed the copy."""
        try:
            os.utime(self._label_path(selector) if version.split is None else self._arm_path(selector, version.number or 0))
        except FileNotFoundError:
            return
        except OSError as error:
            self._warn_disk(error)

    def _remove(self, selector: Selector) -> None:
        """Remove the copy, and those of a split label's arms."""
        path = self._label_path(selector)
        try:
            for arm in self._arms_at(path) if selector.version is None else ():
                self._arm_path(selector, arm).unlink(missing_ok=True)
            path.unlink(missing_ok=True)
        except OSError as error:
            self._warn_disk(error)

    def _load(self, selector: Selector, path: Path) -> dict[str, Any] | None:
        try:
            return read_json(path.read_bytes())
        except FileNotFoundError:
            return None
        except OSError as error:
            self._warn_disk(error)
        except UnusableResponse as error:
            self._warn_unusable(selector, path, error)
        return None

    def _arm_copy(self, selector: Selector, split: Split) -> DiskCopy | None:
        """Return the copy of the key's arm, or of another arm where that is missing."""
        own = split.arm(selector.targeting_key)
        for number in (own.version, *(arm.version for arm in split.arms if arm is not own)):
            path = self._arm_path(selector, number)
            copy = self._copy(selector, number, path, self._load(selector, path), split)
            if copy is not None:
                return copy
        return None

    def _copy(
        self, selector: Selector, number: int | None, path: Path, stored: dict[str, Any] | None, split: Split | None
    ) -> DiskCopy | None:
        """Read a version from a copy. The split is the one that leads to it now, whatever it was when the copy was written."""
        if stored is None:
            return None
        try:
            if not isinstance(stored.get("body"), dict):
                raise UnusableResponse("it contains no version")
            version = replace(read_version(stored["body"], selector.name, number), split=split)
            age = max(0.0, self._wall_clock() - path.stat().st_mtime)
        except UnusableResponse as error:
            self._warn_unusable(selector, path, error)
            return None
        except FileNotFoundError:
            return None
        except OSError as error:
            self._warn_disk(error)
            return None
        etag = stored.get("etag")
        return DiskCopy(version, etag if isinstance(etag, str) else None, age)

    def _arms_at(self, path: Path) -> set[int]:
        """Return the arms of the split that a file contains; none where it contains no split."""
        try:
            split = read_split(read_json(path.read_bytes()).get("split"))
        except (OSError, UnusableResponse):
            return set()
        return set() if split is None else {arm.version for arm in split.arms}

    def _put(self, path: Path, content: dict[str, Any]) -> None:
        handle, name = tempfile.mkstemp(dir=self._folder, suffix=".tmp")
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                json.dump(content, file)
            os.replace(name, path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise

    def _label_path(self, selector: Selector) -> Path:
        return self._path(f"{selector.name}\0{selector.label or ''}\0{selector.version or ''}")

    def _arm_path(self, selector: Selector, number: int) -> Path:
        return self._path(f"{selector.name}\0{selector.label}\0{number}")

    def _path(self, key: str) -> Path:
        return self._folder / (hashlib.sha256(key.encode()).hexdigest()[:40] + ".json")

    def _warn_unusable(self, selector: Selector, path: Path, error: UnusableResponse) -> None:
        self._warnings.warn(path, f"{selector}: the copy {path} is ignored: {error}")

    def _warn_disk(self, error: OSError) -> None:
        message = f"copies for a restart cannot be stored in {self._folder}: {error.strerror}; see PROMPTUARY_CACHE_DIR"
        self._warnings.warn(self._folder, message)
