"""Personal data in every field that a sender controls, each field with an e-mail address of its own to find it again."""

import base64
import json
import re
from collections.abc import Iterator
from copy import deepcopy
from typing import Any

from factories.otlp_captures import captures
from factories.otlp_requests import attributes

SENSITIVE = "Xaverine Quastelhuber"
"""The value of a sensitive variable, which no pattern finds."""
_ADDRESS = re.compile(rb"zq(\d{6})\.berg")
_OTHERS = ("4111 1111 1111", "4111111111", "0532 0130", "170 1234567", "abcdefghijklmnop12", SENSITIVE, "Quastelhuber")
_ENCODED = [base64.b64encode(b" " * shift + b"berg@example.org")[4:-4] for shift in range(3)]
_RANDOM_ID = re.compile(r"[0-9a-f]{16,32}")
_BATCH_BYTES = 4_000_000


class Seeds:
    """Texts with personal data; each names a field, and `leaks` returns the fields whose text is in some bytes."""

    def __init__(self) -> None:
        self._fields: list[str] = []

    def address(self, field: str) -> str:
        """Return an e-mail address that belongs to a field."""
        self._fields.append(field)
        return f"zq{len(self._fields) - 1:06d}.berg@example.org"

    def text(self, field: str) -> str:
        """Return a text with personal data of each kind."""
        return (
            f"mail {self.address(field)} card 4111 1111 1111 1111 IBAN DE89 3704 0044 0532 0130 00 phone +49 170 1234567 "
            "key sk-proj-abcdefghijklmnop12"
        )

    def leaks(self, content: bytes) -> set[str]:
        """Return the fields whose personal data is in some bytes, as it is, escaped or in base64."""
        leaked = {self._fields[int(match[1])] for match in _ADDRESS.finditer(content)}
        leaked |= {part for part in _OTHERS if part.encode() in content}
        return leaked | {"base64" for part in _ENCODED if part in content}


def seeded_captures(seeds: Seeds, *, by_emitter: bool) -> Iterator[dict[str, Any]]:
    """Yield spans of real emitters with resource and scope, in each of which one text is personal data.

    Each attribute has its turn once, or once an emitter.
    """
    done: set[tuple[str, ...]] = set()
    for capture in captures():
        if not capture.is_json:
            continue
        request = json.loads(capture.body)
        family = capture.name.partition("-")[0] if by_emitter else ""
        for group in request["resourceSpans"]:
            for scope in group["scopeSpans"]:
                for span in scope["spans"]:
                    whole = {"resource": group.get("resource", {}), "scope": scope.get("scope", {}), "span": span}
                    yield from _seeded_copies(seeds, whole, family, done)


def seeded_records(seeds: Seeds) -> Iterator[dict[str, Any]]:
    """Yield log records of real emitters, in each of which one text is personal data."""
    done: set[tuple[str, ...]] = set()
    for capture in captures():
        if capture.is_json and capture.logs is not None:
            for group in json.loads(capture.logs)["resourceLogs"]:
                for scope in group["scopeLogs"]:
                    for record in scope["logRecords"]:
                        yield from _seeded_copies(seeds, {"record": record}, capture.name, done)


def traces_requests(spans: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Yield requests of a few megabytes with spans, each below its own resource and scope."""
    batch, size = [], 0
    for whole in spans:
        batch.append({"resource": whole["resource"], "scopeSpans": [{"scope": whole["scope"], "spans": [whole["span"]]}]})
        size += len(json.dumps(whole))
        if size > _BATCH_BYTES:
            yield {"resourceSpans": batch}
            batch, size = [], 0
    yield {"resourceSpans": batch}


def _seeded_copies(seeds: Seeds, whole: dict[str, Any], family: str, done: set[tuple[str, ...]]) -> Iterator[dict[str, Any]]:
    for path in list(_texts(whole, ())):
        kind = (family, *(re.sub(r"\d+", "", str(part)) for part in _names(whole, path)))
        if kind in done:
            continue
        done.add(kind)
        copy = deepcopy(whole)
        parent: Any = copy
        for part in path[:-1]:
            parent = parent[part]
        if path[-1] == "key":
            parent["key"] += f" {seeds.text('key of ' + ' '.join(kind))}"
        else:
            parent[path[-1]] = _seeded(seeds, parent[path[-1]], " ".join(kind))
        record = copy.get("span") or copy["record"]
        if record.get("traceId"):  # a call of its own, whose messages as log records have the same span
            record["traceId"] = f"{len(done):032x}"
        yield copy


def _texts(value: Any, path: tuple[Any, ...]) -> Iterator[tuple[Any, ...]]:
    """Yield the paths of texts, except of numbers and ids in hexadecimal, which no other text can stand for."""
    if isinstance(value, dict):
        for name, item in value.items():
            if name not in ("traceId", "spanId", "parentSpanId", "intValue", "kind", "code") and "UnixNano" not in name:
                yield from _texts(item, (*path, name))
    elif isinstance(value, list):
        for number, item in enumerate(value):
            yield from _texts(item, (*path, number))
    elif isinstance(value, str):
        yield path


def _names(whole: Any, path: tuple[Any, ...]) -> Iterator[str]:
    """Yield the parts of a path; the attribute's name for its place in a list."""
    value = whole
    for part in path:
        value = value[part]
        yield value["key"] if isinstance(value, dict) and "key" in value else str(part)


def _seeded(seeds: Seeds, text: str, field: str) -> str:
    """Return a text with personal data; in JSON, in its texts."""
    try:
        value = json.loads(text)
    except ValueError:
        return seeds.text(field)
    if not isinstance(value, dict | list):
        return seeds.text(field)
    return json.dumps(_seeded_json(seeds, value, field))


def _seeded_json(seeds: Seeds, value: Any, field: str) -> Any:
    if isinstance(value, dict):
        return {name: _seeded_json(seeds, item, f"{field} {name}") for name, item in value.items()} | {
            seeds.text(f"{field} (key)"): seeds.text(f"{field} (member)")
        }
    if isinstance(value, list):
        return [_seeded_json(seeds, item, field) for item in value]
    return seeds.text(field) if isinstance(value, str) and not _RANDOM_ID.fullmatch(value) else value


def seeded_call(seeds: Seeds, name: str) -> dict[str, Any]:
    """Return a call of `POST /v1/observations` with personal data in each of its texts."""

    def text(field: str) -> str:
        return seeds.text(f"observation {field}")

    def short(field: str) -> str:
        return seeds.address(f"observation {field}")

    tool = {
        "id": text("tool id"),
        "name": text("tool name"),
        "arguments": {text("argument"): [text("argument value"), 4111111111111111]},
    }
    return {
        "id": short(f"id {name}"),
        "at": "2026-11-30T12:00:00Z",
        "variables": {"ticket": text("variable"), short("variable name"): {"a": [text("nested variable")]}},
        "provider": short("provider"),
        "model": short("model"),
        "response_model": short("response_model"),
        "response_id": short("response_id"),
        "operation": short("operation"),
        "status": "error",
        "error": {"type": short("error type"), "message": text("error message")},
        "input": [{"role": short("role"), "content": text("content"), "name": short("name"), "tool_calls": [tool]}],
        "output": text("output"),
        "tool_calls": [tool],
        "finish": short("finish"),
        "conversation": short("conversation"),
        "user": short("user"),
        "emitter": short("emitter"),
        "service": short("service"),
        "label": short("label"),
        "variant": short("variant"),
    }


def evaluation_event(seeds: Seeds, span: str) -> dict[str, Any]:
    """Return a log record that is an evaluation of a call, with personal data in each of its texts."""
    values = {
        "gen_ai.evaluation.name": seeds.text("evaluation name"),
        "gen_ai.evaluation.score.value": 0.0,
        "gen_ai.evaluation.score.label": seeds.text("evaluation label"),
        "gen_ai.evaluation.explanation": seeds.text("evaluation explanation"),
        "gen_ai.response.id": seeds.address("evaluation response id"),
        seeds.text("evaluation attribute"): seeds.text("evaluation attribute's value"),
    }
    name = "gen_ai.evaluation.result"
    time = "1796005272000000000"
    return {"traceId": "ab" * 16, "spanId": span, "eventName": name, "timeUnixNano": time, "attributes": attributes(values)}
