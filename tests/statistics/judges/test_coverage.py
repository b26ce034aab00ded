"""Corrected means on simulated suites; `make bench` does the same with 2,000 suites a setting."""

import pytest

from factories.simulated_labels import ROOMY, SETTINGS, Setting, coverage, halving_ratio


@pytest.mark.parametrize("setting", SETTINGS.values(), ids=SETTINGS.keys())
def test_corrected_intervals_contain_the_human_mean(setting: Setting) -> None:
    # The standard error of a coverage of 0.95 over 120 suites is 0.02: three of them below the 0.93 of the full-size table.
    assert coverage(setting, 120) >= 0.93 - 0.06


@pytest.mark.parametrize("setting", ROOMY.values(), ids=ROOMY.keys())
def test_the_labels_that_halve_an_interval_are_predicted(setting: Setting) -> None:
    ratio = halving_ratio(setting, 15)
    assert ratio is not None
    assert 0.8 <= ratio <= 1.2
