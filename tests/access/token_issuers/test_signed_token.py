"""Tokens of an issuer on loopback: which prove who somebody is, and which do not."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from doubles.token_issuer import LocalIssuer, local_issuer, unsigned
from factories.clock import ManualClock
from promptuary.access.token_issuers.errors import IssuerFailed, TokenRefused
from promptuary.access.token_issuers.issuer import TokenIssuer
from promptuary.access.token_issuers.signed_token import SignedToken, unverified_issuer, verify_token

STRANGER = rsa.generate_private_key(public_exponent=65537, key_size=2048)


@pytest.fixture(scope="module")
def served() -> Iterator[LocalIssuer]:
    with local_issuer() as issuer:
        yield issuer


@pytest.fixture
def local(served: LocalIssuer) -> LocalIssuer:
    """The issuer as it is at first, without any request yet."""
    served.__init__(served.url)  # type: ignore[misc]  # the state of a new one, at the same address
    return served


def verify(local: LocalIssuer, clock: ManualClock, token: str, nonce: str | None = None) -> SignedToken:
    return verify_token(TokenIssuer(local.url, clock), token, "promptuary", clock(), nonce)


def test_a_token_of_the_issuer_proves_its_subject(local: LocalIssuer, clock: ManualClock) -> None:
    token = verify(local, clock, local.token(clock(), groups=["leads"], nonce="n"), nonce="n")
    assert (token.issuer, token.subject, token.claims["groups"]) == (local.url, "subject", ["leads"])


def test_a_key_on_a_curve_verifies_too(local: LocalIssuer, clock: ManualClock) -> None:
    local.publish("first", "curve")
    local.key = "curve"
    now = int(clock().timestamp())
    claims = {"iss": local.url, "sub": "s", "aud": ["promptuary"], "iat": now, "exp": now + 60}
    assert verify(local, clock, local.sign(claims, algorithm="ES256")).subject == "s"


@pytest.mark.parametrize(
    ("claims", "reason"),
    [
        ({"iss": "https://other.test"}, "another issuer"),
        ({"iss": None}, "another issuer"),
        ({"aud": "other"}, "another audience"),
        ({"aud": None}, "another audience"),
        ({"aud": ["promptuary", "other"]}, "another audience"),
        ({"aud": ["promptuary", "other"], "azp": "other"}, "another audience"),
        ({"sub": None}, "no subject"),
        ({"sub": ""}, "no subject"),
        ({"sub": 7}, "no subject|cannot be read"),
        ({"sub": "x" * 256}, "no subject"),
        ({"sub": "a\nb"}, "no subject"),
        ({"exp": None}, "no times"),
        ({"iat": None}, "no times"),
        ({"exp": "soon"}, "no times|not its issuer's"),
        ({"exp": True}, "no times"),
        ({"exp": float("nan")}, "no times"),
        ({"exp": 1}, "has expired"),
    ],
)
def test_a_token_with_a_wrong_claim_proves_nothing(
    local: LocalIssuer, clock: ManualClock, claims: dict[str, Any], reason: str
) -> None:
    usual = {"iss": local.url, "sub": "s", "aud": "promptuary", "iat": clock().timestamp(), "exp": clock().timestamp() + 60}
    token = jws(local, {name: value for name, value in {**usual, **claims}.items() if value is not None})
    with pytest.raises(TokenRefused, match=reason):
        verify(local, clock, token)


def jws(local: LocalIssuer, claims: dict[str, Any]) -> str:
    """Sign claims as they are, where `jwt.encode` would refuse them."""
    import json

    from doubles import token_issuer

    body = json.dumps(claims).encode()
    return jwt.PyJWS().encode(body, token_issuer._RSA[local.key], algorithm="RS256", headers={"kid": local.key})


def test_the_authorized_party_of_several_audiences_is_accepted(local: LocalIssuer, clock: ManualClock) -> None:
    assert verify(local, clock, local.token(clock(), aud=["promptuary", "other"], azp="promptuary")).subject == "subject"


@pytest.mark.parametrize("nonce", ["other", "", None, 7])
def test_a_token_of_another_sign_in_proves_nothing(local: LocalIssuer, clock: ManualClock, nonce: Any) -> None:
    with pytest.raises(TokenRefused, match="nonce"):
        verify(local, clock, local.token(clock(), nonce=nonce), nonce="mine")


def test_clocks_may_differ_by_a_minute_and_no_more(local: LocalIssuer, clock: ManualClock) -> None:
    token = local.token(clock())
    clock.move(seconds=300 + 59)
    assert verify(local, clock, token).subject == "subject"
    clock.move(seconds=1)
    with pytest.raises(TokenRefused, match="has expired"):
        verify(local, clock, token)
    for name in ("iat", "nbf"):
        ahead = int(clock().timestamp()) + 61
        with pytest.raises(TokenRefused, match="not valid yet"):
            verify(local, clock, local.token(clock(), **{name: ahead}))


def test_a_signature_of_anybody_else_proves_nothing(local: LocalIssuer, clock: ManualClock) -> None:
    claims = jwt.decode(local.token(clock()), options={"verify_signature": False})
    public = jwt.PyJWK.from_dict(local.documents["/keys"]["keys"][0]).key.public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    forged = [
        jwt.encode(claims, STRANGER, algorithm="RS256", headers={"kid": "first"}),
        jwt.PyJWS().encode(b"{}", "a" * 64, algorithm="HS256", headers={"kid": "first"}),
        hmac_with(public, claims),
        unsigned(claims, {"alg": "none"}),
        unsigned(claims, {"alg": "RS256", "kid": "first"}),
        local.token(clock())[:-4] + "AAAA",
        "",
        "a.b.c",
        "ä" * 10,
        "x" * 40_000,
    ]
    for token in forged:
        with pytest.raises(TokenRefused):
            verify(local, clock, token)


def hmac_with(public: bytes, claims: dict[str, Any]) -> str:
    """Return a token whose shared secret is the issuer's public key, which a careless reader accepts."""
    import base64
    import hashlib
    import hmac

    start = unsigned(claims, {"alg": "HS256", "kid": "first"}).rstrip(".")
    signature = hmac.new(public, start.encode(), hashlib.sha256).digest()
    return f"{start}.{base64.urlsafe_b64encode(signature).rstrip(b'=').decode()}"


def test_a_key_for_encryption_or_a_shared_secret_verifies_nothing(local: LocalIssuer, clock: ManualClock) -> None:
    (published,) = local.documents["/keys"]["keys"]
    for changed in ({**published, "use": "enc"}, {**published, "alg": "PS256"}, {"kty": "oct", "k": "YQ", "kid": "first"}):
        local.documents["/keys"] = {"keys": [changed]}
        with pytest.raises(TokenRefused, match="does not publish"):
            verify(local, clock, local.token(clock()))


def test_a_new_key_of_the_issuer_is_fetched_and_an_old_one_forgotten(local: LocalIssuer, clock: ManualClock) -> None:
    issuer = TokenIssuer(local.url, clock)
    old = local.token(clock())
    assert verify_token(issuer, old, "promptuary", clock()).subject == "subject"
    local.publish("second")
    local.key = "second"
    clock.move(seconds=30)
    assert verify_token(issuer, local.token(clock()), "promptuary", clock()).subject == "subject"
    with pytest.raises(TokenRefused, match="does not publish"):
        verify_token(issuer, old, "promptuary", clock())


def test_unknown_keys_make_the_issuer_asked_once_in_a_while(local: LocalIssuer, clock: ManualClock) -> None:
    issuer = TokenIssuer(local.url, clock)
    token = jwt.encode({"iss": local.url}, STRANGER, algorithm="RS256", headers={"kid": "unknown"})
    for _ in range(20):
        with pytest.raises(TokenRefused):
            verify_token(issuer, token, "promptuary", clock())
    assert len(local.requests) == 2
    clock.move(seconds=30)
    with pytest.raises(TokenRefused):
        verify_token(issuer, token, "promptuary", clock())
    assert len(local.requests) == 4


def test_keys_are_cached_and_used_for_a_day_without_the_issuer(local: LocalIssuer, clock: ManualClock) -> None:
    issuer = TokenIssuer(local.url, clock)
    for minutes in (0, 59):
        clock.move(minutes=minutes)
        verify_token(issuer, local.token(clock()), "promptuary", clock())
    assert len(local.requests) == 2
    local.documents["/keys"] = 500
    clock.move(hours=22)
    verify_token(issuer, local.token(clock()), "promptuary", clock())
    clock.move(hours=2)
    with pytest.raises(IssuerFailed, match="answered 500"):
        verify_token(issuer, local.token(clock()), "promptuary", clock())


@pytest.mark.parametrize(
    "document",
    [
        404,
        500,
        b"no json",
        b"[" * 10_000,
        b"{}" + b" " * 600_000,
        {"issuer": "http://127.0.0.1:1", "jwks_uri": "http://127.0.0.1:1/keys"},
        {"jwks_uri": "http://127.0.0.1:1/keys"},
    ],
)
def test_an_issuer_with_a_wrong_document_fails(local: LocalIssuer, clock: ManualClock, document: Any) -> None:
    local.documents["/.well-known/openid-configuration"] = document
    with pytest.raises(IssuerFailed):
        verify(local, clock, local.token(clock()))


@pytest.mark.parametrize("address", ["http://example.com/keys", "file:///etc/passwd", "http://10.0.0.1/keys", 7, None])
def test_keys_at_an_address_without_https_are_not_fetched(local: LocalIssuer, clock: ManualClock, address: Any) -> None:
    local.documents["/.well-known/openid-configuration"]["jwks_uri"] = address
    with pytest.raises(IssuerFailed, match="jwks_uri"):
        verify(local, clock, local.token(clock()))


def test_an_issuer_that_is_not_there_fails_and_is_left_alone_for_a_while(clock: ManualClock) -> None:
    issuer = TokenIssuer("http://127.0.0.1:9", clock)
    for _ in range(3):
        with pytest.raises(IssuerFailed, match="was not reached"):
            issuer.metadata()
    assert issuer._tried_at == clock()
    clock.move(**{"seconds": timedelta(seconds=30).total_seconds()})
    with pytest.raises(IssuerFailed):
        issuer.metadata()
    assert issuer._tried_at == clock()


def test_the_issuer_of_a_token_is_read_before_it_is_verified(local: LocalIssuer, clock: ManualClock) -> None:
    assert unverified_issuer(local.token(clock())) == local.url
    for text in ("", "a.b", "a.b.c", unsigned({"iss": 7}, {"alg": "none"}), "x" * 40_000):
        assert unverified_issuer(text) is None
