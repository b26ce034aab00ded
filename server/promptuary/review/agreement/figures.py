"""The figures of one label: coefficients with intervals, between each two reviewers, and against gold. Loads numpy."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np

from promptuary.review.agreement.label import LabelDefinition, Level, comparable
from promptuary.review.agreement.labelled_item import LabelledItem, list_reviewers
from promptuary.review.agreement.results import (
    AgainstGold,
    Coefficient,
    LabelAgreement,
    OptionAgreement,
    PairAgreement,
    Share,
)
from promptuary.statistics import quantile
from promptuary.statistics.mean_interval import mean_interval, wilson_interval
from promptuary.statistics.reliability.ac1 import ac1_sums
from promptuary.statistics.reliability.alpha import DistanceMetric, alpha_sums, number_alpha_sums
from promptuary.statistics.reliability.kappa import KappaWeights, kappa_sums
from promptuary.statistics.reliability.label_sets import set_alpha_sums
from promptuary.statistics.reliability.ratings import ContingencyTable, Ratings
from promptuary.statistics.reliability.spans import Span, span_alpha_sums
from promptuary.statistics.reliability.unit_sums import UnitSums

SEED = 1
RESAMPLES = 1_000
PAIR_RESAMPLES = 399
FEW_RESAMPLES, MANY_COLUMNS, MANY_UNITS = 199, 1_000, 2_000
"""The draws for a scale of more than 30 values, and for thousands of items of which no two are labelled alike."""
PAIR_LIMIT = 200
"""The number of pairs of reviewers, those with the most items in common, beyond which none is compared."""
OPTION_LIMIT = 50
HIGH_OBSERVED, LARGE_GAP = 0.8, 0.25
"""From which observed agreement, and how far below AC1, a coefficient is called a case of the prevalence paradox."""

Row = Sequence[Any]


@dataclass(frozen=True)
class _Table:
    """The labels of one field: one row a reviewer, one column an item; None for a missing one."""

    label: LabelDefinition
    items: Sequence[LabelledItem]
    reviewers: Sequence[str]
    rows: Sequence[Row]
    omitted: int

    @classmethod
    def of(cls, label: LabelDefinition, items: Sequence[LabelledItem]) -> "_Table":
        reviewers = list_reviewers(items)
        places = {reviewer: place for place, reviewer in enumerate(reviewers)}
        rows: list[list[Any]] = [[None] * len(items) for _ in reviewers]
        omitted = 0
        for column, item in enumerate(items):
            for review in item.reviews:
                value = review.value_of(label.name)
                if value is None:
                    continue
                if label.accepts(value):
                    rows[places[review.reviewer]][column] = value
                else:
                    omitted += 1
        return cls(label, items, reviewers, rows, omitted)

    def gold(self) -> Row:
        values = [item.gold.get(self.label.name) for item in self.items]
        return [value if value is not None and self.label.accepts(value) else None for value in values]


def compute_label_agreement(label: LabelDefinition, items: Sequence[LabelledItem]) -> LabelAgreement:
    """Compute all figures of a label over items.

    Args:
        label: the primary decision or a field.
        items: with the labels of each reviewer, each reviewer once an item.
    """
    table = _Table.of(label, items)
    counted = [[row[column] for row in table.rows if row[column] is not None] for column in range(len(items))]
    shared = [] if label.level is Level.NONE else _shared_pairs(table)
    coefficients = tuple(_coefficients(label, table.rows, items))
    observed = _observed(counted) if label.level not in (Level.NONE, Level.CHARACTERS) else None
    return LabelAgreement(
        label=label,
        items=sum(bool(values) for values in counted),
        pairable=sum(len(values) >= 2 for values in counted),
        labels=sum(len(values) for values in counted),
        omitted=table.omitted,
        observed=observed,
        coefficients=coefficients,
        note=_prevalence_note(counted, observed, coefficients) if label.level in (Level.NOMINAL, Level.ORDINAL) else None,
        options=tuple(_options(table)) if label.level is Level.SETS else (),
        pairs=tuple(_pair_agreement(table, *pair) for pair in shared[:PAIR_LIMIT]),
        pairs_omitted=max(0, len(shared) - PAIR_LIMIT),
        gold=tuple(_against_gold(table)) if label.level is not Level.NONE else (),
    )


def _coefficients(label: LabelDefinition, rows: Sequence[Row], items: Sequence[LabelledItem]) -> list[Coefficient]:
    """Return alpha at the label's level, and AC1 where values are the same or not."""
    if label.level is Level.NONE or not rows:
        return []
    sums = [_alpha(label, rows, items)]
    if label.level in (Level.NOMINAL, Level.ORDINAL):
        sums.append(ac1_sums(Ratings.of(rows, label.options, ordered=False, numbers=False).counts))
    return [_coefficient(each, RESAMPLES) for each in sums]


def _alpha(label: LabelDefinition, rows: Sequence[Row], items: Sequence[LabelledItem]) -> UnitSums:
    if label.level is Level.SETS:
        return set_alpha_sums(rows)
    if label.level is Level.CHARACTERS:
        marked = [[None if value is None else _spans(value) for value in row] for row in rows]
        ends = [max((span.end for row in marked for span in row[column] or ()), default=0) for column in range(len(items))]
        return span_alpha_sums([max(item.length, end) for item, end in zip(items, ends, strict=True)], marked)
    if label.level is Level.INTERVAL:
        return number_alpha_sums([[row[column] for row in rows if row[column] is not None] for column in range(len(items))])
    metric = DistanceMetric(label.level)
    table = Ratings.of(rows, label.options, ordered=metric is DistanceMetric.ORDINAL, numbers=False)
    return alpha_sums(table.counts, metric, table.numbers)


def _spans(value: Sequence[Mapping[str, Any]]) -> list[Span]:
    return [Span(part["start"], part["end"], str(part.get("label") or "")) for part in value]


def _coefficient(sums: UnitSums, resamples: int) -> Coefficient:
    if sums.columns.shape[1] > MANY_COLUMNS or len(sums.columns) > MANY_UNITS:
        resamples = FEW_RESAMPLES
    agreement, interval = sums.agreement(), sums.interval(seed=SEED, resamples=resamples)
    low, high, method = (interval.low, interval.high, interval.method) if interval else (None, None, None)
    return Coefficient(agreement.coefficient, agreement.value, agreement.reason, low, high, method, agreement.units)


def _observed(counted: Sequence[Sequence[Any]]) -> Share | None:
    """Return the mean over items of the share of pairs of reviewers with the same value."""
    scores = []
    for values in counted:
        pairs = [first == second for first, second in combinations([comparable(value) for value in values], 2)]
        if pairs:
            scores.append(sum(pairs) / len(pairs))
    if not scores:
        return None
    interval = mean_interval(scores)
    return Share(interval.estimate, interval.low, interval.high, interval.n)


def _prevalence_note(
    counted: Sequence[Sequence[Any]], observed: Share | None, coefficients: Sequence[Coefficient]
) -> str | None:
    """Return a sentence where one value is so common that alpha and kappa are low though reviewers agree."""
    values = [value for item in counted if len(item) >= 2 for value in item]
    alpha, ac1 = (coefficient.value for coefficient in coefficients) if len(coefficients) == 2 else (None, None)
    if observed is None or observed.value < HIGH_OBSERVED or alpha is None or ac1 is None or ac1 - alpha < LARGE_GAP:
        return None
    most = max(set(values), key=values.count)
    share = values.count(most) / len(values)
    return (
        f"Prevalence paradox: {share:.0%} of the labels are '{most}', so chance alone would agree nearly always, and alpha and "
        f"kappa are low although reviewers agree on {observed.value:.0%} of the pairs. Read AC1 and the observed agreement."
    )


def _options(table: _Table) -> list[OptionAgreement]:
    """Return the agreement on each option as a label of its own: chosen or not."""
    label = table.label
    used: dict[str, int] = dict.fromkeys(map(str, label.options or ()), 0)
    for row in table.rows:
        for value in row:
            for option in set(value or ()):
                used[option] = used.get(option, 0) + 1
    total = sum(value is not None for row in table.rows for value in row)
    options = list(used) if label.options else sorted(used, key=lambda option: (-used[option], option))
    return [
        OptionAgreement(option, used[option] / total if total else 0.0, tuple(_option_coefficients(table, option)))
        for option in options[:OPTION_LIMIT]
    ]


def _option_coefficients(table: _Table, option: str) -> list[Coefficient]:
    if not table.rows:
        return []
    counts = np.zeros((len(table.items), 2))
    for row in table.rows:
        for column, value in enumerate(row):
            if value is not None:
                counts[column, int(option in value)] += 1
    nominal = alpha_sums(counts, DistanceMetric.NOMINAL, np.arange(2.0))
    return [_coefficient(sums, PAIR_RESAMPLES) for sums in (nominal, ac1_sums(counts))]


def _shared_pairs(table: _Table) -> list[tuple[int, int, list[int]]]:
    """Return each two reviewers with items in common and those items, the pairs with the most first."""
    shared = [
        (first, second, _shared_columns(table.rows[first], table.rows[second]))
        for first, second in combinations(range(len(table.reviewers)), 2)
    ]
    return sorted((pair for pair in shared if pair[2]), key=lambda pair: -len(pair[2]))


def _pair_agreement(table: _Table, first: int, second: int, columns: Sequence[int]) -> PairAgreement:
    rows = table.rows[first], table.rows[second]
    share, coefficient = _same_share(*rows, columns), _pair_coefficient(table, *rows, columns)
    return PairAgreement(table.reviewers[first], table.reviewers[second], share, coefficient)


def _shared_columns(first: Row, second: Row) -> list[int]:
    return [column for column, pair in enumerate(zip(first, second, strict=True)) if None not in pair]


def _same_share(first: Row, second: Row, columns: Sequence[int]) -> Share:
    same = sum(comparable(first[column]) == comparable(second[column]) for column in columns)
    low, high = wilson_interval(same, len(columns), quantile.normal(0.95))
    return Share(same / len(columns), low, high, len(columns))


def _pair_coefficient(table: _Table, first: Row, second: Row, columns: Sequence[int]) -> Coefficient:
    """Return kappa, weighted by squared distance for an order; alpha where the level has no kappa."""
    label = table.label
    left, right = ([row[column] for column in columns] for row in (first, second))
    if label.level in (Level.NOMINAL, Level.ORDINAL):
        ordered = label.level is Level.ORDINAL
        cells = ContingencyTable.of(left, right, label.options, ordered=ordered).counts
        return _coefficient(kappa_sums(cells, KappaWeights.QUADRATIC if ordered else None), PAIR_RESAMPLES)
    return _coefficient(_alpha(label, [left, right], [table.items[column] for column in columns]), PAIR_RESAMPLES)


def _against_gold(table: _Table) -> list[AgainstGold]:
    """Return each reviewer's agreement with the labels that are known, and that of all together over whole items."""
    gold = table.gold()
    compared = []
    scores: list[float] = []
    clusters: list[str] = []
    for reviewer, row in zip(table.reviewers, table.rows, strict=True):
        columns = _shared_columns(row, gold)
        if columns:
            compared.append(
                AgainstGold(reviewer, _same_share(row, gold, columns), _pair_coefficient(table, row, gold, columns))
            )
            scores += [float(comparable(row[column]) == comparable(gold[column])) for column in columns]
            clusters += [table.items[column].id for column in columns]
    if len(compared) > 1:
        interval = mean_interval(scores, clusters=clusters)
        compared.insert(0, AgainstGold(None, Share(interval.estimate, interval.low, interval.high, interval.n), None))
    return compared
