"""The methods of `AsyncPromptuary` that write, list and search; `Promptuary` describes them."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any

from promptuary.client.registry.calls import (
    CALL_DEADLINE,
    ListFilter,
    PromptPages,
    RegistryCall,
    T,
    content_fields,
    label_move,
    label_removal,
    prompt_search,
    registration,
)
from promptuary.client.registry.results import LabelState, PromptMatch, PromptSummary, RegisteredVersion


class AsyncRegistryCalls(ABC):
    """Calls to the registry with `await`. No answer is cached, and each write has an Idempotency-Key."""

    @abstractmethod
    async def _call(self, call: RegistryCall[T], deadline: float) -> T:
        """Make the call within so many seconds, and return its result."""

    async def register(
        self,
        name: str,
        template: str | Sequence[Mapping[str, Any]],
        *,
        format: str | None = None,  # noqa: A002 # the name that the part has everywhere
        variables: Mapping[str, Any] | None = None,
        model: Mapping[str, Any] | None = None,
        config: Any = None,
        response_format: Mapping[str, Any] | None = None,
        tools: Sequence[Mapping[str, Any]] | None = None,
        context: Mapping[str, Any] | None = None,
        message: str | None = None,
        tags: Sequence[str] | None = None,
        labels: Sequence[str] = (),
        idempotency_key: str | None = None,
        deadline: float = CALL_DEADLINE,
    ) -> RegisteredVersion:
        """Register a version, and return it; see `Promptuary.register`."""
        parts = dict(
            format=format,
            variables=variables,
            model=model,
            config=config,
            response_format=response_format,
            tools=tools,
            context=context,
            message=message,
        )
        content = content_fields(template, labels, tags, parts)
        return await self._call(registration(name, content, idempotency_key), deadline)

    async def set_label(
        self,
        name: str,
        label: str,
        version: int | Mapping[int, float],
        *,
        reason: str = "",
        if_revision: int | None = None,
        idempotency_key: str | None = None,
        deadline: float = CALL_DEADLINE,
    ) -> LabelState:
        """Move a label to a version, or split it; see `Promptuary.set_label`."""
        return await self._call(label_move(name, label, version, reason, if_revision, idempotency_key), deadline)

    async def remove_label(
        self,
        name: str,
        label: str,
        *,
        reason: str = "removed",
        if_revision: int | None = None,
        idempotency_key: str | None = None,
        deadline: float = CALL_DEADLINE,
    ) -> None:
        """Remove a label; see `Promptuary.remove_label`."""
        await self._call(label_removal(name, label, reason, if_revision, idempotency_key), deadline)

    async def list(
        self,
        *,
        search: str | None = None,
        label: str | None = None,
        tag: str | None = None,
        archived: bool = False,
        limit: int | None = None,
        deadline: float = CALL_DEADLINE,
    ) -> tuple[PromptSummary, ...]:
        """Return the prompts of the project; see `Promptuary.list`."""
        pages = PromptPages(ListFilter(search, label, tag, archived), limit)
        while call := pages.next_call():
            pages.add(await self._call(call, deadline))
        return pages.prompts

    async def search(
        self, query: str, *, limit: int = 10, min_score: float | None = None, deadline: float = CALL_DEADLINE
    ) -> tuple[PromptMatch, ...]:
        """Return prompts by what they are for; see `Promptuary.search`."""
        return await self._call(prompt_search(query, limit, min_score), deadline)
