import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from promptuary.evaluation.suites.suite import GateSpec, ScorerSpec, Suite, read_suite, suite_digest, suite_to_json
from promptuary.prompt.files.yaml_document import InvalidFile
from promptuary.prompt.validation_errors import field_errors_from

GOOD: dict[str, Any] = {
    "name": "support.triage",
    "prompt": "support.triage",
    "dataset": "cases.jsonl",
    "models": ["echo:"],
    "scorers": [{"type": "equals", "value": "{{expected}}", "name": "exact"}],
}


def refused(**change: Any) -> list[str]:
    with pytest.raises(ValidationError) as raised:
        Suite.model_validate({**GOOD, **change})
    return [str(error) for error in field_errors_from(raised.value)]


def refused_scorer(**scorer: Any) -> list[str]:
    return [error.removeprefix("scorers.0.") for error in refused(scorers=[scorer])]


def test_omitted_fields_of_a_suite_have_defaults() -> None:
    suite = Suite.model_validate(GOOD)
    assert (suite.label, suite.repeats, suite.gate, suite.max_unrunnable, suite.concurrency) == ("latest", 1, [], 0.05, None)
    scorer = suite.scorers[0]
    assert (scorer.metric, scorer.type_name, scorer.inverse, scorer.weight) == ("exact", "equals", False, 1.0)


def test_a_scorer_is_named_for_its_type_and_not_turns_it() -> None:
    scorer = ScorerSpec.model_validate({"type": "not-contains", "value": "sorry"})
    assert (scorer.metric, scorer.type_name, scorer.inverse) == ("not-contains", "contains", True)


def test_a_stored_suite_comes_back_and_has_one_digest() -> None:
    suite = Suite.model_validate({**GOOD, "gate": [{"metric": "exact", "at_least": 1}]})
    assert Suite.model_validate(json.loads(json.dumps(suite_to_json(suite)))) == suite
    assert Suite.model_validate(suite) == suite
    assert suite_digest(suite) == suite_digest(Suite.model_validate({**suite_to_json(suite), "repeats": 1}))
    assert suite_digest(suite) != suite_digest(Suite.model_validate(GOOD))


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"name": "../x"}, "name: must be 1 to 128"),
        ({"models": []}, "models: List should have at least 1"),
        ({"models": ["gpt-4o"]}, "models.0: 'gpt-4o' is not of the form provider:model"),
        ({"models": ["local:llama"]}, "models.0: 'llama' is not a local model; known are smollm2"),
        ({"models": ["evil:x"]}, "models.0: 'evil' is not a known provider"),
        ({"models": ["echo:", "echo:"]}, "models.1: 'echo:' is listed twice"),
        ({"repeats": 0}, "repeats: "),
        ({"repeats": 101}, "repeats: "),
        ({"repeats": "2"}, "repeats: must be an integer"),
        ({"max_unrunnable": 1.5}, "max_unrunnable: "),
        ({"max_unrunnable": float("nan")}, "max_unrunnable: "),
        ({"concurrency": 0}, "concurrency: "),
        ({"scorers": None}, "scorers: "),
        ({"scorers": ["equals"]}, "scorers.0: "),
        ({"id": 7}, "id: is not a known field"),
        (
            {"gate": [{"metric": "polite", "at_least": 0.5}]},
            "gate.0.metric: no scorer has the metric 'polite'; the metrics are exact",
        ),
        ({"gate": [{"metric": "exact"}]}, "gate.0: takes one demand"),
        ({"gate": [{"metric": "exact", "every": True, "at_least": 0.5}]}, "gate.0: takes one demand"),
        ({"gate": [{"metric": "exact", "every": True}], "early_stop": True}, "gate.0.every: needs all cases"),
        ({"gate": [{"metric": "exact", "at_least": 1.2}]}, "gate.0.at_least: "),
        ({"gate": [{"metric": "exact", "at_least": 0.5, "not_worse_than": "a", "by": 0.1}]}, "gate.0: takes one demand"),
        ({"gate": [{"metric": "exact", "not_worse_than": "production"}]}, "gate.0.by: is required"),
        ({"gate": [{"metric": "exact", "at_least": 0.5, "by": 0.1}]}, "gate.0.by: goes with"),
        ({"gate": [{"metric": "exact", "not_worse_than": "production", "by": -0.1}]}, "gate.0.by: "),
        ({"scorers": [{"type": "latency", "threshold": 1}] * 2}, "scorers.1.name: 'latency' is the name of an earlier scorer"),
    ],
)
def test_what_is_wrong_in_a_suite_is_named(change: dict[str, Any], expected: str) -> None:
    errors = refused(**change)
    assert any(error.startswith(expected) for error in errors), errors


@pytest.mark.parametrize(
    ("scorer", "expected"),
    [
        ({"type": "bleurt", "value": "x"}, "type: 'bleurt' is not a known scorer"),
        ({"type": "not-not-equals", "value": "x"}, "type: 'not-not-equals' is not a known scorer"),
        ({"type": 5}, "type: must be a string"),
        ({}, "type: is required"),
        ({"type": "equals"}, "value: is required"),
        ({"type": "equals", "value": "{{expected"}, "value: a tag opened with {{ is never closed"),
        ({"type": "equals", "value": {"x": ["{{"]}}, "value: a tag opened with {{ is never closed"),
        ({"type": "equals", "value": float("inf")}, "value: has a number that is not finite"),
        ({"type": "equals", "value": "x", "threshold": 0.5}, "threshold: 'equals' takes no threshold"),
        ({"type": "equals", "value": "x", "model": "echo:"}, "model: 'equals' takes no model"),
        ({"type": "equals", "value": "x", "weight": -1}, "weight: "),
        ({"type": "equals", "value": "x", "name": "a\nb"}, "name: "),
        ({"type": "contains", "value": ""}, "value: is required and must not be empty"),
        ({"type": "contains", "value": ["a"]}, "value: must be a string or a number"),
        ({"type": "contains", "value": True}, "value: must be a string or a number"),
        ({"type": "contains-any", "value": []}, "value: must not be an empty list"),
        ({"type": "contains-any", "value": " , "}, "value: must name at least one text"),
        ({"type": "contains-any", "value": '"a'}, "value: the list has a quoted field"),
        ({"type": "contains-all", "value": [{}]}, "value: must be a string or a number"),
        ({"type": "regex", "value": "(?=look"}, "value: expecting ')'"),
        ({"type": "is-json", "value": {"format": "emial"}}, "value: the schema has the format 'emial', which is not known"),
        ({"type": "is-json", "value": {"typo": 1}}, "value: the schema has the keyword `typo`"),
        ({"type": "is-json", "value": {"typo": 1}, "config": {"dialect": "ajv-draft-07"}}, "value: the schema has the unknown"),
        ({"type": "is-json", "config": {"dialect": "draft-07"}}, "config: takes dialect alone"),
        (
            {"type": "regex", "value": "(?i)x"},
            "value: the group at 0 begins as none does in JavaScript; to ignore case write",
        ),
        ({"type": "regex", "value": "[z-a]"}, "value: a range in square brackets runs backwards"),
        ({"type": "regex", "value": "a" * 1001}, "value: the pattern is over the limit of 1000"),
        ({"type": "regex", "value": 5}, "value: must be a string"),
        ({"type": "is-json", "value": {"type": "objekt"}}, "value: the schema is not valid JSON Schema at 'type'"),
        ({"type": "is-json", "value": {"$ref": "https://example.com/s"}}, "value: the schema refers to 'https"),
        ({"type": "levenshtein", "value": 5}, "value: is required and must be a string"),
        ({"type": "levenshtein", "value": "x", "threshold": -1}, "threshold: should be from 0"),
        ({"type": "word-count", "value": {"min": 5, "max": 4}}, "value: has a min above its max"),
        ({"type": "word-count", "value": {}}, "value: must have min, max or both"),
        ({"type": "word-count", "value": {"mean": 4}}, "value: must have min, max or both"),
        ({"type": "word-count", "value": "many"}, "value: must be a whole number"),
        ({"type": "latency"}, "threshold: 'latency' needs a threshold"),
        ({"type": "latency", "threshold": 5, "value": "x"}, "value: is not taken"),
        ({"type": "similar", "value": "x", "threshold": 1.1}, "threshold: should be from 0 to 1"),
        ({"type": "similar", "value": "x", "threshold": float("nan")}, "threshold: "),
        ({"type": "llm-rubric", "value": "polite"}, "model: 'llm-rubric' needs a model"),
        ({"type": "llm-rubric", "value": "polite", "model": "judge"}, "model: 'judge' is not of the form"),
        ({"type": "llm-rubric", "model": "echo:"}, "value: is required: the rubric"),
    ],
)
def test_what_is_wrong_in_a_scorer_is_named(scorer: dict[str, Any], expected: str) -> None:
    errors = refused_scorer(**scorer)
    assert any(error.startswith(expected) for error in errors), errors


def test_a_gate_may_name_a_metric_inside_a_set() -> None:
    inner = {"type": "assert-set", "assert": [{"type": "is-json", "name": "form"}]}
    scorers = [{"type": "assert-set", "name": "whole", "assert": [inner, {"type": "contains", "value": "x"}]}]
    suite = Suite.model_validate({**GOOD, "scorers": scorers, "gate": [{"metric": "form", "at_least": 0.5}]})
    assert suite.gate[0].metric == "form"
    with pytest.raises(
        ValidationError, match="no scorer has the metric 'contains'; the metrics are whole, form, pass and score"
    ):
        Suite.model_validate({**GOOD, "scorers": scorers, "gate": [{"metric": "contains", "at_least": 0.5}]})


def test_a_gate_by_itself_is_checked_too() -> None:
    with pytest.raises(ValidationError):
        GateSpec.model_validate({"metric": "x"})


def suite_file(folder: Path, text: str, cases: str = '{"id": "a", "vars": {}}\n') -> Path:
    (folder / "cases.jsonl").write_text(cases)
    path = folder / "suite.yaml"
    path.write_text(text)
    return path


def test_a_suite_file_comes_with_its_cases(tmp_path: Path) -> None:
    read = read_suite(suite_file(tmp_path, json.dumps(GOOD)))
    assert read.suite == Suite.model_validate(GOOD)
    assert [case.id for case in read.cases] == ["a"]
    assert read.path == tmp_path / "suite.yaml"


def test_a_suite_file_carries_the_files_that_its_scorers_name(tmp_path: Path) -> None:
    (tmp_path / "rubric.txt").write_text("is polite\n")
    (tmp_path / "check.py").write_text("def check(output, context):\n    return True\n")
    scorers = [
        {"type": "python", "value": "file://check.py:check"},
        {"type": "llm-rubric", "value": "file://rubric.txt", "model": "echo:"},
    ]
    read = read_suite(suite_file(tmp_path, json.dumps(GOOD | {"scorers": scorers, "gate": []})))
    code = {"file": "check.py", "function": "check", "code": "def check(output, context):\n    return True\n"}
    assert [scorer.value for scorer in read.suite.scorers] == [code, "is polite"]
    changed = tmp_path / "rubric.txt"
    changed.write_text("is brief\n")
    again = read_suite(tmp_path / "suite.yaml")
    assert suite_digest(again.suite) != suite_digest(read.suite)


def test_a_missing_file_that_a_scorer_names_is_reported_in_its_line(tmp_path: Path) -> None:
    scorers = "scorers:\n  - type: equals\n    value: file://../secret.txt\n  - {type: python, value: file://nothing.py}\n"
    text = f"name: a\nprompt: b\ndataset: cases.jsonl\nmodels: ['echo:']\n{scorers}"
    with pytest.raises(InvalidFile) as raised:
        read_suite(suite_file(tmp_path, text))
    assert {(error.path, error.line) for error in raised.value.field_errors} == {("scorers.0.value", 7), ("scorers.1.value", 8)}


MANY_ERRORS = """\
name: support.triage
prompt: Support
dataset: cases.jsonl
models: [local:smollm2, nobody:x]
repeats: 1000
scorers:
  - {type: equals, name: exact}
  - type: regex
    value: "["
    weight: -1
  - {type: similar, value: x, threshold: 7}
  - {type: nonsense, value: x}
gate:
  - {metric: exakt, at_least: 0.8}
  - {metric: exact, not_worse_than: production}
colour: red
"""


def test_every_error_is_reported_at_once_with_its_line(tmp_path: Path) -> None:
    with pytest.raises(InvalidFile) as raised:
        read_suite(suite_file(tmp_path, MANY_ERRORS, cases='{"id": "a"}\n'))
    errors = {(error.path, error.line) for error in raised.value.field_errors}
    assert errors == {
        ("prompt", 2),
        ("models.1", 4),
        ("repeats", 5),
        ("scorers.0.value", 7),
        ("scorers.1.value", 9),
        ("scorers.1.weight", 10),
        ("scorers.2.threshold", 11),
        ("scorers.3.type", 12),
        ("gate.0.metric", 14),
        ("gate.1.by", 15),
        ("colour", 16),
        ("dataset", 3),
    }
    assert str(tmp_path / "suite.yaml") in raised.value.message


def test_a_faulty_dataset_of_a_good_suite_is_named_by_its_own_path(tmp_path: Path) -> None:
    with pytest.raises(InvalidFile) as raised:
        read_suite(suite_file(tmp_path, json.dumps(GOOD), cases='{"id": "a"}\n'))
    assert raised.value.message == f"{tmp_path / 'cases.jsonl'} cannot be used"
    assert [str(error) for error in raised.value.field_errors] == ["line 1: vars: is required"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "must be a mapping"),
        ("- a", "must be a mapping"),
        ("a: 1\nb: *x", "found undefined alias 'x'"),
        ("name: a\nname: b", "the key 'name' occurs twice"),
        ("name: !!python/object:os.system x", "the tag"),
        ("name: [", "expected the node content"),
    ],
)
def test_what_is_no_suite_file_is_refused(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(InvalidFile, match=words):
        read_suite(suite_file(tmp_path, text))


def test_a_suite_or_dataset_that_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidFile, match=r"gone\.yaml does not exist"):
        read_suite(tmp_path / "gone.yaml")
    path = suite_file(tmp_path, json.dumps({**GOOD, "dataset": "gone.jsonl"}))
    with pytest.raises(InvalidFile, match=r"gone\.jsonl does not exist"):
        read_suite(path)


JUDGED = {"type": "llm-rubric", "value": "is polite", "model": "echo:", "name": "rubric"}


@pytest.mark.parametrize(
    ("demand", "message"),
    [
        ({"metric": "exact", "at_least": 0.8, "corrected": True}, "goes with a metric that a model judges"),
        ({"metric": "score", "at_least": 0.8, "judge": {"sensitivity": 0.8}}, "the judged metrics are rubric"),
        ({"metric": "rubric", "every": True, "corrected": True}, "does not go with `every`"),
        ({"metric": "rubric", "at_least": 0.8, "judge": {}}, "takes sensitivity, specificity or both"),
        ({"metric": "rubric", "at_least": 0.8, "judge": {"sensitivity": 1.2}}, "less than or equal to 1"),
        ({"metric": "rubric", "at_least": 0.8, "judge": {"kappa": 0.6}}, "Extra inputs"),
    ],
)
def test_a_demand_on_a_judge_that_cannot_be_meant_is_refused(suite_of: Any, demand: Any, message: str) -> None:
    exact = {"type": "equals", "value": "{{expected}}", "name": "exact"}
    with pytest.raises(ValidationError, match=message):
        suite_of(scorers=[exact, JUDGED], gate=[demand])


def test_a_gate_that_labels_decide_does_not_stop_early(suite_of: Any) -> None:
    gate = [{"metric": "rubric", "at_least": 0.8, "corrected": True}]
    with pytest.raises(ValidationError, match="leave `early_stop` out"):
        suite_of(scorers=[JUDGED], gate=gate, early_stop=True)


def test_a_judge_in_a_set_may_have_a_demand(suite_of: Any) -> None:
    gate = [{"metric": "rubric", "at_least": 0.8, "judge": {"specificity": 0.7}}]
    suite = suite_of(scorers=[{"type": "assert-set", "assert": [JUDGED]}], gate=gate)
    assert suite_to_json(suite)["gate"][0]["judge"] == {"sensitivity": None, "specificity": 0.7}


def test_a_gate_without_a_demand_on_a_judge_keeps_its_form(suite_of: Any) -> None:
    suite = suite_of(gate=[{"metric": "exact", "at_least": 0.8}])
    assert suite_to_json(suite)["gate"] == [{"metric": "exact", "at_least": 0.8, "not_worse_than": None, "by": None}]
