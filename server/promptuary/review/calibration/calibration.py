"""A judge compared with people: its figures from labelled results of one population, and whether they may be relied on.

A population is the cases of one version of a dataset, under whatever versions of a prompt answered them.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from promptuary.evaluation.judge_figures import AgreementFigures, ChangedPart, JudgeFigures, LicenceState
from promptuary.evaluation.judges.draw import draw_problem, label_chances
from promptuary.evaluation.judges.identity import MetricJudge
from promptuary.evaluation.plan import DatasetRef
from promptuary.evaluation.summary_part import IntervalFigures
from promptuary.review.calibration.judged_draw import JudgedDraw, JudgedItem
from promptuary.statistics.agreement import Agreement
from promptuary.statistics.interval import Interval
from promptuary.statistics.judges.accuracy import JudgeAccuracy, JudgedLabels, judge_accuracy
from promptuary.statistics.judges.label_sample import MINIMUM_LABELS

BOOTSTRAP_SEED = 1
TIE = 0.5


@dataclass(frozen=True)
class Calibration:
    """A judge compared with people.

    Attributes:
        judge: which one.
        figures: with the state of the licence.
        accuracy: with the confusion and the curve; None without a label.
        dataset: the population; None without a label.
        suites: the names of the suites whose runs the labels are of, or that have the judge now.
        queues: the names of the queues that the labels are of.
        left_out: why labels of a queue are left out, for people.
    """

    judge: MetricJudge
    figures: JudgeFigures
    accuracy: JudgeAccuracy | None
    dataset: DatasetRef | None
    suites: tuple[str, ...]
    queues: tuple[str, ...]
    left_out: tuple[str, ...]


@dataclass(frozen=True)
class _GradedItem:
    """A labelled result with the chance to be labelled."""

    item: JudgedItem
    chance: float
    cluster: str


@dataclass(frozen=True)
class _Graded:
    """The labels that grade a judge, once each, and why others are left out."""

    items: Sequence[_GradedItem]
    left_out: tuple[str, ...]
    tuned: int


def calibrate(
    judge: MetricJudge, dataset: DatasetRef | None, draws: Sequence[JudgedDraw], others: Sequence[JudgedDraw]
) -> Calibration:
    """Compare a judge with people.

    Args:
        judge: which one.
        dataset: the population; None where there is no label.
        draws: of this judge and this population, the newest run first.
        others: of earlier states of the judge, or of other populations; where one of them had enough labels, the
            calibration has expired.
    """
    graded = _grade(draws)
    accuracy = _accuracy(graded.items)
    labels = len(graded.items)
    missing = max(0, MINIMUM_LABELS - labels)
    changed = _changed_parts(judge, dataset, others) if missing else ()
    state = LicenceState.VALID if not missing else LicenceState.EXPIRED if changed else LicenceState.TOO_FEW_LABELS
    return Calibration(
        judge=judge,
        figures=_figures(judge, state, changed, (labels, missing, graded.tuned), accuracy),
        accuracy=accuracy,
        dataset=dataset,
        suites=tuple(dict.fromkeys(draw.suite for draw in draws)),
        queues=tuple(dict.fromkeys(draw.queue for draw in draws)),
        left_out=graded.left_out,
    )


def changes_between(
    judge: MetricJudge, dataset: DatasetRef, now: MetricJudge, dataset_now: DatasetRef | None
) -> tuple[ChangedPart, ...]:
    """Return what differs between a judge with its population and the present ones; an unknown population did not change."""
    changed = judge.changes_to(now)
    moved = dataset_now is not None and (dataset.name, dataset.digest) != (dataset_now.name, dataset_now.digest)
    return (*changed, ChangedPart.POPULATION) if moved else changed


def expired(calibration: Calibration, changed: tuple[ChangedPart, ...]) -> Calibration:
    """Return a calibration whose judge or population is not the present one any more."""
    figures = calibration.figures.model_copy(
        update={"state": LicenceState.EXPIRED, "changed": changed, "missing": MINIMUM_LABELS}
    )
    return Calibration(**vars(calibration) | {"figures": figures})


def _grade(draws: Sequence[JudgedDraw]) -> _Graded:
    """Collect the labels of draws that are random samples, each content once, the newest first."""
    graded: dict[tuple[object, ...], _GradedItem] = {}
    left_out: list[str] = []
    tuned: set[tuple[object, ...]] = set()
    for draw in draws:
        by_variant: defaultdict[str, list[JudgedItem]] = defaultdict(list)
        for item in draw.items:
            by_variant[item.key[0]].append(item)
            if item.tuned:
                tuned.add(_content(item))
        for variant, items in by_variant.items():
            drawn = [item.drawn for item in items]
            if not any(result.label is not None for result in drawn):
                continue
            problem = draw_problem(draw.answered.get(variant, 0), drawn, MINIMUM_LABELS)
            if problem is not None:
                left_out.append(f"queue {draw.queue}, {variant} of {draw.run}: {problem.reason}")
                continue
            chances = label_chances(drawn)
            for item in items:
                if item.drawn.label is not None and item.drawn.label != TIE and item.passed is not None:
                    case = item.key[1]
                    cluster = draw.clusters.get(case)
                    shared = f"case {case}" if cluster is None else f"cluster {cluster}"
                    graded.setdefault(_content(item), _GradedItem(item, chances[item.drawn.probability], shared))
    return _Graded(list(graded.values()), tuple(left_out), len(tuned))


def _content(item: JudgedItem) -> tuple[object, ...]:
    """Return what identifies a labelled output: a copy of it in another run or queue is no second label."""
    return item.subject, item.key[1], item.output if item.output is not None else item.key


def _accuracy(items: Sequence[_GradedItem]) -> JudgeAccuracy | None:
    if not items:
        return None
    judged = JudgedLabels(
        labels=[(graded.item.drawn.label or 0.0) > TIE for graded in items],
        verdicts=[bool(graded.item.passed) for graded in items],
        scores=[graded.item.score or 0.0 for graded in items],
        probabilities=[graded.chance for graded in items],
        clusters=[graded.cluster for graded in items],
    )
    return judge_accuracy(judged, seed=BOOTSTRAP_SEED)


def _changed_parts(judge: MetricJudge, dataset: DatasetRef | None, others: Sequence[JudgedDraw]) -> tuple[ChangedPart, ...]:
    """Return what has changed since the newest state that had enough labels; empty where none had."""
    states: defaultdict[tuple[str, str], list[JudgedDraw]] = defaultdict(list)
    for draw in others:
        states[draw.judge.digest, draw.dataset.digest].append(draw)
    for draws in states.values():
        if len(_grade(draws).items) >= MINIMUM_LABELS:
            return changes_between(draws[0].judge, draws[0].dataset, judge, dataset)
    return ()


def _figures(
    judge: MetricJudge,
    state: LicenceState,
    changed: tuple[ChangedPart, ...],
    counts: tuple[int, int, int],
    accuracy: JudgeAccuracy | None,
) -> JudgeFigures:
    labels, missing, tuned = counts
    return JudgeFigures(
        metric=judge.metric,
        digest=judge.digest,
        model=judge.model,
        state=state,
        changed=changed,
        labels=labels,
        missing=missing,
        tuned=tuned,
        sensitivity=_interval(accuracy.sensitivity) if accuracy else None,
        specificity=_interval(accuracy.specificity) if accuracy else None,
        kappa=_agreement(accuracy.kappa, accuracy.kappa_interval) if accuracy else None,
        ac1=_agreement(accuracy.ac1, accuracy.ac1_interval) if accuracy else None,
    )


def _interval(interval: Interval | None) -> IntervalFigures | None:
    return None if interval is None else IntervalFigures.model_validate(interval)


def _agreement(agreement: Agreement, interval: Interval | None) -> AgreementFigures:
    low, high = (None, None) if interval is None else (interval.low, interval.high)
    return AgreementFigures(value=agreement.value, reason=agreement.reason, low=low, high=high)
