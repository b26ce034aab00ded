"""Queues filled from runs, and their decisions exported, also for spreadsheets."""

import csv
import io
from datetime import timedelta
from pathlib import Path

import pytest

from cli.conftest import Run, unit_of_work_on
from factories.summaries import make_empty_summary
from promptuary.core.clock import wall_clock
from promptuary.evaluation.case import Case
from promptuary.evaluation.datasets.service import DatasetService
from promptuary.evaluation.plan import CaseResult
from promptuary.evaluation.runs import store
from promptuary.evaluation.runs.request import RunRequest
from promptuary.evaluation.runs.service import RunService
from promptuary.evaluation.runs.store import RunOutcome, RunState
from promptuary.evaluation.suites.service import SuiteService
from promptuary.evaluation.suites.suite import Suite
from promptuary.review.service import ReviewService
from promptuary.statistics.verdict import Verdict

COMMENTS = ['=HYPERLINK("http://example.org")', "+1", "-1", "@SUM(A1)", "\tindented", "plain, with a comma\nand a line"]
SCORERS = [{"type": "equals", "value": "{{expected}}", "name": "exact"}]


@pytest.fixture
def run_id(run: Run, word: Path, data_dir: Path) -> str:
    """A run of six cases, of which the first two failed."""
    with unit_of_work_on(data_dir) as unit:
        now = wall_clock()
        cases = [Case(f"c{number}", {"text": "yes"}, "yes") for number in range(1, 7)]
        DatasetService(unit).put_version("words", cases)
        body = {"name": "words", "prompt": "word", "dataset": "words", "models": ["echo:"], "scorers": SCORERS}
        SuiteService(unit).put(Suite.model_validate(body))
        queued = RunService(unit).submit(RunRequest(suite="words"))
        leased = store.lease_run(unit.session, "w1", now, now + timedelta(seconds=60), queued.id)
        assert leased is not None
        done = [
            CaseResult(
                number, case.id, "v1", 0, "out", number > 1, float(number > 1), {"exact": float(number > 1)}, None, {}, now
            )
            for number, case in enumerate(cases)
        ]
        assert store.add_results(unit.session, leased, done, now + timedelta(seconds=60))
        return queued.id


def test_a_queue_is_filled_once(run: Run, run_id: str) -> None:
    arguments = ["review", "open", "words.queue", "--run", run_id]
    assert run(*arguments, "--only", "failed").out == "words.queue: 2 items added, 0 in the queue already\n"
    assert run(*arguments, "--json").json == {"added": 4, "present": 2}
    assert run(*arguments, "--variant", "v1").out == "words.queue: 0 items added, 6 in the queue already\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--variant", "v9"], "no variant 'v9'"),
        (["--slots", "0"], "slots"),
        (["--only", "good"], "only"),
    ],
)
def test_an_invalid_queue_is_refused(run: Run, run_id: str, arguments: list[str], message: str) -> None:
    result = run("review", "open", "words.queue", "--run", run_id, *arguments)
    assert (result.code, message in result.error_line) == (64, True)
    result = run("review", "open", "Not A Name", "--run", run_id)
    assert (result.code, "name" in result.error_line) == (64, True)


def test_latest_is_the_newest_run_that_has_finished(run: Run, run_id: str, data_dir: Path) -> None:
    result = run("review", "open", "words.queue", "--run", "latest")
    assert (result.code, "there is no finished run" in result.error_line) == (64, True)
    with unit_of_work_on(data_dir) as unit:
        stored_run = RunService(unit).get(run_id)
        assert store.finish_run(
            unit.session, stored_run, RunOutcome(RunState.FINISHED, make_empty_summary(Verdict.PASS)), wall_clock()
        )
    assert run("review", "open", "words.queue", "--run", "latest", "--json").json == {"added": 6, "present": 0}


def test_an_unknown_run_creates_no_queue(run: Run) -> None:
    assert run("review", "open", "words.queue", "--run", "run_0").code == 64
    assert "'words.queue'" in run("review", "export", "words.queue").error_line


def test_decisions_are_exported_exactly_and_are_no_formulas_in_a_spreadsheet(run: Run, run_id: str, data_dir: Path) -> None:
    run("review", "open", "words.queue", "--run", run_id)
    assert run("review", "export", "words.queue").out == "item,source,reviewer,decision,comment,at\n"
    assert run("review", "export", "words.queue", "--json").json == []
    with unit_of_work_on(data_dir) as unit:
        reviews = ReviewService(unit)
        decision = reviews.queue("words.queue").queue.choices[0].value
        for comment in COMMENTS:
            claimed = reviews.claim("words.queue")
            assert claimed is not None
            reviews.submit(claimed.claim.id, claimed.claim.nonce, decision, comment)

    exported = run("review", "export", "words.queue", "--json").json
    assert [decision_row["comment"] for decision_row in exported] == COMMENTS
    rows = list(csv.DictReader(io.StringIO(run("review", "export", "words.queue").out, newline="")))
    assert [row["comment"] for row in rows] == [*(f"'{comment}" for comment in COMMENTS[:5]), COMMENTS[5]]
    assert [(row["item"], row["source"], row["reviewer"], row["decision"]) for row in rows] == [
        (decision_row["item"], decision_row["source"], "local", decision) for decision_row in exported
    ]
