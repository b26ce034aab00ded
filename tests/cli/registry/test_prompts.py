"""Prompts by the command line: registered, looked up, rendered, and their labels moved."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cli.conftest import WORD, Run

Write = Callable[[str, str], Path]
CHAT = """\
type: chat
messages:
  - {role: system, content: "Sort into {{intents}}."}
  - {role: placeholder, name: history}
  - {role: user, content: "{{ticket}}"}
variables:
  history: {type: array, required: false}
labels: [staging]
message: the first
tags: [support]
"""


def test_a_file_is_registered_once_under_the_name_of_its_path(run: Run, write: Write) -> None:
    path = write("prompts/support/triage.yaml", CHAT)
    first = run("push", path, "--json").json
    assert {key: first[key] for key in ("name", "version", "labels", "message", "tags", "type", "format")} == {
        "name": "support.triage",
        "version": 1,
        "labels": ["staging"],
        "message": "the first",
        "tags": ["support"],
        "type": "chat",
        "format": "mustache",
    }
    assert run("push", path, "--json").json == first
    assert run("push", path).out == f"support.triage  version 1  {first['digest']}  staging\n"


def test_a_file_outside_of_prompts_is_named_by_its_stem_or_the_option(run: Run, write: Write) -> None:
    path = write("elsewhere/greeting.yaml", json.dumps(WORD))
    assert run("push", path, "--json").json["name"] == "greeting"
    assert run("push", path, "--name", "support.greeting", "--json").json["name"] == "support.greeting"


def test_a_version_is_looked_up_by_label_or_number(run: Run, word: Path) -> None:
    word.write_text(json.dumps({**WORD, "template": "New: {{text}}"}))
    run("push", word)
    assert run("get", "word", "--json").json["version"] == 1
    assert run("get", "word", "--label", "latest", "--json").json["template"] == "New: {{text}}"
    by_number = run("get", "word", "--version", 2, "--json").json
    assert (by_number["version"], by_number["labels"]) == (2, [])
    assert run("get", "word", "--version", 1).out.splitlines()[1:] == ["{{text}}"]


def test_a_chat_is_shown_message_by_message(run: Run, write: Write) -> None:
    run("push", write("prompts/support/triage.yaml", CHAT))
    lines = run("get", "support.triage", "--label", "staging").out.splitlines()
    assert lines[1:] == ["[system] Sort into {{intents}}.", "[placeholder] <history>", "[user] {{ticket}}"]


def test_values_on_the_command_line_are_json_where_they_are_json(run: Run, write: Write) -> None:
    run("push", write("prompts/support/triage.yaml", CHAT))
    history = '[{"role": "user", "content": "hi"}]'
    arguments = ["render", "support.triage", "--label", "staging", "--var", "intents=a=b, c", "--var", f"history={history}"]
    rendered = run(*arguments, "--var", "ticket=NaN", "--json").json
    assert rendered["messages"] == [
        {"role": "system", "content": "Sort into a=b, c."},
        {"role": "user", "content": "hi"},
        {"role": "user", "content": "NaN"},
    ]
    assert run(*arguments, "--var", "ticket=7").out.splitlines()[-1] == "[user] 7"


AGENT = """\
type: chat
messages:
  - role: assistant
    content: null
    tool_calls:
      - {id: call_1, type: function, function: {name: find, arguments: '{"order": "{{order}}"}'}}
  - {role: tool, name: find, tool_call_id: call_1, content: found}
  - role: user
    content:
      - {type: text, text: "What is it?"}
      - {type: image_url, image_url: {url: "https://img.example/{{order}}.png"}}
  - {role: placeholder, name: history}
"""


def test_messages_of_agents_are_printed_with_their_tool_calls_and_parts(run: Run, write: Write) -> None:
    run("push", write("prompts/agent.yaml", AGENT))
    rendered = run("render", "agent", "--label", "latest", "--var", "order=7", "--var", "history=[]").out.splitlines()
    call = '[{"id": "call_1", "type": "function", "function": {"name": "find", "arguments": "{\\"order\\": \\"7\\"}"}}]'
    assert rendered == [
        f"[assistant] {call}",
        "[tool find] found",
        "[user] What is it?",
        "[image https://img.example/7.png]",
    ]
    assert run("get", "agent", "--label", "latest").out.splitlines()[-1] == "[placeholder] <history>"


@pytest.mark.usefixtures("word")
@pytest.mark.parametrize("text", ["[" * 100_000, "Zürich → 7 %", "{not json}", ""])
def test_any_other_value_is_text(run: Run, text: str) -> None:
    assert run("render", "word", "--var", f"text={text}").out == f"{text}\n"


TYPED = {
    "type": "text",
    "template": "{{code}} {{discount}} {{rate}} {{vip}} {{tags}} {{shop}} {{kind}} {{any}}",
    "variables": {
        "code": {"type": "string"},
        "discount": {"type": "integer"},
        "rate": {"type": "number"},
        "vip": {"type": "boolean"},
        "tags": {"type": "array"},
        "shop": {"type": "object"},
        "kind": {"enum": ["1", "two"]},
        "any": {},
    },
    "labels": ["production"],
}
TEXTS = {
    "code": "10",
    "discount": "10",
    "rate": "0.5",
    "vip": "true",
    "tags": '["a"]',
    "shop": '{"a":1}',
    "kind": "1",
    "any": "1.10",
}


@pytest.mark.parametrize(("text", "value"), [("auto", "auto"), ("1", 1), ("true", True), ("null", None), ("1.0", 1)])
def test_a_variable_takes_every_value_of_its_enum(run: Run, write: Write, text: str, value: Any) -> None:
    body = {"type": "text", "template": "{{{mode}}}", "variables": {"mode": {"enum": ["auto", 1, True, None]}}}
    assert run("push", write("mode.yaml", json.dumps(body))).code == 0
    rendered = run("render", "mode", "--label", "latest", "--var", f"mode={text}", "--json").json
    assert rendered["text"] == ("" if value is None else value if isinstance(value, str) else json.dumps(value))


def assignments(**texts: str) -> list[str]:
    return [part for name, text in {**TEXTS, **texts}.items() for part in ("--var", f"{name}={text}")]


def test_a_value_on_the_command_line_has_the_declared_type(run: Run, write: Write) -> None:
    run("push", write("prompts/typed.yaml", json.dumps(TYPED)))
    assert run("render", "typed", *assignments()).out == '10 10 0.5 true ["a"] {"a": 1} 1 1.10\n'
    assert run("render", "typed", *assignments(any="1.5", code="true")).out.startswith("true 10 ")


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("discount", "ten", "discount: must be an integer"),
        ("discount", '"10"', "discount: must be of type integer"),
        ("discount", "1.5", "discount: must be of type integer"),
        ("rate", "0,5", "rate: must be a number"),
        ("rate", "NaN", "rate: must be a number"),
        ("vip", "yes", "vip: must be true or false"),
        ("tags", "a, b", "tags: must be a JSON list"),
        ("shop", "a=1", "shop: must be a JSON object"),
        ("kind", "3", "kind: must be one of"),
    ],
)
def test_a_value_that_is_not_of_the_declared_type_is_named_with_it(
    run: Run, write: Write, name: str, text: str, message: str
) -> None:
    run("push", write("prompts/typed.yaml", json.dumps(TYPED)))
    result = run("render", "typed", *assignments(**{name: text}))
    assert (result.code, message in result.error_line) == (64, True)


def test_prompts_are_listed_with_their_labels(run: Run, word: Path) -> None:
    run("push", word, "--name", "support.word")
    assert run("prompts").out.splitlines() == [
        "prompt\tnewest\tlabels",
        "support.word\t1\tproduction=1",
        "word\t1\tproduction=1",
    ]
    (prompt,) = run("prompts", "--search", "support", "--json").json
    assert (prompt["name"], prompt["newest"], prompt["labels"]) == ("support.word", 1, {"production": 1})


def test_lists_are_read_to_their_end(run: Run, word: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PROMPTUARY_PAGE_LIMIT", "2")
    for number in range(4):
        run("push", word, "--name", f"word.{number}")
    assert [prompt["name"] for prompt in run("prompts", "--json").json] == ["word", "word.0", "word.1", "word.2", "word.3"]


@pytest.mark.usefixtures("word")
def test_a_lookup_can_be_as_of_a_time_in_the_past(run: Run, word: Path) -> None:
    before = run("label", "history", "word", "production", "--json").json[0]["at"]
    word.write_text(json.dumps({**WORD, "template": "New: {{text}}", "labels": ["production"]}))
    run("push", word)
    assert run("get", "word", "--json").json["version"] == 2
    assert run("get", "word", "--as-of", before, "--json").json["version"] == 1
    assert "had no version at 2001" in run("get", "word", "--as-of", "2001-01-01T00:00:00Z").error_line
    assert "in the future" in run("get", "word", "--as-of", "2999-01-01T00:00:00Z").error_line
    assert "as_of" in run("get", "word", "--as-of", "yesterday").error_line


@pytest.mark.usefixtures("word")
def test_a_project_sees_its_own_prompts_only(run: Run) -> None:
    assert run("prompts", "--project", "another", "--json").json == []
    assert "there is no prompt 'word'" in run("get", "word", "--project", "another").error_line


def test_a_file_with_erased_content_is_registered_only_on_request(run: Run, word: Path) -> None:
    run("erase", "word", "1", "--reason", "a key", "--labelled")
    refused = run("push", word)
    assert refused.code != 0
    assert f"{word}: has the content of version 1 of 'word', which was erased" in refused.err
    assert "--supersede" in refused.err
    assert run("push", word, "--supersede", "--json").json["version"] == 2
    assert run("push", word, "--json").json["version"] == 2


def test_other_tags_of_the_same_file_are_set_and_a_file_without_keeps_them(run: Run, write: Write) -> None:
    path = write("prompts/support/triage.yaml", CHAT)
    run("push", path)
    path.write_text(CHAT.replace("tags: [support]", "tags: [urgent]"))
    again = run("push", path, "--json").json
    assert (again["version"], again["tags"]) == (1, ["urgent"])
    path.write_text(CHAT.replace("tags: [support]\n", ""))
    assert run("push", path, "--json").json["tags"] == ["urgent"]
