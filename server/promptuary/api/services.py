"""The services of one process, each of them once: for the routes, the lookup's fast path and the local command line."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from promptuary.access.auth.slots import DatabaseSlots
from promptuary.access.store import REVISIONS_QUERY
from promptuary.api.asgi import HostAllowList, RequestIds
from promptuary.api.request_metrics import RequestMetrics
from promptuary.context.retrieval import PassageRetrieval
from promptuary.context.vector_source import build_embedding_backend
from promptuary.core.change_feed.factory import create_change_feed
from promptuary.core.change_feed.feed import ChangeFeed
from promptuary.core.clock import Clock
from promptuary.core.database import Database
from promptuary.core.settings import Settings
from promptuary.evaluation.runs.erasure import RunErasure
from promptuary.models.erasure import ResponseCacheErasure
from promptuary.registry.erasure.holder import ContentHolder
from promptuary.registry.events.stream import EventStream
from promptuary.review.erasure import ReviewErasure
from promptuary.search.erasure import SearchErasure
from promptuary.search.prompt_vectors import PromptVectors
from promptuary.search.service import PromptSearch
from promptuary.search.similarity import SimilarPromptCheck


@dataclass(frozen=True)
class Services:
    """Every service; `close` ends them."""

    settings: Settings
    database: Database
    owns_database: bool
    clock: Clock
    retrieval: PassageRetrieval
    change_feed: ChangeFeed
    event_stream: EventStream
    prompt_vectors: PromptVectors
    prompt_search: PromptSearch
    similarity_checker: SimilarPromptCheck
    content_holders: Sequence[ContentHolder]
    slots: DatabaseSlots
    hosts: HostAllowList
    request_ids: RequestIds = field(default_factory=RequestIds)
    request_metrics: RequestMetrics = field(default_factory=RequestMetrics)

    def close(self) -> None:
        """End the change feed and close what is open; a database that was passed in stays open."""
        self.change_feed.close()
        self.retrieval.close()
        if self.owns_database:
            self.database.dispose()


def create_services(
    settings: Settings, database: Database | None, clock: Clock, retrieval: PassageRetrieval | None
) -> Services:
    """Create the services around a database and a retrieval, or around new ones where these are None; connect to nothing."""
    opened_database = database or Database(settings.sql_url)
    opened_retrieval = retrieval or PassageRetrieval(opened_database, clock, build_embedding_backend(opened_database, settings))
    change_feed = create_change_feed(opened_database, REVISIONS_QUERY)
    prompt_vectors = PromptVectors(opened_database, settings, opened_retrieval.backend)
    return Services(
        settings=settings,
        database=opened_database,
        owns_database=database is None,
        clock=clock,
        retrieval=opened_retrieval,
        change_feed=change_feed,
        event_stream=EventStream(opened_database, change_feed, settings.stream_limit),
        prompt_vectors=prompt_vectors,
        prompt_search=PromptSearch(opened_database, clock, settings, prompt_vectors),
        similarity_checker=SimilarPromptCheck(opened_database, settings, prompt_vectors),
        content_holders=(SearchErasure(), ResponseCacheErasure(), RunErasure(), ReviewErasure()),
        slots=DatabaseSlots(opened_database.dialect),
        hosts=HostAllowList(settings.hosts),
    )
