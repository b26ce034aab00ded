"""Results of a judged metric with labels of people, and the summary of a run over them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

from promptuary.evaluation.judge_figures import JudgeFigures, LicenceState
from promptuary.evaluation.judges.draw import DrawnResult
from promptuary.evaluation.judges.labels import LabelDraw, MetricLabels
from promptuary.evaluation.plan import CaseResult, Plan
from promptuary.evaluation.suites.suite import Suite
from promptuary.evaluation.summary_model import Summary
from promptuary.evaluation.summary_part import IntervalFigures
from promptuary.evaluation.verdict.summary import SummaryContext, summarise

RUBRIC = {"type": "llm-rubric", "value": "is polite", "model": "echo:", "name": "rubric"}


@dataclass(frozen=True)
class JudgedOutputs:
    """The judge's scores of a variant's outputs, and what people decide: from 0 to 1, or None for an output without a label."""

    scores: Sequence[float]
    labels: Sequence[float | None]
    drawn: Sequence[bool] | None = None
    chance: float = 0.5
    chances: Sequence[float] = field(default_factory=tuple)

    def results(self, variant: str) -> dict[tuple[str, str, int], DrawnResult]:
        """Return what was drawn: the outputs with a label, and those that wait for one."""
        drawn = self.drawn or [label is not None for label in self.labels]
        chances = self.chances or [self.chance] * len(self.labels)
        return {
            (variant, f"c{place}", 0): DrawnResult(chances[place], label, label is None, chances[place] < 1)
            for place, label in enumerate(self.labels)
            if drawn[place]
        }


def judge_figures(state: LicenceState = LicenceState.VALID, **changes: Any) -> JudgeFigures:
    """Make the figures of the judge of `rubric`."""
    fields: dict[str, Any] = {"metric": "rubric", "digest": "sha256:j", "model": "echo:", "state": state, "labels": 60}
    return JudgeFigures(**fields | changes)


def share(estimate: float, low: float, high: float, n: int = 40) -> IntervalFigures:
    """Make a share with its interval."""
    return IntervalFigures(estimate=estimate, low=low, high=high, level=0.95, method="wilson-weighted", n=n, clusters=n)


def judged_outputs(seed: int, cases: int = 300, rate: float = 0.9, **judge: float) -> JudgedOutputs:
    """Simulate a judge of 0/1 outputs that passes `sensitivity` of the good ones, and labels of a third of them."""
    rng = np.random.default_rng(seed)
    truth = rng.random(cases) < rate
    passes = np.where(truth, judge.get("sensitivity", 0.95), 1 - judge.get("specificity", 0.9))
    scores = (rng.random(cases) < passes).astype(float)
    labelled = rng.random(cases) < judge.get("share", 0.35)
    labels = [float(good) if known else None for good, known in zip(truth, labelled, strict=True)]
    return JudgedOutputs(scores.tolist(), labels, chance=judge.get("share", 0.35))


@pytest.fixture
def summarise_judged(
    plan_of: Callable[..., Plan], suite_of: Callable[..., Suite], result_of: Callable[..., CaseResult]
) -> Callable[..., Summary]:
    """Summarise a judged metric, `rubric`, of variants given by name, under a gate."""

    def summarise_outputs(gate: list[dict[str, Any]], judge: JudgeFigures | None = None, **variants: JudgedOutputs) -> Summary:
        number = len(next(iter(variants.values())).scores)
        plan = plan_of(number, baseline="production" if "v1" in variants else None)
        results = [
            result_of(f"c{place}", score, name, metrics={"rubric": score})
            for name, outputs in variants.items()
            for place, score in enumerate(outputs.scores)
        ]
        drawn = {key: result for name, outputs in variants.items() for key, result in outputs.results(name).items()}
        labels: Mapping[str, MetricLabels] = {}
        if judge is not None:
            labels = {"rubric": MetricLabels(judge, [LabelDraw("slice", drawn)])}
        suite = suite_of(scorers=[RUBRIC], gate=gate)
        return summarise(plan, suite, {}, results, ["rubric"], SummaryContext(labels=labels))

    return summarise_outputs
