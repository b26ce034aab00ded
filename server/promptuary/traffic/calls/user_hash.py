"""The id of an end user as it is stored: keyed, so that nobody without the project's secret can try ids."""

import hashlib
import hmac


def hash_user(user: str, key: bytes) -> str:
    """Return the HMAC-SHA-256 of an end user's id as hex.

    Args:
        user: as the application has it.
        key: the project's secret, `user_key` of its traffic settings.
    """
    return hmac.new(key, user.encode("utf-8", "surrogatepass"), hashlib.sha256).hexdigest()
