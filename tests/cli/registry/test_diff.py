"""What changed between two versions, and what a file would change, by the command line."""

import json
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from cli.conftest import Run

Write = Callable[[str, str], Path]
FIRST = """\
type: chat
messages:
  - {role: system, content: "Sort the ticket.\\nBe kind."}
  - {role: user, content: "{{ticket}}"}
variables:
  ticket: {type: string, maxLength: 4000}
model: {name: "local:a", temperature: 0}
labels: [production]
"""
SECOND = """\
type: chat
messages:
  - {role: system, content: "Sort the ticket into {{intents}}.\\nBe kind."}
  - {role: user, content: "{{ticket}}"}
  - {role: assistant, content: "Intent:"}
variables:
  ticket: {type: string, maxLength: 200}
model: {name: "local:b", temperature: 0}
"""
REASONS = [
    "the variable 'ticket' has maxLength 200 now and had 4000",
    "the variable 'intents' is new and must be given",
]
CHANGES = """\
breaking: the variable 'ticket' has maxLength 200 now and had 4000
breaking: the variable 'intents' is new and must be given
~ template.0.content
    @@ -1,2 +1,2 @@
    -Sort the ticket.
    +Sort the ticket into {{intents}}.
     Be kind.
+ template.2  [assistant] Intent:
~ variables.ticket.maxLength  4000 → 200  (breaking)
+ variables.intents  {"declared": false, "required": true}  (breaking)
~ model.name  local:a → local:b
"""


@pytest.fixture
def triage(run: Run, write: Write) -> Path:
    """The file of `support.triage`, whose version 1 is in production; it says version 2 now, which is not pushed."""
    path = write("prompts/support/triage.yaml", FIRST)
    assert run("push", path).code == 0
    return write("prompts/support/triage.yaml", SECOND)


def test_two_versions_are_compared_from_production_to_the_newest(run: Run, triage: Path) -> None:
    run("push", triage)
    told = run("diff", "support.triage")
    assert (told.code, told.out) == (0, "support.triage  version 1 → version 2\n" + CHANGES)
    assert run("diff", "support.triage", "1", "2").out == told.out
    assert run("diff", "support.triage", "2", "1").out.splitlines()[0] == "support.triage  version 2 → version 1"
    assert run("diff", "support.triage", "latest", "2").out == "support.triage  version 2 → version 2\nnothing changed\n"


def test_as_json_it_is_what_the_service_answers(run: Run, triage: Path) -> None:
    run("push", triage)
    found = run("diff", "support.triage", "--json").json
    assert (found["from"]["version"], found["to"]["version"], found["breaking"], found["reasons"]) == (1, 2, True, REASONS)
    assert [change["path"] for change in found["changes"] if change["breaking"]] == [
        "variables.ticket.maxLength",
        "variables.intents",
    ]


def test_a_file_is_compared_before_it_is_pushed(run: Run, triage: Path) -> None:
    told = run("diff", "--file", triage)
    assert (told.code, told.out) == (0, f"support.triage  version 1 → {triage} (would be version 2)\n" + CHANGES)
    found = run("diff", "--file", triage, "1", "--json").json
    assert (found["to"]["version"], found["reasons"]) == (None, REASONS)
    run("push", triage)
    assert run("diff", "--file", triage, "production").out.splitlines()[0].endswith("(is version 2)")
    from_service = run("diff", "support.triage", "--json").json
    assert run("diff", "--file", triage, "--json").json == from_service


def test_a_file_with_includes_is_compared_as_the_registry_would_resolve_it(run: Run, write: Write) -> None:
    tone = write("prompts/support/tone.yaml", json.dumps({"type": "text", "template": "Be kind.", "labels": ["production"]}))
    run("push", tone)
    plain = {"type": "text", "template": "Sort it.", "labels": ["production"]}
    path = write("prompts/support/word.yaml", json.dumps(plain))
    run("push", path)
    path.write_text(json.dumps({**plain, "template": "{{> support.tone}}\nSort it."}))
    found = run("diff", "--file", path, "--json").json
    assert [(change["path"], change["after"]) for change in found["changes"]][1:] == [("partials.support.tone", "Be kind.")]


def test_a_prompt_that_is_not_there_yet_breaks_nobody(run: Run, write: Write) -> None:
    path = write("prompts/support/new.yaml", FIRST)
    told = run("diff", "--file", path, "--fail-on-breaking")
    assert (told.code, told.out) == (0, f"support.new  {path} is a new prompt: version 1\n")
    found = run("diff", "--file", path, "--json").json
    assert (found["from"], found["breaking"], found["changes"]) == (None, False, [])
    assert run("prompts").out.splitlines() == ["prompt\tnewest\tlabels"]


@pytest.mark.parametrize("words", [("support.triage",), ("support.triage", "1", "2", "--json")])
def test_where_a_break_is_to_fail_it_exits_1(run: Run, triage: Path, words: tuple[str, ...]) -> None:
    assert run("diff", "--file", triage, "--fail-on-breaking").code == 1
    run("push", triage)
    assert run("diff", *words, "--fail-on-breaking").code == 1
    assert run("diff", *words).code == 0
    assert run("diff", "support.triage", "1", "1", "--fail-on-breaking").code == 0


def test_a_server_is_asked_where_there_is_one(run: Run, triage: Path, served: Callable[[str], Mapping[str, str]]) -> None:
    served("reader")
    assert run("diff", "--file", triage, "--json").json["reasons"] == REASONS
    assert run("diff", "support.triage").out == "support.triage  version 1 → version 1\nnothing changed\n"


@pytest.mark.usefixtures("triage")
@pytest.mark.parametrize(
    ("words", "fault"),
    [
        ((), "name the prompt, or pass --file FILE"),
        (("support.triage", "--name", "x"), "name the prompt, or pass --file FILE"),
        (("support.triage", "staging"), "has no label 'staging'; its labels are: production"),
        (("support.nothing",), "there is no prompt 'support.nothing'"),
        (("--file", "nowhere.yaml"), "nowhere.yaml does not exist"),
        (("1", "2", "--file", "nowhere.yaml"), "a file is compared with one version"),
    ],
)
def test_what_cannot_be_compared_is_bad_usage(run: Run, words: tuple[str, ...], fault: str) -> None:
    ended = run("diff", *words)
    assert ended.code == 64
    assert fault in ended.fault


def test_a_long_value_is_told_line_by_line_and_what_a_terminal_would_obey_is_shown(run: Run, write: Write) -> None:
    path = write("prompts/word.yaml", json.dumps({"type": "text", "template": "a", "labels": ["production"]}))
    run("push", path)
    answer = {"type": "json_schema", "json_schema": {"name": "answer", "schema": {"type": "object", "required": ["intent"]}}}
    body = {"type": "text", "template": "a\u001b[2Jb\u202ec", "response_format": answer}
    path.write_text(json.dumps(body))
    out = run("diff", "--file", path).out
    assert "    +a\\x1b[2Jb\\u202ec\n" in out
    assert '+ response_format  (breaking)\n    +{\n    +  "type": "json_schema",\n' in out


def test_on_a_terminal_it_is_in_colour(run: Run, triage: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "20")
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    lines = run("diff", "--file", triage).out.splitlines()
    assert "\x1b[31m    -Sort the ticket.\x1b[0m" in lines
    assert "\x1b[32m    +Sort the ticket into {{intents}}.\x1b[0m" in lines
