"""What a reviewer does to the review card, and what must come of it: one decision a slot, none unseen, no comment lost."""

from collections.abc import Callable
from typing import Any

import pytest

pytestmark = pytest.mark.browser
ReviewerAtQueue = Any
OpenQueue = Callable[..., ReviewerAtQueue]
BURST = """key => {
    for (let count = 0; count < 5; count += 1) {
        const event = new KeyboardEvent("keydown", { key, code: "KeyA", bubbles: true, cancelable: true });
        document.body.dispatchEvent(event);
    }
}"""
LONG = "\n".join(f"line {number}" for number in range(300))


def test_a_reviewer_decides_with_a_click_and_a_comment(reviewer_at_queue: OpenQueue) -> None:
    reviewer = reviewer_at_queue()
    reviewer.open()
    reviewer.can_decide("output 0")
    reviewer.sees("expected 0")
    reviewer.sees("ticket 0")
    reviewer.sees("Is the output right?")
    reviewer.comment.fill("not what was asked")
    reviewer.page.get_by_role("button", name="Reject").click()
    reviewer.can_decide("output 1")
    reviewer.saved(1)
    assert reviewer.decisions() == [("item-0", "reject", "not what was asked")]
    assert reviewer.comment.input_value() == ""


def test_a_reviewer_decides_with_a_key_that_is_shown_on_the_button(reviewer_at_queue: OpenQueue) -> None:
    reviewer = reviewer_at_queue()
    reviewer.open()
    reviewer.can_decide("output 0")
    button = reviewer.page.get_by_role("button", name="Unsure")
    assert "U" in button.inner_text()
    assert button.get_attribute("aria-keyshortcuts") == "U"
    reviewer.press("u")
    reviewer.can_decide("output 1")
    reviewer.saved(1)
    assert reviewer.decisions() == [("item-0", "unsure", "")]


def test_the_next_item_is_there_before_the_decision_is_answered(reviewer_at_queue: OpenQueue) -> None:
    reviewer = reviewer_at_queue()
    reviewer.open()
    reviewer.can_decide("output 0")
    reviewer.page.wait_for_load_state("networkidle")
    waiting: list[Any] = []
    reviewer.page.route("**/submit", lambda route: waiting.append(route))  # no answer comes
    reviewer.press("a")
    reviewer.can_decide("output 1")
    assert reviewer.decisions() == []
    reviewer.page.wait_for_timeout(1)
    waiting[0].continue_()
    reviewer.saved(1)


def test_a_comment_is_written_left_and_sent_without_the_mouse(reviewer_at_queue: OpenQueue) -> None:
    reviewer = reviewer_at_queue()
    reviewer.open()
    reviewer.can_decide("output 0")
    reviewer.press("m")
    reviewer.page.keyboard.type("a x u s")
    reviewer.page.keyboard.press("Escape")
    reviewer.press("a")
    reviewer.can_decide("output 1")
    reviewer.saved(1)
    assert reviewer.decisions() == [("item-0", "approve", "a x u s")]


def test_ctrl_enter_sends_the_comment_with_the_chosen_decision(reviewer_at_queue: OpenQueue) -> None:
    reviewer = reviewer_at_queue()
    reviewer.open()
    reviewer.can_decide("output 0")
    reviewer.press("Shift+X")
    assert reviewer.page.get_by_role("button", name="Reject").get_attribute("aria-pressed") == "true"
    reviewer.press("m")
    reviewer.page.keyboard.type("why")
    reviewer.press("Control+Enter")
    reviewer.can_decide("output 1")
    reviewer.saved(1)
    assert reviewer.decisions() == [("item-0", "reject", "why")]


def test_ctrl_enter_without_a_chosen_decision_asks_for_one(reviewer_at_queue: OpenQueue) -> None:
    reviewer = reviewer_at_queue()
    reviewer.open()
    reviewer.can_decide("output 0")
    reviewer.comment.fill("why")
    reviewer.press("Control+Enter")
    reviewer.sees("Choose a decision: your comment is sent with it.")
    reviewer.press("x")
    reviewer.can_decide("output 1")
    reviewer.saved(1)
    assert reviewer.decisions() == [("item-0", "reject", "why")]


def test_tab_and_enter_after_the_comment_press_no_decision(reviewer_at_queue: OpenQueue) -> None:
    reviewer = reviewer_at_queue()
    reviewer.open()
    reviewer.can_decide("output 0")
    reviewer.comment.fill("why")
    reviewer.page.keyboard.press("Tab")
    reviewer.press("Enter")
    assert reviewer.page.evaluate("document.activeElement.closest('.pr-choices')") is None
    reviewer.sees("output 0")


def test_five_keys_in_a_burst_decide_one_item(reviewer_at_queue: OpenQueue) -> None:
    reviewer = reviewer_at_queue(6)
    reviewer.open()
    reviewer.can_decide("output 0")
    reviewer.page.evaluate(BURST, "a")
    reviewer.can_decide("output 1")
    reviewer.saved(1)
    reviewer.press("x")
    reviewer.can_decide("output 2")
    reviewer.saved(2)
    assert reviewer.decisions() == [("item-0", "approve", ""), ("item-1", "reject", "")]


def test_a_held_key_decides_one_item_however_late_its_repeats_are(reviewer_at_queue: OpenQueue) -> None:
    reviewer = reviewer_at_queue(6)
    reviewer.open()
    reviewer.can_decide("output 0")
    for _ in range(40):
        reviewer.page.keyboard.down("a")  # each further one is the keyboard's own repeat
    reviewer.can_decide("output 1")
    for _ in range(5):
        reviewer.page.keyboard.down("a")
    reviewer.page.keyboard.up("a")
    reviewer.press("x")
    reviewer.can_decide("output 2")
    reviewer.saved(2)
    assert reviewer.decisions() == [("item-0", "approve", ""), ("item-1", "reject", "")]


def test_enter_that_is_held_on_a_button_decides_one_item(reviewer_at_queue: OpenQueue) -> None:
    reviewer = reviewer_at_queue(6)
    reviewer.open()
    reviewer.can_decide("output 0")
    reviewer.page.get_by_role("button", name="Approve").focus()
    for _ in range(20):
        reviewer.page.keyboard.down("Enter")
    reviewer.page.keyboard.up("Enter")
    reviewer.can_decide("output 1")
    reviewer.saved(1)
    assert reviewer.decisions() == [("item-0", "approve", "")]


def test_a_double_click_decides_once(reviewer_at_queue: OpenQueue) -> None:
    reviewer = reviewer_at_queue()
    reviewer.open()
    reviewer.can_decide("output 0")
    reviewer.page.get_by_role("button", name="Approve").dblclick()
    reviewer.can_decide("output 1")
    reviewer.press("x")
    reviewer.can_decide("output 2")
    reviewer.saved(2)
    assert reviewer.decisions() == [("item-0", "approve", ""), ("item-1", "reject", "")]


def test_a_brisk_reviewer_decides_with_each_press(reviewer_at_queue: OpenQueue) -> None:
    reviewer = reviewer_at_queue(8)
    reviewer.open()
    for number in range(8):
        reviewer.can_decide(f"output {number}")
        reviewer.press("axu"[number % 3])
    reviewer.saved(8)
    choices = ["approve", "reject", "unsure"]
    assert reviewer.decisions() == [(f"item-{number}", choices[number % 3], "") for number in range(8)]


def test_an_output_that_was_not_seen_to_its_end_is_not_decided(reviewer_at_queue: OpenQueue) -> None:
    reviewer = reviewer_at_queue([{"payload": {"output": LONG}}, {"payload": {"output": "short"}}])
    reviewer.open()
    reviewer.sees(LONG)
    reviewer.press("a")
    reviewer.sees("Not counted: look at the whole output first.")
    reviewer.page.get_by_role("button", name="Approve").click(force=True)
    assert reviewer.decisions() == []
    reviewer.page.locator(".pr-mark").last.scroll_into_view_if_needed()
    reviewer.can_decide(LONG)
    reviewer.press("a")
    reviewer.can_decide("short")
    reviewer.saved(1)


def test_the_next_item_is_shown_from_its_top_with_nothing_unfolded(reviewer_at_queue: OpenQueue) -> None:
    """A decision counted for an item above the viewport: the fold stayed open, and its version was what one saw."""
    items = [{"payload": {"input": LONG, "output": f"output {number}", "case": f"case {number}"}} for number in range(3)]
    reviewer = reviewer_at_queue(items)
    reviewer.page.set_viewport_size({"width": 800, "height": 500})
    reviewer.open()
    reviewer.page.get_by_text("Where this comes from").click()
    reviewer.page.locator(".pr-output .pr-mark").last.scroll_into_view_if_needed()
    reviewer.can_decide("output 0")
    reviewer.press("a")
    reviewer.sees("output 1")
    assert reviewer.page.evaluate("document.querySelector('[data-testid=stMain]').scrollTop") == 0
    assert reviewer.page.locator("details.pr-origin").evaluate("fold => fold.open") is False
    reviewer.press("a")
    reviewer.sees("Not counted: look at the whole output first.")
    reviewer.saved(1)
    assert reviewer.decisions() == [("item-0", "approve", "")]


def test_a_skipped_item_comes_back_when_nothing_else_is_left(reviewer_at_queue: OpenQueue) -> None:
    reviewer = reviewer_at_queue(2)
    reviewer.open()
    reviewer.can_decide("output 0")
    reviewer.press("s")
    reviewer.can_decide("output 1")
    reviewer.press("a")
    reviewer.can_decide("output 0")
    reviewer.press("a")
    reviewer.sees("Every item here is decided.")
    assert [source for source, _, _ in reviewer.decisions()] == ["item-1", "item-0"]


def test_a_reload_comes_back_to_the_same_item_and_its_draft(reviewer_at_queue: OpenQueue) -> None:
    reviewer = reviewer_at_queue()
    reviewer.open()
    reviewer.can_decide("output 0")
    reviewer.press("a")
    reviewer.can_decide("output 1")
    reviewer.comment.fill("half a thought")
    reviewer.press("Escape")
    reviewer.press("Shift+U")
    reviewer.page.reload()
    reviewer.can_decide("output 1")
    assert reviewer.comment.input_value() == "half a thought"
    reviewer.press("Control+Enter")
    reviewer.can_decide("output 2")
    reviewer.saved(2)
    assert reviewer.decisions()[1] == ("item-1", "unsure", "half a thought")


def test_a_draft_is_there_in_another_browser(reviewer_at_queue: OpenQueue, browser: Any) -> None:
    reviewer = reviewer_at_queue()
    reviewer.open()
    reviewer.can_decide("output 0")
    with reviewer.page.expect_response("**/draft"):
        reviewer.comment.fill("begun at home")
    elsewhere = browser.new_context().new_page()
    other = type(reviewer)(reviewer.service, elsewhere, reviewer.queue, reviewer.key, reviewer.author)
    other.open()
    other.can_decide("output 0")
    assert other.comment.input_value() == "begun at home"
    elsewhere.context.close()


def test_a_failed_decision_keeps_everything_and_is_sent_again(reviewer_at_queue: OpenQueue) -> None:
    reviewer = reviewer_at_queue()
    reviewer.open()
    reviewer.can_decide("output 0")
    statuses = iter([503, 500, 0])

    def answer(route: Any) -> None:
        status = next(statuses, None)
        if status is None:
            route.continue_()
        elif status:
            route.fulfill(status=status, content_type="application/json", body='{"detail": "the database is busy"}')
        else:
            route.abort()

    reviewer.page.route("**/submit", answer)
    reviewer.comment.fill("keep this")
    reviewer.page.get_by_role("button", name="Reject").click()
    reviewer.page.get_by_text("Not saved, retrying. The database is busy.").wait_for()
    reviewer.saved(1)
    assert reviewer.decisions() == [("item-0", "reject", "keep this")]
    reviewer.page.locator(".pr-root[data-saving=idle]").wait_for()


def test_a_decision_whose_answer_was_lost_counts_once(reviewer_at_queue: OpenQueue) -> None:
    reviewer = reviewer_at_queue()
    reviewer.open()
    reviewer.can_decide("output 0")
    lost: list[int] = []

    def lose(route: Any) -> None:
        lost.append(route.fetch().status)
        if len(lost) == 1:
            route.abort()
        else:
            route.continue_()

    reviewer.page.route("**/submit", lose)
    reviewer.press("a")
    reviewer.can_decide("output 1")
    reviewer.page.locator(".pr-root[data-saving=retrying]").wait_for()
    reviewer.page.unroute("**/submit")
    reviewer.page.locator(".pr-root[data-saving=idle]").wait_for()
    reviewer.press("x")
    reviewer.can_decide("output 2")
    reviewer.saved(2)
    assert lost[0] == 200
    assert reviewer.decisions() == [("item-0", "approve", ""), ("item-1", "reject", "")]
    assert reviewer.page.get_by_text("Not counted").count() == 0


def test_a_reload_while_nothing_can_be_saved_loses_no_decision(reviewer_at_queue: OpenQueue) -> None:
    reviewer = reviewer_at_queue()
    reviewer.open()
    reviewer.can_decide("output 0")
    reviewer.page.route("**/submit", lambda route: route.abort())
    reviewer.comment.fill("before the reload")
    reviewer.press("Escape")
    reviewer.press("a")
    reviewer.page.locator(".pr-root[data-saving=retrying]").wait_for()
    reviewer.page.unroute("**/submit")
    reviewer.page.reload()
    reviewer.can_decide("output 1")
    reviewer.saved(1)
    assert reviewer.decisions() == [("item-0", "approve", "before the reload")]


def test_two_tabs_decide_each_item_once(reviewer_at_queue: OpenQueue) -> None:
    reviewer = reviewer_at_queue()
    reviewer.open()
    reviewer.can_decide("output 0")
    tab = type(reviewer)(reviewer.service, reviewer.page.context.new_page(), reviewer.queue, reviewer.key, reviewer.author)
    tab.page.goto(f"{reviewer.service.pages}/review?queue={reviewer.queue}")
    tab.can_decide("output 0")
    tab.comment.fill("of the second tab")
    reviewer.press("a")
    tab.can_decide("output 1")
    tab.page.get_by_text("You decided it in another tab.").wait_for()
    tab.press("x")
    tab.can_decide("output 2")
    reviewer.saved(2)
    assert reviewer.decisions() == [("item-0", "approve", ""), ("item-1", "reject", "")]


def test_an_item_that_was_decided_elsewhere_is_followed_by_the_next_one(reviewer_at_queue: OpenQueue) -> None:
    reviewer = reviewer_at_queue()
    reviewer.open()
    reviewer.can_decide("output 0")
    claim = reviewer.service.call(reviewer.key, "POST", f"/queues/{reviewer.queue}/claims")
    body = {"nonce": claim["nonce"], "decision": "unsure", "seen_at": "2026-01-01T00:00:00Z"}
    reviewer.service.call(reviewer.key, "POST", f"/claims/{claim['id']}/submit", body)
    reviewer.comment.fill("my view of it")
    reviewer.press("Escape")
    reviewer.press("a")
    reviewer.can_decide("output 1")
    reviewer.page.get_by_text("Not counted: ").wait_for()
    reviewer.sees("my view of it")
    assert reviewer.decisions() == [("item-0", "unsure", "")]


def test_a_revoked_key_leads_to_the_sign_in_and_back_to_the_comment(reviewer_at_queue: OpenQueue) -> None:
    reviewer = reviewer_at_queue()
    reviewer.open()
    reviewer.can_decide("output 0")
    reviewer.comment.fill("written before the key ended")
    person = reviewer.service.call(reviewer.key, "GET", "/self")["actor_id"].removeprefix("person:")
    operator = reviewer.service.make_key("operator", "operator")
    again = reviewer.service.call(operator, "POST", "/keys", {"name": "new", "role": "reviewer", "person": person})["key"]
    reviewer.service.call(operator, "DELETE", f"/keys/{reviewer.key.split('_')[1]}")
    reviewer.press("Escape")
    reviewer.press("a")
    reviewer.sees("Your session has ended. Sign in again.")
    reviewer.sign_in(again)
    reviewer.can_decide("output 1")
    reviewer.saved(1)
    assert reviewer.decisions() == [("item-0", "approve", "written before the key ended")]


def test_what_one_person_wrote_is_not_shown_to_the_next(reviewer_at_queue: OpenQueue) -> None:
    reviewer = reviewer_at_queue()
    reviewer.open()
    reviewer.can_decide("output 0")
    reviewer.comment.fill("mine alone")
    reviewer.press("Escape")
    reviewer.page.get_by_role("button", name="Sign out").click()
    reviewer.sign_in(reviewer.service.make_person("another", "reviewer"))
    reviewer.can_decide("output 0")  # the sign-out released it
    assert reviewer.comment.input_value() == ""
    assert "mine alone" not in reviewer.page.evaluate("JSON.stringify({...sessionStorage})")


def test_a_decision_may_have_a_key_of_streamlit_or_of_the_card(reviewer_at_queue: OpenQueue) -> None:
    choices = [{"value": name, "shortcut": name[0].upper()} for name in ("card", "refund", "zero")]
    reviewer = reviewer_at_queue(decisions=choices)
    reviewer.open()
    for number, key in enumerate("crz"):
        reviewer.can_decide(f"output {number}")
        reviewer.press(key)
    reviewer.saved(3)
    assert reviewer.decisions() == [("item-0", "card", ""), ("item-1", "refund", ""), ("item-2", "zero", "")]
    assert reviewer.page.get_by_role("dialog").count() == 0


def test_streamlits_own_keys_do_nothing_on_the_card(reviewer_at_queue: OpenQueue) -> None:
    reviewer = reviewer_at_queue()
    reviewer.open()
    reviewer.can_decide("output 0")
    heard = reviewer.page.evaluate("window.heard = 0; document.addEventListener('keydown', () => (window.heard += 1)); 0")
    for key in ("r", "c", "R", "q", "7"):
        reviewer.press(key)
    assert reviewer.page.evaluate("window.heard") == heard
    assert reviewer.page.get_by_role("dialog").count() == 0
    reviewer.sees("output 0")


def test_the_last_decision_is_undone_with_its_comment(reviewer_at_queue: OpenQueue) -> None:
    reviewer = reviewer_at_queue()
    reviewer.open()
    reviewer.can_decide("output 0")
    reviewer.comment.fill("too quick")
    reviewer.press("Escape")
    reviewer.press("a")
    reviewer.can_decide("output 1")
    reviewer.saved(1)
    reviewer.press("z")
    reviewer.can_decide("output 0")
    assert reviewer.comment.input_value() == "too quick"
    assert reviewer.page.get_by_role("button", name="Approve").get_attribute("aria-pressed") == "true"
    assert reviewer.decisions() == []
    reviewer.press("x")
    reviewer.can_decide("output 1")
    reviewer.saved(1)
    assert reviewer.decisions() == [("item-0", "reject", "too quick")]


def test_the_history_lists_ones_own_decisions(reviewer_at_queue: OpenQueue) -> None:
    reviewer = reviewer_at_queue()
    reviewer.open()
    for number, key in enumerate("ax"):
        reviewer.can_decide(f"output {number}")
        reviewer.press(key)
    reviewer.can_decide("output 2")
    reviewer.saved(2)
    reviewer.press("h")
    entries = reviewer.page.get_by_role("dialog", name="Your decisions").get_by_role("listitem")
    entries.nth(1).wait_for()
    assert [entries.nth(number).inner_text().split("\n")[0].split(" · ")[0] for number in range(2)] == [
        "Reject ticket 1",
        "Approve ticket 0",
    ]
    reviewer.press("a")  # keys do nothing behind a dialog
    reviewer.page.keyboard.press("Escape")
    reviewer.can_decide("output 2")
    assert len(reviewer.decisions()) == 2


def test_a_finished_queue_names_others_with_items_for_this_reviewer(reviewer_at_queue: OpenQueue) -> None:
    reviewer = reviewer_at_queue(1)
    author, other = reviewer.author, f"{reviewer.queue}-other"
    reviewer.service.call(author, "PUT", f"/queues/{other}", {})
    items = [{"source": "item", "payload": {"output": "of the other queue"}}]
    reviewer.service.call(author, "POST", f"/queues/{other}/items", {"items": items})
    reviewer.open()
    reviewer.can_decide("output 0")
    reviewer.press("a")
    reviewer.sees("Every item here is decided.")
    reviewer.page.get_by_role("link", name=other).click()
    reviewer.can_decide("of the other queue")


def test_leaving_the_queue_gives_the_items_back(reviewer_at_queue: OpenQueue) -> None:
    reviewer = reviewer_at_queue()
    reviewer.open()
    reviewer.can_decide("output 0")
    reviewer.page.get_by_role("button", name="All queues").click()
    reviewer.sees("Choose a queue. You get one item at a time, and no item twice.")
    counts = reviewer.service.call(reviewer.author, "GET", f"/queues/{reviewer.queue}")["counts"]
    assert (counts["claimed"], counts["open"]) == (0, 3)


def test_the_key_is_in_no_address_and_in_no_storage_of_the_browser(reviewer_at_queue: OpenQueue) -> None:
    reviewer = reviewer_at_queue()
    requests: list[str] = []
    reviewer.page.on("request", lambda request: requests.append(request.url))
    reviewer.open()
    reviewer.can_decide("output 0")
    stored = reviewer.page.evaluate("JSON.stringify([{...localStorage}, {...sessionStorage}, document.cookie, location.href])")
    assert reviewer.key not in stored
    assert not [url for url in requests if reviewer.key in url]
