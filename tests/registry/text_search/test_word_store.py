"""A SQLite that was built without FTS5: an ordinary table takes its place, and finds the same."""

from collections.abc import Callable
from contextlib import AbstractContextManager

import pytest
from sqlalchemy import text

from promptuary.access.unit_of_work import UnitOfWork
from promptuary.prompt.content import Content
from promptuary.registry.service import Registry
from promptuary.registry.store import PromptFilter

Units = Callable[..., AbstractContextManager[UnitOfWork]]


@pytest.mark.parametrize(("search", "names"), [("mon", ["a"]), ("oney", []), ("退款", ["b"]), ("%", []), ("max_tokens", ["b"])])
def test_a_table_without_fts5_finds_the_same(unit_as: Units, search: str, names: list[str]) -> None:
    with unit_as("author") as unit:
        connection = unit.session.connection()
        connection.execute(text("DROP TABLE prompt_words"))
        connection.execute(text("CREATE TABLE prompt_words (rowid INTEGER PRIMARY KEY, words TEXT NOT NULL)"))
        for name, template in (("a", "Give the money back."), ("b", "申请退款 max_tokens")):
            Registry(unit).register(name, Content(type="text", template=template))
        matches = Registry(unit).prompts(9, None, PromptFilter(search=search)).items
    assert [prompt.name for prompt in matches] == names
