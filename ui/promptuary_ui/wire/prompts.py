"""Prompts, versions, diffs and label moves as the API answers them; the classes mirror the server's classes and wire models."""

from datetime import datetime
from typing import Any

from pydantic import Field

from promptuary_ui.wire.base import ApiModel


class Arm(ApiModel):
    """An arm of a split label: a version and its weight."""

    version: int
    weight: float


class Split(ApiModel):
    """The arms of a split label."""

    arms: list[Arm]

    def shares(self) -> list[tuple[int, float]]:
        """Return each arm's version with its share of the weights, from 0 to 1."""
        total = sum(arm.weight for arm in self.arms)
        return [(arm.version, arm.weight / total) for arm in self.arms]


class Prompt(ApiModel):
    """A prompt in a list. A split label is in `labels` with its first arm's version, and in `splits` whole."""

    name: str
    newest: int
    labels: dict[str, int]
    splits: dict[str, Split] = Field(default_factory=dict)


class Include(ApiModel):
    """A reference in the templates, and the version of another prompt to which it is pinned."""

    reference: str
    name: str
    version: int


class Version(ApiModel):
    """A version of a prompt; one that was erased has the time of that, and no content."""

    name: str
    version: int
    digest: str
    type: str = ""
    template: str | list[dict[str, Any]] = ""
    format: str = ""
    variables: dict[str, Any] = Field(default_factory=dict)
    model: dict[str, Any] | None = None
    config: Any = None
    response_format: dict[str, Any] | None = None
    tools: list[dict[str, Any]] | None = None
    partials: dict[str, str] = Field(default_factory=dict)
    includes: list[Include] = Field(default_factory=list)
    context: dict[str, Any] | None = None
    labels: list[str]
    message: str
    tags: list[str]
    author: str
    created_at: datetime
    erased_at: datetime | None = None


class Change(ApiModel):
    """One difference between two versions; `why` is the reason why it breaks programs that use the first."""

    part: str
    path: str
    kind: str
    before: Any = None
    after: Any = None
    diff: str | None = None
    breaking: bool = False
    why: str | None = None


class Diff(ApiModel):
    """The differences from one version to another."""

    breaking: bool
    reasons: list[str]
    changes: list[Change]


class LabelMove(ApiModel):
    """A move of a label; without a version, its removal."""

    label: str
    version: int | None
    split: Split | None = None
    previous: int | None
    actor: str
    reason: str
    at: datetime


class LabelName(ApiModel):
    """The label that an event is about."""

    label: str


class LabelRemoval(ApiModel):
    """The event of a label's removal."""

    detail: LabelName
