"""Upgrade a database to the schema of this release, in one transaction, one process at a time."""

from pathlib import Path

from sqlalchemy import inspect, text

from promptuary.core.database import Database
from promptuary.core.errors import PromptuaryError

HEAD = "0029"
_POSTGRES_LOCK = 0x70726F6D


class UnknownSchema(PromptuaryError):
    """The database was made by a newer release than this one."""

    code = "unknown_schema"


def current_revision(database: Database) -> str | None:
    """Return the revision of a database's schema; None for an empty database."""
    with database.read() as session:
        connection = session.connection()
        if not inspect(connection).has_table("alembic_version"):
            return None
        return connection.execute(text("SELECT version_num FROM alembic_version")).scalar_one_or_none()


def upgrade(database: Database) -> None:
    """Run the migrations that are missing; where the schema is current, Alembic is not imported.

    Raises:
        UnknownSchema: when the database is ahead of this release.
    """
    if current_revision(database) == HEAD:
        return
    from alembic import command
    from alembic.config import Config
    from alembic.util import CommandError

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent))
    with database.without_timeouts() as patient, patient.write() as session:
        connection = session.connection()
        if database.dialect == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _POSTGRES_LOCK})
        config.attributes["connection"] = connection
        try:
            command.upgrade(config, "head")
        except CommandError as error:
            raise UnknownSchema(
                f"the database is not of this release ({error}); install the release that created it"
            ) from error
