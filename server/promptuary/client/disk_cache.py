"""The last known good of every lookup, kept so that an application can start again while the server is away.

One file a server, key, prompt and label or version; for a split label one an arm, and one with the split. The targeting key
is no part of it: it may name a person, and there can be any number of them. A file is written whole or not at all, holds no
secret, and is believed only when its digest is right. The time of the file is when a server last confirmed it.
"""

import hashlib
import json
import os
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from promptuary.client.lookup.cache import PendingFetch
from promptuary.client.lookup.core import DiskCopy
from promptuary.client.transport.wire import FetchOutcome, NotModified, ReceivedVersion
from promptuary.client.versions.selector import Selector
from promptuary.client.versions.version import ResolvedVersion, UnusableResponse, read_json, read_split, read_version
from promptuary.prompt.split import Split


class DiskCache:
    """A folder of last known goods. Nothing it does raises: a disk that is full or gone costs only the copy."""

    def __init__(self, root: Path, mark: str, tell: Callable[[str], None], wall_clock: Callable[[], float] = time.time) -> None:
        """Keep copies under `root`, in a folder of this server and key."""
        self._folder = root / mark
        self._tell = tell
        self._wall_clock = wall_clock
        self._told: set[str] = set()

    def read(self, selector: Selector) -> DiskCopy | None:
        """Give the copy, or None where there is none that can be believed.

        For a split label it is the copy of the key's arm; where that is missing, of another arm.
        """
        at = self._base(selector)
        held = self._load(selector, at)
        if held is None or "split" not in held:
            return self._version(selector, at, held, selector.version, None)
        try:
            split = read_split(held["split"])
        except UnusableResponse as error:
            self._report_unusable(selector, at, error)
            return None
        if split is None:
            return None
        arm = split.arm(selector.targeting_key)
        for number in (arm.version, *(other.version for other in split.arms if other is not arm)):
            at = self._arm(selector, number)
            stored = self._version(selector, at, self._load(selector, at), number, split)
            if stored is not None:
                return stored
        return None

    def keep(self, question: PendingFetch, outcome: FetchOutcome) -> None:
        """Take in what a request brought, if it is good news."""
        if isinstance(outcome, ReceivedVersion):
            self.write(question.selector, outcome)
        elif isinstance(outcome, NotModified) and question.entry is not None:
            self.confirm(question.selector, question.entry.version)

    def write(self, selector: Selector, received: ReceivedVersion) -> None:
        """Put the copy in place, whole. Of a split label, the arm's copy first, and then the rule that leads to it."""
        held = {"etag": received.etag, "body": read_json(received.body)}
        split, number = received.version.split, received.version.number
        base = self._base(selector)
        try:
            self._folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._folder.mkdir(mode=0o700, exist_ok=True)
            former = self._arms_of(base) if selector.version is None else set()
            if split is None or number is None:
                self._put(base, held)
                stay = set()
            else:
                self._put(self._arm(selector, number), held)
                self._put(base, {"split": split.as_json()})
                stay = {arm.version for arm in split.arms}
            for gone in former - stay:
                self._arm(selector, gone).unlink(missing_ok=True)
        except OSError as error:
            self._report(error)

    def confirm(self, selector: Selector, version: ResolvedVersion) -> None:
        """Note that a server says the copy still stands."""
        try:
            os.utime(self._base(selector) if version.split is None else self._arm(selector, version.number or 0))
        except FileNotFoundError:
            return
        except OSError as error:
            self._report(error)

    def _load(self, selector: Selector, path: Path) -> dict[str, Any] | None:
        try:
            return read_json(path.read_bytes())
        except FileNotFoundError:
            return None
        except OSError as error:
            self._report(error)
        except UnusableResponse as error:
            self._report_unusable(selector, path, error)
        return None

    def _version(
        self, selector: Selector, path: Path, held: dict[str, Any] | None, number: int | None, split: Split | None
    ) -> DiskCopy | None:
        """Read a version out of a copy; the split is the one that led to it, whatever it was when the copy was made."""
        if held is None:
            return None
        try:
            if not isinstance(held.get("body"), dict):
                raise UnusableResponse("it holds no version")
            version = replace(read_version(held["body"], selector.name, number), split=split)
            age = max(0.0, self._wall_clock() - path.stat().st_mtime)
        except UnusableResponse as error:
            self._report_unusable(selector, path, error)
            return None
        except FileNotFoundError:
            return None
        except OSError as error:
            self._report(error)
            return None
        etag = held.get("etag")
        return DiskCopy(version, etag if isinstance(etag, str) else None, age)

    def _arms_of(self, path: Path) -> set[int]:
        """Give the arms to which a rule leads, if there is one."""
        try:
            split = read_split(read_json(path.read_bytes()).get("split"))
        except (OSError, UnusableResponse):
            return set()
        return set() if split is None else {arm.version for arm in split.arms}

    def _put(self, path: Path, held: dict[str, Any]) -> None:
        handle, name = tempfile.mkstemp(dir=self._folder, suffix=".tmp")
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                json.dump(held, file)
            os.replace(name, path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise

    def _base(self, selector: Selector) -> Path:
        return self._path(f"{selector.name}\0{selector.label or ''}\0{selector.version or ''}")

    def _arm(self, selector: Selector, number: int) -> Path:
        return self._path(f"{selector.name}\0{selector.label}\0{number}")

    def _path(self, which: str) -> Path:
        return self._folder / (hashlib.sha256(which.encode()).hexdigest()[:40] + ".json")

    def _report_unusable(self, selector: Selector, path: Path, why: UnusableResponse) -> None:
        self._warn_once(f"{selector}: the copy {path} is passed over: {why}")

    def _report(self, error: OSError) -> None:
        self._warn_once(f"copies for a restart cannot be kept in {self._folder}: {error.strerror}; see PROMPTUARY_CACHE_DIR")

    def _warn_once(self, message: str) -> None:
        if message not in self._told:
            self._told.add(message)
            self._tell(message)
