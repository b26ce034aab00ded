"""The evidence that a finished run leaves: one row for each candidate, with its judges and its context."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Any

import pytest

from promptuary.context import store as context_store
from promptuary.evaluation.case import Case
from promptuary.evaluation.datasets.service import DatasetService
from promptuary.evaluation.evidence.builder import list_judges
from promptuary.evaluation.evidence.evidence import ContextEvidence, Evidence
from promptuary.evaluation.evidence.service import list_evidence
from promptuary.evaluation.evidence.store import EvidenceFilter
from promptuary.evaluation.execution.executor import RunExecutor
from promptuary.evaluation.execution.finished_run import FinishedRun, WriteOutcome
from promptuary.evaluation.runs.service import RunService
from promptuary.evaluation.runs.store import RunState
from promptuary.prompt.content import Content
from promptuary.registry.service import Registry

Make = Callable[..., Any]
Open = Callable[[], AbstractContextManager[Any]]
FLOOR = [{"metric": "exact", "at_least": 0.5}]
pytestmark = pytest.mark.usefixtures("database")


@pytest.fixture
def list_rows(author: Open) -> Callable[..., list[Evidence]]:
    """List the stored evidence that a filter selects."""

    def rows(**selector: Any) -> list[Evidence]:
        with author() as unit:
            return list(list_evidence(unit, EvidenceFilter(**selector), 200, None).items)

    return rows


def test_a_finished_run_writes_evidence_of_each_candidate(
    create_words_suite: Make, finish_run: Make, list_rows: Make, clock: Any
) -> None:
    create_words_suite(*["yes"] * 20, versions=("{{text}}", "{{text}}!"), gate=FLOOR)

    run = finish_run(versions=[2, 1], baseline=1)

    rows = {row.variant: row for row in list_rows()}
    assert set(rows) == {"v2", "v1"}
    good, bad = rows["v1"], rows["v2"]
    assert (good.verdict, bad.verdict, run.verdict) == ("pass", "regression", "regression")
    assert [gate.candidate for gate in bad.gates] == ["v2"]
    assert good.digest == next(variant.digest for variant in run.plan.variants if variant.name == "v1")
    assert (good.run, good.prompt, good.version, good.model, good.suite) == (run.id, "word", 1, "echo:", "words")
    assert (good.suite_digest, good.dataset_digest) == (run.plan.suite_digest, run.plan.dataset.digest)
    assert (good.judges, good.context, good.at) == ((), None, clock())
    assert [row.variant for row in list_rows(digest=bad.digest)] == ["v2"]
    assert [row.variant for row in list_rows(prompt="word", version=1)] == ["v1"]
    assert list_rows(suite="other") == list_rows(prompt="other") == list_rows(run="run_0") == []


def test_baselines_and_unfinished_runs_have_no_evidence(
    create_words_suite: Make,
    submit_run: Make,
    finish_run: Make,
    list_rows: Make,
    author: Open,
    executor: RunExecutor,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    create_words_suite("yes", versions=("{{text}}", "{{text}}!"))
    finish_run(version=2, baseline=1)
    assert [row.variant for row in list_rows()] == ["v2"]

    cancelled = submit_run()
    with author() as unit:
        RunService(unit).cancel(cancelled.id)
    submit_run()
    leased = executor.lease("w1")
    assert leased is not None

    class FailingListener:
        def prepare(self, session: Any, finished: FinishedRun) -> WriteOutcome:
            def fail(_: Any) -> None:
                raise ZeroDivisionError

            return fail

    executor = replace(executor, listeners=(FailingListener(),))
    assert executor.execute(leased).state is RunState.FAILED
    assert len(list_rows()) == 1


def test_a_run_that_lost_its_lease_at_the_end_has_no_evidence(
    create_words_suite: Make,
    submit_run: Make,
    list_rows: Make,
    executor: RunExecutor,
    clock: Any,
) -> None:
    create_words_suite("yes")
    submit_run()
    leased = executor.lease("w1")
    assert leased is not None

    class LateListener:
        def prepare(self, session: Any, finished: FinishedRun) -> WriteOutcome:
            clock.move(hours=1)
            assert executor.lease("w2") is not None
            return lambda _: None

    replace(executor, listeners=(LateListener(),)).execute(leased)
    assert list_rows() == []


def test_a_run_that_cannot_call_its_model_is_infrastructure_for_all(
    create_words_suite: Make, submit_run: Make, executor: RunExecutor, list_rows: Make
) -> None:
    class RefusingModels:
        def chat(self, name: str, config: Any) -> Any:
            raise RuntimeError("no key")

    create_words_suite("yes", gate=FLOOR)
    submit_run()
    leased = executor.lease("w1")
    assert leased is not None
    replace(executor, models=RefusingModels()).execute(leased)
    assert [row.verdict for row in list_rows()] == ["infrastructure"]


def test_judges_have_the_digest_of_their_model_and_instruction(suite_of: Callable[..., Any]) -> None:
    polite = {"type": "llm-rubric", "value": "is polite", "model": "echo:", "name": "polite"}
    (judge,) = list_judges(suite_of(scorers=[{"type": "equals", "value": "yes"}, polite]).scorers)
    assert (judge.metric, judge.type, judge.model) == ("polite", "llm-rubric", "echo:")
    own = {"config": {"prompt": "Grade with a kind heart."}}
    changed = [polite | own, polite | {"model": "local:smollm2"}, polite | {"name": "x"}, polite | {"value": "is kind"}]
    digests = [list_judges(suite_of(scorers=[scorer]).scorers)[0].digest for scorer in changed]
    assert [digest == judge.digest for digest in digests] == [False, False, True, True]  # the suite's digest covers the rubric


def test_judges_of_single_cases_are_listed_once_each(
    create_words_suite: Make, finish_run: Make, list_rows: Make, author: Open
) -> None:
    create_words_suite("yes")
    polite = {"type": "llm-rubric", "value": "is polite", "model": "echo:"}
    own = [(polite, {"type": "equals", "value": "yes"}), (polite | {"name": "kind"},), ()]
    with author() as unit:
        cases = [Case(f"c{number}", {"text": "yes"}, "yes", asserts=asserts) for number, asserts in enumerate(own)]
        DatasetService(unit).put_version("words", cases)
    finish_run()
    (row,) = list_rows()
    assert [(judge.metric, judge.type, judge.model) for judge in row.judges] == [(None, "llm-rubric", "echo:")]


@pytest.fixture
def with_context(create_words_suite: Make, author: Open, add_documents: Make) -> None:
    """A prompt that retrieves from the collection `tickets`, with a suite."""
    create_words_suite("yes", "no")
    with author() as unit:
        add_documents(unit, "a", "B")
        binding = {"collection": "tickets", "query": "{{text}}", "into": "found"}
        body = {"type": "text", "template": "{{text}}{{found}}", "context": binding}
        Registry(unit).register("word", Content.model_validate(body))


def test_evidence_has_the_digest_of_the_context(with_context: None, finish_run: Make, list_rows: Make, author: Open) -> None:
    run = finish_run()

    (row,) = list_rows()
    with author() as unit:
        digest = context_store.content_digest(unit.session, unit.caller.project, "tickets")
    assert row.context == ContextEvidence(collection="tickets", digest=digest, digest_at_end=digest, changed=False)
    (variant,) = run.plan.variants
    assert (variant.collection, variant.context_digest) == ("tickets", digest)


def test_evidence_shows_that_the_context_changed_during_the_run(
    with_context: None,
    submit_run: Make,
    executor: RunExecutor,
    list_rows: Make,
    author: Open,
    add_documents: Make,
) -> None:
    submit_run()
    with author() as unit:
        add_documents(unit, "c")
    leased = executor.lease("w1")
    assert leased is not None
    executor.execute(leased)

    (row,) = list_rows()
    assert row.context is not None
    assert row.context.changed is True
    assert row.context.digest != row.context.digest_at_end
