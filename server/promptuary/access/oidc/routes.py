"""Sign-in with the identity provider over HTTP. These routes take no key: the provider's answer proves who somebody is."""

from fastapi import APIRouter
from starlette.requests import Request

from promptuary.access.auth.self_authenticated import SelfAuthenticatedRoute
from promptuary.access.oidc.provider import AuthorizationRequest
from promptuary.access.oidc.schemas import AuthorizationOut, NewAuthorization, NewProviderSession, ProviderOut
from promptuary.access.oidc.service import OidcService, ProviderSignIn
from promptuary.access.people.routes import opened_session_out
from promptuary.access.people.schemas import OpenedSessionOut

router = APIRouter(prefix="/v1/oidc", tags=["access"], route_class=SelfAuthenticatedRoute)


def _service(request: Request) -> OidcService:
    service: OidcService = request.app.state.oidc
    return service


@router.get("")
def read_provider(request: Request) -> ProviderOut:
    """Return the name of the identity provider, null where none is set up."""
    return ProviderOut(name=_service(request).name)


@router.post("/authorizations", status_code=201)
def create_authorization(request: Request, body: NewAuthorization) -> AuthorizationOut:
    """Return the address at which a person signs in: Authorization Code with PKCE (S256)."""
    service = _service(request)
    url = service.authorization_url(AuthorizationRequest(body.state, body.nonce, body.code_challenge))
    return AuthorizationOut(url=url, redirect_uri=service.redirect_uri)


@router.post("/sessions", status_code=201)
def open_provider_session(request: Request, body: NewProviderSession) -> OpenedSessionOut:
    """Open the session of a person whom the provider sent back with a code. The token is in this response and nowhere else."""
    service, user_agent = _service(request), request.headers.get("user-agent", "")
    return opened_session_out(
        service.sign_in(ProviderSignIn(body.code, body.code_verifier, body.nonce, user_agent, body.project))
    )
