"""/metrics: who may read it, and what it contains."""

import re
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from factories.summaries import make_interval
from promptuary.api.request_metrics import BUCKET_BOUNDS, RequestMetrics
from promptuary.core import outbox
from promptuary.evaluation.case import Case
from promptuary.evaluation.datasets.service import DatasetService
from promptuary.evaluation.runs.request import RunRequest
from promptuary.evaluation.runs.service import RunService
from promptuary.evaluation.suites.service import SuiteService
from promptuary.evaluation.suites.suite import Suite
from promptuary.prompt.content import Content
from promptuary.registry.service import Registry
from promptuary.scheduling import store as schedule_store
from promptuary.scheduling.service import AlertService, ScheduleDefinition, ScheduleService
from promptuary.scheduling.store import Alert

UnitAs = Callable[..., AbstractContextManager[Any]]
SCORERS = [{"type": "equals", "value": "{{expected}}", "name": "exact"}]


def figures(text: str, name: str) -> dict[tuple[str, ...], float]:
    """Return a metric's values by those of its labels."""
    samples = [sample for family in text_string_to_metric_families(text) for sample in family.samples]
    return {tuple(sample.labels.values()): sample.value for sample in samples if sample.name == name}


def submit_run(unit: Any) -> str:
    Registry(unit).register("word", Content(type="text", template="{{text}}"))
    DatasetService(unit).put_version("words", [Case("c1", {"text": "yes"}, "yes")])
    body = {"name": "words", "prompt": "word", "dataset": "words", "models": ["echo:"], "scorers": SCORERS}
    SuiteService(unit).put(Suite.model_validate(body))
    ScheduleService(unit).put("nightly", ScheduleDefinition("words", "0 * * * *"))
    run: str = RunService(unit).submit(RunRequest(suite="words"), schedule="nightly").id
    return run


@pytest.mark.usefixtures("database")
def test_runs_alerts_schedules_and_messages_are_counted_over_all_projects(
    local: Any, unit_as: UnitAs, clock: Any, opened_database: Any
) -> None:
    for project in ("default", "elsewhere"):
        with unit_as("author", project) as unit:
            run = submit_run(unit)
            if project == "elsewhere":
                RunService(unit).cancel(run)
            new = Alert(
                0, unit.caller.project, "nightly", "words", run, "echo:", "exact", make_interval(), "it fell", unit.clock()
            )
            schedule_store.add_alerts(unit.session, [new, Alert(**{**vars(new), "metric": "pass"})])
    with unit_as("author") as unit:
        AlertService(unit).mark_seen(1)
        outbox.enqueue(unit.session, "webhook", {"alert": 1}, unit.clock())

    text = local.get("/metrics").text
    assert figures(text, "promptuary_runs") == {("queued", "none"): 1.0, ("cancelled", "none"): 1.0}
    assert figures(text, "promptuary_alerts_open") == {("default", "nightly"): 1.0, ("elsewhere", "nightly"): 2.0}
    assert figures(text, "promptuary_schedules_late") == {(): 0.0}
    assert figures(text, "promptuary_outbox_waiting")[("webhook",)] == 1.0
    assert len(figures(text, "promptuary_info")) == 1
    assert figures(text, "process_start_time_seconds")

    clock.move(hours=1, seconds=59)
    assert figures(local.get("/metrics").text, "promptuary_schedules_late") == {(): 0.0}
    clock.move(seconds=2)
    assert figures(local.get("/metrics").text, "promptuary_schedules_late") == {(): 2.0}


def test_requests_are_counted_by_the_route_and_never_by_the_path(sqlite: Any, local: Any) -> None:
    for name in ("a", "b", "c"):
        local.get(f"/v1/suites/{name}")
        local.get(f"/nowhere/{name}")
    local.request("BREW", "/healthz")

    text = local.get("/metrics").text
    counted = figures(text, "promptuary_http_request_seconds_count")
    assert counted[("GET", "/v1/suites/{suite}", "404")] == 3.0
    assert counted[("GET", "other", "404")] == 3.0
    assert ("BREW", "/healthz", "405") not in counted
    assert [method for method, route, status in counted if status == "405"] == ["other"]
    assert figures(local.get("/metrics").text, "promptuary_http_request_seconds_count")[("GET", "/metrics", "200")] == 1.0


def test_lookups_that_memory_answers_are_counted_by_nobody(sqlite: Any, api: Any, bearer: Any, unit_as: UnitAs) -> None:
    with unit_as("author") as unit:
        Registry(unit).register("word", Content(type="text", template="x"), labels=("production",))
    reader = bearer("reader")
    for _ in range(3):
        assert api.get("/v1/prompts/word", headers=reader).status_code == 200
    counted = figures(api.get("/metrics", headers=bearer("operator")).text, "promptuary_http_request_seconds_count")
    assert not [route for _, route, _ in counted if re.search("prompts", route)]


@pytest.mark.parametrize("role", ["reader", "reviewer", "ci", "author", "admin"])
def test_a_projects_keys_do_not_open_it(sqlite: Any, api: Any, bearer: Any, role: str) -> None:
    answer = api.get("/metrics", headers=bearer(role))
    assert (answer.status_code, answer.headers["content-type"]) == (403, "application/problem+json")


def test_it_takes_an_operators_key(sqlite: Any, api: Any, bearer: Any) -> None:
    assert api.get("/metrics").status_code == 401
    answer = api.get("/metrics", headers=bearer("operator"))
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"


def test_a_setting_opens_it(sqlite: Any, api: Any, app: Any, settings: Any) -> None:
    app.app.state.settings = settings.model_copy(update={"metrics_open": True})
    assert api.get("/metrics").status_code == 200


def test_a_histogram_counts_each_request_in_one_bucket() -> None:
    request_metrics = RequestMetrics()
    for seconds in (0.001, BUCKET_BOUNDS[0], 0.3, 60.0):
        request_metrics.count("GET", "/v1/runs", 200, seconds)
    ((key, histogram),) = request_metrics
    assert key == ("GET", "/v1/runs", 200)
    assert (
        histogram.buckets[0],
        histogram.buckets[BUCKET_BOUNDS.index(0.5)],
        histogram.buckets[-1],
        sum(histogram.buckets),
    ) == (2, 1, 1, 4)
    assert histogram.seconds == pytest.approx(60.306)
