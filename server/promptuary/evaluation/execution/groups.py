"""Scorers that compare the outputs of several variants: the results of a group are compared together and leave together.

A group is a case in one repeat, under every variant of the plan. Its results leave in one batch, and a batch is written in one
transaction. So the database has a group whole or not at all, and an interrupted run does a missing group again. Only the groups
in flight are in memory.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterable, Iterator, Mapping
from contextlib import aclosing
from dataclasses import dataclass, field, replace

from promptuary.evaluation.case import Case
from promptuary.evaluation.execution.work import WorkItem
from promptuary.evaluation.json_object import JsonObject
from promptuary.evaluation.plan import CaseResult, Plan, ResultDetail
from promptuary.evaluation.scorers.aggregate import Outcome, add_score, score_json
from promptuary.evaluation.scorers.catalog import find_scorer_type
from promptuary.evaluation.scorers.dependencies import ScorerDependencies
from promptuary.evaluation.scorers.factory import build_scorer
from promptuary.evaluation.scorers.judge.select_best import SelectBest
from promptuary.evaluation.scorers.score import Score, WeightedScore, error_text, noted_methods, with_methods
from promptuary.evaluation.scorers.spec import INVERSE, ScorerSpec
from promptuary.evaluation.suites.suite import Suite
from promptuary.evaluation.targets.target import Target
from promptuary.models.calls import CostLimitReached, sensitive_calls, time_limit

POLL_SECONDS = 0.5
GroupKey = tuple[str, int]
"""The id of the case and the number of the repeat."""
RunItems = Callable[[Iterable[WorkItem]], AsyncGenerator[list[CaseResult], None]]
Comparison = asyncio.Task[list[CaseResult]]


@dataclass(frozen=True)
class _GroupScorer:
    """A scorer that compares, and the metric that it adds to; no metric for an unnamed scorer of a case."""

    scorer: SelectBest
    metric: str | None


@dataclass
class _Group:
    """A group in flight: its case and repeat, the scorers that compare, and the results so far."""

    case: Case
    repeat: int
    scorers: tuple[_GroupScorer, ...]
    results: list[CaseResult] = field(default_factory=list)


@dataclass
class GroupedRunner:
    """Runs items by another runner, and compares the results of each group.

    Attributes:
        suite: its scorers that compare, and all weights.
        plan: its variants make up a group.
        dependencies: of the scorers.
        target: knows which cases are sensitive.
        timeout: seconds for each pair of outputs that a scorer compares.
    """

    suite: Suite
    plan: Plan
    dependencies: ScorerDependencies
    target: Target
    timeout: float
    _in_flight: dict[GroupKey, _Group] = field(default_factory=dict, init=False)
    _suite_scorers: tuple[_GroupScorer, ...] = field(init=False)

    def __post_init__(self) -> None:
        scorers = [self._build(spec) for spec in self.suite.scorers if _compares_variants(spec.type_name)]
        self._suite_scorers = tuple(_GroupScorer(scorer, scorer.name) for scorer in scorers)

    async def run(self, run_items: RunItems, items: Iterable[WorkItem]) -> AsyncGenerator[list[CaseResult], None]:
        """Run the items, and yield their results in batches as `run_items` does, each group compared and together.

        Results of cases without a comparison pass through. A batch comes as often as `run_items` yields one, an empty one if
        there is nothing; at most as many groups are compared at once as items are in flight. A group that stays incomplete is
        not yielded. Closing the iterator cancels what is in flight.
        """
        comparisons: set[Comparison] = set()
        try:
            async with aclosing(run_items(self._register(items))) as batches:
                async for batch in batches:
                    passed, complete = self._sort(batch)
                    comparisons |= {asyncio.create_task(self._compare(group)) for group in complete}
                    yield passed + await _collect(comparisons, wait=False)
                    while len(comparisons) >= self.plan.concurrency:
                        yield await _collect(comparisons, wait=True)
            while comparisons:
                yield await _collect(comparisons, wait=True)
        finally:
            for comparison in comparisons:
                comparison.cancel()
            await asyncio.gather(*comparisons, return_exceptions=True)

    def _register(self, items: Iterable[WorkItem]) -> Iterator[WorkItem]:
        """Yield the items, and open a group for those whose case has a comparison."""
        for item in items:
            key = (item.case.id, item.repeat)
            if key not in self._in_flight and (scorers := self._scorers_of(item.case)):
                self._in_flight[key] = _Group(item.case, item.repeat, scorers)
            yield item

    def _sort(self, batch: list[CaseResult]) -> tuple[list[CaseResult], list[_Group]]:
        """Put results into their groups; return the results without a group, and the groups that are complete now."""
        passed, complete = [], []
        for result in batch:
            group = self._in_flight.get((result.case, result.repeat))
            if group is None:
                passed.append(result)
                continue
            group.results.append(result)
            if len(group.results) == len(self.plan.variants):
                complete.append(self._in_flight.pop((result.case, result.repeat)))
        return passed, complete

    async def _compare(self, group: _Group) -> list[CaseResult]:
        """Compare the outputs of a group by each scorer, and return the results with the scores in them."""
        results = sorted(group.results, key=lambda result: result.ordinal)
        outputs = {result.variant: result.output for result in results if result.output is not None}
        with sensitive_calls(self._is_sensitive(group.case)):
            comparisons = (self._scores(group_scorer.scorer, group, outputs) for group_scorer in group.scorers)
            scores_by_scorer = await asyncio.gather(*comparisons)
        weight = self._weight_of_others(group.case)
        for group_scorer, scores in zip(group.scorers, scores_by_scorer, strict=True):
            share = group_scorer.scorer.share
            for position, result in enumerate(results):
                if result.variant in scores:
                    added = WeightedScore(scores[result.variant], share, group_scorer.metric)
                    results[position] = self._with_score(result, group, added, weight)
            weight += share
        return results

    async def _scores(self, scorer: SelectBest, group: _Group, outputs: Mapping[str, str]) -> Mapping[str, Score]:
        """Return a scorer's scores by variant; an error is the score of every variant."""
        pairs = len(outputs) * (len(outputs) - 1) // 2
        seconds = self.timeout * max(1, pairs)
        try:
            async with time_limit(seconds):
                with noted_methods() as methods:
                    scores = await scorer.compare(group.case, group.repeat, outputs)
                return {variant: with_methods(score, methods) for variant, score in scores.items()}
        except TimeoutError:
            text = f"no comparison within {seconds:g} seconds"
        except Exception as error:
            text = error_text(error, sensitive=self._is_sensitive(group.case))
        return {variant: Score.from_error(scorer.name, text) for variant in outputs}

    def _with_score(self, result: CaseResult, group: _Group, added: WeightedScore, weight: float) -> CaseResult:
        """Return a result with one more score in it, as if its scorer had scored with the others.

        Args:
            result: without the score.
            group: of the result.
            added: the score, with its share and its metric.
            weight: of all scores in the result so far.
        """
        scores = {**result.detail.get("scores", {}), added.score.name: score_json(added)}
        metrics = {**result.metrics} if added.metric is None else {**result.metrics, added.metric: added.score.score}
        threshold = self.suite.threshold if group.case.threshold is None else group.case.threshold
        outcome = add_score(Outcome(result.passed, result.score), weight, added, threshold)
        detail: ResultDetail = {**result.detail, "scores": scores}
        return replace(result, passed=outcome.passed, score=outcome.score, metrics=metrics, detail=detail)

    def _scorers_of(self, case: Case) -> tuple[_GroupScorer, ...]:
        """Return the scorers that compare a case: those of the suite, and its own."""
        if not case.asserts:
            return self._suite_scorers
        specs = [ScorerSpec.of_case(body) for body in case.asserts if _assert_compares_variants(body)]
        return self._suite_scorers + tuple(_GroupScorer(self._build(spec), spec.name) for spec in specs)

    def _weight_of_others(self, case: Case) -> float:
        """Return the weight of all scorers of a case that score one output alone."""
        weight = sum(spec.weight for spec in self.suite.scorers if not _compares_variants(spec.type_name))
        own = [body for body in case.asserts if not _assert_compares_variants(body)]
        turns = sum(any(body.get("weight", 1.0) > 0 for body in turn.asserts) for turn in case.turns)
        return weight + sum(float(body.get("weight", 1.0)) for body in own) + turns

    def _is_sensitive(self, case: Case) -> bool:
        return any(self.target.is_sensitive(case, variant.name) for variant in self.plan.variants)

    def _build(self, spec: ScorerSpec) -> SelectBest:
        scorer = build_scorer(spec, self.dependencies)
        assert isinstance(scorer, SelectBest)
        return scorer


def _compares_variants(type_name: str) -> bool:
    """Return whether a scorer of this type compares variants."""
    scorer_type = find_scorer_type(type_name)
    return scorer_type is not None and scorer_type.compares_variants


def _assert_compares_variants(body: JsonObject) -> bool:
    """Return whether a case's own scorer, as its file states it, compares variants."""
    return _compares_variants(str(body.get("type", "")).removeprefix(INVERSE))


async def _collect(comparisons: set[Comparison], *, wait: bool) -> list[CaseResult]:
    """Remove the comparisons that are done, and return their results.

    A group that the cost limit has stopped is left out: it is done again when the run is resumed with a higher limit.

    Args:
        comparisons: in flight; those that are done are removed.
        wait: whether to wait for one, but not longer than the caller may be away.
    """
    if not comparisons:
        return []
    done, _ = await asyncio.wait(comparisons, timeout=POLL_SECONDS if wait else 0, return_when=asyncio.FIRST_COMPLETED)
    comparisons -= done
    return [result for task in done if not isinstance(task.exception(), CostLimitReached) for result in task.result()]
