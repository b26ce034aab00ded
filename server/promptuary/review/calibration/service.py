"""Judges compared with people, on behalf of a caller."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pydantic import ValidationError

from promptuary.access import audit
from promptuary.access.unit_of_work import UnitOfWork
from promptuary.core.errors import Conflict, FieldError, InvalidRequest, NotFound
from promptuary.evaluation.datasets import store as dataset_store
from promptuary.evaluation.judges.identity import MetricJudge, judges_of
from promptuary.evaluation.plan import PASS, SCORE, DatasetRef
from promptuary.evaluation.runs import store as run_store
from promptuary.evaluation.runs.service import RunService
from promptuary.evaluation.runs.store import RunState
from promptuary.evaluation.suites import store as suite_store
from promptuary.evaluation.suites.suite import Suite
from promptuary.evaluation.summary_model import Summary
from promptuary.evaluation.verdict.summary import SummaryContext, summarise
from promptuary.review.calibration import store
from promptuary.review.calibration.calibration import Calibration, calibrate, changes_between, expired
from promptuary.review.calibration.human_labels import ReviewedLabels
from promptuary.review.calibration.judged_draw import JudgedDraw, read_draws
from promptuary.review.queues.judge_mapping import JudgeMapping, validate_mapping
from promptuary.review.queues.service import QueueService

_SUITES_BATCH = 200


@dataclass(frozen=True)
class PresentJudge:
    """The judge that a suite has now.

    Attributes:
        suite: the suite's name.
        judge: of one of its metrics.
        dataset: the newest version of the suite's dataset; None where there is none.
    """

    suite: str
    judge: MetricJudge
    dataset: DatasetRef | None


@dataclass(frozen=True)
class JudgeService:
    """Judges of a project's metrics, compared with labels of its reviewers."""

    unit: UnitOfWork

    def judges(self) -> list[Calibration]:
        """Return every judge that a suite has or that labels are of, by metric and digest."""
        draws, present = read_draws(self.unit.session, self.unit.caller.project), list(self._present_judges())
        calibrations = [_calibration(judge, draws, present) for judge in _by_digest(draws, present).values()]
        return sorted(calibrations, key=lambda calibration: (calibration.judge.metric, calibration.judge.digest))

    def calibration(self, digest: str) -> Calibration:
        """Return a judge compared with people.

        Raises:
            NotFound: when no suite has the judge, and no label is of it.
        """
        draws, present = read_draws(self.unit.session, self.unit.caller.project), list(self._present_judges())
        judge = _by_digest(draws, present).get(digest)
        if judge is None:
            raise NotFound(f"there is no judge '{digest}'; GET /judges lists them")
        return _calibration(judge, draws, present)

    def decide(self, run_id: str) -> Summary:
        """Return the summary of a finished run as the labels of now decide it; the run keeps the verdict that it ended with.

        Raises:
            NotFound: when there is no such run.
            Conflict: when it has not finished.
        """
        run, session = RunService(self.unit).get(run_id), self.unit.session
        if run.state is not RunState.FINISHED or run.summary is None:
            raise Conflict(f"the run '{run_id}' is {run.state}; labels correct finished runs only")
        if run.summary.stopped_early or not run.summary.judges:
            return run.summary
        suite = Suite.model_validate(run.plan.suite)
        clusters = dataset_store.list_clusters(session, run.plan.dataset.id)
        labels = ReviewedLabels().read(session, run.project, run.id, run.plan)
        scorers = [metric for metric in run.summary.metrics if metric not in (PASS, SCORE)]
        figures = run_store.iterate_figures(session, run.id)
        return summarise(run.plan, suite, clusters, figures, scorers, SummaryContext(labels=labels))

    def put_mapping(self, queue_name: str, mapping: JudgeMapping) -> JudgeMapping:
        """Declare how a queue's decisions become labels of a judged metric.

        Raises:
            NotFound: when there is no such queue.
            InvalidRequest: for a value that is none of the queue's decisions, where its decisions are the labels.
        """
        queue = QueueService(self.unit).find(queue_name, lock=True)
        validate_mapping(mapping, [choice.value for choice in queue.choices])
        store.set_mapping(self.unit.session, queue.id, mapping)
        audit.record_change(self.unit, "queue.judge_set", queue_name, mapping.to_json())
        return mapping

    def mark_tuning(self, queue_name: str, items: Sequence[str], *, tuning: bool) -> int:
        """Mark items as having tuned a judge, or as not; return how many there are.

        Raises:
            NotFound: when there is no such queue.
            InvalidRequest: with every id that is none of the queue's items.
        """
        queue = QueueService(self.unit).find(queue_name, lock=True)
        marked = store.set_tuning(self.unit.session, queue.id, frozenset(items), tuning=tuning)
        errors = [
            FieldError(f"items.{number}", f"'{item}' is no item of the queue")
            for number, item in enumerate(items)
            if item not in marked
        ]
        if errors:
            raise InvalidRequest("items cannot be marked", errors)
        audit.record_change(self.unit, "queue.tuning_marked", queue_name, {"items": sorted(marked), "tuning": tuning})
        return len(marked)

    def _present_judges(self) -> Iterator[PresentJudge]:
        after: str | None = None
        while True:
            suites = suite_store.list_suites(self.unit.session, self.unit.caller.project, after, _SUITES_BATCH)
            for stored in suites:
                yield from self._judges_of_suite(stored.name, dict(stored.definition))
            if len(suites) < _SUITES_BATCH:
                return
            after = suites[-1].name

    def _judges_of_suite(self, name: str, definition: dict[str, object]) -> Iterator[PresentJudge]:
        try:
            suite = Suite.model_validate(definition)
        except ValidationError:  # a plug-in of a scorer is not installed any more
            return
        judges = judges_of(suite.scorers)
        if not judges:
            return
        newest = dataset_store.get_dataset_version(self.unit.session, self.unit.caller.project, suite.dataset)
        dataset = None
        if newest is not None:
            dataset = DatasetRef(newest.id, newest.name, newest.number, newest.digest, newest.cases)
        for judge in judges.values():
            yield PresentJudge(name, judge, dataset)


def _by_digest(draws: Sequence[JudgedDraw], present: Sequence[PresentJudge]) -> dict[str, MetricJudge]:
    judges = {draw.judge.digest: draw.judge for draw in draws}
    return judges | {now.judge.digest: now.judge for now in present}


def _calibration(judge: MetricJudge, draws: Sequence[JudgedDraw], present: Sequence[PresentJudge]) -> Calibration:
    """Compare a judge with people on its newest population, and with what the suites have now."""
    own = [draw for draw in draws if draw.judge.digest == judge.digest]
    now = [entry for entry in present if entry.judge.digest == judge.digest]
    newest = next((draw.dataset for draw in own if draw.labels), None) or next((entry.dataset for entry in now), None)
    of_population = [draw for draw in own if newest is not None and draw.dataset.digest == newest.digest]
    suites = dict.fromkeys([*(draw.suite for draw in of_population), *(entry.suite for entry in now)])
    others = [
        draw for draw in draws if draw.suite in suites and draw.judge.metric == judge.metric and draw not in of_population
    ]
    calibration = calibrate(judge, newest, of_population, others)
    calibration = Calibration(**vars(calibration) | {"suites": tuple(suites)})
    successors = [entry for entry in present if entry.suite in suites and entry.judge.metric == judge.metric]
    if newest is None or not successors:
        return calibration
    changes = [changes_between(judge, newest, entry.judge, entry.dataset) for entry in successors]
    return expired(calibration, changes[0]) if all(changes) else calibration
