import pytest

from promptuary.statistics.agreement import krippendorff_alpha
from promptuary.statistics.reliability.spans import Span, span_alpha_sums


def labels_of(length: int, *spans: Span) -> list[str]:
    return ["+".join(sorted(span.label for span in spans if span.start <= place < span.end)) for place in range(length)]


def test_alpha_over_spans_is_nominal_alpha_over_characters() -> None:
    lengths = [12, 8]
    first = [[Span(0, 4, "fact"), Span(6, 9, "tone")], [Span(0, 8, "fact")]]
    second = [[Span(1, 5, "fact")], [Span(0, 3, "fact"), Span(2, 6, "tone")]]
    characters = [
        [label for length, spans in zip(lengths, row, strict=True) for label in labels_of(length, *spans)]
        for row in (first, second)
    ]
    agreement = span_alpha_sums(lengths, [first, second]).agreement()
    assert agreement.value == pytest.approx(krippendorff_alpha(characters).value)
    assert (agreement.coefficient, agreement.units) == ("krippendorff-alpha-characters", 2)


def test_two_who_mark_nothing_have_no_variation() -> None:
    assert span_alpha_sums([5], [[[]], [[]]]).agreement().reason == "undefined: no variation"


def test_a_text_that_one_observer_marked_is_left_out() -> None:
    agreement = span_alpha_sums([5, 0], [[[Span(0, 2, "a")], []], [None, []]]).agreement()
    assert (agreement.reason, agreement.units) == ("undefined: no unit has two labels", 0)


def test_an_interval_draws_texts_and_not_characters() -> None:
    first = [[Span(0, 500, "a")], [Span(0, 500, "a")], [], [Span(200, 400, "a")]]
    second = [[Span(0, 500, "a")], [Span(100, 500, "a")], [Span(0, 50, "a")], []]
    interval = span_alpha_sums([1000] * 4, [first, second]).interval(seed=1)
    assert interval is not None
    assert interval.n == 4
    assert interval.high - interval.low > 0.3


def test_a_span_outside_its_text_is_refused() -> None:
    with pytest.raises(ValueError, match="3 to 9"):
        span_alpha_sums([5], [[[Span(3, 9, "a")]], [[]]])
