"""Fixtures for tests of runs: a prompt with versions, a dataset, a suite, and an execution that needs no weights."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Any

import pytest

from doubles.renderers import PlainRenderer
from promptuary.evaluation.case import Case
from promptuary.evaluation.datasets.service import DatasetService
from promptuary.evaluation.execution.executor import RunExecutor
from promptuary.evaluation.plan import CaseResult, DatasetRef, Plan, Variant
from promptuary.evaluation.runs.request import RunRequest
from promptuary.evaluation.runs.service import RunService
from promptuary.evaluation.runs.store import Run
from promptuary.evaluation.suites.service import SuiteService
from promptuary.evaluation.suites.suite import Suite
from promptuary.evaluation.summary_model import Summary, VariantRole
from promptuary.evaluation.verdict.summary import summarise
from promptuary.models.chat_models import ChatModels
from promptuary.prompt.content import Content
from promptuary.registry.service import Registry
from promptuary.review.calibration.human_labels import ReviewedLabels
from promptuary.scheduling.drop_alerts import DropAlerts

ECHO = "echo:"


def content(template: str = "{{text}}") -> Content:
    return Content(type="text", template=template)


def cases(*texts: str, expected: str = "yes") -> list[Case]:
    return [Case(f"c{number}", {"text": text}, expected) for number, text in enumerate(texts, 1)]


def suite(**changes: Any) -> Suite:
    body: dict[str, Any] = {
        "name": "words",
        "prompt": "word",
        "dataset": "words",
        "models": [ECHO],
        "scorers": [{"type": "equals", "value": "{{expected}}", "name": "exact"}],
    }
    return Suite.model_validate(body | changes)


@pytest.fixture
def content_of() -> Callable[..., Content]:
    """Return a builder of a text prompt's content from its template."""
    return content


@pytest.fixture
def cases_of() -> Callable[..., list[Case]]:
    """Return a builder of cases `c1`, `c2` … with texts; each expects `yes`."""
    return cases


@pytest.fixture
def suite_of() -> Callable[..., Suite]:
    """Return a builder of the suite `words`, which compares the outputs of the prompt `word`, with changes."""
    return suite


@pytest.fixture
def author(unit_as: Callable[..., AbstractContextManager[Any]]) -> Callable[[], AbstractContextManager[Any]]:
    """Open an author's unit of work."""
    return lambda: unit_as("author")


@pytest.fixture
def create_words_suite(author: Callable[[], AbstractContextManager[Any]]) -> Callable[..., None]:
    """Create a prompt `word` with version 1 in production, a dataset and a suite."""

    def create(*texts: str, versions: tuple[str, ...] = ("{{text}}",), **changes: Any) -> None:
        with author() as unit:
            for number, template in enumerate(versions, 1):
                Registry(unit).register("word", content(template), labels=("production",) if number == 1 else ())
            DatasetService(unit).put_version("words", cases(*(texts or ("yes", "no"))))
            SuiteService(unit).put(suite(**changes))

    return create


@pytest.fixture
def submit_run(author: Callable[[], AbstractContextManager[Any]]) -> Callable[..., Run]:
    """Submit a run of the suite `words`."""

    def submit(*, schedule: str | None = None, **changes: Any) -> Run:
        with author() as unit:
            return RunService(unit).submit(RunRequest(suite="words", **changes), schedule=schedule)

    return submit


@pytest.fixture
def executor(opened_database: Any, clock: Any, settings: Any) -> RunExecutor:
    """An executor with echo models and no embedder."""
    return RunExecutor(
        opened_database,
        clock,
        settings,
        PlainRenderer(),
        ChatModels(settings),
        embed=lambda texts: [],
        listeners=(DropAlerts(),),
        human_labels=ReviewedLabels(),
    )


@pytest.fixture
def finish_run(executor: RunExecutor, submit_run: Callable[..., Run], clock: Any) -> Callable[..., Run]:
    """Submit a run of the suite `words` a minute after the one before, and execute it."""

    def finish(**changes: Any) -> Run:
        clock.move(minutes=1)
        run = submit_run(**changes)
        leased = executor.lease("w1")
        assert leased is not None
        assert leased.id == run.id
        return executor.execute(leased)

    return finish


@pytest.fixture
def plan_of() -> Callable[..., Plan]:
    """Make a plan of some variants, `candidate=` and `baseline=` by their names, over so many cases."""

    def make(number: int, *, baseline: str | None = None, repeats: int = 1, **changes: Any) -> Plan:
        variants = [Variant("v2", VariantRole.CANDIDATE, ECHO, "word", 2, "sha256:2", references=("latest",))]
        if baseline:
            variants.append(Variant("v1", VariantRole.BASELINE, ECHO, "word", 1, "sha256:1", references=(baseline,)))
        fields: dict[str, Any] = {"variants": tuple(variants), **changes}
        dataset = DatasetRef(1, "words", 1, "sha256:d", number)
        return Plan(
            suite=suite().model_dump(), suite_digest="sha256:s", dataset=dataset, repeats=repeats, concurrency=2, **fields
        )

    return make


@pytest.fixture
def result_of(clock: Callable[[], datetime]) -> Callable[..., CaseResult]:
    """Make a result of a case under a variant that came to a score; None for one that could not be run."""

    def make(case: str, score: float | None, variant: str = "v2", repeat: int = 0, **changes: Any) -> CaseResult:
        values: dict[str, Any] = {
            "ordinal": 0,
            "output": None if score is None else "an answer",
            "passed": None if score is None else score == 1.0,
            "score": score,
            "metrics": {"exact": score},
            "error": "no answer" if score is None else None,
            "detail": {},
        }
        return CaseResult(case=case, variant=variant, repeat=repeat, at=clock(), **(values | changes))

    return make


@pytest.fixture
def summarise_scores(
    plan_of: Callable[..., Plan], suite_of: Callable[..., Suite], result_of: Callable[..., CaseResult]
) -> Callable[..., Summary]:
    """Summarise scores given by variant, one for each case, under a gate."""

    def summarise_variants(
        gate: list[dict[str, Any]], *, clusters: dict[str, str | None] | None = None, **scores: list[float | None]
    ) -> Summary:
        number = len(next(iter(scores.values())))
        plan = plan_of(number, baseline="production" if "v1" in scores else None)
        results = [
            result_of(f"c{place}", score, variant) for variant, values in scores.items() for place, score in enumerate(values)
        ]
        return summarise(plan, suite_of(gate=gate), clusters or {}, results, ["exact"])

    return summarise_variants
