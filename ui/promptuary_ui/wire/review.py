"""Review queues as the API answers them; the classes mirror the server's of the same name and `…Out`."""

from datetime import datetime
from typing import Any

from pydantic import Field

from promptuary_ui.wire.base import ApiModel


class QueueCounts(ApiModel):
    """The progress of a queue; `mine` and `left` are this reviewer's."""

    items: int
    decided: int
    open: int
    claimed: int
    mine: int
    left: int


class QueuePace(ApiModel):
    """The decisions of the last hour and of the last day, and how many people made those of the day."""

    hour: int
    day: int
    reviewers: int


class QueueDecision(ApiModel):
    """A decision that reviewers of a queue may make."""

    value: str
    label: str = ""


class Queue(ApiModel):
    """A queue; `source` is where its items come from, and no `reviewers` means everyone who may review.

    `may_decide` is whether the caller is one of them.
    """

    name: str
    counts: QueueCounts
    decisions: list[QueueDecision] = Field(default_factory=list)
    source: dict[str, Any] | None = None
    reviewers: list[str] | None = None
    pace: QueuePace | None = None
    may_decide: bool = True
    due_at: datetime | None = None
    created_at: datetime | None = None


class AddedItems(ApiModel):
    """How many items a queue got, how many were there already, and how many were left out since their cases are gold."""

    added: int
    present: int
    gold: int


class OthersLabels(ApiModel):
    """What another reviewer decided about an item."""

    decision: str
    comment: str


class OutputCorrection(ApiModel):
    """An output that a reviewer has edited; `decision` is the decision's number, and `accepted` whether it is gold.

    `expected` is the value that the correction replaces, `decided` the reviewer's decision, and `others` what others decided.
    """

    decision: int
    item: str
    case: str | None
    input: Any = None
    output: Any
    expected: Any = None
    correction: str | None
    decided: str = ""
    comment: str
    reviewer: str
    at: datetime
    accepted: bool
    others: list[OthersLabels] = Field(default_factory=list)


class Dataset(ApiModel):
    """The newest version of a dataset."""

    name: str
    version: int
