"""Runs that cost something, by the command line: cost limits, cached responses, and the figures beside the progress."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cli.conftest import SUITE, Run
from doubles.stub_model import Reaction, StubModelServer
from promptuary.cli.connection import NotInstalled
from promptuary.cli.evaluation import suite_run
from promptuary.cli.evaluation.local_execution import LocalExecution
from promptuary.cli.evaluation.progress import ProgressRate, RunProgress
from promptuary.cli.evaluation.suite_run import RunOptions
from promptuary.cli.evaluation.suites import SuiteSource
from promptuary.evaluation.runs.request import RunRequest

Write = Callable[[str, str], Path]
# MLflow calls SQLAlchemy in a way that its newest release is going to remove.
pytestmark = pytest.mark.process
PRICE = 1000.0


@pytest.fixture
def suite(write: Write, word: Path, run: Run, stub_model: StubModelServer) -> Path:
    """A suite of 30 cases under a model of which a case costs 0.004."""
    stub_model.answer = lambda body: "yes yes"
    prompt = {"type": "text", "template": "{{text}}", "model": {"name": "openai:stub", "max_tokens": 8}}
    assert run("push", write("prompts/word.yaml", json.dumps({**prompt, "labels": ["production"]}))).code == 0
    cases = [{"id": f"c{number}", "vars": {"text": f"case {number}"}, "expected": "yes yes"} for number in range(30)]
    write("evals/words.jsonl", "".join(json.dumps(case) + "\n" for case in cases))
    text = SUITE.replace('"echo:"', '"openai:stub"') + "label: production\nconcurrency: 2\n"
    return write("evals/words.yaml", text + f'prices: {{"openai:stub": {{input: {PRICE}, output: {PRICE}}}}}\n')


def newest_run(run: Run) -> Any:
    (newest, *_) = run("eval", "list", "--json").json
    return newest


def test_a_run_stops_at_its_cost_limit_with_3_and_resumes_under_a_higher_one(
    run: Run, suite: Path, stub_model: StubModelServer, tmp_path: Path
) -> None:
    result = run("eval", "run", suite, "--max-cost", "0.15")
    stopped = newest_run(run)
    assert result.code == 3
    assert (stopped["state"], stopped["verdict"]) == ("stopped", "infrastructure")
    assert 0 < stopped["done"] < 30
    assert stub_model.billed(PRICE, PRICE) <= stopped["spent"] + 1e-9 <= 0.15 + 2e-9
    lines = result.out.splitlines()
    assert f"  stopped after {stopped['done']} of 30 results: {stopped['error']}" in lines
    assert stopped["error"].startswith("the cost limit of $0.15 was reached")
    assert lines[-1] == f"  to continue it: promptuary eval run {suite} --resume {stopped['id']} --max-cost …"

    again = run("eval", "run", suite, "--resume", stopped["id"])
    assert (again.code, "give a higher one" in again.err) == (64, True)

    result = run("eval", "run", suite, "--resume", stopped["id"], "--max-cost", "2", "--json", tmp_path / "run.json")
    assert result.code == 0
    assert len(json.loads((tmp_path / "run.json").read_text())["results"]) == 30
    assert (newest_run(run)["state"], newest_run(run)["id"]) == ("finished", stopped["id"])
    assert stub_model.requests == 30
    assert f"${newest_run(run)['spent']:.2g}" in result.err


def test_a_second_run_is_free_unless_the_cache_is_off(run: Run, suite: Path, stub_model: StubModelServer) -> None:
    assert run("eval", "run", suite).code == 0
    assert run("eval", "run", suite).code == 0
    assert (stub_model.requests, newest_run(run)["spent"]) == (30, 0.0)
    assert run("eval", "run", suite, "--no-cache").code == 0
    assert stub_model.requests == 60


def test_a_model_without_a_price_cannot_have_a_cost_limit(run: Run, suite: Path, stub_model: StubModelServer) -> None:
    result = run("eval", "run", suite, "--max-cost", "1", "--model", "openai:unheard-of")
    assert result.code == 64
    assert "the price of 'openai:unheard-of' is not known; state it in the suite" in result.err
    assert stub_model.requests == 0


def test_the_progress_figures_count_from_when_the_run_is_first_seen() -> None:
    now = 100.0
    rate = ProgressRate(lambda: now)
    assert rate.figures(RunProgress(500, 1000, 0.0)) == ""
    now = 110.0
    assert rate.figures(RunProgress(600, 1000, 0.0)) == "10/s, 0:00:40 left"
    now = 120.0
    assert rate.figures(RunProgress(700, 1000, 0.0123)) == "10/s, $0.0123, 0:00:30 left"
    assert rate.figures(RunProgress(1000, 1000, 12.3456)) == "25/s, $12.35"


def test_a_run_that_this_process_cannot_execute_waits_until_it_is_resumed(
    run: Run, suite: Path, stub_model: StubModelServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def cannot(*_: Any) -> bool:
        raise NotInstalled("running a suite needs langchain; install promptuary[local]")

    with monkeypatch.context() as patched:
        patched.setattr(LocalExecution, "execute", cannot)
        result = run("eval", "run", suite)
    interrupted = newest_run(run)
    assert (result.code, interrupted["state"], stub_model.requests) == (64, "interrupted", 0)
    assert f"  to continue it: promptuary eval run {suite} --resume {interrupted['id']}" in result.err.splitlines()
    assert run("eval", "run", suite, "--resume", interrupted["id"]).code == 0
    assert newest_run(run)["state"] == "finished"


class StoredSuites:
    """An API client that answers every lookup with a suite."""

    def get(self, path: str) -> Any:
        return {"definition": {"name": "words", "prompt": "word"}}


@pytest.mark.parametrize(
    "options",
    [
        RunOptions(),
        RunOptions(baseline="production", models=["echo:"], repeats=3, max_cost=0.5, cache=False),
        RunOptions(baseline="7"),
        RunOptions(baseline="run_1"),
    ],
)
def test_the_submitted_body_is_a_run_request_of_the_service(options: RunOptions) -> None:
    api: Any = StoredSuites()
    prepared = suite_run.prepare(api, SuiteSource("words"), options)
    body = {key: value for key, value in prepared.request.items() if value is not None}
    request = RunRequest.model_validate(body, strict=True)  # refuses unknown fields as well
    assert body.keys() <= RunRequest.model_fields.keys()
    assert (request.suite, request.models, request.repeats) == ("words", options.models, options.repeats)
    assert (request.max_cost, request.cache) == (options.max_cost, options.cache)
    assert request.baseline == {"production": "production", "7": 7, "run_1": None, None: None}[options.baseline]


def test_the_last_lines_state_why_scorers_failed_grouped(run: Run, suite: Path, stub_model: StubModelServer) -> None:
    judged = suite.with_name("judged.yaml")
    rubric = '  - {type: llm-rubric, value: is polite, model: "openai:judge", name: rubric}\n'
    judged.write_text(suite.read_text().replace("scorers:\n", f"scorers:\n{rubric}"))
    stub_model.react = lambda number, body: Reaction(status=400) if body["model"] == "judge" else None
    result = run("eval", "run", judged)
    assert result.code == 3
    (line,) = [line for line in result.out.splitlines() if line.startswith("  error: ")]
    assert line.startswith("  error: rubric: 30 × ")
    assert line.endswith("answers 400: stub: 400")
    assert line in run("eval", "show", newest_run(run)["id"]).out.splitlines()
