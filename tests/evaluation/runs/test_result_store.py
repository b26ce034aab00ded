"""Looking for results among many: every filter, every order, and pages that neither skip nor repeat."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from factories.summaries import make_empty_summary
from promptuary.core.errors import InvalidCursor
from promptuary.evaluation.case import Case
from promptuary.evaluation.datasets.service import DatasetService
from promptuary.evaluation.plan import CaseResult
from promptuary.evaluation.runs import store
from promptuary.evaluation.runs.request import RunRequest
from promptuary.evaluation.runs.result_store import BINS, ResultFilter, ResultOrder
from promptuary.evaluation.runs.service import RunService
from promptuary.evaluation.runs.store import RunOutcome, RunState
from promptuary.evaluation.suites.service import SuiteService
from promptuary.registry.service import Registry
from promptuary.statistics.verdict import Verdict

Make = Callable[..., Any]
Open = Callable[[], AbstractContextManager[Any]]
CASES = [
    Case("c1", {"text": "der Bär"}, "yes", cluster="north", tags=("animal", "short")),
    Case("c2", {"text": "100% of it"}, "yes", cluster="north"),
    Case("c3", {"text": "plain"}, "yes", cluster="south", tags=("short",)),
    Case("c4", {"text": "vars"}, "yes"),
]
SCORES = {"v1": (1.0, 0.0, 0.5, None), "v2": (1.0, 1.0, 0.25, None)}


@pytest.fixture
def run(author: Open, content_of: Make, suite_of: Make, clock: Any) -> str:
    """A run of four cases under two variants: two that both agree on, one that differs, and one without a verdict."""
    return scored_run(author, content_of, suite_of, clock, CASES)


def scored_run(author: Open, content_of: Make, suite_of: Make, clock: Any, cases: list[Case]) -> str:
    with author() as unit:
        for template in ("{{text}}", "{{text}}!"):
            Registry(unit).register("word", content_of(template))
        DatasetService(unit).put_version("words", cases)
        SuiteService(unit).put(suite_of())
        run = RunService(unit).submit(RunRequest(suite="words", versions=[1, 2]))
        leased = store.lease_run(unit.session, "w1", clock(), clock() + timedelta(minutes=1), run.id)
        assert leased is not None
        store.add_results(unit.session, leased, [_result(clock, *place) for place in _places()], clock() + timedelta(minutes=1))
    return str(run.id)


def _places() -> list[tuple[int, str, int]]:
    return [(number * 2 + side, variant, number) for number in range(4) for side, variant in enumerate(("v1", "v2"))]


def _result(clock: Any, ordinal: int, variant: str, number: int) -> CaseResult:
    score = SCORES[variant][number]
    broken = score is None
    return CaseResult(
        ordinal=ordinal,
        case=CASES[number].id,
        variant=variant,
        repeat=0,
        output=None if broken else f"Answer {ordinal}",
        passed=None if broken else score == 1.0,
        score=score,
        metrics={"exact": score},
        error="no ANSWER came" if broken else None,
        detail={},
        at=clock(),
        latency_ms=None if broken else 100.0 * (ordinal % 3),
        tokens_output=None if broken else ordinal,
    )


@pytest.fixture
def repeated_run(author: Open, content_of: Make, suite_of: Make, clock: Any) -> str:
    """A run with two repeats of two cases of one cluster: the scores 0 and 1, and the scores 1 and none."""
    until = clock() + timedelta(minutes=1)
    with author() as unit:
        Registry(unit).register("word", content_of("{{text}}"))
        DatasetService(unit).put_version("words", CASES[:2])
        SuiteService(unit).put(suite_of(repeats=2))
        run = RunService(unit).submit(RunRequest(suite="words"))
        leased = store.lease_run(unit.session, "w1", clock(), until, run.id)
        assert leased is not None
        results = [
            replace(_result(clock, ordinal, "v1", ordinal // 2), repeat=ordinal % 2, score=score, passed=None)
            for ordinal, score in enumerate((0.0, 1.0, 1.0, None))
        ]
        store.add_results(unit.session, leased, results, until)
    return run.id


@pytest.fixture
def list_ordinals(author: Open, run: str) -> Make:
    """List the places in the plan of the selected results, read page by page of a size."""

    def ordinals(size: int = 100, **selector: Any) -> list[int]:
        result, cursor = [], None
        with author() as unit:
            while True:
                page = RunService(unit).list_results(run, size, cursor, ResultFilter(**selector))
                result += [item.result.ordinal for item in page.items]
                assert all(item.case.id == item.result.case for item in page.items)
                cursor = page.next_cursor
                if cursor is None:
                    return result

    return ordinals


@pytest.mark.usefixtures("database")
@pytest.mark.parametrize(
    ("selector", "places"),
    [
        ({}, list(range(8))),
        ({"variant": "v2"}, [1, 3, 5, 7]),
        ({"passed": True}, [0, 1, 3]),
        ({"passed": False}, [2, 4, 5]),
        ({"errors": True}, [6, 7]),
        ({"case": "c2"}, [2, 3]),
        ({"tag": "short"}, [0, 1, 4, 5]),
        ({"tag": "shor"}, []),
        ({"search": "bär"}, [0, 1]),
        ({"search": "0%"}, [2, 3]),
        ({"search": "answer 4"}, [4]),
        ({"search": "no answer"}, [6, 7]),
        ({"search": "C3"}, [4, 5]),
        ({"search": "cluster"}, []),
        ({"at_most": 0.5}, [2, 4, 5]),
        ({"metric": "exact", "at_least": 0.5, "at_most": 0.5}, [4]),
        ({"metric": "pass", "at_least": 1.0}, [0, 1, 3]),
        ({"differing": True}, [2, 3]),
        ({"differing": True, "variant": "v1"}, [2]),
    ],
)
def test_results_are_selected_by_text_verdict_and_score(
    list_ordinals: Make, selector: dict[str, Any], places: list[int]
) -> None:
    assert list_ordinals(**selector) == places


@pytest.mark.usefixtures("database")
@pytest.mark.parametrize("size", [1, 2, 3, 100])
@pytest.mark.parametrize(
    ("order", "places"),
    [
        (ResultOrder.FILE, [0, 1, 2, 3, 4, 5, 6, 7]),
        (ResultOrder.SCORE, [2, 5, 4, 0, 1, 3, 6, 7]),
        (ResultOrder.LATENCY, [2, 5, 1, 4, 0, 3, 6, 7]),
        (ResultOrder.TOKENS, [5, 4, 3, 2, 1, 0, 6, 7]),
        (ResultOrder.COST, [0, 1, 2, 3, 4, 5, 6, 7]),
    ],
)
def test_every_order_is_paged_without_a_gap_and_unknown_values_come_last(
    list_ordinals: Make, order: ResultOrder, places: list[int], size: int
) -> None:
    assert list_ordinals(size, order=order) == places


def test_a_cursor_of_another_order_is_refused(author: Open, run: str) -> None:
    with author() as unit:
        cursor = RunService(unit).list_results(run, 1, None, ResultFilter()).next_cursor
        with pytest.raises(InvalidCursor):
            RunService(unit).list_results(run, 1, cursor, ResultFilter(order=ResultOrder.SCORE))
        cursor = RunService(unit).list_results(run, 1, None, ResultFilter(order=ResultOrder.SCORE)).next_cursor
        with pytest.raises(InvalidCursor):
            RunService(unit).list_results(run, 1, cursor, ResultFilter())


@pytest.mark.usefixtures("database")
def test_a_histogram_counts_known_scores_and_includes_one(author: Open, run: str) -> None:
    with author() as unit:
        distribution = RunService(unit).distribution(run, "exact")
    assert [(histogram.variant, sum(histogram.counts)) for histogram in distribution.histograms] == [("v1", 3), ("v2", 3)]
    assert [number for number, count in enumerate(distribution.histograms[0].counts) if count] == [0, BINS // 2, BINS - 1]
    assert distribution.histograms[1].counts[-1] == 2


@pytest.mark.usefixtures("database")
def test_clusters_have_a_mean_under_every_variant(author: Open, run: str) -> None:
    with author() as unit:
        distribution = RunService(unit).distribution(run, "score")
    assert [(mean.cluster, mean.variant, mean.mean, mean.results) for mean in distribution.means] == [
        ("north", "v1", 0.5, 2),
        ("north", "v2", 1.0, 2),
        ("south", "v1", 0.5, 1),
        ("south", "v2", 0.25, 1),
    ]
    assert distribution.clusters == 2


@pytest.mark.usefixtures("database")
def test_the_mean_of_a_cluster_counts_cases_by_their_weights(
    author: Open, content_of: Make, suite_of: Make, clock: Any
) -> None:
    weighted = [replace(CASES[0], weight=9.0), *CASES[1:]]
    run = scored_run(author, content_of, suite_of, clock, weighted)
    with author() as unit:
        distribution = RunService(unit).distribution(run, "score")
        results = RunService(unit).list_results(run, 10, None, ResultFilter()).items
    means = {(mean.cluster, mean.variant): mean.mean for mean in distribution.means}
    assert means["north", "v1"] == pytest.approx(0.9)
    assert means["south", "v1"] == pytest.approx(0.5)
    assert {result.case.id: result.case.weight for result in results} == {"c1": 9.0, "c2": 1.0, "c3": 1.0, "c4": 1.0}


@pytest.mark.usefixtures("database")
def test_a_distribution_averages_the_repeats_of_a_case(author: Open, repeated_run: str) -> None:
    with author() as unit:
        distribution = RunService(unit).distribution(repeated_run, "score")

    (histogram,) = distribution.histograms
    assert [(number, count) for number, count in enumerate(histogram.counts) if count] == [(BINS // 2, 1), (BINS - 1, 1)]
    # c1 has the scores 0 and 1, c2 has 1 and no second one: the mean over cases, not over results.
    (north,) = distribution.means
    assert (north.cluster, north.mean, north.results) == ("north", 0.75, 3)


def test_the_routes_select_results_and_return_their_distribution(local: Any, run: str) -> None:
    page = local.get(f"/v1/runs/{run}/results", params={"search": "BÄR".lower(), "order": "score"}).json()
    assert [(item["case"], item["variant"], item["cluster"]) for item in page["items"]] == [
        ("c1", "v1", "north"),
        ("c1", "v2", "north"),
    ]
    spread = local.get(f"/v1/runs/{run}/distribution").json()
    assert (spread["metric"], len(spread["spreads"]), spread["clusters"]) == ("score", 2, 2)
    assert local.get(f"/v1/runs/{run}/results", params={"order": "luck"}).status_code == 422
    assert local.get(f"/v1/runs/{run}/distribution", params={"metric": 'a"b'}).status_code == 422
    assert local.get(f"/v1/runs/{run}/results", params={"at_most": "nan"}).status_code == 422


def test_runs_are_listed_by_verdict(local: Any, run: str, author: Open, clock: Any) -> None:
    with author() as unit:
        leased = replace(RunService(unit).get(run), fence=1)
        assert store.finish_run(
            unit.session, leased, RunOutcome(RunState.FINISHED, make_empty_summary(Verdict.REGRESSION)), clock()
        )
    assert [item["id"] for item in local.get("/v1/runs?verdict=regression").json()["items"]] == [run]
    assert local.get("/v1/runs?verdict=pass").json()["items"] == []
