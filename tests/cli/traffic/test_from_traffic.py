"""Datasets and runs made of sampled calls by the command line."""

import json
import shutil
from collections.abc import Callable
from contextlib import nullcontext
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import typer

from cli.conftest import Run, unit_of_work_on
from factories.sampled_calls import StoredCall, store_calls_in
from promptuary.cli.evaluation import runs
from promptuary.cli.traffic.periods import since

CALLS = [
    StoredCall("call-1", {"text": "yes"}, "yes", probability=0.1),
    StoredCall("call-2", {"text": "no"}, "yes", conversation="c1"),
    StoredCall("call-3", {"text": "maybe"}, "no", conversation="c2"),
    StoredCall("call-4", None),
]
SUITE = {
    "name": "real",
    "prompt": "word",
    "dataset": "real.jsonl",
    "models": ["echo:"],
    "scorers": [{"type": "equals", "value": "yes", "name": "exact"}],
    "gate": [{"metric": "exact", "not_worse_than": "production", "by": 0.9}],
}


@pytest.fixture
def sampled(data_dir: Path, word: Path) -> None:
    """Put sampled calls of the prompt `word` into the data directory."""
    with unit_of_work_on(data_dir) as unit:
        store_calls_in(unit, datetime.now(UTC) - timedelta(hours=1), CALLS, "word")


@pytest.mark.usefixtures("sampled")
def test_sampled_calls_become_a_dataset(run: Run) -> None:
    result = run("traffic", "to-dataset", "word", "real", "--since", "1d")
    assert result.code == 0, result.err
    assert result.out.splitlines()[0] == (
        "real v1: 3 cases added of 4 sampled calls, 0 inputs in the dataset already; 3 cases in all"
    )
    assert "left out: 1 without variables (call-4)" in result.out
    added = json.loads(run("traffic", "to-dataset", "word", "real", "--json").out)
    assert (added["version"], added["added"], added["present"]) == (1, 0, 3)


@pytest.mark.usefixtures("sampled")
def test_a_dataset_made_of_traffic_is_written_as_a_file_for_suites(run: Run, tmp_path: Path) -> None:
    run("traffic", "to-dataset", "word", "real", "--since", "1d")
    file = tmp_path / "datasets" / "real.jsonl"
    result = run("dataset", "get", "real", "-o", str(file))
    assert (result.code, result.err.strip()) == (0, f"{file}: 3 cases of real v1")
    cases = {case["id"]: case for case in map(json.loads, file.read_text(encoding="utf-8").splitlines())}
    assert cases["call-1"]["vars"] == {"text": "yes"}
    assert cases["call-1"]["weight"] == pytest.approx(10)
    assert run("dataset", "get", "real").out == file.read_text(encoding="utf-8")
    assert [row.split("\t")[:3] for row in run("dataset", "list").out.splitlines()[1:]] == [["real", "1", "3"]]


@pytest.mark.usefixtures("sampled", "mlflow_in_this_process")
def test_a_suite_on_that_file_stores_no_other_version(run: Run, tmp_path: Path) -> None:
    run("traffic", "to-dataset", "word", "real", "--since", "1d")
    run("dataset", "get", "real", "-o", str(tmp_path / "real.jsonl"))
    (tmp_path / "real.yaml").write_text(json.dumps(SUITE | {"gate": []}), encoding="utf-8")
    assert run("eval", "run", str(tmp_path / "real.yaml"), "--candidate", "1").code == 0
    assert json.loads(run("dataset", "list", "--json").out)[0]["version"] == 1


def test_a_dataset_is_written_as_json_lines_only(run: Run, tmp_path: Path) -> None:
    result = run("dataset", "get", "real", "-o", str(tmp_path / "real.csv"))
    assert (result.code, "name a file that ends in .jsonl or .ndjson, not real.csv" in result.err) == (64, True)
    assert run("dataset", "get", "real", "-o", str(tmp_path / "real.jsonl")).code == 64
    assert list(tmp_path.glob("*.jsonl")) == []


@pytest.fixture
def mlflow_in_this_process(data_dir: Path, mlflow_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Put MLflow's database into the data directory, and deliver nothing to it."""
    shutil.copy(mlflow_file, data_dir)
    monkeypatch.setattr(runs, "mlflow_delivery", lambda: nullcontext(None))


@pytest.mark.process
@pytest.mark.usefixtures("sampled", "mlflow_in_this_process")
def test_a_suite_runs_on_sampled_calls(run: Run, write: Callable[[str, str], Path], tmp_path: Path) -> None:
    write("evals/real.jsonl", json.dumps({"id": "c1", "vars": {"text": "yes"}}))
    suite = write("evals/real.yaml", json.dumps(SUITE))
    report, summary = tmp_path / "run.json", tmp_path / "summary.md"
    result = run("eval", "run", suite, "--from-traffic", "7d", "--candidate", "1", "--json", report, "--summary", summary)
    assert result.code in (0, 1, 2), result.err
    assert "replayed 3 of 4 sampled calls of production" in result.out
    body: dict[str, Any] = json.loads(report.read_text())
    assert body["traffic"]["dropped"] == {"without variables": 1}
    assert [variant["name"] for variant in body["summary"]["variants"]] == ["v1", "production"]
    assert "weighted" in summary.read_text()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--from-traffic", "7d", "--case", "c1"), "--from-traffic has sampled calls"),
        (("--traffic-label", "production"), "go with --from-traffic"),
        (("--candidate", "2", "--prompts", "prompts"), "pass one of them"),
        (("--from-traffic", "soon"), "such as 7d"),
    ],
)
def test_options_that_do_not_fit_together_are_refused(run: Run, options: tuple[str, ...], message: str) -> None:
    result = run("eval", "run", "words", *options)
    assert result.code == 64
    assert message in " ".join(result.err.split())


def test_a_time_is_how_long_ago_or_when() -> None:
    ago = datetime.now(UTC) - datetime.fromisoformat(since("2w"))
    assert timedelta(days=13, hours=23) < ago < timedelta(days=14, hours=1)
    assert since("2026-03-01T00:00:00Z") == "2026-03-01T00:00:00+00:00"


@pytest.mark.parametrize("text", ["", "7", "d", "0d", "-1d", "7y", "1.5d", "yesterday", "999999w", "2026-03-01"])
def test_another_time_is_refused(text: str) -> None:
    with pytest.raises(typer.BadParameter):
        since(text)
