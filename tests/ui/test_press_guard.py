"""The server's part of the protection: a press counts for the displayed item only; tests/browser has the browser's part."""

from typing import Any

from promptuary_ui.components.press_guard import MINIMUM_SECONDS, is_displayed, record_display, script


def test_only_the_claim_on_the_page_is_displayed() -> None:
    state: dict[Any, Any] = {}
    assert not is_displayed(state, "a")
    record_display(state, "a")
    assert is_displayed(state, "a")


def test_a_press_on_an_item_that_another_one_replaced_does_not_count() -> None:
    state: dict[Any, Any] = {}
    record_display(state, "a")
    record_display(state, "b")
    assert not is_displayed(state, "a")


def test_the_script_contains_the_minimum_time() -> None:
    assert f"MINIMUM_MILLISECONDS = {MINIMUM_SECONDS * 1000:g};" in script()
    assert "__" not in script()
