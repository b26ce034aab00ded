"""A run as JSON, and results in a temporary file."""

import json
import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest

from promptuary.evaluation.reports.json_report import json_list, json_report
from promptuary.evaluation.reports.reported_result import FailureReason, ReportedResult
from promptuary.evaluation.reports.reported_run import ReportedRun
from promptuary.evaluation.reports.result_spool import spool_results

Values = dict[str, Any]
Make = Callable[..., ReportedResult]


def json_of(run: Values, results: Iterable[ReportedResult]) -> str:
    return "".join(json_report(ReportedRun.from_json(run), results))


def test_the_values_are_those_of_the_run_and_its_results_in_order(run: Values, result_of: Make) -> None:
    results = [result_of("c2", ordinal=0), result_of("c1", passed=False, ordinal=1)]
    text = json_of(run, results)
    report = json.loads(text)
    assert list(report) == ["run", "suite", "verdict", "tracking_id", "summary", "results"]
    assert (report["run"], report["summary"]) == ("run_1", run["summary"])
    assert report["results"][1] == {
        "case": "c1",
        "variant": "v2",
        "repeat": 0,
        "pass": False,
        "score": 0.0,
        "metrics": {"exact": 0.0},
        "output": "yes",
        "error": None,
    }
    assert [result["case"] for result in report["results"]] == ["c2", "c1"]
    assert sum('"case"' in line for line in text.splitlines()) == 2


def test_reasons_and_what_stands_beside_the_output_are_written_where_they_exist(run: Values, result_of: Make) -> None:
    scores = {
        "exact": {"passed": False, "reason": "it is not yes", "error": None},
        "rubric": {"passed": None, "reason": "", "error": "the endpoint answers 400"},
        "fine": {"passed": True, "reason": "good", "error": None},
    }
    calls = [{"name": "f", "args": "{a", "id": "1", "error": "no JSON"}]
    detail = {"scores": scores, "refusal": "No.", "reasoning": "hm", "invalid_tool_calls": calls}
    report = json.loads(json_of(run, [result_of("c1", passed=None, error=None, detail=detail), result_of("c2")]))
    (first, second) = report["results"]
    assert first["failures"] == [
        {"scorer": "exact", "reason": "it is not yes"},
        {"scorer": "rubric", "error": "the endpoint answers 400"},
    ]
    assert (first["refusal"], first["reasoning"], first["invalid_tool_calls"]) == ("No.", "hm", calls)
    assert not {"failures", "refusal", "reasoning", "invalid_tool_calls"} & second.keys()
    assert report["errors"] == [{"scorer": "rubric", "count": 1, "error": "the endpoint answers 400"}]


def test_a_run_without_results_or_summary_is_json_too(failed: Values) -> None:
    report = json.loads(json_of(failed, []))
    assert (report["verdict"], report["summary"], report["results"]) == (None, None, [])


def test_a_lone_surrogate_and_any_other_letter_are_written_unchanged(run: Values, result_of: Make) -> None:
    outputs = ["\ud800 half", "größer 😀 \u2028"]
    text = json_of(run, [result_of("c1", output=output) for output in outputs])
    assert [result["output"] for result in json.loads(text.encode())["results"]] == outputs
    assert "größer 😀" in text


@pytest.mark.parametrize("number", [1, 2, 3])
def test_several_runs_are_a_list_and_a_single_run_is_not(run: Values, result_of: Make, number: int) -> None:
    text = json_of(run, [result_of("c1")])
    reports = json.loads("".join(json_list([text] for _ in range(number))))
    report = json.loads(text)
    assert reports == (report if number == 1 else [report] * number)


def test_spooled_results_can_be_read_repeatedly_and_leave_no_file(result_of: Make) -> None:
    scores = {"exact": {"passed": False, "reason": "not ü"}, "polite": {"passed": True, "reason": "it is"}}
    results = [result_of("c1", output="\ud800 ü", detail={"messages": ["m" * 100], "scores": scores}), result_of("c2")]
    with spool_results(iter(results)) as read_again:
        (path,) = (Path(cell.cell_contents.name) for cell in read_again.__closure__ or ())
        assert path.stat().st_mode & 0o777 == 0o600
        assert "mmm" not in path.read_text()
        first, second = list(read_again()), list(read_again())
        assert first == second == results
        assert [result.output for result in first] == ["\ud800 ü", "yes"]
        assert first[0].failures == (FailureReason("exact", "not ü"),)
    assert not os.path.exists(path)
