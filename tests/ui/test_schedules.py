"""Schedules and alerts, in front of responses of the API."""

from collections.abc import Callable
from typing import Any

import pytest

from factories.runs import RUN, Requests, click_button, last_query, page_of

PageText = Callable[[Any], str]
MAY = ("run:read", "run:write", "schedule:write")
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
def responses() -> dict[str, Any]:
    """The API's responses by path; a test may change it."""
    posts = ("alerts/7/seen", "schedules/nightly/pause", "schedules/nightly/resume", "schedules/nightly/now")
    return {"/v1/schedules": page_of([SCHEDULE]), "/v1/alerts": page_of([ALERT]), **{f"/v1/{path}": {} for path in posts}}


def posted(requests: Requests) -> list[str]:
    return [request.url.path for request in requests if request.method == "POST"]


def test_a_schedule_shows_when_it_runs_and_how_its_last_run_ended(open_page: Any, page_text: PageText) -> None:
    page = open_page("schedules")
    for text in (
        "**nightly**",
        "runs triage at production",
        "next 2026-03-03 03:00 UTC",
        "tolerates a drop of 0.050",
        "regression",
    ):
        assert text in page_text(page)
    assert [element.value for element in page.error] == [
        "The last scheduled time started no run: the suite \\'triage\\' is \\*gone\\*"
    ]


def test_an_open_alert_is_shown_and_can_be_marked_as_seen(open_page: Any, page_text: PageText, requests: Requests) -> None:
    page = open_page("schedules", scopes=MAY)
    assert last_query(requests, "/v1/alerts") == {"limit": "20", "open": "true"}
    assert "exact dropped to \\*0\\.1\\*" in page_text(page)
    click_button(page, "Seen")
    assert posted(requests) == ["/v1/alerts/7/seen"]
    page.toggle[0].set_value(True).run()
    assert last_query(requests, "/v1/alerts") == {"limit": "20"}


def test_a_caller_who_may_only_read_has_no_buttons(open_page: Any) -> None:
    assert [element.label for element in open_page("schedules", scopes=("run:read",)).button] == []


def test_a_schedule_is_paused_resumed_and_run_now(
    open_page: Any, page_text: PageText, requests: Requests, responses: Any
) -> None:
    page = open_page("schedules", scopes=MAY)
    click_button(click_button(page, "Run now"), "Pause")
    responses["/v1/schedules"] = page_of([{**SCHEDULE, "paused": True, "next_times": []}])
    click_button(page.run(), "Resume")
    assert posted(requests) == [f"/v1/schedules/nightly/{word}" for word in ("now", "pause", "resume")]
    assert "no next run while it is paused" in page_text(page)


def test_a_refused_action_is_reported(open_page: Any, page_text: PageText, responses: dict[str, Any]) -> None:
    responses["/v1/schedules/nightly/now"] = 409
    assert "The action is not possible" in page_text(click_button(open_page("schedules", scopes=MAY), "Run now"))


def test_without_schedules_and_alerts_the_page_reports_it(
    open_page: Any, page_text: PageText, responses: dict[str, Any]
) -> None:
    responses["/v1/schedules"] = responses["/v1/alerts"] = page_of([])
    content = page_text(open_page("schedules"))
    assert "There is no open alert." in content
    assert "promptuary eval schedule set" in content
