"""Plain YAML scalars that are no texts: refused in an author's data, and to be quoted where a text is needed."""

from pathlib import Path

import pytest

from promptuary.prompt.content import Content
from promptuary.prompt.files.prompt_file import parse_prompt_file
from promptuary.prompt.files.yaml_document import InvalidFile

HEAD = "type: text\ntemplate: '{{v}}'\n"


def read(text: str) -> Content:
    return parse_prompt_file(HEAD + text, Path("p.yaml"), "p").content


def errors(text: str) -> list[str]:
    with pytest.raises(InvalidFile) as refused:
        read(text)
    return [str(error) for error in refused.value.field_errors]


@pytest.mark.parametrize(
    ("declaration", "path", "message"),
    [
        ("{type: string, enum: [NO, SE]}", "enum.0", 'NO is read as false: quote it ("NO"), or write false'),
        ("{enum: [a, off]}", "enum.1", 'off is read as false: quote it ("off"), or write false'),
        ("{enum: [12:30]}", "enum.0", '12:30 is read as 750: quote it ("12:30"), or write 750'),
        ("{default: 007}", "default", '007 is read as 7: quote it ("007"), or write 7'),
        ("{default: {a: [1_000]}}", "default.a.0", '1_000 is read as 1000: quote it ("1_000"), or write 1000'),
        ("{items: {enum: [Yes]}, type: array}", "items.enum.0", 'Yes is read as true: quote it ("Yes"), or write true'),
        (
            "{type: string, enum: [1.10]}",
            "enum.0",
            'is 1.1 and can never be given: a value must be of type string; quote it: "1.10"',
        ),
    ],
)
def test_a_scalar_that_is_no_text_is_refused_with_its_line(declaration: str, path: str, message: str) -> None:
    assert errors(f"variables:\n  v: {declaration}") == [f"line 4: variables.v.{path}: {message}"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("variables:\n  v: {type: string, default: 12}", 'variables.v: the default must be of type string; quote it: "12"'),
        ("variables:\n  v: {description: 12}", 'variables.v.description: must be a string; quote it: "12"'),
        ("variables:\n  v: {}\ntags: [1.0]", 'tags: must be a list of strings; quote it: "1.0"'),
        ("variables:\n  v: {}\nmessage: 2", 'message: must be a string; quote it: "2"'),
        (
            "variables:\n  v: {}\ntools:\n- {name: f, parameters: {type: object, required: [on]}}",
            "tools.0.parameters: the schema is not valid JSON Schema at 'required/0': must be a string; quote it: \"on\"",
        ),
        (
            "variables:\n  v: {}\ntools:\n- {name: f, parameters: {properties: {a: {description: {x}}}}}",
            "tools.0.parameters: the schema is not valid JSON Schema at 'properties/a/description': must be a string; "
            'quote it: "{x}"',
        ),
        (
            "variables:\n  v: {}\ntools: [{name: NO}]",
            'tools.0.name: is required: 1 to 64 of A-Z a-z 0-9 _ -; quote it: "NO"',
        ),
        (
            "variables:\n  v: {}\nresponse_format: {type: object, title: 1.10}",
            "response_format: the schema is not valid JSON Schema at 'title': must be a string; quote it: \"1.10\"",
        ),
        (
            "variables:\n  v: {}\nresponse_format: {type: json_schema, json_schema: {name: NO, schema: {}}}",
            'response_format.json_schema.name: is required: 1 to 64 of A-Z a-z 0-9 _ -; quote it: "NO"',
        ),
        ("config: {a: {b: [no]}}", 'config.a.b.0: no is read as false: quote it ("no"), or write false'),
        ("config: 1:20", 'config: 1:20 is read as 80: quote it ("1:20"), or write 80'),
    ],
)
def test_an_error_says_to_quote_what_yaml_made_another_type(text: str, message: str) -> None:
    assert [error.partition(": ")[2] for error in errors(text)] == [message]


def test_what_json_would_write_the_same_way_is_taken() -> None:
    content = read("variables:\n  v: {enum: [true, 1, 1.5, 'NO', 2024-01-01], required: no}\nconfig: {a: -1, b: 1e-5, c: 0.10}")
    assert content.variables["v"].enum == [True, 1, 1.5, "NO", "2024-01-01"]
    assert (content.variables["v"].required, content.config) == (False, {"a": -1, "b": 1e-5, "c": 0.1})
