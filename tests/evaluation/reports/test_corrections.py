"""A judge's figures beside corrected ones, in every report."""

from typing import Any

import pytest

from promptuary.evaluation.reports.html.html_report import html_report
from promptuary.evaluation.reports.json_report import json_report
from promptuary.evaluation.reports.junit import junit_report
from promptuary.evaluation.reports.markdown import markdown_report
from promptuary.evaluation.reports.reported_run import ReportedRun
from promptuary.evaluation.reports.terminal import terminal_lines

Values = dict[str, Any]
INTERVAL = {"estimate": 0.9, "low": 0.8, "high": 0.95, "level": 0.95, "method": "t", "n": 60, "clusters": None}
CORRECTED = {**INTERVAL, "estimate": 0.7, "low": 0.6, "high": 0.8}


@pytest.fixture
def judged(run: Values) -> ReportedRun:
    """A run whose gate needs labels, as labels of now decide it."""
    judge = {
        "metric": "exact",
        "digest": "sha256:j",
        "model": "local:m",
        "state": "valid",
        "labels": 60,
        "sensitivity": INTERVAL,
        "kappa": {"value": 0.5, "reason": None, "low": 0.3, "high": 0.7},
    }
    corrections = [
        {
            "metric": "exact",
            "variant": "v2",
            "raw": INTERVAL,
            "corrected": CORRECTED,
            "tuning": 0.8,
            "labels": 60,
            "effective_labels": 91.7,
            "labels_to_halve": 240,
        },
        {"metric": "exact", "variant": "v1", "raw": INTERVAL, "labels": 12, "missing": 18, "reason": "12 outputs are labelled"},
    ]
    gate = {**run["summary"]["gates"][0], "sentence": "corrected by 60 labels", "corrected": True}
    later = {"verdict": "pass", "gates": [gate], "judges": [judge], "corrections": corrections}
    return ReportedRun.from_json(run, later)


LINES = (
    "judge of exact (local:m): compared with 60 labels of people, sensitivity 0.900 [0.800, 0.950], κ 0.500 [0.300, 0.700]",
    "exact of v2  judge alone 0.900 [0.800, 0.950]; corrected 0.700 [0.600, 0.800] by 60 labels, worth 92; "
    "240 more would halve the interval",
    "exact of v1  judge alone 0.900 [0.800, 0.950]; not corrected: 12 outputs are labelled; 18 labels are missing",
    "labels that came after the run lead to the verdict pass: corrected by 60 labels",
)


def test_a_terminal_shows_both_figures(judged: ReportedRun) -> None:
    lines = terminal_lines(judged)
    for line in LINES:
        assert f"  {line}" in lines


def test_junit_has_both_figures_in_the_suites_output(judged: ReportedRun) -> None:
    text = "".join(junit_report([(judged, lambda: iter(()))]))
    for line in LINES:
        assert line in text.split("<system-out>")[1]


def test_markdown_and_html_have_a_table_of_both_figures(judged: ReportedRun) -> None:
    markdown, html = markdown_report(judged, []), "".join(html_report(judged, []))
    assert "| v2 | exact | 0.900 \\[0.800, 0.950\\] | 0.700 \\[0.600, 0.800\\] | 60 | 92 | 240 more |  |" in markdown
    for text in ("0.700 [0.600, 0.800]", "240 more", "12 outputs are labelled; 18 labels are missing", LINES[-1]):
        assert text in html


def test_json_has_the_figures_of_now(judged: ReportedRun) -> None:
    assert '"labels_to_halve": 240' in "".join(json_report(judged, []))
