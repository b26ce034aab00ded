"""Requests with one hostile value each, for every operation of an OpenAPI document, in an order that a seed decides."""

import base64
import json
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

NUMBERS: Sequence[Any] = (
    0,
    -1,
    1,
    2,
    0.5,
    -0.0,
    1e-9,
    1e-300,
    5e-324,
    1e15,
    1e16,
    1e300,
    1e308,
    1.7976931348623157e308,
    -1e308,
    2**31 - 1,
    2**31,
    2**32,
    2**53 + 1,
    2**63 - 1,
    -(2**63),
    2**63,
    10**30,
    float("nan"),
    float("inf"),
    float("-inf"),
    True,
)
TIMES = (
    "0001-01-01T00:00:00+23:59",
    "0001-01-01T00:00:00Z",
    "9999-12-31T23:59:59-23:59",
    "9999-12-31T23:59:59.999999999Z",
    "1969-12-31T23:59:59Z",
    "2026-02-30T00:00:00Z",
    "2026-03-02T24:00:00Z",
    "2026-03-02T23:59:60Z",
    "2026-03-02T12:00:00+24:00",
)
TEXTS = (
    *TIMES,
    "",
    " ",
    "\x00",
    "a\x00b",
    "\ud800",
    "\udfff\ud800",
    "\ufeff",
    "\u202e",
    "\U0010ffff",
    "é" * 300,
    "a" * 10_001,
    "../x",
    "a/b",
    ".",
    "latest",
    "production",
    "known",
    "1",
    "0",
    "-1",
    "01",
    "1e999",
    "NaN",
    "Infinity",
    "99999999999999999999",
    "null",
    "{}",
    "[]",
    "{{",
    "{{#a}}",
    "{{a.b.c}}",
    "{a!r:>9999}",
    "{% for x in y %}",
    "$or",
    "chroma:document",
    "%",
    "%_",
    "'",
    '"',
    "\\",
    "a:b",
    "a=b",
    "http://127.0.0.1:1/",
    "file:///etc/passwd",
    "python://x",
    "(a+)+$",
    "(?<=a)b",
    "[",
    "* * * * *",
    "0 0 31 2 *",
    "Europe/Nowhere",
    "../UTC",
    "echo:",
    "openai:x",
    "sha256:" + "0" * 64,
    "name = 'x'",
    "name ILIKE '%'",
    "a" * 199 + " ",
)


def _nested(depth: int, leaf: Any) -> Any:
    for _ in range(depth):
        leaf = [leaf]
    return leaf


STRUCTURES: Sequence[Any] = (
    None,
    [],
    {},
    [None],
    [[]],
    {"": 1},
    {"$or": "x"},
    {"$and": []},
    {"chroma:document": 1},
    {"a": {"b": {"c": 1}}},
    {"\x00": 1},
    {"\ud800": 1},
    _nested(60, 1),
    _nested(200, 1),
    ["x"] * 51,
    {str(number): number for number in range(201)},
    {"$ref": "#/"},
    {"$ref": "https://example.com/x"},
    {"type": "integer", "minimum": 1e308, "multipleOf": 5e-324},
)
VALUES = (*NUMBERS, *TEXTS, *STRUCTURES)


@dataclass(frozen=True)
class HostileRequest:
    """A request with one hostile value, and the place of the value."""

    method: str
    url: str
    place: str
    value: Any
    body: bytes | None = None
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Samples:
    """The values of requests that are accepted: of path and query parameters by name, and bodies by operation."""

    parameters: Mapping[str, Any]
    bodies: Mapping[str, Any]


class RequestFuzzer:
    """Walks an OpenAPI document."""

    def __init__(self, described: Mapping[str, Any], samples: Samples, seed: int, per_place: int) -> None:
        """Keep the document; `per_place` is how many hostile values each place of a request gets."""
        self._described = described
        self._samples = samples
        self._random = random.Random(seed)
        self._per_place = per_place

    def operations(self) -> list[tuple[str, str, Mapping[str, Any]]]:
        """Return method, path and description of every operation; those that take something away come last."""
        listed = [
            (method.upper(), path, operation)
            for path, item in self._described["paths"].items()
            for method, operation in item.items()
        ]
        return sorted(listed, key=lambda operation: operation[0] == "DELETE" or operation[1].endswith(("/archive", "/erase")))

    def requests(self, method: str, path: str, operation: Mapping[str, Any]) -> Iterator[HostileRequest]:
        """Yield the hostile requests of one operation."""
        parameters = operation.get("parameters", ())
        in_path = {
            each["name"]: self._samples.parameters.get(each["name"], "known") for each in parameters if each["in"] == "path"
        }
        body = self.body(f"{method} {path}", operation)
        content = None if body is None else _encode(body)
        required = {
            each["name"]: self._samples.parameters.get(each["name"], "known")
            for each in parameters
            if each["in"] == "query" and each.get("required")
        }
        for each in parameters:
            for text in self._chosen(_TEXTS_OF_PARAMETERS):
                place = f"{each['in']} {each['name']}"
                if each["in"] == "path":
                    if text not in ("", ".", ".."):
                        url = _url(path, {**in_path, each["name"]: text}, required)
                        yield HostileRequest(method, url, place, text, content)
                elif each["in"] == "query":
                    url = _url(path, in_path, {**required, each["name"]: text})
                    yield HostileRequest(method, url, place, text, content)
        url = _url(path, in_path, required)
        if body is None and method not in ("GET", "DELETE"):
            body = {}
        if body is not None:
            for place, replace in self._places(body, operation):
                for value in self._chosen(VALUES):
                    yield HostileRequest(method, url, f"body {place}", value, _encode(replace(value)))
        for name in ("If-Match", "If-None-Match", "Idempotency-Key", "Last-Event-ID"):
            for text in self._chosen(_HEADERS, 1):
                yield HostileRequest(method, url, f"header {name}", text, content, {name: text})

    def body(self, name: str, operation: Mapping[str, Any]) -> Any:
        """Return a body that the operation may accept; None where it takes none."""
        if name in self._samples.bodies:
            return deepcopy(self._samples.bodies[name])
        content = operation.get("requestBody", {}).get("content", {}).get("application/json")
        return None if content is None else self.sample(content["schema"])

    def sample(self, schema: Mapping[str, Any], *, depth: int = 0) -> Any:
        """Build a value of a schema with the members that it requires."""
        schema = self._resolve(schema)
        for word in ("const", "default"):
            if word in schema:
                return schema[word]
        if "enum" in schema:
            return schema["enum"][0]
        for word in ("anyOf", "oneOf", "allOf"):
            if word in schema:
                return self.sample(schema[word][0], depth=depth + 1)
        match schema.get("type"):
            case "object":
                required = schema.get("required", ())
                return {name: self.sample(schema["properties"][name], depth=depth + 1) for name in required}
            case "array":
                return [self.sample(schema["items"], depth=depth + 1)] * schema.get("minItems", 0) if depth < 8 else []
            case "integer" | "number":
                return max(1, schema.get("minimum", 1))
            case "boolean":
                return True
            case "null":
                return None
        return "known"

    def _resolve(self, schema: Mapping[str, Any]) -> Mapping[str, Any]:
        while "$ref" in schema:
            schema = self._described["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
        return schema

    def _places(self, body: Any, operation: Mapping[str, Any]) -> Iterator[tuple[str, Callable[[Any], Any]]]:
        """Yield every place of the body, and every member that its schema has besides, with how it is replaced."""
        content = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
        for path in _walk(body):
            if path:
                yield ".".join(map(str, path)), lambda value, path=path: _replaced(body, path, value)
        properties = self._resolve(content.get("schema", {})).get("properties", {})
        for name, schema in properties.items():
            if isinstance(body, dict) and name not in body:
                yield name, lambda value, name=name: {**body, name: value}
                for branch in self._branches(schema):
                    sample = self.sample(branch)
                    if branch.get("type") == "array":
                        sample = sample or [self.sample(branch["items"])]
                    elif isinstance(branch.get("additionalProperties"), dict):
                        sample = {"x": self.sample(branch["additionalProperties"])}
                    for path in _walk(sample):
                        if path:
                            yield (
                                ".".join(map(str, (name, *path))),
                                lambda value, name=name, sample=sample, path=path: {
                                    **body,
                                    name: _replaced(sample, path, value),
                                },
                            )

    def _branches(self, schema: Mapping[str, Any]) -> list[Mapping[str, Any]]:
        schema = self._resolve(schema)
        inner = [branch for word in ("anyOf", "oneOf") for branch in schema.get(word, ())]
        return [self._resolve(branch) for branch in inner] or [schema]

    def _chosen(self, values: Sequence[Any], number: int | None = None) -> list[Any]:
        return self._random.sample(values, min(number or self._per_place, len(values)))


def _cursor(value: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


_TEXTS_OF_PARAMETERS = (
    *(str(number) for number in NUMBERS),
    *TEXTS,
    *(
        _cursor(value)
        for value in (
            2**31,
            2**63,
            10**30,
            -1,
            0,
            "",
            "\x00",
            "\ud800",
            "a" * 5000,
            [1],
            {"a": 1},
            None,
            True,
            0.5,
            [["x", 2**70]],
            ["x", 1e999],
        )
    ),
    *(_cursor([a, b]) for a in (0, "x", None, 2**70, 1e308) for b in (0, "x", None, 2**70)),
)
_HEADERS = ("", " ", '"', "*", 'W/"x"', '"sha256:x"', "a" * 5000, "\xe9", "-1", "0", "9" * 30, "1.5", "NaN")


def _url(path: str, in_path: Mapping[str, Any], in_query: Mapping[str, Any]) -> str:
    for name, value in in_path.items():
        path = path.replace(f"{{{name}}}", _percent(value))
    return path + ("?" + "&".join(f"{name}={_percent(value)}" for name, value in in_query.items()) if in_query else "")


def _percent(value: Any) -> str:
    return quote(str(value).encode("utf-8", "surrogatepass"), safe="")


def _encode(value: Any) -> bytes:
    return json.dumps(value).encode()


def _walk(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield path
    members = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, member in members:
        yield from _walk(member, (*path, name))


def _replaced(value: Any, path: tuple[Any, ...], new: Any) -> Any:
    whole = inner = deepcopy(value)
    for name in path[:-1]:
        inner = inner[name]
    inner[path[-1]] = new
    return whole
