"""Numbers as people read them."""

from datetime import UTC, datetime, timedelta

import pytest

from promptuary_ui.components import number_format

START = datetime(2026, 3, 2, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, ""), (0.0, "$0.00"), (12.5, "$12.50"), (0.5, "$0.50"), (0.0123, "$0.0123"), (0.0000456, "$0.0000456")],
)
def test_money_has_as_many_places_as_it_needs(value: float | None, text: str) -> None:
    assert number_format.format_usd(value) == text


@pytest.mark.parametrize(("seconds", "text"), [(0, "under 1 s"), (59, "59 s"), (65, "1 min 5 s"), (7260, "2 h 1 min")])
def test_how_long_it_took_is_shown_in_two_units(seconds: int, text: str) -> None:
    assert number_format.format_duration(START, START + timedelta(seconds=seconds)) == text


def test_what_is_not_known_is_not_shown_as_a_number() -> None:
    assert [
        number_format.format_duration(None, START),
        number_format.format_latency(None),
        number_format.format_count(None),
        number_format.format_p_value(None),
    ] == [""] * 4
    assert number_format.format_interval(None) == "not known"
    assert number_format.format_score(-0.0001) == "0.000"


def test_times_and_chances() -> None:
    assert [number_format.format_latency(12.4), number_format.format_latency(1200.0)] == ["12 ms", "1.2 s"]
    assert [number_format.format_p_value(0.0002), number_format.format_p_value(0.04)] == ["< 0.001", "0.040"]
