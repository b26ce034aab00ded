"""Queues and their items as domain values."""

import hashlib
import json
from dataclasses import asdict, dataclass, fields
from datetime import datetime
from typing import Any

from promptuary.access.contents import TrackedContent
from promptuary.review.queues.choice import DEFAULT_CHOICES, Choice
from promptuary.review.queues.label_schema import LabelSchema

UNDO_SECONDS = 300
NO_SCHEMA = LabelSchema()


@dataclass(frozen=True, kw_only=True)
class QueueDefinition:
    """What a project's member decides about a queue.

    Attributes:
        name: the queue's name.
        instructions: the text that reviewers read beside every item.
        choices: the neutral buttons; empty for a queue whose fields alone are decided.
        slots: how many reviewers decide each item.
        reviewers: the identities of those who may claim; empty for everyone with `review:decide`.
        adjudicators: the identities of those who may settle disagreements; empty for everyone with `review:adjudicate`.
        revealed: the withheld parts that a reviewer sees after their own decision.
        due_at: when the queue should be decided; None for no date.
        undo_seconds: how long a reviewer may undo a decision.
        schema: the fields that reviewers fill in, with the rubric and its examples.
        source: how the queue was filled (run, selection, seed, share); None where people added items.
        swap_share: the share of pairs that are repeated with their sides swapped, from 0 to 1.
    """

    name: str
    instructions: str = ""
    choices: tuple[Choice, ...] = DEFAULT_CHOICES
    slots: int = 1
    reviewers: tuple[str, ...] = ()
    adjudicators: tuple[str, ...] = ()
    revealed: tuple[str, ...] = ()
    due_at: datetime | None = None
    undo_seconds: int = UNDO_SECONDS
    schema: LabelSchema = NO_SCHEMA
    source: dict[str, Any] | None = None
    swap_share: float = 0.0


def _to_json(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else asdict(value)


@dataclass(frozen=True, kw_only=True)
class Queue(QueueDefinition):
    """A stored queue."""

    id: int
    created_at: datetime

    @property
    def tag(self) -> str:
        """The ETag of what the queue asks, with its quotes; it does not change with the queue's items and decisions.

        Of its source, which also records how it was filled, only the judge's mapping is a part of what it asks.
        """
        definition = {field.name: getattr(self, field.name) for field in fields(QueueDefinition)}
        definition["source"] = (self.source or {}).get("judge")
        text = json.dumps(definition, default=_to_json, sort_keys=True, separators=(",", ":"))
        return f'"{hashlib.sha256(text.encode()).hexdigest()[:32]}"'

    @property
    def schema_number(self) -> int:
        """The number of its label schema; 0 for a queue that never had one."""
        return self.schema.number


@dataclass(frozen=True)
class QueueCounts:
    """The progress of a queue.

    `closed` counts the items with all their decisions, `mine` one reviewer's decisions, `left` the open items that they have
    not decided.
    """

    items: int
    closed: int
    open: int
    claimed: int
    mine: int
    left: int


@dataclass(frozen=True)
class QueuePace:
    """The decisions of the last hour and of the last day, and how many people made those of the day."""

    hour: int
    day: int
    reviewers: int


@dataclass(frozen=True)
class Item:
    """An item to decide on, and how many decisions it has.

    `probability` is the inclusion probability by all ways into the queue, `slice_probability` that by random slices alone,
    None for an item in no slice. `selection` is how it came: in order of priority, or in a random slice, `pair_sides` are the
    outputs of a pair, and `repeat_of` is the pair that it repeats. `gold` are labels that are known; no reviewer may see them.
    `case_key` identifies the case by its input, None where there is none. `tuning` items do not grade a judge.
    """

    id: str
    source: str
    probability: float
    stored_payload: TrackedContent[dict[str, Any]]
    decision_count: int
    selection: str | None = None
    pair_sides: dict[str, Any] | None = None
    repeat_of: str | None = None
    gold: dict[str, Any] | None = None
    slice_probability: float | None = None
    case_key: str | None = None
    tuning: bool = False

    @property
    def payload(self) -> dict[str, Any]:
        """What the reviewer sees; reading it is noted in the transaction, see `promptuary.access.contents`."""
        return self.stored_payload.read()
