"""Alerts as a scheduled run raises them."""

from typing import Any

from factories.summaries import make_interval
from promptuary.scheduling.store import Alert


def make_alert(unit: Any, run: str, schedule: str = "nightly") -> Alert:
    """Make an alert of a run of the suite `words`, which is not stored yet."""
    return Alert(
        id=0,
        project=unit.caller.project,
        schedule=schedule,
        suite="words",
        run=run,
        model="echo:",
        metric="exact",
        interval=make_interval(),
        sentence="it fell",
        at=unit.clock(),
    )
