"""promptfoo's assertions as scorers: their graders, their values, and what is refused."""

from typing import Any

import pytest

from factories.promptfoo_files import CONTAINS, TEST, Read, refusal, why
from promptuary.evaluation.promptfoo.report import PartOutcome
from promptuary.evaluation.promptfoo.translation import UnsupportedParts
from promptuary.prompt.files.yaml_document import InvalidFile


@pytest.mark.parametrize(
    ("name", "assertion", "words"),
    [
        ("human", {"type": "human"}, "no scorer here"),
        ("containz", {"type": "containz", "value": "a"}, "no type that is known"),
        ("moderation", {"type": "moderation"}, "no scorer here"),
        ("contains", {"type": "contains", "value": "a", "transform": "fetch(output)"}, "`fetch` reaches the network"),
        ("contains", {"type": "contains", "value": "a", "transform": "file://none.js"}, "does not exist"),
        ("contains", {"type": "contains", "value": "file://value.js"}, "made by code"),
        ("contains", {"type": "contains"}, "value is required"),
        ("contains", {"type": "contains", "value": "a", "weight": -1}, "weight"),
        ("equals", {"type": "equals", "value": "file://missing.json"}, "does not exist"),
        ("llm-rubric", {"type": "llm-rubric", "value": "is kind"}, "--judge"),
        ("llm-rubric", {"type": "llm-rubric", "value": "is kind", "provider": "exec:./grade"}, "is code"),
    ],
)
def test_an_unsupported_assertion_is_refused_and_never_dropped(
    read: Read, name: str, assertion: dict[str, Any], words: str
) -> None:
    changes = {"tests": [{**TEST, "assert": [assertion]}, TEST]}
    with pytest.raises(UnsupportedParts) as refused:
        read(changes)
    kinds = {entry.kind: entry.why for entry in refused.value.report.of(PartOutcome.REFUSED)}
    assert words in kinds["assertion"]
    assert "every output would pass" in kinds["test"]
    assert len(read(changes, partial=True).cases) == 1  # a test that lost all its assertions is omitted, not passed


def test_the_grader_is_the_files_or_the_judge_that_is_named(read: Read) -> None:
    rubric = {"type": "llm-rubric", "value": "is kind"}
    options = {"provider": "openai:chat:gpt-4.1"}
    tests = [{**TEST, "assert": [rubric, {**rubric, "provider": {"id": "mine"}}]}]
    changes = {
        "defaultTest": {"options": options},
        "tests": tests,
        "providers": [{"id": "anthropic:messages:claude", "label": "mine"}],
    }
    assert [spec["model"] for spec in read(changes).cases[0].asserts] == ["openai:gpt-4.1", "anthropic:claude"]
    assert [spec["model"] for spec in read(changes, judge="local:smollm2").cases[0].asserts] == ["local:smollm2"] * 2


def test_scorers_of_code_and_of_instructions_are_carried_as_ours(read: Read) -> None:
    asserts: list[dict[str, Any]] = [
        {"type": "python", "value": "file://check.py:polite"},
        {"type": "python", "value": "len(output) > {{ x | length }}"},
        {"type": "not-llm-rubric", "value": "is rude to {{x}}", "rubricPrompt": "Be strict."},
        {"type": "factuality", "value": "five days"},
        {"type": "webhook", "value": "https://hooks.example.com/check"},
        {"type": "is-json", "value": {"pattern": "{{x}}"}},
        {"type": "is-refusal", "value": "what is not looked at"},
    ]
    options = {"provider": "openai:gpt-4.1", "factuality": {"subset": 0.5}}
    code = "def polite(output, context):\n    return True\n"
    translation = read({"tests": [{**TEST, "assert": asserts, "options": options}]}, {"check.py": code})
    assert list(translation.cases[0].asserts) == [
        {"type": "python", "value": {"file": "check.py", "function": "polite", "code": code}},
        {"type": "python", "value": "len(output) > 1"},
        {"type": "not-llm-rubric", "value": "is rude to a", "model": "openai:gpt-4.1", "config": {"prompt": "Be strict."}},
        {"type": "factuality", "value": "five days", "model": "openai:gpt-4.1", "config": {"subset": 0.5}},
        {"type": "webhook", "value": "https://hooks.example.com/check"},
        {"type": "is-json", "value": {"pattern": "{{x}}"}, "config": {"dialect": "ajv-draft-07"}},
        {"type": "is-refusal"},
    ]
    assert "PROMPTUARY_CODE_SCORERS" in why(translation.report, PartOutcome.CHANGED, "python")
    assert "PROMPTUARY_WEBHOOK_HOSTS" in why(translation.report, PartOutcome.CHANGED, "webhook")
    assert "means nothing" in why(translation.report, PartOutcome.LEFT, "is-refusal")


@pytest.mark.parametrize(
    ("assertion", "words"),
    [
        ({"type": "javascript", "value": "require('fs') && true"}, "`require` loads a module"),
        ({"type": "javascript", "value": "fetch('http://x')"}, "`fetch` reaches the network"),
        ({"type": "javascript", "value": "process.env.KEY === output"}, "`process.env` reaches the system"),
        ({"type": "llm-rubric", "value": "x", "provider": "openai:a", "rubricPrompt": "{{output}}"}, "a whole prompt"),
        ({"type": "assert-set", "assert": [{"type": "assert-set", "assert": [CONTAINS]}]}, "in another set"),
        ({"type": "python", "value": "file://../check.py"}, "outside the folder"),
    ],
)
def test_scorers_that_others_could_misread_are_refused(read: Read, assertion: dict[str, Any], words: str) -> None:
    assert words in refusal(read, assertion["type"], {"tests": [{**TEST, "assert": [CONTAINS, assertion]}]})


def test_outputs_that_are_compared_are_not_run_apart(read: Read) -> None:
    best = {"type": "select-best", "value": "is shorter", "provider": "openai:gpt-4.1"}
    changes = {"prompts": ["{{x}}", "Two: {{x}}"], "tests": [{**TEST, "assert": [best]}]}
    assert read(changes).cases
    assert "run apart" in refusal(read, "select-best", changes, apart=True)
    assert read({**changes, "prompts": ["{{x}}"]}, apart=True).cases


def test_a_threshold_may_be_any_number_as_scores_of_javascript_may(read: Read) -> None:
    assert [read({"tests": [{**TEST, "threshold": at}]}).cases[0].threshold for at in (-1, 0.5, 1.5)] == [-1, 0.5, 1.5]
    assert "no number" in refusal(read, "over", {"tests": [{**TEST, "threshold": "much", "description": "over"}]})


def test_a_file_without_any_assertion_demands_nothing(read: Read) -> None:
    translation = read({"tests": [{"vars": {"x": 1}}]})
    assert translation.suite.gate == []
    assert "the run ends in 'no gate'" in why(translation.report, PartOutcome.CHANGED, "promptfooconfig.yaml")


def test_a_file_whose_assertions_are_all_refused_leaves_nothing(read: Read) -> None:
    with pytest.raises(InvalidFile, match="leaves nothing to run"):
        read({"tests": [{**TEST, "assert": [{"type": "human"}]}]}, partial=True)


def test_a_metrics_name_is_written_as_ours_are(read: Read) -> None:
    translation = read({"tests": [{**TEST, "assert": [{**CONTAINS, "metric": "Ton & Stil: {{x}}"}]}]})
    assert translation.cases[0].asserts[0]["name"] == "Ton _ Stil_ a"
    assert "is called" in why(translation.report, PartOutcome.CHANGED, "Ton & Stil: a")
