"""The outcome of a scenario, and the table of all."""

import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace


@dataclass(frozen=True)
class Outcome:
    """What a scenario has shown.

    Attributes:
        scenario: what was done.
        tried: the number of writes or queries that were sent.
        acknowledged: how many of them were answered with success.
        lost: how many acknowledged writes were not there afterwards, or how many replies were wrong.
        statuses: how often each status came; 0 for a broken connection.
        longest: the seconds of the slowest answer.
        wrong: statuses that must not come.
        database: where it ran.
    """

    scenario: str
    tried: int
    acknowledged: int
    lost: int
    statuses: Counter[int] = field(default_factory=Counter)
    longest: float = 0.0
    wrong: Sequence[int] = (500,)
    database: str = ""

    def on(self, database: str) -> "Outcome":
        """Return the outcome with the name of its database."""
        return replace(self, database=database)

    @property
    def failed(self) -> bool:
        """Whether something was lost, or an answer came that must not come."""
        return self.lost > 0 or any(self.statuses[status] for status in self.wrong)


def print_outcomes(outcomes: Iterable[Outcome]) -> None:
    """Print a table in Markdown."""
    lines = ["| scenario | database | tried | acknowledged | lost | answered | slowest |", "|---|---|---|---|---|---|---|"]
    for outcome in outcomes:
        statuses = ", ".join(f"{count} × {status or 'broken'}" for status, count in sorted(outcome.statuses.items()))
        numbers = f"{outcome.tried} | {outcome.acknowledged} | {outcome.lost}"
        lines.append(f"| {outcome.scenario} | {outcome.database} | {numbers} | {statuses} | {outcome.longest:.1f} s |")
    sys.stdout.write("\n".join(lines) + "\n")
