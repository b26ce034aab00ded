"""What a queue takes from a run, as values: which results, of which variants and cases, and how large a random slice."""

from dataclasses import dataclass
from enum import StrEnum


class ResultSelection(StrEnum):
    """Which results of a run are selected by priority. A result without an output never is: there is nothing to review."""

    FAILED = "failed"  # those that did not pass
    ALL = "all"  # every result
    DISAGREE = "disagree"  # those of cases that passed under one variant and failed under another
    SCORERS = "scorers"  # those on which a judge and another scorer came to different verdicts


@dataclass(frozen=True)
class SampleRequest:
    """A random slice: how many items, and the seed of the draw."""

    size: int
    seed: int = 0


@dataclass(frozen=True)
class RunSelection:
    """What a queue takes from a run.

    Attributes:
        run: the run's id.
        only: the results that are selected by priority; None for none, where a sample is drawn.
        variant: the only variant to take results from; None for all.
        cases: the only cases; None for all.
        pairs: two variants whose outputs are compared side by side; None for single results.
        sample: a random slice beside what is selected by priority; None for no slice.
    """

    run: str
    only: ResultSelection | None = ResultSelection.FAILED
    variant: str | None = None
    cases: tuple[str, ...] | None = None
    pairs: tuple[str, str] | None = None
    sample: SampleRequest | None = None
