"""Schemas by the standard: drafts, formats as assertions, and what no schema may leave unchecked."""

from typing import Any

import pytest

from promptuary.evaluation.scorers.json_schema.schema import compile_schema

DRAFT_4 = "http://json-schema.org/draft-04/schema#"
DRAFT_7 = "http://json-schema.org/draft-07/schema#"
DRAFT_2020 = "https://json-schema.org/draft/2020-12/schema"
PAIR = [{"type": "string"}, {"type": "number"}]


@pytest.mark.parametrize(
    ("schema", "fitting", "other"),
    [
        ({"prefixItems": PAIR, "items": False}, ["a", 1], ["a", 1, 2]),
        ({"$schema": DRAFT_2020, "prefixItems": PAIR}, ["a", 1, 2], [1, 1]),
        ({"items": PAIR, "additionalItems": False}, ["a", 1], ["a", 1, 2]),
        ({"$schema": DRAFT_7, "items": PAIR}, ["a", 1, 2], ["a", "b"]),
        ({"dependencies": {"a": ["b"]}}, {"a": 1, "b": 2}, {"a": 1}),
        ({"dependentRequired": {"a": ["b"]}}, {"b": 1}, {"a": 1}),
        ({"$schema": DRAFT_4, "minimum": 5, "exclusiveMinimum": True}, 6, 5),
        ({"patternProperties": {"^a_": {"type": "string"}}, "additionalProperties": False}, {"a_1": "x"}, {"b": 1}),
        ({"patternProperties": {"^a_": {"type": "string"}}}, {"b": 1}, {"a_1": 1}),
        ({"patternProperties": {r"^\p{Lu}": False}}, {"é": 1}, {"É": 1}),
        ({"pattern": "^(?!x)a"}, "ab", "xa"),
        ({"pattern": "^.$"}, "🐝", "ab"),
        ({"pattern": "(?i)^yes$"}, "YES", "no"),
        ({"type": "string", "nullable": True}, None, 1),
        ({"type": "string", "nullable": False}, "a", None),
        ({"type": ["string", "null"]}, None, 1),
        ({"type": "object", "unevaluatedProperties": False, "properties": {"a": {}}}, {"a": 1}, {"b": 1}),
        ({"contains": {"const": 2}, "minContains": 2}, [2, 2], [2]),
        ({"const": 1}, 1.0, True),
        ({"enum": [{"a": [1]}]}, {"a": [1.0]}, {"a": [True]}),
        ({"uniqueItems": True}, [1, True, "1"], [{"a": 1, "b": 2}, {"b": 2, "a": 1.0}]),
        ({"type": "integer", "format": "int32"}, 5, 3_000_000_000),
        ({"x-note": "ours", "title": "t", "example": 1, "type": "number"}, 1.5, "1.5"),
        ({"if": {"properties": {"t": {"const": "a"}}}, "then": {"required": ["n"]}}, {"t": "a", "n": 1}, {"t": "a"}),
    ],
)
def test_a_schema_is_judged_by_its_draft(schema: Any, fitting: Any, other: Any) -> None:
    compiled = compile_schema(schema)
    assert compiled.error(fitting) is None
    assert compiled.error(other) is not None


@pytest.mark.parametrize(
    ("format_", "fitting", "others"),
    [
        ("email", ["a@b.org", "a.b+c@localhost", '"a b"@c.org', "a@[127.0.0.1]", "a@[IPv6:::1]"], ["nope", "a@", "a b@c.org"]),
        ("email", [], ["a..b@c.org", ".a@b.org", "a@-b.org", "a@b@c.org", "a@[1.2.3]"]),
        ("idn-email", ["ä@exämple.org"], ["ä", "ä ö@x.org"]),
        ("date", ["2032-02-29", "0000-01-01"], ["2031-02-29", "2031-2-1", "31-01-01", "2031-01-01T"]),
        ("date-time", ["2031-02-28T10:00:00Z", "2031-02-28t10:00:00.5+05:30"], ["2031-02-28 10:00:00Z", "2031-02-28T10:00:00"]),
        ("date-time", ["2016-12-31T23:59:60Z"], ["2016-12-31T22:59:60Z", "2031-02-30T10:00:00Z", "2031-02-28T10:00:00+05"]),
        ("time", ["10:20:30Z", "23:59:60+00:00"], ["25:00:00Z", "10:20Z", "10:20:30", "10:20:60Z"]),
        ("duration", ["P3DT4H", "P1W", "P1Y2M3DT4H5M6S"], ["3 days", "P", "PT", "P1S", "P1H", "P1Y2D"]),
        (
            "uri",
            ["https://a.org/b?c#d", "urn:x:y", "mailto:a@b.org"],
            ["not a uri", "/a/b", "a", 'http://a.org/"', "http://a b"],
        ),
        ("uri-reference", ["/a/b", "../a", "", "#x", "http://a.org"], ["\\\\bad", "a b", "1:a"]),
        ("iri", ["http://exämple.org/ö", "http://[::1]/🐝", "x:?\ue000"], ["/ö", "http://ö ö", "x:/\ue000", "x:\ud800"]),
        ("iri-reference", ["/ö"], ["ö ö"]),
        ("uri-template", ["/a/{id}", "/a{?b,c*}", "{a.b}'"], ["/a/{id", "/a/}"]),
        ("uuid", ["3f2b1c90-1a2b-4c3d-8e9f-001122334455"], ["3f2b1c901a2b4c3d8e9f001122334455", "x", "{3f2b1c90}"]),
        ("ipv4", ["10.0.0.255"], ["10.0.0.256", "10.0.0", "010.0.0.1", "1.2.3.4 "]),
        ("ipv6", ["::1", "fe80::1", "::ffff:1.2.3.4"], ["fe80::zz", "fe80::1%eth0", "1::2::3"]),
        ("hostname", ["host-1.site.test", "localhost"], ["-a", "a_b", "a..b", "a" * 64, "ä.org", "", "xn--X"]),
        ("idn-hostname", ["exämple.org", "a\u3002b"], ["a b", "", "a."]),
        ("json-pointer", ["", "/a/0", "/a~1b"], ["a", "/a~2"]),
        ("relative-json-pointer", ["0", "1/a", "0#"], ["/a", "-1", "01"]),
        ("regex", ["^a+$", r"\p{L}", "(?<!a)b"], ["([", r"\a", "(?i)a"]),
        ("byte", ["aGk=", ""], ["%%%", "aGk", "aGk=\n"]),
        ("url", ["http://site.test/", "ftp://a.org:21/x"], ["site", "http://127.0.0.1/", "http://localhost"]),
    ],
)
def test_formats_are_assertions(format_: str, fitting: list[str], others: list[str]) -> None:
    compiled = compile_schema({"type": "string", "format": format_})
    assert [text for text in fitting if compiled.error(text) is not None] == []
    assert [text for text in others if compiled.error(text) is None] == []


def test_a_format_says_nothing_about_other_types() -> None:
    assert compile_schema({"format": "email"}).error(5) is None
    assert compile_schema({"format": "int32"}).error("x") is None
    assert compile_schema({"format": "int32"}).error(True) is None


def test_formats_stand_in_every_part_of_a_schema() -> None:
    schema = {
        "properties": {"when": {"anyOf": [{"type": "null"}, {"$ref": "#/$defs/day"}]}},
        "$defs": {"day": {"format": "date"}},
    }
    assert compile_schema(schema).error({"when": "soon"}) is not None
    assert compile_schema(schema).error({"when": "2031-01-01"}) is None


def test_the_message_names_the_place_and_the_keyword() -> None:
    schema = {"properties": {"e": {"type": "string", "format": "email"}}}
    assert compile_schema(schema).error({"e": "nope"}) == "does not fit the schema at 'e': format"
    assert compile_schema(False).error(1) == "does not fit: false"
