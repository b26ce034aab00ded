"""Direct calls of the services do what the same requests do through the app: responses, errors, audit, events, outbox."""

import json
import shutil
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from cli.conftest import restored_process_state
from promptuary.cli.connection import ApiClient
from promptuary.cli.embedded import service
from promptuary.cli.embedded.direct_call import NotDirect
from promptuary.cli.embedded.service import EmbeddedService
from promptuary.prompt.errors import Invalid, PromptuaryError

GREETING = {"type": "text", "template": "Hi {{name}}", "labels": ["production"], "tags": ["a"], "message": "first"}
CHAT = {"type": "chat", "template": [{"role": "user", "content": "Hello {{name}}"}], "config": {"b": 1, "a": [1.50]}}
INCLUDING = {"type": "text", "template": "{{> greet}} and {{> greet@1}}"}
WRITES: list[tuple[str, str, Any]] = [
    ("POST", "/prompts/greet/versions", GREETING),
    ("POST", "/prompts/greet/versions", GREETING | {"message": "again"}),
    ("POST", "/prompts/greet/versions", {"type": "text", "template": "Hello {{name}}, {{place}}"}),
    ("POST", "/prompts/chat/versions", CHAT),
    ("POST", "/prompts/twin/versions", GREETING),
    ("POST", "/prompts/both/versions", INCLUDING),
    ("POST", "/prompts/bad/versions", {"type": "text", "template": "{{> unknown}}"}),
    ("POST", "/prompts/bad/versions", {"type": "text", "template": "{{"}),
    ("POST", "/prompts/bad/versions", {"type": "text"}),
    ("POST", "/prompts/bad/versions", {"type": "text", "template": "a", "labels": ["latest"]}),
    ("POST", "/prompts/bad/versions", {"type": "text", "template": "a\u0000b"}),
    ("POST", "/prompts/Bad Name/versions", GREETING),
    ("POST", "/prompts/greet/preview", GREETING),
    ("POST", "/prompts/new/preview", CHAT),
    ("PUT", "/prompts/greet/versions/1/tags", {"tags": ["b", "team=search"]}),
    ("PUT", "/prompts/greet/versions/1/tags", {"tags": []}),
    ("PUT", "/prompts/greet/versions/1/tags", {"tags": [""]}),
    ("PUT", "/prompts/greet/versions/9/tags", {"tags": ["b"]}),
    ("PUT", "/prompts/greet/labels/production", {"version": 2, "reason": "better"}),
    ("PUT", "/prompts/greet/labels/production", {"version": 9, "reason": ""}),
    ("PUT", "/prompts/greet/labels/latest", {"version": 1, "reason": ""}),
    ("PUT", "/prompts/greet/labels/staging", {"version": "1"}),
    ("PUT", "/prompts/greet/labels/staging", {"split": [{"version": 1, "weight": 90}, {"version": 2, "weight": 10}]}),
    ("POST", "/prompts/both/renew", {"message": "renewed"}),
    ("POST", "/prompts/both/renew", {"message": "renewed"}),
    ("POST", "/prompts/greet/labels/production/rollback", {"reason": "worse"}),
    ("POST", "/prompts/greet/labels/production/rollback", {"reason": "worse", "to": 7}),
    ("DELETE", "/prompts/twin/labels/production", None),
    ("DELETE", "/prompts/twin/labels/production", None),
    ("POST", "/prompts/twin/archive", {"reason": "unused"}),
    ("POST", "/prompts/twin/versions", GREETING),
    ("POST", "/prompts/chat/archive", {"reason": "x"}),
    ("POST", "/prompts/chat/restore", {"reason": "y"}),
    ("POST", "/prompts/unknown/archive", {"reason": "x"}),
    ("POST", "/keys", {"name": "ci", "role": "nobody"}),
    ("POST", "/keys", {"name": "", "role": "author"}),
    ("POST", "/keys", {"name": "ci", "role": "author", "days": 0}),
    ("DELETE", "/keys/unknown", None),
]
READS: list[tuple[str, dict[str, Any]]] = [
    ("/prompts/greet", {}),
    ("/prompts/greet", {"label": "latest"}),
    ("/prompts/greet", {"label": "nothing"}),
    ("/prompts/greet", {"label": "staging", "targeting_key": "user 7"}),
    ("/prompts/greet", {"label": "production", "version": 1}),
    ("/self", {}),
    ("/keys", {"limit": 200}),
    ("/keys", {"cursor": "x"}),
    ("/audit/verify", {}),
    ("/audit/verify", {"sequence": 3, "digest": f"sha256:{'0' * 64}"}),
    ("/audit/verify", {"sequence": 3}),
    ("/audit/verify", {"digest": "sha256:1"}),
    ("/prompts/greet", {"version": 2}),
    ("/prompts/greet", {"version": 20}),
    ("/prompts/greet", {"version": 0}),
    ("/prompts/greet", {"as_of": "yesterday"}),
    ("/prompts/both", {"label": "latest"}),
    ("/prompts/chat", {"label": "latest"}),
    ("/prompts/twin", {}),
    ("/prompts/unknown", {}),
    ("/prompts/a%2Fb", {}),
    ("/prompts", {}),
    ("/prompts", {"limit": 2}),
    ("/prompts", {"archived": True}),
    ("/prompts", {"search": "gre"}),
    ("/prompts", {"search": "ünlike"}),
    ("/prompts", {"cursor": "nonsense"}),
    ("/prompts", {"limit": 0}),
    ("/prompts/greet/versions", {}),
    ("/prompts/greet/versions", {"limit": 1}),
    ("/prompts/unknown/versions", {}),
    ("/prompts/greet/versions/1", {}),
    ("/prompts/greet/versions/3", {}),
    ("/prompts/greet/versions/01", {}),
    ("/prompts/greet/diff", {"from": "1", "to": "latest"}),
    ("/prompts/greet/diff", {"from": "1", "to": "nothing"}),
    ("/prompts/greet/diff", {"from": "1"}),
    ("/prompts/greet/dependents", {}),
    ("/prompts/greet/labels/production/history", {"limit": 2}),
    ("/prompts/greet/labels/none/history", {}),
    ("/prompts/greet/labels", {}),
]
RENDERS: list[tuple[str, dict[str, Any]]] = [
    ("greet", {"variables": {"name": "Ann"}, "version": 1}),
    ("greet", {"variables": {}, "version": 1}),
    ("greet", {"variables": {"name": "Ann"}, "label": "nothing"}),
    ("chat", {"variables": {"name": "Ann"}, "label": "latest"}),
    ("greet", {"variables": {"name": "Ann"}, "label": "No Label"}),
    ("unknown", {"variables": {}}),
]


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory, migrated_file: Path) -> tuple[Path, Path]:
    """Two data directories with migrated, empty databases."""
    folders = tmp_path_factory.mktemp("direct"), tmp_path_factory.mktemp("app")
    for folder in folders:
        shutil.copy(migrated_file, folder)
    return folders


@pytest.fixture(scope="module")
def services(folders: tuple[Path, Path]) -> Iterator[tuple[EmbeddedService, EmbeddedService]]:
    """The services of both directories, after the same writes: directly in the first, through the app in the second."""
    with pytest.MonkeyPatch.context() as patch, restored_process_state():
        patch.setenv("PROMPTUARY_DATA_DIR", str(folders[0]))
        direct = EmbeddedService(None)
        patch.setenv("PROMPTUARY_DATA_DIR", str(folders[1]))
        with closing(direct), closing(EmbeddedService(None)) as through_app:
            yield direct, through_app


def outcome(embedded: EmbeddedService, method: str, path: str, query: dict[str, Any], body: Any) -> Any:
    """Return the response of a request, or the error that a command reports, without what differs by the time."""
    more = {"params": query} if body is None else {"json": body}
    try:
        response = ApiClient(embedded=embedded)._call(method, path, **more)
    except PromptuaryError as error:
        field_errors = [(wrong.path, wrong.message) for wrong in error.field_errors] if isinstance(error, Invalid) else []
        return type(error).__name__, error.code, error.message, field_errors
    return timeless(response)


def direct_outcome(embedded: EmbeddedService, method: str, path: str, query: dict[str, Any], body: Any) -> Any:
    """Return the response of a direct call, which must not need the app."""
    return timeless(json.loads(embedded.call(method, path, query, body) or "null"))


def timeless(value: Any) -> Any:
    match value:
        case dict():
            return {name: timeless(member) for name, member in value.items() if not name.endswith("_at") and name != "at"}
        case list():
            return [timeless(member) for member in value]
    return value


def rows(embedded: EmbeddedService, query: str) -> list[Any]:
    with embedded.database.read() as session:
        return [tuple(row) for row in session.connection().execute(text(query))]


def test_both_ways_do_the_same(services: tuple[EmbeddedService, EmbeddedService], monkeypatch: pytest.MonkeyPatch) -> None:
    direct, through_app = services
    for method, path, body in WRITES:
        expected = without_direct_calls(through_app, method, path, {}, body)
        assert outcome(direct, method, path, {}, body) == expected, (method, path, body)
    for path, query in READS:
        expected = without_direct_calls(through_app, "GET", path, query, None)
        assert outcome(direct, "GET", path, query, None) == expected, (path, query)
    for name, body in RENDERS:
        expected = without_direct_calls(through_app, "POST", f"/prompts/{name}/render", {}, body)
        assert outcome(direct, "POST", f"/prompts/{name}/render", {}, body) == expected, (name, body)
    for query in (
        "SELECT actor, action, subject, detail FROM audit ORDER BY id",
        "SELECT revision, kind, detail FROM event ORDER BY revision",
        "SELECT topic, payload FROM outbox ORDER BY id",
    ):
        assert rows(direct, query) == rows(through_app, query)
    assert len(rows(direct, "SELECT id FROM audit")) > 10


def without_direct_calls(embedded: EmbeddedService, method: str, path: str, query: dict[str, Any], body: Any) -> Any:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(service, "_ROUTES", ())
        return outcome(embedded, method, path, query, body)


@pytest.mark.parametrize(
    ("method", "path", "query", "body"),
    [
        ("GET", "/prompts/greet", {"label": "pmt_x"}, None),
        ("GET", "/prompts/greet", {"version": True}, None),
        ("GET", "/prompts/greet", {"unknown": "1"}, None),
        ("POST", "/prompts/greet/preview", {"unknown": "1"}, GREETING),
        ("PUT", "/prompts/greet/labels/staging", {"unknown": "1"}, {"version": 1}),
        ("GET", "/prompts", {"search": "a\u0000"}, None),
        ("GET", "/prompts/greet/versions/0", {}, None),
        ("GET", "/projects", {}, None),
        ("DELETE", "/keys/a b", {}, None),
        ("GET", "/audit/verify", {"sequence": 0, "digest": "sha256:1"}, None),
        ("POST", "/prompts/greet/versions?similar=true", {}, GREETING),
        ("POST", "/prompts/greet/versions", {}, GREETING | {"unknown": 1}),
        ("POST", "/prompts/greet/versions", {}, GREETING | {"template": "\ud800"}),
        ("POST", "/prompts/greet/versions", {}, GREETING | {"config": {"a": float("nan")}}),
        ("POST", "/prompts/greet/versions/1/erase", {}, {"reason": "x"}),
    ],
)
def test_what_is_not_plain_is_left_to_the_app(
    services: tuple[EmbeddedService, EmbeddedService], method: str, path: str, query: dict[str, Any], body: Any
) -> None:
    with pytest.raises(NotDirect):
        services[0].call(method, path, query, body)


def test_keys_and_the_head_of_the_audit_chain_are_the_same(services: tuple[EmbeddedService, EmbeddedService]) -> None:
    direct, through_app = services
    heads = []
    for embedded, call in ((direct, direct_outcome), (through_app, without_direct_calls)):
        created = call(embedded, "POST", "/keys", {}, {"name": "ci", "role": "author", "days": 30})
        text_of_key, key_id = created.pop("key"), created.pop("id")
        assert text_of_key.startswith("pmt_")
        listed = call(embedded, "GET", "/keys", {"limit": 10}, None)["items"]
        assert [key.pop("id") for key in listed] == [key_id]
        assert call(embedded, "DELETE", f"/keys/{key_id}", {}, None) is None
        head = call(embedded, "GET", "/audit/head", {}, None)
        recorded_head = {"sequence": head["sequence"], "digest": head.pop("digest")}
        heads.append((created, listed, head, call(embedded, "GET", "/audit/verify", recorded_head, None)))
    assert heads[0] == heads[1]
    assert heads[0][-1]["reason"] is None


def test_a_lookup_is_the_same_to_the_byte(services: tuple[EmbeddedService, EmbeddedService]) -> None:
    direct, _ = services
    direct.call("POST", "/prompts/exact/versions", {}, CHAT | {"labels": ["production"]})
    over_http = direct.client.get("/v1/prompts/exact").content
    assert direct.call("GET", "/prompts/exact", {}) == over_http.decode()
    assert json.loads(over_http)["config"] == {"b": 1, "a": [1.5]}


CASES = b'{"id": "c1", "vars": {"name": "Ann"}, "expected": "Hi Ann"}\n{"vars": {"name": "Bo"}}\n'
SUITE = {
    "name": "greetings",
    "prompt": "evaluated",
    "dataset": "names",
    "models": ["echo:"],
    "scorers": [{"type": "contains", "value": "Hi"}],
}
EVALUATIONS: list[tuple[str, str, Any]] = [
    ("POST", "/prompts/evaluated/versions", GREETING),
    ("POST", "/datasets/names/versions", CASES),
    ("POST", "/datasets/names/versions", CASES),
    ("POST", "/datasets/names/versions", b'{"vars": '),
    ("POST", "/datasets/names/versions", b""),
    ("POST", "/datasets/names/versions", b'{"id": "c1"}\n{"id": "c1"}\n'),
    ("POST", "/datasets/No Name/versions", CASES),
    ("PUT", "/suites/greetings", SUITE),
    ("PUT", "/suites/other", SUITE),
    ("PUT", "/suites/greetings", SUITE | {"scorers": [{"type": "unknown"}]}),
    ("PUT", "/suites/greetings", SUITE | {"unknown": 1}),
    ("GET", "/suites/greetings", None),
    ("GET", "/suites/unknown", None),
    ("POST", "/runs/check", {"suite": "greetings"}),
    ("POST", "/runs/check", {"suite": "greetings", "version": 9}),
    ("POST", "/runs", {"suite": "unknown"}),
    ("POST", "/runs", {"suite": "greetings", "repeats": 0}),
    ("POST", "/runs", {"suite": "greetings", "dataset_version": 1}),
    ("GET", "/runs/{run}", None),
    ("GET", "/runs/{run}/results", None),
    ("POST", "/runs/{run}/interrupt", {}),
    ("POST", "/runs/{run}/interrupt", {}),
    ("GET", "/runs/run_00", None),
    ("GET", "/runs/none", None),
    ("POST", "/runs/run_00/interrupt", {}),
]


def evaluated(embedded: EmbeddedService) -> list[Any]:
    """Return the outcomes of all requests about evaluations; the id of the run, which depends on the time, is left out."""
    outcomes, run = [], ""
    for method, path, body in EVALUATIONS:
        lines = isinstance(body, bytes)
        more = (
            {"content": [body[:9], body[9:]], "headers": {"Content-Type": "application/x-ndjson"}} if lines else {"json": body}
        )
        try:
            response = ApiClient(embedded=embedded)._call(method, path.format(run=run), **({} if body is None else more))
        except PromptuaryError as error:
            fields = [(wrong.path, wrong.message) for wrong in error.field_errors] if isinstance(error, Invalid) else []
            outcomes.append((type(error).__name__, error.code, error.message.replace(run or "no run", "run"), fields))
            continue
        run = response["id"] if path == "/runs" else run
        outcomes.append(json.loads(json.dumps(timeless(response)).replace(run or "no run", "run")))
    return outcomes


def test_both_ways_evaluate_the_same(services: tuple[EmbeddedService, EmbeddedService]) -> None:
    direct, through_app = services
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(service, "_ROUTES", ())
        expected = evaluated(through_app)
    for request, outcome_of_app, outcome_of_call in zip(EVALUATIONS, expected, evaluated(direct), strict=True):
        assert outcome_of_call == outcome_of_app, request
    assert [outcome["state"] for outcome in expected if isinstance(outcome, dict) and "state" in outcome] == [
        *("queued", "queued", "interrupted"),
    ]


def test_a_dataset_over_the_limit_is_refused_both_ways(folders: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PROMPTUARY_DATA_DIR", str(folders[0]))
    monkeypatch.setenv("PROMPTUARY_DATASET_LIMIT", "1024")
    lines = b"\n".join(b'{"vars": {"name": "Ann"}}' for _ in range(100))
    messages = []
    with restored_process_state(), closing(EmbeddedService(None)) as embedded:
        for routes in (service._ROUTES, ()):
            monkeypatch.setattr(service, "_ROUTES", routes)
            with pytest.raises(PromptuaryError) as refused:
                ApiClient(embedded=embedded).post_lines("/datasets/large/versions", [lines])
            messages.append((type(refused.value), refused.value.code, str(refused.value)))
    assert messages[0] == messages[1]
    assert "1024 bytes" in messages[0][2]
