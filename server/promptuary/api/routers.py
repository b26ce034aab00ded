"""The routers of the service: each route declares one scope, apart from the health checks and the metrics."""

from fastapi import APIRouter, FastAPI

from promptuary.access.auth.routing import SCOPE_ATTRIBUTE
from promptuary.access.keyless.routes import exchange_router
from promptuary.access.keyless.routes import router as keyless_routes
from promptuary.access.oidc.routes import router as oidc_routes
from promptuary.access.people.routes import router as people_routes
from promptuary.access.routes import router as access_routes
from promptuary.api.health import router as health_routes
from promptuary.api.metrics import router as metrics_routes
from promptuary.compat.langfuse.routes import router as langfuse_routes
from promptuary.compat.langsmith.routes import router as langsmith_routes
from promptuary.compat.mcp.routes import router as mcp_routes
from promptuary.compat.mlflow.routes import router as mlflow_routes
from promptuary.compat.phoenix.routes import router as phoenix_routes
from promptuary.context.routes import router as context_routes
from promptuary.evaluation.datasets.routes import router as dataset_routes
from promptuary.evaluation.datasets.upload import router as upload_routes
from promptuary.evaluation.evidence.routes import router as evidence_routes
from promptuary.evaluation.runs.routes import router as run_routes
from promptuary.evaluation.suites.routes import router as suite_routes
from promptuary.operations.routes import router as operation_routes
from promptuary.registry.erasure.routes import router as erasure_routes
from promptuary.registry.routes import router as registry_routes
from promptuary.review.routes import routers as review_routes
from promptuary.scheduling.routes import router as schedule_routes
from promptuary.search.routes import router as search_routes
from promptuary.traffic.intake.routes import langfuse_router as langfuse_intake_routes
from promptuary.traffic.routes import routers as traffic_routes
from promptuary.webhooks.routes import router as webhook_routes

ROUTERS: tuple[APIRouter, ...] = (
    access_routes,
    keyless_routes,
    people_routes,
    webhook_routes,
    registry_routes,
    erasure_routes,
    context_routes,
    search_routes,
    upload_routes,
    dataset_routes,
    suite_routes,
    run_routes,
    evidence_routes,
    schedule_routes,
    *review_routes,
    *traffic_routes,
    operation_routes,
)
"""The routers under /v1; each has the prefix itself."""
SELF_AUTHENTICATED: tuple[APIRouter, ...] = (oidc_routes, exchange_router)
"""The routers whose requests contain the proof of who sends them: what an issuer signed. They take no key."""
COMPATIBLE: tuple[APIRouter, ...] = (
    langfuse_routes,
    langfuse_intake_routes,
    mlflow_routes,
    langsmith_routes,
    phoenix_routes,
    mcp_routes,
)
"""The routers for clients of other registries and protocols; their paths are absolute."""


def add_routes(app: FastAPI) -> None:
    """Add every route.

    `include_router` would build each route a second time for each app, on its first request: 0.15 s in every command that
    runs without a server.

    Raises:
        RuntimeError: for a route that does not declare exactly one scope.
    """
    for router in (*ROUTERS, *COMPATIBLE):
        check_scopes(router)
    for router in (*ROUTERS, *COMPATIBLE, *SELF_AUTHENTICATED, health_routes, metrics_routes):
        app.router.routes.extend(router.routes)


def check_scopes(router: APIRouter) -> None:
    """Check that each route declares exactly one scope; a route without a scope would be open to everybody.

    Raises:
        RuntimeError: naming the route.
    """
    for route in router.routes:
        dependant = getattr(route, "dependant", None)
        calls = [dependency.call for dependency in dependant.dependencies] if dependant else []
        if sum(hasattr(call, SCOPE_ATTRIBUTE) for call in calls) != 1:
            raise RuntimeError(f"the route {getattr(route, 'path', route)} does not declare one scope with authorize(…)")
