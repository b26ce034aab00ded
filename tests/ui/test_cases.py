"""The cases of a run: filters that are the API's, pages, and one case whole with everything in it as text."""

from collections.abc import Callable
from typing import Any

import pytest

from factories.runs import HOSTILE, RESULTS, RUN, Requests, click_button, last_query, page_of, run_responses

PageText = Callable[[Any], str]


@pytest.fixture
def responses() -> dict[str, Any]:
    """The API's responses by path; a test may change it."""
    return run_responses()


def test_cases_are_a_page_of_results_and_an_error_is_no_failure(open_page: Any, requests: Requests) -> None:
    table = open_page("runs", run=RUN, view="Cases").dataframe[0].value
    assert list(table["verdict"]) == ["passed", "failed", "error"]
    assert list(table["output"]) == [HOSTILE, "wrong", "no answer"]
    assert list(table["tags"]) == ["short", "", ""]
    assert last_query(requests, f"/v1/runs/{RUN}/results") == {"limit": "50"}


def test_the_filters_are_the_apis_and_a_new_one_begins_at_the_first_page(
    open_page: Any, requests: Requests, responses: dict[str, Any]
) -> None:
    path = f"/v1/runs/{RUN}/results"
    responses[path] = page_of(RESULTS, "next")
    page = click_button(open_page("runs", run=RUN, view="Cases"), "Next")
    assert last_query(requests, path) == {"limit": "50", "cursor": "next"}
    for kind, query in (("Failed", {"passed": "false"}), ("Passed", {"passed": "true"}), ("Errors", {"errors": "true"})):
        page.button_group[0].set_value(kind).run()
        assert last_query(requests, path) == {"limit": "50", **query}
    page.button_group[0].set_value("All").run()
    page.text_input[0].set_value(" refund ").run()
    named = {element.label: element for element in page.selectbox}
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


def test_an_empty_list_of_results_is_reported(open_page: Any, page_text: PageText, responses: dict[str, Any]) -> None:
    responses[f"/v1/runs/{RUN}/results"] = page_of([])
    page = open_page("runs", run=RUN, view="Cases")
    assert "This run has no result." in page_text(page)
    page.text_input[0].set_value("x").run()
    assert "Remove a filter" in page_text(page)


def test_a_case_of_the_address_is_shown_whole_and_what_a_model_wrote_is_text(
    open_page: Any, page_text: PageText, requests: Requests, responses: dict[str, Any]
) -> None:
    responses[f"/v1/runs/{RUN}/results"] = lambda request: page_of(
        [result for result in RESULTS if result["case"] == request.url.params.get("case", result["case"])]
    )
    page = open_page("runs", run=RUN, case="a")
    content = page_text(page)
    assert last_query(requests, f"/v1/runs/{RUN}/results") == {"limit": "24", "case": "a"}
    assert HOSTILE in [element.value for element in page.text]
    assert HOSTILE not in [element.value for element in page.markdown]
    for text in (
        "**v2**",
        "**v1**",
        "equals \\*it\\*",
        "score 1\\.000",
        "1\\.2 s",
        "10 tokens in",
        "cached",
        "north",
        "d1",
    ):
        assert text in content
    next(element for element in page.selectbox if element.label == "Highlight differences from").select("v1").run()
    marked = [element.value for element in page.markdown if "green-background" in str(element.value)]
    assert len(marked) == 1
    assert "\\!\\[x\\]\\(http\\:\\/\\/a\\)" in marked[0]


def test_a_case_without_results_is_reported(open_page: Any, page_text: PageText, responses: dict[str, Any]) -> None:
    responses[f"/v1/runs/{RUN}/results"] = page_of([])
    assert "no result of the case" in page_text(open_page("runs", run=RUN, case="gone"))


def test_a_conversation_is_shown_turn_by_turn_with_each_turns_scores(
    open_page: Any, page_text: PageText, responses: dict[str, Any]
) -> None:
    call = {"id": "1", "type": "function", "function": {"name": "get_order", "arguments": '{"id": 7}'}}
    turns = [
        {
            "messages": [
                {"role": "user", "content": "Where is 7?"},
                {"role": "assistant", "content": None, "tool_calls": [call]},
                {"role": "tool", "tool_call_id": "1", "content": "shipped"},
                {"role": "assistant", "content": HOSTILE},
            ],
            "output": HOSTILE,
            "passed": False,
            "score": 0.0,
            "scores": {"polite": {"passed": False, "score": 0.0, "reason": "it is *rude*", "error": None}},
            "latency_ms": 1234.0,
            "tokens_input": 10,
            "tokens_output": 5,
        },
        {"messages": [{"role": "user", "content": "and then?"}, {"role": "assistant", "content": "ok"}], "output": "ok"},
    ]
    result = {"case": "talk", "variant": "v2", "pass": False, "output": "ok", "detail": {"turns": turns}}
    responses[f"/v1/runs/{RUN}/results"] = page_of([result])

    page = open_page("runs", run=RUN, case="talk")

    content = page_text(page)
    for text in (
        "**Turn 1**",
        "**Turn 2**",
        "Where is 7?",
        "calls get\\_order",
        "shipped",
        "and then?",
        "polite",
        "it is \\*rude\\*",
    ):
        assert text in content
    assert "10 tokens in" in content
    assert HOSTILE not in [element.value for element in page.markdown]
