"""Quantiles that are computed here, beside scipy's."""

import pytest
from scipy.special import stdtr, stdtrit

from promptuary.statistics.quantile import student_t, student_t_tail

FREEDOMS = [*range(1, 40), 59, 99, 159, 160, 161, 500, 1999, 99_999, 1_000_000]


@pytest.mark.parametrize("level", [0.5, 0.8, 0.9, 0.95, 0.975, 0.99, 0.999, 0.9999])
def test_students_quantile_is_scipys(level: float) -> None:
    for freedom in FREEDOMS:
        assert student_t(level, freedom) == pytest.approx(float(stdtrit(freedom, 0.5 + level / 2)), rel=1e-9), freedom


@pytest.mark.parametrize("quantile", [0.0, 1e-3, 0.7, 2.0, 12.7, 300.0])
def test_students_tail_is_scipys(quantile: float) -> None:
    for freedom in FREEDOMS:
        assert student_t_tail(quantile, freedom) == pytest.approx(float(stdtr(freedom, -quantile)), rel=1e-9), freedom
