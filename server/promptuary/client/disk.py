"""The last known good of every lookup, kept so that an application can start again while the server is away.

One file a server, key, prompt and label or version. The targeting key is no part of it: it may name a person, and there
can be any number of them. A file is written whole or not at all, holds no secret, and is believed only when its digest is
right. The time of the file is when a server last confirmed it.
"""

import hashlib
import json
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from promptuary.client.core import Stored
from promptuary.client.version import Unusable, read_json, read_version
from promptuary.client.wire import Received, Selector


class Disk:
    """A folder of last known goods. Nothing it does raises: a disk that is full or gone costs only the copy."""

    def __init__(self, root: Path, mark: str, tell: Callable[[str], None], wall_clock: Callable[[], float] = time.time) -> None:
        """Keep copies under `root`, in a folder of this server and key."""
        self._folder = root / mark
        self._tell = tell
        self._wall_clock = wall_clock
        self._told: set[str] = set()

    def read(self, selector: Selector) -> Stored | None:
        """Give the copy, or None where there is none that can be believed."""
        path = self._path(selector)
        try:
            body = path.read_bytes()
            age = max(0.0, self._wall_clock() - path.stat().st_mtime)
            held = read_json(body)
            if not isinstance(held.get("body"), dict):
                raise Unusable("it holds no version")
            version = read_version(held["body"], selector.name, selector.version)
        except FileNotFoundError:
            return None
        except OSError as error:
            self._report(error)
            return None
        except Unusable as error:
            self._tell_once(f"{selector}: the copy {path} is passed over: {error}")
            return None
        etag = held.get("etag")
        return Stored(version, etag if isinstance(etag, str) else None, age)

    def write(self, selector: Selector, received: Received) -> None:
        """Put the copy in place, whole."""
        held: dict[str, Any] = {"etag": received.etag, "body": read_json(received.body)}
        path = self._path(selector)
        try:
            self._folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._folder.mkdir(mode=0o700, exist_ok=True)
            handle, name = tempfile.mkstemp(dir=self._folder, suffix=".tmp")
            try:
                with os.fdopen(handle, "w", encoding="utf-8") as file:
                    json.dump(held, file)
                os.replace(name, path)
            except BaseException:
                Path(name).unlink(missing_ok=True)
                raise
        except OSError as error:
            self._report(error)

    def confirm(self, selector: Selector) -> None:
        """Note that a server says the copy still stands."""
        try:
            os.utime(self._path(selector))
        except FileNotFoundError:
            return
        except OSError as error:
            self._report(error)

    def _path(self, selector: Selector) -> Path:
        which = f"{selector.name}\0{selector.label or ''}\0{selector.version or ''}"
        return self._folder / (hashlib.sha256(which.encode()).hexdigest()[:40] + ".json")

    def _report(self, error: OSError) -> None:
        self._tell_once(f"copies for a restart cannot be kept in {self._folder}: {error.strerror}; see PROMPTUARY_CACHE_DIR")

    def _tell_once(self, message: str) -> None:
        if message not in self._told:
            self._told.add(message)
            self._tell(message)
