"""The time that the verification of a long audit chain takes, on SQLite and on PostgreSQL.

    python -m bench.audit [ROWS]

The rows are those of a real chain, with their true digests; they are inserted in groups, because a transaction for each row
takes longer than the benchmark.
"""

import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import insert, update

if TYPE_CHECKING:
    from promptuary.core.database import Database

ROWS, GROUP = 1_000_000, 10_000


@dataclass(frozen=True)
class Verification:
    """The verification of a chain: its rows, the seconds and the processor's seconds of this process that it took."""

    what: str
    rows: int
    seconds: float
    processor: float


@contextmanager
def databases() -> Iterator[dict[str, str]]:
    """Yield the URLs of empty databases by their names."""
    from factories.databases import Postgres

    with tempfile.TemporaryDirectory() as folder:
        postgres = Postgres(Path(folder) / "postgresql")
        try:
            with postgres.copy("template0") as url:
                yield {"SQLite": f"sqlite:///{folder}/promptuary.db", "PostgreSQL": url}
        finally:
            postgres.stop()


def write(database: "Database", project: int, rows: int) -> None:
    """Write a chain: each row with its true digest, in groups."""
    from promptuary.access import audit, store
    from promptuary.access.tables import AuditRow, ProjectRow
    from promptuary.core.clock import wall_clock
    from promptuary.core.database import table_of

    audit_table, project_table, previous = table_of(AuditRow), table_of(ProjectRow), audit.GENESIS_DIGEST
    for first in range(1, rows + 1, GROUP):
        group = []
        for sequence in range(first, min(first + GROUP, rows + 1)):
            detail = {"version": sequence, "label": "production", "from": sequence - 1, "reason": "passed its suite — déjà vu"}
            change = audit.Change("key:release", "label.moved", f"support.p{sequence % 500}", detail, wall_clock())
            entry = store.AuditEntry(sequence=sequence, previous=previous, digest="", **vars(change))
            previous = audit.entry_digest(entry)
            group.append({"project_id": project, **vars(replace(entry, digest=previous))})
        with database.write() as session:
            session.connection().execute(insert(audit_table), group)
            session.connection().execute(update(project_table).values(audit_sequence=sequence))


def verified(what: str, url: str, rows: int) -> Verification:
    """Write a chain and verify it with its head.

    Raises:
        AssertionError: the chain is not intact.
    """
    from promptuary.access import audit, store
    from promptuary.core.clock import wall_clock
    from promptuary.core.database import Database
    from promptuary.migrations.upgrade import upgrade

    database = Database(url)
    upgrade(database)
    with database.write() as session:
        project = store.get_or_create_project(session, "default", wall_clock()).id
    write(database, project, rows)
    started, processor = time.perf_counter(), time.process_time()
    with database.read() as session:
        head = audit.read_head(session, project)
        result = audit.verify_chain(session, project, head)
    assert (result.rows, result.broken_at) == (rows, None), result
    verification = Verification(what, rows, time.perf_counter() - started, time.process_time() - processor)
    database.dispose()
    return verification


def measured(rows: int = ROWS) -> list[Verification]:
    """Measure on both databases."""
    with databases() as urls:
        return [verified(what, url, rows) for what, url in urls.items()]


def main() -> None:
    """Measure and print the seconds."""
    for result in measured(int(sys.argv[1]) if len(sys.argv) > 1 else ROWS):
        print(f"{result.what:12} {result.rows:10,} rows in {result.seconds:6.1f} s, of the processor {result.processor:6.1f} s")


if __name__ == "__main__":
    main()
