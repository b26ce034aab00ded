"""What the response cache stores, and when it drops it."""

from collections.abc import Sequence
from typing import Any

import pytest

from promptuary.api.lookup import response_cache as module
from promptuary.api.lookup.request import LookupRequest
from promptuary.api.lookup.response_cache import (
    ENTRY_OVERHEAD_BYTES,
    CachedResponse,
    NewEntry,
    ResponseCache,
    build_cached_response,
)
from promptuary.prompt.split import divide
from promptuary.registry.lookup_response import LookupResponse

SHOP, OTHER = 1, 2


def lookup(name: str, selector: str | int = "production", targeting_key: str | None = None) -> LookupRequest:
    return LookupRequest(name, b"", selector, targeting_key)


def cached(revision: int, body: bytes = b"{}") -> CachedResponse:
    return build_cached_response(LookupResponse(body, '"tag"'), revision)


def put(
    cache: ResponseCache, revision: int, name: str, selector: str | int = "production", project: int = SHOP
) -> CachedResponse:
    response = cached(revision)
    cache.put(NewEntry(project, name, selector, response, 1))
    return response


def names_in(cache: ResponseCache, names: Sequence[str], project: int = SHOP) -> list[str]:
    return [name for name in names if cache.get(project, lookup(name))]


def test_a_response_is_stored_by_project_name_and_label_or_number() -> None:
    cache = ResponseCache(10**6)
    by_label, by_number = put(cache, 1, "a"), put(cache, 1, "a", 3)
    assert cache.get(SHOP, lookup("a")) is by_label
    assert cache.get(SHOP, lookup("a", 3)) is by_number
    others = [lookup("a", "staging"), lookup("a", 1), lookup("a", "3"), lookup("b")]
    assert [cache.get(SHOP, other) for other in others] == [None] * 4
    assert cache.get(OTHER, lookup("a")) is None


def test_the_least_recently_used_response_leaves_at_the_byte_limit() -> None:
    cache = ResponseCache(3 * (ENTRY_OVERHEAD_BYTES + 10))
    for name in ("a", "b", "c"):
        cache.put(NewEntry(SHOP, name, "production", cached(1, b"x" * 10), 1))
    assert (len(cache), cache.bytes) == (3, cache.limit)
    cache.get(SHOP, lookup("a"))
    cache.put(NewEntry(SHOP, "d", "production", cached(1, b"x" * 10), 1))
    assert names_in(cache, "abcd") == ["a", "c", "d"]
    assert cache.bytes == cache.limit
    cache.put(NewEntry(SHOP, "e", "production", cached(1, b"x" * cache.limit), 1))
    assert (len(cache), cache.bytes) == (0, 0)


def test_a_response_that_is_replaced_counts_once() -> None:
    cache = ResponseCache(10**6)
    for body in (b"x" * 100, b"x" * 10):
        cache.put(NewEntry(SHOP, "a", "production", cached(1, body), 1))
    assert (len(cache), cache.bytes) == (1, ENTRY_OVERHEAD_BYTES + 10)


def test_a_change_drops_only_the_responses_of_its_prompt() -> None:
    cache = ResponseCache(10**6)
    for name, selector in (("a", "production"), ("a", 1), ("b", "production")):
        put(cache, 1, name, selector)
    put(cache, 1, "a", project=OTHER)
    cache.apply_changes(SHOP, 2, {"a": 2})
    assert names_in(cache, "ab") == ["b"]
    assert cache.get(SHOP, lookup("a", 1)) is None
    assert names_in(cache, "a", OTHER) == ["a"]
    assert (cache.applied_revision(SHOP), cache.applied_revision(OTHER), cache.applied_revision(3)) == (2, 1, None)


def test_a_response_read_before_a_change_is_not_stored_after_it() -> None:
    cache = ResponseCache(10**6)
    put(cache, 5, "b")
    cache.apply_changes(SHOP, 7, {"a": 7})
    put(cache, 6, "a")
    assert names_in(cache, "a") == []
    put(cache, 6, "c")
    put(cache, 7, "a")
    assert names_in(cache, "abc") == ["a", "b", "c"]


def test_a_response_read_after_a_change_stays() -> None:
    cache = ResponseCache(10**6)
    put(cache, 5, "b")
    put(cache, 6, "a")
    cache.apply_changes(SHOP, 6, {"a": 6, "b": 6})
    assert names_in(cache, "ab") == ["a"]


@pytest.mark.parametrize(("revision", "changed"), [(9, None), (2, {"a": 2})], ids=["too many to name", "restored database"])
def test_unknown_changes_drop_the_whole_project(revision: int, changed: Any) -> None:
    cache = ResponseCache(10**6)
    for name in ("a", "b"):
        put(cache, 5, name)
    put(cache, 5, "a", project=OTHER)
    cache.apply_changes(SHOP, revision, changed)
    assert names_in(cache, "ab") == []
    assert names_in(cache, "a", OTHER) == ["a"]
    put(cache, revision - 1, "a")
    put(cache, revision, "b")
    assert names_in(cache, "ab") == ["b"]


def test_the_number_of_remembered_changes_is_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    """Past the limit, a response that was read before is not stored: its prompt may be one of those that changed."""
    monkeypatch.setattr(module, "CHANGES_LIMIT", 2)
    cache = ResponseCache(10**6)
    put(cache, 1, "z")
    cache.apply_changes(SHOP, 3, {"a": 2, "b": 3})
    put(cache, 2, "y")
    cache.apply_changes(SHOP, 4, {"c": 4})
    assert not cache._projects[SHOP].changed
    put(cache, 3, "x")
    put(cache, 4, "w")
    assert names_in(cache, "wxyz") == ["w", "y", "z"]


def test_a_split_label_has_a_response_for_each_arm() -> None:
    cache, split = ResponseCache(10**6), divide("a/production", [(1, 50), (2, 50)])
    first, second = cached(1, b"1"), cached(1, b"2")
    cache.put(NewEntry(SHOP, "a", "production", first, 1, split))
    keys = {split.arm(key).version: key for key in map(str, range(100))}
    assert cache.get(SHOP, lookup("a")) is first
    assert cache.get(SHOP, lookup("a", targeting_key=keys[1])) is first
    assert cache.get(SHOP, lookup("a", targeting_key=keys[2])) is None
    cache.put(NewEntry(SHOP, "a", "production", second, 2, split))
    assert cache.get(SHOP, lookup("a", targeting_key=keys[2])) is second
    assert cache.get(SHOP, lookup("a", 2)) is None
    cache.apply_changes(SHOP, 2, {"a": 2})
    assert (len(cache), cache.bytes) == (0, 0)
    unsplit = put(cache, 2, "a")
    assert cache.get(SHOP, lookup("a", targeting_key=keys[2])) is unsplit
