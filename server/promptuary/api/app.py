"""The composition root: read top to bottom, it says what the service is made of."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import APIRouter, FastAPI
from starlette.requests import Request
from starlette.responses import Response

import promptuary
from promptuary.access.auth.authentication import SCOPE_ATTRIBUTE
from promptuary.access.auth.slots import DatabaseSlots
from promptuary.access.routes import router as access_routes
from promptuary.access.store import REVISIONS_QUERY
from promptuary.api.metrics import router as metrics_routes
from promptuary.api.middleware import RequestMiddleware
from promptuary.api.openapi import install_openapi
from promptuary.api.problems import install_error_handlers
from promptuary.api.request_metrics import RequestMetrics
from promptuary.api.services import Services
from promptuary.compat.langfuse.routes import router as langfuse_routes
from promptuary.compat.mlflow.routes import router as mlflow_routes
from promptuary.context.retrieval import PassageRetrieval
from promptuary.context.routes import router as context_routes
from promptuary.core.change_feed import create_change_feed
from promptuary.core.clock import Clock, wall_clock
from promptuary.core.database import Database
from promptuary.core.errors import Unavailable
from promptuary.core.settings import Settings
from promptuary.evaluation.datasets.upload import router as upload_routes
from promptuary.evaluation.runs.routes import router as evaluation_routes
from promptuary.evaluation.scorers.catalog import scorer_types
from promptuary.migrations.upgrade import HEAD, current_revision, upgrade
from promptuary.registry.routes import router as registry_routes
from promptuary.registry.stream import EventStream
from promptuary.review.routes import router as review_routes
from promptuary.scheduling.routes import router as schedule_routes
from promptuary.search.prompt_vectors import PromptVectors
from promptuary.search.service import PromptSearch

ROUTERS: tuple[APIRouter, ...] = (
    access_routes,
    registry_routes,
    context_routes,
    upload_routes,
    evaluation_routes,
    schedule_routes,
    review_routes,
)
"""What stands under /v1."""
COMPATIBLE: tuple[APIRouter, ...] = (langfuse_routes, mlflow_routes)
"""What stands where other registries' clients look for it; these routers have their whole paths."""


def create_app(
    settings: Settings,
    *,
    database: Database | None = None,
    clock: Clock = wall_clock,
    retrieval: PassageRetrieval | None = None,
) -> RequestMiddleware:
    """Assemble the service on a database of today's schema; nothing heavy is imported until a request needs it.

    Args:
        settings: from `read_settings`.
        database: one that is open already; by default the settings' one, which the app then closes.
        clock: gives the present moment.
        retrieval: the process's embedder and index; by default one that makes both at their first use.
    """
    scorer_types()  # a plug-in that cannot be used stops it here, not at the first request
    opened = database or Database(settings.sql_url)
    upgrade(opened)

    held = retrieval or PassageRetrieval(opened, clock, settings)
    parts = Services(settings, opened, clock, held, create_change_feed(opened, REVISIONS_QUERY))

    def close() -> None:
        edge.lookup.close()
        parts.changes.close()
        held.close()
        if database is None:
            opened.dispose()

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        yield
        await edge.lookup.stop()
        close()

    app = FastAPI(
        title="Promptuary",
        version=promptuary.__version__,
        description="A self-hosted prompt registry and evaluation service.",
        lifespan=lifespan,
        redoc_url=None,
    )
    app.state.settings = settings
    app.state.database = opened
    app.state.traffic = RequestMetrics()
    app.state.turns = DatabaseSlots(opened.dialect)
    app.state.clock = clock
    app.state.retrieval = held
    app.state.prompt_vectors = PromptVectors(opened, settings, held)
    app.state.prompts = PromptSearch(opened, clock, settings, app.state.prompt_vectors)
    app.state.neighbours = app.state.prompts  # what the registry asks for prompts that say nearly the same
    app.state.feed = EventStream(opened, parts.changes, settings.stream_limit)
    install_error_handlers(app)
    install_openapi(app)
    for router in ROUTERS:
        check_scopes(router)
        app.include_router(router, prefix="/v1")
    for router in COMPATIBLE:
        check_scopes(router)
        app.include_router(router)
    app.include_router(_health)
    app.include_router(metrics_routes)
    edge = RequestMiddleware(app, parts, close, app.state.traffic)
    return edge


def check_scopes(router: APIRouter) -> None:
    """Refuse to start with a route that declares no scope: it would be open to all."""
    for route in router.routes:
        dependant = getattr(route, "dependant", None)
        calls = [inner.call for inner in dependant.dependencies] if dependant else []
        if sum(hasattr(call, SCOPE_ATTRIBUTE) for call in calls) != 1:
            raise RuntimeError(f"the route {getattr(route, 'path', route)} does not declare one scope with allow(…)")


_health = APIRouter(tags=["health"])


@_health.get("/healthz")
def alive() -> dict[str, str]:
    """Tell that the process answers."""
    return {"status": "ok"}


@_health.get("/readyz")
def ready(request: Request) -> Response:
    """Tell that lookups can be answered: the database is there and of this release."""
    if current_revision(request.app.state.database) != HEAD:
        raise Unavailable("the database's schema is not of this release; run `promptuary init`")
    return Response('{"status":"ready"}', media_type="application/json")
