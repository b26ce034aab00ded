import itertools

import pytest
from nltk.metrics.agreement import AnnotationTask
from nltk.metrics.distance import masi_distance as nltk_masi_distance

from promptuary.statistics.reliability.label_sets import SET_LIMIT, _masi_distances, masi_distance, set_alpha_sums

SETS = [frozenset(labels) for size in range(4) for labels in itertools.combinations("abc", size)]
ROWS = [
    [{"a"}, {"a", "b"}, {"c"}, set(), {"a", "b", "c"}, {"b"}],
    [{"a"}, {"a"}, {"b", "c"}, set(), {"a", "b"}, {"c"}],
    [{"a", "b"}, {"a", "b"}, {"c"}, {"a"}, {"a", "b", "c"}, {"b"}],
]


def test_the_distance_of_two_sets_is_masi() -> None:
    # Passonneau (2006): a subset weighs its Jaccard coefficient by 2/3, an overlap by 1/3.
    assert masi_distance("ab", "abc") == pytest.approx(1 - 2 / 3 * 2 / 3)
    assert masi_distance("ab", "bc") == pytest.approx(1 - 1 / 3 * 1 / 3)
    assert (masi_distance("a", "b"), masi_distance("ab", "ba"), masi_distance("", "")) == (1.0, 0.0, 0.0)


def test_the_distance_agrees_with_nltk_but_for_its_rounded_weights() -> None:
    for first, second in itertools.product([labels for labels in SETS if labels], repeat=2):
        assert masi_distance(first, second) == pytest.approx(nltk_masi_distance(first, second), abs=0.005)


def test_alpha_over_sets_agrees_with_nltk() -> None:
    triples = [
        (observer, unit, frozenset(labels)) for observer, row in enumerate(ROWS) for unit, labels in enumerate(row) if unit != 3
    ]
    rows = [row[:3] + row[4:] for row in ROWS]
    agreement = set_alpha_sums(rows).agreement()
    assert agreement.value == pytest.approx(AnnotationTask(triples, distance=masi_distance).alpha())
    assert (agreement.coefficient, agreement.units) == ("krippendorff-alpha-masi", 5)


def test_an_empty_set_is_a_label_and_none_is_a_missing_one() -> None:
    both = set_alpha_sums([[set(), {"a"}], [set(), {"a"}]]).agreement()
    assert (both.value, both.units) == (1.0, 2)
    alone = set_alpha_sums([[None, {"a"}], [set(), {"a"}]]).agreement()
    assert (alone.value, alone.reason, alone.units) == (None, "undefined: no variation", 1)
    assert set_alpha_sums([[None], [{"a"}]]).agreement().reason == "undefined: no unit has two labels"
    with pytest.raises(ValueError, match="different numbers"):
        set_alpha_sums([[{"a"}], []])


def test_too_many_different_sets_are_not_compared() -> None:
    many = [{f"t{number}"} for number in range(SET_LIMIT + 1)]
    sums = set_alpha_sums([many, many])
    assert sums.agreement().reason == "undefined: 1501 different sets, more than the 1500 that are compared"
    assert sums.interval(seed=1) is None


def test_distances_of_all_sets_are_those_of_each_two() -> None:
    table = _masi_distances(SETS)
    for first, second in itertools.product(range(len(SETS)), repeat=2):
        assert table[first, second] == pytest.approx(masi_distance(SETS[first], SETS[second]))
