"""What a reviewer does to the review page, and what must come of it: never a decision on an item that was not seen."""

import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest

from factories.reviews import SEEN

pytestmark = pytest.mark.browser
ReviewerAtQueue = Any
OpenQueue = Callable[..., ReviewerAtQueue]


def test_a_reviewer_decides_with_a_click_and_a_comment(reviewer_at_queue: OpenQueue) -> None:
    reviewer = reviewer_at_queue()
    reviewer.open()
    reviewer.sees("output 0")
    reviewer.sees("expected 0")
    reviewer.sees("ticket 0")
    reviewer.page.get_by_label("Comment").fill("not what was asked")
    reviewer.press_until("output 1", lambda: reviewer.page.get_by_role("button", name="Reject").click())
    assert reviewer.decisions() == [("item-0", "reject", "not what was asked")]
    assert reviewer.page.get_by_label("Comment").input_value() == ""


def test_a_reviewer_decides_with_a_key_that_is_shown_on_the_button(reviewer_at_queue: OpenQueue) -> None:
    reviewer = reviewer_at_queue()
    reviewer.open()
    reviewer.sees("output 0")
    assert "U" in reviewer.page.get_by_role("button", name="Unsure").inner_text()
    reviewer.press_until("output 1", lambda: reviewer.page.keyboard.press("u"))
    assert reviewer.decisions() == [("item-0", "unsure", "")]


def test_letters_that_are_typed_into_the_comment_decide_nothing(reviewer_at_queue: OpenQueue) -> None:
    reviewer = reviewer_at_queue()
    reviewer.open()
    reviewer.sees("output 0")
    reviewer.wait_for_accepted_presses()
    reviewer.page.get_by_label("Comment").press_sequentially("a x u s")
    reviewer.page.get_by_label("Comment").press("Control+Enter")
    reviewer.press_until("output 1", lambda: reviewer.page.get_by_role("button", name="Approve").click())
    assert reviewer.decisions() == [("item-0", "approve", "a x u s")]


def test_five_presses_in_a_burst_decide_only_what_was_seen(reviewer_at_queue: OpenQueue) -> None:
    reviewer = reviewer_at_queue(6)
    reviewer.open()
    reviewer.sees("output 0")
    reviewer.wait_for_accepted_presses()
    for _ in range(5):
        reviewer.page.keyboard.press("a")
    reviewer.sees("output 1")
    reviewer.press_until("output 2", lambda: reviewer.page.keyboard.press("x"))
    assert reviewer.decisions() == [("item-0", "approve", ""), ("item-1", "reject", "")]


def test_a_repeating_key_decides_one_item(reviewer_at_queue: OpenQueue) -> None:
    reviewer = reviewer_at_queue(6)
    reviewer.open()
    reviewer.sees("output 0")
    reviewer.wait_for_accepted_presses()
    for _ in range(40):
        reviewer.page.keyboard.down("a")  # each further one is the keyboard's own repeat
    reviewer.sees("output 1")
    reviewer.wait_for_accepted_presses()  # as where the page or the server is late: the next repeat follows a long pause
    for _ in range(5):
        reviewer.page.keyboard.down("a")
    form = reviewer.page.locator('[class*="st-key-decide-"][data-too-soon]')
    assert "too soon" in form.evaluate("form => getComputedStyle(form, '::after').content")
    reviewer.page.keyboard.up("a")
    reviewer.press_until("output 2", lambda: reviewer.page.keyboard.press("x"))
    assert reviewer.decisions() == [("item-0", "approve", ""), ("item-1", "reject", "")]


def test_a_double_click_decides_once(reviewer_at_queue: OpenQueue) -> None:
    reviewer = reviewer_at_queue()
    reviewer.open()
    reviewer.sees("output 0")
    reviewer.wait_for_accepted_presses()
    reviewer.page.get_by_role("button", name="Approve").dblclick()
    reviewer.sees("output 1")
    reviewer.press_until("output 2", lambda: reviewer.page.get_by_role("button", name="Reject").click())
    assert reviewer.decisions() == [("item-0", "approve", ""), ("item-1", "reject", "")]


def test_a_skipped_item_comes_back_when_nothing_else_is_left(reviewer_at_queue: OpenQueue) -> None:
    reviewer = reviewer_at_queue(2)
    reviewer.open()
    reviewer.sees("output 0")
    reviewer.press_until("output 1", lambda: reviewer.page.keyboard.press("s"))
    reviewer.press_until("output 0", lambda: reviewer.page.keyboard.press("a"))
    reviewer.press_until("Every item here is decided.", lambda: reviewer.page.keyboard.press("a"))
    assert [source for source, _, _ in reviewer.decisions()] == ["item-1", "item-0"]


def test_a_reload_comes_back_to_the_same_item(reviewer_at_queue: OpenQueue) -> None:
    reviewer = reviewer_at_queue()
    reviewer.open()
    reviewer.sees("output 0")
    reviewer.press_until("output 1", lambda: reviewer.page.keyboard.press("a"))
    address = reviewer.page.url
    assert "claim=" in address
    reviewer.page.reload()
    reviewer.sees("output 1")
    assert reviewer.page.url == address


def test_an_item_that_was_decided_elsewhere_is_followed_by_the_current_one(reviewer_at_queue: OpenQueue) -> None:
    reviewer = reviewer_at_queue()
    reviewer.open()
    reviewer.sees("output 0")
    claim = reviewer.service.call(reviewer.key, "POST", f"/queues/{reviewer.queue}/claims")
    body = {"nonce": claim["nonce"], "decision": "unsure", **SEEN}
    reviewer.service.call(reviewer.key, "POST", f"/claims/{claim['id']}/submit", body)
    reviewer.press_until("output 1", lambda: reviewer.page.keyboard.press("a"))
    reviewer.page.get_by_text("submitted already").wait_for()
    assert reviewer.decisions() == [("item-0", "unsure", "")]


def test_leaving_the_queue_gives_the_item_back(reviewer_at_queue: OpenQueue) -> None:
    reviewer = reviewer_at_queue()
    reviewer.open()
    reviewer.sees("output 0")
    reviewer.page.get_by_role("button", name="All queues").click()
    reviewer.sees("Choose a queue. You get one item at a time, and no other reviewer gets it meanwhile.")
    counts = reviewer.service.call(reviewer.author, "GET", f"/queues/{reviewer.queue}")["counts"]
    assert (counts["claimed"], counts["open"]) == (0, 3)


@pytest.fixture
def trap() -> Iterator[tuple[str, list[str]]]:
    """A server that a leak would reach, and the paths that were asked of it."""
    requested_paths: list[str] = []

    class Trap(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            requested_paths.append(self.path)
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_arguments: Any) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Trap)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", requested_paths
    server.shutdown()
    thread.join()
    server.server_close()


def test_what_a_model_wrote_is_text_and_reaches_nobody(reviewer_at_queue: OpenQueue, trap: tuple[str, list[str]]) -> None:
    url, requested_paths = trap
    text = f"![x]({url}/leak.png) <img src='{url}/leak.gif'><script>document.title='owned'</script> :material/home: **bold**"
    reviewer = reviewer_at_queue(
        payloads=[{"input": {text: text}, "output": text, "expected": text, "messages": [{"content": text}], text: text}]
    )
    requests: list[str] = []
    reviewer.page.on("request", lambda request: requests.append(request.url))
    reviewer.open()
    reviewer.page.get_by_role("button", name="Approve").wait_for()
    reviewer.page.get_by_text("Where this comes from").click()
    reviewer.sees(text)
    assert reviewer.page.get_by_text(text, exact=True).count() >= 4
    reviewer.wait_for_accepted_presses()
    assert requested_paths == []
    assert reviewer.page.title() != "owned"
    assert {request for request in requests if not request.startswith((reviewer.service.pages, "data:", "blob:"))} == set()


def test_the_key_is_in_no_address_and_in_no_storage_of_the_browser(reviewer_at_queue: OpenQueue) -> None:
    reviewer = reviewer_at_queue()
    requests: list[str] = []
    reviewer.page.on("request", lambda request: requests.append(request.url))
    reviewer.open()
    reviewer.sees("output 0")
    stored = reviewer.page.evaluate("JSON.stringify([{...localStorage}, {...sessionStorage}, document.cookie, location.href])")
    assert reviewer.key not in stored
    assert not [url for url in requests if reviewer.key in url]
