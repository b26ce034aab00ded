"""Prompt files written: whatever a registry can hold is read back the same, and people can read it."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from promptuary.prompt.content import Content
from promptuary.prompt.digest import content_digest
from promptuary.prompt.file import parse_prompt, read_prompt
from promptuary.prompt.file_writing import head_of, prompt_text

ROOT = Path(__file__).parents[2]
PATH = Path("prompts/p.yaml")

CHARACTERS = st.characters(exclude_categories=["Cs"], exclude_characters="\x00")
TEXT = st.text(CHARACTERS, max_size=40) | st.text(
    st.sampled_from(" \t\n\r:#-|>'\"{}[]&*!%@`,?abü消😀\x85\u2028\ufeff"), max_size=30
)
LINES = st.lists(st.text(st.sampled_from(" \tab:#-'\"é"), max_size=8), min_size=2, max_size=6).map("\n".join)
ANY_TEXT = TEXT | LINES
NAME = st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,10}", fullmatch=True)
NUMBER = st.integers(-(2**53) + 1, 2**53 - 1) | st.floats(allow_nan=False, allow_infinity=False)
JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | NUMBER | ANY_TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(ANY_TEXT | st.just("k" * 1500), inner, max_size=4),
    max_leaves=12,
)
OBJECT = st.dictionaries(ANY_TEXT, JSON, max_size=4)
UNIT = st.floats(0, 1, exclude_min=True)
MODEL = st.fixed_dictionaries(
    {"name": st.text(CHARACTERS, min_size=1, max_size=20)},
    optional={
        "temperature": st.floats(0, 2) | st.integers(0, 2),
        "max_tokens": st.integers(1, 1000),
        "top_p": UNIT,
        "seed": st.integers(-(2**53) + 1, 2**53 - 1),
        "stop": st.lists(ANY_TEXT, max_size=4),
    },
)


def mustache(text: str) -> str:
    """Give a text that has no tag in it by chance."""
    return text.replace("{", "(").replace("}", ")")


def fstring(text: str) -> str:
    return text.replace("{", "{{").replace("}", "}}")


@st.composite
def contents(draw: st.DrawFn) -> Content:
    kind = draw(st.sampled_from(["text", "chat"]))
    form = draw(st.sampled_from(["mustache", "f-string"]))
    names = draw(st.lists(NAME, max_size=3, unique=True))
    escaped, tag = (mustache, "{{%s}}") if form == "mustache" else (fstring, "{%s}")
    sources = st.lists(ANY_TEXT.map(escaped) | st.sampled_from([tag % name for name in names] or [""]), max_size=5).map("".join)
    tags = "\n".join(tag % name for name in names)
    template: Any = draw(sources) + tags
    if kind == "chat":
        roles = st.sampled_from(["system", "user", "assistant", "tool"])
        messages = draw(st.lists(st.fixed_dictionaries({"role": roles, "content": sources}), max_size=3))
        template = [*messages, {"role": "user", "content": tags}, {"role": "placeholder", "name": "history"}]
    described = st.fixed_dictionaries(
        {},
        optional={
            "description": ANY_TEXT,
            "required": st.booleans(),
            "sensitive": st.booleans(),
            "default": JSON,
            "maximum": NUMBER,
        },
    )
    body: dict[str, Any] = {
        "type": kind,
        "format": form,
        "template": template,
        "variables": {
            name: draw(described) for name in draw(st.lists(st.sampled_from(names), unique=True)) if name != "history"
        }
        if names
        else {},
        "model": draw(st.none() | MODEL),
        "response_format": draw(st.none() | OBJECT),
        "tools": draw(st.none() | st.lists(OBJECT, max_size=3)),
    }
    if kind == "chat" and draw(st.booleans()):
        turns = st.lists(
            st.fixed_dictionaries({"role": st.just("user"), "content": ANY_TEXT.map(mustache)}), min_size=1, max_size=2
        )
        body["context"] = {
            "collection": "a.b",
            "query": draw(ANY_TEXT.map(mustache).filter(bool)),
            "into": "history",
            "k": draw(st.integers(1, 100)),
            "min_score": draw(st.none() | st.floats(-1, 1)),
            "turns": draw(turns),
        }
    for variable in body["variables"].values():
        if not isinstance(variable.get("default", 0), int | float) or isinstance(variable.get("default"), bool):
            variable.pop("maximum", None)
        elif "default" in variable and "maximum" in variable:
            variable["maximum"] = max(variable["maximum"], variable["default"])
    return Content.model_validate(body)


@given(contents(), st.lists(st.from_regex(r"[a-z]{1,9}", fullmatch=True), max_size=3), ANY_TEXT, st.lists(ANY_TEXT, max_size=3))
def test_whatever_is_written_is_read_back_the_same(content: Content, labels: list[str], message: str, tags: list[str]) -> None:
    text = prompt_text(content, labels=labels, message=message, tags=tags)
    read = parse_prompt(text, PATH, "p")
    assert content_digest(read.content) == content_digest(content)
    assert (list(read.labels), read.message, list(read.tags)) == (labels, message, tags)


@given(ANY_TEXT)
@example("a\n\nb")
@example("\n\n a\n")
@example("\ta\n\tb\n\n\n")
@example("a  \n  \n   b \n ")
@example("---\n...\n%TAG\n# no comment")
@example("\ufeffa\nb")
@example("a\r\nb\r\n")
@example("a\x85b\u2028c\nd")
def test_a_text_comes_back_character_by_character_through_a_file(text: str) -> None:
    source = mustache(text)
    content = Content(type="chat", template=[{"role": "user", "content": source}, {"role": "user", "content": "x"}])
    assert parse_prompt(prompt_text(content), PATH, "p").content == content


def test_texts_of_several_lines_are_blocks_and_small_things_stand_in_one_line() -> None:
    content = Content.model_validate(
        {
            "type": "chat",
            "template": [
                {"role": "system", "content": "You sort tickets.\n\n  - one word\n  - {{intents}}  \n"},
                {"role": "placeholder", "name": "history"},
                {"role": "user", "content": "{{ticket}}"},
            ],
            "variables": {
                "ticket": {"type": "string", "maxLength": 4000, "description": "the customer's words"},
                "history": {"type": "array", "required": False},
            },
            "model": {"name": "local:smollm2", "temperature": 0.0, "max_tokens": 16, "stop": ["\n", "no"]},
            "response_format": {
                "type": "json_schema",
                "json_schema": {
                    "name": "a",
                    "schema": {
                        "type": "object",
                        "properties": {"intent": {"type": "string", "description": "the intent of the ticket, in one word"}},
                    },
                },
            },
            "context": {
                "collection": "tickets",
                "query": "{{ticket}}",
                "into": "history",
                "turns": [{"role": "user", "content": "{{text}}"}],
            },
        }
    )
    written = prompt_text(
        content, labels=["staging"], message="why: because\nof this", tags=["on", "support"], head="# Ours.\n"
    )
    assert (
        written
        == """\
# Ours.
type: chat
format: mustache
messages:
  - role: system
    content: |
      You sort tickets.

        - one word
        - {{intents}}\x20\x20
  - {role: placeholder, name: history}
  - {role: user, content: "{{ticket}}"}
variables:
  ticket: {type: string, description: the customer's words, maxLength: 4000}
  history: {type: array, required: false}
model: {name: "local:smollm2", temperature: 0, max_tokens: 16, stop: ["\\n", "no"]}
context:
  collection: tickets
  query: "{{ticket}}"
  k: 4
  into: history
  turns: [{role: user, content: "{{text}}"}]
response_format:
  type: json_schema
  json_schema:
    name: a
    schema:
      type: object
      properties: {intent: {type: string, description: "the intent of the ticket, in one word"}}
labels: [staging]
message: |-
  why: because
  of this
tags: ["on", support]
"""
    )


@pytest.mark.parametrize("name", ["support/triage", "support/answer"])
def test_the_samples_of_this_repository_are_written_as_they_are_read(name: str) -> None:
    prompt = read_prompt(ROOT / "prompts" / f"{name}.yaml", "p")
    again = parse_prompt(prompt_text(prompt.content, labels=prompt.labels, message=prompt.message), PATH, "p")
    assert (again.content, again.labels, again.message) == (prompt.content, prompt.labels, prompt.message)


@pytest.mark.parametrize(
    ("text", "head"),
    [
        ("# One.\n# Two.\n\ntype: text\n", "# One.\n# Two.\n\n"),
        ("\ufeff\n  # One.\ntype: text\n# not this\n", "\n  # One.\n"),
        ("\n\ntype: text\n", ""),
        ("type: text\n", ""),
        ("", ""),
    ],
)
def test_the_comments_at_the_beginning_of_a_file_can_be_kept(text: str, head: str) -> None:
    assert head_of(text) == head
