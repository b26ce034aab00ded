"""A lookup is never older than the last acknowledged write, of whatever process: to prompts, and to keys."""

import os
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest

from doubles.eventually import eventually
from factories.lookup_paths import GREET, Bearer, LookupPaths, Units
from promptuary.access.service import AccessService
from promptuary.api.lookup import reader as reader_module
from promptuary.core.database import Database
from promptuary.registry.labels import Labels


def test_the_next_lookup_sees_a_write_of_this_server(database: Database, prompts: Units, api: Any, bearer: Bearer) -> None:
    author = bearer("author")
    api.get(GREET, headers=author)
    for version in (2, 1, 2, 1, 2):
        assert api.put(f"{GREET}/labels/production", json={"version": version}, headers=author).status_code == 200
        lookup = api.get(GREET, headers=author).json()
        assert (lookup["version"], "production" in lookup["labels"]) == (version, True)
        assert api.get(f"{GREET}?version=2", headers=author).json()["labels"] == (
            ["production", "staging"] if version == 2 else ["staging"]
        )
    api.post(f"{GREET}/versions", json={"type": "text", "template": "new"}, headers=author)
    assert api.get(f"{GREET}?label=latest", headers=author).json()["version"] == 3
    api.post(f"{GREET}/archive", json={}, headers=author)
    assert api.get(GREET, headers=author).status_code == 404
    api.post(f"{GREET}/restore", json={}, headers=author)
    assert api.get(GREET, headers=author).json()["version"] == 2


def test_the_next_lookup_sees_a_write_of_another_process(
    database: Database, other_process: Callable[..., Any], api: Any, bearer: Bearer
) -> None:
    """On SQLite at once, on PostgreSQL as soon as its notification has arrived."""
    reader = bearer("reader")
    for version in (1, 2, 1, 2):
        with other_process() as unit:
            Labels(unit).move("greet", "production", version, "to and fro")

        def seen(version: int = version) -> bool:
            return bool(api.get(GREET, headers=reader).json()["version"] == version)

        assert seen() if database.dialect == "sqlite" else eventually(seen)


@pytest.mark.acceptance
def test_the_next_lookup_sees_a_label_that_the_command_line_moved(
    sqlite: Database, prompts: Units, api: Any, bearer: Bearer, settings: Any
) -> None:
    reader = bearer("reader")
    assert api.get(GREET, headers=reader).json()["version"] == 1
    command = [sys.executable, "-m", "promptuary.cli.main", "label", "set", "greet", "production", "2", "--reason", "now"]
    environment = {**os.environ, "PROMPTUARY_DATA_DIR": str(settings.data_dir)}
    subprocess.run(command, check=True, capture_output=True, timeout=60, env=environment)
    assert api.get(GREET, headers=reader).json()["version"] == 2


def test_a_write_to_one_prompt_keeps_other_responses_in_memory(
    prompts: Units, paths: LookupPaths, api: Any, bearer: Bearer
) -> None:
    author = bearer("author")
    for path in (GREET, "/v1/prompts/tone"):
        api.get(path, headers=author)
    api.put(f"{GREET}/labels/production", json={"version": 2}, headers=author)
    counts = paths.fast.lookup.counts
    before = counts.from_database
    api.get("/v1/prompts/tone", headers=author)
    assert counts.from_database == before + 1  # the change was applied, and then the response was read
    reads: list[Any] = []
    paths.fast.lookup.reader.read = lambda *arguments: reads.append(arguments)
    api.get("/v1/prompts/tone", headers=author)
    assert reads == []


def test_the_next_lookup_refuses_a_revoked_key(
    database: Database, prompts: Units, api: Any, bearer: Bearer, other_process: Callable[..., Any]
) -> None:
    admin = bearer("admin")
    for revoked_by in ("this server", "another process"):
        reader = bearer("reader")
        assert [api.get(GREET, headers=reader).status_code for _ in range(2)] == [200, 200]
        key_id = reader["Authorization"].split("_")[1]
        if revoked_by == "this server":
            api.delete(f"/v1/keys/{key_id}", headers=admin)
            assert api.get(GREET, headers=reader).status_code == 401
            continue
        with other_process() as unit:
            AccessService(unit).revoke_key(key_id)

        def refused(reader: dict[str, str] = reader) -> bool:
            return bool(api.get(GREET, headers=reader).status_code == 401)

        assert refused() if database.dialect == "sqlite" else eventually(refused)


def test_a_key_is_refused_from_the_time_it_expires(prompts: Units, api: Any, bearer: Bearer, clock: Any) -> None:
    reader = bearer("reader", days=1)
    clock.move(days=1, microseconds=-1)
    assert [api.get(GREET, headers=reader).status_code for _ in range(2)] == [200, 200]
    clock.move(microseconds=1)
    answer = api.get(GREET, headers=reader)
    assert (answer.status_code, answer.json()["code"]) == (401, "not_authenticated")


def test_a_missing_prompt_is_found_once_it_is_registered(prompts: Units, api: Any, bearer: Bearer) -> None:
    author = bearer("author")
    assert api.get("/v1/prompts/new", headers=author).status_code == 404
    api.post("/v1/prompts/new/versions", json={"type": "text", "template": "x", "labels": ["production"]}, headers=author)
    assert api.get("/v1/prompts/new", headers=author).json()["version"] == 1


def test_more_changes_than_the_limit_drop_the_whole_project(
    prompts: Units, paths: LookupPaths, api: Any, bearer: Bearer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reader_module, "CHANGES_LIMIT", 2)
    author = bearer("author")
    api.get("/v1/prompts/tone", headers=author)
    paths.finish_prefetching()
    for version in (2, 1, 2):
        api.put(f"{GREET}/labels/production", json={"version": version}, headers=author)
    assert api.get(GREET, headers=author).json()["version"] == 2
    paths.finish_prefetching()
    assert api.get("/v1/prompts/tone", headers=author).json()["version"] == 1


def test_a_cached_key_that_is_revoked_before_the_read_is_refused(
    database: Database, prompts: Units, paths: LookupPaths, api: Any, bearer: Bearer
) -> None:
    """The key is in memory and valid when the request comes, and ends while the request waits for a thread."""
    reader = bearer("reader")
    assert api.get(GREET, headers=reader).status_code == 200
    lookup_reader = paths.fast.lookup.reader
    read = lookup_reader.read

    def read_after_revocation(*arguments: Any) -> Any:
        lookup_reader.read = read
        with prompts("admin") as unit:
            AccessService(unit).revoke_key(reader["Authorization"].split("_")[1])
        return read(*arguments)

    lookup_reader.read = read_after_revocation
    for query in ("?version=1", "?version=1", "?version=2", ""):
        assert api.get(GREET + query, headers=reader).status_code == 401
