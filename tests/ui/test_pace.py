"""Which presses count: only on an item that has been on the page for a moment, and apart from the press before."""

from typing import Any

from promptuary_ui.parts.pace import LOOK, counts, shown

LONG = LOOK + 0.01


def test_a_press_after_a_look_counts() -> None:
    state: dict[Any, Any] = {}
    shown(state, "a", 10.0)
    assert counts(state, "a", 10.0 + LONG)


def test_a_press_before_a_look_does_not_count() -> None:
    state: dict[Any, Any] = {}
    shown(state, "a", 10.0)
    assert not counts(state, "a", 10.0 + LOOK / 2)


def test_a_press_on_what_is_not_on_the_page_does_not_count() -> None:
    state: dict[Any, Any] = {}
    assert not counts(state, "a", 10.0)
    shown(state, "b", 10.0)
    assert not counts(state, "a", 20.0)


def test_drawing_an_item_again_does_not_start_its_look_anew() -> None:
    state: dict[Any, Any] = {}
    shown(state, "a", 10.0)
    shown(state, "a", 10.0 + LOOK / 2)
    assert counts(state, "a", 10.0 + LONG)


def test_a_key_held_down_counts_once_and_again_after_it_was_let_go() -> None:
    state: dict[Any, Any] = {}
    shown(state, "a", 0.0)
    assert counts(state, "a", 1.0)
    shown(state, "b", 1.05)
    presses = [1.0 + 0.033 * number for number in range(1, 200)]
    assert not any(counts(state, "b", moment) for moment in presses)
    assert counts(state, "b", presses[-1] + LONG)
