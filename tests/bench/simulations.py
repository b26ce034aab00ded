"""The coverage of 95 % intervals, and the share of regressions that a gate passes, over simulated suites."""

from collections.abc import Iterator

from factories import simulated_traffic
from factories.simulated_suites import FULL, NULLS, SETTINGS, coverage, false_passes


def covered() -> Iterator[tuple[str, float]]:
    """Simulate 2,000 suites a setting; yield the share of intervals that cover the truth."""
    for name, setting in SETTINGS.items():
        yield name, coverage(setting, FULL)


def passed() -> Iterator[tuple[str, float]]:
    """Simulate 2,000 suites a setting whose candidate is worse by the margin; yield the share that the gate passes."""
    for name, setting in NULLS.items():
        yield name, false_passes(setting, FULL)


def sampled() -> Iterator[tuple[str, float]]:
    """Simulate 2,000 productions a setting whose calls are sampled; yield the share of intervals that cover the truth."""
    for name, production in simulated_traffic.SETTINGS.items():
        yield name, simulated_traffic.coverage(production)
