"""Schedules and alerts on the command line."""

from pathlib import Path

import pytest

from cli.conftest import Run, unit_of_work_on
from factories.summaries import make_interval
from promptuary.evaluation.case import Case
from promptuary.evaluation.datasets.service import DatasetService
from promptuary.evaluation.runs.request import RunRequest
from promptuary.evaluation.runs.service import RunService
from promptuary.evaluation.suites.service import SuiteService
from promptuary.evaluation.suites.suite import Suite
from promptuary.scheduling import store as schedule_store
from promptuary.scheduling.store import Alert

SCORERS = [{"type": "equals", "value": "{{expected}}", "name": "exact"}]


@pytest.fixture
def suite(word: Path, data_dir: Path) -> None:
    """The suite `words`."""
    with unit_of_work_on(data_dir) as unit:
        DatasetService(unit).put_version("words", [Case("c1", {"text": "yes"}, "yes")])
        body = {"name": "words", "prompt": "word", "dataset": "words", "models": ["echo:"], "scorers": SCORERS}
        SuiteService(unit).put(Suite.model_validate(body))


@pytest.mark.usefixtures("suite")
def test_a_schedule_is_set_listed_paused_run_and_removed(run: Run) -> None:
    arguments = ["set", "nightly", "words", "30 6 * * MON-FRI", "--zone", "Europe/Lisbon", "--margin", "0.02"]
    result = run("eval", "schedule", *arguments)
    assert result.code == 0, result.err
    lines = result.out.splitlines()
    assert lines[0] == "nightly: words at '30 6 * * MON-FRI' (Europe/Lisbon), by local"
    assert lines[2] == "  alert: when a metric drops by more than 0.02"
    assert lines[3].count("T") == 3
    assert lines[4] == "  last run: none yet"

    (schedule,) = run("eval", "schedule", "list", "--json").json
    assert (schedule["name"], schedule["margin"], schedule["label"], len(schedule["next_times"])) == ("nightly", 0.02, None, 3)
    assert run("eval", "schedule", "pause", "nightly").out.splitlines()[3] == "  next: paused"
    rows = [row.split("\t") for row in run("eval", "schedule", "list").out.splitlines()]
    assert rows == [
        ["schedule", "suite", "cron", "zone", "next", "last run", "note"],
        ["nightly", "words", "30 6 * * MON-FRI", "Europe/Lisbon", "paused", "", ""],
    ]
    assert run("eval", "schedule", "resume", "nightly", "--json").json["paused"] is False

    queued = run("eval", "schedule", "now", "nightly", "--json").json
    assert queued["schedule"] == "nightly"
    assert f"  last run: {queued['id']} queued" in run("eval", "schedule", "show", "nightly").out
    assert "is not over" in run("eval", "schedule", "now", "nightly").error_line

    assert run("eval", "schedule", "remove", "nightly").out == "nightly is removed\n"
    assert run("eval", "schedule", "show", "nightly").error_line == "there is no schedule 'nightly'"


@pytest.mark.usefixtures("suite")
def test_an_invalid_schedule_is_refused_with_every_error_in_one_line(run: Run) -> None:
    result = run("eval", "schedule", "set", "nightly", "words", "at night", "--zone", "Mars")
    assert result.code == 64
    assert "cron: must have five fields" in result.error_line
    assert "zone: 'Mars' is not a known time zone" in result.error_line
    hook = run("eval", "schedule", "set", "nightly", "words", "* * * * *", "--webhook", "https://example.org/x")
    assert "PROMPTUARY_WEBHOOK_HOSTS" in hook.error_line


@pytest.mark.usefixtures("suite")
def test_alerts_are_listed_until_they_are_seen(run: Run, data_dir: Path) -> None:
    with unit_of_work_on(data_dir) as unit:
        run_of_schedule = RunService(unit).submit(RunRequest(suite="words"), schedule="nightly")
        new = Alert(
            0,
            unit.caller.project,
            "nightly",
            "words",
            run_of_schedule.id,
            "echo:",
            "exact",
            make_interval(),
            "it fell",
            unit.clock(),
        )
        schedule_store.add_alerts(unit.session, [new])

    assert run("eval", "alerts").out.splitlines()[1].split("\t")[3:] == ["it fell", ""]
    assert run("eval", "alerts", "--schedule", "other", "--json").json == []
    assert run("eval", "alerts", "--seen", "1", "--json").json["seen_by"] == "local"
    assert run("eval", "alerts", "--json").json == []
    assert len(run("eval", "alerts", "--all", "--json").json) == 1
    assert run("eval", "alerts", "--seen", "7").error_line == "there is no alert 7"
