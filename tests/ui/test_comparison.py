"""Two runs beside each other: differences, which cases changed, and both answers word by word."""

from collections.abc import Callable
from typing import Any

import pytest

from factories.runs import (
    COMPARISON,
    FINISHED,
    HOSTILE,
    INTERVAL,
    RESULTS,
    RUN,
    SPREAD,
    SUMMARY,
    Requests,
    click_button,
    page_of,
    run_responses,
)

Shown = Callable[[Any], str]
OLD = "run_0"
AGAINST = {**COMPARISON, "baseline": f"v2 of {OLD}"}


@pytest.fixture
def answers() -> dict[str, Any]:
    """What the API answers by path; a test may change it."""
    earlier = {**FINISHED, "id": OLD, "summary": SUMMARY, "variants": [{"name": "v2"}]}
    compared = {"run": RUN, "baseline": OLD, "same_dataset": True, "cases": 8, "comparisons": [AGAINST]}
    return run_responses() | {
        "/v1/runs": page_of([FINISHED, earlier]),
        f"/v1/runs/{OLD}": earlier,
        f"/v1/runs/{OLD}/distribution": SPREAD,
        f"/v1/runs/{RUN}/compare": compared,
        f"/v1/runs/{OLD}/results": page_of([{**RESULTS[0], "output": "as it was before"}]),
    }


def test_a_run_offers_the_suites_other_finished_runs_to_be_compared_with(opened: Any, requests: Requests) -> None:
    page = opened("runs", run=RUN)
    choice = next(found for found in page.selectbox if found.label == "Against the run of")
    assert [option.split(" · ")[0] for option in choice.options] == ["2026-03-02 12:00 UTC"]
    offered = next(request for request in requests if request.url.path == "/v1/runs")
    assert dict(offered.url.params) == {"limit": "50", "suite": "triage", "state": "finished"}
    click_button(page, "Compare both")
    assert (page.query_params["run"], page.query_params["baseline"]) == (RUN, OLD)


def test_two_runs_show_differences_and_which_cases_got_better_and_worse(opened: Any, shown: Shown) -> None:
    page = opened("runs", run=RUN, baseline=OLD)
    differences, worse, better = (frame.value for frame in page.dataframe)
    assert list(differences["difference"]) == ["−0.500  [−0.750, +0.250]"]
    assert (list(worse["case"]), list(better["case"])) == (["b", "c"], ["a"])
    assert "**Worse: 2**" in shown(page)
    assert len(page.get("vega_lite_chart")) == 1


def test_lists_that_are_cut_tell_how_many_there_are(opened: Any, shown: Shown, answers: dict[str, Any]) -> None:
    answers[f"/v1/runs/{RUN}/compare"]["comparisons"] = [{**AGAINST, "worse_in_all": 12_000}]
    page = opened("runs", run=RUN, baseline=OLD)
    assert "**Worse: 12,000**" in shown(page)
    assert "The first 2 are listed." in shown(page)
    assert list(page.dataframe[0].value["worse"]) == [12_000]


def test_runs_on_different_cases_are_told_as_that(opened: Any, answers: dict[str, Any]) -> None:
    answers[f"/v1/runs/{RUN}/compare"]["same_dataset"] = False
    assert "the 8 cases that both have" in opened("runs", run=RUN, baseline=OLD).warning[0].value


def test_a_case_shows_both_answers_word_by_word_and_as_text(opened: Any, shown: Shown) -> None:
    page = opened("runs", run=RUN, baseline=OLD, case="a")
    marked = {
        colour: next(f.value for f in page.markdown if f":{colour}-background[" in f.value) for colour in ("red", "green")
    }
    assert marked["red"] == ":red-background[as it was before]"
    assert HOSTILE not in shown(page)
    assert "\\<b\\>" in marked["green"]
    assert "baseline\\: v2" in shown(page)


def test_a_case_that_one_run_has_not_got_is_told(opened: Any, shown: Shown, answers: dict[str, Any]) -> None:
    answers[f"/v1/runs/{OLD}/results"] = page_of([])
    assert "One of the runs has no result" in shown(opened("runs", run=RUN, baseline=OLD, case="a"))


def test_comparing_is_asked_for_once(opened: Any, requests: Requests) -> None:
    page = opened("runs", run=RUN, baseline=OLD)
    page.run()
    assert len([request for request in requests if request.url.path.endswith("/compare")]) == 1


def test_both_can_be_turned_round_and_left(opened: Any, answers: dict[str, Any]) -> None:
    answers[f"/v1/runs/{OLD}/compare"] = answers[f"/v1/runs/{RUN}/compare"]
    page = click_button(opened("runs", run=RUN, baseline=OLD, case="a"), "Turn round")
    assert (page.query_params["run"], page.query_params["baseline"]) == (OLD, RUN)
    click_button(page, "The run alone")
    assert page.query_params["run"] == OLD
    assert "baseline" not in page.query_params
    assert "case" not in page.query_params


def test_a_run_is_not_compared_with_itself(opened: Any, shown: Shown) -> None:
    assert "does not differ from itself" in shown(opened("runs", run=RUN, baseline=RUN))


def test_several_comparisons_are_chosen_by_metric_and_sides(opened: Any, answers: dict[str, Any]) -> None:
    other = {**AGAINST, "candidate": "v3", "interval": INTERVAL, "better": [], "worse": []}
    answers[f"/v1/runs/{RUN}/compare"]["comparisons"].append(other)
    page = opened("runs", run=RUN, baseline=OLD)
    choice = next(found for found in page.selectbox if found.label == "By the metric")
    assert choice.options == [f"exact: v2 − v2 of {OLD}", f"exact: v3 − v2 of {OLD}"]
