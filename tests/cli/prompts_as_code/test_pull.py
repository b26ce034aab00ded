"""The registry written as files: read back without a change, and nothing lost that only a file has."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cli.conftest import Run, restored_process_state
from factories.prompt_contents import contents
from promptuary.cli.connection import connect
from promptuary.cli.prompts_as_code.plan import plan
from promptuary.cli.prompts_as_code.pull import path_of, pull
from promptuary.cli.prompts_as_code.pull import write as write_files
from promptuary.cli.registry.prompts import content_body
from promptuary.cli.registry.state import RegistryState
from promptuary.prompt.content import Content
from promptuary.prompt.digest import content_digest, json_digest
from promptuary.prompt.files.prompt_file import prompt_name, read_prompt_file

Write = Callable[[str, str], Path]
CHAT = """\
# What sorts the tickets.
type: chat
messages:
  - role: system
    content: |
      {{> tone}}
      Sort into {{intents}}:

        as {this} or "that"\x20\x20
  - {role: placeholder, name: history}
  - {role: user, content: "{{ticket}}"}
variables:
  intents: {type: string}
labels: [staging]
tags: [support]
message: the first
"""


def text(template: str, *labels: str, **more: Any) -> str:
    return json.dumps({"type": "text", "template": template, "labels": list(labels), **more})


@pytest.fixture
def registry(run: Run, write: Write) -> None:
    """Three prompts, one of which includes another."""
    folder = write("origin/tone.yaml", text("Be {{how}}.", "production", variables={"how": {"enum": ["kind", "short"]}})).parent
    write("origin/support/triage.yaml", CHAT)
    write("origin/v1.2.yaml", text("{a} {{b}}\n", format="f-string"))
    assert run("sync", "apply", folder).code == 0


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "pulled" / "prompts"


@pytest.mark.usefixtures("registry")
def test_what_was_pulled_is_planned_without_a_change(run: Run, folder: Path) -> None:
    assert run("sync", "pull", folder).out.splitlines() == [
        f"+ support.triage  version 1  {folder}/support/triage.yaml",
        f"+ tone  version 1  {folder}/tone.yaml",
        f"+ v1.2  version 1  {folder}/v1/2.yaml",
    ]
    assert {line[0] for line in run("sync", "plan", folder).out.splitlines()} == {"="}
    assert run("sync", "drift", folder).code == 0
    assert (
        (folder / "support" / "triage.yaml").read_text()
        == """\
type: chat
format: mustache
messages:
  - role: system
    content: |
      {{> tone}}
      Sort into {{intents}}:

        as {this} or "that"\x20\x20
  - {role: placeholder, name: history}
  - {role: user, content: "{{ticket}}"}
variables:
  intents: {type: string}
labels: [staging]
message: the first
tags: [support]
"""
    )
    pulled = run("sync", "pull", folder, "--json").json
    assert [(one["prompt"], one["version"], one["state"]) for one in pulled] == [
        ("support.triage", 1, "same"),
        ("tone", 1, "same"),
        ("v1.2", 1, "same"),
    ]


def test_whatever_is_registered_is_pulled_and_planned_without_a_change(
    data_dir: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PROMPTUARY_DATA_DIR", str(data_dir))
    words = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=30)
    with restored_process_state(), connect() as api:

        @settings(max_examples=40)
        @given(contents(), words, st.lists(words.filter(bool), max_size=3))
        def holds(content: Content, message: str, tags: list[str]) -> None:
            body = content_body(content) | {"message": message, "tags": tags, "labels": ["production"]}
            made = api.post("/prompts/p/versions", body)
            pulled = pull(RegistryState(api), folder)
            write_files(pulled)
            assert [one.version for one in pulled] == [made["version"]]
            assert [step.acts for step in plan(RegistryState(api), folder)] == [False]
            file = read_prompt_file(folder / "p.yaml", "p")
            assert (content_digest(file.content), file.labels) == (made["digest"], ("production",))
            if pulled[0].state != "same":
                assert (file.message, list(file.tags)) == (made["message"], made["tags"])

        holds()


@pytest.mark.usefixtures("registry")
def test_a_file_that_says_the_same_in_its_own_way_is_left_as_it_is(run: Run, folder: Path, write: Write) -> None:
    run("sync", "pull", folder)
    path = folder / "support" / "triage.yaml"
    own = CHAT.replace("variables:", "variables:\n  how: {enum: [kind, short]}")  # as the partial declares it
    path.write_text(own)
    assert run("sync", "pull", folder).out.splitlines()[0] == f"= support.triage  version 1  {path}"
    assert path.read_text() == own


@pytest.mark.usefixtures("registry")
def test_a_file_that_is_behind_is_brought_up_and_keeps_its_heading(run: Run, folder: Path, write: Write) -> None:
    run("sync", "pull", folder)
    path = folder / "support" / "triage.yaml"
    path.write_text(CHAT)
    run("push", write("new/support/triage.yaml", text("new", "production")), "--name", "support.triage")
    assert run("sync", "pull", folder).out.splitlines()[0] == f"~ support.triage  version 2  {path}"
    assert path.read_text() == "# What sorts the tickets.\ntype: text\nformat: mustache\ntemplate: new\nlabels: [production]\n"
    run("sync", "pull", folder, "--label", "staging")
    assert read_prompt_file(path, "support.triage").labels == ("staging",)


@pytest.mark.usefixtures("registry")
@pytest.mark.parametrize(
    ("own", "said"),
    [
        (text("{a} mine", format="f-string"), "matches no version in the registry"),
        (text("{a} {{b}}\n", "canary", format="f-string"), "contains labels that do not point at version 1: canary"),
        ("type: text\ntemplate: '{{a'\n", "cannot be used: line 2: template"),
        ("nonsense", "is not a prompt file"),
    ],
)
def test_a_file_with_changes_of_its_own_keeps_all_from_being_written(run: Run, folder: Path, own: str, said: str) -> None:
    path = folder / "v1.2.yaml"
    path.parent.mkdir(parents=True)
    path.write_text(own)
    told = run("sync", "pull", folder)
    assert told.code == 64
    assert str(path) in told.fault
    assert said in told.fault
    assert list(folder.rglob("*")) == [path]
    assert path.read_text() == own
    assert run("sync", "pull", folder, "--force").code == 0
    assert path.read_text() == "type: text\nformat: f-string\ntemplate: |\n  {a} {{b}}\n"
    assert run("sync", "drift", folder).code == 0


@pytest.mark.usefixtures("registry")
def test_only_what_is_asked_for_is_written_and_nothing_on_a_dry_run(run: Run, folder: Path, write: Write) -> None:
    write("origin/tone.yaml", text("two"))
    run("sync", "apply", folder.parents[1] / "files" / "origin")
    run("label", "split", "tone", "canary", "1=1", "2=1")
    run("archive", "v1.2")
    told = run("sync", "pull", folder, "--dry-run", "--prompt", "tone", "--prompt", "support.triage")
    assert [line.split()[:2] for line in told.out.splitlines()] == [["+", "support.triage"], ["+", "tone"]]
    assert not folder.exists()
    assert run("sync", "pull", folder, "--label", "production", "--no-labels").code == 0
    assert [str(path.relative_to(folder)) for path in folder.rglob("*")] == ["tone.yaml"]
    assert (folder / "tone.yaml").read_text().endswith("how: {enum: [kind, short]}\n")
    assert run("sync", "pull", folder, "--label", "canary").out == "! tone  canary is split 1=1 2=1: pull --latest\n"
    assert "has no label canary" in run("sync", "pull", folder, "--label", "canary", "--prompt", "support.triage").out
    fault = run("sync", "pull", folder, "--prompt", "v1.2", "--prompt", "never").fault
    assert "v1.2: is archived" in fault
    assert "never: is not in the registry" in fault
    assert "not both" in run("sync", "pull", folder, "--label", "production", "--latest").fault


@pytest.mark.usefixtures("registry")
def test_a_label_that_is_split_over_the_files_version_is_no_change_of_its_own(run: Run, folder: Path, write: Write) -> None:
    run("push", write("new/tone.yaml", text("two")))
    run("label", "split", "tone", "production", "1=1", "2=1")
    run("sync", "pull", folder)
    path = folder / "tone.yaml"
    path.write_text(path.read_text() + "labels: [production]\n")
    assert f"= tone  version 2  {path}" in run("sync", "pull", folder).out


@pytest.mark.usefixtures("registry")
def test_a_run_that_breaks_off_leaves_every_file_as_it_was(run: Run, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run("sync", "pull", folder)
    before = {path: path.read_text() for path in folder.rglob("*.yaml")}
    folder.joinpath("tone.yaml").unlink()

    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    told = run("sync", "pull", folder)
    assert (told.code, told.fault) == (3, "No space left on device")
    assert {path.name for path in folder.rglob("*") if path.is_file()} == {path.name for path in before} - {"tone.yaml"}


def test_a_version_that_no_file_can_say_is_left_out_and_told(run: Run, write: Write, folder: Path, word: Path) -> None:
    run("export", word.parent / "b.json", "--all-versions")
    body = json.loads((word.parent / "b.json").read_text())
    version = body["prompts"]["word"]["versions"]["1"]
    version["tools"] = [{"parameters": {}}]  # which a release before this one took
    version["digest"] = json_digest({part: version[part] for part in Content.model_fields})
    file = write("b.json", json.dumps(body))
    assert run("import", file, "--project", "old").code == 0
    told = run("sync", "pull", folder, "--project", "old").out
    assert told.startswith("! word  version 1 cannot be a file here: ")
    assert "tools.0.name: is required" in told
    assert not folder.exists()


@pytest.mark.usefixtures("registry")
def test_a_prompt_that_another_file_name_says_is_found_there(run: Run, folder: Path) -> None:
    flat, odd = folder / "support.triage.yml", folder / "Not A Name.yaml"
    folder.mkdir(parents=True)
    odd.write_text("notes")
    flat.write_text(CHAT)
    assert run("sync", "pull", folder).out.splitlines()[0] == f"= support.triage  version 1  {flat}"
    assert odd.read_text() == "notes"


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("a", "a.yaml"),
        ("a.b.c", "a/b/c.yaml"),
        ("v1.2", "v1/2.yaml"),
        ("a.yaml", "a/yaml.yaml"),
        ("a..b", "a..b.yaml"),
        ("a_.-b", "a_/-b.yaml"),
    ],
)
def test_a_name_has_a_file_that_gives_the_name_back(tmp_path: Path, name: str, file: str) -> None:
    assert path_of(tmp_path, name) == tmp_path / file
    assert prompt_name(tmp_path / file, tmp_path) == name
