"""The users of a prompt by the command line, and prompts that are renewed, archived and restored."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from cli.conftest import Run

Write = Callable[[str, str], Path]


def text(template: str, *labels: str) -> str:
    return json.dumps({"type": "text", "template": template, "labels": list(labels)})


@pytest.fixture
def included(run: Run, write: Write) -> None:
    """The prompt `reply`, which includes `tone`, which has a newer version."""
    folder = write("p/tone.yaml", text("one", "production")).parent
    write("p/reply.yaml", text("{{> tone}} {{> tone@1}}", "production"))
    run("sync", "apply", folder)
    run("push", write("p/tone.yaml", text("two", "production")))


@pytest.mark.usefixtures("included")
def test_the_users_of_a_prompt_are_listed_with_newer_versions_and_renewed(run: Run) -> None:
    assert run("uses", "reply").out == "no version in use includes reply\n"
    assert run("uses", "tone").out.splitlines() == [
        "prompt\tversion\tincludes\thas\tcould have",
        "reply\t1\ttone\t1\t2",
        "reply\t1\ttone@1\t1\t",
    ]
    assert [use["offered"] for use in run("uses", "tone", "--json").json] == [2, None]
    assert run("renew", "reply").out == "reply  version 2  tone 1 → 2\n"
    assert run("renew", "reply").out == "reply  version 2 has the newest of what it includes\n"
    assert run("get", "reply", "--label", "latest", "--json").json["message"] == "includes resolved again"
    assert run("get", "reply", "--json").json["version"] == 1


@pytest.mark.usefixtures("included")
def test_a_renewed_version_has_a_message_and_json_for_programs(run: Run) -> None:
    renewed = run("renew", "reply", "--message", "tone is kinder", "--json").json
    assert (renewed["version"], renewed["message"], renewed["includes"][0]["version"]) == (2, "tone is kinder", 2)
    assert "there is no prompt 'never'" in run("renew", "never").error_line


def test_an_archived_prompt_is_hidden_until_it_is_restored(run: Run, word: Path) -> None:
    assert (
        run("archive", "word", "--reason", "not used").out == "word  archived; its versions can still be looked up by number\n"
    )
    assert run("prompts", "--json").json == []
    assert [prompt["name"] for prompt in run("prompts", "--archived", "--json").json] == ["word"]
    assert "the prompt 'word' is archived" in run("get", "word").error_line
    assert run("get", "word", "--version", 1, "--json").json["version"] == 1
    assert "restore it first" in run("push", word).error_line
    assert run("restore", "word").out == "word  restored; newest version 1\n"
    assert run("get", "word", "--json").json["version"] == 1
    assert run("archive", "word", "--json").json["archived_at"] is not None
    assert run("restore", "word", "--json").json["archived_at"] is None
    assert "there is no prompt 'never'" in run("archive", "never").error_line
