"""Texts of several callers, embedded together."""

import asyncio
import threading
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from promptuary.embedding.shared_embedding import TEXTS_LIMIT, SharedEmbedding


class Embedder:
    """An embedder that records its calls, and can be stopped in the first one.

    Attributes:
        calls: the texts of each call.
        entered: is set when a call has begun.
        may_return: lets calls return.
    """

    def __init__(self) -> None:
        self.calls: list[list[str]] = []
        self.entered, self.may_return = threading.Event(), threading.Event()
        self.may_return.set()

    def __call__(self, texts: Sequence[str]) -> Any:
        self.calls.append(list(texts))
        self.entered.set()
        assert self.may_return.wait(60)
        if "bad" in texts:
            raise ValueError("a bad text")
        return np.array([[len(text), ord(text[0])] for text in texts], dtype=np.float32)


def rows(embedder: Embedder, *texts: Sequence[str]) -> list[Any]:
    """Embed the texts of several callers at once; return their rows, or the error of each."""

    async def embed() -> list[Any]:
        shared = SharedEmbedding(embedder)
        return await asyncio.gather(*map(shared, texts), return_exceptions=True)

    return asyncio.run(embed())


def test_callers_share_a_call_and_get_their_own_rows() -> None:
    embedder = Embedder()
    first, second = rows(embedder, ["a", "bb"], ["bb", "ccc", "a"])
    assert (first[:, 0].tolist(), second[:, 0].tolist()) == ([1, 2], [2, 3, 1])
    assert embedder.calls == [["a", "bb", "ccc"]]


def test_who_comes_during_a_call_waits_for_the_next_one() -> None:
    embedder = Embedder()
    embedder.may_return.clear()

    async def embed() -> None:
        shared = SharedEmbedding(embedder)
        first = asyncio.create_task(shared(["a"]))
        await asyncio.to_thread(embedder.entered.wait, 60)
        others = [asyncio.create_task(shared([text])) for text in "bcd"]
        await asyncio.sleep(0)
        embedder.may_return.set()
        await asyncio.gather(first, *others)

    asyncio.run(embed())
    assert embedder.calls == [["a"], ["b", "c", "d"]]


def test_an_error_is_that_of_its_caller_alone() -> None:
    good, bad, other = rows(Embedder(), ["a"], ["x", "bad"], ["ccc"])
    assert (good.tolist(), other.tolist()) == ([[1, 97]], [[3, 99]])
    assert isinstance(bad, ValueError)


def test_a_call_has_a_limit_of_texts() -> None:
    embedder = Embedder()
    rows(embedder, *[[f"{number}", f"{number} again"] for number in range(TEXTS_LIMIT)])
    assert [len(texts) for texts in embedder.calls] == [TEXTS_LIMIT, TEXTS_LIMIT]


def test_a_cancelled_caller_leaves_the_others_alone() -> None:
    embedder = Embedder()
    embedder.may_return.clear()

    async def embed() -> Any:
        shared = SharedEmbedding(embedder)
        first, second = asyncio.create_task(shared(["a"])), asyncio.create_task(shared(["bb"]))
        await asyncio.to_thread(embedder.entered.wait, 60)
        first.cancel()
        embedder.may_return.set()
        with pytest.raises(asyncio.CancelledError):
            await first
        return await second

    assert asyncio.run(embed()).tolist() == [[2, 98]]
