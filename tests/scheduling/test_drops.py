"""Drops against a schedule's own history: which are shown, which are not, and how often by chance."""

from collections.abc import Sequence

import numpy as np

from promptuary.evaluation.verdict.case_order import CaseOrder
from promptuary.evaluation.verdict.comparison import SamplingDesign
from promptuary.scheduling.drops import MonitoredMetric, detect_drops

INDEPENDENT = SamplingDesign()


def scores(values: Sequence[float]) -> dict[str, float]:
    return {f"c{place}": float(value) for place, value in enumerate(values)}


def monitored(now: Sequence[float], *history: Sequence[float], metric: str = "exact") -> MonitoredMetric:
    return MonitoredMetric("echo:", metric, scores(now), [scores(run) for run in history])


def test_a_drop_has_its_interval_and_a_sentence() -> None:
    good, bad = [1.0] * 36 + [0.0] * 4, [1.0] * 20 + [0.0] * 20

    (drop,) = detect_drops([monitored(bad, good, good, good)], INDEPENDENT, 0.05)

    assert (drop.now, drop.before, drop.interval.estimate) == (0.5, 0.9, -0.4)
    assert drop.interval.high < -0.05
    assert drop.sentence("nightly", 0.05, "; this is version 2, those were of 1") == (
        "exact under echo: dropped to 0.500 from 0.900 in the last 3 runs of 'nightly': difference −0.400, 95% interval "
        f"−{-drop.interval.low:.3f} to −{-drop.interval.high:.3f} over 40 cases; the upper bound is below −0.050"
        "; this is version 2, those were of 1"
    )


def test_a_drop_within_the_margin_is_accepted() -> None:
    good, bad = [1.0] * 36 + [0.0] * 4, [1.0] * 20 + [0.0] * 20
    assert detect_drops([monitored(bad, good, good)], INDEPENDENT, 0.4) == []


def test_a_rise_and_no_change_are_no_drops() -> None:
    low, high = [0.0] * 30 + [1.0] * 10, [1.0] * 40
    assert detect_drops([monitored(high, low, low), monitored(low, low, low, metric="pass")], INDEPENDENT, 0.0) == []


def test_too_little_history_shows_no_drop() -> None:
    good, bad = [1.0] * 40, [0.0] * 40
    assert detect_drops([monitored(bad), monitored(bad, good, metric="pass")], INDEPENDENT, 0.0) == []
    assert len(detect_drops([monitored(bad, good, good)], INDEPENDENT, 0.0)) == 1


def test_cases_of_one_side_only_are_left_out() -> None:
    now = MonitoredMetric("echo:", "exact", {"a": 0.0}, [{"b": 1.0}, {"c": 1.0}])
    assert detect_drops([now], INDEPENDENT, 0.0) == []
    mixed = MonitoredMetric("echo:", "exact", {"a": 0.5, "x": 0.0}, [{"a": 1.0, "b": 1.0}, {"a": 0.0}])
    assert mixed.before == {"a": 0.5, "b": 1.0}
    assert mixed.difference(INDEPENDENT).estimate == 0.0


def test_clusters_count_instead_of_cases() -> None:
    good, bad = [1.0] * 40, [1.0] * 20 + [0.0] * 20
    metric = monitored(bad, good, good)
    assert len(detect_drops([metric], INDEPENDENT, 0.0)) == 1
    two_clusters = SamplingDesign({case: "left" if int(case[1:]) < 20 else "right" for case in metric.now})
    assert detect_drops([metric], two_clusters, 0.0) == []


def test_among_several_metrics_a_drop_must_show_more() -> None:
    good = [1.0] * 60
    slight = [1.0] * 54 + [0.0] * 6  # shown alone, and not as one of several
    level = [monitored(good, good, good, metric=f"m{number}") for number in range(9)]
    assert len(detect_drops([monitored(slight, good, good)], INDEPENDENT, 0.0)) == 1
    assert detect_drops([monitored(slight, good, good), *level], INDEPENDENT, 0.0) == []
    strong = [monitored([0.0] * 60, good, good, metric=f"m{number}") for number in range(9)]
    assert (
        len(detect_drops([monitored(slight, good, good), *strong], INDEPENDENT, 0.0)) == 10
    )  # Holm's step-down: the others are shown first


def test_a_run_no_worse_than_its_history_rarely_raises_an_alarm() -> None:
    random = np.random.default_rng(20261124)
    rounds, alarms = 1000, 0
    for _ in range(rounds):
        chances = random.beta(6, 2, 80)
        runs = [(random.random(80) < chances).astype(float).tolist() for _ in range(6)]
        alarms += bool(detect_drops([monitored(runs[0], *runs[1:])], INDEPENDENT, 0.0))
    assert alarms / rounds <= 0.025 + 3 * (0.025 * 0.975 / rounds) ** 0.5


def test_a_run_that_may_stop_early_needs_sequential_intervals() -> None:
    good, bad = [1.0] * 40, [1.0] * 20 + [0.0] * 20
    metric = monitored(bad, good, good)
    sequential = SamplingDesign(order=CaseOrder.of(dict.fromkeys(metric.now), "run_1"))
    (drop,) = detect_drops([metric], sequential, 0.0)
    assert drop.interval.high > metric.difference(INDEPENDENT).high
    assert detect_drops([monitored([1.0] * 36 + [0.0] * 4, good, good)], sequential, 0.0) == []
