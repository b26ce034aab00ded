import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptuary.prompt.errors import FieldError
from promptuary.prompt.files.yaml_document import DEPTH_LIMIT, EXPANDED_CHARACTERS, EXPANDED_LIMIT, InvalidFile, parse_yaml

MESSAGES = """\
type: chat
messages:
  - role: user
    content: |
      a
      b
  - {role: user,
     content: c}
"""


def test_plain_values_are_read_and_dates_stay_text() -> None:
    text = "a: 1\nb: 1.5\nc: true\nd: null\ne: 2026-03-02\nf: '2026-03-02'\ng: [x, {h: ''}]\n3: three\n"
    assert parse_yaml(text, "f.yaml").value == {
        "a": 1,
        "b": 1.5,
        "c": True,
        "d": None,
        "e": "2026-03-02",
        "f": "2026-03-02",
        "g": ["x", {"h": ""}],
        "3": "three",
    }
    assert parse_yaml('{"a": [1, "\\u00e9"]}', "f.json").value == {"a": [1, "é"]}
    assert parse_yaml("", "empty.yaml").value is None


def test_an_error_gets_the_line_of_its_value_or_of_the_nearest_parent() -> None:
    document = parse_yaml(MESSAGES, "f.yaml")
    assert document.lines["messages.0.content"] == 4
    assert document.lines["messages.1.content"] == 8
    assert document.with_line(FieldError("messages.1.role", "x")) == FieldError("messages.1.role", "x", 7)
    assert document.with_line(FieldError("messages.1.name.deep", "x")).line == 7
    assert document.with_line(FieldError("labels", "x")).line == 1


@pytest.mark.parametrize(
    ("text", "path", "line", "message"),
    [
        ("a: 1\nb: [*x]\n", "", 2, "found undefined alias 'x'"),
        ("a: &a [*a]\n", "a" + ".0" * DEPTH_LIMIT, 1, "nested more than 64 deep"),
        ("a: !!python/object:os.system x", "a", 1, "the tag tag:yaml.org,2002:python/object:os.system is not supported"),
        ("a:\n  - !exec ls", "a.0", 2, "the tag !exec is not supported"),
        ("a: !!binary aGk=", "a", 1, "the tag tag:yaml.org,2002:binary is not supported"),
        ("a: !!set {x}", "a", 1, "the tag tag:yaml.org,2002:set is not supported"),
        ("a: 1\nb: 2\na: 3", "", 3, "the key 'a' occurs twice"),
        ('a:\n  b: 1\n  "b": 2', "a", 3, "the key 'b' occurs twice"),
        ("<<: [1]", "", 1, "`<<` merges mappings only"),
        ("? [a, b]\n: 1", "", 1, "a key must be plain text"),
        ('a: "x\\0y"', "a", 1, "has a NUL character"),
        ('a: "\\ud800"', "a", 1, "has a lone surrogate, which is not a Unicode character"),
        ('"\\0": 1', "", 1, "a key has a NUL character"),
        ("a: 1\nb: x\x00y", "", 2, "has a NUL character"),
        ("a: 1\nb: x\ud800y", "", 2, "has a lone surrogate, which is not a Unicode character"),
        ("a: .nan", "a", 1, "is a number that JSON cannot represent"),
        ("a: [-.inf]", "a.0", 1, "is a number that JSON cannot represent"),
        ("a: 9223372036854775808", "a", 1, "is an integer beyond 64 bits"),
        ("a: " + "9" * 5000, "a", 1, "is not a value of its type, or has too many digits"),
        ("a: !!int x", "a", 1, "is not a value of its type, or has too many digits"),
        ("a: !!bool x", "a", 1, "is not a value of its type, or has too many digits"),
        ("a: [1, 2", "", 1, "expected ',' or ']', but got '<stream end>'"),
        ("a: b: c", "", 1, "mapping values are not allowed here"),
        ("a: 1\n---\nb: 2", "", 2, "but found another document"),
        ("a:\n\t- 1", "", 2, "found character '\\t' that cannot start any token"),
    ],
)
def test_an_error_has_its_file_line_and_field(text: str, path: str, line: int, message: str) -> None:
    with pytest.raises(InvalidFile) as raised:
        parse_yaml(text, "prompts/a.yaml")
    assert [(error.path, error.line, error.message) for error in raised.value.field_errors] == [(path, line, message)]
    assert raised.value.message.startswith("prompts/a.yaml is not")


@pytest.mark.parametrize("text", ["[" * 20_000, "[" * 100 + "]" * 100, "{a: " * 100 + "}" * 100, "- " * 5000 + "x"])
def test_deep_nesting_is_refused(text: str) -> None:
    with pytest.raises(InvalidFile, match="nested more than 64 deep"):
        parse_yaml(text, "f.yaml")


@pytest.mark.parametrize("core", [False, True])
def test_aliases_and_merges_are_written_out(core: bool) -> None:
    text = """\
base: &base {type: contains, value: a}
other: &other {value: b, weight: 2}
list: &list [*base, {<<: *base, value: c}]
again: *list
both: {value: d, <<: [*other, *base]}
"""
    base = {"type": "contains", "value": "a"}
    items = [base, {"type": "contains", "value": "c"}]
    assert parse_yaml(text, "f.yaml", core=core).value == {
        "base": base,
        "other": {"value": "b", "weight": 2},
        "list": items,
        "again": items,
        "both": {"value": "d", "weight": 2, "type": "contains"},
    }


def test_an_aliased_value_can_be_changed_alone() -> None:
    value = parse_yaml("a: &a {b: [1]}\nc: *a", "f.yaml").value
    value["c"]["b"].append(2)
    assert value["a"] == {"b": [1]}


@pytest.mark.parametrize("core", [False, True])
def test_aliases_expand_to_a_limit_and_other_values_have_none(core: bool) -> None:
    levels = [f"l{level}: &l{level} [{', '.join([f'*l{level - 1}'] * 10)}]" for level in range(1, 9)]
    bomb = "\n".join(["l0: &l0 [x]", *levels])
    huge = f"a: &a {'x' * 10_000}\nb: [{', '.join(['*a'] * (EXPANDED_CHARACTERS // 10_000 + 1))}]"
    for text in (bomb, huge):
        with pytest.raises(InvalidFile) as raised:
            parse_yaml(text, "f.yaml", core=core)
        assert raised.value.message == "f.yaml is not supported YAML"
        assert "the aliases expand to more than 10,000 values or 10,000,000 characters" in str(raised.value)
    assert len(parse_yaml(f"a: [{'x, ' * (EXPANDED_LIMIT + 1)}]", "f.yaml", core=core).value["a"]) == EXPANDED_LIMIT + 1
    enough = f"a: &a x\nb: [{', '.join(['*a'] * EXPANDED_LIMIT)}]"
    assert len(parse_yaml(enough, "f.yaml", core=core).value["b"]) == EXPANDED_LIMIT


@pytest.mark.parametrize("text", ["a: \x07", 'a: "\\U00110000"', "%YAML 3.0\n---\na: 1", "@a", "%"])
def test_text_that_pyyaml_cannot_read_is_refused_too(text: str) -> None:
    with pytest.raises(InvalidFile, match=r"f\.yaml is not"):
        parse_yaml(text, "f.yaml")


@given(st.text(alphabet=st.sampled_from("ab:-?[]{},&*!|>'\"%@`#\\ \n\t0123.~<=xU\x00é"), max_size=40))
def test_any_text_is_read_or_refused(text: str) -> None:
    def plain(value: Any) -> bool:
        if isinstance(value, dict):
            return all(isinstance(key, str) and plain(item) for key, item in value.items())
        return all(map(plain, value)) if isinstance(value, list) else isinstance(value, str | int | float | None)

    try:
        document = parse_yaml(text, "f.yaml")
    except InvalidFile:
        return
    assert plain(document.value)


def test_a_character_that_json_writes_as_two_escapes_is_one() -> None:
    read_back = parse_yaml(json.dumps({"a 😀": ["😀 is one", "\u00e4"]}), "f.json").value
    assert read_back == {"a 😀": ["😀 is one", "ä"]}


CORE = """
text: [yes, on, 1:30, 2024-01-01, Really?, a?b, "1", 'no', http://a.b/c?d=e]
whole: [012, -3, 0x1F, 0o17, +4]
number: [1e3, .5, 1., -0.25]
other: [~, null, true, False, ]
lines: one
  two?  # a comment
map: {ask: When do you open?, none: , last: x}
"""


def test_the_core_schema_reads_as_js_yaml_does() -> None:
    assert parse_yaml(CORE, "file", core=True).value == {
        "text": ["yes", "on", "1:30", "2024-01-01", "Really?", "a?b", "1", "no", "http://a.b/c?d=e"],
        "whole": [12, -3, 31, 15, 4],
        "number": [1000.0, 0.5, 1.0, -0.25],
        "other": [None, None, True, False],
        "lines": "one two?",
        "map": {"ask": "When do you open?", "none": None, "last": "x"},
    }


@pytest.mark.parametrize("text", ["b: *x", "a: !!python/name:os.system", "<<: a", "a: .inf", "a: .nan", "a: 1\na: 2"])
def test_the_core_schema_is_as_strict_as_yaml_1_1(text: str) -> None:
    with pytest.raises(InvalidFile):
        parse_yaml(text, "file", core=True)


def test_the_numbers_of_json_are_numbers_in_both_schemas() -> None:
    text = '{"a": [1e-5, 1E5, -2e+3, 1.5e2, 0e0, 1.0, -0.0, 9223372036854775807], "b": "1e5"}'
    for core in (False, True):
        assert repr(parse_yaml(text, "file", core=core).value) == repr(json.loads(text))


def test_plain_numbers_and_booleans_are_known_by_their_text() -> None:
    plain = parse_yaml("a: [NO, 'NO', 1.10, x, null]\nb: 2024-01-01\nc: {d: 12:30}", "file").plain
    assert plain == {"a.0": ("NO", False), "a.2": ("1.10", 1.1), "c.d": ("12:30", 750)}


def test_json_with_tabs_is_read_with_its_lines() -> None:
    document = parse_yaml('\ufeff{\n\t"a": "x\\ty",\n\t"b": [\n\t\t1\t]}\t\n', "x.json")
    assert document.value == {"a": "x\ty", "b": [1]}
    assert document.with_line(FieldError("b.0", "is one")).line == 4


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{\n\t"a": 1,, }', "x.JSON is not valid JSON: line 2: Expecting property name enclosed in double quotes"),
        ('{"a": [1}', "x.JSON is not valid JSON: line 1: "),
        ('{"a": "x"', "x.JSON is not valid JSON: line 1: Expecting ',' delimiter"),
    ],
)
def test_a_broken_json_file_is_reported_as_json(text: str, message: str) -> None:
    with pytest.raises(InvalidFile) as error:
        parse_yaml(text, "x.JSON")
    assert str(error.value).startswith(message)
