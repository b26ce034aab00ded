"""Queues filled from runs, and their decisions exported, also for spreadsheets."""

import csv
import io
import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from cli.conftest import Run, unit_of_work_on
from factories.reviews import Reviews
from factories.summaries import make_empty_summary
from promptuary.cli.connection import ApiClient
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
from promptuary.statistics.verdict import Verdict

COMMENTS = ['=HYPERLINK("http://example.org")', "+1", "-1", "@SUM(A1)", "\tindented", "plain, with a comma\nand a line"]
SCORERS = [{"type": "equals", "value": "{{expected}}", "name": "exact"}]


@pytest.fixture
def run_id(run: Run, word: Path, data_dir: Path) -> str:
    """A run of six cases, of which the first two failed."""
    return add_run(data_dir, "words")


def add_run(data_dir: Path, suite: str) -> str:
    """Store a run of six cases of a suite, of which the first two failed; it has not finished."""
    with unit_of_work_on(data_dir) as unit:
        now = wall_clock()
        cases = [Case(f"c{number}", {"text": "yes"}, "yes") for number in range(1, 7)]
        DatasetService(unit).put_version("words", cases)
        body = {"name": suite, "prompt": "word", "dataset": "words", "models": ["echo:"], "scorers": SCORERS}
        SuiteService(unit).put(Suite.model_validate(body))
        queued = RunService(unit).submit(RunRequest(suite=suite))
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


def finish(data_dir: Path, run_id: str) -> None:
    with unit_of_work_on(data_dir) as unit:
        outcome = RunOutcome(RunState.FINISHED, make_empty_summary(Verdict.PASS))
        assert store.finish_run(unit.session, RunService(unit).get(run_id), outcome, wall_clock())


def decide(data_dir: Path, comments: list[str], reviewer: str | None = None) -> str:
    """Decide the next items with the queue's first choice, which is returned."""
    with unit_of_work_on(data_dir) as unit:
        reviews = Reviews(unit if reviewer is None else replace(unit, caller=replace(unit.caller, identity=reviewer)))
        decision = reviews.queues.queue("words.queue").queue.choices[0].value
        for comment in comments:
            claimed = reviews.claims.claim("words.queue")
            assert claimed is not None
            reviews.submit(claimed.claim.id, claimed.claim.nonce, decision, comment)
        return decision


def write_after_reading(monkeypatch: pytest.MonkeyPatch, change: dict[str, Any]) -> None:
    """Write a queue as another lead whenever a command has read its tag."""
    read_tag = ApiClient.tag_or_none

    def read_then_write(api: ApiClient, path: str) -> str | None:
        tag = read_tag(api, path)
        api.put(path, change)
        return tag

    monkeypatch.setattr(ApiClient, "tag_or_none", read_then_write)


def test_a_queue_is_filled_once(run: Run, run_id: str) -> None:
    arguments = ["review", "open", "words.queue", "--run", run_id]
    assert run(*arguments, "--only", "failed").out == "words.queue: 2 items added, 0 in the queue already\n"
    assert run(*arguments, "--json").json == {"run": run_id, "added": 4, "present": 2, "gold": 0, "repeated": 0}
    assert run(*arguments, "--variant", "v1").out == "words.queue: 0 items added, 6 in the queue already\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--variant", "v9"], "no variant 'v9'"),
        (["--slots", "0"], "slots"),
        (["--only", "good"], "only"),
        (["--case", "c1", "--case", "c9"], "'c9'"),
        (["--sample", "2"], "running"),
        (["--pairs", "v1", "v9"], "'v9'"),
        (["--due", "tomorrow"], "due_at"),
        (["--reviewer", "nobody"], "nobody"),
    ],
)
def test_an_invalid_queue_is_refused(run: Run, run_id: str, arguments: list[str], message: str) -> None:
    result = run("review", "open", "words.queue", "--run", run_id, *arguments)
    assert (result.code, message in result.error_line) == (64, True)
    result = run("review", "open", "Not A Name", "--run", run_id)
    assert (result.code, "name" in result.error_line) == (64, True)


@pytest.mark.parametrize("arguments", [[], ["--slots", "3"]])
def test_a_queue_that_another_lead_creates_meanwhile_is_kept(
    run: Run, run_id: str, monkeypatch: pytest.MonkeyPatch, arguments: list[str]
) -> None:
    write_after_reading(monkeypatch, {"instructions": "of another lead"})
    result = run("review", "open", "words.queue", "--run", run_id, *arguments)
    assert (result.code, "exists already" in result.error_line) == (64, True)
    (queue,) = run("review", "list", "--json").json
    assert (queue["instructions"], queue["slots"], queue["counts"]["items"]) == ("of another lead", 1, 0)


def test_a_queue_that_another_lead_changes_meanwhile_is_kept(run: Run, run_id: str, monkeypatch: pytest.MonkeyPatch) -> None:
    run("review", "open", "words.queue", "--run", run_id, "--slots", "2")
    with monkeypatch.context() as meanwhile:
        write_after_reading(meanwhile, {"slots": 5})
        result = run("review", "open", "words.queue", "--run", run_id, "--slots", "3")
    assert (result.code, "has changed" in result.error_line) == (64, True)
    assert [queue["slots"] for queue in run("review", "list", "--json").json] == [5]
    assert run("review", "open", "words.queue", "--run", run_id, "--slots", "3").code == 0


def test_latest_is_the_newest_run_that_has_finished(run: Run, run_id: str, data_dir: Path) -> None:
    result = run("review", "open", "words.queue", "--run", "latest")
    assert (result.code, "there is no finished run" in result.error_line) == (64, True)
    finish(data_dir, run_id)
    assert run("review", "open", "words.queue", "--run", "latest", "--json").json == {
        "run": run_id,
        "added": 6,
        "present": 0,
        "gold": 0,
        "repeated": 0,
    }


def test_latest_is_of_the_named_suite(run: Run, run_id: str, data_dir: Path) -> None:
    finish(data_dir, run_id)
    newer = add_run(data_dir, "other")
    finish(data_dir, newer)
    opened = run("review", "open", "words.queue", "--run", "latest", "--suite", "words")
    assert (opened.out, run_id in opened.err, newer in opened.err) == (
        "words.queue: 6 items added, 0 in the queue already\n",
        True,
        False,
    )
    assert run("review", "open", "words.queue", "--suite", "words", "--json").json["run"] == run_id
    assert run("review", "open", "other.queue", "--suite", "other", "--json").json["run"] == newer


def test_latest_of_several_suites_is_refused(run: Run, run_id: str, data_dir: Path) -> None:
    finish(data_dir, run_id)
    other = add_run(data_dir, "other")
    assert run("review", "open", "words.queue", "--run", "latest", "--json").json["run"] == run_id  # the other has not finished
    finish(data_dir, other)
    result = run("review", "open", "next.queue", "--run", "latest")
    assert (result.code, "--suite" in result.error_line, "other, words" in result.error_line) == (64, True, True)
    assert "next.queue" not in run("review", "list").out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "--suite"),
        (["--suite", "none"], "'none'"),
        (["--suite", "words"], "no finished run"),
        (["--run", "latest", "--suite", "words"], "no finished run"),
    ],
)
def test_a_run_that_is_not_known_is_refused(run: Run, run_id: str, arguments: list[str], message: str) -> None:
    result = run("review", "open", "words.queue", *arguments)
    assert (result.code, message in result.error_line) == (64, True)
    assert run("review", "list", "--json").json == []


def test_a_run_of_another_suite_is_refused(run: Run, run_id: str, data_dir: Path) -> None:
    other = add_run(data_dir, "other")
    result = run("review", "open", "words.queue", "--run", other, "--suite", "words")
    assert (result.code, "'other'" in result.error_line) == (64, True)


def test_a_random_slice_is_drawn_beside_the_failures(run: Run, run_id: str, data_dir: Path) -> None:
    finish(data_dir, run_id)
    arguments = ["review", "open", "words.queue", "--run", run_id, "--sample", "3", "--seed", "4"]
    assert run(*arguments, "--json").json["added"] == 3
    run(*arguments, "--only", "failed")
    (queue,) = run("review", "list", "--json").json
    assert [(fill["only"], fill["sample"]["size"], fill["sample"]["probability"]) for fill in queue["source"]["fills"]] == [
        (None, 3, 0.5),
        ("failed", 3, 0.5),
    ]


def test_some_cases_are_opened(run: Run, run_id: str) -> None:
    opened = run("review", "open", "words.queue", "--run", run_id, "--case", "c3", "--case", "c1", "--json")
    assert opened.json["added"] == 2


def test_filling_again_keeps_what_the_queue_says(run: Run, run_id: str) -> None:
    run("review", "open", "words.queue", "--run", run_id, "--instructions", "Is it polite?", "--slots", 2)
    run("review", "open", "words.queue", "--run", run_id)
    (queue,) = run("review", "list", "--json").json
    assert (queue["instructions"], queue["slots"]) == ("Is it polite?", 2)
    run("review", "open", "words.queue", "--run", run_id, "--slots", 3)
    (queue,) = run("review", "list", "--json").json
    assert (queue["instructions"], queue["slots"]) == ("Is it polite?", 3)


def test_queues_are_listed_with_their_progress(run: Run, run_id: str, data_dir: Path) -> None:
    assert run("review", "list").out.splitlines()[0].split("\t")[:4] == ["queue", "items", "decided", "open"]
    run("review", "open", "words.queue", "--run", run_id)
    decide(data_dir, ["yes"])
    header, line = (row.split("\t") for row in run("review", "list").out.splitlines())
    assert dict(zip(header, line, strict=True)) == {
        "queue": "words.queue",
        "items": "6",
        "decided": "1",
        "open": "5",
        "claimed": "0",
        "slots": "1",
    }


def test_agreement_is_printed_with_what_is_undefined(run: Run, run_id: str, data_dir: Path) -> None:
    run("review", "open", "words.queue", "--run", run_id, "--slots", 2)
    for reviewer in ("key:ann", "key:bob"):
        decide(data_dir, ["one", "two"], reviewer)
    printed = run("review", "agreement", "words.queue").out
    assert "2 items with at least two decisions, 2 reviewers" in printed
    assert "decision\tequal labels\t1.000" in printed
    assert "undefined" in printed
    agreement = run("review", "agreement", "words.queue", "--json").json
    assert (agreement["items"], agreement["percent"]) == (2, 100.0)
    missing = run("review", "agreement", "none")
    assert (missing.code, "'none'" in missing.error_line) == (64, True)


def test_an_unknown_run_creates_no_queue(run: Run) -> None:
    assert run("review", "open", "words.queue", "--run", "run_0").code == 64
    assert "'words.queue'" in run("review", "export", "words.queue").error_line


def test_decisions_are_exported_exactly_and_are_no_formulas_in_a_spreadsheet(run: Run, run_id: str, data_dir: Path) -> None:
    run("review", "open", "words.queue", "--run", run_id)
    assert run("review", "export", "words.queue").out.startswith("item,source,reviewer,decision,comment,at,")
    assert len(run("review", "export", "words.queue").out.splitlines()) == 1
    assert run("review", "export", "words.queue", "--json").json == []
    decision = decide(data_dir, COMMENTS)
    exported = run("review", "export", "words.queue", "--json").json
    assert [decision_row["comment"] for decision_row in exported] == COMMENTS
    rows = list(csv.DictReader(io.StringIO(run("review", "export", "words.queue").out, newline="")))
    assert [row["comment"] for row in rows] == [*(f"'{comment}" for comment in COMMENTS[:5]), COMMENTS[5]]
    assert [(row["item"], row["source"], row["reviewer"], row["decision"]) for row in rows] == [
        (decision_row["item"], decision_row["source"], "local", decision) for decision_row in exported
    ]


def test_an_export_is_a_file_in_the_format_that_was_chosen(run: Run, run_id: str, data_dir: Path, tmp_path: Path) -> None:
    run("review", "open", "words.queue", "--run", run_id)
    decide(data_dir, ["right"])
    lines = run("review", "export", "words.queue", "--format", "jsonl").out.splitlines()
    assert [json.loads(line)["comment"] for line in lines] == ["right"]
    file = tmp_path / "decisions.parquet"
    written = run("review", "export", "words.queue", "--format", "parquet", "--output", file)
    assert (written.code, written.out) == (0, "")
    assert file.read_bytes()[:4] == b"PAR1"
    refused = run("review", "export", "none", "--format", "jsonl", "-o", tmp_path / "none")
    assert (refused.code, "'none'" in refused.error_line, (tmp_path / "none").exists()) == (64, True, False)
