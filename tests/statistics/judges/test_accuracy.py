import numpy as np
import pytest

from promptuary.statistics.judges.accuracy import JudgedLabels, judge_accuracy, labels_for_bound, table_ac1
from promptuary.statistics.mean_interval import wilson_interval


def of_table(both: int, judge: int, people: int, neither: int) -> JudgedLabels:
    labels = [True] * both + [False] * judge + [True] * people + [False] * neither
    verdicts = [True] * (both + judge) + [False] * (people + neither)
    n = len(labels)
    return JudgedLabels(labels, verdicts, [float(verdict) for verdict in verdicts], [0.5] * n, [None] * n)


def test_the_published_values_of_the_prevalence_paradox() -> None:
    accuracy = judge_accuracy(of_table(118, 5, 2, 0), seed=1)
    assert accuracy.kappa.value == pytest.approx(-0.02339, abs=5e-5)
    assert accuracy.ac1.value == pytest.approx(0.94078, abs=5e-5)
    assert table_ac1([[0, 5], [2, 118]]).value == pytest.approx(0.94078, abs=5e-5)


def test_kappa_of_the_published_table() -> None:
    accuracy = judge_accuracy(of_table(20, 10, 5, 15), seed=1)
    assert accuracy.kappa.value == pytest.approx(0.4)
    assert accuracy.kappa_interval is not None
    assert accuracy.kappa_interval.low < 0.4 < accuracy.kappa_interval.high


def test_sensitivity_and_specificity_are_shares_of_what_people_decided() -> None:
    accuracy = judge_accuracy(of_table(45, 4, 5, 16), seed=1)
    assert accuracy.sensitivity is not None
    assert accuracy.specificity is not None
    assert (accuracy.sensitivity.estimate, accuracy.specificity.estimate) == (0.9, 0.8)
    assert (accuracy.sensitivity.low, accuracy.sensitivity.high) == pytest.approx(wilson_interval(45, 50, 1.959964))
    assert (accuracy.confusion.judge_alone, accuracy.confusion.people_alone) == (4, 5)


def test_labels_that_were_drawn_rarely_count_more() -> None:
    labels, verdicts = [True] * 4, [True, True, True, False]
    even = judge_accuracy(JudgedLabels(labels, verdicts, [1.0, 1.0, 1.0, 0.0], [0.5] * 4, [None] * 4), seed=1)
    rare = judge_accuracy(JudgedLabels(labels, verdicts, [1.0, 1.0, 1.0, 0.0], [1.0, 1.0, 1.0, 0.25], [None] * 4), seed=1)
    assert even.sensitivity is not None
    assert rare.sensitivity is not None
    assert even.sensitivity.estimate == 0.75
    assert rare.sensitivity.estimate == pytest.approx(3 / 7)
    assert rare.sensitivity.high - rare.sensitivity.low > even.sensitivity.high - even.sensitivity.low


def test_outputs_of_one_case_count_as_one() -> None:
    alone = of_table(30, 0, 10, 10)
    shared = JudgedLabels(alone.labels, alone.verdicts, alone.scores, alone.probabilities, [n // 2 for n in range(50)])
    first, second = judge_accuracy(alone, seed=1).sensitivity, judge_accuracy(shared, seed=1).sensitivity
    assert first is not None
    assert second is not None
    assert second.low < first.low


def test_labels_of_one_kind_leave_figures_undefined() -> None:
    accuracy = judge_accuracy(of_table(20, 0, 0, 0), seed=1)
    assert accuracy.specificity is None
    assert (accuracy.kappa.value, accuracy.kappa.reason) == (None, "undefined: no variation")
    assert (accuracy.ac1.value, accuracy.ac1_interval) == (None, None)


def test_a_graded_judge_has_a_curve_of_what_people_passed() -> None:
    rng = np.random.default_rng(3)
    scores = rng.random(400)
    labels = (rng.random(400) < scores).tolist()
    judged = JudgedLabels(labels, (scores >= 0.5).tolist(), scores.tolist(), [0.2] * 400, [None] * 400)
    curve = judge_accuracy(judged, seed=1).curve
    assert [point.low for point in curve] == [0.0, 0.2, 0.4, 0.6, 0.8]
    assert sum(point.labels for point in curve) == 400
    assert all(point.low <= point.mean_score <= point.high for point in curve)
    assert curve[0].passed.high < curve[-1].passed.low
    assert judge_accuracy(of_table(9, 1, 1, 9), seed=1).curve == ()


def test_the_labels_for_a_bound_are_those_with_which_it_is_reached() -> None:
    accuracy = judge_accuracy(of_table(45, 0, 5, 20), seed=1)
    assert accuracy.sensitivity is not None
    missing = labels_for_bound(accuracy.sensitivity, 0.8)
    assert missing is not None
    assert wilson_interval(0.9 * (50 + missing), 50 + missing, 1.959964)[0] == pytest.approx(0.8, abs=0.002)
    assert labels_for_bound(accuracy.sensitivity, 0.7) == 0
    assert labels_for_bound(accuracy.sensitivity, 0.95) is None


def test_sides_of_different_length_are_refused() -> None:
    with pytest.raises(ValueError, match="one of each"):
        judge_accuracy(JudgedLabels([True], [True, False], [1.0], [0.5], [None]), seed=1)
    with pytest.raises(ValueError, match="chance of a draw"):
        judge_accuracy(JudgedLabels([True], [True], [1.0], [0.0], [None]), seed=1)
