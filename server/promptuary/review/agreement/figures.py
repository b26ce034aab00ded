"""The figures of one label: coefficients with intervals, between each two reviewers, and against gold. Loads numpy."""

from collections.abc import Sequence
from itertools import combinations

import numpy as np

from promptuary.review.agreement.label import LabelDefinition, Level
from promptuary.review.agreement.label_table import LabelTable
from promptuary.review.agreement.labelled_item import LabelledItem
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
from promptuary.statistics.reliability.label_sets import coded_set_alpha_sums
from promptuary.statistics.reliability.ratings import Codes, count_cells, count_labels
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


def compute_label_agreement(label: LabelDefinition, items: Sequence[LabelledItem]) -> LabelAgreement:
    """Compute all figures of a label over items.

    Args:
        label: the primary decision or a field.
        items: with the labels of each reviewer, each reviewer once an item.
    """
    table = LabelTable.of(label, items)
    sizes = (table.codes >= 0).sum(axis=0)
    shared = [] if label.level is Level.NONE else _shared_pairs(table)
    coefficients = tuple(_coefficients(table))
    observed = _observed(table) if label.level not in (Level.NONE, Level.CHARACTERS) else None
    return LabelAgreement(
        label=label,
        items=int((sizes >= 1).sum()),
        pairable=int((sizes >= 2).sum()),
        labels=int(sizes.sum()),
        omitted=table.omitted,
        observed=observed,
        coefficients=coefficients,
        note=_prevalence_note(table, observed, coefficients) if label.level in (Level.NOMINAL, Level.ORDINAL) else None,
        options=tuple(_options(table)) if label.level is Level.SETS else (),
        pairs=tuple(_pair_agreement(table, first, second) for first, second in shared[:PAIR_LIMIT]),
        pairs_omitted=max(0, len(shared) - PAIR_LIMIT),
        gold=tuple(_against_gold(table)) if label.level is not Level.NONE else (),
    )


def _coefficients(table: LabelTable) -> list[Coefficient]:
    """Return alpha at the label's level, and AC1 where values are the same or not."""
    level = table.label.level
    if level is Level.NONE or not table.reviewers:
        return []
    sums = [_alpha(table, table.codes)]
    if level in (Level.NOMINAL, Level.ORDINAL):
        sums.append(ac1_sums(*count_labels(table.codes, len(table.values))))
    return [_coefficient(each, RESAMPLES) for each in sums]


def _alpha(table: LabelTable, codes: Codes, columns: Codes | None = None) -> UnitSums:
    """Return the sums of alpha of these rows of labels, which are those of some items only where `columns` names them."""
    level = table.label.level
    if level is Level.SETS:
        return coded_set_alpha_sums(table.sets, codes)
    if level is Level.CHARACTERS:
        items = table.items if columns is None else [table.items[column] for column in columns]
        return table.span_sums(codes, [item.length for item in items])
    if level is Level.INTERVAL:
        return number_alpha_sums(table.numbers[codes])
    counts, multiplicities = count_labels(codes, len(table.values))
    return alpha_sums(counts, DistanceMetric(level), np.arange(float(len(table.values))), multiplicities)


def _coefficient(sums: UnitSums, resamples: int) -> Coefficient:
    if sums.columns.shape[1] > MANY_COLUMNS or len(sums.columns) > MANY_UNITS:
        resamples = FEW_RESAMPLES
    agreement, interval = sums.agreement(), sums.interval(seed=SEED, resamples=resamples)
    low, high, method = (interval.low, interval.high, interval.method) if interval else (None, None, None)
    return Coefficient(agreement.coefficient, agreement.value, agreement.reason, low, high, method, agreement.units)


def _observed(table: LabelTable) -> Share | None:
    """Return the mean over items of the share of pairs of reviewers with the same value."""
    reviewers, items = np.nonzero(table.codes >= 0)
    labels, counts = np.unique(items * len(table.values) + table.codes[reviewers, items], return_counts=True)
    same = np.bincount(labels // max(1, len(table.values)), counts * (counts - 1), minlength=len(table.items))
    sizes = np.bincount(items, minlength=len(table.items))
    paired = sizes >= 2
    if not paired.any():
        return None
    interval = mean_interval((same[paired] / (sizes * (sizes - 1))[paired]).tolist())
    return Share(interval.estimate, interval.low, interval.high, interval.n)


def _prevalence_note(table: LabelTable, observed: Share | None, coefficients: Sequence[Coefficient]) -> str | None:
    """Return a sentence where one value is so common that alpha and kappa are low though reviewers agree."""
    alpha, ac1 = (coefficient.value for coefficient in coefficients) if len(coefficients) == 2 else (None, None)
    if observed is None or observed.value < HIGH_OBSERVED or alpha is None or ac1 is None or ac1 - alpha < LARGE_GAP:
        return None
    paired = table.codes[:, (table.codes >= 0).sum(axis=0) >= 2]
    counts = np.bincount(paired[paired >= 0])
    most, share = table.values[int(counts.argmax())], counts.max() / counts.sum()
    return (
        f"Prevalence paradox: {share:.0%} of the labels are '{most}', so chance alone would agree nearly always, and alpha and "
        f"kappa are low although reviewers agree on {observed.value:.0%} of the pairs. Read AC1 and the observed agreement."
    )


def _options(table: LabelTable) -> list[OptionAgreement]:
    """Return the agreement on each option as a label of its own: chosen or not."""
    label = table.label
    used: dict[str, int] = dict.fromkeys(map(str, label.options or ()), 0)
    counts = np.bincount(table.codes[table.codes >= 0], minlength=len(table.values))
    for chosen, count in zip(table.sets, counts.tolist(), strict=True):
        for option in chosen if count else ():
            used[option] = used.get(option, 0) + count
    total = int(counts.sum())
    options = list(used) if label.options else sorted(used, key=lambda option: (-used[option], option))
    return [
        OptionAgreement(option, used[option] / total if total else 0.0, tuple(_option_coefficients(table, option)))
        for option in options[:OPTION_LIMIT]
    ]


def _option_coefficients(table: LabelTable, option: str) -> list[Coefficient]:
    if not table.reviewers:
        return []
    is_chosen = np.array([*(int(option in chosen) for chosen in table.sets), -1], dtype=np.intp)  # the last one: no label
    counts, multiplicities = count_labels(is_chosen[table.codes], 2)
    nominal = alpha_sums(counts, DistanceMetric.NOMINAL, np.arange(2.0), multiplicities)
    return [_coefficient(sums, PAIR_RESAMPLES) for sums in (nominal, ac1_sums(counts, multiplicities))]


def _shared_pairs(table: LabelTable) -> list[tuple[int, int]]:
    """Return each two reviewers with items in common, the pairs with the most first."""
    is_present = (table.codes >= 0).astype(np.float64)
    shared = is_present @ is_present.T
    pairs = combinations(range(len(table.reviewers)), 2)
    return sorted((pair for pair in pairs if shared[pair]), key=lambda pair: -shared[pair])


def _pair_agreement(table: LabelTable, first: int, second: int) -> PairAgreement:
    share, coefficient = _compare(table, table.codes[[first, second]])
    return PairAgreement(table.reviewers[first], table.reviewers[second], share, coefficient)


def _compare(table: LabelTable, both: Codes) -> tuple[Share, Coefficient]:
    """Return the agreement of two rows of labels on the items that both have.

    The coefficient is kappa, weighted by squared distance for an order; alpha where the level has no kappa.
    """
    columns = np.flatnonzero((both >= 0).all(axis=0))
    first, second = both = both[:, columns]
    same, level = int((first == second).sum()), table.label.level
    low, high = wilson_interval(same, len(columns), quantile.normal(0.95))
    share = Share(same / len(columns), low, high, len(columns))
    if level not in (Level.NOMINAL, Level.ORDINAL):
        return share, _coefficient(_alpha(table, both, columns), PAIR_RESAMPLES)
    cells = count_cells(first, second, len(table.values))
    weights = KappaWeights.QUADRATIC if level is Level.ORDINAL else None
    return share, _coefficient(kappa_sums(cells, weights), PAIR_RESAMPLES)


def _against_gold(table: LabelTable) -> list[AgainstGold]:
    """Return each reviewer's agreement with the labels that are known, and that of all together over whole items."""
    comparable = (table.codes >= 0) & (table.gold >= 0)
    compared = [
        AgainstGold(reviewer, *_compare(table, np.stack([row, table.gold])))
        for reviewer, row, has_both in zip(table.reviewers, table.codes, comparable, strict=True)
        if has_both.any()
    ]
    if len(compared) > 1:
        reviewers, items = np.nonzero(comparable)
        scores = (table.codes[reviewers, items] == table.gold[items]).astype(np.float64)
        interval = mean_interval(scores.tolist(), clusters=items.tolist())
        compared.insert(0, AgainstGold(None, Share(interval.estimate, interval.low, interval.high, interval.n), None))
    return compared
