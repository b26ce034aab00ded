"""Suites run by the command line: verdicts as exit codes, reports, baselines, and runs that are gone on with."""

import json
import shutil
import threading
from collections.abc import Callable, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from cli.conftest import SUITE, WORD, Run, restored_process_state, unit_of_work_on
from promptuary.cli.evaluation import suite_run
from promptuary.cli.evaluation.runs import EXIT_CODES
from promptuary.core.clock import wall_clock
from promptuary.core.settings import read_settings
from promptuary.evaluation.plan import CaseResult
from promptuary.evaluation.runs import store
from promptuary.evaluation.runs.request import RunRequest
from promptuary.evaluation.runs.service import RunService
from promptuary.evaluation.runs.store import RunState
from promptuary.statistics.verdict import Verdict

Write = Callable[[str, str], Path]
Turn = Callable[[str], Mapping[str, str]]
# MLflow asks SQLAlchemy in a way that its newest release means to take away.
pytestmark = pytest.mark.filterwarnings("ignore:The ``noload`` loader strategy:DeprecationWarning")


@pytest.fixture
def data_dir(data_dir: Path, mlflow_file: Path) -> Path:
    """The data directory, with MLflow's database."""
    shutil.copy(mlflow_file, data_dir)
    return data_dir


@pytest.fixture
def suite_of(write: Write, word: Path) -> Callable[..., Path]:
    """Write the suite `words` on cases that expect `yes` and say what is given: `suite_of("yes", "no", gate="…")`."""

    def make(*texts: str, **more: Any) -> Path:
        cases = [{"id": f"c{number}", "vars": {"text": text}, "expected": "yes"} for number, text in enumerate(texts, 1)]
        write("evals/words.jsonl", "".join(json.dumps(case) + "\n" for case in cases))
        return write("evals/words.yaml", SUITE + "".join(f"{name}: {json.dumps(value)}\n" for name, value in more.items()))

    return make


def floor(bound: float) -> list[dict[str, Any]]:
    return [{"metric": "exact", "at_least": bound}]


@pytest.mark.parametrize(
    ("texts", "gate", "code", "verdict"),
    [
        (["yes"] * 3, [], 0, "pass"),
        (["yes"] * 20, floor(0.5), 0, "pass"),
        (["no"] * 20, floor(0.5), 1, "regression"),
        (["yes", "no"] * 5, floor(0.5), 2, "inconclusive"),
    ],
)
def test_the_exit_code_is_the_verdict(
    run: Run, suite_of: Callable[..., Path], texts: list[str], gate: list[Any], code: int, verdict: str
) -> None:
    told = run("eval", "run", suite_of(*texts, gate=gate))
    assert told.code == code
    lines = told.out.splitlines()
    assert lines[0].startswith("words  run run_")
    assert [line for line in lines if line.startswith(f"  verdict: {verdict} (")]
    assert lines[-1].startswith("  MLflow run: ")
    assert told.err.splitlines()[-1].startswith(f"words: {len(texts)} of {len(texts)}")


def test_a_prompt_that_cannot_be_rendered_ends_with_3_and_is_no_zero(
    run: Run, write: Write, suite_of: Callable[..., Path], tmp_path: Path
) -> None:
    context = {"collection": "missing", "query": "{{text}}", "k": 1, "into": "facts"}
    prompt = {"type": "text", "template": "{{facts}} {{text}}", "context": context}
    run("push", write("prompts/word.yaml", json.dumps(prompt)))
    told = run("eval", "run", suite_of("yes", "yes", gate=floor(0.5)), "--json", tmp_path / "run.json")
    assert told.code == 3
    assert "verdict: infrastructure (too many cases could not be run)" in told.out
    results = json.loads((tmp_path / "run.json").read_text())["results"]
    assert [(one["pass"], one["score"], one["metrics"]) for one in results] == [(None, None, {"exact": None})] * 2
    assert all("missing" in one["error"] for one in results)


def test_the_reports_hold_every_case_in_the_files_order(run: Run, suite_of: Callable[..., Path], tmp_path: Path) -> None:
    texts = ["yes", "no", *["yes"] * 28]
    reports = {name: tmp_path / "reports" / name for name in ("run.json", "junit.xml", "summary.md", "run.html")}
    told = run(
        *("eval", "run", suite_of(*texts, gate=floor(0.5)), "--repeats", 2),
        *("--json", reports["run.json"], "--junit", reports["junit.xml"], "--summary", reports["summary.md"]),
        *("--html", reports["run.html"]),
    )
    assert told.code == 0
    assert sorted(path.name for path in (tmp_path / "reports").iterdir()) == sorted(reports)

    written = json.loads(reports["run.json"].read_text())
    assert {"run", "verdict", "summary", "results"} <= written.keys()
    assert (written["verdict"], written["summary"]["verdict"]) == ("pass", "pass")
    assert [(one["case"], one["repeat"]) for one in written["results"]] == [
        (f"c{number}", repeat) for number in range(1, 31) for repeat in (0, 1)
    ]
    assert written["results"][2] == {
        "case": "c2",
        "variant": "v1",
        "repeat": 0,
        "pass": False,
        "score": 0.0,
        "metrics": {"exact": 0.0},
        "output": "no",
        "error": None,
    }
    (suite,) = ElementTree.parse(reports["junit.xml"]).getroot()
    assert {name: suite.get(name) for name in ("name", "tests", "failures", "errors")} == {
        **{"name": "words", "tests": "61", "failures": "2", "errors": "0"},
    }
    assert len(suite.findall("testcase")) == 61
    assert "60 results" in told.out
    assert "<title>words: pass</title>" in reports["run.html"].read_text()
    assert reports["summary.md"].read_text().startswith("## words: pass\n")

    again = {name: tmp_path / "again" / name for name in reports}
    options = {"run.json": "--json", "junit.xml": "--junit", "summary.md": "--summary", "run.html": "--html"}
    assert run("eval", "report", written["run"], *(word for name in again for word in (options[name], again[name]))).code == 0
    assert {name: path.read_text() for name, path in again.items()} == {
        name: path.read_text() for name, path in reports.items()
    }
    assert run("eval", "report", written["run"]).out == reports["summary.md"].read_text()

    shown = run("eval", "show", written["run"], "--json").json
    assert shown == written
    assert run("eval", "show", written["run"]).out.splitlines() == told.out.splitlines()[:-1]
    assert run("eval", "list").out.splitlines()[1] == f"{written['run']}\twords\tfinished\tpass\t60/60"
    assert [one["id"] for one in run("eval", "list", "--suite", "words", "--json").json] == [written["run"]]


def test_mlflow_has_the_run_under_the_id_that_is_printed(run: Run, suite_of: Callable[..., Path], data_dir: Path) -> None:
    told = run("eval", "run", suite_of("yes", "no"))
    tracked = told.out.splitlines()[-1].removeprefix("  MLflow run: ")
    with restored_process_state():
        from mlflow import MlflowClient

        found = MlflowClient(tracking_uri=f"sqlite:///{data_dir / 'mlflow.db'}").get_run(tracked)
    assert found.data.tags["promptuary.run"] in told.out
    assert found.info.status == "FINISHED"


def test_without_an_mlflow_the_run_is_whole_all_the_same(
    run: Run, suite_of: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PROMPTUARY_MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    told = run("eval", "run", suite_of("yes"))
    assert told.code == 0
    assert told.out.splitlines()[-1] == "  MLflow run: not delivered yet; the worker delivers it when MLflow answers"
    assert "Traceback" not in told.err


@pytest.fixture
def better(run: Run, write: Write) -> Path:
    """A folder with a version of `word` that is nowhere registered: it always says yes."""
    return write("better/word.yaml", json.dumps({**WORD, "template": "yes"})).parent


@pytest.mark.parametrize("baseline", ["production", "1"])
def test_two_versions_answer_the_same_cases(
    run: Run, suite_of: Callable[..., Path], write: Write, tmp_path: Path, baseline: str
) -> None:
    run("push", write("prompts/word.yaml", json.dumps({**WORD, "template": "{{text}}!"})))
    gate = [{"metric": "exact", "not_worse_than": "production", "by": 0.05}]
    words = ["eval", "run", suite_of(*["yes"] * 20, gate=gate), "--baseline", baseline, "--json", tmp_path / "run.json"]
    told = run(*words)
    assert told.code == 1
    assert [line for line in told.out.splitlines() if line.startswith("  v2 − v1  exact −1.000 [−1.000, ")]
    results = json.loads((tmp_path / "run.json").read_text())["results"]
    assert [(one["variant"], one["output"]) for one in results[:2]] == [("v2", "yes!"), ("v1", "yes")]


@pytest.mark.parametrize("baseline", ["none", "9"])
def test_a_baseline_that_is_unknown_is_told(run: Run, suite_of: Callable[..., Path], baseline: str) -> None:
    told = run("eval", "run", suite_of("yes"), "--baseline", baseline)
    assert (told.code, baseline in told.fault) == (64, True)
    assert run("eval", "list", "--json").json == []


@pytest.mark.parametrize(
    ("words", "said"), [(["--model", "oracle"], "oracle"), (["--repeats", "0"], "repeats"), (["--repeats", "101"], "repeats")]
)
def test_changes_that_no_suite_may_have_are_told(run: Run, suite_of: Callable[..., Path], words: list[str], said: str) -> None:
    told = run("eval", "run", suite_of("yes"), *words)
    assert (told.code, said in told.fault) == (64, True)


def test_an_earlier_run_is_a_baseline_too(run: Run, suite_of: Callable[..., Path], better: Path, tmp_path: Path) -> None:
    suite = suite_of("yes", "no", "no")
    run("eval", "run", suite, "--json", tmp_path / "first.json")
    first = json.loads((tmp_path / "first.json").read_text())["run"]
    run("push", better / "word.yaml")
    told = run("eval", "run", "words", "--baseline", first)
    assert told.code == 0
    header, *rows = told.out.splitlines()[-4:]
    assert header == "metric\tcandidate\tbaseline\tdifference\tcases"
    assert rows[0].split("\t")[3] == "+0.667"
    second = run("eval", "list", "--json").json[0]["id"]
    compared = run("eval", "compare", second, first, "--json").json
    assert (compared["run"], compared["baseline"], compared["cases"]) == (second, first, 3)
    assert run("eval", "compare", second, first).out.splitlines() == [header, *rows]


def test_versions_are_tried_from_a_folder_without_a_label(run: Run, suite_of: Callable[..., Path], better: Path) -> None:
    suite = suite_of("no", "nay", gate=floor(0.0))
    told = run("eval", "run", suite, "--prompts", better)
    assert told.code == 0
    assert "  v2  exact 1.000" in told.out
    assert run("prompts", "--json").json[0]["labels"] == {"production": 1}
    assert run("eval", "run", suite, "--prompts", better).code == 0
    assert run("prompts", "--json").json[0]["newest"] == 2


def test_of_several_suites_the_worst_verdict_counts_and_reports_hold_all(
    run: Run, suite_of: Callable[..., Path], write: Write, tmp_path: Path
) -> None:
    good = suite_of(*["yes"] * 20, gate=floor(0.5))
    write("evals/bad.jsonl", (good.parent / "words.jsonl").read_text().replace('"text": "yes"', '"text": "no"'))
    text = good.read_text().replace("name: words", "name: bad").replace("words.jsonl", "bad.jsonl")
    bad = write("evals/bad.yaml", text)
    reports = ["--json", tmp_path / "run.json", "--junit", tmp_path / "junit.xml", "--summary", tmp_path / "summary.md"]
    reports += ["--html", tmp_path / "run.html"]
    assert run("eval", "run", good, bad, *reports).code == 1
    assert [one["verdict"] for one in json.loads((tmp_path / "run.json").read_text())] == ["pass", "regression"]
    assert [suite.get("name") for suite in ElementTree.parse(tmp_path / "junit.xml").getroot()] == ["words", "bad"]
    assert "## bad: regression" in (tmp_path / "summary.md").read_text()
    assert sorted(path.name for path in tmp_path.glob("*.html")) == ["run.bad.html", "run.words.html"]
    assert run("eval", "run", good, "words", "--html", tmp_path / "twice.html").code == 0
    assert len(list(tmp_path.glob("twice.words.run_*.html"))) == 2


def test_code_in_suites_is_allowed_for_one_command_and_not_against_a_server(
    run: Run, suite_of: Callable[..., Path], served: Turn, monkeypatch: pytest.MonkeyPatch
) -> None:
    from promptuary.api import app

    allowed: list[bool] = []
    made = app.create_app

    def create(settings: Any) -> Any:
        allowed.append(settings.code_scorers)
        return made(settings)

    monkeypatch.setattr(app, "create_app", create)
    assert run("eval", "run", suite_of("yes"), "--allow-code").code == 0
    assert run("eval", "run", suite_of("yes")).code == 0
    monkeypatch.setenv("PROMPTUARY_CODE_SCORERS", "true")
    assert run("eval", "run", suite_of("yes")).code == 0
    assert allowed == [True, False, True]
    served("author")
    told = run("eval", "run", "words", "--allow-code")
    assert (told.code, "--allow-code" in told.fault, "a server itself decides" in told.fault) == (64, True, True)


def half_done(data_dir: Path, lease: timedelta) -> str:
    """Submit a run of the suite `words`, whose first executor did the first two of its cases."""
    with unit_of_work_on(data_dir) as unit:
        now, session = wall_clock(), unit.session
        submitted = RunService(unit).submit(RunRequest(suite="words"))
        held = store.lease_run(session, "gone", now, now + lease, submitted.id)
        assert held is not None
        done = [
            CaseResult(number, f"c{number + 1}", "v1", 0, "kept", False, 0.0, {"exact": 0.0}, None, {}, now)
            for number in range(2)
        ]
        assert store.add_results(session, held, done, now + lease)
        return submitted.id


def test_a_run_that_was_left_is_gone_on_with(run: Run, suite_of: Callable[..., Path], data_dir: Path, tmp_path: Path) -> None:
    run("eval", "run", suite_of("yes", "yes", "yes", "yes"))
    left = half_done(data_dir, timedelta(seconds=-1))
    told = run("eval", "run", "words", "--resume", left, "--json", tmp_path / "run.json")
    assert told.code == 0
    assert told.err.splitlines()[0] == "words: 2 of 4"
    written = json.loads((tmp_path / "run.json").read_text())
    assert (written["run"], [one["output"] for one in written["results"]]) == (left, ["kept", "kept", "yes", "yes"])


def test_a_run_that_is_over_says_again_how_it_ended(run: Run, suite_of: Callable[..., Path]) -> None:
    suite = suite_of(*["no"] * 20, gate=floor(0.5))
    first = run("eval", "run", suite)
    again = run("eval", "run", suite, "--resume", run("eval", "list", "--json").json[0]["id"])
    assert (again.code, again.out) == (1, first.out)


def test_a_run_that_another_holds_is_followed_and_taken_over_when_it_is_left(
    run: Run, suite_of: Callable[..., Path], data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run("eval", "run", suite_of("yes", "yes", "yes"))
    held = half_done(data_dir, timedelta(seconds=60))

    def leave(_: float) -> None:
        with unit_of_work_on(data_dir) as unit:
            run = RunService(unit).get(held)
            assert run.worker == "gone"
            assert store.release_run(unit.session, run)

    monkeypatch.setattr(suite_run.time, "sleep", leave)
    told = run("eval", "run", "words", "--resume", held)
    assert told.code == 0
    assert "3 results" in told.out


def test_a_run_that_was_cancelled_has_no_verdict_and_ends_with_3(
    run: Run, suite_of: Callable[..., Path], data_dir: Path, tmp_path: Path
) -> None:
    run("eval", "run", suite_of("yes", "yes", "yes"))
    held = half_done(data_dir, timedelta(seconds=60))
    with unit_of_work_on(data_dir) as unit:
        assert RunService(unit).cancel(held).state is RunState.CANCELLED
    told = run("eval", "run", "words", "--resume", held, "--junit", tmp_path / "junit.xml", "--summary", tmp_path / "s.md")
    assert told.code == 3
    assert told.out.splitlines() == [f"words  run {held}  2 results", "cancelled: no summary"]
    (suite,) = ElementTree.parse(tmp_path / "junit.xml").getroot()
    assert suite.get("errors") == "1"
    assert "no such" not in (tmp_path / "s.md").read_text()
    unfinished = run("eval", "run", "words", "--baseline", held)
    assert (unfinished.code, "is cancelled, not finished" in unfinished.fault) == (64, True)


def test_with_a_server_its_worker_does_the_run(
    run: Run, suite_of: Callable[..., Path], served: Turn, data_dir: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from promptuary.worker.assembly import build_worker

    suite = suite_of("yes", "no", gate=floor(0.0))
    monkeypatch.setattr(suite_run, "POLL_SECONDS", 0.05)
    served("ci")
    stop = threading.Event()
    with restored_process_state(), build_worker(read_settings(data_dir=data_dir)) as worker:
        thread = threading.Thread(target=worker.run, args=(stop,))
        thread.start()
        told = run("eval", "run", suite, "--json", tmp_path / "run.json")
        stop.set()
        thread.join()
    assert told.code == 0, told.err
    written = json.loads((tmp_path / "run.json").read_text())
    assert (written["verdict"], [one["output"] for one in written["results"]]) == ("pass", ["yes", "no"])
    assert written["tracking_id"] is not None
    assert written["tracking_id"] in told.out


def test_a_plan_says_what_a_suite_would_show_and_learns_from_its_runs(run: Run, suite_of: Callable[..., Path]) -> None:
    suite = suite_of("yes", "no", "yes", "no", gate=floor(0.5))
    assumed = run("eval", "plan", suite)
    assert assumed.code == 0
    assert "words: 4 cases × 1 variants × 1 repeats = 4 results" in assumed.out
    assert "no run shows the spread: it is assumed" in assumed.out

    run("eval", "run", suite)
    learnt = json.loads(run("eval", "plan", "words", "--effect", "0.2", "--json").out)
    assert learnt["pilot"].startswith("run_")
    assert (learnt["demands"][0]["source"], learnt["demands"][0]["effect"]) == ("pilot", 0.2)
    assert run("eval", "plan", "words", "--power", "2").code == 64


def test_every_verdict_has_its_exit_code() -> None:
    assert EXIT_CODES == {"pass": 0, "regression": 1, "inconclusive": 2, "infrastructure": 3}
    assert set(EXIT_CODES) == set(Verdict)
