"""The runs pages: the list, and one run with its figures, in front of responses of the API."""

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

PageText = Callable[[Any], str]


@pytest.fixture
def responses() -> dict[str, Any]:
    """The API's responses by path; a test may change it."""
    return run_responses()


def test_runs_are_listed_with_their_facts_and_lead_to_one(open_page: Any, page_text: PageText) -> None:
    page = open_page("runs")
    for text in ("**triage**", "support\\.triage v2 against v1", "nightly", "inconclusive", "ci", "16 results", "1 min 5 s"):
        assert text in page_text(page)
    assert "\\$0\\.50" in page_text(page)
    click_button(page, "Open")
    assert page.query_params["run"] == RUN


def test_runs_are_chosen_by_suite_state_and_verdict(
    open_page: Any, page_text: PageText, requests: Requests, responses: Any
) -> None:
    page = open_page("runs")
    assert last_query(requests, "/v1/runs") == {"limit": "20"}
    for number, choice in enumerate(("triage", "finished", "regression")):
        page.selectbox[number].select(choice).run()
    responses["/v1/runs"] = page_of([])
    assert last_query(requests, "/v1/runs") == {"limit": "20", "suite": "triage", "state": "finished", "verdict": "regression"}
    assert "No run matches the filters." in page_text(page.run())


def test_the_list_has_pages_and_a_new_filter_begins_at_the_first(open_page: Any, requests: Requests, responses: Any) -> None:
    responses["/v1/runs"] = lambda request: page_of([FINISHED], None if "cursor" in request.url.params else "next")
    page = click_button(open_page("runs"), "Next")
    assert last_query(requests, "/v1/runs")["cursor"] == "next"
    click_button(page, "Previous")
    assert "cursor" not in last_query(requests, "/v1/runs")
    click_button(page, "Next").selectbox[0].select("triage").run()
    assert "cursor" not in last_query(requests, "/v1/runs")


def test_open_alerts_are_shown_above_the_runs(open_page: Any, page_text: PageText, responses: dict[str, Any]) -> None:
    alert = {"id": 1, "schedule": "s", "suite": "t", "run": RUN, "model": "m", "metric": "x", "sentence": "y"}
    responses["/v1/alerts"] = page_of([{**alert, "at": "2026-03-02T12:00:00Z"}])
    assert "1 open alert, under Schedules" in page_text(open_page("runs"))


def test_without_runs_the_page_shows_how_to_begin(open_page: Any, page_text: PageText, responses: dict[str, Any]) -> None:
    responses["/v1/runs"] = page_of([])
    assert "promptuary eval run" in page_text(open_page("runs"))


def test_a_run_begins_with_its_summary_whatever_another_showed(open_page: Any, responses: dict[str, Any]) -> None:
    responses["/v1/runs/run_2"] = responses[f"/v1/runs/{RUN}"] | {"id": "run_2"}
    responses["/v1/runs/run_2/distribution"] = responses[f"/v1/runs/{RUN}/distribution"]
    page = open_page("runs", run=RUN, view="Cases")
    assert not page.get("vega_lite_chart")
    click_button(page, "All runs")
    assert dict(page.query_params) == {}
    page.query_params["run"] = "run_2"
    assert page.run().get("vega_lite_chart")


def test_an_api_error_is_shown_in_place_of_the_list(open_page: Any, responses: dict[str, Any]) -> None:
    responses["/v1/runs"] = 500
    assert [element.value for element in open_page("runs").error] == ["The action is not possible\\."]


def test_a_run_shows_intervals_differences_and_the_gates_sentence(open_page: Any, page_text: PageText) -> None:
    page = open_page("runs", run=RUN)
    variants, differences, took = (frame.value for frame in page.dataframe[:3])
    assert list(variants["exact"]) == ["0.750  [0.625, 0.875]", "not known"]
    assert list(differences["difference"]) == ["−0.500  [−0.750, +0.250]"]
    assert (list(differences["better"]), list(differences["worse"])) == ([1], [2])
    assert "p" not in differences
    assert list(took.iloc[0]) == ["v2", "8", "1", "0", "120 ms", "2.4 s", "1,200", "300", "$0.0123"]
    assert list(took["cost"])[1] == "not known"
    assert r"exact of v2 is \*0\.750\*" in page_text(page)


def test_p_values_are_shown_where_the_api_gives_them(open_page: Any, responses: dict[str, Any]) -> None:
    tested = SUMMARY | {"comparisons": [COMPARISON | {"p_value": 0.0004, "adjusted": 0.0321}]}
    responses[f"/v1/runs/{RUN}"] = {**FINISHED, "summary": tested}
    differences = open_page("runs", run=RUN).dataframe[1].value
    assert (list(differences["p"]), list(differences["p, adjusted"])) == (["< 0.001"], ["0.032"])


def test_a_runs_plots_have_the_figures_the_gates_line_and_words_for_them(open_page: Any) -> None:
    plots = [element.proto for element in open_page("runs", run=RUN).get("vega_lite_chart")]
    assert [json.loads(plot.spec)["title"] for plot in plots] == [
        "Means, with 95% intervals",
        "Paired differences, with 95% intervals",
        "Distribution of scores",
        "Means by cluster, the largest first",
    ]
    marks = [layer["mark"]["type"] for layer in json.loads(plots[0].spec)["layer"]]
    assert marks == ["rule", "point", "tick"]
    assert "exact of v2: 0.750" in plots[0].alt
    assert not [plot for plot in plots if "http" in plot.spec.replace("https://vega.github.io/schema", "")]


def test_a_run_that_stopped_early_reports_it(open_page: Any, page_text: PageText, responses: dict[str, Any]) -> None:
    responses[f"/v1/runs/{RUN}"] = {**FINISHED, "summary": SUMMARY | {"stopped_early": True, "metrics_left_out": 3}}
    content = page_text(open_page("runs", run=RUN))
    assert "stopped early" in content
    assert "3 more metrics" in content


def test_a_running_run_shows_its_progress_and_can_be_cancelled(
    open_page: Any, page_text: PageText, requests: Requests, responses: dict[str, Any]
) -> None:
    responses[f"/v1/runs/{RUN}"] = {**RUNNING, "summary": None}
    responses[f"/v1/runs/{RUN}/results"] = page_of([])
    page = open_page("runs", scopes=("run:write",), run=RUN)
    assert [element.proto.text for element in page.get("progress")] == ["4 of 16 results · \\$0\\.50"]
    assert "The figures appear when the run is finished" in page_text(page)
    click_button(page, "Cancel the run")
    assert [request.url.path for request in requests if request.method == "POST"] == [f"/v1/runs/{RUN}/cancel"]
    assert "The run is cancelled" in page_text(page)
    assert "Cancel the run" not in [element.label for element in open_page("runs", scopes=("run:read",), run=RUN).button]


def test_a_refused_cancellation_is_reported(open_page: Any, page_text: PageText, responses: dict[str, Any]) -> None:
    responses[f"/v1/runs/{RUN}"] = {**RUNNING, "summary": None}
    responses[f"/v1/runs/{RUN}/cancel"] = 409
    page = open_page("runs", scopes=("run:write",), run=RUN)
    assert "The action is not possible" in page_text(click_button(page, "Cancel the run"))


def test_a_run_that_failed_shows_the_reason(open_page: Any, page_text: PageText, responses: dict[str, Any]) -> None:
    responses[f"/v1/runs/{RUN}"] = {**HEAD, "state": "failed", "error": "the model is away", "summary": None}
    assert "the model is away" in page_text(open_page("runs", run=RUN))
    assert "has no figures" in page_text(open_page("runs", run=RUN))


def test_a_run_of_an_application_names_it_and_the_versions_that_answered(
    open_page: Any, page_text: PageText, responses: dict[str, Any]
) -> None:
    own = {"model": "", "prompt": None, "version": None, "target": "desk", "target_versions": ["2.3", "2.4"]}
    first, *_ = SUMMARY["variants"]
    summary = SUMMARY | {"variants": [{**first, **own, "name": "desk"}], "comparisons": []}
    variants = [{"name": "desk", "role": "candidate", "model": ""}]
    responses[f"/v1/runs/{RUN}"] = {**FINISHED, "prompt": None, "variants": variants, "summary": summary}
    page = open_page("runs", run=RUN)
    assert "desk answered as version 2\\.3\\, 2\\.4\\: it changed during the run" in page_text(page)
    assert list(page.dataframe[0].value["model"]) == ["application"]
