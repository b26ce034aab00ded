"""Gwet's AC1 as sums over units."""

import numpy as np

from promptuary.statistics.reliability.distinct_rows import distinct_rows
from promptuary.statistics.reliability.unit_sums import UnitSums
from promptuary.statistics.sample import Floats


def ac1_sums(counts: Floats, multiplicities: Floats | None = None) -> UnitSums:
    """Return AC1's sums over units; a unit with one label counts towards chance, not towards agreement.

    Source: Gwet, British J. Math. Stat. Psychology 61 (2008) 29-48; missing labels as in Gwet, Handbook of Inter-Rater
    Reliability, 4th edition (2014), chapter 2.

    Args:
        counts: how often each unit got each label, shape (units, labels).
        multiplicities: how many units have these counts, shape (units,); None for one each.
    """
    counts, multiplicities = distinct_rows(counts, multiplicities)
    has_label = counts.sum(axis=1) >= 1
    rated, multiplicities = counts[has_label], multiplicities[has_label]
    sizes = rated.sum(axis=1)
    paired = sizes >= 2
    agreeing = np.where(paired, (rated * (rated - 1)).sum(axis=1) / np.where(paired, sizes * (sizes - 1), 1.0), 0.0)
    columns = np.column_stack([agreeing, paired, np.ones(len(rated)), rated / sizes[:, None]])
    # Without variation chance would agree by 0, of which the limit is 1; it is reported as undefined, but a draw counts so.
    pairable = int(multiplicities[paired].sum())
    return UnitSums("gwet-ac1", *distinct_rows(columns, multiplicities), _shares, pairable, value_of_constant=1.0)


def _shares(sums: Floats) -> tuple[Floats, Floats]:
    agreeing, paired, rated = sums[:, 0], sums[:, 1], sums[:, 2]
    shares = sums[:, 3:] / rated[:, None]
    labels = shares.shape[1]
    expected = (shares * (1 - shares)).sum(axis=1) / max(1, labels - 1)
    observed = np.where(paired > 0, agreeing / np.where(paired > 0, paired, 1.0), np.nan)
    return observed, np.where(np.count_nonzero(shares, axis=1) >= 2, expected, np.nan)
