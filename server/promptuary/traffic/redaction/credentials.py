"""Keys, tokens and passwords in a text: those with a known beginning, and what stands behind a name such as `password`.

RE2 takes time that is linear in the text's length.
"""

from collections.abc import Iterator
from typing import Any

import re2

from promptuary.traffic.redaction.passage import PassageType, PersonalPassage

_KNOWN = re2.compile(
    r"(?:^|[^A-Za-z0-9])("
    r"(?:sk|pk|rk)[-_](?:[a-z]{2,12}[-_]){0,3}[A-Za-z0-9_\-]{16,200}"  # OpenAI, Anthropic, Langfuse, Stripe
    r"|pmt_[A-Za-z0-9]{4,40}_[A-Za-z0-9]{16,200}"  # this service's own
    r"|(?:AKIA|ASIA)[0-9A-Z]{16}"
    r"|gh[pousr]_[A-Za-z0-9]{30,255}|github_pat_[A-Za-z0-9_]{22,255}|glpat-[A-Za-z0-9_\-]{20,64}"
    r"|xox[abeoprs]-[A-Za-z0-9\-]{10,250}"
    r"|AIza[0-9A-Za-z_\-]{35}|ya29\.[0-9A-Za-z_\-]{20,500}"
    r"|hf_[A-Za-z0-9]{30,64}|npm_[A-Za-z0-9]{36}|pypi-[A-Za-z0-9_\-]{50,250}|dop_v1_[a-f0-9]{64}"
    r"|(?:lsv2|whsec|shpat|SG)[._][A-Za-z0-9_\-.]{20,200}"
    r"|eyJ[A-Za-z0-9_\-]{8,}\.eyJ[A-Za-z0-9_\-]{8,}\.[A-Za-z0-9_\-]{8,}"  # a JSON web token
    r")"
)
_PRIVATE_KEY = re2.compile(r"-----BEGIN [A-Z ]{0,30}PRIVATE KEY-----")
_END = re2.compile(r"-----END [A-Z ]{0,30}PRIVATE KEY-----")
_SCHEME = re2.compile(r"(?i)\b(?:Bearer|Basic)[ ]+([A-Za-z0-9+/_\-.~=]{12,})")
_URL_PASSWORD = re2.compile(r"://[^\s/:@]{0,100}:([^\s/@]{1,200})@")
_NAMED = re2.compile(
    r"(?i)(?:(?:api|access)[_\- ]?key|(?:client[_\- ]?)?secret(?:[_\- ]?key)?|(?:auth|access|refresh)[_\- ]?token"
    r"|passwor[dt]|passwd|passphrase|pwd)"
    r"[\"'\\]{0,4}[ \t]{0,3}(?:[=:]|is\b)[ \t]{0,3}[\"'\\]{0,4}([^\s\"'\\,;<>]{4,200})"
)

HINT = (
    r"[sprSPR]k[-_]|pmt_|AKIA|ASIA|gh[pousr]_|github_pat|glpat|xox|AIza|ya29|hf_|npm_|pypi-|dop_v1_|lsv2|whsec|shpat|SG[._]|eyJ"
    r"|-----BEGIN|(?i:bearer|basic|key|secret|token|passw|passphrase|pwd)|://"
)
"""A text without a match of it has no credential: each pattern above needs one of these."""


def find_credentials(text: str) -> Iterator[PersonalPassage]:
    """Yield keys, tokens, private keys, and passwords that are named as such."""
    yield from _values(_KNOWN, text)
    yield from _private_keys(text)
    if "://" in text:
        yield from _values(_URL_PASSWORD, text)
    yield from _values(_SCHEME, text)
    yield from _values(_NAMED, text)


def _private_keys(text: str) -> Iterator[PersonalPassage]:
    """Yield private keys; one whose end is missing continues to the end of the text."""
    position = 0
    while match := _PRIVATE_KEY.search(text, position):
        end = _END.search(text, match.end())
        position = end.end() if end else len(text)
        yield PersonalPassage(match.start(), position, PassageType.CREDENTIAL)


def _values(pattern: Any, text: str) -> Iterator[PersonalPassage]:
    for match in pattern.finditer(text):
        yield PersonalPassage(match.start(1), match.end(1), PassageType.CREDENTIAL)
