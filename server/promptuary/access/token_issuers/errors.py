"""The errors of tokens that others issue."""

from promptuary.core.errors import NotAuthenticated, Unavailable


class TokenRefused(NotAuthenticated):
    """A token that an issuer signed, or is to have signed, does not prove what it must."""

    code = "token_refused"


class IssuerFailed(Unavailable):
    """A token's issuer was not reached, was too slow, or answered in a form that is not OpenID Connect's."""

    code = "issuer_failed"
