"""The pages as each role sees them, and their messages when the API refuses."""

import json
from typing import Any

import httpx
import pytest


def click_button(page: Any, label: str) -> Any:
    """Click a button, as the browser does with an accepted press."""
    next(element for element in page.button if element.label == label).click().run()
    assert not page.exception
    return page


def texts(page: Any) -> list[str]:
    return [element.value for element in page.text]


@pytest.fixture
def queue(local: Any) -> str:
    local.put("/v1/queues/triage", json={"instructions": "Is it right?"})
    items = [
        {"source": f"item-{number}", "payload": {"input": {"ticket": f"t {number}"}, "output": f"o {number}", "expected": "e"}}
        for number in range(2)
    ]
    local.post("/v1/queues/triage/items", json={"items": items})
    return "triage"


def components(page: Any, name: str) -> list[Any]:
    """Return the data of each mounted component of a name."""
    mounted = [element.proto for element in page.get("bidi_component")]
    return [json.loads(proto.json) for proto in mounted if proto.component_name == f"promptuary.{name}"]


def redirect(page: Any) -> Any:
    """Return where the page sends the browser, and why."""
    (data,) = components(page, "redirect")
    return data


def card(page: Any) -> Any:
    """Return what the review card is mounted with."""
    (data,) = components(page, "review_card")
    return data


def test_nobody_sees_a_page_before_signing_in(sqlite: Any, app_test: Any, queue: str) -> None:
    page = app_test(queue=queue)
    assert redirect(page) == {"path": "/sign-in", "reason": None}
    assert texts(page) == []
    assert not page.button


@pytest.mark.parametrize("credential", ["pmt_nonsense", "pms_nonsense", "pmt_é"])
def test_a_session_that_is_none_leads_to_the_sign_in(sqlite: Any, app_test: Any, credential: str) -> None:
    assert redirect(app_test(credential))["reason"] == "ended"


def test_a_service_that_does_not_respond_is_no_sign_out(
    sqlite: Any, app_test: Any, key: Any, connection: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_arguments: Any, **_options: Any) -> None:
        raise httpx.ConnectError("refused")

    page = app_test(key("reviewer"))
    monkeypatch.setattr(connection, "request", fails)
    page.run()
    assert components(page, "redirect") == []
    assert page.error


def test_a_queues_address_shows_its_card_for_this_reviewer(sqlite: Any, app_test: Any, queue: str, key: Any) -> None:
    mounted = card(app_test(key("reviewer"), queue=queue))
    assert mounted["queue"] == queue
    assert mounted["reviewer"].startswith("service:")


def test_the_list_of_queues_leads_into_one(sqlite: Any, app_test: Any, queue: str, key: Any) -> None:
    page = app_test(key("reviewer"))
    assert "0 of 2 complete" in "".join(element.value for element in page.caption)
    next(element for element in page.button if element.label == "Start").click().run()
    assert card(page)["queue"] == queue
    assert page.query_params["queue"] == queue


def test_an_unknown_queue_shows_the_servers_message(sqlite: Any, app_test: Any, key: Any) -> None:
    assert "There is no queue" in app_test(key("reviewer"), queue="nowhere").error[0].value


def test_a_viewer_gets_the_runs_in_place_of_the_review(sqlite: Any, app_test: Any, key: Any) -> None:
    assert [element.value for element in app_test(key("viewer")).title] == ["Runs"]


def test_an_applications_key_gets_a_note_in_place_of_a_page(sqlite: Any, app_test: Any, key: Any) -> None:
    page = app_test(key("service"))
    assert "for applications" in page.info[0].value
    assert not page.title


def test_a_key_that_ends_signs_out(sqlite: Any, app_test: Any, queue: str, key: Any, clock: Any) -> None:
    page = app_test(key("reviewer", days=1), queue=queue)
    clock.move(days=2)
    page.run()
    assert redirect(page)["reason"] == "ended"
    assert texts(page) == []


def test_a_session_ended_while_a_button_is_pressed_signs_out(
    sqlite: Any, app_test: Any, queue: str, key: Any, clock: Any
) -> None:
    page = app_test(key("reviewer", days=1))
    clock.move(days=2)
    click_button(page, "Start")
    assert redirect(page)["reason"] == "ended"
