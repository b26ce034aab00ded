"""The composition root: read top to bottom, it says what the service is made of."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import APIRouter, FastAPI
from starlette.requests import Request
from starlette.responses import Response

import promptuary
from promptuary.access.gate import SCOPE_MARK
from promptuary.access.routes import router as access_routes
from promptuary.access.store import COUNTERS
from promptuary.access.turns import Turns
from promptuary.api.documentation import document
from promptuary.api.edge import Edge
from promptuary.api.metrics import router as metrics_routes
from promptuary.api.parts import Parts
from promptuary.api.problems import install
from promptuary.api.traffic import Traffic
from promptuary.base.changes import changes_of
from promptuary.base.clock import Clock, wall_clock
from promptuary.base.database import Database
from promptuary.base.errors import Unavailable
from promptuary.base.settings import Settings
from promptuary.compat.langfuse_routes import router as langfuse_routes
from promptuary.compat.mlflow_routes import router as mlflow_routes
from promptuary.context.prompt_vectors import PromptVectors
from promptuary.context.prompts import PromptSearch
from promptuary.context.retrieval import Retrieval
from promptuary.context.routes import router as context_routes
from promptuary.evaluation.routes import router as evaluation_routes
from promptuary.evaluation.schedule_routes import router as schedule_routes
from promptuary.evaluation.scorers.registry import kinds
from promptuary.evaluation.upload import router as upload_routes
from promptuary.migrations.upgrade import HEAD, current, upgrade
from promptuary.registry.routes import router as registry_routes
from promptuary.registry.stream import Feed
from promptuary.review.routes import router as review_routes

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
    retrieval: Retrieval | None = None,
) -> Edge:
    """Assemble the service on a database of today's schema; nothing heavy is imported until a request needs it.

    Args:
        settings: from `read_settings`.
        database: one that is open already; by default the settings' one, which the app then closes.
        clock: gives the present moment.
        retrieval: the process's embedder and index; by default one that makes both at their first use.
    """
    kinds()  # a plug-in that cannot be used stops it here, not at the first request
    opened = database or Database(settings.sql_url)
    upgrade(opened)

    held = retrieval or Retrieval(opened, clock, settings)
    parts = Parts(settings, opened, clock, held, changes_of(opened, COUNTERS))

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
    app.state.traffic = Traffic()
    app.state.turns = Turns(opened.dialect)
    app.state.clock = clock
    app.state.retrieval = held
    app.state.prompt_vectors = PromptVectors(opened, settings, held)
    app.state.prompts = PromptSearch(opened, clock, settings, app.state.prompt_vectors)
    app.state.neighbours = app.state.prompts  # what the registry asks for prompts that say nearly the same
    app.state.feed = Feed(opened, parts.changes, settings.stream_limit)
    install(app)
    document(app)
    for router in ROUTERS:
        check_scopes(router)
        app.include_router(router, prefix="/v1")
    for router in COMPATIBLE:
        check_scopes(router)
        app.include_router(router)
    app.include_router(_health)
    app.include_router(metrics_routes)
    edge = Edge(app, parts, close, app.state.traffic)
    return edge


def check_scopes(router: APIRouter) -> None:
    """Refuse to start with a route that declares no scope: it would be open to all."""
    for route in router.routes:
        dependant = getattr(route, "dependant", None)
        calls = [inner.call for inner in dependant.dependencies] if dependant else []
        if sum(hasattr(call, SCOPE_MARK) for call in calls) != 1:
            raise RuntimeError(f"the route {getattr(route, 'path', route)} does not declare one scope with allow(…)")


_health = APIRouter(tags=["health"])


@_health.get("/healthz")
def alive() -> dict[str, str]:
    """Tell that the process answers."""
    return {"status": "ok"}


@_health.get("/readyz")
def ready(request: Request) -> Response:
    """Tell that lookups can be answered: the database is there and of this release."""
    if current(request.app.state.database) != HEAD:
        raise Unavailable("the database's schema is not of this release; run `promptuary init`")
    return Response('{"status":"ready"}', media_type="application/json")
