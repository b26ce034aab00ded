"""The corrections and the export of a queue, on the agreement page."""

import json
from typing import Any

import pytest

from factories.runs import Requests, click_button, page_of
from promptuary_ui.agreement import downloads

CORRECTION = {
    "decision": 37,
    "item": "5f0c",
    "case": "c7",
    "input": {"ticket": "late"},
    "output": "![x](http://elsewhere.test/x.png) a card",
    "correction": "a new card",
    "expected": "an old card",
    "decided": "reject",
    "others": [{"decision": "approve", "labels": {}, "comment": "it is fine"}],
    "comment": "it was lost",
    "reviewer": "key:ann",
    "reviewer_id": "service:a",
    "at": "2026-03-02T12:00:00Z",
    "accepted": False,
}
ACCEPTED = {**CORRECTION, "decision": 41, "item": "6a1d", "case": None, "accepted": True}
QUEUE = {"name": "triage", "counts": {"items": 3, "decided": 1, "open": 2, "claimed": 0, "mine": 0, "left": 2}}
AGREEMENT: dict[str, Any] = {"items": 0, "reviewers": 0, "finished_only": False, "schema_numbers": [], "labels": []}
EDITOR = ("review:read", "review:manage")
LEAD = (*EDITOR, "review:adjudicate")
GOLD = "/v1/datasets/tickets/gold"


@pytest.fixture
def responses() -> dict[str, Any]:
    """The API's responses by path; a test may change it."""
    return {
        "/v1/queues": page_of([QUEUE]),
        "/v1/queues/triage/agreement": AGREEMENT,
        "/v1/queues/triage/disagreements": page_of([]),
        "/v1/queues/triage/corrections": page_of([CORRECTION, ACCEPTED, {**CORRECTION, "decision": 43, "case": "c9"}]),
        "/v1/datasets": page_of([{"name": "tickets", "version": 1}, {"name": "words", "version": 4}]),
        GOLD: {"name": "tickets", "version": 2, "gold": []},
    }


def sent(requests: Requests) -> list[Any]:
    """Return the bodies of what the page changed."""
    return [json.loads(request.content) for request in requests if request.method != "GET"]


def test_corrections_are_shown_with_where_they_come_from(open_page: Any, page_text: Any) -> None:
    page = open_page("agreement", scopes=EDITOR, queue="triage")
    text = page_text(page)
    assert r"reject by ann · on 2026\-03\-02 12\:00 UTC · decision 37 · it was lost" in text
    assert ":green-background[new" in text
    assert "![x](" not in text
    assert "**c7** · late" in text
    assert "an old card" in text
    assert r"Others decided\: approve \(it is fine\)\. They do not agree with this reviewer." in text


def test_a_lead_accepts_chosen_corrections_with_a_reason(open_page: Any, requests: Requests, page_text: Any) -> None:
    page = open_page("agreement", scopes=LEAD, queue="triage")
    assert [box.label for box in page.checkbox] == ["**c7** · late", "**c9** · late"]
    page.checkbox(key="gold.37").check()
    page.selectbox(key="gold.dataset.triage").set_value("tickets")
    page.text_area(key="gold.reason.triage").set_value("checked with the desk")
    click_button(page, "Accept as gold")
    assert [request.url.path for request in requests if request.method == "POST"] == [GOLD]
    assert sent(requests) == [{"decisions": [37], "reason": "checked with the desk"}]
    assert r"1 correction is gold in version 2 of tickets\." in page_text(page)
    assert page.text_area(key="gold.reason.triage").value == ""


def test_without_a_choice_a_dataset_or_a_reason_nothing_is_sent(open_page: Any, requests: Requests, page_text: Any) -> None:
    page = click_button(open_page("agreement", scopes=LEAD, queue="triage"), "Accept as gold")
    assert r"Nothing is accepted yet\: choose corrections\, choose a dataset\, write the reason\." in page_text(page)
    assert sent(requests) == []


def test_a_refused_acceptance_keeps_what_was_entered(open_page: Any, responses: dict[str, Any], page_text: Any) -> None:
    responses[GOLD] = 422
    page = open_page("agreement", scopes=LEAD, queue="triage")
    page.checkbox(key="gold.43").check()
    page.selectbox(key="gold.dataset.triage").set_value("tickets")
    page.text_area(key="gold.reason.triage").set_value("checked")
    click_button(page, "Accept as gold")
    assert r"The action is not possible\." in page_text(page)
    assert page.checkbox(key="gold.43").value is True
    assert page.text_area(key="gold.reason.triage").value == "checked"


def test_an_editor_sees_corrections_and_accepts_none(open_page: Any, requests: Requests) -> None:
    page = open_page("agreement", scopes=EDITOR, queue="triage")
    assert not page.checkbox
    assert [button.label for button in page.button] == []
    assert [request for request in requests if request.url.path == "/v1/datasets"] == []


def test_a_reviewer_sees_no_corrections_and_no_export(open_page: Any, requests: Requests) -> None:
    page = open_page("agreement", scopes=("review:read", "review:decide"), queue="triage")
    assert [request for request in requests if request.url.path.endswith("/corrections")] == []
    assert not page.get("download_button")


def test_a_queue_without_corrections_says_so(open_page: Any, responses: dict[str, Any], page_text: Any) -> None:
    responses["/v1/queues/triage/corrections"] = page_of([])
    assert "No reviewer has corrected an output" in page_text(open_page("agreement", scopes=LEAD, queue="triage"))


def test_an_export_is_read_from_the_api_once_it_is_wanted(
    open_page: Any, requests: Requests, responses: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    files: dict[str, Any] = {}
    monkeypatch.setattr(downloads.st, "download_button", lambda title, **options: files.update({title: options}))
    responses["/v1/queues/triage/export"] = {"decision": "approve"}
    open_page("agreement", scopes=EDITOR, queue="triage")
    assert [request for request in requests if request.url.path.endswith("/export")] == []
    assert {title: options["file_name"] for title, options in files.items()} == {
        "CSV": "triage.csv",
        "JSON lines": "triage.jsonl",
    }
    assert json.loads(files["JSON lines"]["data"]()) == {"decision": "approve"}
    assert dict(requests[-1].url.params) == {"format": "jsonl"}
    assert requests[-1].headers["authorization"] == "Bearer pms_mine"
