from datetime import UTC, datetime, timedelta, timezone

from promptuary.core.clock import format_timestamp, freeze_clock, wall_clock


def test_the_wall_clock_gives_utc() -> None:
    assert wall_clock().utcoffset() == timedelta(0)


def test_a_moment_is_written_in_utc_with_microseconds_and_a_z() -> None:
    moment = datetime(2026, 3, 2, 13, tzinfo=timezone(timedelta(hours=1)))
    assert format_timestamp(moment) == "2026-03-02T12:00:00.000000Z"
    assert format_timestamp(datetime(2026, 3, 2, 12, 0, 0, 5, tzinfo=UTC)) == "2026-03-02T12:00:00.000005Z"


def test_a_standing_clock_shows_the_moment_of_its_first_question() -> None:
    moments = iter([datetime(2026, 3, 2, tzinfo=UTC), datetime(2026, 3, 3, tzinfo=UTC)])
    clock = freeze_clock(lambda: next(moments))
    assert [clock() for _ in range(3)] == [datetime(2026, 3, 2, tzinfo=UTC)] * 3
