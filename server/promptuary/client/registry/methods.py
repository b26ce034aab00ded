"""The methods of `Promptuary` that write, list and search."""

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


class SyncRegistryCalls(ABC):
    """Calls to the registry for threads. No answer is cached, and each write has an Idempotency-Key."""

    @abstractmethod
    def _call(self, call: RegistryCall[T], deadline: float) -> T:
        """Make the call within so many seconds, and return its result."""

    def register(
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
        """Register a version, and return it: a new one, or the newest where that has the same content.

        Args:
            name: the prompt's name.
            template: the text of a text prompt, or the messages of a chat prompt.
            format: `mustache` by default, `simple`, `f-string` or `jinja2`.
            variables: the declarations by name, as JSON or as in `prompt.variables`.
            model: the model's name and its settings.
            config: the application's own JSON, which is stored and returned as it is.
            response_format: the JSON Schema of the output, in OpenAI's form.
            tools: the tools, in OpenAI's form.
            context: which passages a render retrieves.
            message: why this version exists.
            tags: texts to find it by. They replace those of a version that has this content; none of them clears its tags, and
                None keeps them.
            labels: labels that move to it.
            idempotency_key: a write with the key of an earlier one is not done twice; by default each call has its own.
            deadline: seconds that the call takes at most. Where a connection is lost, the write is sent once more.

        Raises:
            KeyRefused, RequestRefused, Conflict: when the server refused the request.
            PromptUnavailable: when it does not answer; the version may be registered, and the same key finds out.
            Invalid: for a name that cannot be one, or a value that JSON cannot carry.
        """
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
        return self._call(registration(name, content, idempotency_key), deadline)

    def set_label(
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
        """Move a label to a version, or split it over several, and return its state. The client's memory is not changed by it.

        Args:
            name: the prompt's name.
            label: the label.
            version: a version's number, or the weight of each version.
            reason: why it moves, for its history.
            if_revision: move it only if it still has this revision.
            idempotency_key: as in `register`.
            deadline: as in `register`.

        Raises:
            PromptNotFound, KeyRefused, RequestRefused, Conflict: when the server refused the request.
            PreconditionFailed: when the label has another revision.
            PromptUnavailable: when the server does not answer; the label may have moved.
        """
        return self._call(label_move(name, label, version, reason, if_revision, idempotency_key), deadline)

    def remove_label(
        self,
        name: str,
        label: str,
        *,
        reason: str = "removed",
        if_revision: int | None = None,
        idempotency_key: str | None = None,
        deadline: float = CALL_DEADLINE,
    ) -> None:
        """Remove a label: lookups by it are not found from then on.

        The arguments and errors are those of `set_label`.
        """
        self._call(label_removal(name, label, reason, if_revision, idempotency_key), deadline)

    def list(
        self,
        *,
        search: str | None = None,
        label: str | None = None,
        tag: str | None = None,
        archived: bool = False,
        limit: int | None = None,
        deadline: float = CALL_DEADLINE,
    ) -> tuple[PromptSummary, ...]:
        """Return the prompts of the project, ordered by name, from as many pages as needed.

        Args:
            search: a text in the name, or in the content where the server searches that.
            label: only prompts with this label.
            tag: only prompts with this tag.
            archived: the archived prompts instead of the active ones.
            limit: the most prompts; all by default.
            deadline: seconds that each page takes at most.

        Raises:
            KeyRefused, RequestRefused: when the server refused the request.
            PromptUnavailable: when it does not answer.
        """
        pages = PromptPages(ListFilter(search, label, tag, archived), limit)
        while call := pages.next_call():
            pages.add(self._call(call, deadline))
        return pages.prompts

    def search(
        self, query: str, *, limit: int = 10, min_score: float | None = None, deadline: float = CALL_DEADLINE
    ) -> tuple[PromptMatch, ...]:
        """Return prompts by what they are for, the nearest first.

        Args:
            query: a text that states the purpose.
            limit: the most prompts.
            min_score: the least similarity, from -1 to 1.
            deadline: seconds that the call takes at most.

        Raises:
            KeyRefused, RequestRefused: when the server refused the request.
            PromptUnavailable: when it does not answer.
        """
        return self._call(prompt_search(query, limit, min_score), deadline)
