"""The times of a schedule: a cron expression in a time zone. Pure.

Five fields, so that two times are a minute apart or more. When clocks are put forward, a time that does not exist is moved to
the first minute that does; when they are put back, a time that comes twice is taken once. An expression whose hours or minutes
begin with `*` follows the time that passes instead: every hour stays every hour.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, tzinfo
from itertools import islice
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from promptuary.prompt.errors import FieldError

FIELDS = 5


def next_times(cron: str, zone: str, after: datetime, number: int = 1) -> list[datetime]:
    """Give the next times after a moment, in UTC; fewer where the expression has no more within fifty years.

    Args:
        cron: an expression without faults.
        zone: a time zone's name, as Europe/Lisbon.
        after: a moment with its time zone.
        number: how many.
    """
    return list(islice(_later(cron, zone, after), number))


def _later(cron: str, zone: str, after: datetime) -> Iterator[datetime]:
    from cronsim import CronSim

    last = after
    for local in CronSim(cron, after.astimezone(_zone(zone))):
        found = local.astimezone(UTC)
        if found > last:  # in the hour that comes twice, the first of the two may lie before the moment
            last = found
            yield found


def schedule_errors(cron: str, zone: str, now: datetime) -> list[FieldError]:
    """Say what is wrong with an expression or a zone."""
    from cronsim import CronSimError

    found = []
    try:
        _zone(zone)
    except (ValueError, OSError, KeyError):  # a folder of zones, a path, or a name that is none
        found.append(FieldError("zone", f"'{zone}' is no time zone that is known here; give a name as UTC or Europe/Lisbon"))
        zone = "UTC"
    if len(cron.split()) != FIELDS:
        return [*found, FieldError("cron", "must have five fields: minute, hour, day of the month, month, day of the week")]
    try:
        if not next_times(cron, zone, now):
            found.append(FieldError("cron", "names no time within fifty years"))
    except CronSimError as error:
        found.append(FieldError("cron", f"{str(error).lower()}; an example is `30 6 * * MON-FRI`"))
    except (OverflowError, RecursionError, ValueError):
        found.append(FieldError("cron", "cannot be read; an example is `30 6 * * MON-FRI`"))
    return found


def _zone(name: str) -> tzinfo:
    return UTC if name == "UTC" else ZoneInfo(name)


def redacted_webhook(url: str | None) -> str | None:
    """Give an address without what may be a secret in it: its path and its query."""
    if url is None:
        return None
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}/…"
