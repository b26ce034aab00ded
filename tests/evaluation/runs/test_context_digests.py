"""The digests of the collections that a run's prompts retrieve from."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import pytest

from promptuary.context import store as context_store
from promptuary.evaluation.runs.context_digests import collection_digests

Make = Callable[..., Any]
Open = Callable[[], AbstractContextManager[Any]]
pytestmark = pytest.mark.usefixtures("database")


def test_a_missing_collection_has_no_digest(author: Open, unit_as: Any, add_documents: Make) -> None:
    with author() as unit:
        add_documents(unit, "a", "B")
        assert collection_digests(unit.session, unit.caller.project, ["tickets", None, "gone"])["gone"] is None
    with unit_as("author", "elsewhere") as unit:
        assert context_store.content_digest(unit.session, unit.caller.project, "tickets") is None


def test_equal_content_in_any_order_has_an_equal_digest(unit_as: Any, add_documents: Make) -> None:
    digests = []
    for project, keys in (("one", ["a", "B", "ä", "_"]), ("two", ["_", "ä", "a", "B"]), ("three", ["a", "B", "ä"])):
        with unit_as("author", project) as unit:
            add_documents(unit, *keys)
            digests.append(context_store.content_digest(unit.session, unit.caller.project, "tickets"))
    assert digests[0] == digests[1] != digests[2]
