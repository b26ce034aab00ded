"""Numbers as people read them."""

from datetime import UTC, datetime, timedelta

import pytest

from promptuary_ui.parts import figures

START = datetime(2026, 3, 2, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "told"),
    [(None, ""), (0.0, "$0.00"), (12.5, "$12.50"), (0.5, "$0.50"), (0.0123, "$0.0123"), (0.0000456, "$0.0000456")],
)
def test_money_has_as_many_places_as_it_needs(value: float | None, told: str) -> None:
    assert figures.money(value) == told


@pytest.mark.parametrize(("seconds", "told"), [(0, "0 s"), (59, "59 s"), (65, "1 min 5 s"), (7260, "2 h 1 min")])
def test_how_long_it_took_is_told_in_two_units(seconds: int, told: str) -> None:
    assert figures.lasted(START, START + timedelta(seconds=seconds)) == told


def test_what_is_not_known_is_not_told_as_a_number() -> None:
    assert [figures.lasted(None, START), figures.time(None), figures.count(None), figures.chance(None)] == [""] * 4
    assert figures.span(None) == "not known"


def test_times_and_chances() -> None:
    assert [figures.time(12.4), figures.time(1200.0)] == ["12 ms", "1.2 s"]
    assert [figures.chance(0.0002), figures.chance(0.04)] == ["< 0.001", "0.040"]
