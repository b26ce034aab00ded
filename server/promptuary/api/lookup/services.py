"""The services that the lookup's fast path needs; none of them imports the web framework."""

from collections import Counter
from dataclasses import dataclass, field

from promptuary.access.auth.rate_limits import RateLimits
from promptuary.access.store import REVISIONS_QUERY
from promptuary.api.asgi import HostAllowList, RequestIds
from promptuary.core.change_feed.factory import create_change_feed
from promptuary.core.change_feed.feed import ChangeFeed
from promptuary.core.clock import Clock, wall_clock
from promptuary.core.database import Database
from promptuary.core.settings import Settings
from promptuary.migrations.upgrade import upgrade


@dataclass(frozen=True, kw_only=True)
class LookupServices:
    """The services of one process for lookups; `close` ends them."""

    settings: Settings
    database: Database
    owns_database: bool
    clock: Clock
    change_feed: ChangeFeed
    hosts: HostAllowList
    rate_limits: RateLimits
    request_ids: RequestIds = field(default_factory=RequestIds)
    refused_connections: Counter[str] = field(default_factory=Counter)

    def close(self) -> None:
        """End the change feed, and close the database; one that was passed in stays open."""
        self.change_feed.close()
        if self.owns_database:
            self.database.dispose()


def open_lookup_services(settings: Settings, database: Database | None = None, clock: Clock = wall_clock) -> LookupServices:
    """Create the services, and upgrade the database to the schema of this release.

    Args:
        settings: from `read_settings`.
        database: an open one, which stays open; by default one by the settings, which the services close.
        clock: returns the present time.
    """
    opened_database = database or Database(settings.sql_url, statement_seconds=settings.database_timeout)
    services = LookupServices(
        settings=settings,
        database=opened_database,
        owns_database=database is None,
        clock=clock,
        change_feed=create_change_feed(opened_database, REVISIONS_QUERY),
        hosts=HostAllowList(settings.hosts),
        rate_limits=RateLimits(
            wrong_keys=settings.wrong_key_limit,
            all_wrong_keys=settings.all_wrong_key_limit,
            key_requests=settings.key_request_limit,
            key_lookups=settings.key_lookup_limit,
        ),
    )
    try:
        upgrade(services.database)
    except Exception:
        services.close()  # the change feed and the database are open already
        raise
    return services
