"""API keys: `pmt_<id>_<secret><crc>`. Only a hash of the secret is stored; the checksum detects typing errors.

Tokens of sessions have the same form with another prefix.
"""

import hashlib
import hmac
import re
import secrets
import string
import zlib
from dataclasses import dataclass

_ALPHABET = string.ascii_letters + string.digits
KEY_PREFIX = "pmt"
_FORM = re.compile(r"(pm[a-z])_([A-Za-z0-9]{12})_([A-Za-z0-9]{40})([0-9a-f]{8})\Z")


@dataclass(frozen=True)
class ApiKey:
    """A key as its owner has it, parsed into its id and its secret."""

    id: str
    secret: str
    prefix: str = KEY_PREFIX

    def __str__(self) -> str:
        """Return the whole key; people see it once, when it is created."""
        body = f"{self.prefix}_{self.id}_{self.secret}"
        return body + _checksum(body)

    def __repr__(self) -> str:
        """Return the id only, for logs."""
        return f"KeyText(id={self.id!r})"

    def secret_hash(self) -> str:
        """Return the hash that is stored. The secret has 238 random bits, so one round of SHA-256 is enough."""
        return hashlib.sha256(self.secret.encode()).hexdigest()

    def matches(self, stored: str) -> bool:
        """Compare with a stored hash in constant time."""
        return hmac.compare_digest(self.secret_hash(), stored)


def generate_key(prefix: str = KEY_PREFIX) -> ApiKey:
    """Generate a key from the system's random source."""
    return ApiKey(random_text(12), random_text(40), prefix)


def random_text(length: int, alphabet: str = _ALPHABET) -> str:
    """Return characters from the system's random source, for ids and secrets."""
    return "".join(secrets.choice(alphabet) for _ in range(length))


def parse_key(text: str, prefix: str = KEY_PREFIX) -> ApiKey | None:
    """Parse a key; return None for one that is malformed or mistyped, or has another prefix."""
    match = _FORM.match(text)
    if match is None or match[1] != prefix or _checksum(text[: -len(match[4])]) != match[4]:
        return None
    return ApiKey(match[2], match[3], prefix)


def _checksum(body: str) -> str:
    return f"{zlib.crc32(body.encode()):08x}"
