"""Two runs beside each other: differences, which cases changed, and both outputs word by word."""

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

PageText = Callable[[Any], str]
OLD = "run_0"
AGAINST = {**COMPARISON, "baseline": f"v2 of {OLD}"}


@pytest.fixture
def responses() -> dict[str, Any]:
    """The API's responses by path; a test may change it."""
    earlier = {**FINISHED, "id": OLD, "summary": SUMMARY, "variants": [{"name": "v2"}]}
    compared = {"run": RUN, "baseline": OLD, "same_dataset": True, "cases": 8, "comparisons": [AGAINST]}
    return run_responses() | {
        "/v1/runs": page_of([FINISHED, earlier]),
        f"/v1/runs/{OLD}": earlier,
        f"/v1/runs/{OLD}/distribution": SPREAD,
        f"/v1/runs/{RUN}/compare": compared,
        f"/v1/runs/{OLD}/results": page_of([{**RESULTS[0], "output": "as it was before"}]),
    }


def test_a_run_offers_the_suites_other_finished_runs_to_be_compared_with(open_page: Any, requests: Requests) -> None:
    page = open_page("runs", run=RUN)
    choice = next(element for element in page.selectbox if element.label == "Baseline run")
    assert [option.split(" · ")[0] for option in choice.options] == ["2026-03-02 12:00 UTC"]
    offered = next(request for request in requests if request.url.path == "/v1/runs")
    assert dict(offered.url.params) == {"limit": "50", "suite": "triage", "state": "finished"}
    click_button(page, "Compare runs")
    assert (page.query_params["run"], page.query_params["baseline"]) == (RUN, OLD)


def test_two_runs_show_differences_and_which_cases_got_better_and_worse(open_page: Any, page_text: PageText) -> None:
    page = open_page("runs", run=RUN, baseline=OLD)
    differences, worse, better = (frame.value for frame in page.dataframe)
    assert list(differences["difference"]) == ["−0.500  [−0.750, +0.250]"]
    assert (list(worse["case"]), list(better["case"])) == (["b", "c"], ["a"])
    assert "**Worse: 2**" in page_text(page)
    assert len(page.get("vega_lite_chart")) == 1


def test_lists_that_are_cut_show_how_many_there_are(open_page: Any, page_text: PageText, responses: dict[str, Any]) -> None:
    responses[f"/v1/runs/{RUN}/compare"]["comparisons"] = [{**AGAINST, "worse_in_all": 12_000}]
    page = open_page("runs", run=RUN, baseline=OLD)
    assert "**Worse: 12,000**" in page_text(page)
    assert "The first 2 are listed." in page_text(page)
    assert list(page.dataframe[0].value["worse"]) == [12_000]


def test_runs_on_different_cases_show_a_warning(open_page: Any, responses: dict[str, Any]) -> None:
    responses[f"/v1/runs/{RUN}/compare"]["same_dataset"] = False
    assert "the 8 cases that both have" in open_page("runs", run=RUN, baseline=OLD).warning[0].value


def test_cases_that_are_not_paired_are_listed_with_the_reason(open_page: Any, responses: dict[str, Any]) -> None:
    compared = responses[f"/v1/runs/{RUN}/compare"]
    compared["same_dataset"] = False
    compared["unpaired"] = [
        {"run": RUN, "reason": "other_variables", "cases": 7, "examples": ["1", "2"]},
        {"run": OLD, "reason": "absent", "cases": 1, "examples": ["9"]},
    ]
    page = open_page("runs", run=RUN, baseline=OLD)
    rows = next(frame.value for frame in page.dataframe if "first cases" in frame.value)
    assert rows.to_numpy().tolist() == [
        ["This run", "other variables under the same id", 7, "1, 2"],
        ["Baseline", "no such case", 1, "9"],
    ]


def test_a_renamed_case_is_requested_by_the_baselines_id(open_page: Any, responses: dict[str, Any], requests: Requests) -> None:
    responses[f"/v1/runs/{RUN}/compare"]["renamed"] = {"a": "17"}
    open_page("runs", run=RUN, baseline=OLD, case="a")
    requested = {request.url.path: request.url.params["case"] for request in requests if request.url.path.endswith("/results")}
    assert requested == {f"/v1/runs/{RUN}/results": "a", f"/v1/runs/{OLD}/results": "17"}


def test_another_case_under_the_same_id_is_not_shown_as_a_pair(open_page: Any, responses: dict[str, Any]) -> None:
    responses[f"/v1/runs/{OLD}/results"] = page_of([{**RESULTS[0], "vars": {"ticket": "another question"}}])
    page = open_page("runs", run=RUN, baseline=OLD, case="a")
    assert "another case under this id" in page.info[0].value


def test_a_case_shows_both_outputs_word_by_word_and_as_text(open_page: Any, page_text: PageText) -> None:
    page = open_page("runs", run=RUN, baseline=OLD, case="a")
    marked = {
        colour: next(f.value for f in page.markdown if f":{colour}-background[" in f.value) for colour in ("red", "green")
    }
    assert marked["red"] == ":red-background[as it was before]"
    assert HOSTILE not in page_text(page)
    assert "\\<b\\>" in marked["green"]
    assert "baseline\\: v2" in page_text(page)


def test_a_case_without_results_in_one_run_is_reported(open_page: Any, page_text: PageText, responses: dict[str, Any]) -> None:
    responses[f"/v1/runs/{OLD}/results"] = page_of([])
    assert "One of the runs has no result" in page_text(open_page("runs", run=RUN, baseline=OLD, case="a"))


def test_a_comparison_is_requested_once(open_page: Any, requests: Requests) -> None:
    page = open_page("runs", run=RUN, baseline=OLD)
    page.run()
    assert len([request for request in requests if request.url.path.endswith("/compare")]) == 1


def test_both_runs_can_be_swapped_and_left(open_page: Any, responses: dict[str, Any]) -> None:
    responses[f"/v1/runs/{OLD}/compare"] = responses[f"/v1/runs/{RUN}/compare"]
    page = click_button(open_page("runs", run=RUN, baseline=OLD, case="a"), "Swap")
    assert (page.query_params["run"], page.query_params["baseline"]) == (OLD, RUN)
    click_button(page, "This run only")
    assert page.query_params["run"] == OLD
    assert "baseline" not in page.query_params
    assert "case" not in page.query_params


def test_a_run_is_not_compared_with_itself(open_page: Any, page_text: PageText) -> None:
    assert "does not differ from itself" in page_text(open_page("runs", run=RUN, baseline=RUN))


def test_several_comparisons_are_chosen_by_metric_and_sides(open_page: Any, responses: dict[str, Any]) -> None:
    other = {**AGAINST, "candidate": "v3", "interval": INTERVAL, "better": [], "worse": []}
    responses[f"/v1/runs/{RUN}/compare"]["comparisons"].append(other)
    page = open_page("runs", run=RUN, baseline=OLD)
    choice = next(element for element in page.selectbox if element.label == "Metric")
    assert choice.options == [f"exact: v2 − v2 of {OLD}", f"exact: v3 − v2 of {OLD}"]
