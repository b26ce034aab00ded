"""The check that a request has no part which its route does not declare: it would change nothing, in silence.

FastAPI ignores a parameter that a route does not declare, and takes the last of two. Here both are errors, and so is an empty
value, for each route under `/v1` and for `/mcp`. A route without a body refuses one with members; where a route has a body, its
model refuses unknown members. The routes for clients of other registries ignore what their originals ignore.
"""

from collections import Counter
from collections.abc import Mapping
from difflib import get_close_matches
from typing import get_args, get_origin

from fastapi import params
from fastapi.dependencies.utils import get_flat_params
from fastapi.routing import APIRoute
from starlette.requests import Request

from promptuary.access.auth.request import REQUEST_JSON
from promptuary.core.errors import FieldError, InvalidRequest

_STRICT_PATHS = ("/v1/", "/mcp")
_ERRORS_LIMIT = 20
_NAME_LIMIT = 100


def refuse_undeclared_parts(request: Request) -> None:
    """Check a request's query parameters, and that it has a body, against what its route declares.

    Raises:
        InvalidRequest: with every parameter that the route does not have, that occurs twice and is no list, or that is empty;
            or with the members of a body where the route has none.
    """
    route = request.scope.get("route")
    if not isinstance(route, APIRoute) or not route.path.startswith(_STRICT_PATHS):
        return
    if request.scope.get("query_string"):
        _check_query(request, route)
    members = request.scope.get(REQUEST_JSON)
    if members and not route.dependant.body_params and "requestBody" not in (route.openapi_extra or {}):
        message = f"is no member of the body of {request.method} {route.path_format}, which takes no body"
        raise InvalidRequest(
            "the request has a body, and nothing reads it",
            [FieldError(name[:_NAME_LIMIT], message) for name in list(members)[:_ERRORS_LIMIT]],
        )


def _check_query(request: Request, route: APIRoute) -> None:
    declared = declared_parameters(route)
    pairs = request.query_params.multi_items()
    counts = Counter(name for name, _ in pairs)
    empty = {name for name, value in pairs if not value}
    place = f"{request.method} {route.path_format}"
    field_errors: list[FieldError] = []
    for name, count in counts.items():
        if len(field_errors) >= _ERRORS_LIMIT:
            break
        if name not in declared:
            message = _unknown(name, declared, place)
        elif count > 1 and not declared[name]:
            message = f"is {count} times in the query string of {place}; send it once"
        elif name in empty:
            message = f"is empty in the query string of {place}; send a value, or leave it out"
        else:
            continue
        field_errors.append(FieldError(name[:_NAME_LIMIT], message))
    if field_errors:
        raise InvalidRequest("the query string has parameters that are not accepted", field_errors)


def declared_parameters(route: APIRoute) -> dict[str, bool]:
    """Return the query parameters of a route and of its dependencies; True for a list, which may occur several times."""
    fields = [field for field in get_flat_params(route.dependant) if isinstance(field.field_info, params.Query)]
    return {field.alias: _is_list(field.field_info.annotation) for field in fields}


def _is_list(annotation: object) -> bool:
    return any(get_origin(part) in (list, set, tuple) for part in (annotation, *get_args(annotation)))


def _unknown(name: str, declared: Mapping[str, bool], place: str) -> str:
    message = f"is no query parameter of {place}"
    if not declared:
        return f"{message}, which takes none"
    nearest = get_close_matches(name.lower(), declared, n=1)
    if nearest:
        return f"{message}; did you mean `{nearest[0]}`?"
    return f"{message}, which takes {', '.join(sorted(declared))}"
