"""Drops against the own history: what is told, what is not, and how often by chance."""

from collections.abc import Sequence

import numpy as np

from promptuary.evaluation.verdict.case_order import CaseOrder
from promptuary.scheduling.drops import MonitoredMetric, detect_drops


def scores(values: Sequence[float]) -> dict[str, float]:
    return {f"c{place}": float(value) for place, value in enumerate(values)}


def watched(now: Sequence[float], *history: Sequence[float], metric: str = "exact") -> MonitoredMetric:
    return MonitoredMetric("echo:", metric, scores(now), [scores(one) for one in history])


def test_a_drop_is_told_with_its_interval_and_a_sentence() -> None:
    good, bad = [1.0] * 36 + [0.0] * 4, [1.0] * 20 + [0.0] * 20

    (drop,) = detect_drops([watched(bad, good, good, good)], {}, 0.05)

    assert (drop.now, drop.before, drop.interval.estimate) == (0.5, 0.9, -0.4)
    assert drop.interval.high < -0.05
    assert drop.sentence("nightly", 0.05, "; this is version 2, those were of 1") == (
        "exact under echo: dropped to 0.500 from 0.900 in the last 3 runs of 'nightly': difference −0.400, 95% interval "
        f"−{-drop.interval.low:.3f} to −{-drop.interval.high:.3f} over 40 cases; the upper bound is below −0.050"
        "; this is version 2, those were of 1"
    )


def test_a_drop_within_the_margin_is_borne() -> None:
    good, bad = [1.0] * 36 + [0.0] * 4, [1.0] * 20 + [0.0] * 20
    assert detect_drops([watched(bad, good, good)], {}, 0.4) == []


def test_a_rise_and_no_change_are_no_drops() -> None:
    low, high = [0.0] * 30 + [1.0] * 10, [1.0] * 40
    assert detect_drops([watched(high, low, low), watched(low, low, low, metric="pass")], {}, 0.0) == []


def test_too_little_history_says_nothing() -> None:
    good, bad = [1.0] * 40, [0.0] * 40
    assert detect_drops([watched(bad), watched(bad, good, metric="pass")], {}, 0.0) == []
    assert len(detect_drops([watched(bad, good, good)], {}, 0.0)) == 1


def test_cases_that_only_one_side_has_are_left_out() -> None:
    now = MonitoredMetric("echo:", "exact", {"a": 0.0}, [{"b": 1.0}, {"c": 1.0}])
    assert detect_drops([now], {}, 0.0) == []
    mixed = MonitoredMetric("echo:", "exact", {"a": 0.5, "x": 0.0}, [{"a": 1.0, "b": 1.0}, {"a": 0.0}])
    assert mixed.before == {"a": 0.5, "b": 1.0}
    assert mixed.difference({}, 0.95).estimate == 0.0


def test_clusters_are_counted_and_not_cases() -> None:
    good, bad = [1.0] * 40, [1.0] * 20 + [0.0] * 20
    one = watched(bad, good, good)
    assert len(detect_drops([one], {}, 0.0)) == 1
    assert detect_drops([one], {case: "left" if int(case[1:]) < 20 else "right" for case in one.now}, 0.0) == []


def test_among_several_metrics_a_drop_must_show_more() -> None:
    good = [1.0] * 60
    slight = [1.0] * 54 + [0.0] * 6  # shown alone, and not as one of several
    level = [watched(good, good, good, metric=f"m{number}") for number in range(9)]
    assert len(detect_drops([watched(slight, good, good)], {}, 0.0)) == 1
    assert detect_drops([watched(slight, good, good), *level], {}, 0.0) == []
    strong = [watched([0.0] * 60, good, good, metric=f"m{number}") for number in range(9)]
    assert (
        len(detect_drops([watched(slight, good, good), *strong], {}, 0.0)) == 10
    )  # Holm's step-down: the others are shown first


def test_a_run_that_is_no_worse_raises_an_alarm_one_time_in_forty_at_most() -> None:
    random = np.random.default_rng(20261124)
    rounds, alarms = 1000, 0
    for _ in range(rounds):
        chances = random.beta(6, 2, 80)
        runs = [(random.random(80) < chances).astype(float).tolist() for _ in range(6)]
        alarms += bool(detect_drops([watched(runs[0], *runs[1:])], {}, 0.0))
    assert alarms / rounds <= 0.025 + 3 * (0.025 * 0.975 / rounds) ** 0.5


def test_a_run_that_may_stop_early_is_judged_by_intervals_that_hold_at_every_look() -> None:
    good, bad = [1.0] * 40, [1.0] * 20 + [0.0] * 20
    one = watched(bad, good, good)
    order = CaseOrder.of(dict.fromkeys(one.now), "run_1")
    (drop,) = detect_drops([one], {}, 0.0, order)
    assert drop.interval.high > one.difference({}, 0.95).high
    assert detect_drops([watched([1.0] * 36 + [0.0] * 4, good, good)], {}, 0.0, order) == []
