"""Labels by the command line: moved, split, rolled back, and their history."""

import json
from pathlib import Path

import pytest

from cli.conftest import WORD, Run


def test_a_label_moves_and_moves_back_and_its_history_lists_both(run: Run, word: Path) -> None:
    word.write_text(json.dumps({**WORD, "template": "New: {{text}}"}))
    run("push", word)
    moved = run("label", "set", "word", "production", 2, "--reason", "it is\nbetter", "--json").json
    assert moved["version"] == 2, moved
    back = run("label", "rollback", "word", "production", "--reason", "it was not")
    assert back.out == "word  production → version 1\n"
    moves = run("label", "history", "word", "production", "--json").json
    assert [(move["previous"], move["version"], move["reason"]) for move in moves] == [
        (2, 1, "it was not"),
        (1, 2, "it is\nbetter"),
        (None, 1, "registered with this label"),
    ]
    lines = run("label", "history", "word", "production").out.splitlines()
    assert lines[0] == "at\tfrom\tto\tby\treason"
    assert [line.split("\t")[1:] for line in lines[1:]] == [
        ["2", "1", "local", "it was not"],
        ["1", "2", "local", "it is better"],
        ["", "1", "local", "registered with this label"],
    ]


@pytest.fixture
def split(run: Run, word: Path) -> None:
    """The prompt `word`, whose label `production` is split over its two versions."""
    word.write_text(json.dumps({**WORD, "template": "New: {{text}}"}))
    run("push", word)
    result = run("label", "split", "word", "production", "1=95", "2=5", "--reason", "careful")
    assert result.out == "word  production → split 1=95 2=5\n"


@pytest.mark.usefixtures("split")
def test_a_split_label_is_shown_with_its_arms_and_assigns_keys_to_them(run: Run) -> None:
    assert run("prompts").out.splitlines()[1] == "word\t2\tproduction=1|2"
    lines = run("get", "word").out.splitlines()
    assert lines[1:] == ["production is split 1=95 2=5; this is v1", "{{text}}"]
    keys = {run("get", "word", "--targeting-key", f"user-{number}", "--json").json["variant"] for number in range(40)}
    assert keys == {"v1", "v2"}


@pytest.mark.usefixtures("split")
def test_a_split_is_in_the_history_and_a_rollback_restores_it(run: Run) -> None:
    arms = run("label", "history", "word", "production", "--json").json[0]["split"]["arms"]
    assert run("label", "set", "word", "production", 2).out == "word  production → version 2\n"
    assert run("label", "rollback", "word", "production").out == "word  production → split 1=95 2=5\n"
    assert run("label", "rollback", "word", "production", "--to", 2, "--json").json["version"] == 2
    assert run("label", "rollback", "word", "production", "--json").json["split"]["arms"] == arms
    rows = [line.split("\t")[1:3] for line in run("label", "history", "word", "production").out.splitlines()]
    assert rows == [
        ["from", "to"],
        ["2", "1=95 2=5"],
        ["1", "2"],
        ["2", "1=95 2=5"],
        ["1", "2"],
        ["1", "1=95 2=5"],
        ["", "1"],
    ]
    assert run("label", "split", "word", "production", "1=0.5", "2=0.5", "--json").json["split"]["arms"][0]["weight"] == 0.5


@pytest.mark.usefixtures("split")
@pytest.mark.parametrize(
    ("arms", "message"),
    [
        (["1=95", "2"], "2: must be VERSION=WEIGHT"),
        (["1=95", "two=5"], "two=5: must be VERSION=WEIGHT"),
        (["1=95", "2=much"], "2=much: must be VERSION=WEIGHT"),
        (["1=95"], "split"),
        (["1=95", "1=5"], "has a version in two arms"),
        (["1=95", "2=-5"], "must be a positive number"),
        (["1=95", "2=nan"], "must be VERSION=WEIGHT"),
        (["1=95", "7=5"], "has no version 7"),
    ],
)
def test_an_invalid_split_is_refused_and_changes_nothing(run: Run, arms: list[str], message: str) -> None:
    result = run("label", "split", "word", "production", "--", *arms)
    assert result.code == 64
    assert message in result.error_line
    assert len(run("label", "history", "word", "production", "--json").json) == 2


@pytest.mark.usefixtures("split")
def test_a_label_is_removed_and_a_rollback_brings_it_back(run: Run) -> None:
    removed = run("label", "remove", "word", "production", "--reason", "unused")
    assert removed.out == "word  production removed; it pointed at version 1\n"
    rows = [line.split("\t")[1:] for line in run("label", "history", "word", "production").out.splitlines()]
    assert rows[1] == ["1", "removed", "local", "unused"]
    assert "has no label 'production'" in run("get", "word").err
    assert "has no label 'production'" in run("label", "remove", "word", "production").err
    assert run("label", "rollback", "word", "production").out == "word  production → split 1=95 2=5\n"
