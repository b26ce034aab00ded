"""What an issuer publishes: its addresses and its keys, both cached."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from threading import Event, Lock
from typing import TYPE_CHECKING, Any

from promptuary.access.token_issuers.document import fetch_json, is_issuer_url
from promptuary.access.token_issuers.errors import IssuerFailed, TokenRefused
from promptuary.core.clock import Clock

if TYPE_CHECKING:  # imported with the first token: it takes as long as the rest of the service's start
    from jwt import PyJWK

ALGORITHMS = frozenset({"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"})
"""Signatures with a published key only: no shared secret, and never `none`."""
CACHED_FOR = timedelta(hours=1)
USED_FOR = timedelta(hours=24)
"""How long what was cached is used where the issuer does not answer."""
RETRY_AFTER = timedelta(seconds=30)
"""How long an issuer is not asked again after it failed, or had no key of an unknown id."""
KEYS_LIMIT = 100
WAIT_SECONDS = 3.0


@dataclass(frozen=True)
class IssuerMetadata:
    """The part of an issuer's discovery document that is used; an address that it lacks is None."""

    keys_url: str
    authorization_url: str | None
    token_url: str | None
    user_url: str | None
    token_authentication: tuple[str, ...]


@dataclass(frozen=True)
class _Published:
    """What an issuer published at a time."""

    metadata: IssuerMetadata
    keys: tuple[Mapping[str, Any], ...]
    at: datetime


class TokenIssuer:
    """One issuer, whose discovery document and keys are fetched when they are first needed. Threads share it."""

    def __init__(self, url: str, clock: Clock) -> None:
        """Store the address; connect to nothing.

        Args:
            url: the issuer as its tokens name it.
            clock: returns the present time.
        """
        self.url = url
        self._clock = clock
        self._lock, self._fetched = Lock(), Event()
        self._published: _Published | None = None
        self._tried_at: datetime | None = None
        self._failure = f"the issuer '{url}' has not answered yet; try again"

    def metadata(self) -> IssuerMetadata:
        """Return what the issuer publishes of itself.

        Raises:
            IssuerFailed: when it was never reached, or not for a day.
        """
        return self._current().metadata

    def key(self, key_id: str | None, algorithm: str) -> "PyJWK":
        """Return the key that verifies a token's signature.

        Args:
            key_id: as the token's header names it; without one, the issuer must have exactly one key of the algorithm.
            algorithm: one of `ALGORITHMS`.

        Raises:
            TokenRefused: when the issuer has no such key.
            IssuerFailed: as `metadata` does.
        """
        keys = _matching_keys(self._current(), key_id, algorithm)
        if not keys:  # the issuer may have new ones
            keys = _matching_keys(self._current(has_unknown_key=True), key_id, algorithm)
        if len(keys) != 1:
            raise TokenRefused("the token is signed with a key that its issuer does not publish")
        return keys[0]

    def _current(self, *, has_unknown_key: bool = False) -> "_Published":
        """Return what is cached; fetch it again where it is old, or lacks a key.

        One thread fetches, at most once within some seconds, whatever strangers send. The others wait for it only while
        nothing is cached, and not for long.
        """
        now = self._clock()
        with self._lock:
            is_new = self._published is not None and now - self._published.at < CACHED_FOR
            was_tried = self._tried_at is not None and now - self._tried_at < RETRY_AFTER
            fetches = (not is_new or has_unknown_key) and not was_tried
            if fetches:
                self._tried_at = now
                self._fetched.clear()
        if fetches:
            try:
                self._published = _fetch(self.url, now)
            except IssuerFailed as error:
                self._failure = error.message
            finally:
                self._fetched.set()
        elif self._published is None:
            self._fetched.wait(WAIT_SECONDS)
        if self._published is None or now - self._published.at >= USED_FOR:
            raise IssuerFailed(self._failure)
        return self._published


class TokenIssuers:
    """The issuers of a process, each of them once, so that their caches are shared."""

    def __init__(self, clock: Clock) -> None:
        """Start with none."""
        self._clock = clock
        self._issuers: dict[str, TokenIssuer] = {}

    def get(self, url: str) -> TokenIssuer:
        """Return the issuer of an address that an operator listed; there are as many as are listed."""
        return self._issuers.setdefault(url, TokenIssuer(url, self._clock))


def _matching_keys(published: _Published, key_id: str | None, algorithm: str) -> "list[PyJWK]":
    from jwt import PyJWK
    from jwt.exceptions import PyJWTError

    keys = []
    for candidate in published.keys:
        if (key_id is not None and candidate.get("kid") != key_id) or candidate.get("use", "sig") != "sig":
            continue
        if candidate.get("alg", algorithm) != algorithm or candidate.get("kty") == "oct":
            continue
        try:
            keys.append(PyJWK.from_dict(dict(candidate), algorithm=algorithm))
        except (PyJWTError, ValueError, TypeError, KeyError):  # of another type than the algorithm's, or damaged
            continue
    return keys


def _fetch(url: str, now: datetime) -> _Published:
    status, document = fetch_json("GET", url.rstrip("/") + "/.well-known/openid-configuration")
    if status != 200 or document.get("issuer") != url:
        raise IssuerFailed(f"the issuer '{url}' does not publish a discovery document of this name (status {status})")
    metadata = _parse_metadata(url, document)
    status, keys = fetch_json("GET", metadata.keys_url)
    published = keys.get("keys")
    if status != 200 or not isinstance(published, list) or not all(isinstance(key, dict) for key in published):
        raise IssuerFailed(f"the issuer '{url}' does not publish its keys (status {status})")
    return _Published(metadata, tuple(published[:KEYS_LIMIT]), now)


def _parse_metadata(issuer: str, document: Mapping[str, Any]) -> IssuerMetadata:
    addresses = {}
    for name in ("jwks_uri", "authorization_endpoint", "token_endpoint", "userinfo_endpoint"):
        address = document.get(name)
        if address is not None and not (isinstance(address, str) and is_issuer_url(address)):
            raise IssuerFailed(f"the issuer '{issuer}' has a `{name}` that is not an address by https")
        addresses[name] = address
    if addresses["jwks_uri"] is None:
        raise IssuerFailed(f"the issuer '{issuer}' does not state where its keys are (`jwks_uri`)")
    methods = document.get("token_endpoint_auth_methods_supported", ["client_secret_basic"])
    return IssuerMetadata(
        keys_url=addresses["jwks_uri"],
        authorization_url=addresses["authorization_endpoint"],
        token_url=addresses["token_endpoint"],
        user_url=addresses["userinfo_endpoint"],
        token_authentication=tuple(method for method in methods if isinstance(method, str))
        if isinstance(methods, list)
        else (),
    )
