"""What a reviewer does to the review page, and what must come of it: never a decision on an item that was not seen."""

import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest

pytestmark = pytest.mark.browser
Desk = Any
SetTheDesk = Callable[..., Desk]


def test_a_reviewer_decides_with_a_click_and_a_comment(desk: SetTheDesk) -> None:
    at = desk()
    at.open()
    at.sees("output 0")
    at.sees("expected 0")
    at.sees("ticket 0")
    at.page.get_by_label("Comment").fill("not what was asked")
    at.until("output 1", lambda: at.page.get_by_role("button", name="Reject").click())
    assert at.decisions() == [("item-0", "reject", "not what was asked")]
    assert at.page.get_by_label("Comment").input_value() == ""


def test_a_reviewer_decides_with_a_key_that_is_shown_on_the_button(desk: SetTheDesk) -> None:
    at = desk()
    at.open()
    at.sees("output 0")
    assert "U" in at.page.get_by_role("button", name="Unsure").inner_text()
    at.until("output 1", lambda: at.page.keyboard.press("u"))
    assert at.decisions() == [("item-0", "unsure", "")]


def test_letters_that_are_typed_into_the_comment_decide_nothing(desk: SetTheDesk) -> None:
    at = desk()
    at.open()
    at.sees("output 0")
    at.look()
    at.page.get_by_label("Comment").press_sequentially("a x u s")
    at.page.get_by_label("Comment").press("Control+Enter")
    at.until("output 1", lambda: at.page.get_by_role("button", name="Approve").click())
    assert at.decisions() == [("item-0", "approve", "a x u s")]


def test_five_presses_in_a_burst_decide_only_what_was_seen(desk: SetTheDesk) -> None:
    at = desk(6)
    at.open()
    at.sees("output 0")
    at.look()
    for _ in range(5):
        at.page.keyboard.press("a")
        at.page.wait_for_timeout(20)
    at.sees("output 1")
    at.until("output 2", lambda: at.page.keyboard.press("x"))
    assert at.decisions() == [("item-0", "approve", ""), ("item-1", "reject", "")]


def test_a_key_that_is_held_down_decides_one_item(desk: SetTheDesk) -> None:
    at = desk(6)
    at.open()
    at.sees("output 0")
    at.look()
    for _ in range(40):
        at.page.keyboard.down("a")  # each further one is the keyboard's own repeat
        at.page.wait_for_timeout(33)
    at.page.keyboard.up("a")
    at.sees("output 1")
    at.until("output 2", lambda: at.page.keyboard.press("x"))
    assert at.decisions() == [("item-0", "approve", ""), ("item-1", "reject", "")]


def test_a_double_click_decides_once(desk: SetTheDesk) -> None:
    at = desk()
    at.open()
    at.sees("output 0")
    at.look()
    at.page.get_by_role("button", name="Approve").dblclick()
    at.sees("output 1")
    at.until("output 2", lambda: at.page.get_by_role("button", name="Reject").click())
    assert at.decisions() == [("item-0", "approve", ""), ("item-1", "reject", "")]


def test_a_skipped_item_comes_back_when_nothing_else_is_left(desk: SetTheDesk) -> None:
    at = desk(2)
    at.open()
    at.sees("output 0")
    at.until("output 1", lambda: at.page.keyboard.press("s"))
    at.until("output 0", lambda: at.page.keyboard.press("a"))
    at.until("Every item here is decided.", lambda: at.page.keyboard.press("a"))
    assert [source for source, _, _ in at.decisions()] == ["item-1", "item-0"]


def test_a_reload_comes_back_to_the_same_item(desk: SetTheDesk) -> None:
    at = desk()
    at.open()
    at.sees("output 0")
    at.until("output 1", lambda: at.page.keyboard.press("a"))
    address = at.page.url
    assert "claim=" in address
    at.page.reload()
    at.sign_in()
    at.sees("output 1")
    assert at.page.url == address


def test_an_item_that_was_decided_elsewhere_is_followed_by_the_current_one(desk: SetTheDesk) -> None:
    at = desk()
    at.open()
    at.sees("output 0")
    held = at.service.call(at.key, "POST", f"/queues/{at.queue}/claims")
    body = {"nonce": held["nonce"], "decision": "unsure"}
    at.service.call(at.key, "POST", f"/claims/{held['id']}/submit", body)
    at.until("output 1", lambda: at.page.keyboard.press("a"))
    at.page.get_by_text("submitted already").wait_for()
    assert at.decisions() == [("item-0", "unsure", "")]


def test_leaving_the_queue_gives_the_item_back(desk: SetTheDesk) -> None:
    at = desk()
    at.open()
    at.sees("output 0")
    at.page.get_by_role("button", name="All queues").click()
    at.sees("Choose a queue. You get one item at a time, and nobody else has it meanwhile.")
    counts = at.service.call(at.author, "GET", f"/queues/{at.queue}")["counts"]
    assert (counts["claimed"], counts["open"]) == (0, 3)


@pytest.fixture
def trap() -> Iterator[tuple[str, list[str]]]:
    """A server that a leak would reach, and the paths that were asked of it."""
    asked: list[str] = []

    class Trap(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_given: Any) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Trap)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", asked
    server.shutdown()
    thread.join()
    server.server_close()


def test_what_a_model_wrote_is_text_and_reaches_nobody(desk: SetTheDesk, trap: tuple[str, list[str]]) -> None:
    url, asked = trap
    text = f"![x]({url}/leak.png) <img src='{url}/leak.gif'><script>document.title='owned'</script> :material/home: **bold**"
    at = desk(payloads=[{"input": {text: text}, "output": text, "expected": text, "messages": [{"content": text}], text: text}])
    requests: list[str] = []
    at.page.on("request", lambda request: requests.append(request.url))
    at.open()
    at.page.get_by_role("button", name="Approve").wait_for()
    at.page.get_by_text("Where this comes from").click()
    at.sees(text)
    assert at.page.get_by_text(text, exact=True).count() >= 4
    at.look()
    assert asked == []
    assert at.page.title() != "owned"
    assert {request for request in requests if not request.startswith((at.service.pages, "data:", "blob:"))} == set()


def test_the_key_is_in_no_address_and_in_no_storage_of_the_browser(desk: SetTheDesk) -> None:
    at = desk()
    requests: list[str] = []
    at.page.on("request", lambda request: requests.append(request.url))
    at.open()
    at.sees("output 0")
    kept = at.page.evaluate("JSON.stringify([{...localStorage}, {...sessionStorage}, document.cookie, location.href])")
    assert at.key not in kept
    assert not [url for url in requests if at.key in url]
