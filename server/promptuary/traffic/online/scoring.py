"""A step of the worker that runs online scorers on settled calls of the sample, within a cost limit a day."""

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import structlog

from promptuary.core.clock import Clock
from promptuary.core.database import Database
from promptuary.core.errors import PromptuaryError
from promptuary.core.settings import Settings
from promptuary.evaluation.case import Case
from promptuary.evaluation.execution.components import RunComponents
from promptuary.evaluation.execution.event_loop import run_execution
from promptuary.evaluation.scorers.factory import build_scorer
from promptuary.evaluation.scorers.score import Score, Scorer, ScorerInput, run_scorer
from promptuary.evaluation.scorers.spec import ScorerSpec
from promptuary.evaluation.targets.prompt_target import PromptRenderer
from promptuary.models.calls import ChatModelSource, CostLimitReached, ModelClient, time_limit
from promptuary.models.calls.budget import CostBudget, Settlement
from promptuary.models.calls.pricing import PriceTable
from promptuary.traffic.calls.contents_codec import message_json
from promptuary.traffic.online import store
from promptuary.traffic.online.queue_filling import COMMIT_TIME
from promptuary.traffic.online.rule import OnlineScoring, RuleProgress
from promptuary.traffic.online.store import DueRule, OnlineScore, Place
from promptuary.traffic.replay.sampled_call import SampledCall

BATCH = 20
LEASE = timedelta(minutes=30)
"""For how long a worker that was killed keeps others from the calls of a rule."""
PAUSE = timedelta(minutes=10)
"""How long a rule is left alone whose calls could not be scored: by an error of its own, or the day's cost limit."""
PATIENCE = timedelta(days=1)
"""How long a call waits for the next day's cost limit before it is left out."""
log = structlog.get_logger(__name__)


@dataclass
class DayBudgetStore:
    """What is left of a day's cost limit, in one process; implements `BudgetStore`."""

    left: float
    shared: bool = False

    async def reserve(self, amount: float) -> bool:
        """Reserve an amount; return False if it does not fit into what is left."""
        if amount > self.left:
            return False
        self.left -= amount
        return True

    async def wait_for_others(self, settlement: Settlement) -> bool:
        """Return False: nobody else spends from it."""
        return False


@dataclass(frozen=True)
class OnlineScorings:
    """Scores the sampled calls of all rules.

    Attributes:
        database: contains them.
        clock: returns the present time.
        settings: timeouts, and what scorers may do.
        renderer: renders prompts; scorers need none, so it is never used here.
        models: the source of judges.
        embed: converts texts to rows of unit length.
    """

    database: Database
    clock: Clock
    settings: Settings
    renderer: PromptRenderer
    models: ChatModelSource
    embed: Callable[[Sequence[str]], Any]

    def step(self) -> bool:
        """Score a batch of calls for each rule; return whether more may be due."""
        with self.database.read() as session:
            rules = [rule for rule in store.all_rules(session) if rule.rule.scoring is not None]
        return any([self._score_rule(rule) for rule in rules])

    def _score_rule(self, rule: DueRule) -> bool:
        now = self.clock()
        with self.database.read() as session:
            before = store.settled_before(session, rule.project, rule.prompt_id, now - COMMIT_TIME)
            places = store.calls_after(session, rule, rule.progress.scored, before, BATCH)
            calls = {call.id: call for call in store.read_calls(session, rule, [observation for _, observation in places])}
        scoring = rule.rule.scoring
        leased = self._lease(rule, now) if places else None
        if scoring is None or leased is None:
            return False
        progress = _of_day(leased, now)
        error, done, scores = None, list[Place](), list[OnlineScore]()
        try:
            scoring_run = _ScoringRun(self, scoring, progress)
            run_execution(scoring_run.run(places, calls))
            done, scores, progress = scoring_run.done, scoring_run.scores, scoring_run.progress
        except PromptuaryError as problem:  # such as code that is not allowed here
            error = str(problem)[:1000]
            log.warning("calls not scored", rule=rule.rule.name, error=error)
        waiting = places[len(done) :]
        if waiting and error is None:
            late = [place for place in waiting if place[0].at < now - PATIENCE]
            done += late
            progress = replace(progress, left_out=progress.left_out + len(late))
        self._write(rule, progress, done, scores, error)
        return len(done) == BATCH

    def _lease(self, rule: DueRule, now: datetime) -> RuleProgress | None:
        """Keep other workers from the calls that this one is about to score; None where one of them has them."""
        with self.database.write() as session:
            current = store.lock_rule(session, rule.id)
            if current is None or current.progress.scored != rule.progress.scored:
                return None
            until = current.progress.leased_until
            if until and datetime.fromisoformat(until) > now:
                return None
            leased = replace(current.progress, leased_until=(now + LEASE).isoformat())
            store.set_progress(session, rule.id, leased)
            return leased

    def _write(
        self, rule: DueRule, progress: RuleProgress, done: Sequence[Place], scores: Sequence[OnlineScore], error: str | None
    ) -> None:
        with self.database.write() as session:
            current = store.lock_rule(session, rule.id)
            if current is None:
                return
            store.add_scores(session, scores)
            scored = done[-1][0] if done else current.progress.scored
            changed = replace(
                current.progress,
                scored=scored,
                error=error,
                day=progress.day,
                spent=progress.spent,
                left_out=progress.left_out,
                leased_until="" if done else (self.clock() + PAUSE).isoformat(),
            )
            store.set_progress(session, rule.id, changed)


@dataclass
class _ScoringRun:
    """Scores calls of one rule, one after another, so that the cost of each score is known."""

    service: OnlineScorings
    scoring: OnlineScoring
    progress: RuleProgress

    def __post_init__(self) -> None:
        self.done: list[Place] = []
        self.scores: list[OnlineScore] = []

    async def run(self, places: Sequence[Place], calls: dict[str, SampledCall]) -> None:
        """Score the calls at the places until the day's cost limit is reached."""
        limit, settings = self.scoring.max_cost, self.service.settings
        spent = self.progress.spent
        budget = CostBudget(limit, spent, None if limit is None else DayBudgetStore(limit - spent))
        client = ModelClient(self.service.models, prices=PriceTable(), process_limits=settings.rate_limits, budget=budget)
        with ExitStack() as closing:
            try:
                service = self.service
                components = RunComponents(service.database, service.clock, settings, service.renderer, service.embed)
                dependencies = components.scorer_dependencies(client, closing)
                specs = [ScorerSpec.model_validate(dict(body)) for body in self.scoring.scorers]
                scorers = [build_scorer(spec, dependencies) for spec in specs]
                for place in places:
                    call = calls.get(place[1])
                    if call is not None and call.contents is not None and call.contents.output is not None:
                        self.scores += [await self._scored(scorer, call, budget) for scorer in scorers]
                    self.done.append(place)
            except CostLimitReached:
                log.info("online scores wait for the next day's cost limit", limit=limit)
            finally:
                await client.close()
                self.progress = replace(self.progress, spent=budget.spent)
        finished = {observation for _, observation in self.done}
        self.scores = [score for score in self.scores if score.observation in finished]

    async def _scored(self, scorer: Scorer, call: SampledCall, budget: CostBudget) -> OnlineScore:
        before, timeout = budget.spent, self.service.settings.case_timeout
        try:
            async with time_limit(timeout):
                score = await run_scorer(scorer, scorer_input(call))
        except TimeoutError:
            score = Score.from_error(scorer.name, f"no score within {timeout:g} seconds")
        cost = budget.spent - before
        at = self.service.clock()
        return OnlineScore(call.id, scorer.name, score.score, score.passed, score.error, cost or None, at)


def scorer_input(call: SampledCall) -> ScorerInput:
    """Return what scorers get of a call."""
    contents, details = call.contents, call.details
    assert contents is not None
    tokens = {"input": details.tokens.input, "output": details.tokens.output}
    known = {name: count for name, count in tokens.items() if count is not None}
    return ScorerInput(
        case=Case(call.id, dict(contents.variables or {}), cluster=call.cluster),
        output=contents.output or "",
        messages=tuple(message_json(message) for message in contents.input or ()),
        latency_ms=details.latency_ms,
        tool_calls=tuple({"name": each.name, "args": each.arguments, "id": each.id} for each in contents.tool_calls),
        finish_reason=details.finish,
        tokens=known if len(known) == len(tokens) else None,
        cost=details.cost,
        model=details.response_model or details.model or "",
        sensitive=True,
    )


def _of_day(progress: RuleProgress, now: datetime) -> RuleProgress:
    """Return the progress on the present day in UTC, on which nothing is spent at first."""
    day = now.astimezone(UTC).date().isoformat()
    return progress if progress.day == day else replace(progress, day=day, spent=0.0)
