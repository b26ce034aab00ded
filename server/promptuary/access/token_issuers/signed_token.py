"""Verification of a signed token (RFC 7519) as OpenID Connect Core 3.1.3.7 demands it, by the service's own clock."""

import hmac
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from promptuary.access.token_issuers.errors import TokenRefused
from promptuary.access.token_issuers.issuer import ALGORITHMS, TokenIssuer

SIZE_LIMIT = 32 * 1024
SKEW_SECONDS = 60
TEXT_LIMIT = 255


@dataclass(frozen=True)
class SignedToken:
    """A token whose signature, issuer, audience and times were verified.

    Attributes:
        issuer: who issued it.
        subject: for whom, by the issuer's id.
        claims: everything in it.
    """

    issuer: str
    subject: str
    claims: Mapping[str, Any]


def unverified_issuer(text: str) -> str | None:
    """Return the issuer that a token names, before anything is verified; None where there is none."""
    if len(text) > SIZE_LIMIT:
        return None
    import jwt  # with the first token: it takes as long as the rest of the service's start
    from jwt.exceptions import PyJWTError

    try:
        claims = jwt.decode(text, options={"verify_signature": False})
    except (PyJWTError, ValueError, RecursionError):
        return None
    issuer = claims.get("iss")
    return issuer if isinstance(issuer, str) else None


def verify_token(issuer: TokenIssuer, text: str, audience: str, now: datetime, nonce: str | None = None) -> SignedToken:
    """Verify a token.

    Args:
        issuer: who must have issued it.
        text: the token.
        audience: for whom it must be; one with other audiences beside it must name it as the authorized party.
        now: the present time; a minute of difference between clocks is tolerated.
        nonce: what the token must contain, where the sign-in sent one.

    Raises:
        TokenRefused: with what is wrong.
        IssuerFailed: when the issuer's keys cannot be fetched.
    """
    claims = _signed_claims(issuer, text)
    if claims.get("iss") != issuer.url:
        raise TokenRefused("the token is of another issuer")
    _check_audience(claims, audience)
    _check_times(claims, now.timestamp())
    if nonce is not None:
        sent = claims.get("nonce")
        if not isinstance(sent, str) or not hmac.compare_digest(sent.encode(), nonce.encode()):
            raise TokenRefused("the token is not of this sign-in (its nonce differs)")
    subject = claims.get("sub")
    if not isinstance(subject, str) or not 0 < len(subject) <= TEXT_LIMIT or not subject.isprintable():
        raise TokenRefused("the token names no subject")
    return SignedToken(issuer.url, subject, claims)


def _signed_claims(issuer: TokenIssuer, text: str) -> dict[str, Any]:
    if len(text) > SIZE_LIMIT or not text.isascii():
        raise TokenRefused("the token is too long, or no token")
    import jwt  # as above
    from jwt.exceptions import PyJWTError

    try:
        header = jwt.get_unverified_header(text)
        algorithm, key_id = header.get("alg"), header.get("kid")
    except (PyJWTError, ValueError, RecursionError):
        raise TokenRefused("the token cannot be read") from None
    if algorithm not in ALGORITHMS or "crit" in header:
        raise TokenRefused(f"the token's signature is not one of {', '.join(sorted(ALGORITHMS))}")
    key = issuer.key(key_id if isinstance(key_id, str) else None, algorithm)
    try:
        body = jwt.PyJWS().decode(text, key, algorithms=[algorithm], options={"enforce_minimum_key_length": True})
        claims = json.loads(body)
    except (PyJWTError, ValueError, TypeError, RecursionError):
        raise TokenRefused("the token's signature is not its issuer's") from None
    if not isinstance(claims, dict):
        raise TokenRefused("the token has no claims")
    return claims


def _check_audience(claims: Mapping[str, Any], audience: str) -> None:
    audiences = claims.get("aud")
    listed = audiences if isinstance(audiences, list) else [audiences]
    if audience not in listed or (len(listed) > 1 and claims.get("azp") != audience):
        raise TokenRefused(f"the token is for another audience than '{audience}'")


def _check_times(claims: Mapping[str, Any], now: float) -> None:
    expires, issued, begins = (claims.get(name) for name in ("exp", "iat", "nbf"))
    for value in (expires, issued, *([] if begins is None else [begins])):
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            raise TokenRefused("the token has no times (`exp`, `iat`), or they are no numbers")
    if now >= expires + SKEW_SECONDS:  # type: ignore[operator]  # checked above
        raise TokenRefused("the token has expired")
    if max(issued, begins if begins is not None else issued) > now + SKEW_SECONDS:  # type: ignore[operator, type-var]
        raise TokenRefused("the token is not valid yet; check the clocks")
