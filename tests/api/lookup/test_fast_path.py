"""What the fast path answers from memory, what it reads, and what it does not store."""

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from structlog.testing import capture_logs

from doubles.eventually import DEADLINE_SECONDS, eventually
from factories.lookup_paths import GREET, Bearer, LookupPaths, Units, authorized
from promptuary.access.service import AccessService
from promptuary.api.lookup import fast_path
from promptuary.core.database import Database
from promptuary.prompt.split import split_from_json
from promptuary.registry.labels import Labels


def test_a_lookup_from_memory_only_asks_whether_the_database_changed(
    prompts: Units, paths: LookupPaths, api: Any, bearer: Bearer
) -> None:
    reader = bearer("reader")
    api.get(GREET, headers=reader)
    paths.finish_prefetching()

    def fails(*_arguments: Any) -> Any:
        raise AssertionError("read again")

    vars(paths.fast.lookup.reader).update(read=fails, changes=fails, read_label=fails)
    paths.fast.app = fails
    assert [api.get(GREET, headers=reader).status_code for _ in range(3)] == [200] * 3


@pytest.mark.parametrize("limit", [0, 5000])
def test_every_response_is_right_within_any_memory_limit(
    prompts: Units, paths: LookupPaths, settings: Any, bearer: Bearer, limit: int
) -> None:
    responses = paths.fast.lookup.responses
    responses.limit = limit
    headers = authorized(bearer("reader"))
    for _ in range(2):
        for query in ("", "?version=1", "?version=2", "?label=staging"):
            assert paths.same(GREET + query, headers).status == 200
            assert responses.bytes <= limit
    assert settings.lookup_memory == 64 * 2**20


def test_many_simultaneous_lookups_of_one_version_read_it_once(
    prompts: Units, paths: LookupPaths, api: Any, bearer: Bearer
) -> None:
    reader, reads, released = bearer("reader"), [], threading.Event()
    api.get("/v1/prompts/tone?version=1", headers=reader)
    lookup = paths.fast.lookup
    read = lookup.reader.read

    def blocked_read(*arguments: Any) -> Any:
        reads.append(arguments)
        assert released.wait(DEADLINE_SECONDS)
        return read(*arguments)

    lookup.reader.read = blocked_read
    with ThreadPoolExecutor(8) as pool:
        responses = [pool.submit(api.get, GREET, headers=reader) for _ in range(8)]
        assert eventually(lambda: len(reads) == 1 and len(lookup._reads) == 1)
        released.set()
        assert {response.result().json()["version"] for response in responses} == {1}
    assert len(reads) == 1


def test_a_response_that_changes_while_it_is_read_is_not_stored(
    database: Database, prompts: Units, paths: LookupPaths, api: Any, bearer: Bearer
) -> None:
    """The change is acknowledged after the transaction of the read, before its response is stored."""
    author = bearer("author")
    api.get("/v1/prompts/tone?version=1", headers=author)
    lookup = paths.fast.lookup
    read = lookup.reader.read

    def overtaken_read(*arguments: Any) -> Any:
        lookup_result = read(*arguments)
        lookup.reader.read = read
        with prompts("author") as unit:
            Labels(unit).move("greet", "production", 2, "meanwhile")
        assert api.get("/v1/prompts/tone?version=1", headers=author).status_code == 200  # applies the change
        return lookup_result

    lookup.reader.read = overtaken_read
    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(api.get, GREET, headers=author).result().json()["version"] == 1
    assert api.get(GREET, headers=author).json()["version"] == 2


def test_a_key_that_is_revoked_while_it_is_read_is_not_stored(
    prompts: Units, paths: LookupPaths, api: Any, bearer: Bearer
) -> None:
    reader = bearer("reader")
    lookup = paths.fast.lookup
    read = lookup.reader.read

    def overtaken_read(*arguments: Any) -> Any:
        lookup_result = read(*arguments)
        with prompts("admin") as unit:
            AccessService(unit).revoke_key(reader["Authorization"].split("_")[1])
        return lookup_result

    lookup.reader.read = overtaken_read
    assert api.get(GREET, headers=reader).status_code == 200
    lookup.reader.read = read
    assert api.get(GREET, headers=reader).status_code == 401


def test_each_targeting_key_gets_its_arm_of_the_split(
    database: Database, prompts: Units, api: Any, paths: LookupPaths, bearer: Bearer
) -> None:
    reader = bearer("reader")
    lookup = api.get("/v1/prompts/divided", headers=reader).json()
    split = split_from_json(lookup["split"])
    assert (lookup["version"], lookup["variant"]) == (1, "v1")
    keys = [f"user-{number}" for number in range(100)] + ["é ✓", "a&b=c", "+", "%41"]
    for key in keys:
        arm_lookup = api.get("/v1/prompts/divided", params={"targeting_key": key}, headers=reader).json()
        assert (arm_lookup["version"], arm_lookup["variant"]) == (split.arm(key).version, split.arm(key).variant)
        assert arm_lookup["split"] == lookup["split"]
    assert paths.answered_from_memory() >= len(keys) - 3


def test_only_slow_and_failed_lookups_are_logged(
    prompts: Units, paths: LookupPaths, api: Any, bearer: Bearer, monkeypatch: pytest.MonkeyPatch
) -> None:
    reader, lookup = bearer("reader"), paths.fast.lookup
    monkeypatch.setattr(fast_path, "SLOW_SECONDS", 60.0)
    with capture_logs() as logs:
        quick = [api.get(GREET, headers=reader) for _ in range(3)]
        api.get("/v1/prompts/unknown", headers=reader)
        monkeypatch.setattr(fast_path, "SLOW_SECONDS", 0.0)
        slow = api.get(f"{GREET}?version=1", headers=reader)
    assert [(entry["path"], entry["status"], entry["log_level"]) for entry in logs] == [
        ("/v1/prompts/unknown", 404, "info"),
        (GREET, 200, "info"),
    ]
    assert logs[1]["request"] == slow.headers["x-request-id"]
    assert reader["Authorization"][7:] not in str(logs)
    assert len({response.headers["x-request-id"] for response in [*quick, slow]}) == 4
    assert (lookup.counts.from_database, lookup.counts.from_memory) == (2, 2)


def test_every_lookup_is_logged_at_the_debug_level(prompts: Units, app: Any, api: Any, bearer: Bearer) -> None:
    app.lookup.logs_all = True
    reader = bearer("reader")
    with capture_logs() as logs:
        for _ in range(3):
            api.get(GREET, headers=reader)
    logged = [(entry["path"], entry["status"], entry["log_level"]) for entry in logs]
    assert logged[1:] == [(GREET, 200, "debug")] * 2
    assert logged[0][:2] == (GREET, 200)
