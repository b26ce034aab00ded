"""Agreement between the reviewers of a queue, computed from all of its decisions."""

from dataclasses import dataclass
from functools import partial

from promptuary.access.unit_of_work import UnitOfWork
from promptuary.review.labels import store
from promptuary.review.queues.service import QueueService

BOOTSTRAP_SEED = 1
BOOTSTRAP_RESAMPLES = 199
INTERVAL_LIMIT = 5000
"""Above this number of items no interval is computed: it would take longer than a request may, and be narrow anyway."""


@dataclass(frozen=True)
class AgreementCoefficient:
    """A chance-corrected coefficient of agreement with its 95 % interval, or the reason why it is undefined.

    `low` and `high` are None where `value` is None, and above INTERVAL_LIMIT items.
    """

    coefficient: str
    value: float | None
    reason: str | None
    low: float | None
    high: float | None


@dataclass(frozen=True)
class ReviewerAgreement:
    """The agreement of a queue's reviewers; `percent` is the share of agreeing pairs, from 0 to 100.

    `disagreements` are the sources on which at least two reviewers decided differently, in the order of the queue.
    """

    items: int
    reviewers: int
    percent: float | None
    coefficients: tuple[AgreementCoefficient, ...]
    disagreements: tuple[str, ...]


def compute_agreement(unit: UnitOfWork, name: str) -> ReviewerAgreement:
    """Compute the reviewers' percent agreement, Krippendorff's alpha and Gwet's AC1, which is robust where one label is rare.

    Raises:
        NotFound: when there is no such queue.
    """
    from promptuary.statistics.agreement import DistanceMetric, agreement_interval, gwet_ac1, krippendorff_alpha

    queue = QueueService(unit).find(name)
    decisions = store.list_decisions_by_source(unit.session, queue)
    reviewers = sorted({reviewer for by_reviewer in decisions.values() for reviewer in by_reviewer})
    shared = {source: by_reviewer for source, by_reviewer in decisions.items() if len(by_reviewer) >= 2}
    ratings = [[by_reviewer.get(reviewer) for by_reviewer in shared.values()] for reviewer in reviewers]
    labels = [choice.value for choice in queue.choices]
    coefficients = []
    percent = None
    if ratings:
        for measure in (
            partial(krippendorff_alpha, metric=DistanceMetric.NOMINAL, categories=labels),
            partial(gwet_ac1, categories=labels),
        ):
            coefficient = measure(ratings)
            few = len(shared) <= INTERVAL_LIMIT
            interval = agreement_interval(measure, ratings, seed=BOOTSTRAP_SEED, resamples=BOOTSTRAP_RESAMPLES) if few else None
            low, high = (interval.low, interval.high) if interval else (None, None)
            coefficients.append(AgreementCoefficient(coefficient.coefficient, coefficient.value, coefficient.reason, low, high))
            percent = None if coefficient.observed is None else 100 * coefficient.observed
    disagreements = tuple(source for source, by_reviewer in shared.items() if len(set(by_reviewer.values())) > 1)
    return ReviewerAgreement(len(shared), len(reviewers), percent, tuple(coefficients), disagreements)
