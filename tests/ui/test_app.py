"""The pages as each role sees them, and their messages when the API refuses."""

from typing import Any

import httpx
import pytest

from factories.reviews import SEEN
from promptuary_ui.components import press_guard


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


def decided(local: Any) -> list[tuple[str, str, str]]:
    rows = local.get("/v1/queues/triage/export").json()["items"]
    return [(row["source"], row["decision"], row["comment"]) for row in rows]


def redirect(page: Any) -> str:
    """Return the script that takes the browser to the sign-in page."""
    (script,) = [element.proto.body for element in page.get("html") if "/sign-in" in element.proto.body]
    return str(script)


def test_nobody_sees_a_page_before_signing_in(sqlite: Any, app_test: Any, queue: str) -> None:
    page = app_test(queue=queue)
    assert "const reason = null" in redirect(page)
    assert texts(page) == []
    assert not page.button


@pytest.mark.parametrize("credential", ["pmt_nonsense", "pms_nonsense", "pmt_é"])
def test_a_session_that_is_none_leads_to_the_sign_in(sqlite: Any, app_test: Any, credential: str) -> None:
    assert 'const reason = "ended"' in redirect(app_test(credential))


def test_a_service_that_does_not_respond_is_no_sign_out(
    sqlite: Any, app_test: Any, key: Any, connection: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_arguments: Any, **_options: Any) -> None:
        raise httpx.ConnectError("refused")

    page = app_test(key("reviewer"))
    monkeypatch.setattr(connection, "request", fails)
    page.run()
    assert not [element for element in page.get("html") if "/sign-in" in element.proto.body]
    assert page.error


def test_a_reviewer_sees_one_item_and_decides_it_with_a_comment(
    sqlite: Any, app_test: Any, queue: str, key: Any, local: Any
) -> None:
    page = app_test(key("reviewer"), queue=queue)
    assert {"Is it right?", "t 0", "o 0", "e"} <= set(texts(page))
    page.text_area[0].set_value("why not")
    click_button(page, "Reject")
    assert "o 1" in texts(page)
    assert "o 0" not in texts(page)
    assert decided(local) == [("item-0", "reject", "why not")]
    assert page.text_area[0].value == ""


def test_the_keys_of_the_decisions_are_shown_on_their_buttons(sqlite: Any, app_test: Any, queue: str, key: Any) -> None:
    page = app_test(key("reviewer"), queue=queue)
    shortcuts = {element.label: element.proto.shortcut for element in page.button if element.proto.shortcut}
    assert shortcuts == {"Approve": "a", "Reject": "x", "Unsure": "u", "Skip": "s"}


def test_a_press_on_an_item_that_is_not_displayed_decides_nothing(
    sqlite: Any, app_test: Any, queue: str, key: Any, local: Any
) -> None:
    page = app_test(key("reviewer"), queue=queue)
    press_guard.record_display(page.session_state, "another claim")
    click_button(page, "Approve")
    assert decided(local) == []


def test_an_item_decided_elsewhere_is_followed_by_the_current_one_with_a_note(
    sqlite: Any, app_test: Any, queue: str, key: Any, api: Any, local: Any
) -> None:
    mine = key("reviewer")
    page = app_test(mine, queue=queue)
    headers = {"Authorization": f"Bearer {mine}"}
    claim = api.post("/v1/queues/triage/claims", headers=headers).json()
    api.post(f"/v1/claims/{claim['id']}/submit", json={"nonce": claim["nonce"], "decision": "unsure", **SEEN}, headers=headers)
    click_button(page, "Approve")
    assert "o 1" in texts(page)
    assert "submitted already" in "".join(element.value for element in page.caption)
    assert decided(local) == [("item-0", "unsure", "")]


def test_skipping_shows_the_next_item(sqlite: Any, app_test: Any, queue: str, key: Any) -> None:
    page = app_test(key("reviewer"), queue=queue)
    assert "o 1" in texts(click_button(page, "Skip"))


def test_a_reload_after_the_lease_ended_reports_it(sqlite: Any, app_test: Any, queue: str, key: Any) -> None:
    page = app_test(key("reviewer"), queue=queue, claim="of-yesterday")
    assert "no longer yours" in "".join(element.value for element in page.caption)
    assert page.query_params["claim"] != "of-yesterday"


def test_a_queue_whose_rest_is_claimed_by_others_is_not_complete(
    sqlite: Any, app_test: Any, queue: str, key: Any, local: Any
) -> None:
    for _ in range(2):
        claim = local.post("/v1/queues/triage/claims").json()
        body = {"nonce": claim["nonce"], "decision": "approve", **SEEN}
        if claim["item"]["source"] == "item-0":
            local.post(f"/v1/claims/{claim['id']}/submit", json=body)
    page = app_test(key("reviewer"), queue=queue)
    assert "(1 open)" in page.info[0].value
    assert not page.success


def test_an_empty_queue_and_a_finished_one_are_reported(sqlite: Any, app_test: Any, queue: str, key: Any, local: Any) -> None:
    local.put("/v1/queues/empty", json={})
    assert "no items yet" in app_test(key("reviewer"), queue="empty").info[0].value
    page = app_test(key("reviewer"), queue=queue)
    click_button(click_button(page, "Approve"), "Approve")
    assert page.success[0].value == "Every item here is decided."


def test_the_list_of_queues_leads_into_one_and_back(sqlite: Any, app_test: Any, queue: str, key: Any, local: Any) -> None:
    page = app_test(key("reviewer"))
    assert "0 of 2 decided" in "".join(element.value for element in page.caption)
    next(element for element in page.button if element.label == "Start").click().run()
    assert "o 0" in texts(page)
    assert page.query_params["queue"] == queue
    next(element for element in page.button if element.label == "All queues").click().run()
    assert dict(page.query_params) == {}
    assert local.get("/v1/queues/triage").json()["counts"]["claimed"] == 0


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
    assert 'const reason = "ended"' in redirect(page)
    assert texts(page) == []


def test_a_session_ended_while_a_button_is_pressed_signs_out(
    sqlite: Any, app_test: Any, queue: str, key: Any, clock: Any
) -> None:
    page = app_test(key("reviewer", days=1), queue=queue)
    clock.move(days=2)
    click_button(page, "Approve")
    assert 'const reason = "ended"' in redirect(page)
