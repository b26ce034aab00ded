"""The agreement page, in front of responses of the API."""

import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from factories.runs import Requests, click_button, page_of

ALPHA = {
    "coefficient": "krippendorff-alpha-nominal",
    "value": -0.02,
    "reason": None,
    "low": -0.05,
    "high": 0.01,
    "method": "unit-bootstrap",
    "units": 125,
}
AC1 = {**ALPHA, "coefficient": "gwet-ac1", "value": 0.941, "low": 0.89, "high": 0.98}
UNDEFINED = {
    **ALPHA,
    "coefficient": "cohen-kappa",
    "value": None,
    "reason": "undefined: no variation",
    "low": None,
    "high": None,
}
SHARE = {"value": 0.944, "low": 0.889, "high": 0.973, "items": 125}
LABEL: dict[str, Any] = {
    "name": "decision",
    "title": "Decision",
    "type": "choice",
    "level": "nominal",
    "options": ["approve", "reject"],
    "items": 130,
    "pairable": 125,
    "labels": 255,
    "omitted": 0,
    "observed": SHARE,
    "coefficients": [ALPHA, AC1],
    "note": "Prevalence paradox: 97% of the labels are 'approve'. Read AC1 and the observed agreement.",
    "per_option": [],
    "pairs": [
        {"first": "Ann", "first_id": "a", "second": "key:ben", "second_id": "b", "share": SHARE, "coefficient": UNDEFINED}
    ],
    "pairs_omitted": 0,
    "gold": [{"reviewer": None, "reviewer_id": None, "share": SHARE, "coefficient": None}],
}
TAGS = {
    **LABEL,
    "name": "tags",
    "title": "Tags",
    "type": "tags",
    "level": "sets",
    "options": None,
    "omitted": 3,
    "note": None,
    "per_option": [{"option": "rude", "share": 0.2, "coefficients": [ALPHA, AC1]}],
    "pairs": [],
    "gold": [],
}
AGREEMENT = {
    "items": 125,
    "reviewers": 2,
    "percent": 94.4,
    "coefficients": [ALPHA, AC1],
    "disagreements": ["item-3"],
    "finished_only": False,
    "schema_numbers": [1, 2],
    "labels": [LABEL, TAGS],
}
DISAGREEMENT = {
    "item": "i3",
    "source": "item-3",
    "payload": {"input": {"ticket": "**lost** card"}, "output": "![x](http://elsewhere.test/x.png)", "expected": None},
    "differing": ["decision"],
    "gold": {"decision": "approve"},
    "reviews": [
        {
            "reviewer": "Ann",
            "reviewer_id": "person:a",
            "decision": "approve",
            "labels": {},
            "comment": "",
            "at": "2026-03-02T12:00:00Z",
        },
        {
            "reviewer": "key:ben",
            "reviewer_id": "service:b",
            "decision": "reject",
            "labels": {},
            "comment": "no refund",
            "correction": "A refund is not due.",
            "at": "2026-03-02T12:05:00Z",
        },
    ],
    "adjudications": [],
}
QUEUE = {
    "name": "triage",
    "instructions": "",
    "decisions": [],
    "slots": 2,
    "counts": {"items": 130, "decided": 125, "open": 5, "claimed": 0, "mine": 0, "left": 5},
}
LEAD = ("review:read", "review:manage", "review:adjudicate")


@pytest.fixture
def responses() -> dict[str, Any]:
    """The API's responses by path."""
    return {
        "/v1/queues": page_of([QUEUE, {**QUEUE, "name": "other"}]),
        "/v1/queues/triage/agreement": AGREEMENT,
        "/v1/queues/triage/disagreements": page_of([DISAGREEMENT]),
        "/v1/queues/triage/adjudications": {"items": []},
        "/v1/queues/triage/corrections": page_of([]),
        "/v1/queues/other/agreement": {**AGREEMENT, "items": 0, "labels": [], "finished_only": True},
        "/v1/queues/other/disagreements": page_of([]),
        "/v1/queues/other/corrections": page_of([]),
    }


def tables(page: Any) -> str:
    return "\n".join(element.value.to_string() for element in (*page.dataframe, *page.table))


def test_figures_have_intervals_counts_and_reasons(open_page: Any, page_text: Callable[[Any], str]) -> None:
    page = open_page("agreement", scopes=LEAD, queue="triage")
    text, cells = page_text(page), tables(page)
    for words in ("125 items have at least two decisions", "2 people decided", "125 of them from at least two reviewers"):
        assert words in text
    for words in ("Krippendorff's α", "−0.020", "[−0.050, 0.010]", "Gwet's AC1", "0.941", "94.4 %", "[88.9 %, 97.3 %]"):
        assert words in cells
    assert "undefined: no variation" in cells
    assert "Ann and ben" in cells
    assert "all together" in cells
    assert "Prevalence paradox" in text


def test_several_labels_are_tabs_and_each_option_has_figures(open_page: Any, page_text: Any) -> None:
    page = open_page("agreement", scopes=LEAD, queue="triage")
    assert [tab.label for tab in page.tabs] == ["Decision", "Tags"]
    assert "rude" in tables(page)
    assert "3 labels of an earlier schema are left out" in page_text(page)
    assert "several label schemas (1, 2)" in page_text(page)


def test_a_lead_settles_a_disagreement_by_a_button_with_a_reason(open_page: Any, requests: Requests, page_text: Any) -> None:
    page = open_page("agreement", scopes=LEAD, queue="triage")
    assert "no refund" in tables(page)
    assert {"Corrected by ben", "A refund is not due."} <= set(page_text(page).splitlines())
    assert "elsewhere.test" not in "".join(str(element.value) for element in page.markdown)
    page.text_area(key="reason-i3-decision").set_value("The customer asked for a refund.")
    click_button(page, "reject")
    [sent] = [request for request in requests if request.method == "POST"]
    assert json.loads(sent.content) == {
        "item": "i3",
        "decision": "reject",
        "reason": "The customer asked for a refund.",
        "own": False,
        "replaces": [],
    }
    assert "reject" in page_text(page)


def test_without_a_reason_nothing_is_sent(open_page: Any, requests: Requests, page_text: Any) -> None:
    page = open_page("agreement", scopes=LEAD, queue="triage")
    click_button(page, "approve")
    assert [request.method for request in requests if request.method != "GET"] == []
    assert "Write the reason first" in page_text(page)


def test_a_refused_adjudication_keeps_what_was_written(open_page: Any, responses: dict[str, Any], page_text: Any) -> None:
    responses["/v1/queues/triage/adjudications"] = 409
    page = open_page("agreement", scopes=LEAD, queue="triage")
    page.text_area(key="reason-i3-decision").set_value("a refund")
    click_button(page, "reject")
    assert "The action is not possible" in page_text(page)
    assert page.text_area(key="reason-i3-decision").value == "a refund"


def test_a_settled_label_is_shown_and_replaced_by_its_id(
    open_page: Any, responses: dict[str, Any], requests: Requests, page_text: Any
) -> None:
    adjudication = {
        "id": 9,
        "item": "i3",
        "label": "decision",
        "value": "approve",
        "reason": "it is right",
        "adjudicator": "key:lea",
        "adjudicator_id": "service:l",
        "at": "2026-03-03T08:00:00Z",
    }
    responses["/v1/queues/triage/disagreements"] = page_of([{**DISAGREEMENT, "adjudications": [adjudication]}])
    page = open_page("agreement", scopes=LEAD, queue="triage")
    assert "settled by lea on 2026-03-03 08:00 UTC: it is right" in page_text(page)
    page.text_area(key="reason-i3-decision").set_value("on second thought")
    click_button(page, "reject")
    [sent] = [request for request in requests if request.method == "POST"]
    assert json.loads(sent.content)["replaces"] == [9]


def test_a_reviewer_settles_nothing_and_sees_why_labels_are_hidden(
    open_page: Any, responses: dict[str, Any], page_text: Any
) -> None:
    def hidden(request: httpx.Request) -> Any:
        return 403

    responses["/v1/queues/triage/disagreements"] = hidden
    responses["/v1/queues/triage/agreement"] = {**AGREEMENT, "finished_only": True}
    page = open_page("agreement", scopes=("review:read", "review:decide"), queue="triage")
    assert "You see the figures of finished items" in page_text(page)
    assert "The action is not possible" in page_text(page)
    assert [button.label for button in page.button] == []


def test_one_who_disagrees_states_that_they_settle_their_own_item(
    open_page: Any, responses: dict[str, Any], requests: Requests
) -> None:
    own = {**DISAGREEMENT["reviews"][0], "reviewer": "key:me", "reviewer_id": ""}
    responses["/v1/queues/triage/disagreements"] = page_of([{**DISAGREEMENT, "reviews": [own, DISAGREEMENT["reviews"][1]]}])
    page = open_page("agreement", scopes=LEAD, queue="triage")
    page.checkbox(key="own-i3-decision").check()
    page.text_area(key="reason-i3-decision").set_value("I read it again")
    click_button(page, "reject")
    [sent] = [request for request in requests if request.method == "POST"]
    assert json.loads(sent.content)["own"] is True


def test_a_queue_without_labels_and_without_disagreements_says_so(open_page: Any, page_text: Any) -> None:
    text = page_text(open_page("agreement", scopes=LEAD, queue="other"))
    assert "No disagreement is open" in text


def test_without_a_queue_the_page_names_the_command(open_page: Any, responses: dict[str, Any], page_text: Any) -> None:
    responses["/v1/queues"] = page_of([])
    assert "promptuary review open" in page_text(open_page("agreement", scopes=LEAD))


SHARE_OF_PAIRS = {"estimate": 0.6, "low": 0.4, "high": 0.8, "level": 0.95, "method": "wilson", "n": 20, "clusters": 10}
BIAS = {"choices": 20, "ties": 2, "swapped": 10, "left": SHARE_OF_PAIRS, "favours": None, "reason": None}
PAIR_RESPONSES = {
    "/v1/queues/triage/ranking": {
        "variants": [
            {"variant": "v2", "wins": 12, "losses": 8, "ties": 2, "strength": 1.2, "low": 0.8, "high": 1.9},
            {"variant": "v1", "wins": 8, "losses": 12, "ties": 2, "strength": None, "low": None, "high": None},
        ],
        "preferences": [{"first": "v2", "second": "v1", "share": SHARE_OF_PAIRS}],
        "reason": None,
        "comparisons": 22,
        "level": 0.95,
        "smoothed": 0.0,
    },
    "/v1/queues/triage/position-bias": {
        "overall": BIAS,
        "reviewers": {"key:ann": {**BIAS, "favours": "left"}},
        "repeated": {"pairs": 4, "consistent": 3, "left": 1, "right": 0, "tied_once": 0, "consistency": None},
    },
}


def test_pairs_show_strengths_and_whether_the_side_decided(
    open_page: Any, responses: dict[str, Any], page_text: Callable[[Any], str]
) -> None:
    better = {**LABEL, "name": "better", "title": "Better", "type": "preference", "options": ["first", "second", "tie"]}
    responses |= PAIR_RESPONSES
    responses["/v1/queues/triage/agreement"] = {**AGREEMENT, "labels": [LABEL, better]}
    disputed = {
        **DISAGREEMENT,
        "differing": ["better"],
        "payload": {"sides": {"left": {"output": "a"}, "right": {"output": "b"}}},
    }
    responses["/v1/queues/triage/disagreements"] = page_of([disputed])
    page = open_page("agreement", scopes=("review:read", "review:manage", "review:adjudicate"), queue="triage")
    tables = "\n".join(element.value.to_string() for element in page.dataframe)
    assert "1.200" in tables
    assert "[0.800, 1.900]" in tables
    assert "the left side is favoured" in tables
    assert "v2 is preferred over v1 in 0\\.600" in page_text(page)
    assert [button.label for button in page.button if button.label in ("left", "right", "tie", "first")] == [
        "left",
        "right",
        "tie",
    ]
