"""Whether a judge meets what a gate demands of it: a valid calibration, and floors for its agreement with people. Pure."""

import math
from dataclasses import dataclass

from promptuary.evaluation.judge_figures import JudgeFigures, LicenceState
from promptuary.evaluation.suites.gate_spec import JudgeDemand
from promptuary.evaluation.summary_part import IntervalFigures
from promptuary.statistics.interval import Interval
from promptuary.statistics.judges.accuracy import labels_for_bound
from promptuary.statistics.judges.label_sample import MINIMUM_LABELS


@dataclass(frozen=True)
class UnmetDemand:
    """Why a judge does not meet a demand.

    Attributes:
        reason: for people.
        missing: how many labels are missing; None where more labels do not help.
    """

    reason: str
    missing: int | None


def _licence_text(judge: JudgeFigures) -> str:
    """Return a sentence part on a calibration that is not valid."""
    missing = f"{judge.missing} labels are missing"
    if judge.state is LicenceState.EXPIRED:
        parts = " and the ".join(judge.changed)
        return f"its judge's calibration has expired, since the {parts} changed: {missing}"
    return f"its judge has no valid calibration: {missing}"


def unmet_judge_demand(judge: JudgeFigures, demand: JudgeDemand | None) -> UnmetDemand | None:
    """Return why a judge does not meet a demand; None where it does.

    Args:
        judge: compared with people.
        demand: floors for lower confidence bounds; None for a valid calibration alone.
    """
    if judge.state is not LicenceState.VALID:
        return UnmetDemand(_licence_text(judge), judge.missing)
    if demand is None:
        return None
    floors = (("sensitivity", judge.sensitivity, demand.sensitivity), ("specificity", judge.specificity, demand.specificity))
    for name, figures, floor in floors:
        unmet = None if floor is None else _unmet_floor(judge, name, figures, floor)
        if unmet is not None:
            return unmet
    return None


def _unmet_floor(judge: JudgeFigures, name: str, figures: IntervalFigures | None, floor: float) -> UnmetDemand | None:
    if figures is None:
        decision = "passed" if name == "sensitivity" else "failed"
        reason = f"its judge's {name} is not known, since people {decision} none of {judge.labels} labelled outputs"
        return UnmetDemand(f"{reason}; {MINIMUM_LABELS} labels are missing", MINIMUM_LABELS)
    if figures.low >= floor:
        return None
    figure = (
        f"its judge's {name} is {figures.estimate:.3f}, {figures.level:.0%} interval {figures.low:.3f} to {figures.high:.3f}"
    )
    of_kind = labels_for_bound(Interval(**figures.model_dump()), floor)
    if of_kind is None:
        return UnmetDemand(f"{figure}, and {floor:g} is required: use a better judge", None)
    missing = math.ceil(of_kind * judge.labels / figures.n)
    return UnmetDemand(f"{figure}, and a lower bound of {floor:g} is required: about {missing} labels are missing", missing)
