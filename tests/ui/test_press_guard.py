"""Accepted presses: on an item that has been displayed for the minimum time, and apart from the press before."""

from typing import Any

from promptuary_ui.components.press_guard import MINIMUM_SECONDS, accept_press, record_display

LONG = MINIMUM_SECONDS + 0.01


def test_a_press_after_a_look_counts() -> None:
    state: dict[Any, Any] = {}
    record_display(state, "a", 10.0)
    assert accept_press(state, "a", 10.0 + LONG)


def test_a_press_before_a_look_does_not_count() -> None:
    state: dict[Any, Any] = {}
    record_display(state, "a", 10.0)
    assert not accept_press(state, "a", 10.0 + MINIMUM_SECONDS / 2)


def test_a_press_on_what_is_not_on_the_page_does_not_count() -> None:
    state: dict[Any, Any] = {}
    assert not accept_press(state, "a", 10.0)
    record_display(state, "b", 10.0)
    assert not accept_press(state, "a", 20.0)


def test_drawing_an_item_again_does_not_restart_its_minimum_time() -> None:
    state: dict[Any, Any] = {}
    record_display(state, "a", 10.0)
    record_display(state, "a", 10.0 + MINIMUM_SECONDS / 2)
    assert accept_press(state, "a", 10.0 + LONG)


def test_a_repeating_key_counts_once_and_again_after_its_release() -> None:
    state: dict[Any, Any] = {}
    record_display(state, "a", 0.0)
    assert accept_press(state, "a", 1.0)
    record_display(state, "b", 1.05)
    presses = [1.0 + 0.033 * number for number in range(1, 200)]
    assert not any(accept_press(state, "b", moment) for moment in presses)
    assert accept_press(state, "b", presses[-1] + LONG)
