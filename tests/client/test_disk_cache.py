"""Copies on disk, where requests for one label end in another order than the server answered them."""

import json
import os
from pathlib import Path

from client.fake_registry import TRIAGE, CoreDriver
from client.loopback_server import lookup_body
from promptuary.client.disk_cache import DiskCache
from promptuary.client.lookup.entry import CacheEntry
from promptuary.client.transport.wire import FetchOutcome, NotModified, ReceivedVersion
from promptuary.client.versions.selector import Selector
from promptuary.client.versions.version import read_version

PRODUCTION = Selector(TRIAGE, "production", None, None)


def response(version: int, revision: int) -> ReceivedVersion:
    body = lookup_body(f"{version}: {{{{ticket}}}}", version=version, revision=revision)
    return ReceivedVersion(read_version(body, TRIAGE), f'"{version}"', json.dumps(body).encode())


def settle_and_store(driver: CoreDriver, disk: DiskCache, outcome: FetchOutcome) -> None:
    """Apply an outcome and store it, as the clients do."""
    fetch = driver.core.pending_fetch(PRODUCTION)
    entry = driver.core.settle(fetch, outcome)
    assert isinstance(entry, CacheEntry)
    disk.store(fetch, outcome, lambda: driver.core.is_superseded(entry))


def test_a_late_answer_does_not_replace_the_copy_of_a_later_one(tmp_path: Path) -> None:
    warnings: list[str] = []
    driver, disk = CoreDriver(), DiskCache(tmp_path, "server", warnings.append)
    settle_and_store(driver, disk, response(2, revision=6))
    settle_and_store(driver, disk, response(1, revision=5))
    copy = disk.read(PRODUCTION)
    assert copy is not None
    assert (copy.version.number, warnings) == (2, [])


def test_an_answer_that_is_overtaken_while_it_waits_for_the_disk_is_not_written(tmp_path: Path) -> None:
    driver, disk = CoreDriver(), DiskCache(tmp_path, "server", lambda _: None)
    fetch = driver.core.pending_fetch(PRODUCTION)
    first, second = response(1, revision=5), response(2, revision=6)
    slow, fast = driver.core.settle(fetch, first), driver.core.settle(fetch, second)
    disk.store(fetch, second, lambda: driver.core.is_superseded(fast))
    disk.store(fetch, first, lambda: driver.core.is_superseded(slow))
    copy = disk.read(PRODUCTION)
    assert copy is not None
    assert copy.version.number == 2


def test_a_confirmed_copy_is_as_old_as_the_confirmation(tmp_path: Path) -> None:
    driver, disk = CoreDriver(), DiskCache(tmp_path, "server", lambda _: None, lambda: 5000.0)
    settle_and_store(driver, disk, response(1, revision=5))
    (path,) = tmp_path.rglob("*.json")
    os.utime(path, (1000.0, 1000.0))
    copy = disk.read(PRODUCTION)
    assert copy is not None
    assert copy.age == 4000.0
    settle_and_store(driver, disk, NotModified())
    assert path.stat().st_mtime > 1000.0
