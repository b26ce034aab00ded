"""The changes between two versions, and those that a file would make, by the command line."""

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
    """The file of `support.triage`, whose version 1 is in production; the file contains version 2 now, which is not pushed."""
    path = write("prompts/support/triage.yaml", FIRST)
    assert run("push", path).code == 0
    return write("prompts/support/triage.yaml", SECOND)


def test_two_versions_are_compared_from_production_to_the_newest(run: Run, triage: Path) -> None:
    run("push", triage)
    result = run("diff", "support.triage")
    assert (result.code, result.out) == (0, "support.triage  version 1 → version 2\n" + CHANGES)
    assert run("diff", "support.triage", "1", "2").out == result.out
    assert run("diff", "support.triage", "2", "1").out.splitlines()[0] == "support.triage  version 2 → version 1"
    assert run("diff", "support.triage", "latest", "2").out == "support.triage  version 2 → version 2\nnothing changed\n"


def test_as_json_it_is_the_response_of_the_service(run: Run, triage: Path) -> None:
    run("push", triage)
    comparison = run("diff", "support.triage", "--json").json
    assert (comparison["from"]["version"], comparison["to"]["version"], comparison["breaking"], comparison["reasons"]) == (
        1,
        2,
        True,
        REASONS,
    )
    assert [change["path"] for change in comparison["changes"] if change["breaking"]] == [
        "variables.ticket.maxLength",
        "variables.intents",
    ]


def test_a_file_is_compared_before_it_is_pushed(run: Run, triage: Path) -> None:
    result = run("diff", "--file", triage)
    assert (result.code, result.out) == (0, f"support.triage  version 1 → {triage} (would be version 2)\n" + CHANGES)
    comparison = run("diff", "--file", triage, "1", "--json").json
    assert (comparison["to"]["version"], comparison["reasons"]) == (None, REASONS)
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
    comparison = run("diff", "--file", path, "--json").json
    assert [(change["path"], change["after"]) for change in comparison["changes"]][1:] == [
        ("partials.support.tone", "Be kind.")
    ]


def test_a_new_prompt_breaks_no_caller(run: Run, write: Write) -> None:
    path = write("prompts/support/new.yaml", FIRST)
    result = run("diff", "--file", path, "--fail-on-breaking")
    assert (result.code, result.out) == (0, f"support.new  {path} is a new prompt: version 1\n")
    comparison = run("diff", "--file", path, "--json").json
    assert (comparison["from"], comparison["breaking"], comparison["changes"]) == (None, False, [])
    assert run("prompts").out.splitlines() == ["prompt\tnewest\tlabels"]


@pytest.mark.parametrize("arguments", [("support.triage",), ("support.triage", "1", "2", "--json")])
def test_a_breaking_change_exits_1_with_fail_on_breaking(run: Run, triage: Path, arguments: tuple[str, ...]) -> None:
    assert run("diff", "--file", triage, "--fail-on-breaking").code == 1
    run("push", triage)
    assert run("diff", *arguments, "--fail-on-breaking").code == 1
    assert run("diff", *arguments).code == 0
    assert run("diff", "support.triage", "1", "1", "--fail-on-breaking").code == 0


def test_a_server_is_called_where_one_is_set(run: Run, triage: Path, served: Callable[[str], Mapping[str, str]]) -> None:
    served("viewer")
    assert run("diff", "--file", triage, "--json").json["reasons"] == REASONS
    assert run("diff", "support.triage").out == "support.triage  version 1 → version 1\nnothing changed\n"


@pytest.mark.usefixtures("triage")
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "name the prompt, or pass --file FILE"),
        (("support.triage", "--name", "x"), "name the prompt, or pass --file FILE"),
        (("support.triage", "staging"), "has no label 'staging'; its labels are: production"),
        (("support.nothing",), "there is no prompt 'support.nothing'"),
        (("--file", "nowhere.yaml"), "nowhere.yaml does not exist"),
        (("1", "2", "--file", "nowhere.yaml"), "a file is compared with one version"),
    ],
)
def test_an_impossible_comparison_is_bad_usage(run: Run, arguments: tuple[str, ...], message: str) -> None:
    result = run("diff", *arguments)
    assert result.code == 64
    assert message in result.error_line


def test_a_long_value_is_shown_by_lines_with_hidden_characters_escaped(run: Run, write: Write) -> None:
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
