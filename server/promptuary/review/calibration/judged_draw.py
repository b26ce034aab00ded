"""The results that a queue drew of a run, each with what the judge and people decided."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from promptuary.core.database import Session
from promptuary.evaluation.datasets import store as dataset_store
from promptuary.evaluation.judges.draw import CERTAIN, DrawnResult
from promptuary.evaluation.judges.identity import MetricJudge, judges_of
from promptuary.evaluation.judges.labels import ResultKey
from promptuary.evaluation.plan import CaseResult, DatasetRef, Plan
from promptuary.evaluation.runs import result_store
from promptuary.evaluation.runs import store as run_store
from promptuary.evaluation.runs.store import Run
from promptuary.evaluation.scorers.spec import ScorerSpec
from promptuary.review.calibration import store
from promptuary.review.calibration.leakage import is_example
from promptuary.review.calibration.store import JudgeQueue, OutputContent, RunItem

DEFAULT_THRESHOLD = 0.5
"""The score from which on a judge passes an output whose verdict is not stored."""
Subject = tuple[str, str]
"""The digest of a version or an application, and the model."""


@dataclass(frozen=True)
class JudgedItem:
    """A drawn result.

    Attributes:
        key: its variant, case and repeat.
        subject: what answered.
        output: None where it was erased.
        drawn: its chance and its label; without one where the label tuned the judge.
        score: of the judge; None where it gave none.
        passed: the judge's verdict; None where it gave none.
        tuned: whether its label is left out, because it tuned the judge.
    """

    key: ResultKey
    subject: Subject
    output: str | None
    drawn: DrawnResult
    score: float | None
    passed: bool | None
    tuned: bool


@dataclass(frozen=True)
class JudgedDraw:
    """What one queue drew of one run.

    Attributes:
        queue: its name.
        run: the run's id; ids grow with time.
        suite: the suite's name.
        dataset: of the run: the population of which outputs are drawn.
        judge: of the queue's metric in that run.
        items: of the run.
        answered: how many results with an output each variant has.
        clusters: the cluster of each case that has one.
    """

    queue: str
    run: str
    suite: str
    dataset: DatasetRef
    judge: MetricJudge
    items: Sequence[JudgedItem]
    answered: Mapping[str, int]
    clusters: Mapping[str, str]

    @property
    def labels(self) -> int:
        """The number of labels that grade the judge."""
        return sum(item.drawn.label is not None for item in self.items)


def read_draws(session: Session, project: int, metrics: frozenset[str] | None = None) -> list[JudgedDraw]:
    """Read what queues drew of runs, the newest run first.

    Args:
        session: for reading.
        project: the project's number.
        metrics: only of these; None for all.
    """
    reader = _DrawReader(session, project, store.list_tuned_contents(session, project))
    queues = store.list_judge_queues(session, project, metrics)
    return sorted((draw for queue in queues for draw in reader.of_queue(queue)), key=lambda draw: draw.run, reverse=True)


@dataclass(frozen=True)
class _DrawReader:
    """Reads draws; `tuned` are the cases and outputs that tuned a judge."""

    session: Session
    project: int
    tuned: set[OutputContent]

    def of_queue(self, queue: JudgeQueue) -> Iterator[JudgedDraw]:
        by_run: defaultdict[str, list[RunItem]] = defaultdict(list)
        for item in store.iterate_run_items(self.session, queue):
            by_run[item.run].append(item)
        for run_id, items in by_run.items():
            run = run_store.get_run(self.session, run_id, self.project)
            judge = None if run is None else _judges(run.plan).get(queue.mapping.metric)
            if run is not None and judge is not None:
                yield self._of_run(queue.name, run, judge, items)

    def _of_run(self, queue: str, run: Run, judge: MetricJudge, items: Sequence[RunItem]) -> JudgedDraw:
        plan, session = run.plan, self.session
        results = result_store.results_at(session, run.id, [item.ordinal for item in items])
        subjects = {variant.name: (variant.digest, variant.model) for variant in plan.variants}
        sample = [item for item in _random_sample(items) if item.ordinal in results]
        judged = [self._judged(item, results[item.ordinal], judge, subjects) for item in sample]
        answered, clusters = result_store.count_answered(session, run.id), dataset_store.list_clusters(session, plan.dataset.id)
        return JudgedDraw(queue, run.id, plan.suite_name, plan.dataset, judge, judged, answered, clusters)

    def _judged(self, item: RunItem, result: CaseResult, judge: MetricJudge, subjects: Mapping[str, Subject]) -> JudgedItem:
        known = [label for label in item.labels if label is not None]
        label = sum(known) / len(known) if known else None
        leaked = label is not None and ((result.case, result.output) in self.tuned or is_example(result.output, judge))
        score = result.metrics.get(judge.metric)
        return JudgedItem(
            key=(result.variant, result.case, result.repeat),
            subject=subjects[result.variant],
            output=result.output,
            drawn=DrawnResult(
                item.probability, None if leaked else label, not item.labels, in_random_order=_in_random_order(item)
            ),
            score=None if score is None else min(1.0, max(0.0, score)),
            passed=_verdict(result, judge),
            tuned=leaked,
        )


def _judges(plan: Plan) -> dict[str, MetricJudge]:
    return judges_of([ScorerSpec.model_validate(scorer) for scorer in plan.suite["scorers"]])


def _random_sample(items: Sequence[RunItem]) -> list[RunItem]:
    """Return all items; those of random slices alone while items that were selected without chance wait for a label.

    A slice is a random sample by itself, with probabilities of its own, and stands in random order.
    """
    in_slices = [item for item in items if item.slice_probability is not None]
    if not in_slices or not any(not item.labels and item.slice_probability is None for item in items):
        return list(items)
    return [replace(item, probability=item.slice_probability or item.probability) for item in in_slices]


def _in_random_order(item: RunItem) -> bool:
    return item.slice_probability is not None or item.probability < CERTAIN


def _verdict(result: CaseResult, judge: MetricJudge) -> bool | None:
    """Return the judge's verdict as it is stored; else by its score."""
    score = result.metrics.get(judge.metric)
    if score is None:
        return None
    detail = result.detail.get("scores", {}).get(judge.metric)
    if detail is not None and detail["passed"] is not None:
        return detail["passed"]
    return score >= (DEFAULT_THRESHOLD if judge.threshold is None else judge.threshold)
