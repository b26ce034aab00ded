"""The conditional headers of a request: routes that know entity tags check them, every other write refuses them."""

from typing import Annotated

from fastapi import Depends
from starlette.requests import Request

from promptuary.core.errors import PreconditionFailed
from promptuary.core.preconditions import Preconditions, parse_entity_tags, parse_preconditions


def read_write_conditions(request: Request) -> Preconditions:
    """Return the conditions of a write.

    Raises:
        PreconditionFailed: for a header of another form.
    """
    return parse_preconditions(request.headers.getlist("if-match"), request.headers.getlist("if-none-match"))


def read_read_conditions(request: Request) -> Preconditions:
    """Return the conditions of a read; an `If-None-Match` of another form matches nothing, so the whole resource is sent.

    Raises:
        PreconditionFailed: for an `If-Match` of another form.
    """
    if_match = parse_preconditions(request.headers.getlist("if-match"), ()).if_match
    values = request.headers.getlist("if-none-match")
    return Preconditions(if_match, parse_entity_tags(",".join(values)) if values else None)


def refuse_conditions(request: Request) -> None:
    """Refuse a write with conditions on a path that has no entity tags, so that nobody relies on an ignored condition.

    Raises:
        PreconditionFailed: when the request has a conditional header.
    """
    if "if-match" in request.headers or "if-none-match" in request.headers:
        raise PreconditionFailed("this path has no ETags, so If-Match and If-None-Match cannot be checked; send neither")


WriteConditions = Annotated[Preconditions, Depends(read_write_conditions)]
ReadConditions = Annotated[Preconditions, Depends(read_read_conditions)]
