"""A folder of prompt files and the registry: planned, applied, and applied again without effect."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cli.conftest import WORD, CommandResult, Run

Write = Callable[[str, str], Path]


def text(template: str, *labels: str, **more: Any) -> str:
    return json.dumps({"type": "text", "template": template, "labels": list(labels), **more})


@pytest.fixture
def folder(write: Write) -> Path:
    """Two prompt files, one with a label."""
    write("prompts/support/answer.yaml", json.dumps({**WORD, "labels": ["production"]}))
    return write("prompts/word.yaml", json.dumps(WORD)).parent


def audit_rows(run: Run) -> int:
    return int(run("audit", "verify", "--json").json["rows"])


# --- plan and apply -----------------------------------------------------------------------------------------------------


def test_a_plan_lists_the_changes_and_makes_none(run: Run, folder: Path) -> None:
    assert run("sync", "plan", folder).out.splitlines() == [
        "+ support.answer  version 1, production → 1",
        "+ word  version 1",
    ]
    planned = run("sync", "plan", folder, "--json").json
    assert [(step["prompt"], step["version"], step["registers"], step["moves"]) for step in planned] == [
        ("support.answer", 1, True, ["production"]),
        ("word", 1, True, []),
    ]
    assert run("prompts", "--json").json == []
    applied = run("sync", "apply", folder, "--json").json
    assert [version["digest"] for version in applied] == [step["digest"] for step in planned]


def test_applying_a_folder_twice_changes_nothing_the_second_time(run: Run, folder: Path) -> None:
    first = run("sync", "apply", folder, "--json").json
    assert [(version["name"], version["version"], version["labels"]) for version in first] == [
        ("support.answer", 1, ["production"]),
        ("word", 1, []),
    ]
    rows = audit_rows(run)
    assert run("sync", "plan", folder).out.splitlines() == [
        "= support.answer  version 1 exists already",
        "= word  version 1 exists already",
    ]
    assert run("sync", "apply", folder).code == 0
    again = run("sync", "apply", folder, "--json").json
    assert again == [{key: value for key, value in version.items() if key != "warnings"} for version in first]
    assert audit_rows(run) == rows


def test_only_changed_contents_are_registered_and_only_other_labels_move(run: Run, folder: Path, write: Write) -> None:
    run("sync", "apply", folder)
    write("prompts/word.yaml", json.dumps({**WORD, "labels": ["staging"], "tags": ["new"]}))
    changed = {"template": "New: {{text}}", "labels": ["production"], "model": {"name": "m"}}
    write("prompts/support/answer.yaml", json.dumps({**WORD, **changed}))
    assert run("sync", "apply", folder).out.splitlines() == [
        "+ support.answer  version 2, production → 2",
        "  ~ template",
        '  + model  {"name": "m"}',
        "~ word  version 1 exists already, staging → 1",
        "  its tags become new",
    ]
    assert run("get", "support.answer", "--json").json["template"] == "New: {{text}}"
    word = run("get", "word", "--label", "staging", "--json").json
    assert (word["version"], word["tags"]) == (1, ["new"])


def test_changed_tags_alone_are_set_without_a_new_version(run: Run, folder: Path, write: Write) -> None:
    write("prompts/word.yaml", json.dumps({**WORD, "tags": ["old"]}))
    run("sync", "apply", folder)
    write("prompts/word.yaml", json.dumps({**WORD, "tags": ["b", "a"]}))
    (step,) = (step for step in run("sync", "plan", folder, "--json").json if step["prompt"] == "word")
    assert (step["registers"], step["version"], step["tags"]) == (False, 1, ["b", "a"])
    applied = run("sync", "apply", folder, "--json").json
    assert [(version["version"], version["tags"]) for version in applied if version["name"] == "word"] == [(1, ["b", "a"])]
    write("prompts/word.yaml", json.dumps(WORD))  # without tags it keeps those of the version
    write("prompts/support/answer.yaml", json.dumps({**WORD, "labels": ["production"]}))
    assert run("sync", "plan", folder).out.splitlines()[-1] == "= word  version 1 exists already"
    assert run("get", "word", "--version", "1", "--json").json["tags"] == ["b", "a"]


def test_a_plan_names_the_changes_that_would_break_callers(run: Run, folder: Path, write: Write) -> None:
    run("sync", "apply", folder)
    write("prompts/word.yaml", text("{{text}} {{more}}", format="mustache", variables={"text": {"type": "string"}}))
    assert run("sync", "plan", folder).out.splitlines()[1:] == [
        "+ word  version 2",
        "  ~ template",
        "  ~ variables.text.declared  false → true",
        "  + variables.text.type  string  (breaking)",
        '  + variables.more  {"declared": false, "required": true}  (breaking)',
        "  breaking: the variable 'text' was of any type and is of type string",
        "  breaking: the variable 'more' is new and must be given",
    ]
    (word,) = (step for step in run("sync", "plan", folder, "--json").json if step["prompt"] == "word")
    assert word["breaking"] is True
    assert [change["path"] for change in word["changes"] if change["breaking"]] == ["variables.text.type", "variables.more"]


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("type: text\ntemplate: '{{text'\n", "line 2: template"),
        ("type: text\ntemplate: '{{> never}}'\n", "line 2: template: {{> never}}: there is no prompt 'never'"),
        (json.dumps({**WORD, "labels": ["latest"]}), "labels: 'latest' cannot be set"),
        (json.dumps({**WORD, "labels": ["Not A Name"]}), "labels: 'Not A Name' cannot be set"),
    ],
)
def test_a_bad_file_prevents_the_whole_folder(run: Run, folder: Path, write: Write, source: str, message: str) -> None:
    path = write("prompts/zebra.yaml", source)
    for command in ("plan", "apply"):
        result = run("sync", command, folder)
        assert (result.code, result.out) == (64, "")
        assert str(path) in result.error_line
        assert message in result.error_line
    assert run("prompts", "--json").json == []


def test_every_bad_file_is_named_at_once(run: Run, folder: Path, write: Write) -> None:
    write("prompts/b.yaml", "type: text\n")
    write("prompts/a.yaml", "nonsense\n")
    error = run("sync", "apply", folder).error_line
    assert "2 files" in error
    assert "a.yaml" in error
    assert "b.yaml" in error
    for name in ("a", "b"):
        write(f"prompts/{name}.yaml", text("{{> never}}"))
    error = run("sync", "plan", folder).error_line
    assert "2 files" in error
    assert error.count("there is no prompt 'never'") == 2


# --- files that include each other --------------------------------------------------------------------------------------


def test_includes_are_applied_first_and_the_plan_computes_the_digests(run: Run, write: Write) -> None:
    folder = write("prompts/a.yaml", text("{{> m.tone}} and {{> z@latest}}", "production")).parent
    write("prompts/m/tone.yaml", text("Be {{how}}, {{> z}}.", "production", variables={"how": {"type": "string"}}))
    write("prompts/z.yaml", text("zed", "production"))
    planned = run("sync", "plan", folder, "--json").json
    assert [step["prompt"] for step in planned] == ["z", "m.tone", "a"]
    applied = run("sync", "apply", folder, "--json").json
    assert [(version["name"], version["digest"]) for version in applied] == [
        (step["prompt"], step["digest"]) for step in planned
    ]
    assert run("render", "a", "--var", "how=kind").out == "Be kind, zed. and zed\n"
    assert {line[0] for line in run("sync", "plan", folder).out.splitlines()} == {"="}

    write("prompts/z.yaml", text("zoo", "production"))
    planned = run("sync", "plan", folder, "--json").json
    assert [(step["prompt"], step["version"], {change["part"] for change in step["changes"]}) for step in planned] == [
        ("z", 2, {"template"}),
        ("m.tone", 2, {"partials"}),
        ("a", 2, {"partials"}),
    ]
    applied = run("sync", "apply", folder, "--json").json
    assert [version["digest"] for version in applied] == [step["digest"] for step in planned]
    assert run("render", "a", "--var", "how=kind").out == "Be kind, zoo. and zoo\n"


def test_a_file_is_not_new_where_its_includes_resolve_to_the_same_text(run: Run, write: Write) -> None:
    folder = write("prompts/tone.yaml", text("one", "production")).parent
    write("prompts/p.yaml", text("{{> tone}} {{> tone@1}}"))
    run("sync", "apply", folder)
    write("prompts/tone.yaml", text("two", "staging"))
    planned = run("sync", "plan", folder, "--json").json
    assert [(step["prompt"], step["registers"]) for step in planned] == [("tone", True), ("p", False)]
    run("sync", "apply", folder)
    run("label", "set", "tone", "production", 2)
    write("prompts/tone.yaml", text("one", "production"))
    assert run("sync", "plan", folder).out.splitlines() == [
        "+ tone  version 3, production → 3",
        "  ~ template",
        "= p  version 1 exists already",
    ]


def test_a_moved_label_makes_the_prompts_new_that_include_by_it(run: Run, write: Write) -> None:
    folder = write("prompts/tone.yaml", text("one", "production")).parent
    write("prompts/p.yaml", text("{{> tone}}"))
    run("sync", "apply", folder)
    run("push", write("elsewhere/tone.yaml", text("two")))
    write("prompts/tone.yaml", text("two", "production"))
    planned = run("sync", "plan", folder, "--json").json
    assert [(step["prompt"], step["registers"], step["moves"]) for step in planned] == [
        ("tone", False, ["production"]),
        ("p", True, []),
    ]
    applied = run("sync", "apply", folder, "--json").json
    assert [version["digest"] for version in applied] == [step["digest"] for step in planned]


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"a": text("{{> b}}"), "b": text("{{> a}}")}, "prompts cannot include each other"),
        ({"a": text("{{> a}}")}, "there is no prompt 'a'"),
        ({"a": text("{{> b}}"), "b": text("x")}, "'b' has no label 'production'; its labels are: none"),
        ({"a": text("{{> b@7}}"), "b": text("x")}, "'b' has no version 7; its newest is 1"),
        ({"a": text("{{> b}}{{> B}}"), "b": text("x", "production")}, "{{> B}}: is not a reference"),
        ({"a": text("{{> b}}"), "b": text("{x}", "production", format="f-string")}, "only a text prompt in mustache"),
        (
            {
                "a": text("{{> b}}{{> c}}"),
                "b": text("{{n}}", "production", variables={"n": {"type": "string"}}),
                "c": text("{{n}}", "production", variables={"n": {"type": "number"}}),
            },
            "variables.n: is declared differently by two partials",
        ),
        ({"a": text("{{> b}}", variables={"n": {}}), "b": text("x", "production")}, "variables.n: is declared, but"),
    ],
)
def test_an_invalid_include_is_refused_before_anything_is_written(
    run: Run, write: Write, files: dict[str, str], message: str
) -> None:
    paths = [write(f"prompts/{name}.yaml", source) for name, source in files.items()]
    folder = paths[0].parent
    for command in ("plan", "apply"):
        error = run("sync", command, folder).error_line
        assert str(folder / "a.yaml") in error
        assert message in error
    assert run("prompts", "--json").json == []


def test_an_include_cycle_through_the_registry_is_refused(run: Run, write: Write) -> None:
    folder = write("prompts/a.yaml", text("x", "production")).parent
    write("prompts/b.yaml", text("{{> a}}", "production"))
    run("sync", "apply", folder)
    (folder / "b.yaml").unlink()
    write("prompts/a.yaml", text("{{> c}}"))
    write("prompts/c.yaml", text("{{> b}}", "production"))
    assert "{{> c}}: the prompt would include itself by way of 'c'" in run("sync", "apply", folder).error_line
    assert [prompt["name"] for prompt in run("prompts", "--json").json] == ["a", "b"]


# --- split labels, archived prompts, rights -----------------------------------------------------------------------------


@pytest.fixture
def split(run: Run, write: Write) -> Path:
    """A folder with one prompt, applied twice, whose label is split over both versions."""
    folder = write("prompts/p.yaml", text("one", "production")).parent
    run("sync", "apply", folder)
    write("prompts/p.yaml", text("two", "production"))
    run("sync", "apply", folder)
    run("label", "split", "p", "production", "1=95", "2=5")
    return folder


def test_a_split_that_contains_the_files_version_stays(run: Run, split: Path) -> None:
    rows = audit_rows(run)
    assert run("sync", "apply", split).out.splitlines() == [
        "= p  version 2 exists already",
        "  production is split 1=95 2=5; this version is one of its arms, so it stays",
    ]
    assert audit_rows(run) == rows


def test_a_split_ends_with_force_only_and_otherwise_nothing_is_applied(run: Run, split: Path, write: Write) -> None:
    write("prompts/another.yaml", text("x"))
    write("prompts/p.yaml", text("three", "production"))
    assert run("sync", "plan", split).out.splitlines() == [
        "+ another  version 1",
        "! p  version 3",
        "  ~ template",
        "  production is split 1=95 2=5: end the split with --force, or remove the label from the file",
    ]
    result = run("sync", "apply", split)
    assert result.code == 64
    assert "the folder was not applied: p: production is split 1=95 2=5" in result.error_line
    assert [prompt["name"] for prompt in run("prompts", "--json").json] == ["p"]
    assert run("sync", "apply", split, "--force").out.splitlines()[1] == "+ p  version 3, production → 3"
    assert run("get", "p", "--json").json["split"] is None


def test_an_archived_prompt_prevents_the_whole_folder(run: Run, folder: Path) -> None:
    run("sync", "apply", folder)
    run("archive", "word")
    planned = run("sync", "plan", folder)
    assert (planned.code, planned.out.splitlines()[-1]) == (1, "  is archived; restore it with `promptuary restore`")
    assert run("sync", "plan", folder, "--json").code == 1
    assert "word: is archived" in run("sync", "apply", folder).error_line
    run("restore", "word")
    assert run("sync", "plan", folder).code == 0
    assert run("sync", "apply", folder).code == 0


def test_an_include_of_an_archived_or_split_prompt_is_refused(run: Run, split: Path, write: Write) -> None:
    write("prompts/q.yaml", text("{{> p}}"))
    write("prompts/p.yaml", text("three", "staging"))  # the plan resolves it then, not the server
    assert "{{> p}}: the label 'production' of 'p' is split; name a version" in run("sync", "plan", split).error_line
    run("archive", "p")
    assert "{{> p}}: the prompt 'p' is archived" in run("sync", "plan", split).error_line


def test_an_unauthorized_key_is_not_reported_as_an_error_of_a_file(
    run: Run, folder: Path, served: Callable[[str], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    served("author")
    monkeypatch.setenv("PROMPTUARY_API_KEY", "pmt_nonsense")
    error = run("sync", "plan", folder).error_line
    assert str(folder) not in error


def test_a_version_of_a_format_that_is_not_installed_is_compared_part_by_part(monkeypatch: pytest.MonkeyPatch) -> None:
    from promptuary.cli.prompts_as_code import plan
    from promptuary.prompt.content import Content
    from promptuary.prompt.errors import InvalidPrompt
    from promptuary.prompt.templates.jinja import parser as jinja

    def jinja2_is_missing() -> None:
        raise InvalidPrompt("not here")

    monkeypatch.setattr(jinja, "require_jinja2", jinja2_is_missing)
    old, new = Content(type="text", template="{{x}}", format="jinja2"), Content(type="text", template="{{y}}")
    assert [(change.path, change.kind) for change in plan._changes(old, new)] == [
        ("template", "changed"),
        ("format", "changed"),
    ]


def test_a_key_that_may_not_move_labels_applies_nothing(
    run: Run, folder: Path, write: Write, served: Callable[[str], Any]
) -> None:
    write("prompts/a.yaml", text("x"))
    served("ci")
    assert run("sync", "plan", folder).code == 0
    error = run("sync", "apply", folder).error_line
    assert "a key of the role 'ci' has no scope label:move" in error
    assert run("prompts", "--json").json == []
    (folder / "support" / "answer.yaml").unlink()
    assert run("sync", "apply", folder).code == 0
    served("viewer")
    assert run("sync", "apply", folder).code == 0
    write("prompts/a.yaml", text("y"))
    assert "has no scope prompt:write" in run("sync", "apply", folder).error_line


def test_a_refusal_while_applying_names_what_was_applied_before(
    run: Run, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from promptuary.cli.prompts_as_code import commands

    run("sync", "apply", folder)
    (folder / "word.yaml").write_text(text("new {{text}}"))
    (folder / "a.yaml").write_text(text("x"))
    check_steps = commands.check_steps

    def check_and_archive(api: Any, steps: Any) -> None:
        check_steps(api, steps)
        api.post("/prompts/word/archive", {})  # another user, at this moment

    monkeypatch.setattr(commands, "check_steps", check_and_archive)
    error = run("sync", "apply", folder).error_line
    assert error.startswith(f"{folder / 'word.yaml'} was not applied; applied before it: a. ")
    assert "archived" in error


# --- drift --------------------------------------------------------------------------------------------------------------


def differences(result: CommandResult) -> dict[str, str]:
    return {difference["prompt"]: difference["kind"] for difference in json.loads(result.out)["differences"]}


def test_without_a_difference_drift_exits_0(run: Run, folder: Path) -> None:
    run("sync", "apply", folder)
    result = run("sync", "drift", folder)
    assert (result.code, result.out) == (0, "files and registry are in sync\n")
    assert run("sync", "drift", folder, "--json").json == {"drift": False, "differences": []}
    run("label", "set", "word", "canary", 1)
    assert run("sync", "drift", folder).code == 0  # a file names the labels that it moves, not all labels


def test_drift_on_either_side_is_listed_with_exit_1(run: Run, folder: Path, write: Write) -> None:
    write("prompts/behind.yaml", text("one"))
    write("prompts/ahead.yaml", text("one"))
    write("prompts/hidden.yaml", text("one"))
    run("sync", "apply", folder)
    run("push", write("elsewhere/there.yaml", text("there")))
    run("push", write("elsewhere/behind.yaml", text("two")))
    run("push", write("elsewhere/support/answer.yaml", text("two {{text}}", "production")), "--name", "support.answer")
    run("push", write("elsewhere/word.yaml", json.dumps({**WORD, "labels": ["staging"]})))
    write("prompts/word.yaml", json.dumps({**WORD, "labels": ["staging", "canary"]}))
    write("prompts/support/answer.yaml", json.dumps({**WORD, "template": "two {{text}}", "labels": ["production"]}))
    run("label", "set", "support.answer", "production", 1)
    write("prompts/ahead.yaml", text("two"))
    write("prompts/here.yaml", text("here"))
    run("archive", "hidden")
    result = run("sync", "drift", folder)
    assert result.code == 1
    assert result.out.splitlines() == [
        "ahead  the file matches no version in the registry, which is at 1; it differs in template",
        "behind  the file is version 1, and the registry is at 2; it differs in template",
        f"here  only in the files, {folder / 'here.yaml'}",
        f"hidden  archived in the registry, and still in the files, {folder / 'hidden.yaml'}",
        "support.answer  production is at version 1 in the registry, and at version 2 by the file",
        "there  only in the registry, version 1",
        "word  canary is nowhere in the registry, and at version 1 by the file",
    ]
    assert "there" not in differences(run("sync", "drift", folder, "--files-only", "--json"))
    as_json = run("sync", "drift", folder, "--json")
    assert as_json.code == 1
    assert differences(as_json) == {
        "ahead": "content",
        "behind": "content",
        "here": "file",
        "hidden": "archived",
        "support.answer": "labels",
        "there": "registry",
        "word": "labels",
    }


def test_a_split_label_and_a_newer_partial_are_drift(run: Run, split: Path, write: Write) -> None:
    write("prompts/tone.yaml", text("one", "production"))
    write("prompts/user.yaml", text("{{> tone}}"))
    run("sync", "apply", split)
    run("push", write("elsewhere/tone.yaml", text("two", "production")))
    assert run("sync", "drift", split).out.splitlines() == [
        "p  production is split 1=95 2=5 in the registry, and at version 2 by the file",
        "tone  the file is version 1, and the registry is at 2; it differs in template",
    ]  # applying `tone` restores the text that `user` includes
    (split / "tone.yaml").unlink()
    assert "user  the file is version 1, and what it includes has changed since; it differs in partials" in (
        run("sync", "drift", split).out.splitlines()
    )
