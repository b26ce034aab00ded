"""The rules of datasets, suites and runs."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import pytest
from pydantic import ValidationError

from promptuary.access import store as access_store
from promptuary.core.errors import Conflict, InvalidRequest, NotFound
from promptuary.evaluation.datasets.service import DatasetService
from promptuary.evaluation.execution.executor import RunExecutor
from promptuary.evaluation.runs.request import RunRequest
from promptuary.evaluation.runs.result_store import ResultFilter
from promptuary.evaluation.runs.service import RunService
from promptuary.evaluation.runs.store import RunState
from promptuary.evaluation.suites.service import SuiteService
from promptuary.evaluation.summary_model import VariantRole
from promptuary.registry.service import Registry

Make = Callable[..., Any]
Open = Callable[[], AbstractContextManager[Any]]
GATE = [{"metric": "exact", "not_worse_than": "production", "by": 0.05}]


@pytest.mark.usefixtures("database")
def test_the_same_cases_make_no_second_version(author: Open, cases_of: Make) -> None:
    with author() as unit:
        first = DatasetService(unit).put_version("d", cases_of("a"))
        again = DatasetService(unit).put_version("d", cases_of("a"))
        second = DatasetService(unit).put_version("d", cases_of("b"))
        third = DatasetService(unit).put_version("d", cases_of("a"))

    assert [(put.version.number, put.created) for put in (first, again, second, third)] == [
        (1, True),
        (1, False),
        (2, True),
        (3, True),
    ]
    assert first.version.digest == third.version.digest != second.version.digest


def test_the_order_of_cases_is_part_of_the_digest(author: Open, cases_of: Make) -> None:
    with author() as unit:
        cases = cases_of("a", "b")
        assert DatasetService(unit).put_version("d", cases[::-1]).created
        assert DatasetService(unit).put_version("d", cases).created
        assert DatasetService(unit).list_cases(DatasetService(unit).get("d", 1), 10, None).items == cases[::-1]


def test_a_dataset_needs_a_name_and_cases_of_different_ids(author: Open, cases_of: Make) -> None:
    with author() as unit:
        with pytest.raises(InvalidRequest) as empty:
            DatasetService(unit).put_version("../d", [])
        with pytest.raises(InvalidRequest, match="'c1' is the id of an earlier case"):
            DatasetService(unit).put_version("d", cases_of("a") * 2)
    assert [error.path for error in empty.value.field_errors] == ["name", "cases"]


def test_cases_are_paged_in_their_order(author: Open, cases_of: Make) -> None:
    with author() as unit:
        dataset = DatasetService(unit).put_version("d", cases_of(*"abcde")).version
        first = DatasetService(unit).list_cases(dataset, 2, None)
        second = DatasetService(unit).list_cases(dataset, 2, first.next_cursor)
        last = DatasetService(unit).list_cases(dataset, 2, second.next_cursor)
    ids = [case.id for page in (first, second, last) for case in page.items]
    assert ids == ["c1", "c2", "c3", "c4", "c5"]
    assert last.next_cursor is None


def test_a_suite_with_an_equal_definition_is_not_written(author: Open, suite_of: Make, clock: Any) -> None:
    with author() as unit:
        written = SuiteService(unit).put(suite_of())
        clock.move(seconds=1)
        again = SuiteService(unit).put(suite_of())
        changed = SuiteService(unit).put(suite_of(repeats=2))
    assert written == again
    assert changed.digest != written.digest
    assert changed.updated_at == clock()


def test_a_stored_suite_names_a_stored_dataset(author: Open, suite_of: Make) -> None:
    with author() as unit, pytest.raises(InvalidRequest, match="stored dataset"):
        SuiteService(unit).put(suite_of(dataset="datasets/words.jsonl"))


def test_a_plan_is_decided_when_the_run_is_submitted(
    create_words_suite: Make, submit_run: Make, author: Open, content_of: Make
) -> None:
    create_words_suite(versions=("{{text}}", "{{text}}!"), gate=GATE)

    run = submit_run()
    with author() as unit:
        Registry(unit).register("word", content_of("{{text}}?"), labels=("production",))

    assert [(variant.name, variant.role, variant.version, variant.references) for variant in run.plan.variants] == [
        ("v2", VariantRole.CANDIDATE, 2, ("latest",)),
        ("v1", VariantRole.BASELINE, 1, ("production",)),
    ]
    assert (run.state, run.total, run.done) == (RunState.QUEUED, 4, 0)
    with author() as unit:
        assert RunService(unit).get(run.id) == run


def test_variants_under_several_models_have_distinct_names(create_words_suite: Make, submit_run: Make) -> None:
    create_words_suite(versions=("{{text}}", "{{text}}!"), gate=GATE)

    run = submit_run(models=["echo:", "echo:b"], repeats=3)

    assert [variant.name for variant in run.plan.variants] == ["v2·echo:", "v2·echo:b", "v1·echo:", "v1·echo:b"]
    assert run.total == 2 * 4 * 3
    assert run.plan.suite["repeats"] == 3


def test_a_candidate_in_production_is_its_own_baseline(create_words_suite: Make, submit_run: Make) -> None:
    create_words_suite(gate=GATE)

    (only,) = submit_run().plan.variants

    assert (only.role, only.references) == (VariantRole.CANDIDATE, ("latest", "production"))


def test_a_baseline_may_be_a_version_a_label_or_both(create_words_suite: Make, submit_run: Make) -> None:
    create_words_suite(versions=("{{text}}", "{{text}}!", "{{text}}?"), gate=GATE)

    by_number = submit_run(baseline=2)
    by_label = submit_run(version=2, baseline="latest")

    assert [(variant.name, variant.references) for variant in by_number.plan.variants] == [
        ("v3", ("latest",)),
        ("v2", ("version 2",)),
        ("v1", ("production",)),
    ]
    assert [(variant.name, variant.role.value) for variant in by_label.plan.variants] == [
        ("v2", "candidate"),
        ("v3", "baseline"),
        ("v1", "baseline"),
    ]


def test_a_label_that_only_the_gate_names_may_be_missing(create_words_suite: Make, finish_run: Make) -> None:
    create_words_suite(gate=[{"metric": "exact", "not_worse_than": "live", "by": 0.05}])

    run = finish_run()

    assert run.plan.missing == ("live",)
    assert run.verdict == "inconclusive"


def test_what_a_request_names_must_exist(create_words_suite: Make, submit_run: Make, author: Open) -> None:
    create_words_suite()
    for changes in ({"label": "live"}, {"version": 9}, {"baseline": "live"}, {"baseline": 9}, {"dataset_version": 9}):
        with pytest.raises(NotFound):
            submit_run(**changes)
    with author() as unit, pytest.raises(NotFound, match="no suite"):
        RunService(unit).submit(RunRequest(suite="others"))
    with author() as unit:
        assert RunService(unit).list_runs(10, None).items == []


def test_a_run_accepts_what_a_suite_accepts(create_words_suite: Make, submit_run: Make) -> None:
    create_words_suite()
    with pytest.raises(InvalidRequest, match="not more than one"):
        submit_run(label="latest", version=1)
    with pytest.raises(InvalidRequest, match="known provider"):
        submit_run(models=["nowhere:model"])
    with pytest.raises(ValidationError, match="repeats"):
        submit_run(repeats=101)


def test_a_run_that_is_too_large_is_refused(
    create_words_suite: Make, submit_run: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    create_words_suite()
    monkeypatch.setattr("promptuary.evaluation.runs.service.RESULTS_LIMIT", 3)
    with pytest.raises(InvalidRequest, match="would have 4 results"):
        submit_run(repeats=2)


def test_results_come_with_their_cases_in_the_files_order(create_words_suite: Make, finish_run: Make, author: Open) -> None:
    create_words_suite("yes", "no", "yes", versions=("{{text}}", "{{text}}!"), gate=GATE)
    run = finish_run()

    with author() as unit:
        first = RunService(unit).list_results(run.id, 4, None)
        rest = RunService(unit).list_results(run.id, 4, first.next_cursor)
        failed = RunService(unit).list_results(run.id, 10, None, ResultFilter(variant="v1", passed=False))
    items = [*first.items, *rest.items]
    assert [(item.case.id, item.result.variant) for item in items] == [
        (case, variant) for case in ("c1", "c2", "c3") for variant in ("v2", "v1")
    ]
    assert all(item.case.id == item.result.case for item in items)
    assert [(item.case.vars, item.case.expected) for item in failed.items] == [({"text": "no"}, "yes")]


def test_a_run_is_cancelled_once(create_words_suite: Make, submit_run: Make, author: Open, executor: RunExecutor) -> None:
    create_words_suite()
    run = submit_run()
    with author() as unit:
        assert RunService(unit).cancel(run.id).state is RunState.CANCELLED
    with author() as unit, pytest.raises(Conflict, match="cancelled already"):
        RunService(unit).cancel(run.id)
    assert executor.lease("w1") is None


def test_a_finished_run_cannot_be_cancelled(create_words_suite: Make, finish_run: Make, author: Open) -> None:
    create_words_suite()
    run = finish_run()
    with author() as unit, pytest.raises(Conflict, match="finished already"):
        RunService(unit).cancel(run.id)


def test_a_process_can_lease_a_run_for_itself(
    create_words_suite: Make, submit_run: Make, author: Open, executor: RunExecutor, clock: Any
) -> None:
    create_words_suite()
    with author() as unit:
        run = RunService(unit).lease(RunService(unit).submit(RunRequest(suite="words")).id, "cli")
    assert executor.lease("w1") is None
    with author() as unit, pytest.raises(Conflict, match="being executed by cli"):
        RunService(unit).lease(run.id, "other")
    clock.move(minutes=2)
    with author() as unit:
        resumed = RunService(unit).lease(run.id, "other")
    assert executor.execute(resumed).state is RunState.FINISHED
    with author() as unit, pytest.raises(Conflict, match="finished already"):
        RunService(unit).lease(run.id, "other")


def test_two_runs_are_compared_on_the_cases_that_they_share(
    create_words_suite: Make, finish_run: Make, author: Open, cases_of: Make, content_of: Make
) -> None:
    create_words_suite(*["yes"] * 10)
    before = finish_run()
    with author() as unit:
        Registry(unit).register("word", content_of("{{text}}!"))
        DatasetService(unit).put_version("words", cases_of(*["yes"] * 8))
    after = finish_run()

    with author() as unit:
        comparison = RunService(unit).compare(after.id, before.id)
        same = RunService(unit).compare(before.id, before.id)

    assert (comparison.cases, comparison.same_dataset) == (8, False)
    assert [compared.metric for compared in comparison.comparisons] == ["exact", "pass", "score"]
    exact = comparison.comparisons[0]
    assert exact.interval is not None
    assert (exact.candidate, exact.baseline, exact.interval.estimate) == ("v2", "v1", -1.0)
    assert exact.worse == tuple(f"c{number}" for number in range(1, 9))
    assert same.comparisons[0].interval is not None
    assert same.comparisons[0].interval.estimate == 0.0


def test_runs_without_anything_in_common_are_not_compared(
    create_words_suite: Make, finish_run: Make, submit_run: Make, author: Open
) -> None:
    create_words_suite()
    first, second, queued = finish_run(), finish_run(models=["echo:b"]), submit_run()
    with author() as unit:
        with pytest.raises(Conflict, match="share no model"):
            RunService(unit).compare(first.id, second.id)
        with pytest.raises(Conflict, match="queued; only finished"):
            RunService(unit).compare(first.id, queued.id)
        with pytest.raises(NotFound):
            RunService(unit).compare(first.id, "run_0")


def test_every_change_is_in_the_audit_chain(create_words_suite: Make, submit_run: Make, author: Open) -> None:
    create_words_suite()
    run = submit_run()
    with author() as unit:
        RunService(unit).cancel(run.id)
        entries = access_store.list_entries(unit.session, unit.caller.project, None, 100)
    actions = [(entry.action, entry.subject) for entry in entries]
    assert actions[-4:] == [
        ("dataset.versioned", "words"),
        ("suite.written", "words"),
        ("run.submitted", run.id),
        ("run.cancelled", run.id),
    ]
