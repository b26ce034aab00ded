"""The services of one process, each of them once: for the routes, the lookup's fast path and the local command line."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from promptuary.access.auth.slots import DatabaseSlots
from promptuary.access.keyless.service import KeyExchange
from promptuary.access.oidc.service import OidcService
from promptuary.access.token_issuers.issuer import TokenIssuers
from promptuary.api.lookup.services import LookupServices
from promptuary.api.request_metrics import RequestMetrics
from promptuary.context.retrieval import PassageRetrieval
from promptuary.context.vector_source import build_embedding_backend
from promptuary.evaluation.runs.erasure import RunErasure
from promptuary.models.erasure import ResponseCacheErasure
from promptuary.registry.erasure.holder import ContentHolder
from promptuary.registry.events.stream import EventStream
from promptuary.review.queues.erasure import ReviewErasure
from promptuary.search.erasure import SearchErasure
from promptuary.search.prompt_vectors import PromptVectors
from promptuary.search.service import PromptSearch
from promptuary.search.similarity import SimilarPromptCheck
from promptuary.traffic.erasure.version_erasure import TrafficErasure
from promptuary.traffic.intake.gateway import IntakeGateway, ThreadIntake
from promptuary.traffic.intake.intake import TrafficIntake
from promptuary.traffic.redaction.hook import build_redactor


@dataclass(frozen=True, kw_only=True)
class Services(LookupServices):
    """Every service; `close` ends them."""

    retrieval: PassageRetrieval
    event_stream: EventStream
    prompt_vectors: PromptVectors
    prompt_search: PromptSearch
    similarity_checker: SimilarPromptCheck
    content_holders: Sequence[ContentHolder]
    slots: DatabaseSlots
    oidc: OidcService
    key_exchange: KeyExchange
    intake: IntakeGateway
    request_metrics: RequestMetrics = field(default_factory=RequestMetrics)

    def close(self) -> None:
        """End the change feed and close what is open; a database that was passed in stays open."""
        self.intake.close()
        self.retrieval.close()
        super().close()


def create_services(
    lookup: LookupServices, retrieval: PassageRetrieval | None, intake: IntakeGateway | None = None
) -> Services:
    """Create the services beside those of the lookup, a retrieval and an intake where they are None; connect to nothing."""
    database, settings = lookup.database, lookup.settings
    opened_retrieval = retrieval or PassageRetrieval(database, lookup.clock, build_embedding_backend(database, settings))
    prompt_vectors = PromptVectors(database, settings, opened_retrieval.backend)
    issuers = TokenIssuers(lookup.clock)
    return Services(
        **vars(lookup),
        retrieval=opened_retrieval,
        event_stream=EventStream(database, lookup.change_feed, settings.stream_limit),
        prompt_vectors=prompt_vectors,
        prompt_search=PromptSearch(database, lookup.clock, settings, prompt_vectors),
        similarity_checker=SimilarPromptCheck(database, settings, prompt_vectors),
        content_holders=(SearchErasure(), ResponseCacheErasure(), RunErasure(), ReviewErasure(), TrafficErasure()),
        slots=DatabaseSlots(database.dialect),
        oidc=OidcService(settings, database, lookup.clock, issuers),
        key_exchange=KeyExchange(settings, database, lookup.clock, issuers),
        intake=intake or ThreadIntake(TrafficIntake(database, lookup.clock, settings, redactor=build_redactor(settings))),
    )
