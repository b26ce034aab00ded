"""Schedules and alerts over HTTP."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from typing import Any

import pytest

from factories.summaries import make_interval
from promptuary.evaluation.runs.request import RunRequest
from promptuary.evaluation.runs.service import RunService
from promptuary.scheduling import store as schedule_store
from promptuary.scheduling.service import AlertService
from promptuary.scheduling.store import Alert

Make = Callable[..., Any]
NIGHTLY = {"suite": "words", "cron": "0 3 * * *", "zone": "Europe/Lisbon"}


@pytest.fixture
def client(create_words_suite: Make, local: Any) -> Any:
    """A client, with the suite `words`."""
    create_words_suite("yes", "no")
    return local


@pytest.fixture
def alert(client: Any, unit_as: Callable[..., AbstractContextManager[Any]]) -> int:
    """An alert of the schedule `nightly`."""
    with unit_as("author") as unit:
        run = RunService(unit).submit(RunRequest(suite="words"), schedule="nightly")
        new = Alert(
            0, unit.caller.project, "nightly", "words", run.id, "echo:", "exact", make_interval(), "it fell", unit.clock()
        )
        (added,) = schedule_store.add_alerts(unit.session, [new])
    return added.id


def test_a_schedule_is_put_read_listed_and_removed(client: Any) -> None:
    put = client.put("/v1/schedules/nightly", json=NIGHTLY | {"label": "production", "margin": 0.05})
    assert put.status_code == 200
    schedule = put.json()
    assert schedule["next_times"] == [f"2026-03-0{day}T03:00:00Z" for day in (3, 4, 5)]
    assert (schedule["next_at"], schedule["last"], schedule["error"], schedule["webhook"]) == (
        "2026-03-03T03:00:00Z",
        None,
        None,
        None,
    )
    assert (schedule["label"], schedule["margin"], schedule["paused"], schedule["actor"]) == (
        "production",
        0.05,
        False,
        "local",
    )

    assert client.get("/v1/schedules/nightly").json() == schedule
    client.put("/v1/schedules/another", json=NIGHTLY)
    page = client.get("/v1/schedules?limit=1").json()
    assert [item["name"] for item in page["items"]] == ["another"]
    assert client.get(f"/v1/schedules?cursor={page['next_cursor']}").json() == {"items": [schedule], "next_cursor": None}

    assert client.delete("/v1/schedules/nightly").status_code == 204
    assert client.get("/v1/schedules/nightly").status_code == 404
    assert client.delete("/v1/schedules/nightly").status_code == 404


def test_a_schedule_that_is_put_again_keeps_its_next_time_unless_its_times_change(client: Any, clock: Any) -> None:
    first = client.put("/v1/schedules/nightly", json=NIGHTLY).json()
    clock.move(days=3)  # nobody has run it, so it is due
    again = client.put("/v1/schedules/nightly", json=NIGHTLY | {"margin": 0.5}).json()
    assert (again["next_at"], again["created_at"]) == (first["next_at"], first["created_at"])
    assert again["updated_at"] > first["updated_at"]
    moved = client.put("/v1/schedules/nightly", json=NIGHTLY | {"cron": "0 4 * * *"}).json()
    assert moved["next_at"] == "2026-03-06T04:00:00Z"


@pytest.mark.parametrize(
    ("change", "status", "path"),
    [
        ({"cron": "every night"}, 422, "cron"),
        ({"cron": "0 3 * * * *"}, 422, "cron"),
        ({"cron": ""}, 422, "cron"),
        ({"zone": "Mars/Olympus"}, 422, "zone"),
        ({"margin": -0.1}, 422, "margin"),
        ({"margin": 1.5}, 422, "margin"),
        ({"webhook": "https://hooks.example.org/x"}, 422, "webhook"),
        ({"webhook": "file:///etc/passwd"}, 422, "webhook"),
        ({"suite": "../x"}, 422, "suite"),
        ({"next_at": "2026-03-02T13:00:00Z"}, 422, "next_at"),
        ({"suite": "unknown"}, 404, None),
    ],
)
def test_an_invalid_schedule_is_refused_and_nothing_is_stored(client: Any, change: Any, status: int, path: str | None) -> None:
    answer = client.put("/v1/schedules/nightly", json=NIGHTLY | change)
    assert answer.status_code == status
    assert [error["path"] for error in answer.json().get("errors", [])] == ([path] if path else [])
    assert client.get("/v1/schedules").json()["items"] == []


def test_all_errors_of_a_schedule_are_reported_at_once(client: Any) -> None:
    wrong = {"cron": "x", "zone": "y", "webhook": "z://"}
    answer = client.put("/v1/schedules/nightly", json=NIGHTLY | wrong)
    assert sorted(error["path"] for error in answer.json()["errors"]) == ["cron", "webhook", "zone"]


def test_a_webhook_may_go_to_listed_hosts_only_and_is_shown_without_its_path(client: Any, app: Any, settings: Any) -> None:
    app.app.state.settings = settings.model_copy(update={"webhook_hosts": "hooks.example.org"})
    hook = "https://hooks.example.org/services/secret"
    response = client.put("/v1/schedules/nightly", json=NIGHTLY | {"webhook": hook})
    assert response.json()["webhook"] == "https://hooks.example.org/…"
    assert "secret" not in client.get("/v1/schedules").text + client.get("/v1/audit").text
    userinfo = client.put("/v1/schedules/nightly", json=NIGHTLY | {"webhook": "https://me:secret@hooks.example.org/x"})
    assert userinfo.status_code == 422
    assert "secret" not in userinfo.text

    assert client.post("/v1/schedules/nightly/pause", json={}).json()["webhook"] == "https://hooks.example.org/…"


def test_a_schedule_is_paused_and_resumed(client: Any, clock: Any) -> None:
    client.put("/v1/schedules/nightly", json=NIGHTLY)
    paused = client.post("/v1/schedules/nightly/pause").json()
    assert (paused["paused"], paused["next_times"]) == (True, [])
    assert client.post("/v1/schedules/nightly/pause").json() == paused
    clock.move(days=2)
    resumed = client.post("/v1/schedules/nightly/resume").json()
    assert (resumed["paused"], resumed["next_at"]) == (False, "2026-03-05T03:00:00Z")
    assert client.post("/v1/schedules/unknown/pause").status_code == 404
    assert client.post("/v1/schedules/nightly/pause", json={"for": "ever"}).status_code == 422


def test_a_run_of_a_schedule_is_submitted_now_but_not_twice_at_once(client: Any) -> None:
    client.put("/v1/schedules/nightly", json=NIGHTLY)
    answer = client.post("/v1/schedules/nightly/now")
    assert answer.status_code == 202
    run = answer.json()
    assert (run["schedule"], run["state"], run["actor"]) == ("nightly", "queued", "local")

    again = client.post("/v1/schedules/nightly/now")
    assert again.status_code == 409
    assert run["id"] in again.json()["detail"]
    schedule = client.get("/v1/schedules/nightly").json()
    assert schedule["last"] == {"id": run["id"], "state": "queued", "verdict": None}
    assert schedule["next_at"] == "2026-03-03T03:00:00Z"
    client.post(f"/v1/runs/{run['id']}/cancel")
    assert client.post("/v1/schedules/nightly/now").status_code == 202


def test_an_alert_is_listed_until_somebody_has_seen_it(client: Any, api: Any, bearer: Make, alert: int, clock: Any) -> None:
    (listed,) = client.get("/v1/alerts?open=true").json()["items"]
    assert (listed["id"], listed["schedule"], listed["metric"], listed["sentence"]) == (alert, "nightly", "exact", "it fell")
    assert (listed["interval"], listed["seen_by"], listed["seen_at"]) == (make_interval().json_body(), None, None)
    assert client.get("/v1/alerts?open=false").json()["items"] == []

    clock.move(minutes=5)
    seen = api.post(f"/v1/alerts/{alert}/seen", headers=bearer("author")).json()
    assert (seen["seen_by"], seen["seen_at"]) == ("key:a author", "2026-03-02T12:05:00Z")
    clock.move(minutes=5)
    assert client.post(f"/v1/alerts/{alert}/seen").json() == seen
    assert client.get("/v1/alerts?open=true").json()["items"] == []
    assert client.get("/v1/alerts?open=false&schedule=nightly").json()["items"] == [seen]
    assert client.get("/v1/alerts?schedule=other").json()["items"] == []


def test_another_projects_schedules_and_alerts_are_not_there(client: Any, api: Any, bearer: Make, alert: int) -> None:
    client.put("/v1/schedules/nightly", json=NIGHTLY)
    stranger = bearer("author", "elsewhere")
    assert api.get("/v1/schedules/nightly", headers=stranger).status_code == 404
    for path in ("schedules", "alerts", "evidence"):
        assert api.get(f"/v1/{path}", headers=stranger).json()["items"] == []
    assert api.post(f"/v1/alerts/{alert}/seen", headers=stranger).status_code == 404
    assert api.delete("/v1/schedules/nightly", headers=stranger).status_code == 404


def test_what_was_missed_on_a_day_of_two_clocks_is_shown_in_utc(client: Any, clock: Any) -> None:
    clock.now = datetime(2026, 10, 24, 12, tzinfo=UTC)
    schedule = client.put("/v1/schedules/nightly", json=NIGHTLY | {"cron": "30 1 * * *"}).json()
    assert schedule["next_times"] == ["2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z", "2026-10-27T01:30:00Z"]


def test_the_first_person_who_saw_an_alert_stays(alert: int, unit_as: Any) -> None:
    with unit_as("author") as unit:
        read_before = schedule_store.get_alert(unit.session, alert)
        assert schedule_store.mark_alert_seen(unit.session, alert, "first", unit.clock())
        assert not schedule_store.mark_alert_seen(unit.session, alert, "second", unit.clock())
        assert read_before is not None
        assert read_before.seen_by is None
        assert AlertService(unit).mark_seen(alert).seen_by == "first"
