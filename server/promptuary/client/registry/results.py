"""What the registry answered to a write, a list or a search."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from promptuary.client.versions.version import UnusableResponse


@dataclass(frozen=True)
class RegisteredVersion:
    """A registered version. `created` is false where the newest version had the same content already.

    `warnings` are sentences, such as that another prompt has the same content.
    """

    name: str
    version: int
    digest: str
    created: bool
    labels: tuple[str, ...]
    tags: tuple[str, ...]
    warnings: tuple[str, ...]


@dataclass(frozen=True)
class LabelState:
    """What a label points at. `revision` is what `if_revision` compares.

    Of a split label, `version` is the first arm's, and `split` has the weight of each version.
    """

    prompt: str
    label: str
    version: int
    split: Mapping[int, float] | None
    revision: int
    moved_at: datetime


@dataclass(frozen=True)
class PromptSummary:
    """A prompt in a list. `newest` is its highest version; `labels` has the first arm's version of a split label."""

    name: str
    newest: int
    labels: Mapping[str, int]
    tags: tuple[str, ...]
    created_at: datetime
    archived_at: datetime | None


@dataclass(frozen=True)
class PromptMatch:
    """A prompt in a search result: the compared version, its similarity from -1 to 1, and the best sentence."""

    name: str
    version: int
    score: float
    labels: tuple[str, ...]
    snippet: str


def read_registered_version(body: Mapping[str, Any], *, created: bool) -> RegisteredVersion:
    """Parse the response to a registration."""
    return RegisteredVersion(
        name=body["name"],
        version=body["version"],
        digest=body["digest"],
        created=created,
        labels=tuple(body["labels"]),
        tags=tuple(body["tags"]),
        warnings=tuple(warning["detail"] for warning in body.get("warnings", ())),
    )


def read_label_state(prompt: str, body: Mapping[str, Any]) -> LabelState:
    """Parse the response to a move of a label."""
    split = body["split"]
    return LabelState(
        prompt=prompt,
        label=body["name"],
        version=body["version"],
        split=None if split is None else {arm["version"]: arm["weight"] for arm in split["arms"]},
        revision=body["revision"],
        moved_at=datetime.fromisoformat(body["moved_at"]),
    )


def read_prompt_summary(body: Mapping[str, Any]) -> PromptSummary:
    """Parse an item of a list."""
    archived_at = body["archived_at"]
    return PromptSummary(
        name=body["name"],
        newest=body["newest"],
        labels=dict(body["labels"]),
        tags=tuple(body["tags"]),
        created_at=datetime.fromisoformat(body["created_at"]),
        archived_at=None if archived_at is None else datetime.fromisoformat(archived_at),
    )


def read_prompt_match(body: Mapping[str, Any]) -> PromptMatch:
    """Parse an item of a search result."""
    return PromptMatch(body["name"], body["version"], body["score"], tuple(body["labels"]), body["snippet"])


@dataclass(frozen=True)
class PromptPage:
    """A page of a list, and the cursor of the next one; None after the last."""

    items: tuple[PromptSummary, ...]
    next_cursor: str | None


def read_page(body: Mapping[str, Any]) -> PromptPage:
    """Parse a page of a list.

    Raises:
        UnusableResponse: for a cursor that is no text.
    """
    cursor = body["next_cursor"]
    if not isinstance(cursor, str | None):
        raise UnusableResponse("its cursor is no text")
    return PromptPage(tuple(read_prompt_summary(item) for item in body["items"]), cursor)
