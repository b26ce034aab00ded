"""The lookup's fast path answers what FastAPI's way answers, and sees every change that was acknowledged."""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from typing import Any, NamedTuple
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.testclient import TestClient
from structlog.testing import capture_logs

from promptuary.access import role
from promptuary.access.role import Role, Scope
from promptuary.access.service import AccessService, local_caller
from promptuary.access.unit_of_work import UnitOfWork
from promptuary.api.app import create_app
from promptuary.api.lookup import fast_path as module
from promptuary.api.lookup import reader
from promptuary.api.middleware import RequestMiddleware
from promptuary.core.database import Database
from promptuary.core.errors import Unavailable
from promptuary.core.settings import read_settings
from promptuary.prompt.content import Content
from promptuary.prompt.split import split_from_json
from promptuary.registry.labels import Labels
from promptuary.registry.service import Registry

Units = Callable[..., AbstractContextManager[UnitOfWork]]
Bearer = Callable[..., dict[str, str]]
HOST = (b"host", b"127.0.0.1:8400")
GREET = "/v1/prompts/greet"


class Sent(NamedTuple):
    """An answer without its id, to be compared byte by byte."""

    status: int
    headers: list[tuple[bytes, bytes]]
    body: bytes


class Ways:
    """Both ways through one app, with requests of just these bytes: an HTTP client would tidy them up."""

    def __init__(self, app: Any, portal: Any) -> None:
        self.fast = app
        self.slow = RequestMiddleware(app.app, app.parts, app.close, app.traffic)
        self.slow.lookup = passed_on  # type: ignore[assignment] # the app without its fast path
        self._portal = portal

    def send(self, app: Any, target: str, headers: Sequence[tuple[bytes, bytes]], method: str = "GET") -> Sent:
        raw, _, query = target.partition("?")
        messages: list[Any] = []

        async def receive() -> Any:
            return {"type": "http.request", "body": b"", "more_body": False}

        async def out(message: Any) -> None:
            messages.append(message)

        path = raw.encode().decode("latin-1")
        for code, character in (("%2F", "/"), ("%2f", "/"), ("%00", "\x00"), ("%67", "g"), ("%2e", "."), ("%0a", "\n")):
            path = path.replace(code, character)
        scope = {"type": "http", "http_version": "1.1", "method": method, "scheme": "http", "root_path": ""}
        scope |= {"path": path, "raw_path": raw.encode("latin-1"), "query_string": query.encode("latin-1")}
        scope |= {"headers": list(headers), "client": ("127.0.0.1", 50000), "server": ("127.0.0.1", 8400)}
        self._portal.call(app, scope, receive, out)
        start, *rest = messages
        kept = [pair for pair in start["headers"] if pair[0] != b"x-request-id"]
        assert len(kept) == len(start["headers"]) - 1
        return Sent(start["status"], kept, b"".join(message["body"] for message in rest))

    def same(self, target: str, headers: Sequence[tuple[bytes, bytes]], method: str = "GET") -> Sent:
        """Ask both ways, the fast one twice: when it has to read first, and when it remembers."""
        slow = self.send(self.slow, target, headers, method)
        assert [self.send(self.fast, target, headers, method) for _ in range(2)] == [slow, slow], (target, headers)
        return slow

    def remembered(self) -> int:
        return int(self.fast.lookup.counts.remembered)


async def passed_on(_scope: Any, _send: Any) -> bool:
    return False


def soon(holds: Callable[[], bool]) -> bool:
    """Wait until something holds, for ten seconds at most."""
    deadline = time.monotonic() + 10
    while not holds():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.005)
    return True


def register(unit: UnitOfWork, name: str, words: str, *labels: str, format_: str = "mustache") -> None:
    content = Content.model_validate({"type": "text", "template": words, "format": format_})
    Registry(unit).register(name, content, labels=labels)


@pytest.fixture
def ways(app: Any, api: Any) -> Ways:
    return Ways(app, api.portal)


@pytest.fixture
def filled(unit_as: Units, app: Any) -> Units:
    """Prompts of every kind in the project `default`, and one name in the project `shop`, too; and the app knows of them."""
    with unit_as("operator") as unit:
        register(unit, "tone", "Be kind. ✓", "production")
        register(unit, "greet", "{{> tone}} Hi {{name}}", "production")
        register(unit, "greet", "{{> tone@1}} Hello {{name}}", "staging")
        for number in range(1, 4):
            register(unit, "divided", f"arm {number}", "production")
        for label in ("production", "beta"):
            Labels(unit).split("divided", label, [(1, 20.0), (2, 30.0), (3, 50.0)], "a trial")
        register(unit, "hidden", "gone", "production")
        Registry(unit).archive("hidden", "old")
        register(unit, "unlabelled", "draft")
    with unit_as("operator", "shop") as unit:
        register(unit, "greet", "Welcome", "production")
        project = unit.caller.project
    assert soon(lambda: app.parts.changes.now(project) is not None)
    return unit_as


def authorized(bearer: dict[str, str], *more: tuple[bytes, bytes]) -> list[tuple[bytes, bytes]]:
    return [HOST, (b"authorization", bearer["Authorization"].encode()), (b"accept", b"*/*"), *more]


# --- the same bytes -----------------------------------------------------------------------------------------------------

NAMES = [
    "greet",
    "tone",
    "divided",
    "hidden",
    "unlabelled",
    "unknown",
    "Greet",
    "greet%0a",
    "%67reet",
    "..",
    ".",
    "",
    "a" * 129,
]
QUERIES = [
    "",
    "?",
    "?label=production",
    "?label=staging",
    "?label=beta",
    "?label=latest",
    "?label=unknown",
    "?label=",
    "?label=%70roduction",
    "?label=production&",
    "?&label=production",
    "?label=production&label=staging",
    "?label=pro+duction",
    "?label=%ff",
    "?label=%00",
    "?label=" + "x" * 201,
    "?label=production&version=1",
    "?label",
    "?version=1",
    "?version=2",
    "?version=3",
    "?version=0",
    "?version=-1",
    "?version=+1",
    "?version=01",
    "?version=1.0",
    "?version=%31",
    "?version=\xb2",
    "?version=999999999",
    "?version=2147483648",
    "?version=99999999999999999999",
    "?version=x",
    "?version=",
    "?targeting_key=user-1",
    "?targeting_key=user-2",
    "?targeting_key=user%40example.com",
    "?targeting_key=%C3%A9+%E2%9C%93",
    "?targeting_key=%ff",
    "?targeting_key=",
    "?targeting_key=" + "x" * 1000,
    "?targeting_key=" + "x" * 1001,
    "?targeting_key=a&targeting_key=b",
    "?label=beta&targeting_key=user-1",
    "?version=1&targeting_key=user-1",
    "?version=1;targeting_key=user-1",
    "?unknown=1",
    "?label=production&unknown=1",
    "?as_of=2026-03-02T12:00:00Z",
    "?as_of=x",
    "?key=pmt_abcdefghijkl_x",
]


def test_every_query_gets_the_bytes_that_fastapi_gives(filled: Units, ways: Ways, bearer: Bearer) -> None:
    headers = authorized(bearer("reader"))
    statuses = {ways.same(f"/v1/prompts/divided{query}", headers).status for query in QUERIES}
    assert statuses == {200, 400, 401, 404, 422}
    assert ways.remembered() > 30


def test_every_name_gets_the_bytes_that_fastapi_gives(database: Database, filled: Units, ways: Ways, bearer: Bearer) -> None:
    for project in ("default", "shop"):
        headers = authorized(bearer("reader", project))
        for name in NAMES:
            for query in ("", "?label=staging", "?version=1", "?label=production&targeting_key=a"):
                ways.same(f"/v1/prompts/{name}{query}", headers)
    assert ways.remembered() > 15


def test_every_condition_gets_the_bytes_that_fastapi_gives(filled: Units, ways: Ways, bearer: Bearer) -> None:
    reader = bearer("reader")
    tag = dict(ways.same(GREET, authorized(reader)).headers)[b"etag"]
    other = dict(ways.same(f"{GREET}?version=2", authorized(reader)).headers)[b"etag"]
    held = [tag, b"W/" + tag, b"*", b" * ", b'"x", ' + tag, tag + b",W/" + other, b'W/"x" , W/' + tag, b"\xff" + tag]
    new = [
        b"",
        b'""',
        b'"*"',
        other,
        b"W/" + other,
        tag[:-1],
        tag[1:-1],
        b"nonsense",
        b"**",
        b"*, " + other,
        b"\xff",
        tag.upper(),
    ]
    for conditions, status in ((held, 304), (new, 200)):
        for condition in conditions:
            sent = ways.same(GREET, authorized(reader, (b"if-none-match", condition)))
            assert sent.status == status, condition
            assert (sent.body == b"") == (status == 304)
    twice = authorized(reader, (b"if-none-match", tag), (b"if-none-match", other))
    assert ways.same(GREET, twice).status == 304


def test_every_way_to_name_a_key_or_a_host_gets_the_bytes_that_fastapi_gives(
    filled: Units, ways: Ways, key: Callable[..., str]
) -> None:
    good, shop = key("reader").encode(), key("reader", "shop").encode()
    named = [b"Bearer " + good, b"bearer " + good, b"BEARER  " + good + b" ", b"Bearer " + shop]
    refused = [
        b"Bearer " + good[:-1],
        b"Bearer",
        b"Bearer ",
        b"",
        good,
        b"Basic " + good,
        b"Bearer " + good + b"x",
        b"Bearer \xff",
    ]
    for header in named:
        assert ways.same(GREET, [HOST, (b"authorization", header)]).status == 200
    for header in refused:
        assert ways.same(GREET, [HOST, (b"authorization", header)]).status == 401
    assert ways.same(GREET, [HOST]).status == 401
    first, second = (b"authorization", named[0]), (b"authorization", refused[0])
    assert [ways.same(GREET, [HOST, *both]).status for both in ((first, second), (second, first))] == [200, 401]
    for host in (b"127.0.0.1", b"localhost:9", b"LOCALHOST", b"[::1]:8400"):
        assert ways.same(GREET, [(b"host", host), first]).status == 200
    for host in (b"evil.example", b"evil.example:8400", b"", b"127.0.0.1.evil.example", b"localhost@evil.example"):
        assert ways.same(GREET, [(b"host", host), first]).status == 400
    assert ways.same(GREET, [first]).status == 400
    assert ways.same(GREET, [HOST, (b"host", b"evil.example"), first]).status == 400


@pytest.mark.parametrize(
    "path", [f"{GREET}/versions", f"{GREET}/versions/1", "/v1/prompts", "/v1/prompts/", "/v1/prompts/gre%2Fet"]
)
def test_other_calls_are_not_touched(filled: Units, ways: Ways, bearer: Bearer, path: str) -> None:
    ways.same(path, authorized(bearer("reader")))
    assert ways.remembered() == 0


@pytest.mark.parametrize("method", ["HEAD", "OPTIONS", "DELETE", "PATCH"])
def test_other_methods_are_not_touched(filled: Units, ways: Ways, bearer: Bearer, method: str) -> None:
    assert ways.same(GREET, authorized(bearer("reader")), method).status == 405
    assert ways.remembered() == 0


@given(
    name=st.sampled_from(["greet", "divided", "hidden", "unknown"]),
    query=st.lists(
        st.tuples(
            st.sampled_from(["label", "version", "targeting_key", "other"]),
            st.sampled_from(["production", "staging", "1", "2", "9"]) | st.text(max_size=20),
        ),
        max_size=3,
    ),
    plain=st.booleans(),
    condition=st.none() | st.sampled_from(["*", '"x"', 'W/"x", "y"']) | st.text('*W/", x', max_size=9),
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_request_gets_the_bytes_that_fastapi_gives(
    filled: Units,
    ways: Ways,
    headers: list[tuple[bytes, bytes]],
    name: str,
    query: list[tuple[str, str]],
    plain: bool,
    condition: Any,
) -> None:
    safe = "@:,;" if plain else ""
    written = "&".join(f"{field}={quote(value.encode('utf-8', 'replace'), safe=safe)}" for field, value in query)
    more = [] if condition is None else [(b"if-none-match", condition.encode())]
    ways.same(f"/v1/prompts/{name}?{written}", [*headers, *more])


@pytest.fixture
def headers(bearer: Bearer) -> list[tuple[bytes, bytes]]:
    return authorized(bearer("reader"))


# --- changes are seen ---------------------------------------------------------------------------------------------------


@pytest.fixture
def another(opened_database: Database) -> Iterator[Database]:
    """The same database as another process has it."""
    database = opened_database.apart(2)
    yield database
    database.dispose()


@pytest.fixture
def elsewhere(filled: Units, another: Database, clock: Any, settings: Any) -> Callable[..., AbstractContextManager[UnitOfWork]]:
    """Units of work of another process, as an operator of the project `default`."""

    @contextmanager
    def unit() -> Iterator[UnitOfWork]:
        caller = local_caller(another, clock())
        with another.write() as session:
            yield UnitOfWork(session, caller, clock, settings)

    return unit


def test_a_write_of_this_server_is_seen_by_the_very_next_lookup(
    database: Database, filled: Units, api: Any, bearer: Bearer
) -> None:
    author = bearer("author")
    api.get(GREET, headers=author)
    for version in (2, 1, 2, 1, 2):
        assert api.put(f"{GREET}/labels/production", json={"version": version}, headers=author).status_code == 200
        found = api.get(GREET, headers=author).json()
        assert (found["version"], "production" in found["labels"]) == (version, True)
        assert api.get(f"{GREET}?version=2", headers=author).json()["labels"] == (
            ["production", "staging"] if version == 2 else ["staging"]
        )
    api.post(f"{GREET}/versions", json={"type": "text", "template": "new"}, headers=author)
    assert api.get(f"{GREET}?label=latest", headers=author).json()["version"] == 3
    api.post(f"{GREET}/archive", json={}, headers=author)
    assert api.get(GREET, headers=author).status_code == 404
    api.post(f"{GREET}/restore", json={}, headers=author)
    assert api.get(GREET, headers=author).json()["version"] == 2


def test_a_write_of_another_process_is_seen_by_the_next_lookup(
    database: Database, elsewhere: Callable[..., Any], api: Any, bearer: Bearer
) -> None:
    """On SQLite by the very next one, on PostgreSQL as soon as it has told."""
    reader = bearer("reader")
    for version in (1, 2, 1, 2):
        with elsewhere() as unit:
            Labels(unit).move("greet", "production", version, "to and fro")

        def seen(version: int = version) -> bool:
            return bool(api.get(GREET, headers=reader).json()["version"] == version)

        assert seen() if database.dialect == "sqlite" else soon(seen)


@pytest.mark.acceptance
def test_a_label_moved_by_the_command_line_is_seen_by_the_very_next_lookup_of_a_running_server(
    sqlite: Database, filled: Units, api: Any, bearer: Bearer, settings: Any
) -> None:
    reader = bearer("reader")
    assert api.get(GREET, headers=reader).json()["version"] == 1
    command = [sys.executable, "-m", "promptuary.cli.main", "label", "set", "greet", "production", "2", "--reason", "now"]
    environment = {**os.environ, "PROMPTUARY_DATA_DIR": str(settings.data_dir)}
    subprocess.run(command, check=True, capture_output=True, timeout=60, env=environment)
    assert api.get(GREET, headers=reader).json()["version"] == 2


def test_a_write_to_one_prompt_leaves_the_answers_for_others_in_memory(
    filled: Units, ways: Ways, api: Any, bearer: Bearer
) -> None:
    author = bearer("author")
    for path in (GREET, "/v1/prompts/tone"):
        api.get(path, headers=author)
    api.put(f"{GREET}/labels/production", json={"version": 2}, headers=author)
    counts = ways.fast.lookup.counts
    before = counts.read
    api.get("/v1/prompts/tone", headers=author)
    assert counts.read == before + 1  # it had to take the change in, and then had the answer
    reads: list[Any] = []
    ways.fast.lookup._reader.read = lambda *given: reads.append(given)
    api.get("/v1/prompts/tone", headers=author)
    assert reads == []


def test_a_revoked_key_is_refused_by_the_very_next_lookup(
    database: Database, filled: Units, api: Any, bearer: Bearer, elsewhere: Callable[..., Any]
) -> None:
    admin = bearer("admin")
    for revoke in ("this server", "another process"):
        reader = bearer("reader")
        assert [api.get(GREET, headers=reader).status_code for _ in range(2)] == [200, 200]
        number = reader["Authorization"].split("_")[1]
        if revoke == "this server":
            api.delete(f"/v1/keys/{number}", headers=admin)
            assert api.get(GREET, headers=reader).status_code == 401
            continue
        with elsewhere() as unit:
            AccessService(unit).revoke_key(number)
        refused = lambda reader=reader: api.get(GREET, headers=reader).status_code == 401  # noqa: E731 - asked once or often
        assert refused() if database.dialect == "sqlite" else soon(refused)


def test_a_key_is_refused_from_the_moment_it_ends(filled: Units, api: Any, bearer: Bearer, clock: Any) -> None:
    reader = bearer("reader", days=1)
    clock.move(days=1, microseconds=-1)
    assert [api.get(GREET, headers=reader).status_code for _ in range(2)] == [200, 200]
    clock.move(microseconds=1)
    answer = api.get(GREET, headers=reader)
    assert (answer.status_code, answer.json()["code"]) == (401, "not_authenticated")


def test_what_was_not_there_is_found_once_it_is(filled: Units, api: Any, bearer: Bearer) -> None:
    author = bearer("author")
    assert api.get("/v1/prompts/new", headers=author).status_code == 404
    api.post("/v1/prompts/new/versions", json={"type": "text", "template": "x", "labels": ["production"]}, headers=author)
    assert api.get("/v1/prompts/new", headers=author).json()["version"] == 1


def test_more_changes_than_are_named_drop_all_of_the_project(
    filled: Units, ways: Ways, api: Any, bearer: Bearer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reader, "CHANGES_LIMIT", 2)
    author = bearer("author")
    api.get("/v1/prompts/tone", headers=author)
    assert soon(lambda: not ways.fast.lookup._tasks)
    for version in (2, 1, 2):
        api.put(f"{GREET}/labels/production", json={"version": version}, headers=author)
    assert api.get(GREET, headers=author).json()["version"] == 2
    assert soon(lambda: not ways.fast.lookup._tasks)
    assert api.get("/v1/prompts/tone", headers=author).json()["version"] == 1


# --- keys, roles, projects ----------------------------------------------------------------------------------------------


def test_a_key_sees_the_prompts_of_its_own_project_alone(database: Database, filled: Units, api: Any, bearer: Bearer) -> None:
    default, shop = bearer("reader"), bearer("reader", "shop")
    for _ in range(2):
        assert api.get(GREET, headers=default).json()["template"] == "{{> tone}} Hi {{name}}"
        assert api.get(GREET, headers=shop).json()["template"] == "Welcome"
        assert api.get("/v1/prompts/tone", headers=default).status_code == 200
        assert api.get("/v1/prompts/tone", headers=shop).status_code == 404


@pytest.mark.parametrize("name", list(Role))
def test_a_role_looks_up_if_it_may_read_prompts(
    filled: Units, ways: Ways, bearer: Bearer, name: Role, monkeypatch: pytest.MonkeyPatch
) -> None:
    allowed, without = bearer(name), bearer(name)
    assert ways.same(GREET, authorized(allowed)).status == 200
    monkeypatch.setitem(role.SCOPES, name, role.SCOPES[name] - {Scope.PROMPT_READ})
    assert ways.same(GREET, authorized(without)).status == 403


def test_memory_holds_no_key_in_clear(filled: Units, ways: Ways, api: Any, bearer: Bearer) -> None:
    reader = bearer("reader")
    api.get(GREET, headers=reader)
    secret = reader["Authorization"].split("_")[2]
    (held,) = ways.fast.lookup._keys.items()
    assert len(held[0]) == 32
    assert secret not in repr(held)


def test_the_keys_in_memory_are_bounded(
    filled: Units, ways: Ways, api: Any, bearer: Bearer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "KEY_LIMIT", 2)
    for header in [bearer("reader") for _ in range(4)]:
        assert api.get(GREET, headers=header).status_code == 200
        assert len(ways.fast.lookup._keys) <= 2


# --- splits -------------------------------------------------------------------------------------------------------------


def test_each_targeting_key_gets_the_arm_that_the_split_gives_it(
    database: Database, filled: Units, api: Any, ways: Ways, bearer: Bearer
) -> None:
    reader = bearer("reader")
    whole = api.get("/v1/prompts/divided", headers=reader).json()
    split = split_from_json(whole["split"])
    assert (whole["version"], whole["variant"]) == (1, "v1")
    keys = [f"user-{number}" for number in range(100)] + ["é ✓", "a&b=c", "+", "%41"]
    for key in keys:
        found = api.get("/v1/prompts/divided", params={"targeting_key": key}, headers=reader).json()
        assert (found["version"], found["variant"]) == (split.arm(key).version, split.arm(key).variant)
        assert found["split"] == whole["split"]
    assert ways.remembered() >= len(keys) - 3


# --- memory -------------------------------------------------------------------------------------------------------------


def test_a_lookup_that_is_remembered_asks_the_database_nothing_but_whether_it_changed(
    filled: Units, ways: Ways, api: Any, bearer: Bearer
) -> None:
    reader = bearer("reader")
    api.get(GREET, headers=reader)
    assert soon(lambda: not ways.fast.lookup._tasks)

    def fails(*_given: Any) -> Any:
        raise AssertionError("read again")

    vars(ways.fast.lookup._reader).update(read=fails, changed=fails, ahead=fails)
    ways.fast.app = fails
    assert [api.get(GREET, headers=reader).status_code for _ in range(3)] == [200] * 3


@pytest.mark.parametrize("limit", [0, 5000])
def test_memory_stays_within_its_limit_and_every_answer_is_right(
    filled: Units, ways: Ways, settings: Any, bearer: Bearer, limit: int
) -> None:
    answers = ways.fast.lookup.answers
    answers.limit = limit
    headers = authorized(bearer("reader"))
    for _ in range(2):
        for query in ("", "?version=1", "?version=2", "?label=staging"):
            assert ways.same(GREET + query, headers).status == 200
            assert answers.bytes <= limit
    assert settings.lookup_memory == 64 * 2**20


def test_many_who_ask_for_what_memory_lacks_make_it_read_once(filled: Units, ways: Ways, api: Any, bearer: Bearer) -> None:
    reader, reads, go = bearer("reader"), [], threading.Event()
    api.get("/v1/prompts/tone?version=1", headers=reader)
    lookup = ways.fast.lookup
    read = lookup._reader.read

    def slowly(*given: Any) -> Any:
        reads.append(given)
        assert go.wait(10)
        return read(*given)

    lookup._reader.read = slowly
    with ThreadPoolExecutor(8) as pool:
        answers = [pool.submit(api.get, GREET, headers=reader) for _ in range(8)]
        assert soon(lambda: len(reads) == 1 and len(lookup._going) == 1)
        go.set()
        assert {answer.result().json()["version"] for answer in answers} == {1}
    assert len(reads) == 1


def test_what_is_read_while_it_changes_is_not_kept(
    database: Database, filled: Units, ways: Ways, api: Any, bearer: Bearer
) -> None:
    """The change is acknowledged after the read and before its end; who asks then must not get the answer from before."""
    author = bearer("author")
    api.get("/v1/prompts/tone?version=1", headers=author)
    lookup = ways.fast.lookup
    read = lookup._reader.read

    def overtaken(*given: Any) -> Any:
        found = read(*given)
        lookup._reader.read = read
        with filled("author") as unit:
            Labels(unit).move("greet", "production", 2, "meanwhile")
        assert api.get("/v1/prompts/tone?version=1", headers=author).status_code == 200  # takes the change in
        return found

    lookup._reader.read = overtaken
    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(api.get, GREET, headers=author).result().json()["version"] == 1
    assert api.get(GREET, headers=author).json()["version"] == 2


def test_a_key_that_is_revoked_while_it_is_read_is_not_kept(filled: Units, ways: Ways, api: Any, bearer: Bearer) -> None:
    reader = bearer("reader")
    lookup = ways.fast.lookup
    read = lookup._reader.read

    def overtaken(*given: Any) -> Any:
        found = read(*given)
        with filled("admin") as unit:
            AccessService(unit).revoke_key(reader["Authorization"].split("_")[1])
        return found

    lookup._reader.read = overtaken
    assert api.get(GREET, headers=reader).status_code == 200
    lookup._reader.read = read
    assert api.get(GREET, headers=reader).status_code == 401


def test_after_the_first_lookup_by_a_label_the_others_are_read_ahead(
    database: Database, filled: Units, ways: Ways, bearer: Bearer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reader, "BATCH", 2)
    headers = authorized(bearer("reader"))
    ways.same(GREET, headers)
    assert soon(lambda: not ways.fast.lookup._tasks)
    ways.fast.lookup._reader.read = None
    for name in ("greet", "tone", "divided"):
        assert ways.same(f"/v1/prompts/{name}", headers).status == 200


def test_reading_ahead_stops_at_half_of_the_memory(
    filled: Units, ways: Ways, api: Any, bearer: Bearer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reader, "BATCH", 1)
    lookup = ways.fast.lookup
    lookup.answers.limit = 6000
    api.get("/v1/prompts/tone", headers=bearer("reader"))
    assert soon(lambda: not lookup._tasks)
    assert 1 <= len(lookup.answers) <= 2


def test_an_answer_that_cannot_be_read_ahead_is_told_and_the_others_are_read_one_by_one(
    filled: Units, ways: Ways, api: Any, bearer: Bearer
) -> None:
    lookup, reader = ways.fast.lookup, bearer("reader")

    def fails(*_given: Any) -> Any:
        raise Unavailable("the database does not answer")

    lookup._reader.ahead = fails
    with capture_logs() as logs:
        assert api.get(GREET, headers=reader).status_code == 200
        assert soon(lambda: not lookup._tasks)
        assert api.get("/v1/prompts/tone", headers=reader).status_code == 200
    told = [(entry["label"], entry["error"]) for entry in logs if entry["event"] != "request"]
    assert told == [("production", "the database does not answer")]


# --- lookups stay up ----------------------------------------------------------------------------------------------------


def test_while_the_database_is_away_what_memory_holds_is_answered(postgres: Any, tmp_path: Any, clock: Any) -> None:
    with postgres.copy() as url, capture_logs() as logs:
        app = create_app(read_settings(data_dir=tmp_path, database_url=url), clock=clock)
        caller = local_caller(app.parts.database, clock())
        with app.parts.database.write() as session:
            unit = UnitOfWork(session, caller, clock, app.parts.settings)
            register(unit, "greet", "one", "production")
            register(unit, "greet", "two")
            headers = {"Authorization": f"Bearer {AccessService(unit).create_key('k', Role.AUTHOR)[1]}"}
        name = app.parts.database.engine.url.database
        with TestClient(app, base_url="http://127.0.0.1") as client:
            assert client.get(GREET, headers=headers).json()["version"] == 1
            assert soon(lambda: app.parts.changes.now(caller.project) is not None)
            postgres.run(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
            postgres.run(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'")
            assert soon(lambda: any("cannot be asked" in entry["event"] for entry in logs))
            assert [client.get(GREET, headers=headers).status_code for _ in range(20)] == [200] * 20
            away = client.get(f"{GREET}?version=2", headers=headers)
            assert (away.status_code, away.json()["code"], away.headers["retry-after"]) == (503, "unavailable", "1")
            postgres.run(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")
            assert client.put(f"{GREET}/labels/production", json={"version": 2}, headers=headers).status_code == 200
            assert client.get(GREET, headers=headers).json()["version"] == 2


def test_a_change_that_cannot_be_read_leaves_memory_as_it_was_for_a_while(
    database: Database, filled: Units, ways: Ways, api: Any, bearer: Bearer, monkeypatch: pytest.MonkeyPatch
) -> None:
    reader, lookup, hangs = bearer("reader"), ways.fast.lookup, threading.Event()
    assert api.get(GREET, headers=reader).json()["version"] == 1
    assert soon(lambda: not lookup._tasks)
    changed = lookup._reader.changed

    def refused(*_given: Any) -> Any:
        raise Unavailable("the database does not answer")

    def hanging(*_given: Any) -> Any:
        hangs.wait(10)
        raise Unavailable("late")

    with filled("author") as unit:
        Labels(unit).move("greet", "production", 2, "unseen")
    monkeypatch.setattr(module, "CHANGES_PAUSE_SECONDS", 60.0)
    for broken, patience, told in ((refused, 60.0, "the database does not answer"), (hanging, 0.02, "no answer for 0.02 s")):
        monkeypatch.setattr(module, "CHANGES_TIMEOUT_SECONDS", patience)
        lookup._reader.changed, lookup._pause_until = broken, 0.0
        with capture_logs() as logs:
            assert [api.get(GREET, headers=reader).json()["version"] for _ in range(3)] == [1, 1, 1]
        assert [entry["error"] for entry in logs if "error" in entry] == [told]
    hangs.set()
    monkeypatch.setattr(module, "CHANGES_TIMEOUT_SECONDS", 60.0)
    lookup._reader.changed, lookup._pause_until = changed, 0.0
    assert api.get(GREET, headers=reader).json()["version"] == 2


def test_no_lookup_waits_for_writers_however_many_there_are(
    sqlite: Database, filled: Units, ways: Ways, api: Any, bearer: Bearer
) -> None:
    """Every connection of the service's own is taken, and one of them holds the write lock."""
    reader, connections = bearer("reader"), [sqlite.engine.connect() for _ in range(30)]
    connections[0].exec_driver_sql("UPDATE project SET name = name")
    assert [api.get(GREET, headers=reader).status_code for _ in range(2)] == [200, 200]
    for connection in connections:
        connection.close()


# --- logs ---------------------------------------------------------------------------------------------------------------


def test_only_lookups_that_took_their_time_or_failed_are_logged(
    filled: Units, ways: Ways, api: Any, bearer: Bearer, monkeypatch: pytest.MonkeyPatch
) -> None:
    reader, lookup = bearer("reader"), ways.fast.lookup
    monkeypatch.setattr(module, "SLOW_SECONDS", 60.0)
    with capture_logs() as logs:
        quick = [api.get(GREET, headers=reader) for _ in range(3)]
        api.get("/v1/prompts/unknown", headers=reader)
        monkeypatch.setattr(module, "SLOW_SECONDS", 0.0)
        slow = api.get(f"{GREET}?version=1", headers=reader)
    assert [(entry["path"], entry["status"], entry["log_level"]) for entry in logs] == [
        ("/v1/prompts/unknown", 404, "info"),
        (GREET, 200, "info"),
    ]
    assert logs[1]["request"] == slow.headers["x-request-id"]
    assert reader["Authorization"][7:] not in str(logs)
    assert len({answer.headers["x-request-id"] for answer in [*quick, slow]}) == 4
    assert (lookup.counts.read, lookup.counts.remembered) == (2, 2)


def test_every_lookup_is_logged_where_everything_is(filled: Units, app: Any, api: Any, bearer: Bearer) -> None:
    app.lookup._logs_all = True
    reader = bearer("reader")
    with capture_logs() as logs:
        for _ in range(3):
            api.get(GREET, headers=reader)
    told = [(entry["path"], entry["status"], entry["log_level"]) for entry in logs]
    assert told[1:] == [(GREET, 200, "debug")] * 2
    assert told[0][:2] == (GREET, 200)
