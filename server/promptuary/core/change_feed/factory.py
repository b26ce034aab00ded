"""Creates the change feed for a database."""

from promptuary.core.change_feed.feed import ChangeFeed
from promptuary.core.change_feed.postgres import PostgresChangeFeed
from promptuary.core.change_feed.sqlite import SqliteChangeFeed
from promptuary.core.database import Database


def create_change_feed(database: Database, query: str) -> ChangeFeed:
    """Create the change feed of a database, and make it observe this process's own commits.

    Args:
        database: SQLite or PostgreSQL.
        query: selects the id and both revisions of every project; it has no condition.
    """
    if database.dialect == "postgresql":
        change_feed: ChangeFeed = PostgresChangeFeed(database, query)
    else:
        change_feed = SqliteChangeFeed(str(database.engine.url.database), query)
    database.after_commit.append(change_feed.observe_commit)
    return change_feed
