"""Prefetching the responses of a label."""

from typing import Any

import pytest
from structlog.testing import capture_logs

from factories.lookup_paths import GREET, Bearer, LookupPaths, Units, authorized
from promptuary.api.lookup import reader as reader_module
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
