"""A folder of prompt files brought into the registry: planned, applied, and applied again without effect."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from cli.conftest import WORD, Run

Write = Callable[[str, str], Path]


@pytest.fixture
def folder(write: Write) -> Path:
    """Two prompt files, one with a label."""
    write("prompts/support/answer.yaml", json.dumps({**WORD, "labels": ["production"]}))
    return write("prompts/word.yaml", json.dumps(WORD)).parent


def test_a_plan_says_what_would_be_done_and_does_nothing(run: Run, folder: Path) -> None:
    assert run("sync", "plan", folder).out.splitlines() == [
        "+ support.answer  version 1, production → 1",
        "+ word  version 1",
    ]
    assert run("sync", "plan", folder, "--json").json == [
        {"prompt": "support.answer", "registers": True, "moves": ["production"]},
        {"prompt": "word", "registers": True, "moves": []},
    ]
    assert run("prompts", "--json").json == []


def test_what_was_applied_is_there_and_a_second_time_changes_nothing(run: Run, folder: Path) -> None:
    first = run("sync", "apply", folder, "--json").json
    assert [(one["name"], one["version"], one["labels"]) for one in first] == [
        ("support.answer", 1, ["production"]),
        ("word", 1, []),
    ]
    rows = run("audit", "verify", "--json").json["rows"]
    assert run("sync", "plan", folder).out.splitlines() == [
        "= support.answer  version 1 is there already",
        "= word  version 1 is there already",
    ]
    assert run("sync", "apply", folder).code == 0
    assert run("sync", "apply", folder, "--json").json == first
    assert run("audit", "verify", "--json").json["rows"] == rows


def test_only_what_changed_is_registered_and_only_labels_that_are_elsewhere_move(run: Run, folder: Path, write: Write) -> None:
    run("sync", "apply", folder)
    write("prompts/word.yaml", json.dumps({**WORD, "labels": ["staging"]}))
    write("prompts/support/answer.yaml", json.dumps({**WORD, "template": "New: {{text}}", "labels": ["production"]}))
    assert run("sync", "apply", folder).out.splitlines() == [
        "+ support.answer  version 2, production → 2",
        "~ word  version 1 is there already, staging → 1",
    ]
    assert run("get", "support.answer", "--json").json["template"] == "New: {{text}}"
    assert run("get", "word", "--label", "staging", "--json").json["version"] == 1


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("type: text\ntemplate: '{{text'\n", "line 2: template"),
        (json.dumps({**WORD, "labels": ["latest"]}), "labels: 'latest' cannot be set"),
        (json.dumps({**WORD, "labels": ["Not A Name"]}), "labels: 'Not A Name' cannot be set"),
    ],
)
def test_one_bad_file_keeps_the_whole_folder_out(run: Run, folder: Path, write: Write, text: str, said: str) -> None:
    path = write("prompts/zebra.yaml", text)
    for command in ("plan", "apply"):
        told = run("sync", command, folder)
        assert (told.code, told.out) == (64, "")
        assert str(path) in told.fault
        assert said in told.fault
    assert run("prompts", "--json").json == []


def test_every_bad_file_is_named_at_once(run: Run, folder: Path, write: Write) -> None:
    write("prompts/b.yaml", "type: text\n")
    write("prompts/a.yaml", "nonsense\n")
    fault = run("sync", "apply", folder).fault
    assert "2 files" in fault
    assert "a.yaml" in fault
    assert "b.yaml" in fault
