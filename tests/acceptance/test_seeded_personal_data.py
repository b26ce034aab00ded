"""Personal data in every field that a sender controls is afterwards in no file, row, log, answer or error of the service."""

import gzip
import json
import subprocess
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import product
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import inspect, text
from sqlmodel import col, func, select

from factories.databases import Postgres, file_bytes
from factories.otlp_captures import KEPT_FOR_YEARS
from factories.otlp_requests import attributes, chat, in_protobuf, logs, request
from factories.seeded_data import (
    SENSITIVE,
    Seeds,
    evaluation_event,
    seeded_call,
    seeded_captures,
    seeded_records,
    traces_requests,
)
from factories.served_process import PROMPTUARY, ServedProcess, served_process, wait_until
from promptuary.core.database import Database
from promptuary.review.tables import ItemRow
from promptuary.traffic.tables import ObservationRow, OnlineScoreRow

pytestmark = pytest.mark.acceptance
TRIAGE = {"type": "text", "format": "mustache", "template": "Sort this ticket: {{ticket}}", "labels": ["production"]}
LETTER = {
    "type": "text",
    "template": "Write to {{customer}}.",
    "variables": {"customer": {"type": "string", "sensitive": True}},
}
SUITE = {
    "name": "tickets",
    "prompt": "support.triage",
    "dataset": "known",
    "models": ["echo:"],
    "scorers": [{"type": "word-count", "value": {"max": 50}, "name": "short"}],
}
RULE = {"prompt": "support.triage", "queue": "production", "share": 1.0, "scorers": SUITE["scorers"]}
SINCE = {"since": "2026-01-01T00:00:00Z"}
LEFT_OUT = ("/v1/stream", "/v1/search", "/v1/prompts/{name}/similar", "/v1/prompts/{name}/input-drift")
"""A stream, which does not end, and what loads the embedding model."""
COMMANDS = (
    ("traffic", "show"),
    ("traffic", "observations", "support.triage", "--json"),
)


@contextmanager
def worker_of(server: ServedProcess, folder: Path) -> Iterator[Path]:
    """Run a worker on the database of a server; yield its log."""
    log_file = folder / "worker.log"
    with log_file.open("wb") as output:
        process = subprocess.Popen([*PROMPTUARY, "worker"], env=server.environment, stdout=output, stderr=output)
    try:
        yield log_file
    finally:
        process.terminate()
        process.wait(60)


class Sender:
    """Sends personal data in every field, and keeps what is answered."""

    def __init__(self, server: ServedProcess) -> None:
        self.server = server
        self.seeds = Seeds()
        self.responses: dict[str, list[bytes]] = {}

    def send(self, place: str, method: str, path: str, **content: Any) -> httpx.Response:
        """Send a request with personal data in its headers, too; keep the answer under a place."""
        headers = {
            "x-request-id": self.seeds.address(f"{place} x-request-id"),
            "user-agent": self.seeds.address(f"{place} user-agent"),
            "baggage": f"user={self.seeds.address(f'{place} baggage')}",
            "traceparent": self.seeds.address(f"{place} traceparent"),
            "referer": f"https://example.com/?q={self.seeds.address(f'{place} referer')}",
            "cookie": f"a={self.seeds.address(f'{place} cookie')}",
            **content.pop("headers", {}),
        }
        answer = self.server.client.request(method, path, headers=headers, **content)
        self.responses.setdefault(place, []).append(answer.content + str(answer.headers).encode())
        return answer


def send_traces(sender: Sender) -> None:
    """Send the spans of all captures in both encodings, and log records, each with one text that is personal data."""
    for body in traces_requests(list(seeded_captures(sender.seeds, by_emitter=True))):
        answer = sender.send("traces", "POST", "/v1/otlp/v1/traces", json=body)
        assert answer.status_code == 200, answer.text
    for number, body in enumerate(traces_requests(list(seeded_captures(sender.seeds, by_emitter=False)))):
        for each in body["resourceSpans"]:
            for span in each["scopeSpans"][0]["spans"]:
                span["traceId"] = "f" + span["traceId"][1:]
        path = "/api/public/otel/v1/traces" if number % 2 else "/v1/otlp/v1/traces"
        headers = {"content-type": "application/x-protobuf", "content-encoding": "gzip"}
        answer = sender.send("traces", "POST", path, content=gzip.compress(in_protobuf(body), 1), headers=headers)
        assert answer.status_code == 200, answer.text
    records = [each["record"] for each in seeded_records(sender.seeds)]
    assert sender.send("logs", "POST", "/v1/otlp/v1/logs", content=logs(*records), headers=JSON).status_code == 200


JSON = {"content-type": "application/json"}


def send_free_fields(sender: Sender) -> None:
    """Send what no emitter sends: trace states, links, events, and texts where ids are expected."""
    seeds = sender.seeds
    text = seeds.text
    event = {"name": text("event name"), "timeUnixNano": "1", "attributes": attributes({text("event key"): text("event")})}
    exception = {
        "name": "exception",
        "attributes": attributes({"exception.message": text("exception"), "exception.type": text("type")}),
    }
    link = {"traceId": "ab" * 16, "spanId": "cd" * 8, "traceState": text("link"), "attributes": attributes({"a": text("link")})}
    span = chat(
        {
            "gen_ai.prompt.name": "support.triage",
            "gen_ai.prompt.version": "1",
            f"gen_ai.prompt.variable.{text('variable name')}": text("variable"),
            "gen_ai.input.messages": json.dumps([{"role": "user", "parts": [{"type": "text", "content": text("part")}]}]),
            "user.id": text("user"),
        },
        traceState=f"a={text('trace state')}",
        status={"code": 2, "message": text("status")},
        events=[event, exception],
        links=[link],
        name=text("span name"),
    )
    for wrong in (
        span,
        span | {"traceId": text("trace id")},
        span | {"spanId": text("span id")},
        {text("member"): 1},
        span | {text("m"): {}},
    ):
        sender.send("traces", "POST", "/v1/otlp/v1/traces", json=request(wrong, service=text("service"), scope=text("scope")))
    for body in (text("traces").encode(), json.dumps({"resourceSpans": text("t")}).encode(), json.dumps(text("x")).encode()):
        for path in ("/v1/otlp/v1/traces", "/v1/otlp/v1/logs", "/v1/otlp/v1/metrics", "/v1/observations", "/v1/feedback"):
            for kind in JSON["content-type"], "application/x-protobuf", seeds.address("content type"):
                sender.send("malformed", "POST", path, content=body, headers={"content-type": kind})
    sender.send(
        "logs",
        "POST",
        "/v1/otlp/v1/logs",
        content=logs(evaluation_event(seeds, "ab" * 8), evaluation_event(seeds, "")),
        headers=JSON,
    )


def send_calls(sender: Sender) -> None:
    """Send calls in the own form: whole ones, those that are refused, and those with a sensitive variable."""
    seeds = sender.seeds
    prompts: list[dict[str, Any]] = [
        {"prompt": "support.triage", "version": 1},
        {"prompt": seeds.address("prompt")},
        {},
        {"digest": "x"},
    ]
    for number, prompt in enumerate([*prompts, {"prompt": "support.triage", "version": 1, "status": "ok"}]):
        call = seeded_call(seeds, str(number)) | prompt
        answer = sender.send(
            "observations", "POST", "/v1/observations", json={"observations": [call]}, headers=idempotent(seeds)
        )
        assert answer.status_code == 202, answer.text
    for field in (
        "status",
        "at",
        "trace_id",
        "span_id",
        "version",
        "tokens",
        "cost",
        seeds.address("unknown field"),
        "input",
        "error",
    ):
        call = seeded_call(seeds, "refused") | {field: seeds.text(f"refused {field}")}
        assert sender.send("observations", "POST", "/v1/observations", json={"observations": [call]}).status_code == 422
    letter = {
        "id": "letter",
        "at": "2026-11-30T12:00:00Z",
        "prompt": "support.letter",
        "version": 1,
        "variables": {"customer": SENSITIVE},
        "input": [{"role": "user", "content": f"Write to {SENSITIVE}."}],
        "output": f"Dear {SENSITIVE.upper()}, {json.dumps({'to': SENSITIVE})}",
        "response_id": "letter-1",
        "conversation": SENSITIVE,
        "error": {"message": SENSITIVE},
        "status": "error",
    }
    calls = [letter, {**letter, "id": "without", "response_id": None, "variables": None}]
    assert sender.send("observations", "POST", "/v1/observations", json={"observations": calls}).status_code == 202


def idempotent(seeds: Seeds) -> dict[str, str]:
    """Return the header of a key under which a response is stored."""
    return {"idempotency-key": seeds.address("idempotency key")}


def send_feedback(sender: Sender) -> None:
    """Send feedback: on calls, late, in lists, refused, and with the value of a sensitive variable."""
    seeds = sender.seeds
    ordinary = {"prompt": "support.triage", "version": 1, "value": 0}
    texts = {name: seeds.text(name) for name in ("comment", "correction", "name", "user")}
    names = {"observation": seeds.address("feedback observation"), "trace_id": "ab" * 16, "span_id": "cd" * 8}
    whole = ordinary | texts | names
    assert sender.send("feedback", "POST", "/v1/feedback", json=whole, headers=idempotent(seeds)).status_code == 201
    for field in ("id", "digest", "trace_id", "span_id", "at", "value", "version", "prompt", seeds.address("feedback member")):
        refused = whole | {field: seeds.text(f"feedback {field}")}
        answer = sender.send("feedback", "POST", "/v1/feedback", json=refused, headers=idempotent(seeds))
        assert answer.status_code in (404, 422), answer.text
    missing = [ordinary | {"prompt": seeds.address("feedback prompt")}, ordinary | {"id": "49-170-1234567"}]
    missing.append(missing[0] | {"id": "4111111111111111"})
    assert sender.send("feedback", "POST", "/v1/feedback", json=missing[0]).status_code == 404
    answer = sender.send("feedback", "POST", "/v1/feedback", json={"items": missing}, headers=idempotent(seeds))
    assert answer.status_code == 202, answer.text
    quoting = {"prompt": "support.letter", "version": 1, "value": 0}
    quoting |= {"comment": f"{SENSITIVE} complained", "correction": f"Dear {SENSITIVE}"}
    for named in ({"observation": "letter-1"}, {"observation": "late"}, {}, {"user": SENSITIVE}):
        answer = sender.send("feedback", "POST", "/v1/feedback", json=quoting | named, headers=idempotent(seeds))
        assert answer.status_code == 201, answer.text
    evaluation = evaluation_event(seeds, "") | {
        "attributes": attributes(
            {
                "gen_ai.evaluation.name": "tone",
                "gen_ai.evaluation.score.value": 0.0,
                "gen_ai.response.id": "letter-1",
                "gen_ai.evaluation.score.label": "angry",
                "gen_ai.evaluation.explanation": f"{SENSITIVE} is angry",
            }
        )
    }
    assert sender.send("logs", "POST", "/v1/otlp/v1/logs", content=logs(evaluation), headers=JSON).status_code == 200


def ask_wrongly(sender: Sender) -> None:
    """Request what does not exist, with personal data in the path and the query."""
    seeds = sender.seeds
    for path in (
        "/v1/observations/{}",
        "/v1/feedback/{}",
        "/v1/prompts/{}/traffic",
        "/v1/traffic/rules/{}",
        "/v1/{}",
        "/v1/datasets/{}",
        "/{}",
    ):
        sender.send("wrong path", "GET", path.format(seeds.address(f"path {path}")))
    for path, names in (
        ("/v1/observations", "prompt status stratum feedback from to cursor version"),
        ("/v1/feedback", "prompt version observation name below cursor"),
    ):
        for name in names.split():
            sender.send("wrong query", "GET", path, params={name: seeds.address(f"query {path} {name}")})
    for path in ("/v1/otlp/v1/traces", "/v1/observations", "/v1/feedback"):
        parameters = {seeds.address(f"name in the query of {path}"): seeds.address(f"query of {path}")}
        sender.send("wrong query", "POST", path, params=parameters, json={})
    wrong_key = {"authorization": f"Bearer {seeds.address('key')}", "x-api-key": seeds.address("x-api-key")}
    sender.send("wrong key", "POST", "/v1/feedback", json={}, headers=wrong_key)
    sender.send("wrong key", "POST", "/v1/otlp/v1/traces", json={}, headers=wrong_key)
    sender.send("wrong method", "PATCH", f"/v1/observations/{seeds.address('patched')}", json={})


def readable_answers(server: ServedProcess, values: dict[str, list[str]]) -> dict[str, bytes]:
    """Return the answer to each GET that the OpenAPI document has, with each value of its parameters, and the metrics."""
    responses = {}
    paths = server.client.get("/openapi.json").json()["paths"]
    for template, methods in paths.items():
        if "get" not in methods or template in LEFT_OUT:
            continue
        names = [part[1:-1] for part in template.split("/") if part.startswith("{")]
        required = [p["name"] for p in methods["get"].get("parameters", []) if p["in"] == "query" and p.get("required")]
        for chosen in product(*(values.get(name, ["none"]) for name in (*names, *required))):
            path = template
            for name, value in zip(names, chosen, strict=False):
                path = path.replace("{" + name + "}", value)
            answer = server.client.get(
                path, params=dict(zip(required, chosen[len(names) :], strict=True)) | limits(methods["get"])
            )
            responses[f"{path} {answer.status_code}"] = answer.content
    return responses


def limits(operation: dict[str, Any]) -> dict[str, str]:
    """Return the parameters that request as much as there is."""
    names = {parameter["name"] for parameter in operation.get("parameters", [])}
    return {
        name: value for name, value in (("limit", "200"), ("from", SINCE["since"]), ("since", SINCE["since"])) if name in names
    }


def all_rows(database: Database) -> bytes:
    """Return every value of every table, and what is compressed among them decompressed."""
    pieces = []
    with database.read() as session:
        for table in inspect(session.connection()).get_table_names():
            for row in session.execute(text(f'SELECT * FROM "{table}"')):
                for value in row:
                    pieces.append(bytes(value) if isinstance(value, bytes | memoryview) else str(value).encode())
                    if isinstance(value, bytes | memoryview):
                        pieces.append(decompressed(bytes(value)))
    return b"\n".join(pieces)


def decompressed(value: bytes) -> bytes:
    """Return what zlib or gzip has compressed; nothing for other bytes."""
    try:
        return zlib.decompress(value, 32 + zlib.MAX_WBITS)
    except zlib.error:
        return b""


def test_personal_data_that_is_sent_is_nowhere_afterwards(
    tmp_path: Path, empty_url: str, request: pytest.FixtureRequest
) -> None:
    variables = {
        "PROMPTUARY_DATABASE_URL": empty_url,
        "PROMPTUARY_LOG_LEVEL": "DEBUG",
        "PROMPTUARY_TRAFFIC_SAMPLE": "1",
        "PROMPTUARY_TRAFFIC_KEEP": "all",
        "PROMPTUARY_TRAFFIC_WAIT": "2",
        **KEPT_FOR_YEARS,
    }
    database = Database(empty_url)
    with served_process(tmp_path, **variables) as server:
        for path, body in (
            ("prompts/support.triage", TRIAGE),
            ("prompts/support.letter", LETTER),
            ("datasets/known", {"cases": [{"id": "a", "vars": {"ticket": "x"}}]}),
        ):
            server.client.post(f"/v1/{path}/versions", json=body).raise_for_status()
        for path, body in (("suites/tickets", SUITE), ("queues/production", {}), ("traffic/rules/all", RULE)):
            answer = server.client.put(f"/v1/{path}", json=body)
            assert answer.is_success, answer.text
        sender = Sender(server)
        for send in (send_traces, send_free_fields, send_calls, send_feedback, ask_wrongly):
            send(sender)
        with worker_of(server, tmp_path) as worker_log:
            leaks = {place: sender.seeds.leaks(b"\n".join(responses)) for place, responses in sender.responses.items()}
            wait_until(lambda: is_settled(database), 120)
            leaks |= look_at_answers(server, sender.seeds, database)
        for place, log in (("server's log", server.log.encode()), ("worker's log", worker_log.read_bytes())):
            leaks[place] = sender.seeds.leaks(log)
        leaks["rows"] = sender.seeds.leaks(all_rows(database))
        leaks["files"] = sender.seeds.leaks(stored_files(database, tmp_path, request))
    database.dispose()
    assert {place: sorted(fields)[:20] for place, fields in leaks.items() if fields} == {}


def is_settled(database: Database) -> bool:
    """Return whether all calls have their place in the sample, reviewers have items, and scorers ran."""
    with database.read() as session:
        waiting = session.exec(select(func.count()).where(~col(ObservationRow.is_settled))).one()
        counts = [session.exec(select(func.count()).select_from(model)).one() for model in (ItemRow, OnlineScoreRow)]
    return waiting == 0 and min(counts) > 20


def look_at_answers(server: ServedProcess, seeds: Seeds, database: Database) -> dict[str, set[str]]:
    """Make cases and a run of the sample, and return what leaks in answers and in the output of commands."""
    client = server.client
    client.post("/v1/traffic/datasets", json={"prompt": "support.triage", "dataset": "real", **SINCE}).raise_for_status()
    run = (
        client.post("/v1/traffic/runs", json={"suite": "tickets", "version": 1, "limit": 30, **SINCE})
        .raise_for_status()
        .json()["id"]
    )
    wait_until(lambda: client.get(f"/v1/runs/{run}").json()["state"] == "finished", 120)
    claim = client.post("/v1/queues/production/claims", json={})
    claim.raise_for_status()
    observations = client.get("/v1/observations", params={"limit": 200}).json()["items"]
    assert len(observations) > 100
    values = {
        "name": ["support.triage", "production", "all"],
        "dataset": ["real", "known"],
        "suite": ["tickets"],
        "run": [run],
        "observation": [each["id"] for each in observations[:8]],
        "id": [claim.json()["id"]],
        "number": ["1"],
        "label": ["production"],
        "baseline": ["production"],
        "q": ["mail"],
    }
    responses = readable_answers(server, values)
    expected = ("/v1/observations", "/v1/feedback", "/v1/datasets/real", f"/v1/runs/{run}/results", "/v1/audit", "/metrics")
    assert [path for path in expected if f"{path} 200" not in responses] == []
    leaks = {path: seeds.leaks(content) for path, content in responses.items()}
    leaks["claim"] = seeds.leaks(claim.content)
    for command in COMMANDS:
        finished = server.command(*command)
        assert finished.returncode == 0, finished.stderr
        leaks[" ".join(command)] = seeds.leaks((finished.stdout + finished.stderr).encode())
    return leaks


def stored_files(database: Database, folder: Path, request: pytest.FixtureRequest) -> bytes:
    """Return the bytes of all files of the service, and of the database, with its write-ahead log."""
    files = b"".join(file.read_bytes() for file in folder.rglob("*") if file.is_file())
    if database.engine.dialect.name == "sqlite":
        return files + file_bytes(database)
    postgres: Postgres = request.getfixturevalue("postgres")
    postgres.run("CHECKPOINT")
    return files + b"".join(file.read_bytes() for file in postgres.folder.rglob("*") if file.is_file())
