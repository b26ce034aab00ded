"""Which prompt is in use in a context, and for which spans.

`get` and `render` put a prompt in use for the spans that start inside the current span; without a span, for the next one that
starts in the same context. `with prompt.in_use():` puts it in use for every span that starts inside the block. Contexts are
those of Python: a task has its own, another thread has none, and what ends with a span or a block reaches nothing later.
"""

import sys
from collections.abc import Mapping
from contextvars import ContextVar, Token
from types import TracebackType
from typing import Any

DEPTH = 16
"""The most uses that a context remembers."""
NO_SPAN = 0
is_followed = False
"""Whether a span processor is there, so that `get` and `render` have to note anything."""


class PromptUse:
    """A prompt that is in use.

    Attributes:
        attributes: what the spans get.
        span_id: of the span inside which it is in use; `NO_SPAN` for the next span without a parent; None for every span.
        is_used_up: whether that next span has started.
    """

    __slots__ = ("_in_task", "attributes", "is_used_up", "span_id")

    def __init__(self, attributes: Mapping[str, Any], span_id: int | None) -> None:
        """Store them."""
        self._in_task = _is_in_task()
        self.attributes = attributes
        self.span_id = span_id
        self.is_used_up = False

    def take(self, parent_id: int) -> bool:
        """Return whether a span with this parent belongs to it; `NO_SPAN` stands for no parent."""
        if self.span_id is None:
            return True
        if self.span_id != parent_id or self.is_used_up:
            return False
        if parent_id == NO_SPAN and not self._in_task and _is_in_task():
            return False  # a `get` when the program started is not one of the request that a task serves
        self.is_used_up = parent_id == NO_SPAN
        return True


def _is_in_task() -> bool:
    asyncio = sys.modules.get("asyncio")
    if asyncio is None or asyncio._get_running_loop() is None:
        return False
    return asyncio.current_task() is not None


_uses: ContextVar[tuple[PromptUse, ...]] = ContextVar("promptuary_uses", default=())


def use_in_span(attributes: Mapping[str, Any], span_id: int) -> None:
    """Put a prompt in use for the spans that start inside a span, in place of an earlier one there."""
    others = [use for use in _uses.get() if use.span_id != span_id and not use.is_used_up]
    _uses.set((*others[-DEPTH:], PromptUse(attributes, span_id)))


def find_use(parent_id: int, *, is_entry: bool = False) -> Mapping[str, Any] | None:
    """Return the attributes of the prompt that is in use for a span; None for none.

    Args:
        parent_id: of its parent; `NO_SPAN` for none.
        is_entry: whether the span is that of a request which the program serves, and so begins something new.
    """
    if is_entry:
        return None
    for use in reversed(_uses.get()):
        if use.take(parent_id):
            return use.attributes
    return None


class InUse:
    """The block of `with prompt.in_use():`."""

    def __init__(self, attributes: Mapping[str, Any]) -> None:
        """Store what the spans get."""
        self._attributes = attributes
        self._tokens: list[Token[tuple[PromptUse, ...]]] = []

    def __enter__(self) -> None:
        """Put the prompt in use."""
        uses = _uses.get()
        self._tokens.append(_uses.set((*uses[-DEPTH:], PromptUse(self._attributes, None))))

    def __exit__(self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None) -> None:
        """Restore what was in use before."""
        _uses.reset(self._tokens.pop())
