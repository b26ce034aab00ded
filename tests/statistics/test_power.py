import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptuary.statistics.paired import paired_difference
from promptuary.statistics.power import (
    MAX_CASES_NEEDED,
    StudyDesign,
    VarianceComponents,
    cases_needed,
    design_points,
    detectable_effect,
    estimate_variance_components,
)

variances = st.floats(0, 0.25)
spreads = st.builds(VarianceComponents, st.floats(0.01, 0.25), variances, variances)


def test_the_number_of_cases_agrees_with_the_formula_by_hand() -> None:
    # (1.959964 + 0.841621)² = 7.848879; times 1/9 over 0.03² is 969.0, and with 1/6 + 1/6 more 3876; Miller 2024, section 5.
    assert cases_needed(0.03, VarianceComponents(1 / 9, 0, 0)) == 969
    assert cases_needed(0.03, VarianceComponents(1 / 9, 1 / 6, 1 / 6)) == 3876
    assert cases_needed(0.03, VarianceComponents(1 / 9, 1 / 6, 1 / 6), StudyDesign(repeats=10)) == 1260
    assert cases_needed(0.03, VarianceComponents(1 / 9, 1 / 6, 1 / 6), StudyDesign(repeats=10, baseline_repeats=1)) == 2568
    assert cases_needed(0.03, VarianceComponents(1 / 9, 0, 0), StudyDesign(design_effect=2)) == 1938


@given(spreads, st.floats(0.005, 0.5), st.integers(1, 20), st.floats(0.55, 0.99))
def test_the_cases_needed_for_an_effect_detect_it_and_one_case_less_does_not(
    spread: VarianceComponents, effect: float, repeats: int, power: float
) -> None:
    design = StudyDesign(repeats=repeats, power=power)
    n = cases_needed(effect, spread, design)
    assert detectable_effect(n, spread, design) <= effect * (1 + 1e-6)
    if n > 1:
        assert detectable_effect(n - 1, spread, design) > effect * (1 - 1e-6)


def test_repeats_gain_nothing_where_only_cases_differ_and_cases_always_do() -> None:
    table = {
        (plan.cases, plan.repeats): plan.effect
        for plan in design_points(VarianceComponents(0.1, 0.2, 0.0), cases=[50, 100], repeats=[1, 4])
    }
    assert table[100, 1] == pytest.approx(table[50, 1] / math.sqrt(2))
    assert table[50, 4] == pytest.approx(table[50, 1] / math.sqrt(2))
    flat = {
        plan.repeats: plan.effect for plan in design_points(VarianceComponents(0.1, 0.0, 0.0), cases=[50], repeats=[1, 100])
    }
    assert flat[1] == flat[100]


def test_a_pilot_separates_noise_of_repeats_from_difference_of_cases() -> None:
    rng = np.random.default_rng(5)
    truth, gain = rng.uniform(0.2, 0.7, 4000), rng.normal(0.0, 0.1, 4000)
    candidate = truth[:, None] + gain[:, None] + rng.normal(0, 0.2, (4000, 3))
    baseline = truth[:, None] + rng.normal(0, 0.3, (4000, 2))
    spread = estimate_variance_components(candidate.tolist(), baseline.tolist())
    assert (spread.between, spread.candidate, spread.baseline) == pytest.approx((0.01, 0.04, 0.09), abs=0.005)


def test_single_repeats_promise_no_gain_from_repeats() -> None:
    spread = estimate_variance_components([[1.0], [0.0], [1.0]], [[0.0], [0.0], [1.0]])
    assert spread.between == pytest.approx(1 / 3)
    assert (spread.candidate, spread.baseline) == (0.0, 0.0)


def test_noise_alone_leaves_no_negative_variance() -> None:
    assert estimate_variance_components([[0.0, 1.0], [1.0, 0.0]], [[0.5], [0.5]]).between == 0.0


def test_the_promised_power_is_reached() -> None:
    rng = np.random.default_rng(11)
    spread = VarianceComponents(0.04, 0.0, 0.0)
    n = cases_needed(0.06, spread)
    detections = 0
    for _ in range(400):
        candidate = rng.normal(0.06, 0.2, n)
        detections += paired_difference(candidate.tolist(), [0.0] * n, bounds=(-9, 9)).low > 0
    assert detections / 400 == pytest.approx(0.8, abs=0.06)


@pytest.mark.parametrize("effect", [5e-324, 1e-300, 1e-160, 1e-9])
def test_an_effect_that_nobody_can_show_needs_the_greatest_number(effect: float) -> None:
    assert cases_needed(effect, VarianceComponents(0.1, 0.1, 0.1)) == MAX_CASES_NEEDED


@pytest.mark.parametrize("effect", [0.0, -0.1, math.nan, math.inf])
def test_an_effect_is_above_zero(effect: float) -> None:
    with pytest.raises(ValueError, match="effect"):
        cases_needed(effect, VarianceComponents(0.1, 0.1, 0.1))


def test_arguments_out_of_range_are_refused() -> None:
    spread = VarianceComponents(0.1, 0.1, 0.1)
    with pytest.raises(ValueError, match="power"):
        cases_needed(0.1, spread, StudyDesign(power=80))
    with pytest.raises(ValueError, match="at least once"):
        cases_needed(0.1, spread, StudyDesign(repeats=0))
    with pytest.raises(ValueError, match="design effect"):
        cases_needed(0.1, spread, StudyDesign(design_effect=0.5))
    with pytest.raises(ValueError, match="at least 1"):
        detectable_effect(0, spread)
    with pytest.raises(ValueError, match="between"):
        VarianceComponents(-0.1, 0, 0)
    with pytest.raises(ValueError, match="at least 2"):
        estimate_variance_components([[1.0]], [[1.0]])
    with pytest.raises(ValueError, match="same cases"):
        estimate_variance_components([[1.0], [1.0]], [[1.0]])
