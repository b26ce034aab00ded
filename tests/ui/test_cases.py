"""The cases of a run: filters that are the API's, pages, and one case whole with everything in it as text."""

from collections.abc import Callable
from typing import Any

import pytest

from factories.runs import HOSTILE, RESULTS, RUN, Requests, click_button, last_query, page_of, run_responses

Shown = Callable[[Any], str]


@pytest.fixture
def answers() -> dict[str, Any]:
    """What the API answers by path; a test may change it."""
    return run_responses()


def test_cases_are_a_page_of_results_and_an_error_is_no_failure(opened: Any, requests: Requests) -> None:
    table = opened("runs", run=RUN, view="Cases").dataframe[0].value
    assert list(table["verdict"]) == ["passed", "failed", "error"]
    assert list(table["answer"]) == [HOSTILE, "wrong", "no answer"]
    assert list(table["tags"]) == ["short", "", ""]
    assert last_query(requests, f"/v1/runs/{RUN}/results") == {"limit": "50"}


def test_the_filters_are_the_apis_and_a_new_one_begins_at_the_first_page(
    opened: Any, requests: Requests, answers: dict[str, Any]
) -> None:
    path = f"/v1/runs/{RUN}/results"
    answers[path] = page_of(RESULTS, "next")
    page = click_button(opened("runs", run=RUN, view="Cases"), "Next")
    assert last_query(requests, path) == {"limit": "50", "cursor": "next"}
    for kind, given in (("Failed", {"passed": "false"}), ("Passed", {"passed": "true"}), ("Errors", {"errors": "true"})):
        page.button_group[0].set_value(kind).run()
        assert last_query(requests, path) == {"limit": "50", **given}
    page.button_group[0].set_value("All").run()
    page.text_input[0].set_value(" refund ").run()
    named = {found.label: found for found in page.selectbox}
    named["Variant"].select("v2").run()
    named["Order"].select("score").run()
    page.slider[0].set_range(0.0, 0.5).run()
    page.text_input[1].set_value("short").run()
    page.toggle[0].set_value(True).run()
    assert last_query(requests, path) == {
        "limit": "50",
        "search": "refund",
        "variant": "v2",
        "order": "score",
        "metric": "exact",
        "at_most": "0.5",
        "tag": "short",
        "differing": "true",
    }


def test_nothing_found_is_told_as_that(opened: Any, shown: Shown, answers: dict[str, Any]) -> None:
    answers[f"/v1/runs/{RUN}/results"] = page_of([])
    page = opened("runs", run=RUN, view="Cases")
    assert "This run has no result." in shown(page)
    page.text_input[0].set_value("x").run()
    assert "Take a filter away" in shown(page)


def test_a_case_of_the_address_is_shown_whole_and_what_a_model_wrote_is_text(
    opened: Any, shown: Shown, requests: Requests, answers: dict[str, Any]
) -> None:
    answers[f"/v1/runs/{RUN}/results"] = lambda request: page_of(
        [one for one in RESULTS if one["case"] == request.url.params.get("case", one["case"])]
    )
    page = opened("runs", run=RUN, case="a")
    told = shown(page)
    assert last_query(requests, f"/v1/runs/{RUN}/results") == {"limit": "24", "case": "a"}
    assert HOSTILE in [found.value for found in page.text]
    assert HOSTILE not in [found.value for found in page.markdown]
    for text in (
        "**v2**",
        "**v1**",
        "equals \\*it\\*",
        "score 1\\.000",
        "1\\.2 s",
        "10 tokens in",
        "remembered",
        "north",
        "d1",
    ):
        assert text in told
    next(found for found in page.selectbox if found.label == "Mark what differs from").select("v1").run()
    marked = [found.value for found in page.markdown if "green-background" in str(found.value)]
    assert len(marked) == 1
    assert "\\!\\[x\\]\\(http\\:\\/\\/a\\)" in marked[0]


def test_a_case_that_the_run_has_not_got_is_told(opened: Any, shown: Shown, answers: dict[str, Any]) -> None:
    answers[f"/v1/runs/{RUN}/results"] = page_of([])
    assert "no result of the case" in shown(opened("runs", run=RUN, case="gone"))
