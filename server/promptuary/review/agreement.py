"""How far a queue's reviewers agree, from every decision in it."""

from dataclasses import dataclass
from functools import partial

from promptuary.access.unit_of_work import UnitOfWork
from promptuary.review import store
from promptuary.review.service import ReviewService

BOOTSTRAP_SEED = 1
BOOTSTRAP_RESAMPLES = 199
INTERVAL_LIMIT = 5000
"""Above so many items no interval is drawn: it would take longer than a request may, and be narrow anyway."""


@dataclass(frozen=True)
class AgreementCoefficient:
    """An agreement beyond chance with its 95 % interval, or the reason why there is none.

    `low` and `high` are None where the value is, and above INTERVAL_LIMIT items.
    """

    coefficient: str
    value: float | None
    reason: str | None
    low: float | None
    high: float | None


@dataclass(frozen=True)
class ReviewerAgreement:
    """What the reviewers agree on; `percent` is the share of agreeing pairs, in 0 … 100.

    `disagreements` are the sources on which at least two reviewers decided differently, in the order of the queue.
    """

    items: int
    reviewers: int
    percent: float | None
    coefficients: tuple[AgreementCoefficient, ...]
    disagreements: tuple[str, ...]


def compute_agreement(unit: UnitOfWork, name: str) -> ReviewerAgreement:
    """Compare the reviewers: percent agreement, Krippendorff's alpha and Gwet's AC1, which holds where one label is rare.

    Raises:
        NotFound: when there is no such queue.
    """
    from promptuary.statistics.agreement import DistanceMetric, agreement_interval, gwet_ac1, krippendorff_alpha

    queue = ReviewService(unit).queue(name).queue
    given = store.list_decisions_by_source(unit.session, queue)
    reviewers = sorted({reviewer for ballots in given.values() for reviewer in ballots})
    shared = {source: ballots for source, ballots in given.items() if len(ballots) >= 2}
    ratings = [[ballots.get(reviewer) for ballots in shared.values()] for reviewer in reviewers]
    labels = [choice.value for choice in queue.choices]
    coefficients = []
    percent = None
    if ratings:
        for measure in (
            partial(krippendorff_alpha, metric=DistanceMetric.NOMINAL, categories=labels),
            partial(gwet_ac1, categories=labels),
        ):
            found = measure(ratings)
            few = len(shared) <= INTERVAL_LIMIT
            interval = agreement_interval(measure, ratings, seed=BOOTSTRAP_SEED, resamples=BOOTSTRAP_RESAMPLES) if few else None
            low, high = (interval.low, interval.high) if interval else (None, None)
            coefficients.append(AgreementCoefficient(found.coefficient, found.value, found.reason, low, high))
            percent = None if found.observed is None else 100 * found.observed
    split = tuple(source for source, ballots in shared.items() if len(set(ballots.values())) > 1)
    return ReviewerAgreement(len(shared), len(reviewers), percent, tuple(coefficients), split)
