"""The runs pages: the list, and one run with its figures, in front of answers as the API gives them."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from factories.runs import (
    COMPARISON,
    FINISHED,
    HEAD,
    RUN,
    RUNNING,
    SUMMARY,
    Requests,
    click_button,
    last_query,
    page_of,
    run_responses,
)

Shown = Callable[[Any], str]


@pytest.fixture
def answers() -> dict[str, Any]:
    """What the API answers by path; a test may change it."""
    return run_responses()


def test_runs_are_listed_with_all_that_tells_them_apart_and_lead_to_one(opened: Any, shown: Shown) -> None:
    page = opened("runs")
    for text in ("**triage**", "support\\.triage v2 against v1", "nightly", "inconclusive", "ci", "16 results", "1 min 5 s"):
        assert text in shown(page)
    assert "\\$0\\.50" in shown(page)
    click_button(page, "Open")
    assert page.query_params["run"] == RUN


def test_runs_are_chosen_by_suite_state_and_verdict(opened: Any, shown: Shown, requests: Requests, answers: Any) -> None:
    page = opened("runs")
    assert last_query(requests, "/v1/runs") == {"limit": "20"}
    for number, choice in enumerate(("triage", "finished", "regression")):
        page.selectbox[number].select(choice).run()
    answers["/v1/runs"] = page_of([])
    assert last_query(requests, "/v1/runs") == {"limit": "20", "suite": "triage", "state": "finished", "verdict": "regression"}
    assert "No run is like that." in shown(page.run())


def test_the_list_is_paged_on_and_back_and_a_new_choice_begins_anew(opened: Any, requests: Requests, answers: Any) -> None:
    answers["/v1/runs"] = lambda request: page_of([FINISHED], None if "cursor" in request.url.params else "next")
    page = click_button(opened("runs"), "Next")
    assert last_query(requests, "/v1/runs")["cursor"] == "next"
    click_button(page, "Previous")
    assert "cursor" not in last_query(requests, "/v1/runs")
    click_button(page, "Next").selectbox[0].select("triage").run()
    assert "cursor" not in last_query(requests, "/v1/runs")


def test_open_alerts_are_told_above_the_runs(opened: Any, shown: Shown, answers: dict[str, Any]) -> None:
    alert = {"id": 1, "schedule": "s", "suite": "t", "run": RUN, "model": "m", "metric": "x", "sentence": "y"}
    answers["/v1/alerts"] = page_of([{**alert, "at": "2026-03-02T12:00:00Z"}])
    assert "1 open alert, under Schedules" in shown(opened("runs"))


def test_without_runs_the_page_says_how_to_begin(opened: Any, shown: Shown, answers: dict[str, Any]) -> None:
    answers["/v1/runs"] = page_of([])
    assert "promptuary eval run" in shown(opened("runs"))


def test_a_run_begins_with_its_summary_whatever_another_showed(opened: Any, answers: dict[str, Any]) -> None:
    answers["/v1/runs/run_2"] = answers[f"/v1/runs/{RUN}"] | {"id": "run_2"}
    answers["/v1/runs/run_2/distribution"] = answers[f"/v1/runs/{RUN}/distribution"]
    page = opened("runs", run=RUN, view="Cases")
    assert not page.get("vega_lite_chart")
    click_button(page, "All runs")
    assert dict(page.query_params) == {}
    page.query_params["run"] = "run_2"
    assert page.run().get("vega_lite_chart")


def test_a_refusal_is_told_in_the_lists_place(opened: Any, answers: dict[str, Any]) -> None:
    answers["/v1/runs"] = 500
    assert [found.value for found in opened("runs").error] == ["It cannot be done\\."]


def test_a_run_shows_intervals_differences_and_the_gates_sentence(opened: Any, shown: Shown) -> None:
    page = opened("runs", run=RUN)
    variants, differences, took = (frame.value for frame in page.dataframe[:3])
    assert list(variants["exact"]) == ["0.750  [0.625, 0.875]", "not known"]
    assert list(differences["difference"]) == ["−0.500  [−0.750, +0.250]"]
    assert (list(differences["better"]), list(differences["worse"])) == ([1], [2])
    assert "p" not in differences
    assert list(took.iloc[0]) == ["v2", "8", "1", "0", "120 ms", "2.4 s", "1,200", "300", "$0.0123"]
    assert list(took["cost"])[1] == "not known"
    assert r"exact of v2 is \*0\.750\*" in shown(page)


def test_p_values_are_shown_where_the_api_gives_them(opened: Any, answers: dict[str, Any]) -> None:
    tested = SUMMARY | {"comparisons": [COMPARISON | {"p_value": 0.0004, "adjusted": 0.0321}]}
    answers[f"/v1/runs/{RUN}"] = {**FINISHED, "summary": tested}
    differences = opened("runs", run=RUN).dataframe[1].value
    assert (list(differences["p"]), list(differences["p, adjusted"])) == (["< 0.001"], ["0.032"])


def test_a_runs_plots_have_the_figures_the_gates_line_and_words_for_them(opened: Any) -> None:
    plots = [found.proto for found in opened("runs", run=RUN).get("vega_lite_chart")]
    assert [json.loads(plot.spec)["title"] for plot in plots] == [
        "Means, with 95% intervals",
        "Paired differences, with 95% intervals",
        "How the scores lie",
        "Means by cluster, the largest first",
    ]
    marks = [layer["mark"]["type"] for layer in json.loads(plots[0].spec)["layer"]]
    assert marks == ["rule", "point", "tick"]
    assert "exact of v2: 0.750" in plots[0].alt
    assert not [plot for plot in plots if "http" in plot.spec.replace("https://vega.github.io/schema", "")]


def test_a_run_that_stopped_early_says_so(opened: Any, shown: Shown, answers: dict[str, Any]) -> None:
    answers[f"/v1/runs/{RUN}"] = {**FINISHED, "summary": SUMMARY | {"stopped_early": True, "metrics_left_out": 3}}
    told = shown(opened("runs", run=RUN))
    assert "stopped early" in told
    assert "3 more metrics" in told


def test_a_run_under_way_shows_how_far_it_is_and_can_be_stopped_once_it_is_confirmed(
    opened: Any, shown: Shown, requests: Requests, answers: dict[str, Any]
) -> None:
    answers[f"/v1/runs/{RUN}"] = {**RUNNING, "summary": None}
    answers[f"/v1/runs/{RUN}/results"] = page_of([])
    page = opened("runs", scopes=("run:write",), run=RUN)
    assert [found.proto.text for found in page.get("progress")] == ["4 of 16 results · \\$0\\.50"]
    assert "The figures come when the run is finished" in shown(page)
    click_button(page, "Stop the run")
    assert [request.url.path for request in requests if request.method == "POST"] == [f"/v1/runs/{RUN}/cancel"]
    assert "The run is stopped" in shown(page)
    assert "Stop the run" not in [found.label for found in opened("runs", scopes=("run:read",), run=RUN).button]


def test_a_stop_that_is_refused_is_told(opened: Any, shown: Shown, answers: dict[str, Any]) -> None:
    answers[f"/v1/runs/{RUN}"] = {**RUNNING, "summary": None}
    answers[f"/v1/runs/{RUN}/cancel"] = 409
    page = opened("runs", scopes=("run:write",), run=RUN)
    assert "It cannot be done" in shown(click_button(page, "Stop the run"))


def test_a_run_that_failed_says_why(opened: Any, shown: Shown, answers: dict[str, Any]) -> None:
    answers[f"/v1/runs/{RUN}"] = {**HEAD, "state": "failed", "error": "the model is away", "summary": None}
    assert "the model is away" in shown(opened("runs", run=RUN))
    assert "has no figures" in shown(opened("runs", run=RUN))
