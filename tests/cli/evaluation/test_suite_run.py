"""Runs that cost something, by the command line: ceilings, answers that are remembered, and the figures beside the progress."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cli.conftest import SUITE, Run
from doubles.stub_model import StubModelServer
from promptuary.cli.evaluation.progress import ProgressRate, RunProgress

Write = Callable[[str, str], Path]
# MLflow asks SQLAlchemy in a way that its newest release means to take away.
pytestmark = pytest.mark.filterwarnings("ignore:The ``noload`` loader strategy:DeprecationWarning")
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


def last(run: Run) -> Any:
    (newest, *_) = run("eval", "list", "--json").json
    return newest


def test_a_run_stops_at_its_ceiling_with_3_and_goes_on_under_a_higher_one(
    run: Run, suite: Path, stub_model: StubModelServer, tmp_path: Path
) -> None:
    told = run("eval", "run", suite, "--max-cost", "0.15")
    stopped = last(run)
    assert told.code == 3
    assert (stopped["state"], stopped["verdict"]) == ("stopped", "infrastructure")
    assert 0 < stopped["done"] < 30
    assert stub_model.billed(PRICE, PRICE) <= stopped["spent"] + 1e-9 <= 0.15 + 2e-9
    lines = told.out.splitlines()
    assert f"  stopped after {stopped['done']} of 30 results: {stopped['error']}" in lines
    assert stopped["error"].startswith("the cost limit of $0.15 was reached")
    assert lines[-1] == f"  to continue it: promptuary eval run {suite} --resume {stopped['id']} --max-cost …"

    again = run("eval", "run", suite, "--resume", stopped["id"])
    assert (again.code, "give a higher one" in again.err) == (64, True)

    told = run("eval", "run", suite, "--resume", stopped["id"], "--max-cost", "2", "--json", tmp_path / "run.json")
    assert told.code == 0
    assert len(json.loads((tmp_path / "run.json").read_text())["results"]) == 30
    assert (last(run)["state"], last(run)["id"]) == ("finished", stopped["id"])
    assert stub_model.requests == 30
    assert f"${last(run)['spent']:.2g}" in told.err.splitlines()[-1]


def test_a_second_run_is_free_unless_it_is_told_to_ask_anew(run: Run, suite: Path, stub_model: StubModelServer) -> None:
    assert run("eval", "run", suite).code == 0
    assert run("eval", "run", suite).code == 0
    assert (stub_model.requests, last(run)["spent"]) == (30, 0.0)
    assert run("eval", "run", suite, "--no-cache").code == 0
    assert stub_model.requests == 60


def test_a_model_without_a_price_cannot_be_kept_under_a_ceiling(run: Run, suite: Path, stub_model: StubModelServer) -> None:
    told = run("eval", "run", suite, "--max-cost", "1", "--model", "openai:unheard-of")
    assert told.code == 64
    assert "the price of 'openai:unheard-of' is not known; state it in the suite" in told.err
    assert stub_model.requests == 0


def test_the_figures_are_of_what_was_done_since_one_looks_on() -> None:
    moment = 100.0
    pace = ProgressRate(lambda: moment)
    assert pace.figures(RunProgress(500, 1000, 0.0)) == ""
    moment = 110.0
    assert pace.figures(RunProgress(600, 1000, 0.0)) == "10/s, 0:00:40 left"
    moment = 120.0
    assert pace.figures(RunProgress(700, 1000, 0.0123)) == "10/s, $0.0123, 0:00:30 left"
    assert pace.figures(RunProgress(1000, 1000, 12.3456)) == "25/s, $12.35"
