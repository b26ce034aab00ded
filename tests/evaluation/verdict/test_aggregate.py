"""Results counted as they come: the same figures as from all of them at once, in a few bytes a case."""

from collections.abc import Callable
from typing import Any

import pytest

from promptuary.evaluation.plan import CompletedItems
from promptuary.evaluation.verdict.aggregate import EXTRA_METRICS_LIMIT, RunAggregate
from promptuary.evaluation.verdict.comparison import scores_of
from promptuary.evaluation.verdict.summary import LISTED_CASES_LIMIT, truncate_case_lists

Make = Callable[..., Any]


def test_a_tally_has_the_scores_that_all_results_have(result_of: Make) -> None:
    results = [
        result_of(f"c{case}", score, variant, repeat)
        for case in range(7)
        for variant, shift in (("v2", 0), ("v1", 1))
        for repeat in range(3)
        for score in [[0.1, 0.7, None, 1.0][(case + shift + repeat) % 4]]
    ]
    tally = RunAggregate.of(results, ("v2", "v1"), 3, ("exact", "pass", "score"))
    for name, own in tally.variants.items():
        of_variant = [result for result in results if result.variant == name]
        for metric in ("exact", "pass", "score"):
            found, wanted = own.scores(metric), scores_of(of_variant, metric)
            assert list(found.means.items()) == list(wanted.means.items())
            assert len(found.means) == len(wanted.means)
            assert (found.scored, found.unscored) == (wanted.scored, wanted.unscored)


def test_a_case_that_was_not_scored_has_no_mean(result_of: Make) -> None:
    means = RunAggregate.of([result_of("c1", None), result_of("c2", 1.0), result_of("c3", None)], ("v2",), 1, ("exact",))
    found = means.variants["v2"].scores("exact").means
    assert dict(found) == {"c2": 1.0}
    assert "c1" not in found
    with pytest.raises(KeyError):
        found["c3"]
    with pytest.raises(KeyError):
        found["c9"]


def test_a_metric_that_bears_the_name_of_the_verdict_is_the_scorers(result_of: Make) -> None:
    tally = RunAggregate.of([result_of("c1", 1.0, metrics={"pass": 0.25})], ("v2",), 1, ("pass",))
    assert dict(tally.variants["v2"].scores("pass").means) == {"c1": 0.25}


def test_a_metric_that_only_some_cases_have_is_counted_for_those_alone(result_of: Make) -> None:
    results = [
        result_of("c1", 1.0),
        result_of("c2", 1.0, metrics={"exact": 1.0, "tone": 0.5}),
        result_of("c3", 1.0, metrics={"exact": 1.0, "tone": None}),
    ]
    tally = RunAggregate.of(results, ("v2", "v1"), 1, ("exact",))
    tone = tally.variants["v2"].scores("tone")
    assert list(tally.more) == ["tone"]
    assert (dict(tone.means), tone.scored, tone.unscored) == ({"c2": 0.5}, 1, 1)
    assert tally.variants["v2"].scores("exact").scored == 3
    other = tally.variants["v1"].scores("tone")
    assert (dict(other.means), other.scored, other.unscored) == ({}, 0, 0)


def test_metrics_of_cases_are_bounded_and_those_left_out_are_counted(result_of: Make) -> None:
    results = [result_of(f"c{place}", 1.0, metrics={f"m{place}": 1.0}) for place in range(EXTRA_METRICS_LIMIT + 3)]
    tally = RunAggregate.of(results, ("v2",), 1, ())
    assert (len(tally.more), len(tally.left_out)) == (EXTRA_METRICS_LIMIT, 3)


def test_a_variant_that_is_not_counted_still_names_its_cases(result_of: Make) -> None:
    tally = RunAggregate.of([result_of("c1", 1.0, "v9")], ("v2",), 1, ("exact",))
    assert list(tally.places) == ["c1"]
    assert tally.variants["v2"].results == 0


def test_a_long_list_of_cases_is_cut_and_counted() -> None:
    names = [f"c{place}" for place in range(LISTED_CASES_LIMIT + 1)]
    assert truncate_case_lists({"better": names, "worse": ["c1"], "metric": "exact"}) == {
        "better": names[:-1],
        "better_in_all": len(names),
        "worse": ["c1"],
        "metric": "exact",
    }


def test_what_is_done_is_a_bit_a_place() -> None:
    done = CompletedItems(20, [3, 19, 3])
    done.add(8)
    assert [place for place in range(20) if place in done] == [3, 8, 19]
    assert len(done) == 3
    assert "3" not in done
