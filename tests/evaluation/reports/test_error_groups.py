"""Errors of results, grouped for people, and where every report shows them. Pure."""

from collections.abc import Callable
from typing import Any

from promptuary.evaluation.reports.error_groups import SHOWN, ErrorGroups, shown_groups
from promptuary.evaluation.reports.html.html_report import html_report
from promptuary.evaluation.reports.junit import junit_report
from promptuary.evaluation.reports.markdown import markdown_report
from promptuary.evaluation.reports.reported_result import ReportedResult
from promptuary.evaluation.reports.reported_run import ReportedRun
from promptuary.evaluation.reports.terminal import terminal_lines

Make = Callable[..., ReportedResult]
REFUSED = "the endpoint http://127.0.0.1:{}/v1 answers {}: the id 'req_{}' is odd (0x{}ab)"


def with_error(result_of: Make, error: str, number: int = 0, scorer: str = "rubric") -> ReportedResult:
    scores = {scorer: {"passed": None, "reason": "", "error": error}}
    return result_of(f"c{number}", passed=None, error=None, output="yes", detail={"scores": scores})


def test_errors_that_differ_in_ids_and_figures_are_one_kind(result_of: Make) -> None:
    results = [with_error(result_of, REFUSED.format(8000 + number, 400, number, number), number) for number in range(40)]
    results += [with_error(result_of, REFUSED.format(8000, 429, 1, 1), 50), with_error(result_of, "odd", 51, scorer="exact")]
    results.append(result_of("c60", passed=None, error="no response within 30 seconds"))
    groups = ErrorGroups(results).ranked()
    assert [(group.scorer, group.count) for group in groups] == [("rubric", 40), ("rubric", 1), ("exact", 1), ("output", 1)]
    assert str(groups[0]) == f"rubric: 40 × {REFUSED.format(8000, 400, 0, 0)}"


def test_a_reason_of_a_failed_case_is_no_error(result_of: Make) -> None:
    scores = {"exact": {"passed": False, "reason": "it is not yes", "error": None}}
    assert ErrorGroups([result_of("c1", passed=False, detail={"scores": scores})]).ranked() == []


def test_many_kinds_are_shown_up_to_a_limit(result_of: Make) -> None:
    results = [with_error(result_of, f"odd {'x' * number}", number) for number in range(SHOWN + 3)]
    lines = shown_groups(ErrorGroups(results).ranked())
    assert (len(lines), lines[-1]) == (SHOWN + 1, "and 3 more kinds of errors")


def test_every_report_shows_why_a_scorer_failed(run: dict[str, Any], result_of: Make) -> None:
    results = [with_error(result_of, "the endpoint answers 400: <b>", number) for number in range(3)]
    reported, groups = ReportedRun.from_json(run), ErrorGroups(results).ranked()
    assert "  error: rubric: 3 × the endpoint answers 400: <b>" in terminal_lines(reported, groups)
    assert "- rubric\\: 3 × the endpoint answers 400\\: \\<b\\>" in markdown_report(reported, results)
    html = "".join(html_report(reported, results))
    assert "rubric: 3 × the endpoint answers 400: &lt;b&gt;" in html
    assert html.count("rubric: the endpoint answers 400: &lt;b&gt;") == 3
    junit = "".join(junit_report([(reported, lambda: results)]))
    assert junit.count('<error message="rubric: the endpoint answers 400: &lt;b&gt;">') == 3
