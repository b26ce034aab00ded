"""Run every scenario on SQLite and PostgreSQL, and print what was tried, acknowledged, lost and answered.

`make chaos` starts it; it takes some minutes. It ends with 1 where an acknowledged write was lost, a number is missing, or a
request got an answer that it must not get.
"""

import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from chaos import scenarios
from chaos.outcome import Outcome, print_outcomes
from factories.databases import Postgres

LIMIT_SECONDS = 600.0


@contextmanager
def databases() -> Iterator[dict[str, Postgres | None]]:
    """Yield SQLite, and a PostgreSQL server of this program's own."""
    folder = Path(tempfile.mkdtemp(prefix="promptuary-pg-"))
    postgres = Postgres(folder)
    try:
        yield {"SQLite": None, "PostgreSQL": postgres}
    finally:
        postgres.start_again()
        postgres.stop()
        shutil.rmtree(folder, ignore_errors=True)


def run(scenario: Callable[[scenarios.Place], Outcome], postgres: Postgres | None) -> Outcome:
    """Run a scenario on an empty database."""
    with tempfile.TemporaryDirectory(prefix="promptuary-chaos-") as folder:
        if postgres is None:
            return scenario(scenarios.Place(Path(folder), {}, None))
        with postgres.copy() as url:
            return scenario(scenarios.Place(Path(folder), {"PROMPTUARY_DATABASE_URL": url}, postgres))


def main() -> int:
    """Run the scenarios until the time is over; print the table."""
    began = time.monotonic()
    outcomes: list[Outcome] = []
    with databases() as available:
        for name, postgres in available.items():
            chosen = scenarios.EVERYWHERE if postgres is None else (*scenarios.EVERYWHERE, *scenarios.POSTGRESQL)
            for scenario in chosen:
                if time.monotonic() - began > LIMIT_SECONDS:
                    sys.stderr.write(f"left out for lack of time: {scenario.__name__} on {name}\n")
                    continue
                outcomes.append(run(scenario, postgres).on(name))
                sys.stderr.write(f"{time.monotonic() - began:4.0f} s  {name}: {outcomes[-1].scenario}\n")
    print_outcomes(outcomes)
    return 1 if any(outcome.failed for outcome in outcomes) else 0


if __name__ == "__main__":
    sys.exit(main())
