"""Agreement, disagreements and adjudications as the API answers them; the classes mirror the server's of the same name."""

from datetime import datetime
from typing import Any

from promptuary_ui.wire.base import ApiModel


class Coefficient(ApiModel):
    """A chance-corrected coefficient of agreement with its 95 % interval, or why it is undefined."""

    coefficient: str
    value: float | None
    reason: str | None
    low: float | None
    high: float | None
    units: int


class Share(ApiModel):
    """A share of equal labels, from 0 to 1, with its 95 % interval."""

    value: float
    low: float
    high: float
    items: int


class PairAgreement(ApiModel):
    """The agreement of two reviewers."""

    first: str
    second: str
    share: Share
    coefficient: Coefficient


class AgainstGold(ApiModel):
    """The agreement of a reviewer with known labels; `reviewer` is None for all together."""

    reviewer: str | None
    share: Share
    coefficient: Coefficient | None


class OptionAgreement(ApiModel):
    """The agreement on one option of a label with several."""

    option: str
    share: float
    coefficients: list[Coefficient]


class LabelAgreement(ApiModel):
    """The figures of one label: the primary decision, or a field."""

    name: str
    title: str
    type: str
    level: str
    options: list[str | int] | None
    items: int
    pairable: int
    labels: int
    omitted: int
    observed: Share | None
    coefficients: list[Coefficient]
    note: str | None
    per_option: list[OptionAgreement]
    pairs: list[PairAgreement]
    pairs_omitted: int
    gold: list[AgainstGold]


class Agreement(ApiModel):
    """The agreement of a queue's reviewers."""

    items: int
    reviewers: int
    finished_only: bool
    schema_numbers: list[int]
    labels: list[LabelAgreement]


class Review(ApiModel):
    """What one reviewer decided on an item; `reviewer_id` is None where the caller may not see who it was."""

    reviewer: str
    reviewer_id: str | None
    decision: str
    labels: dict[str, Any]
    comment: str
    correction: str | None = None
    at: datetime

    def value_of(self, label: str) -> Any:
        """Return the value of a label; None where the reviewer gave none."""
        return self.decision if label == "decision" else self.labels.get(label)


class Adjudication(ApiModel):
    """A settled label of an item."""

    id: int
    label: str
    value: Any
    reason: str
    adjudicator: str
    at: datetime


class Disagreement(ApiModel):
    """A finished item on which reviewers gave different labels."""

    item: str
    source: str
    payload: dict[str, Any]
    differing: list[str]
    gold: dict[str, Any]
    reviews: list[Review]
    adjudications: list[Adjudication]
