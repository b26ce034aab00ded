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
    """Prompts with a history: a split label, an include, and an archived prompt."""
    for template in ("one", "two", "three"):
        folder = write("p/tone.yaml", text(template, "production")).parent
        write("p/a/reply.yaml", text("{{> tone}} {{q}}", "staging", message=f"with {template}", tags=["t"]))
        assert run("sync", "apply", folder).code == 0
    run("push", write("p/old.yaml", text("old", "production")))
    run("archive", "old", "--reason", "not used")
    run("label", "split", "a.reply", "production", "1=95", "3=5", "--reason", "careful")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "out" / "bundle.json"


@pytest.mark.usefixtures("registry")
def test_by_default_a_bundle_has_the_labelled_versions_and_the_newest(run: Run, file: Path) -> None:
    assert run("export", file).out == f"2 prompts, 3 versions → {file}\n"
    body = json.loads(file.read_text())
    assert list(body) == ["format", "exported_at", "prompts"]
    assert body["format"] == "promptuary-bundle/1"
    reply, tone = body["prompts"]["a.reply"], body["prompts"]["tone"]
    assert list(reply["versions"]) == ["3", "1"]
    response = run("get", "a.reply", "--version", 3, "--json").json
    fields_of_a_lookup = {name: response.pop(name) for name in ("label", "variant", "split", "revision", "inferred")}
    assert fields_of_a_lookup["inferred"] == ["q"]
    response["variables"] = {name: response["variables"][name] for name in response["variables"] if name != "q"}
    assert response.pop("author_id") == "local"  # of this server alone
    assert reply["versions"]["3"] == response
    assert reply["labels"]["staging"] == 3
    assert [arm["version"] for arm in reply["labels"]["production"]["split"]["arms"]] == [1, 3]
    assert (tone["labels"], list(tone["versions"]), tone["history"], tone["archived"]) == ({"production": 3}, ["3"], [], False)


@pytest.mark.usefixtures("registry")
def test_a_client_starts_from_a_bundle_without_a_server(run: Run, file: Path) -> None:
    run("export", file, "--prompt", "tone", "--prompt", "old")
    with Promptuary("http://127.0.0.1:1", bundle=file, disk=False, deadline=0.2) as client:
        prompt = client.get("tone")
        assert (prompt.render(), prompt.version, prompt.source) == ("three", 3, "bundle")


@pytest.mark.usefixtures("registry")
def test_labels_and_prompts_select_the_content_of_a_bundle(run: Run, file: Path) -> None:
    run("export", file, "--label", "staging")
    body = json.loads(file.read_text())["prompts"]
    assert {name: (list(prompt["labels"]), list(prompt["versions"])) for name, prompt in body.items()} == {
        "a.reply": (["staging"], ["3"])
    }
    lines = run("export", file, "--prompt", "a.reply", "--all-versions").out.splitlines()
    assert lines == [
        f"1 prompts, 3 versions → {file}",
        "included by exported versions, but not exported: tone; add them with --prompt",
    ]
    assert "never: is not in the registry" in run("export", file, "--prompt", "never").error_line
    assert "not both" in run("export", file, "--label", "staging", "--all-versions").error_line


@pytest.mark.usefixtures("registry")
def test_an_export_by_a_label_that_no_prompt_has_writes_nothing(run: Run, file: Path) -> None:
    result = run("export", file, "--label", "staging", "--label", "stagin")
    assert result.code == 64
    assert "no prompt has the label 'stagin'; the labels there are: production, staging" in result.error_line
    assert not file.exists()
    partial = run("export", file, "--label", "staging", "--prompt", "tone")
    assert partial.error_line == "left out: tone has no label staging"
    assert run("export", file, "--label", "latest", "--json").json["prompts"] == 2


@pytest.mark.usefixtures("registry")
def test_a_change_during_an_export_is_not_partly_in_the_bundle(run: Run, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run("export", file, "--all-versions")
    before = file.read_text().splitlines()[3:]
    history = bundle._history

    def change_then_read(api: Any, name: str, state: Any) -> Any:
        if name == "a.reply":
            api.post("/prompts/tone/versions", {"type": "text", "template": "later", "labels": ["production", "canary"]})
            api.post("/prompts/tone/archive", {})
        return history(api, name, state)

    monkeypatch.setattr(bundle, "_history", change_then_read)
    run("export", file, "--all-versions")
    after = [line.replace('"labels": []', '"labels": ["production"]') for line in file.read_text().splitlines()[3:]]
    assert after == [line.replace('"labels": []', '"labels": ["production"]') for line in before]
    assert run("import", file, "--project", "there").code == 0


@pytest.mark.usefixtures("registry")
def test_the_import_lists_includes_that_do_not_exist_here(run: Run, file: Path) -> None:
    run("export", file, "--all-versions", "--prompt", "a.reply")
    lines = run("import", file, "--project", "there").out.splitlines()
    assert lines[1:] == [
        f"  a.reply  version {number} has the text of tone@{number}, which does not exist here" for number in (1, 2, 3)
    ]
    assert run("import", file, "--project", "there").out == "= a.reply  nothing to import\n"


@pytest.mark.usefixtures("registry")
def test_a_history_too_long_for_a_preview_is_compared_at_the_import(
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
def test_without_a_file_a_bundle_is_printed_and_json_has_its_size(run: Run, file: Path) -> None:
    assert json.loads(run("export").out)["prompts"].keys() == {"a.reply", "tone"}
    assert run("export", file, "--all-versions", "--json").json == {
        "file": str(file),
        "prompts": 3,
        "versions": 7,
        "changed": True,
    }


@pytest.mark.usefixtures("registry")
def test_a_file_with_the_same_content_is_not_written(run: Run, file: Path, write: Write) -> None:
    run("export", file, "--all-versions")
    older = file.read_text().replace('"exported_at": "2', '"exported_at": "1')
    file.write_text(older)
    assert run("export", file, "--all-versions").out == f"3 prompts, 7 versions → {file}, unchanged\n"
    assert file.read_text() == older
    run("push", write("p/tone.yaml", text("four")))
    assert "unchanged" not in run("export", file, "--all-versions").out
    unchanged = [line for line, other in zip(older.splitlines(), file.read_text().splitlines(), strict=False) if line == other]
    assert len(unchanged) > 20  # a new version is a new line, for bundles that are kept in git
    file.write_text("something else")
    assert run("export", file).code == 0


@pytest.mark.usefixtures("registry")
def test_an_export_that_fails_leaves_the_file_as_it_was(run: Run, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file.parent.mkdir()
    file.write_text("precious")

    def disk_is_full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", disk_is_full)
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
        local, remote = (run("label", "history", "a.reply", label, "--json", *project).json for project in ((), there))
        assert [{**move, "revision": 0} for move in local] == [{**move, "revision": 0} for move in remote]
    again = run("import", file, "--json", *there).json
    assert [(prompt["prompt"], prompt["plan"]["versions"], prompt["plan"]["moves"]) for prompt in again] == [
        (name, [], []) for name in ("a.reply", "old", "tone")
    ]
    copy = tmp_path / "copy.json"
    run("export", copy, "--all-versions", *there)
    assert copy.read_text().splitlines()[3:] == file.read_text().splitlines()[3:]


@pytest.mark.usefixtures("registry")
def test_every_conflict_is_listed_and_nothing_is_imported(run: Run, file: Path, write: Write) -> None:
    run("export", file, "--all-versions")
    there = ("--project", "there")
    run("push", write("p/tone.yaml", text("mine")), *there)
    run("push", write("p/a/reply.yaml", text("mine")), "--name", "a.reply", *there)
    preview = run("import", file, "--dry-run", *there)
    assert preview.code == 1
    assert [line.split("  ")[0] for line in preview.out.splitlines()] == ["! a.reply", "+ old", "! tone"]
    assert json.loads(run("import", file, "--dry-run", "--json", *there).out)[0]["conflict"].startswith(
        "'a.reply' has another content"
    )
    result = run("import", file, *there)
    assert result.code == 64
    assert "a.reply: 'a.reply' has another content under the same number: version 1" in result.error_line
    assert "tone: 'tone' has another content" in result.error_line
    assert [prompt["name"] for prompt in run("prompts", "--json", *there).json] == ["a.reply", "tone"]


@pytest.mark.usefixtures("registry")
@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda text: text[: len(text) // 2], "is the file cut off?"),
        (lambda text: text[:100], "is the file cut off?"),
        (
            lambda text: text.replace('"template": "one"', '"template": "two"'),
            "prompts.tone.versions.1: does not match its digest",
        ),
        (lambda text: text.replace("bundle/1", "bundle/2"), "is of another release"),
        (lambda text: text.replace('"name": "tone", "version": 2,', '"name": "tone", "version": 7,'), "contains version 7"),
    ],
)
def test_a_damaged_bundle_is_refused_and_nothing_is_imported(
    run: Run, file: Path, damage: Callable[[str], str], message: str
) -> None:
    run("export", file, "--all-versions")
    file.write_text(damage(file.read_text()))
    result = run("import", file, "--project", "there")
    assert (result.code, result.out) == (64, "")
    assert str(file) in result.error_line
    assert message in result.error_line
    assert run("prompts", "--json", "--project", "there").json == []


@pytest.mark.usefixtures("registry")
def test_a_bundle_for_an_offline_start_is_not_imported_as_a_backup(run: Run, file: Path) -> None:
    run("export", file)
    assert "has no history; export it with --all-versions" in run("import", file, "--project", "there").error_line


@pytest.mark.usefixtures("registry")
def test_a_backup_goes_to_a_server_with_an_admins_key(
    run: Run, file: Path, served: Callable[[str], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    run("export", file, "--all-versions")
    served("author")
    assert "prompt:import" in run("import", file).error_line
    served("admin")
    assert [line[0] for line in run("import", file).out.splitlines()] == ["="] * 3


def test_a_missing_bundle_file_is_named(run: Run, tmp_path: Path) -> None:
    assert "does not exist" in run("import", tmp_path / "never.json").error_line
