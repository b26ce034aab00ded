"""The callers whose keys are known, and how long each may be answered from memory."""

import hashlib
from dataclasses import dataclass

from promptuary.access.unit_of_work import Caller
from promptuary.core.clock import Clock

KEY_LIMIT = 4096


@dataclass(frozen=True, slots=True)
class CachedKey:
    """A key's caller, and the access revision of its project in the transaction that confirmed the key."""

    caller: Caller
    access_revision: int

    def is_valid(self, access_revision: int, clock: Clock) -> bool:
        """Return whether no key of the project has changed since, and this key has not expired."""
        expires_at = self.caller.expires_at
        return self.access_revision == access_revision and (expires_at is None or clock() < expires_at)


class KeyCache:
    """The known keys, the oldest first. A key is found by the SHA-256 of its Authorization header (0.6 µs).

    So no key is in memory in clear for longer than its request. It belongs to one event loop.
    """

    def __init__(self, limit: int = KEY_LIMIT) -> None:
        """Create an empty cache for at most `limit` keys."""
        self.limit = limit
        self._keys: dict[bytes, CachedKey] = {}

    def __len__(self) -> int:
        """Return the number of known keys."""
        return len(self._keys)

    def __contains__(self, digest: bytes) -> bool:
        """Return whether the key of a header is known."""
        return digest in self._keys

    @staticmethod
    def digest(authorization: bytes) -> bytes:
        """Return the digest of an Authorization header."""
        return hashlib.sha256(authorization).digest()

    def get(self, digest: bytes) -> CachedKey | None:
        """Return the key of a header, if it is known."""
        return self._keys.get(digest)

    def put(self, digest: bytes, key: CachedKey) -> None:
        """Store a key that was confirmed."""
        self._keys[digest] = key
        if len(self._keys) > self.limit:
            del self._keys[next(iter(self._keys))]

    def discard(self, digest: bytes) -> None:
        """Remove a key."""
        self._keys.pop(digest, None)
