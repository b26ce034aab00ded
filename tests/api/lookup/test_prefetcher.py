"""Prefetching the responses of a label."""

import asyncio
import threading
from typing import Any

import pytest
from structlog.testing import capture_logs

from factories.lookup_paths import GREET, Bearer, LookupPaths, Units, authorized
from promptuary.api.lookup import reader as reader_module
from promptuary.api.lookup.reader import LabelBatch
from promptuary.core.database import Database
from promptuary.core.errors import Unavailable


def test_the_first_lookup_by_a_label_prefetches_the_other_prompts(
    database: Database, prompts: Units, paths: LookupPaths, bearer: Bearer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reader_module, "BATCH", 2)
    headers = authorized(bearer("reader"))
    paths.same(GREET, headers)
    paths.finish_prefetching()
    paths.fast.lookup.reader.read = None
    for name in ("greet", "tone", "divided"):
        assert paths.same(f"/v1/prompts/{name}", headers).status == 200


def test_prefetching_stops_at_half_of_the_memory(
    prompts: Units, paths: LookupPaths, api: Any, bearer: Bearer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reader_module, "BATCH", 1)
    lookup = paths.fast.lookup
    lookup.responses.limit = 6000
    api.get("/v1/prompts/tone", headers=bearer("reader"))
    paths.finish_prefetching()
    assert 1 <= len(lookup.responses) <= 2


def test_where_prefetching_fails_lookups_are_read_one_by_one(
    prompts: Units, paths: LookupPaths, api: Any, bearer: Bearer
) -> None:
    lookup, reader = paths.fast.lookup, bearer("reader")

    def fails(*_arguments: Any) -> Any:
        raise Unavailable("the database does not answer")

    lookup.reader.read_label = fails
    with capture_logs() as logs:
        assert api.get(GREET, headers=reader).status_code == 200
        paths.finish_prefetching()
        assert api.get("/v1/prompts/tone", headers=reader).status_code == 200
    warnings = [(entry["label"], entry["error"]) for entry in logs if entry["event"] != "request"]
    assert warnings == [("production", "the database does not answer")]


def test_a_lookup_that_comes_while_its_label_is_read_is_read_with_the_next_batch(
    prompts: Units, paths: LookupPaths, bearer: Bearer
) -> None:
    """After the first lookup no single read is possible, and no batch has the second prompt unless a lookup waits for it."""
    lookup, headers = paths.fast.lookup, authorized(bearer("reader"))
    expected = paths.send(paths.slow, "/v1/prompts/tone", headers)
    read_label, wait_for = lookup.reader.read_label, lookup.prefetcher.wait_for
    began, waits = threading.Event(), threading.Event()

    def read_awaited(caller: Any, label: str, after: str | None, names: Any) -> LabelBatch:
        if after is None:
            began.set()
            assert waits.wait(60)
            return LabelBatch([], "a")
        return read_label(caller, label, "zzz", names)

    async def note_the_wait(*prompt: Any) -> bool:
        waiting = wait_for(*prompt)
        asyncio.get_running_loop().call_soon(waits.set)
        return bool(await waiting)

    lookup.reader.read_label, lookup.prefetcher.wait_for = read_awaited, note_the_wait
    assert paths.send(paths.fast, GREET, headers).status == 200
    assert began.wait(60)
    lookup.reader.read = None
    assert paths.send(paths.fast, "/v1/prompts/tone", headers) == expected
    paths.finish_prefetching()
    assert paths.send(paths.fast, GREET, headers).status == 200
