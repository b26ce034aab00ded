"""A run as JSON, and results kept in a file meanwhile."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from promptuary.evaluation.reports.json_report import json_list, json_report
from promptuary.evaluation.reports.result_spool import spool_results

Values = dict[str, Any]
Make = Callable[..., Values]


def test_the_values_are_the_runs_and_its_results_in_their_order(run: Values, result_of: Make) -> None:
    results = [result_of("c2", ordinal=0), result_of("c1", passed=False, ordinal=1)]
    text = "".join(json_report(run, results))
    told = json.loads(text)
    assert list(told) == ["run", "suite", "verdict", "tracking_id", "summary", "results"]
    assert (told["run"], told["summary"]) == ("run_1", run["summary"])
    assert told["results"][1] == {
        "case": "c1",
        "variant": "v2",
        "repeat": 0,
        "pass": False,
        "score": 0.0,
        "metrics": {"exact": 0.0},
        "output": "yes",
        "error": None,
    }
    assert [one["case"] for one in told["results"]] == ["c2", "c1"]
    assert sum('"case"' in line for line in text.splitlines()) == 2


def test_a_run_without_results_or_summary_is_json_too(failed: Values) -> None:
    told = json.loads("".join(json_report(failed, [])))
    assert (told["verdict"], told["summary"], told["results"]) == (None, None, [])


def test_half_of_a_pair_and_any_other_letter_come_back_as_they_were(run: Values, result_of: Make) -> None:
    outputs = ["\ud800 half", "größer 😀 \u2028"]
    text = "".join(json_report(run, [result_of("c1", output=output) for output in outputs]))
    assert [one["output"] for one in json.loads(text.encode())["results"]] == outputs
    assert "größer 😀" in text


@pytest.mark.parametrize("number", [1, 2, 3])
def test_several_runs_are_a_list_and_one_is_itself(run: Values, result_of: Make, number: int) -> None:
    told = json.loads("".join(json_list(json_report(run, [result_of("c1")]) for _ in range(number))))
    one = json.loads("".join(json_report(run, [result_of("c1")])))
    assert told == (one if number == 1 else [one] * number)


def test_results_in_a_spool_can_be_read_again_and_again_and_leave_nothing(result_of: Make, tmp_path: Path) -> None:
    detail = {"messages": ["m" * 100], "scores": {"exact": {"passed": True}}}
    results = [result_of("c1", output="\ud800 ü", detail=detail), result_of("c2")]
    with spool_results(iter(results)) as again:
        (path,) = (Path(cell.cell_contents.name) for cell in again.__closure__ or ())
        assert path.stat().st_mode & 0o777 == 0o600
        first, second = list(again()), list(again())
        assert first == second
        assert [one["output"] for one in first] == ["\ud800 ü", "yes"]
        assert [one["detail"] for one in first if "detail" in one] == [{"scores": detail["scores"]}]
    assert not os.path.exists(path)
