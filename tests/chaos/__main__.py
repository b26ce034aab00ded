"""Run every scenario, and print a table: `python -m chaos [--markdown FILE] [NAME…]`. Exit 1 where anything is lost or fails.

Only processes that a scenario started are ended, each by its own id.
"""

import argparse
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from chaos import connections, databases, storage
from chaos.scenario import POSTGRESQL, SQLITE, Deadline, Outcome, Place, Scenario
from factories.databases import Postgres

SCENARIOS: tuple[Scenario, ...] = (*connections.SCENARIOS, *databases.SCENARIOS, *storage.SCENARIOS)
_HEADER = ("scenario", "database", "seconds", "tried", "acknowledged", "lost", "answered")


def main() -> None:
    """Parse the command line, and run the scenarios one after another, for ten minutes at most."""
    parser = argparse.ArgumentParser(prog="python -m chaos", description="Damage real processes, and count what was lost.")
    parser.add_argument("--markdown", type=Path, help="a file for the table")
    parser.add_argument("names", nargs="*", help="parts of the names of scenarios; by default all")
    arguments = parser.parse_args()
    deadline, rows, failed = Deadline(), [_HEADER], False
    with _postgresql() as postgres:
        for scenario, database in _chosen(arguments.names):
            if deadline.has_passed:
                rows.append((scenario.name, database, "not run", "", "", "", ""))
                failed = True
                continue
            began = time.monotonic()
            outcome = _run(scenario, postgres if database == POSTGRESQL else None)
            failed = failed or bool(outcome.lost or outcome.failures)
            rows.append(_row((scenario.name, database), time.monotonic() - began, outcome))
            print(" · ".join(rows[-1]), flush=True)
            for failure in outcome.failures:
                print(f"  not true: {failure}", flush=True)
    if arguments.markdown:
        arguments.markdown.write_text(_markdown(rows))
    sys.exit(failed)


def _chosen(names: list[str]) -> list[tuple[Scenario, str]]:
    """Return the scenarios whose name has one of the texts, those on SQLite first, so that a lack of time is even."""
    chosen = [scenario for scenario in SCENARIOS if not names or any(name in scenario.name for name in names)]
    return [(scenario, database) for database in (SQLITE, POSTGRESQL) for scenario in chosen if database in scenario.databases]


@contextmanager
def _postgresql() -> Iterator[Postgres]:
    """Run a PostgreSQL server of this program's own."""
    folder = Path(tempfile.mkdtemp(prefix="promptuary-pg-"))
    postgres = Postgres(folder)
    try:
        yield postgres
    finally:
        postgres.start_again()
        postgres.stop()
        shutil.rmtree(folder, ignore_errors=True)


def _run(scenario: Scenario, postgres: Postgres | None) -> Outcome:
    """Run a scenario on an empty database; an error that it raises is a failure of it."""
    with tempfile.TemporaryDirectory(prefix="chaos-") as folder:
        try:
            if postgres is None:
                return scenario.run(Place(Path(folder), {}, None))
            with postgres.copy() as url:
                return scenario.run(Place(Path(folder), {"PROMPTUARY_DATABASE_URL": url}, postgres))
        except Exception as error:
            return Outcome(failures=[f"the scenario ends: {type(error).__name__}: {error}"])


def _row(names: tuple[str, str], seconds: float, outcome: Outcome) -> tuple[str, ...]:
    responses = ", ".join(f"{name}: {count}" if count > 1 else name for name, count in sorted(outcome.responses.items()))
    numbers = (f"{seconds:.0f}", str(outcome.tried), str(outcome.acknowledged), str(outcome.lost))
    return (*names, *numbers, responses)


def _markdown(rows: list[tuple[str, ...]]) -> str:
    lines = ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join([lines[0], "|" + "---|" * len(_HEADER), *lines[1:]]) + "\n"


if __name__ == "__main__":
    main()
