"""Suites of applications and outputs as files: their code and outputs are read, and what is wrong is named with its line."""

from collections.abc import Callable
from pathlib import Path

import pytest

from promptuary.evaluation.suites.suite import SuiteFile, read_suite, suite_digest, suite_to_json
from promptuary.evaluation.suites.target_files import outputs_dataset, with_stored_outputs
from promptuary.prompt.files.yaml_document import InvalidFile

HEAD = "name: desk\ndataset: cases.jsonl\nscorers: [{type: contains, value: a}]\n"
CASES = '{"id": "a", "vars": {"q": "1", "reply": "x"}}\n{"id": "b", "vars": {"q": "2"}}\n'
Read = Callable[..., SuiteFile]


@pytest.fixture
def read(tmp_path: Path) -> Read:
    """Read a suite with these lines, beside files of these texts."""

    def suite_file(lines: str, files: dict[str, str] | None = None) -> SuiteFile:
        for name, text in {"cases.jsonl": CASES, "desk.yaml": HEAD + lines, **(files or {})}.items():
            (tmp_path / name).write_text(text, encoding="utf-8")
        return read_suite(tmp_path / "desk.yaml")

    return suite_file


def error(read: Read, lines: str, files: dict[str, str] | None = None) -> str:
    with pytest.raises(InvalidFile) as refused:
        read(lines, files)
    return str(refused.value)


@pytest.mark.parametrize("target", ["{python: app.py:reply}", "[{python: app.py:reply}]", "{python: {function: app.py:reply}}"])
def test_the_code_of_a_functions_file_is_copied_into_the_suite(read: Read, target: str) -> None:
    (spec,) = read(f"target: {target}", {"app.py": "def reply(vars):\n    return 'a'\n"}).suite.targets
    assert spec.python is not None
    assert (spec.label, spec.python.source.code) == ("app.py:reply", "def reply(vars):\n    return 'a'\n")


def test_the_version_of_the_suite_is_that_of_each_application_without_one(read: Read) -> None:
    targets = read('version: "3"\ntarget: [{python: a:b}, {python: c:d, version: "4"}]').suite.targets
    assert [target.variant_name for target in targets] == ["a:b 3", "c:d 4"]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("out.jsonl", '{"id": "b", "output": "two"}\n\n{"case": "a", "output": ["one"], "latency_ms": 5}\n'),
        ("out.jsonl", '["one"]\n"two"\n'),
        ("out.csv", 'id,output\nb,two\na,"[""one""]"\n'),
        ("out.csv", 'id,output\n,"[""one""]"\n,two\n'),
    ],
)
def test_outputs_are_read_in_the_order_of_the_cases(read: Read, name: str, text: str) -> None:
    suite_file = read(f"outputs: {name}", {name: text})
    outputs = [case.vars["output"] for case in suite_file.outputs[name]]
    assert outputs == [["one"] if name.endswith("jsonl") else '["one"]', "two"]


def test_a_stored_suite_names_the_dataset_of_its_outputs(read: Read) -> None:
    suite = read("outputs: Out.v2.jsonl", {"Out.v2.jsonl": '"x"\n"y"\n'}).suite
    names = {"Out.v2.jsonl": outputs_dataset(suite.name, "Out.v2.jsonl")}
    assert names == {"Out.v2.jsonl": "desk.outputs.out.v2"}
    assert with_stored_outputs(suite_to_json(suite), names)["outputs"] == "desk.outputs.out.v2"


@pytest.mark.parametrize(
    ("lines", "files", "expected"),
    [
        ("", {}, "prompt: is required: a prompt's name; or `target`, an application; or `outputs`"),
        ("prompt: p\nmodels: ['echo:']\ntarget: {python: a:b}", {}, "target: is another subject than `prompt`"),
        ("target: {python: a:b}\nmodels: ['echo:']", {}, "line 5: models: go with a prompt: an application calls its own"),
        ("target: {python: a:b}\nlabel: production", {}, "label: goes with a prompt"),
        ("prompt: p\nmodels: ['echo:']\nversion: '1'", {}, "version: goes with an application"),
        ("outputs: {column: reply}\nrepeats: 2", {}, "repeats: goes with calls"),
        ("target: [{python: a:b}, {python: a:b}]", {}, "target.1.name: 'a:b' is another application already"),
        ("target:\n  http:\n    url: ftp://x", {}, "line 6: target.http: the address must begin with http:// or https://"),
        ("target: {python: no.py:f}", {}, "target.python: 'no.py' is not there, or is no file"),
        ("target: {python: ../x.py:f}", {}, "target.python: '../x.py' is outside of the suite's folder"),
        ("outputs: {column: reply}", {}, "outputs.column: 'reply' is no variable of 1 of 2 cases: b"),
        ("outputs: no.jsonl", {}, "no.jsonl does not exist"),
        (
            "target: [{outputs: o.jsonl, name: a}, {outputs: O.jsonl, name: b}]",
            {"o.jsonl": '"x"\n"y"\n', "O.jsonl": '"x"\n"y"\n'},
            "outputs: 'O.jsonl' and 'o.jsonl' would be stored under one name",
        ),
        (f"target: {{python: {'a' * 300}.py:f}}", {}, ".py' is no path"),
        ("outputs: o.jsonl", {"o.jsonl": '{"id": "a", "output": 1}\n'}, "has no output for 1 of 2 cases: b"),
        (
            "outputs: o.jsonl",
            {"o.jsonl": '{"id": "c", "output": 1}\n'},
            "has outputs of 1 cases that the dataset does not",
        ),
        ("outputs: o.jsonl", {"o.jsonl": '"one"\n'}, "has 1 outputs for 2 cases; give each its case's `id`"),
        ("outputs: o.jsonl", {"o.jsonl": '{"id": "a"}\n'}, "line 1: output: is required"),
        ("outputs: o.jsonl", {"o.jsonl": "one\n"}, "line 1: the line is not JSON"),
        (
            "outputs: o.jsonl",
            {"o.jsonl": '{"id": "a", "output": 1}\n{"id": "a", "output": 2}\n{"id": "b", "output": 2}'},
            "line 2: id: 'a' has an output already",
        ),
    ],
)
def test_what_is_wrong_is_named(read: Read, lines: str, files: dict[str, str], expected: str) -> None:
    assert expected in error(read, lines, files)


def test_suites_of_prompts_keep_their_digest(read: Read) -> None:
    suite = read("prompt: support.triage\nmodels: ['echo:']").suite
    assert suite_to_json(suite).keys() == {
        *("name", "prompt", "label", "dataset", "models", "repeats", "scorers", "gate", "max_unrunnable", "concurrency")
    }
    assert suite_digest(suite) == "sha256:149c6fb446297717263f5601c666b7d15da088b51397e3d9d0ac28ee0e1a2c5a"


def test_outputs_that_are_there_answer_no_conversations(read: Read) -> None:
    files = {"cases.jsonl": '{"id": "a", "turns": [{"user": "hi"}]}\n', "out.jsonl": '{"id": "a", "output": "x"}\n'}
    assert "outputs: are there already, and the dataset has conversations" in error(read, "outputs: out.jsonl\n", files)


def test_scorers_of_turns_suffice_for_a_suite_without_any(read: Read) -> None:
    turn = '{"user": "hi", "assert": [{"type": "contains", "value": "x"}]}'
    text = "name: desk\nprompt: desk\nmodels: ['echo:']\ndataset: cases.jsonl\n"
    assert len(read("", {"desk.yaml": text, "cases.jsonl": f'{{"id": "a", "turns": [{turn}]}}\n'}).cases) == 1
