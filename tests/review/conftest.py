"""Reviewers: units of work whose caller is a named reviewer."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from typing import Any

import pytest

from factories.reviews import Reviews
from promptuary.review.queues.service import NewItem

ReviewsAs = Callable[[str], AbstractContextManager[Reviews]]


@pytest.fixture
def reviews_as(unit_as: Callable[..., AbstractContextManager[Any]]) -> ReviewsAs:
    """Open the reviews as somebody, in one transaction each time."""

    @contextmanager
    def opened(name: str) -> Iterator[Reviews]:
        with unit_as("author") as unit:
            yield Reviews(replace(unit, caller=replace(unit.caller, identity=f"key:{name}")))

    return opened


@pytest.fixture
def create_filled_queue(reviews_as: ReviewsAs) -> Callable[..., None]:
    """Make a queue with items: `create_filled_queue("q", 3, slots=2)`, whose sources count up from `item-0`."""

    def make(name: str, items: int, slots: int = 1) -> None:
        with reviews_as("author") as reviews:
            reviews.put_queue(name, "Is it right?", slots=slots)
            reviews.queues.add_items(name, [NewItem(f"item-{number}", {"input": f"text {number}"}) for number in range(items)])

    return make
