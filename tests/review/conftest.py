"""Reviewers: units of work in which a named reviewer asks."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from typing import Any

import pytest

from promptuary.review.service import NewItem, Reviews

Reviewing = Callable[[str], AbstractContextManager[Reviews]]


@pytest.fixture
def reviewing(unit_as: Callable[..., AbstractContextManager[Any]]) -> Reviewing:
    """Open the reviews as somebody, in one transaction each time."""

    @contextmanager
    def opened(name: str) -> Iterator[Reviews]:
        with unit_as("author") as unit:
            yield Reviews(replace(unit, caller=replace(unit.caller, actor=f"key:{name}")))

    return opened


@pytest.fixture
def filled(reviewing: Reviewing) -> Callable[..., None]:
    """Make a queue with items: `filled("q", 3, slots=2)`, whose sources count up from `item-0`."""

    def make(name: str, items: int, slots: int = 1) -> None:
        with reviewing("author") as reviews:
            reviews.put_queue(name, "Is it right?", slots=slots)
            reviews.add_items(name, [NewItem(f"item-{number}", {"input": f"text {number}"}) for number in range(items)])

    return make
