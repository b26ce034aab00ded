"""Keys, tokens and passwords in a text: those with a known beginning, and what stands behind a name such as `password`.

RE2 takes time that is linear in the text's length.
"""

import base64
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
_SCHEME = re2.compile(
    r"(?i)(authorization[\"'\\]{0,4}[ \t]{0,3}[=:][ \t]{0,3}[\"'\\]{0,4})?\b(Bearer|Basic)[ ]+([A-Za-z0-9+/_\-.~=]{12,})"
)
_URL_PASSWORD = re2.compile(r"://[^\s/:@]{0,100}:([^\s/@]{1,200})@")
_BLANKS = r"[ \t\x{a0}]{0,3}"
_NAMED = re2.compile(
    r"(?i)(?:(?:api|access)[_\- ]?key|(?:client[_\- ]?)?secret(?:[_\- ]?key)?|(?:auth|access|refresh)[_\- ]?token"
    r"|passwor[dt]|passwd|passphrase|pwd|kennwort|mot de passe|contrase(?:ñ|n\x{303}?)a)"
    rf"[\"'\\]{{0,4}}{_BLANKS}(?:(?:(?:is|ist|lautet|est|es){_BLANKS})?([=:])|(?:is|ist|lautet|est|es)[ \t\x{{a0}}]){_BLANKS}"
    r"([\"'`\\“„«\x{2018}\x{201a}]{0,4}|«[ \x{a0}\x{202f}])"
    r"([^\s\"'\\,;<>“”»]{3,199}[^\s\"'\\,;<>“”»`])"
)
_WORD = re2.compile(
    r"[(\[{*_~¿¡]*(?:[\pL\pM]+(?:[-'’./(–—…]|\.{2,3})?)+[.!?:)\]}*_~’…|\p{So}\x{fe0f}]*"  # wrong! · case-sensitive · l'accès
    r"|[0-9]{1,3}(?:[.][0-9]{1,3})?%[.!?:)]*"  # 100%
    r"|[0-9]{1,4}(?:[-–][0-9]{1,4})?-(?:bits?|bytes?|characters?|chars?|digits?|letters?|stellige?|caract[eè]res?)[.!?:)]*"
    r"|[0-9]{1,2}[-–][0-9]{1,3}"  # 8-16 characters
)
_MIXED_CASE = re2.compile(r"\p{Ll}\p{Lu}|\p{Lu}{2}\p{Ll}{2}")
_BETWEEN_WORDS = re2.compile(r"[/–—…]")
_LONGEST_WORD = 26
"""Characters; what is longer is no word of a sentence."""
_AFTER_BEARER = re2.compile(r"(?i)(?:aut|token)[a-z\-.]*")
"""Words of a text about bearer tokens, such as "Bearer authentication"."""
_MARKERS = ("[redacted:", "[withheld:")

HINT = (
    r"[sprSPR]k[-_]|pmt_|AKIA|ASIA|gh[pousr]_|github_pat|glpat|xox|AIza|ya29|hf_|npm_|pypi-|dop_v1_|lsv2|whsec|shpat|SG[._]|eyJ"
    r"|-----BEGIN|(?i:bearer|basic|key|secret|token|passw|passphrase|pwd|kennwort|mot de passe|contrase)|://"
)
"""A text without a match of it has no credential: each pattern above needs one of these."""


def find_credentials(text: str) -> Iterator[PersonalPassage]:
    """Yield keys, tokens, private keys, and passwords that are named as such."""
    yield from _values(_KNOWN, text)
    yield from _private_keys(text)
    if "://" in text:
        yield from _values(_URL_PASSWORD, text)
    yield from _after_schemes(text)
    yield from _after_names(text)


def _private_keys(text: str) -> Iterator[PersonalPassage]:
    """Yield private keys; one whose end is missing continues to the end of the text."""
    position = 0
    while match := _PRIVATE_KEY.search(text, position):
        end = _END.search(text, match.end())
        position = end.end() if end else len(text)
        yield PersonalPassage(match.start(), position, PassageType.CREDENTIAL)


def _after_schemes(text: str) -> Iterator[PersonalPassage]:
    """Yield what stands after `Bearer` and `Basic`, except the words of a sentence such as "basic requirements"."""
    for match in _SCHEME.finditer(text):
        scheme, value = match[2], match[3]
        if scheme.lower() == "basic":
            is_secret = _has_user_and_password(value)
        else:
            is_secret = _looks_like_secret(value) or (scheme == "Bearer" and not _AFTER_BEARER.fullmatch(value))
        if match[1] or is_secret:
            yield PersonalPassage(match.start(3), match.end(3), PassageType.CREDENTIAL)


def _has_user_and_password(value: str) -> bool:
    """Return whether a text is base64 of `user:password`, or has a digit as other encodings do."""
    if any(character.isdigit() or character in "+=" for character in value):
        return True
    letters = value.rstrip(".")
    try:
        return b":" in base64.b64decode(letters + "=" * (-len(letters) % 4), altchars=b"-_", validate=True)
    except ValueError:
        return False


def _after_names(text: str) -> Iterator[PersonalPassage]:
    """Yield what stands after `password:` and the like; after `password is` without quotes, only what is no word."""
    for match in _NAMED.finditer(text):
        sign, quote, value = match.groups()
        is_stated = sign or quote or _looks_like_secret(value)
        if is_stated and not value.startswith(_MARKERS):
            yield PersonalPassage(match.start(3), match.end(3), PassageType.CREDENTIAL)


def _looks_like_secret(value: str) -> bool:
    """Return whether a text is no word of a sentence: by its digits, symbols, mixed case or length."""
    is_long = any(len(part) > _LONGEST_WORD for part in _BETWEEN_WORDS.split(value))
    return is_long or bool(_MIXED_CASE.search(value)) or not _WORD.fullmatch(value)


def _values(pattern: Any, text: str) -> Iterator[PersonalPassage]:
    for match in pattern.finditer(text):
        yield PersonalPassage(match.start(1), match.end(1), PassageType.CREDENTIAL)
