"""A step of the worker that sends sampled calls to review queues, each with its inclusion probability.

A call is included with the probability π of its stratum and its day's reservoir. With low feedback, or where a judge disagrees,
it becomes an item for certain, so that its item has π; else by chance, with the rule's share s, so that it has π·s. The
chance depends on the rule and the call alone: a call that is looked at twice is drawn twice or never.
"""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import structlog

from promptuary.access import store as access_store
from promptuary.access.role import Role
from promptuary.access.unit_of_work import Caller, UnitOfWork
from promptuary.core.clock import Clock, freeze_clock
from promptuary.core.database import Database, Session
from promptuary.core.errors import PromptuaryError
from promptuary.core.settings import Settings
from promptuary.evaluation.scorers.catalog import find_scorer_type
from promptuary.evaluation.scorers.spec import INVERSE
from promptuary.review.queues import store as queue_store
from promptuary.review.queues.case_key import input_key
from promptuary.review.queues.service import NewItem, QueueService
from promptuary.review.queues.store import ItemChance
from promptuary.review.sources.run_items import PRIORITY, SLICE
from promptuary.traffic.calls.contents_codec import message_json
from promptuary.traffic.online import store
from promptuary.traffic.online.rule import RuleProgress
from promptuary.traffic.online.store import DueRule, OnlineScore, Place
from promptuary.traffic.replay.sampled_call import SampledCall
from promptuary.traffic.settings.store import require_project_traffic

BATCH = 200
COMMIT_TIME = timedelta(seconds=5)
"""Rows with an earlier time may still be committed for so long."""
SOURCE = "observation/"
"""What the source of an item that is a call begins with; the observation's id follows."""
log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class QueueFillings:
    """Fills queues by the rules of all projects.

    Attributes:
        database: contains them.
        clock: returns the present time.
        settings: of the service.
    """

    database: Database
    clock: Clock
    settings: Settings

    def step(self) -> bool:
        """Send a batch of calls to the queue of each rule; return whether more may be due."""
        with self.database.read() as session:
            due = [rule for rule in store.all_rules(session) if rule.rule.filling is not None and self._is_due(session, rule)]
        return any([self._fill(rule) for rule in due])

    def _is_due(self, session: Session, rule: DueRule) -> bool:
        return bool(_Look.of(session, rule, self.clock() - COMMIT_TIME).observations)

    def _fill(self, rule: DueRule) -> bool:
        bound = log.bind(rule=rule.rule.name)
        try:
            with self.database.write() as session:
                return self._fill_in(session, rule.id)
        except PromptuaryError as error:  # such as a queue that does not exist any more
            bound.warning("queue not filled", error=str(error))
            with self.database.write() as session:
                current = store.lock_rule(session, rule.id)
                if current is not None and current.progress.error != str(error):
                    store.set_progress(session, rule.id, replace(current.progress, error=str(error)[:1000]))
            return False

    def _fill_in(self, session: Session, rule_id: int) -> bool:
        rule = store.lock_rule(session, rule_id)
        if rule is None or rule.rule.filling is None:
            return False
        look = _Look.of(session, rule, self.clock() - COMMIT_TIME)
        calls = store.read_calls(session, rule, look.observations)
        scores = store.scores_of(session, look.observations) if rule.rule.filling.disagreements else {}
        low_value = require_project_traffic(session, rule.project, self.settings).settings.low_value
        chosen = [item for call in calls if (item := _item(rule, call, low_value, scores.get(call.id, ()))) is not None]
        if chosen:
            _add_items(UnitOfWork(session, _caller(session, rule), freeze_clock(self.clock), self.settings), rule, chosen)
        store.set_progress(session, rule.id, replace(look.progress(rule.progress), error=None))
        return look.is_full


@dataclass(frozen=True)
class _Look:
    """What a step looks at: calls whose wait is over, and those on which feedback or scores came."""

    settled: Sequence[Place]
    feedback: Sequence[Place]
    scores: Sequence[Place]

    @classmethod
    def of(cls, session: Session, rule: DueRule, now: datetime) -> "_Look":
        filling, progress = rule.rule.filling, rule.progress
        assert filling is not None
        before = store.settled_before(session, rule.project, rule.prompt_id, now)
        return cls(
            store.calls_after(session, rule, progress.filled, before, BATCH),
            store.feedback_after(session, rule, progress.feedback, now, BATCH) if filling.low_feedback else (),
            store.scores_after(session, rule, progress.scores, now, BATCH) if filling.disagreements else (),
        )

    @property
    def observations(self) -> list[str]:
        return list(dict.fromkeys(each for _, each in (*self.settled, *self.feedback, *self.scores)))

    @property
    def is_full(self) -> bool:
        return any(len(part) == BATCH for part in (self.settled, self.feedback, self.scores))

    def progress(self, progress: RuleProgress) -> RuleProgress:
        return replace(
            progress,
            filled=self.settled[-1][0] if self.settled else progress.filled,
            feedback=self.feedback[-1][0] if self.feedback else progress.feedback,
            scores=self.scores[-1][0] if self.scores else progress.scores,
        )


def _item(rule: DueRule, call: SampledCall, low_value: float, scores: Sequence[OnlineScore]) -> NewItem | None:
    """Return a call as an item; None where the rule does not choose it, or it has nothing to review."""
    filling, contents = rule.rule.filling, call.contents
    assert filling is not None
    if contents is None or contents.output is None:
        return None
    values = [entry.value for entry in call.feedback if entry.value is not None]
    is_low = filling.low_feedback and any(value < low_value for value in values)
    verdicts = [value >= low_value for value in values]
    is_certain = is_low or (filling.disagreements and _judges_disagree(rule, verdicts, scores))
    is_drawn = chance_number(rule, call.id) < filling.share
    if not is_certain and not is_drawn:
        return None
    messages = [message_json(message) for message in contents.input or ()]
    variables = None if contents.variables is None else dict(contents.variables)
    payload = {
        "input": variables if variables is not None else messages,
        "output": contents.output,
        "case": call.id,
        "prompt": rule.rule.prompt,
        "version": call.version,
        "model": call.details.response_model or call.details.model,
        "scores": {score.metric: score.score for score in scores},
        "messages": messages,
        "observation": call.id,
    }
    return NewItem(
        f"{SOURCE}{call.id}",
        payload,
        probability=call.probability if is_certain else call.probability * filling.share,
        selection=PRIORITY if is_certain else SLICE,
        slice_probability=call.probability * filling.share if is_drawn else None,
        case_key=None if variables is None else input_key(variables),
    )


def chance_number(rule: DueRule, observation: str) -> float:
    """Return the permanent random number of a call under a rule, uniform on [0, 1) and independent of the call's own."""
    digest = hashlib.sha256(f"{rule.project}\n{rule.rule.name}\n{observation}".encode()).digest()
    return int.from_bytes(digest[:7]) / 2**56


def _judges_disagree(rule: DueRule, verdicts: Sequence[bool], scores: Sequence[OnlineScore]) -> bool:
    """Return whether a judge's verdict is another than that of feedback or of a scorer; an error is no verdict."""
    judges = frozenset(judged_metrics(rule))
    judged = [score.passed for score in scores if score.metric in judges and score.passed is not None]
    others = [*verdicts, *(score.passed for score in scores if score.metric not in judges and score.passed is not None)]
    return any(own is not other for own in judged for other in others)


def judged_metrics(rule: DueRule) -> Iterator[str]:
    """Yield the metrics of a rule whose scorers ask a model."""
    for spec in rule.rule.scoring.scorers if rule.rule.scoring is not None else ():
        scorer_type = find_scorer_type(str(spec["type"]).removeprefix(INVERSE))
        if scorer_type is not None and scorer_type.judged:
            yield str(spec.get("name") or spec["type"])


def _add_items(unit: UnitOfWork, rule: DueRule, items: Sequence[NewItem]) -> None:
    """Add new items; one that is in the queue already by chance, and is certain by now, gets the larger probability."""
    assert rule.rule.filling is not None
    queues = QueueService(unit)
    queue = queues.find(rule.rule.filling.queue, lock=True)
    gold = queue_store.list_gold_keys(unit.session, rule.project)
    present = queue_store.list_chances(unit.session, queue, SOURCE)
    raised = [
        ItemChance(item.source, item.probability, present[item.source].slice_probability, item.selection)
        for item in items
        if item.source in present and item.probability > present[item.source].probability
    ]
    queue_store.change_chances(unit.session, queue, raised)
    queues.add_items(queue.name, [item for item in items if item.source not in present and item.case_key not in gold])


def _caller(session: Session, rule: DueRule) -> Caller:
    """Return the rule itself as the caller, with what filling a queue needs."""
    project = access_store.get_project(session, rule.project)
    assert project is not None
    return Caller(project.id, project.name, f"traffic-rule:{rule.rule.name}", Role.EDITOR)
