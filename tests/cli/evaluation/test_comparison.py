"""Versions compared in one run, and runs compared with an earlier one: the baselines of `eval run`, and `eval compare`."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from cli.conftest import WORD, Run
from cli.evaluation.conftest import gate_at_least

Write = Callable[[str, str], Path]
# MLflow calls SQLAlchemy in a way that its newest release is going to remove.
pytestmark = [pytest.mark.process, pytest.mark.usefixtures("mlflow_database")]


@pytest.fixture
def better(run: Run, write: Write) -> Path:
    """A folder with a version of `word` that is not registered: it always answers yes."""
    return write("better/word.yaml", json.dumps({**WORD, "template": "yes"})).parent


@pytest.mark.parametrize("baseline", ["production", "1"])
def test_two_versions_answer_the_same_cases(
    run: Run, suite_of: Callable[..., Path], write: Write, tmp_path: Path, baseline: str
) -> None:
    run("push", write("prompts/word.yaml", json.dumps({**WORD, "template": "{{text}}!"})))
    gate = [{"metric": "exact", "not_worse_than": "production", "by": 0.05}]
    arguments = ["eval", "run", suite_of(*["yes"] * 20, gate=gate), "--baseline", baseline, "--json", tmp_path / "run.json"]
    result = run(*arguments)
    assert result.code == 1
    assert [line for line in result.out.splitlines() if line.startswith("  v2 − v1  exact −1.000 [−1.000, ")]
    results = json.loads((tmp_path / "run.json").read_text())["results"]
    assert [(result["variant"], result["output"]) for result in results[:2]] == [("v2", "yes!"), ("v1", "yes")]


@pytest.mark.parametrize("baseline", ["none", "9"])
def test_an_unknown_baseline_is_refused(run: Run, suite_of: Callable[..., Path], baseline: str) -> None:
    result = run("eval", "run", suite_of("yes"), "--baseline", baseline)
    assert (result.code, baseline in result.error_line) == (64, True)
    assert run("eval", "list", "--json").json == []


def test_an_earlier_run_is_a_baseline_too(run: Run, suite_of: Callable[..., Path], better: Path, tmp_path: Path) -> None:
    suite = suite_of("yes", "no", "no")
    run("eval", "run", suite, "--json", tmp_path / "first.json")
    first = json.loads((tmp_path / "first.json").read_text())["run"]
    run("push", better / "word.yaml")
    result = run("eval", "run", "words", "--baseline", first)
    assert result.code == 0
    header, *rows = result.out.splitlines()[-4:]
    assert header.split("\t") == ["metric", "candidate", "baseline", "difference", "interval", "p", "better", "worse", "cases"]
    assert rows[0].split("\t")[3:] == ["+0.667", "95 %: [−0.269, +0.939]", "0.500", "2", "0", "3"]
    paired = "3 cases are paired by content: variables, expected output and checks"
    assert result.out.splitlines()[-5] == paired
    second = run("eval", "list", "--json").json[0]["id"]
    compared = run("eval", "compare", second, first, "--json").json
    assert (compared["run"], compared["baseline"], compared["cases"]) == (second, first, 3)
    assert run("eval", "compare", second, first).out.splitlines() == [paired, header, *rows]


def test_every_report_has_the_comparison_with_an_earlier_run(
    run: Run, suite_of: Callable[..., Path], better: Path, tmp_path: Path
) -> None:
    run("eval", "run", suite_of("yes", "no", "no"), "--json", tmp_path / "first.json")
    first = json.loads((tmp_path / "first.json").read_text())["run"]
    run("push", better / "word.yaml")
    names = {"--json": "r.json", "--summary": "r.md", "--html": "r.html", "--junit": "r.xml"}
    files = [part for option, name in names.items() for part in (option, tmp_path / name)]
    result = run("eval", "run", "words", "--baseline", first, *files)
    assert result.code == 0, result.err
    texts = {name: (tmp_path / name).read_text(encoding="utf-8") for name in names.values()}
    comparison = json.loads(texts.pop("r.json"))["comparison"]
    assert (comparison["baseline"], comparison["cases"]) == (first, 3)
    for name, text in texts.items():
        assert (name, first in text.replace("\\_", "_")) == (name, True)
        assert (name, "+0.667" in text.replace("\\+", "+")) == (name, True)
        assert (name, "paired by content" in text) == (name, True)


def test_versions_are_tried_from_a_folder_without_a_label(run: Run, suite_of: Callable[..., Path], better: Path) -> None:
    suite = suite_of("no", "nay", gate=gate_at_least(0.0))
    result = run("eval", "run", suite, "--prompts", better)
    assert result.code == 0
    assert "  v2  exact 1.000" in result.out
    assert run("prompts", "--json").json[0]["labels"] == {"production": 1}
    assert run("eval", "run", suite, "--prompts", better).code == 0
    assert run("prompts", "--json").json[0]["newest"] == 2
