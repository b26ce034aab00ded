"""The script that refuses accidental presses, on a small page whose clock the test moves."""

from typing import Any

import pytest

pytestmark = pytest.mark.browser
PAGE = """
<textarea></textarea><main></main>
<script>
  window.presses = [];
  window.display = (item) => {
    document.querySelector("main").innerHTML = `<div class="st-key-decide-${item}"><button>Approve ${item}</button></div>`;
    document.querySelector("button").addEventListener("click", () => window.presses.push(`click ${item}`));
  };
  document.addEventListener("keydown", (event) => window.presses.push(event.key));
</script>
"""
MINIMUM, FRAMES = 600, 100
"""Milliseconds: the minimum time, and time in which a browser paints several frames."""


@pytest.fixture
def guarded_page(page: Any) -> Any:
    """A page with the script, which displays the item `a` and whose clock stands still."""
    from promptuary_ui.components.press_guard import MINIMUM_SECONDS, script

    assert MINIMUM_SECONDS * 1000 == MINIMUM
    page.clock.install(time=0)
    page.goto("about:blank")
    page.clock.pause_at(1000)
    page.set_content(PAGE)
    page.evaluate(script())
    display(page, "a")
    return page


def display(page: Any, item: str) -> None:
    """Display an item and let it be painted."""
    page.evaluate("item => window.display(item)", item)
    page.clock.run_for(FRAMES)


def presses(page: Any) -> list[str]:
    """Return the presses that reached the page."""
    result: list[str] = page.evaluate("window.presses")
    return result


def test_a_press_after_the_minimum_time_is_accepted(guarded_page: Any) -> None:
    guarded_page.clock.run_for(MINIMUM)
    guarded_page.keyboard.press("x")
    assert presses(guarded_page) == ["x"]


def test_a_press_before_the_minimum_time_is_refused(guarded_page: Any) -> None:
    guarded_page.clock.run_for(MINIMUM - FRAMES - 50)
    guarded_page.keyboard.press("x")
    guarded_page.get_by_role("button").click()
    assert presses(guarded_page) == []


def test_the_next_item_needs_its_own_minimum_time(guarded_page: Any) -> None:
    guarded_page.clock.run_for(10 * MINIMUM)
    display(guarded_page, "b")
    guarded_page.keyboard.press("x")
    assert presses(guarded_page) == []
    guarded_page.clock.run_for(MINIMUM)
    guarded_page.keyboard.press("x")
    assert presses(guarded_page) == ["x"]


def test_an_item_that_is_not_painted_yet_accepts_no_press(guarded_page: Any) -> None:
    guarded_page.clock.run_for(10 * MINIMUM)
    guarded_page.evaluate("window.display('b')")
    guarded_page.keyboard.press("x")
    assert presses(guarded_page) == []


def test_drawing_an_item_again_does_not_restart_its_minimum_time(guarded_page: Any) -> None:
    guarded_page.clock.run_for(MINIMUM - FRAMES)
    display(guarded_page, "a")
    guarded_page.keyboard.press("x")
    assert presses(guarded_page) == ["x"]


def test_each_press_restarts_the_minimum_time_also_a_refused_one(guarded_page: Any) -> None:
    guarded_page.clock.run_for(MINIMUM)
    for _ in range(5):
        guarded_page.keyboard.press("x")
        guarded_page.clock.run_for(MINIMUM // 2)
    guarded_page.get_by_role("button").dblclick()
    assert presses(guarded_page) == ["x"]
    guarded_page.clock.run_for(MINIMUM)
    guarded_page.get_by_role("button").click()
    assert presses(guarded_page) == ["x", "click a"]


def test_a_repeating_key_is_refused_however_late_its_repeats_are(guarded_page: Any) -> None:
    for _ in range(5):
        guarded_page.clock.run_for(10 * MINIMUM)
        guarded_page.keyboard.down("x")
    assert presses(guarded_page) == ["x"]
    guarded_page.keyboard.up("x")
    guarded_page.clock.run_for(MINIMUM)
    guarded_page.keyboard.press("x")
    assert presses(guarded_page) == ["x", "x"]


def test_the_space_key_on_a_button_is_one_press(guarded_page: Any) -> None:
    guarded_page.clock.run_for(MINIMUM)
    guarded_page.get_by_role("button").focus()
    guarded_page.keyboard.press("Space")
    assert presses(guarded_page) == [" ", "click a"]


def test_keys_in_a_text_field_are_not_guarded(guarded_page: Any) -> None:
    guarded_page.get_by_role("textbox").press_sequentially("ab")
    assert presses(guarded_page) == ["a", "b"]
