"""Limits of requests: tries with wrong keys by address and in all, and the requests of each key.

A wrong key is answered late, the later the more of them came, and then with 429. A valid key is never refused for wrong keys of
its address: a proxy or a gateway may send both.
"""

import ipaddress
import math
import time
from collections import Counter, OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

import structlog

from promptuary.core.errors import TooManyRequests

log = structlog.get_logger(__name__)
FREE_TRIES = 5
FIRST_DELAY_SECONDS = 0.05
LONGEST_DELAY_SECONDS = 0.5
DELAYED_AT_ONCE = 64
REMEMBERED = 10_000
_IPV6_NETWORK = 64
_LOG_SECONDS = 60.0


@dataclass
class _Bucket:
    """What may still be done at a time; it fills up again evenly in a minute."""

    tokens: float
    at: float
    logged_at: float = float("-inf")


class Buckets:
    """A bucket for each name, of which the least recently used are forgotten."""

    def __init__(self, per_minute: int, clock: Callable[[], float] = time.monotonic) -> None:
        """Set how much may be done a minute under one name; 0 means without a limit."""
        self.per_minute = per_minute
        self._clock = clock
        self._buckets: OrderedDict[str, _Bucket] = OrderedDict()

    def take(self, name: str) -> bool:
        """Count one thing under a name; return whether the limit allows it."""
        if not self.per_minute:
            return True
        bucket = self._filled(name)
        if bucket.tokens < 1:
            return False
        bucket.tokens -= 1
        return True

    def used(self, name: str) -> float:
        """Return how much was done under a name and is not forgotten yet."""
        return self.per_minute - self._filled(name).tokens if self.per_minute else 0.0

    def is_empty(self, name: str) -> bool:
        """Return whether the next thing under a name is refused."""
        return bool(self.per_minute) and name in self._buckets and self._filled(name).tokens < 1

    def seconds_to_next(self) -> int:
        """Return how long one thing takes to be allowed again, in whole seconds."""
        return math.ceil(60 / self.per_minute)

    def is_log_due(self, name: str) -> bool:
        """Return whether a name was not logged in the last minute, and count it as logged."""
        bucket = self._filled(name)
        is_due = self._clock() - bucket.logged_at >= _LOG_SECONDS
        if is_due:
            bucket.logged_at = self._clock()
        return is_due

    def _filled(self, name: str) -> _Bucket:
        now = self._clock()
        bucket = self._buckets.setdefault(name, _Bucket(self.per_minute, now))
        self._buckets.move_to_end(name)
        if len(self._buckets) > REMEMBERED:
            self._buckets.popitem(last=False)
        bucket.tokens = min(float(self.per_minute), bucket.tokens + (now - bucket.at) * self.per_minute / 60)
        bucket.at = now
        return bucket


class RateLimits:
    """The limits of one process; each counts on the event loop alone."""

    def __init__(
        self,
        *,
        wrong_keys: int,
        all_wrong_keys: int,
        key_requests: int,
        key_lookups: int,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Set the limits, each a minute; 0 means without a limit.

        Args:
            wrong_keys: tries of one address with wrong keys.
            all_wrong_keys: tries of all addresses with wrong keys.
            key_requests: requests of one key, without lookups.
            key_lookups: lookups of one key.
            clock: returns seconds.
        """
        self._by_address = Buckets(wrong_keys, clock)
        self._overall = Buckets(all_wrong_keys, clock)
        self._by_key = {False: Buckets(key_requests, clock), True: Buckets(key_lookups, clock)}
        self._delayed = 0
        self.limits_lookups = bool(key_lookups)
        self.counts: Counter[str] = Counter()

    def is_suspicious(self, address: str | None) -> bool:
        """Return whether an address sent so many wrong keys that its next one is refused."""
        return self._by_address.is_empty(network_of(address)) or self._overall.is_empty("")

    def count_wrong_key(self, address: str | None) -> float:
        """Count a try with a wrong key; return after how many seconds it is answered.

        Raises:
            TooManyRequests: when there were too many.
        """
        self.counts["wrong_key"] += 1
        network = network_of(address)
        for buckets, name, whose in ((self._by_address, network, "this address"), (self._overall, "", "all addresses")):
            if not buckets.take(name):
                self.counts["wrong_key_limited"] += 1
                if buckets.is_log_due(name):
                    log.warning("too many wrong keys", address=network, limit=buckets.per_minute, of=whose)
                message = f"too many wrong keys came from {whose}; check the key, and try again later"
                raise TooManyRequests(message, buckets.seconds_to_next())
        exponent = self._by_address.used(network) - FREE_TRIES
        if exponent <= 0 or self._delayed >= DELAYED_AT_ONCE:
            return 0.0
        return min(LONGEST_DELAY_SECONDS, FIRST_DELAY_SECONDS * 2 ** min(exponent - 1, 10))

    def begin_delay(self) -> None:
        """Count one more late response; few of them are sent at once, so that they do not take all connections."""
        self._delayed += 1

    def end_delay(self) -> None:
        """Count one late response less."""
        self._delayed -= 1

    def allows_lookup(self, credential_id: str | None) -> bool:
        """Return whether a key or session may have one more lookup now."""
        return credential_id is None or not self._by_key[True].is_empty(credential_id)

    def take_lookup(self, credential_id: str | None) -> None:
        """Count a lookup that was allowed."""
        if credential_id is not None:
            self._by_key[True].take(credential_id)

    def count_request(self, key_id: str | None, *, is_lookup: bool) -> None:
        """Count a request of a key; one without a key, on this machine itself, is not limited.

        Raises:
            TooManyRequests: when there were too many.
        """
        buckets = self._by_key[is_lookup]
        if key_id is None or buckets.take(key_id):
            return
        self.counts["key_limited"] += 1
        noun = "lookups" if is_lookup else "requests"
        if buckets.is_log_due(key_id):
            log.warning("a key passes its limit", key_id=key_id, of=noun, limit=buckets.per_minute)
        message = f"the key passes its limit of {buckets.per_minute} {noun} a minute; send fewer, or ask the operator for more"
        raise TooManyRequests(message, buckets.seconds_to_next())


def network_of(address: str | None) -> str:
    """Return whom an address is counted as: an IPv4 address itself, an IPv6 address with its network of 64 bits."""
    try:
        parsed = ipaddress.ip_address(address or "")
    except ValueError:
        return address or "unknown"
    if isinstance(parsed, ipaddress.IPv6Address):
        if parsed.ipv4_mapped is not None:
            return str(parsed.ipv4_mapped)
        return str(ipaddress.ip_network((parsed, _IPV6_NETWORK), strict=False))
    return str(parsed)
