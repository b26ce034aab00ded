"""The composition root: read from top to bottom, it shows what the service consists of."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from promptuary.api.lookup.fast_path import LookupFastPath
from promptuary.api.lookup.services import LookupServices, open_lookup_services
from promptuary.api.middleware import RequestMiddleware
from promptuary.api.openapi import install_openapi
from promptuary.api.problems.handlers import install_error_handlers
from promptuary.api.routers import add_routes
from promptuary.api.services import create_services
from promptuary.context.retrieval import PassageRetrieval
from promptuary.core.clock import Clock, wall_clock
from promptuary.core.database import Database
from promptuary.core.settings import Settings
from promptuary.evaluation.admission import admit_suite
from promptuary.evaluation.scorers.catalog import scorer_types
from promptuary.release import __version__
from promptuary.traffic.intake.gateway import IntakeGateway


def create_app(
    settings: Settings,
    *,
    database: Database | None = None,
    clock: Clock = wall_clock,
    retrieval: PassageRetrieval | None = None,
) -> RequestMiddleware:
    """Assemble the service on a database with this release's schema; no heavy library is imported before a request needs it.

    Args:
        settings: from `read_settings`.
        database: an open one, which stays open; by default one by the settings, which the app closes.
        clock: returns the present time.
        retrieval: the process's embedder and index; by default one that loads both at their first use.
    """
    scorer_types()  # a plug-in that cannot be used is reported before a database is created
    services = open_lookup_services(settings, database, clock)
    try:
        return complete_app(services, LookupFastPath(services), retrieval)
    except Exception:
        services.close()
        raise


def complete_app(
    lookup_services: LookupServices,
    lookup: LookupFastPath,
    retrieval: PassageRetrieval | None = None,
    intake: IntakeGateway | None = None,
) -> RequestMiddleware:
    """Assemble the service around the lookup's fast path, which may answer lookups already.

    Args:
        lookup_services: those of the lookup.
        lookup: the fast path.
        retrieval: the process's embedder and index; by default one that loads both at their first use.
        intake: takes production calls; by default in threads of this process.

    Raises:
        PromptuaryError: for a plug-in or a setting that cannot be used; what was passed in stays open.
    """
    scorer_types()  # a plug-in that cannot be used stops the start, not the first request
    services = create_services(lookup_services, retrieval, intake)

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        starting = asyncio.create_task(services.intake.start())  # in the background: lookups are answered already
        yield
        await starting
        await lookup.stop()
        middleware.close()

    app = FastAPI(
        title="Promptuary",
        version=__version__,
        description="A self-hosted prompt registry and evaluation service.",
        lifespan=lifespan,
        redoc_url=None,
    )
    for name, service in vars(services).items():
        setattr(app.state, name, service)
    app.state.admit_suite = admit_suite
    app.state.lookup_counts = lookup.counts
    install_error_handlers(app)
    install_openapi(app)
    add_routes(app)
    middleware = RequestMiddleware(app, services, lookup)
    return middleware
