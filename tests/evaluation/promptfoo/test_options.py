"""Settings of promptfoo files and of their tests: adopted, left out with a remark, or refused by name."""

from typing import Any

import pytest

from factories.promptfoo_files import CONTAINS, TEST, Read, refusal
from promptuary.evaluation.promptfoo.report import PartOutcome


def test_prefix_and_suffix_stand_in_the_prompt_or_are_filled_by_each_test(read: Read) -> None:
    same = read({"defaultTest": {"options": {"prefix": "Now: ", "suffix": "."}}})
    assert same.contents[0].template == "Now: {{x}}."
    tests = [{**TEST, "options": {"prefix": "{{x}}> "}}, TEST]
    differs = read({"tests": tests})
    assert differs.contents[0].template == "{{prompt_prefix}}{{x}}{{prompt_suffix}}"
    assert [case.vars for case in differs.cases] == [
        {"x": "a", "prompt_prefix": "a> ", "prompt_suffix": ""},
        {"x": "a", "prompt_prefix": "", "prompt_suffix": ""},
    ]


def test_filters_of_tests_and_providers_are_carried_where_all_name_the_same(read: Read) -> None:
    prompts = [{"raw": "one {{x}}", "label": "g:1"}, {"raw": "two {{x}}", "label": "g:2"}, {"raw": "three {{x}}", "id": "h"}]
    chosen = read({"prompts": prompts, "tests": [{**TEST, "prompts": ["g"]}, {**TEST, "prompts": ["g:*"]}]})
    assert [content.template for content in chosen.contents] == ["one {{x}}", "two {{x}}"]
    assert "split the file" in refusal(read, "prompts", {"prompts": prompts, "tests": [{**TEST, "prompts": ["h"]}, TEST]})
    named = read({"prompts": prompts, "providers": [{"id": "echo", "prompts": ["h"]}]})
    assert [content.template for content in named.contents] == ["three {{x}}"]
    providers = ["openai:a", {"id": "openai:b", "label": "bee"}]
    assert read({"providers": providers, "tests": [{**TEST, "providers": ["bee"]}]}).suite.models == ["openai:b"]


def test_options_of_the_run_are_adopted_or_reported(read: Read) -> None:
    translation = read(
        {
            "evaluateOptions": {"repeat": 3, "maxConcurrency": 2, "delay": 100, "cache": False},
            "commandLineOptions": {"repeat": 4, "var": {"y": "from the line"}},
            "outputPath": "out.html",
            "derivedMetrics": [{"name": "m", "value": "a / b"}],
            "unknownKey": 1,
            "prompts": ["{{x}} {{y}}"],
        }
    )
    assert (translation.suite.repeats, translation.suite.concurrency) == (4, 2)
    assert translation.cases[0].vars["y"] == "from the line"
    assert {entry.name for entry in translation.report.of(PartOutcome.LEFT)} == {
        "delay",
        "cache",
        "outputPath",
        "derivedMetrics",
        "unknownKey",
    }


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("extensions", {"extensions": ["file://hook.js:before"]}),
        ("nunjucksFilters", {"nunjucksFilters": {"shout": "file://shout.js"}}),
        ("filterFirstN", {"commandLineOptions": {"filterFirstN": 1}}),
        ("storeOutputAs", {"defaultTest": {"options": {"storeOutputAs": "answer"}}}),
        ("providerOutput", {"tests": [{**TEST, "providerOutput": "given"}]}),
        ("provider", {"tests": [{**TEST, "provider": "openai:gpt-4o"}]}),
        ("assertScoringFunction", {"defaultTest": {"assertScoringFunction": "file://score.js"}}),
        ("HOME", {"prompts": ["{{env.HOME}} {{x}}"]}),
        ("file://tests.py", {"tests": ["file://tests.py", TEST]}),
        ("https://example.com/tests.csv", {"tests": ["https://example.com/tests.csv", TEST]}),
    ],
)
def test_what_would_change_verdicts_is_refused_by_name(read: Read, name: str, changes: dict[str, Any]) -> None:
    assert refusal(read, name, changes)
    assert read(changes, partial=True).cases


@pytest.mark.parametrize(
    ("kind", "name", "changes", "words"),
    [
        ("setting", "redteam", {"redteam": {"plugins": ["harmful"], "numTests": 5}}, "`promptfoo eval` does not read it"),
        ("setting", "notes", {"notes": "of ours"}, "no key of promptfoo"),
        ("setting", "colour", {"evaluateOptions": {"colour": True}}, "no setting of promptfoo"),
        ("test option", "timeout", {"defaultTest": {"options": {"timeout": 9000}}}, "PROMPTUARY_CASE_TIMEOUT"),
        ("test option", "label", {"tests": [{**TEST, "options": {"label": "x"}}]}, "for people"),
        ("test option", "colour", {"tests": [{**TEST, "options": {"colour": "red"}}]}, "no option that promptfoo reads"),
        ("test", "label", {"tests": [{**TEST, "label": "x", "id": 7}]}, "no part of a test that promptfoo reads"),
        ("assertion", "contains", {"tests": [{**TEST, "assert": [{**CONTAINS, "description": "d"}]}]}, "no `description`"),
        ("assertion", "contains", {"tests": [{**TEST, "assert": [{**CONTAINS, "metadata": {}}]}]}, "no `metadata`"),
        (
            "provider config",
            "timeout",
            {"providers": [{"id": "openai:a", "config": {"timeout": 9000, "label": "x"}}]},
            "PROMPTUARY_CASE_TIMEOUT",
        ),
    ],
)
def test_keys_that_change_no_verdict_are_left_out_with_a_remark(
    read: Read, kind: str, name: str, changes: dict[str, Any], words: str
) -> None:
    plain = {"providers": ["openai:a"]} if "providers" in changes else {}
    translation = read(changes)
    (entry,) = [each for each in translation.report.of(PartOutcome.LEFT) if (each.kind, each.name) == (kind, name)]
    assert words in entry.why
    assert translation.report.of(PartOutcome.REFUSED) == []
    assert translation.cases == read(plain).cases


@pytest.mark.parametrize("name", ["temperature", "response_format", "tools", "max_output_tokens", "storeOutputAs"])
def test_test_options_that_change_a_call_are_refused(read: Read, name: str) -> None:
    tests = [{**TEST, "options": {name: 1}}, {**TEST, "options": {name: 2}}]
    assert "how this one test is asked" in refusal(read, name, {"tests": tests})


def test_settings_that_all_tests_share_are_those_of_the_model(read: Read) -> None:
    changes = {"providers": ["openai:gpt-4o"], "defaultTest": {"options": {"temperature": 0.1, "max_tokens": 100}}}
    (content,) = read(changes).contents
    assert content.model is not None
    assert content.model.model_dump(exclude_none=True) == {"name": "openai:gpt-4o", "temperature": 0.1, "max_tokens": 100}


def test_a_test_may_name_the_only_provider(read: Read) -> None:
    assert read({"tests": [{**TEST, "provider": "echo"}]}).suite.models == ["echo:"]
