"""Suites as tests: cases, the gate as the verdict of the session, and what is shown of failures."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from promptuary.api import app
from promptuary.cli.python import evaluate as evaluate_module
from promptuary.cli.python.evaluate import evaluate
from promptuary.worker import executor_assembly

# Imported for good: `pytester` removes the modules that a test imports, and tables can be defined once in a process.
LOADED = (app, executor_assembly, evaluate)
PLUGIN = ("-p", "no:cacheprovider", "-rxf")  # the plug-in is loaded by its entry point
EXACT = {"type": "equals", "value": "{{expected}}", "name": "exact"}
Pytest = Callable[..., Any]


@pytest.fixture
def folder(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a prompt in its registry, a dataset of which one case of four does not pass, and a test."""
    monkeypatch.setenv("PROMPTUARY_DATA_DIR", str(pytester.path / "data"))
    monkeypatch.delenv("PROMPTUARY_URL", raising=False)
    texts = ("yes", "no", "yes", "yes")
    cases = [{"id": f"c{number}", "vars": {"text": text}, "expected": "yes"} for number, text in enumerate(texts, 1)]
    (pytester.path / "cases.jsonl").write_text("".join(json.dumps(case) + "\n" for case in cases))
    pytester.makepyfile("def test_other(): pass")
    return pytester.path


def write_suite(folder: Path, **changes: Any) -> Path:
    prompt = {"type": "text", "template": "{{text}}"}
    evaluate(
        name="words",
        prompt=prompt,
        cases=[{"vars": {"text": "a"}}],
        models=["echo:"],
        scorers=[{"type": "contains", "value": "a"}],
    )
    suite = {"name": "words", "prompt": "words", "dataset": "cases.jsonl", "models": ["echo:"], "scorers": [EXACT], **changes}
    path = folder / "suite.yaml"
    path.write_text(json.dumps(suite))
    return path


def test_the_plugin_is_inert_unless_a_suite_is_named(folder: Path, pytester: pytest.Pytester) -> None:
    (folder / "suite.yaml").write_text("name: words\ndataset: cases.jsonl\n")
    pytester.runpytest_inprocess(*PLUGIN).assert_outcomes(passed=1)


def test_a_gate_that_is_met_is_the_verdict_of_the_session(folder: Path, pytester: pytest.Pytester) -> None:
    path = write_suite(folder, gate=[{"metric": "exact", "at_least": 0.1}])
    result = pytester.runpytest_inprocess(*PLUGIN, path)
    result.assert_outcomes(passed=4, xfailed=1)
    assert result.ret == 0
    result.stdout.fnmatch_lines(["*c2*the gate is met without it: c2 under v1 does not pass*"])
    assert pytester.runpytest_inprocess(*PLUGIN, "--promptuary-strict", path).ret == 1


def test_a_gate_that_is_not_met_fails_with_its_figures(folder: Path, pytester: pytest.Pytester) -> None:
    path = write_suite(folder, gate=[{"metric": "exact", "every": True}])
    result = pytester.runpytest_inprocess(
        *PLUGIN, "--promptuary", str(path), "test_a_gate_that_is_not_met_fails_with_its_figures.py"
    )
    result.assert_outcomes(passed=4, failed=2)
    assert result.ret == 1
    result.stdout.fnmatch_lines(
        [
            "c2 under v1 does not pass",
            "*output: no",
            "*expected: yes",
            "*exact: *",
            "*gate: *c2*regression",
            "*verdict: regression*",
        ]
    )
    result.stdout.no_fnmatch_line("*Traceback*")


def test_a_suite_whose_run_breaks_off_is_not_run_again(
    folder: Path, pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, calls = write_suite(folder), []

    def break_off(*arguments: Any, **options: Any) -> None:
        calls.append(arguments)
        raise OSError("no space is left")

    monkeypatch.setattr(evaluate_module, "evaluate", break_off)
    pytester.runpytest_inprocess(*PLUGIN, path).assert_outcomes(failed=5)
    assert len(calls) == 1


def test_a_suite_that_cannot_be_used_is_an_error_of_its_collection(folder: Path, pytester: pytest.Pytester) -> None:
    path = write_suite(folder, scorers=[{"type": "equal"}])
    result = pytester.runpytest_inprocess(*PLUGIN, path)
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*'equal' is not a known scorer*"])
    assert pytester.runpytest_inprocess(*PLUGIN, "--promptuary", "nowhere.yaml").ret == 4
