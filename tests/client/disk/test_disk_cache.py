"""Copies on disk: which of several answers stays, and files that are something else by now."""

import fcntl
import json
import os
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from client.fake_registry import TRIAGE, CoreDriver
from client.loopback_server import Connect, Server, lookup_body, lookup_reply, problem
from promptuary.client import PromptNotFound, PromptUnavailable
from promptuary.client.disk.copy_file import ABANDONED_SECONDS, SIZE_LIMIT
from promptuary.client.disk.disk_cache import DiskCache
from promptuary.client.lookup.entry import CacheEntry, PendingFetch
from promptuary.client.lookup.steps import DiskCopy
from promptuary.client.transport.wire import FetchOutcome, NotModified, ReceivedVersion, ServerRefusal
from promptuary.client.versions.selector import Selector
from promptuary.client.versions.version import read_version
from promptuary.prompt.split import Split, divide

PRODUCTION = Selector(TRIAGE, "production", None, None)
SPLIT = divide(f"{TRIAGE}/production", [(1, 50.0), (2, 50.0)])
KEYS = {SPLIT.arm(key).version: key for key in map(str, range(20))}
GONE = ServerRefusal(PromptNotFound("there is no such label"), is_missing=True)
ERASED = ServerRefusal(PromptNotFound("it was erased"), is_missing=True, is_erased=True)


def response(version: int, revision: int, split: Split | None = None) -> ReceivedVersion:
    rule, variant = (None, None) if split is None else (split.as_json(), f"v{version}")
    text = f"{version}: {{{{ticket}}}}"
    body = lookup_body(text, version=version, revision=revision, split=rule, variant=variant)
    return ReceivedVersion(read_version(body, TRIAGE), f'"{version}"', json.dumps(body).encode())


def settle_and_store(driver: CoreDriver, disk: DiskCache, outcome: FetchOutcome) -> bool:
    """Apply an outcome and store it, as the clients do."""
    fetch = driver.core.pending_fetch(PRODUCTION)
    entry = driver.core.settle(fetch, outcome)
    assert isinstance(entry, CacheEntry)
    return disk.store(fetch, outcome, lambda: driver.core.is_superseded(entry))


class Process:
    """One of the processes that share a folder, on a clock that the test moves: `began` is when its request started."""

    def __init__(self, folder: Path, warnings: list[str] | None = None) -> None:
        self.warnings = [] if warnings is None else warnings
        self.disk = DiskCache(folder, "server", self.warnings.append)

    def store(self, outcome: FetchOutcome, *, began: float = 0.0, key: str | None = None) -> None:
        """Store an outcome of a request that began so many seconds ago."""
        selector = PRODUCTION._replace(targeting_key=key)
        fetch = PendingFetch(selector, selector, None, self.disk._clock() - began)
        self.disk.store(fetch, outcome, lambda: False)

    def read(self, key: str | None = None) -> DiskCopy | None:
        return self.disk.read(PRODUCTION._replace(targeting_key=key))

    def version(self, key: str | None = None) -> int | None:
        copy = self.read(key)
        return None if copy is None else copy.version.number


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
    assert settle_and_store(driver, disk, NotModified())
    assert path.stat().st_mtime > 1000.0


def test_a_confirmed_version_that_the_disk_lacks_is_requested_whole(tmp_path: Path) -> None:
    driver, disk = CoreDriver(), DiskCache(tmp_path, "server", lambda _: None)
    settle_and_store(driver, disk, response(1, revision=5))
    (path,) = tmp_path.rglob("*.json")
    path.unlink()
    fetch = driver.core.pending_fetch(PRODUCTION)
    assert not settle_and_store(driver, disk, NotModified())
    driver.core.request_whole(fetch)
    again = driver.core.pending_fetch(PRODUCTION)
    assert again.entry is not None
    assert again.entry.etag is None


# --- several processes --------------------------------------------------------------------------------------------------


def test_the_arms_that_two_processes_received_are_both_there(tmp_path: Path) -> None:
    first, second = Process(tmp_path), Process(tmp_path)
    first.store(response(1, 5, SPLIT), key=KEYS[1])
    second.store(response(2, 5, SPLIT), key=KEYS[2])
    assert {number: first.version(key) for number, key in KEYS.items()} == {1: 1, 2: 2}


def test_a_late_answer_of_another_process_does_not_replace_a_later_one(tmp_path: Path) -> None:
    first, second = Process(tmp_path), Process(tmp_path)
    first.store(response(2, revision=6))
    second.store(response(1, revision=5), began=3600.0)
    assert second.version() == 2
    second.store(response(1, revision=1))  # of a registry that was restored from a backup: asked after the copy was written
    assert second.version() == 1


def test_a_late_answer_of_another_process_does_not_bring_a_missing_prompt_back(tmp_path: Path) -> None:
    first, second = Process(tmp_path), Process(tmp_path)
    first.store(response(1, revision=5))
    first.store(GONE)
    second.store(response(1, revision=5), began=3600.0)
    assert (first.read(), second.read()) == (None, None)
    second.store(response(1, revision=7))
    assert first.version() == 1


def test_a_late_report_that_it_is_missing_does_not_end_a_later_copy(tmp_path: Path) -> None:
    first, second = Process(tmp_path), Process(tmp_path)
    first.store(response(2, revision=6))
    second.store(GONE, began=3600.0)
    assert first.version() == 2


def test_what_was_never_stored_leaves_no_file_when_it_is_missing(tmp_path: Path) -> None:
    Process(tmp_path).store(GONE)
    assert list(tmp_path.rglob("*.json")) == []


def test_an_erased_arm_ends_alone_on_disk(tmp_path: Path) -> None:
    process = Process(tmp_path)
    for number, key in KEYS.items():
        process.store(response(number, 5, SPLIT), key=key)
    process.store(ERASED, key=KEYS[2])
    assert {number: process.version(key) for number, key in KEYS.items()} == {1: 1, 2: 1}
    process.store(ERASED, key=KEYS[1])
    assert process.read() is None


def test_a_writer_does_not_wait_for_a_process_that_stopped_with_the_lock(tmp_path: Path) -> None:
    process = Process(tmp_path)
    process.store(response(1, revision=5))
    with (tmp_path / "server" / ".lock").open("r+b") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        process.store(response(2, revision=6))
    assert process.version() == 2


def test_what_killed_writers_left_is_removed(tmp_path: Path) -> None:
    Process(tmp_path).store(response(1, revision=5))
    old, new = tmp_path / "server" / "a.tmp", tmp_path / "server" / "b.tmp"
    for path in (old, new):
        path.write_bytes(b"{")
    os.utime(old, (old.stat().st_mtime - ABANDONED_SECONDS - 1,) * 2)
    Process(tmp_path).store(response(1, revision=5))
    assert (old.exists(), new.exists()) == (False, True)


# --- files ---------------------------------------------------------------------------------------------------------------


def test_a_body_is_stored_as_it_was_sent(tmp_path: Path) -> None:
    driver, disk = CoreDriver(), DiskCache(tmp_path, "server", lambda _: None)
    received = response(1, revision=5)
    spaced = ReceivedVersion(received.version, received.etag, received.body.replace(b'"revision": 5', b'"revision":  5'))
    settle_and_store(driver, disk, spaced)
    (path,) = tmp_path.rglob("*.json")
    assert json.loads(path.read_bytes())["copy"]["body"].encode() == spaced.body


def test_copies_of_the_release_before_are_read(tmp_path: Path) -> None:
    process = Process(tmp_path)
    process.store(response(1, revision=5))
    (path,) = tmp_path.rglob("*.json")
    path.write_text(json.dumps({"etag": '"1"', "body": json.loads(response(1, 5).body)}))
    assert process.version() == 1
    path.write_text(json.dumps({"split": SPLIT.as_json()}))
    arm = process.disk._path(PRODUCTION, 2)
    arm.write_text(json.dumps({"etag": '"2"', "body": json.loads(response(2, 5, SPLIT).body)}))
    assert process.version(KEYS[2]) == 2
    process.store(GONE)
    assert (process.read(), arm.exists()) == (None, False)


def fifo(path: Path, _: bytes) -> None:
    os.mkfifo(path)


def link(path: Path, content: bytes) -> None:
    target = path.with_suffix(".target")
    target.write_bytes(content)
    path.symlink_to(target)


def link_to_device(path: Path, _: bytes) -> None:
    path.symlink_to("/dev/zero")


def link_to_itself(path: Path, _: bytes) -> None:
    path.symlink_to(path)


def folder(path: Path, _: bytes) -> None:
    path.mkdir()


def huge(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    os.truncate(path, 120 * 1024 * 1024)  # sparse: it takes no room


@pytest.mark.parametrize("become", [fifo, link, link_to_device, link_to_itself, folder, huge])
def test_what_is_no_file_of_a_copy_is_reported_and_not_read(
    become: Callable[[Path, bytes], None], server: Server, connect: Connect, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    connect(server.url).get(TRIAGE)
    (copy,) = (tmp_path / "copies").rglob("*.json")
    content = copy.read_bytes()
    copy.unlink()
    become(copy, content)
    reply, server.reply = server.reply, problem(500, "internal_error")
    with pytest.raises(PromptUnavailable):
        connect(server.url).get(TRIAGE)
    assert "delete it, or set PROMPTUARY_CACHE_DIR" in caplog.text
    server.reply = reply
    client = connect(server.url)
    assert client.get(TRIAGE).source == "server"
    client.settle()
    if become is not folder:  # another file is replaced by the next answer
        assert copy.is_file()
        assert not copy.is_symlink()


def test_an_answer_that_is_too_large_for_a_copy_costs_only_the_copy(
    server: Server, connect: Connect, tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("promptuary.client.disk.disk_cache.SIZE_LIMIT", 100)
    assert SIZE_LIMIT > 100
    client = connect(server.url)
    assert client.get(TRIAGE).source == "server"
    client.settle()
    assert list((tmp_path / "copies").rglob("*.json")) == []
    assert "too large" in caplog.text


@pytest.mark.parametrize("slow", ["read", "store"])
def test_the_deadline_covers_a_disk_that_hangs(
    slow: str, server: Server, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    connect(server.url).get(TRIAGE)
    proceed = threading.Event()
    waits: list[bool] = []
    monkeypatch.setattr(DiskCache, slow, lambda *_: waits.append(proceed.wait(120)))
    client = connect(server.url, deadline=20)
    client.set_deadline(0.3)
    try:
        if slow == "read":
            server.reply = problem(500, "internal_error")
            assert client.get(TRIAGE, fallback="x").source == "fallback"
        else:
            server.reply = lookup_reply(lookup_body(version=2))
            client.set_deadline(2.0)
            assert client.get(TRIAGE).version == 2
        assert waits == []  # the disk still hangs
    finally:
        proceed.set()
