"""What the review card shows and asks: texts as texts, the fields of a label schema, pairs, and the page around them."""

import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest

pytestmark = pytest.mark.browser
ReviewerAtQueue = Any
OpenQueue = Callable[..., ReviewerAtQueue]
FIELDS = [
    {"name": "intent", "type": "choice", "title": "Intent", "required": True, "options": ["card", "loan"]},
    {"name": "faults", "type": "choices", "title": "Faults", "options": ["tone", "facts"]},
    {"name": "grade", "type": "ordinal", "title": "Grade", "minimum": 1, "maximum": 3},
    {"name": "minutes", "type": "number", "title": "Minutes", "minimum": 0, "maximum": 60},
    {"name": "reason", "type": "text", "title": "Reason"},
    {"name": "topics", "type": "tags", "title": "Topics"},
    {"name": "errors", "type": "spans", "title": "Errors", "options": ["wrong"]},
]
SCHEMA = {"fields": FIELDS, "rubric": "Right means: the intent fits.", "examples": [{"output": "card", "note": "a clear one"}]}
SELECT = """text => {
    const node = document.querySelector(".pr-output .pr-text").firstChild;
    const start = node.data.indexOf(text);
    getSelection().setBaseAndExtent(node, start, node, start + text.length);
}"""


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
    payload = {"input": {text: text}, "output": text, "expected": text, "messages": [{"content": text}], text: text}
    reviewer = reviewer_at_queue([{"payload": payload}])
    requests: list[str] = []
    reviewer.page.on("request", lambda request: requests.append(request.url))
    reviewer.open()
    reviewer.can_decide(text)
    reviewer.page.get_by_text("Where this comes from").click()
    assert reviewer.page.get_by_text(text, exact=True).count() >= 4
    assert requested_paths == []
    assert reviewer.page.title() != "owned"
    assert {request for request in requests if not request.startswith((reviewer.service.pages, "data:", "blob:"))} == set()


def test_characters_that_nobody_sees_are_shown(reviewer_at_queue: OpenQueue) -> None:
    reviewer = reviewer_at_queue([{"payload": {"output": "safe\u202egnp.exe\u200b"}}])
    reviewer.open()
    reviewer.page.locator(".pr-root[data-decidable=true]").wait_for()
    assert reviewer.page.locator(".pr-hidden").all_inner_texts() == ["U+202E", "U+200B"]


def test_all_fields_of_a_schema_are_answered_in_the_card(reviewer_at_queue: OpenQueue) -> None:
    reviewer = reviewer_at_queue(
        [{"payload": {"output": "the \U0001f4b3 card is lost"}}, {"payload": {"output": "next"}}], schema=SCHEMA
    )
    page = reviewer.page
    reviewer.open()
    reviewer.can_decide("the \U0001f4b3 card is lost")
    page.get_by_text("Rubric and examples").click()
    reviewer.sees("Right means: the intent fits.")
    reviewer.sees("a clear one")
    reviewer.press("a")
    reviewer.sees("This field is required.")
    page.get_by_role("radio", name="loan").check()
    page.get_by_role("checkbox", name="facts").check()
    page.get_by_role("radio", name="2").check()
    page.get_by_label("Minutes").fill("7.5")
    page.get_by_label("Reason").fill("it names a loan")
    page.get_by_label("Topics").fill("lost, card, lost")
    page.evaluate(SELECT, "card is")
    page.get_by_role("button", name="wrong").click()
    page.get_by_role("button", name="Remove “card is”").wait_for()
    reviewer.press("Control+Enter")
    reviewer.can_decide("next")
    reviewer.saved(1)
    (row,) = reviewer.exported()
    assert row["decision"] == "approve"
    assert row["labels"] == {
        "intent": "loan",
        "faults": ["facts"],
        "grade": 2,
        "minutes": 7.5,
        "reason": "it names a loan",
        "topics": ["lost", "card"],
        "errors": [{"start": 6, "end": 13, "label": "wrong"}],
    }
    assert page.get_by_label("Reason").input_value() == ""


def test_fields_survive_a_reload(reviewer_at_queue: OpenQueue) -> None:
    reviewer = reviewer_at_queue([{"payload": {"output": "the card is lost"}}], schema=SCHEMA)
    reviewer.open()
    reviewer.can_decide("the card is lost")
    reviewer.page.get_by_role("radio", name="card").check()
    reviewer.page.evaluate(SELECT, "lost")
    reviewer.page.get_by_role("button", name="wrong").click()
    reviewer.page.reload()
    reviewer.page.get_by_role("button", name="Remove “lost”").wait_for()
    assert reviewer.page.get_by_role("radio", name="card").is_checked()
    assert reviewer.page.locator("mark").inner_text() == "lost"


def test_a_number_out_of_its_range_is_not_sent(reviewer_at_queue: OpenQueue) -> None:
    fields = [{"name": "minutes", "type": "number", "title": "Minutes", "minimum": 0, "maximum": 60}]
    reviewer = reviewer_at_queue([{"payload": {"output": "o"}}], schema={"fields": fields})
    reviewer.open()
    reviewer.can_decide("o")
    reviewer.page.get_by_label("Minutes").fill("61")
    reviewer.page.keyboard.press("Escape")
    reviewer.press("a")
    reviewer.sees("Enter at most 60.")
    assert reviewer.decisions() == []


def test_a_pair_is_shown_side_by_side_and_a_side_preferred_without_a_button(reviewer_at_queue: OpenQueue) -> None:
    fields = [{"name": "better", "type": "preference", "title": "Which is better?", "required": True}]
    reviewer = reviewer_at_queue([{"payload": {"input": "a question"}}], schema={"fields": fields}, decisions=[])
    sides = {side: {"output": f"the {side} answer", "version": number} for number, side in enumerate(("first", "second"))}
    reviewer.make_pairs(sides)
    reviewer.open()
    reviewer.page.locator(".pr-root[data-decidable=true]").wait_for()
    left = reviewer.page.get_by_role("region", name="Left").locator(".pr-text").inner_text()
    assert {left, reviewer.page.get_by_role("region", name="Right").locator(".pr-text").inner_text()} == {
        "the first answer",
        "the second answer",
    }
    reviewer.page.get_by_role("radio", name="Left").check()
    reviewer.press("Control+Enter")
    reviewer.sees("Every item here is decided.")
    (row,) = reviewer.exported()
    assert (row["decision"], row["labels"]) == ("saved", {"better": left.split()[1]})


def test_a_pair_is_decided_by_keys_and_shows_no_passages(reviewer_at_queue: OpenQueue) -> None:
    fields = [{"name": "better", "type": "preference", "title": "Which is better?", "required": True}]
    reviewer = reviewer_at_queue([{"payload": {"input": "a question"}}], schema={"fields": fields}, decisions=[])
    reviewer.make_pairs({side: {"output": f"the {side}", "passages": [f"of the {side}"]} for side in ("first", "second")})
    reviewer.open()
    reviewer.page.locator(".pr-root[data-decidable=true]").wait_for()
    assert reviewer.page.get_by_text("of the first").count() == 0
    reviewer.press("a")
    reviewer.sees("This field is required.")
    assert reviewer.page.evaluate("document.activeElement.tagName") == "FIELDSET"
    reviewer.press("3")
    reviewer.press("a")
    reviewer.sees("Every item here is decided.")
    assert [row["labels"] for row in reviewer.exported()] == [{"better": "tie"}]


def test_a_second_press_of_e_keeps_what_was_corrected(reviewer_at_queue: OpenQueue) -> None:
    reviewer = reviewer_at_queue()
    reviewer.open()
    reviewer.can_decide("output 0")
    reviewer.press("e")
    correction = reviewer.page.get_by_label("Corrected output")
    correction.fill("output zero")
    reviewer.page.keyboard.press("Escape")
    reviewer.press("e")
    assert correction.input_value() == "output zero"
    reviewer.page.get_by_role("button", name="Discard the correction").click()
    reviewer.page.get_by_role("button", name="Correct the output").click()
    assert correction.input_value() == "output zero"


def test_what_is_expected_stands_below_the_input_of_a_long_output(reviewer_at_queue: OpenQueue) -> None:
    output = "\n".join(f"line {number}" for number in range(300))
    reviewer = reviewer_at_queue([{"payload": {"input": "a question", "output": output, "expected": "an answer"}}])
    reviewer.open()
    reviewer.sees("an answer")
    above, below = (reviewer.page.get_by_role("region", name=name).bounding_box() for name in ("Input", "Expected"))
    assert below["y"] - (above["y"] + above["height"]) < 40


def test_a_corrected_output_is_sent_with_the_decision(reviewer_at_queue: OpenQueue) -> None:
    reviewer = reviewer_at_queue()
    reviewer.open()
    reviewer.can_decide("output 0")
    reviewer.press("e")
    reviewer.page.get_by_label("Corrected output").fill("output zero")
    reviewer.page.keyboard.press("Escape")
    reviewer.press("x")
    reviewer.can_decide("output 1")
    reviewer.saved(1)
    assert [(row["decision"], row["correction"]) for row in reviewer.exported()] == [("reject", "output zero")]


@pytest.mark.parametrize(("width", "height"), [(390, 844), (1280, 800), (2560, 1440)])
def test_the_buttons_stay_where_they_are_whatever_the_item(reviewer_at_queue: OpenQueue, width: int, height: int) -> None:
    long = " ".join(["word"] * 3000)
    reviewer = reviewer_at_queue([{"payload": {"input": long, "output": "output 0"}}, {"payload": {"output": "output 1"}}])
    reviewer.page.set_viewport_size({"width": width, "height": height})
    reviewer.open()
    reviewer.sees("output 0")
    before = reviewer.page.get_by_role("button", name="Approve").bounding_box()
    reviewer.press("s")
    reviewer.sees("output 1")
    assert reviewer.page.get_by_role("button", name="Approve").bounding_box() == before
    assert before["y"] + before["height"] <= height
    assert reviewer.page.evaluate("document.documentElement.scrollWidth") <= width


def test_no_decision_looks_like_the_right_one(reviewer_at_queue: OpenQueue) -> None:
    reviewer = reviewer_at_queue()
    reviewer.open()
    reviewer.can_decide("output 0")
    read = "nodes => nodes.map((node) => [getComputedStyle(node).color, getComputedStyle(node).backgroundColor])"
    styles = reviewer.page.locator(".pr-choices button").evaluate_all(read)
    assert len(styles) == 3
    assert styles.count(styles[0]) == 3


def test_a_screen_reader_hears_what_happened(reviewer_at_queue: OpenQueue) -> None:
    reviewer = reviewer_at_queue()
    reviewer.open()
    reviewer.can_decide("output 0")
    live = reviewer.page.locator(".pr-live")
    assert live.get_attribute("aria-live") == "polite"
    reviewer.press("a")
    reviewer.page.locator(".pr-live", has_text="Saved: Approve.").wait_for()
    assert reviewer.page.evaluate("document.activeElement.className") == "pr-heading"
    assert reviewer.page.get_by_role("region", name="Your decision").count() == 1
    assert reviewer.page.get_by_role("region", name="Output").count() == 1


@pytest.mark.parametrize("address", ["/review?queue={queue}", "/?queue={queue}", "/review/?queue={queue}"])
def test_a_link_to_a_queue_opens_it_after_the_sign_in(reviewer_at_queue: OpenQueue, address: str) -> None:
    reviewer = reviewer_at_queue()
    reviewer.page.goto(reviewer.service.pages + address.format(queue=reviewer.queue))
    reviewer.sign_in()
    reviewer.can_decide("output 0")
    reviewer.page.goto(reviewer.service.pages + address.format(queue=reviewer.queue))
    reviewer.can_decide("output 0")


def test_the_pages_break_no_rule_of_their_policy(reviewer_at_queue: OpenQueue) -> None:
    reviewer = reviewer_at_queue(schema=SCHEMA)
    violations: list[str] = []
    reviewer.page.on("console", lambda line: violations.append(line.text) if "Content Security Policy" in line.text else None)
    reviewer.open()
    reviewer.can_decide("output 0")
    for page in ("Runs", "Prompts", "Account", "Review"):
        reviewer.page.get_by_role("link", name=page).click()
        reviewer.page.get_by_role("heading", name=page).first.wait_for()
    assert violations == []


def test_a_text_that_is_too_long_is_counted_and_named(reviewer_at_queue: OpenQueue) -> None:
    fields = [{"name": "note", "type": "text", "title": "Note", "maximum": 5}]
    reviewer = reviewer_at_queue([{"payload": {"output": "a card"}}], schema={"fields": fields})
    reviewer.open()
    reviewer.can_decide("a card")
    reviewer.sees("0 of at most 5 characters")
    reviewer.page.get_by_label("Note").fill("too long")
    reviewer.sees("8 of at most 5 characters")
    reviewer.press("Escape")
    reviewer.press("a")
    reviewer.sees("“Note”: Enter at most 5 characters. Then press Ctrl+Enter.")
    problem = reviewer.page.locator(".pr-problem:not([hidden])").bounding_box()
    assert problem["y"] + problem["height"] <= reviewer.page.locator(".pr-bar").bounding_box()["y"]


def test_the_only_free_item_says_so_and_undo_spares_the_decision_before(reviewer_at_queue: OpenQueue) -> None:
    reviewer = reviewer_at_queue(2)
    reviewer.open()
    reviewer.can_decide("output 0")
    reviewer.press("a")
    reviewer.can_decide("output 1")
    reviewer.saved(1)
    reviewer.sees("1 decided by you · 1 left for you · 1 of 2 complete")
    reviewer.press("s")
    reviewer.sees("This is the only item that is free for you now.")
    reviewer.press("z")
    reviewer.page.get_by_text("You skipped an item last").wait_for()
    assert len(reviewer.decisions()) == 1
    reviewer.press("z")
    reviewer.can_decide("output 0")
    reviewer.sees("0 decided by you · 2 left for you · 0 of 2 complete")


def test_a_queue_without_undo_has_no_button_for_it(reviewer_at_queue: OpenQueue) -> None:
    reviewer = reviewer_at_queue(undo_seconds=0)
    reviewer.open()
    reviewer.can_decide("output 0")
    assert reviewer.page.get_by_role("button", name="History").count() == 1
    assert reviewer.page.get_by_role("button", name="Undo").count() == 0
