"""Intervals and gates checked on simulated suites; `make bench` does the same with 2,000 suites a setting."""

import pytest

from factories.simulated_suites import NULLS, SETTINGS, Setting, coverage, false_passes


@pytest.mark.parametrize("setting", SETTINGS.values(), ids=SETTINGS.keys())
def test_nineteen_of_twenty_intervals_contain_the_truth(setting: Setting) -> None:
    # The standard error of a coverage of 0.95 over 300 suites is 0.0126: three of them below the 0.93 that the full-size table
    # requires.
    assert coverage(setting, 300) >= 0.93 - 0.038


@pytest.mark.parametrize("setting", NULLS.values(), ids=NULLS.keys())
def test_a_candidate_worse_by_the_margin_passes_at_most_one_time_in_forty(setting: Setting) -> None:
    assert false_passes(setting, 300) <= 0.025 + 3 * 0.009
