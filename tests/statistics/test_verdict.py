import itertools
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptuary.statistics.interval import Interval
from promptuary.statistics.verdict import Verdict, floor_verdict, non_inferiority_verdict, too_many_unrunnable, worst_verdict


def interval(low: float, high: float) -> Interval:
    return Interval((low + high) / 2, low, high, 0.95, "clt", 50, None)


@pytest.mark.parametrize(
    ("low", "high", "verdict"),
    [
        (-0.01, 0.03, Verdict.PASS),
        (0.01, 0.03, Verdict.PASS),
        (-0.02, 0.03, Verdict.INCONCLUSIVE),  # the lower bound must be above the margin, not on it
        (-0.05, 0.03, Verdict.INCONCLUSIVE),
        (-0.05, -0.02, Verdict.INCONCLUSIVE),
        (-0.05, -0.03, Verdict.REGRESSION),
    ],
)
def test_a_loss_of_the_margin_must_be_excluded(low: float, high: float, verdict: Verdict) -> None:
    assert non_inferiority_verdict(interval(low, high), 0.02) is verdict


@pytest.mark.parametrize(
    ("low", "high", "verdict"),
    [
        (0.80, 0.90, Verdict.PASS),
        (0.79, 0.90, Verdict.INCONCLUSIVE),
        (0.70, 0.80, Verdict.INCONCLUSIVE),
        (0.70, 0.79, Verdict.REGRESSION),
    ],
)
def test_the_lower_bound_must_reach_the_floor(low: float, high: float, verdict: Verdict) -> None:
    assert floor_verdict(interval(low, high), 0.8) is verdict


@given(st.lists(st.sampled_from(Verdict), min_size=1))
def test_the_worst_verdict_speaks_for_all(verdicts: list[Verdict]) -> None:
    order = [Verdict.NO_GATE, Verdict.PASS, Verdict.INCONCLUSIVE, Verdict.REGRESSION, Verdict.INFRASTRUCTURE]
    assert order.index(worst_verdict(verdicts)) == max(order.index(verdict) for verdict in verdicts)


def test_a_verdict_is_its_word_on_the_wire() -> None:
    assert [str(verdict) for verdict in Verdict] == ["pass", "regression", "inconclusive", "infrastructure", "no gate"]


def test_no_verdict_is_not_a_pass() -> None:
    with pytest.raises(ValueError, match="not a pass"):
        worst_verdict([])


@pytest.mark.parametrize(("unrunnable", "expected"), [(0, False), (5, False), (6, True), (100, True)])
def test_a_share_of_unrunnable_cases_is_tolerated_and_no_more(unrunnable: int, expected: bool) -> None:
    assert too_many_unrunnable(unrunnable, 100, 0.05) is expected


def test_a_suite_without_a_case_could_not_be_run() -> None:
    assert too_many_unrunnable(0, 0, 0.05)


@pytest.mark.parametrize(("unrunnable", "total", "share"), [(-1, 5, 0.1), (6, 5, 0.1), (1, 5, 5.0), (1, 5, math.nan)])
def test_counts_and_shares_out_of_range_are_refused(unrunnable: int, total: int, share: float) -> None:
    with pytest.raises(ValueError, match=r"share|unrunnable"):
        too_many_unrunnable(unrunnable, total, share)


@pytest.mark.parametrize("margin", [-0.1, math.nan, math.inf])
def test_a_margin_is_a_loss_of_0_or_more(margin: float) -> None:
    with pytest.raises(ValueError, match="margin"):
        non_inferiority_verdict(interval(0, 1), margin)


def test_a_floor_is_finite() -> None:
    with pytest.raises(ValueError, match="bound"):
        floor_verdict(interval(0, 1), math.nan)


def test_every_verdict_has_a_place_in_the_order() -> None:
    assert len({worst_verdict(pair) for pair in itertools.product(Verdict, repeat=2)}) == len(Verdict)
