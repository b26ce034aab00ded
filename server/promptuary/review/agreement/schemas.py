"""Wire models of agreement, disagreements and adjudications."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any

from pydantic import Field, StringConstraints, model_validator

from promptuary.core.wire import NonEmptyText, RequestModel, ResponseModel
from promptuary.review.agreement.adjudication import ItemAdjudication
from promptuary.review.agreement.disagreements import Disagreement
from promptuary.review.agreement.label import PRIMARY, LabelDefinition, Level
from promptuary.review.agreement.results import AgainstGold, LabelAgreement, PairAgreement, QueueAgreement
from promptuary.review.agreement.store import Adjudication

Reason = Annotated[str, StringConstraints(min_length=1, max_length=2000, pattern=r"\S")]
Names = Mapping[str, str]
"""The names that people see, by identity."""


class CoefficientOut(ResponseModel):
    """A chance-corrected coefficient of agreement, or why it is undefined; `low` and `high` are its 95 % interval.

    `units` counts the items with at least two labels; `method` is how the interval was computed.
    """

    coefficient: str
    value: float | None
    reason: str | None
    low: float | None
    high: float | None
    method: str | None
    units: int


class ShareOut(ResponseModel):
    """A share of equal labels, from 0 to 1, with its 95 % interval over `items` items."""

    value: float
    low: float
    high: float
    items: int


class PairOut(ResponseModel):
    """The agreement of two reviewers on the items that both labelled."""

    first: str
    first_id: str
    second: str
    second_id: str
    share: ShareOut
    coefficient: CoefficientOut

    @classmethod
    def of(cls, pair: PairAgreement, names: Names) -> "PairOut":
        """Build the wire model."""
        return cls(
            first=names[pair.first],
            first_id=pair.first,
            second=names[pair.second],
            second_id=pair.second,
            share=ShareOut.model_validate(pair.share),
            coefficient=CoefficientOut.model_validate(pair.coefficient),
        )


class AgainstGoldOut(ResponseModel):
    """The agreement of a reviewer with known labels; `reviewer` is null for all reviewers together."""

    reviewer: str | None
    reviewer_id: str | None
    share: ShareOut
    coefficient: CoefficientOut | None

    @classmethod
    def of(cls, gold: AgainstGold, names: Names) -> "AgainstGoldOut":
        """Build the wire model."""
        return cls(
            reviewer=None if gold.reviewer is None else names[gold.reviewer],
            reviewer_id=gold.reviewer,
            share=ShareOut.model_validate(gold.share),
            coefficient=None if gold.coefficient is None else CoefficientOut.model_validate(gold.coefficient),
        )


class OptionOut(ResponseModel):
    """The agreement on one option of a label with several; `share` of the labels have it."""

    option: str
    share: float
    coefficients: list[CoefficientOut]


class LabelDefinitionOut(ResponseModel):
    """A label of the queue: the primary decision (`decision`) or a field, with its level of measurement."""

    name: str
    title: str
    type: str
    level: Level
    options: list[str | int] | None

    @classmethod
    def of(cls, label: LabelDefinition) -> "LabelDefinitionOut":
        """Build the wire model."""
        return cls.model_validate(label)


class LabelAgreementOut(LabelDefinitionOut):
    """The figures of one label.

    `items` have such a label, `pairable` of them at least two; `omitted` labels are not of the current schema.
    """

    items: int
    pairable: int
    labels: int
    omitted: int
    observed: ShareOut | None
    coefficients: list[CoefficientOut]
    note: str | None
    per_option: list[OptionOut]
    pairs: list[PairOut]
    pairs_omitted: int
    gold: list[AgainstGoldOut]

    @classmethod
    def build(cls, figures: LabelAgreement, names: Names) -> "LabelAgreementOut":
        """Build the wire model."""
        return cls(
            **LabelDefinitionOut.of(figures.label).model_dump(),
            items=figures.items,
            pairable=figures.pairable,
            labels=figures.labels,
            omitted=figures.omitted,
            observed=None if figures.observed is None else ShareOut.model_validate(figures.observed),
            coefficients=[CoefficientOut.model_validate(coefficient) for coefficient in figures.coefficients],
            note=figures.note,
            per_option=[OptionOut.model_validate(option) for option in figures.options],
            pairs=[PairOut.of(pair, names) for pair in figures.pairs],
            pairs_omitted=figures.pairs_omitted,
            gold=[AgainstGoldOut.of(gold, names) for gold in figures.gold],
        )


class AgreementOut(ResponseModel):
    """The agreement of a queue's reviewers.

    `items` have at least two decisions. `percent` and `coefficients` are those of the primary decision, which is also the
    first of `labels`. `disagreements` are the sources of the items on which labels differ; their ids where `finished_only`.
    """

    items: int
    reviewers: int
    percent: float | None
    coefficients: list[CoefficientOut]
    disagreements: list[str]
    finished_only: bool
    schema_numbers: list[int]
    labels: list[LabelAgreementOut]

    @classmethod
    def of(cls, agreement: QueueAgreement) -> "AgreementOut":
        """Build the wire model."""
        labels = [LabelAgreementOut.build(label, agreement.names) for label in agreement.labels]
        primary = next((label for label in labels if label.name == PRIMARY), None)
        return cls(
            items=agreement.items,
            reviewers=agreement.reviewers,
            percent=None if primary is None or primary.observed is None else 100 * primary.observed.value,
            coefficients=[] if primary is None else primary.coefficients,
            disagreements=list(agreement.disagreements),
            finished_only=agreement.finished_only,
            schema_numbers=list(agreement.schema_numbers),
            labels=labels,
        )


class ReviewOut(ResponseModel):
    """What one reviewer decided on an item; `reviewer_id` is null where the caller may not see who it was."""

    reviewer: str
    reviewer_id: str | None
    decision: str
    labels: dict[str, Any]
    comment: str
    correction: str | None
    at: datetime


class AdjudicationOut(ResponseModel):
    """A settled label of an item; the latest one counts."""

    id: int
    item: str
    label: str
    value: Any
    reason: str
    adjudicator: str
    adjudicator_id: str | None
    at: datetime

    @classmethod
    def of(cls, adjudication: Adjudication, names: Names) -> "AdjudicationOut":
        """Build the wire model with the adjudicator's name."""
        return cls(
            id=adjudication.id,
            item=adjudication.item,
            label=adjudication.label,
            value=adjudication.value,
            reason=adjudication.reason,
            adjudicator=names.get(adjudication.adjudicator, "an adjudicator"),
            adjudicator_id=adjudication.adjudicator if adjudication.adjudicator in names else None,
            at=adjudication.at,
        )


class DisagreementOut(ResponseModel):
    """A finished item on which reviewers gave different labels: `differing` names them."""

    item: str
    source: str
    payload: dict[str, Any]
    differing: list[str]
    gold: dict[str, Any]
    reviews: list[ReviewOut]
    adjudications: list[AdjudicationOut]

    @classmethod
    def of(cls, disagreement: Disagreement, names: Names) -> "DisagreementOut":
        """Build the wire model; who is not among the names is not shown."""
        labelled = disagreement.labelled
        return cls(
            item=labelled.id,
            source=labelled.source,
            payload=dict(disagreement.payload),
            differing=list(disagreement.differing),
            gold=dict(labelled.gold),
            reviews=[
                ReviewOut(
                    reviewer=names.get(review.reviewer, "another reviewer"),
                    reviewer_id=review.reviewer if review.reviewer in names else None,
                    decision=review.decision,
                    labels=dict(review.labels),
                    comment=review.comment,
                    correction=review.correction,
                    at=review.at,
                )
                for review in labelled.reviews
            ],
            adjudications=[AdjudicationOut.of(adjudication, names) for adjudication in disagreement.adjudications.values()],
        )


class AdjudicationIn(RequestModel):
    """What an adjudicator settles about an item: the primary decision, fields, or both, with the reason."""

    item: NonEmptyText
    decision: NonEmptyText | None = None
    labels: Annotated[dict[str, Any], Field(default_factory=dict, max_length=100)]
    reason: Reason
    own: bool = False
    replaces: Annotated[list[int], Field(default_factory=list, max_length=100)]

    @model_validator(mode="after")
    def _something(self) -> "AdjudicationIn":
        if self.decision is None and not self.labels:
            raise ValueError("send 'decision', 'labels' or both")
        if PRIMARY in self.labels:
            raise ValueError(f"the primary decision is sent as '{PRIMARY}', not among 'labels'")
        return self

    def settlement(self) -> ItemAdjudication:
        """Return the domain value."""
        primary = {} if self.decision is None else {PRIMARY: self.decision}
        return ItemAdjudication(self.item, {**primary, **self.labels}, self.reason, self.own, tuple(self.replaces))


class AdjudicationsOut(ResponseModel):
    """The adjudications that were stored."""

    items: list[AdjudicationOut]
