"""Random slices: drawn uniformly, extended by the same seed, with the probability of the union."""

from collections import Counter

import pytest

from promptuary.review.sources.random_slice import SliceDraw, draw_slice, interleave, permanent_number, union_probability

SOURCES = [f"run_1/{number}" for number in range(20)]


def draw(seed: int = 0, size: int = 5, population: str = "p", of: int = 20) -> SliceDraw:
    return SliceDraw(population, seed, size, of)


def test_a_slice_has_the_requested_size_and_the_same_seed_draws_it_again() -> None:
    drawn = draw_slice(draw(), SOURCES)
    assert len(set(drawn)) == 5
    assert drawn == draw_slice(draw(), reversed(SOURCES))
    assert drawn != draw_slice(draw(seed=1), SOURCES)
    assert set(draw_slice(draw(size=50), SOURCES)) == set(SOURCES)


def test_a_larger_slice_of_the_same_seed_extends_the_smaller_one() -> None:
    assert draw_slice(draw(size=9), SOURCES)[:5] == draw_slice(draw(size=5), SOURCES)


def test_every_source_is_drawn_with_the_recorded_probability() -> None:
    counts = Counter(source for seed in range(2_000) for source in draw_slice(draw(seed), SOURCES))
    # 2,000 draws at 1/4: 500 each, with a standard deviation of 19; five of them.
    assert all(abs(counts[source] - 500) < 97 for source in SOURCES)
    assert draw().probability == 0.25


def test_populations_draw_independently() -> None:
    pairs = [(permanent_number(draw(population="a"), each), permanent_number(draw(population="b"), each)) for each in SOURCES]
    assert all(first != second for first, second in pairs)
    assert all(0 <= number < 1 for pair in pairs for number in pair)


@pytest.mark.parametrize(
    ("draws", "certain", "probability"),
    [
        ([], False, 0.0),
        ([draw()], False, 0.25),
        ([draw()], True, 1.0),  # selected by priority, in the slice or not
        ([], True, 1.0),
        ([draw(seed=1), draw(seed=2, size=10)], False, 1 - 0.75 * 0.5),  # two independent slices
        ([draw(size=5), draw(size=10)], False, 0.5),  # the larger one contains the smaller one
        ([draw(population="a"), draw(population="b")], False, 1 - 0.75**2),
        ([draw(size=30)], False, 1.0),
    ],
)
def test_the_probability_is_that_of_the_union(draws: list[SliceDraw], certain: bool, probability: float) -> None:
    assert union_probability(draws, certain=certain) == pytest.approx(probability)


def test_weighted_totals_over_slice_and_priority_are_unbiased() -> None:
    # The first six items are selected by priority, and have another mean than the rest: weights put them in their place.
    values = {source: 10.0 if number < 6 else float(number % 2) for number, source in enumerate(SOURCES)}
    estimates = []
    for seed in range(2_000):
        drawn = set(draw_slice(draw(seed), SOURCES))
        estimates.append(
            sum(
                value / union_probability([draw(seed)], certain=number < 6)
                for number, (source, value) in enumerate(values.items())
                if number < 6 or source in drawn
            )
        )
    assert sum(estimates) / 2_000 == pytest.approx(sum(values.values()), rel=0.01)


def test_two_orders_are_spread_evenly() -> None:
    assert interleave([1, 2, 3], ["a"]) == [1, 2, "a", 3]
    assert interleave([1, 2], ["a", "b", "c", "d"]) == ["a", 1, "b", "c", 2, "d"]
    assert interleave([], ["a", "b"]) == ["a", "b"]
    mixed = interleave(list(range(10)), list("abcdefghij"))
    assert all(abs(2 * sum(isinstance(each, int) for each in mixed[:size]) - size) <= 1 for size in range(21))
