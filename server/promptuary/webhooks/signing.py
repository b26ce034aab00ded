"""The signature of a webhook's body, by the rules and with the library of Standard Webhooks (standardwebhooks.com)."""

import base64
import secrets
from collections.abc import Sequence
from datetime import datetime

from standardwebhooks import Webhook

SECRET_PREFIX = "whsec_"
_SECRET_BYTES = 32


def generate_secret() -> str:
    """Return a new secret: `whsec_` and 32 random bytes in base64."""
    return SECRET_PREFIX + base64.b64encode(secrets.token_bytes(_SECRET_BYTES)).decode()


def signature_headers(message_id: str, at: datetime, body: bytes, signing_secrets: Sequence[str]) -> dict[str, str]:
    """Return the headers of a signed message, with one signature for each secret.

    Args:
        message_id: the same for every attempt, so that a receiver recognizes a repetition.
        at: the time of the attempt, in UTC.
        body: as it is sent.
        signing_secrets: `whsec_…`; any other text signs with its bytes in UTF-8.
    """
    text = body.decode()
    keys = [secret if secret.startswith(SECRET_PREFIX) else secret.encode() for secret in signing_secrets]
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": " ".join(Webhook(key).sign(message_id, at, text) for key in keys),
    }
