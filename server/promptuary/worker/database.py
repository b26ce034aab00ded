"""The database as a worker opens it."""

from promptuary.core.database import Database
from promptuary.core.settings import Settings

STATEMENT_SECONDS = 60.0
"""How long a worker's statement may take at least; nobody waits for its answer as for a server's."""


def open_worker_database(settings: Settings) -> Database:
    """Create the database of the settings, with a worker's limit of time; connect to nothing yet."""
    return Database(settings.sql_url, statement_seconds=max(settings.database_timeout, STATEMENT_SECONDS))
