"""What the API answers, as far as the pages show it. A field that is new in the API is passed over."""

from datetime import datetime
from typing import Any, Generic, TypeVar

from pydantic import BaseModel, ConfigDict, Field

T = TypeVar("T")


class Answer(BaseModel):
    """The base of all: frozen, and open to fields that this UI does not know."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class Page(Answer, Generic[T]):
    """Some items of a list, and the cursor of the next ones."""

    items: list[T]
    next_cursor: str | None = None


class Who(Answer):
    """Who a key belongs to, and what it may do."""

    project: str
    actor: str
    role: str
    scopes: frozenset[str]

    @property
    def name(self) -> str:
        """The key's name as people know it."""
        return self.actor.removeprefix("key:")


class Choice(Answer):
    """A decision that a queue offers, and the key that presses its button."""

    value: str
    label: str
    shortcut: str | None = None


class Counts(Answer):
    """How far a queue is; `mine` and `left` are this reviewer's."""

    items: int
    decided: int
    open: int
    claimed: int
    mine: int
    left: int


class Queue(Answer):
    """A queue."""

    name: str
    instructions: str
    decisions: list[Choice]
    slots: int
    counts: Counts


class Item(Answer):
    """What there is to decide on."""

    id: str
    source: str
    payload: dict[str, Any]


class Claim(Answer):
    """An item leased to this reviewer."""

    id: str
    queue: str
    nonce: str
    lease_until: datetime
    item: Item


class Arm(Answer):
    """An arm of a split label: a version and its weight."""

    version: int
    weight: float


class Split(Answer):
    """The arms of a split label."""

    arms: list[Arm]

    def shares(self) -> list[tuple[int, float]]:
        """Give each arm's version with its share of the weights, from 0 to 1."""
        total = sum(arm.weight for arm in self.arms)
        return [(arm.version, arm.weight / total) for arm in self.arms]


class Prompt(Answer):
    """A prompt in a list. A split label is in `labels` with its first arm's version, and in `splits` whole."""

    name: str
    newest: int
    labels: dict[str, int]
    splits: dict[str, Split] = Field(default_factory=dict)


class Include(Answer):
    """A reference in the templates, and the version of another prompt to which it is pinned."""

    reference: str
    name: str
    version: int


class Version(Answer):
    """A version of a prompt."""

    name: str
    version: int
    digest: str
    type: str
    template: str | list[dict[str, Any]]
    format: str
    variables: dict[str, Any]
    model: dict[str, Any] | None = None
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


class Change(Answer):
    """One difference between two versions; `why` says how it breaks a program that works with the first."""

    part: str
    path: str
    kind: str
    before: Any = None
    after: Any = None
    diff: str | None = None
    breaking: bool = False
    why: str | None = None


class Diff(Answer):
    """What changed from one version to another."""

    breaking: bool
    reasons: list[str]
    changes: list[Change]


class Move(Answer):
    """A move of a label."""

    label: str
    version: int
    split: Split | None = None
    previous: int | None
    actor: str
    reason: str
    at: datetime
