"""Prompts exported into a file and imported from it: for clients that start offline, as a backup, and between servers."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cli.conftest import Run
from promptuary import Promptuary
from promptuary.cli.transfer import bundle

Write = Callable[[str, str], Path]


def text(template: str, *labels: str, **more: Any) -> str:
    return json.dumps({"type": "text", "template": template, "labels": list(labels), **more})


@pytest.fixture
def registry(run: Run, write: Write) -> None:
    """Prompts with a past: one split, one that includes another, one archived."""
    for words in ("one", "two", "three"):
        folder = write("p/tone.yaml", text(words, "production")).parent
        write("p/a/reply.yaml", text("{{> tone}} {{q}}", "staging", message=f"with {words}", tags=["t"]))
        assert run("sync", "apply", folder).code == 0
    run("push", write("p/old.yaml", text("old", "production")))
    run("archive", "old", "--reason", "not used")
    run("label", "split", "a.reply", "production", "1=95", "3=5", "--reason", "careful")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "out" / "bundle.json"


@pytest.mark.usefixtures("registry")
def test_by_default_a_bundle_has_what_labels_lead_to_and_the_newest(run: Run, file: Path) -> None:
    assert run("export", file).out == f"2 prompts, 3 versions → {file}\n"
    body = json.loads(file.read_text())
    assert list(body) == ["format", "exported_at", "prompts"]
    assert body["format"] == "promptuary-bundle/1"
    reply, tone = body["prompts"]["a.reply"], body["prompts"]["tone"]
    assert list(reply["versions"]) == ["3", "1"]
    found = run("get", "a.reply", "--version", 3, "--json").json
    assert reply["versions"]["3"].items() <= found.items()
    assert found.keys() - reply["versions"]["3"].keys() == {"label", "variant", "split", "revision"}  # which are the lookup's
    assert reply["labels"]["staging"] == 3
    assert [arm["version"] for arm in reply["labels"]["production"]["split"]["arms"]] == [1, 3]
    assert (tone["labels"], list(tone["versions"]), tone["history"], tone["archived"]) == ({"production": 3}, ["3"], [], False)


@pytest.mark.usefixtures("registry")
def test_a_client_starts_from_it_without_a_server(run: Run, file: Path) -> None:
    run("export", file, "--prompt", "tone", "--prompt", "old")
    with Promptuary("http://127.0.0.1:1", bundle=file, disk=False, deadline=0.2) as client:
        prompt = client.get("tone")
        assert (prompt.render(), prompt.version, prompt.source) == ("three", 3, "bundle")


@pytest.mark.usefixtures("registry")
def test_labels_and_prompts_say_what_goes_into_it(run: Run, file: Path) -> None:
    run("export", file, "--label", "staging")
    body = json.loads(file.read_text())["prompts"]
    assert {name: (list(prompt["labels"]), list(prompt["versions"])) for name, prompt in body.items()} == {
        "a.reply": (["staging"], ["3"])
    }
    told = run("export", file, "--prompt", "a.reply", "--all-versions").out.splitlines()
    assert told == [
        f"1 prompts, 3 versions → {file}",
        "included by exported versions, but not exported: tone; add them with --prompt",
    ]
    assert "never: is not in the registry" in run("export", file, "--prompt", "never").fault
    assert "not both" in run("export", file, "--label", "staging", "--all-versions").fault


@pytest.mark.usefixtures("registry")
def test_what_happens_while_it_is_written_is_not_half_in_it(run: Run, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run("export", file, "--all-versions")
    before = file.read_text().splitlines()[3:]
    history = bundle._history

    def meanwhile(api: Any, name: str, held: Any) -> Any:
        if name == "a.reply":
            api.post("/prompts/tone/versions", {"type": "text", "template": "later", "labels": ["production", "canary"]})
            api.post("/prompts/tone/archive", {})
        return history(api, name, held)

    monkeypatch.setattr(bundle, "_history", meanwhile)
    run("export", file, "--all-versions")
    after = [one.replace('"labels": []', '"labels": ["production"]') for one in file.read_text().splitlines()[3:]]
    assert after == [one.replace('"labels": []', '"labels": ["production"]') for one in before]
    assert run("import", file, "--project", "there").code == 0


@pytest.mark.usefixtures("registry")
def test_what_a_version_includes_and_is_not_there_is_told(run: Run, file: Path) -> None:
    run("export", file, "--all-versions", "--prompt", "a.reply")
    told = run("import", file, "--project", "there").out.splitlines()
    assert told[1:] == [
        f"  a.reply  version {number} has the text of tone@{number}, which does not exist here" for number in (1, 2, 3)
    ]
    assert run("import", file, "--project", "there").out == "= a.reply  nothing to import\n"


@pytest.mark.usefixtures("registry")
def test_a_history_too_long_to_be_told_before_is_compared_when_it_comes(
    run: Run, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bundle, "REQUEST_BYTES", 900)
    run("export", file, "--all-versions")
    there = ("--project", "there")
    assert run("import", file, "--dry-run", *there).out.splitlines()[0] == "+ a.reply  versions 1–3"
    assert run("import", file, *there).code == 0
    assert len(run("label", "history", "a.reply", "staging", "--json", *there).json) == 3
    run("label", "set", "tone", "production", 3)
    run("export", file, "--all-versions")
    assert run("import", file, *there).code == 0
    assert run("import", file, "--dry-run", *there).out.splitlines()[2] == "= tone  nothing to import"


@pytest.mark.usefixtures("registry")
def test_without_a_file_it_is_printed_and_with_json_a_program_is_told(run: Run, file: Path) -> None:
    assert json.loads(run("export").out)["prompts"].keys() == {"a.reply", "tone"}
    assert run("export", file, "--all-versions", "--json").json == {
        "file": str(file),
        "prompts": 3,
        "versions": 7,
        "changed": True,
    }


@pytest.mark.usefixtures("registry")
def test_a_file_that_says_the_same_is_left_as_it_is(run: Run, file: Path, write: Write) -> None:
    run("export", file, "--all-versions")
    older = file.read_text().replace('"exported_at": "2', '"exported_at": "1')
    file.write_text(older)
    assert run("export", file, "--all-versions").out == f"3 prompts, 7 versions → {file}, unchanged\n"
    assert file.read_text() == older
    run("push", write("p/tone.yaml", text("four")))
    assert "unchanged" not in run("export", file, "--all-versions").out
    changed = [one for one, other in zip(older.splitlines(), file.read_text().splitlines(), strict=False) if one == other]
    assert len(changed) > 20  # a version more is a line more, for those who keep bundles in git
    file.write_text("something else")
    assert run("export", file).code == 0


@pytest.mark.usefixtures("registry")
def test_an_export_that_breaks_off_leaves_the_file_as_it_was(run: Run, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file.parent.mkdir()
    file.write_text("precious")

    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    assert run("export", file).code == 3
    assert file.read_text() == "precious"
    assert list(file.parent.iterdir()) == [file]


@pytest.mark.usefixtures("registry")
def test_a_backup_is_planned_imported_and_imported_again_without_effect(run: Run, file: Path, tmp_path: Path) -> None:
    run("export", file, "--all-versions")
    planned = [
        "+ a.reply  versions 1–3, 4 label moves (staging → 3, production → 1=95 3=5)",
        "+ old  version 1, 1 label move (production → 1), archived",
        "+ tone  versions 1–3, 3 label moves (production → 3)",
    ]
    there = ("--project", "there")
    assert run("import", file, "--dry-run", *there).out.splitlines() == planned
    assert run("prompts", "--json", *there).json == []
    assert run("import", file, *there).out.splitlines() == planned
    assert run("uses", "tone", *there).out == run("uses", "tone").out
    for label in ("production", "staging"):
        here, beyond = (run("label", "history", "a.reply", label, "--json", *more).json for more in ((), there))
        assert [{**move, "revision": 0} for move in here] == [{**move, "revision": 0} for move in beyond]
    again = run("import", file, "--json", *there).json
    assert [(one["prompt"], one["plan"]["versions"], one["plan"]["moves"]) for one in again] == [
        (name, [], []) for name in ("a.reply", "old", "tone")
    ]
    copy = tmp_path / "copy.json"
    run("export", copy, "--all-versions", *there)
    assert copy.read_text().splitlines()[3:] == file.read_text().splitlines()[3:]


@pytest.mark.usefixtures("registry")
def test_what_is_in_the_way_is_told_for_every_prompt_and_nothing_is_imported(run: Run, file: Path, write: Write) -> None:
    run("export", file, "--all-versions")
    there = ("--project", "there")
    run("push", write("p/tone.yaml", text("mine")), *there)
    run("push", write("p/a/reply.yaml", text("mine")), "--name", "a.reply", *there)
    shown = run("import", file, "--dry-run", *there)
    assert shown.code == 1
    assert [line.split("  ")[0] for line in shown.out.splitlines()] == ["! a.reply", "+ old", "! tone"]
    assert json.loads(run("import", file, "--dry-run", "--json", *there).out)[0]["conflict"].startswith(
        "'a.reply' has another content"
    )
    told = run("import", file, *there)
    assert told.code == 64
    assert "a.reply: 'a.reply' has another content under the same number: version 1" in told.fault
    assert "tone: 'tone' has another content" in told.fault
    assert [one["name"] for one in run("prompts", "--json", *there).json] == ["a.reply", "tone"]


@pytest.mark.usefixtures("registry")
@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda text: text[: len(text) // 2], "is the file cut off?"),
        (lambda text: text[:100], "is the file cut off?"),
        (
            lambda text: text.replace('"template": "one"', '"template": "two"'),
            "prompts.tone.versions.1: is not what its digest says",
        ),
        (lambda text: text.replace("bundle/1", "bundle/2"), "is of another release"),
        (lambda text: text.replace('"version": 2}', '"version": 7}'), "says that it is version 7"),
    ],
)
def test_a_damaged_bundle_is_told_as_that_and_nothing_is_imported(
    run: Run, file: Path, damage: Callable[[str], str], said: str
) -> None:
    run("export", file, "--all-versions")
    file.write_text(damage(file.read_text()))
    told = run("import", file, "--project", "there")
    assert (told.code, told.out) == (64, "")
    assert str(file) in told.fault
    assert said in told.fault
    assert run("prompts", "--json", "--project", "there").json == []


@pytest.mark.usefixtures("registry")
def test_a_bundle_for_an_offline_start_is_no_backup_and_says_what_is_missing(run: Run, file: Path) -> None:
    run("export", file)
    assert "has no history; export it with --all-versions" in run("import", file, "--project", "there").fault


@pytest.mark.usefixtures("registry")
def test_a_backup_goes_to_a_server_with_an_admins_key(
    run: Run, file: Path, served: Callable[[str], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    run("export", file, "--all-versions")
    served("author")
    assert "prompt:import" in run("import", file).fault
    served("admin")
    assert [line[0] for line in run("import", file).out.splitlines()] == ["="] * 3


def test_a_file_that_is_missing_is_told(run: Run, tmp_path: Path) -> None:
    assert "does not exist" in run("import", tmp_path / "never.json").fault
