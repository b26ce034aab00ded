"""Scorers that compare what several variants gave to one case: results are held until all are there, and leave together.

A group is a case in one repeat, under every variant of the plan. Its results are given in one batch, and a batch is written in
one transaction: a run that breaks off has a group whole or not at all, and does it again. Only groups under way are held.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterable, Iterator, Mapping
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from typing import Any

from promptuary.evaluation.case import Case
from promptuary.evaluation.plan import CaseResult, Plan, WorkItem
from promptuary.evaluation.scorers.aggregate import Outcome, add_score, score_json
from promptuary.evaluation.scorers.catalog import find_scorer_type
from promptuary.evaluation.scorers.dependencies import ScorerDependencies
from promptuary.evaluation.scorers.factory import build_scorer
from promptuary.evaluation.scorers.judge.select_best import SelectBest
from promptuary.evaluation.scorers.score import Score, WeightedScore, error_text
from promptuary.evaluation.scorers.spec import INVERSE, ScorerSpec
from promptuary.evaluation.suites.suite import Suite
from promptuary.models.calls import CostLimitReached, sensitive_calls, time_limit
from promptuary.prompt.templates.prepared import PreparedPrompt

POLL_SECONDS = 0.5
GroupKey = tuple[str, int]
RunItems = Callable[[Iterable[WorkItem]], AsyncGenerator[list[CaseResult], None]]


def compares_variants(spec: ScorerSpec) -> bool:
    """Tell whether a scorer compares variants."""
    kind = find_scorer_type(spec.type_name)
    return kind is not None and kind.compares_variants


@dataclass(frozen=True)
class _GroupScorer:
    """A scorer that compares, and the metric that it adds to: none for a case's own that was given no name."""

    scorer: SelectBest
    metric: str | None


@dataclass
class _Group:
    """A group under way: its case, the scorers that compare, and the results that are there."""

    case: Case
    asked: tuple[_GroupScorer, ...]
    repeat: int
    results: list[CaseResult] = field(default_factory=list)


@dataclass
class GroupedRunner:
    """The groups of a run.

    Attributes:
        suite: its scorers that compare, and all weights.
        plan: its variants make up a group.
        parts: what the scorers need.
        prepared: the variants' content, whose sensitive variables keep words of errors out.
        timeout: seconds for each pair of a group that is compared.
    """

    suite: Suite
    plan: Plan
    parts: ScorerDependencies
    prepared: Mapping[str, PreparedPrompt]
    timeout: float
    _under_way: dict[GroupKey, _Group] = field(default_factory=dict, init=False)

    def __post_init__(self) -> None:
        scorers = [self._build(spec) for spec in self.suite.scorers if compares_variants(spec)]
        self._of_suite = tuple(_GroupScorer(scorer, scorer.name) for scorer in scorers)

    def _build(self, spec: ScorerSpec) -> SelectBest:
        scorer = build_scorer(spec, self.parts)
        assert isinstance(scorer, SelectBest)
        return scorer

    async def judged(self, run: RunItems, items: Iterable[WorkItem]) -> AsyncGenerator[list[CaseResult], None]:
        """Do the items by `run`, and give the results in batches as it does, with those of a group compared and together.

        Results of cases that nothing compares pass through. A batch comes as often as `run` gives one, empty where nothing
        is done; no more groups are compared at once than cases are done at once. Members of a group whose others never came
        are not given. Closing the iterator stops what is under way.
        """
        comparing: set[asyncio.Task[list[CaseResult]]] = set()
        try:
            async with aclosing(run(self._seen(items))) as batches:
                async for batch in batches:
                    given = []
                    for result in batch:
                        group = self._joined(result)
                        if group is None:
                            given.append(result)
                        elif len(group.results) == len(self.plan.variants):
                            del self._under_way[result.case, result.repeat]
                            comparing.add(asyncio.create_task(self._compared(group)))
                    yield given + await _finished(comparing, wait=False)
                    while len(comparing) >= self.plan.concurrency:
                        yield await _finished(comparing, wait=True)
            while comparing:
                yield await _finished(comparing, wait=True)
        finally:
            for task in comparing:
                task.cancel()
            await asyncio.gather(*comparing, return_exceptions=True)

    def _seen(self, items: Iterable[WorkItem]) -> Iterator[WorkItem]:
        """Pass items on, and keep the case of those that belong to a group."""
        for item in items:
            key = (item.case.id, item.repeat)
            if key not in self._under_way and (asked := self._asked(item.case)):
                self._under_way[key] = _Group(item.case, asked, item.repeat)
            yield item

    def _asked(self, case: Case) -> tuple[_GroupScorer, ...]:
        if not case.asserts:
            return self._of_suite
        own = [ScorerSpec.of_case(raw) for raw in case.asserts if _compares(raw)]
        return self._of_suite + tuple(_GroupScorer(self._build(spec), spec.name) for spec in own)

    def _joined(self, result: CaseResult) -> _Group | None:
        group = self._under_way.get((result.case, result.repeat))
        if group is not None:
            group.results.append(result)
        return group

    async def _compared(self, group: _Group) -> list[CaseResult]:
        """Ask each scorer about the outputs that there are, and put its answers into the results."""
        results = sorted(group.results, key=lambda result: result.ordinal)
        outputs = {one.variant: one.output for one in results if one.output is not None}
        with sensitive_calls(self._discreet(group.case)):
            answers = await asyncio.gather(*(self._answers(asked.scorer, group, outputs) for asked in group.asked))
        weight = self._weight(group.case)
        for asked, scores in zip(group.asked, answers, strict=True):
            results = [
                self._amended(one, group.case, asked, scores[one.variant], weight) if one.variant in scores else one
                for one in results
            ]
            weight += asked.scorer.share
        return results

    async def _answers(self, scorer: SelectBest, group: _Group, outputs: Mapping[str, str]) -> Mapping[str, Score]:
        seconds = self.timeout * max(1, len(outputs) * (len(outputs) - 1) // 2)
        try:
            async with time_limit(seconds):
                return await scorer.compare(group.case, group.repeat, outputs)
        except TimeoutError:
            words = f"no comparison within {seconds:g} seconds"
        except Exception as error:
            words = error_text(error, sensitive=self._discreet(group.case))
        return {name: Score.from_error(scorer.name, words) for name in outputs}

    def _discreet(self, case: Case) -> bool:
        known = [prepared.variables for prepared in self.prepared.values()]
        return any(variables[name].sensitive for variables in known for name in case.vars if name in variables)

    def _amended(self, result: CaseResult, case: Case, asked: _GroupScorer, score: Score, weight: float) -> CaseResult:
        """Give the result with one more answer in it, as if the scorer had answered with the others.

        Args:
            result: without it.
            case: of the result.
            asked: the scorer.
            score: its answer.
            weight: of all that went into the result so far.
        """
        added = WeightedScore(score, asked.scorer.share, asked.metric)
        detail = {**result.detail, "scores": {**result.detail.get("scores", {}), score.name: score_json(added)}}
        metrics = dict(result.metrics) if asked.metric is None else {**result.metrics, asked.metric: score.score}
        result = replace(result, metrics=metrics, detail=detail)
        threshold = self.suite.threshold if case.threshold is None else case.threshold
        outcome = add_score(Outcome(result.passed, result.score), weight, added, threshold)
        return replace(result, passed=outcome.passed, score=outcome.score)

    def _weight(self, case: Case) -> float:
        """Add up the weights of all scorers of a case that look at one output."""
        suite = sum(spec.weight for spec in self.suite.scorers if not compares_variants(spec))
        return suite + sum(float(raw.get("weight", 1.0)) for raw in case.asserts if not _compares(raw))


def _compares(raw: Mapping[str, Any]) -> bool:
    kind = find_scorer_type(str(raw.get("type", "")).removeprefix(INVERSE))
    return kind is not None and kind.compares_variants


async def _finished(comparing: set[asyncio.Task[list[CaseResult]]], *, wait: bool) -> list[CaseResult]:
    """Take out the groups that are done; with `wait` there is time for one to be, but not longer than a caller can be away.

    A group that the run's ceiling has stopped is not given: with a higher one it is done again.
    """
    if not comparing:
        return []
    timeout = POLL_SECONDS if wait else 0
    done, _ = await asyncio.wait(comparing, timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
    comparing -= done
    return [result for task in done if not isinstance(task.exception(), CostLimitReached) for result in task.result()]
