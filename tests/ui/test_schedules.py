"""Schedules and alerts, in front of answers as the API gives them."""

from collections.abc import Callable
from typing import Any

import pytest

from factories.runs import RUN, Requests, click_button, last_query, page_of

Shown = Callable[[Any], str]
MAY = ("run:read", "run:write")
SCHEDULE = {
    "name": "nightly",
    "suite": "triage",
    "cron": "0 3 * * *",
    "zone": "Europe/Lisbon",
    "label": "production",
    "margin": 0.05,
    "paused": False,
    "next_at": "2026-03-03T03:00:00Z",
    "next_times": ["2026-03-03T03:00:00Z"],
    "last": {"id": RUN, "state": "finished", "verdict": "regression"},
    "error": "the suite 'triage' is *gone*",
}
ALERT = {
    "id": 7,
    "schedule": "nightly",
    "suite": "triage",
    "run": RUN,
    "model": "local:m",
    "metric": "exact",
    "sentence": "exact dropped to *0.1*",
    "at": "2026-03-02T12:00:00Z",
    "seen_by": None,
}


@pytest.fixture
def answers() -> dict[str, Any]:
    """What the API answers by path; a test may change it."""
    posts = ("alerts/7/seen", "schedules/nightly/pause", "schedules/nightly/resume", "schedules/nightly/now")
    return {"/v1/schedules": page_of([SCHEDULE]), "/v1/alerts": page_of([ALERT]), **{f"/v1/{path}": {} for path in posts}}


def posted(requests: Requests) -> list[str]:
    return [request.url.path for request in requests if request.method == "POST"]


def test_a_schedule_tells_when_it_runs_and_how_its_last_run_ended(opened: Any, shown: Shown) -> None:
    page = opened("schedules")
    for text in (
        "**nightly**",
        "runs triage at production",
        "next 2026-03-03 03:00 UTC",
        "bears a drop of 0.050",
        "regression",
    ):
        assert text in shown(page)
    assert [found.value for found in page.error] == ["The last time gave no run: the suite \\'triage\\' is \\*gone\\*"]


def test_an_open_alert_is_told_and_seen_by_whoever_may(opened: Any, shown: Shown, requests: Requests) -> None:
    page = opened("schedules", scopes=MAY)
    assert last_query(requests, "/v1/alerts") == {"limit": "20", "open": "true"}
    assert "exact dropped to \\*0\\.1\\*" in shown(page)
    click_button(page, "Seen")
    assert posted(requests) == ["/v1/alerts/7/seen"]
    page.toggle[0].set_value(True).run()
    assert last_query(requests, "/v1/alerts") == {"limit": "20"}


def test_whoever_may_only_read_has_nothing_to_press(opened: Any) -> None:
    assert [found.label for found in opened("schedules", scopes=("run:read",)).button] == []


def test_a_schedule_is_paused_resumed_and_run_now(opened: Any, shown: Shown, requests: Requests, answers: Any) -> None:
    page = opened("schedules", scopes=MAY)
    click_button(click_button(page, "Run now"), "Pause")
    answers["/v1/schedules"] = page_of([{**SCHEDULE, "paused": True, "next_times": []}])
    click_button(page.run(), "Resume")
    assert posted(requests) == [f"/v1/schedules/nightly/{word}" for word in ("now", "pause", "resume")]
    assert "no next time while it is paused" in shown(page)


def test_a_press_that_is_refused_is_told(opened: Any, shown: Shown, answers: dict[str, Any]) -> None:
    answers["/v1/schedules/nightly/now"] = 409
    assert "It cannot be done" in shown(click_button(opened("schedules", scopes=MAY), "Run now"))


def test_without_schedules_and_alerts_the_page_says_so(opened: Any, shown: Shown, answers: dict[str, Any]) -> None:
    answers["/v1/schedules"] = answers["/v1/alerts"] = page_of([])
    told = shown(opened("schedules"))
    assert "There is no open alert." in told
    assert "promptuary eval schedule set" in told
