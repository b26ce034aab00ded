"""Runs that another process began: they are resumed, followed, or reported as they ended."""

import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from xml.etree import ElementTree

import pytest

from cli.conftest import Run, unit_of_work_on
from cli.evaluation.conftest import gate_at_least
from promptuary.cli.evaluation import suite_run
from promptuary.core.clock import wall_clock
from promptuary.evaluation.plan import CaseResult
from promptuary.evaluation.runs import store
from promptuary.evaluation.runs.request import RunRequest
from promptuary.evaluation.runs.service import RunService
from promptuary.evaluation.runs.store import RunState

# MLflow calls SQLAlchemy in a way that its newest release is going to remove.
pytestmark = [pytest.mark.process, pytest.mark.usefixtures("mlflow_database")]


def submit_half_finished_run(data_dir: Path, lease: timedelta) -> str:
    """Submit a run of the suite `words`, whose first executor stored the results of its first two cases."""
    with unit_of_work_on(data_dir) as unit:
        now, session = wall_clock(), unit.session
        run = RunService(unit).submit(RunRequest(suite="words"))
        leased = store.lease_run(session, "gone", now, now + lease, run.id)
        assert leased is not None
        done = [
            CaseResult(number, f"c{number + 1}", "v1", 0, "kept", False, 0.0, {"exact": 0.0}, None, {}, now)
            for number in range(2)
        ]
        assert store.add_results(session, leased, done, now + lease)
        return run.id


def test_an_abandoned_run_is_resumed(run: Run, suite_of: Callable[..., Path], data_dir: Path, tmp_path: Path) -> None:
    run("eval", "run", suite_of("yes", "yes", "yes", "yes"))
    run_id = submit_half_finished_run(data_dir, timedelta(seconds=-1))
    result = run("eval", "run", "words", "--resume", run_id, "--json", tmp_path / "run.json")
    assert result.code == 0
    assert result.err.splitlines()[0] == "words: 2 of 4"
    written = json.loads((tmp_path / "run.json").read_text())
    assert (written["run"], [result["output"] for result in written["results"]]) == (run_id, ["kept", "kept", "yes", "yes"])


def test_resuming_a_finished_run_prints_its_verdict_again(run: Run, suite_of: Callable[..., Path]) -> None:
    suite = suite_of(*["no"] * 20, gate=gate_at_least(0.5))
    first = run("eval", "run", suite)
    again = run("eval", "run", suite, "--resume", run("eval", "list", "--json").json[0]["id"])
    assert (again.code, again.out) == (1, first.out)


def test_a_run_leased_by_a_worker_is_followed_and_taken_over_when_released(
    run: Run, suite_of: Callable[..., Path], data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run("eval", "run", suite_of("yes", "yes", "yes"))
    run_id = submit_half_finished_run(data_dir, timedelta(seconds=60))

    def release_lease(_: float) -> None:
        with unit_of_work_on(data_dir) as unit:
            run = RunService(unit).get(run_id)
            assert run.worker == "gone"
            assert store.release_run(unit.session, run)

    monkeypatch.setattr(suite_run.time, "sleep", release_lease)
    result = run("eval", "run", "words", "--resume", run_id)
    assert result.code == 0
    assert "3 results" in result.out


def test_a_run_that_was_cancelled_has_no_verdict_and_ends_with_3(
    run: Run, suite_of: Callable[..., Path], data_dir: Path, tmp_path: Path
) -> None:
    run("eval", "run", suite_of("yes", "yes", "yes"))
    run_id = submit_half_finished_run(data_dir, timedelta(seconds=60))
    with unit_of_work_on(data_dir) as unit:
        assert RunService(unit).cancel(run_id).state is RunState.CANCELLED
    result = run("eval", "run", "words", "--resume", run_id, "--junit", tmp_path / "junit.xml", "--summary", tmp_path / "s.md")
    assert result.code == 3
    assert result.out.splitlines() == [f"words  run {run_id}  2 results", "cancelled: no summary"]
    (suite,) = ElementTree.parse(tmp_path / "junit.xml").getroot()
    assert suite.get("errors") == "1"
    assert "no such" not in (tmp_path / "s.md").read_text()
    unfinished = run("eval", "run", "words", "--baseline", run_id)
    assert (unfinished.code, "is cancelled, not finished" in unfinished.error_line) == (64, True)
