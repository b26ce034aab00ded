"""Times of schedules, over the changes of clocks too, and what is wrong with those that cannot be."""

from datetime import UTC, datetime

import pytest

from promptuary.scheduling.cron import next_times, redacted_webhook, schedule_errors

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text + "+00:00")


def test_times_are_meant_in_their_zone_and_given_in_utc() -> None:
    assert next_times("30 6 * * MON-FRI", "Europe/Berlin", NOON, 2) == [at("2026-03-03T05:30"), at("2026-03-04T05:30")]
    assert next_times("*/15 * * * *", "UTC", NOON) == [at("2026-03-02T12:15")]


def test_a_time_is_always_after_the_moment_it_is_asked_for() -> None:
    assert next_times("0 12 * * *", "UTC", NOON) == [at("2026-03-03T12:00")]


def test_a_time_that_does_not_exist_is_moved_to_the_first_minute_that_does() -> None:
    before = at("2026-03-28T12:00")  # on the 29th, 02:00 in Berlin is 03:00 at once
    assert next_times("30 2 * * *", "Europe/Berlin", before, 2) == [at("2026-03-29T01:00"), at("2026-03-30T00:30")]


def test_a_time_that_comes_twice_is_taken_once() -> None:
    before = at("2026-10-24T12:00")  # on the 25th, 03:00 in Berlin is 02:00 again
    assert next_times("30 2 * * *", "Europe/Berlin", before, 2) == [at("2026-10-25T00:30"), at("2026-10-26T01:30")]


def test_in_the_hour_that_comes_twice_no_time_lies_in_the_past() -> None:
    second = at("2026-10-25T01:10")  # 02:10 in Berlin, for the second time
    assert next_times("30 2 * * *", "Europe/Berlin", second) == [at("2026-10-26T01:30")]


def test_every_hour_stays_every_hour_when_clocks_change() -> None:
    before = at("2026-10-25T00:00")
    assert next_times("0 * * * *", "Europe/Berlin", before, 3) == [at(f"2026-10-25T0{hour}:00") for hour in (1, 2, 3)]


@pytest.mark.parametrize(
    ("cron", "zone", "paths"),
    [
        ("* * * * *", "UTC", []),
        ("0 0 29 2 *", "America/New_York", []),
        ("* * * * * *", "UTC", ["cron"]),  # seconds
        ("* * * *", "UTC", ["cron"]),
        ("", "UTC", ["cron"]),
        ("61 * * * *", "UTC", ["cron"]),
        ("x * * * *", "UTC", ["cron"]),
        ("*/0 * * * *", "UTC", ["cron"]),
        ("L/2,3 * * * *", "UTC", ["cron"]),
        ("* * L/2,3 * *", "UTC", []),
        ("0 0 30 2 *", "UTC", ["cron"]),
        ("0 0 * 2 MON#5", "UTC", []),
        ("@daily", "UTC", ["cron"]),
        ("1-5-9 * * * *", "UTC", ["cron"]),
        ("0 0 31 4 1#9", "UTC", ["cron"]),
        ("0 0 * * 8L", "UTC", ["cron"]),
        ("0 6 * * *", "Europe/Atlantis", ["zone"]),
        ("0 6 * * *", "Europe", ["zone"]),
        ("0 6 * * *", "../../etc/passwd", ["zone"]),
        ("0 6 * * *", "/etc/localtime", ["zone"]),
        ("0 6 * * *", "", ["zone"]),
        ("0 6 * *", "\x00", ["zone", "cron"]),
    ],
)
def test_each_error_has_its_path(cron: str, zone: str, paths: list[str]) -> None:
    assert [error.path for error in schedule_errors(cron, zone, NOON)] == paths


@pytest.mark.parametrize(
    ("url", "redacted"),
    [
        (None, None),
        ("https://hooks.example.org/services/T0/secret?token=1", "https://hooks.example.org/…"),
        ("https://user:pass@hooks.example.org:8443/x", "https://hooks.example.org:8443/…"),
    ],
)
def test_an_address_is_shown_without_what_may_be_a_secret(url: str | None, redacted: str | None) -> None:
    assert redacted_webhook(url) == redacted
