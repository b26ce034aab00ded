"""Presidio's passages are replaced in every part of a text; without the package the service does not start."""

import itertools
import sys
from typing import Any

import pytest

from promptuary.core.settings import InvalidSettings
from promptuary.traffic.redaction.hook import WITHHELD, HookRedaction, build_redactor
from promptuary.traffic.redaction.presidio import OVERLAP, REQUIREMENT, SECONDS, WINDOW, PresidioRedaction

NUMBER = "536-90-4399"


def find_number(text: str) -> list[tuple[int, int]]:
    assert len(text) <= WINDOW
    start = text.find(NUMBER)
    return [] if start < 0 else [(start, start + len(NUMBER))]


@pytest.mark.parametrize("before", [0, 1, WINDOW - OVERLAP - 5, WINDOW - OVERLAP, WINDOW - 5, WINDOW, 3 * WINDOW - 7])
@pytest.mark.parametrize("after", [0, 1, OVERLAP, 3 * WINDOW])
def test_a_passage_is_removed_wherever_it_stands(before: int, after: int) -> None:
    redacted = PresidioRedaction(find_number)("a" * before + NUMBER + "b" * after)
    assert redacted == "a" * before + "[redacted: entity]" + "b" * after


@pytest.mark.parametrize("text", ["", "a", "a" * (WINDOW + 1)])
def test_a_text_without_a_passage_stays(text: str) -> None:
    assert PresidioRedaction(find_number)(text) == text


def test_a_passage_is_read_as_a_person_reads_it() -> None:
    assert PresidioRedaction(find_number)("x 536%2D90%2D4399, 536&#45;90-4399") == "x [redacted: entity], 536&#45;90-4399"


def test_a_text_that_takes_too_long_is_withheld() -> None:
    times = itertools.count(0.0, SECONDS / 3)
    redaction = PresidioRedaction(find_number, clock=lambda: next(times))
    assert HookRedaction(redaction, seconds=20.0)("a" * 10 * WINDOW) == (WITHHELD, 1)


def test_a_missing_package_stops_the_start_and_is_named(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "spacy", None)
    with pytest.raises(InvalidSettings) as raised:
        build_redactor(settings.model_copy(update={"traffic_redaction": "presidio"}))
    assert f"pip install {REQUIREMENT}" in str(raised.value.field_errors)
