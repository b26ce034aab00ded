"""The alerts that a finished run of a schedule raises where it dropped below its history."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import pytest

from promptuary.access import audit
from promptuary.core import outbox
from promptuary.evaluation.datasets.service import DatasetService
from promptuary.evaluation.suites.service import SuiteService
from promptuary.models.chat_models import ChatModels
from promptuary.registry.labels import Labels
from promptuary.scheduling.alert_webhook import TOPIC
from promptuary.scheduling.service import AlertService, ScheduleDefinition, ScheduleService
from promptuary.scheduling.store import Alert

Make = Callable[..., Any]
Open = Callable[[], AbstractContextManager[Any]]
FLOOR = [{"metric": "exact", "at_least": 0.5}]
pytestmark = pytest.mark.usefixtures("database")


@pytest.fixture
def list_alerts(author: Open) -> Callable[[], list[Alert]]:
    """List all alerts, the oldest first."""

    def alerts() -> list[Alert]:
        with author() as unit:
            return list(reversed(AlertService(unit).list_alerts(200, None).items))

    return alerts


def put_schedule(author: Open, **changes: Any) -> None:
    with author() as unit:
        ScheduleService(unit).put("nightly", ScheduleDefinition("words", "0 3 * * *", label="production", **changes))


def move_production(author: Open, version: int) -> None:
    with author() as unit:
        Labels(unit).move("word", "production", version, "to try it")


def test_a_scheduled_run_that_drops_raises_an_alert_once(
    create_words_suite: Make, finish_run: Make, list_alerts: Make, author: Open
) -> None:
    create_words_suite(*["yes"] * 30, versions=("{{text}}", "{{text}}!"), gate=FLOOR)
    put_schedule(author, margin=0.1)
    for _ in range(3):
        finish_run(label="production", schedule="nightly")
    assert list_alerts() == []

    move_production(author, 2)
    run = finish_run(label="production", schedule="nightly")

    (alert,) = list_alerts()
    assert (alert.run, alert.schedule, alert.suite, alert.model, alert.metric) == (run.id, "nightly", "words", "echo:", "exact")
    assert (alert.interval.estimate, alert.interval.n, alert.seen_at) == (-1.0, 30, None)
    assert alert.sentence.startswith("exact under echo: dropped to 0.000 from 1.000 in the last 3 runs of 'nightly'")
    assert alert.sentence.endswith("; this is version 2, those were of 1")
    for _ in range(3):
        finish_run(label="production", schedule="nightly")  # the drop stays
    assert list_alerts() == [alert]
    with author() as unit:
        raised = [entry for entry in audit.list_entries(unit, 200, None).items if entry.action == "alert.raised"]
        assert [(entry.actor, entry.subject) for entry in raised] == [("schedule:nightly", run.id)]
        assert outbox.count_pending(unit.session, TOPIC) == 0


def test_a_drop_after_a_recovery_raises_another_alert(
    create_words_suite: Make, finish_run: Make, list_alerts: Make, author: Open
) -> None:
    create_words_suite(*["yes"] * 30, versions=("{{text}}", "{{text}}!"))
    put_schedule(author)
    for version in (1, 1, 2, 1, 1, 1, 2):
        move_production(author, version)
        finish_run(label="production", schedule="nightly")
    assert [alert.metric for alert in list_alerts()] == ["pass", "pass"]


def test_only_runs_of_the_schedule_on_equal_suite_and_cases_are_history(
    create_words_suite: Make,
    finish_run: Make,
    list_alerts: Make,
    author: Open,
    cases_of: Any,
    suite_of: Any,
) -> None:
    create_words_suite(*["yes"] * 30, versions=("{{text}}", "{{text}}!"))
    put_schedule(author)
    move_production(author, 1)
    finish_run(label="production")  # by hand
    finish_run(label="production", schedule="other")
    finish_run(label="production", schedule="nightly")
    move_production(author, 2)
    finish_run(label="production", schedule="nightly")
    assert list_alerts() == []

    with author() as unit:
        DatasetService(unit).put_version("words", cases_of(*["yes"] * 29))
    finish_run(label="production", schedule="nightly")
    finish_run(label="production", schedule="nightly")
    with author() as unit:
        SuiteService(unit).put(suite_of(repeats=2))
    finish_run(label="production", schedule="nightly")
    assert list_alerts() == []


def test_an_infrastructure_run_raises_no_alert_and_is_no_history(
    create_words_suite: Make,
    finish_run: Make,
    list_alerts: Make,
    author: Open,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    create_words_suite(*["yes"] * 30, versions=("{{text}}", "{{text}}!"))
    put_schedule(author)
    for _ in range(2):
        finish_run(label="production", schedule="nightly")
    with monkeypatch.context() as patched:
        patched.setattr(ChatModels, "chat", lambda *_: 1 / 0)
        assert finish_run(label="production", schedule="nightly").verdict == "infrastructure"
    assert list_alerts() == []
    move_production(author, 2)
    finish_run(label="production", schedule="nightly")
    (alert,) = list_alerts()
    assert "in the last 2 runs" in alert.sentence


def test_a_run_of_a_removed_schedule_raises_no_alert(
    create_words_suite: Make, finish_run: Make, list_alerts: Make, author: Open
) -> None:
    create_words_suite(*["yes"] * 30, versions=("{{text}}", "{{text}}!"))
    put_schedule(author)
    for _ in range(2):
        finish_run(label="production", schedule="nightly")
    with author() as unit:
        ScheduleService(unit).remove("nightly")
    move_production(author, 2)
    finish_run(label="production", schedule="nightly")
    assert list_alerts() == []


def test_an_alert_of_a_schedule_with_a_webhook_enters_the_outbox(
    create_words_suite: Make,
    finish_run: Make,
    list_alerts: Make,
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
        move_production(author, version)
        finish_run(label="production", schedule="nightly")
    assert len(list_alerts()) == 1
    with author() as unit:
        assert outbox.count_pending(unit.session, TOPIC) == 1
