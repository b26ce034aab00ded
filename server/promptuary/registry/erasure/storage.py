"""Rewriting the database's files after an erasure."""

import structlog

from promptuary.core.database import Database
from promptuary.core.errors import Unavailable
from promptuary.registry.erasure.schemas import StorageOut, storage_after

log = structlog.get_logger(__name__)


def rewrite_files(database: Database) -> StorageOut:
    """Rewrite the database's files without what was erased; return how that ended."""
    try:
        database.scrub()
    except Unavailable as error:
        log.warning("the database's files are not rewritten after an erasure", error=error.message)
        return storage_after(error.message)
    return storage_after(None)
