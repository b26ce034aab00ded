"""The form that sends results to a review queue, on a run's page and beside a case."""

import json
from typing import Any

import pytest

from factories.runs import FINISHED, RESULTS, RUN, Requests, click_button, page_of, run_responses

QUEUE = {"name": "triage", "counts": {"items": 3, "decided": 1, "open": 2, "claimed": 0, "mine": 0, "left": 2}}
EDITOR = ("run:read", "review:read", "review:manage")
FORM, CASE_FORM = f"review.{RUN}", f"review.case.{RUN}"


@pytest.fixture
def responses() -> dict[str, Any]:
    """The API's responses by path; a test may change it."""
    added = {"added": 12, "present": 3, "gold": 2, "repeated": 0}
    return {
        **run_responses(),
        "/v1/queues": page_of([QUEUE]),
        "/v1/queues/triage/items": added,
        "/v1/queues/fresh": 404,
        "/v1/queues/fresh/items": added,
    }


def open_form(page: Any, key: str = FORM, queue: str | None = "triage") -> Any:
    """Open the form, and choose a queue in it."""
    page.session_state[key] = True
    page.run()
    if queue is not None:
        page.selectbox(key=f"{key}.queue").set_value(queue).run()
    assert not page.exception
    return page


def sent(requests: Requests) -> list[tuple[str, str, Any]]:
    """Return what the page changed."""
    changes = [request for request in requests if request.method != "GET"]
    return [(request.method, request.url.path, json.loads(request.content)) for request in changes]


def test_an_editor_sends_failed_results_and_reads_what_came_of_it(open_page: Any, requests: Requests, page_text: Any) -> None:
    page = open_form(open_page("runs", scopes=EDITOR, run=RUN))
    assert page.selectbox(key=f"{FORM}.only").options == [
        "Failed",
        "Cases on which variants disagree",
        "All",
        "A random slice of all",
    ]
    click_button(page, "Send to review")
    assert sent(requests) == [("POST", "/v1/queues/triage/items", {"run": RUN, "only": "failed"})]
    notice = r"Queue triage\: 12 added\, 3 in the queue already\, 2 left out since their cases are gold\."
    assert notice in page_text(page)
    assert page.session_state[FORM] is False


@pytest.mark.parametrize("only", ["disagree", "all"])
def test_other_results_and_one_variant_are_the_apis_selections(open_page: Any, requests: Requests, only: str) -> None:
    page = open_form(open_page("runs", scopes=EDITOR, run=RUN))
    page.selectbox(key=f"{FORM}.only").set_value(only).run()
    page.selectbox(key=f"{FORM}.variant").set_value("v2").run()
    click_button(page, "Send to review")
    [(_, _, body)] = sent(requests)
    assert body == {"run": RUN, "only": only, "variant": "v2"}


def test_a_random_slice_has_a_size_and_a_seed(open_page: Any, requests: Requests) -> None:
    page = open_form(open_page("runs", scopes=EDITOR, run=RUN))
    page.selectbox(key=f"{FORM}.only").set_value("slice").run()
    page.number_input(key=f"{FORM}.size").set_value(8).run()
    page.number_input(key=f"{FORM}.seed").set_value(3).run()
    click_button(page, "Send to review")
    [(_, _, body)] = sent(requests)
    assert body == {"run": RUN, "sample": {"size": 8, "seed": 3}}


def test_a_run_that_is_not_over_has_no_slice_and_one_variant_no_disagreement(open_page: Any, responses: dict[str, Any]) -> None:
    responses[f"/v1/runs/{RUN}"] = {**FINISHED, "state": "running", "variants": FINISHED["variants"][:1]}
    page = open_form(open_page("runs", scopes=EDITOR, run=RUN))
    assert page.selectbox(key=f"{FORM}.only").options == ["Failed", "All"]


def test_a_new_queue_is_created_by_its_name(open_page: Any, requests: Requests, responses: dict[str, Any]) -> None:
    responses["/v1/queues/fresh"] = lambda request: 404 if request.method == "GET" else {**QUEUE, "name": "fresh"}
    page = open_form(open_page("runs", scopes=EDITOR, run=RUN), queue="")
    assert next(button for button in page.button if button.label == "Send to review").disabled
    page.text_input(key=f"{FORM}.name").set_value(" fresh ").run()
    click_button(page, "Send to review")
    (created, path, definition), (_, filled, _) = sent(requests)
    assert (created, path, filled) == ("PUT", "/v1/queues/fresh", "/v1/queues/fresh/items")
    assert list(definition) == ["instructions"]


def test_a_new_name_of_an_existing_queue_changes_nothing_of_it(
    open_page: Any, requests: Requests, responses: dict[str, Any]
) -> None:
    responses["/v1/queues/fresh"] = {**QUEUE, "name": "fresh"}
    page = open_form(open_page("runs", scopes=EDITOR, run=RUN), queue="")
    page.text_input(key=f"{FORM}.name").set_value("fresh").run()
    click_button(page, "Send to review")
    assert [(method, path) for method, path, _ in sent(requests)] == [("POST", "/v1/queues/fresh/items")]


def test_a_refusal_is_shown_in_the_form_which_stays_open(open_page: Any, responses: dict[str, Any], page_text: Any) -> None:
    responses["/v1/queues/fresh"] = lambda request: 404 if request.method == "GET" else {**QUEUE, "name": "fresh"}
    responses["/v1/queues/fresh/items"] = 422
    page = open_form(open_page("runs", scopes=EDITOR, run=RUN), queue="")
    page.text_input(key=f"{FORM}.name").set_value("fresh").run()
    click_button(page, "Send to review")
    assert r"The action is not possible\. The new queue fresh is empty\." in page_text(page)
    assert page.session_state[FORM] is True
    assert page.text_input(key=f"{FORM}.name").value == "fresh"


def test_the_shown_case_is_sent_with_all_of_its_results(open_page: Any, requests: Requests, page_text: Any) -> None:
    page = open_form(open_page("runs", scopes=EDITOR, run=RUN, case="a"), CASE_FORM)
    click_button(page, "Send to review")
    assert sent(requests) == [("POST", "/v1/queues/triage/items", {"run": RUN, "cases": ["a"]})]
    assert "12 added" in page_text(page)


def test_a_case_without_an_output_is_not_sent(open_page: Any, responses: dict[str, Any]) -> None:
    responses[f"/v1/runs/{RUN}/results"] = page_of(RESULTS[2:])
    page = open_page("runs", scopes=EDITOR, run=RUN, case="c")
    page.session_state[CASE_FORM] = True
    assert [button for button in page.run().button if button.label == "Send to review"] == []


def test_without_the_scope_there_is_no_form_and_queues_are_not_read(open_page: Any, requests: Requests) -> None:
    page = open_page("runs", scopes=("run:read", "review:read"), run=RUN, case="a")
    page.session_state[FORM] = True
    page.run()
    assert [button for button in page.button if button.label == "Send to review"] == []
    assert [request for request in requests if request.url.path == "/v1/queues"] == []


def test_queues_are_read_once_the_form_is_open(open_page: Any, requests: Requests) -> None:
    page = open_page("runs", scopes=EDITOR, run=RUN)
    assert [request for request in requests if request.url.path == "/v1/queues"] == []
    open_form(page, queue=None)
    assert [request for request in requests if request.url.path == "/v1/queues"] != []


JUDGES = {
    "decided": "pass",
    "verdict": "pass",
    "judges": [{"metric": "polite", "model": "m", "state": "valid"}],
    "corrections": [],
}


def judge_run(responses: dict[str, Any]) -> None:
    """Make the run one with a judge."""
    detail = responses[f"/v1/runs/{RUN}"]
    responses[f"/v1/runs/{RUN}"] = {**detail, "summary": {**detail["summary"], "judges": JUDGES["judges"]}}
    responses[f"/v1/runs/{RUN}/corrections"] = JUDGES


def test_a_slice_of_a_judged_run_asks_which_judge_it_measures(
    open_page: Any, requests: Requests, responses: dict[str, Any]
) -> None:
    judge_run(responses)
    responses["/v1/queues"] = page_of([{**QUEUE, "decisions": [{"value": "fine"}, {"value": "approve"}]}])
    responses["/v1/queues/triage"] = QUEUE
    page = open_form(open_page("runs", scopes=EDITOR, run=RUN))
    page.selectbox(key=f"{FORM}.only").set_value("slice").run()
    assert page.selectbox(key=f"{FORM}.judge").options == ["polite", "No judge"]
    page.multiselect(key=f"{FORM}.passes.triage").set_value(["fine", "approve"]).run()
    click_button(page, "Send to review")
    assert sent(requests)[0] == ("PUT", "/v1/queues/triage", {"judge": {"metric": "polite", "passes": ["fine", "approve"]}})


def test_a_slice_that_measures_no_judge_is_told_so(
    open_page: Any, requests: Requests, responses: dict[str, Any], page_text: Any
) -> None:
    judge_run(responses)
    page = open_form(open_page("runs", scopes=EDITOR, run=RUN))
    page.selectbox(key=f"{FORM}.only").set_value("slice").run()
    page.selectbox(key=f"{FORM}.judge").set_value("No judge").run()
    assert "do not count for polite" in page_text(page)
    click_button(page, "Send to review")
    assert [method for method, _, _ in sent(requests)] == ["POST"]


def test_a_queue_that_names_its_judge_keeps_it(
    open_page: Any, requests: Requests, responses: dict[str, Any], page_text: Any
) -> None:
    judge_run(responses)
    named = {**QUEUE, "source": {"judge": {"metric": "polite", "passes": ["fine"]}}}
    responses["/v1/queues"] = page_of([named])
    page = open_form(open_page("runs", scopes=EDITOR, run=RUN))
    page.selectbox(key=f"{FORM}.only").set_value("slice").run()
    assert "measure the judge of polite" in page_text(page)
    click_button(page, "Send to review")
    assert [method for method, _, _ in sent(requests)] == ["POST"]
