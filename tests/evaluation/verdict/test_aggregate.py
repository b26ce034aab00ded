"""Results aggregated as they are read: the same figures as from all of them at once, in a few bytes a case."""

from collections.abc import Callable
from typing import Any

import pytest

from promptuary.evaluation.execution.work import CompletedItems
from promptuary.evaluation.verdict import comparison
from promptuary.evaluation.verdict.aggregate import EXTRA_METRICS_LIMIT, RunAggregate
from promptuary.evaluation.verdict.comparison import PairedScores, SamplingDesign, compare_variants, metric_value

Make = Callable[..., Any]


def test_the_scores_are_those_of_averaging_all_results_at_once(result_of: Make) -> None:
    results = [
        result_of(f"c{case}", score, variant, repeat)
        for case in range(7)
        for variant, shift in (("v2", 0), ("v1", 1))
        for repeat in range(3)
        for score in [[0.1, 0.7, None, 1.0][(case + shift + repeat) % 4]]
    ]
    aggregate = RunAggregate.of(results, ("v2", "v1"), 3, ("exact", "pass", "score"))
    for name, variant in aggregate.variants.items():
        for metric in ("exact", "pass", "score"):
            values: dict[str, list[float | None]] = {}
            for result in results:
                if result.variant == name:
                    values.setdefault(result.case, []).append(metric_value(result, metric))
            known = {case: [value for value in repeats if value is not None] for case, repeats in values.items()}
            means = [(case, pytest.approx(sum(repeats) / len(repeats))) for case, repeats in known.items() if repeats]

            scores = variant.scores(metric)
            assert list(scores.means.items()) == means
            assert len(scores.means) == len(means)
            assert scores.scored == sum(len(repeats) for repeats in known.values())
            assert scores.unscored == 21 - scores.scored


def test_a_case_without_a_score_has_no_mean(result_of: Make) -> None:
    results = [result_of("c1", None), result_of("c2", 1.0), result_of("c3", None)]
    means = RunAggregate.of(results, ("v2",), 1, ("exact",)).variants["v2"].scores("exact").means
    assert dict(means) == {"c2": 1.0}
    assert "c1" not in means
    with pytest.raises(KeyError):
        means["c3"]
    with pytest.raises(KeyError):
        means["c9"]


def test_a_scorer_named_like_the_verdict_keeps_its_own_values(result_of: Make) -> None:
    aggregate = RunAggregate.of([result_of("c1", 1.0, metrics={"pass": 0.25})], ("v2",), 1, ("pass",))
    assert dict(aggregate.variants["v2"].scores("pass").means) == {"c1": 0.25}


def test_a_metric_of_some_cases_is_counted_for_those_alone(result_of: Make) -> None:
    results = [
        result_of("c1", 1.0),
        result_of("c2", 1.0, metrics={"exact": 1.0, "tone": 0.5}),
        result_of("c3", 1.0, metrics={"exact": 1.0, "tone": None}),
    ]
    aggregate = RunAggregate.of(results, ("v2", "v1"), 1, ("exact",))
    tone = aggregate.variants["v2"].scores("tone")
    assert list(aggregate.extra_metrics) == ["tone"]
    assert (dict(tone.means), tone.scored, tone.unscored) == ({"c2": 0.5}, 1, 1)
    assert aggregate.variants["v2"].scores("exact").scored == 3
    other = aggregate.variants["v1"].scores("tone")
    assert (dict(other.means), other.scored, other.unscored) == ({}, 0, 0)


def test_metrics_of_cases_are_bounded_and_those_left_out_are_counted(result_of: Make) -> None:
    results = [result_of(f"c{place}", 1.0, metrics={f"m{place}": 1.0}) for place in range(EXTRA_METRICS_LIMIT + 3)]
    aggregate = RunAggregate.of(results, ("v2",), 1, ())
    assert (len(aggregate.extra_metrics), len(aggregate.left_out)) == (EXTRA_METRICS_LIMIT, 3)


def test_a_variant_that_is_left_out_still_names_its_cases(result_of: Make) -> None:
    aggregate = RunAggregate.of([result_of("c1", 1.0, "v9")], ("v2",), 1, ("exact",))
    assert list(aggregate.positions) == ["c1"]
    assert aggregate.variants["v2"].results == 0


def test_a_long_list_of_cases_is_truncated_and_counted(plan_of: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(comparison, "LISTED_CASES_LIMIT", 2)
    candidate, baseline = plan_of(4, baseline="production").variants
    pair = PairedScores({"c1": 1.0, "c2": 1.0, "c3": 1.0, "c4": 0.0}, dict.fromkeys(("c1", "c2", "c3", "c4"), 0.5))

    compared = compare_variants(candidate, baseline, "exact", pair, SamplingDesign())

    assert (compared.better, compared.better_in_all, compared.better_count) == (("c1", "c2"), 3, 3)
    assert (compared.worse, compared.worse_in_all, compared.worse_count) == (("c4",), None, 1)
    body = compared.json_body()
    assert body["better_in_all"] == 3
    assert "worse_in_all" not in body


def test_completed_items_are_a_bit_each() -> None:
    completed = CompletedItems(20, [3, 19, 3])
    completed.add(8)
    assert [ordinal for ordinal in range(20) if ordinal in completed] == [3, 8, 19]
    assert len(completed) == 3
    assert "3" not in completed
