"""Sampled calls that become cases of a dataset, and of runs."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from factories.clock import ManualClock
from factories.sampled_calls import StoreCalls, StoredCall
from promptuary.access.role import Role
from promptuary.core.errors import Forbidden, InvalidRequest, NotFound
from promptuary.evaluation.case import Case
from promptuary.evaluation.datasets import store as dataset_store
from promptuary.evaluation.datasets.service import DatasetService
from promptuary.evaluation.execution.executor import RunExecutor
from promptuary.evaluation.runs.request import RunRequest
from promptuary.evaluation.runs.store import Run
from promptuary.prompt.content import Content
from promptuary.registry import store as registry_store
from promptuary.registry import version_store
from promptuary.registry.service import Registry
from promptuary.statistics.weighted import weighted_mean
from promptuary.traffic.calls.model_call import CallStatus
from promptuary.traffic.replay.selection import CallSelection
from promptuary.traffic.replay.service import TrafficReplay
from promptuary.traffic.tables import Stratum

pytestmark = pytest.mark.usefixtures("database")
SCORERS = [{"type": "equals", "value": "yes", "name": "exact"}]
YES = StoredCall("call-1", {"text": "yes"}, "yes", probability=0.05)


@pytest.fixture
def week(clock: ManualClock) -> CallSelection:
    """All calls of the last seven days."""
    return CallSelection(clock.now - timedelta(days=7), clock.now + timedelta(hours=1))


@pytest.fixture
def add(author: Callable[..., Any], week: CallSelection) -> Callable[..., tuple[Any, list[Case]]]:
    """Add the week's calls to the dataset `real`; return what became of them and the newest version's cases."""

    def add_calls(selection: CallSelection = week) -> tuple[Any, list[Case]]:
        with author() as unit:
            added = TrafficReplay(unit).add_to_dataset("word", "real", selection)
            return added, dataset_store.list_cases(unit.session, added.version.id)

    return add_calls


@pytest.fixture
def replay(author: Callable[..., Any], week: CallSelection, executor: RunExecutor) -> Callable[..., Run]:
    """Run the suite `words` on the week's calls."""

    def run(selection: CallSelection = week, **changes: Any) -> Run:
        with author() as unit:
            queued = TrafficReplay(unit).submit(RunRequest(suite="words", **changes), selection)
        leased = executor.lease("w1")
        assert leased is not None
        assert leased.id == queued.id
        return executor.execute(leased)

    return run


def test_a_call_becomes_a_case_with_its_provenance(create_words_suite: Any, store_calls: StoreCalls, add: Any) -> None:
    create_words_suite()
    store_calls(
        replace(YES, threshold=0.5, user="u1", feedback=0.0, correction="no", stratum=Stratum.LOW_FEEDBACK),
        StoredCall("call-2", {"text": "maybe"}, conversation="c\n1"),
    )
    added, (first, second) = add()
    assert (added.calls, added.added, added.present, dict(added.dropped)) == (2, 2, 0, {})
    assert first.id == "call-1"
    assert first.vars == {"text": "yes"}
    assert first.weight == pytest.approx(1 / 0.025)
    assert first.cluster == "user:u1"
    assert first.tags == ("traffic", "low_feedback")
    assert first.expected is None
    metadata = first.metadata
    assert metadata["probability"] == pytest.approx(0.025)
    assert (metadata["version"], metadata["label"], metadata["production_output"]) == (1, "production", "yes")
    assert metadata["feedback"] == [{"value": 0.0, "correction": "no"}]
    assert second.cluster is not None
    assert second.cluster.startswith("conversation:")
    assert second.weight == 1


def test_the_same_variables_are_one_case_with_the_weights_of_all(
    create_words_suite: Any, store_calls: StoreCalls, add: Any
) -> None:
    create_words_suite()
    store_calls(YES, replace(YES, id="call-2", probability=1.0, user="u1"))
    added, (case,) = add()
    assert case.weight == pytest.approx(21)
    assert case.metadata["calls"] == 2
    assert case.cluster is None
    assert added.added == 1


def test_adding_twice_changes_nothing_and_gold_stays(
    create_words_suite: Any, store_calls: StoreCalls, add: Any, author: Callable[..., Any]
) -> None:
    create_words_suite()
    gold = Case("gold-1", {"text": "yes"}, "no", metadata={"gold": {"decision": 1}})
    with author() as unit:
        DatasetService(unit).put_version("real", [gold])
    store_calls(YES, StoredCall("call-2", {"text": "new"}))
    first, cases = add()
    assert (first.version.number, first.added, first.present) == (2, 1, 1)
    assert cases[0] == gold
    second, same = add()
    assert (second.version.number, second.added, second.present) == (2, 0, 2)
    assert same == cases


def test_only_settled_calls_of_the_time_and_stratum_count(
    create_words_suite: Any, store_calls: StoreCalls, add: Any, week: CallSelection, clock: ManualClock
) -> None:
    create_words_suite()
    store_calls(
        YES,
        StoredCall("waits", {"text": "a"}, is_settled=False),
        StoredCall("old", {"text": "b"}, at=clock.now - timedelta(days=8)),
        StoredCall("low", {"text": "c"}, stratum=Stratum.LOW_FEEDBACK),
        StoredCall("other", {"text": "d"}, version=2, label="staging"),
    )
    _, cases = add(replace(week, stratum=Stratum.LOW_FEEDBACK))
    assert [case.id for case in cases] == ["low"]
    added, _ = add(replace(week, version=2))
    assert added.calls == 1
    added, _ = add(replace(week, label="production"))
    assert added.calls == 2


def test_a_limit_draws_at_random_and_records_the_share(
    create_words_suite: Any, store_calls: StoreCalls, add: Any, week: CallSelection
) -> None:
    create_words_suite()
    store_calls(*(StoredCall(f"call-{number}", {"text": str(number)}, probability=0.5) for number in range(20)))
    _, cases = add(replace(week, limit=5, seed=3))
    assert len(cases) == 5
    assert {case.weight for case in cases} == {8.0}
    more, _ = add(replace(week, limit=10, seed=3))
    assert (more.added, more.present) == (5, 5)


def test_calls_that_make_no_case_are_counted_and_named(create_words_suite: Any, store_calls: StoreCalls, add: Any) -> None:
    create_words_suite()
    store_calls(
        YES,
        StoredCall("bare", None, probability=0.5),
        StoredCall("huge", {"text": 10**400}),
    )
    added, _ = add()
    assert dict(added.dropped) == {"without variables": 1, "with values that no case can have": 1}
    assert added.examples["without variables"] == ["bare"]
    assert added.dropped_share == pytest.approx(3 / 23)


def test_an_unknown_prompt_and_an_empty_time_are_refused(
    create_words_suite: Any, author: Callable[..., Any], week: CallSelection, unit_as: Any
) -> None:
    create_words_suite()
    with author() as unit, pytest.raises(NotFound, match="no prompt 'wrod'"):
        TrafficReplay(unit).add_to_dataset("wrod", "real", week)
    with author() as unit, pytest.raises(InvalidRequest, match="no dataset can be made"):
        TrafficReplay(unit).add_to_dataset("word", "real", week)
    with unit_as(Role.VIEWER) as unit, pytest.raises(Forbidden):
        TrafficReplay(unit).add_to_dataset("word", "real", week)


def test_calls_of_other_projects_are_not_seen(
    create_words_suite: Any, store_calls: StoreCalls, unit_as: Any, week: CallSelection
) -> None:
    create_words_suite()
    store_calls(YES)
    with unit_as("author", "another") as unit:
        Registry(unit).register("word", Content(type="text", template="{{text}}"))
        with pytest.raises(InvalidRequest, match="no dataset can be made"):
            TrafficReplay(unit).add_to_dataset("word", "real", week)


def test_a_candidate_is_compared_with_what_production_answered(
    create_words_suite: Any, store_calls: StoreCalls, replay: Callable[..., Run]
) -> None:
    gate = [{"metric": "exact", "not_worse_than": "production", "by": 0.05}]
    create_words_suite(versions=("{{text}}", "{{text}}!"), scorers=SCORERS, gate=gate)
    right = [replace(YES, id=f"r{number}", conversation=f"c{number}") for number in range(40)]
    wrong = [StoredCall(f"w{number}", {"text": "no"}, "no", conversation=f"c{number}") for number in range(40)]
    store_calls(*right, *wrong)
    run = replay(version=2)
    summary = run.summary
    assert summary is not None
    candidate, production = summary.variants
    assert (production.name, production.role, production.errors, production.version) == ("production", "baseline", 0, None)
    scores, weights = [1.0] * 40 + [0.0] * 40, [20.0] * 40 + [1.0] * 40
    clusters = [f"c{number}" for number in range(40)] * 2
    interval = production.metrics["exact"].interval
    assert interval is not None
    expected = weighted_mean(scores, weights, clusters=clusters)
    assert (interval.low, interval.estimate, interval.high) == pytest.approx((expected.low, expected.estimate, expected.high))
    assert candidate.metrics["exact"].interval.estimate == 0  # type: ignore[union-attr]  # it is there, as above
    (check,) = summary.gates
    assert (check.baseline, check.verdict) == ("production", "regression")
    assert "weighted" in check.sentence
    assert run.plan.traffic is not None
    assert (run.plan.traffic.calls, run.plan.traffic.replayed, dict(run.plan.traffic.dropped)) == (80, 80, {})


def test_each_call_is_a_pair_of_its_own(create_words_suite: Any, store_calls: StoreCalls, replay: Callable[..., Run]) -> None:
    create_words_suite(scorers=SCORERS)
    store_calls(YES, replace(YES, id="call-2", output="no"), StoredCall("call-3", {"text": "no"}, "no"))
    run = replay()
    assert run.plan.dataset.cases == 3
    assert run.summary is not None
    comparison = next(each for each in run.summary.comparisons if each.metric == "exact")
    assert comparison.better == ("call-2",)
    assert comparison.interval is not None
    assert comparison.interval.clusters == 2


def test_what_cannot_be_replayed_is_counted_by_reason(
    create_words_suite: Any, store_calls: StoreCalls, replay: Callable[..., Run], author: Callable[..., Any], unit_as: Any
) -> None:
    create_words_suite(versions=("{{text}}", "{{text}} {{tone}}"), scorers=SCORERS)
    with author() as unit:
        Registry(unit).register("word", Content(type="text", template="{{question}}"))
    with unit_as("operator") as unit:
        record = registry_store.find_prompt(unit.session, unit.caller.project, "word")
        assert record is not None
        version_store.erase_version(unit.session, version_store.version_id(unit.session, record, 2), unit.clock())
    store_calls(
        YES,
        StoredCall("bare", None),
        StoredCall("failed", {"text": "a"}, None, status=CallStatus.ERROR),
        StoredCall("left", {"text": "a"}, "half", status=CallStatus.INCOMPLETE),
        StoredCall("erased", {"text": "b", "tone": "kind"}, version=2),
        StoredCall("renamed", {"ticket": "a"}),
    )
    run = replay(version=1)
    traffic = run.plan.traffic
    assert traffic is not None
    assert (traffic.calls, traffic.replayed) == (6, 1)
    reasons = dict(traffic.dropped)
    assert reasons.pop("without variables") == 1
    assert reasons.pop("without an answer") == 2
    assert reasons.pop("of an erased version") == 1
    assert reasons == {"whose variables do not fit the candidate (no text, but ticket)": 1}
    assert traffic.dropped_share == pytest.approx(5 / 25)
    assert traffic.examples["of an erased version"] == ["erased"]
    with author() as unit, pytest.raises(InvalidRequest) as refused:
        TrafficReplay(unit).submit(RunRequest(suite="words", version=3), replace(_all(unit)))
    assert "no question, but text" in str(refused.value.field_errors)


def _all(unit: Any) -> CallSelection:
    return CallSelection(unit.clock() - timedelta(days=7), unit.clock() + timedelta(hours=1))


def test_other_labels_of_the_gate_are_called_beside_production(
    create_words_suite: Any, store_calls: StoreCalls, replay: Callable[..., Run], author: Callable[..., Any]
) -> None:
    gate = [{"metric": "exact", "not_worse_than": "staging", "by": 0.5}]
    create_words_suite(versions=("{{text}}", "{{text}} "), scorers=SCORERS, gate=gate)
    store_calls(YES, StoredCall("call-2", {"text": "no"}, "yes"))
    run = replay(label="production")
    assert [variant.name for variant in run.plan.variants] == ["v1", "production"]
    assert run.plan.missing == ("staging",)


def test_a_time_without_calls_is_refused(create_words_suite: Any, store_calls: StoreCalls, author: Callable[..., Any]) -> None:
    create_words_suite()
    store_calls(YES)
    with author() as unit, pytest.raises(InvalidRequest) as refused:
        TrafficReplay(unit).submit(RunRequest(suite="words"), replace(_all(unit), version=9))
    assert "has no settled call" in str(refused.value.field_errors)
