from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import cohen_kappa_score

from promptuary.statistics.agreement import (
    NO_PAIRS,
    NO_VARIATION,
    Agreement,
    DistanceMetric,
    KappaWeights,
    cohen_kappa,
    gwet_ac1,
    krippendorff_alpha,
    table_kappa,
)
from promptuary.statistics.reliability.ratings import Label

# Krippendorff, Computing Krippendorff's Alpha-Reliability (2011), data C: 4 observers by 12 units.
DATA_C: list[list[Label | None]] = [
    [None if label == "-" else int(label) for label in row.split()]
    for row in (
        "1 2 3 3 2 1 4 1 2 - - -",
        "1 2 3 3 2 2 4 1 2 5 - 3",
        "- 3 3 3 2 3 4 2 2 5 1 -",
        "1 2 3 3 2 4 4 1 2 5 1 -",
    )
]
# Cohen, Psychological Bulletin 70 (1968), the table of N = 200.
COHEN_1968 = [[88, 14, 18], [10, 40, 10], [2, 6, 12]]
# The prevalence paradox: nearly all units in one cell.
PARADOX = [[118, 5], [2, 0]]

labels = st.lists(st.tuples(st.integers(1, 4), st.integers(1, 4)), min_size=1, max_size=30)


def value(agreement: Agreement) -> float:
    assert agreement.value is not None
    return agreement.value


def listed(table: list[list[int]]) -> tuple[list[Label], list[Label]]:
    """Return the two observers' labels behind a table."""
    cells = [(i, j) for i, row in enumerate(table) for j, count in enumerate(row) for _ in range(count)]
    return [i for i, _ in cells], [j for _, j in cells]


@pytest.mark.parametrize(
    ("metric", "alpha"),
    [
        (DistanceMetric.NOMINAL, 0.743),
        (DistanceMetric.ORDINAL, 0.815),
        (DistanceMetric.INTERVAL, 0.849),
        (DistanceMetric.RATIO, 0.797),
    ],
)
def test_alpha_agrees_with_krippendorffs_data_c(metric: DistanceMetric, alpha: float) -> None:
    agreement = krippendorff_alpha(DATA_C, metric=metric)
    assert value(agreement) == pytest.approx(alpha, abs=5e-4)
    assert agreement.units == 11


def test_alpha_agrees_with_krippendorffs_binary_data() -> None:
    # The same paper, data A: 2 observers by 10 units.
    rows = [[int(label) for label in row] for row in ("0100000010", "1110010000")]
    assert value(krippendorff_alpha(rows)) == pytest.approx(0.095, abs=5e-4)


def test_ac1_agrees_with_gwets_value_for_the_same_data() -> None:
    # Gwet, Handbook of Inter-Rater Reliability; the value that irrCAC documents for this matrix.
    assert value(gwet_ac1(DATA_C)) == pytest.approx(0.77544, abs=5e-6)


@pytest.mark.parametrize(("table", "kappa"), [([[20, 5], [10, 15]], 0.4), ([[45, 15], [25, 15]], 0.1304)])
def test_kappa_agrees_with_published_values(table: list[list[int]], kappa: float) -> None:
    # The two worked examples of the encyclopaedic literature on Cohen's kappa (50 grant proposals; 100 units).
    assert value(table_kappa(table)) == pytest.approx(kappa, abs=5e-5)
    assert value(cohen_kappa(*listed(table))) == pytest.approx(kappa, abs=5e-5)


def test_weighted_kappa_agrees_with_cohen_1968() -> None:
    assert value(table_kappa(COHEN_1968)) == pytest.approx(0.49153, abs=5e-6)
    assert value(table_kappa(COHEN_1968, weights=[[0, 1, 3], [1, 0, 6], [3, 6, 0]])) == pytest.approx(0.34783, abs=5e-6)


def test_where_one_label_is_rare_kappa_falls_and_ac1_does_not() -> None:
    assert value(table_kappa(PARADOX)) == pytest.approx(-0.02339, abs=5e-6)
    assert value(gwet_ac1(listed(PARADOX))) == pytest.approx(0.94078, abs=5e-6)


@pytest.mark.parametrize("rows", [[[1, 1, 1], [1, 1, 1]], [["yes", "yes"], ["yes", None], ["yes", "yes"]]])
def test_labels_without_variation_give_no_coefficient(rows: Sequence[Sequence[Label | None]]) -> None:
    for agreement in (krippendorff_alpha(rows), gwet_ac1(rows), cohen_kappa(rows[0], rows[1])):
        assert agreement.value is None
        assert agreement.reason == NO_VARIATION
        assert agreement.observed == 1.0


@pytest.mark.parametrize("rows", [[[1, None], [None, 2]], [[None], [None]], [[], []]])
def test_units_with_one_label_give_no_coefficient(rows: Sequence[Sequence[Label | None]]) -> None:
    for agreement in (krippendorff_alpha(rows, metric=DistanceMetric.INTERVAL), gwet_ac1(rows), cohen_kappa(rows[0], rows[1])):
        assert (agreement.value, agreement.reason, agreement.units) == (None, NO_PAIRS, 0)


@given(labels, st.sampled_from([None, "linear", "quadratic"]))
def test_kappa_agrees_with_scikit_learn(pairs: list[tuple[int, int]], weights: str | None) -> None:
    first, second = (list(side) for side in zip(*pairs, strict=True))
    agreement = cohen_kappa(first, second, weights=KappaWeights(weights) if weights else None, categories=[1, 2, 3, 4])
    if agreement.value is None:
        assert agreement.reason == NO_VARIATION
    else:
        assert agreement.value == pytest.approx(cohen_kappa_score(first, second, labels=[1, 2, 3, 4], weights=weights))


@given(labels, st.sampled_from(DistanceMetric))
def test_perfect_agreement_is_1_and_order_of_observers_does_not_matter(
    pairs: list[tuple[int, int]], metric: DistanceMetric
) -> None:
    first, second = (list(side) for side in zip(*pairs, strict=True))
    same = krippendorff_alpha([first, first], metric=metric)
    assert same.value == (pytest.approx(1.0) if len(set(first)) > 1 else None)
    here, there = krippendorff_alpha([first, second], metric=metric), krippendorff_alpha([second, first], metric=metric)
    assert here.value == pytest.approx(there.value)


@given(labels)
def test_a_missing_label_weighs_nothing(pairs: list[tuple[int, int]]) -> None:
    first, second = (list(side) for side in zip(*pairs, strict=True))
    lone: list[int | None] = [*first, 3]
    alpha, kappa = krippendorff_alpha([lone, [*second, None]]), cohen_kappa(lone, [*second, None])
    assert alpha.value == pytest.approx(krippendorff_alpha([first, second]).value)
    assert kappa.value == pytest.approx(cohen_kappa(first, second).value)


def test_words_take_their_order_from_the_categories() -> None:
    order = ["poor", "fair", "good"]
    first, second = ["poor", "fair", "good", "good", "poor", "fair"], ["fair", "fair", "good", "good", "poor", "poor"]
    numbers = {word: place for place, word in enumerate(order)}
    by_words = krippendorff_alpha([first, second], metric=DistanceMetric.ORDINAL, categories=order)
    by_numbers = krippendorff_alpha([[numbers[word] for word in row] for row in (first, second)], metric=DistanceMetric.ORDINAL)
    assert by_words.value == pytest.approx(by_numbers.value)
    assert by_words.value != krippendorff_alpha([first, second], metric=DistanceMetric.ORDINAL).value


def test_a_category_that_nobody_used_counts_towards_ac1() -> None:
    two, three = gwet_ac1(DATA_C, categories=[1, 2, 3, 4, 5]), gwet_ac1(DATA_C, categories=[1, 2, 3, 4, 5, 6])
    assert two.value == gwet_ac1(DATA_C).value
    assert value(three) > value(two)


def test_labels_that_a_metric_cannot_take_are_refused() -> None:
    with pytest.raises(ValueError, match="not a number"):
        krippendorff_alpha([["a", "b"], ["a", "a"]], metric=DistanceMetric.INTERVAL)
    with pytest.raises(ValueError, match="below 0"):
        krippendorff_alpha([[-1, 2], [1, 2]], metric=DistanceMetric.RATIO)
    with pytest.raises(ValueError, match="mixed"):
        krippendorff_alpha([["a", 2], ["a", 1]], metric=DistanceMetric.ORDINAL)
    with pytest.raises(ValueError, match="NaN"):
        krippendorff_alpha([[float("nan"), 2], [1, 2]])
    with pytest.raises(ValueError, match="finite"):
        krippendorff_alpha([[float("inf"), 2], [1, 2]], metric=DistanceMetric.INTERVAL)
    with pytest.raises(ValueError, match="not one of the categories"):
        gwet_ac1([["a"], ["b"]], categories=["a"])
    with pytest.raises(ValueError, match="named twice"):
        gwet_ac1([["a"], ["b"]], categories=["a", "b", "a"])


def test_rows_and_tables_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match="no observer"):
        krippendorff_alpha([])
    with pytest.raises(ValueError, match="position 1 has 1 labels"):
        krippendorff_alpha([[1, 2], [1]])
    with pytest.raises(ValueError, match="2 labels and the second 1"):
        cohen_kappa([1, 2], [1])
    with pytest.raises(ValueError, match="one row and one column"):
        table_kappa([[1, 2, 3], [1, 2, 3]])
    with pytest.raises(ValueError, match="negative"):
        table_kappa([[1, -2], [1, 2]])
    with pytest.raises(ValueError, match="shape"):
        table_kappa([[1, 2], [1, 2]], weights=[[0]])
    with pytest.raises(ValueError, match="diagonal"):
        table_kappa([[1, 2], [1, 2]], weights=[[1, 1], [1, 1]])
