"""Weighted intervals checked on simulated productions; `make bench` does the same with 2,000 productions a setting."""

import pytest

from factories.simulated_traffic import SETTINGS, Production, coverage


@pytest.mark.parametrize("production", SETTINGS.values(), ids=SETTINGS.keys())
def test_nineteen_of_twenty_weighted_intervals_contain_the_truth(production: Production) -> None:
    # The standard error of a coverage of 0.95 over 100 productions is 0.022: three of them below the required 0.93.
    assert coverage(production, 100) >= 0.93 - 0.065
