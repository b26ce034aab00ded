"""The times of a schedule: a cron expression in a time zone. Pure.

An expression has five fields, so two times are at least a minute apart. When clocks go forward, a time that does not exist
moves to the first minute that does. When they go back, a repeated time counts once. An expression whose hours or minutes begin
with `*` follows elapsed time instead: every hour stays every hour.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, tzinfo
from itertools import islice
from zoneinfo import ZoneInfo

from promptuary.core.outbound_http import redacted_url
from promptuary.prompt.errors import FieldError

FIELDS = 5


def next_times(cron: str, zone: str, after: datetime, number: int = 1) -> list[datetime]:
    """Return the next times after a timestamp, in UTC; fewer where the expression has no more within fifty years.

    Args:
        cron: a valid expression.
        zone: a time zone's name, such as Europe/Lisbon.
        after: a timestamp with its time zone.
        number: how many.
    """
    return list(islice(_iterate_times(cron, zone, after), number))


def _iterate_times(cron: str, zone: str, after: datetime) -> Iterator[datetime]:
    from cronsim import CronSim

    last = after
    for local in CronSim(cron, after.astimezone(_zone(zone))):
        time = local.astimezone(UTC)
        if time > last:  # in the repeated hour, the first of the two may be before `after`
            last = time
            yield time


def schedule_errors(cron: str, zone: str, now: datetime) -> list[FieldError]:
    """Return the errors of an expression and a zone; none for valid ones."""
    from cronsim import CronSimError

    errors = []
    try:
        _zone(zone)
    except (ValueError, OSError, KeyError):  # a folder of zones, a path, or an unknown name
        errors.append(FieldError("zone", f"'{zone}' is not a known time zone; give a name such as UTC or Europe/Lisbon"))
        zone = "UTC"
    if len(cron.split()) != FIELDS:
        return [*errors, FieldError("cron", "must have five fields: minute, hour, day of the month, month, day of the week")]
    try:
        if not next_times(cron, zone, now):
            errors.append(FieldError("cron", "has no time within fifty years"))
    except CronSimError as error:
        errors.append(FieldError("cron", f"{str(error).lower()}; an example is `30 6 * * MON-FRI`"))
    except (OverflowError, RecursionError, ValueError):
        errors.append(FieldError("cron", "cannot be read; an example is `30 6 * * MON-FRI`"))
    return errors


def _zone(name: str) -> tzinfo:
    return UTC if name == "UTC" else ZoneInfo(name)


def redacted_webhook(url: str | None) -> str | None:
    """Return an address without its path and query, which may contain a secret."""
    return None if url is None else redacted_url(url)
