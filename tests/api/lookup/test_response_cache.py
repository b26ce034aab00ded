"""What the lookup's memory holds, and when it lets go."""

from collections.abc import Sequence
from typing import Any

import pytest

from promptuary.api.lookup import response_cache as module
from promptuary.api.lookup.request import LookupRequest
from promptuary.api.lookup.response_cache import ENTRY_OVERHEAD_BYTES, CachedResponse, ResponseCache, build_cached_response
from promptuary.prompt.split import divide
from promptuary.registry.lookup_response import LookupResponse

SHOP, OTHER = 1, 2


def question(name: str, wanted: str | int = "production", targeting_key: str | None = None) -> LookupRequest:
    return LookupRequest(name, b"", wanted, targeting_key)


def entry(revision: int, body: bytes = b"{}") -> CachedResponse:
    return build_cached_response(LookupResponse(body, '"tag"'), revision)


def keep(
    answers: ResponseCache, revision: int, name: str, wanted: str | int = "production", project: int = SHOP
) -> CachedResponse:
    made = entry(revision)
    answers.keep(project, name, wanted, made, None, 1)
    return made


def holds(answers: ResponseCache, names: Sequence[str], project: int = SHOP) -> list[str]:
    return [name for name in names if answers.get(project, question(name))]


def test_an_answer_is_held_for_its_project_name_and_label_or_number() -> None:
    answers = ResponseCache(10**6)
    by_label, by_number = keep(answers, 1, "a"), keep(answers, 1, "a", 3)
    assert answers.get(SHOP, question("a")) is by_label
    assert answers.get(SHOP, question("a", 3)) is by_number
    others = [question("a", "staging"), question("a", 1), question("a", "3"), question("b")]
    assert [answers.get(SHOP, other) for other in others] == [None] * 4
    assert answers.get(OTHER, question("a")) is None


def test_what_was_used_least_recently_leaves_first_and_the_bytes_stay_within_the_limit() -> None:
    answers = ResponseCache(3 * (ENTRY_OVERHEAD_BYTES + 10))
    for name in ("a", "b", "c"):
        answers.keep(SHOP, name, "production", entry(1, b"x" * 10), None, 1)
    assert (len(answers), answers.bytes) == (3, answers.limit)
    answers.get(SHOP, question("a"))
    answers.keep(SHOP, "d", "production", entry(1, b"x" * 10), None, 1)
    assert holds(answers, "abcd") == ["a", "c", "d"]
    assert answers.bytes == answers.limit
    answers.keep(SHOP, "e", "production", entry(1, b"x" * answers.limit), None, 1)
    assert (len(answers), answers.bytes) == (0, 0)


def test_an_answer_put_in_anew_counts_once() -> None:
    answers = ResponseCache(10**6)
    for body in (b"x" * 100, b"x" * 10):
        answers.keep(SHOP, "a", "production", entry(1, body), None, 1)
    assert (len(answers), answers.bytes) == (1, ENTRY_OVERHEAD_BYTES + 10)


def test_a_change_drops_the_answers_of_its_prompt_alone() -> None:
    answers = ResponseCache(10**6)
    for name, wanted in (("a", "production"), ("a", 1), ("b", "production")):
        keep(answers, 1, name, wanted)
    keep(answers, 1, "a", project=OTHER)
    answers.take_in(SHOP, 2, {"a": 2})
    assert holds(answers, "ab") == ["b"]
    assert answers.get(SHOP, question("a", 1)) is None
    assert holds(answers, "a", OTHER) == ["a"]
    assert (answers.revision(SHOP), answers.revision(OTHER), answers.revision(3)) == (2, 1, None)


def test_an_answer_that_was_read_before_a_change_and_comes_after_it_is_not_held() -> None:
    answers = ResponseCache(10**6)
    keep(answers, 5, "b")
    answers.take_in(SHOP, 7, {"a": 7})
    keep(answers, 6, "a")
    assert holds(answers, "a") == []
    keep(answers, 6, "c")
    keep(answers, 7, "a")
    assert holds(answers, "abc") == ["a", "b", "c"]


def test_an_answer_that_was_read_after_a_change_outlives_it() -> None:
    answers = ResponseCache(10**6)
    keep(answers, 5, "b")
    keep(answers, 6, "a")
    answers.take_in(SHOP, 6, {"a": 6, "b": 6})
    assert holds(answers, "ab") == ["a"]


@pytest.mark.parametrize(("revision", "changed"), [(9, None), (2, {"a": 2})], ids=["too many to name", "set back"])
def test_where_nobody_knows_what_changed_all_of_the_project_is_dropped(revision: int, changed: Any) -> None:
    answers = ResponseCache(10**6)
    for name in ("a", "b"):
        keep(answers, 5, name)
    keep(answers, 5, "a", project=OTHER)
    answers.take_in(SHOP, revision, changed)
    assert holds(answers, "ab") == []
    assert holds(answers, "a", OTHER) == ["a"]
    keep(answers, revision - 1, "a")
    keep(answers, revision, "b")
    assert holds(answers, "ab") == ["b"]


def test_the_changes_that_are_remembered_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Past the bound, an answer that was read before is not held, for it may be one of those that changed."""
    monkeypatch.setattr(module, "CHANGES_LIMIT", 2)
    answers = ResponseCache(10**6)
    keep(answers, 1, "z")
    answers.take_in(SHOP, 3, {"a": 2, "b": 3})
    keep(answers, 2, "y")
    answers.take_in(SHOP, 4, {"c": 4})
    assert not answers._projects[SHOP].changed
    keep(answers, 3, "x")
    keep(answers, 4, "w")
    assert holds(answers, "wxyz") == ["w", "y", "z"]


def test_a_split_label_has_an_answer_an_arm() -> None:
    answers, split = ResponseCache(10**6), divide("a/production", [(1, 50), (2, 50)])
    first, second = entry(1, b"1"), entry(1, b"2")
    answers.keep(SHOP, "a", "production", first, split, 1)
    keys = {split.arm(key).version: key for key in map(str, range(100))}
    assert answers.get(SHOP, question("a")) is first
    assert answers.get(SHOP, question("a", targeting_key=keys[1])) is first
    assert answers.get(SHOP, question("a", targeting_key=keys[2])) is None
    answers.keep(SHOP, "a", "production", second, split, 2)
    assert answers.get(SHOP, question("a", targeting_key=keys[2])) is second
    assert answers.get(SHOP, question("a", 2)) is None
    answers.take_in(SHOP, 2, {"a": 2})
    assert (len(answers), answers.bytes) == (0, 0)
    whole = keep(answers, 2, "a")
    assert answers.get(SHOP, question("a", targeting_key=keys[2])) is whole
