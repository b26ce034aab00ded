"""The results of a run, or pairs of them, that could become items: the population of a random slice."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass

from promptuary.evaluation.judges.identity import judged_metrics
from promptuary.evaluation.plan import Plan
from promptuary.evaluation.runs.result_store import ResultOutcome
from promptuary.evaluation.score_detail import ScoreDetail
from promptuary.evaluation.scorers.catalog import find_scorer_type
from promptuary.evaluation.scorers.spec import INVERSE, ScorerSpec
from promptuary.evaluation.suites.suite import Suite
from promptuary.review.sources.selection import ResultSelection, RunSelection

_MEASUREMENTS = ("latency", "cost")
"""Types of scorers whose verdict is about the call and not about the output, so that a judge cannot disagree with it."""


@dataclass(frozen=True)
class Candidate:
    """A result, or a pair of results, that could become an item.

    Attributes:
        source: identifies it in every queue.
        ordinals: the positions in the plan: one, or two of a pair.
        case: the id of its case.
        variant: of the result; None for a pair.
        is_selected: whether it is selected by priority.
    """

    source: str
    ordinals: tuple[int, ...]
    case: str
    variant: str | None
    is_selected: bool


def list_candidates(selection: RunSelection, plan: Plan, outcomes: Iterable[ResultOutcome]) -> list[Candidate]:
    """Return the candidates in the file's order.

    Args:
        selection: what is taken from the run.
        plan: of the run.
        outcomes: of all results with an output, in the file's order.
    """
    cases = None if selection.cases is None else frozenset(selection.cases)
    considered = [outcome for outcome in outcomes if cases is None or outcome.case in cases]
    selected = _selected_ordinals(selection.only, plan, considered)
    if selection.pairs is not None:
        return list(_pairs(selection.run, selection.pairs, considered, selected))
    return [
        Candidate(
            f"{selection.run}/{outcome.ordinal}", (outcome.ordinal,), outcome.case, outcome.variant, outcome.ordinal in selected
        )
        for outcome in considered
        if selection.variant in (None, outcome.variant)
    ]


def _pairs(
    run: str, variants: tuple[str, str], outcomes: Sequence[ResultOutcome], selected: Collection[int]
) -> Iterator[Candidate]:
    """Yield the pairs of the two variants' outputs of one case and repeat."""
    both: dict[tuple[str, int], dict[str, int]] = {}
    for outcome in outcomes:
        if outcome.variant in variants:
            both.setdefault((outcome.case, outcome.repeat), {})[outcome.variant] = outcome.ordinal
    for (case, _), ordinals in both.items():
        if len(ordinals) == 2:
            pair = tuple(ordinals[variant] for variant in variants)
            is_selected = any(ordinal in selected for ordinal in pair)
            yield Candidate(f"{run}/{min(pair)}:{max(pair)}", pair, case, None, is_selected)


def _selected_ordinals(only: ResultSelection | None, plan: Plan, outcomes: Sequence[ResultOutcome]) -> Collection[int]:
    if only is None:
        return frozenset()
    if only is ResultSelection.ALL:
        return {outcome.ordinal for outcome in outcomes}
    if only is ResultSelection.FAILED:
        return {outcome.ordinal for outcome in outcomes if outcome.passed is False}
    if only is ResultSelection.DISAGREE:
        passed: dict[tuple[str, int], set[bool | None]] = {}
        for outcome in outcomes:
            passed.setdefault((outcome.case, outcome.repeat), set()).add(outcome.passed)
        return {outcome.ordinal for outcome in outcomes if passed[outcome.case, outcome.repeat] >= {True, False}}
    judges = _JudgeNames.of(plan)
    return {outcome.ordinal for outcome in outcomes if judges.disagree(outcome)}


@dataclass(frozen=True)
class _JudgeNames:
    """The labels under which judges, and measurements of the call, score in a run."""

    judges: frozenset[str]
    measurements: frozenset[str]

    @classmethod
    def of(cls, plan: Plan) -> "_JudgeNames":
        scorers = Suite.model_validate(plan.suite).scorers
        judges = frozenset(judged_metrics(scorers))
        measurements = frozenset(spec.metric for spec in _leaves(scorers) if spec.type_name in _MEASUREMENTS)
        return cls(judges, measurements)

    def disagree(self, outcome: ResultOutcome) -> bool:
        """Return whether a judge and another scorer came to different verdicts; a scorer's error is no verdict."""
        verdicts: dict[bool, set[bool]] = {True: set(), False: set()}
        for name, passed in _verdicts((outcome.scores or {}).items()):
            if not self._is_measurement(name):
                verdicts[self._is_judge(name)].add(passed)
        return any(judged is not scored for judged in verdicts[True] for scored in verdicts[False])

    def _is_judge(self, name: str) -> bool:
        scorer_type = find_scorer_type(_type_name(name))  # a case's own scorer is named after its type
        return name in self.judges or (scorer_type is not None and scorer_type.judged)

    def _is_measurement(self, name: str) -> bool:
        return name in self.measurements or _type_name(name) in _MEASUREMENTS


def _verdicts(scores: Iterable[tuple[str, ScoreDetail]]) -> Iterator[tuple[str, bool]]:
    """Yield the verdict of each scorer by its name, those inside sets too."""
    for name, score in scores:
        parts = score.get("parts")
        if parts:
            yield from _verdicts((part.get("name", name), part) for part in parts)
        elif score["passed"] is not None:
            yield name, score["passed"]


def _type_name(label: str) -> str:
    """Return the type in a label that names one: without the number that separates two of one type, and without `not-`."""
    name, _, number = label.rpartition(" ")
    return (name if name and number.isdecimal() else label).removeprefix(INVERSE)


def _leaves(specs: Iterable[ScorerSpec]) -> Iterator[ScorerSpec]:
    for spec in specs:
        if spec.asserts:
            yield from _leaves(spec.asserts)
        else:
            yield spec
