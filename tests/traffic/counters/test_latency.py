"""Histograms of latencies."""

from itertools import pairwise

import pytest

from promptuary.traffic.counters.latency import BOUNDS_MS, BUCKETS, LatencyHistogram, bucket_of


def test_bounds_span_a_millisecond_to_ten_minutes() -> None:
    assert (BOUNDS_MS[0], BOUNDS_MS[-1], len(BOUNDS_MS)) == (1.0, 600_000.0, 40)
    assert all(1.1 < upper / lower < 1.42 for lower, upper in pairwise(BOUNDS_MS))


@pytest.mark.parametrize(("latency", "bucket"), [(0, 0), (1, 0), (1.01, 1), (600_000, 39), (600_000.1, 40), (1e12, 40)])
def test_a_latency_belongs_to_the_first_bucket_that_bounds_it(latency: float, bucket: int) -> None:
    assert bucket_of(latency) == bucket < BUCKETS


def test_histograms_come_back_as_they_were_stored() -> None:
    histogram = LatencyHistogram.of([0.5, 3, 3, 1e9])
    assert LatencyHistogram.parse(histogram.format()) == histogram
    assert LatencyHistogram.parse("") == LatencyHistogram()
    assert LatencyHistogram().format() == ""


def test_histograms_are_added_and_taken_away() -> None:
    first, second = LatencyHistogram.of([2, 9]), LatencyHistogram.of([9, 100])
    assert first + second == LatencyHistogram.of([2, 9, 9, 100])
    assert first + second - second == first


def test_a_quantile_is_within_its_bucket() -> None:
    histogram = LatencyHistogram.of(range(1, 1001))
    for share in (0.05, 0.5, 0.9, 0.99, 1.0):
        assert histogram.quantile(share) == pytest.approx(1000 * share, rel=0.42)


def test_no_call_has_no_quantile() -> None:
    assert LatencyHistogram().quantile(0.5) is None


def test_a_quantile_beyond_the_bounds_is_the_last_bound() -> None:
    assert LatencyHistogram.of([1e7]).quantile(0.5) == 600_000.0
