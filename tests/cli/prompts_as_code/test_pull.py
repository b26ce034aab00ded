"""The registry written as files: they are read again without a change, and content that only a file has is not lost."""

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
from promptuary.cli.prompts_as_code.pull import pull
from promptuary.cli.prompts_as_code.pull import write as write_files
from promptuary.cli.registry.prompts import content_body
from promptuary.cli.registry.state import RegistryState
from promptuary.prompt.content import Content
from promptuary.prompt.digest import content_digest, content_json_digest, content_parts
from promptuary.prompt.files.prompt_file import path_of, prompt_name, read_prompt_file

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
def test_pulled_files_are_planned_without_a_change(run: Run, folder: Path) -> None:
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
    assert [(prompt["prompt"], prompt["version"], prompt["state"]) for prompt in pulled] == [
        ("support.triage", 1, "same"),
        ("tone", 1, "same"),
        ("v1.2", 1, "same"),
    ]


def test_any_registered_content_is_pulled_and_planned_without_a_change(
    data_dir: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PROMPTUARY_DATA_DIR", str(data_dir))
    texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=30)
    with restored_process_state(), connect() as api:

        @settings(max_examples=40)
        @given(contents(), texts, st.lists(texts.filter(bool), max_size=3))
        def pulls_without_a_change(content: Content, message: str, tags: list[str]) -> None:
            body = content_body(content) | {"message": message, "tags": tags, "labels": ["production"]}
            version = api.post("/prompts/p/versions", body)
            pulled = pull(RegistryState(api), folder)
            write_files(folder, pulled)
            assert [prompt.version for prompt in pulled] == [version["version"]]
            assert [step.acts for step in plan(RegistryState(api), folder)] == [False]
            file = read_prompt_file(folder / "p.yaml", "p")
            assert (content_digest(file.content), file.labels) == (version["digest"], ("production",))
            if pulled[0].state != "same":
                assert (file.message, list(file.tags)) == (version["message"], version["tags"])

        pulls_without_a_change()


def test_tags_that_were_changed_in_the_registry_come_into_the_file(run: Run, folder: Path, write: Write) -> None:
    run("push", write("tone.yaml", json.dumps({"type": "text", "template": "Be kind.", "tags": ["polite"]})))
    run("sync", "pull", folder)
    with connect() as api:
        body = {"type": "text", "template": "Be kind.", "tags": ["short"]}
        number = api.post("/prompts/tone/versions", body)["version"]
    file = folder / "tone.yaml"
    assert run("sync", "pull", folder).out.splitlines() == [f"~ tone  version {number}  {file}"]
    assert read_prompt_file(file, "tone").tags == ("short",)


@pytest.mark.usefixtures("registry")
def test_a_file_with_the_same_content_in_another_form_is_not_written(run: Run, folder: Path, write: Write) -> None:
    run("sync", "pull", folder)
    path = folder / "support" / "triage.yaml"
    local_text = CHAT.replace("variables:", "variables:\n  how: {enum: [kind, short]}")  # as the partial declares it
    path.write_text(local_text)
    assert run("sync", "pull", folder).out.splitlines()[0] == f"= support.triage  version 1  {path}"
    assert path.read_text() == local_text


@pytest.mark.usefixtures("registry")
def test_an_outdated_file_is_updated_and_keeps_its_leading_comment(run: Run, folder: Path, write: Write) -> None:
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
    ("local_text", "message"),
    [
        (text("{a} mine", format="f-string"), "matches no version in the registry"),
        (text("{a} {{b}}\n", "canary", format="f-string"), "contains labels that do not point at version 1: canary"),
        ("type: text\ntemplate: '{{a'\n", "cannot be used: line 2: template"),
        ("nonsense", "is not a prompt file"),
    ],
)
def test_a_file_with_local_changes_prevents_the_whole_pull(run: Run, folder: Path, local_text: str, message: str) -> None:
    path = folder / "v1.2.yaml"
    path.parent.mkdir(parents=True)
    path.write_text(local_text)
    result = run("sync", "pull", folder)
    assert result.code == 64
    assert str(path) in result.error_line
    assert message in result.error_line
    assert list(folder.rglob("*")) == [path]
    assert path.read_text() == local_text
    assert run("sync", "pull", folder, "--force").code == 0
    assert path.read_text() == "type: text\nformat: f-string\ntemplate: |\n  {a} {{b}}\n"
    assert run("sync", "drift", folder).code == 0


@pytest.mark.usefixtures("registry")
def test_only_the_selected_prompts_are_written_and_nothing_on_a_dry_run(run: Run, folder: Path, write: Write) -> None:
    write("origin/tone.yaml", text("two"))
    run("sync", "apply", folder.parents[1] / "files" / "origin")
    run("label", "split", "tone", "canary", "1=1", "2=1")
    run("archive", "v1.2")
    result = run("sync", "pull", folder, "--dry-run", "--prompt", "tone", "--prompt", "support.triage")
    assert [line.split()[:2] for line in result.out.splitlines()] == [["+", "support.triage"], ["+", "tone"]]
    assert not folder.exists()
    assert run("sync", "pull", folder, "--label", "production", "--no-labels").code == 0
    assert [str(path.relative_to(folder)) for path in folder.rglob("*.*") if path.is_file()] == [
        "tone.yaml",
        ".promptuary/origins.json",
    ]
    assert (folder / "tone.yaml").read_text().endswith("how: {enum: [kind, short]}\n")
    assert run("sync", "pull", folder, "--label", "canary").out.splitlines() == [
        "! support.triage  has no label canary",
        "! tone  canary is split 1=1 2=1: pull --latest",
    ]
    assert "has no label canary" in run("sync", "pull", folder, "--label", "canary", "--prompt", "support.triage").out
    error = run("sync", "pull", folder, "--prompt", "v1.2", "--prompt", "never").error_line
    assert "v1.2: is archived" in error
    assert "never: is not in the registry" in error
    assert "not both" in run("sync", "pull", folder, "--label", "production", "--latest").error_line


@pytest.mark.usefixtures("registry")
def test_a_label_split_over_the_files_version_is_no_local_change(run: Run, folder: Path, write: Write) -> None:
    run("push", write("new/tone.yaml", text("two")))
    run("label", "split", "tone", "production", "1=1", "2=1")
    run("sync", "pull", folder)
    path = folder / "tone.yaml"
    path.write_text(path.read_text() + "labels: [production]\n")
    assert f"= tone  version 2  {path}" in run("sync", "pull", folder).out


@pytest.mark.usefixtures("registry")
def test_a_pull_that_fails_leaves_every_file_as_it_was(run: Run, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run("sync", "pull", folder)
    before = {path: path.read_text() for path in folder.rglob("*.yaml")}
    folder.joinpath("tone.yaml").unlink()

    def disk_is_full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", disk_is_full)
    result = run("sync", "pull", folder)
    assert (result.code, result.error_line) == (3, "No space left on device")
    assert {path.name for path in folder.rglob("*.yaml*")} == {path.name for path in before} - {"tone.yaml"}


def test_a_version_that_no_file_can_express_is_left_out_with_a_note(run: Run, write: Write, folder: Path, word: Path) -> None:
    run("export", word.parent / "b.json", "--all-versions")
    body = json.loads((word.parent / "b.json").read_text())
    version = body["prompts"]["word"]["versions"]["1"]
    version["tools"] = [{"parameters": {}}]  # an earlier release accepted this
    version["digest"] = content_json_digest(content_parts(version))
    file = write("b.json", json.dumps(body))
    assert run("import", file, "--project", "old").code == 0
    output = run("sync", "pull", folder, "--project", "old").out
    assert output.startswith("! word  version 1 cannot be a file here: ")
    assert "tools.0.name: is required" in output
    assert not folder.exists()


@pytest.mark.usefixtures("registry")
def test_a_prompt_is_found_under_another_file_name_of_its_own(run: Run, folder: Path) -> None:
    flat_file, other_file = folder / "support.triage.yml", folder / "Not A Name.yaml"
    folder.mkdir(parents=True)
    other_file.write_text("notes")
    flat_file.write_text(CHAT)
    assert run("sync", "pull", folder).out.splitlines()[0] == f"= support.triage  version 1  {flat_file}"
    assert other_file.read_text() == "notes"


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
def test_the_file_of_a_name_leads_to_the_same_name(tmp_path: Path, name: str, file: str) -> None:
    assert path_of(tmp_path, name) == tmp_path / file
    assert prompt_name(tmp_path / file, tmp_path) == name


ORDERED = {
    "config": {"z": 1.0, "a": {"y": None, "x": [], "e": 1e-7}, "n": [2**60, -0.0, 1e21]},
    "response_format": {"type": "object", "properties": {"reasoning": {"type": "string"}, "answer": {"minimum": 2.0}}},
    "tools": [{"name": "a", "parameters": {"type": "object", "properties": {"b": {}, "a": {}}, "additionalProperties": False}}],
}


def author_json(body: Any) -> str:
    return json.dumps([{part: body[part] for part in ORDERED}, body["variables"]["how"]["default"]])


def test_the_order_and_numbers_of_a_file_survive_apply_and_pull(run: Run, write: Write, folder: Path) -> None:
    variables = {"how": {"default": {"z": 1.0, "a": None}}}
    body = json.loads(text("Be {{how}}.", "production", variables=variables, **ORDERED))
    file = write("origin/tone.yaml", json.dumps(body))
    assert run("sync", "apply", file.parent).code == 0
    assert author_json(json.loads(run("get", "tone", "--json").out)) == author_json(body)
    assert run("sync", "pull", folder).code == 0
    pulled = read_prompt_file(folder / "tone.yaml", "tone").content
    assert author_json(pulled.model_dump()) == author_json(body)
    assert run("sync", "plan", folder).out == "= tone  version 1 exists already\n"
    body["config"] = dict(reversed(body["config"].items()))
    write("origin/tone.yaml", json.dumps(body))
    planned = run("sync", "plan", file.parent).out
    assert "version 2" in planned
    assert "config" in planned
    assert run("sync", "apply", file.parent).code == 0
    assert list(json.loads(run("get", "tone", "--json").out)["config"]) == ["n", "a", "z"]


def test_the_order_survives_a_bundle(run: Run, write: Write, tmp_path: Path) -> None:
    variables = {"how": {"default": {"z": 1.0, "a": None}}}
    body = json.loads(text("Be {{how}}.", "production", variables=variables, **ORDERED))
    assert run("sync", "apply", write("origin/tone.yaml", json.dumps(body)).parent).code == 0
    bundle = tmp_path / "bundle.json"
    assert run("export", bundle, "--all-versions").code == 0
    assert run("import", bundle, "--project", "other").code == 0
    assert author_json(json.loads(run("get", "tone", "--json", "--project", "other").out)) == author_json(body)
    again = tmp_path / "again.json"
    assert run("export", again, "--all-versions", "--project", "other").code == 0
    prompts = [json.loads(path.read_text())["prompts"] for path in (bundle, again)]
    assert json.dumps(prompts[0]) == json.dumps(prompts[1])


@pytest.mark.usefixtures("registry")
def test_a_label_that_no_prompt_has_is_an_error_with_the_labels(run: Run, folder: Path) -> None:
    for more in ((), ("--prompt", "tone"), ("--dry-run", "--json")):
        result = run("sync", "pull", folder, "--label", "nope", *more)
        assert result.code == 64
        assert "no prompt has the label 'nope'; the labels there are: production, staging" in result.error_line
    assert not folder.exists()
    assert run("sync", "pull", folder, "--label", "latest").code == 0
