"""Prompts of other systems written as files that can be applied; `test_bundle` has the import of bundles."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cli.conftest import Run

Write = Callable[[str, str], Path]
LANGFUSE = {
    "name": "support/Greet",
    "version": 2,
    "type": "text",
    "prompt": "Hi {{name}}",
    "labels": ["staging"],
    "config": {"foo": 1},
}
LANGCHAIN = {"_type": "prompt", "template": "Hi {name}", "input_variables": ["name"]}
MLFLOW = {"name": "greet", "version": 4, "template": "Hi {{name}}", "aliases": ["production"], "commit_message": "why"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "out" / "prompts"


def test_imported_files_can_be_applied_unchanged(run: Run, write: Write, folder: Path) -> None:
    file = write("lf.json", json.dumps([LANGFUSE, {**LANGFUSE, "version": 1}], indent=1))
    assert run("import", file, "--to", folder).out.splitlines() == [
        f"+ support.greet  {folder}/support/greet.yaml",
        "  line 2: 0: its name 'support/Greet' becomes 'support.greet'",
        "  a file contains one version; left out: version 1",
        f"next: promptuary sync plan {folder}",
    ]
    assert run("sync", "apply", folder).out == "+ support.greet  version 1, staging → 1\n"
    assert run("render", "support.greet", "--label", "staging", "--var", "name=Ada").out == "Hi Ada\n"


@pytest.mark.parametrize(
    ("value", "name", "text"),
    [
        (LANGCHAIN, "p", 'type: text\nformat: f-string\ntemplate: "Hi {name}"\n'),
        (MLFLOW, "greet", 'type: text\nformat: mustache\ntemplate: "Hi {{name}}"\nlabels: [production]\nmessage: why\n'),
    ],
)
def test_the_format_of_a_file_is_recognised_or_named(
    run: Run, write: Write, folder: Path, value: Any, name: str, text: str
) -> None:
    file = write("p.json", json.dumps(value))
    (imported,) = run("import", file, "--to", folder, "--json").json
    path = folder / f"{name}.yaml"
    assert (imported["prompt"], imported["file"], imported["state"], imported["remarks"]) == (name, str(path), "new", [])
    assert path.read_text() == text
    assert run("import", file, "--to", folder).out.splitlines()[0] == f"= {name}  {path}"
    file_format = "langchain" if value is LANGCHAIN else "mlflow"
    assert run("import", file, "--from", file_format, "--to", folder, "--json").json[0]["state"] == "same"
    other = run("import", file, "--from", "langfuse", "--to", folder)
    assert "has no `prompt`" in other.error_line


def test_an_option_names_the_prompt_and_a_label_chooses_the_version(run: Run, write: Write, folder: Path) -> None:
    file = write("p.json", json.dumps([MLFLOW, {**MLFLOW, "version": 9, "template": "new", "aliases": []}]))
    output = run("import", file, "--to", folder, "--name", "a.b", "--label", "production", "--dry-run").out
    assert output.startswith(f"+ a.b  {folder}/a/b.yaml\n")
    assert not folder.exists()
    assert run("import", file, "--to", folder, "--json").json[0]["version"] == 9
    several = write("q.json", json.dumps([MLFLOW, {**MLFLOW, "name": "other"}]))
    assert (
        "--name is for a file of one prompt; use --rename" in run("import", several, "--name", "a", "--to", folder).error_line
    )


def test_an_existing_file_that_differs_is_overwritten_with_force_only(run: Run, write: Write, folder: Path) -> None:
    file = write("p.json", json.dumps([MLFLOW, {**MLFLOW, "name": "other"}]))
    path = folder / "greet.yaml"
    path.parent.mkdir(parents=True)
    path.write_text("mine")
    assert f"{path}: exists with another content" in run("import", file, "--to", folder).error_line
    assert [path.name for path in folder.iterdir()] == ["greet.yaml"]
    assert run("import", file, "--to", folder, "--force", "--json").json[0]["state"] == "updated"
    assert "why" in path.read_text()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            json.dumps({**LANGCHAIN, "template": "{a.b}"}, indent=1),
            "line 3: template: '{a.b}' is not a name (line 1, column 1 of the template)",
        ),
        (
            "{}",
            "has no format that can be imported: supported formats: bundle, langchain, phoenix, mlflow, langfuse, promptfoo; "
            "choose one with --from",
        ),
        ("[]", "has no format that can be imported"),
        ("just text", "has no format that can be imported"),
        ('{"_type": "prompt"', "is not valid JSON: line 1: Expecting ',' delimiter"),
        ("a: 1\nb: *x\n", "found undefined alias 'x'"),
        ("!!python/object/apply:os.system [exit]", "the tag tag:yaml.org,2002:python/object/apply:os.system is not supported"),
        ('{"data": []}', "has no format that can be imported"),
    ],
)
def test_an_unusable_file_is_refused_and_nothing_is_written(
    run: Run, write: Write, folder: Path, text: str, message: str
) -> None:
    file = write("p.json", text)
    result = run("import", file, "--to", folder)
    assert (result.code, result.out) == (64, "")
    assert str(file) in result.error_line
    assert message in result.error_line
    assert not folder.exists()


def test_an_unknown_format_and_an_empty_list_are_refused(run: Run, write: Write, folder: Path) -> None:
    assert "--from must be bundle, langchain" in run("import", write("p.json", "{}"), "--from", "openai").error_line
    assert "contains no prompt" in run("import", write("p.json", "[]"), "--from", "langfuse").error_line
    assert "is not a bundle" in run("import", write("p.json", "{}"), "--from", "bundle").error_line


FOLDING = [{**LANGFUSE, "name": "team a/greet", "prompt": "A"}, {**LANGFUSE, "name": "team-a/greet", "prompt": "B"}]


@pytest.mark.parametrize("form", ["langfuse", "mlflow"])
def test_prompts_whose_names_fold_onto_one_are_refused_by_both_names(run: Run, write: Write, folder: Path, form: str) -> None:
    values = (
        FOLDING if form == "langfuse" else [{**MLFLOW, "name": value["name"], "template": value["prompt"]} for value in FOLDING]
    )
    file = write("two.json", json.dumps(values, indent=1))
    result = run("import", file, "--to", folder)
    assert result.code == 64
    assert "'team a/greet' and 'team-a/greet' both become 'team-a.greet'; rename one of them" in result.error_line
    assert "--rename 'team-a/greet'=team-a.greet-2" in result.error_line
    assert not folder.exists()
    run("import", file, "--to", folder, "--rename", "team a/greet=team.hello")
    assert "A" in (folder / "team" / "hello.yaml").read_text()
    assert "B" in (folder / "team-a" / "greet.yaml").read_text()


def test_a_rename_may_not_fold_onto_another_prompt_or_name_an_unknown_one(run: Run, write: Write, folder: Path) -> None:
    file = write("two.json", json.dumps(FOLDING))
    both = run("import", file, "--to", folder, "--rename", "team a/greet=x", "--rename", "team-a/greet=x")
    assert "'team a/greet' and 'team-a/greet' both become 'x'" in both.error_line
    unknown = run("import", file, "--to", folder, "--rename", "team a/greet=x", "--rename", "other=y")
    assert "--rename names 'other', which the file does not have" in unknown.error_line
    for assignment in ("a", "=a", "a=", "a=B", "a=b/c"):
        assert "must be OLD=NEW" in run("import", file, "--rename", assignment).error_line
    assert "names 'a' twice" in run("import", file, "--rename", "a=b", "--rename", "a=c").error_line
    assert not folder.exists()


def test_a_rename_also_changes_the_references_to_the_prompt(run: Run, write: Write, folder: Path) -> None:
    user = {**LANGFUSE, "name": "user", "prompt": "x @@@langfusePrompt:name=team a/greet|label=Prod@@@ y"}
    file = write("three.json", json.dumps([*FOLDING, user]))
    assert run("import", file, "--to", folder, "--rename", "team a/greet=hello").code == 0
    assert "{{> hello@prod}}" in (folder / "user.yaml").read_text()


def test_one_version_with_two_contents_is_refused(run: Run, write: Write, folder: Path) -> None:
    same = write("same.json", json.dumps([MLFLOW, MLFLOW]))
    assert run("import", same, "--to", folder).code == 0
    twice = write("twice.json", json.dumps([MLFLOW, {**MLFLOW, "template": "other"}]))
    assert "'greet' occurs twice as version 4, and differs" in run("import", twice, "--to", folder, "--force").error_line
    unnumbered = [
        {key: value for key, value in each.items() if key != "version"} for each in (MLFLOW, {**MLFLOW, "template": "x"})
    ]
    file = write("unnumbered.json", json.dumps(unnumbered))
    assert "occurs twice without a version number, and differs" in run("import", file, "--to", folder, "--force").error_line


def test_labels_that_fold_onto_one_do_not_choose_a_version(run: Run, write: Write, folder: Path) -> None:
    versions = [{**MLFLOW, "aliases": ["Prod"]}, {**MLFLOW, "version": 5, "aliases": ["prod"]}]
    file = write("labels.json", json.dumps(versions))
    assert "versions 4, 5 all have the label 'prod'" in run("import", file, "--to", folder, "--label", "Prod").error_line
    assert run("import", file, "--to", folder, "--json").json[0]["version"] == 5


def test_an_import_updates_the_file_that_contains_the_prompt(run: Run, write: Write, folder: Path) -> None:
    file = write("lf.json", json.dumps(LANGFUSE))
    folder.mkdir(parents=True)
    (folder / "support.greet.yml").write_text("mine")
    assert "support.greet.yml: exists with another content" in run("import", file, "--to", folder).error_line
    assert run("import", file, "--to", folder, "--force", "--json").json[0]["file"] == str(folder / "support.greet.yml")
    (folder / "support.greet.yaml").write_text("mine too")
    assert "both contain the prompt 'support.greet'" in run("import", file, "--to", folder, "--force").error_line


def test_a_bundle_takes_no_option_that_would_be_ignored(run: Run, write: Write) -> None:
    file = write("bundle.json", '{"format": "promptuary-bundle/1", "prompts": {}}')
    for option in (("--name", "a"), ("--label", "a"), ("--rename", "a=b"), ("--prompt", "a"), ("--skip-invalid",)):
        assert f"{option[0]} is for files of other systems" in run("import", file, *option).error_line


HOSTED = """\
description: Support triage
prompts:
  - id: support/triage
    raw: |
      [{"role": "developer", "content": "Sort the ticket for {{product}}."},
       {"role": "user", "content": "{{ticket}}"}]
providers:
  - id: openai:responses:gpt-4.1
    config:
      temperature: 0.2
      max_output_tokens: 200
      apiKey: sk-x
      response_format:
        {type: json_schema, name: answer, schema: {type: object, properties: {reasoning: {type: string}, intent: {}}}}
      tools:
        - {type: function, name: lookup, parameters: {type: object, properties: {z: {type: string}, a: {type: string}}}}
tests:
  - vars: {product: cards, ticket: My card has not come}
"""


def test_prompts_of_a_promptfoo_file_come_with_model_tools_and_schema(run: Run, write: Write, folder: Path) -> None:
    lines = run("import", write("hosted.yaml", HOSTED), "--to", folder).out.splitlines()
    assert lines[0] == f"+ support.triage  {folder}/support/triage.yaml"
    assert "  line 8: providers.config.apiKey: is not imported: keys are set in the environment of the program" in lines
    assert any("promptuary eval import reads the tests" in line for line in lines)
    run("sync", "apply", folder)
    version = run("get", "support.triage", "--label", "latest", "--json").json
    assert version["template"][0] == {"role": "developer", "content": "Sort the ticket for {{product}}."}
    assert version["model"] == {"name": "openai:gpt-4.1", "temperature": 0.2}
    assert version["config"] == {"max_output_tokens": 200}
    schema = version["response_format"]["json_schema"]
    assert (schema["name"], list(schema["schema"]["properties"])) == ("answer", ["reasoning", "intent"])
    assert list(version["tools"][0]["parameters"]["properties"]) == ["z", "a"]
    assert "sk-x" not in (folder / "support" / "triage.yaml").read_text()


def test_the_schema_under_text_of_a_hosted_prompt_is_its_response_format(run: Run, write: Write, folder: Path) -> None:
    hosted = HOSTED.replace("      response_format:\n        {", "      text: {verbosity: low, format: {").replace(
        "intent: {}}}}\n", "intent: {}}}}}\n"
    )
    run("import", write("hosted.yaml", hosted), "--to", folder)
    run("sync", "apply", folder)
    version = run("get", "support.triage", "--label", "latest", "--json").json
    assert version["response_format"]["type"] == "json_schema"
    schema = version["response_format"]["json_schema"]
    assert (schema["name"], list(schema["schema"]["properties"])) == ("answer", ["reasoning", "intent"])
    assert version["config"] == {"max_output_tokens": 200, "text": {"verbosity": "low"}}


def test_prompts_of_a_promptfoo_file_without_names_get_the_name_of_the_file(run: Run, write: Write, folder: Path) -> None:
    write("greet.txt", "One {{a}}\n---\nTwo {{a}}\n")
    chat = '  - [{role: user, content: "Hi {{name}}"}]\n'
    file = write("mine.yaml", f'prompts:\n  - "Greet {{{{name}}}}"\n{chat}  - file://greet.txt\nproviders: [echo]\n')
    imported = run("import", file, "--to", folder, "--json").json
    assert [prompt["prompt"] for prompt in imported] == ["mine", "mine-2", "greet", "greet-2"]
    assert run("import", file, "--from", "promptfoo", "--to", folder, "--json").json[0]["state"] == "same"
    assert "--name is for a file of one prompt" in run("import", file, "--name", "a", "--to", folder).error_line
    assert "--label is for files with labels" in run("import", file, "--label", "a", "--to", folder).error_line
    code = write("code.yaml", "prompts: [file://prompt.py]\nproviders: [echo]\n")
    assert "is made by code, which is not run here" in run("import", code, "--to", folder).error_line


def test_a_label_takes_only_the_prompts_that_have_it(run: Run, write: Write, folder: Path) -> None:
    others = [{**MLFLOW, "name": "plain", "aliases": []}, {**MLFLOW, "name": "canary", "aliases": ["Canary"]}]
    file = write("p.json", json.dumps([MLFLOW, *others]))
    assert run("import", file, "--to", folder, "--label", "production").out.splitlines() == [
        f"+ greet  {folder}/greet.yaml",
        "! plain  left out: has no label production",
        "! canary  left out: has no label production",
        f"next: promptuary sync plan {folder}",
    ]
    assert [path.name for path in folder.iterdir()] == ["greet.yaml"]
    listed = run("import", file, "--to", folder, "--label", "canary", "--json").json
    assert [(each["prompt"], each["state"], each["file"]) for each in listed] == [
        ("canary", "new", f"{folder}/canary.yaml"),
        ("greet", "left out", None),
        ("plain", "left out", None),
    ]
    assert len(run("import", file, "--to", folder, "--label", "latest", "--json").json) == 3


@pytest.mark.parametrize("label", ["prodution", "Not A Label"])
def test_a_label_that_no_prompt_has_is_an_error_with_the_labels(run: Run, write: Write, folder: Path, label: str) -> None:
    file = write("p.json", json.dumps([MLFLOW, {**MLFLOW, "name": "canary", "aliases": ["canary"]}]))
    result = run("import", file, "--to", folder, "--label", label)
    assert result.code == 64
    assert f"no prompt has the label '{label.lower()}'; the labels there are: canary, production" in result.error_line
    unlabelled = write("lc.json", json.dumps(LANGCHAIN))
    assert "there are no labels; leave out --label" in run("import", unlabelled, "--label", label, "--to", folder).error_line
    assert "--label is empty" in run("import", file, "--label", "", "--to", folder).error_line
    assert not folder.exists()


BROKEN = [
    "no object",
    {**LANGFUSE, "name": "bad", "prompt": 7},
    {**LANGFUSE, "name": "!!!"},
    {**LANGFUSE, "name": "numbered", "version": "2"},
    LANGFUSE,
]


def test_every_prompt_that_is_not_valid_is_named_and_nothing_imported(run: Run, write: Write, folder: Path) -> None:
    file = write("lf.json", json.dumps(BROKEN, indent=1))
    result = run("import", file, "--to", folder)
    assert result.code == 64
    for prompt in ("'lf'", "'bad', version 2", "'!!!', version 2", "'numbered'"):
        assert f"(prompt {prompt})" in result.error_line
    assert "--skip-invalid imports what is valid" in result.error_line
    assert not folder.exists()


def test_prompts_that_are_not_valid_can_be_skipped_or_the_others_chosen(run: Run, write: Write, folder: Path) -> None:
    file = write("lf.json", json.dumps(BROKEN, indent=1))
    lines = run("import", file, "--to", folder, "--skip-invalid").out.splitlines()
    assert lines[0] == f"+ support.greet  {folder}/support/greet.yaml"
    assert "! bad  left out: version 2 is not valid" in lines
    assert len([line for line in lines if line.startswith("! ")]) == 4
    assert [str(path.relative_to(folder)) for path in folder.rglob("*.yaml")] == ["support/greet.yaml"]
    for name in ("support/Greet", "support.greet"):
        (chosen,) = run("import", file, "--to", folder, "--prompt", name, "--json").json
        assert (chosen["prompt"], chosen["state"]) == ("support.greet", "same")
    assert "'bad', version 2" in run("import", file, "--to", folder, "--prompt", "bad", "--prompt", "support/Greet").error_line
    assert (
        "contains no prompt that can be imported"
        in run("import", file, "--to", folder, "--prompt", "bad", "--skip-invalid").error_line
    )


def test_prompts_of_a_promptfoo_file_that_are_code_can_be_skipped(run: Run, write: Write, folder: Path) -> None:
    file = write("code.yaml", 'prompts: [file://prompt.py, "Greet {{name}}"]\nproviders: [echo]\n')
    assert "(prompt 'file://prompt.py')" in run("import", file, "--to", folder).error_line
    listed = run("import", file, "--to", folder, "--skip-invalid", "--json").json
    assert [(each["prompt"], each["state"]) for each in listed] == [("code", "new"), ("file://prompt.py", "left out")]


def test_a_renamed_prompt_keeps_its_name_there_through_files_and_bundles(run: Run, write: Write, folder: Path) -> None:
    file = write("two.json", json.dumps(FOLDING))
    run("import", file, "--to", folder, "--rename", "team a/greet=hello")
    hello = folder / "hello.yaml"
    assert "given_name: team a/greet\n" in hello.read_text()
    assert "given_name" not in (folder / "team-a" / "greet.yaml").read_text()
    assert run("push", hello, "--json").json["given_name"] == "team a/greet"
    before = hello.read_text()
    assert run("sync", "pull", folder, "--latest").code == 0
    assert "given_name: team a/greet\n" in hello.read_text(), before
    bundle = folder.parent / "bundle.json"
    assert run("export", bundle, "--all-versions").code == 0
    assert run("import", bundle, "--project", "other", "--json").code == 0
    assert run("get", "hello", "--label", "latest", "--project", "other", "--json").json["given_name"] == "team a/greet"
