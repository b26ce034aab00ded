"""The secrets that sign a person in: session tokens `pms_<id>_<secret><crc>`, and one-time codes `pmc_XXXX-XXXX-XXXX`."""

import hashlib
import hmac
import re
from dataclasses import dataclass

from promptuary.access.api_key import ApiKey, generate_key, parse_key, random_text

SESSION_PREFIX = "pms"
CODE_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"  # Crockford's base 32: no I, L, O, U
_CODE_FORM = re.compile(r"pmc_([0-9A-HJKMNP-TV-Z]{4})-([0-9A-HJKMNP-TV-Z]{4}-[0-9A-HJKMNP-TV-Z]{4})\Z", re.IGNORECASE)


@dataclass(frozen=True)
class SignInCode:
    """A one-time code, parsed into its id (20 bits) and its secret (40 bits)."""

    id: str
    secret: str

    def __str__(self) -> str:
        """Return the whole code; it is shown once, when it is created."""
        return f"pmc_{self.id}-{self.secret}"

    def __repr__(self) -> str:
        """Return the id only, for logs."""
        return f"SignInCode(id={self.id!r})"

    def secret_hash(self) -> str:
        """Return the hash that is stored. The few tries and minutes of a code protect it, not the hash."""
        return hashlib.sha256(self.secret.encode()).hexdigest()

    def matches(self, stored: str) -> bool:
        """Compare with a stored hash in constant time."""
        return hmac.compare_digest(self.secret_hash(), stored)


def generate_code() -> SignInCode:
    """Generate a code from the system's random source."""
    first, second, third = (random_text(4, CODE_ALPHABET) for _ in range(3))
    return SignInCode(first, f"{second}-{third}")


def parse_code(text: str) -> SignInCode | None:
    """Parse a code in either case; return None for what is none."""
    match = _CODE_FORM.match(text)
    return SignInCode(match.group(1).upper(), match.group(2).upper()) if match else None


def generate_token() -> ApiKey:
    """Generate a session token; it has the form of a key, with a prefix of its own."""
    return generate_key(SESSION_PREFIX)


def parse_token(text: str) -> ApiKey | None:
    """Parse a session token; return None for one that is malformed or mistyped."""
    return parse_key(text, SESSION_PREFIX)
