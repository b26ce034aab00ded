"""Written prompt files: any content of a registry is read back the same, and people can read the file."""

from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from factories.prompt_contents import ANY_TEXT, contents, mustache
from paths import ROOT
from promptuary.prompt.content import Content
from promptuary.prompt.digest import content_digest
from promptuary.prompt.files.prompt_file import parse_prompt_file, read_prompt_file
from promptuary.prompt.files.prompt_file_writer import leading_comments, prompt_file_text

PATH = Path("prompts/p.yaml")


@given(contents(), st.lists(st.from_regex(r"[a-z]{1,9}", fullmatch=True), max_size=3), ANY_TEXT, st.lists(ANY_TEXT, max_size=3))
def test_any_written_content_is_read_back_the_same(content: Content, labels: list[str], message: str, tags: list[str]) -> None:
    text = prompt_file_text(content, labels=labels, message=message, tags=tags)
    read = parse_prompt_file(text, PATH, "p")
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
def test_a_text_is_read_back_character_by_character(text: str) -> None:
    source = mustache(text)
    content = Content(type="chat", template=[{"role": "user", "content": source}, {"role": "user", "content": "x"}])
    assert parse_prompt_file(prompt_file_text(content), PATH, "p").content == content


def test_texts_of_several_lines_are_blocks_and_small_values_are_on_one_line() -> None:
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
            "model": {"name": "local:smollm2", "temperature": 0, "max_tokens": 16, "stop": ["\n", "no"]},
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
    text = prompt_file_text(
        content, labels=["staging"], message="why: because\nof this", tags=["on", "support"], head="# Ours.\n"
    )
    assert (
        text
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
def test_the_samples_of_this_repository_are_read_back_the_same(name: str) -> None:
    prompt = read_prompt_file(ROOT / "prompts" / f"{name}.yaml", "p")
    read_again = parse_prompt_file(prompt_file_text(prompt.content, labels=prompt.labels, message=prompt.message), PATH, "p")
    assert (read_again.content, read_again.labels, read_again.message) == (prompt.content, prompt.labels, prompt.message)


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
def test_the_comments_at_the_beginning_of_a_file_are_returned(text: str, head: str) -> None:
    assert leading_comments(text) == head
