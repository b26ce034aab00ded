"""Keys on a machine that is kept busy: one decision a slot, and none of an item that was not on the screen."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest

pytestmark = pytest.mark.browser
OpenQueue = Callable[..., Any]
WATCH_ITEMS = """() => {
    const root = document.querySelector(".pr-root");
    window.visibleItems = [root.dataset.claim];
    new MutationObserver(() => {
        const claim = root.dataset.claim;
        if (claim && root.dataset.decidable === "true" && window.visibleItems.at(-1) !== claim) window.visibleItems.push(claim);
    }).observe(root, { attributes: true, attributeFilter: ["data-claim", "data-decidable"] });
}"""
"""Record which items could be decided on the screen, by their claims."""


@pytest.fixture
def busy_machine() -> Iterator[None]:
    """Two processes that never pause."""
    processes = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(2)]
    yield
    for process in processes:
        process.kill()
        process.wait()


def test_a_key_held_for_three_seconds_on_a_busy_machine_decides_one_item(
    reviewer_at_queue: OpenQueue, busy_machine: None
) -> None:
    reviewer = reviewer_at_queue(6)
    reviewer.open()
    reviewer.can_decide("output 0")
    for _ in range(100):  # a keyboard repeats about 30 times a second
        reviewer.page.keyboard.down("a")
        reviewer.page.wait_for_timeout(30)
    reviewer.page.keyboard.up("a")
    reviewer.can_decide("output 1")
    reviewer.press("x")
    reviewer.can_decide("output 2")
    reviewer.saved(2)
    assert reviewer.decisions() == [("item-0", "approve", ""), ("item-1", "reject", "")]


def test_five_real_keys_on_a_busy_machine_decide_what_was_seen(reviewer_at_queue: OpenQueue, busy_machine: None) -> None:
    reviewer = reviewer_at_queue(8)
    reviewer.open()
    reviewer.can_decide("output 0")
    reviewer.page.evaluate(WATCH_ITEMS)
    for key in "axuax":
        reviewer.page.keyboard.press(key)
    reviewer.page.locator(".pr-root[data-decidable=true][data-saving=idle]").wait_for(timeout=30_000)
    visible = reviewer.page.evaluate("window.visibleItems")
    decided = [source for source, _, _ in reviewer.decisions()]
    assert len(set(decided)) == len(decided)  # one decision a slot
    assert decided == [f"item-{number}" for number in range(len(decided))]
    assert 1 <= len(decided) <= len(visible)  # each of an item that could be decided on the screen
