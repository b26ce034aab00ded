"""What a scenario is and reports, and the time that all of them have together."""

import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from factories.databases import Postgres

LIMIT_SECONDS = 600.0
SQLITE, POSTGRESQL = "SQLite", "PostgreSQL"


@dataclass
class Outcome:
    """What a scenario did, and what became of it.

    Attributes:
        tried: writes, lookups or connections that clients began.
        acknowledged: those that the server reported as done.
        lost: acknowledged ones that are not there afterwards; anything but 0 is a failure.
        responses: how many responses of each status, or what came instead of one.
        failures: further statements that are not true.
    """

    tried: int = 0
    acknowledged: int = 0
    lost: int = 0
    responses: Counter[str] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)

    def expect(self, is_true: bool, statement: str) -> None:
        """Record a statement that is not true."""
        if not is_true:
            self.failures.append(statement)


@dataclass(frozen=True)
class Place:
    """Where a scenario runs: an empty folder, the settings of its servers, and the PostgreSQL server, if it is on one."""

    folder: Path
    variables: Mapping[str, str]
    postgres: Postgres | None


@dataclass(frozen=True)
class Scenario:
    """A kind of damage: its name, what does it, and the databases that it needs."""

    name: str
    run: Callable[[Place], Outcome]
    databases: tuple[str, ...]


class Deadline:
    """The end of the whole run; scenarios that do not begin in time are reported as not run."""

    def __init__(self, seconds: float = LIMIT_SECONDS) -> None:
        """Begin now."""
        self._end = time.monotonic() + seconds

    @property
    def has_passed(self) -> bool:
        """Whether no further scenario begins."""
        return time.monotonic() >= self._end
