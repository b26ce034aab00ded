"""A run of two versions on four cases, which a queue is filled from."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from sqlmodel import col, select

from factories.summaries import make_empty_summary
from promptuary.evaluation.case import Case
from promptuary.evaluation.datasets import store as dataset_store
from promptuary.evaluation.datasets.service import DatasetService
from promptuary.evaluation.execution.work import work_items
from promptuary.evaluation.plan import CaseResult
from promptuary.evaluation.runs import store
from promptuary.evaluation.runs.request import RunRequest
from promptuary.evaluation.runs.service import RunService
from promptuary.evaluation.runs.store import RunOutcome, RunState
from promptuary.evaluation.suites.service import SuiteService
from promptuary.evaluation.suites.suite import Suite
from promptuary.prompt.content import Content
from promptuary.registry.service import Registry
from promptuary.review.queues.label_schema import FieldType, LabelField, LabelSchema
from promptuary.review.tables import ItemRow, QueueRow
from promptuary.statistics.verdict import Verdict

PASSES = {("one", "v2"): True, ("one", "v1"): False, ("two", "v2"): False, ("two", "v1"): False, ("three", "v2"): True}


JUDGED = {"one": True, "two": False, "three": True}


def detail_of(case: str, passed: bool | None) -> dict[str, Any]:
    """Return the detail of a result: what the model received, and the verdicts of the scorer, the judge and a measurement."""
    verdicts = {"exact": passed, "tone": JUDGED[case], "latency": True}
    scores = {name: {"passed": verdict, "score": None, "reason": "", "error": None} for name, verdict in verdicts.items()}
    return {"messages": [{"role": "user", "content": "Name it"}], "scores": scores}


@pytest.fixture
def cases() -> list[Case]:
    """The cases of the run; a test that needs others passes them."""
    return [Case(name, {"ticket": f"about {name}"}, f"intent-{name}") for name in ("one", "two", "three", "four")]


@pytest.fixture
def run(sqlite: Any, unit_as: Callable[..., Any], clock: Any, cases: list[Case]) -> str:
    """A run of two versions on four cases; the last case was not answered, and `three` has no verdict under v1."""
    with unit_as("author") as unit:
        registry = Registry(unit)
        for text in ("Name it: {{ticket}}", "Name the intent: {{ticket}}"):
            content = {"type": "text", "template": text, "variables": {"ticket": {"type": "string"}}}
            registry.register("triage", Content.model_validate(content))
        DatasetService(unit).put_version("tickets", cases)
        suite = {"name": "triage", "prompt": "triage", "dataset": "tickets", "models": ["echo:upper"]}
        suite["scorers"] = [
            {"type": "equals", "value": "{{expected}}", "name": "exact"},
            {"type": "llm-rubric", "value": "is polite", "name": "tone", "model": "echo:"},
            {"type": "latency", "threshold": 1000},
        ]
        SuiteService(unit).put(Suite.model_validate(suite))
        submitted_run = RunService(unit).submit(RunRequest(suite="triage", version=2, baseline=1))
        leased_run = store.lease_run(unit.session, "worker", clock(), clock() + timedelta(minutes=1), submitted_run.id)
        assert leased_run is not None
        results = []
        for item in work_items(leased_run.plan, dataset_store.list_cases(unit.session, leased_run.plan.dataset.id)):
            answered = item.case.id != "four"
            passed = PASSES.get((item.case.id, f"v{item.variant.version}"))
            results.append(
                CaseResult(
                    item.ordinal,
                    item.case.id,
                    item.variant.name,
                    item.repeat,
                    f"said of {item.case.id}" if answered else None,
                    passed,
                    None if passed is None else float(passed),
                    {"exact": None if passed is None else float(passed)},
                    None if answered else "no answer",
                    detail_of(item.case.id, passed) if answered else {},
                    clock(),
                )
            )
        assert store.add_results(unit.session, leased_run, results, clock() + timedelta(minutes=1))
    return submitted_run.id


@pytest.fixture
def finished_run(run: str, unit_as: Any, clock: Any) -> str:
    """The run, which has ended."""
    with unit_as("author") as unit:
        outcome = RunOutcome(RunState.FINISHED, make_empty_summary(Verdict.PASS))
        assert store.finish_run(unit.session, RunService(unit).get(run), outcome, clock())
    return run


PREFERENCE = LabelSchema((LabelField("better", FieldType.PREFERENCE, "Better"),))
"""The schema of a queue that pairs can come into."""


def read_items(unit: Any, queue: str) -> list[ItemRow]:
    """Return the items of a queue in their order."""
    query = select(ItemRow).join(QueueRow, col(QueueRow.id) == col(ItemRow.queue_id)).where(QueueRow.name == queue)
    return list(unit.session.exec(query.order_by(col(ItemRow.place))))
