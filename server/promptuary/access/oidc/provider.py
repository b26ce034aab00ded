"""The identity provider as this service is registered there: addresses, exchange of a code, and what it states of a person."""

import base64
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode

from promptuary.access.token_issuers.document import fetch_json
from promptuary.access.token_issuers.errors import IssuerFailed, TokenRefused
from promptuary.access.token_issuers.issuer import IssuerMetadata, TokenIssuer

CALLBACK_PATH = "/sign-in/provider/callback"


@dataclass(frozen=True)
class AuthorizationRequest:
    """What a sign-in sends to the provider; the browser keeps the state, the nonce and the verifier of the challenge."""

    state: str
    nonce: str
    challenge: str


@dataclass(frozen=True)
class ProviderTokens:
    """What a code was exchanged for."""

    id_token: str
    access_token: str | None


@dataclass(frozen=True)
class IdentityProvider:
    """The provider, and this service's registration there.

    Attributes:
        issuer: the provider.
        client_id: of this service.
        client_secret: None for a public client, whose code only PKCE protects.
        redirect_uri: the one address to which the provider sends browsers back; it is registered there exactly so.
        scopes: separated by spaces.
    """

    issuer: TokenIssuer
    client_id: str
    client_secret: str | None
    redirect_uri: str
    scopes: str

    def authorization_url(self, request: AuthorizationRequest) -> str:
        """Return the address at which a person signs in.

        Raises:
            IssuerFailed: when the provider does not answer, or has no such address.
        """
        address = self.issuer.metadata().authorization_url
        if address is None:
            raise IssuerFailed(f"the issuer '{self.issuer.url}' has no `authorization_endpoint`")
        query = {
            "response_type": "code",
            "client_id": self.client_id,
            "redirect_uri": self.redirect_uri,
            "scope": self.scopes,
            "state": request.state,
            "nonce": request.nonce,
            "code_challenge": request.challenge,
            "code_challenge_method": "S256",
        }
        return f"{address}{'&' if '?' in address else '?'}{urlencode(query)}"

    def exchange(self, code: str, verifier: str) -> ProviderTokens:
        """Return the tokens that the provider issues for a code.

        Raises:
            TokenRefused: when the provider refuses the code.
            IssuerFailed: when it does not answer, or in a form that is not OpenID Connect's.
        """
        metadata = self.issuer.metadata()
        if metadata.token_url is None:
            raise IssuerFailed(f"the issuer '{self.issuer.url}' has no `token_endpoint`")
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "code_verifier": verifier,
            "redirect_uri": self.redirect_uri,
        }
        headers = self._authenticate(metadata, form)
        status, answer = fetch_json("POST", metadata.token_url, headers=headers, form=form)
        if status in (400, 401, 403):
            reason = str(answer.get("error", status))[:100]
            raise TokenRefused(f"the identity provider refused the sign-in ({reason}); begin it again")
        id_token, access_token = answer.get("id_token"), answer.get("access_token")
        if status != 200 or not isinstance(id_token, str):
            raise IssuerFailed(f"the issuer '{self.issuer.url}' answered {status} and no ID token")
        return ProviderTokens(id_token, access_token if isinstance(access_token, str) else None)

    def user_claims(self, tokens: ProviderTokens, subject: str) -> dict[str, Any]:
        """Return what the provider states of a person beyond the ID token; nothing where it has no such address.

        Raises:
            TokenRefused: when it is another person.
            IssuerFailed: when it does not answer.
        """
        address = self.issuer.metadata().user_url
        if address is None or tokens.access_token is None:
            return {}
        status, claims = fetch_json("GET", address, headers={"Authorization": f"Bearer {tokens.access_token}"})
        if status != 200:
            return {}
        if claims.get("sub") != subject:
            raise TokenRefused("the identity provider's user is not the one of the token")
        return claims

    def _authenticate(self, metadata: IssuerMetadata, form: dict[str, str]) -> dict[str, str]:
        """Add this service's credentials to a form, or return the header that has them."""
        if self.client_secret is None:
            form["client_id"] = self.client_id
            return {}
        methods = metadata.token_authentication
        if "client_secret_basic" not in methods and "client_secret_post" in methods:
            form.update(client_id=self.client_id, client_secret=self.client_secret)
            return {}
        credentials = f"{quote(self.client_id, safe='')}:{quote(self.client_secret, safe='')}"
        return {"Authorization": f"Basic {base64.b64encode(credentials.encode()).decode()}"}
