"""The table of roles, scopes and routes, built from what the roles and routes declare."""

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from promptuary.access.auth.routing import CHANGE_SCOPE_ATTRIBUTE, SCOPE_ATTRIBUTE
from promptuary.access.role import FORMER_NAMES, GRANTABLE, ROLES, SCOPES, Scope
from promptuary.api.routers import COMPATIBLE, ROUTERS


class RouteScope(NamedTuple):
    """What a route needs; `change` is what it needs as well where the request changes something, None for no more."""

    method: str
    path: str
    scope: Scope
    change: Scope | None


def route_scopes() -> list[RouteScope]:
    """Return what each route declares, in the order of the paths."""
    routes = [route for router in (*ROUTERS, *COMPATIBLE) for route in router.routes]
    return sorted({entry for route in routes for entry in _declared(route)}, key=lambda entry: (entry.path, entry.method))


def role_table() -> str:
    """Return the tables as Markdown: each scope by role, then each route with its scope by role."""
    names = [f"`{role}`" for role in ROLES]
    scopes = ((f"`{scope}`", *_marks(scope)) for scope in Scope)
    routes = ((f"`{entry.method} {entry.path}`", _needs(entry), *_marks(entry.scope)) for entry in route_scopes())
    former = ", ".join(f"`{old}` is `{new}`" for old, new in FORMER_NAMES.items())
    return "\n".join(
        [
            f"Former names: {former}. What `--allow` can add to a key of the role `ci`: "
            + ", ".join(f"`{scope}`" for scope in sorted(GRANTABLE))
            + ".",
            "",
            *_markdown(["scope", *names], scopes),
            "",
            *_markdown(["route", "scope", *names], routes),
        ]
    )


def _declared(route: Any) -> Iterator[RouteScope]:
    for dependency in route.dependant.dependencies:
        scope = getattr(dependency.call, SCOPE_ATTRIBUTE, None)
        if scope is not None:
            change = getattr(dependency.call, CHANGE_SCOPE_ATTRIBUTE, None)
            yield from (RouteScope(method, route.path_format, scope, change) for method in sorted(route.methods))


def _needs(entry: RouteScope) -> str:
    return f"`{entry.scope}`" + (f", to change something `{entry.change}`" if entry.change else "")


def _marks(scope: Scope) -> list[str]:
    return ["✓" if scope in SCOPES[role] else "" for role in ROLES]


def _markdown(columns: list[str], rows: Iterable[tuple[str, ...]]) -> list[str]:
    header = f"| {' | '.join(columns)} |"
    return [header, "|" + "---|" * len(columns), *(f"| {' | '.join(row)} |" for row in rows)]
