"""Wire models of what is added to a queue."""

from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints, model_validator

from promptuary.core.wire import NonEmptyText, RequestModel, ResponseModel
from promptuary.review.queues.service import NewItem
from promptuary.review.sources.selection import ResultSelection, RunSelection, SampleRequest

ITEM_LIMIT = 1000
SAMPLE_LIMIT = 10_000
Source = Annotated[str, StringConstraints(min_length=1, max_length=500)]
CaseId = Annotated[str, StringConstraints(min_length=1, max_length=200)]


class ItemIn(RequestModel):
    """An item for a queue; the label of a `tuning` one tuned a judge, so that it does not grade it."""

    source: Source
    payload: dict[str, Any]
    probability: Annotated[float, Field(gt=0, le=1)] = 1.0
    tuning: bool = False


class SampleIn(RequestModel):
    """A random slice: its size and the seed of the draw. The same seed with a larger size extends the slice."""

    size: Annotated[int, Field(ge=1, le=SAMPLE_LIMIT)]
    seed: Annotated[int, Field(ge=0, lt=2**53)] = 0


class NewItems(RequestModel):
    """Items, or a run whose results become items.

    Attributes:
        items: as they are.
        run: the run's id.
        only: which results by priority: those that failed (without a sample or pairs, the default), all, those of cases on
            which variants disagree, or those on which a judge and another scorer disagree.
        variant: the only variant.
        cases: the only cases.
        pairs: two variants, whose outputs are compared side by side; all pairs without `only` or a sample.
        sample: a random slice of all results, or of all pairs, beside those selected by `only`.
    """

    items: Annotated[list[ItemIn], Field(min_length=1, max_length=ITEM_LIMIT)] | None = None
    run: NonEmptyText | None = None
    only: Literal["failed", "all", "disagree", "scorers"] | None = None
    variant: NonEmptyText | None = None
    cases: Annotated[list[CaseId], Field(min_length=1, max_length=ITEM_LIMIT)] | None = None
    pairs: Annotated[list[NonEmptyText], Field(min_length=2, max_length=2)] | None = None
    sample: SampleIn | None = None

    @model_validator(mode="after")
    def _one_source(self) -> "NewItems":
        if (self.items is None) == (self.run is None):
            raise ValueError("send either items or a run")
        if self.run is None and self._selects:
            raise ValueError(f"'{self._selects[0]}' selects results of a run; send 'run' as well")
        if self.pairs is not None and self.variant is not None:
            raise ValueError("'pairs' names both variants; send it without 'variant'")
        if self.pairs is not None and self.pairs[0] == self.pairs[1]:
            raise ValueError("'pairs' names one variant twice; send two different ones")
        return self

    @property
    def _selects(self) -> list[str]:
        return [name for name in ("only", "variant", "cases", "pairs", "sample") if getattr(self, name) is not None]

    def new_items(self) -> list[NewItem]:
        """Return the items as domain values."""
        return [NewItem(item.source, item.payload, item.probability, tuning=item.tuning) for item in self.items or ()]

    def selection(self) -> RunSelection | None:
        """Return what is taken from the run; None where items are sent as they are."""
        if self.run is None:
            return None
        default = None if self.sample is not None else ResultSelection.ALL if self._is_explicit else ResultSelection.FAILED
        return RunSelection(
            run=self.run,
            only=default if self.only is None else ResultSelection(self.only),
            variant=self.variant,
            cases=None if self.cases is None else tuple(dict.fromkeys(self.cases)),
            pairs=None if self.pairs is None else (self.pairs[0], self.pairs[1]),
            sample=None if self.sample is None else SampleRequest(self.sample.size, self.sample.seed),
        )

    @property
    def _is_explicit(self) -> bool:
        """Whether cases or pairs are named, so that all of their results are meant."""
        return self.cases is not None or self.pairs is not None


class AddedOut(ResponseModel):
    """How many items were added, how many were in the queue already, and how many were left out since their case is gold.

    `repeated` counts those of the added pairs that repeat another one with the sides swapped.
    """

    added: int
    present: int
    gold: int
    repeated: int
