"""Labels of people on outputs that a judge scored, as evaluations read them; reviews implement the protocol."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from promptuary.core.database import Session
from promptuary.evaluation.judge_figures import JudgeFigures, LicenceState
from promptuary.evaluation.judges.draw import DrawnResult
from promptuary.evaluation.judges.identity import MetricJudge
from promptuary.evaluation.plan import Plan

ResultKey = tuple[str, str, int]
"""The variant's name, the case's id and the repeat's number."""


@dataclass(frozen=True)
class LabelDraw:
    """The results of a run that one queue drew for labelling, together with those of equal outputs of earlier runs.

    Attributes:
        queue: its name.
        results: by variant, case and repeat.
    """

    queue: str
    results: Mapping[ResultKey, DrawnResult]


@dataclass(frozen=True)
class MetricLabels:
    """What labels of people show of a judge and of a run's results.

    Attributes:
        judge: compared with people.
        draws: each of one queue; the labels of different queues are not mixed, since each drew by chances of its own.
    """

    judge: JudgeFigures
    draws: Sequence[LabelDraw] = ()


class HumanLabels(Protocol):
    """Reads what people decided on a run's results; given to the executor where the process is assembled."""

    def read(self, session: Session, project: int, run: str, plan: Plan) -> Mapping[str, MetricLabels]:
        """Return the labels by metric, one entry for each metric that a model judges.

        Args:
            session: for reading only.
            project: the project's number.
            run: the run's id; its results are written.
            plan: of the run.
        """


def unlabelled(judge: MetricJudge, minimum: int) -> MetricLabels:
    """Return what is known of a judge without any label."""
    figures = JudgeFigures(
        metric=judge.metric, digest=judge.digest, model=judge.model, state=LicenceState.TOO_FEW_LABELS, missing=minimum
    )
    return MetricLabels(figures)
