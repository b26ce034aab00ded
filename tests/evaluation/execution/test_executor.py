"""Runs from their lease to their verdict, with the echo model: an output is the rendered prompt."""

import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from promptuary.access import audit
from promptuary.core import outbox
from promptuary.core.errors import Unavailable
from promptuary.evaluation.datasets.case_schema import CaseIn
from promptuary.evaluation.datasets.service import DatasetService
from promptuary.evaluation.execution.executor import RunExecutor
from promptuary.evaluation.execution.lease import MAX_LEASES, RunLeases
from promptuary.evaluation.execution.result_loop import Progress
from promptuary.evaluation.runs import store
from promptuary.evaluation.runs.service import RunService
from promptuary.evaluation.runs.store import Run, RunState
from promptuary.evaluation.summary_model import MetricSummary
from promptuary.evaluation.tracking.topic import TRACKING_TOPIC
from promptuary.prompt.content import Content
from promptuary.registry.service import Registry

Open = Callable[[], AbstractContextManager[Any]]


def leased(executor: RunExecutor) -> Run:
    run = executor.lease("w1")
    assert run is not None
    return run


@pytest.mark.usefixtures("database")
def test_a_run_is_executed_from_the_suite_to_the_verdict(
    create_words_suite: Callable[..., None], submit_run: Callable[..., Run], executor: RunExecutor, author: Open
) -> None:
    create_words_suite(*["yes"] * 30, gate=[{"metric": "exact", "at_least": 0.8}])
    submit_run()
    reported: list[Progress] = []

    run = executor.execute(leased(executor), reported.append)

    assert (run.state, run.verdict, run.done, run.total) == (RunState.FINISHED, "pass", 30, 30)
    assert reported[0] == Progress(0, 30, 0)
    assert reported[-1] == Progress(30, 30, 0)
    with author() as unit:
        results = RunService(unit).list_results(run.id, 200, None).items
        assert [item.result.ordinal for item in results] == list(range(30))
        assert {item.result.output for item in results} == {"yes"}
        assert outbox.count_pending(unit.session, TRACKING_TOPIC) == 1
        assert audit.verify_chain(unit.session, unit.caller.project).broken_at is None


def test_cases_are_scored_by_their_own_scorers_too(
    create_words_suite: Callable[..., None], submit_run: Callable[..., Run], executor: RunExecutor, author: Open
) -> None:
    create_words_suite("yes", threshold=0.5)
    own = {"assert": [{"type": "contains", "value": "e", "name": "tone"}, {"type": "starts-with", "value": "n"}]}
    bodies: list[dict[str, Any]] = [
        {"id": "a", "vars": {"text": "yes"}, "expected": "yes", **own},
        {"id": "b", "vars": {"text": "maybe"}, "expected": "yes", **own, "threshold": 0.3},
        {"id": "c", "vars": {"text": "no"}, "expected": "yes"},
    ]
    with author() as unit:
        DatasetService(unit).put_version("words", [CaseIn.model_validate(body).case() for body in bodies])
    submit_run()

    run = executor.execute(leased(executor))

    with author() as unit:
        results = [item.result for item in RunService(unit).list_results(run.id, 200, None).items]
    assert [(result.passed, round(result.score or 0, 3), result.metrics) for result in results] == [
        (True, 0.667, {"exact": 1.0, "tone": 1.0}),
        (True, 0.333, {"exact": 0.0, "tone": 1.0}),
        (False, 0.0, {"exact": 0.0}),
    ]
    assert list(results[0].detail["scores"]) == ["exact", "tone", "starts-with"]
    assert run.summary is not None
    assert (run.summary.metrics, run.summary.metrics_left_out) == (("exact", "tone", "pass", "score"), 0)
    figures = run.summary.variants[0].metrics
    assert (figures["tone"].scored, figures["tone"].unscored, figures["exact"].scored) == (2, 0, 3)


def test_a_regression_against_production_is_found(
    create_words_suite: Callable[..., None], submit_run: Callable[..., Run], executor: RunExecutor
) -> None:
    gate = [{"metric": "exact", "not_worse_than": "production", "by": 0.02}]
    create_words_suite(*["yes"] * 40, versions=("{{text}}", "{{text}}!"), gate=gate)
    submit_run()

    run = executor.execute(leased(executor))

    assert run.verdict == "regression"
    assert run.summary is not None
    assert [variant.name for variant in run.summary.variants] == ["v2", "v1"]
    (gate,) = run.summary.gates
    assert gate.interval is not None
    assert (gate.candidate, gate.baseline, gate.interval.estimate) == ("v2", "v1", -1.0)


def test_a_model_that_cannot_be_set_up_is_infrastructure_and_no_zero(
    create_words_suite: Callable[..., None], submit_run: Callable[..., Run], executor: RunExecutor
) -> None:
    class Refusing:
        def chat(self, name: str, config: Any) -> Any:
            raise RuntimeError("no key")

    create_words_suite("yes", gate=[{"metric": "exact", "at_least": 0.5}])
    submit_run()

    run = executor_with(executor, models=Refusing()).execute(leased(executor))

    assert (run.state, run.verdict) == (RunState.FINISHED, "infrastructure")
    assert run.summary is not None
    assert run.summary.variants[0].metrics["exact"] == MetricSummary(interval=None, scored=0, unscored=1)


@pytest.mark.usefixtures("database")
def test_a_resumed_run_skips_what_is_done(
    create_words_suite: Callable[..., None],
    submit_run: Callable[..., Run],
    executor: RunExecutor,
    clock: Any,
    author: Open,
    result_of: Callable[..., Any],
) -> None:
    create_words_suite("yes", "yes", "yes")
    submit_run()
    first = leased(executor)
    with author() as unit:
        earlier = result_of("c2", 0.0, ordinal=1, output="from before")
        assert store.add_results(unit.session, first, [earlier], clock() + timedelta(seconds=60))
    assert executor.lease("w2") is None
    clock.move(seconds=61)

    run = executor.execute(leased(executor))

    assert (run.fence, run.state, run.done) == (2, RunState.FINISHED, 3)
    with author() as unit:
        outputs = [item.result.output for item in RunService(unit).list_results(run.id, 10, None).items]
    assert outputs == ["yes", "from before", "yes"]


@pytest.mark.usefixtures("database")
def test_a_late_worker_writes_nothing(
    create_words_suite: Callable[..., None], submit_run: Callable[..., Run], executor: RunExecutor, clock: Any, author: Open
) -> None:
    create_words_suite("yes")
    submit_run()
    late = leased(executor)
    clock.move(seconds=61)
    current = leased(executor)

    current_run = executor.execute(late)

    assert (current_run.state, current_run.fence, current_run.done) == (RunState.RUNNING, 2, 0)
    with author() as unit:
        assert store.list_results(unit.session, late.id) == []
    assert executor.execute(current).state is RunState.FINISHED


def test_a_run_cancelled_while_it_is_done_stops(
    create_words_suite: Callable[..., None], submit_run: Callable[..., Run], executor: RunExecutor, author: Open
) -> None:
    create_words_suite(*["yes"] * 50)
    submit_run()
    run = leased(executor)

    def cancel(progress: Progress) -> None:
        if progress.done:
            with author() as unit:
                if not RunService(unit).get(run.id).state.over:
                    RunService(unit).cancel(run.id)

    current_run = executor.execute(run, cancel)

    assert (current_run.state, current_run.verdict, current_run.summary) == (RunState.CANCELLED, None, None)
    assert current_run.done < 50
    with author() as unit:
        assert outbox.count_pending(unit.session, TRACKING_TOPIC) == 0


def test_a_stopped_process_releases_its_run(
    create_words_suite: Callable[..., None], submit_run: Callable[..., Run], executor: RunExecutor
) -> None:
    create_words_suite(*["yes"] * 50)
    submit_run()
    stop = threading.Event()
    stop.set()

    current_run = executor.execute(leased(executor), stop=stop)

    assert (current_run.state, current_run.lease_until) == (RunState.QUEUED, None)
    assert 0 < current_run.done < 50
    assert executor.execute(leased(executor)).state is RunState.FINISHED


def test_an_interrupt_releases_the_run_and_is_raised(
    create_words_suite: Callable[..., None], submit_run: Callable[..., Run], executor: RunExecutor
) -> None:
    create_words_suite("yes")
    submit_run()

    def interrupt(_: Progress) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        executor.execute(leased(executor), interrupt)

    assert leased(executor).fence == 2


def test_a_run_that_cannot_be_executed_fails_with_its_reason(
    create_words_suite: Callable[..., None], submit_run: Callable[..., Run], executor: RunExecutor
) -> None:
    create_words_suite("yes")
    submit_run()
    run = leased(executor)
    variant = replace(run.plan.variants[0], version=7)

    current_run = executor.execute(replace(run, plan=replace(run.plan, variants=(variant,))))

    assert current_run.state is RunState.FAILED
    assert "version 7 of 'word'" in (current_run.error or "")


@pytest.mark.parametrize("on", [True, False])
@pytest.mark.usefixtures("sqlite")
def test_a_jinja2_version_is_evaluated_only_where_jinja2_is_enabled(
    create_words_suite: Callable[..., None],
    submit_run: Callable[..., Run],
    executor: RunExecutor,
    author: Open,
    settings: Any,
    on: bool,
) -> None:
    create_words_suite()
    content = Content(type="text", template="{{ text|lower }}", format="jinja2")
    with_jinja2 = settings.model_copy(update={"jinja2": True})
    with author() as unit:
        Registry(replace(unit, settings=with_jinja2)).register("word", content, labels=("production",))
    submit_run()
    executor = replace(executor, settings=with_jinja2) if on else executor
    run = executor.execute(leased(executor))
    if on:
        assert (run.state, run.done) == (RunState.FINISHED, 2)
    else:
        assert run.state is RunState.FAILED
        assert "jinja2 is off here" in (run.error or "")


def test_a_run_is_released_when_the_database_does_not_answer(
    create_words_suite: Callable[..., None],
    submit_run: Callable[..., Run],
    executor: RunExecutor,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    create_words_suite("yes")
    submit_run()
    run = leased(executor)

    def unavailable(*_: Any) -> Any:
        raise Unavailable("the database does not answer")

    with monkeypatch.context() as patch:
        patch.setattr(store, "completed_ordinals", unavailable)
        with pytest.raises(Unavailable):
            executor.execute(run)

    assert leased(executor).id == run.id


def test_a_run_that_kills_every_worker_fails_in_the_end(
    create_words_suite: Callable[..., None], submit_run: Callable[..., Run], executor: RunExecutor, clock: Any, author: Open
) -> None:
    create_words_suite("yes")
    run = submit_run()
    for _ in range(MAX_LEASES):
        leased(executor)
        clock.move(seconds=61)

    assert executor.lease("w1") is None

    with author() as unit:
        assert RunService(unit).get(run.id).state is RunState.FAILED


def test_a_lost_lease_is_noticed_at_the_next_heartbeat(
    create_words_suite: Callable[..., None], submit_run: Callable[..., Run], executor: RunExecutor, author: Open
) -> None:
    create_words_suite("yes")
    submit_run()
    run = leased(executor)
    beat = threading.Event()

    def pause(ended: threading.Event, seconds: float) -> bool:
        assert seconds == 20
        return not beat.wait(60)  # the heartbeat comes when the test lets it

    leases = RunLeases(executor.database, executor.clock, 60, pause)
    with leases.keep(run) as lost:
        with author() as unit:
            RunService(unit).cancel(run.id)
        assert not lost.is_set()
        beat.set()
        assert lost.wait(60)


def executor_with(executor: RunExecutor, **changes: Any) -> RunExecutor:
    return replace(executor, **changes)


def create_early_stop_suite(
    create_words_suite: Callable[..., None], texts: list[str], at_least: float = 0.5, **more: Any
) -> None:
    create_words_suite(*texts, gate=[{"metric": "exact", "at_least": at_least}], early_stop=True, concurrency=4, **more)


def test_a_run_that_may_stop_early_stops_once_its_gate_is_decided(
    create_words_suite: Callable[..., None], submit_run: Callable[..., Run], executor: RunExecutor
) -> None:
    create_early_stop_suite(create_words_suite, ["yes"] * 600)
    submit_run()

    run = executor.execute(leased(executor))

    assert (run.state, run.verdict) == (RunState.FINISHED, "pass")
    assert run.done < run.total == 600
    assert run.summary is not None
    assert run.summary.stopped_early is True
    (gate,) = run.summary.gates
    assert gate.interval is not None
    assert (gate.verdict, gate.interval.method) == ("pass", "betting-sequence")
    assert gate.interval.n <= run.done


def test_a_run_without_an_early_decision_is_judged_by_the_sequence_too(
    create_words_suite: Callable[..., None], submit_run: Callable[..., Run], executor: RunExecutor
) -> None:
    create_early_stop_suite(create_words_suite, ["yes", "no"] * 20)
    submit_run()

    run = executor.execute(leased(executor))

    assert (run.verdict, run.done) == ("inconclusive", 40)
    assert run.summary is not None
    (gate,) = run.summary.gates
    assert gate.interval is not None
    assert (run.summary.stopped_early, gate.interval.n) == (False, 40)


def test_a_resumed_run_keeps_its_case_order_and_counts_earlier_results(
    create_words_suite: Callable[..., None], submit_run: Callable[..., Run], executor: RunExecutor, clock: Any
) -> None:
    create_early_stop_suite(create_words_suite, ["yes"] * 600, at_least=0.9)
    submit_run()
    stop = threading.Event()
    interrupted = executor.execute(leased(executor), lambda progress: stop.set() if progress.done else None, stop)
    assert (interrupted.state, 0 < interrupted.done < 40) == (RunState.QUEUED, True)

    run = executor.execute(leased(executor))

    assert (run.verdict, run.summary is not None and run.summary.stopped_early) == ("pass", True)
    assert interrupted.done < run.done < 600


def test_a_decided_gate_finishes_a_run_under_a_cost_limit(
    create_words_suite: Callable[..., None], submit_run: Callable[..., Run], executor: RunExecutor
) -> None:
    create_early_stop_suite(create_words_suite, ["yes"] * 600)
    submit_run(max_cost=5.0)

    run = executor.execute(leased(executor))

    assert (run.state, run.verdict, run.done < 600) == (RunState.FINISHED, "pass", True)
