"""Whether labels are a random sample of what was drawn for labelling, and with which chances. Pure."""

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass

CERTAIN = 1.0


@dataclass(frozen=True)
class DrawnResult:
    """A result that was drawn for labelling.

    Attributes:
        probability: π, the recorded chance in (0, 1] with which it was drawn.
        label: from 0 (people failed it) to 1 (people passed it), or the difference of two labels; None where there is none.
        waiting: whether a label is still to come. A result without one that waits for none was left undecided, or its label
            tuned the judge.
        in_random_order: whether what was drawn with it is labelled in random order, so that some may still wait.
    """

    probability: float
    label: float | None
    waiting: bool
    in_random_order: bool = True


@dataclass(frozen=True)
class DrawProblem:
    """Why labels are no random sample.

    Attributes:
        reason: for people.
        missing: how many labels are missing at least.
    """

    reason: str
    missing: int


def draw_problem(scored: int, drawn: Collection[DrawnResult], needed: int) -> DrawProblem | None:
    """Return why the labels of drawn results are no random sample; None where they are one.

    Where results are labelled in random order, some may still wait; else all of them must be decided.

    Args:
        scored: the number of results that could be drawn.
        drawn: of these.
        needed: the number of labels that another draw would need.
    """
    undrawn = scored - len(drawn)
    smallest = min((result.probability for result in drawn), default=CERTAIN)
    if undrawn > 0 and smallest >= CERTAIN:
        reason = f"{undrawn} of {scored} outputs had no chance to be drawn: label a random slice of the run"
        return DrawProblem(reason, needed)
    waiting = sum(result.waiting for result in drawn if not result.in_random_order)
    if waiting:
        return DrawProblem(f"{waiting} outputs that were selected without chance wait for a label", waiting)
    everyone, labelled = _counts(drawn)
    for chance, count in everyone.items():
        if not labelled[chance]:
            return DrawProblem(f"none of the {count} outputs that were drawn with the chance {chance:g} is labelled", 1)
    return None


def label_chances(drawn: Collection[DrawnResult]) -> dict[float, float]:
    """Return the chance to be labelled by the chance to be drawn: πρ, where ρ is the labelled share of what π drew.

    Source of the adjustment by response rates within classes: Särndal, Swensson and Wretman, Model Assisted Survey Sampling
    (1992), section 15.6.
    """
    everyone, labelled = _counts(drawn)
    return {chance: chance * labelled[chance] / count for chance, count in everyone.items()}


def _counts(drawn: Collection[DrawnResult]) -> tuple[Counter[float], Counter[float]]:
    """Return how many results were drawn with each chance, and how many of these are labelled."""
    everyone = Counter(result.probability for result in drawn)
    return everyone, Counter(result.probability for result in drawn if result.label is not None)
