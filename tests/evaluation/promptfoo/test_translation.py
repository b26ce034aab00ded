"""The translation of a promptfoo file, part by part, and the report on parts that are not supported."""

import json
from pathlib import Path
from typing import Any

import pytest

from factories.promptfoo_files import CONTAINS, FILE, TEST, Read, refusal, why
from promptuary.evaluation.promptfoo.assertions import EMPTY_TEMPLATE, PASSING_WITHOUT_THRESHOLD
from promptuary.evaluation.promptfoo.report import PartOutcome
from promptuary.evaluation.promptfoo.suite_files import suite_file_texts
from promptuary.evaluation.promptfoo.translation import UnsupportedParts, translate
from promptuary.evaluation.suites.suite import read_suite
from promptuary.prompt.files.prompt_file import read_prompt_folder
from promptuary.prompt.files.yaml_document import InvalidFile


def test_the_suite_is_named_by_the_description_else_by_the_file_or_its_folder(read: Read, tmp_path: Path) -> None:
    assert read({"description": "Süße Tickets, two!"}).suite.name == "susse-tickets-two-d97cb6daa0"
    assert read({"description": "Проверка §5"}).suite.name != read({"description": "Тест 5"}).suite.name
    translation = read()
    assert (translation.suite.name, translation.suite.prompt, translation.suite.dataset) == ("desk", "desk", "desk")
    other = tmp_path / "desk" / "Refunds.v2.yaml"
    other.write_text(json.dumps(FILE), encoding="utf-8")
    assert translate(other).suite.name == "refunds-v2"
    assert translate(other, name="mine").suite.name == "mine"


def test_every_case_must_pass_and_every_case_must_be_answered(read: Read) -> None:
    suite = read().suite
    assert [(gate.metric, gate.every) for gate in suite.gate] == [("pass", True)]
    assert suite.max_unrunnable == 0


def test_a_case_keeps_its_name_at_every_place_of_its_test(read: Read) -> None:
    tests = [{**TEST, "vars": {"x": f"a{number}"}} for number in range(3)]
    first = [case.id for case in read({"tests": tests}).cases]
    second = [case.id for case in read({"tests": tests[::-1]}).cases]
    assert second == first[::-1]
    described = read({"tests": [{**TEST, "description": "two\nlines"}, {**TEST, "description": "two lines"}, TEST, TEST]}).cases
    ids = [case.id for case in described]
    assert ids[0] == "two lines"
    assert ids[1].startswith("two lines ")
    assert ids[3] == f"{ids[2]} 2"
    assert described[0].metadata == {"description": "two\nlines"}


def test_values_are_filled_with_the_tests_variables_and_braces_stay_text(read: Read) -> None:
    asserts = [
        {"type": "contains", "value": "{{x}} {{missing}}{{ '{{y}}' }}"},
        {"type": "contains-any", "value": ["{{x | upper}}"]},
    ]
    (case,) = read({"tests": [{"vars": {"x": "a", "y": 1}, "assert": asserts}]}).cases
    from promptuary.evaluation.scorers.value_template import parse_value

    assert [parse_value(spec["value"]).fill(case) for spec in case.asserts] == ["a {{y}}", ["A"]]


def test_a_value_that_is_empty_for_a_test_is_an_error_of_that_test_alone(read: Read) -> None:
    asserts = [{"type": "contains", "value": "{{gone}}"}, {"type": "contains-any", "value": ["{{gone}}", "b"]}]
    translation = read({"tests": [{**TEST, "assert": asserts}]})
    assert [spec["value"] for spec in translation.cases[0].asserts] == [EMPTY_TEMPLATE, [EMPTY_TEMPLATE, "b"]]
    assert "is empty for some test" in why(translation.report, PartOutcome.CHANGED, "contains")


@pytest.mark.parametrize("text", ["{{", "\n{{x}}\n", "<% {{x}} %>", "{{#a}}b{{/a}}"])
def test_a_text_with_braces_means_itself(text: str) -> None:
    from promptuary.evaluation.case import Case
    from promptuary.evaluation.promptfoo.template import escape_mustache
    from promptuary.evaluation.scorers.value_template import parse_value

    assert parse_value(escape_mustache(text)).fill(Case("c", {"x": 1, "a": True})) == text


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a: [1", "not valid YAML"),
        ("prompts: [x]\nproviders: *a\n", "found undefined alias 'a'"),
        ("description: nothing else\n", "not a promptfoo file"),
        ("providers: [echo]\ntargets: [echo]\n", "give one"),
        ('prompts: ["{{x}}"]\nproviders: [echo]\ntests: [{$ref: "#/tests/0"}]\n', "leads into itself"),
        ('prompts: ["{{x}}"]\nproviders: [echo]\ntests: [{$ref: "https://example.com/x"}]\n', "in another file"),
        ('prompts: ["{{x}}"]\nproviders: [echo]\ntests: [{$ref: "#/nowhere"}]\n', "there is no"),
        ("prompts: [x]\nproviders: []\ntests: [{vars: {x: 1}, assert: [{type: equals, value: x}]}]\n", "there is no model"),
    ],
)
def test_what_cannot_be_read_at_all_is_reported_with_its_place(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "promptfooconfig.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InvalidFile) as broken:
        translate(path)
    assert words in str(broken.value)


def test_references_that_grow_are_stopped(tmp_path: Path) -> None:
    parts = {"a0": ["x"] * 10} | {f"a{number}": [{"$ref": f"#/parts/a{number - 1}"}] * 10 for number in range(1, 9)}
    path = tmp_path / "promptfooconfig.yaml"
    body = {**FILE, "parts": parts, "tests": [{"$ref": "#/parts/a8"}]}
    path.write_text(json.dumps(body), encoding="utf-8")
    with pytest.raises(InvalidFile, match="references make more than"):
        translate(path)


def test_combinations_that_grow_are_refused(read: Read) -> None:
    many = {f"v{number}": [str(value) for value in range(10)] for number in range(6)}
    assert "combinations" in refusal(read, "tests[0]", {"tests": [{**TEST, "vars": {**many, "x": "a"}}, TEST]})


def test_variables_that_grow_by_each_other_are_refused(read: Read) -> None:
    file_value = {"whole": "a" * 600_000, "twice": "{{whole}}{{whole}}", "x": "a"}
    assert "grows over" in refusal(read, "tests[0]", {"tests": [{**TEST, "vars": file_value}, TEST]})


def test_a_pattern_with_many_braces_ends(read: Read) -> None:
    with pytest.raises(UnsupportedParts, match="no file is named"):
        read({"prompts": [f"file://{'{a,b}' * 40}.txt", "{{x}}"]})


def test_yaml_is_read_as_javascript_reads_it(tmp_path: Path) -> None:
    path = tmp_path / "promptfooconfig.yaml"
    file_value = "{x: yes, y: 1:30, z: Really?}"
    test = f"{{vars: {file_value}, assert: [{{type: equals, value: on}}]}}"
    text = f"prompts: ['{{{{x}}}} {{{{y}}}} {{{{z}}}}']\nproviders: [echo]\ntests: [{test}]\n"
    path.write_text(text, encoding="utf-8")
    (case,) = translate(path).cases
    assert case.vars == {"x": "yes", "y": "1:30", "z": "Really?"}
    assert case.asserts[0]["value"] == "on"


def test_what_is_written_is_read_back_as_the_same_cases_and_contents(read: Read, tmp_path: Path) -> None:
    translation = read(
        {"prompts": ["{{x}}", "Two: {{x}}"], "tests": [{**TEST, "threshold": 0.5}, {**TEST, "vars": {"x": "b"}}]}
    )
    for path, text in suite_file_texts(translation).items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text, encoding="utf-8")
    first, second = (read_suite(tmp_path / "evals" / f"desk.{number}.yaml") for number in (1, 2))
    assert tuple(first.cases) == tuple(second.cases) == translation.cases
    assert (first.suite.gate, second.suite.prompt) == (translation.suite.gate, "desk.2")
    assert [prompt.content for prompt in read_prompt_folder(tmp_path / "prompts")] == list(translation.contents)


@pytest.mark.parametrize("name", PASSING_WITHOUT_THRESHOLD)
def test_an_assertion_that_passes_every_score_is_reported(read: Read, name: str) -> None:
    assertion = {"type": name, "value": "x", "provider": "openai:a"}

    def remarks(**fields: Any) -> list[str]:
        translation = read({"tests": [{**TEST, "assert": [CONTAINS, {**assertion, **fields}]}]})
        return [entry.why for entry in translation.report.of(PartOutcome.CHANGED) if "passes with any score" in entry.why]

    assert len(remarks()) == 1
    assert remarks(threshold=0.5) == []
