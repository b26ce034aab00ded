"""Suites run from Python: by definition, by file, in a running event loop, with their figures and their page."""

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from promptuary.evaluation import EvaluationResult, evaluate
from promptuary.prompt.errors import Invalid, PromptuaryError
from promptuary.statistics.verdict import Verdict

PROMPT = {"type": "text", "template": "{{text}}"}
CASES = [{"vars": {"text": text}, "expected": "yes"} for text in ("yes", "yes", "<script>no</script>", "yes")]
EXACT = {"type": "equals", "value": "{{expected}}", "name": "exact"}


@pytest.fixture(autouse=True)
def data_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data directory of the test's own, and no server."""
    monkeypatch.setenv("PROMPTUARY_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.delenv("PROMPTUARY_URL", raising=False)
    return tmp_path


def run(**changes: Any) -> EvaluationResult:
    fields: dict[str, Any] = {"prompt": PROMPT, "cases": CASES, "models": ["echo:"], "scorers": [EXACT], "name": "words"}
    result: EvaluationResult = evaluate(**fields | changes)
    return result


def test_arguments_are_a_suite_with_figures_and_a_verdict() -> None:
    result = run(gate=[{"metric": "exact", "at_least": 0.1}])
    assert (result.verdict, result.passed) == (Verdict.PASS, True)
    interval = result.interval("exact")
    assert interval is not None
    assert (interval.estimate, interval.n) == (0.75, 4)
    assert interval.low < 0.75 < interval.high
    assert [each.passed for each in result.results] == [True, True, False, True]
    assert "verdict: pass" in str(result)


def test_the_page_in_a_notebook_is_escaped_and_needs_no_network() -> None:
    page = run()._repr_html_()
    assert page.startswith('<iframe sandbox="" srcdoc="')
    assert "<script" not in page
    assert page.count("<") == 2
    assert "&lt;svg" in page
    assert "default-src &#x27;none&#x27;" in page


def test_a_suite_runs_where_an_event_loop_runs() -> None:
    async def cell() -> Verdict | None:
        return run().verdict

    assert asyncio.run(cell()) is Verdict.NO_GATE


def test_a_file_runs_as_on_the_command_line(data_folder: Path) -> None:
    result = run(gate=[{"metric": "exact", "every": True}])
    assert (result.verdict, result.passed) == (Verdict.REGRESSION, False)
    (data_folder / "cases.jsonl").write_text("".join(json.dumps({"id": str(n), **case}) + "\n" for n, case in enumerate(CASES)))
    suite = {"name": "filed", "prompt": "words", "dataset": "cases.jsonl", "models": ["echo:"], "scorers": [EXACT]}
    path = data_folder / "suite.yaml"
    path.write_text(json.dumps(suite))
    assert evaluate(path, repeats=2).run.done == 8
    assert evaluate("filed").run.done == 4
    assert evaluate({**suite, "dataset": str(data_folder / "cases.jsonl")}, repeats=3).run.done == 12


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: run(scorers=[{"type": "equal", "value": "a"}]), "'equal' is not a known scorer"),
        (lambda: run(prompt={"type": "text", "template": 5}), "template"),
        (lambda: evaluate("words", gate=[]), "goes with a suite that is given as a mapping"),
        (lambda: evaluate("nowhere.yaml"), "nowhere.yaml"),
    ],
)
def test_a_suite_that_cannot_be_run_is_an_error_with_its_reason(call: Callable[[], Any], words: str) -> None:
    with pytest.raises(PromptuaryError) as refused:
        call()
    errors = getattr(refused.value, "field_errors", ())
    assert words in " ".join([str(refused.value), *map(str, errors)])
    assert isinstance(refused.value, Invalid)
