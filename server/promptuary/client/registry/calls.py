"""The requests to the registry, and the meaning of their responses, as values: no connection is made here."""

import json
import re
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from promptuary.client.errors import PromptUnavailable, Reason
from promptuary.client.registry.results import (
    LabelState,
    PromptMatch,
    PromptPage,
    PromptSummary,
    RegisteredVersion,
    read_label_state,
    read_page,
    read_prompt_match,
    read_registered_version,
)
from promptuary.client.transport.wire import (
    CLIENT_CLOSED,
    TIMED_OUT,
    FetchFailure,
    HttpResponse,
    ServerRefusal,
    read_error_response,
)
from promptuary.client.versions.selector import build_selector
from promptuary.client.versions.version import UnusableResponse, read_json
from promptuary.prompt.errors import Invalid
from promptuary.prompt.variables import Variable

CALL_DEADLINE = 10.0
"""Seconds that a call takes at most, by default."""
ATTEMPTS = 2
"""How often a request is made where a connection was lost. A write has the same Idempotency-Key each time."""
PAGE_SIZE = 200
_KEY_PATTERN = re.compile(r"[\x21-\x7e]{1,200}\Z")
T = TypeVar("T")


@dataclass(frozen=True)
class RegistryCall(Generic[T]):
    """A request, and how its response is read.

    Attributes:
        method: the HTTP method.
        path: the path below the server's URL.
        read: parses the body of a response with a status of success.
        params: the query.
        body: the JSON body, encoded; None for none.
        headers: more headers.
        subject: what the call does, for an error.
    """

    method: str
    path: str
    read: Callable[[int, Mapping[str, Any]], T]
    subject: str
    params: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = None
    headers: Mapping[str, str] = field(default_factory=dict)

    def result(self, response: HttpResponse | FetchFailure) -> T:
        """Parse the response.

        Raises:
            Refused, InvalidVariables: when the server refused the request.
            PromptUnavailable: when it sent no usable answer; a write may have happened then.
        """
        if isinstance(response, HttpResponse) and response.status in (200, 201, 204):
            try:
                return self.read(response.status, {} if response.status == 204 else read_json(response.body))
            except (UnusableResponse, KeyError, TypeError, ValueError) as error:
                response = FetchFailure(Reason.UNUSABLE, f"the server's answer cannot be used ({type(error).__name__})")
        outcome = response if isinstance(response, FetchFailure) else read_error_response(response)
        if isinstance(outcome, ServerRefusal):
            raise outcome.error
        raise PromptUnavailable(f"{self.subject}: {outcome.detail}", outcome.reason)


class Attempts:
    """The attempts of one call within its deadline: how long each may take, and whether there is another one.

    Iterating yields the seconds of each attempt. Who makes it stores its outcome in `response`.
    """

    def __init__(self, clock: Callable[[], float], deadline: float, *, closed: bool = False) -> None:
        """Start the deadline, in seconds of a monotonic clock; a closed client makes no attempt."""
        self.response: HttpResponse | FetchFailure = CLIENT_CLOSED if closed else TIMED_OUT
        self._clock = clock
        self._until = clock() + deadline
        self._limit = 0 if closed else ATTEMPTS

    def __iter__(self) -> Iterator[float]:
        """Yield the seconds that remain, once more after an attempt that was lost with its connection."""
        for number in range(self._limit):
            seconds = self._until - self._clock()
            if seconds <= 0 or (number and not _is_lost(self.response)):
                return
            yield seconds


def _is_lost(response: HttpResponse | FetchFailure) -> bool:
    return isinstance(response, FetchFailure) and response.reason is Reason.CONNECTION


def registration(name: str, content: Mapping[str, Any], idempotency_key: str | None) -> RegistryCall[RegisteredVersion]:
    """Build the registration of a version; parts that are None are not sent.

    Raises:
        Invalid: for a name that cannot be one, or a value that JSON cannot carry.
    """
    build_selector(name, None, None)
    template = content["template"]
    body = {"type": "text" if isinstance(template, str) else "chat"} | {
        part: value for part, value in content.items() if value is not None
    }
    variables = body.get("variables")
    if isinstance(variables, Mapping):
        body["variables"] = {variable: _declaration(value) for variable, value in variables.items()}
    return RegistryCall(
        "POST",
        f"/v1/prompts/{name}/versions",
        lambda status, answer: read_registered_version(answer, created=status == 201),
        f"prompt '{name}' may not be registered",
        body=encode_body(body),
        headers=_write_headers(idempotency_key),
    )


def label_move(
    name: str,
    label: str,
    target: int | Mapping[int, float],
    reason: str,
    if_revision: int | None,
    idempotency_key: str | None,
) -> RegistryCall[LabelState]:
    """Build the move of a label to a version, or its split over several.

    Raises:
        Invalid: for a name, label or target that cannot be one.
    """
    build_selector(name, label, None)
    if isinstance(target, Mapping):
        body: dict[str, Any] = {"split": [{"version": version, "weight": weight} for version, weight in target.items()]}
    else:
        build_selector(name, None, target)
        body = {"version": target}
    return RegistryCall(
        "PUT",
        f"/v1/prompts/{name}/labels/{label}",
        lambda _, answer: read_label_state(name, answer),
        f"label '{label}' of prompt '{name}' may not have moved",
        body=encode_body({**body, "reason": reason}),
        headers={**_write_headers(idempotency_key), **_condition(if_revision)},
    )


def label_removal(
    name: str, label: str, reason: str, if_revision: int | None, idempotency_key: str | None
) -> RegistryCall[None]:
    """Build the removal of a label.

    Raises:
        Invalid: for a name or label that cannot be one.
    """
    build_selector(name, label, None)
    return RegistryCall(
        "DELETE",
        f"/v1/prompts/{name}/labels/{label}",
        lambda _, __: None,
        f"label '{label}' of prompt '{name}' may not be removed",
        params={"reason": reason} if reason else {},
        headers={**_write_headers(idempotency_key), **_condition(if_revision)},
    )


@dataclass(frozen=True)
class ListFilter:
    """Which prompts a list has: None for no condition."""

    search: str | None = None
    label: str | None = None
    tag: str | None = None
    archived: bool = False


def prompt_page(conditions: ListFilter, cursor: str | None, size: int) -> RegistryCall[PromptPage]:
    """Build the request for a page of the list of prompts."""
    params = {
        "search": conditions.search or None,
        "label": conditions.label,
        "tag": conditions.tag,
        "archived": "true" if conditions.archived else None,
        "cursor": cursor,
        "limit": str(size),
    }
    query = {name: value for name, value in params.items() if value is not None}
    return RegistryCall("GET", "/v1/prompts", lambda _, answer: read_page(answer), "prompts were not listed", params=query)


class PromptPages:
    """The pages of one list of prompts: the call for the next one, until there is none or the limit is reached."""

    def __init__(self, conditions: ListFilter, limit: int | None) -> None:
        """Begin before the first page.

        Raises:
            Invalid: for a limit below 1.
        """
        if limit is not None and limit < 1:
            raise Invalid("limit is a number of prompts, at least 1")
        self.prompts: tuple[PromptSummary, ...] = ()
        self._conditions = conditions
        self._limit = limit
        self._cursor: str | None = None
        self._is_last = False

    def next_call(self) -> RegistryCall[PromptPage] | None:
        """Return the call for the next page; None after the last."""
        size = PAGE_SIZE if self._limit is None else min(PAGE_SIZE, self._limit - len(self.prompts))
        return None if self._is_last or size < 1 else prompt_page(self._conditions, self._cursor, size)

    def add(self, page: PromptPage) -> None:
        """Add the page that the call returned."""
        self.prompts += page.items
        self._cursor = page.next_cursor
        self._is_last = page.next_cursor is None


def prompt_search(query: str, limit: int, min_score: float | None) -> RegistryCall[tuple[PromptMatch, ...]]:
    """Build the search for prompts by their purpose."""
    params = {"q": query, "limit": str(limit)} | ({} if min_score is None else {"min_score": str(min_score)})
    return RegistryCall(
        "GET",
        "/v1/search",
        lambda _, answer: tuple(read_prompt_match(item) for item in answer["items"]),
        "prompts were not searched",
        params=params,
    )


def _declaration(value: Any) -> Any:
    return value.model_dump(exclude_unset=True) if isinstance(value, Variable) else value


def encode_body(body: Mapping[str, Any]) -> bytes:
    """Encode the body of a request, its keys in their order.

    Raises:
        Invalid: for a value that JSON cannot carry.
    """
    try:
        return json.dumps(body, ensure_ascii=False, allow_nan=False).encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise Invalid(f"JSON cannot carry a value of the request: {error}") from None


def _write_headers(idempotency_key: str | None) -> dict[str, str]:
    """Return the headers of a write: with its key, a repeated request is done once."""
    key = str(uuid.uuid4()) if idempotency_key is None else idempotency_key
    if not isinstance(key, str) or not _KEY_PATTERN.match(key):
        raise Invalid("an idempotency key is 1 to 200 characters of ASCII without spaces")
    return {"Idempotency-Key": key}


def _condition(if_revision: int | None) -> dict[str, str]:
    return {} if if_revision is None else {"If-Match": f'"{if_revision}"'}


def content_fields(
    template: str | Sequence[Mapping[str, Any]], labels: Sequence[str], tags: Sequence[str] | None, parts: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the body of a registration from its parts; empty labels are not sent, and empty tags are."""
    if not isinstance(template, str):
        template = [dict(message) for message in template]
    return {"template": template, **parts, "labels": [*labels] or None, "tags": None if tags is None else [*tags]}
