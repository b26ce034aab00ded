"""The search of a list of prompts by name, tag and words of the content, on both databases."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import pytest
from sqlalchemy import text

from promptuary.access.unit_of_work import UnitOfWork
from promptuary.core.errors import InvalidCursor
from promptuary.prompt.content import Content
from promptuary.registry.service import Registry
from promptuary.registry.store import PromptFilter
from promptuary.registry.text_search import word_store

pytestmark = pytest.mark.usefixtures("database")
Units = Callable[..., AbstractContextManager[UnitOfWork]]


@pytest.fixture
def register(unit_as: Units) -> Callable[..., None]:
    def register_text(name: str, template: str, project: str = "default", **more: Any) -> None:
        with unit_as("author", project) as unit:
            Registry(unit).register(name, Content(type="text", template=template), **more)

    return register_text


@pytest.fixture
def search(unit_as: Units) -> Callable[..., list[str]]:
    def names(text: str, project: str = "default", **more: Any) -> list[str]:
        with unit_as("viewer", project) as unit:
            conditions = PromptFilter(search=text, **more)
            return [prompt.name for prompt in Registry(unit).prompts(50, None, conditions).items]

    return names


@pytest.fixture
def prompts(register: Callable[..., None]) -> None:
    register("refund", "Give the money back.")
    register("support.refunds", "Money, again. {{maxTokens}}", tags=("Billing",))
    register("triage", "Sort refund requests about the max_tokens of Zürich. 申请退款流程", tags=("refund-team",))
    register("other", "Nothing of the kind: it's 100% \\ 'quoted' \"text\"")


@pytest.mark.usefixtures("prompts")
@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("refund", ["refund", "support.refunds", "triage"]),
        ("REFUND", ["refund", "support.refunds", "triage"]),
        ("Support/Refunds", ["support.refunds"]),
        ("support money", ["support.refunds"]),
        ("mon", ["refund", "support.refunds"]),
        ("money back", ["refund"]),
        ("oney", []),
        ("billing", ["support.refunds"]),
        ("refund-team", ["triage"]),
        ("tokens", ["support.refunds", "triage"]),
        ("max_tokens", ["support.refunds", "triage"]),
        ("maxTokens", ["support.refunds"]),
        ("zurich", ["triage"]),
        ("ZÜRICH", ["triage"]),
        ("退款", ["triage"]),
        ("退", ["triage"]),
        ("流程申请", []),
        ("nothing text", ["other"]),
        ("' OR 1=1 --", []),
        ('text" OR words:"a', []),
        ("%", []),
        ("\\", []),
        ("text*", ["other"]),
        ("NOT text", ["other"]),
        ("{{", []),
    ],
)
def test_a_search_finds_names_tags_and_the_beginnings_of_words(
    search: Callable[..., list[str]], text: str, names: list[str]
) -> None:
    assert search(text) == names


def test_only_the_newest_version_of_an_active_prompt_of_the_project_is_found(
    unit_as: Units, register: Callable[..., None], search: Callable[..., list[str]]
) -> None:
    register("a", "alpha")
    register("a", "beta")
    register("b", "beta")
    register("c", "beta", project="elsewhere")
    assert (search("alpha"), search("beta")) == ([], ["a", "b"])
    assert search("beta", project="elsewhere") == ["c"]
    with unit_as("author") as unit:
        Registry(unit).archive("b", "")
    assert search("beta") == ["a"]
    assert search("beta", archived=True) == ["b"]


def test_a_registration_that_fails_leaves_no_words(unit_as: Units, search: Callable[..., list[str]]) -> None:
    def register_and_fail() -> None:
        with unit_as("author") as unit:
            Registry(unit).register("p", Content(type="text", template="words"))
            raise RuntimeError

    with pytest.raises(RuntimeError):
        register_and_fail()
    assert search("words") == []


@pytest.mark.usefixtures("prompts")
def test_pages_of_a_search_are_its_whole_list_in_order(unit_as: Units, register: Callable[..., None]) -> None:
    for number in range(5):
        register(f"x{number}", "refund")
    names: list[str] = []
    cursor = None
    while True:
        with unit_as("viewer") as unit:
            page = Registry(unit).prompts(2, cursor, PromptFilter(search="refund"))
        names += [prompt.name for prompt in page.items]
        cursor = page.next_cursor
        if cursor is None:
            break
    assert names == ["refund", "support.refunds", "triage", "x0", "x1", "x2", "x3", "x4"]
    with unit_as("viewer") as unit:
        first = Registry(unit).prompts(1, None, PromptFilter(search="refund")).next_cursor
        for conditions in (PromptFilter(), PromptFilter(search="support")):
            with pytest.raises(InvalidCursor):
                Registry(unit).prompts(2, first, conditions)


def test_the_words_of_an_erased_version_are_forgotten(
    unit_as: Units, register: Callable[..., None], search: Callable[..., list[str]]
) -> None:
    register("customer.letter", "secret words")
    with unit_as("operator") as unit:
        prompt = Registry(unit).prompts(1, None).items[0]
        word_store.forget_words(unit.session, prompt.id, prompt.name)
    assert search("secret") == []
    assert search("letter") == ["customer.letter"]


@pytest.mark.usefixtures("prompts")
def test_words_that_are_missing_are_computed_again(unit_as: Units, search: Callable[..., list[str]]) -> None:
    with unit_as("operator") as unit:
        unit.session.connection().execute(text("DELETE FROM prompt_words"))
        assert word_store.missing_prompts(unit.session, unit.caller.project, 10) == [1, 2, 3, 4]
    assert search("money") == []
    with unit_as("operator") as unit:
        word_store.renew_words(unit.session, word_store.next_prompts(unit.session, unit.caller.project, 0, 10))
        assert word_store.missing_prompts(unit.session, unit.caller.project, 10) == []
    assert search("money") == ["refund", "support.refunds"]


def test_the_longest_text_of_a_script_without_spaces_is_stored(
    register: Callable[..., None], search: Callable[..., list[str]]
) -> None:
    register("long", "".join(chr(0x4E00 + number * 7919 % 20_000) for number in range(250_000)))
    assert search("long") == ["long"]
    assert search(chr(0x4E00) + chr(0x4E00 + 7919)) == ["long"]
