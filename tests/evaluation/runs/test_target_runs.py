"""Runs of applications: planned, executed, compared and kept as evidence that no prompt can use."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import pytest

from doubles.application import LoopbackApplication, as_json
from promptuary.core.errors import InvalidRequest, NotFound
from promptuary.core.settings import read_settings
from promptuary.evaluation.case import Case
from promptuary.evaluation.datasets.service import DatasetService
from promptuary.evaluation.evidence import store as evidence_store
from promptuary.evaluation.evidence.store import EvidenceFilter
from promptuary.evaluation.plan import plan_from_json, plan_to_json
from promptuary.evaluation.runs.service import RunService
from promptuary.evaluation.runs.store import Run, RunState
from promptuary.evaluation.suites.service import SuiteService
from promptuary.evaluation.suites.suite import Suite
from promptuary.evaluation.summary_model import VariantRole

Make = Callable[..., Any]
Open = Callable[[], AbstractContextManager[Any]]
CASES = [Case("c1", {"question": "hi"}, "hi"), Case("c2", {"question": "no"}, "yes")]
SCORERS = [{"type": "contains", "value": "{{expected}}", "name": "found"}]


@pytest.fixture
def settings(settings: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The settings of a server that may ask applications on loopback."""
    monkeypatch.setenv("PROMPTUARY_TARGET_HOSTS", "127.0.0.0/8")
    return read_settings(data_dir=settings.data_dir, database_url=settings.sql_url)


@pytest.fixture
def store_suite(author: Open) -> Callable[..., None]:
    """Store a dataset and a suite of applications under the name `words`."""

    def store(target: Any, **changes: Any) -> None:
        body = {"name": "words", "target": target, "dataset": "words", "scorers": SCORERS, **changes}
        with author() as unit:
            DatasetService(unit).put_version("words", CASES)
            SuiteService(unit).put(Suite.model_validate(body))

    return store


def http(loopback: LoopbackApplication, **more: Any) -> dict[str, Any]:
    request = {"url": f"{loopback.url}/answer", "body": {"question": "{{question}}"}, "output": "$.answer"}
    return {"name": "desk", "version": {"header": "X-App-Version"}, "http": request, **more}


def test_an_application_is_a_variant_without_a_prompt(
    loopback: LoopbackApplication, store_suite: Make, submit_run: Make, finish_run: Make
) -> None:
    store_suite(http(loopback))
    run = finish_run()
    (variant,) = run.plan.variants
    assert (variant.name, variant.target, variant.prompt, variant.version, variant.model) == ("desk", "desk", None, None, "")
    assert plan_from_json(plan_to_json(run.plan)) == run.plan
    assert run.state is RunState.FINISHED
    assert run.summary.variants[0].metrics["found"].interval.estimate == 0.5
    assert run.summary.variants[0].target_versions == ("1",)
    assert len(loopback.requests) == 2


@pytest.mark.usefixtures("database")
def test_evidence_of_an_application_has_its_versions_and_no_prompt(
    loopback: LoopbackApplication, store_suite: Make, finish_run: Make, opened_database: Any, author: Open
) -> None:
    store_suite(http(loopback), repeats=1)
    replies = [(200, {"X-App-Version": version, "Content-Type": "application/json"}, b'{"answer": "hi"}') for version in "21"]
    loopback.fixed["/answer"] = replies
    run: Run = finish_run()
    with opened_database.read() as session:
        (row,) = evidence_store.list_evidence(session, run.project, EvidenceFilter(run=run.id), limit=5)
        of_prompts = [
            evidence_store.list_evidence(session, run.project, EvidenceFilter(prompt=name), limit=5) for name in ("", "desk")
        ]
    assert row.target is not None
    assert (row.prompt, row.version, row.model) == (None, None, "")
    assert (row.target.name, row.target.type, row.target.versions, row.target.changed) == ("desk", "http", ("1", "2"), True)
    assert row.digest == run.plan.variants[0].digest
    assert of_prompts == [[], []]


def test_two_versions_of_an_application_are_compared_case_by_case(
    loopback: LoopbackApplication, store_suite: Make, finish_run: Make, author: Open
) -> None:
    store_suite(http(loopback))
    first = finish_run()
    loopback.fixed["/answer"] = [as_json({"answer": "hi yes"})]
    second = finish_run()
    with author() as unit:
        comparison = RunService(unit).compare(second.id, first.id)
    metric = next(each for each in comparison.comparisons if each.metric == "found")
    assert (comparison.cases, metric.interval.estimate, metric.cases) == (2, 0.5, 2)


def test_an_application_that_the_gate_names_is_the_baseline(
    loopback: LoopbackApplication, store_suite: Make, finish_run: Make
) -> None:
    gate = [{"metric": "found", "not_worse_than": "2.3", "by": 0.1}, {"metric": "found", "not_worse_than": "9", "by": 0.1}]
    store_suite([http(loopback, version="2.4"), http(loopback, version="2.3")], gate=gate)
    run = finish_run()
    assert [(variant.name, variant.role) for variant in run.plan.variants] == [
        ("desk 2.4", VariantRole.CANDIDATE),
        ("desk 2.3", VariantRole.BASELINE),
    ]
    assert run.plan.missing == ("9",)
    difference = next(each for each in run.summary.comparisons if each.metric == "found")
    assert (difference.candidate, difference.baseline, difference.interval.estimate) == ("desk 2.4", "desk 2.3", 0.0)


def test_the_requests_baseline_is_an_application_of_the_suite(
    loopback: LoopbackApplication, store_suite: Make, submit_run: Make
) -> None:
    store_suite([http(loopback, version="2.4"), http(loopback, version="2.3")])
    assert submit_run(baseline="2.3").plan.variants[1].role is VariantRole.BASELINE
    with pytest.raises(NotFound, match=r"no application of the suite is called '9', .*; there are 'desk 2.4', 'desk 2.3'"):
        submit_run(baseline="9")


@pytest.mark.parametrize("change", [{"label": "production"}, {"version": 1}, {"models": ["echo:"]}])
def test_what_goes_with_prompts_is_refused(
    loopback: LoopbackApplication, store_suite: Make, submit_run: Make, change: dict[str, Any]
) -> None:
    store_suite(http(loopback))
    with pytest.raises(InvalidRequest, match="goes with a prompt, and the suite evaluates an application"):
        submit_run(**change)


def test_a_server_refuses_what_it_does_not_allow_before_the_first_call(store_suite: Make, submit_run: Make) -> None:
    headers = {"X-Key": "{{env.APP_KEY}}"}
    targets = [
        {"name": "a", "http": {"url": "https://app.example.com/", "headers": headers}},
        {"name": "b", "python": {"function": {"file": "a.py", "function": "f", "code": "def f(v): pass"}}},
        {"name": "c", "exec": ["sh"]},
    ]
    store_suite(targets)
    with pytest.raises(InvalidRequest) as refused:
        submit_run()
    assert [(error.path, error.message) for error in refused.value.field_errors] == [
        (
            "target.0.http.url",
            "applications may not be asked at 'app.example.com' (port 443); an operator can list it in PROMPTUARY_TARGET_HOSTS",
        ),
        (
            "target.0.http",
            "the variable APP_KEY is not passed on here; an operator can list it in PROMPTUARY_TARGET_VARIABLES",
        ),
        ("target.1.python", "is code, which is not run here; an operator can allow it by PROMPTUARY_CODE_SCORERS=true"),
        ("target.2.exec", "is a command, which only `promptuary eval run --allow-code` without a server runs"),
    ]


def test_a_set_up_that_never_works_ends_the_run_with_its_reason(
    loopback: LoopbackApplication, store_suite: Make, finish_run: Make
) -> None:
    loopback.fixed["/answer"] = [as_json({}, 401)]
    store_suite(http(loopback), repeats=5, concurrency=1)
    run = finish_run()
    assert run.state is RunState.FAILED
    assert "answered with status 401" in run.error
    assert len(loopback.requests) == 3


@pytest.mark.usefixtures("database")
def test_stored_outputs_are_scored_and_their_content_is_in_the_digest(
    author: Open, store_suite: Make, finish_run: Make
) -> None:
    def put(*outputs: str) -> None:
        with author() as unit:
            lines = [Case(case.id, {"output": text, "latency_ms": 5}) for case, text in zip(CASES, outputs, strict=True)]
            DatasetService(unit).put_version("words.outputs.monday", lines)

    put("hi", "yes")
    store_suite(None, outputs="words.outputs.monday", version="3")
    first = finish_run()
    put("hi", "no")
    second = finish_run()
    assert [run.summary.variants[0].metrics["found"].interval.estimate for run in (first, second)] == [1.0, 0.5]
    assert first.plan.variants[0].name == "monday 3"
    assert first.plan.suite_digest == second.plan.suite_digest
    assert first.plan.variants[0].digest != second.plan.variants[0].digest


def test_outputs_that_miss_a_case_are_refused_when_the_run_is_submitted(
    author: Open, store_suite: Make, submit_run: Make
) -> None:
    with author() as unit:
        DatasetService(unit).put_version("outputs", [Case("c1", {"output": "hi"})])
    store_suite(None, outputs="outputs")
    with pytest.raises(InvalidRequest, match="'outputs' has no output for 1 of 2 cases: c2"):
        submit_run()


def test_a_column_of_the_dataset_is_scored(store_suite: Make, finish_run: Make) -> None:
    store_suite(None, outputs={"column": "question"})
    assert finish_run().summary.variants[0].metrics["found"].interval.estimate == 0.5
