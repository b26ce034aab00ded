"""Chance-corrected agreement of reviewers. Where it is undefined, the result carries the reason: never 1.0, never a crash."""

from collections.abc import Sequence

from promptuary.statistics.reliability.ac1 import ac1_sums
from promptuary.statistics.reliability.alpha import NUMERIC, DistanceMetric, alpha_sums
from promptuary.statistics.reliability.kappa import KappaWeights, kappa_sums
from promptuary.statistics.reliability.ratings import ContingencyTable, Label, Ratings
from promptuary.statistics.reliability.unit_sums import NO_PAIRS, NO_VARIATION, Agreement
from promptuary.statistics.sample import Floats

__all__ = [
    "NO_PAIRS",
    "NO_VARIATION",
    "Agreement",
    "DistanceMetric",
    "KappaWeights",
    "cohen_kappa",
    "gwet_ac1",
    "krippendorff_alpha",
    "table_kappa",
]


def krippendorff_alpha(
    ratings: Sequence[Sequence[Label | None]],
    *,
    metric: DistanceMetric = DistanceMetric.NOMINAL,
    categories: Sequence[Label] | None = None,
) -> Agreement:
    """Compute Krippendorff's alpha for any number of observers. Labels may be missing; a unit with one label is left out.

    α = 1 - D_o/D_e over the coincidences of labels within units. Source: Krippendorff, Computing Krippendorff's
    Alpha-Reliability (2011), section C and D. The result contains 1 - D_o and 1 - D_e,
    for distances scaled to at most 1.

    Args:
        ratings: one row an observer, one column a unit; None for a missing label.
        metric: what a distance between labels means. Interval and ratio accept numbers only.
        categories: all labels in order; None sorts the labels that occur where the metric needs an order.

    Raises:
        ValueError: rows of different length, a label outside `categories`, or labels that the metric cannot take.
    """
    table = Ratings.of(ratings, categories, ordered=metric is not DistanceMetric.NOMINAL, numbers=metric in NUMERIC)
    return alpha_sums(table.counts, metric, table.numbers).agreement()


def gwet_ac1(ratings: Sequence[Sequence[Label | None]], *, categories: Sequence[Label] | None = None) -> Agreement:
    """Compute Gwet's AC1 for any number of observers. Labels may be missing; it is stable where nearly all labels are equal.

    Where one label is rare, kappa falls towards 0 although observers nearly always agree; AC1 does not. Report both.
    Source: Gwet, British J. Math. Stat. Psychology 61 (2008) 29-48; missing labels as in Gwet, Handbook of Inter-Rater
    Reliability, 4th edition (2014), chapter 2. A unit with one label counts towards chance, not towards agreement.

    Args:
        ratings: one row an observer, one column a unit; None for a missing label.
        categories: all labels that were possible; None takes those that occur.

    Raises:
        ValueError: rows of different length, or a label outside `categories`.
    """
    return ac1_sums(Ratings.of(ratings, categories, ordered=False, numbers=False).counts).agreement()


def cohen_kappa(
    first: Sequence[Label | None],
    second: Sequence[Label | None],
    *,
    weights: KappaWeights | Sequence[Sequence[float]] | None = None,
    categories: Sequence[Label] | None = None,
) -> Agreement:
    """Compute Cohen's kappa of two observers over the units that both labelled, plain or weighted.

    Formula and source: see `table_kappa`.

    Args:
        first: one label a unit; None for a missing one.
        second: the same units in the same order.
        weights: None for plain kappa; or how much each disagreement counts, see `table_kappa`.
        categories: all labels in order; None sorts the labels that occur where the weights need an order.

    Raises:
        ValueError: sides of different length, a label outside `categories`, or weights that `table_kappa` rejects.
    """
    return table_kappa(ContingencyTable.of(first, second, categories, ordered=weights is not None).counts, weights=weights)


def table_kappa(
    counts: Sequence[Sequence[float]] | Floats, *, weights: KappaWeights | Sequence[Sequence[float]] | None = None
) -> Agreement:
    """Compute Cohen's kappa from a contingency table: κ = 1 - Σ v·o / Σ v·e over the cells.

    Source: Cohen, Educ. Psych. Measurement 20 (1960) 37-46; weighted, with weights of disagreement: Cohen, Psychological
    Bulletin 70 (1968) 213-220.

    Args:
        counts: counts[i][j] units that the first observer put in category i and the second in j; square.
        weights: None for 1 on every disagreement; or a matrix v of the table's shape, ≥ 0 and 0 on the diagonal.

    Raises:
        ValueError: a table that is not square or contains a negative count, or weights that do not fit it.
    """
    return kappa_sums(ContingencyTable.checked(counts), weights).agreement()
