"""Judges on the command line."""

from pathlib import Path

import pytest

from cli.conftest import Run, unit_of_work_on
from promptuary.evaluation.case import Case
from promptuary.evaluation.datasets.service import DatasetService
from promptuary.evaluation.suites.service import SuiteService
from promptuary.evaluation.suites.suite import Suite

SCORERS = [
    {"type": "llm-rubric", "value": "is polite", "model": "openai:judge", "name": name, "threshold": threshold}
    for name, threshold in (("polite", 0.5), ("kind", 0.8))
]


@pytest.fixture
def suite(word: Path, data_dir: Path) -> None:
    """The suite `words` with two judges."""
    with unit_of_work_on(data_dir) as unit:
        DatasetService(unit).put_version("words", [Case("c1", {"text": "yes"}, "yes")])
        body = {"name": "words", "prompt": "word", "dataset": "words", "models": ["echo:"], "scorers": SCORERS}
        SuiteService(unit).put(Suite.model_validate(body))


@pytest.mark.usefixtures("suite")
def test_judges_are_listed_with_the_labels_that_are_needed(run: Run) -> None:
    header, *rows = run("eval", "judges").out.splitlines()
    assert header.split("\t")[:5] == ["metric", "model", "rubric", "licence", "labels"]
    assert [row.split("\t")[0] for row in rows] == ["kind", "polite"]
    assert rows[0].split("\t")[3:5] == ["30 labels needed", "0"]


@pytest.mark.usefixtures("suite")
def test_the_judges_of_a_metric_are_a_calibration_each(run: Run) -> None:
    (calibration,) = run("eval", "judges", "polite", "--json").json
    assert (calibration["metric"], calibration["rubric"], calibration["confusion"]) == ("polite", "is polite", None)
    assert run("eval", "judges", "none").err.strip() == "no suite has a judge of 'none'"


def test_a_project_without_a_judge_says_so(run: Run, data_dir: Path) -> None:
    assert run("eval", "judges").err.strip() == "no suite has a judge"
