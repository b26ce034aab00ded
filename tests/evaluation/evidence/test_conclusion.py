"""What a finished run leaves beside its summary: evidence of its candidates, and alerts where a scheduled one dropped."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Any

import pytest

from promptuary.access import audit
from promptuary.context import store as context_store
from promptuary.context.store import Collection, StoredDocument
from promptuary.core import outbox
from promptuary.evaluation.case import Case
from promptuary.evaluation.datasets.service import DatasetService
from promptuary.evaluation.evidence.builder import list_judges
from promptuary.evaluation.evidence.evidence import ContextEvidence, Evidence
from promptuary.evaluation.evidence.service import list_evidence
from promptuary.evaluation.evidence.store import EvidenceFilter
from promptuary.evaluation.execution.executor import RunExecutor
from promptuary.evaluation.execution.finished_run import FinishedRun, WriteOutcome
from promptuary.evaluation.runs.context_digests import collection_digests
from promptuary.evaluation.runs.service import RunService
from promptuary.evaluation.runs.store import Run, RunState
from promptuary.evaluation.suites.service import SuiteService
from promptuary.models.chat_models import ChatModels
from promptuary.prompt.content import Content
from promptuary.registry.labels import Labels
from promptuary.registry.service import Registry
from promptuary.scheduling.alert_webhook import TOPIC
from promptuary.scheduling.service import AlertService, ScheduleDefinition, ScheduleService
from promptuary.scheduling.store import Alert

Open = Callable[[], AbstractContextManager[Any]]
Lay = Callable[..., None]
FLOOR = [{"metric": "exact", "at_least": 0.5}]
pytestmark = pytest.mark.usefixtures("database")


@pytest.fixture
def do(executor: RunExecutor, submit_run: Callable[..., Run], clock: Any) -> Callable[..., Run]:
    """Submit a run of the suite `words` and do it, a minute after the one before."""

    def done(**more: Any) -> Run:
        clock.move(minutes=1)
        submit_run(**more)
        held = executor.lease("w1")
        assert held is not None
        return executor.execute(held)

    return done


@pytest.fixture
def shown(author: Open) -> Callable[..., list[Evidence]]:
    """Give the evidence that there is."""

    def found(**asked: Any) -> list[Evidence]:
        with author() as unit:
            return list(list_evidence(unit, EvidenceFilter(**asked), 200, None).items)

    return found


@pytest.fixture
def alerts(author: Open) -> Callable[[], list[Alert]]:
    """Give the alerts that there are, the oldest first."""

    def found() -> list[Alert]:
        with author() as unit:
            return list(reversed(AlertService(unit).list_alerts(200, None).items))

    return found


def scheduled(author: Open, **changes: Any) -> None:
    with author() as unit:
        ScheduleService(unit).put("nightly", ScheduleDefinition("words", "0 3 * * *", label="production", **changes))


def serve(author: Open, version: int) -> None:
    with author() as unit:
        Labels(unit).move("word", "production", version, "to try it")


def test_a_finished_run_shows_each_candidate_with_what_it_rests_on(
    create_words_suite: Lay, do: Callable[..., Run], shown: Callable[..., list[Evidence]], clock: Any
) -> None:
    create_words_suite(*["yes"] * 20, versions=("{{text}}", "{{text}}!"), gate=FLOOR)

    run = do(versions=[2, 1], baseline=1)

    rows = {row.variant: row for row in shown()}
    assert set(rows) == {"v2", "v1"}
    good, bad = rows["v1"], rows["v2"]
    assert (good.verdict, bad.verdict, run.verdict) == ("pass", "regression", "regression")
    assert [gate.candidate for gate in bad.gates] == ["v2"]
    assert good.digest == next(variant.digest for variant in run.plan.variants if variant.name == "v1")
    assert (good.run, good.prompt, good.version, good.model, good.suite) == (run.id, "word", 1, "echo:", "words")
    assert (good.suite_digest, good.dataset_digest) == (run.plan.suite_digest, run.plan.dataset.digest)
    assert (good.judges, good.context, good.at) == ((), None, clock())
    assert [row.variant for row in shown(digest=bad.digest)] == ["v2"]
    assert [row.variant for row in shown(prompt="word", version=1)] == ["v1"]
    assert shown(suite="other") == shown(prompt="other") == shown(run="run_0") == []


def test_baselines_and_runs_that_did_not_finish_show_nothing(
    create_words_suite: Lay,
    submit_run: Callable[..., Run],
    do: Callable[..., Run],
    shown: Callable[..., list[Evidence]],
    author: Open,
    executor: RunExecutor,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    create_words_suite("yes", versions=("{{text}}", "{{text}}!"))
    do(version=2, baseline=1)
    assert [row.variant for row in shown()] == ["v2"]

    cancelled = submit_run()
    with author() as unit:
        RunService(unit).cancel(cancelled.id)
    submit_run()
    held = executor.lease("w1")
    assert held is not None

    class FailingListener:
        def prepare(self, session: Any, finished: FinishedRun) -> WriteOutcome:
            def fail(_: Any) -> None:
                raise ZeroDivisionError

            return fail

    executor = replace(executor, listeners=(FailingListener(),))
    assert executor.execute(held).state is RunState.FAILED
    assert len(shown()) == 1


def test_a_run_that_lost_its_lease_at_the_end_shows_nothing(
    create_words_suite: Lay,
    submit_run: Callable[..., Run],
    shown: Callable[..., list[Evidence]],
    executor: RunExecutor,
    clock: Any,
) -> None:
    create_words_suite("yes")
    submit_run()
    held = executor.lease("w1")
    assert held is not None

    class LateListener:
        def prepare(self, session: Any, finished: FinishedRun) -> WriteOutcome:
            clock.move(hours=1)
            assert executor.lease("w2") is not None
            return lambda _: None

    replace(executor, listeners=(LateListener(),)).execute(held)
    assert shown() == []


def test_a_run_that_could_not_be_done_is_infrastructure_for_every_candidate(
    create_words_suite: Lay, submit_run: Callable[..., Run], executor: RunExecutor, shown: Callable[..., list[Evidence]]
) -> None:
    class Refusing:
        def chat(self, name: str, config: Any) -> Any:
            raise RuntimeError("no key")

    create_words_suite("yes", gate=FLOOR)
    submit_run()
    held = executor.lease("w1")
    assert held is not None
    replace(executor, models=Refusing()).execute(held)
    assert [row.verdict for row in shown()] == ["infrastructure"]


def test_judges_are_named_with_the_digest_of_what_they_are_asked_by(suite_of: Callable[..., Any]) -> None:
    polite = {"type": "llm-rubric", "value": "is polite", "model": "echo:", "name": "polite"}
    (judge,) = list_judges(suite_of(scorers=[{"type": "equals", "value": "yes"}, polite]).scorers)
    assert (judge.metric, judge.type, judge.model) == ("polite", "llm-rubric", "echo:")
    own = {"config": {"prompt": "Grade with a kind heart."}}
    changed = [polite | own, polite | {"model": "local:smollm2"}, polite | {"name": "x"}, polite | {"value": "is kind"}]
    digests = [list_judges(suite_of(scorers=[one]).scorers)[0].digest for one in changed]
    assert [digest == judge.digest for digest in digests] == [False, False, True, True]  # rubrics are the suite's


def test_judges_of_single_cases_are_listed_once_each(
    create_words_suite: Lay, do: Callable[..., Run], shown: Callable[..., list[Evidence]], author: Open
) -> None:
    create_words_suite("yes")
    polite = {"type": "llm-rubric", "value": "is polite", "model": "echo:"}
    own = [(polite, {"type": "equals", "value": "yes"}), (polite | {"name": "kind"},), ()]
    with author() as unit:
        cases = [Case(f"c{number}", {"text": "yes"}, "yes", asserts=asserts) for number, asserts in enumerate(own)]
        DatasetService(unit).put_version("words", cases)
    do()
    (row,) = shown()
    assert [(judge.metric, judge.type, judge.model) for judge in row.judges] == [(None, "llm-rubric", "echo:")]


def _collection(unit: Any, *keys: str) -> None:
    project = unit.caller.project
    found = context_store.collection(unit.session, project, "tickets")
    if found is None:
        new = Collection(0, "tickets", f"uid{project}", "", "words", 3, 100, 10, unit.clock())
        found = context_store.add_collection(unit.session, project, new)
    for key in keys:
        context_store.add_document(unit.session, found.id, StoredDocument(0, key, "", f"sha256:{key}", {}, unit.clock()), [])


@pytest.fixture
def with_context(create_words_suite: Lay, author: Open) -> None:
    """A prompt that retrieves from the collection `tickets`, with a suite."""
    create_words_suite("yes", "no")
    with author() as unit:
        _collection(unit, "a", "B")
        binding = {"collection": "tickets", "query": "{{text}}", "into": "found"}
        body = {"type": "text", "template": "{{text}}{{found}}", "context": binding}
        Registry(unit).register("word", Content.model_validate(body))


def test_evidence_tells_what_the_context_held(
    with_context: None, do: Callable[..., Run], shown: Callable[..., list[Evidence]], author: Open
) -> None:
    run = do()

    (row,) = shown()
    with author() as unit:
        digest = context_store.content_digest(unit.session, unit.caller.project, "tickets")
    assert row.context == ContextEvidence(collection="tickets", digest=digest, digest_at_end=digest, changed=False)
    (variant,) = run.plan.variants
    assert (variant.collection, variant.context_digest) == ("tickets", digest)


def test_evidence_tells_that_the_context_changed_meanwhile(
    with_context: None,
    submit_run: Callable[..., Run],
    executor: RunExecutor,
    shown: Callable[..., list[Evidence]],
    author: Open,
) -> None:
    submit_run()
    with author() as unit:
        _collection(unit, "c")
    held = executor.lease("w1")
    assert held is not None
    executor.execute(held)

    (row,) = shown()
    assert row.context is not None
    assert row.context.changed is True
    assert row.context.digest != row.context.digest_at_end


def test_a_collection_that_is_not_there_has_no_digest(
    with_context: None, do: Callable[..., Run], unit_as: Any, author: Open
) -> None:
    with author() as unit:
        assert collection_digests(unit.session, unit.caller.project, ["tickets", None, "gone"])["gone"] is None
    with unit_as("author", "elsewhere") as unit:
        assert context_store.content_digest(unit.session, unit.caller.project, "tickets") is None


def test_equal_content_has_an_equal_digest_in_whatever_order_it_came(unit_as: Any) -> None:
    found = []
    for project, keys in (("one", ["a", "B", "ä", "_"]), ("two", ["_", "ä", "a", "B"]), ("three", ["a", "B", "ä"])):
        with unit_as("author", project) as unit:
            _collection(unit, *keys)
            found.append(context_store.content_digest(unit.session, unit.caller.project, "tickets"))
    assert found[0] == found[1] != found[2]


def test_a_scheduled_run_that_drops_raises_an_alert_once(
    create_words_suite: Lay, do: Callable[..., Run], alerts: Callable[[], list[Alert]], author: Open
) -> None:
    create_words_suite(*["yes"] * 30, versions=("{{text}}", "{{text}}!"), gate=FLOOR)
    scheduled(author, margin=0.1)
    for _ in range(3):
        do(label="production", schedule="nightly")
    assert alerts() == []

    serve(author, 2)
    run = do(label="production", schedule="nightly")

    (alert,) = alerts()
    assert (alert.run, alert.schedule, alert.suite, alert.model, alert.metric) == (run.id, "nightly", "words", "echo:", "exact")
    assert (alert.interval.estimate, alert.interval.n, alert.seen_at) == (-1.0, 30, None)
    assert alert.sentence.startswith("exact under echo: dropped to 0.000 from 1.000 in the last 3 runs of 'nightly'")
    assert alert.sentence.endswith("; this is version 2, those were of 1")
    for _ in range(3):
        do(label="production", schedule="nightly")  # the drop stays
    assert alerts() == [alert]
    with author() as unit:
        raised = [entry for entry in audit.list_entries(unit, 200, None).items if entry.action == "alert.raised"]
        assert [(entry.actor, entry.subject) for entry in raised] == [("schedule:nightly", run.id)]
        assert outbox.count_pending(unit.session, TOPIC) == 0


def test_a_drop_after_a_recovery_is_told_again(
    create_words_suite: Lay, do: Callable[..., Run], alerts: Callable[[], list[Alert]], author: Open
) -> None:
    create_words_suite(*["yes"] * 30, versions=("{{text}}", "{{text}}!"))
    scheduled(author)
    for version in (1, 1, 2, 1, 1, 1, 2):
        serve(author, version)
        do(label="production", schedule="nightly")
    assert [alert.metric for alert in alerts()] == ["pass", "pass"]


def test_only_runs_of_the_schedule_on_the_same_suite_and_cases_are_its_history(
    create_words_suite: Lay,
    do: Callable[..., Run],
    alerts: Callable[[], list[Alert]],
    author: Open,
    cases_of: Any,
    suite_of: Any,
) -> None:
    create_words_suite(*["yes"] * 30, versions=("{{text}}", "{{text}}!"))
    scheduled(author)
    serve(author, 1)
    do(label="production")  # by hand
    do(label="production", schedule="other")
    do(label="production", schedule="nightly")
    serve(author, 2)
    do(label="production", schedule="nightly")
    assert alerts() == []

    with author() as unit:
        DatasetService(unit).put_version("words", cases_of(*["yes"] * 29))
    do(label="production", schedule="nightly")
    do(label="production", schedule="nightly")
    with author() as unit:
        SuiteService(unit).put(suite_of(repeats=2))
    do(label="production", schedule="nightly")
    assert alerts() == []


def test_a_run_that_could_not_be_done_raises_no_alert_and_is_no_history(
    create_words_suite: Lay,
    do: Callable[..., Run],
    alerts: Callable[[], list[Alert]],
    author: Open,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    create_words_suite(*["yes"] * 30, versions=("{{text}}", "{{text}}!"))
    scheduled(author)
    for _ in range(2):
        do(label="production", schedule="nightly")
    with monkeypatch.context() as patched:
        patched.setattr(ChatModels, "chat", lambda *_: 1 / 0)
        assert do(label="production", schedule="nightly").verdict == "infrastructure"
    assert alerts() == []
    serve(author, 2)
    do(label="production", schedule="nightly")
    (alert,) = alerts()
    assert "in the last 2 runs" in alert.sentence


def test_a_run_of_a_schedule_that_is_gone_raises_no_alert(
    create_words_suite: Lay, do: Callable[..., Run], alerts: Callable[[], list[Alert]], author: Open
) -> None:
    create_words_suite(*["yes"] * 30, versions=("{{text}}", "{{text}}!"))
    scheduled(author)
    for _ in range(2):
        do(label="production", schedule="nightly")
    with author() as unit:
        ScheduleService(unit).remove("nightly")
    serve(author, 2)
    do(label="production", schedule="nightly")
    assert alerts() == []


def test_an_alert_of_a_schedule_with_a_webhook_is_put_on_its_way(
    create_words_suite: Lay,
    do: Callable[..., Run],
    alerts: Callable[[], list[Alert]],
    unit_as: Any,
    author: Open,
    settings: Any,
) -> None:
    create_words_suite(*["yes"] * 30, versions=("{{text}}", "{{text}}!"))
    with author() as unit:
        allowed = type(unit)(unit.session, unit.caller, unit.clock, settings.model_copy(update={"webhook_hosts": "127.0.0.1"}))
        new = ScheduleDefinition("words", "0 3 * * *", label="production", webhook="http://127.0.0.1:9/hook")
        ScheduleService(allowed).put("nightly", new)
    for version in (1, 1, 2):
        serve(author, version)
        do(label="production", schedule="nightly")
    assert len(alerts()) == 1
    with author() as unit:
        assert outbox.count_pending(unit.session, TOPIC) == 1
