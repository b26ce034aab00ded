"""The behaviour that all commands share: one line for an error, an exit code for its cause, and no partial effect."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from cli.conftest import SUITE, Run
from promptuary.cli.registry import prompts

pytestmark = pytest.mark.process

Write = Callable[[str, str], Path]
CASE = '{"id": "c1", "vars": {"text": "yes"}, "expected": "yes"}\n'


def test_the_version_and_the_help_end_with_0(run: Run) -> None:
    assert run("--version").out == "promptuary 0.4.0\n"
    assert "eval" in run("--help").out


@pytest.mark.parametrize("arguments", [(), ("label",), ("context",)])
def test_a_command_without_its_subcommand_shows_the_help_alone(run: Run, arguments: tuple[str, ...]) -> None:
    result = run(*arguments)
    assert (result.code, result.err) == (64, "")
    assert "Usage: " in result.out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nonsense"], "nonsense"),
        (["label", "nonsense"], "nonsense"),
        (["get", "word", "--nope"], "--nope"),
        (["get"], "name"),
        (["push"], "file"),
        (["eval", "run"], "suites"),
        (["label", "set", "word", "production"], "version"),
        (["label", "set", "word", "production", "first"], "'version'"),
        (["get", "word", "--version", "one"], "'--version'"),
        (["key", "create", "ci"], "--role"),
        (["context", "query", "support"], "text"),
    ],
)
def test_a_call_of_the_wrong_form_names_what_is_wrong(run: Run, arguments: list[str], message: str) -> None:
    result = run(*arguments)
    assert (result.code, result.out) == (64, "")
    assert message in result.error_line.lower()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["get", "unknown"], "there is no prompt 'unknown'"),
        (["get", "word", "--label", "staging"], "has no label 'staging'"),
        (["get", "word", "--version", "7"], "7"),
        (["get", "word", "--label", "production", "--version", "1"], "not both"),
        (["get", "Not A Name"], "name"),
        (["get", "a/b"], "`%2F`, a slash inside a name"),
        (["get", ".."], "is no name"),
        (["get", "."], "a-z 0-9"),
        (["get", ""], "is empty"),
        (["get", "\udcff"], "UTF-8"),
        (["prompts", "--search", "\udcff"], "cannot be sent"),
        (["render", "word", "--var", "text"], "NAME=VALUE"),
        (["render", "word", "--var", "text=\udcff"], "cannot be sent"),
        (["render", "word", "--var", "text=[1e999]"], "cannot be sent"),
        (["render", "word"], "text"),
        (["render", "word", "--var", "text=a", "--var", "text=b"], "text: is assigned twice"),
        (["render", "unknown"], "'unknown'"),
        (["render", "unknown", "--var", "a=b"], "'unknown'"),
        (["label", "set", "unknown", "production", "1"], "'unknown'"),
        (["label", "set", "word", "latest", "1"], "latest"),
        (["label", "set", "word", "production", "9"], "9"),
        (["label", "history", "unknown", "production"], "'unknown'"),
        (["label", "rollback", "word", "staging"], "'staging'"),
        (["label", "rollback", "word", "production"], "never pointed anywhere else"),
        (["key", "create", "ci", "--role", "king"], "role"),
        (["key", "create", "ci", "--role", "ci", "--days", "0"], "days"),
        (["key", "revoke", "unknown"], "unknown"),
        (["key", "revoke", ""], "is empty"),
        (["context", "query", "unknown", "text"], "there is no collection 'unknown'"),
        (["context", "reindex", "unknown"], "there is no collection 'unknown'"),
        (["context", "query", "Not A Name", "text"], "name"),
        (["eval", "run", "unknown"], "there is no suite 'unknown'"),
        (["eval", "run", "unknown?x"], "suite: must be"),
        (["eval", "run", "a", "b", "--resume", "run_0"], "name its suite alone"),
        (["eval", "run", "a", "--resume", "run_0"], "there is no run 'run_0'"),
        (["eval", "run", "a", "--baseline", "run_0"], "there is no run 'run_0'"),
        (["eval", "show", "run_0"], "there is no run 'run_0'"),
        (["eval", "show", ""], "is empty"),
        (["eval", "compare", "run_0", "run_1"], "there is no run 'run_0'"),
        (["review", "open", "queue", "--run", "run_0"], "there is no run 'run_0'"),
        (["review", "open", "queue", "--run", "run_0", "--only", "good"], "only"),
        (["review", "export", "unknown"], "'unknown'"),
        (["prompts", "--project", "Not A Name"], "'Not A Name' is not of"),
    ],
)
@pytest.mark.usefixtures("word")
def test_an_unknown_or_invalid_name_is_refused(run: Run, arguments: list[str], message: str) -> None:
    result = run(*arguments)
    assert (result.code, result.out) == (64, "")
    assert message in result.error_line


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("type: chat\n  messages: [\n", "line 2: "),
        ("type: text\ntemplate: '{{text}}'\ncolour: red\n", "line 3: colour"),
        ("type: text\ntemplate: '{{text'\n", "line 2: template"),
        ("type: text\ntemplate: hello\nlabels: production\n", "line 3: labels"),
        ("- 1\n", "is not a prompt file"),
        ("", "is not a prompt file"),
        ("type: text\ntemplate: *nobody\n", "line 2: found undefined alias 'nobody'"),
    ],
)
def test_an_invalid_prompt_file_is_named_with_its_line_and_field(run: Run, write: Write, text: str, message: str) -> None:
    path = write("prompts/word.yaml", text)
    result = run("push", path)
    assert result.code == 64
    assert str(path) in result.error_line
    assert message in result.error_line
    assert run("prompts", "--json").json == []


def test_a_file_that_is_missing_or_has_no_valid_name_is_refused(run: Run, write: Write, tmp_path: Path) -> None:
    assert run("push", tmp_path / "none.yaml").error_line == f"{tmp_path / 'none.yaml'} does not exist"
    assert "cannot be read" in run("push", tmp_path).error_line
    invalid_name = run("push", write("prompts/My Word.yaml", json.dumps({"type": "text", "template": "hi"})))
    assert (invalid_name.code, "is not a valid name of a prompt" in invalid_name.error_line) == (64, True)
    assert "is not a folder" in run("sync", "apply", tmp_path / "none").error_line
    assert "contains no prompt file" in run("sync", "plan", tmp_path / "data").error_line
    assert run("eval", "run", tmp_path / "none.yaml").error_line == f"{tmp_path / 'none.yaml'} does not exist"


@pytest.mark.parametrize(
    ("suite", "dataset", "message"),
    [
        (SUITE.replace("equals", "guess"), CASE, "line 6: scorers.0.type"),
        (SUITE + "gate:\n  - {metric: style, at_least: 0.5}\n", CASE, "no scorer has the metric 'style'"),
        (SUITE.replace("echo:", "oracle:x"), CASE, "'oracle' is not a known provider"),
        (SUITE, CASE + '{"id": "c2", "vars": {}', "words.jsonl cannot be used: line 2"),
        (SUITE, CASE + CASE, "'c1' is the id of line 1 too"),
        (SUITE, "", "has no case"),
        (SUITE.replace("words.jsonl", "none.jsonl"), CASE, "none.jsonl does not exist"),
        (SUITE.replace("words.jsonl", "words.txt"), CASE, "must end in .jsonl, .ndjson, .json"),
    ],
)
@pytest.mark.usefixtures("word")
def test_an_invalid_suite_is_refused_and_not_stored(run: Run, write: Write, suite: str, dataset: str, message: str) -> None:
    write("evals/words.jsonl", dataset)
    result = run("eval", "run", write("evals/words.yaml", suite))
    assert (result.code, result.out) == (64, "")
    assert message in result.error_line
    assert "there is no suite 'words'" in run("eval", "run", "words").error_line
    assert run("eval", "list", "--json").json == []


@pytest.mark.usefixtures("word")
def test_invalid_prompt_files_are_refused_before_the_suite_is_stored(run: Run, write: Write) -> None:
    write("evals/words.jsonl", CASE)
    suite = write("evals/words.yaml", SUITE)
    write("new/word.yaml", "type: text\n")
    result = run("eval", "run", suite, "--prompts", suite.parent.parent / "new")
    assert (result.code, "word.yaml" in result.error_line) == (64, True)
    assert "there is no suite 'words'" in run("eval", "run", "words").error_line
    write("new/word.yaml", "")
    write("other/word2.yaml", json.dumps({"type": "text", "template": "hi"}))
    assert (
        "no file for the suite's prompt: prompt: 'word'"
        in run("eval", "run", suite, "--prompts", suite.parent.parent / "other").error_line
    )


@pytest.mark.parametrize(
    ("variable", "value", "code", "message"),
    [
        ("PROMPTUARY_PORT", "x", 64, "PROMPTUARY_PORT"),
        ("PROMPTUARY_LOG_LEVEL", "loud", 64, "PROMPTUARY_LOG_LEVEL"),
        ("PROMPTUARY_LEASE_SECONDS", "1", 64, "PROMPTUARY_LEASE_SECONDS"),
        ("PROMPTUARY_DATABASE_URL", "nonsense", 64, "PROMPTUARY_DATABASE_URL"),
        ("PROMPTUARY_URL", "127.0.0.1:8400", 64, "PROMPTUARY_URL: must begin with http:// or https://"),
        ("PROMPTUARY_URL", "http://[::1", 64, "PROMPTUARY_URL"),
        ("PROMPTUARY_DATABASE_URL", "postgresql://127.0.0.1:9/none", 3, "the database does not answer"),
        ("PROMPTUARY_DATA_DIR", "/proc/none", 3, "/proc/none"),
        ("PROMPTUARY_URL", "http://127.0.0.1:9", 3, "http://127.0.0.1:9 does not answer"),
    ],
)
def test_a_setting_that_cannot_be_used_is_named(
    run: Run, monkeypatch: pytest.MonkeyPatch, variable: str, value: str, code: int, message: str
) -> None:
    monkeypatch.setenv(variable, value)
    result = run("prompts")
    assert (result.code, result.out) == (code, "")
    assert message in result.error_line


def test_a_data_directory_that_is_a_file_is_named(run: Run, write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write("data", "")
    monkeypatch.setenv("PROMPTUARY_DATA_DIR", str(path))
    assert str(path) in run("prompts").error_line


def test_a_reader_that_closes_the_pipe_early_gets_no_error(data_dir: Path) -> None:
    """`promptuary … | head -0`: the exit code is the one that shells use, not that of a verdict."""
    arguments = [sys.executable, "-m", "promptuary.cli.main", "prompts"]
    environment = {**os.environ, "PROMPTUARY_DATA_DIR": str(data_dir)}
    with subprocess.Popen(arguments, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        errors = process.stderr.read().decode()
    assert (process.returncode, errors) == (141, "")


def test_ctrl_c_ends_a_command_with_the_code_of_shells(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(_: str | None) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(prompts, "connect", interrupted)
    result = run("prompts")
    assert (result.code, result.out, result.err) == (130, "", "")
