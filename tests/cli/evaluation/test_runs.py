"""Suites run by the command line: verdicts as exit codes, reports, several suites, and runs of a server's worker."""

import json
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from cli.conftest import Run, restored_process_state
from cli.evaluation.conftest import gate_at_least
from doubles.eventually import eventually
from promptuary.cli.connection import ServiceUnreachable
from promptuary.cli.evaluation import suite_run
from promptuary.cli.evaluation.runs import EXIT_CODES
from promptuary.core.settings import read_settings
from promptuary.statistics.verdict import Verdict

Write = Callable[[str, str], Path]
UseServer = Callable[..., Mapping[str, str]]
# MLflow calls SQLAlchemy in a way that its newest release is going to remove.
pytestmark = [pytest.mark.process, pytest.mark.usefixtures("mlflow_database")]


@pytest.mark.parametrize(
    ("texts", "gate", "code", "verdict"),
    [
        (["yes"] * 3, [], 0, "no gate"),
        (["no"], [], 0, "no gate"),
        (["yes"] * 20, gate_at_least(0.5), 0, "pass"),
        (["no"] * 20, gate_at_least(0.5), 1, "regression"),
        (["yes", "no"] * 5, gate_at_least(0.5), 2, "inconclusive"),
    ],
)
def test_the_exit_code_is_the_verdict(
    run: Run, suite_of: Callable[..., Path], texts: list[str], gate: list[Any], code: int, verdict: str
) -> None:
    result = run("eval", "run", suite_of(*texts, gate=gate))
    assert result.code == code
    lines = result.out.splitlines()
    assert lines[0].startswith("words  run run_")
    assert [line for line in lines if line.startswith(f"  verdict: {verdict} (")]
    assert lines[-1].startswith("  MLflow run: ")
    assert result.err.splitlines()[-1].startswith(f"words: {len(texts)} of {len(texts)}")


def test_a_prompt_that_cannot_be_rendered_ends_with_3_and_has_no_score(
    run: Run, write: Write, suite_of: Callable[..., Path], tmp_path: Path
) -> None:
    context = {"collection": "missing", "query": "{{text}}", "k": 1, "into": "facts"}
    prompt = {"type": "text", "template": "{{facts}} {{text}}", "context": context}
    run("push", write("prompts/word.yaml", json.dumps(prompt)))
    result = run("eval", "run", suite_of("yes", "yes", gate=gate_at_least(0.5)), "--json", tmp_path / "run.json")
    assert result.code == 3
    assert "verdict: infrastructure (too many cases could not be run)" in result.out
    results = json.loads((tmp_path / "run.json").read_text())["results"]
    assert [(result["pass"], result["score"], result["metrics"]) for result in results] == [(None, None, {"exact": None})] * 2
    assert all("missing" in result["error"] for result in results)


def test_the_reports_contain_every_case_in_the_order_of_the_file(
    run: Run, suite_of: Callable[..., Path], tmp_path: Path
) -> None:
    texts = ["yes", "no", *["yes"] * 28]
    reports = {name: tmp_path / "reports" / name for name in ("run.json", "junit.xml", "summary.md", "run.html")}
    result = run(
        *("eval", "run", suite_of(*texts, gate=gate_at_least(0.5)), "--repeats", 2),
        *("--json", reports["run.json"], "--junit", reports["junit.xml"], "--summary", reports["summary.md"]),
        *("--html", reports["run.html"]),
    )
    assert result.code == 0
    assert sorted(path.name for path in (tmp_path / "reports").iterdir()) == sorted(reports)

    written = json.loads(reports["run.json"].read_text())
    assert {"run", "verdict", "summary", "results"} <= written.keys()
    assert (written["verdict"], written["summary"]["verdict"]) == ("pass", "pass")
    assert [(result["case"], result["repeat"]) for result in written["results"]] == [
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
        "failures": [{"scorer": "exact", "reason": written["results"][2]["failures"][0]["reason"]}],
    }
    (suite,) = ElementTree.parse(reports["junit.xml"]).getroot()
    assert {name: suite.get(name) for name in ("name", "tests", "failures", "errors")} == {
        **{"name": "words", "tests": "61", "failures": "2", "errors": "0"},
    }
    assert len(suite.findall("testcase")) == 61
    assert "60 results" in result.out
    assert "<title>words: pass</title>" in reports["run.html"].read_text()
    assert reports["summary.md"].read_text().startswith("## words: pass\n")

    again = {name: tmp_path / "again" / name for name in reports}
    options = {"run.json": "--json", "junit.xml": "--junit", "summary.md": "--summary", "run.html": "--html"}
    assert (
        run("eval", "report", written["run"], *(argument for name in again for argument in (options[name], again[name]))).code
        == 0
    )
    assert {name: path.read_text() for name, path in again.items()} == {
        name: path.read_text() for name, path in reports.items()
    }
    assert run("eval", "report", written["run"]).out == reports["summary.md"].read_text()

    as_json = run("eval", "show", written["run"], "--json").json
    assert as_json == written
    assert run("eval", "show", written["run"]).out.splitlines() == result.out.splitlines()[:-1]
    assert run("eval", "list").out.splitlines()[1] == f"{written['run']}\twords\tfinished\tpass\t60/60"
    assert [listed["id"] for listed in run("eval", "list", "--suite", "words", "--json").json] == [written["run"]]


@pytest.mark.usefixtures("delivery_by_a_process")
def test_mlflow_has_the_run_after_the_command(run: Run, suite_of: Callable[..., Path], data_dir: Path) -> None:
    result = run("eval", "run", suite_of("yes", "no"))
    assert result.out.splitlines()[-1] == f"  MLflow run: {suite_run.NOT_DELIVERED}"
    run_id = run("eval", "list", "--json").json[0]["id"]

    def tracking_id() -> Any:
        return run("eval", "show", run_id, "--json").json["tracking_id"]

    assert eventually(lambda: tracking_id() is not None)
    tracked = tracking_id()
    with restored_process_state():
        from mlflow import MlflowClient

        mlflow_run = MlflowClient(tracking_uri=f"sqlite:///{data_dir / 'mlflow.db'}").get_run(tracked)
    assert mlflow_run.data.tags["promptuary.run"] in result.out
    assert mlflow_run.info.status == "FINISHED"


def test_a_run_is_complete_when_mlflow_does_not_answer(
    run: Run, suite_of: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PROMPTUARY_MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    result = run("eval", "run", suite_of("yes"))
    assert result.code == 0
    assert result.out.splitlines()[-1] == f"  MLflow run: {suite_run.NOT_DELIVERED}"
    assert "Traceback" not in result.err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [(["--model", "oracle"], "oracle"), (["--repeats", "0"], "repeats"), (["--repeats", "101"], "repeats")],
)
def test_an_option_outside_the_limits_of_a_suite_is_refused(
    run: Run, suite_of: Callable[..., Path], arguments: list[str], message: str
) -> None:
    result = run("eval", "run", suite_of("yes"), *arguments)
    assert (result.code, message in result.error_line) == (64, True)


def test_of_several_suites_the_worst_verdict_counts_and_reports_have_all(
    run: Run, suite_of: Callable[..., Path], write: Write, tmp_path: Path
) -> None:
    good = suite_of(*["yes"] * 20, gate=gate_at_least(0.5))
    write("evals/bad.jsonl", (good.parent / "words.jsonl").read_text().replace('"text": "yes"', '"text": "no"'))
    text = good.read_text().replace("name: words", "name: bad").replace("words.jsonl", "bad.jsonl")
    bad = write("evals/bad.yaml", text)
    reports = ["--json", tmp_path / "run.json", "--junit", tmp_path / "junit.xml", "--summary", tmp_path / "summary.md"]
    reports += ["--html", tmp_path / "run.html"]
    assert run("eval", "run", good, bad, *reports).code == 1
    assert [report["verdict"] for report in json.loads((tmp_path / "run.json").read_text())] == ["pass", "regression"]
    assert [suite.get("name") for suite in ElementTree.parse(tmp_path / "junit.xml").getroot()] == ["words", "bad"]
    assert "## bad: regression" in (tmp_path / "summary.md").read_text()
    assert sorted(path.name for path in tmp_path.glob("*.html")) == ["run.bad.html", "run.words.html"]
    assert run("eval", "run", good, "words", "--html", tmp_path / "twice.html").code == 0
    assert len(list(tmp_path.glob("twice.words.run_*.html"))) == 2


@pytest.mark.parametrize(
    ("replaced", "by", "sentence"),
    [
        ("equals", "equalz", "'equalz' is not a known scorer"),
        ("prompt: word", "prompt: nowhere", "there is no prompt 'nowhere'"),
        ("words.jsonl", "nowhere.jsonl", "nowhere.jsonl"),
    ],
)
def test_no_suite_is_run_where_the_file_of_another_is_bad(
    run: Run, suite_of: Callable[..., Path], write: Write, tmp_path: Path, replaced: str, by: str, sentence: str
) -> None:
    good = suite_of("yes")
    bad = write("evals/bad.yaml", good.read_text().replace("name: words", "name: bad").replace(replaced, by))
    result = run("eval", "run", good, bad, "--json", tmp_path / "run.json")
    assert result.code == 64
    assert (result.err.count(sentence), str(good) in result.err) == (1, False), result.err
    assert str(bad) in result.err or sentence == "nowhere.jsonl"  # a dataset is named by its own path
    assert run("eval", "list", "--json").json == []
    assert not (tmp_path / "run.json").exists()


def test_every_bad_file_is_named_once(run: Run, suite_of: Callable[..., Path], write: Write) -> None:
    good = suite_of("yes")
    bad = [write(f"evals/{name}.yaml", good.read_text().replace("equals", name)) for name in ("odd", "strange")]
    result = run("eval", "run", bad[0], good, bad[1])
    assert result.code == 64
    assert [result.err.count(str(path)) for path in bad] == [1, 1]


def test_suites_of_one_name_in_one_command_are_each_run_as_their_file_has_them(
    run: Run, suite_of: Callable[..., Path], write: Write, tmp_path: Path
) -> None:
    first = suite_of("yes", "no")
    write("other/words.jsonl", json.dumps({"id": "c9", "vars": {"text": "yes"}, "expected": "yes"}) + "\n")
    second = write("other/words.yaml", first.read_text().replace("name: exact", "name: same"))
    assert run("eval", "run", first, second, "--json", tmp_path / "run.json").code == 0
    reports = json.loads((tmp_path / "run.json").read_text())
    assert [[(result["case"], result["metrics"]) for result in report["results"]] for report in reports] == [
        [("c1", {"exact": 1.0}), ("c2", {"exact": 0.0})],
        [("c9", {"same": 1.0})],
    ]


def test_reports_of_ended_runs_are_written_where_a_later_run_cannot_be_followed(
    run: Run, suite_of: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    suite = suite_of("yes")
    read_run, read = suite_run.read_run, iter([True, False])

    def unreachable_later(api: Any, run_id: str) -> Any:
        if next(read):
            return read_run(api, run_id)
        raise ServiceUnreachable("the server does not answer")

    monkeypatch.setattr(suite_run, "read_run", unreachable_later)
    assert run("eval", "run", suite, suite, "--json", tmp_path / "run.json").code == 3
    assert len(json.loads((tmp_path / "run.json").read_text())["results"]) == 1


def test_code_in_suites_is_allowed_for_one_command_and_not_against_a_server(
    run: Run, suite_of: Callable[..., Path], served: UseServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    from promptuary.worker import executor_assembly

    allowed: list[bool] = []
    build_executor = executor_assembly.build_executor

    def build(settings: Any, *dependencies: Any) -> Any:
        allowed.append(settings.code_scorers)
        return build_executor(settings, *dependencies)

    monkeypatch.setattr(executor_assembly, "build_executor", build)
    assert run("eval", "run", suite_of("yes"), "--allow-code").code == 0
    assert run("eval", "run", suite_of("yes")).code == 0
    monkeypatch.setenv("PROMPTUARY_CODE_SCORERS", "true")
    assert run("eval", "run", suite_of("yes")).code == 0
    assert allowed == [True, False, True]
    served("author")
    result = run("eval", "run", "words", "--allow-code")
    assert (result.code, "--allow-code" in result.error_line, "a server itself decides" in result.error_line) == (
        64,
        True,
        True,
    )


def test_with_a_server_its_worker_executes_the_run(
    run: Run, suite_of: Callable[..., Path], served: UseServer, data_dir: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from promptuary.worker.assembly import build_worker

    suite = suite_of("yes", "no", gate=gate_at_least(0.0))
    monkeypatch.setattr(suite_run, "POLL_SECONDS", 0.05)
    served("ci", "suite:write", "dataset:write")
    stop = threading.Event()
    with restored_process_state(), build_worker(read_settings(data_dir=data_dir)) as worker:
        thread = threading.Thread(target=worker.run, args=(stop,))
        thread.start()
        result = run("eval", "run", suite, "--json", tmp_path / "run.json")
        stop.set()
        thread.join()
    assert result.code == 0, result.err
    written = json.loads((tmp_path / "run.json").read_text())
    assert (written["verdict"], [result["output"] for result in written["results"]]) == ("pass", ["yes", "no"])
    assert written["tracking_id"] is not None
    assert written["tracking_id"] in result.out


def test_a_pipeline_without_a_grant_cannot_bring_its_own_suite(
    run: Run, suite_of: Callable[..., Path], served: UseServer
) -> None:
    suite = suite_of("yes", "no", gate=gate_at_least(0.0))
    served("ci")
    result = run("eval", "run", suite)
    assert (result.code, "--allow dataset:write" in result.error_line) == (64, True)


def test_a_plan_states_the_size_of_a_suite_and_learns_from_its_runs(run: Run, suite_of: Callable[..., Path]) -> None:
    suite = suite_of("yes", "no", "yes", "no", gate=gate_at_least(0.5))
    assumed = run("eval", "plan", suite)
    assert assumed.code == 0
    assert "words: 4 cases × 1 variants × 1 repeats = 4 results" in assumed.out
    assert "no run shows the spread: it is assumed" in assumed.out

    run("eval", "run", suite)
    planned = json.loads(run("eval", "plan", "words", "--effect", "0.2", "--json").out)
    assert planned["pilot"].startswith("run_")
    assert (planned["demands"][0]["source"], planned["demands"][0]["effect"]) == ("pilot", 0.2)
    assert run("eval", "plan", "words", "--power", "2").code == 64


def test_the_weights_of_a_csv_file_reach_the_plan_and_the_figures(
    run: Run, write: Write, suite_of: Callable[..., Path], tmp_path: Path
) -> None:
    suite = suite_of("unused")
    write("evals/words.csv", "id,text,expected,weight\nc1,yes,yes,9\nc2,no,yes,1\nc3,no,yes,\n")
    suite.write_text(suite.read_text().replace("words.jsonl", "words.csv"))
    assert "words: 3 cases (weighted, as 1 of equal weight) × 1 variants" in run("eval", "plan", suite).out

    run("eval", "run", suite, "--json", tmp_path / "report.json")
    report = json.loads((tmp_path / "report.json").read_text())
    interval = report["summary"]["variants"][0]["metrics"]["exact"]["interval"]
    assert (interval["estimate"], interval["n"]) == (pytest.approx(9 / 11), 3)
    assert interval["effective"] == pytest.approx(121 / 83)


def test_every_verdict_has_its_exit_code() -> None:
    assert EXIT_CODES == {"pass": 0, "no gate": 0, "regression": 1, "inconclusive": 2, "infrastructure": 3}
    assert set(EXIT_CODES) == set(Verdict)


def test_a_part_of_the_cases_is_reported_as_no_evidence(run: Run, tmp_path: Path) -> None:
    texts = ("yes", "no", "yes", "yes")
    cases = [{"id": f"c{number}", "vars": {"text": text}, "expected": "yes"} for number, text in enumerate(texts, 1)]
    (tmp_path / "some.jsonl").write_text("".join(json.dumps(case) + "\n" for case in cases))
    (tmp_path / "prompts").mkdir()
    (tmp_path / "prompts" / "some.yaml").write_text("type: text\ntemplate: '{{text}}'\n")
    suite = {"name": "some", "prompt": "some", "dataset": "some.jsonl", "models": ["echo:"]}
    scorers = [{"type": "equals", "value": "{{expected}}", "name": "exact"}]
    path = tmp_path / "some.yaml"
    path.write_text(json.dumps({**suite, "scorers": scorers, "gate": [{"metric": "exact", "every": True}]}))
    command = ("eval", "run", path, "--prompts", tmp_path / "prompts")
    whole = run(*command)
    assert whole.code == 1
    run_id = next(word for word in whole.out.split() if word.startswith("run_"))
    failing = run(*command, "--filter-failing", run_id)
    assert failing.code == 0
    assert f"went through 1 of 4 cases of some v1 only: those that failed in {run_id}" in failing.out
    assert run("eval", "plan", "some", "--json").json["pilot"] == run_id  # the failed cases alone do not vary as all do
    assert "it is no evidence" in failing.out
    assert "verdict: no gate" in failing.out
    assert "went through 2 of 4 cases of some v1 only; so" in run(*command, "--case", "c1", "--case", "c3").out
    assert "a random sample (seed 5)" in run(*command, "--sample", "2", "--seed", "5").out
    assert run(*command, "--case", "c9").code == 64
