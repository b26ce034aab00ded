"""The wire models of a sign-in with the identity provider."""

from typing import Annotated

from pydantic import Field, StringConstraints

from promptuary.core.wire import RequestModel, ResponseModel
from promptuary.prompt.name import Name

RandomText = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.~-]{22,128}$")]
"""At least 128 random bits; as a PKCE verifier RFC 7636 has it, which takes 43 characters."""


class ProviderOut(ResponseModel):
    """The identity provider; null where none is set up."""

    name: str | None


class NewAuthorization(RequestModel):
    """The random values with which a sign-in begins: the caller keeps them, and compares the state when the browser returns."""

    state: RandomText
    nonce: RandomText
    code_challenge: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{43}$")]


class AuthorizationOut(ResponseModel):
    """Where a person signs in, and where the provider sends the browser after it."""

    url: str
    redirect_uri: str


class NewProviderSession(RequestModel):
    """A browser that returned from the provider, with the values with which its sign-in began."""

    code: Annotated[str, Field(min_length=1, max_length=4096)]
    code_verifier: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.~-]{43,128}$")]
    nonce: RandomText
    project: Name | None = None
