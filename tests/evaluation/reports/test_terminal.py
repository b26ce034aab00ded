"""A run's lines on a terminal. Pure."""

from typing import Any

import pytest

from promptuary.evaluation.reports.content import VERDICT_TEXTS
from promptuary.evaluation.reports.html.html_report import html_report
from promptuary.evaluation.reports.json_report import json_report
from promptuary.evaluation.reports.junit import junit_report
from promptuary.evaluation.reports.markdown import markdown_report
from promptuary.evaluation.reports.reported_run import ReportedRun
from promptuary.evaluation.reports.terminal import terminal_lines
from promptuary.statistics.verdict import Verdict

Values = dict[str, Any]


def lines_of(run: Values) -> list[str]:
    return terminal_lines(ReportedRun.from_json(run))


def test_the_lines_show_every_figure_with_its_interval(run: Values) -> None:
    run["summary"]["variants"][0]["errors"] = 2
    assert lines_of(run) == [
        "words  run run_1  40 results",
        "  v2  exact 0.800 [0.600, 0.950]  (2 of 20 without an answer)",
        "  v1  exact 0.800 [0.600, 0.950]",
        "  v2 − v1  exact −0.100 [−0.200, −0.050]",
        "  gate: it reaches 0.500 → pass",
        "  gate: the upper bound is below −0.020 → regression",
        "  verdict: regression (the gate failed: a regression was shown)",
    ]


def test_with_several_scorers_the_share_that_all_pass_is_shown_too(run: Values) -> None:
    run["summary"]["metrics"].insert(1, "polite")
    for variant in run["summary"]["variants"]:
        variant["metrics"]["polite"] = {"interval": None, "scored": 0, "unscored": 20}
    assert "exact 0.800 [0.600, 0.950], pass 0.800 [0.600, 0.950]" in lines_of(run)[1]
    assert [line for line in lines_of(run) if "v2 − v1  pass" in line]


@pytest.mark.parametrize(("p", "text"), [(0.0001, "p < 0.001"), (0.0421, "p = 0.042")])
def test_a_p_value_is_shown_where_there_is_one(run: Values, p: float, text: str) -> None:
    run["summary"]["comparisons"][0]["p_value"] = p
    assert lines_of(run)[3] == f"  v2 − v1  exact −0.100 [−0.200, −0.050]  {text}"


def test_a_run_without_a_summary_states_its_error(failed: Values) -> None:
    assert lines_of(failed) == ["words  run run_2  3 results", "failed: NotFound: it is gone"]


@pytest.mark.parametrize("verdict", Verdict)
def test_every_verdict_is_explained(run: Values, verdict: Verdict) -> None:
    run["verdict"] = verdict
    assert lines_of(run)[-1] == f"  verdict: {verdict} ({VERDICT_TEXTS[verdict]})"


def test_a_run_that_stopped_early_states_it(run: Values) -> None:
    run["summary"]["stopped_early"] = True
    run["total"] = 1200
    assert lines_of(run)[1] == "  stopped after 40 of 1,200 results, as soon as the gate was decided"


@pytest.mark.parametrize("stored", ["no gate", "pass"])  # a pass: as earlier releases stored it
def test_no_report_claims_that_a_missing_gate_is_met(run: Values, stored: str) -> None:
    run["summary"]["gates"] = []
    run["verdict"] = run["summary"]["verdict"] = stored
    reported = ReportedRun.from_json(run)
    reports = {
        "terminal": "\n".join(terminal_lines(reported)),
        "markdown": markdown_report(reported, []),
        "html": "".join(html_report(reported, [])),
        "junit": "".join(junit_report([(reported, lambda: [])])),
        "json": "".join(json_report(reported, [])),
    }
    assert "  verdict: no gate (the suite has no gate, so nothing was demanded)" in reports["terminal"]
    assert "## words: no gate\n\nThe suite has no gate, so nothing was demanded." in reports["markdown"]
    assert '<property name="verdict" value="no gate"/>' in reports["junit"]
    assert '"verdict": "no gate"' in reports["json"]
    assert '<span class="verdict no-gate">' in reports["html"]
    assert not [name for name, text in reports.items() if "gate is met" in text.lower()]


@pytest.mark.parametrize(
    ("versions", "note"),
    [
        (["2.3, stable"], "desk answered as version 2.3, stable"),
        (
            ["2.3", "2.4"],
            "desk answered as the versions 2.3, 2.4: it changed during the run, so the figures describe none of them",
        ),
    ],
)
def test_an_application_changed_only_if_it_stated_several_versions(run: Values, versions: list[str], note: str) -> None:
    run["variants"][0] |= {"name": "desk", "target": "desk"}
    run["summary"]["variants"][0] |= {"name": "desk", "target": "desk", "target_versions": versions}
    assert f"  {note}" in lines_of(run)
