"""Find out who sends a request: the holder of an API key, or the command line on the data directory itself."""

import base64
from enum import Enum

from starlette.requests import Request

from promptuary.access.auth.request import LOCAL_PROJECT
from promptuary.access.credentials import authenticate, local_caller
from promptuary.access.unit_of_work import Caller
from promptuary.core.errors import NotAuthenticated


class KeyPlace(Enum):
    """Where a route takes the key besides `Authorization: Bearer`, for clients that can send it in no other way."""

    BEARER = "bearer"
    """Nowhere else."""
    BASIC = "basic"
    """As the password of HTTP Basic."""
    X_API_KEY = "x-api-key"
    """In the header `x-api-key`."""


def authenticate_request(request: Request, key_place: KeyPlace = KeyPlace.BEARER) -> Caller:
    """Return the caller, by the key in the request's headers or by the local project in the scope.

    Args:
        request: the request; its app's state has the database and the clock.
        key_place: where the key may be besides `Authorization: Bearer`.

    Raises:
        NotAuthenticated: with the remedy.
    """
    state = request.app.state
    project = request.scope.get(LOCAL_PROJECT)
    if project is not None:
        return local_caller(state.database, state.clock(), project)
    header_key = request.headers.get("x-api-key", "").strip() if key_place is KeyPlace.X_API_KEY else ""
    authorization = request.headers.get("authorization", "")
    key = header_key or key_from_header(authorization, basic=key_place is KeyPlace.BASIC)
    with state.database.read() as session:
        return authenticate(session, key, state.clock())


def key_from_header(header: str, *, basic: bool = False) -> str:
    """Return the text of the API key in an Authorization header.

    The space of `Bearer pmt_…` may be `%20`: OTEL_EXPORTER_OTLP_HEADERS needs it so, and some SDKs send it undecoded.

    Raises:
        NotAuthenticated: when the header has none.
    """
    scheme, _, credentials = header.partition("%20" if header[:9].lower() == "bearer%20" else " ")
    if scheme.lower() == "bearer" and credentials.strip():
        return credentials.strip()
    if not basic:
        raise NotAuthenticated("send an API key in the header `Authorization: Bearer pmt_…`")
    if scheme.lower() == "basic":
        password = _basic_password(credentials)
        if password:
            return password
    raise NotAuthenticated("send an API key `pmt_…` as the password of HTTP Basic, or as `Authorization: Bearer pmt_…`")


def _basic_password(credentials: str) -> str:
    try:
        _, _, password = base64.b64decode(credentials.strip(), validate=True).decode().partition(":")
    except ValueError:  # not base64, or not UTF-8
        return ""
    return password
